"""Writing: a failure at any point leaves what was there before whole, and nothing else behind."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from documents import good

import nbn_spec
from nbn_spec.files import write


def test_write(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    for content in (b"first", b"", b"second"):
        write(path, content)
        assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["a.bin"]


def test_names_as_long_as_the_file_system_takes(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 255)
    write(path, b"content")
    assert path.read_bytes() == b"content"


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_permissions(tmp_path: Path, mask: int) -> None:
    old = os.umask(mask)
    try:
        write(tmp_path / "new", b"")
        (tmp_path / "old").touch()
        os.chmod(tmp_path / "old", 0o600)
        write(tmp_path / "old", b"")
    finally:
        os.umask(old)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o666 & ~mask
    assert (tmp_path / "old").stat().st_mode & 0o777 == 0o600


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    write(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write(tmp_path / "none" / "a", b"")


def test_a_folder_in_the_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        write(tmp_path / "folder", b"")
    assert os.listdir(tmp_path) == ["folder"]


def fail(*args: object, **kwargs: object) -> None:
    raise OSError(28, "No space left on device")


class Full:
    """A file on a disk that is full after three bytes."""

    def __init__(self, file: Any) -> None:
        self.file = file

    def __enter__(self) -> Full:
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()

    def write(self, content: bytes) -> None:
        self.file.write(content[:3])
        self.file.flush()
        fail()


def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    real = open
    monkeypatch.setattr("builtins.open", lambda path, mode: Full(real(path, mode)))


FAILURES: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "write": full_disk,
    "fsync": lambda monkeypatch: monkeypatch.setattr("os.fsync", fail),
    "chmod": lambda monkeypatch: monkeypatch.setattr("os.chmod", fail),
    "rename": lambda monkeypatch: monkeypatch.setattr("os.replace", fail),
}


@pytest.mark.parametrize("break_it", FAILURES.values(), ids=FAILURES.keys())
def test_a_failure_in_the_middle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, break_it: Callable[[pytest.MonkeyPatch], None]
) -> None:
    path = tmp_path / "model.npz"
    model = nbn_spec.compile(good())
    model.save(path)
    before = path.read_bytes()
    model.fit()
    with monkeypatch.context() as broken:
        break_it(broken)
        with pytest.raises(OSError, match="No space left"):
            model.save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["model.npz"]
    nbn_spec.load(path)


def test_an_interruption_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*args: object) -> None:
        raise KeyboardInterrupt

    write(tmp_path / "a", b"old")
    with monkeypatch.context() as broken:
        broken.setattr("os.fsync", interrupt)
        with pytest.raises(KeyboardInterrupt):
            write(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]
