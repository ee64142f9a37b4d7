"""A small network as a document and in plain NumPy, its data, and the orders and parts that a seed draws."""

from __future__ import annotations

import numpy as np

from nbn_spec.batches import SHUFFLE_STREAM
from nbn_spec.train import SPLIT_STREAM

RATE = 0.3


def examples(count, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 3))
    return x, np.sin(x @ rng.normal(size=(3, 2)))


def two_layers(count=10, dtype="float64", data=None, **train):
    """3-4-2 with tanh, on a smooth function."""
    x, y = data or examples(count)
    return {
        "name": "two_layers",
        "dtype": dtype,
        "seed": 5,
        "inputs": {"x": {"shape": ["N", 3]}, "y": {"shape": ["N", 2]}},
        "nodes": [
            {"name": "h", "op": "dense", "inputs": "x", "units": 4, "activation": "tanh"},
            {"name": "out", "op": "linear", "units": 2},
        ],
        "outputs": ["out"],
        "loss": {"op": "mean_squared_error", "inputs": ["out", "y"]},
        "data": {"values": {"x": x.tolist(), "y": y.tolist()}},
        "train": {"epochs": 4, "optimizer": {"name": "sgd", "learning_rate": RATE}, **train},
    }


class Reference:
    """The same network in plain NumPy."""

    def __init__(self, model):
        parts = ("h/linear/weight", "h/linear/bias", "out/weight", "out/bias")
        self.weights = {name: model.parameters[name].copy() for name in parts}

    def step(self, x, y, rate=RATE):
        w1, b1, w2, b2 = self.weights.values()
        h = np.tanh(x @ w1.T + b1)
        e = h @ w2.T + b2 - y
        de = 2 * e / e.size
        dh = de @ w2 * (1 - h**2)
        gradients = (dh.T @ x, dh.sum(0), de.T @ h, de.sum(0))
        for name, gradient in zip(list(self.weights), gradients, strict=True):
            self.weights[name] = self.weights[name] - rate * gradient
        return float((e**2).mean())

    def loss(self, x, y):
        return self.step(x, y, rate=0)

    def epoch(self, x, y, order, size):
        """The mean over the examples of what each batch's forward pass gave before its update."""
        total = 0.0
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            total += self.step(x[rows], y[rows]) * len(rows)
        return total / len(order)


def same_parameters(model, reference, atol=1e-12):
    for name, expected in reference.weights.items():
        np.testing.assert_allclose(model.parameters[name], expected, rtol=0, atol=atol)


def standardized(count, **train):
    document = two_layers(count, **train)
    document["nodes"].insert(0, {"name": "even", "op": "standardize", "inputs": "x"})
    document["nodes"][1]["inputs"] = "even"
    return document


def orders(seed, count):
    """The orders that epochs take, one after the other."""
    draws = np.random.default_rng((seed, SHUFFLE_STREAM))
    while True:
        yield draws.permutation(count)


def parts(count, fraction, seed=5):
    """(training rows, held-back rows)."""
    held = round(count * fraction)
    order = np.random.default_rng((seed, SPLIT_STREAM)).permutation(count)
    return np.sort(order[held:]), np.sort(order[:held])


def bowl(start, rate=0.1, epochs=100, op="multiply"):
    """w² (or another function of w) by itself: no data."""
    inputs = ["w", "w"] if op == "multiply" else ["w"]
    return {
        "name": "bowl",
        "dtype": "float64",
        "parameters": {"w": {"value": start}},
        "nodes": [{"name": "cost", "op": op, "inputs": inputs}],
        "outputs": ["cost"],
        "loss": "cost",
        "train": {"epochs": epochs, "optimizer": {"name": "sgd", "learning_rate": rate}},
    }
