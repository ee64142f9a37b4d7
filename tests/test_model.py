"""The library's interface: what one does with a compiled model."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import nbn_spec
from nbn_spec import model as module
from nbn_spec import predictor, summary
from nbn_spec.predictor import KEPT_SHAPES
from nbn_spec.spec import ModelSpec

MODELS = Path(__file__).parent.parent / "models"
GATE = [[0, 0], [0, 1], [1, 0], [1, 1]]


def xor():
    return nbn_spec.compile(MODELS / "xor.json")


def two_headed(dtype="float32"):
    """Two inputs, two outputs that need one each, and a node that nothing needs."""
    return {
        "name": "two_headed",
        "dtype": dtype,
        "inputs": {"a": {"shape": ["N", 2]}, "b": {"shape": ["N", 3]}, "y": {"shape": ["N", 1]}},
        "nodes": [
            {"name": "left", "op": "linear", "inputs": "a", "units": 1},
            {"name": "right", "op": "linear", "inputs": "b", "units": 1},
            {"name": "aside", "op": "exp", "inputs": "left"},
            {"name": "sum", "op": "add", "inputs": ["left", "right"]},
        ],
        "outputs": ["left", "sum"],
        "loss": {"op": "mean_squared_error", "inputs": ["sum", "y"]},
    }


# Compiling


def test_every_kind_of_source_gives_the_same_model():
    path = MODELS / "xor.json"
    document = json.loads(path.read_text())
    sources = [path, str(path), document, ModelSpec.model_validate(document)]
    models = [nbn_spec.compile(source) for source in sources]
    for model in models[1:]:
        np.testing.assert_array_equal(model.flat, models[0].flat)
        assert model.spec == models[0].spec
        assert model.graph == models[0].graph


def test_compiling_leaves_the_document_as_it_is():
    document = json.loads((MODELS / "xor.json").read_text())
    before = json.dumps(document)
    nbn_spec.compile(document).fit(epochs=1)
    assert json.dumps(document) == before


@pytest.mark.parametrize("source", [3, None, [1], b"models/xor.json"])
def test_what_is_no_source(source):
    with pytest.raises(nbn_spec.SpecError, match="expected a path, a dict or a ModelSpec, got "):
        nbn_spec.compile(source)


def test_parameters_are_views():
    model = xor()
    assert list(model.parameters) == ["z1/weight", "z1/bias", "z2/weight", "z2/bias"]
    before = model.predict(GATE)
    model.parameters["z2/bias"][...] = 5
    assert (model.predict(GATE) > before).all()
    assert all(np.shares_memory(view, model.flat) for view in model.parameters.values())


def test_repr_says_what_it_is():
    assert repr(xor()) == "<Model xor: 5 nodes, 13 parameters>"


# Predicting


def by_hand(model, x):
    w = model.parameters
    a1 = 1 / (1 + np.exp(-(np.asarray(x) @ w["z1/weight"].T + w["z1/bias"])))
    return 1 / (1 + np.exp(-(a1 @ w["z2/weight"].T + w["z2/bias"])))


@pytest.mark.parametrize("wrap", [np.array, list, lambda x: {"x": x}, lambda x: {"x": np.array(x, "float32")}])
def test_predict_takes_arrays_lists_and_dicts(wrap):
    model = xor()
    np.testing.assert_allclose(model.predict(wrap(GATE)), by_hand(model, GATE), rtol=1e-14)


def test_predict_uses_the_present_parameters():
    model = xor()
    for _ in range(2):
        model.fit(epochs=10)
        np.testing.assert_allclose(model.predict(GATE), by_hand(model, GATE), rtol=1e-14)


def test_predictions_belong_to_the_caller():
    model = xor()
    first = model.predict(GATE)
    kept = first.copy()
    model.predict(1 - np.array(GATE))
    np.testing.assert_array_equal(first, kept)
    first[...] = 0
    np.testing.assert_array_equal(model.predict(GATE), kept)


def test_several_outputs_come_by_name():
    model = nbn_spec.compile(two_headed("float64"))
    a, b = np.ones((5, 2)), np.full((5, 3), 2.0)
    found = model.predict({"a": a, "b": b})
    assert list(found) == ["left", "sum"]
    left = a @ model.parameters["left/weight"].T
    np.testing.assert_allclose(found["left"], left, rtol=1e-14)
    np.testing.assert_allclose(found["sum"], left + b @ model.parameters["right/weight"].T, rtol=1e-14)


def test_targets_are_not_needed_but_may_be_there():
    model = xor()
    with_target = model.predict({"x": GATE, "y": [[0]] * 4})
    np.testing.assert_array_equal(with_target, model.predict(GATE))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_results_have_the_models_dtype(dtype):
    model = nbn_spec.compile(two_headed(dtype))
    data = {"a": np.ones((5, 2)), "b": np.ones((5, 3), "int16"), "y": np.ones((5, 1), "float32")}
    loss, gradients = model.gradients(data)
    trace = model.trace(data)
    groups = (model.predict(data), gradients, trace.values, trace.gradients)
    assert {array.dtype for group in groups for array in group.values()} == {np.dtype(dtype)}
    assert isinstance(loss, float)


@pytest.mark.parametrize(
    ("data", "where", "message"),
    [
        ({"z": GATE}, "z", "is no input of this model"),
        ({"x": GATE, "q": GATE}, "q", "is no input of this model"),
        ({"y": [[0]]}, "x", "is needed: an array of shape [N, 2]"),
        ({}, "x", "is needed: an array of shape [N, 2]"),
        (None, "x", "is needed: an array of shape [N, 2]"),
        ([0, 1], "x", "has shape [2], but the input is declared as [N, 2]"),
        ([[0, 1, 2]], "x", "has shape [1, 3], but the input is declared as [N, 2]"),
        (np.empty((0, 2)), "x", "holds no examples"),
        ([[0, np.nan]], "x", "must be finite in float64"),
        ([["a", "b"]], "x", "holds other than"),
    ],
)
def test_data_that_does_not_fit(data, where, message):
    with pytest.raises(nbn_spec.DataError) as caught:
        xor().predict(data)
    (problem,) = caught.value.problems
    assert problem.where == where
    assert message in problem.message


def test_an_array_alone_cannot_be_for_two_inputs():
    with pytest.raises(nbn_spec.DataError, match='needs its data by name: "a", "b"'):
        nbn_spec.compile(two_headed()).predict(np.ones((1, 2)))


def test_inputs_with_different_numbers_of_examples():
    with pytest.raises(nbn_spec.DataError, match='b: N is 3 here, but 2 in "a"'):
        nbn_spec.compile(two_headed()).predict({"a": np.ones((2, 2)), "b": np.ones((3, 3))})


def test_a_model_without_inputs_predicts_from_nothing():
    assert nbn_spec.compile(MODELS / "three_equations.json").predict() == 100


# Many at once


def test_eight_threads_predict_what_one_does():
    model = nbn_spec.compile(MODELS / "digits.json")
    rng = np.random.default_rng(0)
    batches = [rng.normal(size=(1 + 7 * (i % 11), 64)) for i in range(400)]
    expected = [model.predict(batch) for batch in batches[:11]]
    start = threading.Barrier(8)

    def work(number):
        start.wait()
        return [(i, model.predict(batches[i])) for i in range(number, 400, 8)]

    with ThreadPoolExecutor(8) as pool:
        results = [pair for part in pool.map(work, range(8)) for pair in part]
    assert len(results) == 400
    for i, found in results:
        single = model.predict(batches[i])
        np.testing.assert_array_equal(found, single)
        if i < 11:
            np.testing.assert_array_equal(found, expected[i])


def test_an_interpreter_that_another_thread_took_is_replaced():
    """Between a look at the pool and taking from it, another thread may have emptied it."""

    class Emptied(list):
        def __len__(self):
            return 1

        def __bool__(self):
            return True

    model = xor()
    pool = Emptied()
    model._predictors.idle[((4, 2),)] = pool
    np.testing.assert_allclose(model.predict(GATE), by_hand(model, GATE), rtol=1e-14)
    assert list.__len__(pool) == 1


def test_interpreters_are_kept_for_a_few_sizes_only():
    model = xor()
    for size in range(1, 100):
        model.predict(np.zeros((size, 2)))
        assert len(model._predictors.idle) <= KEPT_SHAPES
        assert all(len(pool) <= 1 for pool in model._predictors.idle.values())


def test_an_interpreter_is_used_again():
    model = xor()
    model.predict(GATE)
    (kept,) = model._predictors.idle[((4, 2),)]
    model.predict(GATE)
    assert model._predictors.idle[((4, 2),)] == [kept]


def test_large_interpreters_are_not_kept(monkeypatch):
    monkeypatch.setattr(predictor, "KEPT_BYTES", 4096)
    model = xor()
    for size in (4, 1000):
        np.testing.assert_array_equal(model.predict(np.zeros((size, 2)))[0], model.predict([[0, 0]])[0])
    assert {key[0][0]: len(pool) for key, pool in model._predictors.idle.items()} == {4: 1, 1: 1}


# Gradients, traces, measurements


def test_gradients_are_slopes():
    model = nbn_spec.compile(MODELS / "xor.json", seed=3)
    loss, gradients = model.gradients()
    assert list(gradients) == list(model.parameters)
    assert loss == model.evaluate()["loss"]
    for name, values in model.parameters.items():
        for place in np.ndindex(values.shape):
            before, h = values[place], 1e-6
            values[place] = before + h
            above = model.evaluate()["loss"]
            values[place] = before - h
            slope = (above - model.evaluate()["loss"]) / (2 * h)
            values[place] = before
            assert gradients[name][place] == pytest.approx(slope, abs=1e-9)


def test_gradients_leave_the_model_as_it_is_and_frozen_parameters_out():
    document = json.loads((MODELS / "xor.json").read_text())
    document["nodes"][0]["weight"] = {"init": "xavier", "trainable": False}
    model = nbn_spec.compile(document)
    before = model.flat.copy()
    _, gradients = model.gradients({"x": [[0, 1]], "y": [[1]]})
    assert set(gradients) == {"z1/bias", "z2/weight", "z2/bias"}
    np.testing.assert_array_equal(model.flat, before)


def test_a_parameter_that_the_loss_does_not_need_has_gradient_zero():
    document = two_headed()
    document["loss"] = {"op": "mean_squared_error", "inputs": ["left", "y"]}
    data = {"a": np.ones((2, 2)), "b": np.ones((2, 3)), "y": np.zeros((2, 1))}
    _, gradients = nbn_spec.compile(document).gradients(data)
    assert not gradients["right/weight"].any()
    assert gradients["left/weight"].any()


def test_a_trace_holds_everything_and_keeps_it():
    model = xor()
    trace = model.trace()
    assert list(trace.values) == ["x", "y", *model.parameters, *model.graph.forward_order]
    assert set(trace.gradients) == {*model.parameters, *model.graph.forward_order}
    kept = {name: values.copy() for name, values in trace.values.items()}
    model.fit(epochs=5)
    for name, values in trace.values.items():
        np.testing.assert_array_equal(values, kept[name])
    assert (trace.values["z1/weight"] != model.parameters["z1/weight"]).any()
    _, gradients = xor().gradients()
    for name, gradient in gradients.items():
        np.testing.assert_array_equal(trace.gradients[name], gradient)


def test_evaluate_on_the_specs_data_or_on_other():
    model = xor()
    found = model.evaluate()
    assert list(found) == ["loss", "binary_accuracy"]
    y = np.array([[0], [1], [1], [0]])
    assert found["loss"] == pytest.approx(((by_hand(model, GATE) - y) ** 2).sum() / 8, rel=1e-13)
    one = model.evaluate({"x": [[0, 1]], "y": [[1]]})
    assert one["loss"] == pytest.approx((by_hand(model, [[0, 1]])[0, 0] - 1) ** 2 / 2, rel=1e-13)


def test_without_a_loss_there_is_nothing_to_measure():
    document = two_headed()
    del document["loss"]
    model = nbn_spec.compile(document)
    data = {"a": np.ones((2, 2)), "b": np.ones((2, 3))}
    for call in (model.evaluate, model.gradients, model.trace):
        with pytest.raises(nbn_spec.GraphError, match=r'two_headed: has no loss\n   help: add "loss" to the spec'):
            call(data)


def test_without_data_there_is_nothing_to_train_on():
    with pytest.raises(nbn_spec.DataError, match='two_headed: has no data for "a", "b", "y"'):
        nbn_spec.compile(two_headed()).fit()


def test_a_seed_that_is_damaged_is_refused():
    model = xor()
    for seed in ({"value": -1}, {"value": "x"}, {"sed": 1}, [1]):
        broken = module.Model(model.graph, model.flat, {**model.spec, "seed": seed})
        with pytest.raises(nbn_spec.TrainingError, match="seed: is no description of a seed"):
            broken.fit()


# The graph and its summary


def test_orders():
    graph = xor().graph
    assert graph.forward_order == ("z1", "a1", "z2", "y_hat", "squared_error_1")
    assert graph.backward_order == graph.forward_order[::-1]


def test_written_in_any_order_the_nodes_are_sorted():
    graph = nbn_spec.compile(MODELS / "three_equations.json").graph
    assert set(graph.forward_order[:2]) == {"c", "d"}
    assert graph.forward_order[2] == "e"
    assert graph.backward_order == graph.forward_order[::-1]


def test_what_nothing_trainable_feeds_is_not_in_the_backward_order():
    graph = nbn_spec.compile(MODELS / "xor_feature_cross.json").graph
    assert "features" in graph.forward_order
    assert "features" not in graph.backward_order


def test_dead_nodes_are_left_out_and_reported():
    model = nbn_spec.compile(two_headed())
    assert model.graph.dead == ("aside",)
    assert "aside" not in model.graph.by_name
    assert "left out: aside (neither an output nor the loss needs them)" in model.summary()


DEPTHS = {"or": 1, "xor_feature_cross": 1, "xor": 2, "xor_hidden_layer": 2, "xor_three_layers": 3, "digits": 3}


@pytest.mark.parametrize(("name", "depth"), DEPTHS.items())
def test_layers_are_counted_as_the_tutorial_does(name, depth):
    model = nbn_spec.compile(MODELS / f"{name}.json")
    assert summary.layers(model.graph) == depth
    assert f"{depth}-layer network" in model.summary()


def test_measured_statistics_make_no_layer():
    document = two_headed()
    document["nodes"].insert(0, {"name": "even", "op": "standardize", "inputs": "a"})
    document["nodes"][1]["inputs"] = "even"
    graph = nbn_spec.compile(document).graph
    assert summary.layers(graph) == 1  # two heads side by side
    assert (summary.count(graph), summary.count(graph, trainable=True)) == (11, 7)


def test_summary_says_all():
    lines = xor().summary().splitlines()
    assert lines[0] == "xor: 2-layer network, 13 parameters, float64"
    assert lines[1] == "inputs:     x [N, 2], y [N, 1]"
    rows = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines[3:10]]
    assert rows[0] == ["#", "node", "op", "inputs", "shape", "parameters", "count", "backward"]
    assert rows[2:] == [
        ["1", "z1", "linear", "x", "[N, 3]", "weight [3, 2], bias [3]", "9", "5"],
        ["2", "a1", "sigmoid", "z1", "[N, 3]", "4"],
        ["3", "z2", "linear", "a1", "[N, 1]", "weight [1, 3], bias [1]", "4", "3"],
        ["4", "y_hat", "sigmoid", "z2", "[N, 1]", "2"],
        ["5", "squared_error_1", "squared_error", "y_hat, y", "[]", "1"],
    ]
    assert lines[-8:-4] == [
        "outputs:  y_hat",
        "loss:     squared_error_1",
        "forward:  z1 → a1 → z2 → y_hat → squared_error_1",
        "backward: squared_error_1 → y_hat → z2 → a1 → z1",
    ]


def test_summary_counts_what_is_frozen():
    document = json.loads((MODELS / "xor.json").read_text())
    document["nodes"][0]["weight"] = {"init": "xavier", "trainable": False}
    headline = nbn_spec.compile(document).summary().splitlines()[0]
    assert headline == "xor: 2-layer network, 13 parameters (6 of them frozen), float64"


def test_summary_of_a_graph_that_is_no_network():
    text = nbn_spec.compile(MODELS / "three_equations.json").summary()
    assert text.startswith("three_equations: 2 parameters, float64\n")
    assert "parameters: a [], b []" in text
    assert "constants:  five []" in text


def test_summary_without_a_loss():
    document = two_headed()
    del document["loss"]
    text = nbn_spec.compile(document).summary()
    assert "loss:     none" in text
    assert "backward: none: no loss, or nothing to train" in text


# Saving


def test_what_is_loaded_is_the_same_model(tmp_path):
    model = xor()
    model.fit(epochs=20)
    model.save(tmp_path / "xor.npz")
    again = nbn_spec.load(tmp_path / "xor.npz")
    np.testing.assert_array_equal(again.flat, model.flat)
    np.testing.assert_array_equal(again.predict(GATE), model.predict(GATE))
    assert again.evaluate() == model.evaluate()
    assert again.summary() == model.summary()
    assert again.fit(epochs=5)["loss"] == model.fit(epochs=5)["loss"]
