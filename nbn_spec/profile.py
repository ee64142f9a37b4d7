"""Where the time of a training goes: each node forward and backward, matrix products, the update, the data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter_ns
from typing import Any

import numpy as np

from nbn_spec.batches import Batch
from nbn_spec.ops.base import Call
from nbn_spec.plan import Step

OPTIMIZER, DATA, METRICS, VALIDATION = "(optimizer)", "(data)", "(cost and metrics)", "(validation)"
"""What is not a node; no name of a node has parentheses."""
MICRO = 1e-3
"""Microseconds in a nanosecond."""


@dataclass(frozen=True)
class Row:
    """What one node, or one of the parts that are none, takes in a step on average: microseconds.

    A parameter that several nodes read has a row too, for the sum of its gradients.
    """

    name: str
    forward: float
    backward: float

    @property
    def total(self) -> float:
        """Both directions."""
        return self.forward + self.backward


@dataclass
class Profile:
    """Nanoseconds that were spent, added up while a trainer that was made with it runs.

    The clock takes some 0.3 µs for each call, of which little is counted for nodes or in ``products``.
    """

    spent: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    """A cell for each node and direction."""
    products: list[int] = field(default_factory=lambda: [0])
    """Those of them that matrix products took."""
    steps: int = 0
    """Updates that were made."""
    elapsed: int = 0
    """All of the time within ``with profile``; a second run adds its own."""
    started: int = 0

    def __enter__(self) -> Profile:
        self.started = perf_counter_ns()
        return self

    def __exit__(self, *error: object) -> None:
        self.elapsed += perf_counter_ns() - self.started

    def tick(self) -> None:
        """Count a step that is through."""
        self.steps += 1

    def watched(self, batch: Batch) -> Batch:
        """The batch with all of its calls timed."""
        bound = batch.interpreter
        program, end = bound.program, len(bound.forward_calls)
        looks = batch.step[end : end + len(batch.measures)]
        update = batch.step[end + len(looks) + len(bound.backward_calls) :]
        step = (
            *self.steps_of(program.steps[: program.forward], bound.calls),
            *(self.timed(call, METRICS) for call in looks),
            *self.steps_of(program.steps[program.forward :], bound.calls[program.forward :]),
            *(self.timed(call, OPTIMIZER, "backward") for call in update),
            self.tick,
        )
        return replace(batch, load=self.timed(batch.load, DATA), step=step)

    def steps_of(self, steps: Iterable[Step], calls: Iterable[Sequence[Call]]) -> tuple[Call, ...]:
        """The calls of a program's steps, timed."""
        return tuple(
            self.timed(call, step.node, "forward" if step.kind == "forward" else "backward")
            for step, part in zip(steps, calls, strict=False)
            for call in part
        )

    def timed(self, call: Callable[..., Any], name: str, direction: str = "forward") -> Callable[..., Any]:
        """A function that does the same and adds its time to a cell."""
        cells = [self.spent.setdefault((name, direction), [0]), *([self.products] if is_product(call) else ())]

        def run(*args: Any) -> Any:
            start = perf_counter_ns()
            found = call(*args)
            taken = perf_counter_ns() - start
            for cell in cells:
                cell[0] += taken
            return found

        return run

    def rows(self) -> list[Row]:
        """Every node that took any time, in the order of the forward pass, then the other parts."""
        names = dict.fromkeys(name for name, _ in self.spent)
        others = [name for name in (DATA, METRICS, OPTIMIZER, VALIDATION) if name in names]
        ordered = [*(name for name in names if name not in others), *others]
        return [Row(name, self.mean(name, "forward"), self.mean(name, "backward")) for name in ordered]

    def mean(self, name: str, direction: str) -> float:
        """Microseconds of a part in one step."""
        return self.spent.get((name, direction), [0])[0] * MICRO / max(self.steps, 1)

    @property
    def step(self) -> float:
        """Microseconds of a whole step."""
        return self.elapsed * MICRO / max(self.steps, 1)

    @property
    def rest(self) -> float:
        """Microseconds of a step that are in no row: Python's own, ``on_epoch``, and the clock."""
        return self.step - sum(row.total for row in self.rows())

    @property
    def share_of_products(self) -> float:
        """The share of the nodes' and the optimizer's time that matrix products take."""
        others = (DATA, METRICS, VALIDATION)
        counted = sum(cell[0] for (name, _), cell in self.spent.items() if name not in others)
        return self.products[0] / counted if counted else 0.0

    def to_json(self) -> dict[str, Any]:
        """The profile as a JSON object; times are microseconds in one step."""
        rows = [{"name": row.name, "forward": row.forward, "backward": row.backward} for row in self.rows()]
        whole = {"steps": self.steps, "step": self.step, "rest": self.rest}
        return {**whole, "matrix_products": self.share_of_products, "rows": rows}


def is_product(call: Any) -> bool:
    """Whether a call is a product of matrices, and no sum that BLAS computes as a product with ones."""
    function: Any = getattr(call, "func", None)
    if function is np.matmul:
        return True
    owner = getattr(function, "__self__", None)
    return isinstance(owner, np.ndarray) and function.__name__ == "dot" and owner.ndim == call.args[0].ndim == 2
