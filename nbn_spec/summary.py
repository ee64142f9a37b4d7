"""A graph as a table of text."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from math import prod

from nbn_spec.budget import overview
from nbn_spec.capacity import mebibytes
from nbn_spec.errors import printable, wrapped
from nbn_spec.estimate import Estimate
from nbn_spec.graph import Graph, Node
from nbn_spec.ops.base import Shape, show

HEADER = ("#", "node", "op", "inputs", "shape", "parameters", "count", "backward")
RIGHT = {0, 6, 7}
MOST_NAMES = 20
"""More nodes than these are not written out in one line."""


def layers(graph: Graph) -> int:
    """How many layers the network has: nodes with trainable kinds of parameters on its longest path.

    Inputs and activations don't count, as they have none.
    """
    depth: dict[str, int] = {}
    for node in graph.nodes:
        own = bool(set(node.params) - set(node.op.statistics))
        depth[node.name] = own + max((depth.get(name, 0) for name in node.inputs), default=0)
    return max(depth.values(), default=0)


def count(graph: Graph, *, trainable: bool | None = None) -> int:
    """How many numbers the parameters hold."""
    chosen = (p for p in graph.parameters if trainable is None or p.trainable == trainable)
    return sum(prod(p.shape) for p in chosen)


def counted(number: int, word: str) -> str:
    """A number of things, in words."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def headline(graph: Graph) -> str:
    """The graph in one line: layers, parameters, dtype."""
    depth, frozen = layers(graph), count(graph, trainable=False)
    kind = f"{depth}-layer network, " if depth else ""
    fixed = f" ({frozen:,} of them frozen)" if frozen else ""
    return printable(f"{graph.name}: {kind}{counted(count(graph), 'parameter')}{fixed}, {graph.dtype}")


def row(graph: Graph, number: int, node: Node, backward: dict[str, int]) -> tuple[str, ...]:
    """A node's line in the table."""
    owned = {name: graph.shape(parameter) for name, parameter in node.params.items()}
    shown = [part.name for part in dataclasses.fields(node.op) if not shows_in_shapes(node, part)]
    words = ", ".join(
        f"{name}={value}" for name, value in node.op.to_json().items() if name in shown and value is not None
    )
    return (
        str(number),
        node.name,
        node.op.word() + (f"({words})" if words else ""),
        ", ".join(node.inputs),
        show(node.shape),
        ", ".join(f"{name} {show(shape)}" for name, shape in owned.items()),
        str(sum(prod(int(dim) for dim in shape) for shape in owned.values()) or ""),
        str(backward.get(node.name, "")),
    )


def shows_in_shapes(node: Node, attribute: dataclasses.Field[object]) -> bool:
    """Whether an attribute only says what the shapes of the parameters say too."""
    return attribute.name in node.op.weights or attribute.metadata["given_by"] in node.op.weights


def leaf_lines(graph: Graph) -> list[str]:
    """A line for each kind of leaf that the graph has."""
    kinds: dict[str, list[tuple[str, Shape]]] = {
        "inputs": [(i.name, i.shape) for i in graph.inputs],
        "parameters": [(p.name, p.shape) for p in graph.parameters if "/" not in p.name],
        "constants": [(c.name, c.shape) for c in graph.constants],
    }
    return [
        f"{kind + ':':12}" + ", ".join(f"{name} {show(shape)}" for name, shape in leaves)
        for kind, leaves in kinds.items()
        if leaves
    ]


def table(rows: Sequence[Sequence[str]], right: Collection[int], rule: str = "") -> list[str]:
    """Aligned columns, those whose numbers are in ``right`` to the right; under the header a rule of this sign."""
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        aligned = (
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return "  ".join(aligned).rstrip()

    ruled = ["  ".join(rule * width for width in widths)] if rule else []
    return [line(rows[0]), *ruled, *map(line, rows[1:])]


def chain(names: Sequence[str]) -> str:
    """Names in order; of many only the first and the last, as the table numbers them all."""
    if len(names) <= MOST_NAMES:
        return " → ".join(names)
    return f"{' → '.join(names[: MOST_NAMES - 2])} → … → {names[-1]}"


def closing_lines(graph: Graph) -> list[str]:
    """What stands below the table: the ends of the graph, its two orders, and what is not in them."""
    lines = [
        f"outputs:  {', '.join(graph.outputs)}",
        f"loss:     {graph.loss or 'none'}",
        f"forward:  {chain(graph.forward_order)}",
        f"backward: {chain(graph.backward_order) or 'none: no loss, or nothing to train'}",
    ]
    dead = f"left out: {', '.join(graph.dead)} (neither an output nor the loss needs them)"
    return [*lines, dead] if graph.dead else lines


def memory_lines(memory: Sequence[Estimate], lead: str = "") -> list[str]:
    """What training and predicting take, in lines that fit."""
    return [line for estimate in memory for line in wrapped(printable(estimate.line), lead)]


def arena_line(memory: Sequence[Estimate]) -> str:
    """What the arenas of training and predicting take, and what they would take without sharing memory."""
    words = {"train": "to train", "infer": "to predict"}
    sizes = [f"{mebibytes(one.arena)} {words[one.goal]}" for one in memory]
    without = [mebibytes(one.unshared) for one in memory]
    shared = any(one.unshared > one.arena for one in memory)
    return f"arena:  {', '.join(sizes)}" + f" (without sharing {', '.join(without)})" * shared


def summarize(graph: Graph, memory: Sequence[Estimate] | None = None) -> str:
    """The whole graph: leaves, nodes in forward order with their place in the backward order, totals, memory.

    ``memory`` is what is known of that; left out, what one example takes to train on and to predict.
    """
    backward = {name: i for i, name in enumerate(graph.backward_order, start=1)}
    rows = [row(graph, i, node, backward) for i, node in enumerate(graph.nodes, start=1)]
    known = overview(graph) if memory is None else memory
    lines = [
        headline(graph),
        *map(printable, leaf_lines(graph)),
        "",
        *table([HEADER, *rows], RIGHT, rule="─"),
        "",
        *map(printable, closing_lines(graph)),
        *memory_lines(known),
        arena_line(known),
    ]
    return "\n".join(lines)
