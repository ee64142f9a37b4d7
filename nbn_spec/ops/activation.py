"""Activations: elementwise functions, and softmax over an axis."""

from __future__ import annotations

from abc import ABC
from math import pi, sqrt

import numpy as np

from nbn_spec.ops.base import Array, Buffer, Calls, Op, Shape, add_up, axis_of, do, indicate
from nbn_spec.ops.erf import erfc
from nbn_spec.record import attr, record

SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805
"""Klambauer et al., "Self-Normalizing Neural Networks" (2017)."""
GELU_CUBIC = 0.044715
"""Hendrycks & Gimpel, "Gaussian Error Linear Units" (2016), the tanh form."""


@record
class Elementwise(Op, ABC):
    """An op on each element by itself."""

    def infer(self, x: Shape) -> Shape:
        return x


@record
class Scratched(Elementwise, ABC):
    """An elementwise op whose backward needs one scratch array, ``t``."""

    def buffers(self, x: Shape) -> dict[str, Buffer]:
        return {"t": Buffer(x)}


@record
class Sigmoid(Scratched):
    """Logistic function."""

    keeps = ("y",)
    in_place = ("forward", "backward")
    equation = "y = 1 / (1 + exp(−x))"
    derivatives = {"x": "y · (1 − y)"}

    def forward(self, x: Array, *, y: Array) -> Calls:
        yield do(np.negative, x, y)
        yield do(np.exp, y, y)
        yield do(np.add, y, 1, y)
        yield do(np.divide, 1, y, y)

    def backward(self, dy: Array, *, y: Array, dx: Array, t: Array) -> Calls:
        yield do(np.subtract, 1, y, t)
        yield do(np.multiply, y, t, t)
        yield do(np.multiply, dy, t, dx)


@record
class Tanh(Scratched):
    """Hyperbolic tangent."""

    keeps = ("y",)
    in_place = ("forward", "backward")
    equation = "y = tanh(x)"
    derivatives = {"x": "1 − y²"}

    def forward(self, x: Array, *, y: Array) -> Calls:
        yield do(np.tanh, x, y)

    def backward(self, dy: Array, *, y: Array, dx: Array, t: Array) -> Calls:
        yield do(np.multiply, y, y, t)
        yield do(np.subtract, 1, t, t)
        yield do(np.multiply, dy, t, dx)


@record
class Relu(Elementwise):
    """Rectifier; its derivative at 0 is taken as 0."""

    keeps = ("y",)
    in_place = ("forward", "backward")
    equation = "y = max(x, 0)"
    derivatives = {"x": "1 where x > 0, else 0"}

    def buffers(self, x: Shape) -> dict[str, Buffer]:
        return {"t": Buffer(x), "mask": Buffer(x, dtype="bool")}

    def forward(self, x: Array, *, y: Array) -> Calls:
        yield do(np.maximum, x, 0, out=y)

    def backward(self, dy: Array, *, y: Array, dx: Array, t: Array, mask: Array) -> Calls:
        yield from indicate(np.greater, y, 0, t, mask)
        yield do(np.multiply, dy, t, dx)


@record
class LeakyRelu(Elementwise):
    """Rectifier with a slope left of 0; its derivative at 0 is that slope."""

    negative_slope: float = attr(0.01, ge=0, le=1, doc="Slope for x < 0.")

    keeps = ("x",)
    equation = "y = max(x, negative_slope · x)"
    derivatives = {"x": "1 where x > 0, else negative_slope"}

    def buffers(self, x: Shape) -> dict[str, Buffer]:
        return {"mask": Buffer(x, dtype="bool")}

    def forward(self, x: Array, *, y: Array) -> Calls:
        yield do(np.multiply, x, self.negative_slope, y)
        yield do(np.maximum, x, y, out=y)

    def backward(self, dy: Array, *, x: Array, dx: Array, mask: Array) -> Calls:
        yield from indicate(np.greater, x, 0, dx, mask)
        yield do(np.maximum, dx, self.negative_slope, out=dx)
        yield do(np.multiply, dx, dy, dx)


@record
class ExponentialUnit(Elementwise, ABC):
    """Scaled exponential linear unit: what elu and selu share."""

    keeps = ("y",)

    def buffers(self, x: Shape) -> dict[str, Buffer]:
        return {"s": Buffer(x, "forward"), "t": Buffer(x), "mask": Buffer(x, dtype="bool")}

    def constants(self) -> tuple[float, float]:
        """(alpha, scale)."""
        raise NotImplementedError

    def forward(self, x: Array, *, y: Array, s: Array) -> Calls:
        alpha, scale = self.constants()
        yield do(np.minimum, x, 0, out=s)
        yield do(np.expm1, s, s)
        yield do(np.multiply, s, alpha * scale, s)
        yield do(np.maximum, x, 0, out=y)
        yield do(np.multiply, y, scale, y)
        yield do(np.add, y, s, y)

    def backward(self, dy: Array, *, y: Array, dx: Array, t: Array, mask: Array) -> Calls:
        alpha, scale = self.constants()
        yield from indicate(np.greater, y, 0, t, mask)
        yield do(np.multiply, t, scale - alpha * scale, t)
        yield do(np.minimum, y, 0, out=dx)
        yield do(np.add, dx, alpha * scale, dx)
        yield do(np.add, dx, t, dx)
        yield do(np.multiply, dx, dy, dx)


@record
class Elu(ExponentialUnit):
    """Exponential linear unit (Clevert et al. 2016)."""

    alpha: float = attr(1.0, ge=0, doc="The value it approaches, negated, for x → −∞.")

    equation = "y = x where x > 0, else alpha · (exp(x) − 1)"
    derivatives = {"x": "1 where x > 0, else y + alpha"}

    def constants(self) -> tuple[float, float]:
        return self.alpha, 1.0


@record
class Selu(ExponentialUnit):
    """Self-normalizing exponential linear unit (Klambauer et al. 2017)."""

    equation = "y = λ · x where x > 0, else λ · α · (exp(x) − 1); λ = 1.0507…, α = 1.6733…"
    derivatives = {"x": "λ where x > 0, else y + λ · α"}

    def constants(self) -> tuple[float, float]:
        return SELU_ALPHA, SELU_SCALE


@record
class Softplus(Scratched):
    """Smooth rectifier, stable for large x."""

    keeps = ("y",)
    in_place = ("forward", "backward")
    equation = "y = log(1 + exp(x))"
    derivatives = {"x": "1 − exp(−y)"}

    def forward(self, x: Array, *, y: Array) -> Calls:
        yield do(np.logaddexp, x, 0, y)

    def backward(self, dy: Array, *, y: Array, dx: Array, t: Array) -> Calls:
        yield do(np.negative, y, t)
        yield do(np.expm1, t, t)
        yield do(np.negative, t, t)
        yield do(np.multiply, dy, t, dx)


@record
class Softsign(Elementwise):
    """A sigmoid shape that saturates slowly."""

    in_place = ("backward",)
    equation = "y = x / (1 + |x|)"
    derivatives = {"x": "1 / (1 + |x|)²"}

    def buffers(self, x: Shape) -> dict[str, Buffer]:
        return {"s": Buffer(x, "both"), "t": Buffer(x)}

    def forward(self, x: Array, *, y: Array, s: Array) -> Calls:
        yield do(np.absolute, x, s)
        yield do(np.add, s, 1, s)
        yield do(np.divide, x, s, y)

    def backward(self, dy: Array, *, dx: Array, s: Array, t: Array) -> Calls:
        yield do(np.multiply, s, s, t)
        yield do(np.divide, dy, t, dx)


@record
class Gelu(Elementwise):
    """Gaussian error linear unit (Hendrycks & Gimpel 2016); Φ and φ are the normal distribution and density."""

    approximate: bool = attr(False, doc="Use the tanh form, 0.5 · x · (1 + tanh(√(2/π) · (x + 0.044715 · x³))).")

    keeps = ("x",)
    in_place = ("backward",)
    equation = "y = x · Φ(x)"
    derivatives = {"x": "Φ(x) + x · φ(x)"}

    def buffers(self, x: Shape) -> dict[str, Buffer]:
        phi, t = {"phi": Buffer(x, "both")}, {"t": Buffer(x), "u": Buffer(x)}
        if self.approximate:
            return {**phi, **t}
        return {**phi, "t": Buffer(x), "s": Buffer(x, "forward")}

    def forward(self, x: Array, *, y: Array, phi: Array, s: Array | None = None) -> Calls:
        if s is None:
            yield from self.tanh_form(x, phi)
        else:
            yield do(np.multiply, x, -sqrt(0.5), y)
            yield from erfc(y, phi, s)
        yield do(np.multiply, phi, 0.5, phi)
        yield do(np.multiply, x, phi, y)

    def tanh_form(self, x: Array, out: Array) -> Calls:
        """1 + tanh(√(2/π) · (x + 0.044715 · x³)) into ``out``."""
        yield do(np.multiply, x, x, out)
        yield do(np.multiply, out, GELU_CUBIC, out)
        yield do(np.add, out, 1, out)
        yield do(np.multiply, out, x, out)
        yield do(np.multiply, out, sqrt(2 / pi), out)
        yield do(np.tanh, out, out)
        yield do(np.add, out, 1, out)

    def backward(self, dy: Array, *, x: Array, dx: Array, phi: Array, t: Array, u: Array | None = None) -> Calls:
        yield do(np.multiply, x, x, t)
        yield from self.density(t) if u is None else self.tanh_density(phi, t, u)
        yield do(np.multiply, t, x, t)
        yield do(np.add, t, phi, t)
        yield do(np.multiply, dy, t, dx)

    def density(self, t: Array) -> Calls:
        """φ(x) in place of x²."""
        yield do(np.multiply, t, -0.5, t)
        yield do(np.exp, t, t)
        yield do(np.multiply, t, 1 / sqrt(2 * pi), t)

    def tanh_density(self, phi: Array, t: Array, u: Array) -> Calls:
        """The tanh form's density, 2 · Φ · (1 − Φ) · √(2/π) · (1 + 3 · 0.044715 · x²), in place of x²."""
        yield do(np.multiply, t, 3 * GELU_CUBIC, t)
        yield do(np.add, t, 1, t)
        yield do(np.multiply, t, 2 * sqrt(2 / pi), t)
        yield do(np.subtract, 1, phi, u)
        yield do(np.multiply, u, phi, u)
        yield do(np.multiply, t, u, t)


@record
class Silu(Elementwise):
    """Sigmoid-weighted linear unit, also called swish (Elfwing et al. 2017); σ is the logistic function."""

    keeps = ("y",)
    in_place = ("backward",)
    equation = "y = x · σ(x)"
    derivatives = {"x": "σ(x) + y · (1 − σ(x))"}

    def buffers(self, x: Shape) -> dict[str, Buffer]:
        return {"s": Buffer(x, "both"), "t": Buffer(x)}

    def forward(self, x: Array, *, y: Array, s: Array) -> Calls:
        yield from Sigmoid().forward(x, y=s)
        yield do(np.multiply, x, s, y)

    def backward(self, dy: Array, *, y: Array, dx: Array, s: Array, t: Array) -> Calls:
        yield do(np.subtract, 1, s, t)
        yield do(np.multiply, t, y, t)
        yield do(np.add, t, s, t)
        yield do(np.multiply, dy, t, dx)


@record
class Sin(Scratched):
    """Sine, x in radians."""

    keeps = ("x",)
    in_place = ("backward",)
    equation = "y = sin(x)"
    derivatives = {"x": "cos(x)"}

    def forward(self, x: Array, *, y: Array) -> Calls:
        yield do(np.sin, x, y)

    def backward(self, dy: Array, *, x: Array, dx: Array, t: Array) -> Calls:
        yield do(np.cos, x, t)
        yield do(np.multiply, dy, t, dx)


@record
class Cos(Scratched):
    """Cosine, x in radians."""

    keeps = ("x",)
    in_place = ("backward",)
    equation = "y = cos(x)"
    derivatives = {"x": "−sin(x)"}

    def forward(self, x: Array, *, y: Array) -> Calls:
        yield do(np.cos, x, y)

    def backward(self, dy: Array, *, x: Array, dx: Array, t: Array) -> Calls:
        yield do(np.sin, x, t)
        yield do(np.negative, t, t)
        yield do(np.multiply, dy, t, dx)


@record
class Identity(Elementwise):
    """Passes its input on."""

    in_place = ("forward", "backward")
    equation = "y = x"
    derivatives = {"x": "1"}

    def forward(self, x: Array, *, y: Array) -> Calls:
        yield do(np.positive, x, y)

    def backward(self, dy: Array, *, dx: Array) -> Calls:
        yield do(np.positive, dy, dx)


@record
class OverAxis(Op, ABC):
    """A normalization over one axis."""

    axis: int = attr(-1, doc="The axis that is normalized.")

    keeps = ("y",)
    in_place = ("forward", "backward")

    def infer(self, x: Shape) -> Shape:
        axis_of(self.axis, x)
        return x

    def buffers(self, x: Shape) -> dict[str, Buffer]:
        axis = axis_of(self.axis, x)
        row = (*x[:axis], 1, *x[axis + 1 :])
        return {"r": Buffer(row, "forward"), "t": Buffer(x), "u": Buffer(row)}


@record
class Softmax(OverAxis):
    """Probabilities over an axis, stable: the maximum is subtracted first."""

    equation = "y = exp(x) / Σ exp(x)"
    derivatives = {"x": "y · (I − yᵀ)"}

    def forward(self, x: Array, *, y: Array, r: Array) -> Calls:
        yield do(np.maximum.reduce, x, self.axis, None, r, True)
        yield do(np.subtract, x, r, y)
        yield do(np.exp, y, y)
        yield from add_up(y, (self.axis % y.ndim,), r)
        yield do(np.divide, y, r, y)

    def backward(self, dy: Array, *, y: Array, dx: Array, t: Array, u: Array) -> Calls:
        yield do(np.multiply, dy, y, t)
        yield from add_up(t, (self.axis % t.ndim,), u)
        yield do(np.subtract, dy, u, t)
        yield do(np.multiply, y, t, dx)


@record
class LogSoftmax(OverAxis):
    """Logarithm of softmax, computed without taking the logarithm of small numbers."""

    equation = "y = x − log Σ exp(x)"
    derivatives = {"x": "I − exp(y)ᵀ"}

    def buffers(self, x: Shape) -> dict[str, Buffer]:
        return {**super().buffers(x), "s": Buffer(x, "forward")}

    def forward(self, x: Array, *, y: Array, r: Array, s: Array) -> Calls:
        yield do(np.maximum.reduce, x, self.axis, None, r, True)
        yield do(np.subtract, x, r, y)
        yield do(np.exp, y, s)
        yield from add_up(s, (self.axis % s.ndim,), r)
        yield do(np.log, r, r)
        yield do(np.subtract, y, r, y)

    def backward(self, dy: Array, *, y: Array, dx: Array, t: Array, u: Array) -> Calls:
        yield from add_up(dy, (self.axis % dy.ndim,), u)
        yield do(np.exp, y, t)
        yield do(np.multiply, t, u, t)
        yield do(np.subtract, dy, t, dx)
