"""From what an author wrote to what was meant: every name and input written out, sugar expanded."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from pydantic import BaseModel

from nbn_spec.errors import Problem
from nbn_spec.ops import OPS
from nbn_spec.spec.fields import WITHOUT_DOC
from nbn_spec.spec.models import (
    METRIC_MODELS,
    OPTIMIZER_MODELS,
    ColumnField,
    CsvData,
    FileField,
    Input,
    MemberField,
    ModelSpec,
    NpyData,
    NpzData,
    SeedObject,
)
from nbn_spec.spec.nodes import INITS, NODES, Broken, Dense
from nbn_spec.spec.read import Document

STANDARDIZED = "/standardized"
"""What is added to an input's name for the node that standardizes it."""


@dataclass(frozen=True)
class Canonical:
    """A spec in which nothing is implied, and for each node where in the document it was written."""

    spec: ModelSpec
    origins: Mapping[str, tuple[object, ...]]
    document: Document = Document({})
    """The document as the author wrote it: problems are told in its words and order."""
    problems: tuple[Problem, ...] = ()

    @property
    def where(self) -> str:
        """The file, or nothing."""
        return self.document.where

    def to_json(self) -> dict[str, Any]:
        """The canonical document, every default filled in; ``doc`` stays where it describes the model."""
        document = self.spec.model_dump(mode="json", exclude={"schema_"})
        for key in ("data", "train", "seed"):
            if (part := getattr(self.spec, key)) is not None:
                document[key] = part.model_dump(mode="json", context=WITHOUT_DOC)
        return document


@dataclass
class Names:
    """Names in use, and new ones: an op's name and a number."""

    taken: set[str]
    numbers: dict[str, int] = field(default_factory=dict)

    def new(self, word: str) -> str:
        """The first free ``word_1``, ``word_2``, …"""
        while True:
            self.numbers[word] = number = self.numbers.get(word, 0) + 1
            if (name := f"{word}_{number}") not in self.taken:
                self.taken.add(name)
                return name


def normalize(spec: ModelSpec, document: Document) -> Canonical:
    """The canonical form of a spec, with a problem for each wish that cannot be met."""
    origins: dict[str, tuple[object, ...]] = {}
    nodes: list[Any] = []
    for path, node in explicit(spec):
        for part in expand(node):
            part = complete(part, spec.inputs)  # noqa: PLW2901
            origins[part.name] = path
            nodes.append(part)
    data = canonical_data(spec)
    chosen, problems = standardized(spec, nodes, data)
    standardizers, renamed = standardize(chosen)
    nodes = [redirect(node, renamed) if node.name not in standardizers else node for node in nodes]
    for name, node in standardizers.items():
        origins[name] = ("data",)
        nodes.insert(0, node)
    seed = spec.seed if isinstance(spec.seed, BaseModel) else SeedObject(value=spec.seed)
    changes = {
        "nodes": nodes,
        "loss": loss_name(spec, nodes),
        "seed": seed,
        "data": data,
        "train": canonical_train(spec),
    }
    return Canonical(spec.model_copy(update=changes), origins, document, tuple(problems))


def explicit(spec: ModelSpec) -> Iterator[tuple[tuple[object, ...], Any]]:
    """Every node, the inline loss last, with its place, its name and its list of inputs."""
    written: list[tuple[tuple[object, ...], Any]] = [(("nodes", i), node) for i, node in enumerate(spec.nodes)]
    if isinstance(spec.loss, BaseModel):
        written.append((("loss",), spec.loss))
    given = {node.name for _, node in written if node.name}
    names = Names({*spec.inputs, *spec.parameters, *spec.constants, *given})
    before = next(iter(spec.inputs), None)
    for path, node in written:
        name = node.name or names.new(node.op)
        inputs = [node.inputs] if isinstance(node.inputs, str) else node.inputs
        if inputs is None:
            inputs = [before] if before else []
        yield path, changed(node, {"name": name, "inputs": inputs})
        before = name


def changed(node: Any, update: Mapping[str, Any]) -> Any:
    """The node with other values; itself where it has them already, as most nodes of a large document do."""
    same = all(getattr(node, key) is value for key, value in update.items())
    return node if same else node.model_copy(update=update)


def loss_name(spec: ModelSpec, nodes: list[Any]) -> str | None:
    """The name of the loss's node; an inline one stands last."""
    return nodes[-1].name if isinstance(spec.loss, BaseModel) else spec.loss


def expand(node: Any) -> Iterator[Any]:
    """A node without sugar: ``dense`` is ``linear``, and with an activation a second node."""
    if not isinstance(node, Dense):
        yield node
        return
    linear = f"{node.name}/linear" if node.activation else node.name
    fields: dict[str, Any] = {"doc": node.doc, "units": node.units, "weight": node.weight, "bias": node.bias}
    yield NODES["linear"].model_construct(name=linear, op="linear", inputs=node.inputs, **fields)
    if node.activation:
        activation = NODES[node.activation]
        yield activation.model_construct(name=node.name, op=node.activation, inputs=[linear])


def complete(node: Any, inputs: Mapping[str, Input]) -> Any:
    """Attributes that something else in the document gives (units by exact weights, columns by the input), and
    initializers' names as objects."""
    if isinstance(node, Broken):
        return node
    changes: dict[str, Any] = {}
    givers, settings = open_ends(node.op)
    for name, giver in givers:
        if getattr(node, name) is None:
            changes[name] = given(giver, node, inputs)
    for name in settings:
        setting = getattr(node, name)
        if isinstance(setting, str):
            changes[name] = initializer_object(setting)
    return node.model_copy(update=changes) if changes else node


@cache
def open_ends(word: str) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """What a node of an op may leave to others: attributes with their givers; and parameters that it may set."""
    op = OPS[word]
    givers = ((part.name, part.metadata["given_by"]) for part in dataclasses.fields(op))
    settings = tuple(name for name in op.weights if name not in op.statistics)
    return tuple((name, giver) for name, giver in givers if giver), settings


@cache
def initializer_object(word: str) -> BaseModel:
    """The object of an initializer that is named, one for all nodes that name it."""
    return INITS[word]()


def given(giver: str, node: Any, inputs: Mapping[str, Input]) -> Any:
    """What exact values (their first length) or the first input (its columns) say of an attribute, if anything."""
    if giver == "columns":
        source = inputs.get(node.inputs[0]) if node.inputs else None
        return tuple(source.columns) if source and source.columns else None
    value = getattr(getattr(node, giver), "value", None)
    return len(value) if isinstance(value, (list, tuple)) else None


def canonical_data(spec: ModelSpec) -> Any:
    """The data with an object for every input."""
    data: Any = spec.data
    if isinstance(data, CsvData):
        declared = {name: item.columns or [name] for name, item in spec.inputs.items()}
        columns = {name: data.columns.get(name, columns) for name, columns in declared.items()}
        columns |= {name: item for name, item in data.columns.items() if name not in columns}
        return data.model_copy(update={"columns": fielded(columns, "column", ColumnField)})
    if isinstance(data, NpzData):
        arrays = {**{name: name for name in spec.inputs}, **data.arrays}
        return data.model_copy(update={"arrays": fielded(arrays, "array", MemberField)})
    if isinstance(data, NpyData):
        return data.model_copy(update={"npy": fielded(data.npy, "file", FileField)})
    return data


def fielded(items: Mapping[str, Any], key: str, model: Any) -> dict[str, Any]:
    """Objects for names and lists of names."""
    return {name: item if isinstance(item, BaseModel) else model(**{key: item}) for name, item in items.items()}


def fields_of_data(data: Any) -> Mapping[str, Any]:
    """The objects of a canonical ``data``, by input."""
    return getattr(data, "columns", None) or getattr(data, "arrays", None) or getattr(data, "npy", None) or {}


def standardized(spec: ModelSpec, nodes: list[Any], data: Any) -> tuple[list[str], list[Problem]]:
    """The inputs that are to be standardized, and a problem for each that may not be."""
    fields = fields_of_data(data)
    chosen = [name for name in spec.inputs if getattr(fields.get(name), "standardize", False)]
    targets = beneath_targets(nodes) if chosen else set()
    problems = [
        Problem(
            "NBN113",
            "",
            f'"{name}" is a target, or a target is computed from it, so it cannot be standardized',
            "a target keeps its units, so that predictions have them too",
            path=("data", key_of_fields(data), name, "standardize"),
        )
        for name in chosen
        if name in targets
    ]
    return [name for name in chosen if name not in targets], problems


def standardize(chosen: list[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """A node for each input that is to be standardized, and the new names for those who read it."""
    renamed = {name: name + STANDARDIZED for name in chosen}
    construct: Any = NODES["standardize"].model_construct
    return {new: construct(name=new, op="standardize", inputs=[name]) for name, new in renamed.items()}, renamed


def key_of_fields(data: Any) -> str:
    """The key under which ``data`` has an object for each input."""
    return next(key for key in ("columns", "arrays", "npy") if getattr(data, key, None))


def beneath_targets(nodes: list[Any]) -> set[str]:
    """The targets of all losses, and whatever they are computed from."""
    inputs = {node.name: node.inputs for node in nodes}
    waiting = [node.inputs[1] for node in nodes if is_loss(node) and len(node.inputs) > 1]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(inputs.get(name, ()))
    return found


def is_loss(node: Any) -> bool:
    """Whether a node's op is a loss."""
    return node.op in OPS and OPS[node.op].is_loss


def redirect(node: Any, renamed: Mapping[str, str]) -> Any:
    """A node that reads the standardized inputs instead of the raw ones."""
    if not renamed:
        return node
    return node.model_copy(update={"inputs": [renamed.get(name, name) for name in node.inputs]})


def canonical_train(spec: ModelSpec) -> Any:
    """The training with an object for the optimizer and every metric."""
    train: Any = spec.train
    if train is None:
        return None
    optimizer = train.optimizer
    changes = {
        "optimizer": OPTIMIZER_MODELS[optimizer]() if isinstance(optimizer, str) else optimizer,
        "metrics": [METRIC_MODELS[m]() if isinstance(m, str) else m for m in train.metrics],
    }
    return train.model_copy(update=changes)
