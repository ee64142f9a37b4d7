"""Every complaint this package makes: what is wrong, where, why, and how to mend it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from reprlib import Repr
from typing import Any, ClassVar


@dataclass(frozen=True)
class Problem:
    """One complaint: a stable ``code``, the place, the cause and the mend.

    ``where`` is a JSON pointer into a document (``/nodes/2/units``), a file with row and column, or a name.
    """

    code: str
    where: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        help_line = f"\n  help: {printable(self.hint)}" if self.hint else ""
        return printable(f"[{self.code}] {place}{self.message}") + help_line


class NbnError(Exception):
    """The user's input cannot be used; carries one or more :class:`Problem` in ``problems``."""

    exit_code: ClassVar[int] = 2

    def __init__(self, code: str, where: str, message: str, hint: str = "") -> None:
        self.problems: tuple[Problem, ...] = (Problem(code, where, message, hint),)
        super().__init__(code, where, message, hint)

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> NbnError:
        """One error for several problems, in their order."""
        ordered = tuple(problems)
        first = ordered[0]
        error = cls(first.code, first.where, first.message, first.hint)
        error.problems = ordered
        return error

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


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


CODES: dict[str, str] = {
    "NBN100": "the file cannot be read",
    "NBN101": "the text is not JSON",
    "NBN102": "a key stands twice in one object",
    "NBN103": "a number is not finite",
    "NBN104": "the document is too deep or too large",
    "NBN105": "the bytes are not UTF-8",
    "NBN110": "a required key is missing",
    "NBN111": "an unknown key",
    "NBN112": "a value of the wrong type",
    "NBN113": "a value out of bounds",
    "NBN114": "an unknown word where only some are known",
    "NBN115": "a version this program does not know",
    "NBN116": "a name that may not be used",
    "NBN117": "the published schema rejects the document",
    "NBN200": "a name stands for two things",
    "NBN201": "a name that nothing has",
    "NBN202": "a cycle",
    "NBN203": "shapes that do not fit",
    "NBN204": "the loss is not a scalar",
    "NBN205": "an attribute that does not fit",
    "NBN206": "the wrong number of inputs",
    "NBN208": "a parameter that cannot be initialized so",
    "NBN209": "more memory than there is",
    "NBN210": "the graph contradicts itself",
    "NBN300": "the data file cannot be read",
    "NBN301": "a column or array that is missing",
    "NBN302": "a value that is not a number",
    "NBN303": "data of the wrong shape",
    "NBN304": "numbers that are not finite",
    "NBN305": "a value the model cannot take",
    "NBN306": "no data where data is needed",
    "NBN307": "a path that leaves the spec's folder",
    "NBN400": "training cannot start",
    "NBN401": "training diverged",
    "NBN402": "the result cannot be written",
    "NBN500": "the archive cannot be read",
    "NBN501": "the archive's contents do not fit together",
}
"""Every code and what it stands for."""


LISTED, COMPARED = 60, 1000
"""How many known words a help line lists, and among how many it looks for one that is near."""


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
    words = sorted(known)
    near = get_close_matches(str(word).lower()[:100], words[:COMPARED], n=3, cutoff=0.6)
    if near:
        return "did you mean " + " or ".join(f'"{name}"' for name in near) + "?"
    more = f" and {len(words) - LISTED} more" if len(words) > LISTED else ""
    return "known: " + ", ".join(words[:LISTED]) + more if words else ""
