"""The tutorial's walk-throughs, number by number, read off the graph's nodes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import nbn_spec

MODELS = Path(__file__).parent.parent / "models"
TRACES = json.loads((Path(__file__).parent / "data" / "tutorial_traces.json").read_text())
TOLERANCE = 1e-12

GATES = {
    "one_neuron_no_bias (Fig 10-17)": ("or_no_bias", [("z", "y_hat")], {}),
    "one_neuron_bias (Fig 21-26)": ("or", [("z", "y_hat")], {"x": [[0, 0]], "y": [[0]]}),
    "or_batch (Fig 41-47)": ("or", [("z", "y_hat")], {}),
    "xor_feature_cross (Fig 68-73)": ("xor_feature_cross", [("z", "y_hat")], {}),
    "xor_hidden_layer (Fig 77-83)": ("xor_hidden_layer", [("z1", "a1"), ("z2", "y_hat")], {}),
}
"""The model of each walk-through, its layers (linear node, activation), and the data where it is another."""


def near(found: object, expected: object) -> None:
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE, atol=1e-15)


def steps() -> list[tuple[str, int]]:
    return [(title, i) for title, iterations in TRACES.items() for i in range(len(iterations))]


def test_every_trace_has_a_model():
    assert set(TRACES) == set(GATES)
    assert len(steps()) == 9


@pytest.mark.parametrize(("title", "iteration"), steps())
def test_every_number_of_the_walk_through(title, iteration):
    name, layers, data = GATES[title]
    expected = TRACES[title][iteration]
    model = nbn_spec.compile(MODELS / f"{name}.json")
    arrays = data or model.data()
    model.fit(arrays, epochs=iteration)
    trace = model.trace(arrays)
    assert expected["iteration"] == iteration + 1
    near(trace.values[model.graph.loss], expected["cost"])
    near(trace.gradients["y_hat"], expected["d_yhat"])
    for i, (z, a) in enumerate(layers):
        near(trace.values[z], expected["z"][i])
        near(trace.values[a], expected["a"][i])
        near(trace.gradients[z], expected["dz"][i])
        near(trace.gradients[f"{z}/weight"], expected["dW"][i])
        if expected["db"][i] is not None:
            near(trace.gradients[f"{z}/bias"], expected["db"][i])
    for (_, a), upstream in zip(layers, expected["da"], strict=True):
        near(trace.gradients[a], upstream)
    model.fit(arrays, epochs=1)
    for i, (z, _) in enumerate(layers):
        near(model.parameters[f"{z}/weight"], expected["W_after"][i])
        if expected["b_after"][i] is not None:
            near(model.parameters[f"{z}/bias"], expected["b_after"][i])


@pytest.mark.parametrize(
    ("name", "cost"),
    [
        ("or", 0.000527569180279875),
        ("xor_feature_cross", 0.001566503502432684),
        ("xor_hidden_layer", 0.0008935581570694186),
    ],
)
def test_cost_after_5000_epochs(name, cost):
    model = nbn_spec.compile(MODELS / f"{name}.json")
    history = model.fit(epochs=5000)
    assert len(history) == 5000
    assert model.evaluate()["loss"] == pytest.approx(cost, rel=1e-10)
    assert model.evaluate()["binary_accuracy"] == 1


def test_xor_from_seed_48_prints_the_published_costs():
    published = {
        4600: 0.001018305488651183,
        4700: 0.000983783942124411,
        4800: 0.0009514180100050973,
        4900: 0.0009210166430616655,
    }
    model = nbn_spec.compile(MODELS / "xor.json")
    history = model.fit()
    assert len(history) == 5000
    for epoch, cost in published.items():
        assert history["loss"][epoch] == pytest.approx(cost, rel=TOLERANCE)
    answers = (model.predict([[0, 0], [0, 1], [1, 0], [1, 1]]) > 0.5).astype(int)
    assert answers.ravel().tolist() == [0, 1, 1, 0]
    assert model.evaluate()["binary_accuracy"] == 1


def test_gradients_of_single_examples_add_up_to_the_batch():
    model = nbn_spec.compile(MODELS / "or.json")
    data = model.data()
    _, whole = model.gradients(data)
    parts = [model.gradients({name: array[i : i + 1] for name, array in data.items()})[1] for i in range(4)]
    for name, gradient in whole.items():
        near(sum(part[name] for part in parts) / 4, gradient)
    near(whole["z/weight"], [[-0.04800646291552392, -0.03865882381678035]])
    near(whole["z/bias"], [-0.03702352612570836])


def test_three_equations_sum_the_gradient_over_both_paths():
    """e = c·d, c = a·b, d = b + 5 at a = 2, b = 5: ∂e/∂b = d·a + c·1 = 20 + 10."""
    model = nbn_spec.compile(MODELS / "three_equations.json")
    cost, gradients = model.gradients()
    assert cost == 100
    assert gradients == {"a": 50, "b": 30}
    model.parameters["b"][...] = 5 + 1e-6
    above = model.predict()
    model.parameters["b"][...] = 5 - 1e-6
    assert (above - model.predict()) / 2e-6 == pytest.approx(30, rel=1e-8)
    assert model.graph.forward_order == ("c", "d", "e")
    assert model.graph.backward_order == ("e", "d", "c")


def test_three_equations_as_the_figure_computes_them():
    """The figure puts 6 in for d, which is b + 1 and not b + 5: then 10 + 12 = 22, and e is 60, not 100."""
    document = json.loads((MODELS / "three_equations.json").read_text())
    document["constants"]["five"] = 1
    cost, gradients = nbn_spec.compile(document).gradients()
    assert cost == 60
    assert gradients["b"] == 22


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("or", 1),
        ("xor_feature_cross", 1),
        ("xor", 2),
        ("xor_three_layers", 3),
        ("three_equations", 0),
        ("iris", 2),
    ],
)
def test_layers_are_counted_as_the_tutorial_counts(name, layers):
    first = nbn_spec.compile(MODELS / f"{name}.json").summary().split("\n")[0]
    assert (f"{layers}-layer network" in first) == (layers > 0)
    assert ("-layer" in first) == (layers > 0)
