"""Metrics: what share of the predictions is right."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import numpy as np

from nbn_spec.errors import TrainingError, suggestion
from nbn_spec.graph import Graph
from nbn_spec.ops.base import Array, show
from nbn_spec.record import Record, attr, record

Measures = Mapping[str, Callable[[], float]]
"""A function for the column of each metric."""


@record
class Metric(Record, ABC):
    """A mean over examples, computed beside the loss; an instance is the record of its settings."""

    output: str | None = attr(None, doc="The value it looks at; left out, the model's first output.")
    target: str | None = attr(None, doc="The input it is compared with; left out, the loss's target.")

    equation: ClassVar[str] = ""

    def prediction(self, graph: Graph) -> str:
        """The value it looks at; raises :class:`TrainingError` where the graph has none of this name."""
        return self.known(graph, self.output if self.output is not None else graph.outputs[0])

    def truth(self, graph: Graph) -> str:
        """The value it is compared with; raises :class:`TrainingError`."""
        name = self.target
        if name is None:
            node = graph.by_name.get(graph.loss or "")
            if node is None or not node.op.is_loss:
                hint = 'name the input with the true values: "target"'
                raise TrainingError("NBN400", self.word(), "has no target", hint)
            name = node.operands["target"]
        if self.known(graph, name) in graph.trainable:
            message = f'"{name}" is computed by the model, so it is no true value to compare with'
            raise TrainingError(
                "NBN400", self.word(), message, "a loss takes the prediction first, the target second"
            )
        return name

    def known(self, graph: Graph, name: str) -> str:
        """``name``, which must be a value of the graph."""
        if name not in graph.leaves and name not in graph.by_name:
            names = [*graph.leaves, *graph.by_name]
            raise TrainingError("NBN400", self.word(), f'nothing is called "{name}"', suggestion(name, names))
        return name

    def refuse(self, graph: Graph, want: str) -> TrainingError:
        """The error for shapes that the metric cannot compare."""
        prediction, truth = self.prediction(graph), self.truth(graph)
        have = f'"{prediction}" is {show(graph.shape(prediction))}, "{truth}" is {show(graph.shape(truth))}'
        return TrainingError("NBN400", self.word(), f"{want}; {have}")

    @abstractmethod
    def check_shapes(self, graph: Graph) -> None:
        """Raises :class:`TrainingError` where prediction and target cannot be compared."""

    @abstractmethod
    def bind(self, graph: Graph, prediction: Array, target: Array) -> Callable[[], float]:
        """A function that compares the two arrays' present contents and allocates nothing."""


@record
class Accuracy(Metric):
    """Share of examples whose largest output is the true class; targets are class numbers or one-hot."""

    equation = "1/m · Σ [argmax(output) = class]"

    def check_shapes(self, graph: Graph) -> None:
        prediction, target = graph.shape(self.prediction(graph)), graph.shape(self.truth(graph))
        if not prediction or prediction[-1] == 1 or target not in (prediction, prediction[:-1]):
            want = "compares one of several columns with a class (for one column: binary_accuracy)"
            raise self.refuse(graph, want)

    def bind(self, graph: Graph, prediction: Array, target: Array) -> Callable[[], float]:
        chosen = np.empty(prediction.shape[:-1], np.intp)
        truth = np.empty_like(chosen)
        right = np.empty(chosen.shape, bool)
        one_hot, size = target.ndim == prediction.ndim, chosen.size

        def share() -> float:
            prediction.argmax(-1, chosen)
            np.equal(chosen, target.argmax(-1, truth) if one_hot else target, right)
            return int(np.count_nonzero(right)) / size

        return share


@record
class BinaryAccuracy(Metric):
    """Share of outputs on the right side of ``threshold``."""

    threshold: float | None = attr(
        None, doc="Above it, the answer is yes. Left out: 0.5, or 0 for scores (from_logits, hinge)."
    )

    equation = "1/n · Σ [(output > threshold) = (target > ½)]"

    def check_shapes(self, graph: Graph) -> None:
        if graph.shape(self.prediction(graph)) != graph.shape(self.truth(graph)):
            raise self.refuse(graph, "compares arrays of equal shape")

    def decision(self, graph: Graph) -> float:
        """The threshold in force."""
        if self.threshold is not None:
            return self.threshold
        losses = (node for node in graph.nodes if node.op.is_loss and node.op.scores)
        read = {node.operands["prediction"] for node in losses}
        return 0.0 if self.prediction(graph) in read else 0.5

    def bind(self, graph: Graph, prediction: Array, target: Array) -> Callable[[], float]:
        yes, truth = np.empty(prediction.shape, bool), np.empty(prediction.shape, bool)
        size = prediction.size
        dtype = np.result_type(prediction.dtype, np.float32)
        threshold, half = np.asarray(self.decision(graph), dtype), np.asarray(0.5, dtype)

        def share() -> float:
            np.greater(prediction, threshold, yes)
            np.greater(target, half, truth)
            return int(np.count_nonzero(np.equal(yes, truth, yes))) / size

        return share


METRICS: dict[str, type[Metric]] = {"accuracy": Accuracy, "binary_accuracy": BinaryAccuracy}
"""Every metric by its name in JSON."""


def labels(metrics: Sequence[Metric], graph: Graph) -> list[str]:
    """The column of each metric: its name, behind that of the output where several have the same.

    Raises :class:`TrainingError` for metrics that cannot be measured, or that are twice the same.
    """
    for metric in metrics:
        metric.check_shapes(graph)
    words = [metric.word() for metric in metrics]
    found = [
        word if words.count(word) == 1 else f"{metric.prediction(graph)}_{word}"
        for word, metric in zip(words, metrics, strict=True)
    ]
    if twice := next((name for name in found if found.count(name) > 1), None):
        raise TrainingError("NBN400", "/train/metrics", f'"{twice}" is measured twice', "give each another output")
    return found


def compared(metrics: Sequence[Metric], graph: Graph) -> list[str]:
    """The values that metrics look at."""
    return [name for metric in metrics for name in (metric.prediction(graph), metric.truth(graph))]


def measures(metrics: Sequence[Metric], graph: Graph, arrays: Mapping[str, Array]) -> Measures:
    """Every metric bound to its two arrays."""
    return {
        label: metric.bind(graph, arrays[metric.prediction(graph)], arrays[metric.truth(graph)])
        for label, metric in zip(labels(metrics, graph), metrics, strict=True)
    }
