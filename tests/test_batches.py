"""Examples a few at a time: measuring in parts equals measuring at once, and memory stays small."""

from __future__ import annotations

import numpy as np
import pytest
from networks import examples, two_layers

import nbn_spec
from nbn_spec import batches
from nbn_spec.plan import plan


def test_large_data_is_measured_in_parts(monkeypatch):
    document = two_layers(50, batch_size=7, validation={"fraction": 0.4}, metrics=[])
    whole = nbn_spec.compile(document).trainer(epochs=1)
    history = whole.run()
    monkeypatch.setattr(batches, "MEASURED", 8)
    parts = nbn_spec.compile(document).trainer(epochs=1)
    assert [batch.examples for batch in parts.validation.batches] == [8, 4]
    assert parts.run()["val_loss"] == pytest.approx(history["val_loss"], rel=1e-14)
    for part, values in whole.measure().items():
        assert parts.measure()[part] == pytest.approx(values, rel=1e-14)


def test_evaluate_in_parts_equals_evaluate_at_once(monkeypatch):
    model = nbn_spec.compile(two_layers(50, batch_size=7))
    once = model.evaluate()
    sizes = []
    monkeypatch.setattr(batches, "MEASURED", 16)
    monkeypatch.setattr(
        batches, "plan", lambda graph, sizes_, *a, **k: sizes.append(sizes_["N"]) or plan(graph, sizes_, *a, **k)
    )
    assert model.evaluate() == pytest.approx(once, rel=1e-14)
    assert sizes == [16, 2]


def test_a_full_batch_is_measured_at_once(monkeypatch):
    monkeypatch.setattr(batches, "MEASURED", 8)
    trainer = nbn_spec.compile(two_layers(50, validation={"fraction": 0.4})).trainer()
    assert [batch.examples for batch in trainer.validation.batches] == [20]


def test_gradients_of_many_readers_do_not_pile_up():
    """The parts of a gradient are added as they come: memory does not grow with the number of readers."""

    def arena(readers: int) -> int:
        nodes = [{"name": "h", "op": "multiply", "inputs": ["x", "w"]}]
        for i in range(readers):
            nodes.append({"name": f"r{i}", "op": "sin", "inputs": "h"})
            nodes.append({"name": f"s{i}", "op": "sum", "inputs": f"r{i}"})
        nodes += [{"name": "all0", "op": "add", "inputs": ["s0", "s1"]}]
        nodes += [
            {"name": f"all{i}", "op": "add", "inputs": [f"all{i - 1}", f"s{i + 1}"]} for i in range(1, readers - 1)
        ]
        document = {
            "name": "fan",
            "inputs": {"x": {"shape": ["N", 100]}},
            "parameters": {"w": {"value": 2}},
            "nodes": nodes,
            "outputs": ["h"],
            "loss": f"all{readers - 2}",
        }
        graph = nbn_spec.compile(document).graph
        return plan(graph, {"N": 100}, [], backward=True).arena

    one = 100 * 100 * 4
    assert arena(100) - arena(10) < 90 * 1000 + one


def test_a_rate_that_the_dtype_rounds_to_zero_is_refused():
    x, y = examples(4)
    document = two_layers(4, dtype="float32", optimizer={"name": "sgd", "learning_rate": 1e-60})
    with pytest.raises(nbn_spec.TrainingError, match="1e-60 is 0 in float32"):
        nbn_spec.compile(document).fit({"x": x, "y": y})


def test_a_trainer_changes_nothing_before_it_runs():
    model = nbn_spec.compile(two_layers(10))
    before = model.flat.copy()
    model.trainer()
    np.testing.assert_array_equal(model.flat, before)
