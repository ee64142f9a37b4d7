"""The command line as processes, for the tests of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
MODELS = ROOT / "models"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}


def nbn(*words, cwd, code=0, module="nbn_spec", **more):
    """Run a command; returns (standard output, standard error)."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", module, *map(str, words)],
        cwd=cwd,
        env=ENVIRONMENT,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        **more,
    )
    assert done.returncode == code, (done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


def variant(tmp_path, model="xor", **changes):
    """A shipped model with some of its keys changed, as a file."""
    document = json.loads((MODELS / f"{model}.json").read_text())
    path = tmp_path / "spec.json"
    path.write_text(json.dumps({**document, **changes}))
    return path


def written(folder, document):
    """A document as a file."""
    path = folder / "spec.json"
    path.write_text(json.dumps(document))
    return path
