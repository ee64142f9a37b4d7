"""Nodes, parameters and initializers as an author writes them, derived from the op table."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeAlias, Union

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError
from typing_extensions import TypeAliasType

from nbn_spec.initializers import INITIALIZERS
from nbn_spec.ops import OPS
from nbn_spec.ops.base import Op
from nbn_spec.spec.fields import (
    Closed,
    Listed,
    Maybe,
    Name,
    Positive,
    Reference,
    Values,
    derive,
    optional,
    tagged,
)

PLAIN_INITIALIZERS = tuple(name for name, made in INITIALIZERS.items() if name != "constant")
"""Initializers that need no settings, so that their name alone will do."""


def camel(word: str) -> str:
    """snake_case as CamelCase."""
    return "".join(part.capitalize() for part in word.split("_"))


class Tagged(Closed):
    """An object with a word that tells what it is, which is always written out."""

    @classmethod
    def telling(cls) -> tuple[str, ...]:
        """The key of that word."""
        return telling_of(cls)


@cache
def telling_of(model: type[BaseModel]) -> tuple[str, ...]:
    """The first of these keys that a model has."""
    return next((name,) for name in ("op", "init", "name") if name in model.model_fields)


class Exact(Closed):
    """Exact values of a parameter."""

    value: Values = Field(description="A number, or lists of numbers: a weight is stored (out, in).")
    trainable: bool = Field(default=True, description="Whether training changes it.")


class Default(Closed):
    """The op's own initializer."""

    trainable: bool = Field(description="Whether training changes the parameter.")


def initializer(word: str) -> type[BaseModel]:
    """The model of an initializer with its settings."""
    trainable = (bool, Field(default=True, description="Whether training changes the parameter."))
    record = INITIALIZERS[word]
    return derive(record, f"{camel(word)}Init", Tagged, **tagged("init", word), trainable=trainable)


INITS: dict[str, type[BaseModel]] = {word: initializer(word) for word in INITIALIZERS}
if TYPE_CHECKING:  # unions over tables, whose members mypy cannot know
    InitName: TypeAlias = str
    InitObject: TypeAlias = Any
    ActivationName: TypeAlias = str
    AnyNode: TypeAlias = Any
else:
    InitName = Literal[PLAIN_INITIALIZERS]
    InitObject = TypeAliasType(
        "AnyInitializer", Annotated[Union[tuple(INITS.values())], Field(discriminator="init")]
    )
INIT_FORMS = 'an initializer\'s name, {"init": …} or {"value": …}'


def form_of_parameter(value: object) -> str | None:
    """Which of the forms of a parameter a value has."""
    if isinstance(value, str):
        return "a name"
    if value is False:
        return "none"
    if isinstance(value, Mapping):
        bare = "trainable" in value and "init" not in value
        return "Exact" if "value" in value else "Default" if bare else "an initializer"
    if isinstance(value, (Exact, Default)):
        return type(value).__name__
    return "an initializer" if isinstance(value, Tagged) else None


Weight = TypeAliasType(
    "Weight",
    Annotated[
        Annotated[InitName, Tag("a name")]
        | Annotated[InitObject, Tag("an initializer")]
        | Annotated[Exact, Tag("Exact")]
        | Annotated[Default, Tag("Default")],
        Discriminator(form_of_parameter, custom_error_type="form", custom_error_message=INIT_FORMS),
    ],
)
OptionalWeight = TypeAliasType(
    "OptionalWeight",
    Annotated[
        Annotated[InitName, Tag("a name")]
        | Annotated[InitObject, Tag("an initializer")]
        | Annotated[Exact, Tag("Exact")]
        | Annotated[Default, Tag("Default")]
        | Annotated[Literal[False], Tag("none")],
        Discriminator(form_of_parameter, custom_error_type="form", custom_error_message=INIT_FORMS + ", or false"),
    ],
)


class NodeBase(Tagged):
    """What every node has."""

    name: Maybe[Name] = Field(default=None, description="Left out: the op's name and a number.")
    inputs: Maybe[Reference | Annotated[Listed[Reference], Field(min_length=1)]] = Field(
        default=None,
        description="A name or a list of names; left out, the node written just before (first: the first input).",
    )


class Broken(NodeBase):
    """A node with a mistake, of which no more is known than what others need of it; never validated."""

    op: str = Field(description="The word that was written there.")
    expands: bool = Field(description="Whether it would have become two nodes.")


class Sized(NodeBase):
    """A node whose ``units`` are given, or else told by exact weights."""

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"required": ["weight"], "properties": {"weight": {"type": "object", "required": ["value"]}}},
            "else": {"required": ["units"]},
        }
    )

    @model_validator(mode="after")
    def check_units(self) -> Self:
        """Refuse a node whose number of units nothing tells."""
        if getattr(self, "units") is None and not isinstance(getattr(self, "weight"), Exact):  # noqa: B009
            raise PydanticCustomError("no_units", '"units" is missing')
        return self


def parameters_of(op: type[Op]) -> dict[str, Any]:
    """The fields for an op's parameters; one that is also a boolean attribute may be false."""
    found: dict[str, Any] = {}
    for name in op.weights:
        if name in op.statistics:
            continue
        kind = OptionalWeight if name in op.annotations() else Weight
        what = (
            "Initial values; left out, the op's default. false: none."
            if kind is OptionalWeight
            else "Initial values."
        )
        found[name] = (optional(kind), Field(default=None, description=what))
    return found


def node(word: str) -> type[BaseModel]:
    """The model of an op's node."""
    givers = {part.metadata["given_by"] for part in dataclasses.fields(OPS[word])}
    base = Sized if "weight" in givers else NodeBase
    return derive(OPS[word], camel(word), base, **tagged("op", word), **parameters_of(OPS[word]))


ACTIVATIONS = tuple(
    word for word, op in OPS.items() if op.inputs == ("x",) and op.__module__.endswith("activation")
)


if not TYPE_CHECKING:
    ActivationName = Literal[ACTIVATIONS]


class Dense(Sized):
    """A linear layer and its activation: sugar for two nodes, NAME/linear and NAME."""

    op: Literal["dense"] = Field(default="dense", description='Always "dense".')
    units: Maybe[Positive] = Field(default=None, description="Number of neurons.")
    activation: Maybe[ActivationName] = Field(default=None, description="Left out: none.")
    weight: Maybe[Weight] = Field(default=None, description="Initial values, stored (out, in).")
    bias: Maybe[OptionalWeight] = Field(default=None, description="Initial values; left out, zeros. false: none.")


NODES: dict[str, type[BaseModel]] = {**{word: node(word) for word in OPS}, "dense": Dense}
"""The model of every node by its op."""
if not TYPE_CHECKING:
    AnyNode = TypeAliasType("AnyNode", Annotated[Union[tuple(NODES.values())], Field(discriminator="op")])
