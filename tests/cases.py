"""Every op with attributes, operand shapes, and values that stay away from kinks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nbn_spec.ops import OPS
from nbn_spec.ops.base import Array, Op

Shape = tuple[int, ...]
Sampler = Callable[[np.random.Generator, Shape], Array]
Draw = Callable[[np.random.Generator, Sequence[Shape]], list[Array]]


def normal(rng: np.random.Generator, shape: Shape) -> Array:
    return np.asarray(rng.normal(size=shape))


def positive(rng: np.random.Generator, shape: Shape) -> Array:
    return np.asarray(rng.uniform(0.4, 2.5, shape))


def probability(rng: np.random.Generator, shape: Shape) -> Array:
    return np.asarray(rng.uniform(0.05, 0.95, shape))


def signs(rng: np.random.Generator, shape: Shape) -> Array:
    return np.asarray(rng.choice([-1.0, 1.0], shape))


def apart(rng: np.random.Generator, shape: Shape) -> Array:
    """Numbers of both signs that are not near 0."""
    return np.asarray(rng.uniform(0.2, 2.0, shape) * signs(rng, shape))


def each(*samplers: Sampler) -> Draw:
    """Every operand by a sampler of its own; the last one serves the rest too."""

    def draw(rng: np.random.Generator, shapes: Sequence[Shape]) -> list[Array]:
        padded = [*samplers, *[samplers[-1]] * (len(shapes) - len(samplers))]
        return [sampler(rng, shape) for sampler, shape in zip(padded, shapes, strict=True)]

    return draw


NORMAL = each(normal)


def distinct(rng: np.random.Generator, shapes: Sequence[Shape]) -> list[Array]:
    """No two numbers of all operands are near each other."""
    sizes = [int(np.prod(shape)) for shape in shapes]
    grid = rng.permutation(sum(sizes)) * 0.1 - 0.05 * sum(sizes)
    parts = np.split(grid, np.cumsum(sizes)[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def differing(kink: float) -> Draw:
    """Two operands whose difference is neither near 0 nor near ± ``kink``."""

    def draw(rng: np.random.Generator, shapes: Sequence[Shape]) -> list[Array]:
        target = normal(rng, shapes[1])
        size = rng.uniform(0.2, 0.8, shapes[0]) + rng.integers(0, 2, shapes[0])
        return [np.asarray(target + kink * size * signs(rng, shapes[0])), target]

    return draw


def margins(rng: np.random.Generator, shapes: Sequence[Shape]) -> list[Array]:
    """A prediction and a target of ±1 whose product is not near 1."""
    size = rng.uniform(0.2, 0.8, shapes[0]) + rng.integers(0, 2, shapes[0])
    return [np.asarray(size * signs(rng, shapes[0])), signs(rng, shapes[1])]


def class_numbers(of: Sampler) -> Draw:
    """Predictions by a sampler, and whole numbers below their last length."""

    def draw(rng: np.random.Generator, shapes: Sequence[Shape]) -> list[Array]:
        numbers = rng.integers(0, shapes[0][-1], shapes[1], dtype=np.int64)
        return [of(rng, shapes[0]), np.asarray(numbers)]

    return draw


@dataclass(frozen=True)
class Case:
    """An op with the shapes of its operands, and how their values are drawn."""

    op: Op
    shapes: tuple[Shape, ...]
    draw: Draw = NORMAL

    def __str__(self) -> str:
        given = ",".join(f"{name}={value}" for name, value in self.op.to_json().items())
        return f"{self.op.word()}({given})-{'-'.join('x'.join(map(str, shape)) or '()' for shape in self.shapes)}"

    def sources(self, seed: int = 0, dtype: str = "float64") -> dict[str, Array]:
        """Operands and parameters by name."""
        rng = np.random.default_rng(seed)
        operands = dict(zip(self.op.operands(len(self.shapes)), self.draw(rng, self.shapes), strict=True))
        params = {
            name: (positive if name == "std" else normal)(rng, param.shape)
            for name, param in self.op.params(*self.shapes).items()
        }
        kinds = dict.fromkeys(self.op.integers, "int64")
        return {name: array.astype(kinds.get(name, dtype)) for name, array in {**operands, **params}.items()}

    def differentiable(self) -> list[str]:
        """The operands and parameters that get a gradient."""
        passed_over = {*self.op.integers, *self.op.statistics}
        return [name for name in self.sources() if name not in passed_over]


UNARY: tuple[Shape, ...] = ((), (1,), (4, 3), (2, 1, 3))
PAIRS: tuple[tuple[Shape, Shape], ...] = (
    ((3, 4), (3, 4)),
    ((3, 4), (4,)),
    ((3, 4), (1,)),
    ((3, 4), ()),
    ((), (3, 4)),
    ((1,), (3, 4)),
    ((3, 1), (1, 4)),
    ((4,), (2, 3, 4)),
    ((2, 1, 4), (3, 1)),
    ((1, 4), (1, 4)),
    ((1, 1), (4,)),
    ((), ()),
)
LOSS: tuple[Shape, ...] = ((4, 1), (3, 2), (1, 3), (5,), (2, 3, 2), ())
CLASSES: tuple[Shape, ...] = ((4, 3), (1, 3), (3, 1), (2, 3, 4), (3,))


def unary(word: str, draw: Draw = NORMAL, shapes: Sequence[Shape] = UNARY, **attributes: object) -> list[Case]:
    return [Case(OPS[word].from_json(attributes), (shape,), draw) for shape in shapes]


def binary(word: str, draw: Draw = NORMAL, shapes: Sequence[tuple[Shape, Shape]] = PAIRS) -> list[Case]:
    return [Case(OPS[word](), pair, draw) for pair in shapes]


def loss(word: str, draw: Draw, **attributes: object) -> list[Case]:
    return [Case(OPS[word].from_json(attributes), (shape, shape), draw) for shape in LOSS]


def linear(units: int, x: Shape, bias: bool = True) -> Case:
    return Case(OPS["linear"].from_json({"units": units, "bias": bias}), (x,))


def reductions(word: str, draw: Draw) -> list[Case]:
    forms: list[tuple[Shape, object]] = [
        ((), None),
        ((4,), None),
        ((3, 4), None),
        ((3, 4), 0),
        ((3, 4), -1),
        ((2, 3, 4), [0, -1]),
        ((2, 3, 4), [-2]),
        ((2, 3, 4), [2, 0, 1]),
        ((1, 3), 0),
        ((3, 1), [1]),
        ((3, 2), []),
    ]
    return [
        case
        for shape, axis in forms
        for keepdims in (False, True)
        for case in unary(word, draw, [shape], axis=axis, keepdims=keepdims)
    ]


def over_axis(word: str) -> list[Case]:
    forms: list[tuple[Shape, int]] = [
        ((3, 4), -1),
        ((3, 4), 0),
        ((2, 3, 4), 1),
        ((2, 3, 4), -3),
        ((3, 1), -1),
        ((4,), 0),
    ]
    return [case for shape, axis in forms for case in unary(word, shapes=[shape], axis=axis)]


def slices() -> list[Case]:
    forms: list[tuple[Shape, dict[str, object]]] = [
        ((3, 4), {}),
        ((3, 4), {"start": 1}),
        ((3, 4), {"axis": 0, "stop": -1}),
        ((3, 5), {"axis": -1, "step": 2}),
        ((5,), {"axis": 0, "start": -4, "stop": 4, "step": 2}),
        ((2, 4, 3), {"axis": -2, "start": 1, "stop": 3}),
        ((2, 4, 3), {"axis": 1, "start": 3, "stop": 100}),
    ]
    return [case for shape, attributes in forms for case in unary("slice", shapes=[shape], **attributes)]


def concatenations() -> list[Case]:
    forms: list[tuple[int, tuple[Shape, ...]]] = [
        (-1, ((3, 2),)),
        (-1, ((3, 2), (3, 1))),
        (0, ((2, 3), (1, 3), (4, 3))),
        (1, ((2, 1, 3), (2, 2, 3))),
        (-3, ((1, 2, 2), (2, 2, 2))),
        (0, tuple((1 + i % 2,) for i in range(12))),
    ]
    return [Case(OPS["concatenate"].from_json({"axis": axis}), shapes) for axis, shapes in forms]


def crosses() -> list[Case]:
    forms: list[tuple[Shape, list[str], list[str]]] = [
        ((4, 2), ["x1", "x2"], ["x1", "x2", "x1^2", "x2^2", "x1*x2"]),
        ((1, 3), ["a", "b", "c"], ["a^3*b", "c*c*a", "b^2*c^2"]),
        ((2, 3, 1), ["x"], ["x^4", "x"]),
        ((2,), ["u", "v"], ["u*v^2"]),
    ]
    return [
        case
        for shape, columns, terms in forms
        for case in unary("feature_cross", shapes=[shape], columns=columns, terms=terms)
    ]


def crossentropies(word: str, targets: Sampler | None, shapes: Sequence[Shape]) -> list[Case]:
    """From probabilities and from logits; without a sampler of targets they are class numbers."""
    found = []
    for from_logits, sampler in ((False, probability), (True, normal)):
        op = OPS[word].from_json({"from_logits": from_logits})
        draw = class_numbers(sampler) if targets is None else each(sampler, targets)
        found += [Case(op, (shape, shape[:-1] if targets is None else shape), draw) for shape in shapes]
    return found


CASES: list[Case] = [
    *(linear(2, x) for x in ((4, 3), (1, 3), (3, 1), (3,), (2, 3, 4), (2, 1, 3, 2))),
    *(linear(units, x, bias=False) for units, x in ((3, (4, 3)), (1, (2, 2, 3)))),
    *binary(
        "matmul",
        shapes=[
            ((3, 4), (4, 2)),
            ((1, 3), (3, 1)),
            ((3, 3), (3, 3)),
            ((5, 2, 3), (5, 3, 4)),
            ((5, 2, 3), (3, 4)),
            ((2, 3), (5, 3, 4)),
            ((2, 1, 2, 3), (4, 3, 2)),
            ((1, 2, 3), (5, 3, 1)),
        ],
    ),
    *(case for word in ("sigmoid", "tanh", "softplus", "softsign", "silu", "sin", "cos") for case in unary(word)),
    *(case for word in ("identity", "negative", "square", "exp") for case in unary(word)),
    *(case for word in ("relu", "selu", "absolute") for case in unary(word, each(apart))),
    *(case for slope in (0.01, 0, 1, 0.3) for case in unary("leaky_relu", each(apart), negative_slope=slope)),
    *(case for alpha in (1.0, 0.5, 0, 2) for case in unary("elu", each(apart), alpha=alpha)),
    *(case for approximate in (False, True) for case in unary("gelu", approximate=approximate)),
    *(case for word in ("softmax", "log_softmax") for case in over_axis(word)),
    *(case for word in ("sqrt", "log") for case in unary(word, each(positive))),
    *(case for word in ("add", "subtract", "multiply") for case in binary(word)),
    *binary("divide", each(normal, apart)),
    *binary("power", each(positive, normal)),
    *(case for word in ("maximum", "minimum") for case in binary(word, distinct)),
    *(case for word in ("sum", "mean") for case in reductions(word, each(normal))),
    *reductions("max", distinct),
    *unary("reshape", shapes=[(2, 6), (3, 4)], shape=[4, -1]),
    *unary("reshape", shapes=[(1, 1), ()], shape=[]),
    *unary("reshape", shapes=[(2, 3, 2)], shape=[-1]),
    *unary("flatten", shapes=[(3, 4), (2, 3, 4), (2, 1, 3, 2), (1, 3)]),
    *unary("flatten", shapes=[(2, 3, 4), (5,)], start_axis=0),
    *unary("flatten", shapes=[(2, 3, 4)], start_axis=-2),
    *unary("transpose", shapes=[(3, 4), (2, 3, 4), (4,), ()]),
    *unary("transpose", shapes=[(2, 3, 4), (1, 3, 1)], axes=[1, -1, 0]),
    *concatenations(),
    *slices(),
    *crosses(),
    *unary("standardize", shapes=[(4, 3), (1, 2), (3,), (2, 3, 1)]),
    *(case for word in ("squared_error", "mean_squared_error") for case in loss(word, each(normal))),
    *loss("mean_absolute_error", differing(1.0)),
    *(case for delta in (1.0, 0.25, 3) for case in loss("huber", differing(delta), delta=delta)),
    *loss("hinge", margins),
    *crossentropies("binary_crossentropy", probability, LOSS),
    *crossentropies("categorical_crossentropy", probability, CLASSES),
    *crossentropies("sparse_categorical_crossentropy", None, CLASSES),
]
