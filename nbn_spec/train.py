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
from nbn_spec.metrics import METRICS, Metric
from nbn_spec.ops.base import Array
from nbn_spec.optim import OPTIMIZERS, Optimizer, Sgd
from nbn_spec.params import Layout, Seed
from nbn_spec.plan import Program, plan
from nbn_spec.record import AttributeProblem, Record, attr

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
        parts = dict(document)
        try:
            if "optimizer" in parts:
                parts["optimizer"] = named(parts["optimizer"], OPTIMIZERS)
            if "metrics" in parts:
                parts["metrics"] = tuple(named(item, METRICS) for item in parts["metrics"])
            if parts.get("validation") is not None:
                parts["validation"] = Validation.from_json(parts["validation"])
            return cls.from_json(parts)
        except (AttributeProblem, KeyError, TypeError, AttributeError) as error:
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
    """An interpreter for batches of one size: ``load`` puts examples in, ``measure`` reads what came out."""

    interpreter: Interpreter
    examples: int
    load: Callable[[Array | None, int], None]
    loss: Array
    measure: Mapping[str, Callable[[], float]]


OnEpoch = Callable[[int, Mapping[str, float]], None]
Stop = Callable[[], bool]


def never() -> bool:
    """The stop that does not come."""
    return False


class Trainer:
    """Trains the parameters ``flat`` of a graph on checked arrays. Everything is bound here, once."""

    def __init__(
        self, graph: Graph, layout: Layout, flat: Array, training: Training, seed: Seed, data: Mapping[str, Array]
    ) -> None:
        if graph.loss is None:
            raise TrainingError("NBN400", graph.name, "has no loss to minimize", 'add "loss" to the spec')
        if not graph.backward_order:
            hint = "let the loss depend on a trainable parameter"
            raise TrainingError("NBN400", graph.name, "has no trainable parameter that the loss depends on", hint)
        for metric in training.metrics:
            metric.check_shapes(graph)
        self.graph, self.layout, self.flat, self.training = graph, layout, flat, training
        self.grad = np.zeros_like(flat)
        self.shuffles = seed.stream(SHUFFLE_STREAM)
        self.data, held_back = split(graph, training, data, seed)
        self.count = examples_in(graph, self.data)
        measure_statistics(graph, layout, flat, self.data)
        self.batches = list(self._bind_batches())
        self.validation = self._bind(held_back, "validation") if held_back else None
        self.update = training.optimizer.bind(flat[: layout.trainable], self.grad[: layout.trainable])

    @property
    def steps_per_epoch(self) -> int:
        """Updates in one pass over the data."""
        return -(-self.count // self.batches[0].examples)

    def _fetch(self) -> list[str]:
        """The values that metrics read."""
        return [name for m in self.training.metrics for name in (m.prediction(self.graph), m.truth(self.graph))]

    def _program(self, count: int, *, backward: bool, keep: bool = False) -> Program:
        sizes = {**symbols(self.graph, self.data), BATCH: count}
        fetch = [*self._fetch(), *([] if self.graph.loss is None else [self.graph.loss])]
        return plan(self.graph, sizes, fetch, backward=backward, keep=keep)

    def _bind_batches(self) -> Iterator[Batch]:
        """One interpreter for full-sized batches, and where it does not come out even, one for the last."""
        size = self.training.batch_size
        if size == "all" or size >= self.count:
            yield self._bind(self.data, "train")
            return
        program = self._program(size, backward=True)
        arena = arena_of(program.arena)
        buffers = {name: np.empty((size, *a.shape[1:]), a.dtype) for name, a in self._batched().items()}
        yield self._mini_batch(program, arena, buffers, size)
        if rest := self.count % size:
            yield self._mini_batch(self._program(rest, backward=True), arena, buffers, rest)

    def _batched(self) -> dict[str, Array]:
        """The arrays that hold one row per example."""
        return {
            item.name: self.data[item.name]
            for item in self.graph.inputs
            if item.batched and item.name in self.data
        }

    def _mini_batch(self, program: Program, arena: Array, buffers: Mapping[str, Array], size: int) -> Batch:
        inputs = {**self.data, **{name: buffer[:size] for name, buffer in buffers.items()}}
        pairs = [(self.data[name], inputs[name]) for name in buffers]

        def load(order: Array | None, start: int) -> None:
            for whole, part in pairs:
                if order is None:
                    np.copyto(part, whole[start : start + size])
                else:
                    np.take(whole, order[start : start + size], 0, part, "clip")

        needs_more = program.arena > arena.nbytes
        bound = Interpreter(
            program, self.layout, self.flat, self.grad, inputs=inputs, arena=None if needs_more else arena
        )
        return self._batch(bound, size, load)

    def _bind(self, data: Mapping[str, Array], purpose: str) -> Batch:
        """An interpreter over all of ``data``, read where it lies."""
        count = examples_in(self.graph, data)
        program = self._program(count, backward=purpose == "train")
        bound = Interpreter(program, self.layout, self.flat, self.grad, inputs=data)
        return self._batch(bound, count, lambda order, start: None)

    def _batch(self, bound: Interpreter, count: int, load: Callable[[Array | None, int], None]) -> Batch:
        arrays, graph = bound.arrays, self.graph
        measure = {
            m.word(): m.bind(graph, arrays[m.prediction(graph)], arrays[m.truth(graph)])
            for m in self.training.metrics
        }
        return Batch(bound, count, load, arrays[graph.loss or ""], measure)

    def measure(self) -> dict[str, dict[str, float]]:
        """Loss and metrics of the present parameters, on the training part and, if there is one, the held-back."""
        parts = {"training": self._bind(self.data, "measure"), "validation": self.validation}
        with np.errstate(all="ignore"):
            return {name: measured(batch) for name, batch in parts.items() if batch is not None}

    def run(self, on_epoch: OnEpoch | None = None, stop: Stop = never) -> History:
        """Train; ``stop`` is asked after every step. Raises :class:`Diverged`, with the history so far in it."""
        history = History()
        try:
            with np.errstate(all="ignore"):
                for epoch in range(self.training.epochs):
                    row = self._epoch(epoch, stop)
                    if row is None:
                        history.interrupted = True
                        break
                    history.add(row)
                    if on_epoch:
                        on_epoch(epoch, row)
                self._check_parameters(len(history))
        except Diverged as error:
            error.history = history
            raise
        return history

    def _epoch(self, epoch: int, stop: Stop) -> dict[str, float] | None:
        """One pass over the data; ``None`` where it was stopped on the way."""
        sums = dict.fromkeys(("loss", *self.batches[0].measure), 0.0)
        for step, (batch, order, start) in enumerate(self._steps()):
            batch.load(order, start)
            batch.interpreter.forward()
            loss = float(batch.loss)
            if not math.isfinite(loss):
                raise self._diverged(epoch, step, batch.interpreter)
            sums["loss"] += loss * batch.examples
            for name, measure in batch.measure.items():
                sums[name] += measure() * batch.examples
            batch.interpreter.backward()
            self.update()
            if stop():
                return None
        means = {name: total / self.count for name, total in sums.items()}
        return {**means, **self._validate(epoch)}

    def _steps(self) -> Iterator[tuple[Batch, Array | None, int]]:
        """The epoch's batches: interpreter, order of the examples, and where in it the batch starts."""
        whole, *rest = self.batches
        if whole.examples >= self.count:
            yield whole, None, 0
            return
        order = self.shuffles.permutation(self.count) if self.training.shuffle else None
        even = self.count - self.count % whole.examples
        for start in range(0, even, whole.examples):
            yield whole, order, start
        for batch in rest:
            yield batch, order, even

    def _validate(self, epoch: int) -> dict[str, float]:
        """Loss and metrics on the held-back part."""
        batch = self.validation
        if batch is None:
            return {}
        found = measured(batch)
        if not math.isfinite(found["loss"]):
            raise self._diverged(epoch, None, batch.interpreter)
        return {f"val_{name}": value for name, value in found.items()}

    def _diverged(self, epoch: int, step: int | None, bound: Interpreter) -> Diverged:
        """The error for a loss that is not finite: the forward pass again, every value kept and looked at."""
        sizes = bound.program.sizes
        inputs = {name: bound.arrays[name] for name in self.data if name in bound.arrays}
        program = plan(self.graph, sizes, [self.graph.loss or ""], keep=True)
        again = Interpreter(program, self.layout, self.flat, inputs=inputs)
        again.forward()
        bad = [
            name for name in self.graph.forward_order if name in again.arrays and not finite(again.arrays[name])
        ]
        views = self.layout.views(self.flat)
        broken = [name for name, values in views.items() if not finite(values)]
        when = f"epoch {epoch}, " + ("on the validation part" if step is None else f"step {step}")
        return self._complain(when, bad[0] if bad else "", broken[0] if broken else "")

    def _check_parameters(self, epochs: int) -> None:
        """The last update may have broken what no forward pass has read yet."""
        if not finite(self.flat):
            broken = next(name for name, values in self.layout.views(self.flat).items() if not finite(values))
            raise self._complain(f"epoch {epochs - 1}, after its last step", "", broken)

    def _complain(self, when: str, node: str, parameter: str) -> Diverged:
        where = (
            f'node "{node}" ({self.graph.by_name[node].op.word()}) is the first whose value is not finite'
            if node
            else ""
        )
        cause = f'parameter "{parameter}" had left the finite in the update before' if parameter else ""
        rate = getattr(self.training.optimizer, "learning_rate", None)
        hint = f"try a smaller learning rate than {rate}, inputs of smaller scale, or another initializer"
        return Diverged("NBN401", when, "training diverged: " + "; ".join(filter(None, (where, cause))), hint)


def measured(batch: Batch) -> dict[str, float]:
    """Loss and metrics of the examples that a batch holds."""
    batch.interpreter.forward()
    return {"loss": float(batch.loss), **{name: measure() for name, measure in batch.measure.items()}}


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
            for name, values in measure(data[node.inputs[0]]).items():
                views[node.params[name]][...] = values
