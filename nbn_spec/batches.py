"""Batches: a graph bound to examples, all at once or a few at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nbn_spec.arrays import empty
from nbn_spec.budget import MEASURED, measured
from nbn_spec.graph import BATCH, Graph
from nbn_spec.interpreter import Interpreter, arena_of
from nbn_spec.metrics import Metric, compared, labels, measures
from nbn_spec.ops.base import Array, Call
from nbn_spec.params import Layout, Seed
from nbn_spec.plan import Program, plan

SHUFFLE_STREAM = 1

Arrays = Mapping[str, Array]
Pairs = list[tuple[Array, Array]]
"""The array of all examples and the buffer of a batch, for every input that holds one row per example."""


@dataclass(frozen=True)
class Batch:
    """An interpreter for batches of one size, with everything resolved that a step needs."""

    interpreter: Interpreter
    examples: int
    load: Callable[[int], None]
    """Puts the examples from a place on into the inputs."""
    measures: tuple[Callable[[], float], ...]
    """Read the cost and compute each metric."""
    found: list[float]
    """What a step measured."""
    step: tuple[Call, ...]
    """The calls of one step: the forward pass, a look at what it gives, the backward pass, the update."""

    def forward(self) -> list[float]:
        """The cost and the metrics of the examples that it holds."""
        self.interpreter.forward()
        return [measure() for measure in self.measures]


class Order:
    """The order of the examples, drawn anew for each pass into one and the same array."""

    def __init__(self, count: int, seed: Seed) -> None:
        self.draws = seed.stream(SHUFFLE_STREAM)
        self.natural = np.arange(count)
        self.places = np.arange(count)

    def shuffle(self) -> None:
        """Draw the next order: what ``permutation`` would draw, without its new array."""
        np.copyto(self.places, self.natural)
        self.draws.shuffle(self.places)


@dataclass(frozen=True)
class Sweep:
    """Passes over examples. Iterating gives the batches of one pass, each loaded when its turn comes."""

    batches: tuple[Batch, ...]
    """One for batches of full size and, where it does not come out even, one for the last."""
    examples: int
    order: Order | None = None

    @property
    def size(self) -> int:
        """Examples in a batch of full size."""
        return self.batches[0].examples

    @cached_property
    def steps(self) -> int:
        """Batches in one pass."""
        return -(-self.examples // self.size)

    def __iter__(self) -> Iterator[Batch]:
        return self._turns() if self.steps > 1 else iter(self.batches)  # a lone batch holds its examples

    def _turns(self) -> Iterator[Batch]:
        """The batches of a pass that has several."""
        if self.order is not None:
            self.order.shuffle()
        whole, *rest = self.batches
        even = self.examples - self.examples % self.size
        for start in range(0, even, self.size):
            whole.load(start)
            yield whole
        for batch in rest:
            batch.load(even)
            yield batch

    def mean(self) -> list[float]:
        """The cost and the metrics, each batch weighted by its examples."""
        sums = [0.0] * len(self.batches[0].measures)
        for batch in self:
            for place, value in enumerate(batch.forward()):
                sums[place] += value * batch.examples
        return [total / self.examples for total in sums]


@dataclass(frozen=True)
class Binder:
    """What is the same for every binding of a model: graph, parameters, gradient, and what is measured."""

    graph: Graph
    layout: Layout
    flat: Array
    metrics: Sequence[Metric]
    grad: Array | None = None
    """Where gradients go; without it, programs have no backward pass."""
    update: tuple[Call, ...] = ()
    """The calls that follow a backward pass."""
    planned: Program | None = None
    """A program that exists already: for batches of its size."""
    watch: Callable[[Batch], Batch] | None = None
    """What puts a clock to the calls of a batch, if anything does."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of what a batch measures."""
        return ("loss", *labels(self.metrics, self.graph))

    def sweep(self, data: Arrays, size: int, order: Order | None = None) -> Sweep:
        """Passes over ``data`` in batches of ``size``; if that is all of it, the data is read where it lies."""
        count = examples_in(self.graph, data)
        if size >= count:
            bound = Interpreter(self.program(data, count), self.layout, self.flat, self.grad, inputs=data)
            return Sweep((self.batch(bound, count, lambda start: None),), count)
        program = self.program(data, size)
        arena = arena_of(program.arena)
        batched = [item.name for item in self.graph.inputs if item.batched and item.name in data]
        buffers = {name: empty((size, *data[name].shape[1:]), data[name].dtype) for name in batched}
        batches = [self.some(program, arena, data, buffers, order)]
        if rest := count % size:
            batches.append(self.some(self.program(data, rest), arena, data, buffers, order))
        return Sweep(tuple(batches), count, order)

    def measuring(self, data: Arrays, size: int) -> Sweep:
        """Passes that only measure: in larger batches where training takes small ones, for speed."""
        sizes = {**symbols(self.graph, data), BATCH: examples_in(self.graph, data)}
        most = measured(self.graph, sizes, self.fetch(), size, MEASURED)
        return Binder(self.graph, self.layout, self.flat, self.metrics).sweep(data, most)

    def fetch(self) -> list[str]:
        """The values that are wanted: the loss, and what metrics look at."""
        return [self.graph.loss or "", *compared(self.metrics, self.graph)]

    def program(self, data: Arrays, count: int) -> Program:
        """The program for ``count`` of the examples in ``data``."""
        sizes = {**symbols(self.graph, data), BATCH: count}
        if self.planned is not None and self.planned.sizes == sizes:
            return self.planned
        return plan(self.graph, sizes, self.fetch(), backward=self.grad is not None)

    def some(self, program: Program, arena: Array, data: Arrays, buffers: Arrays, order: Order | None) -> Batch:
        """An interpreter that reads some examples at a time from the head of the buffers."""
        size = program.sizes[BATCH]
        heads = {name: buffer[:size] for name, buffer in buffers.items()}
        pairs = [(data[name], head) for name, head in heads.items()]
        load = in_turn(pairs, size) if order is None else gathering(pairs, size, order)
        memory = arena if program.arena <= arena.nbytes else None
        inputs = {**data, **heads}
        bound = Interpreter(program, self.layout, self.flat, self.grad, inputs=inputs, arena=memory)
        return self.batch(bound, size, load)

    def batch(self, bound: Interpreter, count: int, load: Callable[[int], None]) -> Batch:
        """A bound interpreter with its loss and metrics."""
        loss = bound.arrays[self.graph.loss or ""]
        read = (loss.item, *measures(self.metrics, self.graph, bound.arrays).values())
        found = [math.nan] * len(read)
        looks = (look(read[0], found), *(note(*pair, found) for pair in enumerate(read[1:], start=1)))
        step = (*bound.forward_calls, *looks, *bound.backward_calls, *self.update)
        batch = Batch(bound, count, load, read, found, step)
        return self.watch(batch) if self.watch else batch


class NotFiniteCost(Exception):
    """Ends a step before its backward pass."""


def look(read: Callable[[], float], found: list[float]) -> Call:
    """A call that notes the cost, and raises :class:`NotFiniteCost`."""

    def call() -> None:
        found[0] = cost = read()
        if not math.isfinite(cost):
            raise NotFiniteCost

    return call


def note(place: int, measure: Callable[[], float], found: list[float]) -> Call:
    """A call that notes a metric."""

    def call() -> None:
        found[place] = measure()

    return call


def in_turn(pairs: Pairs, size: int) -> Callable[[int], None]:
    """A function that copies the ``size`` examples from a place on."""

    def load(start: int) -> None:
        for whole, part in pairs:
            np.copyto(part, whole[start : start + size])

    return load


def gathering(pairs: Pairs, size: int, order: Order) -> Callable[[int], None]:
    """A function that copies the ``size`` examples from a place in the order on."""
    takes = [(whole.take, part) for whole, part in pairs]
    places = order.places

    def load(start: int) -> None:
        rows = places[start : start + size]
        for take, part in takes:
            take(rows, 0, part, "clip")  # no place is out of bounds; to find that out, "raise" works on a copy

    return load


def examples_in(graph: Graph, data: Arrays) -> int:
    """The number of examples; 1 for a model without data."""
    return next((len(data[item.name]) for item in graph.inputs if item.batched and item.name in data), 1)


def symbols(graph: Graph, data: Arrays) -> dict[str, int]:
    """What number each symbol of the inputs stands for."""
    found: dict[str, int] = {BATCH: 1}
    for item in graph.inputs:
        if item.name in data:
            pairs = zip(item.shape, data[item.name].shape, strict=True)
            found |= {dim: length for dim, length in pairs if isinstance(dim, str)}
    return found
