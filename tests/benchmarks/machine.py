"""The machine: OpenBLAS and its kernels, and the environment that chooses one for a child."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from nbn_spec.kernel import VARIABLE, ask, library
from tests.benchmarks.entries import AVX2

ROOT = Path(__file__).parents[2]
SETTINGS = (VARIABLE, "OPENBLAS_L2_SIZE")
"""Variables that change OpenBLAS's kernels; they are taken out, so that the caller's are not measured."""
ASK = "import os; from nbn_spec import kernel; print(kernel.choose(os.environ) or '')"


def cleared() -> dict[str, str]:
    """This process's environment without what changes OpenBLAS's kernels."""
    return {name: value for name, value in os.environ.items() if name not in SETTINGS}


@cache
def chosen() -> str:
    """The core that the command line would ask OpenBLAS for; empty where it leaves the choice to it.

    A process of its own is asked, as in this one NumPy is loaded and the choice is made.
    """
    command = [sys.executable, "-c", ASK]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=cleared(), check=True)
    return done.stdout.strip()


def environment(kernel: str) -> dict[str, str]:
    """The environment of a child that computes with ``kernel``."""
    core = "Haswell" if kernel == AVX2 else chosen()
    return {**cleared(), **({VARIABLE: core} if core else {})}


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load() -> float | None:
    """How many programs have kept the machine busy in the last minute, where the system tells."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def blas() -> dict[str, str]:
    """The BLAS of this process: which, with what core and how many threads."""
    path = library()
    if path is None:
        built: Any = np.show_config(mode="dicts")
        return {"blas": built["Build Dependencies"]["blas"]["name"], "core": "unknown", "threads": "unknown"}
    said = ask(path)
    return {"blas": f"OpenBLAS {said.version}", "core": said.core, "threads": str(said.threads)}


def numpy_facts() -> dict[str, str]:
    """What a contender that computes with NumPy says of itself."""
    return {"version": f"NumPy {np.__version__}", **blas()}
