"""Training: batches, the loop, the history, and the stop when numbers leave the finite."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from nbn_spec.arrays import zeros
from nbn_spec.batches import Binder, NotFiniteCost, Order, Sweep, examples_in
from nbn_spec.errors import Diverged, Steps, TrainingError
from nbn_spec.files import write
from nbn_spec.graph import Graph
from nbn_spec.interpreter import Interpreter
from nbn_spec.metrics import METRICS, Metric
from nbn_spec.ops.base import Array
from nbn_spec.optim import OPTIMIZERS, Adam, Optimizer, Sgd
from nbn_spec.params import Layout, Seed
from nbn_spec.plan import Program, plan
from nbn_spec.profile import VALIDATION, Profile
from nbn_spec.record import Record, attr, record

SPLIT_STREAM = 2
MOST_NORMS = 5
"""Parameters whose gradients a divergence lists, and values that it says were read."""
MOVE = 0.01
"""What one update may move a weight by: little beside weights of the usual 0.1 to 1."""
RATE: Steps = ("train", "optimizer", "learning_rate")
"""Where a document has the learning rate."""


@record
class Validation(Record):
    """Examples that are held back from training to measure it."""

    fraction: float = attr(gt=0, lt=1, doc="Share of the examples that is held back, drawn with the seed.")


@record
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

    def row(self, epoch: int) -> dict[str, float]:
        """What was measured in one epoch."""
        return {name: values[epoch] for name, values in self.columns.items()}

    def save(self, path: str | Path) -> None:
        """Write csv, one row per epoch, with all digits; raises ``OSError``."""
        import csv  # whoever loads a model to predict writes no history

        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["epoch", *self.columns])
        writer.writerows(enumerated(zip(*self.columns.values(), strict=True)))
        write(path, text.getvalue().encode())


def enumerated(rows: Any) -> Iterator[tuple[object, ...]]:
    """Rows with their number in front and every digit of their values."""
    for number, row in enumerate(rows):
        yield (number, *map(repr, row))


OnEpoch = Callable[[int, Mapping[str, float]], None]
Stop = Callable[[], bool]


def never() -> bool:
    """The stop that does not come."""
    return False


@dataclass(frozen=True)
class Break:
    """Where training left the finite: ``when``, after how many ``updates`` of the run, and what was seen first.

    ``node`` is the first whose value is not finite, ``parameter`` the first that is not, either may be ``""``;
    ``read`` says what the node was computed from.
    """

    when: str
    updates: int
    node: str
    parameter: str
    read: tuple[str, ...] = ()


class NotFiniteError(Exception):
    """Ends the epochs of a run; ``found`` says why."""

    def __init__(self, found: Break) -> None:
        self.found = found
        super().__init__(found)


class Trainer:
    """Trains the parameters ``flat`` of a graph on checked arrays. Everything is bound here, once.

    Nothing changes before :meth:`run`. A second one goes on where the first one ended, the optimizer's memory and
    the shuffling included.
    """

    def __init__(
        self,
        graph: Graph,
        layout: Layout,
        flat: Array,
        training: Training,
        seed: Seed,
        data: Mapping[str, Array],
        planned: Program | None = None,
        profile: Profile | None = None,
    ) -> None:
        check_trainable(graph, training, flat)
        self.graph, self.layout, self.flat, self.training = graph, layout, flat, training
        self.profile, watch = profile, profile.watched if profile else None
        self.trained = flat[: layout.trainable]
        self.data, self.held_back = split(graph, training, data, seed)
        self.count = examples_in(graph, self.data)
        size = self.count if training.batch_size == "all" else min(training.batch_size, self.count)
        order = Order(self.count, seed) if training.shuffle and size < self.count else None
        self.grad = grad = zeros(flat.shape, flat.dtype)
        self._square = partial(self.trained.dot, self.trained)
        """The cheapest look at all parameters at once; as it may overflow, it only arouses suspicion."""
        with np.errstate(over="ignore"):  # settings beyond the dtype become infinite
            self.update = training.optimizer.bind(self.trained, grad[: layout.trainable])
        self.binder = Binder(graph, layout, flat, training.metrics, grad, self.update.calls, planned, watch)
        self.columns = self.binder.columns
        self.batches = self.binder.sweep(self.data, size, order)
        self.validation = self.binder.measuring(self.held_back, size) if self.held_back else None

    def __getstate__(self) -> dict[str, object]:
        raise TypeError("a trainer cannot be copied or pickled: copy its model and make another trainer")

    @property
    def steps_per_epoch(self) -> int:
        """Updates in one pass over the data."""
        return self.batches.steps

    def measure(self) -> dict[str, dict[str, float]]:
        """Loss and metrics of the present parameters, on the training part and, if there is one, the held-back."""
        parts = {"training": self.binder.measuring(self.data, self.batches.size), "validation": self.validation}
        with np.errstate(all="ignore"):
            found = {name: sweep.mean() for name, sweep in parts.items() if sweep is not None}
        return {name: dict(zip(self.columns, values, strict=True)) for name, values in found.items()}

    def run(self, on_epoch: OnEpoch | None = None, stop: Stop = never) -> History:
        """Train; ``stop`` is asked after every step. Raises :class:`Diverged`, with the history so far in it."""
        columns = [*self.columns, *(f"val_{name}" for name in self.columns if self.validation)]
        measure_statistics(self.graph, self.layout, self.flat, self.data)
        history = History({name: [] for name in columns})
        appends = [column.append for column in history.columns.values()]
        train_for_an_epoch = self._step if self.batches.steps == 1 else self._steps
        try:
            with self.profile or nullcontext(), np.errstate(all="ignore"):
                for epoch in range(self.training.epochs):
                    found = train_for_an_epoch(epoch, stop)
                    if found is not None:
                        if self.validation is not None:
                            found = [*found, *self._validate(epoch, self.validation)]
                        for append, value in zip(appends, found, strict=True):
                            append(value)
                        if on_epoch:
                            on_epoch(epoch, history.row(epoch))
                    if found is None or stop():
                        history.interrupted = len(history) < self.training.epochs
                        break
        except NotFiniteError as end:
            raise self._diverged(end.found, history) from None
        return history

    def _step(self, epoch: int, stop: Stop) -> list[float] | None:
        """What an epoch of a single step measured: it has no batches to load, and no means to take."""
        batch = self.batches.batches[0]
        try:
            for call in batch.step:
                call()
        except NotFiniteCost:
            raise self._not_finite(epoch, 0, batch.interpreter) from None
        if not math.isfinite(self._square()):
            self._check_parameters(epoch)
        return batch.found

    def _steps(self, epoch: int, stop: Stop) -> list[float] | None:
        """What an epoch of several steps measured; ``None`` where it was stopped before its last step."""
        sums = [0.0] * len(self.columns)
        left = self.batches.steps
        for batch in self.batches:
            try:
                for call in batch.step:
                    call()
            except NotFiniteCost:
                raise self._not_finite(epoch, self.batches.steps - left, batch.interpreter) from None
            sums = [total + value * batch.examples for total, value in zip(sums, batch.found, strict=True)]
            left -= 1
            if left and stop():
                self._check_parameters(epoch)
                return None
        if not math.isfinite(self._square()):
            self._check_parameters(epoch)
        return [total / self.count for total in sums]

    def _validate(self, epoch: int, held_back: Sweep) -> list[float]:
        """Loss and metrics on the held-back part."""
        mean = held_back.mean if self.profile is None else self.profile.timed(held_back.mean, VALIDATION)
        found: list[float] = mean()
        if not math.isfinite(found[0]):
            raise self._not_finite_on(epoch, held_back)
        return found

    def _not_finite_on(self, epoch: int, held_back: Sweep) -> NotFiniteError:
        """The end for the first batch of the held-back part whose loss is not finite."""
        bad = next(batch for batch in held_back if not math.isfinite(batch.forward()[0]))
        return self._not_finite(epoch, None, bad.interpreter)

    def _check_parameters(self, epoch: int) -> None:
        """The latest updates may have broken what no forward pass has read yet, or what a sigmoid hides."""
        if not finite(self.trained):
            updates = (epoch + 1) * self.steps_per_epoch
            raise NotFiniteError(Break(f"epoch {epoch}, after its steps", updates, "", self._broken()))

    def _broken(self) -> str:
        """The first parameter that is not finite, if there is one."""
        views = self.layout.views(self.flat)
        return next((name for name, values in views.items() if not finite(values)), "")

    def _not_finite(self, epoch: int, step: int | None, bound: Interpreter) -> NotFiniteError:
        """The end for a loss that is not finite: the forward pass again, every value kept and looked at."""
        loss = self.graph.loss or ""
        inputs = {name: bound.arrays[name] for name in self.data if name in bound.arrays}
        program = plan(self.graph, bound.program.sizes, [loss], keep=True)
        again = Interpreter(program, self.layout, self.flat, inputs=inputs)
        again.forward()
        computed = (name for name in self.graph.forward_order if name in again.arrays)
        bad = next((name for name in computed if not finite(again.arrays[name])), loss)
        when = f"epoch {epoch}, " + ("on the validation part" if step is None else f"step {step}")
        made = epoch * self.steps_per_epoch + (self.steps_per_epoch if step is None else step)
        sources = tuple(self.graph.by_name[bad].sources.values())[:MOST_NORMS]
        read = tuple(f'"{bad}" reads "{name}": {spread(again.arrays[name])}' for name in sources)
        return NotFiniteError(Break(when, made, bad, self._broken(), read))

    def _diverged(self, found: Break, history: History) -> Diverged:
        """The error for a run that left the finite. All that it tells beyond ``found`` is computed here."""
        parts, remedy, fresh = [], "", not found.updates
        if found.node:
            op = self.graph.by_name[found.node].op
            parts.append(f'node "{found.node}" ({op.word()}) is the first whose value is not finite')
            remedy = "" if found.parameter else op.remedy
        if found.parameter:
            how = "was not finite to begin with" if fresh else "had left the finite in an update before"
            parts.append(f'parameter "{found.parameter}" {how}')
        hint = self._slower(found, history)
        at_node = found.node and (remedy or fresh)
        error = Diverged(
            "NBN401",
            found.node if at_node else str(RATE[-1]),
            f"training diverged at {found.when}: {'; '.join(parts)}",
            f"{remedy}; {hint}" if remedy else hint,
            notes=(*found.read, *(() if fresh else self._norms())),
            path=("nodes", found.node) if at_node else RATE,
        )
        error.history = history
        return error

    def _slower(self, found: Break, history: History) -> str:
        """How to mend it, with a rate to try; before any update the rate is not to blame."""
        if not found.updates:
            return "no update was made yet: look at the scale of the inputs and at the initial parameters"
        optimizer: Any = self.training.optimizer
        steepest = float(np.abs(self.grad[: self.layout.trainable]).max()) if found.updates == 1 else math.nan
        rate = smaller_rate(optimizer, history["loss"], self.steps_per_epoch, steepest)
        smaller = f"try a smaller learning rate than {optimizer.learning_rate}, such as {rate:g}"
        return f"{smaller}; or inputs of smaller scale, or another initializer"

    def _norms(self) -> list[str]:
        """A line for each of the largest gradients of the last update, beside the parameter as it is now."""
        gradients, values = self.layout.views(self.grad), self.layout.views(self.flat)
        trained = [item.name for item in self.graph.parameters if item.trainable]
        norms = sorted(((norm(gradients[name]), name) for name in trained), key=largest_first)
        rows = [f'"{name}": {size:.3g} (parameter: {norm(values[name]):.3g})' for size, name in norms[:MOST_NORMS]]
        more = f" (the largest {MOST_NORMS} of {len(norms)})" if len(norms) > MOST_NORMS else ""
        return [f"norms of the last update's gradients{more}:", *(f"  {row}" for row in rows)]


def largest_first(row: tuple[float, str]) -> float:
    """The key that sorts norms from the largest down, those that are no number in front."""
    return -math.inf if math.isnan(row[0]) else -row[0]


def norm(values: Array) -> float:
    """The Euclidean norm, also where the squares would leave the finite; allocates."""
    largest = float(np.abs(values).max(initial=0.0))
    if largest == 0 or not math.isfinite(largest):
        return largest
    return largest * float(np.linalg.norm(values.astype(np.float64) / largest))


def spread(values: Array) -> str:
    """From where to where an array's values go, in words."""
    bad = values.size - int(np.isfinite(values).sum())
    if bad:
        return f"{bad:,} of {values.size:,} values not finite"
    if values.size == 1:
        return f"{values.item():.3g}"
    return f"from {values.min() + 0.0:.3g} to {values.max() + 0.0:.3g}" if values.size else "no values"


def rise(losses: Sequence[float]) -> float | None:
    """The factor by which the cost rose from its lowest epoch to the next; ``None`` where no rise was seen."""
    lowest = min(range(len(losses)), key=losses.__getitem__, default=0)
    if lowest + 1 >= len(losses) or losses[lowest] <= 0:
        return None
    return losses[lowest + 1] / losses[lowest]


def smaller_rate(optimizer: Any, losses: Sequence[float], steps: int, steepest: float) -> float:
    """A learning rate to try after a divergence, to one digit: at most a tenth of the present one, and at most 1.

    ``losses`` are those of the epochs before, of ``steps`` updates each; ``steepest`` is the largest slope of the
    first update where that was the only one, else NaN.

    - The cost rose by a factor r in each step: on a parabola of curvature c, plain descent multiplies the distance
      from the bottom by rate · c − 1 = √r, so rate / (1 + √r) is 1/c. It reaches the bottom in one step, and
      whatever is below 2/c comes nearer. The first rise counts: later ones leave the parabola.
    - Only one update was made: no weight should have moved by more than ``MOVE``.
    - Adam moves a weight by about the rate, whatever the slope: the rate should be at most ``MOVE``.
    """
    rate, factor = optimizer.learning_rate, rise(losses)
    found = [rate / 10, 1.0]
    if isinstance(optimizer, Adam):
        found.append(MOVE)
    elif factor is not None:
        found.append(rate / (1 + math.sqrt(factor ** (1 / steps))))
    elif 0 < steepest < math.inf:
        found.append(MOVE / steepest)
    return float(f"{min(found):.0e}")


def check_trainable(graph: Graph, training: Training, flat: Array) -> None:
    """Raises :class:`TrainingError` for a graph without a loss, or whose loss no training can change."""
    if graph.loss is None:
        raise TrainingError("NBN400", graph.name, "has no loss to minimize", 'add "loss" to the spec')
    if not graph.backward_order:
        hint = "let the loss depend on a trainable parameter"
        message = f'the loss "{graph.loss}" depends on no trainable parameter'
        raise TrainingError("NBN400", graph.name, message, hint)
    rate = getattr(training.optimizer, "learning_rate", 1.0)
    if rate < float(np.finfo(flat.dtype).tiny):
        message = f"the learning rate {rate} is 0 in {graph.dtype}"
        raise TrainingError("NBN400", "learning_rate", message, "give a larger one", path=RATE)


def finite(values: Array) -> bool:
    """Whether all values are finite."""
    return bool(np.isfinite(values).all())


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
        path = ("train", "validation", "fraction")
        raise TrainingError("NBN400", "/train/validation/fraction", message, path=path)
    order = seed.stream(SPLIT_STREAM).permutation(count)
    parts = np.sort(order[held:]), np.sort(order[:held])
    batched = {item.name for item in graph.inputs if item.batched}
    first, second = ({n: a[rows] if n in batched else a for n, a in data.items()} for rows in parts)
    return first, second


def measure_statistics(graph: Graph, layout: Layout, flat: Array, data: Mapping[str, Array]) -> None:
    """Set the statistics of nodes such as ``standardize`` from the training data that they read.

    Those of a model that was trained before are left alone, as its parameters were fitted to them.
    """
    views = layout.views(flat)
    for node in graph.nodes:
        statistics = {name: views[node.params[name]] for name in node.op.statistics}
        if statistics and node.op.unmeasured(**statistics) and node.inputs[0] in data:
            with np.errstate(all="ignore"):
                for name, values in node.op.measure(data[node.inputs[0]]).items():
                    statistics[name][...] = values
