"""The flat vector: where each parameter lies, which generator fills it, and whether there is room."""

from __future__ import annotations

import numpy as np
import pytest

import nbn_spec
from nbn_spec import params
from nbn_spec.params import Layout, Seed
from nbn_spec.record import AttributeProblem


def document(units=4):
    """A standardized input, a frozen layer, and one that is trained."""
    return {
        "name": "mixed",
        "inputs": {"x": {"shape": ["N", 3]}},
        "parameters": {"own": {"value": [1, 2]}},
        "nodes": [
            {"name": "even", "op": "standardize", "inputs": "x"},
            {"name": "fixed", "op": "linear", "units": 2, "weight": {"init": "ones", "trainable": False}},
            {"name": "free", "op": "linear", "units": units},
        ],
        "outputs": ["free", "own"],
    }


def test_trainable_parameters_come_first_and_keep_their_order():
    layout = nbn_spec.compile(document()).layout
    order = [(parameter.name, offset, parameter.trainable) for parameter, offset in layout.places]
    assert order == [
        ("own", 0, True),
        ("fixed/bias", 2, True),
        ("free/weight", 4, True),
        ("free/bias", 12, True),
        ("even/mean", 16, False),
        ("even/std", 19, False),
        ("fixed/weight", 22, False),
    ]
    assert (layout.trainable, layout.size) == (16, 28)


def test_views_cover_the_vector_once():
    model = nbn_spec.compile(document())
    flat = np.zeros(model.layout.size)
    for view in model.layout.views(flat).values():
        assert np.shares_memory(view, flat)
        np.add(view, 1, view)
    assert (flat == 1).all()
    assert [view.shape for view in model.parameters.values()] == [
        parameter.shape for parameter, _ in model.layout.places
    ]


def test_a_graph_without_parameters_has_an_empty_vector():
    spec = {"name": "none", "constants": {"c": 2}, "nodes": [{"op": "exp", "inputs": "c"}], "outputs": ["exp_1"]}
    model = nbn_spec.compile(spec)
    assert (model.layout, model.flat.shape) == (Layout((), 0, 0), (0,))
    assert model.predict() == pytest.approx(np.exp(2), rel=1e-6)


def test_seeds_pick_their_generators():
    assert Seed(5).initial().random() == np.random.default_rng(5).random()
    legacy = Seed(5, "mt19937").initial()
    assert legacy.standard_normal() == np.random.RandomState(5).randn()
    for generator in ("pcg64", "mt19937"):
        seed = Seed(5, generator)
        assert seed.stream(1).random() == np.random.default_rng((5, 1)).random()
        assert len({seed.stream(1).random(), seed.stream(2).random(), Seed(5).initial().random()}) == 3


@pytest.mark.parametrize("value", [-1, 2**32, 1.0, True, "5", None])
def test_what_is_no_seed(value):
    with pytest.raises(AttributeProblem):
        Seed(value)


def test_more_parameters_than_memory_are_refused_before_they_are_allocated():
    with pytest.raises(nbn_spec.GraphError) as caught:
        nbn_spec.compile(document(units=10**12))
    (problem,) = caught.value.problems
    assert problem.code == "NBN209"
    assert problem.where == "/nodes/2/weight"
    assert "parameters and gradients need 22,888," in problem.message
    assert "the largest is free/weight [1000000000000, 2]: make it smaller" in problem.hint


def test_room_is_needed_for_values_and_gradients(monkeypatch):
    need = 2 * 28 * 4
    monkeypatch.setattr(params, "free_memory", lambda: need)
    assert nbn_spec.compile(document()).layout.size == 28
    monkeypatch.setattr(params, "free_memory", lambda: need - 1)
    with pytest.raises(nbn_spec.GraphError, match="NBN209"):
        nbn_spec.compile(document())


def test_bytes_in_words():
    assert params.mebibytes(3 * 2**30) == "3,072 MiB"
    assert params.mebibytes(10**400) == "more than any machine has"
    assert params.free_memory() > 2**20
