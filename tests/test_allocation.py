"""A training step allocates no arrays."""

from __future__ import annotations

import tracemalloc
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import nbn_spec
from nbn_spec.optim import Adam, Update

MODELS = Path(__file__).parent.parent / "models"


def traced(trainer, warm_up=2):
    """(most bytes that any epoch had at once beyond those it began with, bytes of arrays that stayed)."""
    growth, arrays = [], []

    def watch(epoch, row):
        _, peak = tracemalloc.get_traced_memory()
        growth.append(peak - watch.before)
        if epoch in (warm_up, trainer.training.epochs - 1):
            numpy_only = tracemalloc.DomainFilter(True, np.lib.tracemalloc_domain)
            found = tracemalloc.take_snapshot().filter_traces([numpy_only])
            arrays.append(sum(trace.size for trace in found.traces))
        tracemalloc.reset_peak()
        watch.before = tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        watch.before = tracemalloc.get_traced_memory()[0]
        trainer.run(watch)
    finally:
        tracemalloc.stop()
    return max(growth[warm_up:]), arrays[-1] - arrays[0]


@pytest.fixture
def _small_buffers():
    """NumPy broadcasts by way of buffers of its own, of a size that one can set: then arrays stand out."""
    before = np.setbufsize(16)
    yield
    np.setbufsize(before)


@pytest.mark.usefixtures("_small_buffers")
@pytest.mark.parametrize("name", ["xor", "digits", "iris"])
def test_a_training_step_allocates_no_arrays(name):
    model = nbn_spec.compile(MODELS / f"{name}.json")
    peak, stayed = traced(model.trainer(epochs=50))
    assert stayed == 0
    assert peak < 3072


def network(optimizer, hidden, loss):
    """A document with mini-batches, the last of them smaller, single precision and examples held back."""
    target = {"shape": ["N"], "dtype": "int64"} if loss.startswith("sparse") else {"shape": ["N", 3]}
    return {
        "name": "net",
        "dtype": "float32",
        "inputs": {"x": {"shape": ["N", 8]}, "y": target},
        "nodes": [
            {"name": "h", "op": "linear", "inputs": "x", "units": 300},
            {"name": "a", "op": hidden},
            {"name": "z", "op": "linear", "units": 3},
        ],
        "outputs": ["z"],
        "loss": {"op": loss, "inputs": ["z", "y"], **({"from_logits": True} if "crossentropy" in loss else {})},
        "train": {"batch_size": 48, "optimizer": {"name": optimizer}, "validation": {"fraction": 0.2}},
    }


@pytest.mark.usefixtures("_small_buffers")
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("hidden", ["relu", "tanh", "gelu", "softmax"])
@pytest.mark.parametrize(
    "loss", ["sparse_categorical_crossentropy", "binary_crossentropy", "huber", "squared_error"]
)
def test_nor_does_one_with_mini_batches(optimizer, hidden, loss):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 200) if loss.startswith("sparse") else rng.random((200, 3), np.float32)
    model = nbn_spec.compile(network(optimizer, hidden, loss))
    peak, stayed = traced(model.trainer({"x": rng.random((200, 8), np.float32), "y": y}, epochs=8))
    assert stayed == 0
    assert peak < 4096  # of Python's own; the smallest array of a step would be 144 bytes, that of a layer 57,600


@pytest.mark.usefixtures("_small_buffers")
def test_the_watch_would_see_an_array(monkeypatch):
    bind = Adam.bind

    def wasteful(optimizer, flat, grad):
        update = bind(optimizer, flat, grad)
        return Update((*update.calls, partial(np.ones, 1024)), update.state)

    monkeypatch.setattr(Adam, "bind", wasteful)
    assert traced(nbn_spec.compile(MODELS / "digits.json").trainer(epochs=5))[0] > 8192
