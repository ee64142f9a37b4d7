"""Where training ends because a number leaves the finite: what the error names, and what it keeps."""

from __future__ import annotations

import numpy as np
import pytest
from networks import bowl, examples, parts, standardized, two_layers

import nbn_spec
from nbn_spec.optim import Adam, Sgd
from nbn_spec.train import norm, rise, smaller_rate, spread

RATE = ("train", "optimizer", "learning_rate")


def diverged(document, **data):
    model = nbn_spec.compile(document)
    with pytest.raises(nbn_spec.Diverged) as caught:
        model.fit(data or None)
    return caught.value.problems[0], caught.value.history


def test_a_rate_far_too_large():
    document = two_layers(dtype="float32", optimizer={"name": "sgd", "learning_rate": 1e30})
    problem, history = diverged(document)
    assert problem.code == "NBN401"
    assert (problem.where, problem.path) == ("learning_rate", RATE)
    assert problem.message.startswith("training diverged at epoch 1, step 0: ")
    node = 'node "mean_squared_error_1" (mean_squared_error)'
    assert f"{node} is the first whose value is not finite" in problem.message
    assert "try a smaller learning rate than 1e+30, such as 0." in problem.hint
    assert len(history) == 1


def test_the_last_gradients_are_listed_the_largest_first():
    document = two_layers(dtype="float64", optimizer={"name": "sgd", "learning_rate": 1e200})
    _, expected = nbn_spec.compile(document).gradients()
    problem, _ = diverged(document)
    start = problem.notes.index("norms of the last update's gradients:") + 1
    norms = sorted(((np.linalg.norm(values), name) for name, values in expected.items()), reverse=True)
    assert [line.split(" (")[0] for line in problem.notes[start:]] == [
        f'  "{name}": {size:.3g}' for size, name in norms
    ]


def test_no_more_than_five_gradients_are_listed():
    document = two_layers(dtype="float64", optimizer={"name": "sgd", "learning_rate": 1e200})
    deeper = [{"name": f"d{i}", "op": "dense", "units": 4, "activation": "tanh"} for i in range(3)]
    document["nodes"][1:1] = deeper
    notes = diverged(document)[0].notes
    start = notes.index("norms of the last update's gradients (the largest 5 of 10):") + 1
    assert len(notes[start:]) == 5


def test_what_the_node_read_is_told():
    problem, _ = diverged(bowl(-1.0, op="log"))
    assert problem.notes == ('"cost" reads "w": -1',)


def steep(rate, epochs=400, name="sgd"):
    """A straight line through examples of a large scale: a parabola whose curvature is 2 · mean(x²)."""
    x = np.linspace(0, 1000, 50)[:, None]
    document = two_layers(data=(x, 3 * x), epochs=epochs, optimizer={"name": name, "learning_rate": rate})
    document["inputs"] = {"x": {"shape": ["N", 1]}, "y": {"shape": ["N", 1]}}
    document["nodes"] = [{"name": "out", "op": "linear", "inputs": "x", "units": 1}]
    return document


@pytest.mark.parametrize("rate", [1e-5, 1e-3, 0.1, 1e4])
def test_the_rate_that_is_proposed_works(rate):
    hint = diverged(steep(rate))[0].hint
    proposed = float(hint.partition("such as ")[2].partition(";")[0])
    assert proposed <= rate / 10
    history = nbn_spec.compile(steep(proposed)).fit()
    assert history["loss"][-1] < 1e-3 * history["loss"][0]


def test_the_rate_follows_from_the_rise_of_the_cost():
    assert smaller_rate(Sgd(1.0), [5.0, 1.0, 81.0**2, 1e30], 1, np.nan) == 0.01
    assert smaller_rate(Sgd(1.0), [1.0, 81.0**4], 2, np.nan) == 0.01
    assert smaller_rate(Sgd(1.0), [1.0, 2.0], 1, np.nan) == 0.1
    assert smaller_rate(Sgd(1.0), [3.0, 2.0], 1, np.nan) == 0.1
    assert smaller_rate(Sgd(1.0), [1.0], 1, 100.0) == 1e-4
    assert smaller_rate(Sgd(1.0), [], 1, np.inf) == 0.1
    assert smaller_rate(Sgd(1e30), [1.0, 2.0], 1, np.nan) == 1.0
    assert smaller_rate(Adam(1e6), [1.0, 81.0**2], 1, 1e9) == 0.01
    assert smaller_rate(Adam(1e-3), [1.0], 1, np.nan) == 1e-4


def test_a_rise_needs_a_lowest_cost_above_zero_and_one_behind_it():
    assert rise([4.0, 2.0, 6.0, 600.0]) == 3.0
    assert rise([2.0, 1.0]) is None
    assert rise([]) is None
    assert rise([0.0, 1.0]) is None
    assert rise([-1.0, 1.0]) is None


def test_norms_of_what_cannot_be_squared():
    assert norm(np.array([3e200, 4e200])) == pytest.approx(5e200)
    assert norm(np.array([3e-30, 4e-30], np.float32)) == pytest.approx(5e-30)
    assert norm(np.array([1.0, np.inf])) == np.inf
    assert np.isnan(norm(np.array([1.0, np.nan])))
    assert norm(np.zeros(0)) == 0.0


def test_spreads():
    assert spread(np.array([1.0, -2.5, 4.0])) == "from -2.5 to 4"
    assert spread(np.array([1.0, np.nan, np.inf])) == "2 of 3 values not finite"
    assert spread(np.array([0.5])) == "0.5"
    assert spread(np.array([-0.0, 1.0])) == "from 0 to 1"
    assert spread(np.zeros((0, 3))) == "no values"


def test_the_step_is_named_and_the_parameter_that_left_the_finite():
    x, y = examples(10)
    document = two_layers(batch_size=5, dtype="float32", optimizer={"name": "sgd", "learning_rate": 1e38})
    problem, history = diverged(document, x=x, y=y * 100)
    assert problem.path == RATE
    assert problem.message.startswith("training diverged at epoch 0, step 1: ")
    assert problem.message.endswith('; parameter "h/linear/weight" had left the finite in an update before')
    assert 'node "h/linear" (linear)' in problem.message
    assert (len(history), history.columns) == (0, {"loss": []})


def test_the_logarithm_of_a_negative_number_before_any_update():
    problem, history = diverged(bowl(-1.0, op="log"))
    assert (problem.where, problem.path) == ("cost", ("nodes", "cost"))
    assert 'training diverged at epoch 0, step 0: node "cost" (log)' in problem.message
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
    assert f"training diverged at epoch {len(losses)}, step 0: " in problem.message
    assert "learning rate than 0.5, such as 0.05" in problem.hint


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
    when = "epoch 0, after its steps"
    assert problem.message == f'training diverged at {when}: parameter "w" had left the finite in an update before'
    assert problem.path == RATE
    assert len(history) == 0


@pytest.mark.parametrize("epochs", [4, 5, 50])
def test_the_epoch_that_breaks_a_parameter_is_named_and_left_out(epochs):
    """The cost stays finite: it reads a sigmoid of what has left the finite."""
    nodes = [
        {"name": "line", "op": "multiply", "inputs": ["v", "one"]},
        {"name": "hidden", "op": "sigmoid", "inputs": "line"},
        {"name": "other", "op": "multiply", "inputs": ["w", "w"]},
        {"name": "cost", "op": "add", "inputs": ["other", "hidden"]},
    ]
    model = nbn_spec.compile(line(1.0, 0.1, epochs, nodes, v=0.0))
    with pytest.raises(nbn_spec.Diverged) as caught:
        model.fit(on_epoch=lambda epoch, row: epoch == 2 and model.parameters["v"].fill(np.inf))
    assert "training diverged at epoch 3, after its steps: " in str(caught.value).replace("\n      ", " ")
    assert len(caught.value.history) == 3


def test_what_a_sigmoid_hides_from_the_loss_is_noticed_in_its_epoch():
    nodes = [
        {"name": "line", "op": "multiply", "inputs": ["v", "one"]},
        {"name": "hidden", "op": "sigmoid", "inputs": "line"},
        {"name": "cost", "op": "multiply", "inputs": ["hidden", "w"]},
    ]
    problem, history = diverged(line(1e300, 1e10, 50, nodes, v=0.0))
    assert "training diverged at epoch 0, after its steps: " in problem.message
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
    assert "training diverged at epoch 0, on the validation part: " in problem.message
    assert '"mean_squared_error_1"' in problem.message
    assert len(history) == 0


def test_statistics_that_overflow_are_named():
    x, y = examples(4)
    with pytest.raises(nbn_spec.Diverged, match='"even/mean" was not finite to begin with') as caught:
        nbn_spec.compile(standardized(4)).fit({"x": np.where(np.arange(4) > 0, 1e308, 0)[:, None] + 0 * x, "y": y})
    assert 'node "even" (standardize)' in str(caught.value)
