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
from subprocess import PIPE
from typing import Any

import pytest
from mutants import MEMORY, SECONDS, SPEC, check
from mutations import ROOT

COUNT = int(os.environ.get("NBN_MUTANTS", "600"))
SEED = 1
START = 30.0
"""Seconds for starting Python, on any machine; the mutants' own time comes on top."""


def findings(folder: Path) -> dict[str, Any]:
    """What a worker, which may be ended and may run out of memory, has found."""
    shutil.copytree(ROOT / "models" / "data", folder / "data")
    worker_file = str(ROOT / "tests" / "mutants.py")
    command = [sys.executable, "-W", "error", worker_file, str(folder), str(COUNT), str(SEED)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=PIPE, stderr=PIPE, encoding="utf-8", env=environment) as worker:
        try:
            output, errors = worker.communicate(timeout=START + COUNT)
        except subprocess.TimeoutExpired:
            worker.kill()
            output, errors = worker.communicate()
    assert worker.returncode == 0, f"exit code {worker.returncode}\n{errors[-4000:]}\n{last_in(folder)}"
    found: dict[str, Any] = json.loads(output)
    return found


def last_in(folder: Path) -> str:
    """The mutant at which a worker ended."""
    path = folder / SPEC
    return repr(path.read_bytes()) if path.exists() else "before the first mutant"


def told(found: dict[str, Any]) -> str:
    """How many mutants there were, and what they took."""
    head = f"{found['mutants']} mutants of seed {SEED} in {found['seconds']:.1f} s: exit codes {found['exits']}"
    took = f"at most {found['slowest']:.2f} s and {found['memory'] / 2**20:.0f} MiB beyond the start"
    return f"{head}, {len(found['codes'])} codes, {took}; the slowest: {found['slowest_mutant'][:2000]}"


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are those of Linux")
def test_mutants(tmp_path: Path) -> None:
    """Each is refused or accepted in time, with complaints that are well-formed, in order, and in the text."""
    found = findings(tmp_path)
    exits, codes = found["exits"], found["codes"]
    print(told(found))
    wrong = [f"{kind}\n{seen}\n{text}" for kind, (seen, text) in found["wrong"].items()]
    assert not wrong, "\n\n".join(wrong)
    assert found["mutants"] >= COUNT
    assert found["slowest"] < SECONDS
    assert found["memory"] < MEMORY
    assert min(exits["0"], exits["2"]) >= COUNT // 20, "mutants are of both kinds"
    assert len(codes) >= 20, "mutants differ"


def spec(**changes: Any) -> bytes:
    """A small document with data, some of its keys changed."""
    document = {
        "name": "small",
        "dtype": "float64",
        "inputs": {"x": {"shape": ["N", 1]}, "y": {"shape": ["N", 2]}},
        "nodes": [{"name": "y_hat", "op": "linear", "inputs": "x", "units": 2}],
        "outputs": ["y_hat"],
        "loss": {"op": "mean_squared_error", "inputs": ["y_hat", "y"]},
        "train": {"epochs": 1},
    }
    return json.dumps({**document, **changes}).encode()


FOUND: dict[str, tuple[bytes, set[str]]] = {
    "carets behind the end of a long line": (b'{"doc": "' + b"a" * 90 + b'"', {"NBN101"}),
    "a word twice in one_hot": (
        spec(data={"csv": "rows.csv", "columns": {"x": "x", "y": {"column": "y", "one_hot": ["a", "b", "b"]}}}),
        {"NBN205"},
    ),
    "numbers whose squares are none": (
        spec(data={"values": {"x": [[0], [1], [1e308]], "y": [[0, 0], [0, 1], [1, 0]]}}),
        set(),
    ),
    "a learning rate beyond float32": (
        spec(dtype="float32", train={"optimizer": {"name": "sgd", "learning_rate": 1e308}}),
        set(),
    ),
    "a path that is too long": (spec(data={"csv": "x" * 300}), {"NBN300"}),
    "a path that is longer than any": (
        spec(data={"npz": "x/" * 20_000, "arrays": {}}),
        {"NBN300"},
    ),
    "more slips than are mended": (b"{" + b"," * 20_000, {"NBN101"}),
    "a name with a line break at its end": (spec(outputs=["y_hat\n"]), {"NBN116"}),
    "a key with a line break at its end": (spec(constants={"c\n": 1}), {"NBN116"}),
    "half a surrogate pair as a key": (spec(**{"\ud800": 1}), {"NBN105"}),
}


@pytest.mark.parametrize(("content", "codes"), FOUND.values(), ids=FOUND.keys())
def test_what_mutants_have_found(
    content: bytes, codes: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / SPEC).write_bytes(content)
    (tmp_path / "rows.csv").write_text("x,y\n0,a\n1,b\n2,a\n")
    found = check(content)[1]
    assert {code for code in found if not code.startswith("NBN9")} == codes
