"""The report on a finished training: for each warning a model that earns it, and a near twin that does not."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from networks import bowl, two_layers

import nbn_spec
from nbn_spec import health as reporting
from nbn_spec.health import Course, compared, health, layers, look, too_slow
from nbn_spec.optim import OPTIMIZERS

MODELS = sorted((Path(__file__).parent.parent / "models").glob("*.json"))
RATE = ("train", "optimizer", "learning_rate")
TABLE = "the gradient by each layer's values; by its weights (and these), as root mean squares:"


def wave(count=200, seed=0):
    """Four columns, and the sine of a mixture of them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 4))
    return x, np.sin(x @ rng.normal(size=(4, 1)))


def stack(depth, activation, weight, units=8):
    """So many dense layers and a linear one."""
    hidden = [
        {"name": f"h{i}", "op": "dense", "units": units, "activation": activation, "weight": weight}
        for i in range(depth)
    ]
    nodes = [*hidden, {"name": "out", "op": "linear", "units": 1}]
    nodes[0]["inputs"] = "x"
    return nodes


def network(nodes, data=None, rate=0.1, epochs=50, optimizer="sgd", **train):
    x, y = data or wave()
    return {
        "name": "network",
        "dtype": "float64",
        "seed": 3,
        "inputs": {"x": {"shape": ["N", x.shape[1]]}, "y": {"shape": ["N", y.shape[1]]}},
        "nodes": nodes,
        "outputs": [nodes[-1]["name"]],
        "loss": {"op": "mean_squared_error", "inputs": [nodes[-1]["name"], "y"]},
        "data": {"values": {"x": x.tolist(), "y": y.tolist()}},
        "train": {"epochs": epochs, "optimizer": {"name": optimizer, "learning_rate": rate}, **train},
    }


def trained(document):
    trainer = nbn_spec.compile(document).trainer()
    return trainer, trainer.run()


def report(document):
    return health(*trained(document))


def codes(document):
    return [problem.code for problem in report(document)]


def only(document, code):
    """The one complaint about a training."""
    found = report(document)
    assert [problem.code for problem in found] == [code]
    assert found[0].severity == "warning"
    assert found[0].hint
    return found[0]


def test_the_models_that_ship_are_healthy():
    for path in MODELS:
        model = nbn_spec.compile(path)
        if "train" in model.spec and model.spec["train"] is not None:
            trainer = model.trainer()
            assert health(trainer, trainer.run()) == [], path.stem


# relu units that are dead


def with_bias(values, depth=1, layer=0):
    nodes = stack(depth, "relu", "he_normal")
    nodes[layer]["bias"] = {"value": values}
    return network(nodes, epochs=20, rate=0.02)


def test_dead_units_are_counted_and_named():
    problem = only(with_bias([0, -30, 0, 0, 0, -30, 0, 0]), "NBN921")
    assert problem.message == 'dead units at node "h0" (relu)'
    assert (problem.where, problem.path) == ("h0", ("nodes", "h0"))
    assert problem.notes[0] == "2 of 8 units gave 0 for all 200 examples: they learn nothing any more"
    assert problem.notes[1] == "units 1, 5 (counted from 0)"
    assert problem.notes[2].startswith('what they read, "h0/linear", is -')
    assert "lower learning rate than 0.02" in problem.hint
    assert "leaky_relu" in problem.hint


def test_units_that_still_answer_somewhere_are_not_dead():
    assert codes(with_bias([0, -1, 0, 0, 0, -1, 0, 0])) == []


def test_few_dead_units_among_many_are_no_matter():
    x, y = wave()
    nodes = stack(1, "relu", "he_normal", units=16)
    nodes[0]["bias"] = {"value": [-40] + [0] * 15}
    assert codes(network(nodes, (x, y), epochs=20, rate=0.02)) == []
    nodes[0]["bias"] = {"value": [-40] * 2 + [0] * 14}
    assert codes(network(nodes, (x, y), epochs=20, rate=0.02)) == ["NBN921"]


def test_a_network_that_learned_its_task_may_spare_some_units():
    nodes = stack(1, "relu", "he_normal", units=32)
    nodes[0]["bias"] = {"value": [-40] * 8 + [0] * 24}
    assert codes(network(nodes, epochs=600, rate=0.1)) == []
    assert codes(network(nodes, epochs=20, rate=0.01)) == ["NBN921"]


def test_units_that_were_dead_from_the_start_are_told_apart():
    x, y = wave()
    nodes = stack(1, "relu", {"value": [*([[-1] * 4] * 3), *([[1, 0, 0, 0]] * 5)]})
    problem = only(network(nodes, (np.abs(x), y), epochs=20), "NBN921")
    assert "3 of them never learned anything: their biases are still exactly 0" in problem.notes
    assert "standardized inputs" in problem.hint
    nodes[0]["bias"] = {"value": [-60, 0, 0, 0, 0, 0, 0, 0]}
    problem = only(network(nodes, (np.abs(x), y), epochs=20), "NBN921")
    assert "2 of them never learned anything: their biases are still exactly 0" in problem.notes
    assert "standardized inputs" in problem.hint
    nodes[0]["bias"] = {"value": [-60, -60, 0, 0, 0, 0, 0, 0]}
    assert "lower learning rate" in only(network(nodes, (np.abs(x), y), epochs=20), "NBN921").hint
    nodes[0]["bias"] = False
    assert "never learned" not in str(only(network(nodes, (np.abs(x), y), epochs=20), "NBN921"))


def test_a_cost_that_stands_still_behind_dead_units_is_one_complaint():
    problem = only(with_bias([-40] * 8), "NBN921")
    assert problem.notes[0].startswith("8 of 8 units")
    assert problem.notes[-1].startswith("so the cost does not move: ")


def test_what_is_dead_behind_a_dead_layer_is_not_told_again():
    problem = only(with_bias([-60] * 8, depth=3), "NBN921")
    assert problem.where == "h0"
    assert not any(note.startswith("also") for note in problem.notes)
    assert only(with_bias([-60] * 8, depth=3, layer=1), "NBN921").where == "h1"


def test_several_layers_with_dead_units_are_one_complaint_at_the_worst():
    document = with_bias([-60, -60, -60, 0, 0, 0, 0, 0], depth=2)
    document["nodes"][1]["bias"] = {"value": [-60, -60, -60, -60, 0, 0, 0, 0]}
    problem = only(document, "NBN921")
    assert problem.where == "h1"
    assert problem.notes[-1] == 'also 3 of 8 at node "h0" (relu)'


def test_a_rectifier_that_learns_nothing_of_its_own_is_no_unit():
    nodes = [{"name": "part", "op": "relu", "inputs": "x"}, {"name": "out", "op": "linear", "units": 1}]
    x, y = wave()
    assert codes(network(nodes, (x - 100, y + 1), epochs=5)) == []


# units that are saturated


@pytest.mark.parametrize(("activation", "bounds"), [("tanh", "-1 or 1"), ("sigmoid", "0 or 1")])
def test_saturated_units_are_counted_and_named(activation, bounds):
    wide = network(stack(1, activation, {"init": "normal", "std": 100}), epochs=30, rate=1e-3)
    problem = only(wide, "NBN922")
    assert problem.message == f'saturated units at node "h0" ({activation})'
    assert problem.path == ("nodes", "h0")
    assert " of 8 units are within 0.01 of " + bounds in problem.notes[0]
    assert problem.notes[2].startswith('what they read, "h0/linear", goes from -')
    assert codes(network(stack(1, activation, "xavier"), epochs=30, rate=1e-3)) == []


def test_an_output_may_be_sure_of_itself():
    x, y = wave()
    nodes = [
        {"name": "z", "op": "linear", "inputs": "x", "weight": {"value": [[300.0, 0, 0, 0]]}},
        {"name": "out", "op": "sigmoid"},
    ]
    assert "NBN922" not in codes(network(nodes, (x, np.abs(y)), epochs=5))
    nodes = [*nodes[:1], {"name": "h", "op": "sigmoid"}, {"name": "out", "op": "linear", "units": 1}]
    assert "NBN922" in codes(network(nodes, (x, np.abs(y)), epochs=5))


def test_bits_are_fine_where_they_solve_the_task():
    x, _ = wave()
    nodes = stack(1, "tanh", {"value": [[400.0, 0, 0, 0], [-400.0, 0, 0, 0]]}, units=2)
    assert codes(network(nodes, (x, np.sign(x[:, :1])), epochs=200)) == []
    assert codes(network(nodes, (x, np.sign(x[:, :1]) + x[:, 1:2] * 3), epochs=200)) == ["NBN922"]


# gradients that vanish and explode


def test_gradients_that_vanish_on_a_long_way():
    problem = only(network(stack(9, "sigmoid", "xavier"), epochs=300), "NBN923")
    assert problem.message == 'gradients vanish on the way to node "h0/linear" (linear)'
    assert problem.path == ("nodes", "h0/linear")
    assert problem.notes[0].startswith('from "out" back to it the gradient shrinks ')
    assert problem.notes[1] == TABLE
    rows = [float(note.partition(": ")[2].partition(";")[0]) for note in problem.notes[2:]]
    assert len(rows) == 10
    assert rows == sorted(rows)
    assert rows[0] < 1e-4 * rows[-1]


@pytest.mark.parametrize("nodes", [stack(9, "tanh", "xavier"), stack(2, "sigmoid", "xavier")], ids=["tanh", "few"])
def test_gradients_that_arrive(nodes):
    assert codes(network(nodes, epochs=300)) == []


def test_a_short_training_says_nothing_about_its_gradients():
    assert codes(network(stack(9, "sigmoid", "xavier"), epochs=19)) == []
    assert codes(network(stack(9, "sigmoid", "xavier"), epochs=20)) == ["NBN923"]


def test_a_branch_that_counts_little_lies_on_no_way():
    branches = [
        {"name": "a", "op": "linear", "inputs": "x", "units": 1},
        {"name": "little", "op": "multiply", "inputs": ["a", "tiny"]},
        {"name": "b", "op": "linear", "inputs": "x", "units": 1},
        {"name": "out", "op": "add", "inputs": ["little", "b"]},
    ]
    document = {**network(branches, epochs=30, rate=0.01), "constants": {"tiny": 1e-6}}
    trainer, history = trained(document)
    by_name = {layer.node.name: layer.sent for layer in layers(look(trainer))}
    assert by_name["a"] == pytest.approx(1e-6 * by_name["b"])
    assert health(trainer, history) == []


def test_what_vanishes_while_the_cost_stands_still_is_one_complaint():
    document = network(stack(9, "sigmoid", "xavier"), epochs=300)
    trainer, _ = trained(document)
    found = health(trainer, trainer.run())
    assert [problem.code for problem in found] == ["NBN923"]
    assert found[0].notes[-1].startswith("so the cost does not move: ")


def test_a_long_table_is_cut_in_its_middle():
    notes = only(network(stack(13, "sigmoid", "xavier"), epochs=100), "NBN923").notes
    assert "  … 4 more" in notes
    assert len(notes) == 2 + 11


@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_a_model_that_converged_is_healthy_however_small_its_gradients(noise):
    x, _ = wave()
    y = x @ np.array([[1.0], [-2.0], [0.5], [3.0]]) + noise * np.random.default_rng(1).normal(size=(len(x), 1))
    trainer, _ = trained(network(stack(3, "identity", "xavier"), (x, y), epochs=4000, rate=0.02))
    history = trainer.run()
    assert max(layer.slope for layer in layers(look(trainer))) < 1e-8
    assert health(trainer, history) == []


def test_adam_moves_what_gets_small_gradients():
    trainer, history = trained(network(stack(9, "sigmoid", "xavier"), epochs=30, rate=0.01, optimizer="adam"))
    found = look(trainer)
    assert not found.solved(Course.of(trainer, history))
    first, *_, last = layers(found)
    assert first.sent < 1e-4 * last.sent
    assert health(trainer, history) == []


def test_gradients_that_explode():
    wide = network(stack(8, "identity", {"init": "normal", "std": 3}), epochs=5, rate=1e-22)
    problem = only(wide, "NBN924")
    assert problem.message.startswith("gradients explode at node ")
    assert problem.path == ("nodes", problem.where)
    assert problem.notes[0].endswith(" times as large as the weights")
    assert problem.notes[1] == TABLE
    assert problem.notes[-1].startswith("so the cost does not move: ")
    assert codes(network(stack(8, "identity", "xavier"), epochs=5, rate=0.01)) == []


def test_targets_of_a_larger_scale_are_no_explosion_yet():
    x, y = wave()
    trainer, history = trained(network(stack(1, "tanh", "xavier"), (x, 100 * y), epochs=2, rate=1e-9))
    assert 10 < max(layer.slope / layer.weight for layer in layers(look(trainer))) < 1000
    assert health(trainer, history) == []


# a cost that does not move


@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
def test_a_rate_that_gets_nowhere(optimizer):
    nodes = stack(1, "tanh", "xavier")
    problem = only(network(nodes, rate=1e-9, optimizer=optimizer), "NBN925")
    assert (problem.where, problem.path) == ("learning_rate", RATE)
    assert problem.message.startswith("the cost does not move: ")
    assert "50 updates at a learning rate of 1e-09 can win " in problem.notes[0]
    proposed = float(problem.hint.partition("such as ")[2].partition(",")[0])
    assert codes(network(nodes, rate=proposed, optimizer=optimizer)) == []
    _, history = trained(network(nodes, rate=proposed, optimizer=optimizer))
    assert history["loss"][-1] < 0.98 * history["loss"][0]


def test_weights_that_are_all_zero():
    x, y = wave()
    nodes = stack(1, "tanh", "zeros")
    nodes[1]["weight"] = "zeros"
    problem = only(network(nodes, (x, y - y.mean())), "NBN925")
    (note,) = problem.notes
    found = re.fullmatch(r'the gradient is as good as 0 \((.*)\), and "out" the same for all 200 examples', note)
    assert found
    assert float(found[1]) < 1e-16  # the sum of 200 residuals around 0, in whatever order BLAS adds them
    assert "labels" in problem.hint
    assert "weights that differ" in problem.hint


def test_a_neuron_that_sees_zeros_only_and_has_no_bias():
    model = nbn_spec.compile(MODELS[0].parent / "or_no_bias.json")
    trainer = model.trainer(epochs=5)
    (problem,) = health(trainer, trainer.run())
    assert problem.code == "NBN925"
    assert '"y_hat" the same for the one example' in problem.notes[0]


def swinging(rate):
    """A parabola of curvature 2 at its two examples: a rate of 1 swings from side to side."""
    nodes = [{"name": "out", "op": "linear", "inputs": "x", "weight": {"value": [[0.0]]}, "bias": False}]
    return network(nodes, (np.array([[1.0], [-1.0]]), np.array([[1.0], [-1.0]])), rate=rate)


def test_a_rate_that_only_swings():
    problem = only(swinging(1.0), "NBN925")
    assert "to follow it wins nothing" in problem.notes[0]
    assert "lower learning rate than 1" in problem.hint
    assert codes(swinging(0.9)) == []


def test_no_larger_rate_is_proposed_that_is_none():
    x = np.array([[1.0], [-1.0], [1.0], [-1.0]])
    noise = np.array([[1.0], [1.0], [-1.0], [-1.0]])
    data = {"values": {"x": x.tolist(), "y": (x + 1e3 * noise).tolist()}}
    course = Course(3, 3, 1e6, 1e6, 1e6, None, None)
    fast, slow = (nbn_spec.compile({**swinging(rate), "data": data}).trainer() for rate in (1.0, 1e-9))
    assert too_slow(look(fast), course) is None
    assert too_slow(look(slow), course) == (
        "3 updates at a learning rate of 1e-09 can win 1e-14 of the cost",
        "try a larger learning rate, such as 5e-03, or more epochs",
    )


def test_a_cost_that_rises_is_called_so():
    problem = only(swinging(1.01), "NBN925")
    assert problem.message.startswith("the cost does not fall: 1 in the first of 50 epochs, 1 in the best, ")


def test_a_few_epochs_prove_nothing():
    nodes = stack(1, "tanh", "xavier")
    assert codes(network(nodes, rate=1e-9, epochs=2)) == []
    assert codes(network(nodes, rate=1e-9, epochs=3)) == ["NBN925"]
    assert codes(network(nodes, rate=1e-9, epochs=2, batch_size=10)) == ["NBN925"]


def test_a_training_that_began_at_its_end_is_healthy():
    x, _ = wave()
    nodes = [{"name": "out", "op": "linear", "inputs": "x", "weight": {"value": [[1.0, 2.0, 0.0, 0.0]]}}]
    assert codes(network(nodes, (x, x @ [[1.0], [2.0], [0.0], [0.0]]))) == []
    noise = np.random.default_rng(1).normal(size=(len(x), 1))
    trainer, _ = trained(network(nodes, (x, x[:, :1] + noise), epochs=500))
    history = trainer.run()
    assert Course.of(trainer, history).still
    assert health(trainer, history) == []


def test_answers_that_are_right_from_the_first_epoch_need_not_move():
    x = np.array([[1.0], [-1.0]])
    document = network(stack(1, "tanh", "xavier"), (x, x > 0), rate=1e-9, metrics=["binary_accuracy"])
    document["nodes"] = [{"name": "out", "op": "sigmoid", "inputs": "z"}]
    document["nodes"].append({"name": "z", "op": "linear", "inputs": "x", "weight": {"value": [[0.5]]}})
    document["outputs"] = ["out"]
    document["data"]["values"]["y"] = [[1], [0]]
    document["loss"] = {"op": "binary_crossentropy", "inputs": ["out", "y"]}
    assert codes(document) == []
    document["data"]["values"]["y"] = [[0], [1]]
    assert codes(document) == ["NBN925"]


def test_a_graph_without_data():
    assert codes(bowl(3.0)) == []
    assert codes(bowl(0.0)) == []
    assert codes(bowl(3.0, rate=1e-12)) == ["NBN925"]


# what a report costs


def test_nothing_is_changed():
    trainer, history = trained(network(stack(2, "relu", "he_normal"), batch_size=30))
    other, _ = trained(network(stack(2, "relu", "he_normal"), batch_size=30))
    before, data = trainer.flat.copy(), {name: array.copy() for name, array in trainer.data.items()}
    health(trainer, history)
    np.testing.assert_array_equal(trainer.flat, before)
    for name, array in data.items():
        np.testing.assert_array_equal(trainer.data[name], array)
    assert trainer.run().columns == other.run().columns


def test_no_more_than_a_thousand_examples_are_looked_at():
    trainer, history = trained(network(with_bias([-60] * 8)["nodes"], wave(2500), epochs=3))
    found = look(trainer)
    assert found.count == 1000
    x = trainer.data["x"]
    np.testing.assert_array_equal(found.arrays["x"][[0, -1]], x[[0, -1]])
    (problem,) = health(trainer, history)
    assert "gave 0 for all 1,000 examples looked at (of 2,500)" in problem.notes[0]


def test_fewer_examples_are_looked_at_where_they_take_much_memory(monkeypatch):
    trainer, history = trained(with_bias([-60] * 8))
    monkeypatch.setattr(reporting, "BYTES", 20_000)
    assert 1 < look(trainer).count < 100
    assert [problem.code for problem in health(trainer, history)] == ["NBN921"]


def test_no_memory_no_report(monkeypatch):
    trainer, history = trained(with_bias([-60] * 8))
    monkeypatch.setattr(reporting, "free_memory", lambda: 100)
    assert health(trainer, history) == []


def test_no_epoch_no_report():
    trainer = nbn_spec.compile(with_bias([-60] * 8)).trainer(epochs=0)
    assert health(trainer, trainer.run()) == []


def test_a_cost_that_is_not_finite_any_more_is_not_looked_at():
    trainer, history = trained(with_bias([-60] * 8))
    trainer.flat[...] = 1e200
    assert health(trainer, history) == []


def test_blind_answers_cost_what_wrong_targets_cost():
    x, y = np.array([[1.0], [2.0], [3.0], [4.0]]), np.array([[1.0], [1.0], [0.0], [0.0]])
    weights = {"weight": {"value": [[0.0]]}, "bias": {"value": [0.5]}}
    nodes = [{"name": "out", "op": "linear", "inputs": "x", **weights}]
    trainer = nbn_spec.compile(network(nodes, (x, y))).trainer()
    assert look(trainer).blind == 0.25
    trainer.flat[...] = [-0.4, 1.5]
    expected = max(np.mean((x * -0.4 + 1.5 - np.roll(y, shift, axis=0)) ** 2) for shift in (1, 2))
    assert look(trainer).blind == pytest.approx(expected, rel=1e-12)


def test_an_autoencoder_has_no_other_targets():
    x, _ = wave()
    nodes = [*stack(1, "tanh", "xavier")[:1], {"name": "out", "op": "linear", "units": 4}]
    document = network(nodes, (x, x))
    document["loss"]["inputs"] = ["out", "x"]
    del document["inputs"]["y"], document["data"]["values"]["y"]
    trainer, history = trained(document)
    assert np.isnan(look(trainer).blind)
    assert health(trainer, history) == []


def test_words_of_what_is_looked_at():
    trainer, _ = trained(two_layers())
    found = look(trainer)
    assert compared(found.graph) == [{"prediction": "out", "target": "y"}]
    assert found.examples == "all 10 examples"
    assert [layer.node.name for layer in layers(found)] == ["h/linear", "out"]


def test_every_optimizer_has_a_learning_rate():
    assert all(hasattr(kind(), "learning_rate") for kind in OPTIMIZERS.values())
