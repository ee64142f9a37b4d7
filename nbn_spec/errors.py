"""Every complaint this package makes: what is wrong, where, why, and how to mend it."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from reprlib import Repr
from typing import Any, ClassVar, Literal, Self
from unicodedata import combining, east_asian_width

WIDTH = 100
"""Columns that a message takes at most."""
MOST_SHOWN = 20
"""Problems that are shown at once; the rest is counted."""
LISTED, COMPARED = 60, 1000
"""How many known words a help line lists, and among how many it looks for one that is near."""
Steps = tuple[object, ...]
"""The steps of a JSON pointer."""


@dataclass(frozen=True)
class Span:
    """A stretch of a line of text: ``line`` and ``column`` count from 1.

    ``source`` is the line or, of a very long one, the part around the place; ``cut`` counts what is left out
    before it.
    """

    file: str
    line: int
    column: int
    length: int = 1
    source: str = ""
    cut: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"

    def excerpt(self) -> Iterator[str]:
        """The line with its number and, beneath it, carets; of a long line the part around them."""
        number = f"{self.line:5} | "
        room, first = WIDTH - len(number), self.column - 1 - self.cut
        text = "".join(map(visible, self.source))
        left, right = window(text, first, self.length, room)
        dots, more = "…" if left or self.cut else "", "…" if right < len(text) else ""
        while dots and cells(text[left : left + 1]) == 0:
            left += 1
        while more and cells(text[right - 1 : right]) == 0:
            right -= 1
        left, right = left + len(dots), right - len(more)
        before = min(cells(dots + text[left:first]), room - 1)
        yield (number + dots + text[left:right] + more).rstrip()
        carets = "^" * max(1, min(cells(text[first : first + self.length]), room - before))
        yield " " * (len(number) - 2) + "| " + " " * before + carets


def window(text: str, first: int, length: int, room: int) -> tuple[int, int]:
    """The part of a line that fits into so many columns: its beginning, or what stands around a place."""
    left, taken = first, 0
    if cells(text[: first + length]) <= room and first < len(text):
        left = 0
    while left > 0 and taken < room // 3:
        left -= 1
        taken += cells(text[left : left + 1])
    right, total = left, 0
    while right < len(text) and (total := total + cells(text[right])) <= room - (first == len(text)):
        right += 1
    total = cells(text[left:right]) + (first == len(text))
    while left > 0 and (total := total + cells(text[left - 1 : left])) <= room:
        left -= 1
    return left, right


def cells(text: str) -> int:
    """How many columns of a terminal a text takes: wide signs take two, combining ones none."""
    return sum(0 if combining(sign) else 1 + (east_asian_width(sign) in "WF") for sign in text)


def visible(sign: str) -> str:
    """A sign as an excerpt shows it: one that is, or at least takes, a place of its own."""
    return sign if sign.isprintable() else " " if sign == "\t" else "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True)
class Problem:
    """One complaint: a stable ``code``, the place, the cause and the mend.

    ``where`` is the place in words: a JSON pointer into a document (``model.json#/nodes/2/units``), a file with
    row and column, or a name. ``path`` holds the steps of the pointer where the place is in a spec (a node may be
    told by its name: ``("nodes", "z1", "weight")``), ``of_key`` says that the key itself is meant and not its
    value, and ``span`` is the place in the text, as far as there is one. ``notes`` are further lines.
    """

    code: str
    where: str
    message: str
    hint: str = ""
    notes: tuple[str, ...] = ()
    path: Steps | None = None
    of_key: bool = False
    span: Span | None = None
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> Iterator[str]:
        """The complaint as text, no line wider than ``WIDTH`` (but for a long path)."""
        place = "" if self.span is None else f"{printable(str(self.span))} "
        shown = self.where and not (self.span and self.where.startswith(self.span.file))
        where = f"{printable(self.where)}: " if shown else ""
        yield from wrapped(printable(self.message), f"{place}{self.severity}[{self.code}] {where}")
        if self.span is not None and self.span.source:
            yield from self.span.excerpt()
        for note in self.notes:
            yield from wrapped(printable(note), "   ")
        if self.hint:
            yield from wrapped(printable(self.hint), "   help: ")

    def to_json(self) -> dict[str, Any]:
        """The complaint as ``schemas/report.schema.json`` has it."""
        span = self.span
        return {
            "code": self.code,
            "severity": self.severity,
            "where": self.where,
            "file": span.file if span else None,
            "line": span.line if span else None,
            "column": span.column if span else None,
            "length": span.length if span else None,
            "pointer": None if self.path is None else pointer(self.path),
            "message": self.message,
            "notes": list(self.notes),
            "help": self.hint,
        }


def wrapped(text: str, lead: str) -> Iterator[str]:
    """``text`` behind ``lead``, in lines that fit; where one does not suffice, below it and indented."""
    if len(lead) + len(text) <= WIDTH:
        yield (lead + text).rstrip()
        return
    indent = " " * 6
    if len(lead) < WIDTH // 4:
        yield from textwrap.wrap(lead + text, WIDTH, subsequent_indent=indent, break_on_hyphens=False)
        return
    yield lead.rstrip()
    yield from textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)


def pointer(path: Steps) -> str:
    """The JSON pointer of some steps (RFC 6901); ``/`` for the whole document."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path) or "/"


class NbnError(Exception):
    """The user's input cannot be used; carries one or more :class:`Problem` in ``problems``."""

    exit_code: ClassVar[int] = 2

    def __init__(self, code: str, where: str, message: str, hint: str = "", **more: Any) -> None:
        self.problems: tuple[Problem, ...] = (Problem(code, where, message, hint, **more),)
        super().__init__(code, where, message, hint)

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> Self:
        """One error for several problems, in their order."""
        ordered = tuple(problems)
        first = ordered[0]
        error = cls(first.code, first.where, first.message, first.hint)
        error.problems = ordered
        return error

    def at(self, *path: object) -> list[Problem]:
        """The problems, said to stand beneath this place of the spec."""
        return [replace(problem, path=(*path, *(problem.path or ()))) for problem in self.problems]

    def __str__(self) -> str:
        lines = [line for problem in self.problems[:MOST_SHOWN] for line in problem.lines()]
        more = len(self.problems) - MOST_SHOWN
        return "\n".join([*lines, f"and {more:,} more"] if more > 0 else lines)


class SpecError(NbnError):
    """The document is not a spec: NBN1xx."""


class GraphError(NbnError):
    """The spec describes no valid graph: NBN2xx."""


class DataError(NbnError):
    """The data does not fit the model: NBN3xx."""


class TrainingError(NbnError):
    """Training cannot start as it is asked for: NBN4xx."""


class Diverged(NbnError):
    """A value became infinite or not a number during training: NBN401. ``history`` holds the epochs before."""

    exit_code = 3
    history: Any = None


class ArchiveError(NbnError):
    """The archive is damaged, unreadable or not ours: NBN5xx."""


KINDS: dict[str, type[NbnError]] = {
    "1": SpecError,
    "2": GraphError,
    "3": DataError,
    "4": TrainingError,
    "5": ArchiveError,
}
"""The error for each group of codes."""


def error_of(problems: Iterable[Problem]) -> NbnError:
    """The error for problems of one or several groups: that of the earliest stage."""
    ordered = tuple(problems)
    return KINDS[min(problem.code[3] for problem in ordered)].of(ordered)


def printable(text: str) -> str:
    """``text`` with control characters and line breaks escaped: names from a document cannot steer a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class Short(Repr):
    """Values as JSON writes them, of any depth, length and size in a short time."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxlist, self.maxtuple, self.maxdict, self.maxother = 6, 20, 20, 20, 400

    def repr_str(self, x: str, level: int) -> str:
        """A string in double quotes, halves of surrogate pairs escaped; no message shows more of it than this."""
        return json.dumps(x[:400], ensure_ascii=False).encode(errors="backslashreplace").decode()

    def repr_int(self, x: int, level: int) -> str:
        """A number; Python refuses to print those of thousands of digits."""
        return str(x) if x.bit_length() < 1000 else f"a number of {x.bit_length()} bits"

    def repr_bool(self, x: bool, level: int) -> str:
        """``true`` or ``false``."""
        return str(x).lower()

    def repr_NoneType(self, x: None, level: int) -> str:  # noqa: N802  # reprlib finds it by the type's name
        """``null``."""
        return "null"


SHORT = Short()


def shorten(value: object, limit: int = 60) -> str:
    """``value`` as JSON, as far as it is that, cut to ``limit`` characters."""
    text = SHORT.repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def suggestion(word: object, known: Iterable[str]) -> str:
    """“did you mean …”, or the known words where none is near."""
    from difflib import get_close_matches  # only a complaint needs it, and loading a model has none

    words = sorted(known)
    near = get_close_matches(str(word).lower()[:100], words[:COMPARED], n=3, cutoff=0.6)
    if near:
        return "did you mean " + " or ".join(f'"{name}"' for name in near) + "?"
    more = f" and {len(words) - LISTED} more" if len(words) > LISTED else ""
    return "known: " + ", ".join(words[:LISTED]) + more if words else ""
