"""JAX: functions compiled by XLA, their state given away to them so that it is updated in place."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from tests.benchmarks.machine import cores
from tests.benchmarks.rounds import Repeated
from tests.benchmarks.tasks import Net, Xor, probabilities


def facts() -> dict[str, str]:
    """Versions and threads; XLA has a pool of as many as there are processors."""
    return {"version": f"JAX {jax.__version__}", "threads": str(cores())}


class Full(Repeated):
    """XOR; a call is an epoch. float64 has to be allowed."""

    def __init__(self, task: Xor) -> None:
        jax.config.update("jax_enable_x64", True)
        self.task, self.x, self.y = task, jnp.asarray(task.x), jnp.asarray(task.y)
        self.state = [(jnp.asarray(weight.T), jnp.asarray(bias)) for weight, bias in task.parameters()]
        self.step = jax.jit(self.stepped, donate_argnums=0)

    def loss(self, state, x, y):
        """The halved mean squared error."""
        for weight, bias in state:
            x = jax.nn.sigmoid(x @ weight + bias)
        return 0.5 * jnp.mean((x - y) ** 2)

    def stepped(self, state, x, y):
        """One update."""
        loss, gradients = jax.value_and_grad(self.loss)(state, x, y)
        return jax.tree.map(lambda w, g: w - self.task.rate * g, state, gradients), loss

    def run(self, calls: int) -> None:
        state, step, x, y = self.state, self.step, self.x, self.y
        self.losses = []
        for _ in range(calls):
            state, loss = step(state, x, y)
            self.losses.append(float(loss))
        self.state = state

    def answer(self) -> list[float]:
        self.run(self.task.trial)
        return [self.losses[-1]]


def scores(layers, x):
    """A batch forward."""
    for weight, bias in layers[:-1]:
        x = jax.nn.relu(x @ weight + bias)
    weight, bias = layers[-1]
    return x @ weight + bias


def crossentropy(layers, x, label):
    """The loss of a batch."""
    logs = jax.nn.log_softmax(scores(layers, x))
    return -jnp.mean(jnp.take_along_axis(logs, label[:, None], axis=1))


def descended(state, gradients, rate):
    """Plain descent."""
    return jax.tree.map(lambda w, g: w - rate * g, state, gradients)


def with_adam(state, gradients, rate):
    """Adam with the usual constants."""
    layers, m, v, count = state
    count = count + 1
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, gradients)
    v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, gradients)
    first, second = 1 - 0.9**count, 1 - 0.999**count

    def moved(w, m, v):
        return w - rate * (m / first) / (jnp.sqrt(v / second) + 1e-8)

    return jax.tree.map(moved, layers, m, v), m, v, count


class Batches(Repeated):
    """Arrays on the device, a batch gathered within the compiled step; a call is an epoch."""

    def __init__(self, task: Net) -> None:
        self.task, self.steps = task, task.steps
        x, label = task.data()
        self.x, self.label = jnp.asarray(x), jnp.asarray(label)
        layers = [(jnp.asarray(weight.T), jnp.asarray(bias)) for weight, bias in task.parameters()]
        zeros = [jax.tree.map(jnp.zeros_like, layers) for _ in range(2)]
        self.state = layers if task.optimizer == "sgd" else (layers, *zeros, jnp.zeros((), jnp.float32))
        self.rng = np.random.default_rng(3)
        self.step = jax.jit(self.stepped, donate_argnums=0)

    def stepped(self, state, x, label, rows):
        """One update."""
        plain = self.task.optimizer == "sgd"
        layers = state if plain else state[0]
        loss, gradients = jax.value_and_grad(crossentropy)(layers, x[rows], label[rows])
        return (descended if plain else with_adam)(state, gradients, self.task.rate), loss

    def run(self, calls: int) -> None:
        for _ in range(calls):
            self.epoch()

    def ordered(self) -> np.ndarray:
        """The examples' order in an epoch."""
        rows = np.arange(self.task.rows, dtype=np.int32)
        return self.rng.permutation(rows) if self.task.shuffle else rows

    def epoch(self) -> None:
        """Every example once; the losses are fetched at its end, so that steps may be queued."""
        order, size, losses, state = self.ordered(), self.task.batch, [], self.state
        for start in range(0, len(order), size):
            state, loss = self.step(state, self.x, self.label, order[start : start + size])
            losses.append(loss)
        self.state = jax.block_until_ready(state)
        self.mean = float(np.mean(jax.device_get(losses)))

    def answer(self) -> list[float]:
        trial = type(self)(self.task.trial())
        losses = []
        for _ in range(2):
            trial.run(1)
            losses.append(trial.mean)
        return losses


class Scanned(Batches):
    """The whole epoch is one compiled function; nobody can look at a step or end it there."""

    def __init__(self, task: Net) -> None:
        super().__init__(task)
        self.whole = jax.jit(self.scanned, donate_argnums=0)

    def scanned(self, state, x, label, order):
        """All updates of an epoch."""
        return jax.lax.scan(lambda state, rows: self.stepped(state, x, label, rows), state, order)

    def epoch(self) -> None:
        order = self.ordered().reshape(-1, self.task.batch)
        self.state, losses = self.whole(self.state, self.x, self.label, order)
        self.mean = float(jnp.mean(losses))


class Predict(Repeated):
    """One row forward, from a NumPy array to one; the parameters are constants of the compiled function."""

    def __init__(self, task: Net) -> None:
        layers = [(jnp.asarray(weight.T), jnp.asarray(bias)) for weight, bias in task.parameters()]
        self.forward, self.x = jax.jit(partial(scores, layers)), task.data()[0]

    def run(self, calls: int) -> None:
        forward, x = self.forward, self.x
        for _ in range(calls):
            np.asarray(forward(x))

    def answer(self) -> list[float]:
        return probabilities(np.asarray(self.forward(self.x)))
