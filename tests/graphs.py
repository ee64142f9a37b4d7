"""Random graphs: specs with shared parameters, fan-out, broadcasts, dead branches and repeated operands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

from nbn_spec.graph import infer
from nbn_spec.model import Model
from nbn_spec.ops import OPS
from nbn_spec.ops.base import Array, Shape, ShapeProblem

Draw = Any
BOUNDED = ["sigmoid", "tanh", "softsign", "sin", "cos", "softmax"]
UNARY = [
    "relu",
    "leaky_relu",
    "elu",
    "selu",
    "softplus",
    "gelu",
    "silu",
    "identity",
    "log_softmax",
    "negative",
    "absolute",
]
BINARY = ["add", "subtract", "multiply", "maximum", "minimum"]
GUARDED = ["exp", "log", "sqrt", "divide", "power"]
SHAPED = ["sum", "mean", "max", "reshape", "flatten", "transpose", "slice", "concatenate", "feature_cross"]
LAYERS = ["linear", "matmul"]
PRODUCTS = ["multiply", "square", "matmul", "feature_cross"]
LOSSES = ["squared_error", "mean_squared_error", "mean_absolute_error", "huber", "hinge"]
CLASS_LOSSES = ["binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy"]
LEVELS = 3
"""A value that came about by more products than this is squashed before it is used again."""


@dataclass
class Sketch:
    """A spec in the making: nodes in forward order, and what is known of every value."""

    draw: Draw
    nodes: list[dict[str, Any]] = field(default_factory=list)
    shapes: dict[str, Shape] = field(default_factory=dict)
    levels: dict[str, int] = field(default_factory=dict)

    def pick(self, items: Any) -> Any:
        return self.draw(st.sampled_from(list(items)))

    def any(self) -> str:
        """Any value, tamed."""
        name = self.pick(self.shapes)
        return self.add("tanh", name) if self.levels[name] > LEVELS else name

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        """A new node; raises :class:`ShapeProblem`."""
        made = OPS[op].from_json({**attributes, **({"bias": True} if op == "linear" else {})})
        shape = infer(made, [self.shapes[name] for name in inputs], [name == "classes" for name in inputs])
        name = f"n{len(self.nodes)}"
        self.nodes.append({"name": name, "op": op, "inputs": list(inputs), **attributes})
        self.shapes[name] = shape
        self.levels[name] = self.level(op, [self.levels[i] for i in inputs])
        return name

    def level(self, op: str, levels: list[int]) -> int:
        """How many products a result came about by."""
        if op in BOUNDED:
            return 0
        if op in PRODUCTS:
            return sum(levels) + 1
        return max(levels) + (op in ("linear", "exp", "sum"))

    def above(self, floor: str) -> str:
        """A value of at least ``floor``, a positive constant."""
        return self.add("add", self.add("square", self.any()), floor)

    def grow(self) -> None:
        """One more node, or a guarded group of them."""
        kind = self.pick([BOUNDED, UNARY, BINARY, BINARY, GUARDED, SHAPED, SHAPED, LAYERS, LAYERS, ["square"]])
        op = self.pick(kind)
        try:
            getattr(self, f"grow_{op}", self.grow_plain)(op)
        except ShapeProblem:
            self.add(self.pick(BOUNDED[:5]), self.any())

    def grow_plain(self, op: str) -> None:
        if op in ("softmax", "log_softmax"):
            name = self.any()
            self.add(op, name, axis=self.axis(name))
        else:
            self.add(op, *(self.any() for _ in OPS[op].inputs))

    def axis(self, name: str) -> int:
        """One of the axes, from either end."""
        rank = len(self.shapes[name])
        if not rank:
            raise ShapeProblem("a scalar has no axis")
        return int(self.pick(range(-rank, rank)))

    def grow_leaky_relu(self, op: str) -> None:
        self.add(op, self.any(), negative_slope=self.pick([0.01, 0.3]))

    def grow_gelu(self, op: str) -> None:
        self.add(op, self.any(), approximate=self.pick([True, False]))

    def grow_exp(self, op: str) -> None:
        self.add(op, self.add("sin", self.any()))

    def grow_log(self, op: str) -> None:
        self.add(op, self.above("floor"))

    grow_sqrt = grow_log

    def grow_divide(self, op: str) -> None:
        self.add(op, self.any(), self.above("floor"))

    def grow_power(self, op: str) -> None:
        self.add(op, self.above("floor"), self.add("tanh", self.any()))

    def grow_sum(self, op: str) -> None:
        name, keepdims = self.any(), self.pick([True, False])
        axis = self.pick([None, self.axis(name), [*{self.axis(name) % 4 % len(self.shapes[name])}]])
        self.add(op, name, axis=axis, keepdims=keepdims)

    grow_mean = grow_max = grow_sum

    def grow_reshape(self, op: str) -> None:
        name = self.any()
        shape = self.shapes[name]
        self.add(op, name, shape=self.pick([[*shape, 1], [1, *shape], [*reversed(shape)], [*shape[:1], -1]]))

    def grow_slice(self, op: str) -> None:
        start, step = self.pick([None, 0, 1, -2]), self.pick([1, 2])
        name = self.any()
        self.add(op, name, axis=self.axis(name), start=start, step=step)

    def grow_concatenate(self, op: str) -> None:
        first = self.any()
        alike = [name for name, shape in self.shapes.items() if shape == self.shapes[first]]
        others = [self.pick(alike) for _ in range(self.pick([1, 2]))]
        self.add(op, first, *others, axis=self.axis(first))

    def grow_feature_cross(self, op: str) -> None:
        name = self.any()
        shape = self.shapes[name]
        if not shape or shape[-1] == "N":
            raise ShapeProblem("no columns")
        columns = [f"c{i}" for i in range(int(shape[-1]))]
        one, two, three = (self.pick(columns) for _ in range(3))
        self.add(op, name, columns=columns, terms=[f"{one}*{two}", f"{three}^2"])

    def grow_linear(self, op: str) -> None:
        name = self.any()
        if "N" in self.shapes[name][-1:]:
            raise ShapeProblem("no features")
        self.add(op, name, units=self.pick([1, 2, 3]))

    def scalar(self, name: str) -> str:
        """A scalar that depends on every element of a value."""
        kind = self.pick(["sum", "mean", *LOSSES, *CLASS_LOSSES])
        if kind in LOSSES:
            alike = [
                other for other in self.shapes if self.shapes[other] == self.shapes[name] and other != "classes"
            ]
            target = self.pick(alike)
            target = self.add("negative", target) if kind == "hinge" else target  # data must be ±1 for hinge
            return self.add(kind, self.add("tanh", name), target)
        if kind in CLASS_LOSSES and self.shapes[name] == ("N", 3):
            return self.class_loss(kind, name)
        return self.add(kind if kind in ("sum", "mean") else "mean", self.add("tanh", name))

    def class_loss(self, kind: str, name: str) -> str:
        """A crossentropy, of logits or of probabilities."""
        target = "classes" if kind.startswith("sparse") else "targets"
        if self.pick([True, False]):
            return self.add(kind, self.add("softsign", name), target, from_logits=True)
        squash = "sigmoid" if kind.startswith("binary") else "softmax"
        return self.add(kind, self.add(squash, self.add("softsign", name)), target, from_logits=False)


LEAVES: dict[str, dict[str, Shape]] = {
    "inputs": {"x": ("N", 3), "z": ("N", 1)},
    "parameters": {"p": (3,), "q": (3, 3), "r": (), "s": (1, 3), "frozen": (3,)},
    "constants": {"floor": (), "c": (2, 3)},
}


@st.composite
def specs(draw: Draw, nodes: int = 25) -> dict[str, Any]:
    """A spec whose nodes stand in forward order, and whose loss depends on the parameter p."""
    sketch = Sketch(draw)
    sketch.shapes = {name: shape for group in LEAVES.values() for name, shape in group.items()}
    sketch.shapes |= {"targets": ("N", 3), "classes": ("N",)}
    sketch.levels = dict.fromkeys(sketch.shapes, 0)
    del sketch.shapes["classes"], sketch.shapes["targets"]
    for _ in range(draw(st.integers(1, nodes))):
        sketch.grow()
    last = [node["name"] for node in sketch.nodes]
    sketch.shapes |= {"targets": ("N", 3), "classes": ("N",)}
    ends = {"p", last[-1], *draw(st.lists(st.sampled_from(last), max_size=3))}
    scalars = [sketch.scalar(name) for name in sorted(ends)]
    loss = scalars[0]
    for other in scalars[1:]:
        loss = sketch.add("add", loss, other)
    return document(sketch, loss, draw(st.lists(st.sampled_from(last), min_size=1, max_size=2, unique=True)))


def document(sketch: Sketch, loss: str, outputs: list[str]) -> dict[str, Any]:
    """The spec as JSON."""
    inputs: dict[str, Any] = {name: {"shape": list(shape)} for name, shape in LEAVES["inputs"].items()}
    inputs |= {"targets": {"shape": ["N", 3]}, "classes": {"shape": ["N"], "dtype": "int64"}}
    parameters = {
        name: {"shape": list(shape), "init": "zeros", "trainable": name != "frozen"}
        for name, shape in LEAVES["parameters"].items()
    }
    return {
        "name": "random",
        "dtype": "float64",
        "inputs": inputs,
        "parameters": parameters,
        "constants": {"floor": 0.5, "c": [[1, -1, 0.5], [0.25, 2, -0.75]]},
        "nodes": sketch.nodes,
        "outputs": outputs,
        "loss": loss,
    }


def data(rng: np.random.Generator, examples: int) -> dict[str, Array]:
    """Values for every input."""
    return {
        "x": rng.normal(size=(examples, 3)),
        "z": rng.normal(size=(examples, 1)),
        "targets": rng.uniform(0.1, 0.9, (examples, 3)),
        "classes": rng.integers(0, 3, examples),
    }


def shuffled(spec: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """The same spec with its nodes in another order: the compiler must find the order itself."""
    return {**spec, "nodes": [spec["nodes"][i] for i in rng.permutation(len(spec["nodes"]))]}


NEAR = 1e-7


def near_kink(model: Model, values: dict[str, Array]) -> bool:
    """Whether a kink is so near that rounding decides on which side a value falls; just on it is well-defined."""

    def close(gap: Array) -> bool:
        return bool(np.any((np.abs(gap) < NEAR) & (gap != 0)))

    for node in model.graph.nodes:
        operands = [values[name] for name in node.inputs]
        word = node.op.word()
        if word in ("relu", "leaky_relu", "elu", "selu", "absolute") and close(operands[0]):
            return True
        if word in ("maximum", "minimum", "mean_absolute_error") and close(operands[0] - operands[1]):
            return True
        if word == "huber" and close(np.abs(operands[0] - operands[1]) - 1):
            return True
        if word == "hinge" and close(operands[0] * operands[1] - 1):
            return True
        if word == "max" and close(values[node.name].reshape(node.op.kept(operands[0].shape)) - operands[0]):
            return True
    return False
