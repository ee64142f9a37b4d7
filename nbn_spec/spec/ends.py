"""The ends of a graph: its outputs, its loss, and what the spec says of data and training."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from nbn_spec.errors import Problem, Steps, TrainingError, suggestion
from nbn_spec.graph import Graph
from nbn_spec.metrics import labels
from nbn_spec.ops.base import show
from nbn_spec.record import AttributeProblem, Record
from nbn_spec.source import File, Member
from nbn_spec.spec.fields import WITHOUT_DOC
from nbn_spec.spec.lowering import Lowering
from nbn_spec.spec.words import LOSSES, translation
from nbn_spec.table import Column
from nbn_spec.train import Training


def no_inputs(state: Lowering) -> str:
    """The hint for a spec that has forgotten its inputs."""
    missing = not state.canonical.spec.inputs and not state.is_silent("inputs")
    return 'the spec declares no "inputs"' if missing else ""


def check_ends(state: Lowering) -> None:
    """Outputs and loss exist, and the loss is a scalar that a node computes."""
    spec = state.canonical.spec
    nodes = {node.name for node in spec.nodes} - state.invented
    known = {*state.values, *state.broken, *nodes}
    for i, name in enumerate(spec.outputs):
        if name not in known and not state.is_blind and not state.may_be_invented(name):
            message = f'the output "{name}" is nothing\'s name'
            state.complain("NBN201", ("outputs", i), message, suggestion(name, nodes))
    loss = spec.loss
    if loss is None:
        return
    if loss not in nodes:
        if loss not in state.broken and not state.may_be_invented(loss):
            hint = inline_loss(state, loss) or suggestion(loss, nodes)
            state.complain("NBN201", ("loss",), f'the loss "{loss}" is no node\'s name', hint)
    elif loss in state.values and state.values[loss][0] != ():
        shape = show(state.values[loss][0])
        message = f'the loss "{loss}" has shape {shape}, but must be a scalar, []'
        hint = "end with a loss, or with sum or mean over all axes"
        state.complain("NBN204", ("loss",), message, hint, notes=[f"path: {state.route(loss)}"])


def inline_loss(state: Lowering, word: str) -> str:
    """The hint for a loss that is named by its op."""
    spec = state.canonical.spec
    op = translation(word, LOSSES)
    written = {"op": op, "inputs": [next(iter(spec.outputs), "y_hat"), next(reversed(spec.inputs), "y")]}
    return f"a name is that of a node; for an operation write {json.dumps(written)}" if op else ""


KINDS: dict[str, type[Record] | None] = {"values": None, "columns": Column, "arrays": Member, "npy": File}
"""The keys of data that hold an entry for each input, and the records that these are."""


def check_data(state: Lowering) -> None:
    """The data speaks of inputs only, and of each in a way that makes sense."""
    data: Any = state.canonical.spec.data
    inputs = state.canonical.spec.inputs
    for key, record in KINDS.items():
        for name, item in (getattr(data, key, None) or {}).items():
            path = ("data", key, name)
            if name not in inputs and state.is_silent("inputs"):
                continue
            if name not in inputs:
                message = f'the data is for "{name}", but no input is called so'
                state.complain("NBN201", path, message, suggestion(name, inputs), of_key=True)
                holds = state.canonical.document.holds
                state.silent |= {("data", key, other) for other in inputs if not holds(("data", key, other))}
            elif record is not None and name not in state.broken:
                check_record(state, record, item, path)


def check_record(state: Lowering, record: type[Record], item: Any, path: Steps) -> None:
    """What the spec says of one column or array is a valid record."""
    try:
        record.from_json(item.model_dump(exclude={"doc"}))
    except AttributeProblem as problem:
        state.complain("NBN205", (*path, problem.name), str(problem))
        state.silent |= {path}


def check_needed(state: Lowering, graph: Graph | None) -> None:
    """Data says something of every input that the outputs or the loss need.

    Where data is for names that are no inputs, it is those that are told: they are likely to be misspelt.
    """
    spec = state.canonical.spec
    data: Any = spec.data
    needed = list(needed_inputs(state, graph))
    for key in KINDS:
        given = getattr(data, key, None)
        if given is None or not set(given) <= set(spec.inputs):
            continue
        lacking = [name for name in needed if name not in given and not state.is_silent("data", key, name)]
        if lacking:
            named = " and ".join(f'"{name}"' for name in lacking)
            message = f"the data says nothing of {named}"
            state.complain("NBN306", ("data", key), message, "the outputs or the loss need it")


def needed_inputs(state: Lowering, graph: Graph | None) -> Iterator[str]:
    """The inputs that must have data."""
    spec = state.canonical.spec
    if graph is not None:
        ends = [*graph.outputs, *([graph.loss] if graph.loss else [])]
        yield from (item.name for item in graph.needed_inputs(ends))
        return
    sources = {node.name: node.inputs for node in spec.nodes}
    waiting, read = [*spec.outputs, *([spec.loss] if spec.loss else [])], set()
    while waiting:
        name = waiting.pop()
        if name not in read:
            read.add(name)
            waiting.extend(sources.get(name, ()))
    yield from (name for name in spec.inputs if name in read)


def check_training(state: Lowering, graph: Graph | None) -> None:
    """All that stands under ``train`` can be done."""
    spec: Any = state.canonical.spec
    if spec.train is None:
        return
    if spec.loss is None:
        if not state.is_silent("loss"):
            state.complain("NBN400", ("train",), "there is no loss to minimize", 'add "loss"')
    elif graph is not None:
        training = Training.from_canonical(spec.train.model_dump(mode="json", context=WITHOUT_DOC))
        state.problems += metric_problems(state, graph, training)


def metric_problems(state: Lowering, graph: Graph, training: Training) -> Iterator[Problem]:
    """Metrics that have nothing to compare; where there is none, those that are twice the same."""
    found = 0
    for i, metric in enumerate(training.metrics):
        try:
            metric.check_shapes(graph)
        except TrainingError as error:
            found += 1
            output = ("train", "metrics", i, "output")
            path = output if state.canonical.document.holds(output) else output[:-1]
            yield from (replace(p, message=f"{metric.word()}: {p.message}") for p in placed(error, path))
    for count in range(2, 1 if found else len(training.metrics) + 1):
        try:
            labels(training.metrics[:count], graph)
        except TrainingError as error:
            yield from placed(error, ("train", "metrics", count - 1))
            return


def placed(error: TrainingError, path: Steps) -> Iterator[Problem]:
    """An error's problems with their place in the document."""
    return (replace(problem, path=path, where="") for problem in error.problems)
