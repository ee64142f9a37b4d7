"""A numerical gradient checker: central differences in float64 against the gradients that someone claims."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from nbn_spec.ops.base import Array

Arrays = Mapping[str, Array]
STEP = 1e-5
"""Truncation grows with its square, rounding with its inverse: here both stand near 1e-10."""
TOLERANCE = 1e-7


class WrongGradient(AssertionError):
    """A claimed gradient that the function's own differences contradict; ``name`` is the operand's."""

    def __init__(self, name: str, message: str) -> None:
        self.name = name
        super().__init__(f"gradient of {name}: {message}")


def differences(function: Callable[[Arrays], Array], arrays: Arrays, name: str, upstream: Array) -> Array:
    """The derivative of Σ upstream · function(arrays) by each element of one array."""
    moved = {**arrays, name: arrays[name].copy()}
    flat, found = moved[name].reshape(-1), np.empty(arrays[name].size)
    for i, middle in enumerate(flat.copy()):
        sums = []
        for flat[i] in (middle + STEP, middle - STEP):
            sums.append(np.sum(upstream * function(moved)))
        found[i] = (sums[0] - sums[1]) / (2 * STEP)
        flat[i] = middle
    return found.reshape(arrays[name].shape)


def check(function: Callable[[Arrays], Array], arrays: Arrays, upstream: Array, claimed: Arrays) -> None:
    """Raise :class:`WrongGradient` for the first claimed gradient (of Σ upstream · function) that is none."""
    for name, gradient in claimed.items():
        if gradient.shape != arrays[name].shape:
            raise WrongGradient(name, f"has shape {gradient.shape}, the operand {arrays[name].shape}")
        expected = differences(function, arrays, name, upstream)
        if not np.isfinite(expected).all():
            raise WrongGradient(name, "the function has no finite differences here")
        off = np.abs(gradient - expected) > TOLERANCE * (1 + np.abs(expected))
        off |= ~np.isfinite(gradient)
        if off.any():
            worst = tuple(int(i) for i in np.argwhere(off)[0])
            message = f"{off.sum()} of {off.size} elements are wrong; at {list(worst)} it claims "
            raise WrongGradient(
                name, message + f"{gradient[worst]:.9g}, but the difference is {expected[worst]:.9g}"
            )
