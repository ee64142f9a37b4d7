"""Reading a document: strict JSON, with the place of everything that is wrong with it."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbn_spec.errors import Problem, SpecError, shorten
from nbn_spec.spec.models import LANGUAGE

LARGEST = 64 * 2**20
"""Bytes; larger arrays belong into files of their own."""
DEEPEST = 64
"""Levels of lists and objects."""
ZIP = b"PK\3\4"
"""How an archive begins."""
DIGITS = 300
"""Longest number that is read as an int."""
TOKENS = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\Z)|[\[\]{}]', re.DOTALL)


def read_file(path: Path) -> dict[str, Any]:
    """The JSON object in a file; raises :class:`SpecError`."""
    if (text := str(path).strip()).startswith("{") and text.endswith("}"):
        message = "this looks like JSON text, not a path"
        raise SpecError("NBN100", "", message, "json.loads it first: a dict is a spec too")
    try:
        with open(path, "rb") as file:
            content = file.read(LARGEST + 1)
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
    return read(content, str(path))


def read(content: bytes, where: str = "") -> dict[str, Any]:
    """The JSON object in ``content``; raises :class:`SpecError`."""
    document = parse(content, where)
    if not isinstance(document, dict):
        raise SpecError("NBN112", pointer(where, ()), f"expected an object, got {shorten(document)}")
    return document


def parse(content: bytes, where: str = "") -> Any:
    """The JSON value in ``content``: no key twice, no NaN, UTF-8; raises :class:`SpecError`."""
    text = decode(content, where)
    check_depth(text, where)
    doubts = Doubts()
    try:
        document = json.loads(
            text,
            object_pairs_hook=doubts.pairs,
            parse_constant=doubts.number,
            parse_float=doubts.number,
            parse_int=doubts.integer,
        )
    except json.JSONDecodeError as error:
        place = f"{where}:{error.lineno}:{error.colno}"
        raise SpecError("NBN101", place, f"is not JSON: {error.msg}", next_to(text, error.pos)) from None
    if doubts.twice or doubts.infinite:
        raise SpecError.of(complaints(document, doubts, where))
    return document


@dataclass
class Doubts:
    """What Python's reader of JSON lets pass: keys that stand twice, and numbers that are not finite."""

    twice: dict[int, tuple[dict[str, Any], str]] = field(default_factory=dict)
    """By its id, each object with such a key (kept, so that no later object gets the id), and the key."""
    infinite: bool = False

    def pairs(self, items: list[tuple[str, Any]]) -> dict[str, Any]:
        """An object from its keys and values."""
        made = dict(items)
        if len(made) < len(items):
            twice = next(name for name, count in Counter(name for name, _ in items).items() if count > 1)
            self.twice[id(made)] = made, twice
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
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        message = f"is not UTF-8: byte 0x{error.object[error.start]:02x}"
        raise SpecError("NBN105", f"{where}:{line}:{column}", message, "save the file as UTF-8") from None


def check_depth(text: str, where: str) -> None:
    """Refuse documents that nest deeper than any spec does."""
    depth = 0
    for token in TOKENS.finditer(text):
        mark = token.group()[0]
        depth += (mark in "[{") - (mark in "]}")
        if depth > DEEPEST:
            start = token.start()
            line, column = text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start)
            raise SpecError("NBN104", f"{where}:{line}:{column}", f"nests deeper than {DEEPEST} levels")


def check_nesting(document: Mapping[str, Any]) -> None:
    """The same for a document that Python code has made; raises :class:`SpecError`."""
    level: list[Any] = [document]
    for _ in range(DEEPEST):
        parts = (part.values() if isinstance(part, dict) else part for part in level)
        inner = {id(item): item for part in parts for item in part if isinstance(item, (dict, list, tuple))}
        level = list(inner.values())  # each once, lest an object that holds itself twice becomes 2⁶⁴
    if level:
        raise SpecError("NBN104", "", f"the document nests deeper than {DEEPEST} levels")


def next_to(text: str, position: int) -> str:
    """What stands at a position, for the help line."""
    if not text.strip():
        return "the text is empty"
    if text[position : position + 1] < " " and '"' in text[:position] and position < len(text):
        return "inside of strings a line break is written \\n, a tab \\t"
    rest = text[position : position + 30].split("\n", maxsplit=1)[0].strip()
    before = text[:position].rstrip()[-1:]
    if before == "," and rest[:1] in ("}", "]"):
        return f'a comma stands before "{rest[:1]}": take it away'
    if rest[:1] == "'":
        return "strings and keys stand in double quotes"
    if rest[:2] in ("//", "/*") or rest[:1] == "#":
        return 'JSON has no comments: write "doc" instead'
    return f"it stands before: {shorten(rest)}" if rest else "the text ends too early"


def complaints(document: Any, doubts: Doubts, where: str) -> Iterator[Problem]:
    """A problem for every key that stands twice and every number that is not finite, with its place."""
    waiting: list[tuple[tuple[object, ...], Any]] = [((), document)]
    while waiting:
        path, value = waiting.pop()
        if id(value) in doubts.twice:
            key = doubts.twice[id(value)][1]
            message = f'the key "{key}" stands twice in one object'
            yield Problem("NBN102", pointer(where, (*path, key)), message, "keep one of them")
        if isinstance(value, dict):
            waiting.extend(((*path, key), item) for key, item in reversed(value.items()))
        elif isinstance(value, list):
            waiting.extend(((*path, i), item) for i, item in reversed(list(enumerate(value))))
        elif isinstance(value, float) and not math.isfinite(value):
            message = f"{value} is no finite number"
            yield Problem("NBN103", pointer(where, path), message, "numbers lie within ±1.7e308; NaN is none")


def pointer(where: str, path: tuple[object, ...]) -> str:
    """A place in a document: the file, and behind # a JSON pointer (RFC 6901)."""
    steps = "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)
    return f"{where}#{steps or '/'}" if where else steps or "/"


def in_order(problems: Iterable[Problem], document: Any, where: str) -> list[Problem]:
    """The problems in the order in which their places stand in the document; what is missing comes first."""
    numbers: dict[int, dict[object, int]] = {}

    def position(problem: Problem) -> tuple[int, ...]:
        value, found = document, []
        for step in steps(problem.where, where):
            if isinstance(value, Mapping):
                if id(value) not in numbers:
                    numbers[id(value)] = {key: i for i, key in enumerate(value)}
                found.append(numbers[id(value)].get(step, -1))
                value = value.get(step)
            elif isinstance(value, (list, tuple)) and step.isdigit() and int(step) < len(value):
                found.append(int(step))
                value = value[int(step)]
        return tuple(found)

    return sorted(problems, key=position)


def steps(place: str, where: str) -> list[str]:
    """The steps of a JSON pointer that :func:`pointer` made."""
    path = place.removeprefix(where).removeprefix("#")
    return [step.replace("~1", "/").replace("~0", "~") for step in path.split("/")[1:]]


def check_version(document: Mapping[str, Any], where: str) -> None:
    """Refuse a language that this program does not know."""
    version, place = document.get("version", LANGUAGE), pointer(where, ("version",))
    if isinstance(version, bool) or not isinstance(version, (int, float)):
        raise SpecError("NBN112", place, f"expected {LANGUAGE}, got {shorten(version)}")
    if version > LANGUAGE:
        message = f"is written in version {shorten(version)} of the language; this program knows up to {LANGUAGE}"
        raise SpecError("NBN115", place, message, "update nbn_spec")
    if version != LANGUAGE:
        raise SpecError("NBN115", place, f"there is no version {shorten(version)}", f"write {LANGUAGE}")
