"""Whole trainings against PyTorch, accuracy against scikit-learn, initial values against torch.nn.init."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nbn_spec
from nbn_spec.initializers import INITIALIZERS
from nbn_spec.params import Seed

pytestmark = pytest.mark.peers("torch", "sklearn")

DIGITS = Path(__file__).parents[2] / "models" / "data" / "digits.npz"


@pytest.fixture
def torch():
    """PyTorch, with one thread, so that it does not compete with others on a small machine."""
    import torch

    torch.set_num_threads(1)
    return torch


def spec(nodes, shapes, loss, **train):
    return {
        "name": "peer",
        "dtype": "float64",
        "seed": 4,
        "inputs": {name: {"shape": shape} for name, shape in shapes.items()},
        "nodes": nodes,
        "outputs": [nodes[-1]["name"]],
        "loss": loss,
        "train": train,
    }


def small(optimizer, epochs):
    """2-3-1 with sigmoids, the tutorial's cost, on XOR."""
    nodes = [
        {"name": "z1", "op": "linear", "inputs": "x", "units": 3},
        {"name": "a1", "op": "sigmoid"},
        {"name": "z2", "op": "linear", "units": 1},
        {"name": "y_hat", "op": "sigmoid"},
    ]
    loss = {"op": "squared_error", "inputs": ["y_hat", "y"]}
    return spec(nodes, {"x": ["N", 2], "y": ["N", 1]}, loss, epochs=epochs, optimizer=optimizer)


def copied(torch, model, net, names):
    """Give the linear layers of a PyTorch net our initial values."""
    layers = [layer for layer in net if isinstance(layer, torch.nn.Linear)]
    with torch.no_grad():
        for layer, name in zip(layers, names, strict=True):
            layer.weight.copy_(torch.from_numpy(model.parameters[f"{name}/weight"].copy()))
            layer.bias.copy_(torch.from_numpy(model.parameters[f"{name}/bias"].copy()))
    return [(name, layer) for name, layer in zip(names, layers, strict=True)]


def assert_same(model, pairs, atol):
    for name, layer in pairs:
        np.testing.assert_allclose(model.parameters[f"{name}/weight"], layer.weight.detach(), rtol=0, atol=atol)
        np.testing.assert_allclose(model.parameters[f"{name}/bias"], layer.bias.detach(), rtol=0, atol=atol)


OPTIMIZERS = [
    ({"name": "sgd", "learning_rate": 1.0}, "SGD", {"lr": 1.0}),
    ({"name": "adam", "learning_rate": 0.01}, "Adam", {"lr": 0.01}),
    (
        {"name": "adam", "learning_rate": 0.1, "beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-6},
        "Adam",
        {"lr": 0.1, "betas": (0.8, 0.99), "eps": 1e-6},
    ),
]


@pytest.mark.parametrize(("ours", "theirs", "settings"), OPTIMIZERS)
def test_a_thousand_steps_take_the_same_path(torch, ours, theirs, settings):
    model = nbn_spec.compile(small(ours, epochs=100))
    net = torch.nn.Sequential(
        torch.nn.Linear(2, 3), torch.nn.Sigmoid(), torch.nn.Linear(3, 1), torch.nn.Sigmoid()
    ).double()
    pairs = copied(torch, model, net, ["z1", "z2"])
    optimizer = getattr(torch.optim, theirs)(net.parameters(), **settings)
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float)
    y = np.array([[0], [1], [1], [0]], float)
    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)
    trainer = model.trainer({"x": x, "y": y})
    for _ in range(10):
        losses = []
        for _ in range(100):
            optimizer.zero_grad()
            loss = ((net(inputs) - targets) ** 2).sum() / 8
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        np.testing.assert_allclose(trainer.run()["loss"], losses, rtol=0, atol=1e-10)
        assert_same(model, pairs, atol=1e-10)
    assert losses[-1] < 0.124, "XOR was learned on the way, or the comparison says little"


def one_epoch(nn, net, optimizer, inputs, targets, size):
    """Loss and accuracy of PyTorch's own loop, as computed before each update."""
    total, right = 0.0, 0
    for start in range(0, len(inputs), size):
        rows = slice(start, start + size)
        optimizer.zero_grad()
        logits = net(inputs[rows])
        loss = nn.functional.cross_entropy(logits, targets[rows])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(logits)
        right += (logits.argmax(1) == targets[rows]).sum().item()
    return total / len(inputs), right / len(inputs)


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_mini_batches_of_digits(torch, name):
    nodes = [
        {"name": "h1", "op": "dense", "inputs": "x", "units": 32, "activation": "relu"},
        {"name": "h2", "op": "dense", "units": 16, "activation": "tanh"},
        {"name": "logits", "op": "linear", "units": 10},
    ]
    loss = {"op": "sparse_categorical_crossentropy", "inputs": ["logits", "label"], "from_logits": True}
    rate, size, epochs = {"sgd": 0.1, "adam": 0.003}[name], 50, 3
    train = {"epochs": epochs, "batch_size": size, "shuffle": False, "metrics": ["accuracy"]}
    document = spec(nodes, {"x": ["N", 64]}, loss, optimizer={"name": name, "learning_rate": rate}, **train)
    document["inputs"]["label"] = {"shape": ["N"], "dtype": "int64"}
    model = nbn_spec.compile(document)
    with np.load(DIGITS) as file:
        x, label = file["images"].reshape(-1, 64) / 16, file["labels"].astype(np.int64)
    nn = torch.nn
    net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 16), nn.Tanh(), nn.Linear(16, 10)).double()
    pairs = copied(torch, model, net, ["h1/linear", "h2/linear", "logits"])
    optimizer = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[name](net.parameters(), lr=rate)
    inputs, targets = torch.from_numpy(x.astype(np.float64)), torch.from_numpy(label)
    measured = [one_epoch(nn, net, optimizer, inputs, targets, size) for _ in range(epochs)]
    losses, shares = zip(*measured, strict=True)
    assert len(x) % size, "the last batch is a partial one"
    history = model.fit({"x": x, "label": label})
    np.testing.assert_allclose(history["loss"], losses, rtol=0, atol=1e-8)
    np.testing.assert_allclose(history["accuracy"], shares, rtol=0, atol=1e-12)
    assert_same(model, pairs, atol=1e-8)
    with torch.no_grad():
        np.testing.assert_allclose(model.predict({"x": x}), net(inputs), rtol=0, atol=1e-8)
    assert shares[-1] > 0.6


def test_accuracy_is_scikit_learns():
    from sklearn.metrics import accuracy_score

    rng = np.random.default_rng(8)
    scores, classes = rng.normal(size=(101, 4)), rng.integers(0, 4, 101)
    scores[np.arange(101), classes] += 1
    loss = {"op": "sparse_categorical_crossentropy", "inputs": ["out", "t"], "from_logits": True}
    nodes = [{"name": "out", "op": "identity", "inputs": "x"}]
    document = spec(nodes, {"x": ["N", 4]}, loss, metrics=["accuracy"])
    document["inputs"]["t"] = {"shape": ["N"], "dtype": "int64"}
    found = nbn_spec.compile(document).evaluate({"x": scores, "t": classes})
    assert found["accuracy"] == accuracy_score(classes, scores.argmax(1))


def test_binary_accuracy_is_scikit_learns():
    from sklearn.metrics import accuracy_score

    rng = np.random.default_rng(9)
    chances, answers = rng.uniform(size=(101, 1)), rng.integers(0, 2, (101, 1))
    loss = {"op": "squared_error", "inputs": ["out", "t"]}
    nodes = [{"name": "out", "op": "identity", "inputs": "x"}]
    document = spec(nodes, {"x": ["N", 1], "t": ["N", 1]}, loss, metrics=["binary_accuracy"])
    found = nbn_spec.compile(document).evaluate({"x": chances, "t": answers})
    assert found["binary_accuracy"] == accuracy_score(answers.ravel(), chances.ravel() > 0.5)


PAIRS = {
    "glorot_uniform": ("xavier_uniform_", {}),
    "glorot_normal": ("xavier_normal_", {}),
    "he_uniform": ("kaiming_uniform_", {"nonlinearity": "relu"}),
    "he_normal": ("kaiming_normal_", {"nonlinearity": "relu"}),
    "he": ("kaiming_normal_", {"nonlinearity": "relu"}),
    "lecun_uniform": ("kaiming_uniform_", {"nonlinearity": "linear"}),
    "lecun_normal": ("kaiming_normal_", {"nonlinearity": "linear"}),
    "xavier": ("kaiming_normal_", {"nonlinearity": "linear"}),
    "normal": ("normal_", {"std": 0.05}),
    "uniform": ("uniform_", {"a": -0.05, "b": 0.05}),
    "truncated_normal": ("trunc_normal_", {"std": 0.05, "a": -0.1, "b": 0.1}),
    "orthogonal": ("orthogonal_", {}),
}


@pytest.mark.parametrize("shape", [(200, 600), (600, 200), (100, 8, 5, 5)])
@pytest.mark.parametrize("word", PAIRS)
def test_initial_values_have_the_same_spread(torch, word, shape):
    function, settings = PAIRS[word]
    torch.manual_seed(0)
    theirs = torch.empty(shape, dtype=torch.float64)
    getattr(torch.nn.init, function)(theirs, **settings)
    ours = INITIALIZERS[word]().draw(shape, Seed(2).initial())
    assert ours.std() == pytest.approx(theirs.std().item(), rel=0.02)
    levels = [0.1, 0.25, 0.5, 0.75, 0.9]  # 20,000 draws or more: their levels differ by 0.02 deviations at most
    quantiles = np.quantile(ours, levels), np.quantile(theirs, levels)
    np.testing.assert_allclose(*quantiles, rtol=0, atol=0.06 * ours.std())
    if "uniform" in word or "truncated" in word:
        assert np.abs(ours).max() == pytest.approx(theirs.abs().max().item(), rel=0.001)
