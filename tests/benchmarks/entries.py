"""What is compared: workloads of one or several cases, and the contenders of each case."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from types import ModuleType
from typing import Any, Literal, NamedTuple

OURS = "this program"
AVX2, CHOSEN, OWN = "AVX2", "command line", "its own"
"""Kernels: one that is asked for, the one that the command line would take, and those that are not OpenBLAS's."""


class Key(NamedTuple):
    """A line of the results: who did what, with which matrix kernel."""

    workload: str
    case: str
    contender: str
    kernel: str = CHOSEN

    def __str__(self) -> str:
        return f"{self.workload}: {self.case + ': ' if self.case else ''}{self.contender} ({self.kernel})"


@dataclass(frozen=True)
class Contender:
    """Someone who does the work of a case.

    ``module`` (beneath ``peers``) and ``build`` name the class that is made of the case's task, with ``options``;
    ``needs`` are the packages without which it is left out; ``note`` is told below the table.
    """

    title: str
    module: str
    build: str
    needs: tuple[str, ...] = ()
    kernels: tuple[str, ...] = (CHOSEN,)
    options: dict[str, Any] = field(default_factory=dict)
    note: str = ""

    def load(self) -> ModuleType:
        """The module, with the framework that it imports."""
        return import_module(f"tests.benchmarks.peers.{self.module}")

    def make(self, task: Any) -> Any:
        """The contender, ready to work on a task."""
        return getattr(self.load(), self.build)(task, **self.options)


@dataclass(frozen=True)
class Case:
    """A piece of work that every contender does.

    ``tolerance`` is what their answers may differ by, relatively; a number is told for so many ``steps``.
    """

    title: str
    task: Any
    contenders: tuple[Contender, ...]
    tolerance: float = 1e-9
    steps: int = 1


@dataclass(frozen=True)
class Workload:
    """Cases that are told together: as a list of contenders, or as a grid with a row for each case.

    ``ratios`` are further columns of a grid (title, numerator, denominator); with ``growth`` each row also tells
    how many times the row before it was. ``most`` bounds the rounds of what takes long.
    """

    name: str
    title: str
    doc: str
    cases: tuple[Case, ...]
    layout: Literal["list", "grid"] = "list"
    unit: Literal["s", "B"] = "s"
    ratios: tuple[tuple[str, str, str], ...] = ()
    growth: bool = False
    most: int = 1000

    def lines(self, case: Case) -> Iterator[tuple[Key, Contender]]:
        """Every line of a case's results."""
        for contender in case.contenders:
            for kernel in contender.kernels:
                yield Key(self.name, case.title, contender.title, kernel), contender
