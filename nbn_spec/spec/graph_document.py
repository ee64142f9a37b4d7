"""The graph inside an archive as pydantic models, so that its schema can be published too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, Union

from pydantic import BaseModel, ConfigDict, Field, create_model

from nbn_spec.graph import DTYPES
from nbn_spec.ops import OPS
from nbn_spec.spec.fields import Length, fields_of, tagged
from nbn_spec.spec.nodes import camel

Lengths = list[Length]
Dims = list[Length | str]


class Exactly(BaseModel):
    """A closed object."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class GraphInput(Exactly):
    """Data that the graph takes."""

    shape: Dims = Field(description='Lengths and symbols; "N" is the batch.')
    columns: list[str] = Field(description="Names along the last axis; empty where it has none.")
    integer: bool = Field(description="Whether it holds whole numbers.")


class GraphConstant(Exactly):
    """A fixed array: the archive's member constant/NAME."""

    shape: Lengths = Field(description="Its lengths.")


class GraphParameter(Exactly):
    """A parameter: the archive's member param/NAME."""

    shape: Lengths = Field(description="Its lengths.")
    trainable: bool = Field(description="Whether training changes it.")


class Producer(Exactly):
    """The versions that wrote the archive."""

    nbn_spec: str = Field(description="Version of nbn_spec.")
    numpy: str = Field(description="Version of NumPy.")


class GraphNode(Exactly):
    """What every node has."""

    name: str = Field(description="The node's name; a / stands where it was expanded from something.")
    inputs: list[str] = Field(min_length=1, description="The values it reads.")
    parameters: dict[str, str] = Field(description="Its parameters: the op's name for each, and the graph's.")
    shape: Dims = Field(description="The shape of its result.")


def node(word: str) -> type[BaseModel]:
    """The model of one op's node, every attribute written out."""
    record = OPS[word]
    fields = fields_of(record, complete=True)
    attributes = create_model(f"{camel(word)}Attributes", __base__=Exactly, __doc__=record.__doc__, **fields)
    what: Any = Field(description="The op's attributes, every one written out.")
    extra: dict[str, Any] = {**tagged("op", word), "attributes": (attributes, what)}
    made: type[BaseModel] = create_model(
        f"{camel(word)}Node", __base__=GraphNode, __doc__=record.equation, **extra
    )
    return made


GRAPH_NODES = {word: node(word) for word in OPS}
if TYPE_CHECKING:  # a union over a table, whose members mypy cannot know
    AnyGraphNode: TypeAlias = Any
    Dtype: TypeAlias = Literal["float32", "float64"]
else:
    Dtype = Literal[DTYPES]
    AnyGraphNode = Annotated[Union[tuple(GRAPH_NODES.values())], Field(discriminator="op")]


class GraphDocument(Exactly):
    """A compiled model without its numbers: the member ``graph`` of an archive."""

    format: Literal[1] = Field(description="The archive format's version.")
    producer: Producer = Field(description="What wrote the archive.")
    name: str = Field(description="The model's name.")
    dtype: Dtype = Field(description="The dtype of every real number.")
    inputs: dict[str, GraphInput] = Field(description="The data that the graph takes.")
    constants: dict[str, GraphConstant] = Field(description="Fixed leaves.")
    parameters: dict[str, GraphParameter] = Field(description="Leaves whose values belong to the model.")
    nodes: list[AnyGraphNode] = Field(description="The operations in forward order.")
    outputs: list[str] = Field(min_length=1, description="What predictions return.")
    loss: str | None = Field(description="The node that gives the cost.")
    dead: list[str] = Field(description="Nodes of the spec that nothing needed, left out.")
    spec: dict[str, Any] = Field(description="The canonical spec that the graph was compiled from.")
