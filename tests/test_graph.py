"""Specs that describe no graph: every independent mistake is told with its place, and nothing that follows."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from documents import GOOD, complaint, drop, good, node, places, put, said

import nbn_spec
from nbn_spec.errors import KINDS, DataError, GraphError, TrainingError
from nbn_spec.graph import Constant, CycleProblem, sort, verify

NEW, NEW_INPUTS = "#/nodes/4", "#/nodes/4/inputs"
NAMES = {
    "unknown input": (
        put("/nodes/0/inputs", "z"),
        "NBN201",
        "#/nodes/0/inputs",
        "nothing is called so\ndid",
    ),
    "unknown output": (put("/outputs", ["y_hat", "yhat"]), "NBN201", "#/outputs/1", 'did you mean "y_hat"'),
    "unknown loss node": (put("/loss", "cost"), "NBN201", "#/loss", '"cost" is no node\'s name'),
    "input as loss": (put("/loss", "x"), "NBN201", "#/loss", '"x" is no node\'s name'),
    "data for no input": (put("/data/values/z", [1]), "NBN201", "#/data/values/z", "no input is called so"),
    "cycle": (
        put("/nodes/0/inputs", "a1"),
        "NBN202",
        "#/nodes/0/inputs",
        "z1 (line 1) → a1 (line 1) → z1 (line 1)",
    ),
    "long cycle": (put("/nodes/0/inputs", "y_hat"), "NBN202", "#/nodes/0/inputs", "4 nodes wait"),
    "self-cycle": (put("/nodes/0/inputs", "z1"), "NBN202", "#/nodes/0/inputs", "z1 (line 1) → z1 (line 1)"),
    "name of two nodes": (node(op="relu", name="a1"), "NBN200", NEW + "/name", '"a1" stands for two nodes'),
    "name of input and node": (put("/nodes/0/name", "x"), "NBN200", "#/nodes/0/name", "an input and a node"),
    "name of input and constant": (put("/constants", {"x": 1}), "NBN200", "#/constants/x", "input and a constant"),
    "column twice": (
        put("/inputs/x/columns", ["x1", "x1"]),
        "NBN200",
        "#/inputs/x/columns/1",
        'two columns are called "x1"',
    ),
}
SHAPES = {
    "too few inputs": (node(op="add", inputs="x"), "NBN206", NEW_INPUTS, "add takes 2 inputs (a, b), got 1"),
    "too many inputs": (node(op="relu", inputs=["x", "y"]), "NBN206", NEW_INPUTS, "relu takes 1 input (x), got 2"),
    "loss with one input": (
        put("/loss/inputs", "y_hat"),
        "NBN206",
        "#/loss/inputs",
        "(prediction, target), got 1",
    ),
    "broadcast": (node(op="add", inputs=["x", "z1"]), "NBN203", NEW_INPUTS, "[N, 2] and [N, 3] do not broadcast"),
    "path of the shape": (
        node(op="add", inputs=["a1", "x"]),
        "NBN203",
        NEW_INPUTS,
        "x [N, 2] → z1 [N, 3] → a1 [N, 3]",
    ),
    "loss of unequal shapes": (
        put("/loss/inputs/0", "a1"),
        "NBN203",
        "#/loss/inputs",
        "is [N, 3], target is [N, 1]",
    ),
    "matmul": (
        node(op="matmul", inputs=["x", "y"]),
        "NBN203",
        NEW_INPUTS,
        "[N, 2] has 2 columns, [N, 1] has N rows",
    ),
    "matmul of a scalar": (
        node(op="matmul", inputs=["x", "s"]),
        "NBN203",
        NEW_INPUTS,
        "[] has fewer than two axes",
    ),
    "linear over a symbol": (put("/inputs/x", {"shape": ["N", "K"]}), "NBN203", "#/nodes/0/inputs", "[N, K] is K"),
    "linear of a scalar": (put("/inputs/x", {"shape": []}), "NBN203", "#/nodes/0/inputs", "the input is a scalar"),
    "axis": (node(op="sum", inputs="x", axis=2), "NBN203", NEW + "/axis", "axis 2 is out of range for"),
    "axis twice": (
        node(op="sum", inputs="x", axis=[1, -1]),
        "NBN203",
        NEW_INPUTS,
        "names an axis of [N, 2] twice",
    ),
    "softmax": (node(op="softmax", inputs="x", axis=-3), "NBN203", NEW + "/axis", "axis -3 is out of range"),
    "reshape": (node(op="reshape", inputs="x", shape=["N", 3]), "NBN203", NEW + "/shape", "2 elements, not 3"),
    "reshape of symbols": (
        node(op="reshape", inputs="x", shape=[2, -1]),
        "NBN203",
        NEW + "/shape",
        "must keep the symbols",
    ),
    "flatten of symbols": (
        node(op="flatten", inputs="x", start_axis=0),
        "NBN203",
        NEW_INPUTS,
        "axis 0 of [N, 2] is N",
    ),
    "transpose": (node(op="transpose", inputs="x", axes=[0, 0]), "NBN203", NEW_INPUTS, "each of the 2 axes once"),
    "concatenate": (
        node(op="concatenate", inputs=["x", "z1"], axis=0),
        "NBN203",
        NEW_INPUTS,
        "[N, 2] and [N, 3] differ elsewhere",
    ),
    "slice of the batch": (
        node(op="slice", inputs="x", axis=0, stop=1),
        "NBN203",
        NEW_INPUTS,
        "axis 0 of [N, 2] is N",
    ),
    "empty slice": (
        node(op="slice", inputs="x", start=2),
        "NBN203",
        NEW_INPUTS,
        "takes nothing of axis 1 of [N, 2]",
    ),
    "batch in the wrong place": (
        put("/inputs/x/shape", [2, "N"]),
        "NBN203",
        "#/inputs/x/shape",
        "only stand first",
    ),
    "columns and shape": (put("/inputs/x/columns", ["a"]), "NBN203", "#/inputs/x/columns", "names 1 columns"),
    "exact weight": (
        put("/nodes/0/weight", {"value": [[1, 2, 3]]}),
        "NBN203",
        "#/nodes/0/weight/value",
        'weight is [1, 3]; for the input "x" [N, 2] it must be [3, 2]: axis 0 is 1 instead of 3',
    ),
    "exact bias": (
        put("/nodes/0/bias", {"value": [1]}),
        "NBN203",
        "#/nodes/0/bias/value",
        'bias is [1]; for the input "x" [N, 2] it must be [3]',
    ),
    "whole numbers for real ones": (
        put("/inputs/x/dtype", "int64"),
        "NBN203",
        "#/nodes/0/inputs",
        "takes real numbers",
    ),
    "loss is no scalar": (put("/loss", "a1"), "NBN204", "#/loss", '"a1" has shape [N, 3], but must be a scalar'),
    "inline loss is no scalar": (put("/loss", {"op": "relu"}), "NBN204", "#/loss", "shape [N, 1]"),
}
ATTRIBUTES = {
    "missing columns": (
        node(op="feature_cross", inputs="y", terms=["x1"]),
        "NBN110",
        NEW + "/columns",
        'needs "columns"',
    ),
    "cross with an unknown column": (
        node(op="feature_cross", inputs="x", terms=["x1*x3"]),
        "NBN205",
        NEW + "/terms/0",
        '"x1*x3" uses "x3", no column: known: x1, x2',
    ),
    "cross that is no product": (
        node(op="feature_cross", inputs="x", terms=["x1^y"]),
        "NBN205",
        NEW + "/terms/0",
        '"x1^y" is no product',
    ),
    "cross of a high power": (
        node(op="feature_cross", inputs="x", terms=["x1^21"]),
        "NBN205",
        NEW + "/terms/0",
        "outside 1 … 20",
    ),
    "-1 twice": (node(op="reshape", inputs="x", shape=[-1, -1]), "NBN205", NEW + "/shape", "only one length"),
    "uniform upside down": (
        put("/nodes/0/weight", {"init": "uniform", "low": 1, "high": 0}),
        "NBN205",
        "#/nodes/0/weight/high",
        "must be at least low",
    ),
    "map and one_hot": (
        put("/data", {"csv": "a.csv", "columns": {"x": {"column": "a", "map": {"b": 1}, "one_hot": ["b"]}}}),
        "NBN205",
        "#/data/columns/x/one_hot",
        "exclude each other",
    ),
    "orthogonal bias": (put("/nodes/0/bias", "orthogonal"), "NBN208", "#/nodes/0/bias", "at least two axes"),
    "identity vector": (
        put("/parameters", {"p": {"shape": [2], "init": "identity"}}),
        "NBN208",
        "#/parameters/p",
        "a shape of two axes, but this one is [2]",
    ),
    "unknown initializer of a leaf": (
        put("/parameters", {"p": {"shape": [2], "init": "zero"}}),
        "NBN114",
        "#/parameters/p/init",
        'did you mean "zeros"',
    ),
    "beyond float32": (put("/constants", {"c": 1e39}), "NBN113", "#/constants/c", "float32 cannot hold"),
    "huge units": (put("/nodes/0/units", 10**15), "NBN209", "#/nodes/0/weight", "MiB are free"),
}
GRAPHS = {**NAMES, **SHAPES, **ATTRIBUTES}


@pytest.mark.parametrize(("change", "code", "place", "words"), GRAPHS.values(), ids=GRAPHS.keys())
def test_what_is_no_graph(tmp_path: Path, change: Any, code: str, place: str, words: str) -> None:
    path = tmp_path / "model.json"
    error = complaint(path, json.dumps(good(change)).encode())
    assert type(error) is KINDS[code[3]]
    assert [(p.code, p.where) for p in error.problems] == [(code, f"{path}{place}")]
    assert words in said(error)


OPS_OF_OTHERS = {
    "loss by its op": (
        put("/loss", "mean_squared_error"),
        "NBN201",
        "#/loss",
        'write {"op": "mean_squared_error", "inputs": ["y_hat", "y"]}',
    ),
    "loss by another's word": (
        put("/loss", "mse"),
        "NBN201",
        "#/loss",
        'write {"op": "mean_squared_error", "inputs"',
    ),
    "unknown initializer of a leaf, elsewhere known": (
        put("/parameters", {"p": {"shape": [2], "init": "xavier_uniform"}}),
        "NBN114",
        "#/parameters/p/init",
        'did you mean "glorot_uniform"?',
    ),
    "target that is no column": (
        put("/inputs/y/shape", ["N"]),
        "NBN203",
        "#/loss/inputs",
        'declare "y" as {"shape": ["N", 1]}',
    ),
    "class numbers as a column": (
        put("/loss/op", "sparse_categorical_crossentropy"),
        "NBN203",
        "#/loss/inputs",
        'declare "y" as {"shape": ["N"], "dtype": "int64"}',
    ),
    "class numbers as real numbers": (
        lambda document: document.update(
            inputs={"x": {"shape": ["N", 2]}, "y": {"shape": ["N"]}},
            loss={"op": "sparse_categorical_crossentropy", "inputs": ["a1", "y"]},
        ),
        "NBN203",
        "#/loss/inputs",
        'declare "y" as {"shape": ["N"], "dtype": "int64"}',
    ),
    "standardize of no input": (
        node(op="standardize", inputs="a1"),
        "NBN205",
        NEW + "/inputs",
        'reads an input, but "a1" is none',
    ),
}


@pytest.mark.parametrize(("change", "code", "place", "words"), OPS_OF_OTHERS.values(), ids=OPS_OF_OTHERS.keys())
def test_hints_for_what_was_meant(tmp_path: Path, change: Any, code: str, place: str, words: str) -> None:
    test_what_is_no_graph(tmp_path, change, code, place, words)


def test_a_spec_that_forgot_its_inputs(tmp_path: Path) -> None:
    error = complaint(tmp_path / "m.json", json.dumps(good(drop("/inputs"))).encode())
    assert [(p.code, p.where.partition("#")[2]) for p in error.problems] == [("NBN110", "/inputs")]
    assert 'nodes read "x", "y"' in said(error)


def test_a_first_node_without_inputs_to_read() -> None:
    with pytest.raises(GraphError, match=r'got 0\n   help: the spec declares no "inputs"'):
        nbn_spec.compile({"name": "none", "nodes": [{"op": "relu"}], "outputs": ["relu_1"]})


def test_data_that_leaves_out_what_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    for data, key in (({"values": {"x": [[0, 1]]}}, "values"), ({"npy": {"x": "x.npy"}}, "npy")):
        error = complaint(path, json.dumps(good(put("/data", data))).encode())
        assert type(error) is DataError
        assert [(p.code, p.where) for p in error.problems] == [("NBN306", f"{path}#/data/{key}")]
        assert 'says nothing of "y"' in said(error)
    nbn_spec.compile(good(drop("/data/values/y"), drop("/loss"), drop("/train")))


def test_training_without_a_loss(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    error = complaint(path, json.dumps(good(drop("/loss"))).encode())
    assert type(error) is TrainingError
    assert [(p.code, p.where) for p in error.problems] == [("NBN400", f"{path}#/train")]


def test_every_metric_that_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    metrics = ["accuracy", "binary_accuracy", {"name": "binary_accuracy", "output": "none"}]
    error = complaint(path, json.dumps(good(put("/train/metrics", metrics))).encode())
    assert type(error) is TrainingError
    assert [p.where for p in error.problems] == [f"{path}#/train/metrics/0", f"{path}#/train/metrics/2/output"]
    error = complaint(path, json.dumps(good(put("/train/metrics", ["binary_accuracy"] * 2))).encode())
    assert [p.where for p in error.problems] == [f"{path}#/train/metrics/1"]
    assert "measured twice" in said(error)


def test_a_metric_that_has_nothing_to_compare(tmp_path: Path) -> None:
    error = complaint(tmp_path / "m.json", json.dumps(good(put("/train/metrics/0", "accuracy"))).encode())
    assert type(error) is TrainingError
    assert error.problems[0].where == f"{tmp_path / 'm.json'}#/train/metrics/0"
    assert '"y_hat" is [N, 1]' in said(error)


def test_every_independent_mistake_of_the_graph_in_its_order() -> None:
    document = good(
        put("/nodes/0/inputs", "w"),
        node(op="softmax", axis=5, inputs="y"),
        node(op="exp", name="e", inputs="f"),
        node(op="log", name="f", inputs="e"),
        node(op="negative", inputs="e", doc="needs what lies on a cycle"),
        node(op="linear", units=2, inputs="y", bias={"value": [1, 2, 3]}),
        put("/outputs", ["none"]),
    )
    document = {"outputs": document.pop("outputs"), **document}
    with pytest.raises(GraphError) as caught:
        nbn_spec.compile(document)
    assert places(caught.value) == [
        ("NBN201", "/outputs/0"),
        ("NBN201", "/nodes/0/inputs"),  # and nothing of a1, z2, y_hat and the loss, which need z1
        ("NBN203", "/nodes/4/axis"),
        ("NBN202", "/nodes/5/inputs"),
        ("NBN203", "/nodes/8/bias/value"),
    ]


def test_forward_order_is_the_written_one_as_far_as_it_can_be() -> None:
    assert sort({"c": ["a"], "b": [], "a": ["x"], "d": ["c", "b"]}) == ["b", "a", "c", "d"]


def test_a_cycle_is_told_in_the_direction_of_the_data() -> None:
    with pytest.raises(CycleProblem) as caught:
        sort({"in": ["c"], "a": ["c", "x"], "b": ["a"], "c": ["b"], "out": ["b"]})
    first, *rest = caught.value.cycle
    assert rest[-1] == first
    assert set(rest) == {"a", "b", "c"}
    order = "abcabc"
    assert "".join(rest) in order


BROKEN = {
    "two leaves of one name": ({"constants": (Constant("x", np.zeros(())),)}, "two leaves of one name"),
    "node twice": ({"nodes": "twice"}, "stands for two things"),
    "order": ({"nodes": "reversed"}, "which is not computed before it"),
    "output": ({"outputs": ("none",)}, "nothing has this name"),
    "loss": ({"loss": "x"}, "no node has this name"),
    "scalar": ({"loss": "a1"}, "not a scalar"),
    "shape": ({"nodes": "shape"}, "its op gives [N, 3]"),
    "parameters": ({"nodes": "params"}, "other parameters than its op"),
    "parameter's shape": ({"parameters": "shape"}, "is [2, 3], not [3, 2]"),
}


@pytest.mark.parametrize(("change", "words"), BROKEN.values(), ids=BROKEN.keys())
def test_verify_finds_a_broken_promise(change: dict[str, Any], words: str) -> None:
    graph = nbn_spec.compile(GOOD).graph
    first, *rest = graph.nodes
    weight, *others = graph.parameters
    made = {
        "twice": (first, first, *rest),
        "reversed": tuple(reversed(graph.nodes)),
        "shape": (replace(first, shape=("N", 4)), *rest),
        "params": (replace(first, params={}), *rest),
    }
    changes = {
        key: made.get(value, value) if isinstance(value, str) and key == "nodes" else value
        for key, value in change.items()
    }
    if "parameters" in changes:
        changes["parameters"] = (replace(weight, shape=(2, 3)), *others)
    with pytest.raises(GraphError, match=re.escape(words)) as caught:
        verify(replace(graph, **changes))
    assert caught.value.problems[0].code == "NBN210"
