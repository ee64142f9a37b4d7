"""Records: frozen dataclasses whose fields carry their bounds and their words.

One declaration feeds three readers: the check below (so that an archive is checked without pydantic), the
pydantic models of :mod:`nbn_spec.spec`, and through those the published JSON Schema.
"""

from __future__ import annotations

import dataclasses
import math
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field
from functools import cache
from inspect import get_annotations
from operator import ge, gt, le, lt
from types import NoneType, SimpleNamespace, UnionType
from typing import (
    Any,
    ClassVar,
    Literal,
    Never,
    Self,
    TypeVar,
    Union,
    cast,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)

from nbn_spec.errors import shorten

BOUNDS = {"ge": (ge, "at least"), "gt": (gt, "greater than"), "le": (le, "at most"), "lt": (lt, "less than")}
LARGEST = 2**63 - 1
"""Integers beyond it are no lengths, no indices, and not always numbers that a float can be."""
TYPE_WORDS = {int: "an integer", float: "a number", str: "a string", bool: "true or false", NoneType: "null"}

R = TypeVar("R")
S = TypeVar("S", bound="Record")


class AttributeProblem(ValueError):
    """An attribute ``name`` holds what it may not hold; of a list, ``item`` may tell which one does."""

    def __init__(self, name: str, message: str, item: int | None = None) -> None:
        self.name = name
        self.place: tuple[object, ...] = (name,) if item is None else (name, item)
        super().__init__(message)


def attr(default: Any = MISSING, *, doc: str, given_by: str = "", **bounds: float) -> Any:
    """A field of a record: its default, its meaning and its bounds (``ge``, ``gt``, ``le``, ``lt``).

    ``given_by`` names what may give this attribute instead: a parameter, by the first length of its exact values,
    or ``columns``, by those that the first input declares.
    """
    return field(default=default, metadata={"doc": doc, "given_by": given_by, "bounds": bounds})


@dataclass_transform(frozen_default=True)
def record(cls: type[R]) -> type[R]:
    """Make a subclass of :class:`Record` a dataclass that leaves its methods to it.

    A frozen dataclass with methods of its own costs 0.15 ms, as each of them is compiled from text; with some
    eighty records, that was a quarter of what it takes to import the package and load a model.
    """
    return dataclass(init=False, repr=False, eq=False)(cls)


def fields_by_name(cls: Any) -> dict[str, Field[Any]]:
    """The fields of a record class."""
    return {part.name: part for part in dataclasses.fields(cls)}


def types_by_name(cls: Any) -> dict[str, Any]:
    """The resolved types of a record's attributes, and of nothing else that its class declares."""
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        own = {name: text for name, text in get_annotations(base).items() if name in attributes(cls)}
        found |= get_type_hints(SimpleNamespace(__annotations__=own), vars(sys.modules[base.__module__]))
    return found


attributes: Callable[[Any], dict[str, Field[Any]]] = cache(fields_by_name)
hints: Callable[[Any], dict[str, Any]] = cache(types_by_name)


def conforms(value: object, hint: Any) -> bool:
    """Whether ``value`` is of the annotated type; ``True``, ``nan`` and what 64 bits cannot hold are none."""
    origin = get_origin(hint)
    if origin is Literal:
        return any(type(value) is type(word) and value == word for word in get_args(hint))
    if origin in (Union, UnionType):
        return any(conforms(value, part) for part in get_args(hint))
    if origin in (tuple, dict):
        return isinstance(value, origin) and conforming(value, get_args(hint))
    if hint is float:
        return conforms(value, int) or (isinstance(value, float) and math.isfinite(value))
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST
    return isinstance(value, hint)


def conforming(parts: Any, hints_of_parts: tuple[Any, ...]) -> bool:
    """Whether all values of a dict, or all members of a tuple, are of the annotated type."""
    if isinstance(parts, dict):
        return all(conforms(part, hints_of_parts[1]) for part in parts.values())
    return all(conforms(part, hints_of_parts[0]) for part in parts)


def expected(hint: Any) -> str:
    """The annotated type in words."""
    origin = get_origin(hint)
    if origin is Literal:
        return "one of " + ", ".join(f'"{word}"' for word in get_args(hint))
    if origin in (Union, UnionType):
        return " or ".join(expected(part) for part in get_args(hint))
    if origin is tuple:
        return f"a list, each {expected(get_args(hint)[0])}"
    return TYPE_WORDS.get(hint, "an object")


def freeze(value: Any) -> Any:
    """JSON's lists as tuples, so that a record is immutable and hashable throughout."""
    return tuple(map(freeze, value)) if isinstance(value, list) else value


class Record:
    """A frozen dataclass that checks itself: a wrong attribute raises :class:`AttributeProblem`.

    Subclasses are decorated with :func:`record`. Two of them are equal if their classes and all attributes are.
    """

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def __init__(self, *values: Any, **named: Any) -> None:
        """Attributes in their order or by name; raises ``TypeError`` for unknown and missing ones."""
        known = attributes(type(self))
        given = {**dict(zip(known, values, strict=False)), **named}
        if len(given) < len(values) + len(named) or not given.keys() <= known.keys():
            raise TypeError(f"{type(self).__name__} takes each once: {', '.join(known) or 'nothing'}")
        for name, part in known.items():
            if (value := given.get(name, part.default)) is MISSING:
                raise TypeError(f"{type(self).__name__} needs {name}")
            object.__setattr__(self, name, value)
        self.__post_init__()

    def __post_init__(self) -> None:
        for name, part in attributes(type(self)).items():
            self._check(name, getattr(self, name), part.metadata["bounds"])
        self.check()

    def _values(self) -> tuple[object, ...]:
        """The values of all attributes."""
        return tuple(getattr(self, name) for name in attributes(type(self)))

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash((type(self), self._values()))

    def __repr__(self) -> str:
        shown = (f"{name}={value!r}" for name, value in zip(attributes(type(self)), self._values(), strict=True))
        return f"{type(self).__qualname__}({', '.join(shown)})"

    def __setattr__(self, name: str, value: object) -> Never:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> Never:
        raise FrozenInstanceError(f"cannot delete field {name!r}")

    def _check(self, name: str, value: object, bounds: Mapping[str, float]) -> None:
        hint = self.annotations()[name]
        if not conforms(value, hint):
            size = " (64 bits hold no such number)" if isinstance(value, int) and abs(value) > LARGEST else ""
            raise AttributeProblem(name, f"expected {expected(hint)}, got {shorten(value)}{size}")
        for number in value if isinstance(value, tuple) else (value,):
            for bound, limit in bounds.items():
                compare, words = BOUNDS[bound]
                if isinstance(number, (int, float)) and not compare(number, limit):
                    raise AttributeProblem(name, f"must be {words} {limit}, got {shorten(number)}")

    @classmethod
    def annotations(cls) -> dict[str, Any]:
        """The resolved types of the attributes."""
        return hints(cls)

    @classmethod
    def word(cls) -> str:
        """The class's name in JSON: snake_case."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()

    def check(self) -> None:
        """What the types and bounds cannot say; raises :class:`AttributeProblem`."""

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """The record of a JSON object; raises :class:`AttributeProblem` for unknown, missing and wrong keys."""
        known = attributes(cls)
        for name in document:
            if name not in known:
                raise AttributeProblem(name, f"unknown attribute; known: {', '.join(known) or 'none'}")
        for name, part in known.items():
            if name not in document and part.default is MISSING:
                raise AttributeProblem(name, "is missing")
        return cls(**{name: freeze(value) for name, value in document.items()})

    def to_json(self) -> dict[str, Any]:
        """The record as a JSON object, every attribute written out."""
        return dict(zip(attributes(type(self)), map(thaw, self._values()), strict=True))


class Pool:
    """Records, one for all that are alike: thousands of nodes share a few, which saves time and memory."""

    def __init__(self) -> None:
        self._records: dict[tuple[type[Record], str], Record] = {}

    def of(self, kind: type[S], document: Mapping[str, Any]) -> S:
        """The record of a JSON object; raises as :meth:`Record.from_json` does."""
        key = kind, repr(document)  # not the values themselves: 0.0 == -0.0, and 1 == True
        if key not in self._records:
            self._records[key] = kind.from_json(document)
        return cast(S, self._records[key])


def thaw(value: Any) -> Any:
    """The JSON form of an attribute: the inverse of :func:`freeze`."""
    if isinstance(value, Record):
        return value.to_json()
    return [thaw(part) for part in value] if isinstance(value, tuple) else value
