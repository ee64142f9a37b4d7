"""Arrays of data, block by block: nothing here copies more than a small part of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from nbn_spec.ops.base import Array

SAMPLE = 1_000_000
"""Of more examples than these, every second, third, … is looked at."""
BLOCK = 2**20
"""Numbers that are looked at at once."""
COUNTED = 10_000
"""Examples by which a column's distinct values are counted."""


@dataclass(frozen=True)
class Columns:
    """Smallest and largest number, mean and deviation of every column, and whether all numbers are whole."""

    low: Array
    high: Array
    mean: Array
    deviation: Array
    whole: bool

    @property
    def spread(self) -> Array:
        """From the smallest to the largest number of each column."""
        return np.asarray(self.high - self.low)

    @property
    def constant(self) -> Array:
        """Whether a column holds one number only."""
        return np.asarray(self.high == self.low)


def blocks(array: Array, rows: Array | None = None) -> Iterator[Array]:
    """Parts of an array as (examples, columns), by its last axis; ``rows`` picks the examples."""
    count = len(array) if rows is None else len(rows)
    step = max(1, -(-count // SAMPLE))
    width = array.shape[-1] if array.ndim > 1 else 1
    each = max(1, BLOCK // max(1, array[:1].size)) * step
    for start in range(0, count, each):
        part = slice(start, start + each, step)
        yield (array[part] if rows is None else array[rows[part]]).reshape(-1, width)


def columns_of(array: Array, rows: Array | None = None) -> Columns | None:
    """What the columns of an array hold; ``None`` where there are no numbers."""
    parts = blocks(array, rows)
    head = next(parts, np.empty(0))
    if not head.size:
        return None
    origin = head[0].astype(np.float64)
    low, high, total, squares = origin, origin, np.zeros_like(origin), np.zeros_like(origin)
    count, whole = 0, True
    with np.errstate(over="ignore", invalid="ignore"):  # what becomes infinite, or no number, fits no rule
        for part in chain((head,), parts):
            block = part.astype(np.float64)
            low, high = np.minimum(low, block.min(0)), np.maximum(high, block.max(0))
            whole = whole and bool((block == np.floor(block)).all())
            block -= origin  # near the numbers themselves, so that little is lost where the mean is large
            total, squares = total + block.sum(0), squares + np.square(block, block).sum(0)
            count += len(block)
        deviation = np.sqrt(np.maximum(squares / count - (total / count) ** 2, 0))
    return Columns(low, high, origin + total / count, deviation, whole)


def row_hashes(arrays: Sequence[Array], rows: Array) -> Array:
    """A number of 64 bits for each of the given examples: equal for examples of equal bytes."""
    views = [(array.reshape(-1).view(np.uint8).data, array[:1].nbytes) for array in arrays]
    hashed = (hash(b"".join(view[i * size : (i + 1) * size] for view, size in views)) for i in rows.tolist())
    return np.fromiter(hashed, np.int64, len(rows))


def bits(arrays: Sequence[Array], enough: float) -> float:
    """How many bits the examples carry if their columns had nothing to do with each other, up to ``enough``.

    The entropies of the columns, added up: a table of two bits has 2, whatever its length.
    """
    found = 0.0
    for array in arrays:
        flat = array.reshape(len(array), -1)
        for column in range(flat.shape[1]):
            found += entropy(flat[:: max(1, len(flat) // COUNTED), column])
            if found >= enough:
                return found
    return found


def entropy(column: Array) -> float:
    """The entropy of a column's values in bits."""
    _, counts = np.unique(column, return_counts=True)
    share = counts / counts.sum()
    return float(-(share * np.log2(share)).sum())
