"""From a JSON object to a :class:`ModelSpec`, and from pydantic's errors to complaints that people can use."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from nbn_spec.errors import Problem, SpecError, shorten
from nbn_spec.record import BOUNDS
from nbn_spec.spec.fields import FILE_NAME_PATTERN, NAME_PATTERN, REFERENCE_PATTERN, SYMBOL_PATTERN
from nbn_spec.spec.models import ModelSpec
from nbn_spec.spec.read import check_version, in_order, pointer
from nbn_spec.spec.words import LOSSES, suggest, suggest_key, translation

KINDS = {
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "string_type": "a string",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
}
BOUND_KINDS = {
    "greater_than_equal": "ge",
    "greater_than": "gt",
    "less_than_equal": "le",
    "less_than": "lt",
}
LENGTHS = {
    "too_short": "no fewer items than {min_length}",
    "too_long": "no more items than {max_length}",
    "string_too_short": "no fewer characters than {min_length}",
    "string_too_long": "no more characters than {max_length}",
}
PATTERN_HINTS = {
    NAME_PATTERN: "a letter, then letters, digits and _",
    REFERENCE_PATTERN: "a letter, then letters, digits and _; and / in the names of what was expanded",
    FILE_NAME_PATTERN: "a letter or a digit, then letters, digits, _, . and -",
    SYMBOL_PATTERN: "lengths are numbers; symbols such as N begin with a capital letter",
}
"""What names look like, in words."""
JSON_KINDS: dict[type, str] = {dict: "an object", list: "a list", tuple: "a tuple", str: "a string"}
Steps = tuple[object, ...]


def validate(document: Mapping[str, Any], where: str = "") -> ModelSpec:
    """The spec that a JSON object is; raises :class:`SpecError` with all that is wrong, as it stands there."""
    check_version(document, where)
    try:
        return ModelSpec.model_validate(document)
    except ValidationError as error:
        raise SpecError.of(in_order(problems(error, document, where), document, where)) from None
    except RecursionError:
        raise SpecError("NBN104", pointer(where, ()), "nests too deep") from None


def problems(error: ValidationError, document: Any, where: str) -> list[Problem]:
    """One problem for each place: what several branches of a choice expected is said in one."""
    found: dict[Steps, list[dict[str, Any]]] = {}
    for item in error.errors(include_url=False):
        found.setdefault(place(item, document), []).append(dict(item))
    above = {path[:length] for path in found for length in range(len(path))}
    said = []
    for path, items in found.items():
        beneath = path in above
        exact = [item for item in items if item["type"] not in KINDS]
        if not exact and beneath:
            continue
        said.append(problem(exact or items, items, pointer(where, path)))
    return said


def place(item: Mapping[str, Any], document: Any) -> Steps:
    """The error's place in the document: pydantic's, without the names of branches."""
    path: list[object] = []
    value = document
    *front, last = item["loc"] or (item["input"],)  # pydantic gives no place to a key that is no text
    for step in front:
        if (isinstance(value, Mapping) and step in value) or (
            isinstance(value, Sequence)
            and not isinstance(value, str)
            and isinstance(step, int)
            and step < len(value)
        ):
            value = value[step]
        else:
            continue
        path.append(step)
    absent = item["type"] == "missing"
    inside = isinstance(value, Mapping) and last in value
    counted = isinstance(value, (list, tuple)) and isinstance(last, int) and last < len(value)
    return (*path, last) if absent or inside or counted else tuple(path)


def problem(items: list[dict[str, Any]], everything: list[dict[str, Any]], where: str) -> Problem:
    """The complaint about one place."""
    item = items[0]
    kind, given, context = item["type"], item["input"], item.get("ctx", {})
    special = SPECIAL.get(kind)
    if special is not None:
        return special(item, where)
    if kind in BOUND_KINDS:
        key = BOUND_KINDS[kind]
        return Problem("NBN113", where, f"must be {BOUNDS[key][1]} {context[key]}, got {shorten(given)}")
    if kind in KINDS or kind == "literal_error":
        return wrong_kind(everything, given, where)
    if kind == "form":
        return Problem("NBN112", where, f"expected {item['msg']}, got {described(given)}")
    if kind in LENGTHS:
        return Problem("NBN113", where, f"must hold {LENGTHS[kind].format(**context)}, got {shorten(given)}")
    return Problem("NBN113", where, sentence(item["msg"]) + f", got {shorten(given)}")


def sentence(text: str) -> str:
    """Pydantic's sentence, as ours begin."""
    return text[:1].lower() + text[1:].replace("Input", "it")


def wrong_kind(items: list[dict[str, Any]], given: object, where: str) -> Problem:
    """A value of a kind, or a word, that none of the branches takes."""
    literals = [item for item in items if item["type"] == "literal_error"]
    words = [word for item in literals for word in expected_words(item["ctx"]["expected"])]
    kinds = list(dict.fromkeys(KINDS[item["type"]] for item in items if item["type"] in KINDS))
    if isinstance(given, str) and words and not kinds:
        return Problem("NBN114", where, f"unknown word {shorten(given)}", suggest(given, words))
    wanted = kinds + [f'"{word}"' for word in words]
    return Problem("NBN112", where, f"expected {' or '.join(wanted)}, got {described(given)}", mend(given, where))


def mend(given: object, where: str) -> str:
    """The hint for a value of the wrong kind whose author meant something else."""
    if where.endswith("/activation") and isinstance(given, Mapping):
        told = given.get("op", given.get("name"))
        word = told if isinstance(told, str) else "leaky_relu"
        return f'with settings it is a node of its own: write {{"op": "linear", …}} and {{"op": "{word}", …}}'
    number = isinstance(given, (int, float)) and not isinstance(given, bool)
    if number and re.search(r"(/nodes/\d+|/loss)/inputs(/\d+)?$", where):
        return f'give the number a name: "constants": {{"c": {shorten(given)}}}, and read "c"'
    return ""


def expected_words(text: str) -> list[str]:
    """The words in pydantic's «'a', 'b' or 'c'»."""
    return re.findall(r"'([^']*)'", text) or re.findall(r"\w+", text.replace(" or ", " "))


def described(value: object) -> str:
    """A value and, where it does not show, its kind."""
    kind = JSON_KINDS.get(type(value), "")
    return f"{shorten(value)} ({kind})" if kind else shorten(value)


def missing(item: Mapping[str, Any], where: str) -> Problem:
    """A required key that is not there."""
    key = item["loc"][-1]
    field = next((fields[key] for model in models_at(item["loc"][:-1]) if key in (fields := named(model))), None)
    return Problem("NBN110", where, f'"{key}" is missing', field.description if field else "")


def extra(item: Mapping[str, Any], where: str) -> Problem:
    """A key that the object does not have."""
    key = item["loc"][-1]
    known = {name for model in models_at(item["loc"][:-1]) for name in named(model)}
    return Problem("NBN111", where, f'unknown key "{key}"', suggest_key(key, known))


def unknown_tag(item: Mapping[str, Any], where: str) -> Problem:
    """An op, initializer, optimizer or metric that is not in its table."""
    key = item["ctx"]["discriminator"].strip("'")
    word, place = item["ctx"]["tag"], f"{where}/{key}"
    if isinstance(item["input"], Mapping):
        word = item["input"][key]  # pydantic's own is always text
    words = expected_words(item["ctx"]["expected_tags"])
    if not isinstance(word, str):
        return Problem("NBN112", place, f"expected a string, got {described(word)}")
    first = LOSSES if item["loc"][0] == "loss" else ()
    return Problem("NBN114", place, f"unknown {key} {shorten(word)}", suggest(word, words, first))


def no_tag(item: Mapping[str, Any], where: str) -> Problem:
    """An object without the word that tells what it is."""
    key = item["ctx"]["discriminator"].strip("'")
    other = next((name for name in item["input"] if translation(name, [key])), None)
    words = [word for model in models_at(item["loc"]) if isinstance(word := word_of(model), str)]
    first = LOSSES if item["loc"][0] == "loss" else ()
    hint = suggest("", words, first)
    if other is not None:
        word = item["input"][other]
        hint = f'write "{key}": {shorten(translation(word, words) or word)} instead of "{other}"'
    return Problem("NBN110", f"{where}/{key}", f'"{key}" is missing', hint)


def bad_pattern(item: Mapping[str, Any], where: str) -> Problem:
    """A name with characters that names may not have."""
    pattern = item["ctx"]["pattern"]
    if pattern not in PATTERN_HINTS:
        return Problem("NBN113", where, f"{shorten(item['input'])} may not stand here; it must match {pattern}")
    message = f"{shorten(item['input'])} may not be used as a name here"
    return Problem("NBN116", where, message, f"{PATTERN_HINTS[pattern]}: {pattern}")


def no_text(item: Mapping[str, Any], where: str) -> Problem:
    """A string that UTF-8 cannot write."""
    return Problem("NBN105", where, f"{shorten(item['input'])} is no text: it holds half of a surrogate pair")


def no_units(item: Mapping[str, Any], where: str) -> Problem:
    """A layer of which nothing tells how many neurons it has."""
    hint = 'the number of neurons; or exact values of "weight", which tell it'
    return Problem("NBN110", f"{where}/units", item["msg"], hint)


def bad_values(item: Mapping[str, Any], where: str) -> Problem:
    """Exact values that are no regular array of numbers."""
    return Problem("NBN112", where, f"expected a number or lists of numbers, equally long; got {item['msg']}")


SPECIAL = {
    "missing": missing,
    "extra_forbidden": extra,
    "union_tag_invalid": unknown_tag,
    "union_tag_not_found": no_tag,
    "string_pattern_mismatch": bad_pattern,
    "string_unicode": no_text,
    "values": bad_values,
    "no_units": no_units,
}


def named(model: type[BaseModel]) -> dict[str, Any]:
    """A model's fields by the key that an author writes."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def models_at(loc: Iterable[object]) -> list[type[BaseModel]]:
    """The models that an object at pydantic's location may be."""
    return models_behind(tuple(step for step in loc if isinstance(step, str)))


@lru_cache(1024)
def models_behind(loc: tuple[str, ...]) -> list[type[BaseModel]]:
    """The same for a location without its indices: thousands of nodes may have the same mistake."""
    found: list[type[BaseModel]] = [ModelSpec]
    for step in loc:
        chosen = [model for model in found if step in (model.__name__, word_of(model))]
        fields = [named(model)[step] for model in found if step in named(model)]
        if chosen:
            found = chosen
        elif fields:
            found = [model for field in fields for model in models_in([field.annotation, *field.metadata])]
    return found


def word_of(model: type[BaseModel]) -> object:
    """The word that tells an object of this model from its siblings."""
    tags = (model.model_fields[key].default for key in ("op", "init", "name") if key in model.model_fields)
    return next((tag for tag in tags if isinstance(tag, str)), None)


def models_in(kinds: Iterable[Any]) -> list[type[BaseModel]]:
    """Every model in some annotations, unions and lists opened."""
    found: list[type[BaseModel]] = []
    waiting = list(kinds)
    while waiting:
        kind = waiting.pop()
        if isinstance(kind, type) and not get_args(kind) and issubclass(kind, BaseModel):
            found.append(kind)
        waiting.extend(get_args(getattr(kind, "__value__", kind)))
    return found
