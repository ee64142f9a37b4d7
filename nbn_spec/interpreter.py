"""The interpreter: a program bound to arrays. Running it is calling its steps, one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from nbn_spec.errors import GraphError
from nbn_spec.graph import Graph
from nbn_spec.memory import ALIGNMENT
from nbn_spec.ops.base import Array, Call, Calls, do
from nbn_spec.params import Layout, free_memory, mebibytes
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
    memory = np.empty(size + ALIGNMENT, dtype=np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size]


def accumulate(before: Array, part: Array, y: Array) -> Calls:
    """The sum of two incoming gradients."""
    yield do(np.add, before, part, y)


class Interpreter:
    """Runs one program over one flat vector of parameters.

    ``arrays`` holds a view for every slot, made once. ``inputs`` may bring arrays of the right dtype and shape
    that are read where they lie; the others get a buffer to write into. ``arena`` may be shared with interpreters
    that never run at the same time. Not safe to run from two threads at once; make one for each.
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
        memory = arena_of(program.arena) if arena is None else arena
        self.arrays: dict[str, Array] = {
            name: view(memory, slot) for name, slot in program.slots.items() if slot.offset is not None
        }
        self._bind_leaves(graph, layout, flat, inputs or {})
        self._bind_gradients(graph, layout, grad)
        with np.errstate(over="ignore"):  # attributes beyond the dtype become infinite
            calls = [list(self._calls(step)) for step in program.steps]
        self._forward: list[Call] = [call for part in calls[: program.forward] for call in part]
        self._backward: list[Call] = [call for part in calls[program.forward :] for call in part]

    def __getstate__(self) -> dict[str, object]:
        raise TypeError("an interpreter cannot be copied or pickled: its calls hold views; bind the program again")

    def _bind_leaves(self, graph: Graph, layout: Layout, flat: Array, inputs: Mapping[str, Array]) -> None:
        """Data, constants and parameters that the program reads."""
        slots = self.program.slots
        for item in graph.inputs:
            if item.name in slots:
                slot = slots[item.name]
                given = inputs.get(item.name)
                self.arrays[item.name] = np.empty(slot.shape, slot.dtype) if given is None else given
        self.arrays |= {item.name: item.value for item in graph.constants if item.name in slots}
        self.arrays |= {name: array for name, array in layout.views(flat).items() if name in slots}

    def _bind_gradients(self, graph: Graph, layout: Layout, grad: Array | None) -> None:
        """The gradient of the loss by itself, 1, and the views of the flat gradient."""
        if self.program.forward == len(self.program.steps):
            return
        assert grad is not None, "a backward pass needs a vector for its gradients"
        assert graph.loss is not None, "a backward pass starts from a loss"
        self.arrays[gradient(graph.loss)] = np.ones((), graph.dtype)
        for name, array in layout.views(grad).items():
            if gradient(name) in self.program.slots:
                self.arrays[gradient(name)] = array

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
        for call in self._forward:
            call()

    def backward(self) -> None:
        """Compute every gradient; :meth:`forward` must have run."""
        for call in self._backward:
            call()


def view(memory: Array, slot: Slot) -> Array:
    """A slot's array in the arena."""
    assert slot.offset is not None, "only slots of the arena have an offset"
    size = prod(slot.shape) * np.dtype(slot.dtype).itemsize
    return memory[slot.offset : slot.offset + size].view(slot.dtype).reshape(slot.shape)
