"""The command line's complaints: as text, as JSON, strict, quiet, coloured, and the pages behind the codes."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

import pytest
from commands import ENVIRONMENT, MODELS, nbn, variant, written
from jsonschema import Draft202012Validator

import nbn_spec
from nbn_spec.spec.schema import schema

VALIDATOR = Draft202012Validator(schema("report"))
LINEAR = {
    "name": "linear",
    "inputs": {"x": {"shape": ["N", 3]}},
    "nodes": [
        {"name": "a", "op": "linear", "inputs": "x", "units": 4},
        {"name": "b", "op": "linear", "units": 4},
    ],
    "outputs": ["b"],
}
"""A document that earns one warning: NBN901."""


def report(*words, cwd, code=0):
    """The JSON that a command prints, which must be by the published schema."""
    out, _ = nbn(*words, "--format", "json", cwd=cwd, code=code)
    found = json.loads(out)
    VALIDATOR.validate(found)
    assert (found["command"], found["exit_code"]) == (words[0], code)
    return found


def test_the_report_of_several_files(tmp_path):
    bad = variant(tmp_path, outputs=["nothing"], seed=-1)
    found = report("validate", MODELS / "iris.json", bad, tmp_path / "none.json", cwd=tmp_path, code=2)
    good, mistaken, missing = found["files"]
    assert (found["errors"], found["warnings"]) == (3, 0)
    assert (good["valid"], good["problems"]) == (True, [])
    assert [memory["goal"] for memory in good["memory"]] == ["train", "infer"]
    assert [(p["code"], p["pointer"], p["line"]) for p in mistaken["problems"]] == [
        ("NBN113", "/seed", 1),
        ("NBN201", "/outputs/0", 1),
    ]
    assert [(p["code"], p["line"]) for p in missing["problems"]] == [("NBN100", None)]


def test_the_report_counts_all_problems_where_the_text_shows_twenty(tmp_path):
    nodes = [{"name": f"n{i}", "op": "linear", "inputs": f"none{i}", "units": 1} for i in range(30)]
    path = written(tmp_path, {**LINEAR, "nodes": nodes, "outputs": ["n0"]})
    found = report("validate", path, cwd=tmp_path, code=2)
    assert found["errors"] == len(found["files"][0]["problems"]) == 30
    _, err = nbn("validate", path, cwd=tmp_path, code=2)
    assert err.count("error[NBN201]") == 20
    assert err.splitlines()[-1] == "30 errors, of which the first 20 are shown"


def test_the_report_of_a_run(tmp_path):
    found = report("run", MODELS / "xor.json", "--epochs", "3", cwd=tmp_path)
    result = found["result"]
    assert (result["name"], result["epochs"], result["interrupted"]) == ("xor", 3, False)
    assert set(result["measured"]["training"]) == {"loss", "binary_accuracy"}
    assert result["saved"] == {"model": "runs/xor/model.npz", "history": "runs/xor/history.csv"}
    archive = tmp_path / "runs/xor/model.npz"
    assert report("evaluate", archive, cwd=tmp_path)["result"]["measured"]["loss"] > 0
    outputs = report("predict", archive, "--json", "[[0, 1]]", cwd=tmp_path)["result"]["outputs"]
    assert outputs == {"y_hat": nbn_spec.load(archive).predict([[0, 1]]).tolist()}
    broken = report("predict", archive, "--json", "[[0]]", cwd=tmp_path, code=2)
    assert broken["files"][0]["problems"][0]["code"] == "NBN303"
    assert broken["result"] is None


def test_the_report_of_a_divergence(tmp_path):
    document = {**json.loads((MODELS / "xor.json").read_text())}
    document["nodes"] = [
        {**node, "op": "identity"} if node["op"] == "sigmoid" else node for node in document["nodes"]
    ]
    document["train"]["optimizer"]["learning_rate"] = 1e3
    found = report("run", written(tmp_path, document), cwd=tmp_path, code=3)
    (diverged,) = (p for file in found["files"] for p in file["problems"] if p["severity"] == "error")
    assert (diverged["code"], diverged["line"]) == ("NBN401", 1)
    assert any("gradient" in note for note in diverged["notes"])


def test_warnings_break_neither_json_nor_quiet(tmp_path):
    path = written(tmp_path, LINEAR)
    found = report("validate", path, cwd=tmp_path)
    assert (found["errors"], found["warnings"]) == (0, 1)
    out, err = nbn("validate", path, cwd=tmp_path)
    assert ": valid; " in out
    assert "warning[NBN901]" in err
    assert nbn("validate", path, "--quiet", cwd=tmp_path) == ("", "")


def test_strict_makes_warnings_errors(tmp_path):
    path = written(tmp_path, LINEAR)
    out, err = nbn("validate", path, "--strict", "--quiet", cwd=tmp_path, code=2)
    assert (out, err.count("error[NBN901]")) == ("", 1)
    assert report("validate", path, "--strict", cwd=tmp_path, code=2)["errors"] == 1
    _, err = nbn("run", path, "--strict", "--epochs", "1", cwd=tmp_path, code=2)
    assert "error[NBN901]" in err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("ignore", [["NBN901"], {"NBN901": "on purpose"}])
def test_a_warning_is_silenced_in_the_document(tmp_path, ignore):
    path = written(tmp_path, {**LINEAR, "lint": {"ignore": ignore}})
    out, err = nbn("validate", path, "--strict", cwd=tmp_path)
    assert (": valid; " in out, err) == (True, "")
    path = written(tmp_path, {**LINEAR, "lint": {"ignore": ["NBN90"]}})
    _, err = nbn("validate", path, cwd=tmp_path, code=2)
    assert "error[NBN114]" in err
    assert "NBN90" in err


def test_strict_runs_end_with_2_when_the_network_is_not_well(tmp_path):
    document = {
        "name": "dead",
        "inputs": {"x": {"shape": ["N", 1]}, "y": {"shape": ["N", 1]}},
        "nodes": [
            {
                "name": "z",
                "op": "linear",
                "inputs": "x",
                "units": 4,
                "bias": {"init": "constant", "constant": -9.0},
            },
            {"name": "a", "op": "relu"},
            {"name": "out", "op": "linear", "units": 1},
        ],
        "outputs": ["out"],
        "loss": {"op": "mean_squared_error", "inputs": ["out", "y"]},
        "data": {"values": {"x": [[0.1], [0.2], [0.3]], "y": [[1.0], [2.0], [4.0]]}},
        "train": {"epochs": 20},
    }
    path = written(tmp_path, document)
    _, err = nbn("run", path, "--quiet", cwd=tmp_path)
    assert err == ""
    _, err = nbn("run", path, cwd=tmp_path)
    assert "spec.json:1:" in err
    assert "warning[NBN921]" in err
    nbn("run", path, "--strict", cwd=tmp_path, code=2)
    assert (tmp_path / "runs/dead/model.npz").exists()
    found = report("run", path, "--strict", cwd=tmp_path, code=2)
    assert [p["code"] for file in found["files"] for p in file["problems"]] == ["NBN921"]
    assert found["result"]["epochs"] == 20


def test_memory_is_limited_at_every_command(tmp_path):
    nbn("run", MODELS / "xor.json", "--epochs", "1", "--quiet", cwd=tmp_path)
    archive = tmp_path / "runs/xor/model.npz"
    for words in (
        ["run", MODELS / "xor.json"],
        ["validate", MODELS / "xor.json"],
        ["validate", archive],
        ["evaluate", archive],
        ["predict", archive, "--json", "[[0, 1]]"],
        ["graph", archive],
        ["graph", MODELS / "xor.json"],
    ):
        _, err = nbn(*words, "--max-memory", "64", cwd=tmp_path, code=2)
        assert "error[NBN209]" in err, words
        assert "largest: " in err, words
        nbn(*words, "--max-memory", "64 MiB", cwd=tmp_path)
    for size in ("0", "-1", "much", "nan", "1e9", ""):
        _, err = nbn("validate", MODELS / "xor.json", f"--max-memory={size}", cwd=tmp_path, code=2)
        assert "max_memory" in err, size


def test_explain(tmp_path):
    for word in ("NBN203", "nbn203", "203"):
        out, _ = nbn("explain", word, cwd=tmp_path)
        assert out.startswith("# NBN203: shapes that do not fit\n")
        assert "\nWrong:\n" in out
        assert "\nRight:\n" in out
    _, err = nbn("explain", "NBN999", cwd=tmp_path, code=2)
    assert "error[NBN114]" in err


def terminal(*words, cwd, **more):
    """What a command prints to a terminal."""
    main, side = pty.openpty()
    environment = {**ENVIRONMENT, "TERM": "xterm", **more}
    with subprocess.Popen(
        [sys.executable, "-m", "nbn_spec", *map(str, words)], cwd=cwd, env=environment, stdout=side, stderr=side
    ):
        os.close(side)
        found = b""
        while True:
            try:
                part = os.read(main, 65536)
            except OSError:
                break
            if not part:
                break
            found += part
    os.close(main)
    return found.decode().replace("\r\n", "\n")


def test_colours_where_the_terminal_has_them(tmp_path):
    path = written(tmp_path, {**LINEAR, "outputs": ["c"]})
    plain = nbn("validate", path, cwd=tmp_path, code=2)[1]
    coloured = terminal("validate", path, cwd=tmp_path)
    assert "\33[1;31merror[NBN201]\33[0m" in coloured
    assert "\33[1;36mhelp:\33[0m" in coloured
    assert (
        coloured.replace("\33[1;31m", "").replace("\33[1;36m", "").replace("\33[2m", "").replace("\33[0m", "")
        == plain
    )
    assert "\33" not in terminal("validate", path, cwd=tmp_path, NO_COLOR="1")
    assert "\33" not in terminal("validate", path, cwd=tmp_path, TERM="dumb")
