"""Specs: every mistake is told with its place and its cause, and odd but good ones mean what they should."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pytest

import nbn_spec
from nbn_spec import spec
from nbn_spec.errors import DataError, GraphError, NbnError, SpecError, TrainingError

Document = dict[str, Any]
GOOD: Document = {
    "name": "good",
    "inputs": {"x": {"shape": ["N", 2], "columns": ["x1", "x2"]}, "y": {"shape": ["N", 1]}},
    "nodes": [
        {"name": "z1", "op": "linear", "inputs": "x", "units": 3, "weight": "xavier"},
        {"name": "a1", "op": "sigmoid"},
        {"name": "z2", "op": "linear", "units": 1},
        {"name": "y_hat", "op": "sigmoid"},
    ],
    "constants": {"s": 2},
    "outputs": ["y_hat"],
    "loss": {"op": "squared_error", "inputs": ["y_hat", "y"]},
    "data": {"values": {"x": [[0, 0], [0, 1]], "y": [[0], [1]]}},
    "train": {"epochs": 2, "optimizer": {"name": "sgd", "learning_rate": 1.0}, "metrics": ["binary_accuracy"]},
}
HUGE = 10**400


def put(pointer: str, value: Any) -> Callable[[Document], None]:
    """The change that sets what a JSON pointer names; ``-`` appends to a list."""

    def change(document: Document) -> None:
        *front, last = pointer.strip("/").split("/")
        target: Any = document
        for step in front:
            target = target[int(step)] if isinstance(target, list) else target[step]
        if last == "-":
            target.append(value)
        else:
            target[int(last) if isinstance(target, list) else last] = value

    return change


def drop(pointer: str) -> Callable[[Document], None]:
    """The change that deletes what a JSON pointer names."""

    def change(document: Document) -> None:
        *front, last = pointer.strip("/").split("/")
        target: Any = document
        for step in front:
            target = target[int(step)] if isinstance(target, list) else target[step]
        del target[int(last) if isinstance(target, list) else last]

    return change


def good(*changes: Callable[[Document], None]) -> Document:
    """The good spec, changed."""
    document = copy.deepcopy(GOOD)
    for change in changes:
        change(document)
    return document


def complaint(path: Path, content: bytes) -> NbnError:
    """What compiling a file of this content raises; anything but an ``NbnError`` fails the test."""
    path.write_bytes(content)
    with pytest.raises(NbnError) as caught:
        nbn_spec.compile(path)
    return caught.value


TEXTS = {
    "empty": (b"", "NBN101", ":1:1", "empty"),
    "blank": (b" \n ", "NBN101", ":2:2", "empty"),
    "trailing comma": (b'{"name": "a",}', "NBN101", ":1:14", 'a comma stands before "}"'),
    "trailing comma in a list": (b'{"a": [1,\n2,\n]}', "NBN101", ":3:1", 'a comma stands before "]"'),
    "single quotes": (b"{'name': 1}", "NBN101", ":1:2", "double quotes"),
    "comment": (b'{"a": 1 // one\n}', "NBN101", ":1:9", 'no comments: write "doc"'),
    "comment with #": (b"# a model\n{}", "NBN101", ":1:1", 'no comments: write "doc"'),
    "cut off": (b'{"a": [1, 2', "NBN101", ":1:12", "ends too early"),
    "no colon": (b'{"a" 1}', "NBN101", ":1:6", "':' delimiter"),
    "more behind": (b"{} {}", "NBN101", ":1:4", "Extra data"),
    "line break in a string": (b'{"a": "b\nc"}', "NBN101", ":1:9", "a line break is written \\n"),
    "key twice": (b'{"a": {"b": 1, "b": 2}}', "NBN102", "#/a/b", 'the key "b" stands twice'),
    "key twice in a list": (b'{"a": [{}, {"b/c": 1, "b/c": 2}]}', "NBN102", "#/a/1/b~1c", "twice"),
    "NaN": (b'{"a": [1, NaN]}', "NBN103", "#/a/1", "nan is no finite number"),
    "Infinity": (b'{"a": -Infinity}', "NBN103", "#/a", "-inf is no finite number"),
    "1e999": (b'{"a": {"b": 1e999}}', "NBN103", "#/a/b", "no finite number"),
    "integer beyond floats": (b'{"seed": 1' + b"0" * 400 + b"}", "NBN103", "#/seed", "no finite number"),
    "integer beyond Python's limit": (b'{"seed": 1' + b"0" * 9999 + b"}", "NBN103", "#/seed", "no finite number"),
    "not UTF-8": (b'{"a":\n "\xff"}', "NBN105", ":2:3", "byte 0xff"),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), "NBN105", ":1:1", "not UTF-8"),
    "too deep": (b'{"a":\n' + b"[" * 100 + b"]" * 100 + b"}", "NBN104", ":2:64", "deeper than 64"),
    "far too deep": (b"[" * 1_000_000, "NBN104", ":1:65", "deeper than 64"),
    "a list": (b"[1, 2]", "NBN112", "#/", "expected an object, got [1, 2]"),
    "null": (b"null", "NBN112", "#/", "expected an object, got null"),
    "half a surrogate": (b'{"name": "\\ud800"}', "NBN110", "#/nodes", '"nodes" is missing'),
}


@pytest.mark.parametrize(("content", "code", "place", "words"), TEXTS.values(), ids=TEXTS.keys())
def test_what_is_no_document(tmp_path: Path, content: bytes, code: str, place: str, words: str) -> None:
    path = tmp_path / "model.json"
    error = complaint(path, content)
    assert type(error) is SpecError
    assert (error.problems[0].code, error.problems[0].where) == (code, f"{path}{place}")
    assert words in str(error)


MISSPELT = {
    "unknown key": (put("/optimiser", 1), "NBN111", "#/optimiser", 'unknown key "optimiser"'),
    "unknown key of a node": (put("/nodes/0/unit", 3), "NBN111", "#/nodes/0/unit", 'did you mean "units"?'),
    "unknown key of the loss": (put("/loss/delta", 1), "NBN111", "#/loss/delta", "known: doc, inputs, name, op"),
    "unknown key of an initializer": (
        put("/nodes/0/weight", {"init": "normal", "sd": 1}),
        "NBN111",
        "#/nodes/0/weight/sd",
        'did you mean "std"?',
    ),
    "init beside value": (
        put("/nodes/0/weight", {"value": [[1, 1]], "init": "he"}),
        "NBN111",
        "#/nodes/0/weight/init",
        "known: doc, trainable, value",
    ),
    "unknown key of the optimizer": (
        put("/train/optimizer/momentum", 0.9),
        "NBN111",
        "#/train/optimizer/momentum",
        "known: doc, learning_rate, name",
    ),
    "two kinds of data": (put("/data/csv", "a.csv"), "NBN111", "#/data/csv", "known: doc, values"),
    "unknown key of a column": (
        put("/data", {"csv": "a.csv", "columns": {"x": {"column": "a", "mapp": {}}}}),
        "NBN111",
        "#/data/columns/x/mapp",
        'did you mean "map"?',
    ),
    "unknown op": (put("/nodes/0/op", "lineer"), "NBN114", "#/nodes/0/op", 'did you mean "linear"?'),
    "unknown loss": (put("/loss/op", "squared_eror"), "NBN114", "#/loss/op", 'did you mean "squared_error"'),
    "unknown initializer": (put("/nodes/0/weight", "xaver"), "NBN114", "#/nodes/0/weight", '"xavier"?'),
    "unknown initializer with settings": (
        put("/nodes/0/weight", {"init": "xaver"}),
        "NBN114",
        "#/nodes/0/weight/init",
        'did you mean "xavier"?',
    ),
    "unknown optimizer": (put("/train/optimizer", "sgdd"), "NBN114", "#/train/optimizer", '"sgd"?'),
    "unknown optimizer with settings": (
        put("/train/optimizer/name", "adm"),
        "NBN114",
        "#/train/optimizer/name",
        'did you mean "adam"?',
    ),
    "unknown metric": (put("/train/metrics/0", "acuracy"), "NBN114", "#/train/metrics/0", '"accuracy"'),
    "unknown activation": (
        put("/nodes/0", {"op": "dense", "units": 3, "activation": "rel"}),
        "NBN114",
        "#/nodes/0/activation",
        'did you mean "relu"',
    ),
    "unknown dtype": (put("/dtype", "float16"), "NBN114", "#/dtype", 'did you mean "float64"'),
    "unknown generator": (put("/seed", {"generator": "mt"}), "NBN114", "#/seed/generator", "mt19937, pcg64"),
    "missing op": (drop("/nodes/0/op"), "NBN110", "#/nodes/0/op", '"op" is missing'),
    "missing name": (drop("/name"), "NBN110", "#/name", '"name" is missing'),
    "missing nodes": (drop("/nodes"), "NBN110", "#/nodes", '"nodes" is missing'),
    "missing outputs": (drop("/outputs"), "NBN110", "#/outputs", '"outputs" is missing'),
    "missing shape": (drop("/inputs/x/shape"), "NBN110", "#/inputs/x/shape", 'stands first: ["N", 2]'),
    "missing init": (put("/nodes/0/weight", {}), "NBN110", "#/nodes/0/weight/init", '"init" is missing'),
    "missing constant": (
        put("/nodes/0/weight", {"init": "constant"}),
        "NBN110",
        "#/nodes/0/weight/constant",
        '"constant" is missing',
    ),
    "missing fraction": (
        put("/train/validation", {}),
        "NBN110",
        "#/train/validation/fraction",
        "Share of the examples",
    ),
    "missing array": (
        put("/data", {"npz": "a.npz", "arrays": {"x": {"scale": 2}}}),
        "NBN110",
        "#/data/arrays/x/array",
        '"array" is missing',
    ),
    "missing file": (put("/data", {"npy": {"x": {}}}), "NBN110", "#/data/npy/x/file", '"file" is missing'),
    "newer version": (put("/version", 2), "NBN115", "#/version", "knows up to 1"),
    "no version": (put("/version", 0), "NBN115", "#/version", "there is no version 0"),
}
ILL_TYPED = {
    "units as text": (put("/nodes/0/units", "3"), "NBN112", "#/nodes/0/units", 'an integer, got "3" (a string)'),
    "units as true": (put("/nodes/0/units", True), "NBN112", "#/nodes/0/units", "an integer, got true"),
    "units as fraction": (put("/nodes/0/units", 3.5), "NBN112", "#/nodes/0/units", "an integer, got 3.5"),
    "units as list": (put("/nodes/0/units", [3]), "NBN112", "#/nodes/0/units", "an integer, got [3] (a list)"),
    "rate as text": (
        put("/train/optimizer/learning_rate", "0.1"),
        "NBN112",
        "#/train/optimizer/learning_rate",
        'a number, got "0.1"',
    ),
    "rate as true": (
        put("/train/optimizer/learning_rate", True),
        "NBN112",
        "#/train/optimizer/learning_rate",
        "a number, got true",
    ),
    "op as number": (put("/nodes/0/op", 3), "NBN112", "#/nodes/0/op", "a string, got 3"),
    "op as null": (put("/nodes/0/op", None), "NBN112", "#/nodes/0/op", "a string, got null"),
    "node as text": (put("/nodes/0", "relu"), "NBN112", "#/nodes/0", 'an object, got "relu"'),
    "nodes as object": (put("/nodes", {}), "NBN112", "#/nodes", "a list, got {} (an object)"),
    "outputs as text": (put("/outputs", "y_hat"), "NBN112", "#/outputs", 'a list, got "y_hat"'),
    "name as number": (put("/name", 3), "NBN112", "#/name", "a string, got 3"),
    "doc as number": (put("/nodes/0/doc", 3), "NBN112", "#/nodes/0/doc", "a string, got 3"),
    "version as text": (put("/version", "1"), "NBN112", "#/version", 'expected 1, got "1"'),
    "version as true": (put("/version", True), "NBN112", "#/version", "expected 1, got true"),
    "seed as text": (put("/seed", "48"), "NBN112", "#/seed", 'an integer or an object, got "48"'),
    "loss as list": (put("/loss", ["a1"]), "NBN112", "#/loss", "a string or an object"),
    "optimizer as number": (put("/train/optimizer", 3), "NBN112", "#/train/optimizer", 'a name or {"name": …}'),
    "metric as number": (put("/train/metrics/0", 3), "NBN112", "#/train/metrics/0", 'a name or {"name": …}'),
    "batch size as text": (
        put("/train/batch_size", "3"),
        "NBN112",
        "#/train/batch_size",
        'an integer or "all", got "3"',
    ),
    "weight as number": (put("/nodes/0/weight", 3), "NBN112", "#/nodes/0/weight", '{"init": …} or {"value": …}'),
    "weight as false": (put("/nodes/0/weight", False), "NBN112", "#/nodes/0/weight", "got false"),
    "bias as true": (put("/nodes/0/bias", True), "NBN112", "#/nodes/0/bias", "or false, got true"),
    "trainable as text": (
        put("/nodes/0/weight", {"value": [[1, 1]] * 3, "trainable": "no"}),
        "NBN112",
        "#/nodes/0/weight/trainable",
        'true or false, got "no"',
    ),
    "ragged values": (
        put("/nodes/0/weight", {"value": [[1, 2], [3]]}),
        "NBN112",
        "#/nodes/0/weight/value",
        "rows of different lengths",
    ),
    "text among values": (put("/data/values/x", [[0, "1"]]), "NBN112", "#/data/values/x", '"1" among the numbers'),
    "true among values": (put("/constants", {"c": [True]}), "NBN112", "#/constants/c", "true among the numbers"),
    "null among values": (put("/constants", {"c": [None]}), "NBN112", "#/constants/c", "null among the numbers"),
    "empty values": (put("/constants", {"c": []}), "NBN112", "#/constants/c", "an empty list"),
    "constant as object": (put("/constants", {"c": {}}), "NBN112", "#/constants/c", "got {} among the numbers"),
    "parameter as number": (put("/parameters", {"p": 3}), "NBN112", "#/parameters/p", 'expected {"value": …} or'),
    "symbol in a parameter": (
        put("/parameters", {"p": {"shape": ["N"], "init": "zeros"}}),
        "NBN112",
        "#/parameters/p/shape/0",
        "an integer",
    ),
    "data of no kind": (put("/data", {"vals": {}}), "NBN112", "#/data", '"values", "csv", "npz", "npy"'),
    "column as number": (
        put("/data", {"csv": "a.csv", "columns": {"x": 3}}),
        "NBN112",
        "#/data/columns/x",
        "a string or a list or an object, got 3",
    ),
}
OUT_OF_BOUNDS = {
    "no units": (put("/nodes/0/units", 0), "NBN113", "#/nodes/0/units", "at least 1, got 0"),
    "no nodes": (put("/nodes", []), "NBN113", "#/nodes", "no fewer items than 1"),
    "no outputs": (put("/outputs", []), "NBN113", "#/outputs", "no fewer items than 1"),
    "no inputs of a node": (put("/nodes/0/inputs", []), "NBN113", "#/nodes/0/inputs", "no fewer items than 1"),
    "length 0": (put("/inputs/x/shape/1", 0), "NBN113", "#/inputs/x/shape/1", "at least 1, got 0"),
    "rate 0": (
        put("/train/optimizer/learning_rate", 0),
        "NBN113",
        "#/train/optimizer/learning_rate",
        "greater than 0",
    ),
    "epochs": (put("/train/epochs", -1), "NBN113", "#/train/epochs", "at least 0, got -1"),
    "fraction": (
        put("/train/validation", {"fraction": 1}),
        "NBN113",
        "#/train/validation/fraction",
        "less than 1",
    ),
    "seed": (put("/seed", -1), "NBN113", "#/seed", "at least 0, got -1"),
    "deviation": (
        put("/nodes/0/weight", {"init": "normal", "std": -1}),
        "NBN113",
        "#/nodes/0/weight/std",
        "at least 0",
    ),
    "two classes at least": (
        put("/data", {"npz": "a.npz", "arrays": {"x": {"array": "x", "one_hot": 1}}}),
        "NBN113",
        "#/data/arrays/x/one_hot",
        "at least 2, got 1",
    ),
    "separator of two": (put("/data", {"csv": "a", "separator": ";;"}), "NBN113", "#/data/separator", '";;"'),
    "separator that quotes": (put("/data", {"csv": "a", "separator": '"'}), "NBN113", "#/data/separator", "match"),
    "name of a node": (put("/nodes/0/name", "z 1"), "NBN116", "#/nodes/0/name", '"z 1" may not be used'),
    "slash in a name": (put("/nodes/0/name", "z/1"), "NBN116", "#/nodes/0/name", '"z/1" may not be used'),
    "line break in a name": (put("/nodes/0/name", "z\n"), "NBN116", "#/nodes/0/name", '"z\\n" may not be used'),
    "long name": (put("/nodes/0/name", "z" * 101), "NBN113", "#/nodes/0/name", "no more characters than 100"),
    "name of an input": (put("/inputs/1x", {"shape": [1]}), "NBN116", "#/inputs/1x", '"1x" may not be used'),
    "name of the model": (put("/name", "../up"), "NBN116", "#/name", '"../up" may not be used'),
    "symbol": (put("/inputs/x/shape/0", "n"), "NBN116", "#/inputs/x/shape/0", "begin with a capital letter"),
    "33 axes": (put("/inputs/x/shape", ["N"] * 33), "NBN113", "#/inputs/x/shape", "no more items than 32"),
    "target standardized": (
        put("/data", {"csv": "a.csv", "columns": {"y": {"column": "y", "standardize": True}}}),
        "NBN113",
        "#/data/columns/y/standardize",
        "a target keeps its units",
    ),
}
SPECS = {**MISSPELT, **ILL_TYPED, **OUT_OF_BOUNDS}


def node(**fields: Any) -> Callable[[Document], None]:
    """The change that appends a node."""
    return put("/nodes/-", fields)


NEW = "#/nodes/4"
NAMES = {
    "unknown input": (
        put("/nodes/0/inputs", "z"),
        "NBN201",
        "#/nodes/0/inputs",
        "nothing is called so\n  help: did",
    ),
    "unknown output": (put("/outputs", ["y_hat", "yhat"]), "NBN201", "#/outputs/1", 'did you mean "y_hat"'),
    "unknown loss node": (put("/loss", "cost"), "NBN201", "#/loss", '"cost" is no node\'s name'),
    "input as loss": (put("/loss", "x"), "NBN201", "#/loss", '"x" is no node\'s name'),
    "data for no input": (put("/data/values/z", [1]), "NBN201", "#/data/values/z", "no input is called so"),
    "cycle": (put("/nodes/0/inputs", "a1"), "NBN202", "#/nodes/0", "z1 → a1 → z1"),
    "long cycle": (put("/nodes/0/inputs", "y_hat"), "NBN202", "#/nodes/0", "z1 → a1 → z2 → y_hat → z1"),
    "self-cycle": (put("/nodes/0/inputs", "z1"), "NBN202", "#/nodes/0", "z1 → z1"),
    "name of two nodes": (node(op="relu", name="a1"), "NBN200", NEW, '"a1" stands for 2 nodes'),
    "name of input and node": (put("/nodes/0/name", "x"), "NBN200", "#/nodes/0", "an input and a node"),
    "name of input and constant": (put("/constants", {"x": 1}), "NBN200", "#/constants/x", "input and a constant"),
    "column twice": (
        put("/inputs/x/columns", ["x1", "x1"]),
        "NBN200",
        "#/inputs/x/columns",
        'two columns are called "x1"',
    ),
}
SHAPES = {
    "too few inputs": (node(op="add", inputs="x"), "NBN206", NEW, "add takes 2 inputs (a, b), got 1"),
    "too many inputs": (node(op="relu", inputs=["x", "y"]), "NBN206", NEW, "relu takes 1 input (x), got 2"),
    "loss with one input": (put("/loss/inputs", "y_hat"), "NBN206", "#/loss", "(prediction, target), got 1"),
    "broadcast": (node(op="add", inputs=["x", "z1"]), "NBN203", NEW, "[N, 2] and [N, 3] do not broadcast"),
    "path of the shape": (node(op="add", inputs=["a1", "x"]), "NBN203", NEW, "x [N, 2] → z1 [N, 3] → a1 [N, 3]"),
    "loss of unequal shapes": (put("/loss/inputs/0", "a1"), "NBN203", "#/loss", "is [N, 3], target is [N, 1]"),
    "matmul": (node(op="matmul", inputs=["x", "y"]), "NBN203", NEW, "[N, 2] has 2 columns, [N, 1] has N rows"),
    "matmul of a scalar": (node(op="matmul", inputs=["x", "s"]), "NBN203", NEW, "[] has fewer than two axes"),
    "linear over a symbol": (put("/inputs/x", {"shape": ["N", "K"]}), "NBN203", "#/nodes/0", "[N, K] is K"),
    "linear of a scalar": (put("/inputs/x", {"shape": []}), "NBN203", "#/nodes/0", "the input is a scalar"),
    "axis": (node(op="sum", inputs="x", axis=2), "NBN203", NEW, "axis 2 is out of range for shape [N, 2]"),
    "axis twice": (node(op="sum", inputs="x", axis=[1, -1]), "NBN203", NEW, "names an axis of [N, 2] twice"),
    "softmax": (node(op="softmax", inputs="x", axis=-3), "NBN203", NEW, "axis -3 is out of range"),
    "reshape": (node(op="reshape", inputs="x", shape=["N", 3]), "NBN203", NEW, "2 elements, not 3"),
    "reshape of symbols": (node(op="reshape", inputs="x", shape=[2, -1]), "NBN203", NEW, "must keep the symbols"),
    "flatten of symbols": (node(op="flatten", inputs="x", start_axis=0), "NBN203", NEW, "axis 0 of [N, 2] is N"),
    "transpose": (node(op="transpose", inputs="x", axes=[0, 0]), "NBN203", NEW, "each of the 2 axes once"),
    "concatenate": (
        node(op="concatenate", inputs=["x", "z1"], axis=0),
        "NBN203",
        NEW,
        "[N, 2] and [N, 3] differ elsewhere",
    ),
    "slice of the batch": (node(op="slice", inputs="x", axis=0, stop=1), "NBN203", NEW, "axis 0 of [N, 2] is N"),
    "empty slice": (node(op="slice", inputs="x", start=2), "NBN203", NEW, "takes nothing of axis 1 of [N, 2]"),
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
        'weight of "z1" is [1, 3], but must be [3, 2]',
    ),
    "exact bias": (
        put("/nodes/0/bias", {"value": [1]}),
        "NBN203",
        "#/nodes/0/bias/value",
        'bias of "z1" is [1], but must be [3]',
    ),
    "whole numbers for real ones": (put("/inputs/x/dtype", "int64"), "NBN203", "#/nodes/0", "takes real numbers"),
    "loss is no scalar": (put("/loss", "a1"), "NBN204", "#/loss", '"a1" has shape [N, 3], but must be a scalar'),
    "inline loss is no scalar": (put("/loss", {"op": "relu"}), "NBN204", "#/loss", "shape [N, 1]"),
}
ATTRIBUTES = {
    "missing units": (drop("/nodes/0/units"), "NBN110", "#/nodes/0/units", 'or exact values of "weight"'),
    "missing units of dense": (node(op="dense"), "NBN110", NEW + "/units", 'needs "units"'),
    "missing columns": (
        node(op="feature_cross", inputs="y", terms=["x1"]),
        "NBN110",
        NEW + "/columns",
        'needs "columns"',
    ),
    "cross with an unknown column": (
        node(op="feature_cross", inputs="x", terms=["x1*x3"]),
        "NBN205",
        NEW + "/terms",
        '"x1*x3" uses "x3", but the columns are x1, x2',
    ),
    "cross that is no product": (
        node(op="feature_cross", inputs="x", terms=["x1^y"]),
        "NBN205",
        NEW + "/terms",
        '"x1^y" is no product',
    ),
    "cross of a high power": (
        node(op="feature_cross", inputs="x", terms=["x1^21"]),
        "NBN205",
        NEW + "/terms",
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
    "absurd units": (put("/nodes/0/units", 1e300), "NBN205", "#/nodes/0/units", "64 bits hold no such number"),
}
GRAPHS = {**NAMES, **SHAPES, **ATTRIBUTES}


@pytest.mark.parametrize(("change", "code", "place", "words"), SPECS.values(), ids=SPECS.keys())
def test_what_is_no_spec(tmp_path: Path, change: Any, code: str, place: str, words: str) -> None:
    path = tmp_path / "model.json"
    error = complaint(path, json.dumps(good(change)).encode())
    assert type(error) is SpecError
    assert [(p.code, p.where) for p in error.problems] == [(code, f"{path}{place}")]
    assert words in str(error)


@pytest.mark.parametrize(("change", "code", "place", "words"), GRAPHS.values(), ids=GRAPHS.keys())
def test_what_is_no_graph(tmp_path: Path, change: Any, code: str, place: str, words: str) -> None:
    path = tmp_path / "model.json"
    error = complaint(path, json.dumps(good(change)).encode())
    assert type(error) is GraphError
    assert [(p.code, p.where) for p in error.problems] == [(code, f"{path}{place}")]
    assert words in str(error)


def test_a_metric_that_has_nothing_to_compare(tmp_path: Path) -> None:
    error = complaint(tmp_path / "m.json", json.dumps(good(put("/train/metrics/0", "accuracy"))).encode())
    assert type(error) is TrainingError
    assert error.problems[0].where == f"{tmp_path / 'm.json'}#/train/metrics/0"
    assert '"y_hat" is [N, 1]' in str(error)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("none.json", "there is no such file"),
        ("\0.json", "no path"),
        (".", "Is a directory"),
        (3, "expected a path"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: Any, words: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpecError, match=words) as caught:
        nbn_spec.compile(source)
    assert caught.value.problems[0].code == ("NBN112" if source == 3 else "NBN100")


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "large.json"
    with open(path, "wb") as file:
        file.truncate(64 * 2**20 + 1)
    with pytest.raises(SpecError, match="keep large arrays") as caught:
        nbn_spec.compile(path)
    assert caught.value.problems[0].code == "NBN104"


def test_missing_data_is_told_when_it_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_text(json.dumps(good(put("/data", {"csv": "none.csv"}))))
    model = nbn_spec.compile(path)
    with pytest.raises(DataError, match="there is no such file") as caught:
        model.fit()
    assert caught.value.problems[0].where == str(tmp_path / "none.csv")
    (tmp_path / "none.csv").write_text("x1,x2\n1,2\n")
    with pytest.raises(DataError, match='column "y" stands not in the header') as caught:
        model.fit()
    assert caught.value.problems[0].code == "NBN301"


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("pointer", ["/name", "/nodes/0/units", "/constants", "/data", "/inputs/x", "/later"])
@pytest.mark.parametrize(
    "value", [nested(5000), 10**5000, {1, 2}, b"x", {3: 4}, object()], ids=lambda v: type(v).__name__
)
def test_what_python_can_say_and_json_cannot(pointer: str, value: Any) -> None:
    with pytest.raises(NbnError) as caught:
        nbn_spec.compile(good(put(pointer, value)))
    assert caught.value.problems[0].where.startswith(pointer)
    assert len(str(caught.value.problems[0])) < 1000


def places(error: NbnError) -> list[tuple[str, str]]:
    return [(problem.code, problem.where) for problem in error.problems]


def test_every_mistake_of_the_spec_in_its_order() -> None:
    document = good(put("/nodes/0/unit", 3), put("/nodes/2/op", "lin"), put("/nodes/1/name", 3), drop("/name"))
    document = {"later": 1, **dict(reversed(document.items()))}
    with pytest.raises(SpecError) as caught:
        nbn_spec.compile(document)
    assert places(caught.value) == [
        ("NBN110", "/name"),
        ("NBN111", "/later"),
        ("NBN111", "/nodes/0/unit"),
        ("NBN112", "/nodes/1/name"),
        ("NBN114", "/nodes/2/op"),
    ]


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
        ("NBN203", "/nodes/4"),
        ("NBN202", "/nodes/5"),
        ("NBN203", "/nodes/8/bias/value"),
    ]


def test_no_name_steers_the_terminal() -> None:
    with pytest.raises(SpecError) as caught:
        nbn_spec.compile(good(put("/\33[31m\nerror: none", 1)))
    assert "\33" not in str(caught.value)
    assert "\\x1b[31m\\nerror" in str(caught.value).splitlines()[0]
