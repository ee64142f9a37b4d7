"""Specs for the lint: how they are made, and what each rule warns about."""

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
ZEROS = [[a, 0] for a, _ in X]
PICTURES = np.column_stack([RNG.normal(size=(12, 20)), np.zeros(12)])
SHIFT = np.eye(2, k=1).tolist()
JOINED = op("concatenate", name="xy", inputs=["x", "y"])


def swapped(document):
    """The same with the inputs of the loss the other way round."""
    return {**document, "loss": {**document["loss"], "inputs": document["loss"]["inputs"][::-1]}}


def first(name, document):
    """The same with another input first."""
    inputs = document["inputs"]
    return {**document, "inputs": {name: inputs[name], **inputs}}


def with_input(name, values, document):
    """The same with one more input of data."""
    item = {"shape": ["N", *np.shape(values)[1:]]}
    data = {"values": {**document["data"]["values"], name: values}}
    return {**document, "inputs": {**document["inputs"], name: item}, "data": data}


def autoencoder(*nodes, **more):
    """A model whose loss compares the last of its nodes with x; y is another input."""
    document = chain(*nodes, **more)
    return {**document, "loss": {**document["loss"], "inputs": [document["loss"]["inputs"][0], "x"]}}


def csv(read, target, columns=None, **more):
    """A model with an input and a target from a csv file that is not there."""
    shapes = {"x": np.zeros((1, len(read))), "y": np.zeros((1, len(target)))}
    entries = {"x": read, "y": target} if columns is None else columns
    return {**chain(linear(len(target)), **shapes, **more), "data": {"csv": "none.csv", "columns": entries}}


def unbatched(document):
    """The same with shapes of as many examples as there are."""
    sizes = {name: np.shape(values) for name, values in document["data"]["values"].items()}
    return {**document, "inputs": {name: {"shape": list(size)} for name, size in sizes.items()}}


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
    "905 a softmax of a softmax": (
        "NBN905", "n2", ("nodes", "n2"), classes(linear(3), op("softmax"), op("softmax"))
    ),
    "905 a softmax of sigmoids, sparse": (
        "NBN905", "n1", ("nodes", "n1"),
        sparse(op("dense", units=3, activation="sigmoid"), op("softmax")),
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
    "906 each class counted by itself": (
        "NBN906", "train", ("train", "metrics", 1),
        classes(linear(3), op("softmax"), train={"metrics": ["accuracy", "binary_accuracy"]}),
    ),
    "907 softmax": ("NBN907", "n1", ("nodes", "n1"), binary(linear(), op("softmax"))),
    "907 dense": ("NBN907", "n0", ("nodes", "n0"), binary(op("dense", units=1, activation="softmax"))),
    "907 a loss over one class": (
        "NBN907", "categorical_crossentropy_1", ("loss",), classes(linear(), op("sigmoid"), y=[[1]] * 12)
    ),
    "907 over the examples": (
        "NBN907", "n1", ("nodes", "n1", "axis"), classes(linear(3), op("softmax", axis=0))
    ),
    "907 over the examples, counted from behind": (
        "NBN907", "n1", ("nodes", "n1", "axis"), classes(linear(3), op("log_softmax", axis=-2), read="n0")
    ),
    "907 a number of each example": (
        "NBN907", "n2", ("nodes", "n2"), chain(linear(), op("reshape", shape=["N"]), op("softmax"), read="n0")
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
    "913 no epochs": ("NBN913", "train", ("train", "epochs"), chain(*TWO, train={"epochs": 0})),
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
    "916 a column of zeros": ("NBN916", "x", ("inputs", "x"), chain(linear(), x=ZEROS)),
    "916 a column beside the bias": (
        "NBN916", "x", ("inputs", "x"), chain(linear(), x=[[a, 3] for a, _ in X], x_more=SCALED)
    ),
    "917 a crossentropy": (
        "NBN917", "binary_crossentropy_1", ("loss", "inputs"), swapped(binary(linear(), op("sigmoid")))
    ),
    "917 a distance": ("NBN917", "mean_squared_error_1", ("loss", "inputs"), swapped(chain(*TWO))),
    "917 computed from data": (
        "NBN917", "mean_squared_error_1", ("loss", "inputs"),
        {**(d := chain(linear(), op("negative", inputs="y"), read="n0")), "outputs": ["n0"],
         "loss": {**d["loss"], "inputs": ["n1", "n0"]}},
    ),
    "918 joined": ("NBN918", "xy", ("nodes", "xy", "inputs"), chain(JOINED, linear())),
    "918 added behind a layer": (
        "NBN918", "b", ("nodes", "b", "inputs"),
        chain(linear(name="a", inputs="x"), linear(name="b", inputs="y"), op("add", name="c", inputs=["a", "b"])),
    ),
    "918 inputs left out": ("NBN918", "n0", ("nodes", "n0"), first("y", chain(*TWO))),
    "918 inputs left out of a dense without a name": (
        "NBN918", "dense_1", ("nodes", "dense_1/linear"),
        {**(d := first("y", chain(linear(), linear()))), "outputs": ["n1"],
         "nodes": [op("dense", units=2, activation="tanh"), d["nodes"][1]]},
    ),
    "918 a narrow way to classes": (
        "NBN918", "n0", ("nodes", "n0"), first("y", classes(linear(2), op("tanh"), linear(3), op("softmax")))
    ),
    "918 a column of the target": ("NBN918", "x", ("data", "columns", "x"), csv(["a", "b"], "b")),
    "918 a declared column": (
        "NBN918", "x", ("inputs", "x"), csv(["a", "b"], "b", {"y": "b"}, x_more={"columns": ["a", "b"]})
    ),
    "919 twelve rows": ("NBN919", "x", ("inputs", "x", "shape"), unbatched(chain(*TWO))),
    "919 one example": ("NBN919", "x", ("inputs", "x", "shape"), unbatched(
        {**chain(*TWO), "data": {"values": {"x": X[0], "y": REAL[0]}}})),
}  # fmt: skip
