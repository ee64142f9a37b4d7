"""The published JSON Schemas (draft 2020-12), generated from the models, and checks against them."""

from __future__ import annotations

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

Which = Literal["model", "graph"]
DIALECT = "https://json-schema.org/draft/2020-12/schema"
DOCUMENTS: dict[str, tuple[type[BaseModel], str]] = {
    "model": (ModelSpec, "nbn_spec model"),
    "graph": (GraphDocument, "nbn_spec graph, as archives hold it"),
}
TAGS = ("op", "init", "name")


@cache
def schema(which: Which = "model") -> dict[str, Any]:
    """The JSON Schema of a ``model`` document, or of the ``graph`` inside an archive."""
    model, title = DOCUMENTS[which]
    found = model.model_json_schema(by_alias=True, mode="validation")
    if which == "model":
        found["$defs"]["Values"] = VALUES_SCHEMA
    for part in objects(found):
        tidy(part)
    return {"$schema": DIALECT, **found, "title": title}


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every object within a schema."""
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from objects(item)


def tidy(part: dict[str, Any]) -> None:
    """What pydantic leaves to be said: closed maps, telling words required, nothing but JSON Schema's keywords."""
    part.pop("discriminator", None)
    if part.get("format") == VALUES_REF:
        part["$ref"] = part.pop("format")
    if "patternProperties" in part:
        part["additionalProperties"] = False
    properties = part.get("properties")
    if not isinstance(properties, dict):
        return
    for name in TAGS:
        if isinstance(properties.get(name), dict) and "const" in properties[name]:
            properties[name].pop("default", None)
            part["required"] = sorted({*part.get("required", ()), name})
    for field in properties.values():
        if isinstance(field, dict) and isinstance(field.get("title"), str):
            del field["title"]


@cache
def validator(which: Which) -> Draft202012Validator:
    """The validator of a published schema."""
    return Draft202012Validator(schema(which))


def check(document: Mapping[str, Any], which: Which = "model", where: str = "") -> None:
    """Check a document against a published schema; raises :class:`SpecError` at the most telling place."""
    error = best_match(validator(which).iter_errors(document))
    if error is not None:
        place = pointer(where, tuple(error.absolute_path))
        raise SpecError("NBN117", place, f"the published schema rejects it: {shorten(error.message, 200)}")
