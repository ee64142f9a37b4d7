"""What lint looks at, and what several rules want to know of it; every answer is found once, in linear time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from nbn_spec.errors import Steps, TrainingError, shorten
from nbn_spec.graph import Graph, Input, Node, Parameter
from nbn_spec.ops.activation import Identity
from nbn_spec.ops.base import Array, Op
from nbn_spec.ops.shape import Flatten, Reshape
from nbn_spec.params import Layout, Seed
from nbn_spec.train import Training, split

NOTHING: tuple[type[Op], ...] = (Identity, Reshape, Flatten)
"""Ops that leave every number as it is, and in its order."""


@dataclass(frozen=True)
class Finding:
    """What a rule has to say, as in :class:`~nbn_spec.errors.Problem`; the code is that of the rule.

    ``path`` names nodes by their names: ``("nodes", "z1", "weight")``.
    """

    where: str
    path: Steps
    message: str
    notes: tuple[str, ...]
    hint: str
    of_key: bool = False


@dataclass(frozen=True, eq=False)
class Subject:
    """A compiled model with all that is known of it; what is not known stays empty, and its rules say nothing.

    ``training`` is ``None`` where the spec has no ``train``, ``flat`` where no parameters were drawn; ``data``
    holds the checked arrays by input, before the split; ``written`` is the document as its author wrote it.
    """

    graph: Graph
    training: Training | None = None
    flat: Array | None = None
    seed: Seed = Seed()
    data: Mapping[str, Array] = field(default_factory=dict)
    written: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def initial(self) -> Mapping[str, Array]:
        """The first values of every parameter by name; none where none were drawn."""
        return {} if self.flat is None else Layout.of(self.graph).views(self.flat)

    @cached_property
    def trainable(self) -> frozenset[str]:
        """Names of the parameters that are trained."""
        return frozenset(parameter.name for parameter in self.graph.parameters if parameter.trainable)

    @cached_property
    def readers(self) -> Mapping[str, list[Node]]:
        """The nodes that read each value, once for every time that they do."""
        found: dict[str, list[Node]] = {}
        for node in self.graph.nodes:
            for source in (*node.inputs, *node.params.values()):
                found.setdefault(source, []).append(node)
        return found

    @cached_property
    def ends(self) -> frozenset[str]:
        """Values that are wanted for themselves: the outputs, the loss and what metrics compare."""
        metrics = self.training.metrics if self.training else ()
        compared = [
            name for metric in metrics for name in (metric.prediction(self.graph), metric.truth(self.graph))
        ]
        return frozenset((*self.graph.outputs, *([self.graph.loss] if self.graph.loss else []), *compared))

    def single(self, name: str) -> bool:
        """Whether one node reads a value, once, and nothing else wants it."""
        return name not in self.ends and len(self.readers.get(name, ())) == 1

    @cached_property
    def trained(self) -> frozenset[str]:
        """Names of the nodes through which the loss sends gradients."""
        return frozenset(self.graph.backward_order)

    @cached_property
    def losses(self) -> tuple[Node, ...]:
        """The losses that training follows: one, or the several that a loss is made of."""
        return tuple(node for node in self.graph.nodes if node.op.is_loss and node.name in self.trained)

    @cached_property
    def origins(self) -> Mapping[str, str]:
        """For each value the one that it is a copy of, behind identities and other shapes."""
        found: dict[str, str] = {}
        for node in self.graph.nodes:
            if isinstance(node.op, NOTHING):
                found[node.name] = found.get(node.inputs[0], node.inputs[0])
        return found

    @cached_property
    def sources(self) -> Mapping[str, int]:
        """From which inputs each value is computed: a bit for each, in their order."""
        found = dict.fromkeys(self.graph.leaves, 0)
        found |= {item.name: 1 << i for i, item in enumerate(self.graph.inputs)}
        for node in self.graph.nodes:
            bits = 0
            for name in node.inputs:
                bits |= found[name]
            found[node.name] = bits
        return found

    def names(self, bits: int) -> tuple[str, ...]:
        """The inputs that some bits stand for; of many inputs a value mostly reads a few."""
        found = []
        while bits:
            last = bits & -bits
            found.append(self.graph.inputs[last.bit_length() - 1].name)
            bits ^= last
        return tuple(found)

    def read_by(self, name: str) -> tuple[str, ...]:
        """The inputs from which a value is computed."""
        return self.names(self.sources[name])

    @cached_property
    def given(self) -> frozenset[str]:
        """Values that are data, or computed from data and constants alone: no parameter has a part in them."""
        fixed = {name for name, leaf in self.graph.leaves.items() if not isinstance(leaf, Parameter)}
        for node in self.graph.nodes:
            if not node.params and fixed.issuperset(node.inputs):
                fixed.add(node.name)
        return frozenset(name for name in fixed if self.sources[name])

    def idle(self, name: str) -> bool:
        """Whether no node that is needed reads a value, and nothing else wants it."""
        return name not in self.readers and name not in self.ends

    def origin(self, name: str) -> str:
        """The value that ``name`` is a copy of, or ``name`` itself."""
        return self.origins.get(name, name)

    def maker(self, name: str) -> Node | None:
        """The node that makes the numbers of a value; ``None`` for a leaf's."""
        return self.graph.by_name.get(self.origin(name))

    def target(self, loss: Node) -> tuple[Input, Array] | None:
        """The input that a loss compares with, and its data; ``None`` for a computed one, or without data."""
        name = self.origin(loss.operands["target"])
        leaf = self.graph.leaves.get(name)
        return (leaf, self.data[name]) if isinstance(leaf, Input) and name in self.data else None

    @cached_property
    def parts(self) -> tuple[Array, Array]:
        """The numbers of the examples that are trained on and of those held back: those of the split to come."""
        names = [item.name for item in self.graph.inputs if item.batched and item.name in self.data]
        every = np.arange(min((len(self.data[name]) for name in names), default=0))
        if not names or self.training is None or self.training.validation is None:
            return every, every[:0]
        try:
            first, second = split(self.graph, self.training, {names[0]: every}, self.seed)
        except TrainingError:  # that one part is empty is an error of its own
            return every, every[:0]
        return first[names[0]], second[names[0]]

    def place(self, node: Node) -> Steps:
        """The steps to a node in the document: a loss may be written where it is used."""
        inline = node.name == self.graph.loss and isinstance(self.written.get("loss"), Mapping)
        return ("loss",) if inline else ("nodes", node.name)

    def column(self, item: Input, number: int) -> str:
        """A column of an input in words."""
        return shorten(item.columns[number]) if item.columns else f"column {number}"

    @cached_property
    def kind_of_data(self) -> str:
        """Under which key the document's data stands: ``values``, ``csv``, ``npz``, ``npy`` or nothing."""
        data = self.written.get("data")
        kinds = ("values", "csv", "npz", "npy")
        return next((kind for kind in kinds if isinstance(data, Mapping) and kind in data), "")
