"""Rules on examples: labels against classes, and the same rows on both sides of the split."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nbn_spec.graph import Input, Node
from nbn_spec.lint.columns import SAMPLE, bits, blocks, columns_of, row_hashes
from nbn_spec.lint.subject import Finding, Subject
from nbn_spec.ops.base import Array
from nbn_spec.ops.crossentropy import BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy
from nbn_spec.ops.loss import Hinge

PER_CLASS = 5
"""A class is missed in data of at least so many examples for each class: in less it may be absent by chance."""
WHOLE = 1e-3
"""So far from 1 the sum of a row may be."""
NOTED, BY_CHANCE = 0.05, 10
"""Rows in both parts are reported where they are more than this share of the held-back part and one row beside,
and more than so many times the share that chance alone would give."""
SHOWN = 8
"""So many classes are listed, the others counted."""


def ill_labelled(subject: Subject) -> Iterator[Finding]:
    """Targets that do not use the classes, sum to anything but 1, or are all the same."""
    for loss in subject.losses:
        found = subject.target(loss)
        if found is None:
            continue
        if isinstance(loss.op, SparseCategoricalCrossentropy):
            yield from absent(subject, loss, *found)
        elif isinstance(loss.op, CategoricalCrossentropy):
            yield from shares(loss, *found)
        elif isinstance(loss.op, BinaryCrossentropy | Hinge):
            yield from one_answer(loss, *found)


def absent(subject: Subject, loss: Node, item: Input, array: Array) -> Iterator[Finding]:
    """Classes that no class number names."""
    (classes,) = subject.graph.shape(loss.operands["prediction"])[-1:]
    assert isinstance(classes, int), "a loss over classes has a fixed number of them"
    counts = np.zeros(classes, np.int64)
    for start in range(0, array.size, SAMPLE):
        part = array.reshape(-1)[start : start + SAMPLE]
        counts += np.bincount(part[(part >= 0) & (part < classes)], minlength=classes)
    yield from missed(item, loss, counts, tokens=array.ndim > 1)


def missed(item: Input, loss: Node, counts: Array, *, tokens: bool) -> Iterator[Finding]:
    """The finding for classes without examples, unless there are too few examples to tell.

    Where the class numbers 0 … k are all in use and none above, there are surely no more classes than those. Of
    ``tokens``, several to an example, nobody expects that all occur: bytes, words of a vocabulary.
    """
    used, classes, examples = np.flatnonzero(counts), len(counts), int(counts.sum())
    unused = np.flatnonzero(counts == 0)
    first = len(used) > 0 and used[-1] == len(used) - 1 and (len(used) > 1 or examples >= PER_CLASS)
    if classes < 2 or not len(unused) or not (first or (not tokens and examples >= PER_CLASS * classes)):
        return
    listed = ", ".join(map(str, unused[:SHOWN])) + (
        f" and {len(unused) - SHOWN} more" if len(unused) > SHOWN else ""
    )
    prediction = loss.operands["prediction"]
    yield Finding(
        item.name,
        ("inputs", item.name),
        f'"{item.name}" never names {len(unused)} of the {classes} classes of "{prediction}": {listed}',
        (
            f"A class without an example is only ever learned to be wrong: all that its unit can do is to take "
            f"probability from the {len(used)} that occur.",
        ),
        f'give "{prediction}" as many units as there are classes ({len(used)}), or add examples of the others',
    )


def shares(loss: Node, item: Input, array: Array) -> Iterator[Finding]:
    """One-hot rows that do not sum to 1 (in sequences, zeros are padding); if there are none, absent classes."""
    off, count, sample = 0, 0, 0.0
    seen = np.zeros(array.shape[-1], np.int64)
    for block in blocks(array):
        sums = block.sum(1)
        wrong = (np.abs(sums - 1) > WHOLE) & ((sums != 0) | (array.ndim == 2))
        if wrong.any() and not off:
            sample = float(sums[wrong][0])
        off, count = off + int(wrong.sum()), count + len(block)
        seen += np.count_nonzero(block, axis=0)
    if off:
        yield Finding(
            item.name,
            ("inputs", item.name),
            f'{off:,} of {count:,} rows of "{item.name}" do not sum to 1: the first sums to {sample:g}',
            (
                "A target of categorical_crossentropy shares one whole among the classes. A row with more has "
                "more weight than others, and a row of zeros has none at all: it is never learned from.",
            ),
            'for one class per example give "one_hot"; for a yes or no in each column use '
            f'"op": "binary_crossentropy" instead of "{loss.op.word()}"',
        )
    elif len(array) <= SAMPLE and seen.sum() <= count:  # all of them were looked at, and each is of one class
        yield from missed(item, loss, seen, tokens=array.ndim > 2)


def one_answer(loss: Node, item: Input, array: Array) -> Iterator[Finding]:
    """A yes or no that is the same in every example."""
    held = columns_of(array)
    if held is None or len(array) < 2 or held.low.min() != held.high.max():
        return
    yield Finding(
        item.name,
        ("inputs", item.name),
        f'every target in "{item.name}" is {held.low[0]:g}',
        (
            f"With one answer for all, {loss.op.word()} is least for a model that gives it without a look at its "
            "input: the bias alone learns that.",
        ),
        "give examples of both answers; a map of words to numbers may have mixed them up",
    )


def leaked(subject: Subject) -> Iterator[Finding]:
    """Examples of the held-back part that stand in the training part too, input and target alike.

    Reported where they are notable: more than a twentieth of the held-back part and one row beside, and ten times
    what chance would give. For that the entropies of all columns are added up. A truth table of two bits has few
    rows to choose from, so that the same ones are on both sides whatever the split; measurements have many.
    """
    training, held_back = (part[part < SAMPLE] for part in subject.parts)
    arrays = examples_of(subject)
    if not (len(held_back) and len(training) and arrays):
        return
    known = row_hashes(arrays, training)
    same = int(np.isin(row_hashes(arrays, held_back), known).sum())
    share = same / len(held_back)
    if same <= NOTED * len(held_back) + 1:
        return
    enough = np.log2(BY_CHANCE * len(training) / share)
    if bits(arrays, enough) < enough:
        return
    yield Finding(
        "train",
        ("train", "validation"),
        f"{same:,} of {len(held_back):,} held-back examples ({share:.0%}) are in the training part too",
        (
            "They are the same to the last bit, input and target. What a model knows by heart it gets right, so "
            "the measurements on the held-back part are better than they will be on new data.",
        ),
        "take each example into the data once",
    )


def examples_of(subject: Subject) -> list[Array]:
    """The arrays of which the loss needs a row for every example."""
    loss = [subject.graph.loss] if subject.graph.loss else []
    needed = (item for item in subject.graph.needed_inputs(loss) if item.batched and item.name in subject.data)
    return [np.ascontiguousarray(subject.data[item.name]) for item in needed]
