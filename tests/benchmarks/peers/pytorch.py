"""PyTorch, eager, with its default threads."""

from __future__ import annotations

from itertools import chain

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from tests.benchmarks.rounds import Repeated
from tests.benchmarks.tasks import Net, Xor, probabilities


def facts() -> dict[str, str]:
    """Versions and threads."""
    return {"version": f"PyTorch {torch.__version__}", "threads": str(torch.get_num_threads())}


def network(task: Xor | Net, activation: type[nn.Module], last: bool = False) -> nn.Sequential:
    """The task's layers with its parameters."""
    pairs = task.parameters()
    layers = [nn.Linear(*weight.shape[::-1], dtype=torch.from_numpy(weight).dtype) for weight, _ in pairs]
    with torch.no_grad():
        for layer, (weight, bias) in zip(layers, pairs, strict=True):
            layer.weight.copy_(torch.from_numpy(weight))
            layer.bias.copy_(torch.from_numpy(bias))
    modules = list(chain.from_iterable((layer, activation()) for layer in layers))
    return nn.Sequential(*(modules if last else modules[:-1]))


class Full(Repeated):
    """XOR; a call is an epoch."""

    def __init__(self, task: Xor) -> None:
        self.task, self.net = task, network(task, nn.Sigmoid, last=True)
        self.x, self.y = torch.from_numpy(task.x), torch.from_numpy(task.y)
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=task.rate)

    def run(self, calls: int) -> None:
        net, optimizer, x, y = self.net, self.optimizer, self.x, self.y
        self.losses = []
        for _ in range(calls):
            optimizer.zero_grad()
            loss = 0.5 * functional.mse_loss(net(x), y)
            loss.backward()
            optimizer.step()
            self.losses.append(loss.item())

    def answer(self) -> list[float]:
        self.run(self.task.trial)
        return [self.losses[-1]]


class Batches(Repeated):
    """Tensors in memory, indexed by a permutation; a call is an epoch."""

    def __init__(self, task: Net, fused: bool = False) -> None:
        self.task, self.steps, self.fused = task, task.steps, fused
        self.net = network(task, nn.ReLU)
        x, label = task.data()
        self.x, self.label = torch.from_numpy(x), torch.from_numpy(label)
        kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[task.optimizer]
        self.optimizer = kind(self.net.parameters(), lr=task.rate, **({"fused": True} if fused else {}))

    def run(self, calls: int) -> None:
        for _ in range(calls):
            self.epoch()

    def epoch(self) -> None:
        """Every example once."""
        net, optimizer, x, label = self.net, self.optimizer, self.x, self.label
        order = torch.randperm(self.task.rows) if self.task.shuffle else torch.arange(self.task.rows)
        total = 0.0
        for rows in order.split(self.task.batch):
            optimizer.zero_grad()
            # As x[rows], but a little faster.
            batch, wanted = x.index_select(0, rows), label.index_select(0, rows)
            loss = functional.cross_entropy(net(batch), wanted)
            loss.backward()
            optimizer.step()
            total += loss.item()
        self.mean = total / self.steps

    def answer(self) -> list[float]:
        trial = Batches(self.task.trial(), self.fused)
        losses = []
        for _ in range(2):
            trial.run(1)
            losses.append(trial.mean)
        return losses


class Predict(Repeated):
    """One row forward, from a NumPy array to one."""

    def __init__(self, task: Net) -> None:
        self.net, self.x = network(task, nn.ReLU).eval(), task.data()[0]

    def predict(self, x: np.ndarray) -> np.ndarray:
        """The scores."""
        with torch.inference_mode():
            return self.net(torch.from_numpy(x)).numpy()

    def run(self, calls: int) -> None:
        predict, x = self.predict, self.x
        for _ in range(calls):
            predict(x)

    def answer(self) -> list[float]:
        return probabilities(self.predict(self.x))
