"""Specs for the lint: what each rule warns about, and, as like as possible, what it does not."""

from __future__ import annotations

import numpy as np

RNG = np.random.default_rng(7)
X = RNG.normal(size=(12, 2)).round(3).tolist()
REAL = (RNG.normal(size=(12, 1)) * 3).round(3).tolist()
BITS = [[i % 2] for i in range(12)]
SHARES = (np.array(BITS) * 0.5 + 0.25).tolist()
ONE_HOT = np.eye(3)[np.arange(12) % 3].tolist()
NUMBERS = [i % 3 for i in range(12)]
ALL = {"x": X, "y": REAL}


def chain(*nodes, loss="mean_squared_error", y=REAL, x=X, integer=False, y_shape=None, x_more=None, **more):
    """A model whose nodes follow each other from x, its loss reading the last of them, or ``read``."""
    read, logits = more.pop("read", None), more.pop("logits", None)
    named = [{"name": f"n{i}", **node} for i, node in enumerate(nodes)]
    given = {"op": loss, "inputs": [read or named[-1]["name"], "y"]}
    width = [] if integer else [len(y[0])]
    return {
        "name": "m",
        "dtype": "float64",
        "inputs": {
            "x": {"shape": ["N", *np.shape(x)[1:]], **(x_more or {})},
            "y": {"shape": y_shape or ["N", *width], **({"dtype": "int64"} if integer else {})},
        },
        "nodes": named,
        "outputs": [named[-1]["name"]],
        "loss": given if logits is None else {**given, "from_logits": logits},
        "data": {"values": {"x": x, "y": y}},
        **more,
    }


def op(word, **more):
    return {"op": word, **more}


def linear(units=1, **more):
    return {"op": "linear", "units": units, **more}


def binary(*nodes, **more):
    return chain(*nodes, **{"loss": "binary_crossentropy", "y": BITS, **more})


def classes(*nodes, **more):
    return chain(*nodes, **{"loss": "categorical_crossentropy", "y": ONE_HOT, **more})


def sparse(*nodes, **more):
    return chain(*nodes, **{"loss": "sparse_categorical_crossentropy", "y": NUMBERS, "integer": True, **more})


def graph(nodes, loss="l", **more):
    """A model without data: parameters, constants and nodes by name, the loss the last of them."""
    named = [{"name": name, "op": word, "inputs": inputs, **extra} for name, word, inputs, *rest in nodes
             for extra in [rest[0] if rest else {}]]  # fmt: skip
    return {"name": "g", "dtype": "float64", "nodes": named, "outputs": [loss], "loss": loss, **more}


TWO = [linear(3), op("tanh"), linear()]
EQUAL = {"weight": {"value": [[0.5, 0.5, 0.5]]}}
RESIDUAL = [
    linear(3, name="a", inputs="x"),
    op("tanh", name="t"),
    linear(3, name="b", weight="zeros"),
    op("add", name="s", inputs=["a", "b"]),
    op("tanh", name="u"),
    linear(name="out"),
]
RARE = np.column_stack([RNG.random(4000), np.r_[np.zeros(3999), 0.5]])
APART = np.column_stack([RNG.normal(size=12), RNG.normal(size=12) * 500])
YEARS = np.column_stack([RNG.normal(size=12), 1950 + np.arange(12)])
PIXELS = RNG.integers(0, 256, (12, 4))
SCALED = {"columns": ["a", "b"]}


def tall(x):
    """Targets for as many examples as ``x`` has."""
    return {"x": np.asarray(x).tolist(), "y": RNG.normal(size=(len(x), 1)).tolist()}


def sgd(rate, **more):
    return {"optimizer": {"name": "sgd", "learning_rate": rate}, **more}


def adam(rate):
    return {"optimizer": {"name": "adam", "learning_rate": rate}}


DOUBLED = np.repeat(RNG.normal(size=(20, 3)), 2, axis=0)
DOUBLED_Y = np.repeat(RNG.normal(size=(20, 1)), 2, axis=0).tolist()
TABLE = np.array([[i // 2 % 2, i % 2] for i in range(40)])
UNUSED = {"extra": {"shape": ["N", 1]}}
PAIR = {"parameters": {"a": {"value": 2}, "b": {"value": 5}}}
STANDARD = op("standardize", inputs="x")

WARNED = {
    "901 two linear layers": ("NBN901", "n1", ("nodes", "n1"), chain(linear(4), linear())),
    "901 an identity between": ("NBN901", "n2", ("nodes", "n2"), chain(linear(4), op("identity"), linear())),
    "901 another shape between": (
        "NBN901", "n3", ("nodes", "n3"),
        chain(linear(6), op("reshape", shape=["N", 2, 3]), op("flatten"), linear(1)),
    ),
    "901 dense without activation": (
        "NBN901", "n1", ("nodes", "n1"), chain({"op": "dense", "units": 2}, {"op": "dense", "units": 1})
    ),
    "901 narrower than the input alone": ("NBN901", "n1", ("nodes", "n1"), chain(linear(1), linear())),
    "902 zeros before a relu": (
        "NBN902", "n0/weight", ("nodes", "n0", "weight"), chain(linear(3, weight="zeros"), op("relu"), linear()),
    ),
    "902 zeros before a sigmoid": (
        "NBN902", "n0/weight", ("nodes", "n0", "weight"),
        chain(linear(3, weight="zeros"), op("sigmoid"), linear()),
    ),
    "902 ones, and equal weights behind": (
        "NBN902", "n0/weight", ("nodes", "n0", "weight"),
        chain(linear(3, weight="ones"), op("tanh"), op("linear", **EQUAL)),
    ),
    "902 exact rows in dense": (
        "NBN902", "n0/linear/weight", ("nodes", "n0/linear", "weight"),
        chain(op("dense", weight={"value": [[1, 2], [1, 2]]}, activation="tanh"), linear()),
    ),
    "902 an output beside it": (
        "NBN902", "n0/weight", ("nodes", "n0", "weight"),
        chain(linear(3, weight="ones"), op("tanh"), linear(), op("add", inputs=["n1", "n1"]), read="n2",
              outputs=["n2", "n3"]),
    ),
    "903 sigmoid": (
        "NBN903", "squared_error_1", ("loss",),
        chain(linear(), op("sigmoid"), loss="squared_error", y=BITS),
    ),
    "903 softmax": (
        "NBN903", "mean_squared_error_1", ("loss",), chain(linear(3), op("softmax"), y=ONE_HOT),
    ),
    "903 by the metric": (
        "NBN903", "huber_1", ("loss",),
        chain(linear(), op("sigmoid"), loss="huber", y=SHARES, train={"metrics": ["binary_accuracy"]}),
    ),
    "904 linear": ("NBN904", "binary_crossentropy_1", ("loss",), binary(linear())),
    "904 linear, sparse": ("NBN904", "sparse_categorical_crossentropy_1", ("loss",), sparse(linear(3))),
    "904 tanh": ("NBN904", "binary_crossentropy_1", ("loss",), binary(linear(), op("tanh"))),
    "904 log_softmax": ("NBN904", "categorical_crossentropy_1", ("loss",), classes(linear(3), op("log_softmax"))),
    "904 identity of a square": (
        "NBN904", "binary_crossentropy_1", ("loss",),
        binary(linear(), op("square"), op("identity")),
    ),
    "905 sigmoid": (
        "NBN905", "binary_crossentropy_1", ("loss", "from_logits"),
        binary(linear(), op("sigmoid"), logits=True),
    ),
    "905 softmax": (
        "NBN905", "categorical_crossentropy_1", ("loss", "from_logits"),
        classes(linear(3), op("softmax"), logits=True)
    ),
    "905 log_softmax": (
        "NBN905", "categorical_crossentropy_1", ("loss", "from_logits"),
        classes(linear(3), op("log_softmax"), logits=True),
    ),
    "906 softmax, yes or no": (
        "NBN906", "binary_crossentropy_1", ("loss",), binary(linear(3), op("softmax"), y=ONE_HOT)
    ),
    "906 sigmoid, classes": ("NBN906", "categorical_crossentropy_1", ("loss",), classes(linear(3), op("sigmoid"))),
    "906 sigmoid, sparse": (
        "NBN906", "sparse_categorical_crossentropy_1", ("loss",),
        sparse(linear(3), op("sigmoid")),
    ),
    "906 targets beyond tanh": ("NBN906", "mean_squared_error_1", ("loss",), chain(linear(), op("tanh"))),
    "906 targets below relu": ("NBN906", "mean_squared_error_1", ("loss",), chain(linear(), op("relu"))),
    "906 hinge of a sigmoid": (
        "NBN906", "hinge_1", ("loss",),
        chain(linear(), op("sigmoid"), loss="hinge", y=[[2 * bit - 1] for [bit] in BITS]),
    ),
    "907 softmax": ("NBN907", "n1", ("nodes", "n1"), binary(linear(), op("softmax"))),
    "907 dense": ("NBN907", "n0", ("nodes", "n0"), binary(op("dense", units=1, activation="softmax"))),
    "907 a loss over one class": (
        "NBN907", "categorical_crossentropy_1", ("loss",), classes(linear(), op("sigmoid"), y=[[1]] * 12)
    ),
    "908 relu, scores": ("NBN908", "n1", ("nodes", "n1"), binary(linear(), op("relu"), logits=True)),
    "908 softplus, classes": ("NBN908", "n1", ("nodes", "n1"), sparse(linear(3), op("softplus"), logits=True)),
    "908 hinge": (
        "NBN908", "n1", ("nodes", "n1"),
        chain(linear(), op("elu"), loss="hinge", y=[[2 * bit - 1] for [bit] in BITS])
    ),
    "908 leaky without a slope": (
        "NBN908", "n1", ("nodes", "n1"), binary(linear(), op("leaky_relu", negative_slope=0), logits=True),
    ),
    "909 columns apart": ("NBN909", "x", ("inputs", "x"), chain(linear(), **tall(APART))),
    "909 years": ("NBN909", "x", ("inputs", "x"), chain(linear(), **tall(YEARS), x_more=SCALED)),
    "909 pixels, flattened": (
        "NBN909", "x", ("inputs", "x"), chain(op("flatten"), linear(), **tall(PIXELS.reshape(12, 2, 2)))
    ),
    "910 fewer classes than units": ("NBN910", "y", ("inputs", "y"), sparse(linear(10), logits=True)),
    "910 an absent class": (
        "NBN910", "y", ("inputs", "y"),
        sparse(linear(3), logits=True, x=X * 2, y=[0, 2] * 12),
    ),
    "910 absent from one-hot": (
        "NBN910", "y", ("inputs", "y"), classes(linear(3), logits=True, y=np.eye(3)[np.arange(12) % 2].tolist())
    ),
    "910 two at once": (
        "NBN910", "y", ("inputs", "y"),
        classes(linear(3), logits=True, y=[*ONE_HOT[:-1], [1, 1, 0]]),
    ),
    "910 one answer": ("NBN910", "y", ("inputs", "y"), binary(linear(), logits=True, y=[[1]] * 12)),
    "911 more than all": ("NBN911", "train", ("train", "batch_size"), chain(*TWO, train={"batch_size": 13})),
    "911 more than the training part": (
        "NBN911", "train", ("train", "batch_size"),
        chain(*TWO, train={"batch_size": 10, "validation": {"fraction": 0.25}}),
    ),
    "912 each row twice": (
        "NBN912", "train", ("train", "validation"),
        chain(linear(), x=DOUBLED.tolist(), y=DOUBLED_Y, train={"validation": {"fraction": 0.25}}),
    ),
    "913 an input": (
        "NBN913", "extra", ("inputs", "extra"),
        {**(d := chain(*TWO)), "inputs": {**d["inputs"], **UNUSED}, "data": {"values": {**ALL, "extra": REAL}}},
    ),
    "913 a constant": ("NBN913", "c", ("constants", "c"), chain(*TWO, constants={"c": 2})),
    "913 a parameter": ("NBN913", "p", ("parameters", "p"), chain(*TWO, parameters={"p": {"value": 2}})),
    "913 a node": (
        "NBN913", "d", ("nodes", "d"), chain(linear(3, name="d"), linear(name="n1", inputs="x"), outputs=["n1"])
    ),
    "913 a dense": (
        "NBN913", "d", ("nodes", "d"),
        chain(op("dense", units=3, name="d", activation="tanh"), linear(name="n1", inputs="x")),
    ),
    "913 shuffle": ("NBN913", "train", ("train", "shuffle"), chain(*TWO, train={"shuffle": True})),
    "913 log_every": ("NBN913", "train", ("train", "log_every"), chain(*TWO, train={"epochs": 5, "log_every": 6})),
    "913 batch_size without data": (
        "NBN913", "train", ("train", "batch_size"),
        graph([("l", "multiply", ["a", "b"])], **PAIR, train={"batch_size": 4}),
    ),
    "914 sgd above": ("NBN914", "train", ("train", "optimizer", "learning_rate"), chain(*TWO, train=sgd(6))),
    "914 sgd below": ("NBN914", "train", ("train", "optimizer", "learning_rate"), chain(*TWO, train=sgd(9e-5))),
    "914 adam above": ("NBN914", "train", ("train", "optimizer", "learning_rate"), chain(*TWO, train=adam(0.2))),
    "914 adam below": ("NBN914", "train", ("train", "optimizer", "learning_rate"), chain(*TWO, train=adam(1e-7))),
    "915 only an output": (
        "NBN915", "side", ("nodes", "side"),
        chain(*TWO, linear(name="side", inputs="x"), read="n2", outputs=["side"])
    ),
    "915 times 0": (
        "NBN915", "a", ("parameters", "a"),
        graph([("m", "multiply", ["a", "z"]), ("l", "add", ["m", "b"])], **PAIR, constants={"z": 0}),
    ),
    "915 below a numerator of 0": (
        "NBN915", "a", ("parameters", "a"),
        graph([("m", "divide", ["z", "a"]), ("l", "add", ["m", "b"])], **PAIR, constants={"z": 0}),
    ),
    "915 a relu of what is never positive": (
        "NBN915", "a", ("parameters", "a"),
        graph([("s", "square", "a"), ("n", "negative", "s"), ("r", "relu", "n"), ("l", "add", ["r", "b"])],
              **PAIR),
    ),
    "915 a loss over one class": (
        "NBN915", "n0", ("nodes", "n0"), classes(linear(), logits=True, y=[[1]] * 12)
    ),
    "915 to the power of 0": (
        "NBN915", "a", ("parameters", "a"),
        graph([("m", "power", ["a", "z"]), ("l", "add", ["m", "b"])], **PAIR, constants={"z": 0}),
    ),
    "915 softmax over one column": ("NBN915", "n0", ("nodes", "n0"), binary(linear(), op("softmax"))),
    "915 a frozen layer of zeros": (
        "NBN915", "n0", ("nodes", "n0"),
        chain(linear(3), op("tanh"), linear(weight={"value": [[0, 0, 0]], "trainable": False})),
    ),
    "916 one example": ("NBN916", "n0", ("nodes", "n0"), chain(STANDARD, linear(), x=X[:1], y=REAL[:1])),
    "916 a constant column": (
        "NBN916", "n0", ("nodes", "n0"), chain(STANDARD, linear(), x=[[a, 3] for a, _ in X]),
    ),
    "916 a mean of one": (
        "NBN916", "n2", ("nodes", "n2"),
        chain(linear(), op("mean", axis=-1, keepdims=True), op("subtract", inputs=["n0", "n1"]), linear()),
    ),
    "916 a share of one": (
        "NBN916", "n2", ("nodes", "n2"),
        chain(linear(), op("sum", axis=1, keepdims=True), op("divide", inputs=["n0", "n1"]), linear()),
    ),
}  # fmt: skip

QUIET = {
    "901 an activation between": ("NBN901", chain(*TWO)),
    "901 a bottleneck": ("NBN901", chain(linear(1), linear(3), op("tanh"), linear())),
    "901 another reader": (
        "NBN901",
        chain(linear(2), linear(2), op("add", inputs=["n0", "n1"]), op("tanh"), linear()),
    ),
    "901 another reader of the copy": (
        "NBN901", chain(linear(2), op("identity"), linear(2), op("add", inputs=["n1", "n2"]), op("tanh"), linear())
    ),
    "901 an output itself": ("NBN901", chain(linear(4), linear(), outputs=["n0", "n1"])),
    "901 frozen": (
        "NBN901",
        chain(op("linear", weight={"value": [[1, 0], [1, 1]], "trainable": False}), linear()),
    ),
    "901 joined steps": (
        "NBN901", chain(linear(4), op("flatten"), linear(), x=np.reshape(X, (12, 1, 2)).repeat(3, 1).tolist())
    ),
    "902 drawn": ("NBN902", chain(*TWO)),
    "902 a single layer": ("NBN902", classes(linear(3, weight="zeros"), logits=True)),
    "902 one unit": ("NBN902", chain(linear(1, weight="zeros"), op("tanh"), linear())),
    "902 other biases": ("NBN902", chain(linear(3, weight="ones", bias="plain"), op("tanh"), linear())),
    "902 the end of a residual branch": ("NBN902", chain(*RESIDUAL)),
    "902 frozen": (
        "NBN902", chain(op("linear", weight={"value": [[1, 1], [1, 1]], "trainable": False}), op("tanh"), linear())
    ),
    "902 no loss": (
        "NBN902",
        {k: v for k, v in chain(linear(3, weight="ones"), op("tanh"), linear()).items() if k != "loss"},
    ),
    "903 crossentropy": ("NBN903", binary(linear(), op("sigmoid"))),
    "903 shares, no labels": ("NBN903", chain(linear(), op("sigmoid"), y=SHARES)),
    "903 no sigmoid": ("NBN903", chain(linear(), y=BITS)),
    "903 softmax of what is not one-hot": ("NBN903", chain(linear(3), op("softmax"), y=[[1, 1, 0]] * 12)),
    "903 an autoencoder": (
        "NBN903",
        {**(d := chain(linear(1), op("tanh"), linear(2), op("sigmoid"), y=TABLE[:12].tolist())),
         "inputs": {"x": d["inputs"]["x"]}, "data": {"values": {"x": TABLE[:12].tolist()}},
         "loss": {"op": "mean_squared_error", "inputs": ["n3", "x"]}},
    ),
    "904 from logits": ("NBN904", binary(linear(), logits=True)),
    "904 a mixture": (
        "NBN904",
        binary(linear(name="a", inputs="x"), op("sigmoid", name="p"), linear(name="b", inputs="x"),
               op("sigmoid", name="q"), op("multiply", name="pq", inputs=["p", "q"])),
    ),
    "904 one less a probability": (
        "NBN904", binary(linear(), op("sigmoid"), op("subtract", inputs=["one", "n1"]), constants={"one": 1})
    ),
    "904 clipped": (
        "NBN904", binary(linear(), op("maximum", inputs=["n0", "zero"]), op("minimum", inputs=["n1", "one"]),
                         constants={"zero": 0, "one": 1}),
    ),
    "904 divided by the sum": (
        "NBN904",
        classes(linear(3), op("exp"), op("sum", axis=-1, keepdims=True), op("divide", inputs=["n1", "n2"]))
    ),
    "904 halved tanh": (
        "NBN904", binary(linear(), op("tanh"), op("multiply", inputs=["n1", "h"]), op("add", inputs=["n2", "h"]),
                         constants={"h": 0.5}),
    ),
    "905 scores": ("NBN905", binary(linear(), op("sigmoid"), read="n0", logits=True)),
    "905 probabilities": ("NBN905", classes(linear(3), op("softmax"))),
    "906 sigmoid, yes or no": ("NBN906", binary(linear(3), op("sigmoid"), y=ONE_HOT)),
    "906 softmax, classes": ("NBN906", classes(linear(3), op("softmax"))),
    "906 targets within": ("NBN906", chain(linear(), op("tanh"), y=[[-1]] * 6 + [[1]] * 6)),
    "906 targets that were rounded": ("NBN906", chain(linear(), op("tanh"), y=[[-1]] * 6 + [[1.0000001]] * 6)),
    "906 softmax over one column": ("NBN906", binary(linear(), op("softmax"))),
    "906 sigmoid of one class": ("NBN906", classes(linear(), op("sigmoid"), y=[[1]] * 12)),
    "906 targets above 0": ("NBN906", chain(linear(), op("softplus"), y=np.abs(REAL).tolist())),
    "906 hinge of tanh": (
        "NBN906", chain(linear(), op("tanh"), loss="hinge", y=[[2 * bit - 1] for [bit] in BITS])
    ),
    "907 two columns": ("NBN907", classes(linear(2), op("softmax"), y=np.eye(2)[np.arange(12) % 2].tolist())),
    "908 below a linear layer": ("NBN908", binary(linear(3), op("relu"), linear(), logits=True)),
    "908 regression": ("NBN908", chain(linear(), op("relu"))),
    "908 leaky": ("NBN908", binary(linear(), op("leaky_relu"), logits=True)),
    "909 much alike": ("NBN909", chain(linear())),
    "909 seldom anything": ("NBN909", chain(linear(), **tall(RARE))),
    "909 one number far off": ("NBN909", chain(linear(), x=[[i % 2 / 2, 75 * (i == 5)] for i in range(12)])),
    "909 degrees": ("NBN909", chain(linear(), x=[[i, 25 * i - 120] for i in range(12)])),
    "909 standardized": ("NBN909", chain(STANDARD, linear(), **tall(APART))),
    "909 scaled by a constant": (
        "NBN909", chain(op("multiply", inputs=["x", "s"]), linear(), **tall(PIXELS), constants={"s": 0.004})
    ),
    "909 a constant column": ("NBN909", chain(linear(), x=[[a, 5000] for a, _ in X])),
    "910 all classes": ("NBN910", sparse(linear(3), logits=True)),
    "910 too few to tell": ("NBN910", sparse(linear(40), logits=True, y=[3 * i for i in range(12)])),
    "910 tokens": (
        "NBN910",
        sparse(linear(5), logits=True, x=np.ones((12, 4, 2)).tolist(), y=[[0, 2, 2, 0]] * 12, y_shape=["N", 4]),
    ),
    "910 a single class in a few": ("NBN910", sparse(linear(2), logits=True, x=X[:3], y=[0, 0, 0])),
    "910 soft targets": ("NBN910", classes(linear(3), logits=True, y=[[0.5, 0.5, 0]] * 12)),
    "910 padding": (
        "NBN910",
        classes(linear(2), logits=True, x=[[[1, 2], [0, 0]]] * 12, y_shape=["N", 2, 2],
                y=[[[1, 0], [0, 0]]] * 6 + [[[0, 1], [0, 0]]] * 6),
    ),
    "910 both answers": ("NBN910", binary(linear(), logits=True)),
    "911 as many as there are": ("NBN911", chain(*TWO, train={"batch_size": 12})),
    "912 every row once": (
        "NBN912",
        chain(linear(), x=DOUBLED[::2].tolist(), y=DOUBLED_Y[::2], train={"validation": {"fraction": 0.25}})
    ),
    "912 a truth table": (
        "NBN912",
        chain(linear(), x=TABLE.tolist(), y=TABLE[:, :1].tolist(), train={"validation": {"fraction": 0.25}})
    ),
    "912 other targets": (
        "NBN912", chain(linear(), x=DOUBLED.tolist(), y=RNG.normal(size=(40, 1)).tolist(),
                        train={"validation": {"fraction": 0.25}}),
    ),
    "913 a metric's output": (
        "NBN913", chain(*TWO, outputs=["n2", "n0"], train={"shuffle": False, "epochs": 5, "log_every": 5}),
    ),
    "913 shuffled batches": ("NBN913", chain(*TWO, train={"shuffle": True, "batch_size": 4})),
    "913 a parameter as output": (
        "NBN913", graph([("l", "square", "a")], outputs=["b"], **PAIR)
    ),
    "914 the tutorial's": ("NBN914", chain(*TWO, train=sgd(2))),
    "914 the bounds": ("NBN914", chain(*TWO, train=adam(0.1))),
    "915 two paths, one of them blocked": (
        "NBN915",
        graph([("m", "multiply", ["a", "z"]), ("l", "add", ["m", "a"])], parameters={"a": {"value": 2}},
              constants={"z": 0}),
    ),
    "915 one class, a probability": ("NBN915", classes(linear(), op("sigmoid"), y=[[1]] * 12)),
    "915 frozen": (
        "NBN915", chain(*TWO, linear(name="side", inputs="x", weight={"trainable": False}, bias=False), read="n2"),
    ),
    "915 no loss": ("NBN915", {k: v for k, v in chain(linear()).items() if k != "loss"}),
    "916 several": ("NBN916", chain(STANDARD, linear())),
    "916 a mean of three": (
        "NBN916",
        chain(linear(3), op("mean", axis=-1, keepdims=True), op("subtract", inputs=["n0", "n1"]), linear()),
    ),
}  # fmt: skip
