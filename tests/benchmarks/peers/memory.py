"""The memory that a training takes, in a fresh process, and what this program announces that it will take."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

import nbn_spec
from nbn_spec.budget import overview
from tests.benchmarks.machine import numpy_facts as facts  # noqa: F401  # the child asks for it
from tests.benchmarks.rounds import Once
from tests.benchmarks.tasks import Net

ROOT = Path(__file__).parents[3]
SMALL = Net((8, 8, 4), batch=8, rows=16, optimizer="adam")


def status(line: str) -> int:
    """A line of what Linux tells of this process, in bytes."""
    text = Path("/proc/self/status").read_text()
    return int(next(row.split()[1] for row in text.splitlines() if row.startswith(line + ":"))) * 1024


def train(task: Net) -> None:
    """Data, model and an epoch, as a user has them."""
    x, label = task.data()
    nbn_spec.compile(task.spec()).fit({"x": x, "label": label}, epochs=1)


def peak(task: Net) -> int:
    """What a training takes at most beyond what the process held before there was data or model.

    By then it has trained a tiny model and multiplied matrices: the code is loaded, and OpenBLAS has its buffers.
    """
    train(SMALL)
    ones = np.ones((300, 300), np.float32)
    ones @ ones
    del ones
    Path("/proc/self/clear_refs").write_text("5")  # the highest mark falls to what is held now
    before = status("VmRSS")
    train(task)
    return status("VmHWM") - before


class Peak(Once):
    """Measured."""

    def __init__(self, task: Net) -> None:
        words = json.dumps([task.sizes, task.batch, task.rows, task.optimizer])
        self.command = [sys.executable, "-m", "tests.benchmarks.peers.memory", words]

    def prepare(self, seconds: float) -> None:
        """Nothing to get ready: every round has a process of its own."""

    def work(self) -> float:
        done = subprocess.run(self.command, capture_output=True, text=True, cwd=ROOT)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return int(done.stdout)


class Announced(Once):
    """Counted before there is an array, data included."""

    def __init__(self, task: Net) -> None:
        self.task = task

    def work(self) -> float:
        model = nbn_spec.compile(self.task.spec())
        data = sum(array.nbytes for array in self.task.data())
        train, _ = overview(model.graph, model.training, data=data, sizes={"N": self.task.rows})
        return train.total


if __name__ == "__main__":
    sizes, batch, rows, optimizer = json.loads(sys.argv[1])
    print(peak(Net(tuple(sizes), batch, rows, optimizer)))
