"""Rules on roles: what a loss takes for the prediction and what for the truth, and where the examples are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from nbn_spec.errors import Steps, shorten
from nbn_spec.graph import BATCH, Input, Node
from nbn_spec.lint.subject import Finding, Subject
from nbn_spec.ops.arithmetic import Add, Multiply, Subtract
from nbn_spec.ops.base import Op, Shape, show
from nbn_spec.ops.crossentropy import ClassLoss
from nbn_spec.ops.feature import Standardize
from nbn_spec.ops.linear import Linear, Matmul
from nbn_spec.ops.loss import Distance
from nbn_spec.ops.shape import numbers

COMBINING: tuple[type[Op], ...] = (Add, Subtract, Multiply)
"""Ops by which noise is laid over data, and a mask."""


def turned_round(subject: Subject) -> Iterator[Finding]:
    """A loss that takes data for the prediction, and what is trained for the truth."""
    for loss in subject.losses:
        prediction, target = loss.operands["prediction"], loss.operands["target"]
        if prediction not in subject.given or target not in subject.graph.trainable:
            continue
        word = loss.op.word()
        note = "This way round it measures something else, and training drives the model to another answer."
        if isinstance(loss.op, Distance):
            note = "The cost is the same either way, but metrics and warnings take the first for the prediction."
        yield Finding(
            loss.name,
            (*subject.place(loss), "inputs"),
            f'{word} takes the data "{prediction}" for the prediction, and "{target}", a result, for the truth',
            ("A loss reads the prediction first and the target second; Keras has it the other way round.", note),
            f'"inputs": {json.dumps([target, prediction])}',
        )


@dataclass(frozen=True)
class Leak:
    """A prediction that is computed from its own target: ``reader`` is the first node on the way from there.

    ``instead`` holds the inputs that it might have read, and ``unread`` those of them that nothing reads.
    """

    target: str
    reader: Node
    instead: tuple[str, ...]
    unread: tuple[str, ...]


def reads_target(subject: Subject) -> Iterator[Finding]:
    """A model that reads what it is to predict, by the input itself or by a csv column that is in two inputs."""
    told = {(leak.reader.name, leak.target): reading(subject, leak) for leak in leaks(subject)}
    yield from told.values()
    if not told:
        yield from shared_columns(subject)


def leaks(subject: Subject) -> list[Leak]:
    """Every loss whose prediction is computed from its target, unless that is an autoencoder.

    An autoencoder reads nothing beside its target; or what it reads of it is narrower than the target somewhere on
    the way, or lies under noise or a mask.
    """
    names = [item.name for item in subject.graph.inputs]
    unread = tuple(item.name for item in subject.graph.inputs if item.batched and subject.idle(item.name))
    targets = {subject.origin(loss.operands["target"]) for loss in subject.losses}
    found = []
    for loss in subject.losses:
        target, prediction = subject.origin(loss.operands["target"]), loss.operands["prediction"]
        item, read = subject.graph.leaves.get(target), subject.read_by(prediction)
        if not isinstance(item, Input) or target not in read or not (len(read) > 1 or unread):
            continue
        if widths(subject, item)[prediction] >= (1 if isinstance(loss.op, ClassLoss) else size(item.shape)):
            instead = (*unread, *(name for name in names if name in read and name not in targets))
            found.append(Leak(target, first_reader(subject, target, prediction), instead, unread))
    return found


def widths(subject: Subject, target: Input) -> Mapping[str, int]:
    """How many numbers of an example of ``target`` each value may hold: the least on the widest way to it."""
    found = dict.fromkeys(subject.graph.leaves, 0) | {target.name: size(target.shape)}
    for node in subject.graph.nodes:
        through = max((found[name] for name in node.inputs), default=0)
        found[node.name] = 0 if through and veils(subject, node, target.name) else min(through, size(node.shape))
    return found


def size(shape: Shape) -> int:
    """How many numbers an example has, steps of unknown number left aside."""
    return prod(numbers(shape))


def veils(subject: Subject, node: Node, target: str) -> bool:
    """Whether a node lays other data over the target, noise or a mask, or picks from it by a fixed matrix."""
    if isinstance(node.op, Matmul):
        return node.name not in subject.graph.trainable
    parts = [set(subject.read_by(name)) for name in node.inputs]
    given = isinstance(node.op, COMBINING) and subject.given.issuperset(node.inputs)
    return given and all(parts) and parts[0].isdisjoint(parts[1]) and target in parts[0] | parts[1]


def first_reader(subject: Subject, target: str, prediction: str) -> Node:
    """The first node that reads the target on the way to the prediction."""
    way = subject.graph.ancestors([prediction])
    return next(node for node in subject.readers[target] if node.name in way)


def reading(subject: Subject, leak: Leak) -> Finding:
    """The finding for a node that reads the target of a loss."""
    name = leak.reader.name.partition("/")[0]  # what sugar was expanded to is not what was written
    left_out = not has_inputs(subject, name)
    how = f'"{name}" reads "{leak.target}"'
    if left_out:
        how = f'"{name}" left its inputs out, and the first input is "{leak.target}"'
    idle = " and ".join(f'"{other}"' for other in leak.unread)
    return Finding(
        name,
        (*subject.place(leak.reader), *(() if left_out else ("inputs",))),
        f"the model reads what it is to predict: {how}",
        (
            "It can hand the answer on without having learned anything, so the cost is low in training; and where "
            f'the model is used, there is no "{leak.target}" yet.',
            *((f"Nothing reads {idle}.",) if idle else ()),
        ),
        hint_of(subject, leak, name),
    )


def has_inputs(subject: Subject, name: str) -> bool:
    """Whether a node's inputs are written; only the first node reads an input where they are not."""
    nodes = subject.written.get("nodes")
    first = nodes[0] if isinstance(nodes, list) and nodes else None
    if not isinstance(first, Mapping) or first.get("inputs") is not None:
        return True
    return bool(name != first.get("name", f"{first.get('op')}_1"))


def hint_of(subject: Subject, leak: Leak, name: str) -> str:
    """What the node should read: its other inputs, or one of those that it might have read."""
    others = [as_written(subject, source) for source in leak.reader.inputs if source != leak.target]
    if leak.reader.op.variadic and others:
        return f'leave "{leak.target}" out of "{name}": "inputs": {json.dumps(others)}'
    if others or not leak.instead:
        return f'let "{name}" read something else than "{leak.target}"'
    return f'give "{name}" "inputs": {json.dumps(leak.instead[0])}'


def as_written(subject: Subject, name: str) -> str:
    """A value's name in the document: of an input that the data standardizes, that of the input."""
    node = subject.graph.by_name.get(name)
    return node.inputs[0] if node is not None and isinstance(node.op, Standardize) and "/" in name else name


def shared_columns(subject: Subject) -> Iterator[Finding]:
    """A csv column that stands in the target and in another input, of which the prediction is computed.

    Where both have the same columns an autoencoder is meant.
    """
    told: set[tuple[str, str]] = set()
    for loss in subject.losses:
        item = subject.graph.leaves.get(subject.origin(loss.operands["target"]))
        if not isinstance(item, Input):
            continue
        truth = csv_columns(subject, item)
        for name in subject.read_by(loss.operands["prediction"]):
            other = subject.graph.leaves[name]
            assert isinstance(other, Input), "what a value is computed from are inputs"
            columns = csv_columns(subject, other)
            rest = [column for column in columns if column not in truth]
            if len(rest) < len(columns) and set(columns) != set(truth) and (name, item.name) not in told:
                told.add((name, item.name))
                yield column_twice(subject, other, item, rest)


def csv_columns(subject: Subject, item: Input) -> tuple[str, ...]:
    """The csv columns of an input: those that the data names, those that it declares, or its own name."""
    data: Any = subject.written.get("data")
    if not isinstance(data, Mapping) or "csv" not in data:
        return ()
    named = data.get("columns", {}).get(item.name)
    named = named.get("column") if isinstance(named, Mapping) else named
    return (named,) if isinstance(named, str) else tuple(named or item.columns or (item.name,))


def column_twice(subject: Subject, item: Input, target: Input, rest: list[str]) -> Finding:
    """The finding for columns that stand in an input and in a target; ``rest`` are those in the input alone."""
    columns: Any = subject.written["data"].get("columns", {})
    path: Steps = ("data", "columns", item.name) if item.name in columns else ("inputs", item.name)
    key = (
        "column" if isinstance(columns.get(item.name), Mapping) else item.name if path[0] == "data" else "columns"
    )
    both = [column for column in csv_columns(subject, item) if column not in rest]
    named, shape = ", ".join(map(shorten, both)), json.dumps([*item.shape[:-1], len(rest)])
    return Finding(
        item.name,
        path,
        f'the model reads what it is to predict: "{item.name}" and "{target.name}" both hold the column {named}',
        (
            "It can hand the answer on without having learned anything, so the cost is low in training; and where "
            "the model is used, nobody knows that column yet.",
        ),
        f'leave it out: "{key}": {json.dumps(rest)}, and "shape": {shape} for the input'
        if rest
        else f'read other columns as "{item.name}"',
    )


def without_batch(subject: Subject) -> Iterator[Finding]:
    """A network that is trained by a loss over examples, and none of whose inputs has a place for their number."""
    inputs = subject.graph.inputs
    known = subject.training is not None or bool(subject.data)
    if not known or not all(len(numbers(item.shape)) == len(item.shape) for item in inputs):
        return
    layered = network_inputs(subject)
    for loss in subject.losses:
        target = subject.graph.leaves.get(subject.origin(loss.operands["target"]))
        read = layered.intersection(subject.read_by(loss.operands["prediction"]))
        item = next((item for item in inputs if item.name in read), None)
        if isinstance(target, Input) and item is not None:
            yield unbatched(item, target)
            return


def network_inputs(subject: Subject) -> set[str]:
    """The inputs that get to a trained linear layer."""
    layers = (node for node in subject.graph.nodes if isinstance(node.op, Linear) and node.name in subject.trained)
    read = 0
    for node in layers:
        read |= subject.sources[node.inputs[0]] if node.params["weight"] in subject.trainable else 0
    return set(subject.names(read))


def unbatched(item: Input, target: Input) -> Finding:
    """The finding for inputs whose first axis should be the batch, or that need one in front."""
    rows = len(item.shape) > 1 and item.shape[:1] == target.shape[:1]
    right = {part.name: [BATCH, *part.shape[int(rows) :]] for part in (item, target)}
    shapes = ", ".join(f'"{name}": {{"shape": {json.dumps(shape)}}}' for name, shape in right.items())
    count = f"{item.shape[0]} examples" if rows else "one example"
    return Finding(
        item.name,
        ("inputs", item.name, "shape"),
        f'"{item.name}" is {show(item.shape)}, without "{BATCH}": the model takes {count}, no more and no fewer',
        (
            f'"{BATCH}" stands for the number of examples. Without it there are no batches and no validation '
            "part, and the trained model takes no other number of them either.",
        ),
        f'"inputs": {{{shapes}}}' + ("" if rows else "; the data is then a list of examples"),
    )
