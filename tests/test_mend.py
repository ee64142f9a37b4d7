"""Slips in JSON: each is told where it stands, and the document is read as it was meant."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nbn_spec.errors import SpecError
from nbn_spec.spec.read import parse, read

SLIPS = {
    "comma before a brace": ('{"a": 1,}', {"a": 1}, [(1, 8)]),
    "comma before a bracket, over lines": ('{"a": [1,\n2,\n]}', {"a": [1, 2]}, [(2, 2)]),
    "commas in a row": ('{"a": [1,, 2]}', {"a": [1, 2]}, [(1, 10)]),
    "comma in front": ('{"a": [, 1]}', {"a": [1]}, [(1, 8)]),
    "comma forgotten between items": ('{"a": [1\n2]}', {"a": [1, 2]}, [(2, 1)]),
    "comma forgotten between keys": (
        '{"a": 1\n"b": {"c": 2} "d": []}',
        {"a": 1, "b": {"c": 2}, "d": []},
        [(2, 1), (2, 15)],
    ),
    "colon forgotten": ('{"a" 1}', {"a": 1}, [(1, 6)]),
    "equals sign": ('{"a" = 1, "b" => 2}', {"a": 1, "b": 2}, [(1, 6), (1, 15)]),
    "Python's words": (
        '{"a": True, "b": [False, None]}',
        {"a": True, "b": [False, None]},
        [(1, 7), (1, 19), (1, 26)],
    ),
    "comment": ('{"a": 1 // one\n}', {"a": 1}, [(1, 9)]),
    "comments of all kinds": ('# a\n{"a": /* b\n c */ 1}', {"a": 1}, [(1, 1)]),
    "single quotes": ("{'a': 'b',\n 'c': ''}", {"a": "b", "c": ""}, [(1, 2)]),
    "comment behind a forgotten comma": ('{"a": 1 // so\n "b": 2}', {"a": 1, "b": 2}, [(1, 9), (2, 2)]),
    "what is like a slip within a string": (
        '{"a": "1,] // no True \'x\' # ="}',
        {"a": "1,] // no True 'x' # ="},
        [],
    ),
}


@pytest.mark.parametrize(("text", "value", "places"), SLIPS.values(), ids=SLIPS.keys())
def test_slips_are_told_and_mended(text: str, value: Any, places: list[tuple[int, int]]) -> None:
    document = read(text.encode(), "m.json")
    assert document.value == value
    assert [(p.span.line, p.span.column) for p in document.problems if p.span] == places
    assert {p.code for p in document.problems} <= {"NBN101"}
    if places:
        with pytest.raises(SpecError) as caught:
            parse(text.encode(), "m.json")
        assert len(caught.value.problems) == len(places)


def test_what_is_style_is_told_once() -> None:
    document = read(b"{'a': 1, // x\n 'b': 2, // y\n 'c': 3}", "m.json")
    assert [p.hint for p in document.problems] == [
        "strings and keys stand in double quotes (also in lines 2, 3)",
        'write "doc": "…" instead (also in line 2)',
    ]
    assert read(b"{'a': 'b'}").problems[0].hint.endswith("(2 times in line 1)")


LOST = {
    "cut off in a list": ('{"a": [1, 2', (1, 12), 'the "[" of line 1 waits for its "]"'),
    "cut off in an object": ('{"a": 1,\n "b": 2', (2, 8), 'the "{" of line 1 waits for its "}"'),
    "wrong bracket": ('{"a": [1}', (1, 9), 'the "[" of line 1 waits for its "]"'),
    "bracket too many": ('{"a": 1}}', (1, 9), "one closing bracket too many"),
    "bare key": ("{a: 1}", (1, 2), "double quotes"),
    "printed quotes": ("{“a”: 1}", (1, 2), "quotes of printed text"),
    "leading zero": ('{"a": 01}', (1, 8), "numbers are written like"),
    "no digit before the point": ('{"a": .5}', (1, 7), "numbers are written like"),
    "plus": ('{"a": +1}', (1, 7), "numbers are written like"),
    "hexadecimal": ('{"a": 0x10}', (1, 8), "numbers are written like"),
    "Windows path": ('{"a": "d\\x.csv"}', (1, 9), "a \\ is written \\\\"),
    "quote forgotten": ('{"a": "b}', (1, 7), "the closing quote is missing"),
    "line break in a string": ('{"a": "b\nc"}', (1, 9), "a line break is written \\n"),
    "merge conflict": ('{"a": 1,\n<<<<<<< HEAD\n"b": 2}', (2, 1), "a merge is unfinished"),
    "Markdown fence": ('```json\n{"a": 1}\n```', (1, 1), "belongs to the text around"),
    "ellipsis": ('{"a": [1, ...]}', (1, 11), "an ellipsis is no JSON"),
    "second document": ('{"a": 1}\n{"a": 2}', (2, 1), "a file holds one document"),
    "quote missing before": ('{"op": "linear, "units": 4}', (1, 18), "a quote is missing, here or before"),
    "parentheses": ('{"shape": ("N", 3)}', (1, 11), "square brackets"),
    "bracket forgotten at the end": (
        '{\n  "a": {\n    "b": {"c": 1,\n  "d": 2\n}\n',
        (6, 1),
        'the "{" of line 3 waits',
    ),
    "undefined": ('{"a": undefined}', (1, 7), 'this stands there: "undefined}"'),
}


@pytest.mark.parametrize(("text", "place", "words"), LOST.values(), ids=LOST.keys())
def test_what_cannot_be_mended_is_told_at_its_place(text: str, place: tuple[int, int], words: str) -> None:
    with pytest.raises(SpecError) as caught:
        read(text.encode(), "m.json")
    problem = caught.value.problems[-1]
    assert problem.span is not None
    assert (problem.span.line, problem.span.column) == place
    assert words in problem.hint
    assert not problem.message.endswith((" at", " starting at"))


def test_slips_before_what_cannot_be_mended_are_told_too() -> None:
    with pytest.raises(SpecError) as caught:
        read(b'{"a": [1,],\n "b": .5,\n "c": [2,]}', "m.json")
    assert [p.span.line for p in caught.value.problems if p.span] == [1, 2]


JSONS = st.recursive(
    st.one_of(st.booleans(), st.none(), st.integers(0, 99), st.text("ab ,:{}[]", max_size=4)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text("abc", max_size=2), inner, max_size=3)
    ),
    max_leaves=12,
)
TOKENS = re.compile(r'"[^"]*"|[\[\]{},:]|[^\s"\[\]{},:]+')


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(st.text("abc", max_size=2), JSONS, min_size=1, max_size=4), st.data())
def test_one_slip_anywhere_leaves_the_meaning(value: Any, data: st.DataObject) -> None:
    tokens = TOKENS.findall(json.dumps(value))
    kind = data.draw(st.sampled_from(["comma too many", "comma forgotten", "comment", "single quotes"]))
    places = {
        "comma too many": [i for i, token in enumerate(tokens) if token in "]}" and tokens[i - 1] not in "[{"],
        "comma forgotten": [i for i, token in enumerate(tokens) if token == ","],
        "comment": list(range(1, len(tokens))),
        "single quotes": [i for i, token in enumerate(tokens) if token.startswith('"')],
    }[kind]
    assume(places)
    at = data.draw(st.sampled_from(places))
    changed = {
        "comma too many": [*tokens[:at], ",", *tokens[at:]],
        "comma forgotten": [*tokens[:at], *tokens[at + 1 :]],
        "comment": [*tokens[:at], "// said\n", *tokens[at:]],
        "single quotes": [*tokens[:at], f"'{tokens[at][1:-1]}'", *tokens[at + 1 :]],
    }[kind]
    document = read(" ".join(changed).encode(), "m.json")
    assert document.value == value
    assert [problem.code for problem in document.problems] == ["NBN101"]
    before = " ".join(changed[:at])
    span = document.problems[0].span
    assert span is not None
    assert (span.line, span.column) == (1, len(before) + 2)
