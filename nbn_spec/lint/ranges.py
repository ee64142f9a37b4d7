"""Between which bounds the values of a graph lie, as far as its structure tells: intervals, forward once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import inf, isnan

import numpy as np

from nbn_spec.graph import Constant, Leaf, Node, Parameter
from nbn_spec.lint.subject import NOTHING, Subject
from nbn_spec.ops import activation, arithmetic
from nbn_spec.ops.base import Array, Op
from nbn_spec.ops.linear import Linear, Matmul
from nbn_spec.ops.reduction import Max, Mean, Sum
from nbn_spec.ops.shape import Concatenate, Slice, Transpose

LOWEST_GELU, LOWEST_SILU = -0.17, -0.2785
"""Where the two curves have their minimum, rounded outwards."""


@dataclass(frozen=True)
class Range:
    """No value is beyond ``low`` and ``high``; ``sure``: values do come near the bounds, not only may they."""

    low: float
    high: float
    sure: bool = False

    @property
    def unbounded(self) -> bool:
        """Whether the values surely have no bound on one side."""
        return self.sure and (self.low == -inf or self.high == inf)

    @property
    def zero(self) -> bool:
        """Whether every value is 0."""
        return self.low == self.high == 0

    def __str__(self) -> str:
        if self.low == -inf:
            return "numbers of any size" if self.high == inf else f"numbers of at most {self.high:g}"
        return (
            f"numbers of at least {self.low:g}" if self.high == inf else f"numbers {self.low:g} to {self.high:g}"
        )


UNKNOWN, FREE, PROBABILITY, BOTH_SIDES = (
    Range(-inf, inf),
    Range(-inf, inf, True),
    Range(0, 1, True),
    Range(-1, 1, True),
)


def ranges(subject: Subject) -> Mapping[str, Range]:
    """The range of every value of the graph."""
    weights = subject.trainable
    found = {name: range_of_leaf(leaf, subject) for name, leaf in subject.graph.leaves.items()}
    for node in subject.graph.nodes:
        if isinstance(node.op, Linear):
            found[node.name] = FREE if node.params["weight"] in weights else UNKNOWN
        else:
            found[node.name] = image(node, [found[name] for name in node.inputs])
    return found


def range_of_leaf(leaf: Leaf, subject: Subject) -> Range:
    """Any number for what is trained, the extremes of what is fixed; nothing is known of data."""
    if isinstance(leaf, Constant):
        return extremes(leaf.value)
    if isinstance(leaf, Parameter):
        value = subject.initial.get(leaf.name, leaf.value)
        return FREE if leaf.trainable else UNKNOWN if value is None else extremes(value)
    return UNKNOWN


def extremes(values: Array) -> Range:
    """The smallest and the largest of some values."""
    return Range(float(values.min()), float(values.max()), True) if values.size else UNKNOWN


def image(node: Node, operands: list[Range]) -> Range:
    """The range of a node that is no linear layer."""
    rule = RULES.get(type(node.op))
    if rule is None:
        return UNKNOWN
    found = rule(node.op, operands)
    return UNKNOWN if isnan(found.low) or isnan(found.high) else found


Rule = Callable[[Op, list[Range]], Range]


def always(found: Range) -> Rule:
    """The rule of an op whose range does not depend on its operand."""
    return lambda op, operands: found


def same(op: Op, operands: list[Range]) -> Range:
    """The hull of the operands: of one, itself."""
    low, high = min(x.low for x in operands), max(x.high for x in operands)
    return Range(low, high, all(x.sure for x in operands))


def monotone(function: Callable[[float], float]) -> Rule:
    """The rule of an op that rises everywhere, or falls everywhere."""

    def rule(op: Op, operands: list[Range]) -> Range:
        (x,) = operands
        with np.errstate(all="ignore"):
            ends = float(function(x.low)), float(function(x.high))
        return Range(min(ends), max(ends), x.sure)

    return rule


def even(function: Callable[[float], float]) -> Rule:
    """The rule of an op that falls up to 0 and rises from there."""

    def rule(op: Op, operands: list[Range]) -> Range:
        (x,) = operands
        ends = float(function(x.low)), float(function(x.high))
        return Range(0 if x.low <= 0 <= x.high else min(ends), max(ends), x.sure)

    return rule


def dipping(lowest: float) -> Rule:
    """The rule of gelu and silu: a dip to the left of 0, the identity far to the right."""
    return lambda op, operands: Range(
        lowest if operands[0].low < 0 else 0, max(operands[0].high, 0), operands[0].sure
    )


def leaky(op: Op, operands: list[Range]) -> Range:
    """The two slopes of a leaky relu."""
    (x,) = operands
    slope: float = getattr(op, "negative_slope")  # noqa: B009  # mypy knows the op by its base class only
    low, high = (end if end > 0 else slope * end if slope else 0.0 for end in (x.low, x.high))
    return Range(low, high, x.sure)


def exponential(op: Op, operands: list[Range]) -> Range:
    """elu and selu: a line to the right of 0, to the left down to a floor."""
    assert isinstance(op, activation.ExponentialUnit)
    alpha, scale = op.constants()
    (x,) = operands
    low, high = (scale * (end if end > 0 else alpha * float(np.expm1(end))) for end in (x.low, x.high))
    return Range(low, high, x.sure)


def endless(operands: list[Range]) -> bool:
    """Whether one operand surely has no bound, or all bounds are sure: then those of a result are too."""
    return any(x.unbounded for x in operands) or all(x.sure for x in operands)


def added(op: Op, operands: list[Range]) -> Range:
    """A sum; of a difference the second is turned round."""
    a, b = operands
    if isinstance(op, arithmetic.Subtract):
        b = Range(-b.high, -b.low, b.sure)
    return Range(a.low + b.low, a.high + b.high, endless(operands))


def multiplied(op: Op, operands: list[Range]) -> Range:
    """A product: nothing but 0 where one factor is 0."""
    a, b = operands
    if a.zero or b.zero:
        return Range(0, 0, True)
    corners = [0.0 if 0 in (m, n) else m * n for m in (a.low, a.high) for n in (b.low, b.high)]
    return Range(min(corners), max(corners), endless(operands))


def matrix_product(op: Op, operands: list[Range]) -> Range:
    """A sum of products: of probabilities it may be a mean, so only what surely has no bound leaves none."""
    if any(x.zero for x in operands):
        return Range(0, 0, True)
    return FREE if any(x.unbounded for x in operands) else UNKNOWN


def extremum(choose: Callable[..., float]) -> Rule:
    """The rule of the larger, or smaller, of two."""
    return lambda op, xs: Range(choose(x.low for x in xs), choose(x.high for x in xs), all(x.sure for x in xs))


def summed(op: Op, operands: list[Range]) -> Range:
    """A sum over axes keeps the sign."""
    (x,) = operands
    low, high = (-inf if x.low < 0 else 0), (inf if x.high > 0 else 0)
    return replace(x, low=low, high=high, sure=x.unbounded)


RULES: dict[type[Op], Rule] = {
    **dict.fromkeys((*NOTHING, Transpose, Slice, Concatenate, Mean, Max), same),
    **dict.fromkeys((activation.Sigmoid, activation.Softmax), always(PROBABILITY)),
    **dict.fromkeys((activation.Sin, activation.Cos), always(BOTH_SIDES)),
    activation.LogSoftmax: always(Range(-inf, 0, True)),
    activation.Tanh: monotone(np.tanh),
    activation.Softsign: monotone(lambda x: np.sign(x) if np.isinf(x) else x / (1 + abs(x))),
    activation.Relu: monotone(lambda x: max(x, 0.0)),
    activation.Softplus: monotone(lambda x: np.logaddexp(x, 0.0)),
    activation.LeakyRelu: leaky,
    activation.Elu: exponential,
    activation.Selu: exponential,
    activation.Gelu: dipping(LOWEST_GELU),
    activation.Silu: dipping(LOWEST_SILU),
    arithmetic.Add: added,
    arithmetic.Subtract: added,
    arithmetic.Multiply: multiplied,
    arithmetic.Maximum: extremum(max),
    arithmetic.Minimum: extremum(min),
    arithmetic.Negative: monotone(lambda x: -x),
    arithmetic.Square: even(lambda x: x * x),
    arithmetic.Absolute: even(abs),
    arithmetic.Sqrt: monotone(lambda x: np.sqrt(max(x, 0.0))),
    arithmetic.Exp: monotone(np.exp),
    arithmetic.Log: monotone(lambda x: np.log(max(x, 0.0))),
    Matmul: matrix_product,
    Sum: summed,
}
"""How the range of a node follows from those of its operands; nothing is known of the other ops."""
