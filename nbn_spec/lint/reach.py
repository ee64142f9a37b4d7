"""Which parameters the gradient of the loss gets to, and what holds it up on the way to the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from nbn_spec.errors import Steps
from nbn_spec.graph import Node
from nbn_spec.lint.ranges import Range, ranges
from nbn_spec.lint.subject import Finding, Subject
from nbn_spec.ops.activation import OverAxis, Relu
from nbn_spec.ops.arithmetic import Divide, Multiply, Power
from nbn_spec.ops.base import axis_of
from nbn_spec.ops.crossentropy import ClassLoss
from nbn_spec.ops.linear import Linear, Matmul


def out_of_reach(subject: Subject) -> Iterator[Finding]:
    """A trainable parameter that the loss does not depend on, or only by a derivative that is always 0."""
    if subject.graph.loss is None:
        return
    reached, blockers = reach(subject, ranges(subject))
    for node in subject.graph.nodes:
        lost = [name for name in node.params.values() if name in subject.trainable and name not in reached]
        if lost:
            words = " and ".join(name for name, full in node.params.items() if full in lost)
            yield unreached(subject, node.name, ("nodes", node.name), f"{words} of ", blockers.get(lost[0]))
    owned = {name for node in subject.graph.nodes for name in node.params.values()}
    lost_alone = subject.trainable - reached - owned
    for name in subject.graph.leaves:
        if name in lost_alone and not subject.idle(name):  # one that nothing reads is another rule's business
            yield unreached(subject, name, ("parameters", name), "", blockers.get(name))


def reach(subject: Subject, bounds: Mapping[str, Range]) -> tuple[set[str], dict[str, str]]:
    """The values that a gradient may get to, and for each other that the loss reads the node that holds it up."""
    reached, blockers = {subject.graph.loss or ""}, dict[str, str]()
    for node in reversed(subject.graph.nodes):
        sources = [*node.inputs, *node.params.values()]
        if node.name in reached:
            flat = set(flat_operands(subject, node, bounds))
            reached.update(name for i, name in enumerate(sources) if i not in flat)
            blockers |= {sources[i]: node.name for i in flat if sources[i] not in blockers}
        elif node.name in blockers:
            blockers |= {name: blockers[node.name] for name in sources if name not in blockers}
    return reached, blockers


def flat_operands(subject: Subject, node: Node, bounds: Mapping[str, Range]) -> Iterator[int]:
    """The places of the operands by which the derivative of a node is 0, whatever they hold."""
    op, zero = node.op, [bounds[name].zero for name in node.inputs]
    if isinstance(op, Multiply | Matmul):
        yield from (i for i in (0, 1) if zero[1 - i])
    elif (isinstance(op, Divide) and zero[0]) or (isinstance(op, Power) and zero[1]):
        yield 1 if isinstance(op, Divide) else 0
    elif isinstance(op, Linear):
        weight = subject.initial.get(node.params["weight"])
        if node.params["weight"] not in subject.trainable and weight is not None and not weight.any():
            yield 0
    elif (isinstance(op, Relu) and bounds[node.inputs[0]].high <= 0) or single_class(subject, node):
        yield 0


def single_class(subject: Subject, node: Node) -> bool:
    """Whether a node is a softmax, or a loss with one inside, over a single column."""
    shape = subject.graph.shape(node.inputs[0]) if node.inputs else ()
    if isinstance(node.op, OverAxis):
        return shape[axis_of(node.op.axis, shape)] == 1
    return isinstance(node.op, ClassLoss) and node.op.from_logits and shape[-1] == 1


def unreached(subject: Subject, name: str, path: Steps, what: str, blocker: str | None) -> Finding:
    """The finding for parameters of a node, or for one of the graph, that have no gradient but 0."""
    if blocker is None:
        note = f'No path leads from there to the loss "{subject.graph.loss}": the values stay as they were drawn.'
        hint = 'let the loss read it, or freeze it with "trainable": false'
    else:
        word = subject.graph.by_name[blocker].op.word()
        note = (
            f'Every path to the loss leads through "{blocker}" ({word}), whose derivative is 0 there: '
            "the gradient is exactly 0 in every step, and the values stay as they were drawn."
        )
        hint = f'change "{blocker}", or leave out what comes before it'
    return Finding(name, path, f'the loss cannot train {what}"{name}"', (note,), hint)
