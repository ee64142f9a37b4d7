"""Rules on the end of a model: does the last activation fit the loss, and both the labels?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from nbn_spec.graph import BATCH, Node
from nbn_spec.lint.columns import blocks
from nbn_spec.lint.ranges import Range, ranges
from nbn_spec.lint.reach import single_class
from nbn_spec.lint.subject import Finding, Subject
from nbn_spec.metrics import Accuracy, BinaryAccuracy
from nbn_spec.ops import activation
from nbn_spec.ops.activation import LogSoftmax, OverAxis, Sigmoid, Softmax
from nbn_spec.ops.base import Array, Op, axis_of, show
from nbn_spec.ops.crossentropy import BinaryCrossentropy, ClassLoss
from nbn_spec.ops.loss import Distance, Hinge

BOUNDED: tuple[type[Op], ...] = (activation.Tanh, activation.Softsign, activation.Sin, activation.Cos)
"""Activations that give numbers between −1 and 1: no probabilities either."""
FLOORED: tuple[type[Op], ...] = (
    activation.Relu,
    activation.Elu,
    activation.Selu,
    activation.Softplus,
    activation.Gelu,
    activation.Silu,
)
"""Activations that let large numbers through and give nothing, or next to nothing, below 0."""
ROUNDED = 1e-6
"""Targets may lie beyond a bound by this share of it: they were rounded."""


def ends(subject: Subject) -> Iterator[tuple[Node, Node]]:
    """Every loss that training follows, with the node that makes its predictions."""
    for loss in subject.losses:
        maker = subject.maker(loss.operands["prediction"])
        if maker is not None:
            yield loss, maker


def rewritten(subject: Subject, loss: Node, op: str, prediction: str, **more: Any) -> str:
    """The JSON of a loss with another op and another prediction."""
    inline = subject.place(loss) == ("loss",) or not subject.written
    name = {} if inline else {"name": loss.name}
    text = json.dumps({**name, "op": op, "inputs": [prediction, loss.operands["target"]], **more})
    return f'"loss": {text}' if inline and loss.name == subject.graph.loss else text


def from_scores(subject: Subject, loss: Node, maker: Node) -> str:
    """The JSON of the crossentropy that reads what goes into a sigmoid or softmax."""
    binary = isinstance(maker.op, Sigmoid)
    op = "binary_crossentropy" if binary else "categorical_crossentropy"
    return rewritten(subject, loss, op, maker.inputs[0], from_logits=True)


def squared_labels(subject: Subject) -> Iterator[Finding]:
    """A loss of the distance to class labels, behind a sigmoid or a softmax."""
    for loss, maker in ends(subject):
        fitting = isinstance(loss.op, Distance) and isinstance(maker.op, Sigmoid | Softmax)
        if not (fitting and compares_labels(subject, loss, one_hot=isinstance(maker.op, Softmax))):
            continue
        word, last = loss.op.word(), maker.op.word()
        yield Finding(
            loss.name,
            subject.place(loss),
            f'{word} compares "{maker.name}" ({last}) with class labels',
            (
                f"The slope of the {last} is a factor of every gradient, and it is next to 0 where the answer is "
                "sure and wrong: such mistakes are hardly corrected, and the cost is not convex even for a single "
                "neuron. A crossentropy cancels that factor.",
            ),
            f"measure what goes into the {last}: {from_scores(subject, loss, maker)}",
        )


def compares_labels(subject: Subject, loss: Node, *, one_hot: bool) -> bool:
    """Whether a loss's target is class labels: by the data, or because a metric counts right answers."""
    name = subject.origin(loss.operands["target"])
    metrics = subject.training.metrics if subject.training else ()
    counted = [m.truth(subject.graph) for m in metrics if isinstance(m, Accuracy | BinaryAccuracy)]
    if name in map(subject.origin, counted):
        return True
    found = subject.target(loss)
    readers = subject.readers.get(name, ())
    if found is None or not all(reader.op.is_loss for reader in readers):
        return False  # what the model also reads, as an autoencoder does, is no label
    return labels(found[1], one_hot=one_hot)


def labels(array: Array, *, one_hot: bool) -> bool:
    """Whether an array holds nothing but 0 and 1, and ``one_hot``: a single 1 in each row."""
    for block in blocks(array):
        if not ((block == 0) | (block == 1)).all() or (one_hot and not (block.sum(1) == 1).all()):
            return False
    return array.size > 0


def no_probabilities(subject: Subject) -> Iterator[Finding]:
    """A crossentropy that takes probabilities, of values that surely are none."""
    found = ranges(subject)
    for loss, maker in ends(subject):
        if not takes_probabilities(loss):
            continue
        values = found[maker.name]
        if not (values.unbounded or isinstance(maker.op, BOUNDED)):
            continue
        word = loss.op.word()
        right = rewritten(subject, loss, word, loss.operands["prediction"], from_logits=True)
        hint = f"let it take the scores: {right}"
        if isinstance(maker.op, (*BOUNDED, *FLOORED, LogSoftmax)):
            right = rewritten(subject, loss, word, maker.inputs[0], from_logits=True)
            hint = f"let it take the scores before the {maker.op.word()}: {right}"
        yield Finding(
            loss.name,
            subject.place(loss),
            f'{word} takes probabilities, but "{maker.name}" ({maker.op.word()}) gives {values}',
            (
                "It takes the logarithm of its predictions: at 0 that says nothing any more, below 0 there is "
                "none, and training ends with NBN401.",
            ),
            hint,
        )


def takes_probabilities(loss: Node) -> bool:
    """Whether a loss is a crossentropy of probabilities."""
    return isinstance(loss.op, BinaryCrossentropy | ClassLoss) and not loss.op.from_logits


def takes_scores(loss: Node) -> bool:
    """Whether a loss is a crossentropy with the sigmoid or softmax inside."""
    return isinstance(loss.op, BinaryCrossentropy | ClassLoss) and loss.op.from_logits


def twice_activated(subject: Subject) -> Iterator[Finding]:
    """Probabilities, or their logarithms, for a crossentropy that takes scores."""
    for loss, maker in ends(subject):
        if not (takes_scores(loss) and isinstance(maker.op, Sigmoid | Softmax | LogSoftmax)):
            continue
        word, last = loss.op.word(), maker.op.word()
        inner = "sigmoid" if isinstance(loss.op, BinaryCrossentropy) else "softmax"
        note = (
            f"It takes scores and has a {inner} of its own: of numbers from 0 to 1 that makes probabilities which "
            "never come near both 0 and 1, so the cost stays high however sure the model is."
        )
        if isinstance(maker.op, LogSoftmax):
            note = "Its own sigmoid makes of numbers that are at most 0 a probability that is at most ½."
            if harmless(subject, loss, maker):
                note = (
                    "Here it does no harm: the softmax inside the loss takes the log_softmax off again, so the "
                    "cost is the same, only computed in two passes where one would do."
                )
        right = rewritten(subject, loss, word, maker.inputs[0], from_logits=True)
        yield Finding(
            loss.name,
            (*subject.place(loss), "from_logits"),
            f'{word} with "from_logits": true reads "{maker.name}" ({last})',
            (note,),
            f"let it read what goes into the {last}: {right}",
        )
    yield from squashed(subject)


def squashed(subject: Subject) -> Iterator[Finding]:
    """A sigmoid or softmax of a sigmoid or softmax, for a crossentropy that takes probabilities."""
    for loss, maker in ends(subject):
        inner = subject.maker(maker.inputs[0])
        two = inner is not None and all(isinstance(node.op, Sigmoid | Softmax) for node in (maker, inner))
        if inner is None or not (two and takes_probabilities(loss)):
            continue
        right = rewritten(subject, loss, loss.op.word(), inner.inputs[0], from_logits=True)
        yield Finding(
            maker.name,
            ("nodes", maker.name),
            f'"{maker.name}" ({maker.op.word()}) reads "{inner.name}" ({inner.op.word()}): probabilities already',
            (
                "It takes scores of any size: of numbers from 0 to 1 it makes probabilities that never come near "
                "both 0 and 1, so the cost stays high however sure the model is.",
            ),
            f"leave one of the two out, and let the loss read the scores: {right}",
        )


def harmless(subject: Subject, loss: Node, maker: Node) -> bool:
    """Whether a log_softmax goes over the classes of the loss that has a softmax inside."""
    prediction, axis = loss.operands["prediction"], getattr(maker.op, "axis", None)
    direct = subject.graph.shape(prediction) == maker.shape
    return isinstance(loss.op, ClassLoss) and direct and axis in (-1, len(maker.shape) - 1)


def ill_fitting(subject: Subject) -> Iterator[Finding]:
    """A last activation that is made for another loss, or that cannot reach the targets."""
    bounds = ranges(subject)
    for loss, maker in ends(subject):
        if isinstance(loss.op, Distance):
            yield from beyond(subject, loss, maker, bounds[maker.name])
        elif isinstance(loss.op, Hinge) and isinstance(maker.op, Sigmoid | Softmax):
            yield sided(subject, loss, maker)
        elif takes_probabilities(loss) and mixed(subject, loss, maker):
            yield swapped(subject, loss, maker)
    yield from column_by_column(subject)


def column_by_column(subject: Subject) -> Iterator[Finding]:
    """A metric that counts each column by itself where one of several classes is chosen.

    Of two columns the one is the other turned round, so that it counts the same.
    """
    for i, metric in enumerate(subject.training.metrics if subject.training else ()):
        if not isinstance(metric, BinaryAccuracy) or metric.threshold is not None:
            continue
        name = metric.prediction(subject.graph)
        maker, classes = subject.maker(name), subject.graph.shape(name)[-1:]
        if maker is None or not isinstance(maker.op, Softmax) or single_class(subject, maker) or classes == (2,):
            continue
        yield Finding(
            "train",
            ("train", "metrics", i),
            f'binary_accuracy takes every column of "{name}" (softmax) for a yes or no by itself',
            (
                "One class is chosen of several, so all columns but one should say no, and to say no always is "
                "mostly right: the share is high, and tells next to nothing.",
            ),
            'take "accuracy" instead: it compares the largest column with the class',
        )


def mixed(subject: Subject, loss: Node, maker: Node) -> bool:
    """Whether a softmax is measured as so many yes-or-no answers, or a sigmoid as a choice among classes."""
    if isinstance(loss.op, ClassLoss):
        return isinstance(maker.op, Sigmoid) and maker.shape[-1] != 1
    return isinstance(maker.op, Softmax) and not single_class(subject, maker)


def swapped(subject: Subject, loss: Node, maker: Node) -> Finding:
    """The finding for a sigmoid where a softmax belongs, or the other way round."""
    word, last = loss.op.word(), maker.op.word()
    if isinstance(maker.op, Sigmoid):
        note = (
            "The probabilities of a sigmoid need not sum to 1, and this loss looks at that of the true class "
            "alone: to answer 1 for every class costs nothing, so nothing but that is learned."
        )
        right = rewritten(subject, loss, word, maker.inputs[0], from_logits=True)
        hint = f"take the softmax inside the loss: {right}"
    else:
        note = (
            "A softmax shares one whole among the classes, so that one excludes the others; this loss takes each "
            "column for a yes or no by itself. One of the two is not what is meant."
        )
        classes = from_scores(subject, loss, maker)
        each = rewritten(subject, loss, word, maker.inputs[0], from_logits=True)
        hint = f"for one class among several: {classes}; for a yes or no in each column: {each}"
    return Finding(loss.name, subject.place(loss), f'{word} reads "{maker.name}" ({last})', (note,), hint)


def sided(subject: Subject, loss: Node, maker: Node) -> Finding:
    """The finding for a hinge of values that are never negative."""
    return Finding(
        loss.name,
        subject.place(loss),
        f'hinge reads "{maker.name}" ({maker.op.word()}), which is never below 0',
        (
            "It compares a score with −1 and 1 and is content beyond them: for the class −1 a score from 0 to 1 "
            "is always on the wrong side.",
        ),
        f"let it read the scores: {rewritten(subject, loss, 'hinge', maker.inputs[0])}",
    )


def beyond(subject: Subject, loss: Node, maker: Node, bounds: Range) -> Iterator[Finding]:
    """Targets that no prediction can reach, as they lie outside the range of the last activation."""
    found = subject.target(loss)
    if found is None or (bounds.low == -np.inf and bounds.high == np.inf):
        return
    item, array = found
    outside, count, low, high = 0, 0, np.inf, -np.inf
    for block in blocks(array):
        slack = ROUNDED * max(1, *(abs(end) for end in (bounds.low, bounds.high) if np.isfinite(end)))
        outside += int(((block < bounds.low - slack) | (block > bounds.high + slack)).sum())
        count, low, high = count + block.size, min(low, float(block.min())), max(high, float(block.max()))
    if outside:
        yield Finding(
            loss.name,
            subject.place(loss),
            f'"{maker.name}" ({maker.op.word()}) gives {bounds}, but "{item.name}" goes from {low:g} to {high:g}',
            (
                f"{outside:,} of {count:,} targets lie where no prediction can get: the model is driven against "
                "the bound, where the activation is flat.",
            ),
            unbound(subject, loss, maker),
        )


def unbound(subject: Subject, loss: Node, maker: Node) -> str:
    """How predictions get to targets that lie outside of an op's range."""
    scaled = "scale the targets to lie within the range"
    if len(maker.inputs) > 1:
        return scaled
    right = rewritten(subject, loss, loss.op.word(), maker.inputs[0])
    return f"let the loss read what goes into the {maker.op.word()}: {right}; or {scaled}"


def single_column(subject: Subject) -> Iterator[Finding]:
    """A softmax over one column, or a loss with one class: the answer is always 1. Or a softmax over the batch."""
    for node in subject.graph.nodes:
        if isinstance(node.op, OverAxis) and over_batch(node):
            yield over_examples(node)
        if isinstance(node.op, OverAxis) and single_class(subject, node):
            what = "1" if isinstance(node.op, Softmax) else "0"
            yield Finding(
                node.name,
                ("nodes", node.name),
                f'"{node.name}" ({node.op.word()}) goes over a single column, so it is always {what}',
                ("The only class gets the whole probability whatever its score is, and the gradient is 0.",),
                f'for a yes or no use {{"op": "sigmoid", "inputs": "{node.inputs[0]}"}}; for several classes '
                "give as many units",
            )
    for loss, maker in ends(subject):
        if isinstance(loss.op, ClassLoss) and loss_over_one(subject, loss) and not single_class(subject, maker):
            prediction = loss.operands["prediction"]
            logits = {"from_logits": loss.op.from_logits}
            right = rewritten(subject, loss, "binary_crossentropy", prediction, **logits)
            yield Finding(
                loss.name,
                subject.place(loss),
                f'{loss.op.word()} has a single class to choose from: "{prediction}" has one column',
                ("A choice needs at least two classes: with one, the right answer is known before any training.",),
                f"for a yes or no, with targets 0 and 1 in one column: {right}",
            )


def over_batch(node: Node) -> bool:
    """Whether a softmax goes over the examples, the first axis; where both axes are examples, it is meant so."""
    axis = axis_of(getattr(node.op, "axis", -1), node.shape)
    return axis == 0 and node.shape[0] == BATCH and BATCH not in node.shape[1:]


def over_examples(node: Node) -> Finding:
    """The finding for a softmax over the batch."""
    word, row = node.op.word(), len(node.shape) == 1
    return Finding(
        node.name,
        ("nodes", node.name) if row else ("nodes", node.name, "axis"),
        f'"{node.name}" ({word}) goes over the examples: the first axis of {show(node.shape)} is the batch',
        (
            "What it gives for one example depends on the others that happen to be in the batch: the examples sum "
            "to 1, and not the classes. For a single example it is always 1.",
        ),
        f'for a yes or no use {{"op": "sigmoid", "inputs": "{node.inputs[0]}"}}; for classes give each a column'
        if row
        else 'let it go over the classes, the last axis: "axis": -1',
    )


def loss_over_one(subject: Subject, loss: Node) -> bool:
    """Whether the predictions of a loss have one column."""
    return subject.graph.shape(loss.operands["prediction"])[-1] == 1


def floored(subject: Subject) -> Iterator[Finding]:
    """A relu, or a relative of it with a floor, that a classifier's loss reads."""
    for loss, maker in ends(subject):
        flat_left = getattr(maker.op, "negative_slope", 1) == 0
        classifies = isinstance(loss.op, BinaryCrossentropy | ClassLoss | Hinge)
        if not classifies or not (isinstance(maker.op, FLOORED) or flat_left):
            continue
        word, last = loss.op.word(), maker.op.word()
        more = {"from_logits": True} if hasattr(loss.op, "from_logits") else {}
        right = rewritten(subject, loss, word, maker.inputs[0], **more)
        yield Finding(
            maker.name,
            ("nodes", maker.name),
            f'"{maker.name}" ({last}) is the last step before {word}',
            (
                "Scores have to go below 0 to say no, and a relu cuts them off there: where it gives its floor, "
                "hardly a gradient gets through, and the unit cannot come back.",
            ),
            f"let the loss read what goes into the {last}: {right}",
        )
