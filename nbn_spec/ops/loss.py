"""Losses: one number from a prediction and a target, a mean over examples or elements.

Every loss passes its gradient to the target too, should that be computed from parameters.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np

from nbn_spec.ops.base import Array, Buffer, Calls, Domain, Op, Shape, add_squares, do, equal, indicate
from nbn_spec.record import attr, record


def examples(array: Array) -> int:
    """The number of examples: the length of the first axis."""
    return array.shape[0] if array.ndim else 1


def total(values: Array, factor: float, y: Array, s: Array) -> Calls:
    """``factor`` times the sum of all ``values``; ``s`` is scratch: NumPy is slow with one number in place."""
    yield do(np.add.reduce, values, None, None, s)
    yield do(np.multiply, s, s.dtype.type(factor), y)


def upstream(dy: Array, factor: float, s: Array) -> tuple[Array, Calls]:
    """``factor`` times the upstream gradient, and the calls that compute it into ``s``.

    Where the upstream gradient is a constant, as that of the cost itself is, so is the product.
    """
    scale = dy.dtype.type(factor)
    if not dy.flags.writeable:
        return dy * scale, iter(())
    return s, iter((do(np.multiply, dy, scale, s),))


@record
class Loss(Op, ABC):
    """A scalar cost of a prediction against a target of the same shape."""

    inputs = ("prediction", "target")
    is_loss = True

    def infer(self, prediction: Shape, target: Shape) -> Shape:
        equal(prediction, target)
        return ()


@record
class Distance(Loss, ABC):
    """A loss of the difference e = prediction − target: the mean of a function of it."""

    steepness: ClassVar[float] = 1.0
    """What :meth:`slope` leaves out of the function's derivative."""

    def buffers(self, prediction: Shape, target: Shape) -> dict[str, Buffer]:
        return {"e": Buffer(prediction, "both"), "s": Buffer((), "both")}

    @abstractmethod
    def factor(self, prediction: Array) -> float:
        """What the sum over all elements is multiplied with."""

    @abstractmethod
    def value(self, *arrays: Any, **scratch: Any) -> Calls:
        """The sum of the function over the differences ``e`` into ``s``."""

    @abstractmethod
    def slope(self, e: Array, s: Array, out: Array) -> Calls:
        """``s`` times the function's derivative into ``out``."""

    def forward(
        self, prediction: Array, target: Array, *, y: Array, e: Array, s: Array, **scratch: Array
    ) -> Calls:
        yield do(np.subtract, prediction, target, e)
        yield from self.value(e, s=s, **scratch)
        yield do(np.multiply, s, s.dtype.type(self.factor(prediction)), y)

    def backward(
        self,
        dy: Array,
        *,
        e: Array,
        s: Array,
        dprediction: Array | None = None,
        dtarget: Array | None = None,
    ) -> Calls:
        scale, calls = upstream(dy, self.steepness * self.factor(e), s)
        yield from calls
        if dprediction is not None:
            yield from self.slope(e, scale, dprediction)
        if dtarget is not None:
            yield from self.slope(e, scale, dtarget)
            yield do(np.negative, dtarget, dtarget)


@record
class SquaredError(Distance):
    """The tutorial's cost: half the squared error, averaged over the m examples."""

    equation = "y = 1/(2m) · Σ (prediction − target)²"
    derivatives = {"prediction": "(prediction − target) / m", "target": "(target − prediction) / m"}
    steepness = 2.0

    def factor(self, prediction: Array) -> float:
        return 0.5 / examples(prediction)

    def value(self, e: Array, *, s: Array) -> Calls:
        yield from add_squares(e, s)

    def slope(self, e: Array, s: Array, out: Array) -> Calls:
        yield do(np.multiply, e, s, out)


@record
class MeanSquaredError(SquaredError):
    """Squared error, averaged over all n elements."""

    equation = "y = 1/n · Σ (prediction − target)²"
    derivatives = {"prediction": "2 · (prediction − target) / n", "target": "2 · (target − prediction) / n"}

    def factor(self, prediction: Array) -> float:
        return 1 / prediction.size


@record
class MeanAbsoluteError(Distance):
    """Absolute error, averaged over all n elements; its derivative at 0 is taken as 0."""

    equation = "y = 1/n · Σ |prediction − target|"
    derivatives = {"prediction": "sign(prediction − target) / n", "target": "sign(target − prediction) / n"}

    def buffers(self, prediction: Shape, target: Shape) -> dict[str, Buffer]:
        return {**super().buffers(prediction, target), "c": Buffer(prediction, "forward")}

    def factor(self, prediction: Array) -> float:
        return 1 / prediction.size

    def value(self, e: Array, *, s: Array, c: Array) -> Calls:
        yield do(np.absolute, e, c)
        yield do(np.add.reduce, c, None, None, s)

    def slope(self, e: Array, s: Array, out: Array) -> Calls:
        yield do(np.sign, e, out)
        yield do(np.multiply, out, s, out)


@record
class Huber(Distance):
    """Squared near 0 and linear beyond ``delta`` (Huber 1964), averaged over all n elements."""

    delta: float = attr(1.0, gt=0, doc="Where the square turns into a line.")

    equation = "y = 1/n · Σ (½ e² where |e| ≤ delta, else delta · (|e| − ½ delta)); e = prediction − target"
    derivatives = {"prediction": "clip(e, −delta, delta) / n", "target": "clip(−e, −delta, delta) / n"}

    def buffers(self, prediction: Shape, target: Shape) -> dict[str, Buffer]:
        scratch = Buffer(prediction, "forward")
        return {**super().buffers(prediction, target), "a": scratch, "c": scratch}

    def factor(self, prediction: Array) -> float:
        return 1 / prediction.size

    def value(self, e: Array, *, s: Array, a: Array, c: Array) -> Calls:
        yield do(np.absolute, e, a)
        yield do(np.minimum, a, self.delta, out=c)
        yield do(np.multiply, c, 0.5, c)
        yield do(np.subtract, a, c, a)
        yield do(np.multiply, c, 2, c)
        yield do(np.multiply, a, c, a)
        yield do(np.add.reduce, a, None, None, s)

    def slope(self, e: Array, s: Array, out: Array) -> Calls:
        yield do(np.minimum, e, self.delta, out=out)
        yield do(np.maximum, out, -self.delta, out=out)
        yield do(np.multiply, out, s, out)


@record
class Hinge(Loss):
    """Hinge loss for targets −1 and 1, averaged over all n elements; its derivative at the kink is taken as 0."""

    keeps = ("prediction", "target")
    scores = True
    equation = "y = 1/n · Σ max(0, 1 − target · prediction)"
    derivatives = {
        "prediction": "−target / n where target · prediction < 1, else 0",
        "target": "−prediction / n where target · prediction < 1, else 0",
    }

    def buffers(self, prediction: Shape, target: Shape) -> dict[str, Buffer]:
        both = {"t": Buffer(prediction), "mask": Buffer(prediction, dtype="bool")}
        return {"e": Buffer(prediction, "forward"), "s": Buffer((), "both"), **both}

    def domains(self, prediction: Shape, target: Shape) -> dict[str, Domain]:
        return {"target": Domain(-1, 1, "-1 or 1", only=(-1, 1))}

    def forward(self, prediction: Array, target: Array, *, y: Array, e: Array, s: Array) -> Calls:
        yield do(np.multiply, prediction, target, e)
        yield do(np.subtract, 1, e, e)
        yield do(np.maximum, e, 0, out=e)
        yield from total(e, 1 / prediction.size, y, s)

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
        scale, calls = upstream(dy, -1 / prediction.size, s)
        yield from calls
        yield do(np.multiply, prediction, target, t)
        yield from indicate(np.less, t, 1, t, mask)
        yield do(np.multiply, t, scale, t)
        if dprediction is not None:
            yield do(np.multiply, target, t, dprediction)
        if dtarget is not None:
            yield do(np.multiply, prediction, t, dtarget)
