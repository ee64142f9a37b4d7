"""Places: every JSON pointer leads to the text that says its value, however the document is laid out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbn_spec.errors import WIDTH, Span, cells
from nbn_spec.spec.locate import Text, nearest
from nbn_spec.spec.read import read

WORDS = st.text("ab\"\\/é\n\t{}[],:'1 ", max_size=4)
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**20), 10**20),
        st.floats(allow_nan=False, allow_infinity=False),
        WORDS,
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(WORDS, inner, max_size=4)),
    max_leaves=20,
)
LAYOUTS = st.sampled_from(
    [{}, {"indent": 2}, {"indent": "\t"}, {"separators": (",", ":")}, {"separators": (" ,\r\n ", " : ")}]
)


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every place of a value, with what stands there."""
    yield path, value
    if isinstance(value, dict):
        for key, item in value.items():
            yield from paths(item, (*path, key))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from paths(item, (*path, i))


@settings(max_examples=300, deadline=None)
@given(VALUES, LAYOUTS, st.booleans())
def test_every_place_is_found(value: Any, layout: Any, ascii_only: bool) -> None:
    text = Text("m.json", json.dumps(value, ensure_ascii=ascii_only, **layout))
    wanted = dict(paths(value))
    found = text.places(wanted)
    assert found.keys() == wanted.keys()
    for path, item in wanted.items():
        start, end = found[path].value
        assert json.loads(text.content[start:end]) == item
        key = found[path].key
        assert (key is None) == (not path or isinstance(path[-1], int))
        if key is not None:
            assert json.loads(text.content[slice(*key)]) == path[-1]


@settings(max_examples=200, deadline=None)
@given(VALUES, LAYOUTS, st.data())
def test_a_few_places_are_found_as_all_are(value: Any, layout: Any, data: st.DataObject) -> None:
    text = Text("m.json", json.dumps(value, **layout))
    every = text.places(dict(paths(value)))
    path = data.draw(st.sampled_from(sorted(every, key=str)))
    found = text.places([path, (*path, "nothing"), (*path, 99)])
    assert found == {path[:length]: every[path[:length]] for length in range(len(path) + 1)}
    assert nearest(found, (*path, "nothing", 3)) == every[path]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_lines_and_columns_count_from_one(newline: str) -> None:
    text = Text("m.json", newline.join(['{"é": [', '   1,  "x"', "]}"]))
    found = text.places([("é", 1)])
    span = text.span(*found["é", 1].value)
    assert (span.line, span.column, span.length, span.source) == (2, 8, 3, '   1,  "x"')
    assert str(span) == "m.json:2:8"
    assert list(text.span(*found[("é",)].value).excerpt()) == ['    1 | {"é": [', "      |       ^"]


def test_of_a_key_that_stands_twice_the_last_is_meant() -> None:
    text = Text("m.json", '{"a": 1, "a": [2]}')
    assert text.places([("a", 0)])["a", 0].value == (15, 16)


@pytest.mark.parametrize("at", [0, 50, 500, 5000, 99_990])
def test_long_lines_are_cut_around_the_place(at: int) -> None:
    line = "".join(chr(97 + i % 26) for i in range(100_000))
    span = Text("m.json", line + "\n").span(at, at + 7)
    shown, carets = span.excerpt()
    assert len(shown) <= WIDTH
    assert len(carets) <= WIDTH
    assert len(span.source) < 5000
    start, end = carets.index("^"), carets.rindex("^") + 1
    assert shown[start:end] == line[at : at + 7]


def test_an_excerpt_cannot_steer_a_terminal() -> None:
    shown, carets = Span("m.json", 1, 3, 2, "\33[\tab\7").excerpt()
    assert shown == "    1 | \N{REPLACEMENT CHARACTER}[ ab\N{REPLACEMENT CHARACTER}"
    assert carets == "      |   ^^"


def test_places_survive_what_was_mended() -> None:
    document = read(b'{\'a\': [1,\n 2\n {"b": True,}], // so\n "c" 4}', "m.json")
    assert document.value == {"a": [1, 2, {"b": True}], "c": 4}
    assert document.text is not None
    found = document.text.places([("a", 2, "b"), ("c",)])
    assert document.text.span(*found["a", 2, "b"].value).column == 8
    assert document.text.span(*found[("c",)].value).line == 4
    assert document.lines([("a", 1), ("c",)]) == [2, 4]


@settings(max_examples=300, deadline=None)
@given(
    st.text("ab é漢🐍\u0301", max_size=300), st.integers(0, 300), st.integers(1, 200), st.sampled_from([1, 123456])
)
def test_excerpts_fit_whatever_the_signs_take(text: str, first: int, length: int, line: int) -> None:
    shown, carets = Span("m.json", line, min(first, len(text)) + 1, length, text).excerpt()
    assert cells(shown) <= WIDTH
    assert cells(carets) <= WIDTH
    sign = text[first : first + 1]
    if cells(sign) and sign != " ":
        at = carets.index("^")
        under = next(i for i in range(len(shown)) if cells(shown[:i]) == at and cells(shown[i]))
        assert shown[under] in (sign, "…")
