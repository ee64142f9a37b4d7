"""Planning: what is computed becomes how. A program is data: steps that name slots, and where each slot lies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Literal, NamedTuple

import numpy as np

from nbn_spec.graph import Graph, Node
from nbn_spec.memory import Life, assign, rounded
from nbn_spec.ops.base import Buffer, Shape

Sizes = Mapping[str, int]
Kind = Literal["forward", "accumulate", "backward"]


class Slot(NamedTuple):
    """A named array of a program. Without an ``offset`` it lives elsewhere: data, constants, the flat vectors."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    offset: int | None = None

    @property
    def size(self) -> int:
        """Bytes."""
        return prod(self.shape) * np.dtype(self.dtype).itemsize


class Step(NamedTuple):
    """One kernel: positional slots (``None`` for an absent parameter) and slots by keyword."""

    kind: Kind
    node: str
    args: tuple[str | None, ...]
    named: Mapping[str, str]

    def uses(self) -> Iterable[str]:
        """Every slot that the step touches."""
        return [*filter(None, self.args), *self.named.values()]

    def __str__(self) -> str:
        words = [slot or "—" for slot in self.args] + [f"{name}={slot}" for name, slot in self.named.items()]
        return f"{self.kind} {self.node}({', '.join(words)})"


@dataclass(frozen=True)
class Program:
    """Steps in order: ``forward`` of them first, then those of the backward pass."""

    graph: Graph
    sizes: Sizes
    steps: tuple[Step, ...]
    forward: int
    slots: Mapping[str, Slot]
    arena: int
    """Bytes of working memory, shared by lifetime."""
    unshared: int
    """Bytes that the same slots would take without sharing."""

    def __str__(self) -> str:
        return "\n".join(map(str, self.steps))


def gradient(name: str) -> str:
    """The slot that holds the gradient of a value."""
    return f"∂{name}"


@dataclass
class Draft:
    """A program in the making."""

    graph: Graph
    sizes: Sizes
    steps: list[Step] = field(default_factory=list)
    slots: dict[str, Slot] = field(default_factory=dict)
    work: dict[str, Slot] = field(default_factory=dict)
    """The slots that need memory of the arena."""
    over: dict[str, list[str]] = field(default_factory=dict)
    """Slots that may be written over another, if that one's life ends there."""
    lengths: dict[Shape, tuple[int, ...]] = field(default_factory=dict)
    """Shapes without symbols, by shapes with them."""
    tables: dict[tuple[int, tuple[Shape, ...]], dict[str, Buffer]] = field(default_factory=dict)
    """Buffers by the identity of the op, which nodes that are alike share, and the shapes of its operands."""

    def concrete(self, shape: Shape) -> tuple[int, ...]:
        """The shape with its symbols replaced."""
        found = self.lengths.get(shape)
        if found is None:
            found = tuple(self.sizes[dim] if isinstance(dim, str) else dim for dim in shape)
            self.lengths[shape] = found
        return found

    def slot(self, name: str, shape: Shape, dtype: str | None = None, work: bool = True) -> str:
        """Enter a slot."""
        self.slots[name] = slot = Slot(name, self.concrete(shape), dtype or self.graph.dtype)
        if work:
            self.work[name] = slot
        return name

    def buffers(self, node: Node, life: str) -> dict[str, str]:
        """The slots of a node's own buffers that one direction uses."""
        shapes = tuple([self.concrete(self.graph.shape(name)) for name in node.inputs])
        key = (id(node.op), shapes)
        table = self.tables.get(key)
        if table is None:
            table = self.tables[key] = node.op.buffers(*shapes)
        if not table:
            return {}
        used = {name: buffer for name, buffer in table.items() if buffer.life in (life, "both")}
        return {name: self.slot(f"{node.name}:{name}", b.shape, b.dtype) for name, b in used.items()}


def plan(
    graph: Graph, sizes: Sizes, fetch: Iterable[str], *, backward: bool = False, keep: bool = False
) -> Program:
    """The program that computes the values ``fetch`` and, with ``backward``, all gradients of the loss.

    ``sizes`` gives every symbol its number. With ``keep`` no slot shares memory, so that every value and
    gradient can be read afterwards. Takes time linear in the number of nodes.
    """
    fetched = [*fetch, *([graph.loss] if backward and graph.loss else [])]
    draft = Draft(graph, sizes)
    plan_forward(draft, graph.ancestors(fetched))
    forward = len(draft.steps)
    if backward:
        Backward(draft).plan()
    return finish(draft, forward, set(fetched), keep)


def plan_forward(draft: Draft, needed: set[str]) -> None:
    """A step for every needed node."""
    graph = draft.graph
    for name, leaf in graph.leaves.items():
        if name in needed:
            integer = getattr(leaf, "integer", False)
            draft.slot(name, leaf.shape, "int64" if integer else None, work=False)
    for node in graph.nodes:
        if node.name in needed:
            y = draft.slot(node.name, node.shape)
            draft.steps.append(
                Step("forward", node.name, node.arguments, {"y": y, **draft.buffers(node, "forward")})
            )
            if "forward" in node.op.in_place:
                draft.over[y] = [node.inputs[0]]


class Backward:
    """Plans the backward pass: each reader writes its part of a gradient, several parts are added explicitly."""

    def __init__(self, draft: Draft) -> None:
        self.draft, self.graph = draft, draft.graph
        self.nodes = [self.graph.by_name[name] for name in self.graph.backward_order]
        self.open: dict[str, int] = {}
        """How many parts of each gradient are still to come."""
        self.sums: dict[str, str] = {}
        """The slot with the sum of those that are there."""
        self.leaf_gradients = {p.name for p in self.graph.parameters if p.trainable}
        trainable = self.graph.trainable
        self.sources = [node.sources for node in self.nodes]
        """The value behind every operand and parameter of each node."""
        self.sent = [{name: source for name, source in all.items() if source in trainable} for all in self.sources]
        """Those of them that get a gradient."""
        for sent in self.sent:
            for source in sent.values():
                self.open[source] = self.open.get(source, 0) + 1
        self.total = dict(self.open)

    def plan(self) -> None:
        """The steps, the loss's first."""
        draft, loss = self.draft, self.graph.loss
        if loss is None or not self.nodes:
            return
        draft.slot(gradient(loss), (), work=False)
        for node, sources, sent in zip(self.nodes, self.sources, self.sent, strict=True):
            targets = {name: self.target(node, name, source) for name, source in sent.items()}
            written = {f"d{name}": slot for name, slot in targets.items()}
            values = {**sources, "y": node.name}
            kept = {name: values[name] for name in node.op.keeps if name in values}
            named = {**kept, **draft.buffers(node, "backward"), **written}
            draft.steps.append(Step("backward", node.name, (gradient(node.name),), named))
            if "backward" in node.op.in_place:
                draft.over.update({slot: [gradient(node.name)] for slot in written.values()})
            for name, source in sent.items():
                self.add(source, targets[name])

    def target(self, node: Node, operand: str, source: str) -> str:
        """The slot that a node writes its part of a gradient to; for the only reader, the whole gradient."""
        only = self.total[source] == 1
        name = gradient(source) if only else f"{gradient(source)}←{node.name}.{operand}"
        return self.slot(name, source, whole=only)

    def slot(self, name: str, source: str, *, whole: bool) -> str:
        """A slot for a gradient or a part of one; a parameter's whole gradient lies in the flat vector."""
        flat = whole and source in self.leaf_gradients
        return self.draft.slot(name, self.graph.shape(source), work=not flat)

    def add(self, source: str, part: str) -> None:
        """Add a part to the sum of those before it, so that few wait at a time; the last sum is the gradient."""
        self.open[source] -= 1
        before, last = self.sums.get(source), not self.open[source]
        if before is not None:
            total = self.slot(gradient(source) if last else f"{part}+", source, whole=last)
            self.draft.steps.append(Step("accumulate", source, (before, part), {"y": total}))
            self.draft.over[total] = [before]
            part = total
        self.sums[source] = part


def finish(draft: Draft, forward: int, fetched: set[str], keep: bool) -> Program:
    """Lifetimes from the steps, then places in the arena."""
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for index, step in enumerate(draft.steps):
        for slot in step.uses():
            first.setdefault(slot, index)
            last[slot] = index
    end = len(draft.steps)
    shapes = {(slot.shape, slot.dtype): slot for slot in draft.work.values()}
    kinds = {kind: slot.size for kind, slot in shapes.items()}
    sizes = {name: kinds[slot.shape, slot.dtype] for name, slot in draft.work.items()}
    lives = {
        name: Life(size, 0 if keep else first[name], end if keep or name in fetched else last[name])
        for name, size in sizes.items()
    }
    offsets, arena = assign(lives, {} if keep else draft.over)
    slots = {**draft.slots, **{name: slot._replace(offset=offsets[name]) for name, slot in draft.work.items()}}
    unshared = sum(map(rounded, sizes.values()))
    return Program(draft.graph, draft.sizes, tuple(draft.steps), forward, slots, arena, unshared)
