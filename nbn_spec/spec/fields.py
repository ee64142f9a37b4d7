"""What the spec's objects are made of: names, numbers, exact values, and models derived from records."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from numbers import Integral
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, TypeVar, Union, get_args, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    WrapSerializer,
    create_model,
    model_serializer,
)
from pydantic_core import PydanticCustomError

from nbn_spec.errors import shorten
from nbn_spec.graph import MOST_AXES, NAME
from nbn_spec.record import LARGEST, Record

NAME_PATTERN = r"^[A-Za-z][A-Za-z0-9_]*$"
REFERENCE_PATTERN = f"^{NAME.pattern}$"
"""A name, or that of a node which something was expanded to."""
FILE_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
SYMBOL_PATTERN = r"^[A-Z][A-Za-z0-9_]*$"
WITHOUT_DOC = {"doc": False}
"""The context of a dump that leaves every object's ``doc`` out."""
VALUES_REF = "#/$defs/Values"
VALUES_SCHEMA: dict[str, Any] = {
    "title": "Values",
    "description": "A number, or lists of numbers, all rows equally long.",
    "anyOf": [{"type": "number"}, {"type": "array", "minItems": 1, "items": {"$ref": VALUES_REF}}],
}


if TYPE_CHECKING:
    T = TypeVar("T")
    Maybe: TypeAlias = T | None

    Listed = Sequence
else:

    class Maybe:
        """The type of a key that may be left out but not be null; left out, it is ``None`` to readers."""

        def __class_getitem__(cls, kind: Any) -> Any:
            return optional(kind)

    class Listed:
        """A list; from Python, a tuple will do."""

        def __class_getitem__(cls, kind: Any) -> Any:
            return Annotated[list[kind], BeforeValidator(as_list)]


def optional(kind: Any) -> Any:
    """The type of a value that may be left out, for pydantic."""
    return Annotated[kind, WrapSerializer(unless_absent)]


def unless_absent(value: object, dump: SerializerFunctionWrapHandler) -> object:
    """What is left out stays so: pydantic would look for its branch in a choice."""
    return None if value is None else dump(value)


def as_list(value: object) -> object:
    """A tuple as a list; the rest is left to pydantic."""
    return list(value) if isinstance(value, tuple) else value


def as_tuple(value: object) -> object:
    """A list as a tuple; the rest is left to pydantic."""
    return tuple(value) if isinstance(value, list) else value


class Closed(BaseModel):
    """An object of the spec: strict types, no unknown keys, finite numbers."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        allow_inf_nan=False,
        serialize_by_alias=True,
        defer_build=True,
    )

    doc: Maybe[str] = Field(default=None, description="What this is for; read by people only.")

    @model_serializer(mode="wrap")
    def as_json(self: Any, dump: SerializerFunctionWrapHandler, info: SerializationInfo) -> Any:
        """The object without what is left out, which is ``None`` here, but with the word that tells what it is."""
        if self is None:  # pydantic asks so for a key that was left out
            return None
        made: dict[str, Any] = {word: getattr(self, word) for word in self.telling()}
        made |= {key: value for key, value in dump(self).items() if value is not None}
        if info.context == WITHOUT_DOC:
            made.pop("doc", None)
        return made

    @classmethod
    def telling(cls) -> tuple[str, ...]:
        """The key whose word tells what the object is, if it has one."""
        return ()


def whole(value: object) -> object:
    """3.0 is the integer 3, as JSON Schema has it, and NumPy's integers are some; the rest is left to pydantic."""
    if isinstance(value, bool) or not isinstance(value, (Integral, float)):
        return value
    if isinstance(value, float) and not value.is_integer():
        return value
    if abs(number := int(value)) > LARGEST:
        raise PydanticCustomError("range", "must be an integer that fits in 64 bits")
    return number


Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=100)]
Reference = Annotated[str, Field(pattern=REFERENCE_PATTERN, max_length=1000)]
Length = Annotated[int, Field(ge=0, le=LARGEST), BeforeValidator(whole)]
Positive = Annotated[int, Field(ge=1, le=LARGEST), BeforeValidator(whole)]


def regular(values: object) -> object:
    """Exact values as nested lists; refuses all but finite numbers, and rows that differ in length."""
    lists = values.tolist() if hasattr(values, "tolist") else values
    try:
        lengths(lists, 0)
    except PydanticCustomError as error:
        what = {"what": error.message(), "at": culprit(lists)}
        raise PydanticCustomError("values", "{what}", what) from None
    return lists


def culprit(values: object) -> tuple[int, ...]:
    """The indices of the first item for which nested lists are no regular array."""
    found: list[int] = []
    while isinstance(values, (list, tuple)) and values and len(found) < MOST_AXES:
        number = next((i for i, item in enumerate(values) if not is_regular(item)), None)
        if number is None:  # each by itself is fine
            first = lengths(values[0], 0)
            return (*found, next(i for i, item in enumerate(values) if lengths(item, 0) != first))
        found.append(number)
        values = values[number]
    return tuple(found)


def is_regular(values: object) -> bool:
    """Whether these are a regular array, or a number."""
    try:
        lengths(values, 0)
    except PydanticCustomError:
        return False
    return True


def lengths(values: object, depth: int) -> tuple[int, ...]:
    """The shape of nested lists; raises a pydantic error that says what is wrong."""
    if isinstance(values, (list, tuple)):
        if not values or depth == MOST_AXES:
            raise PydanticCustomError("values", "an empty list" if not values else f"more than {MOST_AXES} axes")
        first, *rest = (lengths(item, depth + 1) for item in values)
        if any(other != first for other in rest):
            raise PydanticCustomError("values", "rows of different lengths")
        return (len(values), *first)
    if isinstance(values, bool) or not isinstance(values, (int, float)):
        raise PydanticCustomError("values", "{given} among the numbers", {"given": shorten(values)})
    if not abs(values) <= sys.float_info.max:
        raise PydanticCustomError("values", "a number that is not finite")
    return ()


Values = Annotated[Any, PlainValidator(regular), WithJsonSchema({"format": VALUES_REF})]
"""A number or regular nested lists of numbers."""


def annotation(hint: Any, bounds: Mapping[str, Any]) -> Any:
    """A record's type as pydantic takes it: lists for tuples, bounds on the numbers."""
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return Union[tuple(annotation(part, bounds) for part in get_args(hint))]
    if origin is tuple:
        several: Any = tuple
        return Annotated[several[annotation(get_args(hint)[0], bounds), ...], BeforeValidator(as_tuple)]
    if hint is int:
        return Annotated[int, Field(**{"ge": -LARGEST, "le": LARGEST, **bounds}), BeforeValidator(whole)]
    if hint is float:
        return Annotated[float, Field(**bounds)]
    return hint


def fields_of(record: type[Record], *, complete: bool = False) -> dict[str, Any]:
    """Pydantic's fields for a record's attributes, all of them required in a ``complete`` one."""
    found: dict[str, Any] = {}
    for part in dataclasses.fields(record):
        kind = annotation(record.annotations()[part.name], part.metadata["bounds"])
        default = ... if complete or part.default is dataclasses.MISSING else part.default
        if part.metadata["given_by"] and not complete:
            kind, default = optional(kind), None
        found[part.name] = (kind, Field(default=default, description=part.metadata["doc"]))
    return found


def tagged(key: str, word: str) -> dict[str, Any]:
    """The field that tells what an object is, such as ``op``: one word."""
    description = f'Always "{word}".'
    return {key: (Literal[word], Field(default=word, description=description))}


def derive(record: type[Record], title: str, base: type[BaseModel] = Closed, /, **more: Any) -> type[BaseModel]:
    """The pydantic model of a record; ``more`` adds fields or replaces those of the record."""
    summary = (record.__doc__ or "").strip().split("\n\n")[0].replace("\n    ", " ").replace("``", "")
    equation = getattr(record, "equation", "")
    made: type[BaseModel] = create_model(
        title,
        __base__=base,
        __module__="nbn_spec.spec",
        __doc__=f"{summary} {equation}".strip(),
        **{**fields_of(record), **more},
    )
    return made
