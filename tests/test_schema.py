"""The published schemas and reference are current, valid, closed, explained, and agree with pydantic."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path

import pytest
from documents import drop, good, put
from jsonschema import Draft202012Validator
from pydantic import ValidationError

import nbn_spec
from nbn_spec import archive
from nbn_spec.errors import SpecError
from nbn_spec.ops import OPS
from nbn_spec.spec import ModelSpec, schema
from nbn_spec.spec.models import METRIC_MODELS, OPTIMIZER_MODELS
from nbn_spec.spec.nodes import INITS, NODES
from nbn_spec.spec.reference import FAMILIES, OBJECTS, reference

ROOT = Path(__file__).parent.parent
MODELS = sorted((ROOT / "models").glob("*.json"))


def test_reference_explains_every_key_of_every_object():
    """But for those of operations, initializers, optimizers and metrics, which have tables of their own."""
    told = {name for _, _, name, _ in OBJECTS}
    words = {
        part for table in (NODES, INITS, OPTIMIZER_MODELS, METRIC_MODELS) for part in map(title, table.values())
    }
    assert told | words == {*schema.schema("model")["$defs"], "ModelSpec"} - CHOICES
    for _, heading, name, _ in OBJECTS:
        part = schema.schema("model") if name == "ModelSpec" else schema.schema("model")["$defs"][name]
        section = reference().split(f"# {heading}\n")[1].split("\n#")[0]
        assert all(f"| `{key}` |" in section for key in part["properties"] if key != "doc"), heading
    assert "| `epochs` | an integer (at least 0) | `1` | Passes over the data. |" in reference()
    assert "| `fraction` | a number (greater than 0, less than 1) | *required* |" in reference()


CHOICES = {"LintCode", "AnyNode", "AnyInitializer", "Weight", "OptionalWeight", "Values"}


def title(model):
    return model.__name__


def objects(value, path="#"):
    """Every schema of an object within a schema, with its place."""
    if isinstance(value, dict):
        if value.get("type") == "object":
            yield path, value
        for key, item in value.items():
            if key != "if":  # a question, not a schema that anything has to follow
                yield from objects(item, f"{path}/{key}")
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from objects(item, f"{path}/{i}")


@pytest.mark.parametrize("which", ["model", "graph"])
def test_published_schema_is_current_and_valid(which):
    published = json.loads((ROOT / "schemas" / f"{which}.schema.json").read_text())
    assert published == schema.schema(which), f"python -m nbn_spec schema {which} > schemas/{which}.schema.json"
    assert published["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(published)


def test_reference_is_current():
    published = (ROOT / "docs" / "reference.md").read_text()
    assert published == reference(), "python -m nbn_spec reference > docs/reference.md"


def test_reference_names_every_op():
    families = {op.__module__.rpartition(".")[2] for op in OPS.values()}
    assert families == set(FAMILIES)
    assert all(f"| `{word}` |" in reference() for word in OPS)


@pytest.mark.parametrize("which", ["model", "graph"])
def test_objects_are_closed_and_references_local(which):
    text = json.dumps(schema.schema(which))
    references = [part.split('"')[0] for part in text.split('"$ref": "')[1:]]
    assert references
    assert all(ref.startswith("#/$defs/") for ref in references)
    assert all(ref.rpartition("/")[2] in schema.schema(which)["$defs"] for ref in references)
    for path, part in objects(schema.schema(which)):
        free = path.endswith("/properties/spec") and which == "graph"
        assert free or list(branches(part)) or part.get("additionalProperties", True) is not True, path


def branches(part):
    """What a choice hands an object on to: each branch is a reference, and those are to closed objects."""
    for rule in part.get("allOf", [part] if "if" in part and "properties" not in part else []):
        while rule and "then" in rule:
            assert rule["then"].keys() == {"$ref"}
            yield rule["then"]["$ref"]
            rule = rule.get("else")  # noqa: PLW2901


@pytest.mark.parametrize("which", ["model", "graph"])
def test_a_choice_by_a_word_has_a_branch_for_each_word_and_no_other(which):
    found = 0
    for path, part in objects(schema.schema(which)):
        for key, field in part.get("properties", {}).items():
            if "allOf" in part:
                rules = [rule["if"]["properties"][key]["const"] for rule in part["allOf"]]
                assert rules == field["enum"], path
                assert part["required"] == [key]
                found += 1
    assert found == {"model": 4, "graph": 1}[which]


@pytest.mark.parametrize("which", ["model", "graph"])
def test_every_choice_looks_before_it_checks(which):
    """No complaint is about all branches at once."""
    waiting = [schema.schema(which)]
    while waiting:
        part = waiting.pop()
        waiting.extend(part.values() if isinstance(part, dict) else part if isinstance(part, list) else ())
        if isinstance(part, dict) and part.get("title") != "Values":
            assert part.keys().isdisjoint(["oneOf", "anyOf"])
            assert part.get("default", 0) is not None or "null" in part["type"]


def test_every_key_is_explained():
    for path, part in objects(schema.schema("model")):
        for name, field in part.get("properties", {}).items():
            assert len(field.get("description", "")) >= 5, f"{path}: {name}"


def test_every_op_has_its_own_object_whose_word_is_required():
    defs = schema.schema("model")["$defs"]
    words = {
        part["properties"]["op"]["const"]: part
        for name, part in defs.items()
        if "op" in part.get("properties", {}) and name != "AnyNode"
    }
    assert set(words) == {*OPS, "dense"}
    assert all("op" in part["required"] for part in words.values())


PLACES = {
    "units": (put("/nodes/0/units", 0), "/nodes/0/units"),
    "units as text": (put("/nodes/0/units", "3"), "/nodes/0/units"),
    "no units": (drop("/nodes/0/units"), "/nodes/0"),
    "unknown key": (put("/nodes/0/unit", 3), "/nodes/0"),
    "unknown op": (put("/nodes/1/op", "sigmod"), "/nodes/1/op"),
    "null": (put("/nodes/1/name", None), "/nodes/1/name"),
    "initializer": (put("/nodes/0/weight", "xaver"), "/nodes/0/weight"),
    "setting of an initializer": (put("/nodes/0/weight", {"init": "normal", "std": -1}), "/nodes/0/weight/std"),
    "key of an initializer": (put("/nodes/0/weight", {"init": "normal", "sd": 1}), "/nodes/0/weight"),
    "loss": (put("/loss/op", "mse"), "/loss/op"),
    "operand": (put("/loss/inputs/1", 3), "/loss/inputs/1"),
    "epochs": (put("/train/epochs", "many"), "/train/epochs"),
    "key of train": (put("/train/learning_rate", 1), "/train"),
    "rate": (put("/train/optimizer/learning_rate", 0), "/train/optimizer/learning_rate"),
    "optimizer": (put("/train/optimizer/name", "adm"), "/train/optimizer/name"),
    "metric": (put("/train/metrics/0", "acc"), "/train/metrics/0"),
    "batch size": (put("/train/batch_size", "some"), "/train/batch_size"),
    "length": (put("/inputs/x/shape/1", 0), "/inputs/x/shape/1"),
    "symbol": (put("/inputs/x/shape/0", "n"), "/inputs/x/shape/0"),
    "kind of data": (put("/data", {"csb": "a"}), "/data"),
    "key of csv": (put("/data", {"csv": "a", "sep": ";"}), "/data"),
    "column": (
        put("/data", {"csv": "a", "columns": {"x": {"column": "a", "scale": "b"}}}),
        "/data/columns/x/scale",
    ),
    "seed": (put("/seed", -1), "/seed"),
}


@pytest.mark.parametrize(("change", "place"), PLACES.values(), ids=PLACES.keys())
def test_check_names_the_place(change, place):
    schema.check(good())
    with pytest.raises(SpecError) as caught:
        schema.check(good(change), where="model.json")
    assert caught.value.problems[0].where == f"model.json#{place}"
    assert "under any of the given schemas" not in caught.value.problems[0].message
    errors = list(schema.validator("model").iter_errors(good(change)))
    assert {"/" + "/".join(map(str, error.absolute_path)) for error in errors} == {place}


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_graphs_follow_their_schema(path):
    model = nbn_spec.compile(path)
    document = json.loads(json.dumps(archive.to_json(model.graph, model.spec)))
    schema.check(document, "graph")
    document["nodes"][0]["attributes"]["surprise"] = 1
    with pytest.raises(SpecError):
        schema.check(document, "graph")


REPLACEMENTS = [
    None, True, False, 0, 1, -1, 3.0, 2.5, 1e300, 10**400, "", "x", "3", "relu", "zeros", "all", [], {}, [1],
    ["x"], [[1, 2], [3]], {"value": 1}, {"init": "zeros"}, {"init": "constant"}, {"name": "sgd"}, {"doc": "?"},
    {"trainable": False}, {"trainable": 1}, {"init": "he", "value": 1}, {"value": [1], "trainable": True},
    "h/linear", "h//linear", "a b", "N", "float64", {"op": "relu"}, {"name": "adam", "beta_1": 1}, [None], [[]],
    {"csv": "a.csv", "npz": "b.npz"}, {"x": "a"}, {"column": ["a", "b"]}, 2**63, -(2**63), 2**32, [1] * 33,
]  # fmt: skip
KEYS = [
    "oops", "units", "op", "a b", "name", "doc", "value", "inputs", "weight", "bias", "init", "trainable", "axis",
    "$schema", "schema_", "activation", "loss", "data", "train", "dtype", "columns", "arrays", "csv", "npz", "npy",
]  # fmt: skip
EVERYTHING = {
    "$schema": "model.schema.json",
    "version": 1,
    "name": "everything",
    "dtype": "float64",
    "seed": {"value": 3, "generator": "mt19937", "doc": "a seed"},
    "inputs": {"x": {"shape": ["N", 2, 3], "columns": ["a", "b", "c"]}, "y": {"shape": ["N"], "dtype": "int64"}},
    "parameters": {"p": {"value": [1, 2]}, "q": {"shape": [2, 3], "init": {"init": "normal"}, "trainable": False}},
    "constants": {"one": 1, "rows": [[1, 2.5], [3, 4]]},
    "nodes": [
        {"name": "h", "op": "dense", "inputs": "x", "units": 3, "activation": "relu", "weight": "he"},
        {"op": "linear", "weight": {"value": [[1, 2, 3]], "trainable": False}, "bias": False, "inputs": ["h"]},
        {"op": "linear", "units": 2, "weight": {"trainable": False}, "bias": {"init": "constant", "constant": 1}},
        {"op": "sum", "inputs": "h/linear", "axis": [0, -1], "keepdims": True},
        {"op": "mean", "axis": None},
        {"op": "slice", "inputs": "x", "axis": 1, "start": None, "stop": -1, "step": 2},
        {"op": "transpose", "axes": None, "inputs": "x"},
        {"op": "reshape", "shape": ["N", 3, -1]},
        {"op": "feature_cross", "terms": ["a*b"], "columns": ["a", "b"], "inputs": "x"},
        {"op": "gelu", "approximate": True},
        {"op": "leaky_relu", "negative_slope": 0.5},
    ],
    "outputs": ["h/linear", "h"],
    "loss": {"op": "huber", "inputs": ["h", "y"], "delta": 2, "name": "cost"},
    "data": {
        "csv": "a.csv",
        "separator": ";",
        "columns": {
            "x": ["a", "b"],
            "y": {"column": "y", "map": {"no": 0, "yes": 1}, "one_hot": None, "scale": 2},
        },
    },
    "train": {
        "epochs": 3,
        "batch_size": 2,
        "shuffle": False,
        "optimizer": {"name": "adam", "epsilon": 0.001},
        "metrics": ["accuracy", {"name": "binary_accuracy", "threshold": None, "output": "h/linear"}],
        "validation": {"fraction": 0.5},
        "log_every": None,
    },
}
NPZ = {
    **EVERYTHING,
    "data": {"npz": "a.npz", "arrays": {"x": "x", "y": {"array": "y", "reshape": [2], "one_hot": 3}}},
}
NPY = {
    **EVERYTHING,
    "data": {"npy": {"x": "x.npy", "y": {"file": "y.npy", "standardize": False}}},
    "loss": "h/linear",
}
DOCUMENTS = {path.stem: json.loads(path.read_text()) for path in MODELS}
DOCUMENTS |= {"everything": EVERYTHING, "npz": NPZ, "npy": NPY}


def places(value, path=()):
    """Every place in a document."""
    yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, (*path, key))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from places(item, (*path, i))


def mutate(document, rng):
    """The document with one place deleted, replaced, renamed or extended."""
    made = copy.deepcopy(document)
    path = rng.choice([path for path in places(made) if path])
    parent = made
    for step in path[:-1]:
        parent = parent[step]
    how = rng.randrange(4)
    if how == 0:
        del parent[path[-1]]
    elif how == 1 and isinstance(parent, dict):
        parent[rng.choice(KEYS)] = rng.choice(REPLACEMENTS)
    elif how == 2 and isinstance(parent, dict):
        parent[str(path[-1]) + rng.choice(["s", " ", "/"])] = parent.pop(path[-1])
    else:
        parent[path[-1]] = rng.choice(REPLACEMENTS)
    return made


def complaints(document) -> set[str]:
    """The kinds of pydantic's complaints."""
    try:
        ModelSpec.model_validate(document)
    except ValidationError as error:
        return {item["type"] for item in error.errors()}
    return set()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_schema_and_pydantic_agree(name):
    """Only what a JSON Schema cannot say is left to pydantic: that rows are equally long, and numbers finite."""
    rng = random.Random(name)
    verdicts = set()
    assert not complaints(DOCUMENTS[name])
    for _ in range(300):
        mutant = mutate(DOCUMENTS[name], rng)
        if rng.random() < 0.2:
            mutant = mutate(mutant, rng)
        mine, published = complaints(mutant), schema.validator("model").is_valid(mutant)
        verdicts.add(not mine)
        assert published != bool(mine) or (published and mine <= {"values", "finite_number"}), (mine, mutant)
    assert verdicts == {True, False}
