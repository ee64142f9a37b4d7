"""Documents that are no specs: every mistake is told with its place and its cause, whatever else is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from documents import complaint, drop, good, node, places, put, said

import nbn_spec
from nbn_spec.errors import DataError, NbnError, SpecError

TEXTS = {
    "empty": (b"", "NBN101", ":1:1", "empty"),
    "blank": (b" \n ", "NBN101", ":2:2", "empty"),
    "trailing comma": (b'{"name": "a",}', "NBN101", ":1:13", 'a comma stands before "}"'),
    "trailing comma in a list": (b'{"a": [1,\n2,\n]}', "NBN101", ":2:2", 'a comma stands before "]"'),
    "single quotes": (b"{'name': 1}", "NBN101", ":1:2", "double quotes"),
    "comment": (b'{"a": 1 // one\n}', "NBN101", ":1:9", 'no comments\nwrite "doc"'),
    "comment with #": (b"# a model\n{}", "NBN101", ":1:1", 'no comments\nwrite "doc"'),
    "cut off": (b'{"a": [1, 2', "NBN101", ":1:12", "ends too early"),
    "no colon": (b'{"a" 1}', "NBN101", ":1:6", "a colon is missing before this"),
    "more behind": (b"{} {}", "NBN101", ":1:4", "a file holds one document"),
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
    "half a surrogate among values": (
        b'{"name": "a", "nodes": [{"op": "relu"}], "outputs": ["y"], "constants": {"c": ["\\ud800"]}}',
        "NBN112",
        "#/constants/c/0",
        "\\ud800",
    ),
    "half a surrogate": (
        b'{"name": "\\ud800", "nodes": [{"op": "relu"}], "outputs": ["y"]}',
        "NBN105",
        "#/name",
        "half of a surrogate pair",
    ),
    "half a surrogate as a key": (
        b'{"name": "a", "nodes": [{"op": "relu"}], "outputs": ["y"], "\\ud800": 1}',
        "NBN105",
        "#/\ud800",
        "half of a surrogate pair",
    ),
}


@pytest.mark.parametrize(("content", "code", "place", "words"), TEXTS.values(), ids=TEXTS.keys())
def test_what_is_no_document(tmp_path: Path, content: bytes, code: str, place: str, words: str) -> None:
    path = tmp_path / "model.json"
    error = complaint(path, content)
    assert type(error) is SpecError
    assert (code, f"{path}{place}") in places(error)
    assert words in said(error)


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
        put("/nodes/0/weight", {"value": [[1, 1]] * 3, "init": "he"}),
        "NBN111",
        "#/nodes/0/weight/init",
        "known: doc, trainable, value",
    ),
    "unknown key of the optimizer": (
        put("/train/optimizer/momentum", 0.9),
        "NBN111",
        "#/train/optimizer/momentum",
        "this language has none (yet)",
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
    "unknown dtype": (put("/dtype", "float16"), "NBN114", "#/dtype", 'did you mean "float32"'),
    "unknown generator": (
        put("/seed", {"generator": "mt"}),
        "NBN114",
        "#/seed/generator",
        'did you mean "mt19937"',
    ),
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
    "missing file": (
        put("/data", {"npy": {"x": {}, "y": "y.npy"}}),
        "NBN110",
        "#/data/npy/x/file",
        '"file" is missing',
    ),
    "missing units": (drop("/nodes/0/units"), "NBN110", "#/nodes/0/units", 'or exact values of "weight"'),
    "missing units of dense": (node(op="dense"), "NBN110", "#/nodes/4/units", '"units" is missing'),
    "the Python name of $schema": (put("/schema_", "a"), "NBN111", "#/schema_", 'unknown key "schema_"'),
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
        "#/nodes/0/weight/value/1",
        "rows of different lengths",
    ),
    "text among values": (put("/data/values/x", [[0, "1"]]), "NBN112", "#/data/values/x/0/1", '"1" among the'),
    "true among values": (put("/constants", {"c": [True]}), "NBN112", "#/constants/c/0", "true among the numbers"),
    "null among values": (put("/constants", {"c": [None]}), "NBN112", "#/constants/c/0", "null among the numbers"),
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
    "absurd units": (put("/nodes/0/units", 1e300), "NBN113", "#/nodes/0/units", "fits in 64 bits, got 1e+300"),
    "absurd epochs": (put("/train/epochs", 2**63), "NBN113", "#/train/epochs", "fits in 64 bits"),
    "no nodes": (put("/nodes", []), "NBN113", "#/nodes", "must not be empty"),
    "no outputs": (put("/outputs", []), "NBN113", "#/outputs", "must not be empty"),
    "no inputs of a node": (put("/nodes/0/inputs", []), "NBN113", "#/nodes/0/inputs", "must not be empty"),
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
    "separator that quotes": (
        put("/data", {"csv": "a", "separator": '"'}),
        "NBN113",
        "#/data/separator",
        "one sign",
    ),
    "name of a node": (put("/nodes/0/name", "z 1"), "NBN116", "#/nodes/0/name", '"z 1" may not be used'),
    "slash in a name": (put("/nodes/0/name", "z/1"), "NBN116", "#/nodes/0/name", '"z/1" may not be used'),
    "line break in a name": (put("/nodes/0/name", "z\n"), "NBN116", "#/nodes/0/name", '"z\\n" may not be used'),
    "long name": (put("/nodes/0/name", "z" * 101), "NBN113", "#/nodes/0/name", "no more characters than 100"),
    "name of an input": (put("/inputs/1x", {"shape": [1]}), "NBN116", "#/inputs/1x", '"1x" may not be used'),
    "name of the model": (put("/name", "../up"), "NBN116", "#/name", '"../up" may not be used'),
    "symbol": (put("/inputs/x/shape/0", "n"), "NBN116", "#/inputs/x/shape/0", 'the batch is "N"'),
    "33 axes": (put("/inputs/x/shape", ["N"] * 33), "NBN113", "#/inputs/x/shape", "no more items than 32"),
    "target standardized": (
        put("/data", {"csv": "a.csv", "columns": {"y": {"column": "y", "standardize": True}}}),
        "NBN113",
        "#/data/columns/y/standardize",
        "a target keeps its units",
    ),
}
NULLS = {
    pointer: (put(pointer, None), "NBN112", "#" + pointer, "got null")
    for pointer in (
        *("/doc", "/$schema", "/loss", "/data", "/train", "/inputs/x/columns", "/inputs/x/dtype", "/nodes/0/doc"),
        *("/nodes/0/name", "/nodes/0/inputs", "/nodes/0/units", "/nodes/0/weight", "/nodes/0/bias", "/train/doc"),
    )
}
TARGETS = {
    "standardized beneath a target": (
        lambda document: document.update(
            nodes=[*document["nodes"], {"op": "multiply", "name": "twice", "inputs": ["y", "s"]}],
            loss={"op": "squared_error", "inputs": ["y_hat", "twice"]},
            data={"csv": "a.csv", "columns": {"y": {"column": "y", "standardize": True}}},
        ),
        "NBN113",
        "#/data/columns/y/standardize",
        "a target keeps its units",
    ),
    "standardized target of a loss that is a part": (
        lambda document: document.update(
            nodes=[
                *document["nodes"],
                {"op": "squared_error", "name": "part", "inputs": ["y_hat", "y"]},
                {"op": "square", "name": "cost"},
            ],
            loss="cost",
            data={"csv": "a.csv", "columns": {"y": {"column": "y", "standardize": True}}},
        ),
        "NBN113",
        "#/data/columns/y/standardize",
        "a target keeps its units",
    ),
}
SPECS = {**NULLS, **TARGETS, **MISSPELT, **ILL_TYPED, **OUT_OF_BOUNDS}


@pytest.mark.parametrize(("change", "code", "place", "words"), SPECS.values(), ids=SPECS.keys())
def test_what_is_no_spec(tmp_path: Path, change: Any, code: str, place: str, words: str) -> None:
    path = tmp_path / "model.json"
    error = complaint(path, json.dumps(good(change)).encode())
    assert type(error) is SpecError
    assert [(p.code, p.where) for p in error.problems] == [(code, f"{path}{place}")]
    assert words in said(error)


def test_json_text_instead_of_a_path() -> None:
    for text in (json.dumps(good()), json.dumps(good(), indent=2) + "\n", "{" + "x" * 5000 + "}"):
        with pytest.raises(SpecError, match=r"looks like JSON text, not a path\n   help: json.loads it first"):
            nbn_spec.compile(text)


def test_an_archive_instead_of_a_spec(tmp_path: Path) -> None:
    nbn_spec.compile(good()).save(tmp_path / "model.npz")
    with pytest.raises(
        SpecError, match=r"this is an archive, not a spec\n   help: predict and evaluate .* nbn_spec.load"
    ):
        nbn_spec.compile(tmp_path / "model.npz")


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
    with pytest.raises(DataError, match='column "y" is not in the header') as caught:
        model.fit()
    assert caught.value.problems[0].code == "NBN301"


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("pointer", ["/name", "/nodes/0/units", "/constants", "/data", "/inputs/x", "/later"])
@pytest.mark.parametrize(
    "value", [10**5000, {1, 2}, b"x", {3: 4}, object(), nested(60)], ids=lambda v: type(v).__name__
)
def test_what_python_can_say_and_json_cannot(pointer: str, value: Any) -> None:
    with pytest.raises(NbnError) as caught:
        nbn_spec.compile(good(put(pointer, value)))
    assert caught.value.problems[0].where.startswith(pointer)
    assert len(str(caught.value.problems[0])) < 1000


@pytest.mark.parametrize("pointer", ["/name", "/nodes/0/op", "/constants", "/data", "/inputs/x", "/later"])
def test_python_objects_without_end(pointer: str) -> None:
    knot: list[Any] = []
    knot += [knot, knot]
    for value in (nested(5000), knot):
        with pytest.raises(SpecError, match="nests deeper than 64 levels") as caught:
            nbn_spec.compile(good(put(pointer, value)))
        assert caught.value.problems[0].code == "NBN104"


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


def test_no_name_steers_the_terminal() -> None:
    with pytest.raises(SpecError) as caught:
        nbn_spec.compile(good(put("/\33[31m\nerror: none", 1)))
    assert "\33" not in str(caught.value)
    assert "\\x1b[31m\\nerror" in str(caught.value).splitlines()[0]
