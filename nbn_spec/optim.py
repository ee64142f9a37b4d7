"""Optimizers: arithmetic on the flat vector, by the update rules of PyTorch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import ClassVar

import numpy as np

from nbn_spec.arrays import empty, zeros
from nbn_spec.ops.base import Array, Call, do
from nbn_spec.record import Record, attr, record


@dataclass(frozen=True)
class Update:
    """An optimizer bound to its vectors: call it after each backward pass. ``state`` is all that it remembers."""

    calls: tuple[Call, ...]
    state: Mapping[str, Array]

    def __call__(self) -> None:
        for call in self.calls:
            call()


@record
class Optimizer(Record, ABC):
    """How parameters follow their gradients; an instance is the record of its settings."""

    equation: ClassVar[str] = ""
    vectors: ClassVar[tuple[str, ...]] = ()
    """All that :meth:`bind` allocates, each as long as the vector that is trained; a few single numbers aside."""

    @abstractmethod
    def bind(self, flat: Array, grad: Array) -> Update:
        """The update of ``flat`` from ``grad``, both vectors of the trainable parameters."""


@record
class Sgd(Optimizer):
    """Gradient descent."""

    learning_rate: float = attr(0.01, gt=0, doc="Step size.")

    equation = "w ← w − learning_rate · g"
    vectors = ("step",)

    def bind(self, flat: Array, grad: Array) -> Update:
        step = empty(flat.shape, flat.dtype)
        return Update((do(np.multiply, grad, self.learning_rate, step), do(np.subtract, flat, step, flat)), {})


@record
class Adam(Optimizer):
    """Adam (Kingma & Ba 2015).

    The factors 1 − β are left out of the averages and folded, with the bias corrections, into one rate and one
    epsilon per step: ten passes over the vector instead of twelve.
    """

    learning_rate: float = attr(0.001, gt=0, doc="Step size.")
    beta_1: float = attr(0.9, ge=0, lt=1, doc="Decay of the average of gradients.")
    beta_2: float = attr(0.999, ge=0, lt=1, doc="Decay of the average of squared gradients.")
    epsilon: float = attr(1e-8, ge=0, doc="Added to the root, so that nothing is divided by zero.")

    equation = (
        "m ← β₁·m + (1−β₁)·g; v ← β₂·v + (1−β₂)·g²; w ← w − learning_rate · m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + epsilon)"
    )
    vectors = ("m", "v", "work")

    def bind(self, flat: Array, grad: Array) -> Update:
        m, v, work = (zeros(flat.shape, flat.dtype) for _ in self.vectors)
        step = np.zeros((), np.int64)
        rate, epsilon = np.empty((), flat.dtype), np.empty((), flat.dtype)

        def advance() -> None:
            step[...] = t = int(step) + 1
            root = sqrt((1 - self.beta_2) / (1 - self.beta_2**t))
            rate[...] = self.learning_rate * (1 - self.beta_1) / (1 - self.beta_1**t) / root
            epsilon[...] = self.epsilon / root

        calls = (
            advance,
            do(np.multiply, m, self.beta_1, m),
            do(np.add, m, grad, m),
            do(np.multiply, v, self.beta_2, v),
            do(np.multiply, grad, grad, work),
            do(np.add, v, work, v),
            do(np.sqrt, v, work),
            do(np.add, work, epsilon, work),
            do(np.divide, m, work, work),
            do(np.multiply, work, rate, work),
            do(np.subtract, flat, work, flat),
        )
        return Update(calls, {"m": m, "v": v, "step": step})


OPTIMIZERS: dict[str, type[Optimizer]] = {"sgd": Sgd, "adam": Adam}
"""Every optimizer by its name in JSON."""
