"""Forms of other frameworks and of other places: what is said of them, where, and that nothing else is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from documents import Document, drop, good, put

import nbn_spec
from nbn_spec.errors import Problem
from nbn_spec.spec import forms
from nbn_spec.spec.hints import remedies, shown

Change = Callable[[Document], None]
DENSE: dict[str, Any] = {"name": "z1", "op": "dense", "inputs": "x", "units": 3}


def diagnosed(document: Document) -> tuple[Problem, ...]:
    """The errors of a document."""
    return nbn_spec.diagnose(document).errors


def pointer(problem: Problem) -> str:
    """The place of a problem, as a JSON pointer."""
    return "".join(f"/{step}" for step in problem.path or ())


STRANGERS: dict[str, tuple[Document, str]] = {
    "Keras": (
        {"class_name": "Sequential", "config": {"layers": []}, "keras_version": "3"},
        "this is a Keras model config, not a spec",
    ),
    "PyTorch": (
        {"fc1.weight": [[0.1, 0.2]], "fc1.bias": [0.0], "fc2.weight": [[0.3]]},
        "this is a state dict of PyTorch, not a spec",
    ),
}


@pytest.mark.parametrize(("document", "message"), STRANGERS.values(), ids=STRANGERS.keys())
def test_what_another_framework_has_written_is_called_so(document: Document, message: str) -> None:
    (found,) = diagnosed(document)
    assert (found.code, found.path, found.message) == ("NBN112", (), message)
    assert found.hint.endswith("python -m nbn_spec reference")


def test_a_document_inside_another_is_looked_at() -> None:
    (found,) = diagnosed({"model": good()})
    assert (found.code, pointer(found), found.message) == (
        "NBN111",
        "/model",
        'the document stands inside "model"',
    )
    assert found.hint == "take that object out: its keys stand at the top"
    inner = good(put("/nodes/0/unit", 3), drop("/nodes/0/units"), put("/nodes/2/units", "one"))
    inner["layers"] = inner.pop("nodes")
    assert [pointer(p) for p in diagnosed({"model": inner})] == [
        "/model",
        "/model/layers",
        "/model/layers/0/unit",
        "/model/layers/2/units",
    ]


def test_places_in_what_was_put_right_are_those_that_are_written() -> None:
    document = good(
        put("/inputs", [{"name": "x", "shape": ["N", 2], "dtype": "int32"}, {"name": "y", "shape": ["N", 1]}]),
        put("/nodes/0", {"type": "Linear", "name": "z1", "inputs": "x", "units": 3, "weight": [[1, 2], [3]]}),
        put("/train/loss", {"op": "squared_eror", "inputs": ["y_hat", "y"]}),
        drop("/loss"),
    )
    assert {pointer(p) for p in diagnosed(document)} == {
        "/inputs",
        "/inputs/0/dtype",
        "/nodes/0/type",
        "/nodes/0/weight",
        "/nodes/0/weight/1",
        "/train/loss",
        "/train/loss/op",
    }


UNKNOWN = {
    "optimizer": (put("/train/optimizer", "sgdd"), 'unknown optimizer "sgdd"'),
    "optimizer with settings": (put("/train/optimizer/name", "sgdd"), 'unknown optimizer "sgdd"'),
    "metric": (put("/train/metrics", ["acc"]), 'unknown metric "acc"'),
    "initializer": (put("/nodes/0/weight", "hee"), 'unknown initializer "hee"'),
    "initializer with settings": (put("/nodes/0/bias", {"init": "hee"}), 'unknown initializer "hee"'),
    "op": (put("/nodes/1/op", "sigmod"), 'unknown op "sigmod"'),
    "activation": (put("/nodes/0", {**DENSE, "activation": "sigmod"}), 'unknown activation "sigmod"'),
    "dtype": (put("/dtype", "float"), 'unknown dtype "float"'),
}


@pytest.mark.parametrize(("change", "message"), UNKNOWN.values(), ids=UNKNOWN.keys())
def test_unknown_words_are_called_what_they_name(change: Change, message: str) -> None:
    assert [p.message for p in diagnosed(good(change))] == [message]


def test_one_key_alone_can_be_the_one_that_is_missing() -> None:
    data = {"csv": "f.csv", "columns": {"x": ["x1", "x2"], "y": {"foo": "y", "bar": "y", "dtype": "float"}}}
    hints = [p.hint for p in diagnosed(good(put("/data", data)))]
    assert sum("is missing: did you mean that" in hint for hint in hints) == 1


def test_messages_name_the_key_that_is_written() -> None:
    found = diagnosed(good(put("/nodes/0/unit", [3]), drop("/nodes/0/units")))
    assert [p.message for p in found] == ['unknown key "unit"', '"unit": expected an integer, got [3] (a list)']


MODELS = sorted((Path(__file__).parent.parent / "models").glob("*.json"))


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_nothing_is_said_of_what_is_as_it_should_be(path: Path) -> None:
    document = json.loads(path.read_text(encoding="utf-8"))
    assert [found for level in forms.LEVELS for found in remedies(document, level)] == []
    assert forms.stranger(document) is None


def test_long_values_are_cut_in_hints() -> None:
    assert shown({"value": [[0.123456] * 20] * 3}) == '{"value": […]}'
    assert shown({"op": "linear", "units": 3}) == '{"op": "linear", "units": 3}'


def test_a_synonym_is_taken_for_its_key() -> None:
    change = put("/nodes/1", {"name": "a1", "op": "sigmoid", "input": "z1"})
    assert [p.hint for p in diagnosed(good(change))] == ['did you mean "inputs"?']


def test_a_key_that_the_op_has_not_is_unknown_whatever_its_value() -> None:
    (found,) = diagnosed(good(put("/nodes/1/bias", True)))
    assert (found.message, found.hint) == ('unknown key "bias"', "known: doc, inputs, name, op")


@pytest.mark.parametrize("value", [np.array([1.0, 2.0]), np.float64(3)], ids=["array", "number"])
@pytest.mark.parametrize("place", ["/nodes/1", "/nodes/1/op", "/loss/op", "/inputs/x/shape", "/data", "/train"])
def test_values_that_python_code_gives_are_complained_of(place: str, value: object) -> None:
    assert diagnosed(good(put(place, value)))
