"""The complementary error function as NumPy calls (NumPy itself has none).

erfc(x) = exp(−x²) · p(t) / (1 + 2x) for x ≥ 0, where p is a Chebyshev series in t = (x − K) / (x + K): the mapping
of Shepherd & Laframboise, "Chebyshev approximation of (1 + 2x) exp(x²) erfc x" (Math. Comp. 36, 1981). The
coefficients are computed once, when they are first asked for, from the standard library's ``math.erfc``. Negative
arguments follow from erfc(−x) = 2 − erfc(x).
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from nbn_spec.ops.base import Array, Calls, do

K = 3.75
REACH = 26.0
"""The series is fitted up to here; beyond, exp(−x²) is below 1e-293, whatever the series."""
DEGREES = {4: 10, 8: 20}
"""Degree of the polynomial by the bytes of a number: float32 needs half the terms of float64."""


def scaled(t: float) -> float:
    """(1 + 2x) · exp(x²) · erfc(x) for the x that ``t`` stands for, up to ``REACH``."""
    x = min(K * (1 + t) / max(1 - t, 1e-300), REACH)
    return (1 + 2 * x) * math.exp(x * x) * math.erfc(x)


@cache
def coefficients(degree: int) -> list[float]:
    """Power-series coefficients of the interpolating polynomial, highest first."""
    from numpy.polynomial import chebyshev  # only gelu needs it, and it takes 2 ms to import

    end = (REACH - K) / (REACH + K)
    nodes = [math.cos(math.pi * (k + 0.5) / (degree + 1)) for k in range(degree + 1)]
    values = [scaled((1 + end) / 2 * node + (end - 1) / 2) for node in nodes]
    series = chebyshev.chebfit(nodes, values, degree)
    return [float(c) for c in chebyshev.cheb2poly(series)[::-1]]


def erfc(x: Array, y: Array, t: Array) -> Calls:
    """Calls that write erfc(x) into ``y``; ``t`` is scratch of the same shape."""
    end = (REACH - K) / (REACH + K)
    yield do(np.absolute, x, y)
    yield do(np.add, y, K, t)
    yield do(np.divide, -2 * K * 2 / (1 + end), t, t)
    yield do(np.add, t, (2 + 1 - end) / (1 + end), t)
    yield from horner(t, y, coefficients(DEGREES[x.dtype.itemsize]))
    yield do(np.absolute, x, t)
    yield do(np.multiply, t, 2, t)
    yield do(np.add, t, 1, t)
    yield do(np.divide, y, t, y)
    yield do(np.multiply, x, x, t)
    yield do(np.negative, t, t)
    yield do(np.exp, t, t)
    yield do(np.multiply, y, t, y)
    yield from reflect(x, y, t)


def reflect(x: Array, y: Array, t: Array) -> Calls:
    """erfc(x) from erfc(|x|) in ``y``: (1 − sign) + sign · y is y, or 2 − y, without a mask."""
    yield do(np.sign, x, t)
    yield do(np.multiply, y, t, y)
    yield do(np.subtract, 1, t, t)
    yield do(np.add, y, t, y)


def horner(t: Array, y: Array, terms: list[float]) -> Calls:
    """The polynomial with these ``terms``, highest first, at ``t``, into ``y``."""
    yield do(np.multiply, t, terms[0], y)
    for term in terms[1:-1]:
        yield do(np.add, y, term, y)
        yield do(np.multiply, y, t, y)
    yield do(np.add, y, terms[-1], y)
