"""What a user's program looks like to a type checker: ``mypy`` reads this file, nothing runs it."""

from __future__ import annotations

import nbn_spec
from nbn_spec import (
    History,
    Model,
    NbnError,
    Problem,
    Trace,
    Trainer,
    spec,
)


def built() -> spec.ModelSpec:
    """A spec from classes, with nothing but what it needs."""
    width = [3, 4]
    return spec.ModelSpec(
        name="line",
        inputs={"x": spec.Input(shape=("N", 1)), "y": spec.Input(shape=["N", 1], columns=["y"])},
        parameters={"p": spec.Drawn(shape=width, init="zeros"), "q": spec.Exact(value=1)},
        nodes=[spec.Linear(name="y_hat", inputs="x", units=1), spec.Dense(units=3)],
        outputs=["y_hat"],
        loss=spec.MeanSquaredError(inputs=("y_hat", "y")),
        data=spec.CsvData(csv="a.csv"),
    )


def smallest() -> spec.ModelSpec:
    """The keys that may be left out may be left out."""
    return spec.ModelSpec(name="part", nodes=[spec.Relu()], outputs=["relu_1"])


def used(path: str) -> tuple[Model, History, Trace]:
    """Everything has the type that it says."""
    model = nbn_spec.compile(path, seed=3)
    trainer: Trainer = model.trainer()
    loss, gradients = model.gradients()
    shapes = [gradient.shape for gradient in gradients.values()]
    print(loss.hex(), shapes, model.summary().upper(), nbn_spec.__version__.upper())
    model.save("model.npz")
    return nbn_spec.load("model.npz"), trainer.run(), model.trace()


def first(error: NbnError) -> Problem:
    """The first complaint of an error."""
    return error.problems[0]


def wrong() -> None:
    """Each of these is a mistake that the type checker finds, or else it complains of an unused comment."""
    from nbn_spec import Nonsense  # type: ignore[attr-defined]

    print(nbn_spec.foo, Nonsense)  # type: ignore[attr-defined]
    spec.ModelSpec(name="part", nodes=[])  # type: ignore[call-arg]
    spec.Input()  # type: ignore[call-arg]
