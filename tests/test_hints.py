"""What people write in another form: one complaint, its place, and its help, which leads to a sound document."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from documents import Document, drop, good, put

import nbn_spec
from nbn_spec.errors import Problem
from nbn_spec.spec.nodes import NODES as VOCABULARY

Change = Callable[[Document], None]
FIRST = {"name": "z1", "op": "linear", "inputs": "x", "units": 3}
DENSE = {"name": "z1", "op": "dense", "inputs": "x", "units": 3}
CSV = "x1,x2,y\n0,1,1\n1,1,0\n"


def nothing(document: Document) -> None:
    """No change."""


def all_of(*changes: Change) -> Change:
    """Several changes as one."""

    def change(document: Document) -> None:
        for part in changes:
            part(document)

    return change


def first(**more: Any) -> Change:
    """The change that sets keys of the first node, which has no weight of its own."""
    return put("/nodes/0", {**FIRST, **more})


def shape(value: Any) -> Change:
    """The change that sets the shape of the first input."""
    return put("/inputs/x", {"shape": value})


Row = tuple[Change, str, str, str, Change]
SHAPES: dict[str, Row] = {
    "text": (shape("N,2"), "NBN112", "/inputs/x/shape", 'write ["N", 2]', shape(["N", 2])),
    "a tuple as text": (shape("(None, 2)"), "NBN112", "/inputs/x/shape", 'write ["N", 2]', shape(["N", 2])),
    "a list as text": (shape("[N, 2]"), "NBN112", "/inputs/x/shape", 'write ["N", 2]', shape(["N", 2])),
    "a number": (shape(2), "NBN112", "/inputs/x/shape", 'write ["N", 2]', shape(["N", 2])),
    "null": (shape([None, 2]), "NBN112", "/inputs/x/shape/0", 'the batch is "N": ["N", 2]', shape(["N", 2])),
    "-1": (shape([-1, 2]), "NBN113", "/inputs/x/shape/0", 'the batch is "N": ["N", 2]', shape(["N", 2])),
    "a word": (shape(["batch", 2]), "NBN116", "/inputs/x/shape/0", 'the batch is "N": ["N", 2]', shape(["N", 2])),
    "a letter": (shape(["n", 2]), "NBN116", "/inputs/x/shape/0", 'the batch is "N": ["N", 2]', shape(["N", 2])),
    "a numeral": (shape(["N", "2"]), "NBN112", "/inputs/x/shape/1", "write 2", shape(["N", 2])),
    "two at once": (shape([None, "2"]), "NBN112", "/inputs/x/shape", 'write ["N", 2]', shape(["N", 2])),
    "a shape alone": (
        put("/inputs/x", ["N", 2]),
        "NBN112",
        "/inputs/x",
        'write {"shape": ["N", 2]}',
        shape(["N", 2]),
    ),
    "a number alone": (put("/inputs/x", 2), "NBN112", "/inputs/x", 'write {"shape": ["N", 2]}', shape(["N", 2])),
    "a dtype of real numbers": (
        put("/inputs/x/dtype", "float32"),
        "NBN114",
        "/inputs/x/dtype",
        'leave it out: "dtype" stands at the top, inputs name only "int64"',
        drop("/inputs/x/dtype"),
    ),
    "null columns": (
        put("/inputs/x/columns", None),
        "NBN112",
        "/inputs/x/columns",
        "leave the key out",
        drop("/inputs/x/columns"),
    ),
}
NO_BIAS = "write false, which leaves it out"
PARAMETERS: dict[str, Row] = {
    "a bias": (
        first(bias=True),
        "NBN112",
        "/nodes/0/bias",
        "leave it out: a bias is the default",
        drop("/nodes/0/bias"),
    ),
    "use_bias": (
        first(use_bias=True),
        "NBN111",
        "/nodes/0/use_bias",
        "leave it out: a bias is the default",
        drop("/nodes/0/use_bias"),
    ),
    "null for no bias": (first(bias=None), "NBN112", "/nodes/0/bias", NO_BIAS, put("/nodes/0/bias", False)),
    "false as text": (first(bias="false"), "NBN112", "/nodes/0/bias", NO_BIAS, put("/nodes/0/bias", False)),
    "null weight": (first(weight=None), "NBN112", "/nodes/0/weight", "leave the key out", drop("/nodes/0/weight")),
    "a constant's value": (
        first(bias={"init": "constant", "value": 0.5}),
        "NBN111",
        "/nodes/0/bias/value",
        'write {"init": "constant", "constant": 0.5}',
        first(bias={"init": "constant", "constant": 0.5}),
    ),
    "weights alone": (
        first(weight=[[1, 2], [3, 4], [5, 6]]),
        "NBN112",
        "/nodes/0/weight",
        'write {"value": [[1, 2], [3, 4], [5, 6]]}',
        first(weight={"value": [[1, 2], [3, 4], [5, 6]]}),
    ),
    "biases alone": (
        first(bias=[0, 0, 0]),
        "NBN112",
        "/nodes/0/bias",
        'write {"value": [0, 0, 0]}',
        first(bias={"value": [0, 0, 0]}),
    ),
    "a number for the bias": (
        first(bias=0.5),
        "NBN112",
        "/nodes/0/bias",
        'write {"init": "constant", "constant": 0.5}',
        first(bias={"init": "constant", "constant": 0.5}),
    ),
    "an initializer in the node": (
        first(init="he"),
        "NBN111",
        "/nodes/0/init",
        'write "weight": {"init": "he"}',
        first(weight={"init": "he"}),
    ),
    "a frozen node": (
        first(trainable=False),
        "NBN111",
        "/nodes/0/trainable",
        'write "weight": {"trainable": false}',
        first(weight={"trainable": False}),
    ),
    "both": (
        first(init="he", trainable=False),
        "NBN111",
        "/nodes/0/init",
        'write "weight": {"init": "he", "trainable": false}',
        first(weight={"init": "he", "trainable": False}),
    ),
    "a parameter's values alone": (
        put("/parameters", {"w": [[1, 2]]}),
        "NBN112",
        "/parameters/w",
        'write {"value": [[1, 2]]}',
        put("/parameters/w", {"value": [[1, 2]]}),
    ),
    "a constant in an object": (
        put("/constants/c", {"value": 3}),
        "NBN112",
        "/constants/c",
        "write 3",
        put("/constants/c", 3),
    ),
}
NODES: dict[str, Row] = {
    "inputs of names": (
        put("/inputs", ["x", "y"]),
        "NBN112",
        "/inputs",
        'each name has its shape: write {"x": {"shape": ["N", 2]}}, with its own lengths',
        put("/inputs", {"x": {"shape": ["N", 2]}, "y": {"shape": ["N", 1]}}),
    ),
    "inputs with names": (
        put("/inputs", [{"name": "x", "shape": ["N", 2]}, {"name": "y", "shape": ["N", 1]}]),
        "NBN112",
        "/inputs",
        'write {"x": {"shape": ["N", 2]}, "y": {"shape": ["N", 1]}}',
        put("/inputs", {"x": {"shape": ["N", 2]}, "y": {"shape": ["N", 1]}}),
    ),
    "nodes by name": (
        put("/nodes", {"y_hat": {"op": "linear", "inputs": "x", "units": 1}}),
        "NBN112",
        "/nodes",
        'each node in a list has its name: write [{"name": "y_hat", "op": "linear", "inputs": "x", "units": 1}]',
        put("/nodes", [{"name": "y_hat", "op": "linear", "inputs": "x", "units": 1}]),
    ),
    "an op alone": (
        put("/nodes/1", "relu"),
        "NBN112",
        "/nodes/1",
        'write {"op": "relu"}',
        put("/nodes/1", {"op": "relu"}),
    ),
    "a layer alone": (
        put("/nodes/1", "linear"),
        "NBN112",
        "/nodes/1",
        'write {"op": "linear", "units": 3}, with a number of its own',
        put("/nodes/1", {"op": "linear", "units": 3}),
    ),
    "an op as a key": (
        put("/nodes/1", {"linear": {"units": 3}}),
        "NBN111",
        "/nodes/1/linear",
        'write {"op": "linear", "units": 3}',
        put("/nodes/1", {"op": "linear", "units": 3}),
    ),
    "another's type": (
        put("/nodes/0", {"name": "z1", "type": "Linear", "inputs": "x", "units": 3}),
        "NBN111",
        "/nodes/0/type",
        'write "op": "linear" instead of "type": "Linear"',
        first(),
    ),
    "inputs of a node by name": (
        put("/nodes/1/inputs", {"in": "z1"}),
        "NBN112",
        "/nodes/1/inputs",
        'write ["z1"]',
        put("/nodes/1/inputs", ["z1"]),
    ),
    "lists in the inputs": (
        put("/nodes/1/inputs", [["z1"]]),
        "NBN112",
        "/nodes/1/inputs",
        'write ["z1"]',
        put("/nodes/1/inputs", ["z1"]),
    ),
    "outputs by name": (
        put("/outputs", {"p": "y_hat"}),
        "NBN112",
        "/outputs",
        'write ["y_hat"]',
        put("/outputs", ["y_hat"]),
    ),
    "an output with a name": (
        put("/outputs", [{"name": "y_hat"}]),
        "NBN112",
        "/outputs/0",
        'write "y_hat"',
        put("/outputs", ["y_hat"]),
    ),
    "an activation in an object": (
        put("/nodes/0", {**DENSE, "activation": {"name": "ReLU"}}),
        "NBN112",
        "/nodes/0/activation",
        'write "relu"',
        put("/nodes/0", {**DENSE, "activation": "relu"}),
    ),
    "a kernel of another framework": (
        put("/nodes/1/op", "dropout"),
        "NBN114",
        "/nodes/1/op",
        "this language has none (yet)",
        put("/nodes/1/op", "tanh"),
    ),
    "nothing near": (
        put("/nodes/1/op", "qqq"),
        "NBN114",
        "/nodes/1/op",
        "known: absolute, add, binary_crossentropy, categorical_crossentropy, concatenate, cos, dense, divide,"
        f" elu, exp, feature_cross, flatten, … and {len(VOCABULARY) - 12} more: python -m nbn_spec reference",
        put("/nodes/1/op", "tanh"),
    ),
    "null": (
        put("/nodes/1/inputs", None),
        "NBN112",
        "/nodes/1/inputs",
        "leave the key out",
        drop("/nodes/1/inputs"),
    ),
    "no outputs": (put("/outputs", []), "NBN113", "/outputs", "", put("/outputs", ["y_hat"])),
    "a name with a space": (
        put("/nodes/1/name", "a 1"),
        "NBN116",
        "/nodes/1/name",
        "a letter, then letters, digits and _",
        put("/nodes/1/name", "a1"),
    ),
}
TRAIN: dict[str, Row] = {
    "the loss": (
        all_of(drop("/loss"), put("/train/loss", {"op": "squared_error", "inputs": ["y_hat", "y"]})),
        "NBN111",
        "/train/loss",
        'it belongs in the document, beside "train"',
        all_of(drop("/train/loss"), put("/loss", {"op": "squared_error", "inputs": ["y_hat", "y"]})),
    ),
    "the seed": (
        put("/train/seed", 3),
        "NBN111",
        "/train/seed",
        'it belongs in the document, beside "train"',
        all_of(drop("/train/seed"), put("/seed", 3)),
    ),
    "a second loss": (
        put("/train/loss", {"op": "squared_error", "inputs": ["y_hat", "y"]}),
        "NBN111",
        "/train/loss",
        'it belongs in the document, beside "train". It stands there already: take this one away',
        drop("/train/loss"),
    ),
    "epochs outside": (
        all_of(drop("/train/epochs"), put("/epochs", 3)),
        "NBN111",
        "/epochs",
        'it belongs in "train"',
        all_of(drop("/epochs"), put("/train/epochs", 3)),
    ),
    "a share": (
        put("/train/validation", 0.5),
        "NBN112",
        "/train/validation",
        'write {"fraction": 0.5}',
        put("/train/validation", {"fraction": 0.5}),
    ),
    "percent": (
        put("/train/validation", {"fraction": 50}),
        "NBN113",
        "/train/validation/fraction",
        "write 0.5",
        put("/train/validation", {"fraction": 0.5}),
    ),
    "a number for true": (
        put("/train/shuffle", 1),
        "NBN112",
        "/train/shuffle",
        "write true",
        drop("/train/shuffle"),
    ),
    "false as text": (
        put("/train/shuffle", "false"),
        "NBN112",
        "/train/shuffle",
        "write false",
        put("/train/shuffle", False),
    ),
    "an optimizer of another framework": (
        put("/train/optimizer", "rmsprop"),
        "NBN114",
        "/train/optimizer",
        "this language has none (yet); known: adam, sgd",
        put("/train/optimizer", "adam"),
    ),
    "settings of another framework": (
        put("/train/early_stopping", True),
        "NBN111",
        "/train/early_stopping",
        "this language has none (yet)",
        drop("/train/early_stopping"),
    ),
    "decay": (
        put("/train/optimizer/weight_decay", 0.1),
        "NBN111",
        "/train/optimizer/weight_decay",
        "this language has none (yet)",
        drop("/train/optimizer/weight_decay"),
    ),
    "the version as text": (put("/version", "1"), "NBN112", "/version", "write 1", put("/version", 1)),
    "codes alone": (
        put("/lint", ["NBN901"]),
        "NBN112",
        "/lint",
        'write {"ignore": ["NBN901"]}',
        put("/lint", {"ignore": ["NBN901"]}),
    ),
    "a shape for the model": (
        put("/input_shape", [4]),
        "NBN111",
        "/input_shape",
        'the shape stands where the input is declared: "inputs": {"x": {"shape": ["N", 4]}}',
        drop("/input_shape"),
    ),
}
LOSSES: dict[str, Row] = {
    "ends by their keys": (
        put("/loss", {"op": "squared_error", "prediction": "y_hat", "target": "y"}),
        "NBN111",
        "/loss/prediction",
        'write "inputs": ["y_hat", "y"] instead of "prediction" and "target"',
        put("/loss", {"op": "squared_error", "inputs": ["y_hat", "y"]}),
    ),
    "a name for the op": (
        put("/loss", {"name": "mse", "reduction": "mean"}),
        "NBN110",
        "/loss/name",
        'write {"op": "mean_squared_error", "inputs": ["y_hat", "y"]}',
        put("/loss", {"op": "mean_squared_error", "inputs": ["y_hat", "y"]}),
    ),
    "a reduction": (
        put("/loss/reduction", "mean"),
        "NBN111",
        "/loss/reduction",
        "leave it out: each loss has its own",
        drop("/loss/reduction"),
    ),
    "null": (
        all_of(put("/loss", None), drop("/train")),
        "NBN112",
        "/loss",
        "leave the key out",
        drop("/loss"),
    ),
}
COLUMNS = {"x": ["x1", "x2"], "y": "y"}
DATA: dict[str, Row] = {
    "arrays alone": (
        put("/data", {"x": [[0, 1], [1, 1]], "y": [[1], [0]]}),
        "NBN112",
        "/data",
        'write {"values": {"x": [[0, 1], [1, 1]], "y": [[1], [0]]}}',
        put("/data", {"values": {"x": [[0, 1], [1, 1]], "y": [[1], [0]]}}),
    ),
    "records": (
        put("/data", [{"x": [0, 1], "y": [1]}, {"x": [1, 1], "y": [0]}]),
        "NBN112",
        "/data",
        'write {"values": {"x": [[0, 1], [1, 1]], "y": [[1], [0]]}}',
        put("/data", {"values": {"x": [[0, 1], [1, 1]], "y": [[1], [0]]}}),
    ),
    "a path": (
        all_of(put("/data", "f.csv"), put("/inputs/y/columns", ["y"])),
        "NBN112",
        "/data",
        'write {"csv": "f.csv"}',
        put("/data", {"csv": "f.csv"}),
    ),
    "a file": (
        put("/data", {"file": "f.csv", **COLUMNS}),
        "NBN111",
        "/data/file",
        'write {"csv": "f.csv", "columns": {"x": ["x1", "x2"], "y": "y"}}',
        put("/data", {"csv": "f.csv", "columns": COLUMNS}),
    ),
    "one npy file": (
        put("/data", {"npy": "x.npy"}),
        "NBN112",
        "/data/npy",
        'write {"x": "x.npy", …}, with a file for each input',
        put("/data", {"npy": {"x": "x.npy", "y": "y.npy"}}),
    ),
    "a dtype for a column": (
        put("/data", {"csv": "f.csv", "columns": {**COLUMNS, "y": {"column": "y", "dtype": "float"}}}),
        "NBN111",
        "/data/columns/y/dtype",
        'leave it out: "dtype" stands at the top of the document',
        drop("/data/columns/y/dtype"),
    ),
}
TABLE = {
    f"{group}: {title}": row
    for group, rows in {
        "shapes": SHAPES,
        "parameters": PARAMETERS,
        "nodes": NODES,
        "train": TRAIN,
        "loss": LOSSES,
        "data": DATA,
    }.items()
    for title, row in rows.items()
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with data files."""
    monkeypatch.chdir(tmp_path)
    Path("f.csv").write_text(CSV, encoding="utf-8")
    np.save("x.npy", np.array([[0.0, 1], [1, 1]]))
    np.save("y.npy", np.array([[1.0], [0]]))
    return tmp_path


def diagnosed(document: Document) -> tuple[Problem, ...]:
    """The errors of a document."""
    return nbn_spec.diagnose(document).errors


def pointer(problem: Problem) -> str:
    """The place of a problem, as a JSON pointer."""
    return "".join(f"/{step}" for step in problem.path or ())


@pytest.mark.parametrize(("change", "code", "place", "hint", "follow"), TABLE.values(), ids=TABLE.keys())
def test_one_complaint_with_the_help(
    change: Change, code: str, place: str, hint: str, follow: Change, folder: Path
) -> None:
    document = good(change)
    before = copy.deepcopy(document)
    assert [(p.code, pointer(p), p.hint) for p in diagnosed(document)] == [(code, place, hint)]
    assert document == before
    follow(document)
    assert diagnosed(document) == ()
