"""Programs that are started anew in every round, from the interpreter's start to its end."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.machine import numpy_facts as facts  # noqa: F401  # the child asks for it
from tests.benchmarks.rounds import Once
from tests.benchmarks.tasks import Net

ROOT = Path(__file__).parents[3]
ROW = "[[0.1, 0.2, 0.3, 0.4]]"
PROGRAMS = {
    "ours": f"import sys, nbn_spec; print(nbn_spec.load(sys.argv[1]).predict({ROW})[0, 0])",
    "numpy": "import numpy",
    "onnx": (
        "import sys, numpy, onnxruntime; session = onnxruntime.InferenceSession(sys.argv[1]);"
        f"print(session.run(None, {{'x': numpy.array({ROW}, numpy.float32)}})[0][0, 0])"
    ),
    "torch": (
        "import sys, torch; from torch import nn;"
        "net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3));"
        "net.load_state_dict(torch.load(sys.argv[1]))\n"
        f"with torch.inference_mode(): print(net(torch.tensor({ROW}))[0, 0].item())"
    ),
}
"""What each runs; an argument is the file with the model."""


def save(task: Net, program: str, path: Path) -> None:
    """The model as the program reads it."""
    if program == "ours":
        from tests.benchmarks.peers import ours

        ours.model_of(task).save(path)
    elif program == "onnx":
        from tests.benchmarks.peers import onnx_runtime

        path.write_bytes(onnx_runtime.document(task))
    elif program == "torch":
        import torch

        from tests.benchmarks.peers import pytorch

        torch.save(pytorch.network(task, torch.nn.ReLU).state_dict(), path)


class Command(Once):
    """A command; a round is the seconds that it takes."""

    def __init__(self, task: Net, *arguments: str) -> None:
        self.command = [sys.executable, *arguments]

    def output(self) -> str:
        """What it prints."""
        done = subprocess.run(self.command, capture_output=True, text=True, cwd=ROOT)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout

    def work(self) -> float:
        started = time.perf_counter()
        self.output()
        return time.perf_counter() - started


class Version(Command):
    """This program's command line that does nothing but tell its version."""

    def __init__(self, task: Net) -> None:
        super().__init__(task, "-m", "nbn_spec", "--version")


class Program(Command):
    """One of :data:`PROGRAMS`, with the file that it reads."""

    def __init__(self, task: Net, program: str) -> None:
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "model.npz"
        save(task, program, path)
        super().__init__(task, "-c", PROGRAMS[program], str(path))

    def answer(self) -> list[float] | None:
        printed = self.output()
        return [float(printed)] if printed else None
