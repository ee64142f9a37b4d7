"""The short table: a row for every workload that has one case, a column for every framework."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from tests.benchmarks import workloads as w
from tests.benchmarks.entries import AVX2, OURS, Case, Workload
from tests.benchmarks.targets import Results

COLUMNS = {
    "this program": (OURS,),
    "NumPy by hand": (w.STRAIGHT, w.BY_HAND),
    "tutorial's loop": (w.TUTORIAL,),
    "PyTorch": (w.PYTORCH, w.PYTORCH_FUSED),
    "JAX": (w.XLA, w.XLA_SCANNED),
    "scikit-learn": (w.SKLEARN,),
    "ONNX Runtime": (w.RUNTIME, w.RUNTIME_ALONE),
}
"""Whose lines stand in which column; of several the fastest counts."""


def middles(workload: Workload, case: Case, results: Results) -> dict[str, float]:
    """The median of each column that was measured, as the command line runs it."""
    found: dict[str, float] = {}
    for key, _ in workload.lines(case):
        title = next((column for column, titles in COLUMNS.items() if key.contender in titles), None)
        if title and key.kernel != AVX2 and results.get(key):
            found[title] = min(median(results[key]), found.get(title, float("inf")))
    return found


def rows(chosen: Sequence[Workload], results: Results) -> list[tuple[str, dict[str, float]]]:
    """Every such workload and what was measured of it; those in which this program stands alone are left out."""
    single = [work for work in chosen if work.layout == "list"]
    found = [(work.title, middles(work, work.cases[0], results)) for work in single]
    return [(title, row) for title, row in found if OURS in row and len(row) > 1]
