"""Which buffers may share memory: offsets in one arena, by lifetime; and a rest for Python's own bookkeeping."""

from __future__ import annotations

import gc
from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from nbn_spec.arrays import ALIGNMENT

MANY = 100_000
"""Objects: so many are not worth a look for garbage among them."""


@contextmanager
def uncollected() -> Iterator[None]:
    """Python's collector of circular garbage pauses, if it was on, while a graph of many nodes is built.

    It looks at all objects again and again, though none of them is garbage: a third of the time for 100,000 nodes,
    and more than that share for more. Of a few objects it looks for garbage afterwards; many are put among the old
    ones at once, where it looks at them when these have become a quarter more. What another thread says to the
    collector meanwhile does not last.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            if gc.get_count()[0] > MANY and not gc.get_freeze_count():  # else others' would be unfrozen
                gc.freeze()
                gc.unfreeze()
            gc.enable()


class Life(NamedTuple):
    """A buffer's size in bytes, and the first and last step that uses it."""

    size: int
    first: int
    last: int


def rounded(size: int) -> int:
    """``size`` rounded up so that the next buffer starts on a cache line; nothing is smaller than one."""
    return max(ALIGNMENT, -(-size // ALIGNMENT) * ALIGNMENT)


@dataclass
class Arena:
    """Free stretches of memory: sorted by size for the best fit, and by both ends for merging."""

    end: int = 0
    by_size: list[tuple[int, int]] = field(default_factory=list)
    by_start: dict[int, int] = field(default_factory=dict)
    by_end: dict[int, int] = field(default_factory=dict)

    def take(self, size: int) -> int:
        """The offset of a stretch of ``size`` bytes: the smallest free one that suffices, else a new one."""
        place = bisect_left(self.by_size, (size, 0))
        if place == len(self.by_size):
            self.end += size
            return self.end - size
        have, start = self.by_size[place]
        self.forget(start, have)
        if have > size:
            self.note(start + size, have - size)
        return start

    def give(self, start: int, size: int) -> None:
        """Free a stretch, merged with its free neighbours."""
        if (before := self.by_end.get(start)) is not None:
            size += start - before
            self.forget(before, start - before)
            start = before
        if (after := self.by_start.get(start + size)) is not None:
            self.forget(start + size, after)
            size += after
        self.note(start, size)

    def note(self, start: int, size: int) -> None:
        """Enter a free stretch."""
        insort(self.by_size, (size, start))
        self.by_start[start] = size
        self.by_end[start + size] = start

    def forget(self, start: int, size: int) -> None:
        """Strike a free stretch."""
        del self.by_size[bisect_left(self.by_size, (size, start))]
        del self.by_start[start]
        del self.by_end[start + size]


def assign(lives: Mapping[str, Life], over: Mapping[str, Sequence[str]]) -> tuple[dict[str, int], int]:
    """An offset for each buffer, and the bytes of the whole arena.

    Two buffers overlap only if no step uses both, except that a buffer in ``over`` may be written over the first
    of the named ones that ends in the step where it begins and has its size.
    """
    starting: dict[int, list[str]] = {}
    ending: dict[int, list[str]] = {}
    for name, life in lives.items():
        starting.setdefault(life.first, []).append(name)
        ending.setdefault(life.last, []).append(name)
    arena = Arena()
    offsets: dict[str, int] = {}
    handed_on: set[str] = set()
    for step in sorted({*starting, *ending}):
        for name in starting.get(step, ()):
            heir = inheritance(name, lives, over, handed_on)
            if heir is not None:
                handed_on.add(heir)
                offsets[name] = offsets[heir]
            else:
                offsets[name] = arena.take(rounded(lives[name].size))
        for name in ending.get(step, ()):
            if name not in handed_on:
                arena.give(offsets[name], rounded(lives[name].size))
    return offsets, arena.end


def inheritance(
    name: str, lives: Mapping[str, Life], over: Mapping[str, Sequence[str]], handed_on: set[str]
) -> str | None:
    """The buffer that ``name`` may be written over, if there is one."""
    mine = lives[name]
    for other in over.get(name, ()):
        life = lives.get(other)
        if life and other not in handed_on and life.first < life.last == mine.first and life.size == mine.size:
            return other
    return None
