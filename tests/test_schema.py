"""The published schemas and reference are current, valid, closed, explained, and agree with pydantic."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

import nbn_spec
from nbn_spec import archive
from nbn_spec.errors import SpecError
from nbn_spec.ops import OPS
from nbn_spec.spec import ModelSpec, schema
from nbn_spec.spec.reference import FAMILIES, reference

ROOT = Path(__file__).parent.parent
MODELS = sorted((ROOT / "models").glob("*.json"))


def objects(value, path="#"):
    """Every schema of an object within a schema, with its place."""
    if isinstance(value, dict):
        if value.get("type") == "object":
            yield path, value
        for key, item in value.items():
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
        assert free or part.get("additionalProperties", True) is not True, path


def test_every_key_is_explained():
    for path, part in objects(schema.schema("model")):
        for name, field in part.get("properties", {}).items():
            assert len(field.get("description", "")) >= 5, f"{path}: {name}"


def test_every_op_has_its_own_object_whose_word_is_required():
    defs = schema.schema("model")["$defs"]
    words = {
        part["properties"]["op"]["const"]: part for part in defs.values() if "op" in part.get("properties", {})
    }
    assert set(words) == {*OPS, "dense"}
    assert all("op" in part["required"] for part in words.values())


def test_check_names_the_place():
    document = json.loads(MODELS[0].read_text())
    document["train"]["epochs"] = "many"
    with pytest.raises(SpecError) as caught:
        schema.check(document, where="model.json")
    assert caught.value.problems[0].where == "model.json#/train/epochs"
    assert "many" in caught.value.problems[0].message


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
]  # fmt: skip


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
        parent[rng.choice(["oops", "units", "op", "a b", "name", "doc", "value"])] = rng.choice(REPLACEMENTS)
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


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_schema_and_pydantic_agree(path):
    """Only what a JSON Schema cannot say is left to pydantic: that rows are equally long, and numbers finite."""
    rng = random.Random(path.stem)
    document = json.loads(path.read_text())
    verdicts = set()
    for _ in range(150):
        mutant = mutate(document, rng)
        mine, published = complaints(mutant), schema.validator("model").is_valid(mutant)
        verdicts.add(not mine)
        assert published != bool(mine) or (published and mine <= {"values", "finite_number"}), (mine, mutant)
    assert verdicts == {True, False}
