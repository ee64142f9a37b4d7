"""Reading a document: strict JSON, with the place of everything that is wrong with it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nbn_spec.errors import Problem, SpecError, shorten
from nbn_spec.spec.models import LANGUAGE

LARGEST = 64 * 2**20
"""Bytes; larger arrays belong into files of their own."""
DEEPEST = 64
TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)


def read_file(path: Path) -> dict[str, Any]:
    """The JSON object in a file; raises :class:`SpecError`."""
    try:
        size = path.stat().st_size
        if size > LARGEST:
            message = f"has {size:,} bytes, more than {LARGEST:,}"
            raise SpecError("NBN104", str(path), message, "keep large arrays in csv, npy or npz files")
        content = path.read_bytes()
    except FileNotFoundError:
        raise SpecError("NBN100", str(path), "there is no such file") from None
    except OSError as error:
        raise SpecError("NBN100", str(path), f"cannot be read: {error.strerror or error}") from None
    return read(content, str(path))


def read(content: bytes, where: str = "") -> dict[str, Any]:
    """The JSON object in ``content``, of a version that is known; raises :class:`SpecError`."""
    document = parse(content, where)
    if not isinstance(document, dict):
        raise SpecError("NBN112", pointer(where, ()), f"expected an object, got {shorten(document)}")
    check_version(document, where)
    return document


def parse(content: bytes, where: str = "") -> Any:
    """The JSON value in ``content``: no key twice, no NaN, UTF-8; raises :class:`SpecError`."""
    text = decode(content, where)
    check_depth(text, where)
    doubtful: list[str] = []
    twice: dict[int, str] = {}
    alive = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(items)
        if len(made) < len(items):
            names = [name for name, _ in items]
            alive.append(made)  # so that no later object gets its id
            twice[id(made)] = next(name for name in names if names.count(name) > 1)
        return made

    def constant(word: str) -> float:
        doubtful.append(word)
        return float(word)

    try:
        document = json.loads(text, object_pairs_hook=pairs, parse_constant=constant)
    except json.JSONDecodeError as error:
        place = f"{where}:{error.lineno}:{error.colno}"
        raise SpecError("NBN101", place, f"is not JSON: {error.msg}", next_to(text, error.pos)) from None
    except ValueError as error:
        raise SpecError("NBN103", where, f"holds a number with too many digits: {error}") from None
    if twice or doubtful:
        raise SpecError.of(complaints(document, twice, where))
    return document


def decode(content: bytes, where: str) -> str:
    """The text of the bytes; a byte-order mark is passed over."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        message = f"is not UTF-8: byte 0x{content[error.start]:02x} in line {line}"
        raise SpecError("NBN105", f"{where}:{line}", message, "save the file as UTF-8") from None


def check_depth(text: str, where: str) -> None:
    """Refuse documents that nest deeper than any spec does."""
    depth = 0
    for token in TOKENS.finditer(text):
        mark = token.group()[0]
        depth += (mark in "[{") - (mark in "]}")
        if depth > DEEPEST:
            line = text.count("\n", 0, token.start()) + 1
            raise SpecError("NBN104", f"{where}:{line}", f"nests deeper than {DEEPEST} levels")


def next_to(text: str, position: int) -> str:
    """What stands at a position, for the help line."""
    rest = text[position : position + 30].split("\n", maxsplit=1)[0].strip()
    before = text[:position].rstrip()[-1:]
    if before == "," and rest[:1] in ("}", "]"):
        return f'a comma stands before "{rest[:1]}": take it away'
    if rest[:1] == "'":
        return "strings and keys stand in double quotes"
    if rest[:2] in ("//", "/*") or rest[:1] == "#":
        return 'JSON has no comments: write "doc" instead'
    return f"it stands before: {shorten(rest)}" if rest else "the text ends too early"


def complaints(document: Any, twice: Mapping[int, str], where: str) -> Iterator[Problem]:
    """A problem for every key that stands twice and every number that is not finite, with its place."""
    waiting: list[tuple[tuple[object, ...], Any]] = [((), document)]
    while waiting:
        path, value = waiting.pop()
        if id(value) in twice:
            place = pointer(where, (*path, twice[id(value)]))
            yield Problem(
                "NBN102", place, f'the key "{twice[id(value)]}" stands twice in one object', "keep one of them"
            )
        if isinstance(value, dict):
            waiting.extend(((*path, key), item) for key, item in reversed(value.items()))
        elif isinstance(value, list):
            waiting.extend(((*path, i), item) for i, item in reversed(list(enumerate(value))))
        elif isinstance(value, float) and not math.isfinite(value):
            yield Problem("NBN103", pointer(where, path), f"{value} is no JSON number", "give a finite number")


def pointer(where: str, path: tuple[object, ...]) -> str:
    """A place in a document: the file, and behind # a JSON pointer (RFC 6901)."""
    steps = "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)
    return f"{where}#{steps or '/'}" if where else steps or "/"


def check_version(document: Mapping[str, Any], where: str) -> None:
    """Refuse a language that this program does not know yet."""
    version = document.get("version", LANGUAGE)
    if isinstance(version, int) and not isinstance(version, bool) and version > LANGUAGE:
        message = f"is written in version {version} of the language; this program knows up to {LANGUAGE}"
        raise SpecError("NBN115", pointer(where, ("version",)), message, "update nbn_spec")
