"""Reductions: sum, mean and maximum over axes."""

from __future__ import annotations

from abc import ABC
from collections import Counter
from math import prod

import numpy as np

from nbn_spec.ops.base import Array, Buffer, Calls, Op, Shape, ShapeProblem, add_up, axis_of, do, indicate, show
from nbn_spec.record import attr, record


@record
class Reduction(Op, ABC):
    """Over the axes ``axis`` (all of them for ``null``); ``keepdims`` leaves them in the shape with length 1."""

    axis: int | tuple[int, ...] | None = attr(None, doc="Axis or axes to reduce; null reduces all.")
    keepdims: bool = attr(False, doc="Keep the reduced axes, with length 1.")

    def axes(self, x: Shape) -> tuple[int, ...]:
        """The reduced axes, counted from the front."""
        if self.axis is None:
            return tuple(range(len(x)))
        given = self.axis if isinstance(self.axis, tuple) else (self.axis,)
        axes = tuple(axis_of(axis, x) for axis in given)
        if max(Counter(axes).values(), default=0) > 1:
            raise ShapeProblem(f"axis {list(given)} names an axis of {show(x)} twice")
        return axes

    def kept(self, x: Shape) -> Shape:
        """The result's shape with the reduced axes left in."""
        axes = self.axes(x)
        return tuple(1 if i in axes else dim for i, dim in enumerate(x))

    def infer(self, x: Shape) -> Shape:
        axes = self.axes(x)
        return self.kept(x) if self.keepdims else tuple(dim for i, dim in enumerate(x) if i not in axes)

    def count(self, x: Array) -> int:
        """How many elements go into one."""
        return prod(x.shape[axis] for axis in self.axes(x.shape))


@record
class Sum(Reduction):
    """Sum over axes."""

    equation = "y = Σ x"
    derivatives = {"x": "1"}

    def forward(self, x: Array, *, y: Array) -> Calls:
        yield from add_up(x, self.axes(x.shape), y)

    def backward(self, dy: Array, *, dx: Array) -> Calls:
        yield do(np.copyto, dx, dy.reshape(self.kept(dx.shape)))


@record
class Mean(Reduction):
    """Mean over axes."""

    equation = "y = 1/n · Σ x"
    derivatives = {"x": "1 / n"}

    def forward(self, x: Array, *, y: Array) -> Calls:
        yield from add_up(x, self.axes(x.shape), y)
        yield do(np.multiply, y, np.divide(1, self.count(x), dtype=y.dtype), y)

    def backward(self, dy: Array, *, dx: Array) -> Calls:
        yield do(np.multiply, dy.reshape(self.kept(dx.shape)), np.divide(1, self.count(dx), dtype=dx.dtype), dx)


@record
class Max(Reduction):
    """Maximum over axes; where several are largest they share the gradient equally."""

    keeps = ("x", "y")
    equation = "y = max x"
    derivatives = {"x": "1 / (number of largest) where x = y, else 0"}

    def infer(self, x: Shape) -> Shape:
        if any(x[axis] == 0 for axis in self.axes(x)):
            raise ShapeProblem(f"max over no elements: {show(x)}")
        return super().infer(x)

    def buffers(self, x: Shape) -> dict[str, Buffer]:
        return {"t": Buffer(x), "u": Buffer(self.kept(x)), "mask": Buffer(x, dtype="bool")}

    def forward(self, x: Array, *, y: Array) -> Calls:
        yield do(np.maximum.reduce, x, self.axes(x.shape), None, y, self.keepdims)

    def backward(self, dy: Array, *, x: Array, y: Array, dx: Array, t: Array, u: Array, mask: Array) -> Calls:
        kept = self.kept(x.shape)
        yield from indicate(np.equal, x, y.reshape(kept), t, mask)
        yield from add_up(t, self.axes(x.shape), u)
        yield do(np.divide, dy.reshape(kept), u, u)
        yield do(np.multiply, t, u, dx)
