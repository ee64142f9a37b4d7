"""Specs for the lint that it is quiet about: as like as possible to those that it warns of."""

from __future__ import annotations

import numpy as np
from lint_specs import (
    ALL,
    APART,
    BITS,
    DOUBLED,
    DOUBLED_Y,
    JOINED,
    ONE_HOT,
    PAIR,
    PICTURES,
    PIXELS,
    RARE,
    REAL,
    RESIDUAL,
    RNG,
    SHARES,
    SHIFT,
    STANDARD,
    TABLE,
    TWO,
    ZEROS,
    X,
    adam,
    autoencoder,
    binary,
    chain,
    classes,
    csv,
    first,
    graph,
    linear,
    op,
    sgd,
    sparse,
    tall,
    unbatched,
    with_input,
)

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
    "905 a layer between": ("NBN905", classes(op("sigmoid", inputs="x"), linear(3), op("softmax"))),
    "906 counted by the largest": (
        "NBN906", classes(linear(3), op("softmax"), train={"metrics": ["accuracy"]})
    ),
    "906 two columns, counted alike": (
        "NBN906", classes(linear(2), op("softmax"), y=np.eye(2)[np.arange(12) % 2].tolist(),
                          train={"metrics": ["binary_accuracy"]}),
    ),
    "906 a threshold of one's own": (
        "NBN906",
        classes(linear(3), op("softmax"), train={"metrics": [{"name": "binary_accuracy", "threshold": 0.9}]}),
    ),
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
    "907 steps of a sequence": (
        "NBN907", chain(linear(4), op("softmax", axis=1), op("flatten"), linear(), x=np.reshape(X * 3, (12, 3, 2)))
    ),
    "907 examples beside each other": (
        "NBN907",
        chain(linear(3), op("transpose"), op("matmul", inputs=["n0", "n1"]), op("softmax"),
              op("matmul", inputs=["n3", "n0"]), linear()),
    ),
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
    "913 an epoch": ("NBN913", chain(*TWO, train={"epochs": 1})),
    "913 what is to be read instead of the target": ("NBN913", first("y", chain(*TWO))),
    "913 a batch size of rows without a batch": ("NBN913", unbatched(chain(*TWO, train={"batch_size": 4}))),
    "916 ones instead of a bias": (
        "NBN916", chain(linear(bias=False), x=[[a, 1] for a, _ in X])
    ),
    "916 pixels at the edge": ("NBN916", chain(linear(), x=PICTURES.tolist())),
    "916 few examples": ("NBN916", chain(linear(), x=ZEROS[:9], y=REAL[:9])),
    "916 no layer reads it so": ("NBN916", chain(op("sin", inputs="x"), linear(), x=ZEROS)),
    "917 prediction first": ("NBN917", binary(linear(), op("sigmoid"))),
    "917 two that are trained": (
        "NBN917",
        {**(d := chain(linear(name="a", inputs="x"), linear(name="b", inputs="x"))),
         "loss": {**d["loss"], "inputs": ["a", "b"]}},
    ),
    "917 a frozen teacher": (
        "NBN917",
        {**(d := chain(linear(name="a", inputs="x", weight={"trainable": False}, bias=False), linear(name="b"))),
         "loss": {**d["loss"], "inputs": ["a", "b"]}},
    ),
    "918 no look at the target": ("NBN918", chain(*TWO)),
    "918 an autoencoder": ("NBN918", autoencoder(linear(4), op("tanh"), linear(2), outputs=["n2"])
                           | {"inputs": {"x": {"shape": ["N", 2]}}, "data": {"values": {"x": X}}}),
    "918 an autoencoder with a condition": (
        "NBN918", autoencoder(JOINED, linear(1), op("tanh"), linear(2)),
    ),
    "918 an autoencoder below noise": (
        "NBN918",
        with_input("e", X, autoencoder(op("add", inputs=["x", "e"]), linear(4), op("tanh"), linear(2))),
    ),
    "918 an autoencoder behind a mask": (
        "NBN918",
        with_input("e", X, autoencoder(op("multiply", inputs=["e", "x"]), linear(4), op("tanh"), linear(2))),
    ),
    "918 earlier columns of the target": (
        "NBN918",
        autoencoder(op("matmul", inputs=["x", "s"], name="m"), op("concatenate", inputs=["m", "y"]), linear(4),
                    op("tanh"), linear(2), constants={"s": SHIFT}),
    ),
    "918 the target of another loss": (
        "NBN918",
        {**(d := with_input("t", REAL, chain(linear(name="a", inputs="x"), op("concatenate", inputs=["x", "y"]),
                                             linear(name="b")))),
         "nodes": [*d["nodes"], op("mean_squared_error", name="c", inputs=["a", "y"]),
                   op("mean_squared_error", name="d", inputs=["b", "t"]), op("add", name="e", inputs=["c", "d"])],
         "loss": "e"},
    ),
    "918 the same columns": ("NBN918", csv(["a", "b"], ["b", "a"])),
    "918 other columns": ("NBN918", csv(["a", "b"], "c")),
    "919 a batch": ("NBN919", chain(*TWO)),
    "919 fixed places beside a batch": (
        "NBN919",
        {**(d := chain(op("add", inputs=["x", "p"]), linear())),
         "inputs": {**d["inputs"], "p": {"shape": [2]}}, "data": {"values": {**ALL, "p": [1, 2]}}},
    ),
    "919 no training": ("NBN919", {k: v for k, v in unbatched(chain(*TWO)).items() if k != "data"}),
    "919 no layers": (
        "NBN919",
        graph([("s", "sum", "v"), ("l", "mean_squared_error", ["s", "t"])], train={"epochs": 5},
              inputs={"t": {"shape": []}, "v": {"shape": [3]}}, parameters={"w": {"value": 1}}),
    ),
}  # fmt: skip
