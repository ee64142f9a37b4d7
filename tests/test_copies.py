"""Models that are copied, pickled, or written into stay whole."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest

import nbn_spec

IRIS = Path(__file__).parent.parent / "models" / "iris.json"
X = np.array([[5.1, 3.5, 1.4, 0.2], [6.3, 2.9, 5.6, 1.8]], np.float32)
COPIES = {"deepcopy": copy.deepcopy, "pickle": lambda model: pickle.loads(pickle.dumps(model))}


@pytest.fixture
def model():
    made = nbn_spec.compile(IRIS)
    made.predict(X)
    return made


@pytest.mark.parametrize("how", COPIES.values(), ids=COPIES.keys())
def test_a_copy_computes_for_itself(model, how):
    first = model.predict(X)
    other = how(model)
    np.testing.assert_array_equal(other.predict(X), first)
    assert not np.array_equal(other.predict(5 * X), first)
    for part in ("weight", "bias"):
        other.parameters[f"logits/{part}"][...] = 0
    np.testing.assert_allclose(other.predict(X), 1 / 3, rtol=1e-6)
    np.testing.assert_array_equal(model.predict(X), first)


@pytest.mark.parametrize("how", COPIES.values(), ids=COPIES.keys())
def test_a_copy_trains_as_the_original_does(model, how):
    other = how(model)
    assert model.fit(epochs=2).columns == other.fit(epochs=2).columns
    np.testing.assert_array_equal(model.predict(X), other.predict(X))


def test_parameters_are_written_in_place_or_not_at_all(model):
    with pytest.raises(TypeError):
        model.parameters["logits/bias"] = np.ones(3)
    with pytest.raises(AttributeError):
        model.flat = np.zeros_like(model.flat)
    model.parameters["logits/bias"][...] = [0, 0, 50]
    np.testing.assert_allclose(model.predict(X)[:, 2], 1, rtol=1e-6)


def test_what_is_loaded_asks_for_data(tmp_path, model, monkeypatch):
    model.save(tmp_path / "iris.npz")
    monkeypatch.chdir(IRIS.parent)
    again = nbn_spec.load(tmp_path / "iris.npz")
    for use in (again.fit, again.evaluate, again.gradients, again.trace, again.data):
        with pytest.raises(nbn_spec.DataError, match="give arrays"):
            use()
    assert again.evaluate(model.data()) == model.evaluate()


@pytest.mark.parametrize("how", COPIES.values(), ids=COPIES.keys())
def test_a_trainer_is_not_copied(model, how):
    with pytest.raises(TypeError, match="copy its model"):
        how(model.trainer())
