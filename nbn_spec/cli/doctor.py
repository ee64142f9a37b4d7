"""``doctor``: the findings as a text that ends with what to set, or as JSON."""

from __future__ import annotations

import json
import signal
import textwrap
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from nbn_spec import kernel
from nbn_spec.capacity import mebibytes
from nbn_spec.cli.guard import say
from nbn_spec.errors import WIDTH, printable, wrapped
from nbn_spec.machine import THREADS, Checkup, doctor, is_taken, number, python_lines, shell_lines, title
from nbn_spec.speed import CASES, Measured
from nbn_spec.version import VERSION

FORMAT = 1
"""Version of the document that ``doctor --format json`` prints."""
TERMINATED = 128 + signal.SIGTERM
"""The exit code after SIGTERM, as shells have it."""
UNKNOWN = "unknown"
UNMEASURED = f"{UNKNOWN}, as nothing could be measured"
MARGIN = 14
"""Columns that the names of the findings take."""


def show_doctor(*, quick: bool, as_json: bool, keep: bool | None = None) -> int:
    """Look at the machine and print what was found; returns the exit code.

    ``keep`` is what :func:`nbn_spec.machine.doctor` takes.
    """
    with terminable():
        found = doctor(quick=quick, keep=keep)
    if as_json:
        head = {"format": FORMAT, "command": "doctor", "exit_code": 0, "nbn_spec": VERSION}
        text = json.dumps(head | found.to_json(), indent=2, ensure_ascii=False, allow_nan=False)
        print(text.encode(errors="backslashreplace").decode())  # a variable may hold bytes that are no text
    else:
        print(*lines(found), sep="\n")
    return 0


@contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM ends what is done here as an exception does, so that no process is left that measures."""
    before = signal.getsignal(signal.SIGTERM)
    if threading.current_thread() is not threading.main_thread() or before in (signal.SIG_IGN, None):
        yield
        return
    signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def leave(number: int, frame: FrameType | None) -> NoReturn:
    """The answer to SIGTERM."""
    say("terminated")
    raise SystemExit(TERMINATED)


def lines(found: Checkup) -> Iterator[str]:
    """The findings as text."""
    for name, value in facts(found):
        lead = f"{name:{MARGIN}}"
        yield from folded(printable(value), lead)
    yield ""
    for failure in found.failures:
        yield from wrapped(printable(failure), "could not measure: ")
    if found.measured:
        yield from measurements(found)
        yield from advised(found)


def folded(text: str, lead: str) -> list[str]:
    """A text behind a lead, in lines broken at spaces alone: what is to be copied, such as a path, stays whole."""
    indent = " " * len(lead)
    fold = textwrap.TextWrapper(WIDTH, lead, indent, break_on_hyphens=False, break_long_words=False)
    return fold.wrap(text)


def facts(found: Checkup) -> Iterator[tuple[str, str]]:
    """What was found without measuring, each with its name."""
    yield "nbn_spec", f"{VERSION}, Python {found.python}, {found.system}"
    yield "NumPy", found.numpy if found.measured else f"{found.numpy} is installed" if found.numpy else UNMEASURED
    yield "CPU", f"{found.cpu or UNKNOWN}; {' '.join(found.flags) or 'no flags are told'}"
    yield "cores", cores(found)
    yield "memory", f"{mebibytes(found.free)} {found.free_where}"
    yield "BLAS", found.blas or unknown(found)
    yield "library", found.library or unknown(found)
    yield "kernels", kernels(found)
    yield "threads", threads(found)
    yield "variables", ", ".join(f"{name}={value}" for name, value in found.variables.items()) or "none are set"
    yield "command line", command_line(found)


def cores(found: Checkup) -> str:
    """How many cores there are, and how much of them may be used."""
    limit = "no limit on their time is known" if found.quota is None else f"time for {found.quota:g} of them"
    return f"{found.cores} usable of {found.processors}; {limit}"


def kernels(found: Checkup) -> str:
    """The kernels in force, and who chose them."""
    if not found.core:
        return unknown(found)
    theirs = found.variables.get(kernel.VARIABLE)
    if is_taken(found):
        return f"{found.core}, with {kernel.VARIABLE}={theirs}"
    refused = f", which does not take {kernel.VARIABLE}={theirs}" if theirs else ""
    return f"{found.core}, chosen by OpenBLAS{refused}"


def unknown(found: Checkup) -> str:
    """Why something is not known of the BLAS."""
    return f"{UNKNOWN}, as this is no OpenBLAS that can be asked" if found.measured else UNMEASURED


def threads(found: Checkup) -> str:
    """The number of threads, and what sets it."""
    if found.threads is None:
        return unknown(found)
    values = [(name, found.variables[name]) for name in THREADS if name in found.variables]
    ignored = [f"{name}={value} is ignored" for name, value in values if not number(value)]
    return "; ".join([f"{found.threads}, {setter(found, found.threads)}", *ignored])


def setter(found: Checkup, threads: int) -> str:
    """What sets the number of threads, and whether it asks for more than it gets."""
    if not found.threads_by:
        return "set by no variable of OpenBLAS"
    value = found.variables[found.threads_by]
    said = f"set by {found.threads_by}={value}"
    if number(value) <= threads:
        return said
    return f"{said}, which asks for more than {'there are cores' if number(value) > found.cores else 'it takes'}"


def command_line(found: Checkup) -> str:
    """What ``run``, ``predict`` and ``evaluate`` do about the kernels."""
    if found.command_line is None:
        return UNMEASURED
    if not found.command_line:
        return "run, predict and evaluate leave the kernels as they are"
    return f"run, predict and evaluate set {kernel.VARIABLE}={found.command_line} themselves"


def measurements(found: Checkup) -> Iterator[str]:
    """The table of what was measured."""
    rounds = f"medians of {found.rounds} rounds in turn" if found.rounds > 1 else "one round"
    yield f"GFLOP/s of matrix products, {rounds}, each in a process of its own"
    yield ""
    rows = [cells(measured) for measured in found.measured]
    heads = ("setting", "kernels", "threads", *map(title, CASES), "same, on one thread")
    first, second = zip(*(split(head) for head in heads), strict=True)
    table = [first, second, *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        yield "  ".join(
            place(cell, width, i) for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
    yield ""


def split(head: str) -> tuple[str, str]:
    """A head in two lines: a dtype over the lengths."""
    words = head.split()
    middle = (len(words) + 1) // 2
    return " ".join(words[:middle]), " ".join(words[middle:])


def place(cell: str, width: int, column: int) -> str:
    """A cell in its column: words to the left, numbers to the right."""
    return cell.ljust(width) if column < 2 else cell.rjust(width)


def cells(measured: Measured) -> tuple[str, ...]:
    """A measured setting as a row of the table."""
    rates = (*(measured.rate(case) for case in CASES), measured.alone)
    numbers = ("-" if rate is None else f"{rate:,.1f}" for rate in rates)
    return (measured.setting.name, measured.core or UNKNOWN, str(measured.threads or UNKNOWN), *numbers)


def advised(found: Checkup) -> Iterator[str]:
    """The notes, and what to set."""
    advice = found.advice
    for note in advice.notes:
        yield from wrapped(note, "note: ")
    if not advice.changes:
        yield from wrapped(nothing(found.measured[0]), "")
        return
    for reason in advice.reasons:
        yield from wrapped(printable(reason), "")
    if found.command_line == advice.changes.get(kernel.VARIABLE):
        yield f"the command line sets {kernel.VARIABLE} itself; for your own programs:"
    yield from block("set this in the shell", shell_lines(advice.changes))
    yield from block("or in a program or notebook, before NumPy is imported", python_lines(advice.changes))


def nothing(base: Measured) -> str:
    """Why nothing is advised beside the machine as it is."""
    if base.is_right is None:
        return "nothing is advised: this machine as it is could not be measured"
    if not base.is_right:
        return "nothing is advised, as no other kernels that could be set are right: do not trust this BLAS"
    return "nothing needs to be set: nothing was surely faster than this machine as it is"


def block(said: str, body: Sequence[str]) -> Iterator[str]:
    """Lines to paste, under what they are for."""
    yield from ("", f"{said}:", "", *(f"    {line}" for line in body))
