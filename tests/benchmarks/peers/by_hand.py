"""NumPy planned by hand for one network: every array made once, every call writes into one, no call too many."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from tests.benchmarks.machine import numpy_facts as facts  # noqa: F401  # the child asks for it
from tests.benchmarks.rounds import Repeated
from tests.benchmarks.tasks import Array, Net, Xor, probabilities

Call = Callable[[], object]


class Straight(Repeated):
    """XOR; a call is an epoch. The steps that the program plans, written out in a straight line.

    Examples stand in rows, a layer's weights and biases by themselves, as the program has them: what more it takes
    is its interpreter's.
    """

    def __init__(self, task: Xor) -> None:
        self.task = task
        self.flat = np.concatenate([part.ravel() for layer in task.parameters() for part in layer])
        self.losses: list[float] = []

    def run(self, calls: int) -> None:
        flat, grad, step, x, y = self.flat, np.empty(13), np.empty(13), self.task.x, self.task.y
        (w1, b1, w2, b2), (dw1, db1, dw2, db2) = (
            [v[:6].reshape(3, 2), v[6:9], v[9:12].reshape(1, 3), v[12:]] for v in (flat, grad)
        )
        a1, t1, d1 = (np.empty((4, 3)) for _ in range(3))
        a2, t2, d2, error = (np.empty((4, 1)) for _ in range(4))
        total, cost, one, ones, row = np.empty(()), np.empty(()), np.ones(()), np.ones(4), error.reshape(-1)
        half, slope, rate, bias = np.array(0.125), np.array(0.25), np.array(self.task.rate), b2.reshape(())
        first, second, squares, back, sums = x.dot, a1.dot, row.dot, d2.dot, ones.dot
        by_a, by_x, w1_turned, w2_turned = d2.T.dot, d1.T.dot, w1.T, w2.T
        negative, exp, add, divide, finite = np.negative, np.exp, np.add, np.divide, math.isfinite
        subtract, multiply, read = np.subtract, np.multiply, cost.item
        self.losses = losses = []
        for _ in range(calls):
            first(w1_turned, a1)
            add(a1, b1, a1)
            negative(a1, a1)
            exp(a1, a1)
            add(a1, one, a1)
            divide(one, a1, a1)
            second(w2_turned, a2)
            add(a2, bias, a2)
            negative(a2, a2)
            exp(a2, a2)
            add(a2, one, a2)
            divide(one, a2, a2)
            subtract(a2, y, error)
            squares(row, total)
            multiply(total, half, cost)
            loss = read()
            if not finite(loss):
                raise ArithmeticError("the cost has left the finite numbers")
            losses.append(loss)
            multiply(error, slope, d2)
            subtract(one, a2, t2)
            multiply(a2, t2, t2)
            multiply(d2, t2, d2)
            by_a(a1, dw2)
            sums(d2, db2)
            back(w2, d1)
            subtract(one, a1, t1)
            multiply(a1, t1, t1)
            multiply(d1, t1, d1)
            by_x(x, dw1)
            sums(d1, db1)
            multiply(grad, rate, step)
            subtract(flat, step, flat)

    def answer(self) -> list[float]:
        self.run(self.task.trial)
        return [self.losses[-1]]


class Full(Repeated):
    """XOR; a call is an epoch.

    Examples stand in columns and biases in a further column of the weights, which a row of ones meets: no adding,
    no summing, and every array lies in one piece. Where there could be a number there is an array of the same
    shape, as NumPy converts a number anew in every call.
    """

    def __init__(self, task: Xor) -> None:
        self.task = task
        (w1, b1), (w2, b2) = task.parameters()
        self.flat = np.concatenate([np.hstack([w1, b1[:, None]]).ravel(), w2.ravel(), b2])
        self.x = np.vstack([task.x.T, np.ones(4)])
        self.losses: list[float] = []

    def run(self, calls: int) -> None:
        flat, grad, x, y = self.flat, np.empty(13), self.x, self.task.y.T.copy()
        w1, w2, dw1, dw2 = (v[part].reshape(-1, n) for v in (flat, grad) for part, n in PARTS)
        a, t1, d1, one1 = np.ones((4, 4)), np.empty((3, 4)), np.empty((3, 4)), np.ones((3, 4))
        a1, y_hat, t2, error, one2 = a[:3], *(np.empty((1, 4)) for _ in range(3)), np.ones((1, 4))
        first, second, back, row = w1.dot, w2.dot, w2[:, :3].T.dot, error[0]
        by_x, by_a, a_turned, x_turned, squares = d1.dot, error.dot, a.T, x.T, row.dot
        negative, exp, add, invert, finite = np.negative, np.exp, np.add, np.reciprocal, math.isfinite
        subtract, multiply, rate = np.subtract, np.multiply, np.full(13, self.task.rate / 4)
        self.losses = losses = []
        for _ in range(calls):
            first(x, t1)
            negative(t1, t1)
            exp(t1, t1)
            add(t1, one1, t1)
            invert(t1, a1)
            second(a, t2)
            negative(t2, t2)
            exp(t2, t2)
            add(t2, one2, t2)
            invert(t2, y_hat)
            subtract(y_hat, y, error)
            loss = float(squares(row)) / 8
            if not finite(loss):
                raise ArithmeticError("the cost has left the finite numbers")
            losses.append(loss)
            multiply(error, y_hat, error)
            subtract(one2, y_hat, t2)
            multiply(error, t2, error)
            by_a(a_turned, dw2)
            back(error, d1)
            multiply(d1, a1, d1)
            subtract(one1, a1, t1)
            multiply(d1, t1, d1)
            by_x(x_turned, dw1)
            multiply(grad, rate, grad)
            subtract(flat, grad, flat)

    def answer(self) -> list[float]:
        self.run(self.task.trial)
        return [self.losses[-1]]


PARTS = (slice(9), 3), (slice(9, 13), 4)
"""Where the two layers' weights lie in the vector, and how many columns they have."""


class Parameters:
    """A vector of parameters and one of gradients, with views of every layer; a weight has a row per input."""

    def __init__(self, task: Net) -> None:
        given = [(weight.T, bias) for weight, bias in task.parameters()]
        self.flat = np.concatenate([part.ravel() for pair in given for part in pair])
        self.grad = np.zeros_like(self.flat)
        self.layers, self.gradients = self.views(self.flat, given), self.views(self.grad, given)

    def views(self, vector: Array, given: list[tuple[Array, Array]]) -> list[tuple[Array, Array]]:
        """(weight, bias) of every layer within a vector."""
        parts, start = [], 0
        for weight, bias in given:
            middle, end = start + weight.size, start + weight.size + bias.size
            parts.append((vector[start:middle].reshape(weight.shape), vector[middle:end]))
            start = end
        return parts


def sgd(flat: Array, grad: Array, rate: float) -> Call:
    """Plain descent."""

    def update() -> None:
        np.multiply(grad, rate, grad)
        np.subtract(flat, grad, flat)

    return update


PIECE = 2**14
"""Numbers that Adam treats at a time: its four vectors' pieces then stay in the cache from call to call."""


def adam(flat: Array, grad: Array, rate: float) -> Call:
    """Adam with the usual constants; the factors 1 − β are folded into the rate and the epsilon of a step."""
    m, v, work = np.zeros_like(flat), np.zeros_like(flat), np.empty(PIECE, flat.dtype)
    count, f = 0, np.float32
    starts = range(0, flat.size, PIECE)
    pieces = [tuple(part[s : s + PIECE] for part in (flat, grad, m, v)) for s in starts]
    rows = [(*piece, work[: piece[0].size]) for piece in pieces]

    def update() -> None:
        nonlocal count
        count += 1
        root = math.sqrt((1 - 0.999) / (1 - 0.999**count))
        step, epsilon = f(rate * (1 - 0.9) / (1 - 0.9**count) / root), f(1e-8 / root)
        for w, g, mean, square, t in rows:
            np.multiply(mean, 0.9, mean)
            np.add(mean, g, mean)
            np.multiply(g, g, g)
            np.multiply(square, 0.999, square)
            np.add(square, g, square)
            np.sqrt(square, t)
            np.add(t, epsilon, t)
            np.divide(mean, t, t)
            np.multiply(t, step, t)
            np.subtract(w, t, w)

    return update


UPDATES = {"sgd": sgd, "adam": adam}


class Batches(Repeated):
    """A network on batches; a call is an epoch."""

    def __init__(self, task: Net) -> None:
        self.task, self.steps = task, task.steps
        self.x, self.label = task.data()
        held = Parameters(task)
        self.update = UPDATES[task.optimizer](held.flat, held.grad, task.rate)
        self.rng = np.random.default_rng(3)
        self.order, self.batch = np.arange(task.rows), np.empty((task.batch, task.sizes[0]), np.float32)
        self.plan(held)

    def plan(self, held: Parameters) -> None:
        """The calls of a step, on arrays that are made here."""
        count, sizes = self.task.batch, self.task.sizes
        values = [self.batch, *(np.empty((count, n), np.float32) for n in sizes[1:])]
        forward: list[Call] = []
        for (weight, bias), a, z in zip(held.layers, values, values[1:], strict=False):
            forward += [partial(a.dot, weight, z), partial(np.add, z, bias, z)]
            if z is not values[-1]:
                # Beside an array of zeros this runs five times as fast as beside a 0.
                forward.append(partial(np.maximum, z, np.zeros_like(z), out=z))
        self.forward, self.scores = forward, values[-1]
        self.backward = self.back(held, values)
        self.starts = np.arange(count) * sizes[-1]
        self.places, self.right, self.sums = np.empty(count, np.int64), *np.empty((2, count), np.float32)
        self.largest, self.ones = np.empty((count, 1), np.float32), np.ones(sizes[-1], np.float32)

    def back(self, held: Parameters, values: list[Array]) -> list[Call]:
        """The calls of the backward pass; the derivative by the scores stands in their place."""
        calls: list[Call] = []
        delta, ones = values[-1], np.ones(self.task.batch, np.float32)
        for at in range(len(held.layers) - 1, -1, -1):
            (weight, _), (dw, db), a = held.layers[at], held.gradients[at], values[at]
            calls += [partial(a.T.dot, delta, dw), partial(ones.dot, delta, db)]
            if at:
                d, mask = np.empty_like(a), np.empty(a.shape, np.bool_)
                calls += [partial(delta.dot, weight.T, d), partial(np.greater, a, np.zeros_like(a), mask)]
                calls.append(partial(np.multiply, d, mask, d))
                delta = d
        return calls

    def loss(self) -> float:
        """The crossentropy of the batch; its derivative is written over the scores."""
        p, places, right, sums, count = self.scores, self.places, self.right, self.sums, self.task.batch
        np.add(places, self.starts, places)
        np.maximum.reduce(p, 1, None, self.largest, True)
        np.subtract(p, self.largest, p)
        p.take(places, None, right, "clip")
        np.exp(p, p)
        p.dot(self.ones, sums)
        loss = float(np.log(sums).sum() - right.sum()) / count
        np.multiply(sums, count, sums)
        np.divide(p, sums[:, None], p)
        p.take(places, None, right, "clip")
        np.subtract(right, np.float32(1 / count), right)
        p.put(places, right, "clip")
        return loss

    def run(self, calls: int) -> None:
        for _ in range(calls):
            self.epoch()

    def epoch(self) -> None:
        """Every example once."""
        if self.task.shuffle:
            self.rng.shuffle(self.order)
        size, total = self.task.batch, 0.0
        for start in range(0, self.task.rows, size):
            rows = self.order[start : start + size]
            self.x.take(rows, 0, self.batch, "clip")
            self.label.take(rows, 0, self.places, "clip")
            for call in self.forward:
                call()
            loss = self.loss()
            if not math.isfinite(loss):
                raise ArithmeticError("the cost has left the finite numbers")
            total += loss
            for call in self.backward:
                call()
            self.update()
        self.mean = total / self.steps

    def answer(self) -> list[float]:
        trial = Batches(self.task.trial())
        losses = []
        for _ in range(2):
            trial.run(1)
            losses.append(trial.mean)
        return losses


class Products(Repeated):
    """The matrix products of a step and nothing else, on weights with a row for each unit, as this program has.

    No training can do without them: three forward and five back where there are three layers.
    """

    def __init__(self, task: Net) -> None:
        rng, count = np.random.default_rng(3), len(task.sizes) - 1
        values = [rng.standard_normal((task.batch, n), np.float32) for n in task.sizes]
        deltas, sent = [a.copy() for a in values], [np.empty_like(a) for a in values]
        weights = [weight for weight, _ in task.parameters()]
        forward = [partial(values[i].dot, weights[i].T, np.empty_like(values[i + 1])) for i in range(count)]
        backward = [partial(deltas[i + 1].T.dot, values[i], np.empty_like(weights[i])) for i in range(count)]
        passed = [partial(deltas[i + 1].dot, weights[i], sent[i]) for i in range(1, count)]
        self.products = [*forward, *backward, *passed]

    def run(self, calls: int) -> None:
        products = self.products
        for _ in range(calls):
            for product in products:
                product()


class Predict(Repeated):
    """One row forward. Only the last sum is a new array, the answer; the row is taken for what it should be."""

    def __init__(self, task: Net) -> None:
        self.x, rest = task.data()[0], []
        first, *layers = [(weight.T.copy(), bias[None].copy()) for weight, bias in task.parameters()]
        self.weight, self.z = first[0], np.empty_like(first[1])
        bias, z = first[1], self.z
        for weight, following in layers:
            after = np.empty_like(following)
            rest += [partial(np.add, z, bias, z), partial(np.maximum, z, np.zeros_like(z), out=z)]
            rest.append(partial(z.dot, weight, after))
            z, bias = after, following
        self.rest, self.last = rest, partial(np.add, z, bias)

    def predict(self, x: Array) -> Array:
        """The scores."""
        x.dot(self.weight, self.z)
        for call in self.rest:
            call()
        return self.last()

    def run(self, calls: int) -> None:
        predict, x = self.predict, self.x
        for _ in range(calls):
            predict(x)

    def answer(self) -> list[float]:
        return probabilities(self.predict(self.x))
