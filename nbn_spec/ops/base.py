"""What an op is: attributes, parameters, shape rule, forward kernel, backward kernel and its words.

A kernel is a generator of NumPy calls. It is asked once, when a program is bound to its arrays, so whatever
depends only on shapes or attributes (transposed views, 1/m, which gradients are wanted) is settled there and a
training step is nothing but the calls themselves. Calls *write* their target and never add to it; sums over
several readers are steps of their own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from math import prod
from typing import Any, ClassVar, Literal
from weakref import WeakValueDictionary

import numpy as np

from nbn_spec import arrays
from nbn_spec.record import Record, record

Array = arrays.Array
Dim = int | str
Shape = tuple[Dim, ...]
Call = Callable[[], object]
Calls = Iterator[Call]

ROW = 2**12
"""Elements: of so many numbers, all equal, the nearest cache has room."""
CONSTANTS: WeakValueDictionary[tuple[str, int, np.dtype[Any]], Array] = WeakValueDictionary()
"""Vectors of one number, shared by all calls that hold them and gone with the last of these."""
NUMBER = (int, float, np.generic)
"""What is a number, be it Python's or NumPy's, and no array."""


def do(call: Callable[..., object], *args: Any, **more: Any) -> Call:
    """``do(np.add, a, b, out)``: one call, its arguments fixed now, made later.

    A number beside arrays of real numbers becomes one of them here, once: NumPy would do it anew at every call.
    """
    if type(call) is np.ufunc and call.signature is None:
        if any(isinstance(arg, NUMBER) for arg in args):
            if call in (np.maximum, np.minimum):
                args, more = rowwise(args, **more)
            args = as_arrays(args)
        out = more.get("out", args[-1])
        args = tuple([arg if arg is out else matched(arg, out) for arg in args])
    return partial(call, *args, **more)


def as_arrays(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """The operands, plain numbers as arrays of the dtype of the others, if those are real and agree."""
    kinds = {arg.dtype for arg in args if isinstance(arg, np.ndarray) and arg.dtype.kind == "f"}
    if len(kinds) != 1:
        return args
    return tuple([np.asarray(arg, *kinds) if isinstance(arg, NUMBER) else arg for arg in args])


def constant(value: float, count: int, dtype: np.dtype[Any]) -> Array:
    """A vector of one number, which nobody may write."""
    key = (value.hex(), count, dtype)  # 0.0 equals -0.0
    found = CONSTANTS.get(key)
    if found is None:
        found = CONSTANTS[key] = np.full(count, value, dtype)
        found.flags.writeable = False
    return found


def rowwise(args: tuple[Any, ...], out: Array) -> tuple[tuple[Any, ...], dict[str, Array]]:
    """The operands of a maximum or minimum, and its result, cut into rows, with a row for a plain number.

    NumPy has vector instructions for two arrays here, and none for an array and a number: four times as slow.
    """
    small = out.size <= ROW
    width = out.size if small else divisor(out.size)
    parts = [out, *(arg for arg in args if not isinstance(arg, NUMBER))]
    if not width or not all(array.flags.c_contiguous and array.shape == out.shape for array in parts):
        return args, {"out": out}
    views = {id(array): array if small else array.reshape(-1, width) for array in parts}
    row = out.shape if small else (width,)
    cut = [
        constant(float(arg), width, out.dtype).reshape(row) if isinstance(arg, NUMBER) else views[id(arg)]
        for arg in args
    ]
    return tuple(cut), {"out": views[id(out)]}


@cache
def divisor(size: int) -> int:
    """The length of the longest rows, within reason, that an array can be cut into; 0 for none."""
    return next((width for width in range(ROW, ROW // 16, -1) if size % width == 0), 0)


def matched(arg: Any, out: Array) -> Any:
    """An operand as the view that a ufunc is quickest with: of ``out``'s own rank, or a bare number.

    NumPy takes several times as long for a small operand that it has to broadcast, were it only by an axis of 1.
    """
    if not isinstance(arg, np.ndarray) or arg.shape == out.shape:
        return arg
    if arg.size == 1:
        return arg.reshape(())
    return arg.reshape(out.shape) if arg.size == out.size and arg.flags.c_contiguous else arg


class ShapeProblem(ValueError):
    """Shapes that an op cannot take; the message names both sides, ``attribute`` the one that does not fit."""

    def __init__(self, message: str, attribute: str = "") -> None:
        self.attribute = attribute
        super().__init__(message)


@dataclass(frozen=True)
class Param:
    """A parameter that an op owns: its shape and how it is initialized unless the spec says otherwise."""

    shape: tuple[int, ...]
    init: str
    layout: str = ""
    """What its numbers belong to, in words."""


@dataclass(frozen=True)
class Buffer:
    """Working memory of a kernel: scratch of one direction, or ``both``, written forward and read backward."""

    shape: Shape
    life: Literal["forward", "backward", "both"] = "backward"
    dtype: str | None = None
    """``None`` stands for the model's dtype."""


@dataclass(frozen=True)
class Domain:
    """The values that an op accepts of an operand when it comes straight from data."""

    low: float
    high: float
    words: str
    only: tuple[float, ...] = ()
    """Where not empty, the only values."""


@record
class Op(Record, ABC):
    """One operation; an instance is the record of its attributes."""

    inputs: ClassVar[tuple[str, ...]] = ("x",)
    """Names of the operands, in order."""
    variadic: ClassVar[bool] = False
    """Takes any number of operands, called x0, x1, …; backward gets their ``shapes`` too."""
    weights: ClassVar[tuple[str, ...]] = ()
    """Names of the parameters it owns; one that is also a boolean attribute may be left out."""
    integers: ClassVar[tuple[str, ...]] = ()
    """Operands that hold whole numbers instead of the model's dtype."""
    keeps: ClassVar[tuple[str, ...]] = ()
    """All that backward may read of operands, parameters and ``y``: this drives the lifetimes of buffers."""
    in_place: ClassVar[tuple[str, ...]] = ()
    """Directions in which the result (y, or dx) may be written over its sole source (x, or dy)."""
    is_loss: ClassVar[bool] = False
    """Written under ``loss``: a mean over examples, prediction first and target second."""
    statistics: ClassVar[tuple[str, ...]] = ()
    """Parameters that :meth:`measure` sets from the training data before training; never trained."""
    equation: ClassVar[str] = ""
    """What forward computes."""
    derivatives: ClassVar[Mapping[str, str]] = {}
    """Per operand or parameter, the local derivative that backward multiplies the upstream gradient with."""

    @classmethod
    def operands(cls, count: int) -> tuple[str, ...]:
        """The operands' names for a node with ``count`` inputs."""
        return tuple(f"x{i}" for i in range(count)) if cls.variadic else cls.inputs

    def params(self, *shapes: Any, **no: Any) -> dict[str, Param]:
        """The parameters that the op owns, by name, for operands of these shapes."""
        return {}

    @abstractmethod
    def infer(self, *shapes: Any, **no: Any) -> Shape:
        """The shape of ``y``; raises :class:`ShapeProblem`."""

    def buffers(self, *shapes: Any, **no: Any) -> dict[str, Buffer]:
        """Working memory, handed to the kernels by name; the shapes are those of arrays, without symbols."""
        return {}

    @property
    def scores(self) -> bool:
        """Whether a loss reads scores, so that yes and no part at 0, and not probabilities that part at ½."""
        return False

    @property
    def remedy(self) -> str:
        """What to look at where this op is the first to give a value that is not finite."""
        return ""

    def measure(self, x: Array) -> dict[str, Array]:
        """The ``statistics`` of the training data ``x``, by name."""
        return {}

    def unmeasured(self, *no: Any, **statistics: Any) -> bool:
        """Whether these are the statistics before the first measurement."""
        return True

    def domains(self, *shapes: Any, **no: Any) -> dict[str, Domain]:
        """Which values the operands may hold, by operand."""
        return {}

    @abstractmethod
    def forward(self, *args: Any, **kwargs: Any) -> Calls:
        """Calls that write ``y`` from the operands and parameters (positional; an absent one is ``None``)."""

    @abstractmethod
    def backward(self, *args: Any, **kwargs: Any) -> Calls:
        """Calls that write each ``d<name>`` that is given, from ``dy`` and what the op ``keeps``."""


def show(shape: Shape) -> str:
    """A shape as the messages print it: ``[N, 2]``."""
    return "[" + ", ".join(map(str, shape)) + "]"


def disagreement(have: Shape, want: Shape) -> str:
    """Which axis of two shapes that should be equal is the first to differ, in words."""
    if len(have) != len(want):
        return f"{len(have)} {'axis' if len(have) == 1 else 'axes'} instead of {len(want)}"
    axis = next(i for i, (m, n) in enumerate(zip(have, want, strict=True)) if m != n)
    return f"axis {axis} is {have[axis]} instead of {want[axis]}"


def equal(prediction: Shape, target: Shape) -> None:
    """Raises :class:`ShapeProblem` unless a loss compares like with like."""
    if prediction != target:
        raise ShapeProblem(
            f"prediction is {show(prediction)}, target is {show(target)}; they must be equal:"
            f" in the target, {disagreement(target, prediction)}"
        )


def broadcast(a: Shape, b: Shape) -> Shape:
    """NumPy's broadcasting with symbols: equal lengths, or one of them 1."""
    rank = max(len(a), len(b))
    padded = ((1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b)
    out: list[Dim] = []
    for axis, (m, n) in enumerate(zip(*padded, strict=True)):
        if m != n and 1 not in (m, n):
            raise ShapeProblem(f"{show(a)} and {show(b)} do not broadcast: axis {axis - rank} is {m} and {n}")
        out.append(n if m == 1 else m)
    return tuple(out)


def axis_of(axis: int, shape: Shape) -> int:
    """``axis`` counted from the front; raises :class:`ShapeProblem` where the shape has no such axis."""
    if not -len(shape) <= axis < len(shape):
        raise ShapeProblem(f"axis {axis} is out of range for shape {show(shape)}", "axis")
    return axis % len(shape)


def fixed(shape: Shape, axis: int, what: str) -> int:
    """The length along ``axis``, which must be a number and no symbol."""
    dim = shape[axis]
    if isinstance(dim, str):
        raise ShapeProblem(f"{what} needs a fixed length, but axis {axis} of {show(shape)} is {dim}")
    return dim


def indicate(compare: np.ufunc, a: Array, b: Any, out: Array, mask: Array) -> Calls:
    """1 where the comparison holds, else 0, into ``out``; ``mask`` (bool) is scratch.

    A ufunc that mixes bools and floats would cast block by block into memory of its own, and ``where=`` on a mask
    without long runs is ten times slower than arithmetic.
    """
    yield do(compare, a, b, mask)
    yield do(np.copyto, out, mask)


PAIRWISE = 2**12
"""Longer rows than these, and single columns, are added by ``np.add.reduce``, whose rounding errors grow with the
logarithm of their length only."""


def add_up(full: Array, axes: tuple[int, ...], out: Array) -> Calls:
    """The sum of ``full`` over ``axes`` into ``out``, which has its other elements in their order.

    Sums down or along a matrix are products with a vector of ones: BLAS is two to five times as fast.
    """
    count, axes = prod(full.shape[axis] for axis in axes), tuple(sorted(axes))
    flat = full.flags.c_contiguous and out.flags.c_contiguous and 0 < len(axes) < full.ndim and full.size > 0
    if flat and axes == tuple(range(len(axes))) and (out.size > 1 or count <= PAIRWISE):
        yield do(constant(1.0, count, full.dtype).dot, full.reshape(count, -1), out.reshape(-1))
    elif flat and count <= PAIRWISE and axes == tuple(range(full.ndim - len(axes), full.ndim)):
        yield do(full.reshape(-1, count).dot, constant(1.0, count, full.dtype), out.reshape(-1))
    else:
        kept = tuple(1 if axis in axes else length for axis, length in enumerate(full.shape))
        yield do(np.add.reduce, full, axes, None, out.reshape(kept), True)


def add_squares(values: Array, y: Array) -> Calls:
    """The sum of the squares of ``values`` into ``y``: a dot product, of many values one for each row of them."""
    every = values.reshape(-1)
    if every.size <= PAIRWISE:
        yield do(every.dot, every, y)
        return
    whole = every.size - every.size % PAIRWISE
    rows, rest = every[:whole].reshape(-1, PAIRWISE), every[whole:]
    parts = np.empty(len(rows) + 1, y.dtype)
    yield do(np.vecdot, rows, rows, parts[:-1])
    yield do(rest.dot, rest, parts[-1:].reshape(()))
    yield do(np.add.reduce, parts, None, None, y)


def reduce_to(full: Array, out: Array) -> Calls:
    """Sum ``full`` over the axes along which ``out`` was broadcast."""
    lead = full.ndim - out.ndim
    kept = (1,) * lead + out.shape
    axes = tuple(i for i, (m, n) in enumerate(zip(full.shape, kept, strict=True)) if i < lead or m != n)
    yield from add_up(full, axes, out)


def send(out: Array | None, like: Array, scratch: Array | None, write: Callable[[Array], Calls]) -> Calls:
    """Have ``write`` fill ``out``; where ``out`` was broadcast to ``like``'s shape, sum it back afterwards."""
    if out is None:
        return
    if out.shape == like.shape:
        yield from write(out)
    else:
        assert scratch is not None, "an op that broadcasts declares scratch of y's shape"
        yield from write(scratch)
        yield from reduce_to(scratch, out)
