"""An op's kernels on arrays of their own, called as a program calls them, with garbage in every target first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from nbn_spec.ops.base import Array, Call, Op


def garbage(shape: tuple[int, ...], dtype: str, number: float = np.nan) -> Array:
    """Memory that nobody wrote yet: NaN, or another number."""
    kind = np.dtype(dtype)
    fill = {"b": not np.isnan(number), "i": -(10**12)}.get(kind.kind, number)
    return np.full(shape, fill, dtype)


@dataclass
class Bound:
    """An op bound to arrays. ``sources`` holds operands and parameters by name, in order."""

    op: Op
    sources: dict[str, Array]
    dtype: str = "float64"
    number: float = np.nan
    in_place: bool = False

    def __post_init__(self) -> None:
        self.operands = self.op.operands(len([name for name in self.sources if name not in self.op.weights]))
        self.shapes = [self.sources[name].shape for name in self.operands]
        self.buffers = {
            name: garbage(buffer.shape, buffer.dtype or self.dtype, self.number)
            for name, buffer in self.op.buffers(*self.shapes).items()
        }
        shape = self.op.infer(*self.shapes)
        if self.in_place and "forward" in self.op.in_place:
            self.sources["x"] = self.sources["x"].copy()
            self.y = self.sources["x"].reshape(shape)
        else:
            self.y = garbage(shape, self.dtype, self.number)

    def part(self, direction: str) -> dict[str, Array]:
        """The buffers that one direction may use."""
        table = self.op.buffers(*self.shapes)
        return {name: self.buffers[name] for name, buffer in table.items() if buffer.life in (direction, "both")}

    def forward_calls(self) -> list[Call]:
        arguments = [self.sources.get(name) for name in (*self.operands, *self.op.weights)]
        return list(self.op.forward(*arguments, y=self.y, **self.part("forward")))

    def kept(self) -> dict[str, Array]:
        """What backward may read."""
        found = {**self.sources, "y": self.y}
        return {name: found[name] for name in self.op.keeps if name in found}

    def backward_calls(self, dy: Array, wanted: Iterable[str]) -> tuple[list[Call], dict[str, Array]]:
        """The calls, and the arrays that they write the gradients to."""
        out = {name: garbage(self.sources[name].shape, self.dtype, self.number) for name in wanted}
        if self.in_place and "backward" in self.op.in_place:
            out = {name: dy.reshape(array.shape) for name, array in out.items()}
        named = {**self.kept(), **self.part("backward"), **{"d" + name: array for name, array in out.items()}}
        if self.op.variadic:
            named["shapes"] = self.shapes
        return list(self.op.backward(dy, **named)), out

    def forward(self) -> Array:
        with np.errstate(all="ignore"):
            for call in self.forward_calls():
                call()
        return self.y

    def forget(self) -> None:
        """Spoil everything that backward may not read."""
        lives = {name: buffer.life for name, buffer in self.op.buffers(*self.shapes).items()}
        kept = [*self.kept().values(), *(array for name, array in self.buffers.items() if lives[name] == "both")]
        for array in (*self.buffers.values(), *self.sources.values(), self.y):
            if not any(np.shares_memory(array, other) for other in kept):
                array[...] = garbage(array.shape, str(array.dtype), self.number)

    def backward(self, dy: Array, wanted: Iterable[str]) -> dict[str, Array]:
        """The wanted gradients; :meth:`forward` must have run."""
        calls, out = self.backward_calls(dy.copy() if self.in_place else dy, wanted)
        with np.errstate(all="ignore"):
            for call in calls:
                call()
        return out


def gradients(
    op: Op, sources: dict[str, Array], dy: Array, wanted: Iterable[str], **how: object
) -> dict[str, Array]:
    """The wanted gradients, by kernels that see copies of the sources only."""
    bound = Bound(op, {name: array.copy() for name, array in sources.items()}, **how)
    bound.forward()
    bound.forget()
    return bound.backward(dy, wanted)


def value(op: Op, sources: dict[str, Array], **how: object) -> Array:
    """The op's result."""
    return Bound(op, dict(sources), **how).forward()
