"""What the metrics count, on arrays small enough to count by hand."""

from __future__ import annotations

import numpy as np
import pytest

import nbn_spec
from nbn_spec.metrics import METRICS


def passing(output=("N", 3), target=("N",), integer=True, loss=None, metrics=("accuracy",), **train):
    """A model whose output is its input, so that predictions are what a test says."""
    spec = {
        "name": "passing",
        "dtype": "float64",
        "inputs": {
            "p": {"shape": list(output)},
            "t": {"shape": list(target), **({"dtype": "int64"} if integer else {})},
        },
        "parameters": {"w": {"value": 0.0}},
        "nodes": [{"name": "out", "op": "add", "inputs": ["p", "w"]}],
        "outputs": ["out"],
        "loss": loss or {"op": "sparse_categorical_crossentropy", "inputs": ["out", "t"], "from_logits": True},
        "train": {"metrics": list(metrics), "epochs": 1, **train},
    }
    return nbn_spec.compile(spec)


def binary(metric="binary_accuracy", loss="squared_error", width=("N", 1), **attributes):
    inline = {"op": loss, "inputs": ["out", "t"], **attributes}
    return passing(width, width, integer=False, loss=inline, metrics=[metric])


SCORES = [[0.1, 0.7, 0.2], [0.5, 0.3, 0.2], [0.1, 0.2, 0.7], [-1.0, -3.0, -2.0]]


@pytest.mark.parametrize(("classes", "share"), [([1, 0, 2, 0], 1.0), ([1, 0, 2, 1], 0.75), ([0, 1, 0, 2], 0.0)])
def test_accuracy_with_class_numbers_and_with_one_hot(classes, share):
    assert passing().evaluate({"p": SCORES, "t": classes})["accuracy"] == share
    loss = {"op": "categorical_crossentropy", "inputs": ["out", "t"], "from_logits": True}
    one_hot = passing(target=("N", 3), integer=False, loss=loss)
    assert one_hot.evaluate({"p": SCORES, "t": np.eye(3)[classes]})["accuracy"] == share


def test_accuracy_over_more_axes_counts_every_place():
    model = passing(("N", 2, 3), ("N", 2))
    scores = np.array(SCORES).reshape(2, 2, 3)
    assert model.evaluate({"p": scores, "t": [[1, 0], [2, 1]]})["accuracy"] == 0.75


def test_the_first_of_equal_scores_is_chosen():
    assert passing().evaluate({"p": [[1, 1, 1]], "t": [0]})["accuracy"] == 1
    assert passing().evaluate({"p": [[1, 1, 1]], "t": [1]})["accuracy"] == 0


P = [[0.5], [0.51], [0.2], [0.9]]


def test_binary_accuracy_is_above_the_threshold_not_at_it():
    assert binary().evaluate({"p": P, "t": [[0], [1], [0], [1]]})["binary_accuracy"] == 1
    assert binary().evaluate({"p": P, "t": [[1], [1], [0], [0]]})["binary_accuracy"] == 0.5


@pytest.mark.parametrize(("threshold", "share"), [(0.15, 0.5), (0.5, 1.0), (0.6, 0.75), (1, 0.5), (-3, 0.5)])
def test_binary_accuracy_with_a_threshold_of_its_own(threshold, share):
    model = binary({"name": "binary_accuracy", "threshold": threshold})
    assert model.evaluate({"p": P, "t": [[0], [1], [0], [1]]})["binary_accuracy"] == share


def test_scores_are_decided_at_zero():
    scores = [[0.3], [-0.3], [0.0], [4.0]]
    logits = binary(loss="binary_crossentropy", from_logits=True)
    assert logits.evaluate({"p": scores, "t": [[1], [0], [0], [1]]})["binary_accuracy"] == 1
    hinge = binary(loss="hinge")
    assert hinge.evaluate({"p": scores, "t": [[1], [-1], [-1], [1]]})["binary_accuracy"] == 1
    assert hinge.evaluate({"p": scores, "t": [[1], [-1], [1], [-1]]})["binary_accuracy"] == 0.5


def test_probabilities_beside_scores_are_decided_at_one_half():
    spec = {
        "name": "beside",
        "inputs": {"x": {"shape": ["N", 1]}, "t": {"shape": ["N", 1]}},
        "nodes": [
            {"name": "logit", "op": "linear", "inputs": "x", "weight": {"value": [[1]]}},
            {"name": "probability", "op": "sigmoid"},
        ],
        "outputs": ["probability"],
        "loss": {"op": "binary_crossentropy", "inputs": ["logit", "t"], "from_logits": True},
        "train": {"metrics": ["binary_accuracy", {"name": "binary_accuracy", "output": "logit"}]},
    }
    found = nbn_spec.compile(spec).evaluate({"x": [[0.2], [-0.2]], "t": [[1], [0]]})
    assert list(found) == ["loss", "probability_binary_accuracy", "logit_binary_accuracy"]
    assert found["probability_binary_accuracy"] == found["logit_binary_accuracy"] == 1


def test_several_columns_count_by_themselves():
    model = binary(width=("N", 2))
    assert model.evaluate({"p": [[1, 0], [1, 0]], "t": [[1, 1], [0, 0]]})["binary_accuracy"] == 0.5


def test_a_threshold_means_the_same_in_single_precision():
    spec = binary({"name": "binary_accuracy", "threshold": 0.1}).spec
    model = nbn_spec.compile({**without_nulls(spec), "dtype": "float32"})
    assert model.evaluate({"p": [[0.1]], "t": [[0]]})["binary_accuracy"] == 1


def without_nulls(spec):
    return {key: value for key, value in spec.items() if value is not None}


# Where there is nothing to compare


def problem(*arguments, **settings):
    with pytest.raises(nbn_spec.TrainingError) as caught:
        passing(*arguments, **settings).fit({})
    return caught.value.problems[0]


def test_one_column_has_no_largest():
    squared = {"op": "squared_error", "inputs": ["out", "t"]}
    found = problem(("N", 1), ("N", 1), integer=False, loss=squared)
    assert found.where == "/train/metrics/0"
    assert "for one column: binary_accuracy" in found.message
    assert '"out" is [N, 1], "t" is [N, 1]' in found.message


def test_shapes_that_do_not_fit():
    found = problem(metrics=["accuracy", "binary_accuracy"])
    assert found.where == "/train/metrics/1"
    assert 'compares arrays of equal shape; "out" is [N, 3], "t" is [N]' in found.message


@pytest.mark.parametrize("key", ["output", "target"])
def test_an_unknown_name(key):
    found = problem(metrics=[{"name": "accuracy", key: "outt"}])
    assert found.where == ("/train/metrics/0/output" if key == "output" else "/train/metrics/0")
    assert 'nothing is called "outt"' in found.message
    assert 'did you mean "out"' in found.hint


def test_a_loss_without_a_target():
    spec = {
        "name": "no_target",
        "parameters": {"w": {"value": [1.0, 2.0]}},
        "nodes": [{"name": "cost", "op": "sum", "inputs": "w"}],
        "outputs": ["w"],
        "loss": "cost",
        "train": {"metrics": ["binary_accuracy"]},
    }
    with pytest.raises(nbn_spec.TrainingError, match=r'has no target\n   help: name the input .*: "target"'):
        nbn_spec.compile(spec)


def test_the_same_twice():
    same = [{"name": "accuracy", "output": "out"}, "accuracy"]
    with pytest.raises(nbn_spec.TrainingError, match='"out_accuracy" is measured twice'):
        passing(metrics=same).evaluate({"p": SCORES, "t": [0] * 4})
    with pytest.raises(nbn_spec.TrainingError, match='"out_accuracy" is measured twice'):
        passing(metrics=same).trainer({"p": SCORES, "t": [0] * 4})


def test_a_target_that_only_the_metric_reads():
    document = without_nulls(passing().spec)
    document["inputs"] = {**document["inputs"], "other": {"shape": ["N"], "dtype": "int64"}}
    document["train"] = {**document["train"], "metrics": [{"name": "accuracy", "target": "other"}]}
    model = nbn_spec.compile(document)
    data = {"p": SCORES, "t": [0, 0, 0, 0], "other": [1, 0, 2, 1]}
    assert model.evaluate(data)["accuracy"] == 0.75
    assert model.fit(data)["accuracy"] == [0.75]
    for call in (model.evaluate, model.fit):
        with pytest.raises(nbn_spec.DataError, match="other: is needed"):
            call({"p": SCORES, "t": [0, 0, 0, 0]})


# In training


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, "all"])
def test_a_partial_batch_weighs_what_it_holds(size):
    rng = np.random.default_rng(3)
    scores, classes = rng.normal(size=(7, 3)), rng.integers(0, 3, 7)
    model = passing(batch_size=size, optimizer={"name": "sgd", "learning_rate": 1e-9})
    history = model.fit({"p": scores, "t": classes}, epochs=2)
    share = (scores.argmax(1) == classes).mean()
    assert history["accuracy"] == pytest.approx([share, share], abs=1e-15)
    assert 0 < share < 1


def test_validation_is_measured_too():
    rng = np.random.default_rng(3)
    scores, classes = rng.normal(size=(40, 3)), rng.integers(0, 3, 40)
    model = passing(validation={"fraction": 0.25}, batch_size=8)
    trainer = model.trainer({"p": scores, "t": classes})
    history = trainer.run()
    assert list(history.columns) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    for column, part in (("accuracy", trainer.data), ("val_accuracy", trainer.held_back)):
        assert history[column] == [pytest.approx((part["p"].argmax(1) == part["t"]).mean())]
    measured = trainer.measure()
    assert measured["training"]["accuracy"] == pytest.approx(history["accuracy"][0])
    assert measured["validation"]["accuracy"] == history["val_accuracy"][0]


def test_every_metric_says_its_equation():
    assert set(METRICS) == {"accuracy", "binary_accuracy"}
    for word, metric in METRICS.items():
        assert metric.word() == word
        assert metric.equation


def test_scores_are_known_behind_a_sum_of_losses():
    document = {
        "name": "penalized",
        "inputs": {"z": {"shape": ["N", 1]}, "y": {"shape": ["N", 1]}},
        "parameters": {"w": {"value": 1}},
        "nodes": [
            {"name": "s", "op": "multiply", "inputs": ["z", "w"]},
            {"name": "fit", "op": "binary_crossentropy", "inputs": ["s", "y"], "from_logits": True},
            {"name": "size", "op": "square", "inputs": "w"},
            {"name": "cost", "op": "add", "inputs": ["fit", "size"]},
        ],
        "outputs": ["s"],
        "loss": "cost",
        "train": {"metrics": [{"name": "binary_accuracy", "target": "y"}]},
    }
    model = nbn_spec.compile(document)
    assert model.evaluate({"z": [[0.3], [-0.3]], "y": [[1], [0]]})["binary_accuracy"] == 1


def test_a_target_that_the_model_computes_is_none():
    document = {
        "name": "swapped",
        "inputs": {"x": {"shape": ["N", 1]}, "y": {"shape": ["N", 1]}},
        "nodes": [{"name": "out", "op": "linear", "inputs": "x", "units": 1}],
        "outputs": ["out"],
        "loss": {"op": "mean_squared_error", "inputs": ["y", "out"]},
        "train": {"metrics": ["binary_accuracy"]},
    }
    with pytest.raises(nbn_spec.TrainingError, match='"out" is computed by the model'):
        nbn_spec.compile(document)
