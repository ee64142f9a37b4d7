"""Where training ends because a number leaves the finite: what the error names, and what it keeps."""

from __future__ import annotations

import numpy as np
import pytest
from networks import bowl, examples, parts, standardized, two_layers

import nbn_spec


def diverged(document, **data):
    model = nbn_spec.compile(document)
    with pytest.raises(nbn_spec.Diverged) as caught:
        model.fit(data or None)
    return caught.value.problems[0], caught.value.history


def test_a_rate_far_too_large():
    document = two_layers(dtype="float32", optimizer={"name": "sgd", "learning_rate": 1e30})
    problem, history = diverged(document)
    assert problem.code == "NBN401"
    assert problem.where == "epoch 1, step 0"
    node = 'node "mean_squared_error_1" (mean_squared_error)'
    assert f"{node} is the first whose value is not finite" in problem.message
    assert "try a smaller learning rate than 1e+30" in problem.hint
    assert len(history) == 1


def test_the_step_is_named_and_the_parameter_that_left_the_finite():
    x, y = examples(10)
    document = two_layers(batch_size=5, dtype="float32", optimizer={"name": "sgd", "learning_rate": 1e38})
    problem, history = diverged(document, x=x, y=y * 100)
    assert problem.where == "epoch 0, step 1"
    assert problem.message.endswith('; parameter "h/linear/weight" had left the finite in an update before')
    assert 'node "h/linear" (linear)' in problem.message
    assert (len(history), history.columns) == (0, {"loss": []})


def test_the_logarithm_of_a_negative_number_before_any_update():
    problem, history = diverged(bowl(-1.0, op="log"))
    assert problem.where == "epoch 0, step 0"
    assert 'node "cost" (log)' in problem.message
    assert "parameter" not in problem.message
    assert "logarithm of a number that is not positive" in problem.hint
    assert "no update was made yet" in problem.hint
    assert len(history) == 0


def test_scores_where_probabilities_belong_are_called_so():
    document = two_layers()
    document["loss"] = {"op": "binary_crossentropy", "inputs": ["out", "y"]}
    x, y = examples(10)
    with pytest.raises(nbn_spec.Diverged) as caught:
        nbn_spec.compile(document).fit({"x": x, "y": (y > 0) * 1.0})
    assert '"from_logits": true' in caught.value.problems[0].hint


def test_the_epochs_before_are_kept():
    problem, history = diverged(bowl(1.05, rate=0.5, op="log"))
    losses, w = [], 1.05
    while w > 0:
        losses.append(np.log(w))
        w -= 0.5 / w
    assert history["loss"] == pytest.approx(losses, abs=1e-12)
    assert problem.where == f"epoch {len(losses)}, step 0"
    assert "learning rate than 0.5" in problem.hint


def test_overflow_in_single_precision():
    document = two_layers(dtype="float32")
    document["nodes"].insert(1, {"name": "big", "op": "exp"})
    document["nodes"].insert(1, {"name": "far", "op": "multiply", "inputs": ["h", "hundred"]})
    document["constants"] = {"hundred": 1000}
    problem, _ = diverged(document)
    assert 'node "big" (exp)' in problem.message
    document["dtype"], document["constants"] = "float64", {"hundred": 100}
    assert len(nbn_spec.compile(document).fit(epochs=1)) == 1


def test_a_parameter_that_was_not_finite_to_begin_with():
    model = nbn_spec.compile(two_layers())
    model.parameters["out/bias"][1] = np.nan
    with pytest.raises(nbn_spec.Diverged, match='"out/bias" was not finite to begin with') as caught:
        model.fit()
    assert 'node "out" (linear)' in str(caught.value)


def line(w, rate, epochs, nodes, **parameters):
    """A cost that a slope of 1 leads out of the finite: nothing but the parameters will show it."""
    document = bowl(w, rate, epochs)
    document["parameters"] |= {name: {"value": value} for name, value in parameters.items()}
    return {**document, "constants": {"one": 1.0}, "nodes": nodes}


def test_the_last_update_is_looked_at():
    nodes = [{"name": "cost", "op": "multiply", "inputs": ["w", "one"]}]
    problem, history = diverged(line(-1e308, 1.79e308, 1, nodes))
    assert problem.where == "epoch 0, after its steps"
    assert problem.message == 'training diverged: parameter "w" had left the finite in an update before'
    assert len(history) == 0


def test_what_a_sigmoid_hides_from_the_loss_is_noticed_in_its_epoch():
    nodes = [
        {"name": "line", "op": "multiply", "inputs": ["v", "one"]},
        {"name": "hidden", "op": "sigmoid", "inputs": "line"},
        {"name": "cost", "op": "multiply", "inputs": ["hidden", "w"]},
    ]
    problem, history = diverged(line(1e300, 1e10, 50, nodes, v=0.0))
    assert problem.where == "epoch 0, after its steps"
    assert '"v"' in problem.message
    assert len(history) == 0


def test_large_numbers_that_are_finite_are_no_divergence():
    document = bowl(1e200, rate=0.1, epochs=5)
    document["nodes"] = [{"name": "cost", "op": "multiply", "inputs": ["w", "small"]}]
    document["constants"] = {"small": 1e-3}
    assert len(nbn_spec.compile(document).fit()) == 5


def test_validation_may_diverge_by_itself():
    x, y = examples(20)
    _, held_back = parts(20, 0.25)
    y[held_back[0]] = 1e200
    problem, history = diverged(two_layers(20, validation={"fraction": 0.25}), x=x, y=y)
    assert problem.where == "epoch 0, on the validation part"
    assert '"mean_squared_error_1"' in problem.message
    assert len(history) == 0


def test_statistics_that_overflow_are_named():
    x, y = examples(4)
    with pytest.raises(nbn_spec.Diverged, match='"even/mean" was not finite to begin with') as caught:
        nbn_spec.compile(standardized(4)).fit({"x": np.where(np.arange(4) > 0, 1e308, 0)[:, None] + 0 * x, "y": y})
    assert 'node "even" (standardize)' in str(caught.value)
