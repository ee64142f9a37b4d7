"""Values on the command line: of every shape, finite or not, from every kind of file."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from commands import MODELS, nbn, written

import nbn_spec

MIXED = {
    "name": "mixed",
    "inputs": {
        "x": {"shape": ["N", 2], "columns": ["x1", "x2"]},
        "a": {"shape": [2, 2]},
        "y": {"shape": ["N", 1]},
    },
    "parameters": {"p": {"value": [1, 2]}},
    "constants": {"k": 3},
    "nodes": [
        {"name": "h", "op": "matmul", "inputs": ["x", "a"]},
        {"name": "z", "op": "linear", "inputs": "h", "units": 1},
        {"name": "m", "op": "mean", "inputs": "z"},
        {"name": "s", "op": "sum", "inputs": "h", "axis": 0},
        {"name": "l", "op": "mean_squared_error", "inputs": ["z", "y"]},
    ],
    "outputs": ["z", "m", "s", "p", "k", "l"],
    "loss": "l",
    "data": {"values": {"x": [[0, 0], [0, 1], [1, 0]], "a": [[1, 0], [0, 1]], "y": [[0], [1], [1]]}},
    "train": {"epochs": 1, "optimizer": {"name": "sgd", "learning_rate": 0.1}},
}


def test_values_without_examples_stand_below_the_table(tmp_path):
    out, _ = nbn("run", written(tmp_path, MIXED), cwd=tmp_path)
    assert "3 examples; 1 epoch of 1 step;" in out
    lines = out.splitlines()
    start = next(i for i, line in enumerate(lines) if line.split() == ["x1", "x2", "y", "z"])
    assert [line.split(" = ")[0] for line in lines[start + 4 : -1]] == ["a", "m", "s", "p", "k", "l"]
    assert "a = [[1. 0.] [0. 1.]]" in lines
    assert "s = [1. 1.]" in lines
    assert "k = 3.0" in lines
    archive = tmp_path / "runs/mixed/model.npz"
    for words in (["--data", "d.npz"], ["--data", "d.npz", "--out", "out.csv"]):
        np.savez(tmp_path / "d.npz", x=[[0, 0]], a=np.eye(2), y=[[0]])
        _, err = nbn("predict", archive, *words, cwd=tmp_path, code=2)
        assert "m, s, p, k, l: cannot stand in a csv" in " ".join(err.split())
        assert "--out FILE.npz" in err
    nbn("predict", archive, "--data", "d.npz", "--out", "out.npz", cwd=tmp_path)
    with np.load(tmp_path / "out.npz") as members:
        assert [members[name].shape for name in MIXED["outputs"]] == [(1, 1), (), (2,), (2,), (), ()]


@pytest.mark.parametrize(
    ("output", "shown"),
    [("m", r"m\n-?\d\.\d+\n"), ("s", r"s\n1.0\n1.0\n"), ("p", r"p\n1.0\n2.0\n"), ("k", r"k\n3.0\n")],
)
def test_a_lone_output_without_examples_is_printed(tmp_path, output, shown):
    model = nbn_spec.compile({**MIXED, "outputs": [output]})
    model.save(tmp_path / "model.npz")
    out, _ = nbn("predict", "model.npz", cwd=tmp_path)
    assert re.fullmatch(shown, out)


def test_a_model_without_inputs_shows_what_it_found(tmp_path):
    document = {
        "name": "parabola",
        "parameters": {"x": {"value": 5}},
        "nodes": [{"name": "y", "op": "square", "inputs": "x"}],
        "outputs": ["x"],
        "loss": "y",
        "train": {"epochs": 50, "optimizer": {"name": "sgd", "learning_rate": 0.5}},
    }
    out, _ = nbn("run", written(tmp_path, document), cwd=tmp_path)
    assert "x = 0.0" in out.splitlines()


def test_outputs_may_need_data_that_training_does_not(tmp_path):
    document = json.loads(json.dumps(MIXED))
    document["inputs"]["w"] = {"shape": ["N", 2]}
    document["outputs"], document["data"]["values"]["w"] = ["w"], [[1, 2]]
    out, err = nbn("run", written(tmp_path, document), cwd=tmp_path)
    assert err.count("warning[NBN913]") == 4
    assert all(f'"{name}"' in err for name in ("p", "k", "m", "s"))
    assert out.splitlines()[-1].startswith("saved")


# Numbers that are not finite


@pytest.fixture(scope="module")
def infinite(tmp_path_factory):
    """An archive whose outputs are called as numpy.savez calls its own arguments, and may be infinite."""
    document = {
        "name": "infinite",
        "inputs": {"x": {"shape": ["N", 1]}},
        "nodes": [
            {"name": "file", "op": "log", "inputs": "x"},
            {"name": "args", "op": "square", "inputs": "x"},
        ],
        "outputs": ["file", "args"],
    }
    folder = tmp_path_factory.mktemp("infinite")
    nbn_spec.compile(document).save(folder / "model.npz")
    return folder


def test_any_name_fits_into_npz(infinite):
    nbn("predict", "model.npz", "--json", "[[1], [2]]", "--out", "out.npz", cwd=infinite)
    with np.load(infinite / "out.npz") as members:
        assert members["args"].tolist() == [[1], [4]]
        assert members["file"].tolist()[0] == [0]


def test_json_holds_no_infinity(infinite):
    for words in ([], ["--out", "out.json"]):
        _, err = nbn("predict", "model.npz", "--json", "[[1], [0]]", *words, cwd=infinite, code=2)
        assert "error[NBN304] file: holds numbers that are not finite: [1, 0] is -inf; JSON has none" in err
    assert not (infinite / "out.json").exists()


@pytest.mark.parametrize("kind", ["csv", "npz"])
def test_other_formats_hold_infinity_with_a_note(infinite, kind):
    _, err = nbn("predict", "model.npz", "--json", "[[0]]", "--out", f"inf.{kind}", cwd=infinite)
    assert err == "note: file holds numbers that are not finite: [0, 0] is -inf\n"
    assert (infinite / f"inf.{kind}").exists()


# Data from files and from the command line


def test_json_records_are_read_by_column(tmp_path):
    archive = tmp_path / "model.npz"
    nbn_spec.compile(MODELS / "xor.json").save(archive)
    lists, _ = nbn("predict", archive, "--json", "[[0, 1], [1, 1]]", cwd=tmp_path)
    records, _ = nbn("predict", archive, "--json", '[{"x1": 0, "x2": 1}, {"x2": 1, "x1": 1}]', cwd=tmp_path)
    named, _ = nbn("predict", archive, "--json", '{"x": [[0, 1], [1, 1]]}', cwd=tmp_path)
    assert lists == records == named
    _, err = nbn("predict", archive, "--json", '[{"x1": 0, "x2": 1}, {"x1": 0, "z": 1}]', cwd=tmp_path, code=2)
    assert 'error[NBN301] --json, example 1: has no "x2", which the input "x" needs' in err
    assert "it has x1, z" in err


def test_json_records_of_a_model_without_columns(infinite):
    out, _ = nbn("predict", "model.npz", "--json", '[{"x": 1}, {"x": 2}]', cwd=infinite)
    assert json.loads(out)["args"] == [[1], [4]]


@pytest.fixture(scope="module")
def pixels(tmp_path_factory):
    """A model whose own data is scaled and reshaped, and that data as three kinds of file."""
    folder = tmp_path_factory.mktemp("pixels")
    raw = np.array([[16, 8, 4, 0], [0, 4, 8, 16]])
    np.savez(folder / "own.npz", pixels=raw)
    np.save(folder / "x.npy", raw)
    np.savez(folder / "x.npz", pixels=raw)
    (folder / "x.csv").write_text("x\n16\n8\n")
    document = {
        "name": "pixels",
        "inputs": {"x": {"shape": ["N", 2, 2]}},
        "nodes": [{"name": "h", "op": "identity", "inputs": "x"}],
        "outputs": ["h"],
        "data": {"npz": "own.npz", "arrays": {"x": {"array": "pixels", "reshape": [2, 2], "scale": 0.0625}}},
    }
    nbn_spec.compile(written(folder, document)).save(folder / "model.npz")
    document["inputs"]["x"]["shape"] = ["N"]
    document["data"]["arrays"]["x"] = {"array": "pixels", "scale": 0.0625}
    nbn_spec.compile(written(folder, document)).save(folder / "flat.npz")
    return folder


@pytest.mark.parametrize("kind", ["npy", "npz"])
def test_files_are_treated_as_the_own_data(pixels, kind):
    nbn("predict", "model.npz", "--data", f"x.{kind}", "--out", "out.npy", cwd=pixels)
    assert np.load(pixels / "out.npy").tolist() == [[[1, 0.5], [0.25, 0]], [[0, 0.25], [0.5, 1]]]


def test_numbers_from_csv_are_scaled_as_the_own_data(pixels):
    out, _ = nbn("predict", "flat.npz", "--data", "x.csv", cwd=pixels)
    assert out == "h\n1.0\n0.5\n"


def test_evaluate_needs_no_data_for_the_outputs_alone(tmp_path):
    inputs = {**MIXED["inputs"], "w": {"shape": ["N", 2]}}
    document = {**MIXED, "inputs": inputs, "outputs": ["w"]}
    del document["data"]
    nbn_spec.compile(document).save(tmp_path / "model.npz")
    np.savez(tmp_path / "d.npz", x=[[0, 0]], a=np.eye(2), y=[[0]])
    out, _ = nbn("evaluate", "model.npz", "--data", "d.npz", cwd=tmp_path)
    assert out.startswith("loss ")


def test_statistics_are_measured_without_a_training(tmp_path):
    document = json.loads((MODELS / "iris.json").read_text())
    del document["train"]
    document["data"]["csv"] = str(MODELS / "data/iris.csv")
    nbn("run", written(tmp_path, document), "--allow-outside", "--quiet", cwd=tmp_path)
    model = nbn_spec.load(tmp_path / "runs/iris/model.npz")
    table = np.genfromtxt(MODELS / "data/iris.csv", delimiter=",", skip_header=1, usecols=range(4))
    mean = next(values for name, values in model.parameters.items() if name.endswith("/mean"))
    np.testing.assert_allclose(mean, table.mean(axis=0), rtol=1e-5)
