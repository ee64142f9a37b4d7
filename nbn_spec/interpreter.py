"""The interpreter: a program bound to arrays. Running it is calling its steps, one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextvars import Context
from itertools import chain
from math import prod
from typing import Any

import numpy as np

from nbn_spec.arrays import aligned, empty
from nbn_spec.capacity import free_memory, mebibytes
from nbn_spec.errors import GraphError
from nbn_spec.graph import Graph
from nbn_spec.ops.base import Array, Call, Calls, do
from nbn_spec.params import Layout
from nbn_spec.plan import Program, Slot, Step, gradient

LARGE = 2**20
"""Bytes: from here on it is worth asking whether there is as much memory."""


def arena_of(size: int) -> Array:
    """``size`` bytes that begin on a cache line; raises :class:`GraphError` where there are not as many.

    What a model does is counted before, as a whole; this is for passes that nobody could foresee.
    """
    if size > LARGE and size > (have := free_memory()):
        message = f"a pass over the batch needs {mebibytes(size)}, but {mebibytes(have)} are free"
        raise GraphError("NBN209", "", message, "give fewer examples at once, or make the nodes smaller")
    return aligned(size)


def quiet() -> Context:
    """A context in which NumPy does not warn of numbers that leave the finite: whoever reads them looks."""
    context = Context()  # a copy of the caller's would keep alive whatever the caller has in it
    context.run(np.seterr, all="ignore")
    context.run(np.setbufsize, np.getbufsize())
    return context


def accumulate(before: Array, part: Array, y: Array) -> Calls:
    """The sum of two incoming gradients."""
    yield do(np.add, before, part, y)


class Interpreter:
    """Runs one program over one flat vector of parameters.

    ``arrays`` holds a view for every slot, made once, and ``calls`` those of NumPy for every step. ``inputs`` may
    bring arrays of the right dtype and shape that are read where they lie; the others get a buffer to write into.
    ``arena`` may be shared with interpreters that never run at the same time. Not safe to run from two threads at
    once; make one for each.
    """

    def __init__(
        self,
        program: Program,
        layout: Layout,
        flat: Array,
        grad: Array | None = None,
        *,
        inputs: Mapping[str, Array] | None = None,
        arena: Array | None = None,
    ) -> None:
        self.program = program
        graph = program.graph
        self.arrays = views(program, arena_of(program.arena) if arena is None else arena)
        self._bind_leaves(graph, layout, flat, inputs or {})
        self._bind_gradients(graph, layout, grad)
        self.quietly = quiet().run
        """Calls a function while NumPy is silent about numbers that leave the finite."""
        self.calls: tuple[tuple[Call, ...], ...] = self.quietly(self._bound)
        self.forward_calls: tuple[Call, ...] = tuple(chain(*self.calls[: program.forward]))
        self.backward_calls: tuple[Call, ...] = tuple(chain(*self.calls[program.forward :]))

    def __getstate__(self) -> dict[str, object]:
        raise TypeError("an interpreter cannot be copied or pickled: its calls hold views; bind the program again")

    def _bind_leaves(self, graph: Graph, layout: Layout, flat: Array, inputs: Mapping[str, Array]) -> None:
        """Data, constants and parameters that the program reads."""
        slots = self.program.slots
        for item in graph.inputs:
            if item.name in slots:
                slot = slots[item.name]
                given = inputs.get(item.name)
                self.arrays[item.name] = empty(slot.shape, slot.dtype) if given is None else given
        self.arrays |= {item.name: item.value for item in graph.constants if item.name in slots}
        self.arrays |= {name: array for name, array in layout.views(flat).items() if name in slots}

    def _bind_gradients(self, graph: Graph, layout: Layout, grad: Array | None) -> None:
        """The gradient of the loss by itself, 1, and the views of the flat gradient."""
        if self.program.forward == len(self.program.steps):
            return
        assert grad is not None, "a backward pass needs a vector for its gradients"
        assert graph.loss is not None, "a backward pass starts from a loss"
        self.arrays[gradient(graph.loss)] = one(graph.dtype)
        for name, array in layout.views(grad).items():
            if gradient(name) in self.program.slots:
                self.arrays[gradient(name)] = array

    def _bound(self) -> tuple[tuple[Call, ...], ...]:
        """The calls of every step."""
        return tuple(tuple(self._calls(step)) for step in self.program.steps)

    def _calls(self, step: Step) -> Calls:
        """The NumPy calls of one step."""
        args = [None if slot is None else self.arrays[slot] for slot in step.args]
        named: dict[str, Any] = {name: self.arrays[slot] for name, slot in step.named.items()}
        if step.kind == "accumulate":
            return accumulate(*(self.arrays[slot] for slot in step.uses()))
        node = self.program.graph.by_name[step.node]
        if step.kind == "forward":
            return node.op.forward(*args, **named)
        if node.op.variadic:
            named["shapes"] = [self.program.slots[name].shape for name in node.inputs]
        return node.op.backward(*args, **named)

    def forward(self) -> None:
        """Compute every value of the program."""
        self.quietly(execute, self.forward_calls)

    def backward(self) -> None:
        """Compute every gradient; :meth:`forward` must have run."""
        self.quietly(execute, self.backward_calls)


def execute(calls: Iterable[Call]) -> None:
    """Make calls, one after the other."""
    for call in calls:
        call()


def one(dtype: str) -> Array:
    """The gradient of the cost by itself, which nobody may write: kernels fold it into their constants."""
    array = np.ones((), dtype)
    array.flags.writeable = False
    return array


def views(program: Program, memory: Array) -> dict[str, Array]:
    """Each slot's array in the arena.

    Slots that are written one over the other are one and the same array: NumPy is quick to see that such operands
    are no danger to each other, and slow where it has to compare their addresses.
    """
    made: dict[tuple[int, tuple[int, ...], str], Array] = {}
    found: dict[str, Array] = {}
    for name, slot in program.slots.items():
        if slot.offset is not None:
            key = (slot.offset, slot.shape, slot.dtype)
            array = made.get(key)
            found[name] = made[key] = view(memory, slot) if array is None else array
    return found


def view(memory: Array, slot: Slot) -> Array:
    """A slot's array in the arena."""
    assert slot.offset is not None, "only slots of the arena have an offset"
    size = prod(slot.shape) * np.dtype(slot.dtype).itemsize
    return memory[slot.offset : slot.offset + size].view(slot.dtype).reshape(slot.shape)
