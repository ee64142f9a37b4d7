"""scikit-learn's ``MLPClassifier``, which computes with NumPy too."""

from __future__ import annotations

import numpy as np
import sklearn
from sklearn.neural_network import MLPClassifier

from tests.benchmarks.machine import numpy_facts
from tests.benchmarks.rounds import Repeated
from tests.benchmarks.tasks import Net, Xor

ENDLESS = 10**9


def facts() -> dict[str, str]:
    """Versions and threads."""
    return {**numpy_facts(), "version": f"scikit-learn {sklearn.__version__}, NumPy {np.__version__}"}


class Given(MLPClassifier):
    """Begins with the parameters of a task: it has no setting for that."""

    def begin(self, pairs: list) -> Given:
        """Take these (weights, biases) instead of drawing some."""
        self.pairs = iter(pairs)
        return self

    def _init_coef(self, fan_in, fan_out, dtype):
        weight, bias = next(self.pairs)
        return weight.T.astype(dtype), bias.astype(dtype)


class Full(Repeated):
    """XOR; a call is an epoch of one ``fit``."""

    def __init__(self, task: Xor) -> None:
        self.x, self.y = task.x, task.y.ravel().astype(int)
        self.net = MLPClassifier(
            (3,), activation="logistic", solver="sgd", alpha=0, batch_size=4, learning_rate_init=task.rate,
            momentum=0, nesterovs_momentum=False, shuffle=False, tol=0, n_iter_no_change=ENDLESS,
            random_state=0, warm_start=True,
        )  # fmt: skip

    def run(self, calls: int) -> None:
        self.net.set_params(max_iter=calls).fit(self.x, self.y)


class Batches(Repeated):
    """A call is an epoch of one ``fit`` that goes on where the last one ended."""

    def __init__(self, task: Net) -> None:
        self.task, self.steps = task, task.steps
        self.x, self.label = task.data()
        self.net = Given(
            task.sizes[1:-1], activation="relu", solver=task.optimizer, alpha=0, batch_size=task.batch,
            learning_rate_init=task.rate, momentum=0, nesterovs_momentum=False, shuffle=task.shuffle, tol=0,
            n_iter_no_change=ENDLESS, random_state=0, warm_start=True,
        ).begin(task.parameters())  # fmt: skip

    def run(self, calls: int) -> None:
        self.net.set_params(max_iter=calls).fit(self.x, self.label)

    def answer(self) -> list[float]:
        trial = Batches(self.task.trial())
        trial.run(2)
        return [float(loss) for loss in trial.net.loss_curve_[:2]]


class Predict(Repeated):
    """``predict_proba`` for one row."""

    def __init__(self, task: Net) -> None:
        self.x = task.data()[0]
        classes = np.arange(task.sizes[-1])
        net = Given(task.sizes[1:-1], batch_size=1, max_iter=1, random_state=0).begin(task.parameters())
        net.partial_fit(np.zeros((1, task.sizes[0]), np.float32), classes[:1], classes=classes)
        net.coefs_ = [np.ascontiguousarray(weight.T) for weight, _ in task.parameters()]
        net.intercepts_ = [bias for _, bias in task.parameters()]
        self.net = net

    def run(self, calls: int) -> None:
        predict, x = self.net.predict_proba, self.x
        for _ in range(calls):
            predict(x)

    def answer(self) -> list[float]:
        return self.net.predict_proba(self.x).ravel().tolist()
