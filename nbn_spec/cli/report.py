"""What is said of a model's numbers: values, measurements, and a table of a few examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from nbn_spec.errors import printable
from nbn_spec.graph import BATCH, Graph, Input
from nbn_spec.metrics import BinaryAccuracy
from nbn_spec.model import Model
from nbn_spec.profile import Profile, Row
from nbn_spec.summary import counted, table
from nbn_spec.train import Trainer

SMALL = 20
"""Most examples whose predictions are printed."""


@dataclass(frozen=True)
class Shown:
    """A named array to be shown; ``batched``: it has a row for every example. ``titles`` may name its columns."""

    name: str
    values: Any
    batched: bool
    titles: tuple[str, ...] = ()

    def columns(self) -> list[tuple[str, Any]]:
        """A title and the cells of each column, one row for every place of the first axis."""
        values = np.atleast_1d(self.values)
        width = prod(values.shape[1:])
        several = self.titles if len(self.titles) == width else [f"{self.name}[{i}]" for i in range(width)]
        titles = several if self.titles or width != 1 else [self.name]
        cells = values.reshape(len(values), width).T
        return [(printable(title), column) for title, column in zip(titles, cells, strict=True)]

    def line(self) -> str:
        """Name and values in one line."""
        return printable(f"{self.name} = {one_line(self.values)}")


def in_full(value: float) -> str:
    """A number with every digit that tells it from its neighbours."""
    return repr(float(value))


def one_line(values: Any) -> str:
    """An array in one line, of a large one only the ends; a number with all its digits."""
    if np.ndim(values) == 0:
        return in_full(float(values))
    return " ".join(np.array2string(np.asarray(values), threshold=50).split())


def measured(name: str, value: float) -> str:
    """A measurement with its name: a share in percent, a loss with its digits."""
    return printable(f"{name} {100 * value:.1f}%" if name.endswith("accuracy") else f"{name} {in_full(value)}")


def outputs(model: Model, data: Mapping[str, Any]) -> list[Shown]:
    """The model's outputs for ``data``."""
    found = model.predict(data)
    results = found if isinstance(found, dict) else {model.graph.outputs[0]: found}
    return [Shown(name, values, is_batched(model, name)) for name, values in results.items()]


def is_batched(model: Model, name: str) -> bool:
    """Whether a value has a row for every example."""
    return model.graph.shape(name)[:1] == (BATCH,)


def plan_line(trainer: Trainer) -> str:
    """The training in one line."""
    training = trainer.training
    held = f", {trainer.validation.examples:,} held back" if trainer.validation else ""
    rate = getattr(training.optimizer, "learning_rate", None)
    words = training.optimizer.word() + (f", learning rate {rate}" if rate is not None else "")
    pace = f"{counted(training.epochs, 'epoch')} of {counted(trainer.steps_per_epoch, 'step')}"
    return f"{counted(trainer.count, 'example')}{held}; {pace}; {words}"


def report(model: Model, trainer: Trainer) -> None:
    """Metrics of the trained model and, for few examples, its predictions."""
    print()
    for part, values in trainer.measure().items():
        print(f"{part}: {'  '.join(measured(name, value) for name, value in values.items())}")
    needed = model.graph.needed_inputs(model.graph.outputs)
    known = all(item.name in trainer.data for item in needed)  # training needs no data for the outputs alone
    if trainer.count <= SMALL and not trainer.validation and known:
        print("", *predictions(model, trainer, needed), sep="\n")


def profile_lines(profile: Profile, graph: Graph) -> list[str]:
    """Where the time went: a line for each node, in microseconds of one step, the part of the whole behind."""
    if not profile.steps:
        return ["", "profile: no step was made"]
    rows = [["node", "op", "forward", "backward", "share"]]
    for row in [*profile.rows(), Row("(rest)", profile.rest, 0.0)]:
        both = [f"{value:,.1f}" if value else "" for value in (row.forward, row.backward)]
        op = graph.by_name[row.name].op.word() if row.name in graph.by_name else ""
        rows.append([row.name, op, *both, f"{100 * row.total / profile.step:.1f}%"])
    steps = counted(profile.steps, "step")
    words = f"{steps} of {profile.step:,.1f} µs, that of the clock included; µs in each step:"
    products = f"matrix products: {100 * profile.share_of_products:.1f}% of the time of nodes and optimizer"
    return ["", f"profile: {words}", "", *table(rows, right={2, 3, 4}, rule="─"), "", products]


def predictions(model: Model, trainer: Trainer, needed: Sequence[Input]) -> list[str]:
    """A table of each example: the inputs that are needed, the outputs, for yes or no the answer, and the target.

    Below it stands what does not have a row for each example.
    """
    graph, data = model.graph, trainer.data
    others = [item for item in graph.inputs if item.name in data and item not in needed]
    results = outputs(model, {item.name: data[item.name] for item in needed})
    parts = [*given(needed, data), *results, *answers(model, trainer, results), *given(others, data)]
    columns = [column for part in parts if part.batched for column in part.columns()]
    rows = zip(*([f"{value:.6g}" for value in cells] for _, cells in columns), strict=True)
    lines = table([[title for title, _ in columns], *rows], right=range(len(columns)))
    return [*(lines if columns else ()), *(part.line() for part in parts if not part.batched)]


def given(inputs: Sequence[Input], data: Mapping[str, Any]) -> list[Shown]:
    """What some inputs hold."""
    return [Shown(item.name, data[item.name], item.batched, item.columns) for item in inputs]


def answers(model: Model, trainer: Trainer, results: Sequence[Shown]) -> list[Shown]:
    """The decisions of a yes-or-no model, beside its output."""
    by_name = {result.name: result for result in results}
    for metric in trainer.training.metrics:
        found = by_name.get(metric.prediction(model.graph))
        if isinstance(metric, BinaryAccuracy) and found is not None:
            decided = (found.values > metric.decision(model.graph)).astype(int)
            return [Shown("prediction", decided, found.batched)]
    return []
