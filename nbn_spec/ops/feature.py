"""Features made of raw columns: crosses, and standardized columns."""

from __future__ import annotations

from collections import Counter

import numpy as np

from nbn_spec.errors import suggestion
from nbn_spec.ops.base import Array, Buffer, Calls, Op, Param, Shape, ShapeProblem, do, fixed, show
from nbn_spec.record import AttributeProblem, attr, record

HIGHEST_POWER = 20


def factors(term: str) -> list[tuple[str, int]]:
    """``x1^2*x2`` as [("x1", 2), ("x2", 1)]; raises ``ValueError``."""
    parts = []
    for factor in term.split("*"):
        column, caret, power = factor.strip().partition("^")
        number = power.strip()
        if not column.strip() or (caret and not (number.isascii() and number.isdigit())):
            raise ValueError(f'"{term}" is no product of columns like "x1", "x1*x2" or "x1^2*x2"')
        parts.append((column.strip(), int(power) if caret else 1))
    if not all(1 <= power <= HIGHEST_POWER for _, power in parts):
        raise ValueError(f'"{term}" has a power outside 1 … {HIGHEST_POWER}')
    return parts


@record
class FeatureCross(Op):
    """Monomials in the columns of its input."""

    terms: tuple[str, ...] = attr(doc='Products of columns: "x1", "x1*x2", "x1^2*x2".')
    columns: tuple[str, ...] = attr(
        given_by="columns", doc="Names of the input's columns; left out, those that the input declares."
    )

    keeps = ("x",)
    equation = "y = [term(x), …]"
    derivatives = {"x": "∂ term / ∂ column"}

    def check(self) -> None:
        if not self.terms:
            raise AttributeProblem("terms", "needs at least one term")
        if twice := [name for name, count in Counter(self.columns).items() if count > 1]:
            raise AttributeProblem("columns", f'names "{twice[0]}" twice')
        wrong = {i: what for i, term in enumerate(self.terms) if (what := self.mistake(term))}
        if wrong:
            raise AttributeProblem("terms", "; ".join(wrong.values()), next(iter(wrong)))

    def mistake(self, term: str) -> str:
        """What is wrong with a term; nothing for one that is right."""
        try:
            unknown = [column for column, _ in factors(term) if column not in self.columns]
        except ValueError as error:
            return str(error)
        if not unknown:
            return ""
        uses = f'"{unknown[0]}" is no column' if unknown[0] == term else f'"{term}" uses "{unknown[0]}", no column'
        return f"{uses}: {suggestion(unknown[0], self.columns)}"

    def infer(self, x: Shape) -> Shape:
        width = fixed(x, -1, "feature_cross") if x else 0
        if width != len(self.columns):
            raise ShapeProblem(f"feature_cross names {len(self.columns)} columns, but its input is {show(x)}")
        return (*x[:-1], len(self.terms))

    def buffers(self, x: Shape) -> dict[str, Buffer]:
        return {"t": Buffer(x[:-1])}

    def powers(self, term: str) -> dict[int, int]:
        """The power of each column that a term uses, by the column's number."""
        powers: Counter[int] = Counter()
        for column, power in factors(term):
            powers[self.columns.index(column)] += power
        return powers

    def forward(self, x: Array, *, y: Array) -> Calls:
        for j, term in enumerate(self.terms):
            first, *rest = Counter(self.powers(term)).elements()
            yield do(np.copyto, y[..., j], x[..., first])
            for column in rest:
                yield do(np.multiply, y[..., j], x[..., column], y[..., j])

    def backward(self, dy: Array, *, x: Array, dx: Array, t: Array) -> Calls:
        yield do(dx.fill, 0)
        for j, term in enumerate(self.terms):
            for column, power in self.powers(term).items():
                yield do(np.multiply, dy[..., j], power, t)
                for other in (Counter(self.powers(term)) - Counter({column: 1})).elements():
                    yield do(np.multiply, t, x[..., other], t)
                yield do(np.add, dx[..., column], t, dx[..., column])


@record
class Standardize(Op):
    """Columns with mean 0 and deviation 1, by statistics of the training data; a constant column becomes 0."""

    weights = ("mean", "std")
    statistics = ("mean", "std")
    keeps = ("std",)
    equation = "y = (x − mean) / std"
    derivatives = {"x": "1 / std"}

    def params(self, x: Shape) -> dict[str, Param]:
        width = fixed(x, -1, "standardize")
        return {"mean": Param((width,), "zeros"), "std": Param((width,), "ones")}

    def infer(self, x: Shape) -> Shape:
        if not x:
            raise ShapeProblem("standardize needs an axis of columns, but the input is a scalar")
        fixed(x, -1, "standardize")
        return x

    def measure(self, x: Array) -> dict[str, Array]:
        """Mean and standard deviation (over n, not n − 1) of each column; 1 instead of 0 for a constant one."""
        flat = np.asarray(x, dtype=np.float64).reshape(-1, x.shape[-1])
        varies = flat.max(axis=0) > flat.min(axis=0)  # the deviation of equal numbers is not exactly 0
        mean = np.where(varies, flat.mean(axis=0), flat[0])
        return {"mean": mean, "std": np.where(varies, flat.std(axis=0), 1.0)}

    def unmeasured(self, *, mean: Array, std: Array) -> bool:
        return not mean.any() and bool((std == 1).all())

    def forward(self, x: Array, mean: Array, std: Array, *, y: Array) -> Calls:
        yield do(np.subtract, x, mean, y)
        yield do(np.divide, y, std, y)

    def backward(self, dy: Array, *, std: Array, dx: Array) -> Calls:
        yield do(np.divide, dy, std, dx)
