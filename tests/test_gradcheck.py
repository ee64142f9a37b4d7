"""The gradient checker passes right derivatives and catches planted wrong ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import gradcheck
import kernels
import numpy as np
import pytest
from gradcheck import WrongGradient

from nbn_spec.ops.activation import Silu, Softmax, Tanh
from nbn_spec.ops.arithmetic import Add, Divide, Multiply
from nbn_spec.ops.base import Array, Calls, Op, do
from nbn_spec.ops.linear import Linear
from nbn_spec.ops.loss import MeanSquaredError
from nbn_spec.record import record

Gradients = dict[str, Array]


@dataclass(frozen=True)
class Planted:
    """A right op, the shapes of its operands, and what is done to its gradients."""

    op: Op
    shapes: dict[str, tuple[int, ...]]
    operand: str
    spoil: Callable[[Gradients, Gradients], Array]
    """The wrong gradient of ``operand``, from the right gradients and the operands."""


def one_element(gradients: Gradients, _: Gradients) -> Array:
    wrong = gradients["x"].copy()
    wrong[1, 2] += 1e-5
    return wrong


X = {"x": (3, 4)}
PAIR = {"a": (3, 3), "b": (3, 3)}
ROW = {"a": (3, 4), "b": (4,)}
SQUARE = {"x": (3, 3), "weight": (3, 3), "bias": (3,)}
PLANTED = {
    "factor 2": Planted(Tanh(), X, "x", lambda g, _: 2 * g["x"]),
    "wrong sign": Planted(Tanh(), X, "x", lambda g, _: -g["x"]),
    "wrong sign of one operand": Planted(Divide(), PAIR, "b", lambda g, _: -g["b"]),
    "missing term": Planted(Silu(), X, "x", lambda g, v: 1 / (1 + np.exp(-v["x"]))),
    "forgotten sum over rows": Planted(Add(), ROW, "b", lambda g, _: g["a"][0]),
    "mean instead of sum": Planted(Multiply(), ROW, "b", lambda g, _: g["b"] / 3),
    "shape before broadcast": Planted(Add(), ROW, "b", lambda g, _: g["a"]),
    "swapped operands": Planted(Multiply(), PAIR, "a", lambda g, _: g["b"]),
    "transposed weight": Planted(Linear(3), SQUARE, "weight", lambda g, _: g["weight"].T),
    "bias of one example": Planted(Linear(3), SQUARE, "bias", lambda g, _: g["bias"] / 3),
    "missing 1/n": Planted(
        MeanSquaredError(), {"prediction": (4,), "target": (4,)}, "target", lambda g, _: 4 * g["target"]
    ),
    "diagonal of the Jacobian only": Planted(
        Softmax(), X, "x", lambda g, v: np.exp(v["x"]) / np.exp(v["x"]).sum(-1, keepdims=True)
    ),
    "one element off by 1e-5": Planted(Tanh(), X, "x", one_element),
    "off by 1e-6 everywhere": Planted(Tanh(), X, "x", lambda g, _: g["x"] + 1e-6),
    "one NaN": Planted(Tanh(), X, "x", lambda g, _: np.where(g["x"] == g["x"].max(), np.nan, g["x"])),
    "all infinite": Planted(Tanh(), X, "x", lambda g, _: np.full_like(g["x"], np.inf)),
    "nothing": Planted(Tanh(), X, "x", lambda g, _: np.zeros_like(g["x"])),
}


def prepared(planted: Planted) -> tuple[Gradients, Array, Gradients]:
    """Operands, an upstream gradient, and the right gradients."""
    rng = np.random.default_rng(5)
    sources = {name: np.asarray(rng.uniform(0.5, 2, shape)) for name, shape in planted.shapes.items()}
    dy = np.asarray(rng.normal(size=kernels.value(planted.op, sources).shape))
    return sources, dy, kernels.gradients(planted.op, sources, dy, sources)


@pytest.mark.parametrize("name", PLANTED)
def test_catches_a_planted_error(name: str) -> None:
    planted = PLANTED[name]
    sources, dy, right = prepared(planted)
    gradcheck.check(lambda arrays: kernels.value(planted.op, arrays), sources, dy, right)
    claimed = {**right, planted.operand: planted.spoil(right, sources)}
    with pytest.raises(WrongGradient) as caught:
        gradcheck.check(lambda arrays: kernels.value(planted.op, arrays), sources, dy, claimed)
    assert caught.value.name == planted.operand


@record
class Adding(Tanh):
    """A kernel that adds to its target instead of writing it."""

    def backward(self, dy: Array, *, y: Array, dx: Array, t: Array) -> Calls:
        yield do(np.multiply, y, y, t)
        yield do(np.subtract, 1, t, t)
        yield do(np.multiply, dy, t, t)
        yield do(np.add, dx, t, dx)


def test_catches_a_kernel_that_adds() -> None:
    sources, dy, _ = prepared(Planted(Tanh(), X, "x", one_element))
    claimed = kernels.gradients(Adding(), sources, dy, ["x"])
    with pytest.raises(WrongGradient, match=r"12 of 12 elements are wrong; at \[0, 0\] it claims nan"):
        gradcheck.check(lambda arrays: kernels.value(Tanh(), arrays), sources, dy, claimed)


def test_refuses_a_function_without_finite_differences() -> None:
    x = {"x": np.array([-1.0])}
    with pytest.raises(WrongGradient, match="no finite differences"), np.errstate(invalid="ignore"):
        gradcheck.check(lambda arrays: np.log(arrays["x"]), x, np.ones(1), x)


def test_differences_of_a_known_function() -> None:
    rng = np.random.default_rng(0)
    x, upstream = rng.normal(size=(2, 3)), rng.normal(size=(2, 3))
    found = gradcheck.differences(lambda arrays: arrays["x"] ** 3, {"x": x}, "x", upstream)
    np.testing.assert_allclose(found, upstream * 3 * x**2, rtol=1e-8)


def test_differences_leave_the_arrays_alone() -> None:
    arrays = {"x": np.arange(3.0)}
    gradcheck.differences(lambda moved: moved["x"] ** 2, arrays, "x", np.ones(3))
    assert arrays["x"].tolist() == [0, 1, 2]
