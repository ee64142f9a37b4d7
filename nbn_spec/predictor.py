"""Predicting: programs kept for the shapes that were asked for, and the shortest safe way from data to outputs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np

from nbn_spec.graph import Graph, Input
from nbn_spec.interpreter import Interpreter
from nbn_spec.ops.base import Array

KEPT_SHAPES, KEPT_BYTES = 8, 2**26
"""For how many shapes of data interpreters are kept, and the largest that is: for a large batch binding takes no
time beside computing."""
NUMBERS = "biuf"
"""The kinds of dtype that hold real numbers."""
Shapes = tuple[tuple[int, ...], ...]


class Predictor:
    """An interpreter with all at hand that a prediction needs: where data goes, and where outputs come from."""

    def __init__(self, bound: Interpreter, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        self.bound = bound
        arrays = [bound.arrays[name] for name in inputs]
        self.targets = [(array, partial(array.reshape(-1).dot, array.reshape(-1))) for array in arrays]
        self.shapes: Shapes = tuple(array.shape for array in arrays)
        self.copies = {name: bound.arrays[name].copy for name in outputs}
        self.only = next(iter(self.copies.values())) if len(outputs) == 1 else None
        self.size = bound.program.arena + sum(array.nbytes for array in arrays)
        """Bytes of its arrays."""
        self.kept = self.size <= KEPT_BYTES

    def load(self, given: Sequence[Array]) -> bool:
        """Copy the data in, cast to the model's dtype; whether all of it is finite for sure.

        A sum of squares is the cheapest look at all numbers; as it may overflow, it only arouses suspicion.
        """
        return self.bound.quietly(self._load, given)

    def _load(self, given: Sequence[Array]) -> bool:
        sure = True
        for (target, square), array in zip(self.targets, given, strict=True):
            np.copyto(target, array)
            sure = math.isfinite(square()) and sure
        return sure

    def run(self) -> Any:
        """The outputs: a new array, or a dict of them where there are several."""
        self.bound.forward()
        if self.only is not None:
            return self.only()
        return {name: copy() for name, copy in self.copies.items()}


class Predictors:
    """The idle predictors of a model, by the shapes of their data. Lists hand over atomically, so several threads
    may take and give at once and never share one."""

    def __init__(self, graph: Graph, needed: Sequence[Input]) -> None:
        self.graph, self.needed = graph, needed
        self.names = tuple(item.name for item in needed)
        self.idle: dict[Shapes, list[Predictor]] = {}

    @cached_property
    def plain(self) -> bool:
        """Whether real numbers of any kind will do, as long as they are finite."""
        return not any(item.integer or self.graph.domains[item.name] for item in self.needed)

    def at_once(self, data: object) -> Predictor | None:
        """A predictor loaded with ``data``, if that needs no further look: real, finite numbers in arrays whose
        shapes were accepted before. ``None`` says nothing of the data."""
        given = self._given(data)
        pool = self.idle.get(tuple([array.shape for array in given])) if given else None
        if not pool:
            return None
        try:
            predictor = pool.pop()  # not after a look at whether there is one: another thread may come in between
        except IndexError:
            return None
        if predictor.load(given):
            return predictor
        pool.append(predictor)
        return None

    def _given(self, data: object) -> tuple[Array, ...]:
        """The arrays of all inputs, in order; none where these are not just arrays of real numbers."""
        if not self.plain:
            return ()
        if type(data) is np.ndarray and len(self.names) == 1:
            return (data,) if data.dtype.kind in NUMBERS else ()
        if type(data) is not dict or len(data) != len(self.names):
            return ()
        found: tuple[Any, ...] = tuple(data.get(name) for name in self.names)
        return found if all(type(item) is np.ndarray and item.dtype.kind in NUMBERS for item in found) else ()

    def take(self, shapes: Shapes) -> Predictor | None:
        """An idle predictor for data of these shapes."""
        try:
            return self.idle.get(shapes, []).pop()
        except IndexError:
            return None

    def give(self, predictor: Predictor, limit: int | None = None) -> None:
        """Keep a predictor for the next time, if all of them stay within ``limit`` bytes."""
        if limit is not None and self.size() + predictor.size > limit:
            return
        pool = self.idle.get(predictor.shapes)
        if pool is None:
            if len(self.idle) >= KEPT_SHAPES:
                self.idle.clear()
            pool = self.idle.setdefault(predictor.shapes, [])
        pool.append(predictor)

    def size(self) -> int:
        """Bytes that the idle predictors keep."""
        return sum(predictor.size for pool in [*self.idle.values()] for predictor in [*pool])
