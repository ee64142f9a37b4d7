"""Losses: one number from a prediction and a target, a mean over examples or elements.

Every loss passes its gradient to the target too, should that be computed from parameters.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from nbn_spec.ops.base import Array, Buffer, Calls, Domain, Op, Shape, do, equal, indicate
from nbn_spec.record import attr


def examples(array: Array) -> int:
    """The number of examples: the length of the first axis."""
    return array.shape[0] if array.ndim else 1


@dataclass(frozen=True)
class Loss(Op, ABC):
    """A scalar cost of a prediction against a target of the same shape."""

    inputs = ("prediction", "target")
    keeps = ("prediction", "target")
    is_loss = True

    def infer(self, prediction: Shape, target: Shape) -> Shape:
        equal(prediction, target)
        return ()

    def buffers(self, prediction: Shape, target: Shape) -> dict[str, Buffer]:
        return {"e": Buffer(prediction, "forward"), "t": Buffer(prediction), "s": Buffer(())}


def total(values: Array, factor: float, y: Array) -> Calls:
    """``factor`` times the sum of all ``values``."""
    yield do(np.add.reduce, values, None, None, y)
    yield do(np.multiply, y, y.dtype.type(factor), y)


def upstream(dy: Array, factor: float, s: Array) -> Calls:
    """``factor`` times the upstream gradient, a number, into ``s``."""
    yield do(np.multiply, dy, dy.dtype.type(factor), s)


@dataclass(frozen=True)
class Distance(Loss, ABC):
    """A loss of the difference prediction − target: the mean of a function of it."""

    @abstractmethod
    def factor(self, prediction: Array) -> float:
        """What the sum over all elements is multiplied with."""

    @abstractmethod
    def value(self, *arrays: Any, **scratch: Any) -> Calls:
        """The function of the difference ``e``, in place."""

    @abstractmethod
    def slope(self, t: Array) -> Calls:
        """Its derivative, in place."""

    def forward(self, prediction: Array, target: Array, *, y: Array, e: Array, **scratch: Array) -> Calls:
        yield do(np.subtract, prediction, target, e)
        yield from self.value(e, **scratch)
        yield from total(e, self.factor(prediction), y)

    def backward(
        self,
        dy: Array,
        *,
        prediction: Array,
        target: Array,
        t: Array,
        s: Array,
        dprediction: Array | None = None,
        dtarget: Array | None = None,
    ) -> Calls:
        yield from upstream(dy, self.factor(prediction), s)
        yield do(np.subtract, prediction, target, t)
        yield from self.slope(t)
        if dprediction is not None:
            yield do(np.multiply, t, s, dprediction)
        if dtarget is not None:
            yield do(np.negative, s, s)
            yield do(np.multiply, t, s, dtarget)


@dataclass(frozen=True)
class SquaredError(Distance):
    """The tutorial's cost: half the squared error, averaged over the m examples."""

    equation = "y = 1/(2m) · Σ (prediction − target)²"
    derivatives = {"prediction": "(prediction − target) / m", "target": "(target − prediction) / m"}

    def factor(self, prediction: Array) -> float:
        return 0.5 / examples(prediction)

    def value(self, e: Array) -> Calls:
        yield do(np.multiply, e, e, e)

    def slope(self, t: Array) -> Calls:
        yield do(np.multiply, t, 2, t)


@dataclass(frozen=True)
class MeanSquaredError(SquaredError):
    """Squared error, averaged over all n elements."""

    equation = "y = 1/n · Σ (prediction − target)²"
    derivatives = {"prediction": "2 · (prediction − target) / n", "target": "2 · (target − prediction) / n"}

    def factor(self, prediction: Array) -> float:
        return 1 / prediction.size


@dataclass(frozen=True)
class MeanAbsoluteError(Distance):
    """Absolute error, averaged over all n elements; its derivative at 0 is taken as 0."""

    equation = "y = 1/n · Σ |prediction − target|"
    derivatives = {"prediction": "sign(prediction − target) / n", "target": "sign(target − prediction) / n"}

    def factor(self, prediction: Array) -> float:
        return 1 / prediction.size

    def value(self, e: Array) -> Calls:
        yield do(np.absolute, e, e)

    def slope(self, t: Array) -> Calls:
        yield do(np.sign, t, t)


@dataclass(frozen=True)
class Huber(Distance):
    """Squared near 0 and linear beyond ``delta`` (Huber 1964), averaged over all n elements."""

    delta: float = attr(1.0, gt=0, doc="Where the square turns into a line.")

    equation = "y = 1/n · Σ (½ e² where |e| ≤ delta, else delta · (|e| − ½ delta)); e = prediction − target"
    derivatives = {"prediction": "clip(e, −delta, delta) / n", "target": "clip(−e, −delta, delta) / n"}

    def buffers(self, prediction: Shape, target: Shape) -> dict[str, Buffer]:
        return {**super().buffers(prediction, target), "c": Buffer(prediction, "forward")}

    def factor(self, prediction: Array) -> float:
        return 1 / prediction.size

    def value(self, e: Array, c: Array) -> Calls:
        yield do(np.absolute, e, e)
        yield do(np.minimum, e, self.delta, out=c)
        yield do(np.multiply, c, 0.5, c)
        yield do(np.subtract, e, c, e)
        yield do(np.multiply, c, 2, c)
        yield do(np.multiply, e, c, e)

    def slope(self, t: Array) -> Calls:
        yield do(np.minimum, t, self.delta, out=t)
        yield do(np.maximum, t, -self.delta, out=t)


@dataclass(frozen=True)
class Hinge(Loss):
    """Hinge loss for targets −1 and 1, averaged over all n elements; its derivative at the kink is taken as 0."""

    scores = True
    equation = "y = 1/n · Σ max(0, 1 − target · prediction)"
    derivatives = {
        "prediction": "−target / n where target · prediction < 1, else 0",
        "target": "−prediction / n where target · prediction < 1, else 0",
    }

    def buffers(self, prediction: Shape, target: Shape) -> dict[str, Buffer]:
        return {**super().buffers(prediction, target), "mask": Buffer(prediction, dtype="bool")}

    def domains(self, prediction: Shape, target: Shape) -> dict[str, Domain]:
        return {"target": Domain(-1, 1, "-1 or 1", only=(-1, 1))}

    def forward(self, prediction: Array, target: Array, *, y: Array, e: Array) -> Calls:
        yield do(np.multiply, prediction, target, e)
        yield do(np.subtract, 1, e, e)
        yield do(np.maximum, e, 0, out=e)
        yield from total(e, 1 / prediction.size, y)

    def backward(
        self,
        dy: Array,
        *,
        prediction: Array,
        target: Array,
        t: Array,
        s: Array,
        mask: Array,
        dprediction: Array | None = None,
        dtarget: Array | None = None,
    ) -> Calls:
        yield from upstream(dy, -1 / prediction.size, s)
        yield do(np.multiply, prediction, target, t)
        yield from indicate(np.less, t, 1, t, mask)
        yield do(np.multiply, t, s, t)
        if dprediction is not None:
            yield do(np.multiply, target, t, dprediction)
        if dtarget is not None:
            yield do(np.multiply, prediction, t, dtarget)
