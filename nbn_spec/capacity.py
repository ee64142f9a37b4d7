"""How much memory this process may still take, and how sizes are said. Imports no NumPy."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path

UNLIMITED = 2**62
"""Bytes: control groups without a limit say a number like this."""
CGROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")
STATM = Path("/proc/self/statm")
"""Pages of this process; the first number counts its address space."""


def mebibytes(size: int) -> str:
    """A number of bytes in words, in MiB from one on; it may be absurdly large."""
    if size < 2**10:
        return f"{size} byte{'' if size == 1 else 's'}"
    if size < 2**20:
        return f"{size / 2**10:.1f} KiB"
    if size < 100 * 2**20:
        return f"{size / 2**20:.1f} MiB"
    return f"{size // 2**20:,} MiB" if size < 2**80 else "more than any machine has"


def allowance(max_memory: int | None) -> tuple[int, str]:
    """A limit in bytes, and where it comes from: what is free, unless the user says otherwise."""
    if max_memory is not None:
        return max_memory, "given as max_memory"
    rooms = (
        (free_on_machine(), "free on this machine"),
        (free_in_container(), "free in the container (cgroup) of this process"),
        (free_in_address_space(), "left of the address space of this process (ulimit -v)"),
    )
    return min(rooms, key=itemgetter(0))


def free_memory() -> int:
    """Bytes of memory that can still be had: on the machine, in a container, and in the address space."""
    return allowance(None)[0]


def free_in_container() -> int:
    """Bytes up to the tightest limit of the control groups that the process runs in."""
    return min((room for folder in control_groups() if (room := room_in(folder)) is not None), default=sys.maxsize)


def control_groups() -> Iterator[Path]:
    """The folders of the groups that limit memory (cgroup v2, and v1), each with those above it.

    Within a container the own group is often mounted as the root, so that its path leads nowhere.
    """
    try:
        lines = [line.split(":", 2) for line in MEMBERSHIP.read_text().splitlines()]
    except OSError:
        return
    for number, kinds, path in (line for line in lines if len(line) == 3):
        root = CGROUPS if number == "0" else CGROUPS / "memory"
        if number == "0" or "memory" in kinds.split(","):
            full = root / path.strip("/")
            yield from (full, *(parent for parent in full.parents if parent.is_relative_to(root)))


def room_in(folder: Path) -> int | None:
    """Bytes that a group may still take: pages of files that it can drop count as free. ``None``: no limit."""
    for limit, used, dropped in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        try:
            most, have = int((folder / limit).read_text()), int((folder / used).read_text())
        except (OSError, ValueError):  # no such group, or "max": no limit
            continue
        if most < UNLIMITED:
            return max(0, most - have + droppable(folder, dropped))
    return None


def droppable(folder: Path, name: str) -> int:
    """Bytes of a group's statistics, 0 where they are not told."""
    try:
        lines = (line.split() for line in (folder / "memory.stat").read_text().splitlines())
        return next((int(line[1]) for line in lines if line[0] == name), 0)
    except (OSError, ValueError, IndexError):
        return 0


def free_on_machine() -> int:
    """Bytes that the operating system says are available, or else all that the machine has."""
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 2**33


def free_in_address_space() -> int:
    """Bytes by which the address space of this process may still grow (RLIMIT_AS); Linux tells what it takes."""
    try:
        import resource  # which Windows has not

        most, _ = resource.getrlimit(resource.RLIMIT_AS)
        have = int(STATM.read_text().split()[0]) * resource.getpagesize()
    except (ImportError, OSError, ValueError, IndexError):
        return sys.maxsize
    return sys.maxsize if most == resource.RLIM_INFINITY else max(0, most - have)
