"""The model: a graph with parameters, and what one does with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Never

import numpy as np

from nbn_spec import archive, metrics, summary
from nbn_spec import data as reading
from nbn_spec.arrays import zeros
from nbn_spec.batches import Binder, symbols
from nbn_spec.budget import afford, estimate, limit_of, overview
from nbn_spec.errors import DataError, GraphError, TrainingError, shorten
from nbn_spec.estimate import Estimate, Goal
from nbn_spec.graph import Graph, Input
from nbn_spec.interpreter import Interpreter
from nbn_spec.memory import uncollected
from nbn_spec.ops.base import Array
from nbn_spec.params import Layout, Seed
from nbn_spec.plan import Program, gradient, plan
from nbn_spec.predictor import Predictor, Predictors
from nbn_spec.profile import Profile
from nbn_spec.source import Place, Source
from nbn_spec.train import History, OnEpoch, Stop, Trainer, Training, never

Arrays = Mapping[str, object]


@dataclass(frozen=True)
class Trace:
    """One forward and backward pass with nothing forgotten.

    ``values`` holds every input, parameter and node; ``gradients`` the derivative of the loss by each node and
    trainable parameter; both by name.
    """

    values: Mapping[str, Array]
    gradients: Mapping[str, Array]


class Model:
    """A compiled model: ``graph`` says what is computed, ``flat`` holds every parameter, ``spec`` is canonical.

    :meth:`predict`, :meth:`evaluate` and :meth:`gradients` may run in several threads at once; :meth:`fit`
    changes the parameters and may not run beside them. What each of them needs of memory is counted before it is
    allocated, and refused (NBN209) where it is more than ``max_memory`` bytes or, without, than are free by then.
    """

    def __init__(
        self,
        graph: Graph,
        flat: Array,
        spec: Mapping[str, Any] | None = None,
        place: Place | None = None,
        max_memory: int | str | None = None,
    ) -> None:
        self.graph, self._flat = graph, flat
        self.spec: Mapping[str, Any] = spec or {}
        self.place = place
        self.max_memory = limit_of(max_memory)
        self.layout = Layout.of(graph)
        self._needed = graph.needed_inputs(graph.outputs)
        self._predictors = Predictors(graph, self._needed)

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the interpreters: their calls hold views, which a copy would tear from their memory."""
        return {**self.__dict__, "_predictors": Predictors(self.graph, self._needed)}

    @property
    def flat(self) -> Array:
        """Every parameter in one vector; write into it to change the model."""
        return self._flat

    @property
    def parameters(self) -> Mapping[str, Array]:
        """A view of every parameter by name: ``parameters["z1/weight"][...] = values`` changes the model."""
        return MappingProxyType(self.layout.views(self.flat))

    @property
    def training(self) -> Training:
        """How the spec says to train; raises :class:`TrainingError`."""
        return Training.from_canonical(self.spec.get("train") or {})

    @property
    def seed(self) -> Seed:
        """The spec's seed; raises :class:`TrainingError`."""
        try:
            return Seed.from_json(self.spec.get("seed") or {})
        except (ValueError, TypeError) as error:
            raise TrainingError("NBN400", "seed", f"is no description of a seed: {error}") from None

    @property
    def source(self) -> Source | None:
        """Where the spec says the data is."""
        document = self.spec.get("data")
        return Source.from_json(document) if document else None

    def data(self, inputs: tuple[Input, ...] | None = None) -> dict[str, Array]:
        """The spec's own data for these inputs (all of them, if left out), checked; raises :class:`DataError`."""
        wanted = self.graph.inputs if inputs is None else inputs
        if not wanted:
            return {}
        source = self.source
        if source is None or (self.place is None and source.kind != "values"):
            names = ", ".join(f'"{item.name}"' for item in wanted)
            hint = (
                'add "data" to the spec, or give arrays'
                if source is None
                else "an archive holds no data: give arrays"
            )
            raise DataError("NBN306", self.graph.name, f"has no data for {names}", hint)
        return reading.checked(self.graph, source, wanted, self.place or Place(Path(), max_memory=self.max_memory))

    def predict(self, data: Arrays | object = None) -> Any:
        """The outputs for ``data``: an array, or a dict where the model has several outputs.

        ``data`` is ``{"x": array, …}``, or the array alone where the outputs need one input. Raises
        :class:`DataError` for data that does not fit, :class:`GraphError` for more than memory holds.
        """
        predictor = self._predictors.at_once(data) or self._prepared(data)
        found = predictor.run()
        if predictor.kept:
            self._predictors.give(predictor, self.max_memory)
        return found

    def _prepared(self, data: Arrays | object) -> Predictor:
        """A predictor loaded with checked data."""
        arrays = reading.prepare(self.graph, self._as_dict(data), self._needed, self.max_memory)
        reading.sizes(self._needed, arrays)
        given = tuple(arrays.values())
        predictor = self._predictors.take(tuple(array.shape for array in given)) or self._predictor(arrays)
        predictor.load(given)
        return predictor

    def _predictor(self, arrays: Mapping[str, Array]) -> Predictor:
        """A new predictor for data of these shapes."""
        with uncollected():
            program = plan(self.graph, symbols(self.graph, arrays), self.graph.outputs)
            need = self._afford("infer", arrays, program=program)
            if self.max_memory is not None and need.total + self._predictors.size() > self.max_memory:
                self._predictors.idle.clear()
            bound = Interpreter(program, self.layout, self.flat)
        return Predictor(bound, self._predictors.names, self.graph.outputs)

    def _afford(
        self,
        goal: Goal,
        arrays: Mapping[str, Array],
        *,
        training: Training | None = None,
        program: Program | None = None,
    ) -> Estimate:
        """What ``goal`` needs with this data, all examples at once unless ``training`` takes fewer.

        Raises :class:`GraphError` where that is more than memory holds.
        """
        sizes, data = symbols(self.graph, arrays), sum(array.nbytes for array in arrays.values())
        need = estimate(self.graph, goal=goal, training=training, data=data, sizes=sizes, program=program)
        afford(need, self.max_memory, held=self.flat.nbytes + data)
        return need

    def _as_dict(self, data: Arrays | object) -> Arrays:
        """``data`` by input name; a bare array is for the only input that the outputs need."""
        if data is None:
            return {}
        if isinstance(data, Mapping):
            return data
        if len(self._needed) != 1:
            names = ", ".join(f'"{item.name}"' for item in self._needed) or "none"
            raise DataError("NBN306", self.graph.name, f"needs its data by name: {names}", '{"name": array, …}')
        return {self._needed[0].name: data}

    def _alone(self, method: str, others: tuple[Never, ...]) -> None:
        """Refuse arrays one behind the other, as other libraries take them; raises :class:`DataError`."""
        if others:
            names = ", ".join(f'"{item.name}": {item.name}' for item in self.graph.inputs)
            message = f"{method} takes all data as one argument, not as {len(others) + 1}"
            raise DataError("NBN306", self.graph.name, message, f"give the arrays by name: {method}({{{names}}})")

    def _checked(self, data: Arrays | object, values: Iterable[str]) -> dict[str, Array]:
        """Every input that these values need, from ``data`` or else from the spec."""
        wanted = self.graph.needed_inputs(values)
        if data is None:
            arrays = self.data(wanted)
        else:
            arrays = reading.prepare(self.graph, self._as_dict(data), wanted, self.max_memory)
        reading.sizes(wanted, arrays)
        return arrays

    def _loss(self) -> str:
        if self.graph.loss is None:
            raise GraphError("NBN204", self.graph.name, "has no loss", 'add "loss" to the spec')
        return self.graph.loss

    def _traced(self, data: Arrays | object, *, keep: bool) -> tuple[Interpreter, Array]:
        """One forward and backward pass, and the flat gradient."""
        fetch = [self._loss(), *(self.graph.outputs if keep else ())]
        arrays = self._checked(data, fetch)
        program = plan(self.graph, symbols(self.graph, arrays), fetch, backward=True, keep=keep)
        self._afford("trace" if keep else "gradients", arrays, program=program)
        grad = zeros(self.flat.shape, self.flat.dtype)
        bound = Interpreter(program, self.layout, self.flat, grad, inputs=arrays)
        bound.forward()
        bound.backward()
        return bound, grad

    def gradients(self, data: Arrays | object = None, *others: Never) -> tuple[float, dict[str, Array]]:
        """The loss, and its derivative by every trainable parameter; on the spec's own data if none is given."""
        self._alone("gradients", others)
        bound, grad = self._traced(data, keep=False)
        return float(bound.arrays[self._loss()]), self._trained(grad)

    def _trained(self, grad: Array) -> dict[str, Array]:
        """The gradient of every trainable parameter."""
        views = self.layout.views(grad)
        return {item.name: views[item.name] for item in self.graph.parameters if item.trainable}

    def trace(self, data: Arrays | object = None, *others: Never) -> Trace:
        """One forward and backward pass with every value and every gradient, by name."""
        self._alone("trace", others)
        bound, grad = self._traced(data, keep=True)
        names = [*self.graph.leaves, *self.graph.forward_order]
        values = {name: bound.arrays[name] for name in names if name in bound.arrays}
        values |= {name: values[name].copy() for name in self.graph.leaves if name in values}
        slots = {name: gradient(name) for name in self.graph.forward_order}
        nodes = {name: bound.arrays[slot] for name, slot in slots.items() if slot in bound.arrays}
        nodes[self._loss()] = nodes[self._loss()].copy()  # the constant that kernels fold in is nobody's to write
        return Trace(values, {**self._trained(grad), **nodes})

    def evaluate(self, data: Arrays | object = None, *others: Never) -> dict[str, float]:
        """``loss`` and the spec's metrics, on ``data`` or else on the spec's own."""
        self._alone("evaluate", others)
        training = self.training
        arrays = self._checked(data, [self._loss(), *metrics.compared(training.metrics, self.graph)])
        size = self._afford("evaluate", arrays, training=training).batch or 1
        binder = Binder(self.graph, self.layout, self.flat, training.metrics)
        with np.errstate(all="ignore"):
            return dict(zip(binder.columns, binder.measuring(arrays, size).mean(), strict=True))

    def fit(
        self,
        data: Arrays | None = None,
        *others: Never,
        epochs: int | None = None,
        on_epoch: OnEpoch | None = None,
        stop: Stop = never,
    ) -> History:
        """Train on ``data`` or else on the spec's own, as the spec's ``train`` says, from the present parameters.

        ``on_epoch`` is called with each epoch's number and measurements; ``stop`` is asked after every step.
        The optimizer's memory and the shuffling start anew with every call; :meth:`trainer` gives what can go on.
        Raises :class:`DataError`, :class:`TrainingError` where training cannot start, :class:`GraphError` for more
        than memory holds, and :class:`Diverged`.
        """
        self._alone("fit", others)
        return self.trainer(data, epochs=epochs).run(on_epoch, stop)

    def trainer(
        self,
        data: Arrays | None = None,
        *others: Never,
        epochs: int | None = None,
        profile: Profile | None = None,
    ) -> Trainer:
        """Everything that training needs, checked and bound, before its first step. Raises as :meth:`fit` does.

        ``profile`` adds up where the time goes, at the price of some 0.3 µs for each NumPy call.
        """
        self._alone("trainer", others)
        check_profile(profile)
        training = self.training if epochs is None else replace(self.training, epochs=whole(epochs))
        loss = [self.graph.loss] if self.graph.loss else []
        arrays = self._checked(data, [*loss, *metrics.compared(training.metrics, self.graph)])
        with uncollected():
            # Without a backward pass the trainer says what is missing.
            need = self._afford("train", arrays, training=training) if self.graph.backward_order else None
            planned = need.program if need else None
            return Trainer(self.graph, self.layout, self.flat, training, self.seed, arrays, planned, profile)

    def summary(self) -> str:
        """The graph as a table: nodes in forward order, shapes, parameters, backward order, totals, memory."""
        training = self.training if self.spec.get("train") else None
        return summary.summarize(self.graph, overview(self.graph, training))

    def save(self, path: str | Path) -> None:
        """Write an ``.npz`` archive; raises ``OSError``. A file that stands there is replaced in one step."""
        archive.save(path, archive.Saved(self.graph, self.flat, self.spec))

    def __repr__(self) -> str:
        return f"<Model {self.graph.name}: {len(self.graph.nodes)} nodes, {self.layout.size:,} parameters>"


def check_profile(profile: object) -> None:
    """Raises :class:`TrainingError` for what is no profile."""
    if not isinstance(profile, Profile | None):
        hint = "profile = nbn_spec.Profile()"
        raise TrainingError("NBN400", "profile", f"must be a Profile, got {shorten(profile)}", hint)


def whole(epochs: object) -> int:
    """``epochs``, a whole number of at least 0; raises :class:`TrainingError`."""
    if isinstance(epochs, bool | np.bool_) or not isinstance(epochs, int | np.integer) or not 0 <= epochs < 2**63:
        raise TrainingError("NBN400", "epochs", f"must be a whole number of at least 0, got {epochs!r}")
    return int(epochs)


def load(path: str | Path, *, max_memory: int | str | None = None) -> Model:
    """The model of an archive; raises :class:`ArchiveError`. Needs NumPy only.

    ``max_memory`` (bytes, or words such as ``"512MiB"``) bounds loading it and all that the model does; left out,
    the memory that is free.
    """
    limit = limit_of(max_memory)
    saved = archive.load(path, limit)
    return Model(saved.graph, saved.flat, saved.spec, max_memory=limit)
