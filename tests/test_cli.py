"""The command line as processes: output, files, exit codes, and what a hurried or hostile user would do."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import nbn_spec
from nbn_spec.version import VERSION

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
        text=True,
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


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with the results of two runs."""
    folder = tmp_path_factory.mktemp("trained")
    nbn("run", MODELS / "xor.json", cwd=folder)
    nbn("run", MODELS / "iris.json", "--epochs", "30", "--quiet", cwd=folder)
    return folder


def test_run_xor_prints_the_published_costs_and_predictions(tmp_path):
    out, err = nbn("run", MODELS / "xor.json", cwd=tmp_path)
    published = {
        4600: 0.001018305488651183,
        4700: 0.000983783942124411,
        4800: 0.0009514180100050973,
        4900: 0.0009210166430616655,
    }
    lines = {int(line.split()[1]): line.split() for line in out.splitlines() if line.startswith("epoch ")}
    for epoch, cost in published.items():
        assert float(lines[epoch][3]) == pytest.approx(cost, rel=1e-12)
    rows = [line.split() for line in out.splitlines()]
    table = rows[rows.index(["x1", "x2", "y_hat", "prediction", "y"]) + 1 :][:4]
    assert [row[3] for row in table] == ["0", "1", "1", "0"]
    assert "binary_accuracy 100.0%" in out
    assert "saved runs/xor/model.npz and runs/xor/history.csv" in out
    assert err == ""


def test_history_has_a_row_per_epoch(trained):
    rows = list(csv.reader((trained / "runs/xor/history.csv").read_text().splitlines()))
    assert rows[0] == ["epoch", "loss", "binary_accuracy"]
    assert [row[0] for row in rows[1:]] == [str(i) for i in range(5000)]
    assert float(rows[4901][1]) == pytest.approx(0.0009210166430616655, rel=1e-12)


def test_the_archive_is_readable_with_numpy_alone(trained):
    with np.load(trained / "runs/xor/model.npz") as members:
        weight = members["param/z1/weight"]
    assert weight.shape == (3, 2)
    model = nbn_spec.load(trained / "runs/xor/model.npz")
    np.testing.assert_array_equal(model.parameters["z1/weight"], weight)


def test_runs_are_identical_to_the_last_bit(tmp_path):
    for name in ("one", "two"):
        nbn("run", MODELS / "digits.json", "--epochs", "2", "--quiet", "--out", name, cwd=tmp_path)
    for file in ("model.npz", "history.csv"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_options_of_run(tmp_path):
    out, err = nbn("run", MODELS / "xor.json", "--epochs", 3, "--seed", 7, "-q", "--out", "here", cwd=tmp_path)
    assert (out, err) == ("", "")
    assert len((tmp_path / "here/history.csv").read_text().splitlines()) == 4
    assert nbn_spec.load(tmp_path / "here/model.npz").seed.value == 7
    assert not (tmp_path / "runs").exists()


def test_zero_epochs_save_the_initial_model(tmp_path):
    nbn("run", MODELS / "xor_hidden_layer.json", "--epochs", 0, cwd=tmp_path)
    model = nbn_spec.load(tmp_path / "runs/xor_hidden_layer/model.npz")
    assert model.parameters["z2/weight"].tolist() == [[0.1, 0.4, 0.9]]


def test_three_equations_are_evaluated(tmp_path):
    out, _ = nbn("run", MODELS / "three_equations.json", cwd=tmp_path)
    assert "e = 100.0" in out
    assert "∂e/∂b = 30.0" in out


def test_dead_nodes_are_reported(tmp_path):
    document = json.loads((MODELS / "xor.json").read_text())
    spec = variant(tmp_path, nodes=[*document["nodes"], {"name": "unused", "op": "relu", "inputs": "z1"}])
    _, err = nbn("run", spec, "--epochs", 1, cwd=tmp_path)
    assert "unused" in err
    out, _ = nbn("graph", spec, cwd=tmp_path)
    assert "left out: unused" in out


def test_validate(tmp_path):
    out, _ = nbn("validate", *sorted(MODELS.glob("*.json")), cwd=tmp_path)
    assert len(out.splitlines()) == 11
    assert all("valid" in line for line in out.splitlines())
    bad = variant(tmp_path, outputs=["nothing"])
    out, err = nbn("validate", MODELS / "xor.json", bad, MODELS / "or.json", cwd=tmp_path, code=2)
    assert len(out.splitlines()) == 2
    assert "spec.json#/outputs/0" in err


def test_graph(tmp_path):
    out, _ = nbn("graph", MODELS / "xor.json", cwd=tmp_path)
    assert "2-layer network, 13 parameters" in out
    assert "forward:  z1 → a1 → z2 → y_hat → squared_error_1" in out
    assert "backward: squared_error_1 → y_hat → z2 → a1 → z1" in out


def test_predict_and_evaluate(trained):
    archive = trained / "runs/iris/model.npz"
    out, _ = nbn("predict", archive, "--json", "[[5.1, 3.5, 1.4, 0.2]]", cwd=trained)
    assert np.argmax(json.loads(out)[0]) == 0
    out, _ = nbn("evaluate", archive, "--data", MODELS / "data/iris.csv", cwd=trained)
    assert out.splitlines()[1].startswith("accuracy 9")
    out, _ = nbn("predict", archive, "--data", MODELS / "data/iris.csv", cwd=trained)
    assert out.splitlines()[0] == "probabilities[0],probabilities[1],probabilities[2]"
    assert len(out.splitlines()) == 151


@pytest.mark.parametrize("kind", ["csv", "json", "npy", "npz"])
def test_predict_reads_and_writes_files(trained, tmp_path, kind):
    archive = trained / "runs/xor/model.npz"
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    file = tmp_path / f"x.{kind}"
    if kind == "csv":
        file.write_text("x2,x1\n0,0\n1,0\n0,1\n1,1\n")
    elif kind == "json":
        file.write_text(json.dumps({"x": x.tolist()}))
    elif kind == "npy":
        np.save(file, x)
    else:
        np.savez(file, x=x)
    out = tmp_path / f"out.{kind}"
    nbn("predict", archive, "--data", file, "--out", out, cwd=tmp_path)
    expected = nbn_spec.load(archive).predict(x)
    if kind == "csv":
        found = np.loadtxt(out, skiprows=1).reshape(-1, 1)
    elif kind == "json":
        found = json.loads(out.read_text())
    elif kind == "npy":
        found = np.load(out)
    else:
        with np.load(out) as members:
            found = members["y_hat"]
    np.testing.assert_allclose(found, expected, rtol=1e-15)


def test_version_imports_nothing_heavy(tmp_path):
    assert nbn("--version", cwd=tmp_path)[0] == f"nbn-spec {VERSION}\n"
    code = (
        "import sys, runpy\nsys.argv = ['nbn_spec', '--version']\n"
        "try: runpy.run_module('nbn_spec', run_name='__main__')\nexcept SystemExit: pass\n"
        "assert not {'numpy', 'pydantic', 'jsonschema'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=ENVIRONMENT, check=True, capture_output=True)


@pytest.mark.parametrize("which", ["model", "graph"])
def test_schema(tmp_path, which):
    out, _ = nbn("schema", which, cwd=tmp_path)
    assert out == (ROOT / "schemas" / f"{which}.schema.json").read_text()


def test_divergence_is_exit_code_3_and_keeps_the_history(tmp_path):
    train = {"epochs": 50, "optimizer": {"name": "sgd", "learning_rate": 1e200}}
    document = json.loads((MODELS / "xor.json").read_text())
    nodes = [{**node, "op": "identity"} if node["op"] == "sigmoid" else node for node in document["nodes"]]
    _, err = nbn("run", variant(tmp_path, nodes=nodes, train=train), cwd=tmp_path, code=3)
    assert "NBN401" in err
    assert "epoch" in err
    assert "step" in err
    assert 'node "' in err
    assert "learning rate" in err
    rows = (tmp_path / "runs/xor/history.csv").read_text().splitlines()
    assert rows[0].startswith("epoch,loss")
    assert not (tmp_path / "runs/xor/model.npz").exists()


def interrupt(folder, spec):
    """Start a run, interrupt it once it trains, and return (exit code, output, errors)."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "nbn_spec", "run", str(spec)],
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while "epoch" not in process.stdout.readline():
        assert process.poll() is None
    for _ in range(3):
        process.stdout.readline()
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_interrupt_saves_and_exits_with_130(tmp_path):
    train = {"epochs": 10_000_000, "optimizer": {"name": "sgd", "learning_rate": 1.0}, "log_every": 100}
    code, _, err = interrupt(tmp_path, variant(tmp_path, train=train))
    assert code == 130
    assert "saved" in err
    model = nbn_spec.load(tmp_path / "runs/xor/model.npz")
    rows = (tmp_path / "runs/xor/history.csv").read_text().splitlines()
    assert len(rows) > 300
    assert model.evaluate(model.data())["loss"] <= float(rows[1].split(",")[1])


HOSTILE = [
    (["run", "nowhere.json"], "nowhere.json"),
    (["run", "."], "."),
    (["run", "empty.json"], "is not JSON"),
    (["run", "binary.json"], "UTF-8"),
    (["run", "xor.json", "--epochs", "-1"], "epochs"),
    (["run", "xor.json", "--seed", "-5"], "seed"),
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
    (["schema", "everything"], "everything"),
]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "empty.json").write_text("")
    (folder / "empty.csv").write_text("")
    (folder / "words.csv").write_text("x1,x2\n0,one\n")
    (folder / "data.xls").write_text("x")
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


def test_a_closed_pipe_is_no_error(tmp_path):
    command = f"{sys.executable} -m nbn_spec reference | head -1"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.stdout == "# Reference\n"
    assert done.stderr == ""


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


def test_progress_bar_on_a_terminal(tmp_path):
    pty = pytest.importorskip("pty")
    train = {"epochs": 200_000, "optimizer": {"name": "sgd", "learning_rate": 1.0}, "log_every": 50_000}
    spec = variant(tmp_path, train=train)
    master, slave = pty.openpty()
    environment = {**ENVIRONMENT, "TERM": "xterm-256color", "COLUMNS": "120"}
    process = subprocess.Popen(
        [sys.executable, "-m", "nbn_spec", "run", str(spec)],
        cwd=tmp_path,
        env=environment,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    seen = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:
            break
        if not part:
            break
        seen += part
    assert process.wait(timeout=60) == 0
    text = seen.decode()
    assert "cost" in text
    assert "examples/s" in text
    assert "epoch 150000" in text.replace("\x1b[2K", "")
