"""What is known while a canonical spec becomes a graph: values so far, mistakes so far, and what is broken."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from nbn_spec.errors import Problem, Steps
from nbn_spec.graph import Inference, Parameter
from nbn_spec.ops.base import Shape, show
from nbn_spec.record import Pool
from nbn_spec.spec.nodes import Broken
from nbn_spec.spec.normalize import Canonical

MOST_STEPS = 6
"""Of a path through the graph, the last nodes are shown."""


@dataclass
class Lowering:
    """What is known while the nodes are taken up one after the other."""

    canonical: Canonical
    silent: frozenset[Steps] = frozenset()
    """Places with a mistake that was told before: of them, and of what is missing there, nothing is said."""
    guessed: frozenset[Steps] = frozenset()
    """Objects that are only likely to mean what they are taken for: of a node's shape, nothing is said."""
    problems: list[Problem] = field(default_factory=list)
    values: dict[str, tuple[Shape, bool]] = field(default_factory=dict)
    """Shape of every value so far, and whether it holds whole numbers."""
    routes: dict[str, str] = field(default_factory=dict)
    """For every node the one it takes its first input from: the path that a shape came by."""
    parameters: list[Parameter] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    """What has a mistake, and the nodes that need it: nothing is said of the latter."""
    pool: Pool = field(default_factory=Pool)
    """Ops and initializers."""
    inference: Inference = field(default_factory=Inference)

    def complain(
        self,
        code: str,
        path: Steps,
        message: str,
        hint: str = "",
        *,
        notes: Sequence[str] = (),
        of_key: bool = False,
    ) -> None:
        """Note a mistake."""
        self.problems.append(Problem(code, "", message, hint, tuple(notes), path, of_key))

    def is_silent(self, *path: object) -> bool:
        """Whether a place, or what it stands in, has been told to be wrong."""
        return any(path[:length] in self.silent for length in range(1, len(path) + 1))

    @cached_property
    def invented(self) -> set[str]:
        """Names that broken nodes were given, as they have none of their own."""
        holds, origins = self.canonical.document.holds, self.canonical.origins
        nodes = (str(node.name) for node in self.canonical.spec.nodes if isinstance(node, Broken))
        return {name for name in nodes if not holds((*origins[name], "name"))}

    def may_be_invented(self, name: str) -> bool:
        """Whether a broken node might have been called so: by the name of its operation, and a number."""
        return bool(self.invented) and re.fullmatch(r"[a-z_]+_[0-9]+", name) is not None

    def is_data_silent(self, name: str) -> bool:
        """Whether what the spec says of an input's data has been told to be wrong."""
        return any(self.is_silent("data", key, name) for key in ("values", "columns", "arrays", "npy"))

    @property
    def is_blind(self) -> bool:
        """Whether names may be missing because what declares them is broken as a whole."""
        twice = {problem.path for problem in self.canonical.document.problems if problem.code == "NBN102"}
        kinds = ("inputs", "parameters", "constants")
        return ("nodes",) in twice or any((kind,) in self.silent | twice for kind in kinds)

    def inputs_of(self, node: str, number: int | None = None) -> Steps:
        """The place of a node's inputs, or of one of them: the node itself, where the author left them out."""
        origin = self.canonical.origins[node]
        document, path = self.canonical.document, (*origin, "inputs")
        if not document.holds(path):
            return origin
        return (*path, number) if number is not None and document.holds((*path, number)) else path

    def route(self, name: str) -> str:
        """How an operand of a node came to its shape: the last few nodes on the way."""
        steps = [name]
        while steps[-1] in self.routes and len(steps) < MOST_STEPS:
            steps.append(self.routes[steps[-1]])
        shown = [f"{step} {show(self.values[step][0])}" for step in reversed(steps) if step in self.values]
        return " → ".join(shown)

    def paths(self, node: str, inputs: Sequence[str]) -> list[str]:
        """A line for each operand of a node: the way by which its shape came there."""
        return [f"path: {self.route(name)} → {self.called(node)}" for name in dict.fromkeys(inputs)]

    def called(self, node: str) -> str:
        """A node's name as the author knows it: without what sugar was expanded to."""
        written, _, _ = node.rpartition("/")
        origins = self.canonical.origins
        return written if written in origins and origins[written] == origins[node] else node
