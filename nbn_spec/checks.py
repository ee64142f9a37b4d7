"""What the numbers of an input must be: of the right kind, shape and domain; and the complaints about others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nbn_spec.errors import DataError, Problem, Steps, shorten
from nbn_spec.graph import BATCH, Input
from nbn_spec.ops.base import Array, Domain, show
from nbn_spec.table import SHOWN, Table, names_of

FRACTIONLESS = 2.0**53
"""From here on a float cannot tell neighbouring whole numbers apart."""


@dataclass(frozen=True)
class Origin:
    """Where the numbers of an input come from: what complaints call the place of each."""

    label: str
    path: Steps = ()
    """The place in the spec; of values that stand there, a number's indices follow."""
    table: Table | None = None
    field: Any = None

    def column(self, index: Sequence[int]) -> str | None:
        """The column of a csv file that a number was read from; ``None`` where there is not just one."""
        if self.table is None or self.field.one_hot is not None:
            return None
        return names_of(self.field)[index[1] if len(index) > 1 else 0]

    def name(self, index: Sequence[int]) -> str:
        """A number's place: its indices, or the line and column of the file."""
        column = self.column(index)
        if self.table is None or column is None:
            return f"[{', '.join(map(str, index))}]"
        return f'line {self.table.lines[index[0]]}, column "{column}",'

    def at(self, problem: Problem, index: Sequence[int] | None) -> Problem:
        """A problem with its place, of which ``index`` tells the first bad number."""
        if index is None:
            return replace(problem, where=self.label, path=self.path)
        column = self.column(index)
        if self.table is not None and column is not None:
            return replace(problem, where=self.label, path=self.path, span=self.table.span(index[0], column))
        inside = tuple(map(int, index)) if self.path[:2] == ("data", "values") else ()
        return replace(problem, where=self.label, path=(*self.path, *inside))


@dataclass(frozen=True)
class Loaded:
    """An array and where it comes from."""

    array: Array
    origin: Origin


def plain(values: object, where: str) -> Array:
    """Nested lists as an array; raises :class:`DataError` where the rows differ in length."""
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        raise DataError("NBN302", where, "has masked values", "fill them or leave the examples out")
    try:
        array: Array = np.asarray(values)
        return array.astype(np.float64) if holds_large_integers(array) else array
    except (ValueError, TypeError):
        raise DataError("NBN303", where, "the rows are not equally long, or hold more than numbers") from None
    except OverflowError:
        raise DataError("NBN304", where, "holds an integer that is too large for any float") from None
    except RuntimeError as error:  # what other libraries' arrays raise
        raise DataError("NBN302", where, f"cannot be read as an array: {error}") from None


def holds_large_integers(array: Array) -> bool:
    """Whether NumPy made objects of plain numbers, because some are integers that 64 bits cannot hold."""
    return array.dtype == object and all(type(item) in (int, float) for item in array.flat)


def whole(array: Array, where: str, origin: Origin | None = None) -> Array:
    """The array as int64; raises :class:`DataError` for anything but whole numbers."""
    if array.dtype.kind == "f" and (bad := ~((np.floor(array) == array) & (np.abs(array) < FRACTIONLESS))).any():
        demand, hint = "must be whole numbers", "class numbers are 0, 1, 2, …"
        raise bad_numbers("NBN305", where, demand, array, bad, origin, hint)
    if array.dtype.kind == "u" and (bad := array > np.iinfo(np.int64).max).any():
        raise bad_numbers("NBN305", where, "must fit in 64 bits", array, bad, origin)
    return array.astype(np.int64)


def within(array: Array, domain: Domain, where: str, origin: Origin | None = None) -> None:
    """Raises :class:`DataError` for the first values that are outside the domain."""
    bad = ~np.isin(array, domain.only) if domain.only else (array < domain.low) | (array > domain.high)
    if bad.any():
        raise bad_numbers("NBN305", where, f"must be {domain.words}", array, bad, origin)


def bad_numbers(
    code: str, where: str, demand: str, array: Array, bad: Array, origin: Origin | None, hint: str = ""
) -> DataError:
    """The complaint about numbers that are not as they must be: the first ones, and how many more there are."""
    problem = Problem(code, where, f"{demand}: {listed(array, bad, origin)}", hint)
    return DataError.of([problem if origin is None else origin.at(problem, np.argwhere(bad)[0].tolist())])


def listed(array: Array, bad: Array, origin: Origin | None = None) -> str:
    """The first bad values with their places, and how many more there are."""
    places = np.argwhere(bad).tolist()
    named = (origin or Origin("")).name
    shown = ", ".join(f"{named(place)} is {array[tuple(place)]!s}" for place in places[:SHOWN])
    return shown + (f" and {len(places) - SHOWN} more" if len(places) > SHOWN else "")


def conform(item: Input, value: object, dtype: str, origin: Origin | None = None) -> Array:
    """``value`` as the array that an input takes: right dtype, shape and layout, all finite.

    A single column fits both ``["N"]`` and ``["N", 1]``. Raises :class:`DataError`.
    """
    array: Array = value if type(value) is np.ndarray else plain(value, item.name)
    if array.dtype.kind not in "biuf":
        raise DataError(
            "NBN302", item.name, f"holds other than real numbers: dtype {array.dtype}, {shorten(value)}"
        )
    if not fits(array.shape, item):
        array = as_column(array, item)
    if item.integer:
        return np.ascontiguousarray(whole(array, item.name, origin))
    cast = array if array.dtype == dtype and array.flags.c_contiguous else converted(array, dtype)
    if not np.logical_and.reduce(np.isfinite(cast), axis=None):
        raise bad_numbers("NBN304", item.name, f"must be finite in {dtype}", array, ~np.isfinite(cast), origin)
    return cast


def converted(array: Array, dtype: str) -> Array:
    """The array in another dtype, its elements one behind the other; numbers too large become infinite."""
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(array, dtype=dtype).reshape(array.shape)


def fits(shape: tuple[int, ...], item: Input) -> bool:
    """Whether an array's shape is one that the input declares."""
    return len(shape) == len(item.shape) and all(
        isinstance(want, str) or have == want for have, want in zip(shape, item.shape, strict=True)
    )


def as_column(array: Array, item: Input) -> Array:
    """A vector as a column or a column as a vector, if that is what the input declares; else an error."""
    if array.ndim == 1 and item.shape == (BATCH, 1):
        return array.reshape(-1, 1)
    if array.ndim == 2 and array.shape[1] == 1 and item.shape == (BATCH,):
        return array.reshape(-1)
    hint = "give a list of examples, even for one: [[…]]" if array.ndim == len(item.shape) - 1 else ""
    message = f"has shape {show(array.shape)}, but the input is declared as {show(item.shape)}"
    raise DataError("NBN303", item.name, message, hint)
