"""Rules on layers: nothing between two of them, equal units, parameters out of the loss's reach."""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import prod

from nbn_spec.graph import Node
from nbn_spec.lint.subject import NOTHING, Finding, Subject
from nbn_spec.ops.activation import Elementwise, OverAxis, Relu
from nbn_spec.ops.base import Array
from nbn_spec.ops.linear import Linear
from nbn_spec.ops.shape import numbers


def nothing_between(subject: Subject) -> Iterator[Finding]:
    """A trained linear layer that alone reads another one, with no activation between them.

    A bottleneck, narrower than what goes in and what comes out, is left alone: it is a product of low rank. So is
    a layer over every step of a sequence whose results are then joined: it shares its weights between the steps.
    """
    carried: dict[str, Node] = {}
    for node in subject.graph.nodes:
        first = carried.get(node.inputs[0]) if node.inputs else None
        if isinstance(node.op, Linear):
            if node.params["weight"] not in subject.trainable:
                continue
            if first is not None and not bottleneck(subject, first, node):
                yield no_activation(first, node)
            if subject.single(node.name):
                carried[node.name] = node
        elif first is not None and passes_on(first, node) and subject.single(node.name):
            carried[node.name] = first


def passes_on(first: Node, node: Node) -> bool:
    """Whether a node changes nothing about a layer's result, and joins no steps of a sequence."""
    return isinstance(node.op, NOTHING) and (len(first.shape) == 2 or node.shape[-1:] == first.shape[-1:])


def bottleneck(subject: Subject, first: Node, second: Node) -> bool:
    """Whether what lies between two layers is narrower than what goes in and what comes out."""
    shapes = subject.graph.shape(first.inputs[0]), first.shape, second.shape
    before, between, after = (prod(numbers(shape)) for shape in shapes)
    return between < before and between < after


def no_activation(first: Node, second: Node) -> Finding:
    """The finding for two layers that follow each other."""
    between = json.dumps({"name": f"{first.name}_active".replace("/", "_"), "op": "tanh", "inputs": first.name})
    return Finding(
        second.name,
        ("nodes", second.name),
        f'"{second.name}" (linear) reads "{first.name}" (linear) with no activation between them',
        (
            "Two linear maps in a row are one linear map: together they can learn nothing that one of them could "
            "not, with more parameters and a harder way there.",
        ),
        f'put an activation between them, such as {between}, or leave "{first.name}" out',
    )


def equal_units(subject: Subject) -> Iterator[Finding]:
    """A hidden layer whose units all start with the same weights.

    Only where trained linear layers alone follow, whatever activations lie between: what is added to or multiplied
    with another value may be told apart by that, and zeros at the end of a residual branch are good practice.
    """
    for node in subject.graph.nodes:
        if not (isinstance(node.op, Linear) and starts_equal(subject, node)):
            continue
        readers = readers_behind(subject, node)
        if readers and all(reader.params.get("weight") in subject.trainable for reader in readers):
            yield equal_start(subject, node, readers)


def starts_equal(subject: Subject, node: Node) -> bool:
    """Whether a trained layer of several units has equal rows of weights, and one bias."""
    weight = subject.initial.get(node.params["weight"])
    if weight is None or len(weight) < 2 or node.params["weight"] not in subject.trainable:
        return False
    return all(equal_rows(subject.initial[name]) for name in node.params.values())


def equal_rows(values: Array) -> bool:
    """Whether all rows are equal; most often the first two are not."""
    return bool((values[0] == values[1]).all() and (values == values[0]).all()) if len(values) > 1 else True


def readers_behind(subject: Subject, node: Node) -> list[Node]:
    """The nodes that gradients come from, behind activations and other ops that treat all units alike."""
    waiting, found = [node.name], []
    while waiting:
        for reader in subject.readers.get(waiting.pop(), ()):
            if reader.name not in subject.trained:
                continue
            if isinstance(reader.op, (Elementwise, OverAxis, *NOTHING)):
                waiting.append(reader.name)
            else:
                found.append(reader)
    return found


def equal_start(subject: Subject, node: Node, readers: list[Node]) -> Finding:
    """The finding for a layer whose units start equal: do they ever part?"""
    units, name = len(subject.initial[node.params["weight"]]), node.params["weight"]
    dead = not any(subject.initial[part].any() for part in node.params.values()) and all(
        isinstance(reader.op, Relu) for reader in subject.readers[node.name] if reader.name in subject.trained
    )
    names = " and ".join(f'"{reader.name}"' for reader in readers)
    note = (
        f"Only the first weights of {names} tell the units apart: at first the gradients of all of them point the "
        "same way, and most of what they could learn comes late or never."
    )
    if dead:
        note = (
            "All of them give exactly 0, where the derivative of relu is taken as 0: no gradient ever gets there."
        )
    elif all(equal_rows(subject.initial[reader.params["weight"]].T) for reader in readers):
        note = (
            "Equal units give equal values and get equal gradients, in every step anew: the symmetry never "
            f"breaks, and {units} units learn what one would."
        )
    return Finding(
        name,
        ("nodes", node.name, "weight"),
        f'all {units} units of "{node.name}" start with the same weights',
        (note,),
        f'draw them: "weight": "{"he_normal" if dead else "glorot_uniform"}"',
    )
