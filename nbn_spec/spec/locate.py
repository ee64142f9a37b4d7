"""From places in a document to places in its text: which line and column a JSON pointer means.

Nobody asks before something is wrong, so reading keeps no map. The text is walked once for all wanted places; what
lies beside the way is passed over by Python's own reader of JSON, which tells where each value ends.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from nbn_spec.errors import WIDTH, Span, Steps

SPACE = re.compile(r"[ \t\n\r]*")
READER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)
"""Numbers stay text: here only their ends matter, and Python refuses those of thousands of digits."""
KEPT = 2 * WIDTH
"""Characters of a line that a span keeps on either side of its place."""
Range = tuple[int, int]


@dataclass(frozen=True)
class Found:
    """Where a value stands in the text and, if it has one, its key."""

    value: Range
    key: Range | None = None


@dataclass
class Wanted:
    """The wanted places beneath a value, by the next step."""

    steps: dict[object, Wanted] = field(default_factory=dict)

    def add(self, path: Steps) -> None:
        """Want a place and all places above it."""
        here = self
        for step in path:
            here = here.steps.setdefault(step, Wanted())


@dataclass(frozen=True)
class Text:
    """The text of a document and the file it comes from; ``mended`` is the same without slips in its JSON."""

    file: str
    content: str
    mended: str = ""

    @cached_property
    def starts(self) -> list[int]:
        """Where each line begins."""
        return [0, *(match.end() for match in re.finditer("\n", self.content))]

    def line_of(self, position: int) -> int:
        """The line of a character, counted from 1."""
        return bisect_right(self.starts, position)

    def span(self, start: int, end: int) -> Span:
        """A stretch of the text, cut where its first line ends."""
        number = self.line_of(start)
        first = self.starts[number - 1]
        last = self.starts[number] - 1 if number < len(self.starts) else len(self.content)
        last = max(first, last - (self.content[last - 1 : last] == "\r"))
        left, right = max(first, start - KEPT), min(last, start + KEPT)
        length = max(1, min(end, last) - start)
        return Span(self.file, number, start - first + 1, length, self.content[left:right], left - first)

    def places(self, paths: Iterable[Steps]) -> dict[Steps, Found]:
        """Where these places, and those above them, stand; those that are not there are left out."""
        wanted = Wanted()
        for path in paths:
            wanted.add(path)
        found: dict[Steps, Found] = {}
        content = self.mended or self.content
        walk(content, past_space(content, 0), wanted, (), None, found)
        return found


def nearest(found: dict[Steps, Found], path: Steps) -> Found:
    """The place itself or, where it is not there, the innermost one around it."""
    while path not in found:
        path = path[:-1]
    return found[path]


def past_space(text: str, at: int) -> int:
    """The next place that is no space."""
    match = SPACE.match(text, at)
    assert match is not None, "the pattern matches the empty string too"
    return match.end()


def walk(text: str, at: int, wanted: Wanted, path: Steps, key: Range | None, found: dict[Steps, Found]) -> int:
    """Note the wanted places in the value that begins at ``at``; returns where it ends."""
    if text[at] == "{" and wanted.steps:
        end = walk_object(text, at, wanted, path, found)
    elif text[at] == "[" and wanted.steps:
        end = walk_list(text, at, wanted, path, found)
    else:
        end = READER.raw_decode(text, at)[1]
    found[path] = Found((at, end), key)
    return end


def walk_object(text: str, at: int, wanted: Wanted, path: Steps, found: dict[Steps, Found]) -> int:
    """The same for an object; of a key that stands twice, the last counts."""
    at = past_space(text, at + 1)
    while text[at] != "}":
        key, end = READER.raw_decode(text, at)
        value = past_space(text, past_space(text, end) + 1)
        after = step(text, value, wanted.steps.get(key), (*path, key), (at, end), found)
        at = past_space(text, after)
        at = past_space(text, at + 1) if text[at] == "," else at
    return at + 1


def walk_list(text: str, at: int, wanted: Wanted, path: Steps, found: dict[Steps, Found]) -> int:
    """The same for a list."""
    at, index = past_space(text, at + 1), 0
    while text[at] != "]":
        after = step(text, at, wanted.steps.get(index), (*path, index), None, found)
        at, index = past_space(text, after), index + 1
        at = past_space(text, at + 1) if text[at] == "," else at
    return at + 1


def step(
    text: str, at: int, wanted: Wanted | None, path: Steps, key: Range | None, found: dict[Steps, Found]
) -> int:
    """Into a wanted value, or past one that is not."""
    if wanted is None:
        end: Any = READER.raw_decode(text, at)[1]
        return int(end)
    return walk(text, at, wanted, path, key, found)
