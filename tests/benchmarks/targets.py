"""What the program is meant to reach, and whether it does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from tests.benchmarks import workloads as w
from tests.benchmarks.entries import AVX2, CHOSEN, OURS, OWN, Key

Results = Mapping[Key, Sequence[float]]


@dataclass(frozen=True)
class Target:
    """A ratio of two lines: at least or at most ``bound``. Of several ``others`` the fastest counts."""

    claim: str
    top: tuple[Key, ...]
    bottom: tuple[Key, ...]
    bound: float
    least: bool

    def ratio(self, results: Results) -> float | None:
        """The measured ratio; ``None`` where a line is missing."""
        top, bottom = (quickest(keys, results) for keys in (self.top, self.bottom))
        return None if top is None or bottom is None else top / bottom

    def met(self, ratio: float) -> bool:
        """Whether the ratio is what it should be."""
        return ratio >= self.bound if self.least else ratio <= self.bound


def quickest(keys: Sequence[Key], results: Results) -> float | None:
    """The smallest median of some lines."""
    return min((median(results[key]) for key in keys if results.get(key)), default=None)


def faster(claim: str, other: Sequence[Key], ours: Key, bound: float) -> Target:
    """The other takes at least so many times as long."""
    return Target(f"{claim}: at least {bound:g} ×", tuple(other), (ours,), bound, True)


def within(claim: str, ours: Key, other: Sequence[Key], bound: float) -> Target:
    """This program takes at most so many times as long."""
    return Target(f"{claim}: at most {bound:g} ×", (ours,), tuple(other), bound, False)


def line(workload: str, contender: str, kernel: str = CHOSEN) -> Key:
    """A line of a workload that has one case."""
    return Key(workload, "", contender, kernel)


def torch(workload: str) -> list[Key]:
    """PyTorch's lines, whichever of its optimizers is the faster."""
    return [line(workload, title, OWN) for title in (w.PYTORCH, w.PYTORCH_FUSED)]


def of_xor() -> Iterator[Target]:
    """The smallest of networks."""
    ours = line("xor", OURS)
    yield faster("XOR, a tutorial's loop against this program", [line("xor", w.TUTORIAL)], ours, 2)
    yield faster("XOR, PyTorch against this program", [line("xor", w.PYTORCH, OWN)], ours, 10)
    for title in (w.STRAIGHT, w.BY_HAND):
        yield within(f"XOR, this program against {title}", ours, [line("xor", title)], 1.2)


def of_sgd() -> Iterator[Target]:
    """The larger network, plain descent."""
    for kernel, bound in ((AVX2, 1.15), (CHOSEN, 1.7)):
        ours, where = line("mlp-sgd", OURS, kernel), f"({kernel})"
        products = [line("mlp-sgd", w.PRODUCTS, kernel)]
        yield within(f"MLP, SGD, this program against its matrix products alone {where}", ours, products, 1.35)
        yield faster(f"MLP, SGD, PyTorch against this program {where}", torch("mlp-sgd"), ours, bound)
    for title in (w.XLA, w.XLA_SCANNED):
        yield faster(f"MLP, SGD, {title} against this program ({CHOSEN})", [line("mlp-sgd", title, OWN)], ours, 1)


def of_adam() -> Iterator[Target]:
    """The larger network, Adam."""
    for kernel, bound in ((AVX2, 1.0), (CHOSEN, 1.5)):
        ours, where = line("mlp-adam", OURS, kernel), f"({kernel})"
        yield faster(f"MLP, Adam, PyTorch against this program {where}", torch("mlp-adam"), ours, bound)
        other = [line("mlp-adam", w.SKLEARN, kernel)]
        yield faster(f"MLP, Adam, scikit-learn against this program {where}", other, ours, 2.5)


def of_predict() -> Iterator[Target]:
    """One row."""
    for name, words, bound in (("predict-small", "4-16-3", 1.3), ("predict-large", "784-512-256-10", 1.2)):
        ours, claim = line(name, OURS), f"predicting a row with {words}"
        runtime = [line(name, title, OWN) for title in (w.RUNTIME, w.RUNTIME_ALONE)]
        yield within(f"{claim}, this program against ONNX Runtime", ours, runtime, bound)
        for title in (w.PYTORCH, w.XLA):
            yield faster(f"{claim}, {title} against this program", [line(name, title, OWN)], ours, 1)


def of_size() -> Iterator[Target]:
    """What grows."""
    small, large = (Key("compile", f"{nodes:,} nodes", w.COMPILES) for nodes in w.CHAINS[1:])
    yield within(f"compiling {large.case} against {small.case}", large, [small], 12)
    for title, _ in w.SHAPES:
        taken, told = (Key("memory", title, name) for name in (w.MEASURED, w.ANNOUNCED))
        yield within(f"memory of training {title}, measured against announced", taken, [told], 1.15)


TARGETS = (*of_xor(), *of_sgd(), *of_adam(), *of_predict(), *of_size())
