"""Crossentropies: of probabilities, and (``from_logits``) of unbounded scores, stable for scores of any size."""

from __future__ import annotations

from abc import ABC
from math import prod

import numpy as np

from nbn_spec.ops.activation import LogSoftmax, Sigmoid
from nbn_spec.ops.base import (
    Array,
    Buffer,
    Calls,
    Domain,
    Op,
    Shape,
    ShapeProblem,
    add_up,
    disagreement,
    do,
    equal,
    show,
)
from nbn_spec.ops.loss import Loss, total, upstream
from nbn_spec.record import attr, record

LOG_FLOOR = -100.0
"""The logarithm of a probability is held here, as PyTorch does, so that a sure mistake has a finite cost."""
SMALLEST = 1e-12
"""A gradient divides by no probability (or product of two) smaller than this."""


def logits() -> bool:
    """The attribute that the three crossentropies share."""
    flag: bool = attr(False, doc="Predictions are scores before sigmoid or softmax, not probabilities.")
    return flag


NO_PROBABILITIES = (
    "its predictions must be probabilities, from 0 to 1: put a sigmoid or softmax before it, "
    'or let it take scores with "from_logits": true'
)


def log_into(p: Array, out: Array) -> Calls:
    """log(p), held at ``LOG_FLOOR``."""
    yield do(np.log, p, out)
    yield do(np.maximum, out, LOG_FLOOR, out=out)


def log_complement_into(p: Array, out: Array) -> Calls:
    """log(1 − p), held at ``LOG_FLOOR``."""
    yield do(np.negative, p, out)
    yield do(np.log1p, out, out)
    yield do(np.maximum, out, LOG_FLOOR, out=out)


@record
class BinaryCrossentropy(Loss):
    """Crossentropy of yes-or-no targets, averaged over all n elements; σ is the logistic function."""

    from_logits: bool = logits()

    keeps = ("prediction", "target")
    scores = property(lambda self: self.from_logits)
    remedy = property(lambda self: "" if self.from_logits else NO_PROBABILITIES)
    equation = "y = −1/n · Σ (target · log p + (1 − target) · log(1 − p)); p = prediction, or σ(prediction)"
    derivatives = {
        "prediction": "(p − target) / (p · (1 − p) · n); from logits (p − target) / n",
        "target": "(log(1 − p) − log p) / n; from logits −prediction / n",
    }

    def buffers(self, prediction: Shape, target: Shape) -> dict[str, Buffer]:
        more = {"u": Buffer(prediction)} if not self.from_logits else {}
        scratch = Buffer(prediction, "forward")
        return {"e": scratch, "c": scratch, "t": Buffer(prediction), "s": Buffer((), "both"), **more}

    def domains(self, prediction: Shape, target: Shape) -> dict[str, Domain]:
        return {"target": Domain(0, 1, "from 0 to 1")}

    def forward(self, prediction: Array, target: Array, *, y: Array, e: Array, c: Array, s: Array) -> Calls:
        if self.from_logits:
            yield do(np.logaddexp, prediction, 0, e)
            yield do(np.multiply, prediction, target, c)
            yield do(np.subtract, c, e, e)
        else:
            yield from log_complement_into(prediction, e)
            yield from log_into(prediction, c)
            yield do(np.subtract, c, e, c)
            yield do(np.multiply, c, target, c)
            yield do(np.add, e, c, e)
        yield from total(e, -1 / prediction.size, y, s)

    def backward(
        self,
        dy: Array,
        *,
        prediction: Array,
        target: Array,
        t: Array,
        s: Array,
        u: Array | None = None,
        dprediction: Array | None = None,
        dtarget: Array | None = None,
    ) -> Calls:
        scale, calls = upstream(dy, 1 / prediction.size, s)
        yield from calls
        if dprediction is not None:
            yield from self.slope(prediction, target, t, u)
            yield do(np.multiply, t, scale, dprediction)
        if dtarget is not None:
            yield from self.log_odds(prediction, t, u)
            yield do(np.negative, t, t)
            yield do(np.multiply, t, scale, dtarget)

    def slope(self, prediction: Array, target: Array, t: Array, u: Array | None) -> Calls:
        """The derivative by the prediction, before 1/n, into ``t``."""
        if u is None:
            yield from Sigmoid().forward(prediction, y=t)
            yield do(np.subtract, t, target, t)
        else:
            yield do(np.subtract, 1, prediction, u)
            yield do(np.multiply, u, prediction, u)
            yield do(np.maximum, u, SMALLEST, out=u)
            yield do(np.subtract, prediction, target, t)
            yield do(np.divide, t, u, t)

    def log_odds(self, prediction: Array, t: Array, u: Array | None) -> Calls:
        """log p − log(1 − p) into ``t``."""
        if u is None:
            yield do(np.positive, prediction, t)
        else:
            yield from log_into(prediction, t)
            yield from log_complement_into(prediction, u)
            yield do(np.subtract, t, u, t)


@record
class ClassLoss(Op, ABC):
    """A crossentropy over the classes on the last axis, averaged over the m examples in front of it."""

    from_logits: bool = logits()

    inputs = ("prediction", "target")
    is_loss = True
    scores = property(lambda self: self.from_logits)
    remedy = property(lambda self: "" if self.from_logits else NO_PROBABILITIES)

    def classes(self, prediction: Shape) -> int:
        """The number of classes; raises :class:`ShapeProblem`."""
        if not prediction or isinstance(prediction[-1], str):
            raise ShapeProblem(f"{self.word()} needs an axis of classes, but the prediction is {show(prediction)}")
        return prediction[-1]

    def log_probabilities(self, prediction: Array, log_p: Array, e: Array, r: Array) -> Calls:
        """log p of every class into ``log_p``."""
        if self.from_logits:
            yield from LogSoftmax().forward(prediction, y=log_p, r=r, s=e)
        else:
            yield from log_into(prediction, log_p)

    def saved(self, prediction: Shape) -> dict[str, Buffer]:
        """log p, kept for backward, and scratch for it."""
        row = Buffer((*prediction[:-1], 1), "forward")
        return {
            "log_p": Buffer(prediction, "both"),
            "e": Buffer(prediction, "forward"),
            "r": row,
            "s": Buffer((), "both"),
        }


@record
class CategoricalCrossentropy(ClassLoss):
    """Crossentropy of one-hot (or soft) targets."""

    keeps = ("prediction", "target")
    equation = "y = −1/m · Σ target · log p; p = prediction, or softmax(prediction)"
    derivatives = {
        "prediction": "−target / (p · m); from logits (p · Σ target − target) / m",
        "target": "−log p / m",
    }

    def infer(self, prediction: Shape, target: Shape) -> Shape:
        self.classes(prediction)
        equal(prediction, target)
        return ()

    def buffers(self, prediction: Shape, target: Shape) -> dict[str, Buffer]:
        return {**self.saved(prediction), "t": Buffer(prediction), "u": Buffer((*prediction[:-1], 1))}

    def domains(self, prediction: Shape, target: Shape) -> dict[str, Domain]:
        return {"target": Domain(0, 1, "from 0 to 1")}

    def forward(
        self, prediction: Array, target: Array, *, y: Array, log_p: Array, e: Array, r: Array, s: Array
    ) -> Calls:
        yield from self.log_probabilities(prediction, log_p, e, r)
        yield do(np.multiply, target, log_p, e)
        yield from total(e, -1 / prod(prediction.shape[:-1]), y, s)

    def backward(
        self,
        dy: Array,
        *,
        prediction: Array,
        target: Array,
        log_p: Array,
        t: Array,
        u: Array,
        s: Array,
        dprediction: Array | None = None,
        dtarget: Array | None = None,
    ) -> Calls:
        scale, calls = upstream(dy, 1 / prod(prediction.shape[:-1]), s)
        yield from calls
        if dprediction is not None:
            yield from self.slope(prediction, target, log_p, t, u)
            yield do(np.multiply, t, scale, dprediction)
        if dtarget is not None:
            yield do(np.negative, log_p, t)
            yield do(np.multiply, t, scale, dtarget)

    def slope(self, prediction: Array, target: Array, log_p: Array, t: Array, u: Array) -> Calls:
        """The derivative by the prediction, before 1/m, into ``t``."""
        if self.from_logits:
            yield from add_up(target, (target.ndim - 1,), u)
            yield do(np.exp, log_p, t)
            yield do(np.multiply, t, u, t)
            yield do(np.subtract, t, target, t)
        else:
            yield do(np.maximum, prediction, SMALLEST, out=t)
            yield do(np.divide, target, t, t)
            yield do(np.negative, t, t)


@record
class SparseCategoricalCrossentropy(ClassLoss):
    """Crossentropy of class numbers, counted from 0."""

    integers = ("target",)
    keeps = property(lambda self: () if self.from_logits else ("prediction",))
    equation = "y = −1/m · Σ log p[target]; p = prediction, or softmax(prediction)"
    derivatives = {
        "prediction": "−1 / (p · m) at the target, else 0; from logits (p − onehot(target)) / m",
    }

    def infer(self, prediction: Shape, target: Shape) -> Shape:
        self.classes(prediction)
        if target != prediction[:-1]:
            raise ShapeProblem(
                f"prediction is {show(prediction)}, so the class numbers must be {show(prediction[:-1])},"
                f" but target is {show(target)}: {disagreement(target, prediction[:-1])}"
            )
        return ()

    def buffers(self, prediction: Shape, target: Shape) -> dict[str, Buffer]:
        index = Buffer(target, "both", "int64")
        return {**self.saved(prediction), "index": index, "g": Buffer(target, "forward"), "t": Buffer(target)}

    def domains(self, prediction: Shape, target: Shape) -> dict[str, Domain]:
        last = self.classes(prediction) - 1
        return {"target": Domain(0, last, f"a class number from 0 to {last}")}

    def forward(
        self,
        prediction: Array,
        target: Array,
        *,
        y: Array,
        log_p: Array,
        e: Array,
        r: Array,
        index: Array,
        g: Array,
        s: Array,
    ) -> Calls:
        first = np.arange(target.size, dtype=np.int64).reshape(target.shape) * prediction.shape[-1]
        yield do(np.add, first, target, index)
        yield from self.log_probabilities(prediction, log_p, e, r)
        yield do(log_p.take, index, None, g, "clip")
        yield from total(g, -1 / target.size, y, s)

    def backward(
        self,
        dy: Array,
        *,
        log_p: Array,
        index: Array,
        t: Array,
        s: Array,
        dprediction: Array,
        prediction: Array | None = None,
    ) -> Calls:
        scale, calls = upstream(dy, 1 / index.size, s)
        yield from calls
        if prediction is None:
            yield do(np.exp, log_p, dprediction)
            yield do(np.multiply, dprediction, scale, dprediction)
            yield do(dprediction.take, index, None, t, "clip")
            yield do(np.subtract, t, scale, t)
        else:
            yield do(dprediction.fill, 0)
            yield do(prediction.take, index, None, t, "clip")
            yield do(np.maximum, t, SMALLEST, out=t)
            yield do(np.divide, scale, t, t)
            yield do(np.negative, t, t)
        yield do(dprediction.put, index, t, "clip")
