"""Every model that ships compiles, trains, and reaches what it promises."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import nbn_spec
from nbn_spec.spec import ModelSpec, schema

MODELS = sorted((Path(__file__).parent.parent / "models").glob("*.json"))
EXPECTED = {
    "and",
    "digits",
    "iris",
    "iris_virginica",
    "or",
    "or_no_bias",
    "three_equations",
    "xor",
    "xor_feature_cross",
    "xor_hidden_layer",
    "xor_three_layers",
}


def model_of(name: str) -> nbn_spec.Model:
    return nbn_spec.compile(MODELS[0].parent / f"{name}.json")


def test_all_are_here():
    assert {path.stem for path in MODELS} == EXPECTED


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_document_is_described_checked_and_round_trips(path):
    document = json.loads(path.read_text())
    assert document["name"] == path.stem
    assert len(document["doc"]) > 20
    assert (path.parent / document["$schema"]).resolve().is_file()
    schema.check(document)
    assert ModelSpec.model_validate(document).to_json() == document


@pytest.mark.parametrize("name", sorted(EXPECTED - {"three_equations"}))
def test_training_lowers_the_loss_and_the_archive_predicts_the_same(name, tmp_path):
    model = model_of(name)
    history = model.fit(epochs=5)
    if name == "or_no_bias":
        assert history["loss"] == [0.125] * 5
    else:
        assert history["loss"][-1] < history["loss"][0]
    model.save(tmp_path / "model.npz")
    again = nbn_spec.load(tmp_path / "model.npz")
    data = model.data(model.graph.needed_inputs(model.graph.outputs))
    np.testing.assert_array_equal(model.predict(data), again.predict(data))


def test_and_is_learned():
    model = model_of("and")
    model.fit()
    answers = model.predict([[0, 0], [0, 1], [1, 0], [1, 1]]).ravel() > 0.5
    assert answers.tolist() == [False, False, False, True]


def test_a_neuron_without_bias_cannot_learn_from_zeros():
    model = model_of("or_no_bias")
    model.fit(epochs=100)
    np.testing.assert_array_equal(model.parameters["z/weight"], [[0.1, 0.6]])


def test_xor_with_three_layers_is_learned():
    model = model_of("xor_three_layers")
    model.fit()
    assert model.evaluate()["binary_accuracy"] == 1
    assert model.evaluate()["loss"] < 1e-3


def test_iris_reaches_096():
    model = model_of("iris")
    model.fit()
    assert model.evaluate()["accuracy"] >= 0.96


def test_iris_virginica_reaches_094():
    model = model_of("iris_virginica")
    model.fit()
    assert model.evaluate()["binary_accuracy"] >= 0.94


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_digits_reach_096_on_the_part_that_is_held_back(seed):
    model = nbn_spec.compile(MODELS[0].parent / "digits.json", seed=seed)
    history = model.fit()
    assert history["val_accuracy"][-1] >= 0.96
