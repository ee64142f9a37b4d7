"""This program, through its public interface."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

import nbn_spec
from tests.benchmarks.machine import numpy_facts
from tests.benchmarks.rounds import Once, Repeated
from tests.benchmarks.tasks import Chain, Net, Xor, probabilities


def facts() -> dict[str, str]:
    """Versions and threads."""
    return {**numpy_facts(), "version": f"nbn_spec {nbn_spec.__version__}, NumPy {np.__version__}"}


def model_of(task: Xor | Net) -> Any:
    """The task's network, compiled, with the task's parameters."""
    model = nbn_spec.compile(task.spec())
    for number, pair in enumerate(task.parameters(), 1):
        for name, values in zip(("weight", "bias"), pair, strict=True):
            model.parameters[f"z{number}/{name}"][...] = values
    return model


class Full(Repeated):
    """``fit`` on a full batch; a call is an epoch."""

    def __init__(self, task: Xor) -> None:
        self.task, self.model = task, model_of(task)
        self.data = {"x": task.x, "y": task.y}

    def run(self, calls: int) -> None:
        self.history = self.model.fit(self.data, epochs=calls)

    def answer(self) -> list[float]:
        self.run(self.task.trial)
        return [self.history["loss"][-1]]


class Batches(Repeated):
    """A trainer on data in memory; a call is an epoch."""

    def __init__(self, task: Net) -> None:
        self.task, self.steps = task, task.steps
        x, label = task.data()
        self.trainer = model_of(task).trainer({"x": x, "label": label}, epochs=1)

    def run(self, calls: int) -> None:
        for _ in range(calls):
            self.history = self.trainer.run()

    def answer(self) -> list[float]:
        trial = Batches(self.task.trial())
        losses = []
        for _ in range(2):
            trial.run(1)
            losses.append(trial.history["loss"][0])
        return losses


class Predict(Repeated):
    """``predict`` for one row."""

    def __init__(self, task: Net) -> None:
        self.model, self.x = model_of(task), task.data()[0]

    def run(self, calls: int) -> None:
        predict, x = self.model.predict, self.x
        for _ in range(calls):
            predict(x)

    def answer(self) -> list[float]:
        return probabilities(self.model.predict(self.x))


class Compile(Once):
    """``compile`` of a document."""

    def __init__(self, task: Chain) -> None:
        self.spec = task.spec()

    def work(self) -> float:
        started = time.perf_counter()
        model = nbn_spec.compile(self.spec)
        taken = time.perf_counter() - started
        del model  # not while the next one is being timed
        return taken


class PredictChain(Repeated):
    """``predict`` for one row with a model that has many nodes."""

    def __init__(self, task: Chain) -> None:
        self.model = nbn_spec.compile(task.spec())
        self.x = np.ones((1, 4), np.float32)

    def run(self, calls: int) -> None:
        for _ in range(calls):
            self.model.predict(self.x)
