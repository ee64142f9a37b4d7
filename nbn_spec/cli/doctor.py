"""``doctor``: the findings as a text that ends with what to set, or as JSON."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Sequence

from nbn_spec import kernel
from nbn_spec.errors import WIDTH, printable, wrapped
from nbn_spec.machine import Advice, Checkup, doctor, python_lines, shell_lines, title
from nbn_spec.params import mebibytes
from nbn_spec.speed import CASES, Measured
from nbn_spec.version import VERSION

UNKNOWN = "unknown"
MARGIN = 14
"""Columns that the names of the findings take."""


def show_doctor(*, quick: bool, as_json: bool) -> int:
    """Look at the machine and print what was found; returns the exit code."""
    found = doctor(quick=quick)
    if as_json:
        text = json.dumps(found.to_json(), indent=2, ensure_ascii=False)
        print(text.encode(errors="backslashreplace").decode())  # a variable may hold bytes that are no text
    else:
        print(*lines(found), sep="\n")
    return 0


def lines(found: Checkup) -> Iterator[str]:
    """The findings as text."""
    for name, value in facts(found):
        lead = f"{name:{MARGIN}}"
        yield from textwrap.wrap(printable(value), WIDTH, initial_indent=lead, subsequent_indent=" " * MARGIN)
    yield ""
    for failure in found.failures:
        yield from wrapped(printable(failure), "could not measure: ")
    if found.measured:
        yield from measurements(found)
        yield from advised(found.advice, found.command_line)


def facts(found: Checkup) -> Iterator[tuple[str, str]]:
    """What was found without measuring, each with its name."""
    yield "nbn_spec", f"{VERSION}, Python {found.python}, {found.system}"
    yield "NumPy", found.numpy or UNKNOWN
    yield "CPU", f"{found.cpu or UNKNOWN}; {' '.join(found.flags) or 'no flags are told'}"
    yield "cores", cores(found)
    yield "memory", f"{mebibytes(found.free)} {found.free_where}"
    yield "BLAS", found.blas or UNKNOWN
    yield "library", found.library or UNKNOWN
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
        return f"{UNKNOWN}, as this is no OpenBLAS that can be asked"
    theirs = found.variables.get(kernel.VARIABLE)
    return f"{found.core}, {'chosen by OpenBLAS' if theirs is None else f'with {kernel.VARIABLE}={theirs}'}"


def threads(found: Checkup) -> str:
    """The number of threads, and what sets it."""
    by = found.threads_by
    setter = f"set by {by}={found.variables[by]}" if by else "set by no variable of OpenBLAS"
    return f"{found.threads or UNKNOWN}, {setter}"


def command_line(found: Checkup) -> str:
    """What ``run``, ``predict`` and ``evaluate`` do about the kernels."""
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


def advised(advice: Advice, by_itself: str) -> Iterator[str]:
    """The notes, and what to set."""
    for note in advice.notes:
        yield from wrapped(note, "note: ")
    if not advice.changes:
        yield from wrapped("nothing needs to be set: nothing was surely faster than this machine as it is", "")
        return
    for reason in advice.reasons:
        yield from wrapped(printable(reason), "")
    if by_itself:
        yield f"the command line sets {kernel.VARIABLE} itself; for your own programs:"
    yield from block("set this in the shell", shell_lines(advice.changes))
    yield from block("or in a program or notebook, before NumPy is imported", python_lines(advice.changes))


def block(said: str, body: Sequence[str]) -> Iterator[str]:
    """Lines to paste, under what they are for."""
    yield from ("", f"{said}:", "", *(f"    {line}" for line in body))
