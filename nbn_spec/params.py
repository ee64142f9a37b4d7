"""Parameters: one flat vector, trainable ones first, with a named view for each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from math import prod
from typing import TYPE_CHECKING, Literal

import numpy as np

from nbn_spec.arrays import empty
from nbn_spec.errors import GraphError, Problem
from nbn_spec.graph import Graph, Parameter
from nbn_spec.initializers import (
    Constant,
    Initializer,
    Ones,
    Orthogonal,
    ScaledUniform,
    TruncatedNormal,
    Uniform,
    Zeros,
)
from nbn_spec.ops.base import Array, show
from nbn_spec.record import Record, attr, record

if TYPE_CHECKING:
    from nbn_spec.initializers import Draws

DRAWN: dict[type[Initializer], int] = {
    **dict.fromkeys((ScaledUniform, Uniform, Zeros, Ones, Constant), 8),
    TruncatedNormal: 26,
    Orthogonal: 36,
}
"""Bytes that drawing takes at once for each number; 16 for the others: float64 before and after scaling."""


@record
class Seed(Record):
    """Where random numbers come from.

    ``pcg64`` is NumPy's default generator; ``mt19937`` its legacy one, for initial values as
    ``np.random.seed`` and ``np.random.randn`` draw them. Shuffling and splitting use PCG64 in either case.
    """

    value: int = attr(0, ge=0, le=2**32 - 1, doc="The seed.")
    generator: Literal["pcg64", "mt19937"] = attr("pcg64", doc="The generator of the initial values.")

    def initial(self) -> Draws:
        """The generator of initial values."""
        legacy = self.generator == "mt19937"
        return np.random.RandomState(self.value) if legacy else np.random.default_rng(self.value)

    def stream(self, number: int) -> np.random.Generator:
        """A generator of its own for each further purpose."""
        return np.random.default_rng((self.value, number))


@dataclass(frozen=True)
class Layout:
    """Where each parameter lies in the flat vector: (parameter, offset), trainable ones first."""

    places: tuple[tuple[Parameter, int], ...]
    trainable: int
    """How many numbers are trained: they come first."""
    size: int

    @classmethod
    def of(cls, graph: Graph) -> Layout:
        """The layout of a graph's parameters."""
        ordered = sorted(graph.parameters, key=lambda parameter: not parameter.trainable)
        places, offset, trainable = [], 0, 0
        for parameter in ordered:
            places.append((parameter, offset))
            offset += prod(parameter.shape)
            trainable = offset if parameter.trainable else trainable
        return cls(tuple(places), trainable, offset)

    @cached_property
    def offsets(self) -> dict[str, tuple[int, tuple[int, ...]]]:
        """Offset and shape by name."""
        return {parameter.name: (offset, parameter.shape) for parameter, offset in self.places}

    def views(self, flat: Array) -> dict[str, Array]:
        """A view of ``flat`` for each parameter, by name."""
        return {
            name: flat[offset : offset + prod(shape)].reshape(shape)
            for name, (offset, shape) in self.offsets.items()
        }


def initialize(graph: Graph, layout: Layout, seed: Seed) -> Array:
    """The flat vector of initial values, drawn in the order of the graph's parameters.

    Whether there is room for it, the caller has asked (:func:`nbn_spec.budget.afford`). Raises :class:`GraphError`
    with a problem for each that an initializer cannot fill.
    """
    flat = empty((layout.size,), graph.dtype)
    views, draws = layout.views(flat), seed.initial()
    problems: list[Problem] = []
    with np.errstate(all="ignore"):
        for parameter in graph.parameters:
            try:
                fill(views[parameter.name], parameter, draws)
            except GraphError as error:
                problems += error.problems
    if problems:
        raise GraphError.of(problems)
    return flat


def fill(view: Array, parameter: Parameter, draws: Draws) -> None:
    """Write a parameter's first values; raises :class:`GraphError` where there are none that are finite."""
    view[...] = first_values(parameter, draws)
    if not np.logical_and.reduce(np.isfinite(view), axis=None):
        message = f'"{parameter.name}" gets initial values that {view.dtype} cannot hold'
        raise GraphError("NBN208", parameter.name, message, "give its initializer smaller numbers")


def first_values(parameter: Parameter, draws: Draws) -> Array:
    """A parameter's exact values, or those that its initializer draws."""
    if parameter.value is not None:
        return parameter.value
    assert parameter.init is not None, "a parameter from a spec has a value or an initializer"
    try:
        return parameter.init.draw(parameter.shape, draws)
    except OverflowError:  # a uniform whose width is beyond all floats: refused like other values that are
        return np.full(parameter.shape, np.inf)
    except ValueError as error:
        raise GraphError("NBN208", parameter.name, f"{error}, but this one is {show(parameter.shape)}") from None


def drawn(parameter: Parameter, itemsize: int) -> int:
    """Bytes beside the flat vector while a parameter's first values are drawn or read, and checked."""
    if parameter.init is None:  # exact values are there already; those of an archive are read on their own
        return (1 if parameter.value is not None else itemsize + 1) * prod(parameter.shape)
    return drawn_by(type(parameter.init)) * prod(parameter.shape)


@cache
def drawn_by(initializer: type) -> int:
    """Bytes that an initializer, or its kind, takes for each number."""
    return next((DRAWN[kind] for kind in initializer.__mro__ if kind in DRAWN), 16)
