"""The whole document as pydantic models: what an author may write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, Union

from pydantic import BaseModel, BeforeValidator, Discriminator, Field, Tag
from pydantic_core import PydanticKnownError
from typing_extensions import TypeAliasType

from nbn_spec.codes import CODES
from nbn_spec.graph import DTYPES, MOST_AXES
from nbn_spec.metrics import METRICS
from nbn_spec.optim import OPTIMIZERS
from nbn_spec.params import Seed
from nbn_spec.source import File, Member
from nbn_spec.spec.fields import (
    FILE_NAME_PATTERN,
    SYMBOL_PATTERN,
    Closed,
    Listed,
    Maybe,
    Name,
    Positive,
    Reference,
    Values,
    derive,
    tagged,
    whole,
)
from nbn_spec.spec.nodes import AnyNode, Exact, InitObject, Tagged, camel
from nbn_spec.table import Column
from nbn_spec.train import Training, Validation

LANGUAGE = 1
"""The language's major version."""

Symbol = Annotated[str, Field(pattern=SYMBOL_PATTERN)]
Dims = Annotated[Listed[Positive | Symbol], Field(max_length=MOST_AXES)]


def no_flag(value: object) -> object:
    """``true`` is not the number 1; everything else is left to pydantic."""
    if isinstance(value, bool):
        raise PydanticKnownError("int_type")
    return value


class Input(Closed):
    """Data that the model takes."""

    shape: Dims = Field(description='Lengths and symbols; "N" is the batch and stands first: ["N", 2].')
    columns: Maybe[Annotated[Listed[str], Field(min_length=1)]] = Field(
        default=None, description="Names along the last axis."
    )
    dtype: Maybe[Literal["int64"]] = Field(
        default=None, description='"int64" for class numbers; left out, real numbers.'
    )


class Drawn(Closed):
    """A parameter of the graph that an initializer fills."""

    shape: Annotated[Listed[Positive], Field(max_length=MOST_AXES)] = Field(description="Its lengths.")
    init: InitObject | str = Field(description="An initializer's name, or an object with its settings.")
    trainable: bool = Field(default=True, description="Whether training changes it.")


def form_of_leaf(value: object) -> str | None:
    """Which of the forms of a graph's own parameter a value has."""
    if isinstance(value, Mapping):
        return "Drawn" if value.keys() & {"shape", "init"} and "value" not in value else "Exact"
    return type(value).__name__ if isinstance(value, (Exact, Drawn)) else None


LeafParameter = Annotated[
    Annotated[Exact, Tag("Exact")] | Annotated[Drawn, Tag("Drawn")],
    Discriminator(
        form_of_leaf, custom_error_type="form", custom_error_message='{"value": …} or {"shape": […], "init": …}'
    ),
]

SeedNumber = Annotated[int, Field(ge=0, le=2**32 - 1), BeforeValidator(whole)]
SeedObject = derive(Seed, "SeedObject")
ColumnField = derive(Column, "ColumnField")
MemberField = derive(Member, "MemberField")
FileField = derive(File, "FileField")
Names = Annotated[Listed[str], Field(min_length=1)]
FilePath = Annotated[str, Field(min_length=1)]


class ValuesData(Closed):
    """Data written into the spec."""

    values: dict[Name, Values] = Field(description="An array for each input, examples along its first axis.")


class CsvData(Closed):
    """Data from a csv file with a header line."""

    csv: FilePath = Field(description="Path of the file, relative to the spec.")
    separator: Annotated[str, Field(pattern=r'^[^"\r\n]$')] = Field(
        default=",", description="What stands between cells."
    )
    columns: dict[Name, str | Names | ColumnField] = Field(  # type: ignore[valid-type]
        default_factory=dict, description="For each input its columns; left out, those that the input declares."
    )


class NpzData(Closed):
    """Data from an npz file."""

    npz: FilePath = Field(description="Path of the file, relative to the spec.")
    arrays: dict[Name, str | MemberField] = Field(  # type: ignore[valid-type]
        default_factory=dict, description="For each input its array; left out, the one of the input's name."
    )


class NpyData(Closed):
    """Data from npy files."""

    npy: dict[Name, str | FileField] = Field(description="For each input the path of its file.")  # type: ignore[valid-type]


DATA: dict[str, type[Closed]] = {"values": ValuesData, "csv": CsvData, "npz": NpzData, "npy": NpyData}
DATA_FORMS = 'an object with one of the keys "values", "csv", "npz", "npy"'


def form_of_data(value: object) -> str | None:
    """Which model an object that describes data has: one of its keys says so."""
    if isinstance(value, Mapping):
        return next((model.__name__ for kind, model in DATA.items() if kind in value), None)
    return next((model.__name__ for model in DATA.values() if isinstance(value, model)), None)


if TYPE_CHECKING:  # unions over tables, whose members mypy cannot know
    AnyData: TypeAlias = Any
    Dtype: TypeAlias = Literal["float32", "float64"]
    OptimizerName: TypeAlias = str
    OptimizerObject: TypeAlias = Any
    MetricName: TypeAlias = str
    MetricObject: TypeAlias = Any
else:
    Dtype = Literal[DTYPES]
    AnyData = Annotated[
        Union[tuple(Annotated[model, Tag(model.__name__)] for model in DATA.values())],
        Discriminator(form_of_data, custom_error_type="form", custom_error_message=DATA_FORMS),
    ]


def settings(table: Mapping[str, Any]) -> dict[str, type[BaseModel]]:
    """The models of named records, such as optimizers."""
    return {word: derive(record, camel(word), Tagged, **tagged("name", word)) for word, record in table.items()}


OPTIMIZER_MODELS = settings(OPTIMIZERS)
METRIC_MODELS = settings(METRICS)
if not TYPE_CHECKING:
    OptimizerName = Literal[tuple(OPTIMIZER_MODELS)]
    MetricName = Literal[tuple(METRIC_MODELS)]
    OptimizerObject = Annotated[Union[tuple(OPTIMIZER_MODELS.values())], Field(discriminator="name")]
    MetricObject = Annotated[Union[tuple(METRIC_MODELS.values())], Field(discriminator="name")]
ValidationObject = derive(Validation, "ValidationObject")


def word_or_object(value: object) -> str | None:
    """Whether a value is a name alone, or an object with settings."""
    if isinstance(value, str):
        return "a name"
    return "an object" if isinstance(value, (Mapping, Tagged)) else None


NAME_OR_OBJECT = Discriminator(
    word_or_object, custom_error_type="form", custom_error_message='a name or {"name": …} with settings'
)
AnyOptimizer = Annotated[
    Annotated[OptimizerName, Tag("a name")] | Annotated[OptimizerObject, Tag("an object")],
    NAME_OR_OBJECT,
]
AnyMetric = Annotated[
    Annotated[MetricName, Tag("a name")] | Annotated[MetricObject, Tag("an object")], NAME_OR_OBJECT
]

Train = derive(
    Training,
    "Train",
    optimizer=(AnyOptimizer, Field(default="sgd", description="How parameters follow their gradients.")),
    metrics=(Listed[AnyMetric], Field(default_factory=list, description="Measured beside the loss, every epoch.")),
    validation=(
        ValidationObject | None,
        Field(default=None, description="Hold back a part of the data to measure on."),
    ),
)


if TYPE_CHECKING:
    LintCode: TypeAlias = str
else:
    LintCode = TypeAliasType("LintCode", Literal[tuple(code for code in CODES if code.startswith("NBN9"))])


class LintSettings(Closed):
    """What the linter leaves unsaid."""

    ignore: Listed[LintCode] | dict[LintCode, str] = Field(
        default_factory=list,
        description='Codes not to warn of: a list, or an object with the reason for each: {"NBN901": "…"}.',
    )


class ModelSpec(Closed):
    """A neural network, or any computational graph, as one document."""

    schema_: Maybe[str] = Field(
        default=None, alias="$schema", description="For editors: where the JSON Schema is."
    )
    version: Annotated[Literal[1], BeforeValidator(no_flag)] = Field(
        default=1, description="The language's major version."
    )
    name: Annotated[str, Field(pattern=FILE_NAME_PATTERN, max_length=100)] = Field(
        description="The model's name; results are written to runs/NAME."
    )
    dtype: Dtype = Field(default="float32", description="The dtype of every real number.")
    seed: SeedNumber | SeedObject = Field(  # type: ignore[valid-type]
        default=0, description="A number, or an object that also picks the generator."
    )
    inputs: dict[Name, Input] = Field(default_factory=dict, description="The data that the model takes, by name.")
    parameters: dict[Name, LeafParameter] = Field(default_factory=dict, description="Trainable leaves, by name.")
    constants: dict[Name, Values] = Field(default_factory=dict, description="Fixed leaves, by name.")
    nodes: Annotated[Listed[AnyNode], Field(min_length=1)] = Field(description="The operations, in any order.")
    outputs: Annotated[Listed[Reference], Field(min_length=1)] = Field(
        description="Names of what predictions return."
    )
    loss: Maybe[Reference | AnyNode] = Field(
        default=None, description="A node that gives a scalar: its name, or the node itself."
    )
    data: Maybe[AnyData] = Field(default=None, description="Where the data comes from.")
    train: Maybe[Train] = Field(default=None, description="How to train.")  # type: ignore[valid-type]
    lint: Maybe[LintSettings] = Field(default=None, description="Which warnings are not wanted.")

    def to_json(self) -> dict[str, Any]:
        """The document as JSON, with what was given and nothing more."""
        return self.model_dump(mode="json", exclude_unset=True)
