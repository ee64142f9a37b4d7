"""Initial values: their distributions, their order, and the tutorial's digits."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

import nbn_spec
from nbn_spec.initializers import INITIALIZERS, Identity, Normal, Orthogonal, TruncatedNormal, Uniform, fans
from nbn_spec.params import Seed
from nbn_spec.record import AttributeProblem

SHAPE = (300, 500)
FAN_IN, FAN_OUT = 500, 300
BOTH = FAN_IN + FAN_OUT
COUNT = FAN_IN * FAN_OUT
SETTINGS = {"constant": {"constant": 0.3}}
NORMAL = {
    "plain": 0.01,
    "xavier": sqrt(1 / FAN_IN),
    "he": sqrt(2 / FAN_IN),
    "glorot_normal": sqrt(2 / BOTH),
    "he_normal": sqrt(2 / FAN_IN),
    "lecun_normal": sqrt(1 / FAN_IN),
    "normal": 0.05,
}
UNIFORM = {
    "glorot_uniform": sqrt(6 / BOTH),
    "he_uniform": sqrt(6 / FAN_IN),
    "lecun_uniform": sqrt(3 / FAN_IN),
    "uniform": 0.05,
}
FIXED = {"zeros", "ones", "constant", "identity", "orthogonal", "truncated_normal"}
SOURCES = [Seed(3).initial, Seed(3, "mt19937").initial]
# Bounds below are five standard deviations of the estimate: no fair draw is that far off.


def made(word):
    return INITIALIZERS[word].from_json(SETTINGS.get(word, {}))


def test_every_initializer_is_tested():
    assert {*NORMAL, *UNIFORM, *FIXED} == set(INITIALIZERS)
    assert all(INITIALIZERS[word].word() == word and INITIALIZERS[word].equation for word in INITIALIZERS)


@pytest.mark.parametrize("draws", SOURCES)
@pytest.mark.parametrize("word", INITIALIZERS)
def test_shape_dtype_and_that_nothing_is_left_unset(word, draws):
    for shape in [(7, 5), (5, 7), (1, 1)]:
        values = made(word).draw(shape, draws())
        assert (values.shape, values.dtype) == (shape, np.float64)
        assert np.isfinite(values).all()
    if word not in ("orthogonal", "identity"):
        for shape in [(), (4,), (2, 3, 4)]:
            assert made(word).draw(shape, draws()).shape == shape


@pytest.mark.parametrize("draws", SOURCES)
@pytest.mark.parametrize("word", NORMAL)
def test_moments_of_the_normal_ones(word, draws):
    z = made(word).draw(SHAPE, draws()) / NORMAL[word]
    assert abs(z.mean()) < 5 / sqrt(COUNT)
    assert abs(z.var() - 1) < 5 * sqrt(2 / COUNT)
    assert abs((z**4).mean() - 3) < 5 * sqrt(96 / COUNT)
    assert 4 < np.abs(z).max() < 7


@pytest.mark.parametrize("draws", SOURCES)
@pytest.mark.parametrize("word", UNIFORM)
def test_moments_and_bounds_of_the_uniform_ones(word, draws):
    u = made(word).draw(SHAPE, draws()) / UNIFORM[word]
    assert abs(u.mean()) < 5 * sqrt(1 / 3 / COUNT)
    assert abs(u.var() - 1 / 3) < 5 * sqrt(4 / 45 / COUNT)
    assert 0.999 < u.max() <= 1
    assert -1 <= u.min() < -0.999


@pytest.mark.parametrize("draws", SOURCES)
def test_truncated_normal_stays_within_two_deviations(draws):
    z = (TruncatedNormal(mean=3, std=0.5).draw(SHAPE, draws()) - 3) / 0.5
    assert 1.999 < z.max() <= 2
    assert -2 <= z.min() < -1.999
    density = np.exp(-2) / sqrt(2 * np.pi)
    variance = 1 - 4 * density / 0.954499736103642
    assert abs(z.mean()) < 5 * sqrt(variance / COUNT)
    assert abs(z.var() - variance) < 0.01
    assert all(abs(TruncatedNormal(std=1).draw((), Seed(i).initial())) <= 2 for i in range(100))


def test_settings_move_and_widen():
    values = Normal(mean=2, std=3).draw(SHAPE, Seed(1).initial())
    assert values.mean() == pytest.approx(2, abs=0.05)
    assert values.std() == pytest.approx(3, abs=0.05)
    values = Uniform(low=2, high=6).draw(SHAPE, Seed(1).initial())
    assert 2 <= values.min() < 2.001
    assert 5.999 < values.max() < 6
    assert (Uniform(low=2, high=2).draw((3,), Seed(1).initial()) == 2).all()
    with pytest.raises(AttributeProblem, match="must be at least low, 1"):
        Uniform(low=1, high=0)


@pytest.mark.parametrize("shape", [(5, 5), (7, 3), (3, 7), (1, 4), (4, 2, 6)])
@pytest.mark.parametrize("gain", [1, 1.5])
def test_orthogonal(shape, gain):
    values = Orthogonal(gain=gain).draw(shape, Seed(0).initial())
    assert values.shape == shape
    q = values.reshape(shape[0], -1) / gain
    square = q @ q.T if q.shape[0] <= q.shape[1] else q.T @ q
    np.testing.assert_allclose(square, np.eye(len(square)), atol=1e-12)


def test_orthogonal_prefers_no_direction():
    """Without its correction of signs, QR's diagonal would have one sign."""
    corners = [Orthogonal().draw((3, 3), Seed(i).initial())[0, 0] for i in range(400)]
    assert abs(np.mean(corners)) < 5 * sqrt(1 / 3 / 400)


def test_exact_ones():
    draws = Seed(0).initial()
    np.testing.assert_array_equal(Identity(gain=2).draw((2, 3), draws), [[2, 0, 0], [0, 2, 0]])
    np.testing.assert_array_equal(made("zeros").draw((2,), draws), [0, 0])
    np.testing.assert_array_equal(made("ones").draw((2,), draws), [1, 1])
    np.testing.assert_array_equal(made("constant").draw((2,), draws), [0.3, 0.3])


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((), (1, 1)), ((4,), (4, 4)), ((3, 5), (5, 3)), ((8, 2, 3, 3), (18, 72))],
)
def test_fans_of_weights_that_are_stored_out_in(shape, expected):
    assert fans(shape) == expected


# In a model


def layers(*settings, seed=48, generator="mt19937", dtype="float64", reverse=False):
    """Layers of 3, 4 and 2 neurons on two columns; names, because a document may have any order."""
    nodes = [
        {"name": f"z{i}", "op": "linear", "inputs": f"z{i - 1}" if i else "x", "units": units, "weight": setting}
        for i, (units, setting) in enumerate(zip((3, 4, 2), settings, strict=False))
    ]
    return {
        "name": "layers",
        "dtype": dtype,
        "seed": {"value": seed, "generator": generator},
        "inputs": {"x": {"shape": ["N", 2]}},
        "nodes": nodes[::-1] if reverse else nodes,
        "outputs": [nodes[-1]["name"]],
    }


TUTORIAL = {
    "plain": lambda out, fan_in: np.random.randn(out, fan_in) * 0.01,
    "xavier": lambda out, fan_in: np.random.randn(out, fan_in) / np.sqrt(fan_in),
    "he": lambda out, fan_in: np.random.randn(out, fan_in) * np.sqrt(2 / fan_in),
}


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("word", TUTORIAL)
def test_the_tutorials_draws_come_out_digit_for_digit(word, reverse):
    model = nbn_spec.compile(layers(word, word, word, reverse=reverse))
    before = np.random.get_state()
    np.random.seed(48)
    expected = [TUTORIAL[word](out, fan_in) for out, fan_in in ((3, 2), (4, 3), (2, 4))]
    np.random.set_state(before)
    for i, values in enumerate(expected):
        np.testing.assert_allclose(model.parameters[f"z{i}/weight"], values, rtol=1e-15, atol=0)
        assert not model.parameters[f"z{i}/bias"].any()


def test_compiling_leaves_numpys_own_generator_alone():
    before = np.random.get_state()[1].copy()
    nbn_spec.compile(layers("xavier"))
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_pcg64_draws_in_forward_order_too():
    draws = np.random.default_rng(7)
    expected = [draws.standard_normal(shape) for shape in ((3, 2), (4, 3))]
    normal = {"init": "normal", "std": 1}
    model = nbn_spec.compile(layers(normal, normal, seed=7, generator="pcg64", reverse=True))
    for i, values in enumerate(expected):
        np.testing.assert_array_equal(model.parameters[f"z{i}/weight"], values)


def test_parameters_that_are_not_drawn_draw_nothing():
    exact = {"value": np.ones((3, 2)).tolist()}
    one = nbn_spec.compile(layers(exact, "xavier"))
    other = nbn_spec.compile(layers("zeros", "xavier"))
    np.testing.assert_array_equal(one.parameters["z1/weight"], other.parameters["z1/weight"])
    np.testing.assert_array_equal(one.parameters["z0/weight"], np.ones((3, 2)))


def test_seeds():
    def weights(**more):
        return nbn_spec.compile(layers("glorot_uniform", **more)).flat

    np.testing.assert_array_equal(weights(), weights())
    assert (weights(seed=1) != weights(seed=2)).any()
    assert (weights(generator="pcg64") != weights(generator="mt19937")).any()
    np.testing.assert_array_equal(nbn_spec.compile(layers("he", seed=1), seed=9).flat,
                                  nbn_spec.compile(layers("he", seed=9)).flat)  # fmt: skip


def test_single_precision_rounds_the_same_draws():
    single, double = (nbn_spec.compile(layers("he", dtype=dtype)).flat for dtype in ("float32", "float64"))
    np.testing.assert_array_equal(single, double.astype(np.float32))


def test_exact_values_may_be_frozen():
    model = nbn_spec.compile(layers({"value": [[1, 2], [3, 4], [5, 6]], "trainable": False}, "he"))
    frozen = [parameter.name for parameter in model.graph.parameters if not parameter.trainable]
    assert frozen == ["z0/weight"]
    assert model.layout.offsets["z0/weight"][0] == model.layout.trainable == model.layout.size - 6
    np.testing.assert_array_equal(model.parameters["z0/weight"], [[1, 2], [3, 4], [5, 6]])


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"init": "constant", "constant": 1e300}, "gets initial values that float32 cannot hold"),
        ({"init": "normal", "std": 1e300}, "gets initial values that float32 cannot hold"),
        ({"init": "uniform", "low": -1.7e308, "high": 1.7e308}, "gets initial values that float32 cannot hold"),
    ],
)
def test_initial_values_that_the_dtype_cannot_hold(setting, message):
    with pytest.raises(nbn_spec.GraphError, match=message) as caught:
        nbn_spec.compile(layers(setting, dtype="float32"))
    assert caught.value.problems[0].code == "NBN208"


@pytest.mark.parametrize(("word", "axes"), [("orthogonal", "at least two axes"), ("identity", "two axes")])
def test_a_shape_that_an_initializer_cannot_fill(word, axes):
    document = layers("he")
    document["nodes"][0]["bias"] = word
    with pytest.raises(nbn_spec.GraphError, match=rf"{word} needs a shape of {axes}, but this one is \[3\]"):
        nbn_spec.compile(document)
