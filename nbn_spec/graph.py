"""The static graph: immutable leaves and nodes in forward order, shapes inferred, nothing implied."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from heapq import heapify, heappop, heappush

from nbn_spec.errors import GraphError
from nbn_spec.initializers import Initializer
from nbn_spec.ops.base import Array, Domain, Op, Param, Shape, ShapeProblem, show

BATCH = "N"
"""The symbol that stands for the number of examples."""
DTYPES = ("float32", "float64")
"""What a model's real numbers may be."""
MOST_AXES = 32
"""No array of a graph has more axes."""
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*(/[A-Za-z0-9_]+)*")
"""Names of values; a / stands where something was expanded."""


@dataclass(frozen=True)
class Input:
    """Data that is given at every run; ``integer`` marks whole numbers such as class numbers."""

    name: str
    shape: Shape
    columns: tuple[str, ...] = ()
    integer: bool = False

    @property
    def batched(self) -> bool:
        """Whether its first axis counts examples."""
        return self.shape[:1] == (BATCH,)


@dataclass(frozen=True)
class Constant:
    """A fixed array."""

    name: str
    value: Array = field(compare=False, repr=False)

    @property
    def shape(self) -> Shape:
        """The array's shape."""
        return self.value.shape


@dataclass(frozen=True, slots=True)
class Parameter:
    """A leaf whose values belong to the model. ``value`` holds exact initial values, else ``init`` draws them."""

    name: str
    shape: tuple[int, ...]
    trainable: bool = True
    init: Initializer | None = None
    value: Array | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Node:
    """One operation on named values; ``params`` maps the op's own names to names of parameters."""

    name: str
    op: Op
    inputs: tuple[str, ...]
    params: Mapping[str, str]
    shape: Shape

    @property
    def operands(self) -> dict[str, str]:
        """The value behind each of the op's operands."""
        return dict(zip(self.op.operands(len(self.inputs)), self.inputs, strict=True))

    @property
    def arguments(self) -> tuple[str | None, ...]:
        """The values that the forward kernel takes, in order: operands, then parameters."""
        return (*self.inputs, *(self.params.get(name) for name in self.op.weights))

    @property
    def sources(self) -> dict[str, str]:
        """The value behind every operand and parameter, by the op's own name."""
        return {**self.operands, **self.params}


Leaf = Input | Constant | Parameter


@dataclass(frozen=True)
class Graph:
    """A compiled model: leaves, and nodes in topological order."""

    name: str
    dtype: str
    inputs: tuple[Input, ...]
    constants: tuple[Constant, ...]
    parameters: tuple[Parameter, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]
    loss: str | None = None
    dead: tuple[str, ...] = ()
    """Nodes of the document that neither an output nor the loss needs; they are not in ``nodes``."""

    @cached_property
    def leaves(self) -> dict[str, Leaf]:
        """Inputs, constants and parameters by name."""
        leaves: list[Leaf] = [*self.inputs, *self.constants, *self.parameters]
        return {leaf.name: leaf for leaf in leaves}

    @cached_property
    def by_name(self) -> dict[str, Node]:
        """The nodes by name."""
        return {node.name: node for node in self.nodes}

    def shape(self, name: str) -> Shape:
        """The shape of any value of the graph."""
        node = self.by_name.get(name)
        return self.leaves[name].shape if node is None else node.shape

    @cached_property
    def forward_order(self) -> tuple[str, ...]:
        """Names of the nodes in the order in which they are computed."""
        return tuple(node.name for node in self.nodes)

    @cached_property
    def trainable(self) -> frozenset[str]:
        """Names of all values that depend on a trainable parameter."""
        found = {parameter.name for parameter in self.parameters if parameter.trainable}
        for node in self.nodes:
            if not found.isdisjoint((*node.inputs, *node.params.values())):
                found.add(node.name)
        return frozenset(found)

    @cached_property
    def backward_order(self) -> tuple[str, ...]:
        """Names of the nodes through which the loss sends gradients, the loss first."""
        if self.loss is None:
            return ()
        needed = self.ancestors([self.loss])
        reached = (node.name for node in reversed(self.nodes) if node.name in needed)
        return tuple(name for name in reached if name in self.trainable)

    def ancestors(self, names: Iterable[str]) -> set[str]:
        """The given values and every value that they are computed from."""
        found = set(names)
        for node in reversed(self.nodes):
            if node.name in found:
                found.update(node.inputs, node.params.values())
        return found

    def needed_inputs(self, names: Iterable[str]) -> tuple[Input, ...]:
        """The inputs that the given values are computed from."""
        found = self.ancestors(names)
        return tuple(item for item in self.inputs if item.name in found)

    @cached_property
    def domains(self) -> dict[str, list[Domain]]:
        """What the readers of each input accept of its values."""
        found: dict[str, list[Domain]] = {item.name: [] for item in self.inputs}
        for node in self.nodes:
            domains = node.op.domains(*map(self.shape, node.inputs))
            for operand, domain in domains.items():
                if node.operands[operand] in found:
                    found[node.operands[operand]].append(domain)
        return found


class CycleProblem(ValueError):
    """Nodes that wait for each other; ``cycle`` holds them, the first again at the end."""

    def __init__(self, cycle: Sequence[str]) -> None:
        self.cycle = tuple(cycle)
        super().__init__(" → ".join(cycle))


def sort(sources: Mapping[str, Collection[str]]) -> list[str]:
    """Names so that each stands behind its sources, otherwise in the given order (Kahn 1962, with a heap).

    Sources that are no keys are leaves. Raises :class:`CycleProblem`.
    """
    names = list(sources)
    place = {name: i for i, name in enumerate(names)}
    if all(place.get(source, -1) < i for i, name in enumerate(names) for source in sources[name]):
        return names  # most documents: nothing stands in front of what it reads
    waiting = [len({s for s in sources[name] if s in place}) for name in names]
    readers: list[list[int]] = [[] for _ in names]
    for i, name in enumerate(names):
        for source in {s for s in sources[name] if s in place}:
            readers[place[source]].append(i)
    ready = [i for i, count in enumerate(waiting) if not count]
    heapify(ready)
    order: list[str] = []
    while ready:
        done = heappop(ready)
        order.append(names[done])
        for reader in readers[done]:
            waiting[reader] -= 1
            if not waiting[reader]:
                heappush(ready, reader)
    if len(order) < len(names):
        raise CycleProblem(find_cycle(sources, set(names) - set(order)))
    return order


def find_cycle(sources: Mapping[str, Collection[str]], stuck: set[str]) -> list[str]:
    """One cycle among nodes that each wait for another of them, in the direction of the data."""
    name = next(name for name in sources if name in stuck)
    walked: dict[str, int] = {}
    while name not in walked:
        walked[name] = len(walked)
        name = next(source for source in sources[name] if source in stuck)
    cycle = list(walked)[walked[name] :]
    return [name, *reversed(cycle)]


def infer(op: Op, shapes: Sequence[Shape], integers: Sequence[bool]) -> Shape:
    """The shape of an op's result; raises :class:`ShapeProblem` for a wrong number, kind or shape of operands."""
    names = op.operands(len(shapes))
    if len(shapes) != len(names) or not shapes:
        want = "at least one input" if op.variadic else f"{len(names)} input{'s' * (len(names) > 1)}"
        raise ShapeProblem(f"{op.word()} takes {want} ({', '.join(names) or 'x0, …'}), got {len(shapes)}")
    for name, integer in zip(names, integers, strict=True):
        if integer != (name in op.integers):
            have, want = ("whole numbers", "real numbers") if integer else ("real numbers", "whole numbers")
            raise ShapeProblem(f'{op.word()} takes {want} as {name}, got {have} (the input\'s "dtype")')
    shape = op.infer(*shapes)
    if len(shape) > MOST_AXES:
        raise ShapeProblem(f"{op.word()} gives {len(shape)} axes, more than {MOST_AXES}")
    return shape


class Inference:
    """What ops make of their operands, worked out once for all nodes that share an op and the shapes it reads."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], tuple[Op, Shape, dict[str, Param]]] = {}

    def of(self, op: Op, operands: Sequence[tuple[Shape, bool]]) -> tuple[Shape, dict[str, Param]]:
        """The shape of the result and the op's parameters; ``operands`` have a shape, and may be whole numbers.

        Raises :class:`ShapeProblem` as :func:`infer` does.
        """
        key = (id(op), *operands)  # an op that is kept has its id for itself
        if key not in self._known:
            shapes = [shape for shape, _ in operands]
            shape = infer(op, shapes, [integer for _, integer in operands])
            self._known[key] = op, shape, op.params(*shapes)
        return self._known[key][1:]


def verify(graph: Graph) -> None:
    """Check every promise of a graph anew; raises :class:`GraphError`."""
    for name in (*graph.leaves, *graph.forward_order):
        if NAME.fullmatch(name) is None:
            raise broken(graph.name, f"{name!r} may not be used as a name")
    for item in graph.inputs:
        demand(BATCH not in item.shape[1:], item.name, f"has {BATCH} elsewhere than in front: {show(item.shape)}")
        named = not item.columns or item.shape[-1:] == (len(set(item.columns)),) == (len(item.columns),)
        demand(named, item.name, f"has other columns than its shape {show(item.shape)}")
    seen: dict[str, tuple[Shape, bool]] = {}
    count = len(graph.inputs) + len(graph.constants) + len(graph.parameters)
    demand(count == len(graph.leaves), graph.name, "has two leaves of one name")
    for name, leaf in graph.leaves.items():
        seen[name] = (leaf.shape, isinstance(leaf, Input) and leaf.integer)
    inference = Inference()
    for node in graph.nodes:
        demand(node.name not in seen, node.name, "stands for two things")
        for source in (*node.inputs, *node.params.values()):
            if source not in seen:
                raise broken(node.name, f'reads "{source}", which is not computed before it')
        verify_node(graph, node, [seen[source] for source in node.inputs], inference)
        seen[node.name] = (node.shape, False)
    demand(bool(graph.outputs), graph.name, "has no outputs")
    for output in graph.outputs:
        demand(output in seen, output, "is an output, but nothing has this name")
    if graph.loss is not None:
        demand(graph.loss in graph.by_name, graph.loss, "is the loss, but no node has this name")
        demand(graph.shape(graph.loss) == (), graph.loss, "is the loss, but not a scalar")


def verify_node(graph: Graph, node: Node, operands: Sequence[tuple[Shape, bool]], inference: Inference) -> None:
    """Check a node's shape and parameters against its op."""
    try:
        shape, params = inference.of(node.op, operands)
    except ShapeProblem as problem:
        raise GraphError("NBN203", node.name, str(problem)) from None
    if shape != node.shape:
        raise broken(node.name, f"has shape {show(node.shape)}, but its op gives {show(shape)}")
    demand(params.keys() == node.params.keys(), node.name, "has other parameters than its op")
    for name, param in params.items():
        leaf = graph.leaves[node.params[name]]
        if not isinstance(leaf, Parameter):
            raise broken(node.name, f'"{leaf.name}" is no parameter')
        if leaf.shape != param.shape:
            raise broken(node.name, f"{name} is {show(leaf.shape)}, not {show(param.shape)}")
        if name in node.op.statistics and leaf.name in graph.trainable:
            raise broken(node.name, f"{name} cannot be trained")


def demand(holds: bool, name: str, message: str) -> None:
    """Raise a :class:`GraphError` that names ``name`` unless ``holds``."""
    if not holds:
        raise broken(name, message)


def broken(name: str, message: str) -> GraphError:
    """The error for a graph that does not keep a promise at ``name``."""
    return GraphError("NBN210", name, message)
