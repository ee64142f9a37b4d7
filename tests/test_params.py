"""The flat vector: where each parameter lies, which generator fills it, and limits in words."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import nbn_spec
from nbn_spec import params
from nbn_spec.budget import limit_of, parse_size
from nbn_spec.errors import SpecError
from nbn_spec.graph import Parameter
from nbn_spec.initializers import INITIALIZERS
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


@pytest.mark.parametrize("generator", ["pcg64", "mt19937"])
@pytest.mark.parametrize("shape", [(60, 40), (40, 60), (50, 50), (400, 300)], ids=str)
@pytest.mark.parametrize("word", INITIALIZERS)
def test_drawing_takes_no_more_than_is_counted(word, shape, generator):
    init = INITIALIZERS[word](**({"constant": 0.5} if word == "constant" else {}))
    flat, draws = np.empty(shape, np.float32), Seed(0, generator).initial()
    init.draw((2, 2), draws)  # whatever is made once
    tracemalloc.start()
    try:
        flat[...] = init.draw(shape, draws)
        assert np.isfinite(flat).all()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    counted = params.drawn(Parameter("p", shape, init=init), 4)
    assert peak <= counted + 2**11
    assert counted <= 2.3 * peak  # NumPy reuses what a large expression no longer needs, where it can


def test_exact_values_and_those_that_are_read():
    assert params.drawn(Parameter("p", (3, 5), value=np.ones((3, 5))), 4) == 15
    assert params.drawn(Parameter("p", (3, 5)), 4) == 15 * 5
    assert params.drawn(Parameter("p", ()), 8) == 9


# Limits as users write them

SIZES = {
    "1": 1,
    "1000000": 1_000_000,
    "512MiB": 512 * 2**20,
    "512 mib": 512 * 2**20,
    " 2 GB ": 2 * 10**9,
    "1.5G": 3 * 2**29,
    "0.5K": 512,
    "7b": 7,
    "3.0": 3,
    "64kB": 64_000,
    "1TiB": 2**40,
    "1T": 2**40,
    "0.1TB": 10**11,
    "1.0000000001K": 1024,
    "1048576T": 2**60,
}


@pytest.mark.parametrize(("text", "size"), SIZES.items())
def test_sizes(text, size):
    assert parse_size(text) == size
    assert limit_of(text) == size


NO_SIZES = [
    *(
        "",
        " ",
        "0",
        "0 MiB",
        "-1",
        "-1 GB",
        "+1",
        "nan",
        "inf",
        "infinity",
        "1e9",
        "0x10",
        "1_000",
        "1,000",
        "1.5",
    ),
    *(
        "0.5B",
        "0.0001K",
        "MiB",
        "1 2",
        "1  GB",
        "1 EB",
        "1 XiB",
        "1iB",
        "1.G",
        ".5G",
        "5 %",
        "٣",
        "1048577T",
        "9" * 21,
    ),
    *("9" * 5000, "512 MiB of it", "1\0", "1\nG", "1.5.5G"),
]


@pytest.mark.parametrize("text", NO_SIZES, ids=lambda text: repr(text[:20]))
def test_what_is_no_size(text):
    with pytest.raises(
        ValueError, match=r"is no size|no whole number of bytes|more than any machine has"
    ) as caught:
        parse_size(text)
    assert len(str(caught.value)) < 150
    with pytest.raises(SpecError, match="NBN113"):
        limit_of(text)


@pytest.mark.parametrize("value", [0, -1, True, False, 1.5, float("nan"), float("inf"), [], {}, object(), b"1G"])
def test_what_is_no_limit(value):
    with pytest.raises(SpecError, match=r"NBN113.*max_memory"):
        limit_of(value)
    with pytest.raises(SpecError, match="NBN113"):
        nbn_spec.load("there is none.npz", max_memory=value)


def test_limits():
    assert limit_of(None) is None
    assert limit_of(5) == limit_of(np.int64(5)) == 5
    assert type(limit_of(np.int64(5))) is int
