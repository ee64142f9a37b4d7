"""Every op and loss, forward and gradients, against PyTorch's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import kernels
import numpy as np
import pytest
from cases import CASES, Case
from peer import peer

from nbn_spec.ops import OPS

torch = peer("torch")
F = peer("torch.nn.functional")
pytestmark = pytest.mark.peers("torch")
TOLERANCE = 1e-10


def reduced(name: str) -> Callable[..., Any]:
    """A reduction; without axes PyTorch would reduce all, and a scalar has none."""

    def apply(op: Any, x: Any) -> Any:
        axes = op.axes(tuple(x.shape))
        return getattr(torch, name)(x, dim=axes, keepdim=op.keepdims) if axes else x

    return apply


def feature_cross(op: Any, x: Any) -> Any:
    made = []
    for term in op.terms:
        factors = [factor.partition("^") for factor in term.split("*")]
        made.append(torch.stack([x[..., op.columns.index(c)] ** int(p or 1) for c, _, p in factors]).prod(0))
    return torch.stack(made, -1)


def cut(op: Any, x: Any) -> Any:
    index = [slice(None)] * x.ndim
    index[op.axis] = slice(op.start, op.stop, op.step)
    return x[tuple(index)]


def binary_crossentropy(op: Any, p: Any, t: Any) -> Any:
    return F.binary_cross_entropy_with_logits(p, t) if op.from_logits else F.binary_cross_entropy(p, t)


def categorical(op: Any, p: Any, t: Any) -> Any:
    flat = p.reshape(-1, p.shape[-1])
    if op.from_logits:
        return F.cross_entropy(flat, t.reshape(flat.shape))
    return -(t * p.log()).sum() / len(flat)


def sparse(op: Any, p: Any, t: Any) -> Any:
    flat = p.reshape(-1, p.shape[-1])
    return F.cross_entropy(flat, t.reshape(-1)) if op.from_logits else F.nll_loss(flat.log(), t.reshape(-1))


RULES: dict[str, Callable[..., Any]] = {
    "linear": lambda op, x, weight, bias=None: F.linear(x, weight, bias),
    "matmul": lambda op, a, b: torch.matmul(a, b),
    "sigmoid": lambda op, x: torch.sigmoid(x),
    "tanh": lambda op, x: torch.tanh(x),
    "relu": lambda op, x: torch.relu(x),
    "leaky_relu": lambda op, x: F.leaky_relu(x, op.negative_slope),
    "elu": lambda op, x: F.elu(x, op.alpha),
    "selu": lambda op, x: F.selu(x),
    # from its threshold on PyTorch takes softplus for x itself, by default with an error of 2e-9
    "softplus": lambda op, x: F.softplus(x, threshold=50),
    "softsign": lambda op, x: F.softsign(x),
    "gelu": lambda op, x: F.gelu(x, approximate="tanh" if op.approximate else "none"),
    "silu": lambda op, x: F.silu(x),
    "sin": lambda op, x: torch.sin(x),
    "cos": lambda op, x: torch.cos(x),
    "identity": lambda op, x: torch.nn.Identity()(x),
    "softmax": lambda op, x: torch.softmax(x, op.axis),
    "log_softmax": lambda op, x: torch.log_softmax(x, op.axis),
    "add": lambda op, a, b: torch.add(a, b),
    "subtract": lambda op, a, b: torch.sub(a, b),
    "multiply": lambda op, a, b: torch.mul(a, b),
    "divide": lambda op, a, b: torch.div(a, b),
    "power": lambda op, a, b: torch.pow(a, b),
    "maximum": lambda op, a, b: torch.maximum(a, b),
    "minimum": lambda op, a, b: torch.minimum(a, b),
    "negative": lambda op, x: torch.neg(x),
    "square": lambda op, x: torch.square(x),
    "sqrt": lambda op, x: torch.sqrt(x),
    "exp": lambda op, x: torch.exp(x),
    "log": lambda op, x: torch.log(x),
    "absolute": lambda op, x: torch.abs(x),
    "sum": reduced("sum"),
    "mean": reduced("mean"),
    "max": reduced("amax"),
    "reshape": lambda op, x: torch.reshape(x, op.shape),
    "flatten": lambda op, x: torch.flatten(x, op.start_axis),
    "transpose": lambda op, x: torch.permute(x, op.order(x.ndim)),
    "concatenate": lambda op, *xs: torch.cat(xs, op.axis),
    "slice": cut,
    "feature_cross": feature_cross,
    "standardize": lambda op, x, mean, std: (x - mean) / std,
    "squared_error": lambda op, p, t: F.mse_loss(p, t, reduction="sum") / (2 * (p.shape[0] if p.ndim else 1)),
    "mean_squared_error": lambda op, p, t: F.mse_loss(p, t),
    "mean_absolute_error": lambda op, p, t: F.l1_loss(p, t),
    "huber": lambda op, p, t: F.huber_loss(p, t, delta=op.delta),
    "hinge": lambda op, p, t: torch.relu(1 - t * p).mean(),
    "binary_crossentropy": binary_crossentropy,
    "categorical_crossentropy": categorical,
    "sparse_categorical_crossentropy": sparse,
}


def test_every_op_is_compared() -> None:
    assert RULES.keys() == OPS.keys()


def compare(op: Any, sources: dict[str, Any], wanted: list[str], seed: int = 0) -> None:
    """Result and gradients, for a random upstream gradient."""
    y = kernels.value(op, sources)
    dy = np.random.default_rng(seed).normal(size=y.shape)
    tensors = {name: torch.tensor(array) for name, array in sources.items()}
    for name in wanted:
        tensors[name].requires_grad_()
    theirs = RULES[op.word()](op, *tensors.values())
    np.testing.assert_allclose(y, theirs.detach().numpy(), rtol=TOLERANCE, atol=TOLERANCE)
    theirs.backward(torch.tensor(dy))
    found = kernels.gradients(op, sources, dy, wanted)
    for name in wanted:
        np.testing.assert_allclose(found[name], tensors[name].grad.numpy(), rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_ops(case: Case) -> None:
    for seed in (11, 12, 13):
        compare(case.op, case.sources(seed), case.differentiable(), seed)


SMOOTH = [
    "sigmoid",
    "tanh",
    "elu",
    "selu",
    "softplus",
    "softsign",
    "gelu",
    "silu",
    "softmax",
    "log_softmax",
    "relu",
]


@pytest.mark.parametrize("word", SMOOTH)
def test_activations_far_from_zero(word: str) -> None:
    x = np.concatenate([np.linspace(-30, 30, 401), [-700.0, -100.0, 100.0, 700.0, 1e-12, -1e-12]])
    compare(OPS[word](), {"x": x}, ["x"])


@pytest.mark.parametrize("word", ["relu", "leaky_relu", "elu", "selu", "absolute", "softsign"])
def test_derivatives_at_zero(word: str) -> None:
    compare(OPS[word](), {"x": np.zeros(3)}, ["x"])


def test_ties() -> None:
    a, b = np.array([1.0, 2, 2]), np.array([1.0, 2, 3])
    compare(OPS["maximum"](), {"a": a, "b": b}, ["a", "b"])
    compare(OPS["minimum"](), {"a": a, "b": b}, ["a", "b"])
    compare(OPS["max"].from_json({"axis": -1}), {"x": np.array([[1.0, 1, 0], [2, 2, 2]])}, ["x"])


def test_power_at_zero_and_below() -> None:
    compare(OPS["power"](), {"a": np.array([0.0, 0, 0, -2, -2]), "b": np.array([0.0, 1, 2, 3, 0])}, ["a"])


@pytest.mark.parametrize("scale", [10, 100, 1000])
@pytest.mark.parametrize("word", [word for word in OPS if word.endswith("crossentropy")])
def test_crossentropies_of_large_logits(word: str, scale: float) -> None:
    rng = np.random.default_rng(scale)
    target = rng.integers(0, 3, 6) if word.startswith("sparse") else rng.uniform(0, 1, (6, 3))
    sources = {"prediction": rng.normal(scale=scale, size=(6, 3)), "target": target}
    compare(OPS[word].from_json({"from_logits": True}), sources, ["prediction"])


def test_sure_probabilities() -> None:
    """The floors are PyTorch's: logarithms at −100, divisions by 1e-12."""
    sources = {"prediction": np.array([0.0, 0, 1, 1, 0.5]), "target": np.array([0.0, 1, 0, 1, 1])}
    prediction = torch.tensor(sources["prediction"], requires_grad=True)
    theirs = F.binary_cross_entropy(prediction, torch.tensor(sources["target"]))
    assert kernels.value(OPS["binary_crossentropy"](), sources) == pytest.approx(theirs.item(), rel=TOLERANCE)
    theirs.backward()
    found = kernels.gradients(OPS["binary_crossentropy"](), sources, np.ones(()), ["prediction"])["prediction"]
    held = float(np.float32(1e-12)) / 1e-12  # PyTorch's own 1e-12 is a float32
    np.testing.assert_allclose(found[:4], prediction.grad.numpy()[:4] * held, rtol=TOLERANCE)
