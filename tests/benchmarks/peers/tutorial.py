"""A loop as tutorials write it: a class for each kind of layer, a fresh array for every result.

Examples stand in columns, as in "Nothing but NumPy".
"""

from __future__ import annotations

import numpy as np

from tests.benchmarks.machine import numpy_facts as facts  # noqa: F401  # the child asks for it
from tests.benchmarks.rounds import Repeated
from tests.benchmarks.tasks import Xor


class LinearLayer:
    """Z = W·A + b."""

    def __init__(self, weight, bias):
        self.params = {"W": weight.copy(), "b": bias.reshape(-1, 1).copy()}

    def forward(self, inputs):
        self.inputs = inputs
        self.Z = np.dot(self.params["W"], inputs) + self.params["b"]

    def backward(self, upstream):
        self.dW = np.dot(upstream, self.inputs.T)
        self.db = np.sum(upstream, axis=1, keepdims=True)
        self.d_inputs = np.dot(self.params["W"].T, upstream)

    def update_params(self, learning_rate):
        self.params["W"] = self.params["W"] - learning_rate * self.dW
        self.params["b"] = self.params["b"] - learning_rate * self.db


class SigmoidLayer:
    """A = 1 / (1 + e^−Z)."""

    def forward(self, inputs):
        self.A = 1 / (1 + np.exp(-inputs))

    def backward(self, upstream):
        self.dZ = upstream * self.A * (1 - self.A)


def compute_cost(wanted, found):
    """The squared error, halved and averaged, and its derivative by what was found."""
    count = wanted.shape[1]
    cost = np.squeeze((1 / (2 * count)) * np.sum(np.square(wanted - found)))
    return cost, -1 / count * (wanted - found)


class Full(Repeated):
    """The training loop; a call is an epoch."""

    def __init__(self, task: Xor) -> None:
        self.task, self.x, self.y = task, task.x.T.copy(), task.y.T.copy()
        first, second = task.parameters()
        self.layers = LinearLayer(*first), SigmoidLayer(), LinearLayer(*second), SigmoidLayer()

    def run(self, calls: int) -> None:
        Z1, A1, Z2, A2 = self.layers
        self.costs = []
        for _ in range(calls):
            Z1.forward(self.x)
            A1.forward(Z1.Z)
            Z2.forward(A1.A)
            A2.forward(Z2.Z)
            cost, dA2 = compute_cost(self.y, A2.A)
            self.costs.append(cost)
            A2.backward(dA2)
            Z2.backward(A2.dZ)
            A1.backward(Z2.d_inputs)
            Z1.backward(A1.dZ)
            Z2.update_params(learning_rate=self.task.rate)
            Z1.update_params(learning_rate=self.task.rate)

    def answer(self) -> list[float]:
        self.run(self.task.trial)
        return [float(self.costs[-1])]
