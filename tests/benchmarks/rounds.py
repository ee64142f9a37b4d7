"""What a contender does in a round, and how it gets ready for the first one."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod

WARM = 4
"""Rounds' worth of work before the first: caches filled, functions compiled, the processor at its pace."""
SETTLE = 20
"""From so many calls on, a round begins with one twentieth of them untimed, as others had the caches before."""


class Measured(ABC):
    """A contender of any kind."""

    def answer(self) -> list[float] | None:
        """What it computes, to be compared with the others; ``None`` where that is not the same thing."""
        return None

    @abstractmethod
    def prepare(self, seconds: float) -> None:
        """Get ready for rounds that take about so long."""

    @abstractmethod
    def round(self) -> float:
        """What one round measures: seconds per step, unless the workload's unit is another."""


class Once(Measured):
    """A contender whose round is a single piece of work; :meth:`work` does it and tells the measured number."""

    def prepare(self, seconds: float) -> None:
        """Once in vain: files and bytecode are in the caches then."""
        self.work()

    def round(self) -> float:
        return self.work()

    @abstractmethod
    def work(self) -> float:
        """Do it."""


class Repeated(Measured):
    """A contender that repeats its call as often as a round has room for; a call does ``steps`` steps."""

    steps = 1
    calls = 1

    @abstractmethod
    def run(self, calls: int) -> None:
        """Do so many calls' work."""

    def prepare(self, seconds: float) -> None:
        """Warm up, and find how many calls make a round."""
        taken, end = self.timed(), time.perf_counter() + WARM * seconds
        while taken < seconds / 2 or time.perf_counter() < end:
            self.calls = max(1, round(self.calls * min(8.0, seconds / taken)))
            taken = self.timed()

    def timed(self) -> float:
        """The seconds that the calls of a round take."""
        started = time.perf_counter()
        self.run(self.calls)
        return time.perf_counter() - started

    def round(self) -> float:
        if self.calls >= SETTLE:
            self.run(self.calls // SETTLE)
        return self.timed() / (self.calls * self.steps)
