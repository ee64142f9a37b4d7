"""Nodes, parameters and initializers as an author writes them, derived from the op table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, Union

from pydantic import BaseModel, Discriminator, Field, Tag
from typing_extensions import TypeAliasType

from nbn_spec.initializers import INITIALIZERS
from nbn_spec.ops import OPS
from nbn_spec.ops.base import Op
from nbn_spec.spec.fields import Closed, Name, Positive, Values, derive, tagged

PLAIN_INITIALIZERS = tuple(name for name, made in INITIALIZERS.items() if name != "constant")
"""Initializers that need no settings, so that their name alone will do."""


def camel(word: str) -> str:
    """snake_case as CamelCase."""
    return "".join(part.capitalize() for part in word.split("_"))


class Tagged(Closed):
    """An object with a word that tells what it is, which is always written out."""

    def model_post_init(self, context: Any, /) -> None:
        """Count the telling word as given, also where Python code left it out."""
        self.model_fields_set.update({"op", "init", "name"} & type(self).model_fields.keys() & self.tags())

    @classmethod
    def tags(cls) -> set[str]:
        """The fields that hold one fixed word."""
        return {
            name
            for name, field in cls.model_fields.items()
            if getattr(field.annotation, "__origin__", None) is Literal
        }


class Exact(Closed):
    """Exact values of a parameter."""

    value: Values = Field(description="A number, or lists of numbers: a weight is stored (out, in).")
    trainable: bool = Field(True, description="Whether training changes it.")


def initializer(word: str) -> type[BaseModel]:
    """The model of an initializer with its settings."""
    trainable = (bool, Field(True, description="Whether training changes the parameter."))
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
    InitObject = Annotated[Union[tuple(INITS.values())], Field(discriminator="init")]
INIT_FORMS = 'an initializer\'s name, {"init": …} or {"value": …}'


def form_of_parameter(value: object) -> str | None:
    """Which of the forms of a parameter a value has."""
    if isinstance(value, str):
        return "a name"
    if value is False:
        return "none"
    if isinstance(value, Mapping):
        return "Exact" if "value" in value else "an initializer"
    if isinstance(value, Exact):
        return "Exact"
    return "an initializer" if isinstance(value, Tagged) else None


Weight = TypeAliasType(
    "Weight",
    Annotated[
        Annotated[InitName, Tag("a name")]
        | Annotated[InitObject, Tag("an initializer")]
        | Annotated[Exact, Tag("Exact")],
        Discriminator(form_of_parameter, custom_error_type="form", custom_error_message=INIT_FORMS),
    ],
)
OptionalWeight = TypeAliasType(
    "OptionalWeight",
    Annotated[
        Annotated[InitName, Tag("a name")]
        | Annotated[InitObject, Tag("an initializer")]
        | Annotated[Exact, Tag("Exact")]
        | Annotated[Literal[False], Tag("none")],
        Discriminator(form_of_parameter, custom_error_type="form", custom_error_message=INIT_FORMS + ", or false"),
    ],
)


class NodeBase(Tagged):
    """What every node has."""

    name: Name | None = Field(None, description="Left out: the op's name and a number.")
    inputs: Name | Annotated[list[Name], Field(min_length=1)] | None = Field(
        None,
        description="A name or a list of names; left out, the node written just before (first: the first input).",
    )


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
        found[name] = (kind | None, Field(None, description=what))
    return found


def node(word: str) -> type[BaseModel]:
    """The model of an op's node."""
    return derive(OPS[word], camel(word), NodeBase, **tagged("op", word), **parameters_of(OPS[word]))


ACTIVATIONS = tuple(
    word for word, op in OPS.items() if op.inputs == ("x",) and op.__module__.endswith("activation")
)


if not TYPE_CHECKING:
    ActivationName = Literal[ACTIVATIONS]


class Dense(NodeBase):
    """A linear layer and its activation: sugar for two nodes, NAME/linear and NAME."""

    op: Literal["dense"] = Field("dense", description='Always "dense".')
    units: Positive | None = Field(None, description="Number of neurons.")
    activation: ActivationName | None = Field(None, description="Left out: none.")
    weight: Weight | None = Field(None, description="Initial values, stored (out, in).")
    bias: OptionalWeight | None = Field(None, description="Initial values; left out, zeros. false: none.")


NODES: dict[str, type[BaseModel]] = {**{word: node(word) for word in OPS}, "dense": Dense}
"""The model of every node by its op."""
if not TYPE_CHECKING:
    AnyNode = Annotated[Union[tuple(NODES.values())], Field(discriminator="op")]
