"""Parameters: one flat vector, trainable ones first, with a named view for each."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Literal

import numpy as np

from nbn_spec.errors import GraphError
from nbn_spec.graph import Graph, Parameter
from nbn_spec.initializers import Draws
from nbn_spec.ops.base import Array, show
from nbn_spec.record import Record, attr

COPIES = 2
"""Values and gradients: what a model needs of memory at least, in lengths of the flat vector."""


@dataclass(frozen=True)
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

    Raises :class:`GraphError` where an initializer cannot fill a shape or the memory does not suffice.
    """
    afford(graph, layout)
    flat = np.empty(layout.size, dtype=graph.dtype)
    views, draws = layout.views(flat), seed.initial()
    for parameter in graph.parameters:
        view = views[parameter.name]
        with np.errstate(all="ignore"):
            view[...] = first_values(parameter, draws)
        if not np.isfinite(view).all():
            message = f"gets initial values that {graph.dtype} cannot hold"
            raise GraphError("NBN208", parameter.name, message, "give its initializer smaller numbers")
    return flat


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


def afford(graph: Graph, layout: Layout) -> None:
    """Refuse parameters that the machine's free memory cannot hold; counted before anything is allocated."""
    need, have = COPIES * layout.size * np.dtype(graph.dtype).itemsize, free_memory()
    if need > have:
        largest = max(graph.parameters, key=lambda parameter: prod(parameter.shape))
        raise GraphError(
            "NBN209",
            largest.name,
            f"parameters and gradients need {mebibytes(need)}, but {mebibytes(have)} are free",
            f"the largest is {largest.name} {show(largest.shape)}: make it smaller",
        )


def mebibytes(size: int) -> str:
    """A number of bytes in words; it may be absurdly large."""
    return f"{size // 2**20:,} MiB" if size < 2**80 else "more than any machine has"


def free_memory() -> int:
    """Bytes of memory that can still be had: on the machine, and within the limits of a container."""
    return min(free_on_machine(), free_in_container())


def free_in_container() -> int:
    """Bytes up to the limit of the control group (cgroup v2) that the process runs in."""
    try:
        limit, used = (Path("/sys/fs/cgroup", name).read_text() for name in ("memory.max", "memory.current"))
        return int(limit) - int(used)
    except (OSError, ValueError):  # no such group, or "max": no limit
        return sys.maxsize


def free_on_machine() -> int:
    """Bytes that the operating system says are available, or else all that the machine has."""
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 2**33
