"""Arithmetic: elementwise functions of one operand, and of two with NumPy's broadcasting."""

from __future__ import annotations

from abc import ABC

import numpy as np

from nbn_spec.ops.activation import Elementwise, Scratched
from nbn_spec.ops.base import Array, Buffer, Calls, Op, Shape, broadcast, do, send
from nbn_spec.record import record


@record
class Binary(Op, ABC):
    """An elementwise op of two operands that broadcast; gradients are summed back over broadcast axes."""

    inputs = ("a", "b")

    def infer(self, a: Shape, b: Shape) -> Shape:
        return broadcast(a, b)

    def buffers(self, a: Shape, b: Shape) -> dict[str, Buffer]:
        y = broadcast(a, b)
        return {"t": Buffer(y)} if (a, b) != (y, y) else {}


@record
class Add(Binary):
    """Sum."""

    equation = "y = a + b"
    derivatives = {"a": "1", "b": "1"}

    def forward(self, a: Array, b: Array, *, y: Array) -> Calls:
        yield do(np.add, a, b, y)

    def backward(
        self, dy: Array, *, da: Array | None = None, db: Array | None = None, t: Array | None = None
    ) -> Calls:
        yield from send(da, dy, t, lambda out: iter((do(np.positive, dy, out),)))
        yield from send(db, dy, t, lambda out: iter((do(np.positive, dy, out),)))


@record
class Subtract(Binary):
    """Difference."""

    equation = "y = a − b"
    derivatives = {"a": "1", "b": "−1"}

    def forward(self, a: Array, b: Array, *, y: Array) -> Calls:
        yield do(np.subtract, a, b, y)

    def backward(
        self, dy: Array, *, da: Array | None = None, db: Array | None = None, t: Array | None = None
    ) -> Calls:
        yield from send(da, dy, t, lambda out: iter((do(np.positive, dy, out),)))
        yield from send(db, dy, t, lambda out: iter((do(np.negative, dy, out),)))


@record
class Multiply(Binary):
    """Product."""

    keeps = ("a", "b")
    equation = "y = a · b"
    derivatives = {"a": "b", "b": "a"}

    def forward(self, a: Array, b: Array, *, y: Array) -> Calls:
        yield do(np.multiply, a, b, y)

    def backward(
        self,
        dy: Array,
        *,
        a: Array,
        b: Array,
        da: Array | None = None,
        db: Array | None = None,
        t: Array | None = None,
    ) -> Calls:
        yield from send(da, dy, t, lambda out: iter((do(np.multiply, dy, b, out),)))
        yield from send(db, dy, t, lambda out: iter((do(np.multiply, dy, a, out),)))


@record
class Divide(Binary):
    """Quotient."""

    keeps = ("b", "y")
    remedy = "it divides by zero"
    equation = "y = a / b"
    derivatives = {"a": "1 / b", "b": "−y / b"}

    def forward(self, a: Array, b: Array, *, y: Array) -> Calls:
        yield do(np.divide, a, b, y)

    def backward(
        self,
        dy: Array,
        *,
        b: Array,
        y: Array,
        da: Array | None = None,
        db: Array | None = None,
        t: Array | None = None,
    ) -> Calls:
        def by_divisor(out: Array) -> Calls:
            yield do(np.multiply, dy, y, out)
            yield do(np.divide, out, b, out)
            yield do(np.negative, out, out)

        yield from send(da, dy, t, lambda out: iter((do(np.divide, dy, b, out),)))
        yield from send(db, dy, t, by_divisor)


@record
class Power(Binary):
    """``a`` to the power ``b``; the gradient of ``b`` is taken as 0 where ``a`` is not positive."""

    keeps = ("a", "b", "y")
    remedy = "it takes a negative number to a fractional power, 0 to a negative one, or the result is too large"
    equation = "y = a ^ b"
    derivatives = {"a": "b · a ^ (b − 1)", "b": "y · log(a)"}

    def buffers(self, a: Shape, b: Shape) -> dict[str, Buffer]:
        u, zero = Buffer(b), Buffer(b, dtype="bool")
        v, positive = Buffer(a), Buffer(a, dtype="bool")
        return {"t": Buffer(broadcast(a, b)), "u": u, "zero": zero, "v": v, "positive": positive}

    def forward(self, a: Array, b: Array, *, y: Array) -> Calls:
        yield do(np.power, a, b, y)

    def backward(
        self,
        dy: Array,
        *,
        a: Array,
        b: Array,
        y: Array,
        t: Array,
        u: Array,
        zero: Array,
        v: Array,
        positive: Array,
        da: Array | None = None,
        db: Array | None = None,
    ) -> Calls:
        def by_base(out: Array) -> Calls:
            yield do(np.subtract, b, 1, u)
            yield do(np.power, a, u, out)
            yield do(np.multiply, out, b, out)
            yield do(np.equal, b, 0, zero)
            yield do(np.copyto, out, 0, where=zero)
            yield do(np.multiply, out, dy, out)

        def by_exponent(out: Array) -> Calls:
            yield do(np.greater, a, 0, positive)
            yield do(np.copyto, v, 0)
            yield do(np.log, a, out=v, where=positive)
            yield do(np.multiply, y, v, out)
            yield do(np.multiply, out, dy, out)

        yield from send(da, dy, t, by_base)
        yield from send(db, dy, t, by_exponent)


@record
class Extremum(Binary, ABC):
    """The larger or smaller of two; where they are equal each gets half the gradient."""

    keeps = ("a", "b")

    def buffers(self, a: Shape, b: Shape) -> dict[str, Buffer]:
        y = broadcast(a, b)
        return {"t": Buffer(y), "u": Buffer(y)}

    def share(self, mine: Array, other: Array, out: Array) -> Calls:
        """1 where the operand ``mine`` is chosen, 0 where ``other`` is, ½ where they are equal."""
        yield do(np.subtract, mine, other, out)
        yield do(np.sign, out, out)
        yield do(np.add, out, 1, out)
        yield do(np.multiply, out, 0.5, out)

    def backward(
        self,
        dy: Array,
        *,
        a: Array,
        b: Array,
        t: Array,
        u: Array,
        da: Array | None = None,
        db: Array | None = None,
    ) -> Calls:
        def through(mine: Array, other: Array, out: Array) -> Calls:
            yield from self.share(mine, other, u)
            yield do(np.multiply, dy, u, out)

        yield from send(da, dy, t, lambda out: through(a, b, out))
        yield from send(db, dy, t, lambda out: through(b, a, out))


@record
class Maximum(Extremum):
    """The larger of two."""

    equation = "y = max(a, b)"
    derivatives = {"a": "1 where a > b, ½ where equal", "b": "1 where b > a, ½ where equal"}

    def forward(self, a: Array, b: Array, *, y: Array) -> Calls:
        yield do(np.maximum, a, b, out=y)


@record
class Minimum(Extremum):
    """The smaller of two."""

    equation = "y = min(a, b)"
    derivatives = {"a": "1 where a < b, ½ where equal", "b": "1 where b < a, ½ where equal"}

    def share(self, mine: Array, other: Array, out: Array) -> Calls:
        yield from super().share(other, mine, out)

    def forward(self, a: Array, b: Array, *, y: Array) -> Calls:
        yield do(np.minimum, a, b, out=y)


@record
class Negative(Elementwise):
    """The number negated."""

    in_place = ("forward", "backward")
    equation = "y = −x"
    derivatives = {"x": "−1"}

    def forward(self, x: Array, *, y: Array) -> Calls:
        yield do(np.negative, x, y)

    def backward(self, dy: Array, *, dx: Array) -> Calls:
        yield do(np.negative, dy, dx)


@record
class Square(Scratched):
    """Square."""

    keeps = ("x",)
    in_place = ("backward",)
    equation = "y = x²"
    derivatives = {"x": "2 · x"}

    def forward(self, x: Array, *, y: Array) -> Calls:
        yield do(np.multiply, x, x, y)

    def backward(self, dy: Array, *, x: Array, dx: Array, t: Array) -> Calls:
        yield do(np.multiply, x, 2, t)
        yield do(np.multiply, dy, t, dx)


@record
class Sqrt(Scratched):
    """Square root."""

    keeps = ("y",)
    in_place = ("forward", "backward")
    remedy = "it takes the root of a negative number"
    equation = "y = √x"
    derivatives = {"x": "1 / (2 · y)"}

    def forward(self, x: Array, *, y: Array) -> Calls:
        yield do(np.sqrt, x, y)

    def backward(self, dy: Array, *, y: Array, dx: Array, t: Array) -> Calls:
        yield do(np.multiply, y, 2, t)
        yield do(np.divide, dy, t, dx)


@record
class Exp(Elementwise):
    """Exponential."""

    keeps = ("y",)
    in_place = ("forward", "backward")
    equation = "y = exp(x)"
    derivatives = {"x": "y"}

    def forward(self, x: Array, *, y: Array) -> Calls:
        yield do(np.exp, x, y)

    def backward(self, dy: Array, *, y: Array, dx: Array) -> Calls:
        yield do(np.multiply, dy, y, dx)


@record
class Log(Elementwise):
    """Natural logarithm."""

    keeps = ("x",)
    in_place = ("backward",)
    remedy = "it takes the logarithm of a number that is not positive"
    equation = "y = log(x)"
    derivatives = {"x": "1 / x"}

    def forward(self, x: Array, *, y: Array) -> Calls:
        yield do(np.log, x, y)

    def backward(self, dy: Array, *, x: Array, dx: Array) -> Calls:
        yield do(np.divide, dy, x, dx)


@record
class Absolute(Scratched):
    """Absolute value; its derivative at 0 is taken as 0."""

    keeps = ("x",)
    in_place = ("backward",)
    equation = "y = |x|"
    derivatives = {"x": "sign(x)"}

    def forward(self, x: Array, *, y: Array) -> Calls:
        yield do(np.absolute, x, y)

    def backward(self, dy: Array, *, x: Array, dx: Array, t: Array) -> Calls:
        yield do(np.sign, x, t)
        yield do(np.multiply, dy, t, dx)
