"""The work itself: networks with their data and first parameters, the same for every contender."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

Array = np.ndarray


@dataclass(frozen=True)
class Xor:
    """XOR with a hidden layer of three sigmoid neurons: a full batch of four, squared error, descent at rate 1."""

    rate = 1.0
    x = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    y = np.array([[0.0], [1.0], [1.0], [0.0]])
    trial = 200
    """Epochs after which the contenders' costs are compared."""

    def parameters(self) -> list[tuple[Array, Array]]:
        """Weights, a row for each unit, and biases."""
        rng = np.random.default_rng(48)
        return [(rng.normal(size=(3, 2)), np.zeros(3)), (rng.normal(size=(1, 3)), np.zeros(1))]

    def spec(self) -> dict[str, Any]:
        """The network as this program reads it."""
        return {
            "name": "xor",
            "dtype": "float64",
            "inputs": {"x": {"shape": ["N", 2]}, "y": {"shape": ["N", 1]}},
            "nodes": [
                {"name": "z1", "op": "linear", "inputs": "x", "units": 3},
                {"name": "a1", "op": "sigmoid"},
                {"name": "z2", "op": "linear", "units": 1},
                {"name": "y_hat", "op": "sigmoid"},
            ],
            "outputs": ["y_hat"],
            "loss": {"op": "squared_error", "inputs": ["y_hat", "y"]},
            "train": {"batch_size": "all", "optimizer": {"name": "sgd", "learning_rate": self.rate}},
        }


@dataclass(frozen=True)
class Net:
    """Linear layers with ReLU between them, float32; trained on made-up classes with softmax and crossentropy."""

    sizes: tuple[int, ...]
    batch: int = 1
    rows: int = 1
    optimizer: str = "sgd"
    rate: float = 0.01
    shuffle: bool = True

    @property
    def steps(self) -> int:
        """Batches in an epoch; they come out even."""
        return self.rows // self.batch

    def trial(self) -> Net:
        """A short training in a fixed order: what it comes to must be the same for every contender."""
        return replace(self, rows=self.batch * min(10, self.steps), shuffle=False)

    def data(self) -> tuple[Array, Array]:
        """Examples and their classes."""
        rng = np.random.default_rng(1)
        x = rng.standard_normal((self.rows, self.sizes[0]), np.float32)
        return x, rng.integers(0, self.sizes[-1], self.rows)

    def parameters(self) -> list[tuple[Array, Array]]:
        """Weights, a row for each unit, drawn as He et al. do, and biases."""
        rng = np.random.default_rng(2)
        pairs = zip(self.sizes, self.sizes[1:], strict=False)
        return [
            (rng.standard_normal((n, m), np.float32) * np.float32((2 / m) ** 0.5), np.zeros(n, np.float32))
            for m, n in pairs
        ]

    def spec(self) -> dict[str, Any]:
        """The network as this program reads it."""
        nodes: list[dict[str, Any]] = []
        for number, units in enumerate(self.sizes[1:], 1):
            nodes += [{"name": f"z{number}", "op": "linear", "units": units}, {"name": f"a{number}", "op": "relu"}]
        nodes[0]["inputs"] = "x"
        logits = f"z{len(self.sizes) - 1}"
        return {
            "name": "net",
            "inputs": {
                "x": {"shape": ["N", self.sizes[0]]},
                "label": {"shape": ["N"], "dtype": "int64"},
            },
            "nodes": nodes[:-1],
            "outputs": [logits],
            "loss": {
                "op": "sparse_categorical_crossentropy",
                "inputs": [logits, "label"],
                "from_logits": True,
            },
            "train": {
                "batch_size": self.batch,
                "shuffle": self.shuffle,
                "optimizer": {"name": self.optimizer, "learning_rate": self.rate},
            },
        }


@dataclass(frozen=True)
class Chain:
    """So many nodes one behind the other: linear layers of four units, each with a tanh."""

    nodes: int

    def spec(self) -> dict[str, Any]:
        """The network as this program reads it."""
        nodes: list[dict[str, Any]] = []
        for number in range(self.nodes // 2):
            nodes += [{"name": f"z{number}", "op": "linear", "units": 4}, {"name": f"a{number}", "op": "tanh"}]
        nodes[0]["inputs"] = "x"
        return {
            "name": "chain",
            "inputs": {"x": {"shape": ["N", 4]}},
            "nodes": nodes,
            "outputs": [nodes[-1]["name"]],
        }


def probabilities(logits: Array) -> list[float]:
    """Softmax of scores, so that whoever answers with either can be compared."""
    powers = np.exp(logits - logits.max())
    return (powers / powers.sum()).ravel().tolist()
