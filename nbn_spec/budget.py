"""The memory budget: what loading, predicting and training will take, counted before any array exists.

All numbers are Python integers, so no product of lengths overflows. Counted are parameters, with what drawing or
reading them takes beside them, gradients, the optimizer's memory, the programs' arenas with what binding them
allocates, and the data. Left out are Python's own objects, what a single NumPy call allocates and gives back (its
buffers of 8192 elements, packed matrices), the number for each row that a kernel may note, the idle programs that
``predict`` keeps, reading and converting data, writing archives, and the pass that explains a divergence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from heapq import nlargest
from math import prod
from operator import attrgetter
from typing import Any, Protocol

import numpy as np

from nbn_spec.arrays import ALIGNMENT
from nbn_spec.capacity import allowance, mebibytes
from nbn_spec.errors import GraphError, SpecError, shorten
from nbn_spec.estimate import Estimate, Goal, Part
from nbn_spec.graph import BATCH, Graph
from nbn_spec.interpreter import LARGE
from nbn_spec.metrics import Metric, compared
from nbn_spec.ops.base import show
from nbn_spec.optim import Optimizer
from nbn_spec.params import drawn
from nbn_spec.plan import Program, Slot, gradient, plan

BACKWARD = ("gradients", "trace", "train")
MOST_PARTS, SMALL = 5, 1000
"""How many arrays a message names, and by what factor those are smaller than the largest that it passes over."""
MEASURED, MEASURED_BYTES = 4096, 2**21
"""Examples that are measured at once unless training takes more; fewer where their values take more bytes."""
MOST_BYTES = 2**60  # no limit is larger
TRIES = 12  # steps in search of the largest batch that fits
UNITS = {
    **{"": 1, "B": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40},
    **{"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40},
    **{"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12},
}
SIZE = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,20})?) ?([A-Z]{0,3})")
NEEDS: dict[Goal, str] = {
    "load": "the parameters need",
    "infer": "a pass over the batch needs",
    "evaluate": "measuring needs",
    "gradients": "a pass forward and back needs",
    "trace": "a trace needs",
    "train": "training needs",
}


class TrainingLike(Protocol):
    """What is asked of a :class:`~nbn_spec.train.Training`."""

    @property
    def batch_size(self) -> Any: ...

    @property
    def shuffle(self) -> bool: ...

    @property
    def optimizer(self) -> Optimizer: ...

    @property
    def metrics(self) -> Sequence[Metric]: ...

    @property
    def validation(self) -> Any: ...


@dataclass(frozen=True)
class Pass:
    """A program, and the arrays that binding it allocates beside its arena."""

    program: Program
    scratch: tuple[Part, ...] = ()

    @property
    def size(self) -> int:
        """Bytes; the arena is allocated with room to begin on a cache line."""
        return self.program.arena + ALIGNMENT + sum(part.size for part in self.scratch)

    def parts(self) -> Iterator[Part]:
        """Every array, as if none shared memory."""
        yield from self.scratch
        for slot in self.program.slots.values():
            if slot.offset is not None:
                yield whole("scratch" if ":" in slot.name else "activation", slot)


@dataclass(frozen=True)
class Count:
    """What is counted: ``sizes`` gives every symbol a number, ``examples`` are all that there are, if known."""

    graph: Graph
    goal: Goal
    size: int
    sizes: Mapping[str, int]
    examples: int | None
    optimizer: Optimizer | None
    training: TrainingLike | None
    data: int
    program: Program | None

    @property
    def itemsize(self) -> int:
        """Bytes of one number."""
        return np.dtype(self.graph.dtype).itemsize

    @property
    def fetch(self) -> list[str]:
        """The values that are wanted."""
        outputs = list(self.graph.outputs) if self.goal in ("infer", "trace") else []
        loss = [self.graph.loss] if self.graph.loss and self.goal != "infer" else []
        return [*outputs, *loss, *compared(self.metrics, self.graph)]

    @property
    def metrics(self) -> Sequence[Metric]:
        """What is measured."""
        return self.training.metrics if self.training and self.goal in ("train", "evaluate") else ()

    @property
    def held_back(self) -> int:
        """Examples that are held back from training, as far as that is known."""
        validation = self.training.validation if self.training and self.goal == "train" else None
        return round((self.examples or 0) * validation.fraction) if validation else 0

    def leaves(self, kind: str, mark: str = "") -> list[Part]:
        """An array for each parameter."""
        return [Part(kind, mark + p.name, p.shape, prod(p.shape) * self.itemsize) for p in self.graph.parameters]

    def gradients(self) -> list[Part]:
        """The gradient of every parameter: it has the layout of the flat vector."""
        return self.leaves("gradient", gradient("")) if self.goal in BACKWARD else []

    def remembered(self) -> list[Part]:
        """The optimizer's vectors."""
        if self.optimizer is None or self.goal != "train":
            return []
        count = sum(prod(p.shape) for p in self.graph.parameters if p.trainable)
        word, size = self.optimizer.word(), count * self.itemsize
        return [Part("optimizer", f"{word}: {name}", (count,), size) for name in self.optimizer.vectors]

    def given(self) -> Iterator[Part]:
        """Constants, the examples, and what training makes of them: its two parts, and their order."""
        for item in self.graph.constants:
            lengths = item.value.shape
            yield Part("data", item.name, lengths, prod(lengths) * self.itemsize)
        yield Part("data", "the data", (), self.data)
        if self.held_back:
            yield Part("data", "its two parts", (), self.data)
        count = (self.examples or 0) - self.held_back
        if self.goal == "train" and self.training and self.training.shuffle and self.size < count:
            yield Part("data", "the order of the examples", (2, count), 16 * count)

    def passes(self) -> list[Pass]:
        """The programs that exist at once."""
        if self.goal == "load":
            return []
        if self.goal == "evaluate":
            return [self.measuring(self.examples)]
        if self.goal == "train":
            rest = None if self.examples is None else self.examples - self.held_back
            held = [self.measuring(self.held_back)] if self.held_back else []
            return [self.sweep(self.size, rest), *held, self.measuring(rest)]
        program = self.program or self.planned(self.size)
        return [Pass(program, (*self.inputs(program), *self.copies(program)))]

    def planned(self, size: int, *, forward: bool = False) -> Program:
        """The program for ``size`` examples, with the backward pass unless only ``forward``."""
        sizes = {**self.sizes, BATCH: size}
        backward = self.goal in BACKWARD and not forward
        return plan(self.graph, sizes, self.fetch, backward=backward, keep=self.goal == "trace")

    def sweep(self, size: int, count: int | None, *, forward: bool = False) -> Pass:
        """The pass over ``count`` examples in batches of ``size``, with buffers where that is not all of them."""
        program = self.planned(size if count is None else min(size, count), forward=forward)
        buffers = () if count is not None and size >= count else self.inputs(program, copied=True)
        return Pass(program, (*buffers, *self.measures(program)))

    def measuring(self, count: int | None) -> Pass:
        """The pass that only measures ``count`` examples; of an unknown number as many as training takes."""
        size = self.size
        if count is not None:
            size = measured(self.graph, {**self.sizes, BATCH: count}, self.fetch, size)
        return self.sweep(size, count, forward=True)

    def inputs(self, program: Program, *, copied: bool = False) -> list[Part]:
        """Buffers of the inputs: predicting copies into them, training where they are batched."""
        if self.goal != "infer" and not copied:
            return []
        wanted = {item.name for item in self.graph.inputs if item.batched or not copied}
        return [whole("data", slot) for name, slot in program.slots.items() if name in wanted]

    def copies(self, program: Program) -> list[Part]:
        """What is handed to the caller as a copy: predictions, and the leaves of a trace."""
        names = {"infer": self.graph.outputs, "trace": self.graph.leaves}.get(self.goal, ())
        return [whole("scratch", program.slots[name]) for name in names if name in program.slots]

    def measures(self, program: Program) -> Iterator[Part]:
        """Two places for each row and flags for each element: no metric takes more."""
        for metric in self.metrics:
            shape = program.slots[metric.prediction(self.graph)].shape
            size = 17 * prod(shape[:-1]) + 2 * prod(shape)
            yield Part("scratch", f"{metric.prediction(self.graph)}: {metric.word()}", shape, size)

    def temporary(self) -> list[Part]:
        """What drawing, or reading, one parameter takes beside the flat vector: that of the largest."""
        sizes = ((drawn(p, self.itemsize), p) for p in self.graph.parameters if self.goal == "load")
        size, parameter = max(sizes, key=lambda pair: pair[0], default=(0, None))
        return [Part("scratch", f"{parameter.name}: first values", parameter.shape, size)] if parameter else []

    def estimate(self, batch: int | None, again: Callable[[int], Estimate]) -> Estimate:
        """Everything added up."""
        passes, temporary = self.passes(), self.temporary()
        parameters, gradients, remembered = self.leaves("parameter"), self.gradients(), self.remembered()
        given = list(self.given())
        largest = max(passes, key=attrgetter("size"), default=None)
        values = [*temporary, *(largest.parts() if largest else ())]
        found = nlargest(MOST_PARTS, [*parameters, *gradients, *remembered, *values, *given], attrgetter("size"))
        return Estimate(
            parameters=total(parameters),
            gradients=total(gradients),
            optimizer=total(remembered),
            activations=total(temporary) + sum(one.size for one in passes),
            program=passes[0].program if passes else None,
            arena=passes[0].program.arena if passes else 0,
            unshared=passes[0].program.unshared if passes else 0,
            data=total(given),
            parts=tuple(part for part in found if part.size * SMALL >= found[0].size > 0),
            batch=batch,
            goal=self.goal,
            again=again,
        )


def total(parts: Sequence[Part]) -> int:
    """Bytes of several arrays."""
    return sum(part.size for part in parts)


def whole(kind: str, slot: Slot) -> Part:
    """An array of its own, as large as a slot."""
    return Part(kind, slot.name, slot.shape, slot.size)


def estimate(
    graph: Graph,
    *,
    goal: Goal,
    batch: int | None = None,
    training: TrainingLike | Optimizer | None = None,
    data: int = 0,
    sizes: Mapping[str, int] | None = None,
    program: Program | None = None,
) -> Estimate:
    """What ``goal`` takes of memory, in time linear in the graph and without an array.

    ``batch`` examples at a time; left out, as many as ``training`` and the data say, or 1. ``data``: bytes of the
    examples, ``sizes``: what number each symbol stands for in them (``N``: all examples; unknown ones count as 1),
    ``program``: a plan that exists already. Training is counted with measuring its result.
    """
    known = dict(sizes or {})
    settings = training if goal in ("train", "evaluate") and not isinstance(training, Optimizer) else None
    optimizer = training if isinstance(training, Optimizer) else getattr(settings, "optimizer", None)
    size = batch_of(batch, settings, known.get(BATCH))
    again = partial(estimate, graph, goal=goal, training=training, data=data, sizes=sizes)
    unknown = {dim: 1 for item in graph.inputs for dim in item.shape if isinstance(dim, str)}
    every = {BATCH: 1, **unknown, **known}
    count = Count(graph, goal, size or 1, every, known.get(BATCH), optimizer, settings, data, program)
    return count.estimate(size, again)


def batch_of(batch: int | None, training: TrainingLike | None, examples: int | None) -> int | None:
    """Examples in a batch: as it is given, as the training says, or all; ``None`` where nothing is known."""
    each = training.batch_size if training is not None and training.batch_size != "all" else None
    return min((size for size in (batch or each, examples) if size is not None), default=None)


def measured(graph: Graph, sizes: Mapping[str, int], fetch: Sequence[str], size: int, most: int = MEASURED) -> int:
    """How many of ``sizes[N]`` examples are measured at once where training takes ``size``.

    For speed ``most``, or as many as ``MEASURED_BYTES`` hold the values of: what can be trained can be measured.
    """
    count = min(most, sizes[BATCH])
    if size >= count:
        return max(size, most)
    arena = plan(graph, {**sizes, BATCH: count}, fetch).arena
    return most if arena <= MEASURED_BYTES else max(size, count * MEASURED_BYTES // arena)


def overview(
    graph: Graph,
    training: TrainingLike | Optimizer | None = None,
    *,
    batch: int | None = None,
    data: int = 0,
    sizes: Mapping[str, int] | None = None,
) -> list[Estimate]:
    """What training takes, if there is something to train, and what predicting as many examples takes."""
    if not graph.backward_order:
        return [estimate(graph, goal="infer", batch=batch, sizes=sizes)]
    train = estimate(graph, goal="train", batch=batch, training=training, data=data, sizes=sizes)
    return [train, estimate(graph, goal="infer", batch=train.batch, sizes=sizes)]


def afford(estimate: Estimate, max_memory: int | str | None = None, *, held: int = 0) -> None:
    """Refuse what is beyond ``max_memory`` or, without one, beyond the memory that is free: NBN209.

    ``held`` bytes of the estimate exist already, so that free memory has to have room for the others alone.
    """
    given = limit_of(max_memory)
    free = given is None
    need = estimate.total - (held if free else 0)
    if free and need <= LARGE:
        return
    limit, origin = allowance(given)
    if need <= limit:
        return
    bound = f"{mebibytes(limit)} are free" if free else f"max_memory is {mebibytes(limit)}"
    examples = "" if estimate.goal == "load" else f"; examples at a time: {estimate.batch or 1:,}"
    notes = (
        f"counted: {estimate.details()}{examples}",
        f"largest: {', '.join(map(str, estimate.parts))}",
        f"limit: {mebibytes(limit)}, {origin}",
    )
    largest = culprit(estimate)
    path = ("nodes", largest.owner) if largest.kind == "activation" else None
    message = f"{NEEDS[estimate.goal]} {mebibytes(need)}, but {bound}"
    hint = mend(estimate, largest, limit + estimate.total - need)
    raise GraphError("NBN209", largest.owner, message, hint, notes=notes, path=path)


def dominated(estimate: Estimate) -> str:
    """What takes most: ``parameters`` (with their gradients and the optimizer), ``activations`` or ``data``."""
    if estimate.goal == "load":  # the scratch is for parameters too
        return "parameters"
    parameters = estimate.parameters + estimate.gradients + estimate.optimizer
    sizes = {"parameters": parameters, "activations": estimate.activations, "data": estimate.data}
    return max(sizes, key=lambda name: sizes[name])


def culprit(estimate: Estimate) -> Part:
    """The largest array of the kind that takes most."""
    kinds = {"parameters": ("parameter",), "activations": ("activation", "scratch")}
    wanted = kinds.get(dominated(estimate), ("data",))
    others = (*estimate.parts, Part("scratch", "the program", (), estimate.total))
    return next((part for part in estimate.parts if part.kind in wanted), others[0])


def mend(estimate: Estimate, largest: Part, room: int) -> str:
    """What makes it fit into ``room``: a smaller batch if that is enough, else a smaller model or less data."""
    most, kind = largest_batch(estimate, room), dominated(estimate)
    batch = f'set "batch_size" to at most {most:,}'
    if estimate.goal in ("infer", "gradients", "trace"):
        batch = f"give at most {most:,} example{'' if most == 1 else 's'} at once"
    if most and kind == "activations":
        return batch
    shape = f" {show(largest.shape)}" if largest.shape else ""
    smaller = f"the largest is {largest.name}{shape}: make it smaller, with fewer units"
    if kind == "data":
        smaller = "give fewer examples"
    elif kind == "activations":
        smaller = f"no batch is small enough; {smaller}"
    return f"{smaller}; or {batch}" if most else smaller


def largest_batch(estimate: Estimate, room: int) -> int:
    """The largest batch that fits into ``room``, as near as some interpolations come to it; 0 if none does."""
    again, bursts, over = estimate.again, estimate.batch or 1, estimate.total
    if again is None or bursts == 1 or (under := again(batch=1).total) > room:
        return 0
    fits = 1
    for _ in range(TRIES):
        if bursts - fits == 1:
            break
        guess = fits + (room - under) * (bursts - fits) // (over - under)
        size = min(max(guess, fits + 1), bursts - 1)
        if (need := again(batch=size).total) <= room:
            fits, under = size, need
        else:
            bursts, over = size, need
    return fits


def parse_size(text: str) -> int:
    """Bytes from words: ``512MiB``, ``2 GB``, ``1.5G`` (as in GiB) or ``1000000``; raises ``ValueError``."""
    match = SIZE.fullmatch(text.strip().upper())
    if match is None or match[2] not in UNITS:
        raise ValueError(f"{shorten(text)} is no size: write 512MiB, 2 GB, 1.5G or a number of bytes")
    from fractions import Fraction  # only words for a size need it, and with decimal it takes 1 ms to import

    size = Fraction(match[1]) * UNITS[match[2]]
    if size < 1 or (size.denominator > 1 and UNITS[match[2]] == 1):
        raise ValueError(f"{shorten(text)} is no whole number of bytes, of at least 1")
    if size > MOST_BYTES:
        raise ValueError(f"{shorten(text)} is more than any machine has")
    return int(size)


def limit_of(value: object) -> int | None:
    """A limit as a caller gives it: ``None``, a number of bytes, or words; raises :class:`SpecError`."""
    if value is None:
        return None
    if isinstance(value, int | np.integer) and not isinstance(value, bool) and 1 <= value <= MOST_BYTES:
        return int(value)
    try:
        return parse_size(value if isinstance(value, str) else shorten(value))
    except ValueError as error:
        raise SpecError("NBN113", "max_memory", str(error)) from None
