"""Reading a document: strict JSON, with the place of everything that is wrong with it."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from nbn_spec.errors import Problem, SpecError, Steps, shorten
from nbn_spec.errors import pointer as pointer_of
from nbn_spec.source import helped
from nbn_spec.spec.locate import Found, Text, nearest
from nbn_spec.spec.mend import mend

LARGEST = 64 * 2**20
"""Bytes; larger arrays belong into files of their own."""
PART = 2**20
MOST = 1000
"""Keys that stand twice and numbers that are not finite, which are told at once."""
MENDED = 2**21
"""Characters; of longer texts only the first mistake in the JSON is told, as mending them would take long."""
DEEPEST = 64
"""Levels of lists and objects."""
ZIP = b"PK\3\4"
"""How an archive begins."""
DIGITS = 300
"""Longest number that is read as an int."""
TOKENS = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\Z)|[\[\]{}]', re.DOTALL)
PAIRS = {"{": "}", "[": "]"}
SAID = {
    "Expecting ',' delimiter": ("a comma or a closing bracket is missing", ""),
    "Expecting ':' delimiter": ("a colon is missing", 'write "key": value'),
    "Expecting property name": ("a key is missing, in double quotes", ""),
    "Expecting value": ("a value is missing", ""),
    "Illegal trailing comma": ("a comma too many", ""),
    "Extra data": ("the document has ended before this", "a file holds one document"),
    "Invalid control": (
        "a string goes over the end of its line",
        "the closing quote is missing; or within a string, a line break is written \\n, a tab \\t",
    ),
    "Invalid \\": (
        "a \\ that means nothing here",
        'inside of strings a \\ is written \\\\; in paths, "/" does on every system',
    ),
    "Unterminated": ("a string does not end", "the closing quote is missing"),
}
"""What Python's reader says in our words, and what to do."""
SEEN = {
    r".?(<{7}|={7}|>{7})": "a merge is unfinished: keep one side, and delete the three lines of these signs",
    r".?`{3}": "this line belongs to the text around the document: delete it",
    r".?(\.{3}|…)": "an ellipsis is no JSON: write out what stands there",
    r".?[A-Za-z_]\w*\s*:": "strings and keys stand in double quotes",
    r".?[“”„‘’`]": 'these are the quotes of printed text: write "',
    r".?\(": "lists stand in square brackets",
    r'"\w': "a quote is missing, here or before: a string stands between two of them",
    r"\d[-+.\w]|.?[-+.]": "numbers are written like 3, -0.5 and 1e-3",
}
"""By what stands there, the sign before it included, what to do."""


@dataclass(frozen=True)
class Document:
    """A JSON value, the text that it was read from (if it was), and what is wrong with that text."""

    value: Any
    text: Text | None = None
    problems: tuple[Problem, ...] = ()
    renamed: Mapping[Steps, Steps] = field(default_factory=dict)
    """Places of keys that were put right, and what the author has written there."""

    @property
    def where(self) -> str:
        """The file, or nothing."""
        return self.text.file if self.text else ""

    def located(self, problems: Iterable[Problem]) -> list[Problem]:
        """The problems with their places in the text, in the order of the document."""
        found = [self._placed(problem) for problem in problems]
        if self.text is None:
            return in_order(found, self.value)
        places = self.text.places([problem.path for problem in found if problem.path is not None])
        spanned = [self._spanned(problem, places) for problem in found]
        return sorted(spanned, key=lambda problem: position(problem, self.where))

    def _placed(self, problem: Problem) -> Problem:
        """A problem with its place in the author's words."""
        if problem.path is None:
            return problem
        path = self.written(problem.path)
        if problem.code != "NBN110":
            path = self._longest(path)
        return replace(problem, path=path, where=problem.where or pointer(self.where, path))

    def _spanned(self, problem: Problem, places: dict[Steps, Found]) -> Problem:
        """A problem with its span."""
        if problem.path is None or self.text is None or problem.span is not None:
            return problem
        at = nearest(places, problem.path)
        start, end = at.key if problem.of_key and at.key else at.value
        return replace(problem, span=self.text.span(start, end))

    def lines(self, paths: Iterable[Steps]) -> list[int | None]:
        """The line of each place; ``None`` where there is no text."""
        wanted = list(paths)
        if self.text is None:
            return [None] * len(wanted)
        places = self.text.places(wanted)
        return [self.text.line_of(nearest(places, path).value[0]) for path in wanted]

    def holds(self, path: Steps) -> bool:
        """Whether the author has written this place."""
        path = self._renamed(path)
        return len(self._longest(path)) == len(path)

    def written(self, path: Steps) -> Steps:
        """A canonical place as the author has written it: a misspelt key; of data, a name alone for an object."""
        path = self._renamed(path)
        if path[:1] != ("data",) or len(path) < 4 or self.holds(path):
            return path
        if self.holds(path[:3]):
            alone = not isinstance(self.at(path[:3]), Mapping)
            return self._longest((*path[:3], *path[4:])) if alone else path
        declared = ("inputs", path[2], "columns", *path[4:])
        return self._longest(declared if path[1] in ("columns", "arrays") else path)

    def _renamed(self, path: Steps) -> Steps:
        """A place in the author's keys."""
        for length in range(len(path), 0, -1) if self.renamed else ():
            if path[:length] in self.renamed:
                path = (*self.renamed[path[:length]], *path[length:])
        return path

    def at(self, path: Steps) -> Any:
        """The value at a place that is there."""
        value = self.value
        for step in path:
            value = value[step]
        return value

    def _longest(self, path: Steps) -> Steps:
        """As much of the path as is there."""
        value: Any = self.value
        for depth, step in enumerate(path):
            counted = isinstance(value, (list, tuple)) and isinstance(step, int) and step < len(value)
            if not counted and not (isinstance(value, Mapping) and step in value):
                return path[:depth]
            value = value[step]
        return path


def position(problem: Problem, file: str) -> tuple[bool, int, int]:
    """The order of problems: those of the document as they stand there, then those of other files."""
    span = problem.span
    if span is None or span.file != file:
        return True, 0, 0
    return False, span.line, span.column


def read_file(path: Path) -> Document:
    """The JSON object in a file; raises :class:`SpecError` where none can be made out."""
    try:
        content = content_of(path)
    except SpecError as error:
        raise SpecError.of(map(helped, error.problems)) from None
    return read(content, str(path))


def content_of(path: Path) -> bytes:
    """The bytes of a document; raises :class:`SpecError` for a file that cannot be opened, or is none."""
    if (text := str(path).strip()).startswith("{") and text.endswith("}"):
        message = "this looks like JSON text, not a path"
        raise SpecError("NBN100", "", message, "json.loads it first: a dict is a spec too")
    try:
        with open(path, "rb") as file:
            parts = iter(partial(file.read, PART), b"")  # a single read would take the memory of the largest file
            content = b"".join(islice(parts, LARGEST // PART + 1))
    except FileNotFoundError:
        raise SpecError("NBN100", str(path), "there is no such file") from None
    except OSError as error:
        raise SpecError("NBN100", str(path), f"cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise SpecError("NBN100", str(path), f"is no path: {error}") from None
    if content.startswith(ZIP):
        hint = "predict and evaluate take archives; in Python, nbn_spec.load gives the model, to train it on too"
        raise SpecError("NBN101", str(path), "this is an archive, not a spec", hint)
    if len(content) > LARGEST:
        message = f"has more than {LARGEST:,} bytes"
        raise SpecError("NBN104", str(path), message, "keep large arrays in csv, npy or npz files")
    return content


def read(content: bytes, where: str = "") -> Document:
    """The JSON object in ``content``; raises :class:`SpecError` where none can be made out."""
    document = read_value(content, where)
    if not isinstance(document.value, dict):
        message = f"expected an object, got {shorten(document.value)}"
        hint = 'a document begins with { and holds "name", "nodes" and "outputs"'
        found = Problem("NBN112", pointer(where, ()), message, hint, path=())
        raise SpecError.of(document.located([*document.problems, found]))
    return document


def parse(content: bytes, where: str = "") -> Any:
    """The JSON value in ``content``: no key twice, no NaN, UTF-8, no slips; raises :class:`SpecError`."""
    document = read_value(content, where)
    if document.problems:
        raise SpecError.of(document.located(document.problems))
    return document.value


def read_value(content: bytes, where: str) -> Document:
    """The JSON value in ``content``, slips mended; raises :class:`SpecError` for what cannot be."""
    text = Text(where, decode(content, where))
    check_depth(text)
    doubts = Doubts()
    problems: list[Problem] = []
    try:
        value = loads(text.content, doubts)
    except json.JSONDecodeError as error:
        mended, problems = mend(text) if len(text.content) <= MENDED else (text.content, [])
        text = replace(text, mended=mended)
        doubts = Doubts()
        try:
            value = loads(mended, doubts)
        except json.JSONDecodeError as left:
            raise SpecError.of(unmendable(text, problems, left if problems else error)) from None
    if doubts.twice or doubts.infinite:
        problems += islice(complaints(value, doubts, where), MOST)
    return Document(value, text, tuple(problems))


def unmendable(text: Text, problems: list[Problem], error: json.JSONDecodeError) -> list[Problem]:
    """The slips before the place where no JSON can be made out, and that place."""
    span = text.span(error.pos, error.pos + 1)
    hint = next_to(text, error)
    last = Problem("NBN101", str(span), f"is not JSON: {in_our_words(error)[0]}", hint, span=span)
    here = position(last, text.file)
    return [*(problem for problem in problems if position(problem, text.file) < here), last]


def loads(content: str, doubts: Doubts) -> Any:
    """The value of a text; raises ``json.JSONDecodeError``."""
    return json.loads(
        content,
        object_pairs_hook=doubts.pairs,
        parse_constant=doubts.number,
        parse_float=doubts.number,
        parse_int=doubts.integer,
    )


@dataclass
class Doubts:
    """What Python's reader of JSON lets pass: keys that stand twice, and numbers that are not finite."""

    twice: dict[int, tuple[dict[str, Any], list[str]]] = field(default_factory=dict)
    """By its id, each object with such keys (kept, so that no later object gets the id), and the keys."""
    infinite: bool = False

    def pairs(self, items: list[tuple[str, Any]]) -> dict[str, Any]:
        """An object from its keys and values."""
        made = dict(items)
        if len(made) < len(items):
            counts = Counter(name for name, _ in items)
            self.twice[id(made)] = made, [name for name, count in counts.items() if count > 1]
        return made

    def number(self, text: str) -> float:
        """A number with a fraction or an exponent, or ``NaN`` and its like."""
        value = float(text)
        self.infinite |= not math.isfinite(value)
        return value

    def integer(self, text: str) -> int | float:
        """A number without; one that is too long for an int is read as a float."""
        return int(text) if len(text) <= DIGITS else self.number(text)


def decode(content: bytes, where: str) -> str:
    """The text of the bytes; a byte-order mark is passed over."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start]
        text = Text(where, before.decode("utf-8-sig", "replace") + "\N{REPLACEMENT CHARACTER}")
        span = text.span(len(text.content) - 1, len(text.content))
        message = f"is not UTF-8: byte 0x{error.object[error.start]:02x}"
        raise SpecError("NBN105", str(span), message, "save the file as UTF-8", span=span) from None


def check_depth(text: Text) -> None:
    """Refuse documents that nest deeper than any spec does."""
    depth = 0
    for token in TOKENS.finditer(text.content):
        mark = token.group()[0]
        depth += (mark in "[{") - (mark in "]}")
        if depth > DEEPEST:
            span = text.span(token.start(), token.start() + 1)
            raise SpecError("NBN104", str(span), f"nests deeper than {DEEPEST} levels", span=span)


def check_nesting(document: Mapping[str, Any]) -> None:
    """The same for a document that Python code has made; raises :class:`SpecError`."""
    level: list[Any] = [document]
    for _ in range(DEEPEST):
        parts = (part.values() if isinstance(part, dict) else part for part in level)
        inner = {id(item): item for part in parts for item in part if isinstance(item, (dict, list, tuple))}
        level = list(inner.values())  # each once, lest an object that holds itself twice becomes 2⁶⁴
    if level:
        raise SpecError("NBN104", "", f"the document nests deeper than {DEEPEST} levels")


def next_to(text: Text, error: json.JSONDecodeError) -> str:
    """What to do about the place where reading ended, for the help line."""
    content, at = text.content, error.pos
    rest = content[at : at + 30].split("\n", maxsplit=1)[0].strip()
    for pattern, hint in SEEN.items():
        if re.match(pattern, content[max(at - 1, 0) : at] + rest, re.DOTALL):
            return hint
    if error.msg.startswith("Extra data") and rest[0] in "]}":
        return "there is one closing bracket too many"
    if hint := in_our_words(error)[1]:
        return hint
    if not rest:
        return f"the text ends too early{never_closed(text, at)}"
    return f"this stands there: {shorten(rest)}{never_closed(text, at) if rest[0] in '[]{}' else ''}"


def in_our_words(error: json.JSONDecodeError) -> tuple[str, str]:
    """What Python's reader says, and what to do."""
    if not error.doc.strip():
        return "the text is empty", 'a document begins with { and holds "name", "nodes" and "outputs"'
    known = (said for words, said in SAID.items() if error.msg.startswith(words))
    return next(known, (error.msg, ""))


def never_closed(text: Text, at: int) -> str:
    """The bracket before a place that is still open there: by the indentation or, if that is silent, the last."""
    waiting: list[tuple[str, int]] = []
    suspect: tuple[str, int] | None = None
    for token in TOKENS.finditer(text.content, 0, at):
        mark = token.group()[0]
        if mark in "[{":
            waiting.append((mark, token.start()))
        elif mark in "]}" and waiting:
            opened = waiting.pop()
            if suspect is None and indent(text, token.start()) < indent(text, opened[1]):
                suspect = opened
    if not waiting:
        return ""
    mark, start = suspect or waiting[-1]
    return f'; the "{mark}" of line {text.line_of(start)} waits for its "{PAIRS[mark]}"'


def indent(text: Text, position: int) -> int:
    """By how much the line of a place is indented."""
    line = text.content[text.starts[text.line_of(position) - 1] :][:200]
    return len(line) - len(line.lstrip(" \t"))


def complaints(document: Any, doubts: Doubts, where: str) -> Iterator[Problem]:
    """A problem for every key that stands twice and every number that is not finite, with its place."""
    waiting: list[tuple[Steps, Any]] = [((), document)]
    while waiting:
        path, value = waiting.pop()
        for key in doubts.twice.get(id(value), (None, ()))[1]:
            message, place = f'the key "{key}" stands twice in one object', (*path, key)
            yield Problem("NBN102", pointer(where, place), message, "keep one of them", path=place, of_key=True)
        if isinstance(value, dict):
            waiting.extend(((*path, key), item) for key, item in reversed(value.items()))
        elif isinstance(value, list):
            waiting.extend(((*path, i), value[i]) for i in reversed(range(len(value))) if is_doubtful(value[i]))
        elif isinstance(value, float) and not math.isfinite(value):
            message = f"{value} is no finite number"
            hint = "numbers lie within ±1.7e308; NaN is none"
            yield Problem("NBN103", pointer(where, path), message, hint, path=path)


def is_doubtful(value: object) -> bool:
    """Whether there may be something wrong in an item of a list."""
    return isinstance(value, (dict, list)) or (isinstance(value, float) and not math.isfinite(value))


def pointer(where: str, path: Steps) -> str:
    """A place in a document: the file, and behind # a JSON pointer (RFC 6901)."""
    return f"{where}#{pointer_of(path)}" if where else pointer_of(path)


def in_order(problems: Iterable[Problem], document: Any) -> list[Problem]:
    """The problems in the order in which their places stand in the document; what is missing comes first."""
    numbers: dict[int, dict[object, int]] = {}

    def place(problem: Problem) -> tuple[int, ...]:
        value, found = document, []
        for step in problem.path or ():
            if isinstance(value, Mapping):
                if id(value) not in numbers:
                    numbers[id(value)] = {key: i for i, key in enumerate(value)}
                found.append(numbers[id(value)].get(step, -1))
                value = value.get(step)
            elif isinstance(value, (list, tuple)) and isinstance(step, int) and step < len(value):
                found.append(step)
                value = value[step]
        return (problem.path is None, *found)

    return sorted(problems, key=place)
