"""Thousands of shipped models with mistakes: whatever stands in a file, it is answered, in time and in words.

``NBN_MUTANTS`` says how many there are (600, where it is not set). What mutants have found stands below by itself.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mutants import MEMORY, SECONDS, SPEC, Findings
from mutations import ROOT

COUNT = int(os.environ.get("NBN_MUTANTS", "600"))
SEED = 1
START = 30.0
"""Seconds for starting Python, on any machine; the mutants' own time is counted from there."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are those of Linux")


def findings(folder: Path) -> dict[str, Any]:
    """What a worker, which may be ended and may run out of memory, has found."""
    shutil.copytree(ROOT / "models" / "data", folder / "data")
    command = [sys.executable, "-W", "error", str(ROOT / "tests" / "mutants.py"), str(folder), str(COUNT), str(SEED)]
    done = subprocess.run(
        command,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=START + COUNT,
    )
    last = (folder / SPEC).read_bytes() if (folder / SPEC).exists() else b""
    assert done.returncode == 0, f"the worker ended at {last!r}: {done.stderr[-4000:]}"
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_mutants(tmp_path: Path) -> None:
    """Each is refused or accepted in time, with complaints that are well-formed, in order, and in the text."""
    found = findings(tmp_path)
    exits, codes = found["exits"], found["codes"]
    print(
        f"{found['mutants']} mutants, seed {SEED}: {found['seconds']:.1f} s, the slowest {found['slowest']:.2f} s, "
        f"{found['memory'] / 2**20:.0f} MiB beyond the start; exit codes {exits}, {len(codes)} codes\n"
        f"the slowest: {found['slowest_mutant']}"
    )
    wrong = [f"{kind}\n{seen}\n{text}" for kind, (seen, text) in found["wrong"].items()]
    assert not wrong, "\n\n".join(wrong)
    assert found["mutants"] >= COUNT
    assert found["slowest"] < SECONDS
    assert found["memory"] < MEMORY
    assert min(exits["0"], exits["2"]) >= COUNT // 20, "mutants are of both kinds"
    assert len(codes) >= 20, "mutants differ"
