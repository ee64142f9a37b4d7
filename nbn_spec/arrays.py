"""Arrays that begin on a cache line: vector instructions that straddle two lines take up to half as long again."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

Array = np.ndarray[tuple[Any, ...], np.dtype[Any]]
ALIGNMENT = 64
"""Bytes: a cache line, and the widest vector register."""
SMALL = 2**12
"""Bytes: what lies in the nearest cache anyway gains nothing."""


def aligned(size: int) -> Array:
    """``size`` bytes that begin on a cache line; takes ``ALIGNMENT`` more."""
    memory = np.empty(size + ALIGNMENT, dtype=np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size]


def empty(shape: tuple[int, ...], dtype: Any) -> Array:
    """An array of arbitrary contents, that of a large one beginning on a cache line."""
    size = prod(shape) * np.dtype(dtype).itemsize
    return np.empty(shape, dtype) if size < SMALL else aligned(size).view(dtype).reshape(shape)


def zeros(shape: tuple[int, ...], dtype: Any) -> Array:
    """The same, of zeros."""
    array = empty(shape, dtype)
    array.fill(0)
    return array
