"""Optimizers against their formulas, written out in plain NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from nbn_spec.optim import OPTIMIZERS, Adam, Sgd
from nbn_spec.record import AttributeProblem

STEPS = 200


def run(optimizer, dtype="float64", steps=STEPS):
    """Parameters after every step on random gradients, the gradients, and the bound update."""
    rng = np.random.default_rng(7)
    flat = rng.normal(size=11).astype(dtype)
    gradients = rng.normal(size=(steps, 11)).astype(dtype) * np.logspace(-6, 3, 11).astype(dtype)
    grad = np.empty_like(flat)
    start, update, path = flat.copy(), optimizer.bind(flat, grad), []
    for gradient in gradients:
        grad[...] = gradient
        update()
        np.testing.assert_array_equal(grad, gradient)
        path.append(flat.copy())
    return start, gradients, np.array(path), update


@pytest.mark.parametrize("rate", [0.01, 1.0, 7])
def test_sgd_is_its_formula(rate):
    start, gradients, path, update = run(Sgd(learning_rate=rate))
    w = start
    for gradient, found in zip(gradients, path, strict=True):
        w = w - rate * gradient
        np.testing.assert_allclose(found, w, rtol=1e-12, atol=1e-12)
    assert update.state == {}


def adam(start, gradients, rate, beta_1, beta_2, epsilon):
    """Algorithm 1 of Kingma & Ba (2015)."""
    w, m, v = start, 0.0, 0.0
    for t, g in enumerate(gradients, start=1):
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        w = w - rate * (m / (1 - beta_1**t)) / (np.sqrt(v / (1 - beta_2**t)) + epsilon)
        yield w


SETTINGS = [
    (0.001, 0.9, 0.999, 1e-8),
    (0.5, 0.0, 0.5, 1e-3),
    (0.01, 0.99, 0.0, 1.0),
    (1, 0.5, 0.9999, 1e-12),
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_adam_is_its_formula(settings):
    start, gradients, path, _ = run(Adam(*settings))
    for found, w in zip(path, adam(start, gradients, *settings), strict=True):
        np.testing.assert_allclose(found, w, rtol=1e-11, atol=1e-11)


def test_adam_in_single_precision():
    start, gradients, path, update = run(Adam(), "float32")
    expected = list(adam(start.astype("float64"), gradients.astype("float64"), 0.001, 0.9, 0.999, 1e-8))
    assert path.dtype == np.float32
    assert {name: state.dtype for name, state in update.state.items()} == {"m": "f4", "v": "f4", "step": "i8"}
    np.testing.assert_allclose(path[-1], expected[-1], rtol=2e-5, atol=2e-5)


def test_adam_remembers_two_averages_and_the_step():
    _, gradients, _, update = run(Adam(beta_1=0.5, beta_2=0.75))
    assert list(update.state) == ["m", "v", "step"]
    assert update.state["step"] == STEPS
    weights = np.arange(STEPS)[::-1, None]
    np.testing.assert_allclose(update.state["m"], (0.5**weights * gradients).sum(0), rtol=1e-12)
    np.testing.assert_allclose(update.state["v"], (0.75**weights * gradients**2).sum(0), rtol=1e-12)


def test_adam_goes_on_from_what_it_remembers():
    optimizer, grad = Adam(), np.full(3, 0.5)
    whole, half, rest = np.ones(3), np.ones(3), np.empty(3)
    update = optimizer.bind(whole, grad)
    first = optimizer.bind(half, grad)
    for _ in range(5):
        first()
    rest[...] = half
    second = optimizer.bind(rest, grad)
    for name, state in second.state.items():
        state[...] = first.state[name]
    for _ in range(5):
        second()
    for _ in range(10):
        update()
    np.testing.assert_array_equal(rest, whole)


def test_passes_over_the_vector():
    flat, grad = np.ones(4), np.ones(4)
    calls = {word: OPTIMIZERS[word]().bind(flat, grad).calls for word in OPTIMIZERS}
    passes = {word: [call for call in found if isinstance(getattr(call, "func", None), np.ufunc)]
              for word, found in calls.items()}  # fmt: skip
    assert {word: len(found) for word, found in passes.items()} == {"sgd": 2, "adam": 10}
    assert len(calls["adam"]) == 11, "and one call for the numbers of the step"


def test_no_gradient_moves_nothing():
    for optimizer in (Sgd(), Adam()):
        flat = np.arange(5.0)
        update = optimizer.bind(flat, np.zeros(5))
        for _ in range(3):
            update()
        np.testing.assert_array_equal(flat, np.arange(5.0))


def test_only_the_given_part_is_changed():
    whole, grad = np.ones(6), np.ones(6)
    for optimizer in (Sgd(), Adam()):
        optimizer.bind(whole[:4], grad[:4])()
    np.testing.assert_array_equal(whole[4:], [1, 1])
    assert (whole[:4] < 1).all()


@pytest.mark.parametrize(
    ("kind", "attribute", "value"),
    [
        (Sgd, "learning_rate", 0),
        (Sgd, "learning_rate", -1.0),
        (Sgd, "learning_rate", float("nan")),
        (Sgd, "learning_rate", True),
        (Adam, "beta_1", 1),
        (Adam, "beta_2", 1.0),
        (Adam, "beta_1", -0.1),
        (Adam, "epsilon", -1e-8),
    ],
)
def test_settings_out_of_bounds(kind, attribute, value):
    with pytest.raises(AttributeProblem) as caught:
        kind(**{attribute: value})
    assert caught.value.name == attribute
