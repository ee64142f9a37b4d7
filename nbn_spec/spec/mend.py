"""Slips of the pen in JSON: found all at once, and mended by as many characters, so that every place stays valid.

A comma too many or too few, comments, single quotes, Python's words: what was meant is plain, so reading goes on
with it and the other mistakes of the document are told in the same run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from nbn_spec.errors import Problem
from nbn_spec.spec.locate import Text

TOKEN = re.compile(
    r"""(?P<string>"(?:[^"\\\n]|\\.)*")
      | (?P<single>'(?:[^'"\\\n]|\\.)*')
      | (?P<comment>//[^\n]*|\#[^\n]*|/\*(?s:.*?)(?:\*/|\Z))
      | (?P<open>[\[{])
      | (?P<close>[\]}])
      | (?P<comma>,)
      | (?P<colon>:|=>?)
      | (?P<word>[A-Za-z_]+)
      | (?P<number>[-+.\d][-+.\w]*)
      | (?P<other>[^\s])""",
    re.VERBOSE,
)
WORDS = {"True": "true", "False": "false", "None": "null"}
VALUES = ("string", "single", "word", "number")
BEGIN, END = (*VALUES, "open"), (*VALUES, "close")
"""Tokens that a value begins and ends with."""
COLON = 'write "key": value'
QUOTES = ('"', "'")
MANY = 5
"""Of slips that are the writer's style, the lines that are named."""
MOST = 10_000
"""Slips that are mended; a text with more is no document with slips."""


@dataclass(frozen=True)
class Token:
    """A word of the text: its kind, its place, how deep it stands, and whether it stands where a key does."""

    kind: str
    start: int
    end: int
    text: str
    depth: int
    is_key: bool


@dataclass
class Slips:
    """The mended characters and the complaints, as they are found."""

    text: Text
    letters: list[str]
    problems: list[Problem] = field(default_factory=list)
    styles: dict[str, list[int]] = field(default_factory=dict)
    """Positions of what is told once for the whole document: comments and single quotes."""

    def put(self, start: int, end: int, instead: str) -> None:
        """Mend: ``instead``, and spaces up to the same length."""
        self.letters[start:end] = instead.ljust(end - start)

    def complain(self, start: int, end: int, message: str, hint: str) -> None:
        """Note a slip."""
        span = self.text.span(start, end)
        self.problems.append(Problem("NBN101", str(span), message, hint, span=span))


def mend(text: Text) -> tuple[str, list[Problem]]:
    """The text without slips, of the same length, and a complaint for each."""
    slips = Slips(text, list(text.content))
    before: Token | None = None
    for token in tokens(text.content):
        if len(slips.problems) >= MOST:
            break
        if token.kind == "comment":
            slips.styles.setdefault("comment", []).append(token.start)
            slips.put(token.start, token.end, "")
            continue
        check_word(slips, token)
        if before is None or not is_twice(slips, before, token):
            check_pair(slips, before or token, token)
            before = token
    tell_styles(slips)
    return "".join(slips.letters), sorted(slips.problems, key=place)


def place(problem: Problem) -> tuple[int, int]:
    """Line and column."""
    return (problem.span.line, problem.span.column) if problem.span else (0, 0)


def tokens(content: str) -> Iterator[Token]:
    """The words of the text; in an object, those after { and , are keys."""
    inside: list[str] = []
    before = ""
    for match in TOKEN.finditer(content):
        kind, word = str(match.lastgroup), match.group()
        is_key = kind in VALUES and inside[-1:] == ["{"] and before in ("{", ",")
        if word in QUOTES:  # a string that does not end: nothing behind it is certain
            return
        yield Token(kind, match.start(), match.end(), word, len(inside), is_key)
        if kind == "open":
            inside.append(word)
        elif kind == "close" and inside:
            inside.pop()
        before = before if kind == "comment" else word


def check_word(slips: Slips, token: Token) -> None:
    """A word by itself: quotes and Python's spelling."""
    if token.kind == "single":
        slips.styles.setdefault("single", []).append(token.start)
        slips.put(token.start, token.end, f'"{token.text[1:-1]}"')
    elif token.text in WORDS and not token.is_key:
        ours = WORDS[token.text]
        slips.put(token.start, token.end, ours)
        slips.complain(token.start, token.end, f"{token.text} is Python's word", f"JSON writes {ours}")


def is_twice(slips: Slips, before: Token, token: Token) -> bool:
    """A comma behind a comma, or where nothing stands before it."""
    found = token.kind == "comma" and before.kind in ("comma", "open")
    if found:
        slips.put(token.start, token.end, "")
        slips.complain(token.start, token.end, "a comma too many", "take it away")
    return found


def check_pair(slips: Slips, before: Token, token: Token) -> None:
    """Two words that follow each other: commas and colons that are wrong there, or not there."""
    if before.kind == "comma" and token.kind == "close":
        slips.put(before.start, before.end, "")
        hint = f'a comma stands before "{token.text}": take it away'
        slips.complain(before.start, before.end, "a comma too many", hint)
    elif token.kind == "colon" and token.text != ":" and before.is_key:
        slips.put(token.start, token.end, ":")
        slips.complain(token.start, token.end, f"a colon belongs here, not {token.text}", COLON)
    elif before.kind in END and token.kind in BEGIN and token.start > before.end and token.depth:
        slips.letters[before.end] = ":" if before.is_key else ","
        what, hint = ("colon", COLON) if before.is_key else ("comma", "commas separate values, and keys")
        slips.complain(token.start, token.end, f"a {what} is missing before this", hint)


STYLES = {
    "comment": ("JSON has no comments", 'write "doc": "…" instead'),
    "single": ("single quotes", "strings and keys stand in double quotes"),
}


def tell_styles(slips: Slips) -> None:
    """One complaint for each style, with the lines where else it is met."""
    for style, starts in slips.styles.items():
        message, hint = STYLES[style]
        slips.complain(starts[0], starts[0] + 1, message, hint + elsewhere(slips.text, starts))


def elsewhere(text: Text, starts: list[int]) -> str:
    """The other lines, of many the first ones."""
    first, *lines = dict.fromkeys(map(text.line_of, starts))
    if not lines:
        return f" ({len(starts)} times in line {first})" if len(starts) > 1 else ""
    more = f" and {len(lines) - MANY} more" if len(lines) > MANY else ""
    return f" (also in line{'s' * (len(lines) > 1)} {', '.join(map(str, lines[:MANY]))}{more})"
