"""Files are measured before they are read: what is beyond the limit is refused, and never allocated."""

from __future__ import annotations

import json
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from documents import good, put

import nbn_spec

LIMIT = "4 MiB"


def refusal(folder: Path, data: Any, **more: Any) -> list[tuple[str, int]]:
    """What reading the spec's data says, as (code, line); fails if that took more memory than the limit."""
    path = folder / "model.json"
    path.write_text(json.dumps(good(put("/data", data))))
    tracemalloc.start()
    try:
        found = nbn_spec.diagnose(path, max_memory=LIMIT)
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()
    return [(problem.code, problem.span.line) for problem in found.errors if problem.span]


def test_a_small_file_that_unpacks_to_much(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "d.npz", x=np.zeros((2_000_000, 2)), y=np.zeros((2_000_000, 1)))
    assert (tmp_path / "d.npz").stat().st_size < 2**17
    assert refusal(tmp_path, {"npz": "d.npz"}) == [("NBN209", 1), ("NBN209", 1)]


def test_a_large_npy(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((400_000, 2)))
    np.save(tmp_path / "y.npy", np.zeros((2, 1)))
    assert refusal(tmp_path, {"npy": {"x": "x.npy", "y": "y.npy"}}) == [("NBN209", 1)]


def test_a_large_csv(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("x1,x2,y\n" + "1,2,0\n" * 200_000)
    assert refusal(tmp_path, {"csv": "d.csv"}) == [("NBN209", 1)]


def test_many_classes(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.zeros((1000, 2)), y=np.zeros(1000, int))
    data = {"npz": "d.npz", "arrays": {"y": {"array": "y", "one_hot": 10_000}}}
    assert refusal(tmp_path, data) == [("NBN305", 1)]


def test_what_fits_is_read(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "d.npz", x=np.zeros((1000, 2)), y=np.arange(1000).reshape(-1, 1) % 2)
    assert refusal(tmp_path, {"npz": "d.npz"}) == []


def test_a_header_that_promises_more_than_the_file_holds_is_damage(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "d.npz", "w") as members:
        array = b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (900000000000, 2), }"
        members.writestr("x.npy", array.ljust(127) + b"\n" + bytes(64))
        members.writestr("y.npy", array.ljust(127) + b"\n" + bytes(64))
    assert {code for code, _ in refusal(tmp_path, {"npz": "d.npz"})} == {"NBN300"}


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_new_data_is_measured_too(tmp_path: Path, command: str) -> None:
    from commands import nbn

    nbn_spec.compile(good()).save(tmp_path / "model.npz")
    np.savez_compressed(tmp_path / "d.npz", x=np.zeros((2_000_000, 2)), y=np.zeros((2_000_000, 1)))
    words = [command, "model.npz", "--data", "d.npz", "--max-memory", LIMIT]
    _, err = nbn(*words, cwd=tmp_path, code=2)
    assert "error[NBN209]" in err
