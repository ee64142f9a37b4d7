"""From pydantic's errors to complaints that people can use: one for each cause, at the place where it stands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache, lru_cache
from typing import Annotated, Any, get_args

from pydantic import BaseModel, TypeAdapter, ValidationError

from nbn_spec.errors import Steps, shorten
from nbn_spec.initializers import INITIALIZERS
from nbn_spec.record import BOUNDS
from nbn_spec.spec.fields import FILE_NAME_PATTERN, NAME_PATTERN, REFERENCE_PATTERN, SYMBOL_PATTERN
from nbn_spec.spec.hints import LEFT_OUT, Complaint, described, said
from nbn_spec.spec.models import ModelSpec, Train
from nbn_spec.spec.nodes import Sized
from nbn_spec.spec.words import (
    ABSENT,
    ALIASES,
    HOMES,
    LOSSES,
    folded,
    meant,
    nearest_key,
    suggest,
    suggest_key,
    translation,
)

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
OTHER_PATTERN = "a separator is one sign, and neither a quote nor the end of a line"
"""The same for the only other text that has a pattern."""
THINGS = {
    "op": "op",
    "activation": "activation",
    "init": "initializer",
    "weight": "initializer",
    "bias": "initializer",
    "optimizer": "optimizer",
    "metrics": "metric",
    "dtype": "dtype",
    "generator": "generator",
    "ignore": "lint code",
}
"""By the key where a word stands, what it names."""
BESIDE = ("loss", "seed", "data", "inputs", "outputs", "nodes", "dtype", "version", "lint")
"""Keys of the document that are sought in ``train``."""
MOST_WORDS = 6
"""How many words are listed as what is expected."""
FLAGS = {1: True, 0: False, "true": True, "false": False, "True": True, "False": False}
"""What people write for true and false."""
NUMERAL = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")


def complaints(error: ValidationError, document: Any) -> list[Complaint]:
    """One problem for each place: what several branches of a choice expected is said in one.

    A key that is missing because it is written otherwise in the same object is not said to be missing too.
    """
    found: dict[Steps, list[dict[str, Any]]] = {}
    for item in error.errors(include_url=False):
        found.setdefault(place(item, document), []).append(dict(item))
    above = {path[:length] for path in found for length in range(len(path))}
    said: list[Complaint] = []
    for path, items in found.items():
        exact = [item for item in items if item["type"] not in KINDS]
        if not exact and path in above:
            continue
        found_here = left_out(problem(exact or items, items, path), items[0], document)
        said.append(eliminated(found_here, items[0], document, said))
    meant = {(*problem.path[:-1], problem.instead) for problem in said if problem.path and problem.instead}
    return [problem for problem in said if problem.code != "NBN110" or problem.path not in meant]


def place(item: Mapping[str, Any], document: Any) -> Steps:
    """The error's place in the document: pydantic's, without the names of branches."""
    path: list[object] = []
    value, passed = document, False
    *front, last = item["loc"] or (item["input"],)  # pydantic gives no place to a key that is no text
    for step in front:
        if not passed and step == tag_of(value, path):
            passed = True  # pydantic names the branch of a choice, which may be called as a key is
        elif (isinstance(value, Mapping) and step in value) or (
            isinstance(value, Sequence)
            and not isinstance(value, str)
            and isinstance(step, int)
            and step < len(value)
        ):
            value, passed = value[step], False
            path.append(step)
    absent = item["type"] == "missing"
    inside = isinstance(value, Mapping) and last in value
    counted = isinstance(value, (list, tuple)) and isinstance(last, int) and last < len(value)
    return (*path, last) if absent or inside or counted else tuple(path)


def left_out(complaint: Complaint, item: Mapping[str, Any], document: Any) -> Complaint:
    """For ``null`` under a key that is not needed: to leave it out is what was meant."""
    path, loc = complaint.path or ("",), item["loc"]
    key = path[-1]
    if complaint.code != "NBN112" or item["input"] is not None or complaint.hint or key not in loc:
        return complaint
    if not isinstance(key, str):
        return complaint
    owner = value_at(document, path[:-1])
    models = models_at(loc[: len(loc) - 1 - loc[::-1].index(key)])
    if not models or any(key not in named(model) or key in required(model, owner) for model in models):
        return complaint
    better = LEFT_OUT if path[1:] else None  # without a loss, nothing is to be said of the training
    return replace(complaint, hint="leave the key out", better=better)


def value_at(document: Any, path: Steps) -> Any:
    """The value at a place that is there."""
    for step in path:
        document = document[step]
    return document


def eliminated(
    complaint: Complaint, item: Mapping[str, Any], document: Any, said: Sequence[Complaint]
) -> Complaint:
    """An unknown key that resembles no other is the one that is missing, if there is one and its value fits it."""
    if complaint.code != "NBN111" or not complaint.path or complaint.better is not None:
        return complaint
    owner = value_at(document, complaint.path[:-1])
    target = owner
    if complaint.to:
        target = document if len(complaint.to) == 1 else document.get(complaint.to[0])
    if isinstance(target, Mapping) and (complaint.to[-1] if complaint.to else complaint.instead) in target:
        hint = f"{complaint.hint}{'.' * bool(complaint.to)} It stands there already: take this one away"
        return replace(complaint, hint=hint, instead="", to=())
    if complaint.instead or complaint.to or is_familiar(complaint.path[-1]):
        return complaint
    models = models_at(item["loc"][:-1])
    lacking = [key for key in required(models[0], owner) if key not in owner] if len(models) == 1 else []
    if len(lacking) != 1 or not fits(models[0], lacking[0], item["input"]):
        return complaint
    if any(other.path and (*other.path[:-1], other.instead) == (*complaint.path[:-1], *lacking) for other in said):
        return complaint
    return replace(complaint, hint=f'"{lacking[0]}" is missing: did you mean that?', instead=lacking[0])


def is_familiar(key: object) -> bool:
    """Whether a key means something, if not where it stands."""
    word = folded(key)
    return word in ALIASES or word in ABSENT or bool(translation(key, HOMES) or meant(str(key), every_key()))


@cache
def every_key() -> tuple[str, ...]:
    """Every key that some object of the language has."""
    waiting: list[type[BaseModel]] = [ModelSpec]
    seen: set[type[BaseModel]] = {ModelSpec}
    while waiting:
        kinds = (part for field in named(waiting.pop()).values() for part in (field.annotation, *field.metadata))
        new = {*models_in(kinds)} - seen
        seen |= new
        waiting.extend(new)
    return tuple(sorted({key for model in seen for key in named(model)}))


def required(model: type[BaseModel], owner: Mapping[str, Any]) -> list[str]:
    """The keys that an object must have; a layer without exact weights needs its units."""
    found = [key for key, field in named(model).items() if field.is_required()]
    weight = owner.get("weight")
    exact = isinstance(weight, Mapping) and "value" in weight
    return [*found, "units"] if issubclass(model, Sized) and not exact else found


def fits(model: type[BaseModel], key: str, value: object) -> bool:
    """Whether a value may stand under a key."""
    field: Any = named(model)[key]
    try:
        TypeAdapter(Annotated[field.annotation, field]).validate_python(value, strict=True)
    except ValidationError:
        return False
    return value is not None


def tag_of(value: object, path: Sequence[object]) -> object:
    """The word that tells what an object is, where it has one."""
    if not isinstance(value, Mapping):
        return None
    named = value.get("name") if path[:1] == ["train"] else None
    tag = value.get("op", value.get("init", named))
    return tag if isinstance(tag, str) else None  # an array has no truth value


def problem(items: list[dict[str, Any]], everything: list[dict[str, Any]], path: Steps) -> Complaint:
    """The complaint about one place."""
    item = items[0]
    kind, given, context = item["type"], item["input"], item.get("ctx", {})
    special = no_string if item["loc"][-1:] == ("[key]",) and kind in KINDS else SPECIAL.get(kind)
    if special is not None:
        return special(item, path)
    if kind in BOUND_KINDS:
        key = BOUND_KINDS[kind]
        return said("NBN113", path, f"must be {BOUNDS[key][1]} {context[key]}, got {shorten(given)}")
    if kind in KINDS or kind == "literal_error":
        return wrong_kind(everything, given, path)
    if kind == "form":
        return said("NBN112", path, f"expected {item['msg']}, got {described(given)}")
    if kind in LENGTHS:
        few = f"must hold {LENGTHS[kind].format(**context)}, got {shorten(given)}"
        return said("NBN113", path, "must not be empty" if context.get("min_length") == 1 else few)
    return said("NBN113", path, sentence(item["msg"]) + f", got {shorten(given)}")


def thing(path: Steps) -> str:
    """What a word at a place names."""
    return next((THINGS[step] for step in reversed(path) if isinstance(step, str) and step in THINGS), "word")


def sentence(text: str) -> str:
    """Pydantic's sentence, as ours begin."""
    return text[:1].lower() + text[1:].replace("Input", "it")


def wrong_kind(items: list[dict[str, Any]], given: object, path: Steps) -> Complaint:
    """A value of a kind, or a word, that none of the branches takes."""
    literals = [item for item in items if item["type"] == "literal_error"]
    words = [word for item in literals for word in expected_words(item["ctx"]["expected"])]
    kinds = list(dict.fromkeys(KINDS[item["type"]] for item in items if item["type"] in KINDS))
    if isinstance(given, str) and words and not kinds:
        settings = f'it needs settings: {{"init": "{given}", …}}' if given in INITIALIZERS else ""
        message = f"unknown {thing(path)} {shorten(given)}"
        return said("NBN114", path, message, settings or suggest(given, words), better=meant(given, words))
    many = len(words) > MOST_WORDS
    wanted = kinds + ([f"the name of an {thing(path)}"] if many else [f'"{word}"' for word in words])
    message = f"expected {' or '.join(wanted)}, got {described(given)}"
    better = named_alone(given, words) if path[-1:] == ("activation",) else of_kind(given, kinds)
    hint = f"write {json.dumps(better)}" if better is not None else mended(given, path)
    return said("NBN112", path, message, hint, better=better)


def named_alone(given: object, words: Sequence[str]) -> str | None:
    """The word in an object that holds nothing but this word."""
    told = [*given.values()] if isinstance(given, Mapping) and len(given) == 1 else [None]
    return meant(told[0], words) if isinstance(told[0], str) else None


def of_kind(given: object, kinds: list[str]) -> Any:
    """A value of another kind as what is expected: a number written as text, a name that is to be in a list."""
    if kinds == ["a list"] and isinstance(given, str):
        return [given] if re.fullmatch(REFERENCE_PATTERN, given) else None
    if kinds == ["true or false"] and isinstance(given, (int, str)):
        return FLAGS.get(given)
    if not isinstance(given, str) or not NUMERAL.fullmatch(given):
        return None
    if "an integer" in kinds and given.isdigit():
        return int(given)
    return float(given) if "a number" in kinds else None


def mended(given: object, path: Steps) -> str:
    """The hint for a value of the wrong kind whose author meant something else."""
    if path[-1:] == ("activation",) and isinstance(given, Mapping):
        told = given.get("op", given.get("name"))
        word = told if isinstance(told, str) else "leaky_relu"
        return f'with settings it is a node of its own: write {{"op": "linear", …}} and {{"op": "{word}", …}}'
    number = isinstance(given, (int, float)) and not isinstance(given, bool)
    if number and "inputs" in path[1:]:
        return f'give the number a name: "constants": {{"c": {shorten(given)}}}, and read "c"'
    return ""


def expected_words(text: str) -> list[str]:
    """The words in pydantic's «'a', 'b' or 'c'»."""
    return re.findall(r"'([^']*)'", text) or re.findall(r"\w+", text.replace(" or ", " "))


def missing(item: Mapping[str, Any], path: Steps) -> Complaint:
    """A required key that is not there."""
    key = item["loc"][-1]
    field = next((fields[key] for model in models_at(item["loc"][:-1]) if key in (fields := named(model))), None)
    return said("NBN110", path, f'"{key}" is missing', field.description if field else "")


def extra(item: Mapping[str, Any], path: Steps) -> Complaint:
    """A key that the object does not have."""
    key = item["loc"][-1]
    known = {name for model in models_at(item["loc"][:-1]) for name in named(model)}
    message = f'unknown key "{key}"'
    if to := elsewhere(key, path, known):
        hint = 'it belongs in "train"' if to[1:] else 'it belongs in the document, beside "train"'
        return said("NBN111", path, message, hint, of_key=True, to=to)
    instead = nearest_key(key, known)
    return said("NBN111", path, message, suggest_key(key, known), of_key=True, instead=instead)


def elsewhere(key: object, path: Steps, known: Iterable[str]) -> Steps:
    """Where a key of ``train`` belongs that is the document's, or the other way round; nothing for the rest."""
    if translation(key, known) is not None:
        return ()
    if path[:-1] == ("train",) and (ours := translation(key, BESIDE)):
        return (ours,)
    if path[:-1] == () and (ours := translation(key, named(Train))):
        return ("train", ours)
    return ()


def unknown_tag(item: Mapping[str, Any], path: Steps) -> Complaint:
    """An op, initializer, optimizer or metric that is not in its table."""
    key = item["ctx"]["discriminator"].strip("'")
    word, path = item["ctx"]["tag"], (*path, key)
    if isinstance(item["input"], Mapping):
        word = item["input"][key]  # pydantic's own is always text
    words = expected_words(item["ctx"]["expected_tags"])
    if not isinstance(word, str):
        return said("NBN112", path, f"expected a string, got {described(word)}")
    first = LOSSES if item["loc"][0] == "loss" else ()
    message = f"unknown {thing(path)} {shorten(word)}"
    return said("NBN114", path, message, suggest(word, words, first), better=meant(word, words))


def no_tag(item: Mapping[str, Any], path: Steps) -> Complaint:
    """An object without the word that tells what it is."""
    if not isinstance(item["input"], Mapping):
        return said("NBN112", path, f"expected an object, got {described(item['input'])}")
    key = item["ctx"]["discriminator"].strip("'")
    if key == "init" and (exact := next((name for name in item["input"] if nearest_key(name, ["value"])), None)):
        hint = 'exact values are {"value": …}'
        return said("NBN111", (*path, exact), f'unknown key "{exact}"', hint, of_key=True, instead="value")
    other = next((name for name in item["input"] if translation(name, [key])), None)
    words = [word for model in models_at(item["loc"]) if isinstance(word := word_of(model), str)]
    first = LOSSES if item["loc"][0] == "loss" else ()
    if other is None:
        return said("NBN110", (*path, key), f'"{key}" is missing', suggest("", words, first))
    return other_tag(item["input"], path, (key, other), words)


def other_tag(owner: Mapping[str, Any], path: Steps, keys: tuple[str, str], words: Sequence[str]) -> Complaint:
    """The word that tells what an object is, under another key, and perhaps another word too."""
    key, other = keys
    word = owner[other]
    ours = meant(word, words) if isinstance(word, str) else None
    message = f'unknown key "{other}"'
    if ours is None:
        hint = f'write "{key}" instead of "{other}"'
        return said("NBN111", (*path, other), message, hint, of_key=True, instead=key)
    better = {key: ours, **{name: value for name, value in owner.items() if name != other}}
    return said(
        "NBN111",
        (*path, other),
        message,
        f'write "{key}": "{ours}" instead of "{other}": {shorten(word)}',
        of_key=True,
        instead=key,
        better=better,
        at=path,
        moves=(((*path, key), (*path, other)),),
        guess=ours != word,
    )


def bad_pattern(item: Mapping[str, Any], path: Steps) -> Complaint:
    """A name with characters that names may not have."""
    pattern = item["ctx"]["pattern"]
    if pattern not in PATTERN_HINTS:
        return said("NBN113", path, f"{shorten(item['input'])} may not stand here", OTHER_PATTERN)
    message = f"{shorten(item['input'])} may not be used as a name here"
    return said("NBN116", path, message, PATTERN_HINTS[pattern], of_key=item["loc"][-1:] == ("[key]",))


def no_string(item: Mapping[str, Any], path: Steps) -> Complaint:
    """A key that is no string, as only Python code can write it."""
    return said("NBN112", path, f"keys are strings, got {shorten(item['input'])}", of_key=True)


def no_text(item: Mapping[str, Any], path: Steps) -> Complaint:
    """A string that UTF-8 cannot write."""
    message = f"{shorten(item['input'])} is no text: it holds half of a surrogate pair"
    hint = "write the sign itself, or both halves"
    return said("NBN105", path, message, hint, of_key=item["loc"][-1:] in ((), ("[key]",)))


def no_units(item: Mapping[str, Any], path: Steps) -> Complaint:
    """A layer of which nothing tells how many neurons it has."""
    hint = 'the number of neurons; or exact values of "weight", which tell it'
    return said("NBN110", (*path, "units"), item["msg"], hint)


def bad_values(item: Mapping[str, Any], path: Steps) -> Complaint:
    """Exact values that are no regular array of numbers."""
    path = (*path, *item["ctx"].get("at", ()))
    return said("NBN112", path, f"expected a number or lists of numbers, equally long; got {item['msg']}")


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
