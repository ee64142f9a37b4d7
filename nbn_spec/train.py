"""Training: batches, the loop, the history, and the stop when numbers leave the finite."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from nbn_spec.errors import Diverged, TrainingError
from nbn_spec.files import write
from nbn_spec.graph import BATCH, Graph
from nbn_spec.interpreter import Interpreter, arena_of
from nbn_spec.metrics import METRICS, Measures, Metric, compared, labels, measures
from nbn_spec.ops.base import Array
from nbn_spec.optim import OPTIMIZERS, Optimizer, Sgd
from nbn_spec.params import Layout, Seed
from nbn_spec.plan import Program, plan
from nbn_spec.record import Record, attr

SHUFFLE_STREAM, SPLIT_STREAM = 1, 2


@dataclass(frozen=True)
class Validation(Record):
    """Examples that are held back from training to measure it."""

    fraction: float = attr(gt=0, lt=1, doc="Share of the examples that is held back, drawn with the seed.")


@dataclass(frozen=True)
class Training(Record):
    """How a model is trained; canonical form of the spec's ``train``."""

    epochs: int = attr(1, ge=0, doc="Passes over the data.")
    batch_size: int | Literal["all"] = attr("all", ge=1, doc='Examples in one step, or "all".')
    shuffle: bool = attr(True, doc="Draw a new order for each epoch; a full batch keeps its order.")
    optimizer: Optimizer = attr(Sgd(), doc="How parameters follow their gradients.")
    metrics: tuple[Metric, ...] = attr((), doc="Measured beside the loss, every epoch.")
    validation: Validation | None = attr(None, doc="Hold back a part of the data to measure on.")
    log_every: int | None = attr(None, ge=1, doc="Report every so many epochs; left out, about twenty times.")

    @classmethod
    def from_canonical(cls, document: Mapping[str, Any]) -> Training:
        """The training that a canonical ``train`` object describes; raises :class:`TrainingError`."""
        try:
            parts = dict(document)
            if "optimizer" in parts:
                parts["optimizer"] = named(parts["optimizer"], OPTIMIZERS)
            if "metrics" in parts:
                parts["metrics"] = tuple(named(item, METRICS) for item in parts["metrics"])
            if parts.get("validation") is not None:
                parts["validation"] = Validation.from_json(parts["validation"])
            return cls.from_json(parts)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise TrainingError("NBN400", "train", f"is no description of a training: {error}") from None

    def logged(self, epoch: int) -> bool:
        """Whether an epoch is reported."""
        every = self.log_every or max(1, self.epochs // 20)
        return epoch % every == 0 or epoch == self.epochs - 1


def named(document: Mapping[str, Any], table: Mapping[str, Any]) -> Any:
    """The record of an object whose ``name`` picks its class."""
    settings = {key: value for key, value in document.items() if key != "name"}
    return table[document["name"]].from_json(settings)


@dataclass
class History:
    """What was measured: one list per column, one entry per epoch, counted from 0.

    ``loss`` and the metrics are means over the training examples, as computed in the epoch's forward passes before
    their updates; columns that begin with ``val_`` were measured on the held-back part after the epoch.
    ``interrupted`` says that training was stopped before its last epoch was through.
    """

    columns: dict[str, list[float]] = field(default_factory=dict)
    interrupted: bool = False

    def __getitem__(self, column: str) -> list[float]:
        return self.columns[column]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), []))

    def add(self, row: Mapping[str, float]) -> None:
        """Append an epoch."""
        for name, value in row.items():
            self.columns.setdefault(name, []).append(value)

    def row(self, epoch: int) -> dict[str, float]:
        """What was measured in one epoch."""
        return {name: values[epoch] for name, values in self.columns.items()}

    def save(self, path: str | Path) -> None:
        """Write csv, one row per epoch, with all digits; raises ``OSError``."""
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["epoch", *self.columns])
        writer.writerows(enumerated(zip(*self.columns.values(), strict=True)))
        write(path, text.getvalue().encode())


def enumerated(rows: Any) -> Iterator[tuple[object, ...]]:
    """Rows with their number in front and every digit of their values."""
    for number, row in enumerate(rows):
        yield (number, *map(repr, row))


@dataclass(frozen=True)
class Batch:
    """An interpreter for batches of one size.

    ``load`` puts the examples from a place on into its inputs; ``measure`` holds a function for every metric.
    """

    interpreter: Interpreter
    examples: int
    load: Callable[[int], None]
    loss: Array
    measure: Measures

    def forward(self) -> dict[str, float]:
        """Loss and metrics of the examples that it holds."""
        self.interpreter.forward()
        found = {"loss": float(self.loss)}
        for name, measure in self.measure.items():
            found[name] = measure()
        return found


OnEpoch = Callable[[int, Mapping[str, float]], None]
Stop = Callable[[], bool]


def never() -> bool:
    """The stop that does not come."""
    return False


class Trainer:
    """Trains the parameters ``flat`` of a graph on checked arrays. Everything is bound here, once.

    A second :meth:`run` goes on where the first one ended, the optimizer's memory and the shuffling included.
    """

    def __init__(
        self, graph: Graph, layout: Layout, flat: Array, training: Training, seed: Seed, data: Mapping[str, Array]
    ) -> None:
        check_trainable(graph)
        self.columns = ("loss", *labels(training.metrics, graph))
        self.graph, self.layout, self.flat, self.training = graph, layout, flat, training
        self.grad = np.zeros_like(flat)
        self.trained = flat[: layout.trainable]
        self.data, held_back = split(graph, training, data, seed)
        self.count = examples_in(graph, self.data)
        measure_statistics(graph, layout, flat, self.data)
        self.size = self.count if training.batch_size == "all" else min(training.batch_size, self.count)
        self.order = Order(self.count, seed) if training.shuffle and self.size < self.count else None
        self.batches = list(self._bind_batches())
        self.validation = self._bind(held_back) if held_back else None
        self.update = training.optimizer.bind(self.trained, self.grad[: layout.trainable])

    @property
    def steps_per_epoch(self) -> int:
        """Updates in one pass over the data."""
        return -(-self.count // self.size)

    def _program(self, count: int, *, backward: bool) -> Program:
        sizes = {**symbols(self.graph, self.data), BATCH: count}
        fetch = [self.graph.loss or "", *compared(self.training.metrics, self.graph)]
        return plan(self.graph, sizes, fetch, backward=backward)

    def _bind_batches(self) -> Iterator[Batch]:
        """One interpreter for full-sized batches, and where it does not come out even, one for the last."""
        size = self.size
        if size == self.count:
            yield self._bind(self.data, backward=True)
            return
        program = self._program(size, backward=True)
        arena = arena_of(program.arena)
        batched = [item.name for item in self.graph.inputs if item.batched and item.name in self.data]
        buffers = {name: np.empty_like(self.data[name][:size]) for name in batched}
        yield self._mini_batch(program, arena, buffers, size)
        if rest := self.count % size:
            yield self._mini_batch(self._program(rest, backward=True), arena, buffers, rest)

    def _mini_batch(self, program: Program, arena: Array, buffers: Mapping[str, Array], size: int) -> Batch:
        """An interpreter that reads ``size`` examples at a time from the head of the buffers."""
        heads = {name: buffer[:size] for name, buffer in buffers.items()}
        pairs = [(self.data[name], head) for name, head in heads.items()]
        load = in_turn(pairs, size) if self.order is None else gathering(pairs, size, self.order)
        suffices = program.arena <= arena.nbytes
        inputs = {**self.data, **heads}
        bound = Interpreter(
            program, self.layout, self.flat, self.grad, inputs=inputs, arena=arena if suffices else None
        )
        return self._batch(bound, size, load)

    def _bind(self, data: Mapping[str, Array], *, backward: bool = False) -> Batch:
        """An interpreter over all of ``data``, read where it lies."""
        count = examples_in(self.graph, data)
        program = self._program(count, backward=backward)
        bound = Interpreter(program, self.layout, self.flat, self.grad, inputs=data)
        return self._batch(bound, count, lambda start: None)

    def _batch(self, bound: Interpreter, count: int, load: Callable[[int], None]) -> Batch:
        measure = measures(self.training.metrics, self.graph, bound.arrays)
        return Batch(bound, count, load, bound.arrays[self.graph.loss or ""], measure)

    def measure(self) -> dict[str, dict[str, float]]:
        """Loss and metrics of the present parameters, on the training part and, if there is one, the held-back."""
        parts = {"training": self._bind(self.data), "validation": self.validation}
        with np.errstate(all="ignore"):
            return {name: batch.forward() for name, batch in parts.items() if batch is not None}

    def run(self, on_epoch: OnEpoch | None = None, stop: Stop = never) -> History:
        """Train; ``stop`` is asked after every step. Raises :class:`Diverged`, with the history so far in it."""
        columns = [*self.columns, *(f"val_{name}" for name in self.columns if self.validation)]
        history = History({name: [] for name in columns})
        try:
            with np.errstate(all="ignore"):
                for epoch in range(self.training.epochs):
                    row = self._epoch(epoch, stop)
                    if row is not None:
                        history.add(row)
                        if on_epoch:
                            on_epoch(epoch, row)
                    if row is None or stop():
                        history.interrupted = len(history) < self.training.epochs
                        break
        except Diverged as error:
            error.history = history
            raise
        return history

    def _epoch(self, epoch: int, stop: Stop) -> dict[str, float] | None:
        """One pass over the data; ``None`` where it was stopped on the way, before its last step."""
        sums, last = dict.fromkeys(self.columns, 0.0), self.steps_per_epoch - 1
        for step, (batch, start) in enumerate(self._steps()):
            batch.load(start)
            found = batch.forward()
            if not math.isfinite(found["loss"]):
                raise self._diverged(epoch, step, batch.interpreter)
            for name, value in found.items():
                sums[name] += value * batch.examples
            batch.interpreter.backward()
            self.update()
            if step < last and stop():
                self._check_parameters(epoch)
                return None
        self._check_parameters(epoch)
        means = {name: total / self.count for name, total in sums.items()}
        return means if self.validation is None else {**means, **self._validate(epoch, self.validation)}

    def _steps(self) -> Iterator[tuple[Batch, int]]:
        """The epoch's batches: the interpreter, and the place of the batch in the order of the examples."""
        whole, *rest = self.batches
        even = self.count - self.count % self.size
        if self.order is not None:
            self.order.shuffle()
        for start in range(0, even, self.size):
            yield whole, start
        for batch in rest:
            yield batch, even

    def _validate(self, epoch: int, batch: Batch) -> dict[str, float]:
        """Loss and metrics on the held-back part."""
        found = batch.forward()
        if not math.isfinite(found["loss"]):
            raise self._diverged(epoch, None, batch.interpreter)
        return {f"val_{name}": value for name, value in found.items()}

    def _check_parameters(self, epoch: int) -> None:
        """The latest updates may have broken what no forward pass has read yet, or what a sigmoid hides."""
        # The sum of squares is the cheapest look at all of them; as it may overflow, it only arouses suspicion.
        if not math.isfinite(np.dot(self.trained, self.trained)) and not finite(self.trained):
            raise self._complain(f"epoch {epoch}, after its steps", "", self._broken())

    def _broken(self) -> str:
        """The first parameter that is not finite, if there is one."""
        views = self.layout.views(self.flat)
        return next((name for name, values in views.items() if not finite(values)), "")

    def _diverged(self, epoch: int, step: int | None, bound: Interpreter) -> Diverged:
        """The error for a loss that is not finite: the forward pass again, every value kept and looked at."""
        loss = self.graph.loss or ""
        inputs = {name: bound.arrays[name] for name in self.data if name in bound.arrays}
        program = plan(self.graph, bound.program.sizes, [loss], keep=True)
        again = Interpreter(program, self.layout, self.flat, inputs=inputs)
        again.forward()
        computed = (name for name in self.graph.forward_order if name in again.arrays)
        bad = next(name for name in computed if not finite(again.arrays[name]))
        when = f"epoch {epoch}, " + ("on the validation part" if step is None else f"step {step}")
        return self._complain(when, bad, self._broken(), fresh=epoch == step == 0)

    def _complain(self, when: str, node: str, parameter: str, *, fresh: bool = False) -> Diverged:
        """What stopped being finite first; ``fresh``: before any update of this run."""
        parts = []
        if node:
            op = self.graph.by_name[node].op.word()
            parts.append(f'node "{node}" ({op}) is the first whose value is not finite')
        if parameter:
            how = "was not finite to begin with" if fresh else "had left the finite in an update before"
            parts.append(f'parameter "{parameter}" {how}')
        rate = getattr(self.training.optimizer, "learning_rate", None)
        hint = f"try a smaller learning rate than {rate}, inputs of smaller scale, or another initializer"
        if fresh:
            hint = "no update was made yet: look at the scale of the inputs and at the initial parameters"
        return Diverged("NBN401", when, f"training diverged: {'; '.join(parts)}", hint)


class Order:
    """The order of the examples, drawn anew for each epoch into one and the same array."""

    def __init__(self, count: int, seed: Seed) -> None:
        self.draws = seed.stream(SHUFFLE_STREAM)
        self.natural = np.arange(count)
        self.places = np.arange(count)

    def shuffle(self) -> None:
        """Draw the next epoch's order: what ``permutation`` would draw, without its new array."""
        np.copyto(self.places, self.natural)
        self.draws.shuffle(self.places)


Pairs = list[tuple[Array, Array]]
"""The array of all examples and the buffer of a batch, for every input that holds one row per example."""


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


def check_trainable(graph: Graph) -> None:
    """Raises :class:`TrainingError` for a graph without a loss, or whose loss no training can change."""
    if graph.loss is None:
        raise TrainingError("NBN400", graph.name, "has no loss to minimize", 'add "loss" to the spec')
    if not graph.backward_order:
        hint = "let the loss depend on a trainable parameter"
        raise TrainingError("NBN400", graph.name, "has no trainable parameter that the loss depends on", hint)


def finite(values: Array) -> bool:
    """Whether all values are finite."""
    return bool(np.isfinite(values).all())


def examples_in(graph: Graph, data: Mapping[str, Array]) -> int:
    """The number of examples; 1 for a model without data."""
    return next((len(data[item.name]) for item in graph.inputs if item.batched and item.name in data), 1)


def symbols(graph: Graph, data: Mapping[str, Array]) -> dict[str, int]:
    """What number each symbol of the inputs stands for."""
    found: dict[str, int] = {BATCH: 1}
    for item in graph.inputs:
        if item.name in data:
            pairs = zip(item.shape, data[item.name].shape, strict=True)
            found |= {dim: length for dim, length in pairs if isinstance(dim, str)}
    return found


def split(
    graph: Graph, training: Training, data: Mapping[str, Array], seed: Seed
) -> tuple[dict[str, Array], dict[str, Array]]:
    """(training part, held-back part), the latter empty without ``validation``. Raises :class:`TrainingError`."""
    if training.validation is None:
        return dict(data), {}
    count = examples_in(graph, data)
    held = round(count * training.validation.fraction)
    if not 0 < held < count:
        message = f"a fraction of {training.validation.fraction} of {count} examples leaves one part empty"
        raise TrainingError("NBN400", "/train/validation/fraction", message)
    order = seed.stream(SPLIT_STREAM).permutation(count)
    parts = np.sort(order[held:]), np.sort(order[:held])
    batched = {item.name for item in graph.inputs if item.batched}
    first, second = ({n: a[rows] if n in batched else a for n, a in data.items()} for rows in parts)
    return first, second


def measure_statistics(graph: Graph, layout: Layout, flat: Array, data: Mapping[str, Array]) -> None:
    """Set the statistics of nodes such as ``standardize`` from the training data that they read."""
    views = layout.views(flat)
    for node in graph.nodes:
        measure = getattr(node.op, "measure", None)
        if measure is not None and node.inputs[0] in data:
            with np.errstate(all="ignore"):
                for name, values in measure(data[node.inputs[0]]).items():
                    views[node.params[name]][...] = values
