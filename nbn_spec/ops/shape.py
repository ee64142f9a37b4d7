"""Shapes: rearranging, cutting and joining."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import accumulate
from math import prod

import numpy as np

from nbn_spec.ops.base import (
    Array,
    Calls,
    Op,
    Shape,
    ShapeProblem,
    axis_of,
    disagreement,
    do,
    fixed,
    show,
)
from nbn_spec.record import AttributeProblem, attr, record


def numbers(shape: Shape) -> list[int]:
    """The lengths of a shape that are numbers."""
    return [dim for dim in shape if isinstance(dim, int)]


def symbols(shape: Shape) -> list[str]:
    """The lengths of a shape that are symbols, in order."""
    return sorted(dim for dim in shape if isinstance(dim, str))


def along(shape: Shape, axis: int, like: Shape) -> Shape:
    """``shape`` with the length of another along ``axis``, where it has as many axes."""
    return (*shape[:axis], like[axis], *shape[axis + 1 :]) if len(shape) == len(like) else shape


def without(shape: Shape, axis: int) -> Shape:
    """A shape less one of its axes, counted from the front."""
    return (*shape[:axis], *shape[axis + 1 :])


@record
class Rearranged(Op):
    """The same elements in the same order under another shape."""

    in_place = ("forward", "backward")

    def forward(self, x: Array, *, y: Array) -> Calls:
        yield do(np.copyto, y, x.reshape(y.shape))

    def backward(self, dy: Array, *, dx: Array) -> Calls:
        yield do(np.copyto, dx, dy.reshape(dx.shape))


@record
class Reshape(Rearranged):
    """The same elements under another shape, in which one length may be −1: whatever is left."""

    shape: tuple[int | str, ...] = attr(doc='The new shape, symbols included: ["N", 3, -1].')

    equation = "y = x, reshaped"
    derivatives = {"x": "1"}

    def check(self) -> None:
        if list(self.shape).count(-1) > 1:
            raise AttributeProblem("shape", "only one length may be -1")
        if any(isinstance(dim, int) and dim < -1 for dim in self.shape):
            raise AttributeProblem("shape", f"lengths are at least 0, or -1 once; got {list(self.shape)}")

    def infer(self, x: Shape) -> Shape:
        target = tuple(dim for dim in self.shape if dim != -1)
        if symbols(x) != symbols(target):
            message = f"reshape must keep the symbols: {show(x)} does not become {show(self.shape)}"
            raise ShapeProblem(message + self.instead(x), "shape")
        return self.filled(x, target)

    def instead(self, x: Shape) -> str:
        """The shape that was probably meant: with the symbols in front."""
        lengths = tuple(dim for dim in numbers(self.shape) if dim != -1)
        kept = (*symbols(x), *lengths)
        return f"; write {json.dumps(kept)}" if prod(lengths) == prod(numbers(x)) else ""

    def filled(self, x: Shape, target: Shape) -> Shape:
        """The new shape with -1 worked out."""
        have, want = prod(numbers(x)), prod(numbers(target))
        if (len(target) == len(self.shape) and have != want) or (want == 0) != (have == 0) or have % (want or 1):
            message = f"reshape cannot make {show(self.shape)} of {show(x)}: {have} elements, not {want}"
            raise ShapeProblem(message, "shape")
        return tuple(have // (want or 1) if dim == -1 else dim for dim in self.shape)


@record
class Flatten(Rearranged):
    """All axes from ``start_axis`` on as one."""

    start_axis: int = attr(1, doc="First of the axes that become one.")

    equation = "y = x, flattened"
    derivatives = {"x": "1"}

    def infer(self, x: Shape) -> Shape:
        start = axis_of(self.start_axis, x)
        for axis in range(start, len(x)):
            fixed(x, axis, "flatten")
        return (*x[:start], prod(numbers(x[start:])))


@record
class Transpose(Op):
    """The axes in another order."""

    axes: tuple[int, ...] | None = attr(None, doc="The old axes in their new order; null reverses them.")

    equation = "y = xᵀ"
    derivatives = {"x": "1"}

    def order(self, rank: int) -> tuple[int, ...]:
        """The old axes in their new order, counted from the front."""
        if self.axes is None:
            return tuple(reversed(range(rank)))
        order = tuple(axis % rank if -rank <= axis < rank else axis for axis in self.axes)
        if sorted(order) != list(range(rank)):
            raise ShapeProblem(f"axes {list(self.axes)} do not name each of the {rank} axes once")
        return order

    def infer(self, x: Shape) -> Shape:
        return tuple(x[axis] for axis in self.order(len(x)))

    def forward(self, x: Array, *, y: Array) -> Calls:
        yield do(np.copyto, y, x.transpose(self.order(x.ndim)))

    def backward(self, dy: Array, *, dx: Array) -> Calls:
        yield do(np.copyto, dx, dy.transpose(np.argsort(self.order(dx.ndim))))


@record
class Concatenate(Op):
    """Operands joined along an axis."""

    axis: int = attr(-1, doc="The axis along which the operands are joined.")

    variadic = True
    equation = "y = [x0, x1, …]"
    derivatives = {"x": "1, for its own part"}

    def infer(self, *shapes: Shape) -> Shape:
        first = shapes[0]
        axis = axis_of(self.axis, first)
        for other in shapes[1:]:
            if len(other) != len(first) or without(other, axis) != without(first, axis):
                raise ShapeProblem(
                    f"concatenate along axis {axis}: {show(first)} and {show(other)} differ elsewhere: "
                    + disagreement(along(other, axis, first), first)
                )
        if len(shapes) == 1:
            return first
        return (*first[:axis], sum(fixed(shape, axis, "concatenate") for shape in shapes), *first[axis + 1 :])

    def parts(self, y: Array, shapes: Sequence[tuple[int, ...]]) -> list[Array]:
        """Views of ``y``, one for each operand."""
        ends = list(accumulate(shape[self.axis] for shape in shapes))
        return np.split(y, ends[:-1], axis=self.axis)

    def forward(self, *xs: Array, y: Array) -> Calls:
        for x, part in zip(xs, self.parts(y, [x.shape for x in xs]), strict=True):
            yield do(np.copyto, part, x)

    def backward(self, dy: Array, *, shapes: Sequence[tuple[int, ...]], **dxs: Array) -> Calls:
        for i, part in enumerate(self.parts(dy, shapes)):
            if f"dx{i}" in dxs:
                yield do(np.copyto, dxs[f"dx{i}"], part)


@record
class Slice(Op):
    """Elements ``start`` up to ``stop`` (not included) along an axis, in steps."""

    axis: int = attr(-1, doc="The axis that is cut.")
    start: int | None = attr(None, doc="First index; negative counts from the end; null is the beginning.")
    stop: int | None = attr(None, doc="Index behind the last; negative counts from the end; null is the end.")
    step: int = attr(1, ge=1, doc="Distance between indices.")

    equation = "y = x[…, start:stop:step, …]"
    derivatives = {"x": "1 where it was taken, else 0"}

    def infer(self, x: Shape) -> Shape:
        axis = axis_of(self.axis, x)
        length = fixed(x, axis, "slice")
        taken = len(range(*slice(self.start, self.stop, self.step).indices(length)))
        if not taken:
            raise ShapeProblem(f"slice {self.words()} takes nothing of axis {axis} of {show(x)}")
        return (*x[:axis], taken, *x[axis + 1 :])

    def words(self) -> str:
        """Where it begins and ends, as Python writes it."""
        ends = ["" if end is None else str(end) for end in (self.start, self.stop)]
        return ":".join(ends if self.step == 1 else [*ends, str(self.step)])

    def view(self, x: Array) -> Array:
        """The part of ``x`` that is taken."""
        index = [slice(None)] * x.ndim
        index[self.axis] = slice(self.start, self.stop, self.step)
        return np.asarray(x[tuple(index)])

    def forward(self, x: Array, *, y: Array) -> Calls:
        yield do(np.copyto, y, self.view(x))

    def backward(self, dy: Array, *, dx: Array) -> Calls:
        yield do(dx.fill, 0)
        yield do(np.copyto, self.view(dx), dy)
