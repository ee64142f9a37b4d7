"""Tests whose peer is not installed are skipped, counted, and named in one line."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

INI = "[pytest]\nmarkers =\n    peers: needs another framework\naddopts = --strict-markers\n"
LINE = "peers: 3 tests skipped, not installed: no_such_framework, nor_this_one (pip install -e .[peers])"


def run(folder: Path, *arguments: str, **files: str) -> tuple[int, str]:
    """Exit code and output of pytest on test files with this conftest."""
    shutil.copy(Path(__file__).with_name("conftest.py"), folder)
    (folder / "pytest.ini").write_text(INI, encoding="utf-8")
    for name, text in files.items():
        (folder / f"{name}.py").write_text(f"import pytest\n{text}", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


ABSENT = """
pytestmark = pytest.mark.peers("no_such_framework")
@pytest.mark.parametrize("i", [1, 2])
def test_a(i): raise AssertionError
@pytest.mark.peers("nor_this_one")
def test_b(): raise AssertionError
"""
PRESENT = 'pytestmark = pytest.mark.peers("json")\ndef test_c(): pass\n'


def test_absent_peers_make_one_line(tmp_path: Path) -> None:
    code, output = run(tmp_path, test_absent=ABSENT, test_present=PRESENT)
    assert code == 0
    assert output.count("peers:") == 1
    assert LINE in output.splitlines()
    assert "1 passed, 3 skipped" in output


def test_nothing_but_absent_peers_is_no_failure(tmp_path: Path) -> None:
    code, output = run(tmp_path, test_absent=ABSENT)
    assert code == 0
    assert LINE in output.splitlines()


@pytest.mark.parametrize("arguments", [("-m", "not peers"), ("test_present.py",)])
def test_no_line_where_nothing_was_skipped(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    plain = "def test_d(): pass\n"
    code, output = run(tmp_path, *arguments, test_absent=ABSENT, test_present=PRESENT, test_plain=plain)
    assert code == 0
    assert "peers:" not in output
