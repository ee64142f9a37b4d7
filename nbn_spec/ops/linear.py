"""Matrix products: the affine layer and the batched product."""

from __future__ import annotations

from math import prod

import numpy as np

from nbn_spec.ops.base import (
    Array,
    Buffer,
    Calls,
    Op,
    Param,
    Shape,
    ShapeProblem,
    add_up,
    broadcast,
    do,
    fixed,
    send,
    show,
)
from nbn_spec.record import attr, record

SPREAD = 2**14
"""Elements: up to so many, copying a row to all rows and adding what is then alike is quicker than one call is,
by 0.3 µs for the smallest."""


def is_spread(shape: Shape) -> bool:
    """Whether a bias is spread out before it is added to an array of this shape, to several rows and columns."""
    *lead, units = (length if isinstance(length, int) else SPREAD + 1 for length in shape)
    return units > 1 and prod(lead) > 1 and prod(lead) * units <= SPREAD


def rows(array: Array) -> Array:
    """A view of ``array`` as a matrix: its last axis against all the others."""
    return array.reshape(prod(array.shape[:-1]), array.shape[-1])


@record
class Linear(Op):
    """Affine map over the last axis; weights are stored (out, in)."""

    units: int = attr(ge=1, given_by="weight", doc="Number of neurons: the width of the output.")
    bias: bool = attr(True, doc="Add a bias to every neuron.")

    weights = ("weight", "bias")
    keeps = ("x", "weight")
    equation = "y = x · weightᵀ + bias"
    derivatives = {"x": "weight", "weight": "x", "bias": "1"}

    def params(self, x: Shape) -> dict[str, Param]:
        width = fixed(x, -1, "linear")
        bias = {"bias": Param((self.units,), "zeros", "one number per unit")} if self.bias else {}
        layout = "one row per unit, and in each one number per column of the input"
        return {"weight": Param((self.units, width), "glorot_uniform", layout), **bias}

    def buffers(self, x: Shape) -> dict[str, Buffer]:
        shape = (*x[:-1], self.units)
        return {"spread": Buffer(shape, "forward")} if self.bias and is_spread(shape) else {}

    def infer(self, x: Shape) -> Shape:
        if not x:
            raise ShapeProblem("linear needs an axis of features, but the input is a scalar")
        fixed(x, -1, "linear")
        return (*x[:-1], self.units)

    def forward(
        self, x: Array, weight: Array, bias: Array | None, *, y: Array, spread: Array | None = None
    ) -> Calls:
        yield do(rows(x).dot, weight.T, rows(y))
        if bias is not None and spread is not None:
            yield do(np.copyto, spread, bias)
            yield do(np.add, y, spread, y)
        elif bias is not None:
            yield do(np.add, y, bias, y)

    def backward(
        self,
        dy: Array,
        *,
        x: Array,
        weight: Array,
        dweight: Array | None = None,
        dbias: Array | None = None,
        dx: Array | None = None,
    ) -> Calls:
        if dweight is not None:
            yield do(rows(dy).T.dot, rows(x), dweight)
        if dbias is not None:
            yield from add_up(rows(dy), (0,), dbias)
        if dx is not None:
            yield do(rows(dy).dot, weight, rows(dx))


@record
class Matmul(Op):
    """Matrix product over the last two axes; the axes in front broadcast."""

    inputs = ("a", "b")
    keeps = ("a", "b")
    equation = "y = a · b"
    derivatives = {"a": "bᵀ", "b": "aᵀ"}

    def infer(self, a: Shape, b: Shape) -> Shape:
        for operand in (a, b):
            if len(operand) < 2:
                raise ShapeProblem(f"matmul takes matrices, but {show(operand)} has fewer than two axes")
        if a[-1] != b[-2]:
            raise ShapeProblem(
                f"matmul needs as many columns on the left as rows on the right: {show(a)} has {a[-1]}"
                f" columns, {show(b)} has {b[-2]} rows"
            )
        return (*broadcast(a[:-2], b[:-2]), a[-2], b[-1])

    def buffers(self, a: Shape, b: Shape) -> dict[str, Buffer]:
        lead = self.infer(a, b)[:-2]
        parts = {"ta": a, "tb": b}
        return {name: Buffer((*lead, *part[-2:])) for name, part in parts.items() if part[:-2] != lead}

    def forward(self, a: Array, b: Array, *, y: Array) -> Calls:
        yield do(np.matmul, a, b, y)

    def backward(
        self,
        dy: Array,
        *,
        a: Array,
        b: Array,
        da: Array | None = None,
        db: Array | None = None,
        ta: Array | None = None,
        tb: Array | None = None,
    ) -> Calls:
        yield from batched(dy, b.mT, da, ta)
        yield from batched(a.mT, dy, db, tb)


def batched(left: Array, right: Array, out: Array | None, scratch: Array | None) -> Calls:
    """``left · right`` into ``out``, by way of ``scratch`` where ``out`` was broadcast."""
    like = scratch if scratch is not None else out
    if like is not None:
        yield from send(out, like, scratch, lambda target: iter((do(np.matmul, left, right, target),)))
