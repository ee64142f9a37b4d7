"""Initial values of parameters.

Weights are stored (out, in, …): fan_in is the product of all lengths but the first, fan_out the first times
the rest behind the second. The tutorial's three names stand beside the field's: its ``xavier`` has LeCun's
variance 1/fan_in, not Glorot's 2/(fan_in + fan_out).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import prod, sqrt
from typing import TYPE_CHECKING, ClassVar, TypeAlias

import numpy as np

from nbn_spec.ops.base import Array
from nbn_spec.record import AttributeProblem, Record, attr, record

if TYPE_CHECKING:  # numpy.random takes 7 ms to import, and whoever loads a trained model draws nothing
    Draws: TypeAlias = np.random.Generator | np.random.RandomState
Lengths = tuple[int, ...]
TRUNCATION = 2.0
"""Standard deviations beyond which ``truncated_normal`` draws again."""


def fans(shape: Lengths) -> tuple[int, int]:
    """(fan_in, fan_out) of a weight stored (out, in, …); a vector's length is both."""
    if len(shape) < 2:
        return (shape[0], shape[0]) if shape else (1, 1)
    return prod(shape[1:]), shape[0] * prod(shape[2:])


@record
class Initializer(Record, ABC):
    """Draws a parameter's first values; an instance is the record of its attributes."""

    equation: ClassVar[str] = ""

    @abstractmethod
    def draw(self, shape: Lengths, draws: Draws) -> Array:
        """Float64 values of ``shape``; raises ``ValueError`` where the shape cannot be initialized so."""


@record
class ScaledNormal(Initializer, ABC):
    """Normal numbers whose variance follows from the fans."""

    @abstractmethod
    def variance(self, fan_in: int, fan_out: int) -> float:
        """The variance."""

    def draw(self, shape: Lengths, draws: Draws) -> Array:
        return draws.standard_normal(shape) * sqrt(self.variance(*fans(shape)))


@record
class ScaledUniform(Initializer, ABC):
    """Uniform numbers within a limit that follows from the fans."""

    @abstractmethod
    def square(self, fan_in: int, fan_out: int) -> float:
        """The square of the limit."""

    def draw(self, shape: Lengths, draws: Draws) -> Array:
        limit = sqrt(self.square(*fans(shape)))
        return np.asarray(draws.uniform(-limit, limit, shape))


@record
class Plain(Initializer):
    """The tutorial's small random numbers."""

    equation = "0.01 · N(0, 1)"

    def draw(self, shape: Lengths, draws: Draws) -> Array:
        return draws.standard_normal(shape) * 0.01


@record
class Xavier(ScaledNormal):
    """The tutorial's xavier: LeCun's variance, not Glorot's."""

    equation = "N(0, 1) · √(1 / fan_in)"

    def variance(self, fan_in: int, fan_out: int) -> float:
        return 1.0 / fan_in


@record
class He(ScaledNormal):
    """The tutorial's he, for relu (He et al. 2015)."""

    equation = "N(0, 1) · √(2 / fan_in)"

    def variance(self, fan_in: int, fan_out: int) -> float:
        return 2.0 / fan_in


@record
class GlorotUniform(ScaledUniform):
    """Glorot & Bengio 2010, uniform."""

    equation = "U(−l, l), l = √(6 / (fan_in + fan_out))"

    def square(self, fan_in: int, fan_out: int) -> float:
        return 6.0 / (fan_in + fan_out)


@record
class GlorotNormal(ScaledNormal):
    """Glorot & Bengio 2010, normal (not truncated)."""

    equation = "N(0, 2 / (fan_in + fan_out))"

    def variance(self, fan_in: int, fan_out: int) -> float:
        return 2.0 / (fan_in + fan_out)


@record
class HeUniform(ScaledUniform):
    """He et al. 2015, uniform."""

    equation = "U(−l, l), l = √(6 / fan_in)"

    def square(self, fan_in: int, fan_out: int) -> float:
        return 6.0 / fan_in


@record
class HeNormal(ScaledNormal):
    """He et al. 2015, normal (not truncated)."""

    equation = "N(0, 2 / fan_in)"

    def variance(self, fan_in: int, fan_out: int) -> float:
        return 2.0 / fan_in


@record
class LecunUniform(ScaledUniform):
    """LeCun et al. 1998, uniform."""

    equation = "U(−l, l), l = √(3 / fan_in)"

    def square(self, fan_in: int, fan_out: int) -> float:
        return 3.0 / fan_in


@record
class LecunNormal(ScaledNormal):
    """LeCun et al. 1998, normal (not truncated)."""

    equation = "N(0, 1 / fan_in)"

    def variance(self, fan_in: int, fan_out: int) -> float:
        return 1.0 / fan_in


@record
class Normal(Initializer):
    """Normal numbers."""

    mean: float = attr(0.0, doc="Mean.")
    std: float = attr(0.05, ge=0, doc="Standard deviation.")
    equation = "N(mean, std²)"

    def draw(self, shape: Lengths, draws: Draws) -> Array:
        return draws.standard_normal(shape) * self.std + self.mean


@record
class Uniform(Initializer):
    """Uniform numbers from ``low`` up to ``high``."""

    low: float = attr(-0.05, doc="Lower end.")
    high: float = attr(0.05, doc="Upper end.")
    equation = "U(low, high)"

    def check(self) -> None:
        if self.high < self.low:
            raise AttributeProblem("high", f"must be at least low, {self.low}, got {self.high}")

    def draw(self, shape: Lengths, draws: Draws) -> Array:
        return np.asarray(draws.uniform(self.low, self.high, shape))


@record
class TruncatedNormal(Initializer):
    """Normal numbers, drawn again while they lie more than two standard deviations off."""

    mean: float = attr(0.0, doc="Mean before truncation.")
    std: float = attr(0.05, ge=0, doc="Standard deviation before truncation.")
    equation = "N(mean, std²) within mean ± 2 std"

    def draw(self, shape: Lengths, draws: Draws) -> Array:
        values = np.asarray(draws.standard_normal(shape))
        while (far := np.abs(values) > TRUNCATION).any():
            values[far] = draws.standard_normal(int(far.sum()))
        return values * self.std + self.mean


@record
class Orthogonal(Initializer):
    """Orthonormal rows or columns (Saxe et al. 2014), from the QR decomposition of normal numbers."""

    gain: float = attr(1.0, doc="Factor on the orthogonal matrix.")
    equation = "gain · Q, QᵀQ = I"

    def draw(self, shape: Lengths, draws: Draws) -> Array:
        if len(shape) < 2:
            raise ValueError("orthogonal needs a shape of at least two axes")
        rows, columns = shape[0], prod(shape[1:])
        q, r = np.linalg.qr(draws.standard_normal((max(rows, columns), min(rows, columns))))
        q = q * np.where(np.diag(r) < 0, -1.0, 1.0)
        return np.asarray((q if rows >= columns else q.T).reshape(shape) * self.gain)


@record
class Zeros(Initializer):
    """Zeros."""

    equation = "0"

    def draw(self, shape: Lengths, draws: Draws) -> Array:
        return np.zeros(shape)


@record
class Ones(Initializer):
    """Ones."""

    equation = "1"

    def draw(self, shape: Lengths, draws: Draws) -> Array:
        return np.ones(shape)


@record
class Constant(Initializer):
    """One number everywhere."""

    constant: float = attr(doc="The number.")
    equation = "constant"

    def draw(self, shape: Lengths, draws: Draws) -> Array:
        return np.full(shape, float(self.constant))


@record
class Identity(Initializer):
    """The identity matrix; where it is not square, ones on its diagonal."""

    gain: float = attr(1.0, doc="Factor on the identity.")
    equation = "gain · I"

    def draw(self, shape: Lengths, draws: Draws) -> Array:
        if len(shape) != 2:
            raise ValueError("identity needs a shape of two axes")
        return np.eye(*shape) * self.gain


INITIALIZERS: dict[str, type[Initializer]] = {
    "plain": Plain,
    "xavier": Xavier,
    "he": He,
    "glorot_uniform": GlorotUniform,
    "glorot_normal": GlorotNormal,
    "he_uniform": HeUniform,
    "he_normal": HeNormal,
    "lecun_uniform": LecunUniform,
    "lecun_normal": LecunNormal,
    "normal": Normal,
    "uniform": Uniform,
    "truncated_normal": TruncatedNormal,
    "orthogonal": Orthogonal,
    "zeros": Zeros,
    "ones": Ones,
    "constant": Constant,
    "identity": Identity,
}
"""Every initializer by its name in JSON."""
