"""What a use of the model takes of memory, as numbers and in words."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from nbn_spec.capacity import mebibytes
from nbn_spec.ops.base import show
from nbn_spec.plan import Program

Goal = Literal["load", "infer", "evaluate", "gradients", "trace", "train"]
"""What memory is counted for."""
SHOWN = (("MiB", 2**20), ("KiB", 2**10), ("bytes", 1))
CATEGORIES = ("parameters", "gradients", "optimizer", "activations", "data")


@dataclass(frozen=True)
class Part:
    """One array and its bytes.

    ``kind`` is parameter, gradient (of a parameter), optimizer, activation (or its gradient), scratch or data.
    """

    kind: str
    name: str
    shape: tuple[int, ...]
    size: int

    def __str__(self) -> str:
        shape = f" {show(self.shape)}" if self.shape else ""
        return f"{self.name}{shape} {mebibytes(self.size)}"

    @property
    def owner(self) -> str:
        """The parameter or node that it belongs to."""
        return re.split("[←:+]", self.name.removeprefix("∂"))[0]


@dataclass(frozen=True)
class Estimate:
    """Bytes by what they are for. ``activations`` are arenas (values and gradients of nodes) and scratch."""

    parameters: int
    gradients: int
    optimizer: int
    activations: int
    data: int
    parts: tuple[Part, ...]
    """The largest arrays, the largest first."""
    batch: int | None
    """Examples in a batch that it was made for; ``None`` where unknown: then for one."""
    goal: Goal = "infer"
    arena: int = 0
    """Bytes that values, their gradients and scratch take in one pass, sharing memory by lifetime."""
    unshared: int = 0
    """Bytes that they would take side by side."""
    program: Program | None = field(default=None, compare=False, repr=False)
    """The plan of that pass."""
    again: Callable[..., Estimate] | None = field(default=None, compare=False, repr=False)
    """The same for another ``batch``."""

    @property
    def total(self) -> int:
        """All bytes at once."""
        return sum(self.by_category().values())

    def by_category(self) -> dict[str, int]:
        """Bytes by category."""
        return {name: getattr(self, name) for name in CATEGORIES}

    @property
    def line(self) -> str:
        """The estimate as ``validate`` and ``graph`` print it."""
        return f"memory: {self.words()}"

    def words(self) -> str:
        """The total and what it is for; for more than predicting, what it consists of."""
        details = "" if self.goal == "infer" else f" ({self.details()})"
        return f"{mebibytes(self.total)} {self.purpose()}{details}"

    def purpose(self) -> str:
        """What it is for, in words."""
        count = f"{self.batch or 1:,} example{'' if (self.batch or 1) == 1 else 's'}"
        train = f"to train with batches of {self.batch:,}" if self.batch else "to train on 1 example"
        words = {"load": "to load", "infer": f"to predict {count}", "evaluate": f"to measure {count}"}
        return words.get(self.goal, train if self.goal == "train" else f"for the {self.goal} of {count}")

    def details(self) -> str:
        """Every category of some size, in one unit unless they are absurdly large."""
        word, unit = next((word, unit) for word, unit in SHOWN if max(self.total, 1) >= unit)
        names = {"activations": "temporary"} if self.goal == "load" else {}
        sizes = {names.get(name, name): size for name, size in self.by_category().items() if size * 20 >= unit}
        if self.total >= 2**80:
            return ", ".join(f"{name} {mebibytes(size)}" for name, size in sizes.items())
        return ", ".join(f"{name} {size / unit:,.{int(unit > 1)}f}" for name, size in sizes.items()) + f" {word}"

    def to_json(self) -> dict[str, Any]:
        """The estimate as a JSON object."""
        parts = [{"kind": p.kind, "name": p.name, "shape": list(p.shape), "size": p.size} for p in self.parts]
        shared = {"arena": self.arena, "unshared": self.unshared}
        sizes = {**self.by_category(), "total": self.total, **shared}
        return {"goal": self.goal, "batch": self.batch, **sizes, "parts": parts}
