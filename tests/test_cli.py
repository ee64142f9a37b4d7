"""The command line as processes: output, files, exit codes, what is said of good documents and of data."""

from __future__ import annotations

import csv
import json
import subprocess
import sys

import numpy as np
import pytest
from commands import ENVIRONMENT, MODELS, ROOT, nbn, variant, written

import nbn_spec
from nbn_spec.version import VERSION


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
    verdicts = [line for line in out.splitlines() if not line.startswith(" ")]
    assert len(verdicts) == 11
    assert all("valid" in line for line in verdicts)
    assert out.count("memory: ") == 22
    bad = variant(tmp_path, outputs=["nothing"])
    out, err = nbn("validate", MODELS / "xor.json", bad, MODELS / "or.json", cwd=tmp_path, code=2)
    assert out.count(": valid; ") == 2
    assert f"{bad}:1:" in err
    assert 'the output "nothing" is nothing' in err


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
    assert "history.diverged.csv" in err
    assert "earlier run" not in err
    rows = (tmp_path / "runs/xor/history.diverged.csv").read_text().splitlines()
    assert rows[0].startswith("epoch,loss")
    assert [path.name for path in (tmp_path / "runs/xor").iterdir()] == ["history.diverged.csv"]


def test_a_divergence_leaves_the_results_of_an_earlier_run_alone(tmp_path):
    nbn("run", MODELS / "xor.json", "--epochs", 3, cwd=tmp_path)
    folder = tmp_path / "runs/xor"
    before = {name: (folder / name).read_bytes() for name in ("model.npz", "history.csv")}
    document = json.loads((MODELS / "xor.json").read_text())
    nodes = [{**node, "op": "identity"} if node["op"] == "sigmoid" else node for node in document["nodes"]]
    train = {"epochs": 50, "optimizer": {"name": "sgd", "learning_rate": 10.0}}
    _, err = nbn("run", variant(tmp_path, nodes=nodes, train=train), cwd=tmp_path, code=3)
    assert "runs/xor/history.diverged.csv; model.npz there is that of an earlier run" in err
    assert {name: (folder / name).read_bytes() for name in before} == before
    epochs = len((folder / "history.diverged.csv").read_text().splitlines()) - 1
    assert f"the history of the {epochs} epochs before" in err
    nbn("run", MODELS / "xor.json", "--epochs", 1, cwd=tmp_path)
    assert not (folder / "history.diverged.csv").exists()


def test_a_divergence_in_the_first_epoch_leaves_no_history(tmp_path):
    document = json.loads((MODELS / "xor.json").read_text())
    document["data"]["values"]["x"] = [[1e200, 1e200]] * 4
    nodes = [{**node, "op": "identity"} if node["op"] == "sigmoid" else node for node in document["nodes"]]
    _, err = nbn("run", variant(tmp_path, nodes=nodes, data=document["data"]), cwd=tmp_path, code=3)
    assert "history" not in err
    assert list((tmp_path / "runs/xor").iterdir()) == []


# Archives where a document is expected


def test_graph_and_validate_take_archives(trained):
    archive = trained / "runs/xor/model.npz"
    shown = [nbn("graph", source, cwd=trained)[0].split("memory: ") for source in (archive, MODELS / "xor.json")]
    assert shown[0][0] == shown[1][0]
    assert [part.partition(" (")[0] for part in shown[0][1:]] == [
        "1.1 KiB to train on 1 example",  # an archive holds no data
        "320 bytes to predict 1 example\narena:  384 bytes to train, 128 bytes to predict",
    ]
    assert shown[1][1].startswith("1.5 KiB to train with batches of 4 (")
    assert "data 0.1 KiB" in shown[1][1]
    out, _ = nbn("validate", archive, cwd=trained)
    assert out.startswith(f"{archive}: a valid archive; 5 nodes; xor: 2-layer network, 13 parameters, float64\n")
    _, err = nbn("run", archive, cwd=trained, code=2)
    assert "is an archive, not a spec" in err
    assert "predict and evaluate" in err


# What validate finds


def changed(**changes):
    """A document that trains on a csv file, with some of its keys changed."""
    document = {
        "name": "line",
        "inputs": {"x": {"shape": ["N", 1], "columns": ["a"]}, "y": {"shape": ["N", 1], "columns": ["b"]}},
        "nodes": [{"name": "y_hat", "op": "linear", "inputs": "x", "units": 1}],
        "outputs": ["y_hat"],
        "loss": {"op": "mean_squared_error", "inputs": ["y_hat", "y"]},
        "data": {"csv": "data.csv", "columns": {}},
        "train": {"epochs": 1},
        **changes,
    }
    return {key: value for key, value in document.items() if value is not None}


VALUES = {"values": {"x": [[1]], "y": [[1], [2]]}}
AMISS = {
    "an initializer that cannot fill": (
        {"nodes": [{"name": "y_hat", "op": "linear", "inputs": "x", "units": 1, "bias": "orthogonal"}]},
        "spec.json:1:197 error[NBN208]",
    ),
    "a file that is not there": ({"data": {"csv": "nowhere.csv"}}, "nowhere.csv: there is no such"),
    "a column that is not there": ({"data": {"csv": "data.csv", "columns": {"y": "c"}}}, 'column "c" is not'),
    "values of another shape": ({"data": {"values": {"x": [[1, 2]], "y": [[1]]}}}, "data.values.x: has shape"),
    "different numbers of examples": ({"data": VALUES}, "y: N is 2 here"),
    "a training without a loss": ({"loss": None}, "no loss to minimize"),
    "a fraction that leaves nothing": ({"train": {"validation": {"fraction": 0.1}}}, "leaves one part empty"),
}


@pytest.mark.parametrize("case", AMISS)
def test_validate_finds_what_run_would_find(tmp_path, case):
    (tmp_path / "data.csv").write_text("a,b\n1,2\n2,4\n")
    nbn("validate", written(tmp_path, changed()), cwd=tmp_path)
    changes, said = AMISS[case]
    written(tmp_path, changed(**changes))
    _, err = nbn("validate", "spec.json", cwd=tmp_path, code=2)
    assert said in err
    nbn("run", "spec.json", cwd=tmp_path, code=2)


def test_validate_lets_data_lie_outside(tmp_path):
    (tmp_path / "data.csv").write_text("a,b\n1,2\n2,4\n")
    (tmp_path / "inner").mkdir()
    spec = written(tmp_path / "inner", changed(data={"csv": "../data.csv", "columns": {}}))
    nbn("validate", spec, "--allow-outside", cwd=tmp_path)
    _, err = nbn("validate", spec, cwd=tmp_path, code=2)
    assert "--allow-outside" in err
