"""The published JSON Schemas (draft 2020-12), generated from the models, and checks against them.

Pydantic publishes a choice as ``oneOf``: whoever writes a wrong key then hears of every branch, and all of them
are tried for every node. Here a choice looks first, at the kind of the value or at the word that tells what it is,
and checks one branch, so that complaints name the exact place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Literal

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from pydantic import BaseModel

from nbn_spec.errors import SpecError, shorten
from nbn_spec.spec.fields import VALUES_REF, VALUES_SCHEMA
from nbn_spec.spec.graph_document import GraphDocument
from nbn_spec.spec.models import ModelSpec
from nbn_spec.spec.read import pointer
from nbn_spec.spec.report_document import ReportDocument

Which = Literal["model", "graph", "report"]
Schema = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"
DOCUMENTS: dict[str, tuple[type[BaseModel], str]] = {
    "model": (ModelSpec, "nbn_spec model"),
    "graph": (GraphDocument, "nbn_spec graph, as archives hold it"),
    "report": (ReportDocument, "nbn_spec report, as --format json prints it"),
}
TAGS = ("op", "init", "name")
KINDS = ("object", "array", "string", "integer", "number", "boolean", "null")
"""JSON's types; of these a branch takes one."""


@cache
def schema(which: Which = "model") -> Schema:
    """The JSON Schema of a ``model`` document, the ``graph`` inside an archive, or a ``report``."""
    model, title = DOCUMENTS[which]
    found = model.model_json_schema(by_alias=True, mode="validation")
    if which == "model":
        found["$defs"]["Values"] = VALUES_SCHEMA
    for step in (choose_by_word, choose_by_kind, tidy):
        for part in objects(found):
            step(part, found["$defs"])
    return {"$schema": DIALECT, **found, "title": title}


def objects(value: Any) -> Iterator[Schema]:
    """Every object within a schema, the inner ones first."""
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from objects(item)
    if isinstance(value, dict):
        yield value


def choose_by_word(part: Schema, defs: Mapping[str, Schema]) -> None:
    """A choice among objects, each with its own word under one key."""
    told = part.get("discriminator")
    if not isinstance(told, dict) or "propertyName" not in told:
        return
    key, mapping = told["propertyName"], told["mapping"]
    del part["oneOf"], part["discriminator"]
    words = {"enum": list(mapping), "description": "The word that tells what this is."}
    part |= {"type": "object", "required": [key], "properties": {key: words}}
    part["allOf"] = [
        {"if": {"properties": {key: {"const": word}}, "required": [key]}, "then": {"$ref": ref}}
        for word, ref in mapping.items()
    ]


def choose_by_kind(part: Schema, defs: Mapping[str, Schema]) -> None:
    """A choice by the kind of the value; where several branches are objects, by the keys that they have."""
    branches = part.pop("anyOf", None) or part.pop("oneOf", None)
    if not isinstance(branches, list):
        return
    by_kind: dict[str, list[Schema]] = {}
    for branch in branches:
        by_kind.setdefault(kind_of(branch, defs), []).append(branch)
    kinds = sorted(by_kind, key=KINDS.index)
    if len(kinds) == 1:
        part |= {"type": kinds[0], **by_key(branches, defs)}
    elif all(map(simple, branches)):
        part |= {key: item for branch in branches for key, item in branch.items()} | {"type": kinds}
    else:
        rules = [{"if": {"type": kind}, "then": by_key(by_kind[kind], defs)} for kind in kinds]
        part |= {"type": kinds, "allOf": rules}


def tidy(part: Schema, defs: Mapping[str, Schema]) -> None:
    """What pydantic leaves to be said: maps are closed, and values refer to their own definition."""
    if part.get("format") == VALUES_REF:
        part["$ref"] = part.pop("format")
    if "patternProperties" in part:
        part["additionalProperties"] = False
    if isinstance(part.get("properties"), dict):
        tidy_properties(part)


def tidy_properties(part: Schema) -> None:
    """Telling words are required; titles that repeat the key and defaults that may not be written go."""
    for name, field in part["properties"].items():
        if not isinstance(field, dict):
            continue
        if name in TAGS and "const" in field:
            field.pop("default", None)
            part["required"] = sorted({*part.get("required", ()), name})
        if isinstance(field.get("title"), str):
            del field["title"]
        if "default" in field and field["default"] is None and "null" not in field.get("type", ()):
            del field["default"]


def simple(branch: Schema) -> bool:
    """Whether all that a branch says concerns values of its own kind only."""
    return not branch.keys() & {"enum", "const", "allOf", "description", "$ref"}


def kind_of(branch: Schema, defs: Mapping[str, Schema]) -> str:
    """The type of the values that a branch takes."""
    found = resolve(branch, defs).get("type")
    assert found in KINDS, branch
    return str(found)


def resolve(branch: Schema, defs: Mapping[str, Schema]) -> Schema:
    """A branch, its reference followed."""
    return defs[branch["$ref"].rpartition("/")[2]] if "$ref" in branch else branch


def by_key(branches: list[Schema], defs: Mapping[str, Schema]) -> Schema:
    """A choice among objects: the first one whose own key is there; without any, one is said to be missing."""
    if len(branches) == 1:
        return branches[0]
    keys = {own_key(branch, branches, defs): branch for branch in branches}
    rule: Schema = {"required": [next(iter(keys))]}
    for key, branch in reversed(keys.items()):
        rule = {"if": {"required": [key]}, "then": branch, "else": rule}
    return rule


def own_key(branch: Schema, branches: list[Schema], defs: Mapping[str, Schema]) -> str:
    """The required key that tells a branch from the others."""
    others = {key for other in branches if other is not branch for key in resolve(other, defs)["required"]}
    return str(next(key for key in resolve(branch, defs)["required"] if key not in others))


@cache
def validator(which: Which) -> Draft202012Validator:
    """The validator of a published schema."""
    return Draft202012Validator(in_python(schema(which)))


def in_python(part: Any) -> Any:
    """A schema whose patterns Python reads as JSON Schema does: there, ``$`` is no place before a line break."""
    if isinstance(part, list):
        return [in_python(item) for item in part]
    if not isinstance(part, dict):
        return part
    made = {key: in_python(item) for key, item in part.items()}
    if isinstance(part.get("pattern"), str):
        made["pattern"] = ended(part["pattern"])
    if isinstance(part.get("patternProperties"), dict):
        made["patternProperties"] = {ended(key): item for key, item in made["patternProperties"].items()}
    return made


def ended(pattern: str) -> str:
    """A pattern that ends with the text, where it ends with ``$``."""
    return re.sub(r"\$\Z", r"\\Z", pattern)


def check(document: Mapping[str, Any], which: Which = "model", where: str = "") -> None:
    """Check a document against a published schema; raises :class:`SpecError` at the most telling place."""
    error = best_match(validator(which).iter_errors(document))
    if error is not None:
        place = pointer(where, tuple(error.absolute_path))
        raise SpecError("NBN117", place, f"the published schema rejects it: {shorten(error.message, 200)}")
