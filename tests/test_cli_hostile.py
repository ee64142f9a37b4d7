"""What a hurried or hostile user gives the command line: exit code 2 and a word on the place and the cause."""

from __future__ import annotations

import subprocess
import sys

import pytest
from commands import ENVIRONMENT, MODELS, nbn, variant

import nbn_spec

HOSTILE = [
    (["run", "nowhere.json"], "nowhere.json"),
    (["run", "."], "."),
    (["run", "empty.json"], "is not JSON"),
    (["run", "binary.json"], "UTF-8"),
    (["run", "xor.json", "--epochs", "-1"], "epochs"),
    (["run", "xor.json", "--epochs", "100000000000000000000"], "--epochs"),
    (["run", "xor.json", "--seed", "-5"], "--seed"),
    (["run", "xor.json", "--seed", "4294967296"], "--seed"),
    (["run", "xor.json", "--out", ""], "--out"),
    (["run", ""], "empty"),
    (["run", "xor.npz"], "is an archive"),
    (["run", "xor.json", "--out", "xor.json"], "cannot be written"),
    (["run", "xor.json", "--out", "/proc/nowhere"], "cannot be written"),
    (["frobnicate"], "frobnicate"),
    (["run"], "SPEC"),
    (["graph", "nowhere.json"], "nowhere.json"),
    (["predict", "nowhere.npz", "--json", "[[0, 1]]"], "nowhere.npz"),
    (["predict", "xor.json", "--json", "[[0, 1]]"], "archive"),
    (["predict", "xor.npz", "--json", "[[0, 1"], "is not JSON"),
    (["predict", "xor.npz", "--json", "[0, 1]"], "[[…]]"),
    (["predict", "xor.npz", "--json", "[[0, 1, 2]]"], "[N, 2]"),
    (["predict", "xor.npz", "--json", '[["a", 1]]'], "numbers"),
    (["predict", "xor.npz", "--json", "[[NaN, 1]]"], "NaN"),
    (["predict", "xor.npz", "--json", '{"z": [[0, 1]]}'], "z"),
    (["predict", "xor.npz", "--json", "[]"], "x"),
    (["predict", "xor.npz", "--json", "7"], "x"),
    (["predict", "xor.npz", "--data", "nowhere.csv"], "nowhere.csv"),
    (["predict", "xor.npz", "--data", "empty.csv"], "is empty"),
    (["predict", "xor.npz", "--data", "words.csv"], "words.csv"),
    (["predict", "xor.npz", "--data", "data.xls"], ".csv"),
    (["predict", "xor.npz", "--data", "binary.npz"], "binary.npz"),
    (["predict", "xor.npz", "--json", "[[0, 1]]", "--data", "words.csv"], "exclude"),
    (["predict", "xor.npz", "--json", "[[0, 1]]", "--out", "out.xls"], ".csv"),
    (["predict", "xor.npz", "--json", "[[0, 1]]", "--out", "no/such/folder.csv"], "cannot be written"),
    (["predict", "xor.npz", "--json", "[[0, 1]]", "--out", "no/such/folder.csv"], "there is no folder no/such"),
    (["predict", "xor.npz", "--json", "[[0, 1]]", "--out", "no/such/folder.csv"], "choose another: --out FILE"),
    (["predict", "xor.npz", "--json", "[[0, 1]]", "--out", "folder.csv"], "is a folder"),
    (["predict", "xor.npz", "--json", "[[0, 1]]", "--out", ""], "--out"),
    (["predict", "xor.npz", "--json", "[[0, 1]]", "--out", "xor.npz"], "it is read from"),
    (["predict", "xor.npz", "--data", "good.csv", "--out", "../hostile0/good.csv"], "it is read from"),
    (["predict", "xor.npz", "--data", "good.csv", "--out", "link.csv"], "it is read from"),
    (["predict", "xor.npz", "--data", "nowhere.csv"], "relative to the current folder"),
    (["predict", "xor.npz", "--json", "[{}]"], 'has no "x1"'),
    (["predict", "xor.npz", "--json", '[{"x1": 0}, [0, 1]]'], "x"),
    (["schema", "everything"], "everything"),
]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "empty.json").write_text("")
    (folder / "empty.csv").write_text("")
    (folder / "words.csv").write_text("x1,x2\n0,one\n")
    (folder / "data.xls").write_text("x")
    (folder / "good.csv").write_text("x1,x2\n0,1\n")
    (folder / "link.csv").symlink_to("good.csv")
    (folder / "folder.csv").mkdir()
    (folder / "binary.json").write_bytes(bytes(range(128, 256)))
    (folder / "binary.npz").write_bytes(bytes(range(128, 256)))
    (folder / "xor.json").write_text((MODELS / "xor.json").read_text())
    nbn_spec.compile(MODELS / "xor.json").save(folder / "xor.npz")
    return folder


@pytest.mark.parametrize(
    ("words", "said"), HOSTILE, ids=lambda item: " ".join(item)[:50] if isinstance(item, list) else ""
)
def test_bad_input_is_exit_code_2_and_says_what(hostile, words, said):
    _, err = nbn(*words, cwd=hostile, code=2)
    assert said in err


def test_control_characters_are_escaped(tmp_path):
    spec = variant(tmp_path, outputs=["\33[31mred"])
    _, err = nbn("validate", spec, cwd=tmp_path, code=2)
    assert "\33" not in err


def test_control_characters_of_columns_and_files_are_escaped(tmp_path):
    """Names are words; columns and files may be called anything."""
    red = "\33[31mred"
    inputs = {"x": {"shape": ["N", 2], "columns": [red, "x2"]}, "y": {"shape": ["N", 1]}}
    spec = variant(tmp_path, inputs=inputs)
    out, _ = nbn("run", spec, "--epochs", 1, "--out", red, cwd=tmp_path)
    assert out.count("\\x1b[31mred") == 3
    assert "\33" not in out
    archive = tmp_path / red / "model.npz"
    (tmp_path / "x.csv").write_text("x1,x2\n0,1\n")
    for words in (["validate", archive], ["predict", archive, "--data", "x.csv"]):
        out, err = nbn(*words, cwd=tmp_path, code=0 if words[0] == "validate" else 2)
        assert "\\x1b[31mred" in out + err
        assert "\33" not in out + err


def test_a_bug_of_ours_is_exit_code_1(tmp_path):
    code = (
        "import nbn_spec.spec.schema as module\nmodule.schema = lambda which: 1 / 0\n"
        "import sys\nsys.argv = ['nbn-spec', 'schema']\nfrom nbn_spec.cli import main\nmain()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "bug of nbn_spec" in done.stderr


def test_a_full_disk_leaves_the_old_archive(tmp_path):
    """The file size limit stands in for a full disk."""
    nbn("run", MODELS / "xor.json", "--epochs", 1, "-q", "--out", "here", cwd=tmp_path)
    before = (tmp_path / "here/model.npz").read_bytes()
    words = f"{sys.executable} -m nbn_spec run {MODELS / 'xor.json'} --epochs 2 -q --out here"
    done = subprocess.run(
        ["bash", "-c", f"ulimit -f 4; exec {words}"], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True
    )
    assert done.returncode == 2, (done.returncode, done.stderr)
    assert "cannot be written" in done.stderr
    assert (tmp_path / "here/model.npz").read_bytes() == before
    assert sorted(path.name for path in (tmp_path / "here").iterdir()) == ["history.csv", "model.npz"]
