"""What follows from a mistake is not told as another one, and what does not follow from it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from documents import drop, good, places, put

import nbn_spec


def found(document: Any) -> list[tuple[str, str]]:
    return places(nbn_spec.diagnose(document))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ([put("/nodes/0/name", "h/x"), put("/nodes/1/inputs", "h/x")], [("NBN116", "/nodes/0/name")]),
        (
            [put("/nodes/0/op", "qqq"), drop("/nodes/0/name"), put("/nodes/1/inputs", "linear_1")],
            [("NBN114", "/nodes/0/op")],
        ),
        ([put("/dtype", "flot64"), put("/constants/s", 1e300)], [("NBN114", "/dtype")]),
        (
            [
                put("/inputs", {"my input": {"shape": ["N", 2]}, "y": {"shape": ["N", 1]}}),
                drop("/nodes/0/inputs"),
                drop("/data"),
            ],
            [("NBN116", "/inputs/my input")],
        ),
        (
            [
                put("/nodes/0/op", "lineer"),
                put("/data", {"values": {"x": [[0, 1]]}}),
                drop("/loss"),
                drop("/train"),
            ],
            [("NBN114", "/nodes/0/op")],
        ),
        (
            [put("/nodes/0", {"op": "dense", "name": "z1", "inputs": "x", "unis": "3"})],
            [("NBN111", "/nodes/0/unis"), ("NBN112", "/nodes/0/unis")],
        ),
        (
            [put("/train/optimizer", {"name": "sgd", "sgd": 3, "learning_rate": -1})],
            [("NBN111", "/train/optimizer/sgd"), ("NBN113", "/train/optimizer/learning_rate")],
        ),
    ],
    ids=[
        "name that may not be",
        "name of a broken node",
        "dtype",
        "input's name",
        "data that is not needed",
        "value of a misspelt key",
        "key like the name",
    ],
)
def test_consequences_are_not_mistakes(change: Any, expected: list[tuple[str, str]]) -> None:
    assert found(good(*change)) == expected


def test_keys_misspelt_at_every_level() -> None:
    document = good()
    document["layers"] = [{"type": "linear", "name": "z1", "input": "x", "unit": 3, "kernel": {"valu": [[1, 2]]}}]
    document["layers"] += document.pop("nodes")[1:]
    assert found(document) == [
        ("NBN111", "/layers"),
        ("NBN111", "/layers/0/type"),
        ("NBN111", "/layers/0/input"),
        ("NBN111", "/layers/0/unit"),
        ("NBN111", "/layers/0/kernel"),
        ("NBN111", "/layers/0/kernel/valu"),
        ("NBN203", "/layers/0/kernel/valu"),
    ]
    document = good(put("/input", {"x": {"shap": ["N", 2, "N"]}, "y": {"shape": ["N", 1]}}), drop("/inputs"))
    assert found(document)[-1] == ("NBN203", "/input/x/shap")


def test_initial_values_and_data_are_told_together(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("x1,x2,y\n1,two,0\n3,4,1\n")
    document = good(
        put("/nodes/0/bias", "orthogonal"), put("/nodes/2/bias", "orthogonal"), put("/data", {"csv": "d.csv"})
    )
    path = tmp_path / "model.json"
    path.write_text(json.dumps(document))
    diagnosis = nbn_spec.diagnose(path)
    assert [problem.code for problem in diagnosis.problems] == ["NBN208", "NBN208", "NBN302"]
    assert diagnosis.memory[0].optimizer == nbn_spec.diagnose(good()).memory[0].optimizer > 0


def test_one_unsound_column_does_not_hide_another(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("a,b\nno,maybe\nyes,1\n")
    document = good(
        put("/inputs/x", {"shape": ["N", 1]}),
        put("/nodes/0/units", 1),
        put(
            "/data",
            {"csv": "d.csv", "columns": {"x": {"column": "a", "map": {"no": 0}, "one_hot": ["no"]}, "y": "b"}},
        ),
    )
    path = tmp_path / "model.json"
    path.write_text(json.dumps(document))
    assert [problem.code for problem in nbn_spec.diagnose(path).problems] == ["NBN205", "NBN302"]


ONE = {
    "value misspelt": (put("/parameters", {"p": {"valeu": 2}}), ["/parameters/p/valeu"]),
    "an axis that is open": (put("/inputs/x/shape", ["N", -1]), ["/inputs/x/shape/1"]),
    "a name for an axis": (put("/inputs/x/shape", ["N", "features"]), ["/inputs/x/shape/1"]),
    "a shape that is no length": (put("/inputs/x/shape", -1), ["/inputs/x/shape"]),
    "prose for an input": (put("/inputs/x", "the features"), ["/inputs/x"]),
    "a dtype for an input": (put("/inputs/x", "float32"), ["/inputs/x"]),
    "outputs as text of a list": (put("/outputs", "['y_hat']"), ["/outputs"]),
    "an initializer beside an activation": (put("/nodes/1/init", "he"), ["/nodes/1/init"]),
    "a constant of several values": (
        put("/nodes/0/weight", {"init": "constant", "value": [[1, 2]] * 3}),
        ["/nodes/0/weight/init"],
    ),
    "all to validate on": (put("/train/validation", 1), ["/train/validation"]),
    "outputs by what they are not": (put("/outputs", {"prob": {"from": "y_hat"}}), ["/outputs"]),
    "a row of words among records": (
        put("/data", [{"x": [1, 2], "y": [0]}, {"x": [3, 4], "y": ["yes"]}]),
        ["/data", "/data/1/y/0"],
    ),
}


@pytest.mark.parametrize(("change", "expected"), ONE.values(), ids=ONE.keys())
def test_what_is_put_right_earns_no_second_complaint(change: Any, expected: list[str]) -> None:
    assert [where for _, where in found(good(change))] == expected
