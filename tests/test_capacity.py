"""What memory is free: on the machine, in control groups, in the address space; and bytes in words."""

from __future__ import annotations

import subprocess
import sys

import pytest
from commands import ROOT

from nbn_spec import capacity

WORDS = {
    **{0: "0 bytes", 1: "1 byte", 1023: "1023 bytes", 1024: "1.0 KiB", 2**20: "1.0 MiB", 3 * 2**19: "1.5 MiB"},
    **{
        99 * 2**20: "99.0 MiB",
        100 * 2**20: "100 MiB",
        3 * 2**30: "3,072 MiB",
        10**400: "more than any machine has",
    },
}


@pytest.mark.parametrize(("size", "words"), WORDS.items(), ids=WORDS.values())
def test_bytes_in_words(size, words):
    assert capacity.mebibytes(size) == words


# What is free


def write(folder, **files):
    """The files of a control group; a dot cannot stand in a keyword."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(f"{text}\n")


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """A folder in place of the system's control groups, and what says to which of them the process belongs."""
    monkeypatch.setattr(capacity, "CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(capacity, "MEMBERSHIP", tmp_path / "membership")

    def belongs(*lines):
        (tmp_path / "membership").write_text("".join(f"{line}\n" for line in lines))
        return tmp_path / "cgroup"

    return belongs


def test_without_control_groups_there_is_no_limit(groups):
    assert capacity.free_in_container() == sys.maxsize
    groups("0::/")
    assert capacity.free_in_container() == sys.maxsize
    write(groups("0::/", "what is no line", "4:cpu:/"), memory__max="max", memory__current=5)
    assert capacity.free_in_container() == sys.maxsize


def test_the_tightest_group_counts(groups):
    root = groups("0::/a/b")
    write(root, memory__max=10**9, memory__current=10**8)
    write(root / "a", memory__max=5000, memory__current=2000)
    write(root / "a" / "b", memory__max="max", memory__current=1000)
    assert capacity.free_in_container() == 3000
    write(root / "a" / "b", memory__max=1500, memory__current=1400, memory__stat="anon 3\ninactive_file 700")
    assert capacity.free_in_container() == 800, "pages of files can be dropped"
    write(root / "a" / "b", memory__max=1500, memory__current=1600, memory__stat="broken")
    assert capacity.free_in_container() == 0


def test_groups_of_the_first_version(groups):
    root = groups("9:name=systemd:/", "4:cpu,memory:/a", "0::/")
    limits = {"memory__limit_in_bytes": 9000, "memory__usage_in_bytes": 5000}
    write(root / "memory" / "a", **limits, memory__stat="inactive_file 1\ntotal_inactive_file 500")
    write(root / "memory", memory__limit_in_bytes=9223372036854771712, memory__usage_in_bytes=10**9)
    assert capacity.free_in_container() == 4500


def test_a_group_that_is_mounted_as_the_root(groups):
    write(groups("0::/docker/of/the/host"), memory__max=4096, memory__current=96)
    assert capacity.free_in_container() == 4000


def test_where_the_limit_comes_from(monkeypatch):
    assert capacity.free_memory() > 2**20
    monkeypatch.setattr(capacity, "free_on_machine", lambda: 7)
    monkeypatch.setattr(capacity, "free_in_container", lambda: 8)
    monkeypatch.setattr(capacity, "free_in_address_space", lambda: 9)
    assert capacity.allowance(None) == (7, "free on this machine")
    assert capacity.free_memory() == 7
    monkeypatch.setattr(capacity, "free_in_container", lambda: 6)
    assert capacity.allowance(None) == (6, "free in the container (cgroup) of this process")
    monkeypatch.setattr(capacity, "free_in_address_space", lambda: 5)
    assert capacity.allowance(None) == (5, "left of the address space of this process (ulimit -v)")
    assert capacity.allowance(100) == (100, "given as max_memory")


# The address space


@pytest.fixture
def address_space(tmp_path, monkeypatch):
    """What the process takes, in pages of 1000 bytes, and how much it may, both as the test says."""
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(capacity, "STATM", tmp_path / "statm")
    monkeypatch.setattr(resource, "getpagesize", lambda: 1000)

    def takes(text, most):
        (tmp_path / "statm").write_text(text)
        limit = resource.RLIM_INFINITY if most is None else most
        monkeypatch.setattr(resource, "getrlimit", lambda kind: (limit, resource.RLIM_INFINITY))

    return takes


@pytest.mark.parametrize(
    ("text", "most", "room"),
    [
        ("3 2 1 1 0 1 0\n", 5000, 2000),
        ("7 2 1 1 0 1 0\n", 5000, 0),
        ("3 2 1 1 0 1 0\n", None, sys.maxsize),
        ("", 5000, sys.maxsize),
        ("words", 5000, sys.maxsize),
    ],
)
def test_the_address_space_may_grow_up_to_its_limit(text, most, room, address_space):
    address_space(text, most)
    assert capacity.free_in_address_space() == room


def test_where_nobody_tells_what_a_process_takes_its_address_space_has_no_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(capacity, "STATM", tmp_path / "none")
    assert capacity.free_in_address_space() == sys.maxsize


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds to the limit")
def test_a_real_limit_is_seen():
    code = "import resource; from nbn_spec.capacity import free_in_address_space\n"
    code += "resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))\nprint(free_in_address_space())"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert 2**29 < int(done.stdout) < 2**30
