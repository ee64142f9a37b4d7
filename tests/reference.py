"""Every op once more, independently: as plain functions in the array namespace of an automatic differentiator.

``table(np, erf)`` serves ``autograd.numpy`` and ``jax.numpy`` alike: the functions use what both have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Table = dict[str, Callable[..., Any]]


def activations(np: Any, erf: Any) -> Table:
    def selu(x: Any) -> Any:
        return 1.0507009873554805 * elu(x, 1.6732632423543772)

    def elu(x: Any, alpha: float = 1.0) -> Any:
        return np.where(x > 0, x, alpha * (np.exp(np.where(x > 0, 0.0, x)) - 1))

    def gelu(x: Any, approximate: bool = False) -> Any:
        if approximate:
            return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
        return 0.5 * x * (1 + erf(x / np.sqrt(2.0)))

    def log_softmax(x: Any, axis: int = -1) -> Any:
        shifted = x - np.max(x, axis=axis, keepdims=True)
        return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))

    return {
        "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
        "tanh": np.tanh,
        "relu": lambda x: np.where(x > 0, x, 0.0),
        "leaky_relu": lambda x, negative_slope=0.01: np.where(x > 0, x, negative_slope * x),
        "elu": elu,
        "selu": selu,
        "softplus": lambda x: np.logaddexp(x, 0.0),
        "softsign": lambda x: x / (1 + np.abs(x)),
        "gelu": gelu,
        "silu": lambda x: x / (1 + np.exp(-x)),
        "sin": np.sin,
        "cos": np.cos,
        "identity": lambda x: x,
        "log_softmax": log_softmax,
        "softmax": lambda x, axis=-1: np.exp(log_softmax(x, axis)),
    }


def arithmetic(np: Any) -> Table:
    return {
        "add": lambda a, b: a + b,
        "subtract": lambda a, b: a - b,
        "multiply": lambda a, b: a * b,
        "divide": lambda a, b: a / b,
        "power": lambda a, b: a**b,
        "maximum": np.maximum,
        "minimum": np.minimum,
        "negative": lambda x: -x,
        "square": lambda x: x * x,
        "sqrt": np.sqrt,
        "exp": np.exp,
        "log": np.log,
        "absolute": np.abs,
    }


def shapes(np: Any) -> Table:
    def over(reduce: Any) -> Any:
        def reduced(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
            return reduce(x, axis=tuple(axis) if isinstance(axis, list) else axis, keepdims=keepdims)

        return reduced

    def cut(x: Any, axis: int = -1, start: Any = None, stop: Any = None, step: int = 1) -> Any:
        index = [slice(None)] * x.ndim
        index[axis] = slice(start, stop, step)
        return x[tuple(index)]

    return {
        "sum": over(np.sum),
        "mean": over(np.mean),
        "max": over(np.max),
        "reshape": lambda x, shape: np.reshape(x, [x.shape[0] if dim == "N" else dim for dim in shape]),
        "flatten": lambda x, start_axis=1: np.reshape(x, (*x.shape[:start_axis], -1)),
        # autograd's own gradient of transpose takes axes from the front only
        "transpose": lambda x, axes=None: np.transpose(x, axes and [axis % x.ndim for axis in axes]),
        "concatenate": lambda *xs, axis=-1: np.concatenate(xs, axis=axis),
        "slice": cut,
    }


def layers(np: Any) -> Table:
    def linear(x: Any, weight: Any, bias: Any = None, units: int = 0) -> Any:
        y = np.einsum("...i,oi->...o", x, weight)
        return y if bias is None else y + bias

    def feature_cross(x: Any, terms: Any, columns: Any) -> Any:
        made = []
        for term in terms:
            monomial = 1.0
            for factor in term.split("*"):
                name, _, power = factor.partition("^")
                monomial = monomial * x[..., columns.index(name)] ** int(power or 1)
            made.append(monomial)
        return np.stack(made, axis=-1)

    return {
        "linear": linear,
        "matmul": np.matmul,
        "feature_cross": feature_cross,
    }


def losses(np: Any) -> Table:
    def huber(p: Any, t: Any, delta: float = 1.0) -> Any:
        e = np.abs(p - t)
        return np.mean(np.where(e <= delta, 0.5 * e * e, delta * (e - 0.5 * delta)))

    def binary(p: Any, t: Any, from_logits: bool = False) -> Any:
        if from_logits:
            return np.mean(t * np.logaddexp(0.0, -p) + (1 - t) * np.logaddexp(0.0, p))
        return -np.mean(t * np.log(p) + (1 - t) * np.log(1 - p))

    def categorical(p: Any, t: Any, from_logits: bool = False) -> Any:
        log_p = p - np.log(np.sum(np.exp(p), axis=-1, keepdims=True)) if from_logits else np.log(p)
        return -np.mean(np.sum(t * log_p, axis=-1))

    def sparse(p: Any, t: Any, from_logits: bool = False) -> Any:
        chosen = (t[..., None] == np.arange(p.shape[-1])) * 1.0
        return categorical(p, chosen, from_logits)

    return {
        "squared_error": lambda p, t: np.sum((p - t) ** 2) / (2 * (p.shape[0] if p.ndim else 1)),
        "mean_squared_error": lambda p, t: np.mean((p - t) ** 2),
        "mean_absolute_error": lambda p, t: np.mean(np.abs(p - t)),
        "huber": huber,
        "hinge": lambda p, t: np.mean(np.where(t * p < 1, 1 - t * p, 0.0)),
        "binary_crossentropy": binary,
        "categorical_crossentropy": categorical,
        "sparse_categorical_crossentropy": sparse,
    }


def table(np: Any, erf: Any) -> Table:
    """Every op of the vocabulary."""
    found = {**activations(np, erf), **arithmetic(np), **shapes(np), **layers(np), **losses(np)}
    found["standardize"] = lambda x, mean, std: (x - mean) / std
    return found


def evaluate(rules: Table, spec: Mapping[str, Any], leaves: Mapping[str, Any]) -> dict[str, Any]:
    """Every value of a spec whose nodes stand in forward order, from its inputs, constants and parameters."""
    values = dict(leaves)
    for node in spec["nodes"]:
        attributes = {name: item for name, item in node.items() if name not in ("name", "op", "inputs")}
        owned = [f"{node['name']}/{name}" for name in ("weight", "bias")]
        arguments = [values[name] for name in (*node["inputs"], *owned) if name in values]
        values[node["name"]] = rules[node["op"]](*arguments, **attributes)
    return values
