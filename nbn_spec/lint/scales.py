"""Rules on the numbers that go in: their scale, and what a normalization finds to measure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from math import prod

import numpy as np

from nbn_spec.errors import Steps
from nbn_spec.graph import Input, Node
from nbn_spec.lint.columns import SAMPLE, Columns, columns_of
from nbn_spec.lint.subject import NOTHING, Finding, Subject
from nbn_spec.ops.arithmetic import Divide, Subtract
from nbn_spec.ops.base import Op, Shape, show
from nbn_spec.ops.feature import FeatureCross, Standardize
from nbn_spec.ops.linear import Linear
from nbn_spec.ops.reduction import Max, Mean, Reduction, Sum
from nbn_spec.ops.shape import Concatenate, Transpose, numbers

KEEPING: tuple[type[Op], ...] = (*NOTHING, Transpose, Concatenate, FeatureCross)
"""Ops behind which large numbers are still large."""
APART = 100
"""Columns differ widely where deviation and spread of one are more than so many times those of another."""
LARGE, COUNT = 1000, 100
"""Numbers, and whole numbers that are never negative such as pixels, beyond which a column is large."""
SHOWN = 3
"""So many columns are named, the others counted."""
FEW_COLUMNS, ENOUGH = 20, 10
"""A column that never changes is told of where there are fewer columns than these, or names for them, and so many
examples: pixels at the edge are often the same, and in a few examples much else is."""


def unscaled(subject: Subject) -> Iterator[Finding]:
    """An input whose columns differ widely in scale, or are large, where a trained linear layer reads it so."""
    read = read_as_they_are(subject)
    for item in subject.graph.inputs:
        if item.name in read and item.name in subject.data:
            held = columns_of(subject.data[item.name])
            message = None if held is None else large(subject, item, held) or apart(subject, item, held)
            if held is not None and message:
                yield scale(subject, item, held, message)


def read_as_they_are(subject: Subject, wanted: Callable[[Node], bool] = lambda layer: True) -> set[str]:
    """The values that get to a trained linear layer, or to one that is ``wanted``, without a change of scale."""
    found: set[str] = set()
    for node in reversed(subject.graph.nodes):
        if isinstance(node.op, Linear):
            if node.name in subject.trained and node.params["weight"] in subject.trainable and wanted(node):
                found.add(node.inputs[0])
        elif isinstance(node.op, KEEPING) and node.name in found:
            found.update(node.inputs)
    return found


def large(subject: Subject, item: Input, held: Columns) -> str:
    """What to say of an input with a column of large numbers; nothing where there is none."""
    size = np.maximum(np.abs(held.low), np.abs(held.high))
    counts = held.whole & (held.low >= 0) & (held.high > COUNT)
    beyond = np.flatnonzero(((size > LARGE) | counts) & ~held.constant)
    if not len(beyond):
        return ""
    worst = int(beyond[np.argmax(size[beyond])])
    name, low, high = subject.column(item, worst), held.low[worst], held.high[worst]
    return f'"{item.name}" holds large numbers: {name} goes from {low:g} to {high:g}{others(len(beyond) - 1)}'


def others(count: int) -> str:
    """How many more columns there are of a kind."""
    return f", and {count} more column{'s' * (count > 1)}" if count else ""


def apart(subject: Subject, item: Input, held: Columns) -> str:
    """What to say of an input whose columns differ widely; nothing where they do not.

    By deviation and by spread: a column that is seldom anything but 0, such as a pixel at the edge, has a small
    deviation and yet the scale of the others.
    """
    varying = np.flatnonzero(~held.constant & (held.deviation > 0))
    if len(varying) < 2:
        return ""
    deviation, spread = held.deviation[varying], held.spread[varying]
    least, most = int(np.argmin(spread)), int(np.argmax(spread))
    if spread[most] <= APART * spread[least] or deviation[most] <= APART * deviation[least]:
        return ""
    small, big = (f"{deviation[i]:.3g} ({subject.column(item, int(varying[i]))})" for i in (least, most))
    return f'the columns of "{item.name}" differ widely: their deviations go from {small} to {big}'


def scale(subject: Subject, item: Input, held: Columns, message: str) -> Finding:
    """The finding for an input that should be scaled."""
    return Finding(
        item.name,
        ("inputs", item.name),
        message,
        (
            "The gradient of a weight is proportional to its column: with columns of very different or very large "
            "numbers no learning rate fits all weights, and units saturate at once.",
        ),
        remedy(subject, item, held),
    )


def remedy(subject: Subject, item: Input, held: Columns) -> str:
    """How an input is scaled in a document with this kind of data."""
    if subject.kind_of_data in ("values", ""):
        node = {"name": f"{item.name}_scaled", "op": "standardize", "inputs": item.name}
        return f'let the nodes read {json.dumps(node)} instead of "{item.name}"'
    top = float(held.high.max())
    if held.whole and float(held.low.min()) >= 0 and top <= 255:
        return f'bring it to 0 … 1 where the data is read: "scale": {1 / 255:.6f} (or "standardize": true)'
    return 'have every column brought to mean 0 and deviation 1 where the data is read: "standardize": true'


def nothing_to_measure(subject: Subject) -> Iterator[Finding]:
    """A normalization that leaves one and the same number whatever comes in, or a column that is one number."""
    for node in subject.graph.nodes:
        if isinstance(node.op, Standardize):
            yield from unmeasurable(subject, node)
        elif isinstance(node.op, Subtract | Divide):
            yield from own_measure(subject, node)
    yield from never_changing(subject)


def unmeasurable(subject: Subject, node: Node) -> Iterator[Finding]:
    """A standardize over one number per column, or over columns that never change."""
    item = next((item for item in subject.graph.inputs if item.name == node.inputs[0]), None)
    if item is None or item.name not in subject.data:
        return
    array, (where, path) = subject.data[item.name], place_of_standardize(node, item)
    rows = subject.parts[0] if item.batched else np.arange(len(array))
    if len(rows) * int(np.prod(array.shape[1:-1])) == 1:
        yield Finding(
            where,
            path,
            f'"{item.name}" is standardized by a single example',
            ("The mean of one example is that example: 0 is left of it, and nothing can be learned from that.",),
            "give more data, or scale it by numbers of your own",
        )
        return
    held = columns_of(array, rows)
    constant = [] if held is None or len(rows) > SAMPLE else np.flatnonzero(held.constant).tolist()
    if constant:
        shown = ", ".join(subject.column(item, number) for number in constant[:SHOWN])
        yield Finding(
            where,
            path,
            f'"{item.name}" is standardized, but {shown}{others(len(constant[SHOWN:]))} never change'
            + "s" * (len(constant) == 1),
            (
                "The deviation is 0, and 1 is taken instead: in training such a column is always 0 and teaches "
                "nothing, and a new value later on meets weights that never saw one.",
            ),
            "leave the column out of the input",
        )


def never_changing(subject: Subject) -> Iterator[Finding]:
    """A column that is the same in all training examples, where a trained linear layer reads it as it is.

    A column of ones before a layer without a bias is one, written as data.
    """
    read, rows = read_as_they_are(subject), subject.parts[0]
    unbiased = read_as_they_are(subject, lambda layer: layer.params.get("bias") not in subject.trainable)
    if not ENOUGH <= len(rows) <= SAMPLE:
        return
    for item in subject.graph.inputs:
        few = bool(item.columns) or prod(numbers(item.shape[1:])) < FEW_COLUMNS
        if item.name in read and item.name in subject.data and item.batched and few:
            held = columns_of(subject.data[item.name], rows)
            if held is not None:
                idle = held.constant & ((held.low == 0) | (item.name not in unbiased))
                yield from same_for_all(subject, item, held, np.flatnonzero(idle).tolist())


def same_for_all(subject: Subject, item: Input, held: Columns, columns: list[int]) -> Iterator[Finding]:
    """The finding for columns that never change, if there are any."""
    if not columns:
        return
    shown = ", ".join(  # + 0.0 takes the sign from −0
        f"{subject.column(item, i)} (always {held.low[i] + 0.0:g})" for i in columns[:SHOWN]
    )
    yield Finding(
        item.name,
        ("inputs", item.name),
        f'"{item.name}" has columns that never change: {shown}{others(len(columns[SHOWN:]))}',
        (
            f"In {len(subject.parts[0]):,} training examples it is one number, so there is nothing to learn from: "
            "its weights do what the bias does, or of 0 nothing at all. A new value later on meets weights that "
            "never saw one.",
        ),
        "leave the column out of the input; if it should vary, look at where the data comes from",
    )


def place_of_standardize(node: Node, item: Input) -> tuple[str, Steps]:
    """Name and steps of a standardize; where the data asked for it, those of the input."""
    return (item.name, ("inputs", item.name)) if "/" in node.name else (node.name, ("nodes", node.name))


def own_measure(subject: Subject, node: Node) -> Iterator[Finding]:
    """x − mean(x), or x / sum(x), over axes of length 1: always 0, or always 1."""
    a, b = node.inputs
    measure = subject.graph.by_name.get(b)
    if measure is None or measure.inputs[:1] != (a,):
        return
    if isinstance(measure.op, Mean | Max | Sum) and single(measure.op, subject.graph.shape(a)):
        value = "1" if isinstance(node.op, Divide) else "0"
        word = measure.op.word()
        yield Finding(
            node.name,
            ("nodes", node.name),
            f'"{node.name}" is always {value}: "{measure.name}" ({word}) goes over an axis of length 1',
            (f"The {word} of a single number is that number, so the normalization takes away all there is.",),
            f'let "{measure.name}" go over an axis along which there is more than one number: '
            f'"{a}" is {show(subject.graph.shape(a))}',
        )


def single(op: Reduction, shape: Shape) -> bool:
    """Whether a reduction goes over axes of length 1 only."""
    return bool(op.axes(shape)) and all(shape[axis] == 1 for axis in op.axes(shape))
