"""Training against loops written in plain NumPy, and everything that may happen on the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from networks import Reference, bowl, examples, orders, parts, same_parameters, standardized, two_layers

import nbn_spec
from nbn_spec.train import History, Training

ROOT = Path(__file__).parent.parent
SIZES = [1, 2, 3, 4, 9, 10, 11, "all"]


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_history_and_parameters_equal_a_plain_loop(size, shuffle):
    document = two_layers(10, batch_size=size, shuffle=shuffle, epochs=5)
    model = nbn_spec.compile(document)
    reference = Reference(model)
    x, y = examples(10)
    history = model.fit()
    drawn, batch = orders(5, 10), 10 if size == "all" else size
    expected = []
    for _ in range(5):
        order = next(drawn) if shuffle and batch < 10 else np.arange(10)
        expected.append(reference.epoch(x, y, order, batch))
    np.testing.assert_allclose(history["loss"], expected, rtol=0, atol=1e-12)
    same_parameters(model, reference)
    assert history["loss"][-1] < history["loss"][0]


def test_steps_in_an_epoch_count_the_partial_batch():
    steps = [nbn_spec.compile(two_layers(10, batch_size=size)).trainer().steps_per_epoch for size in SIZES]
    assert steps == [10, 5, 4, 3, 2, 1, 1, 1]


def test_every_epoch_has_another_order_and_misses_no_example():
    trainer = nbn_spec.compile(two_layers(10, batch_size=3)).trainer(epochs=1)
    seen = []
    for _ in range(4):
        rows = []
        for batch in trainer.batches:
            rows += [tuple(row) for row in batch.interpreter.arrays["x"].copy()]
        assert sorted(rows) == sorted(map(tuple, trainer.data["x"]))
        seen.append(tuple(rows))
    assert len(set(seen)) == 4


def test_examples_stay_with_their_targets_and_class_numbers():
    x = np.arange(12.0).reshape(-1, 1)
    document = {
        "name": "pairs",
        "inputs": {"x": {"shape": ["N", 1]}, "label": {"shape": ["N"], "dtype": "int64"}},
        "nodes": [{"name": "z", "op": "linear", "inputs": "x", "units": 12}],
        "outputs": ["z"],
        "loss": {"op": "sparse_categorical_crossentropy", "inputs": ["z", "label"], "from_logits": True},
        "train": {"batch_size": 5},
    }
    trainer = nbn_spec.compile(document).trainer({"x": x, "label": np.arange(12)})
    for batch in trainer.batches:
        arrays = batch.interpreter.arrays
        assert arrays["label"].dtype == np.int64
        np.testing.assert_array_equal(arrays["x"][:, 0], arrays["label"])


def test_a_full_batch_is_read_where_it_lies():
    x, y = examples(10)
    for size in ("all", 10, 1000):
        trainer = nbn_spec.compile(two_layers(10, batch_size=size)).trainer({"x": x, "y": y})
        (batch,) = trainer.batches.batches
        assert batch.interpreter.arrays["x"] is trainer.data["x"]
        assert np.shares_memory(trainer.data["x"], x)
        assert trainer.batches.order is None


def test_training_leaves_the_data_as_it_is():
    x, y = examples(10)
    before = x.copy(), y.copy()
    for array in (x, y):
        array.flags.writeable = False
    for size in ("all", 3):
        nbn_spec.compile(two_layers(10, batch_size=size)).fit({"x": x, "y": y}, epochs=3)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(y, before[1])


PROGRAM = """
import sys, json, nbn_spec
model = nbn_spec.compile(json.loads(sys.argv[1]))
history = model.fit()
print(model.flat.tobytes().hex(), json.dumps(history.columns))
"""


def trained_elsewhere(document, hash_seed):
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PROGRAM, json.dumps(document)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def test_two_processes_train_the_same_bits():
    document = two_layers(20, batch_size=3, validation={"fraction": 0.2}, optimizer="adam")
    first, second = (trained_elsewhere(document, hash_seed) for hash_seed in "12")
    assert first == second
    assert trained_elsewhere({**document, "seed": 6}, "1") != first


# Validation


@pytest.mark.parametrize("size", [4, "all"])
def test_validation_columns_are_measured_after_each_epoch(size):
    model = nbn_spec.compile(two_layers(20, batch_size=size, shuffle=False, validation={"fraction": 0.25}))
    reference, (x, y) = Reference(model), examples(20)
    training, held_back = parts(20, 0.25)
    history = model.fit()
    assert list(history.columns) == ["loss", "val_loss"]
    for epoch in range(4):
        loss = reference.epoch(x[training], y[training], np.arange(15), 15 if size == "all" else size)
        assert history["loss"][epoch] == pytest.approx(loss, abs=1e-12)
        assert history["val_loss"][epoch] == pytest.approx(reference.loss(x[held_back], y[held_back]), abs=1e-12)
    same_parameters(model, reference)


def test_held_back_examples_are_others_and_drawn_by_the_seed():
    document = two_layers(20, validation={"fraction": 0.3})
    trainer = nbn_spec.compile(document).trainer()
    held = {tuple(row) for row in trainer.held_back["x"]}
    kept = {tuple(row) for row in trainer.data["x"]}
    assert (len(held), len(kept)) == (6, 14)
    assert held | kept == set(map(tuple, examples(20)[0]))
    again = nbn_spec.compile(document).trainer().held_back["x"]
    assert held == {tuple(row) for row in again}
    other = nbn_spec.compile(document, seed=99).trainer().held_back["x"]
    assert held != {tuple(row) for row in other}


def test_held_back_examples_do_not_touch_the_parameters():
    x, y = examples(20)
    _, held_back = parts(20, 0.25)
    results = []
    for change in (0.0, 7.0):
        moved = y.copy()
        moved[held_back] += change
        model = nbn_spec.compile(two_layers(20, batch_size=4, validation={"fraction": 0.25}))
        history = model.fit({"x": x, "y": moved})
        results.append((model.flat.copy(), history["loss"], history["val_loss"]))
    np.testing.assert_array_equal(results[0][0], results[1][0])
    assert results[0][1] == results[1][1]
    assert results[0][2] != results[1][2]


@pytest.mark.parametrize(("count", "fraction"), [(4, 0.1), (4, 0.9), (1, 0.5)])
def test_a_fraction_that_leaves_a_part_empty_is_refused(count, fraction):
    model = nbn_spec.compile(two_layers(count, validation={"fraction": fraction}))
    with pytest.raises(nbn_spec.TrainingError, match=rf"a fraction of {fraction} of {count} examples leaves one"):
        model.fit()


def test_statistics_are_those_of_the_training_part_and_stay():
    model, (x, y) = nbn_spec.compile(standardized(20, validation={"fraction": 0.25}, batch_size=4)), examples(20)
    model.fit({"x": x, "y": y})
    training, _ = parts(20, 0.25)
    np.testing.assert_allclose(model.parameters["even/mean"], x[training].mean(0), rtol=1e-12)
    np.testing.assert_allclose(model.parameters["even/std"], x[training].std(0), rtol=1e-12)


def test_a_fixed_matrix_is_not_split_and_not_batched():
    x, y = examples(9)
    document = {
        "name": "mixed",
        "dtype": "float64",
        "inputs": {"x": {"shape": ["N", 3]}, "mix": {"shape": [3, 2]}, "y": {"shape": ["N", 2]}},
        "parameters": {"scale": {"value": [1.0, 1.0]}},
        "nodes": [
            {"name": "mixed", "op": "matmul", "inputs": ["x", "mix"]},
            {"name": "out", "op": "multiply", "inputs": ["mixed", "scale"]},
        ],
        "outputs": ["out"],
        "loss": {"op": "mean_squared_error", "inputs": ["out", "y"]},
        "train": {
            "epochs": 3,
            "batch_size": 2,
            "shuffle": False,
            "validation": {"fraction": 0.2},
            "optimizer": {"name": "sgd", "learning_rate": 0.1},
        },
    }
    mix = np.arange(6.0).reshape(3, 2) / 5
    model = nbn_spec.compile(document)
    history = model.fit({"x": x, "mix": mix, "y": y})
    training, held_back = parts(9, 0.2, seed=0)
    scale = np.ones(2)
    for epoch in range(3):
        total = 0.0
        for start in range(0, 7, 2):
            rows = training[start : start + 2]
            mixed = x[rows] @ mix
            e = mixed * scale - y[rows]
            total += (e**2).mean() * len(rows)
            scale = scale - 0.1 * (2 * e * mixed / e.size).sum(0)
        val = ((x[held_back] @ mix * scale - y[held_back]) ** 2).mean()
        assert history["loss"][epoch] == pytest.approx(total / 7, abs=1e-12)
        assert history["val_loss"][epoch] == pytest.approx(val, abs=1e-12)
    np.testing.assert_allclose(model.parameters["scale"], scale, rtol=0, atol=1e-12)


def test_several_inputs_are_batched_together():
    x, y = examples(10)
    document = two_layers(10, batch_size=3)
    document["inputs"]["more"] = {"shape": ["N", 4]}
    document["nodes"].insert(1, {"name": "sum", "op": "add", "inputs": ["h", "more"]})
    del document["data"]
    one, other = nbn_spec.compile(document), nbn_spec.compile(two_layers(10, batch_size=3))
    history = one.fit({"x": x, "more": np.zeros((10, 4)), "y": y})
    assert history["loss"] == other.fit()["loss"]
    changed = nbn_spec.compile(document).fit({"x": x, "more": np.ones((10, 4)), "y": y})
    assert changed["loss"] != history["loss"]
    with pytest.raises(nbn_spec.DataError, match="same number of examples"):
        one.fit({"x": x, "more": np.zeros((9, 4)), "y": y})


# Other ways to train


def test_a_function_without_data_is_minimized():
    model = nbn_spec.compile(bowl(3.0))
    history = model.fit()
    w = 3.0 * 0.8 ** np.arange(101)
    np.testing.assert_allclose(history["loss"], w[:-1] ** 2, rtol=1e-12)
    assert model.parameters["w"] == pytest.approx(w[-1], rel=1e-12)


def test_no_epochs_train_nothing():
    model = nbn_spec.compile(two_layers(validation={"fraction": 0.2}))
    before = model.flat.copy()
    called = []
    history = model.fit(epochs=0, on_epoch=lambda *row: called.append(row))
    assert (len(history), history.columns, history.interrupted) == (0, {"loss": [], "val_loss": []}, False)
    assert called == []
    np.testing.assert_array_equal(model.flat, before)


def test_epochs_and_data_of_the_call_go_before_those_of_the_spec():
    x, y = examples(6, seed=3)
    document = two_layers(10)
    model, other = nbn_spec.compile(document), nbn_spec.compile(two_layers(data=(x, y)))
    assert model.fit({"x": x, "y": y}, epochs=np.int64(7)).columns == other.fit(epochs=7).columns
    assert len(other.fit()) == 4


@pytest.mark.parametrize("epochs", [-1, 1.0, True, "3", np.bool_(True)])
def test_epochs_must_be_a_whole_number(epochs):
    with pytest.raises(nbn_spec.TrainingError, match="epochs: must be a whole number of at least 0, got"):
        nbn_spec.compile(two_layers()).fit(epochs=epochs)


def test_fitting_again_continues():
    once, twice = (nbn_spec.compile(two_layers()) for _ in range(2))
    whole = once.fit(epochs=6)["loss"]
    assert twice.fit(epochs=2)["loss"] + twice.fit(epochs=4)["loss"] == whole
    np.testing.assert_array_equal(once.flat, twice.flat)


def test_a_trainer_continues_with_its_optimizer_and_its_shuffling():
    document = two_layers(optimizer="adam", batch_size=3)
    once, twice = (nbn_spec.compile(document) for _ in range(2))
    whole = once.fit(epochs=6)["loss"]
    trainer = twice.trainer(epochs=3)
    assert trainer.run()["loss"] + trainer.run()["loss"] == whole
    np.testing.assert_array_equal(once.flat, twice.flat)


def test_on_epoch_sees_every_row():
    rows = []
    document = two_layers(validation={"fraction": 0.2})
    history = nbn_spec.compile(document).fit(on_epoch=lambda epoch, row: rows.append((epoch, dict(row))))
    assert rows == [(epoch, history.row(epoch)) for epoch in range(4)]
    assert set(rows[0][1]) == {"loss", "val_loss"}


class After:
    """Asks for the end after so many steps."""

    def __init__(self, steps):
        self.left, self.asked = steps, 0

    def __call__(self):
        self.asked += 1
        return self.asked >= self.left


@pytest.mark.parametrize(
    ("steps", "epochs", "interrupted"), [(1, 0, True), (4, 1, True), (6, 1, True), (8, 2, True), (16, 4, False)]
)
def test_stop_ends_after_the_step_in_hand(steps, epochs, interrupted):
    document = two_layers(10, batch_size=3)
    model, whole = nbn_spec.compile(document), nbn_spec.compile(document).fit()
    reference, (x, y), drawn, done = Reference(model), examples(10), orders(5, 10), 0
    while done < steps:
        order = next(drawn)
        for start in range(0, 10, 3):
            if done < steps:
                rows = order[start : start + 3]
                reference.step(x[rows], y[rows])
                done += 1
    stop = After(steps)
    history = model.fit(stop=stop)
    assert (stop.asked, len(history), history.interrupted) == (steps, epochs, interrupted)
    assert history["loss"] == whole["loss"][:epochs]
    same_parameters(model, reference)


def test_a_full_batch_that_is_stopped_keeps_the_epoch_it_finished():
    model = nbn_spec.compile(two_layers(validation={"fraction": 0.2}))
    history = model.fit(stop=After(2))
    assert (len(history), len(history["val_loss"]), history.interrupted) == (2, 2, True)


def test_frozen_parameters_stay_and_the_others_move():
    document = two_layers(optimizer="adam")
    document["nodes"][0]["weight"] = {"init": "xavier", "trainable": False}
    model = nbn_spec.compile(document)
    before = {name: values.copy() for name, values in model.parameters.items()}
    model.fit()
    moved = {name for name, values in model.parameters.items() if (values != before[name]).any()}
    assert moved == set(before) - {"h/linear/weight"}
    np.testing.assert_array_equal(model.parameters["h/linear/weight"], before["h/linear/weight"])


def test_a_parameter_that_the_loss_does_not_need_stays():
    document = two_layers(optimizer="adam")
    document["nodes"].append({"name": "aside", "op": "linear", "inputs": "x", "units": 2})
    document["outputs"].append("aside")
    model = nbn_spec.compile(document)
    before = model.parameters["aside/weight"].copy()
    model.fit()
    np.testing.assert_array_equal(model.parameters["aside/weight"], before)


def test_nothing_to_train_is_refused():
    document = two_layers()
    del document["loss"], document["train"]
    with pytest.raises(nbn_spec.TrainingError, match=r'two_layers: has no loss to minimize\n   help: add "loss"'):
        nbn_spec.compile(document).fit({"x": [[1, 2, 3]], "y": [[1, 2]]})
    frozen = bowl(3.0)
    frozen["parameters"]["w"]["trainable"] = False
    with pytest.raises(nbn_spec.TrainingError, match="depends on no trainable parameter"):
        nbn_spec.compile(frozen).fit()


@pytest.mark.parametrize(
    "train",
    [
        {"epochs": "3"},
        {"optimizer": {"name": "magic"}},
        {"optimizer": {}},
        {"optimizer": "sgd"},
        {"metrics": [["accuracy"]]},
        {"metrics": 3},
        {"validation": {"fraction": 2}},
        {"epoch": 3},
        [1],
        "ab",
    ],
)
def test_a_damaged_description_is_refused(train):
    with pytest.raises(nbn_spec.TrainingError, match="train: is no description of a training: "):
        Training.from_canonical(train)


@pytest.mark.parametrize(("epochs", "every", "expected"), [(10, 4, [0, 4, 8, 9]), (3, None, [0, 1, 2])])
def test_which_epochs_are_logged(epochs, every, expected):
    training = Training(epochs=epochs, log_every=every)
    assert [epoch for epoch in range(epochs) if training.logged(epoch)] == expected


def test_left_to_itself_the_log_has_about_twenty_lines():
    for epochs in (20, 1000, 5000):
        training = Training(epochs=epochs)
        assert 20 <= sum(map(training.logged, range(epochs))) <= 21


def test_history_is_saved_with_every_digit(tmp_path):
    history = nbn_spec.compile(two_layers(validation={"fraction": 0.2})).fit()
    history.save(tmp_path / "history.csv")
    header, *rows = (tmp_path / "history.csv").read_text().splitlines()
    assert header == "epoch,loss,val_loss"
    found = [[float(cell) for cell in row.split(",")] for row in rows]
    assert found == [[epoch, history["loss"][epoch], history["val_loss"][epoch]] for epoch in range(4)]
    History({"loss": []}).save(tmp_path / "empty.csv")
    assert (tmp_path / "empty.csv").read_text() == "epoch,loss\n"
