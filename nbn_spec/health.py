"""The health of a finished training: dead and saturated units, lost gradients, a cost that stands still.

Everything is measured once, after the training: one forward and backward pass over some of its examples, beside
the costs of its epochs. Training itself knows nothing of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nbn_spec.batches import symbols
from nbn_spec.capacity import free_memory
from nbn_spec.errors import Problem, Steps
from nbn_spec.graph import BATCH, Graph, Node
from nbn_spec.interpreter import Interpreter
from nbn_spec.ops.activation import Relu, Sigmoid, Tanh
from nbn_spec.ops.base import Array
from nbn_spec.optim import Adam
from nbn_spec.plan import Program, gradient, plan
from nbn_spec.train import MOVE, RATE, History, Trainer, norm, spread

EXAMPLES, BYTES = 1000, 2**28
"""Examples that are looked at, and the memory that may be taken for it."""
LISTED = 10
"""Units and layers that a complaint names at most."""
DEAD, SPARE = 0.1, 0.5
"""Share of a node's units that makes a complaint when they are dead, and where the training did its work."""
NEAR, MOST, SATURATED = 0.01, 0.9, 0.25
"""How near to a bound a value is stuck, for what share of the examples, in what share of a node's units."""
VANISHED, EXPLODED = 1e-4, 1e3
"""A layer's gradient against the largest one; a weight's gradient against the weight."""
UNMOVED = 1e-2
"""The part of itself by which a weight that learns moves at least, in as many updates as were made."""
STILL, SOLVED, ENOUGH = 1e-3, 1e-6, 20
"""The part of itself by which a cost falls that moves, the cost that is none, the updates that a verdict takes."""
FALLEN, RIGHT = 0.1, 0.99
"""A cost below this part of what blind answers cost, or this share of right answers: the training did its work."""
FLAT = 1e-2
"""Part of the cost that weights changed by all their length would win, below which there is nothing to win."""


@dataclass(frozen=True)
class Course:
    """What the history tells: costs of the first, the best and the last epoch, and shares of right answers."""

    epochs: int
    updates: int
    first: float
    best: float
    last: float
    right_at_first: float | None
    right_at_last: float | None
    """The smallest of the metrics, each a share of right answers; ``None`` where nothing is measured."""

    @classmethod
    def of(cls, trainer: Trainer, history: History) -> Course:
        """The course of a run with at least one epoch."""
        costs, metrics = history["loss"], trainer.columns[1:]
        right = [min((history[name][epoch] for name in metrics), default=None) for epoch in (0, -1)]
        updates = len(history) * trainer.steps_per_epoch
        return cls(len(history), updates, costs[0], min(costs), costs[-1], *right)

    @property
    def still(self) -> bool:
        """Whether the cost did not fall although it was given the time, and had not begun at its end."""
        time = self.epochs >= 3 or (self.epochs == 2 and self.updates >= ENOUGH)
        begun = abs(self.first) < SOLVED or self.right_at_first == 1
        return time and not begun and self.first - self.best < STILL * abs(self.first)

    def words(self) -> str:
        """The costs in words."""
        rises = self.last > self.first + STILL * abs(self.first)
        end = f", {self.last:.4g} in the last" if rises else ""
        verb = "fall" if rises else "move"
        in_words = f"{self.first:.4g} in the first of {self.epochs:,} epochs, {self.best:.4g} in the best{end}"
        return f"the cost does not {verb}: {in_words}"


@dataclass(frozen=True)
class Look:
    """One pass over ``count`` of the training examples, every value and gradient kept: ``arrays`` by slot.

    ``blind`` is what the same predictions cost if each example had the target of another one; NaN without targets.
    """

    trainer: Trainer
    arrays: dict[str, Array]
    count: int
    blind: float

    @property
    def graph(self) -> Graph:
        """The trained graph."""
        return self.trainer.graph

    @property
    def examples(self) -> str:
        """How many examples were looked at, in words."""
        some = f" looked at (of {self.trainer.count:,})" if self.count < self.trainer.count else ""
        return f"all {self.count:,} examples{some}" if self.count > 1 else f"the one example{some}"

    @property
    def rate(self) -> float:
        """The learning rate, which every optimizer has."""
        optimizer: Any = self.trainer.training.optimizer
        return float(optimizer.learning_rate)

    @property
    def slopes(self) -> Array:
        """The gradient by all trained parameters, flat."""
        return self.trainer.grad[: self.trainer.layout.trainable]

    @property
    def cost(self) -> float:
        """The cost of these examples."""
        return float(self.arrays[self.graph.loss or ""])

    def units(self, name: str) -> Array:
        """The values of a node that has a batch axis: a row for each example, a column for each unit."""
        values = self.arrays[name]
        return values.reshape(-1, values.shape[-1] if values.ndim > 1 else 1)

    def learning(self, *kinds: type) -> Iterator[Node]:
        """The nodes of these ops that are computed for each example and pass gradients on, in forward order."""
        reached = set(self.graph.backward_order)
        for node in self.graph.nodes:
            if isinstance(node.op, kinds) and node.name in reached and node.shape[:1] == (BATCH,):
                yield node

    def solved(self, course: Course) -> bool:
        """Whether there is little left to learn; then what stands still is no harm."""
        if abs(self.cost) < SOLVED:
            return True
        if course.right_at_last is not None:
            return course.right_at_last >= RIGHT
        blind = course.first if math.isnan(self.blind) else self.blind
        return 0 <= self.cost < FALLEN * blind


def health(trainer: Trainer, history: History) -> list[Problem]:
    """Warnings about a training that :meth:`Trainer.run` has finished: NBN921 to NBN925, in forward order.

    ``history`` is what the run gave. Takes a pass over at most ``EXAMPLES`` training examples, and writes over the
    trainer's gradient, which the next update would do too. Says nothing, and raises nothing, where no epoch was
    finished, where the cost is not finite, or where the memory for the pass is missing.
    """
    found = look(trainer) if len(history) else None
    if found is None or not math.isfinite(found.cost):
        return []
    course = Course.of(trainer, history)
    with np.errstate(all="ignore"):
        return merged(found, course)


def look(trainer: Trainer) -> Look | None:
    """The pass over evenly spread examples: fewer where they take much memory, none where one takes too much."""
    count = min(trainer.count, EXAMPLES)
    program = kept(trainer, count)
    while program.arena > BYTES and count > 1:
        count //= 2
        program = kept(trainer, count)
    if program.arena > free_memory():
        return None
    rows = np.linspace(0, trainer.count - 1, count).round().astype(np.intp)
    batched = {item.name for item in trainer.graph.inputs if item.batched}
    inputs = {name: array[rows] if name in batched else array for name, array in trainer.data.items()}
    bound = Interpreter(program, trainer.layout, trainer.flat, trainer.grad, inputs=inputs)
    with np.errstate(all="ignore"):
        blind = blind_cost(trainer.graph, bound, count)
        bound.forward()
        bound.backward()
    return Look(trainer, bound.arrays, count, blind)


def blind_cost(graph: Graph, bound: Interpreter, count: int) -> float:
    """What the predictions cost if each example had the target of the next one, or of one far off.

    The larger of the two: neighbours are alike where examples are sorted, distant ones where they alternate. NaN
    where no target is an input of its own, as in an autoencoder, whose target is what it predicts from.
    """
    read = graph.ancestors(by["prediction"] for by in compared(graph))
    items = (item for item in graph.inputs if item.batched and item.name not in read)
    targets = [item.name for item in items if item.name in bound.arrays]
    own, costs = {name: bound.arrays[name].copy() for name in targets}, []
    for shift in (1, count // 2) if targets else ():
        for name in targets:
            bound.arrays[name][...] = np.roll(own[name], shift, axis=0)
        bound.forward()
        costs.append(float(bound.arrays[graph.loss or ""]))
    for name in targets:
        bound.arrays[name][...] = own[name]
    return max(costs, default=math.nan)


def compared(graph: Graph) -> list[dict[str, str]]:
    """The prediction and the target of each loss on the way to the cost, by the op's own names."""
    nodes = (graph.by_name[name] for name in graph.backward_order)
    return [node.operands for node in nodes if node.op.is_loss]


def kept(trainer: Trainer, count: int) -> Program:
    """The program for ``count`` examples that forgets nothing."""
    sizes = {**symbols(trainer.graph, trainer.data), BATCH: count}
    return plan(trainer.graph, sizes, [], backward=True, keep=True)


def merged(found: Look, course: Course) -> list[Problem]:
    """The complaints, one for each cause: what explains another one takes its place."""
    solved = found.solved(course)
    dead = dead_units(found, SPARE if solved else DEAD)
    wholly = [item for item in dead if item.wholly]
    causes = stuck_units(found, wholly, about_dead)
    if not solved:
        causes += stuck_units(found, saturated_units(found), about_saturated)
        causes = [*(causes or vanishing(found, course)), *exploding(found)]
    still = standing_still(found, course)
    if still is not None and causes:
        causes[0] = replace(causes[0], notes=(*causes[0].notes, f"so {course.words()}"))
    rest = [] if wholly else stuck_units(found, dead, about_dead)
    every = [*causes, *rest, *([still] if still is not None and not causes else [])]
    place = {name: index for index, name in enumerate(found.graph.forward_order)}
    return sorted(every, key=lambda problem: place.get(problem.where, len(place)))


def warning(code: str, node: Node, message: str, notes: Iterable[str], hint: str) -> Problem:
    """A complaint about a node."""
    place: Steps = ("nodes", node.name)
    return Problem(code, node.name, message, hint, notes=tuple(notes), path=place, severity="warning")


def titled(node: Node) -> str:
    """A node in words: its name and its op."""
    return f'node "{node.name}" ({node.op.word()})'


@dataclass(frozen=True)
class Stuck:
    """Units of a node that do not learn: their numbers, and how many units the node has."""

    node: Node
    units: Array
    of: int

    @property
    def wholly(self) -> bool:
        """Whether nothing of the node learns."""
        return len(self.units) == self.of

    def numbers(self) -> str:
        """The numbers of the units, the first ones of many: ``units 1, 4 and 7 more``."""
        more = f" and {len(self.units) - LISTED} more" if len(self.units) > LISTED else ""
        many = "s" if len(self.units) > 1 else ""
        return f"unit{many} {', '.join(map(str, self.units[:LISTED]))}{more} (counted from 0)"


def stuck_units(found: Look, nodes: list[Stuck], about: Callable[[Look, Stuck], Problem]) -> list[Problem]:
    """One complaint for all nodes with dead or saturated units, at the worst one."""
    if not nodes:
        return []
    worst = max(nodes, key=lambda item: len(item.units) / item.of)
    others = [f"{len(item.units)} of {item.of} at {titled(item.node)}" for item in nodes if item is not worst]
    more = f" and {len(others) - LISTED} more nodes" if len(others) > LISTED else ""
    also = (f"also {', '.join(others[:LISTED])}{more}",) if others else ()
    problem = about(found, worst)
    return [replace(problem, notes=(*problem.notes, *also))]


def dead_units(found: Look, share: float) -> list[Stuck]:
    """Every relu with such a share of units, and at least one, that give 0 for all examples.

    A relu behind one that is wholly dead is not looked at: it gets the same for all examples.
    """
    nodes, wholly = [], set[str]()
    for node in found.learning(Relu):
        values = found.units(node.name)
        stuck = Stuck(node, np.flatnonzero(~(values > 0).any(axis=0)), values.shape[1])
        if len(stuck.units) >= max(1, share * stuck.of) and not wholly & found.graph.ancestors([node.name]):
            nodes.append(stuck)
            wholly |= {node.name} if stuck.wholly else set()
    return nodes


def about_dead(found: Look, stuck: Stuck) -> Problem:
    """NBN921."""
    node, many = stuck.node, len(stuck.units)
    notes = [
        f"{many} of {stuck.of} units gave 0 for {found.examples}: they learn nothing any more",
        stuck.numbers(),
        f'what they read, "{node.inputs[0]}", is {found.units(node.inputs[0])[:, stuck.units].max():.3g} at most',
    ]
    begun = untouched(found, node, stuck.units)
    if begun:
        notes.append(f"{begun} of them never learned anything: their biases are still exactly 0")
    slower, other = f"a lower learning rate than {found.rate:g}", "standardized inputs, another seed"
    hint = f"try {slower if 2 * begun < many else other}, the he_normal initializer, or leaky_relu"
    return warning("NBN921", node, f"dead units at {titled(node)}", notes, hint)


def untouched(found: Look, node: Node, units: Array) -> int:
    """How many of a relu's dead ``units`` were so from the start: their biases are still the first 0."""
    source = found.graph.by_name.get(node.inputs[0])
    bias = source.params.get("bias", "") if source is not None else ""
    if bias not in found.graph.trainable:
        return 0
    return int(np.count_nonzero(found.arrays[bias].ravel()[units] == 0))


def saturated_units(found: Look) -> list[Stuck]:
    """Every hidden sigmoid or tanh with many units near their bounds for nearly all examples."""
    graph, nodes = found.graph, []
    read = {name for node in graph.nodes if node.op.is_loss or node.name == graph.loss for name in node.inputs}
    for node in found.learning(Sigmoid, Tanh):
        near = near_bounds(node, found.units(node.name))
        units = np.flatnonzero(near.mean(axis=0) > MOST)
        hidden = node.name not in read and node.name not in graph.outputs
        if hidden and len(units) >= max(1, SATURATED * near.shape[1]):
            nodes.append(Stuck(node, units, near.shape[1]))
    return nodes


def near_bounds(node: Node, values: Array) -> Array:
    """Where values are within ``NEAR`` of a bound of the node's op."""
    if isinstance(node.op, Tanh):
        return np.abs(values) > 1 - NEAR
    return (values < NEAR) | (values > 1 - NEAR)


def about_saturated(found: Look, stuck: Stuck) -> Problem:
    """NBN922."""
    node, source = stuck.node, stuck.node.inputs[0]
    bounds = "-1 or 1" if isinstance(node.op, Tanh) else "0 or 1"
    notes = [
        f"{len(stuck.units)} of {stuck.of} units are within {NEAR} of {bounds} for more than {MOST:.0%} of "
        f"{found.examples}: their gradients are as good as 0",
        stuck.numbers(),
        f'what they read, "{source}", goes {spread(found.units(source)[:, stuck.units])}',
    ]
    hint = f"standardize the inputs, start from smaller weights, or try a lower learning rate than {found.rate:g}"
    return warning("NBN922", node, f"saturated units at {titled(node)}", notes, hint)


@dataclass(frozen=True)
class Layer:
    """A node with a trained matrix: root mean squares of the weights and of the cost's gradients."""

    node: Node
    sent: float
    """Of the gradient by the node's values: what reaches the layer on the way back."""
    slope: float
    """Of the gradient by the weights."""
    weight: float

    def row(self) -> str:
        """The layer's line in the table of a complaint."""
        return f"{self.node.name}: {self.sent:.2g}; {self.slope:.2g} ({self.weight:.2g})"


def layers(found: Look) -> list[Layer]:
    """The layers in forward order: for every trained matrix the first node that reads it."""
    graph, seen, result = found.graph, set[str](), []
    for node in graph.nodes:
        for name in node.sources.values():
            if name not in seen and is_matrix(graph, name) and gradient(node.name) in found.arrays:
                sizes = (rms(found.arrays[slot]) for slot in (gradient(node.name), gradient(name), name))
                result.append(Layer(node, *sizes))
                seen.add(name)
    return result


def is_matrix(graph: Graph, name: str) -> bool:
    """Whether a name stands for a trained parameter of at least two axes."""
    return name in graph.trainable and name in graph.leaves and len(graph.shape(name)) > 1


def rms(values: Array) -> float:
    """The root of the mean of the squares."""
    return norm(values) / math.sqrt(max(values.size, 1))


def table(found: list[Layer]) -> list[str]:
    """A line for every layer, the first and the last ones of many."""
    rows, half = [f"  {layer.row()}" for layer in found], LISTED // 2
    if len(rows) > LISTED:
        rows = [*rows[:half], f"  … {len(rows) - LISTED} more", *rows[-half:]]
    return ["the gradient by each layer's values; by its weights (and these), as root mean squares:", *rows]


def vanishing(found: Look, course: Course) -> list[Problem]:
    """NBN923 for the first layer that hardly any gradient reaches, though one behind it gets some.

    Compared are gradients by the nodes' values, example by example: those by the weights are sums over examples,
    which cancel wherever training comes to rest, on a plateau as in a minimum. How much a gradient shrinks from
    layer to layer does not depend on how far training got, so a converged model is not taken for a broken one.
    """
    every = layers(found)
    if course.updates < ENOUGH or not every or not all(layer.weight for layer in every):
        return []
    largest = max(every, key=lambda layer: layer.sent)
    before = found.graph.ancestors([largest.node.name])
    lost = [layer for layer in every if layer.sent < VANISHED * largest.sent and layer.node.name in before]
    still = [layer for layer in lost if moves(found, layer, course.updates) < UNMOVED]
    return [vanished(still[0], largest, every)] if still else []


def moves(found: Look, layer: Layer, updates: int) -> float:
    """By what part of itself so many updates like the last one would move a layer's weights."""
    optimizer: Any = found.trainer.training.optimizer
    step = layer.slope
    if isinstance(optimizer, Adam) and step:
        step /= step + optimizer.epsilon
    return found.rate * step * updates / layer.weight


def vanished(first: Layer, largest: Layer, every: list[Layer]) -> Problem:
    """NBN923."""
    times = f"shrinks {largest.sent / first.sent:.2g} times" if first.sent else "shrinks to 0"
    shrinks = f'from "{largest.node.name}" back to it the gradient {times}'
    hint = "use relu with the he_normal initializer, fewer layers, or larger initial weights"
    message = f"gradients vanish on the way to {titled(first.node)}"
    return warning("NBN923", first.node, message, [shrinks, *table(every)], hint)


def exploding(found: Look) -> list[Problem]:
    """NBN924 for the layer whose gradient is largest beside its weights, where it is very much larger."""
    every = [layer for layer in layers(found) if layer.weight]
    worst = max(every, key=lambda layer: layer.slope / layer.weight, default=None)
    if worst is None or worst.slope <= EXPLODED * worst.weight:
        return []
    size = f"the gradient by its weights is {worst.slope / worst.weight:.2g} times as large as the weights"
    hint = "scale inputs and targets to about 1, start from smaller weights (he_normal), or use fewer layers"
    message = f"gradients explode at {titled(worst.node)}"
    return [warning("NBN924", worst.node, message, [size, *table(every)], hint)]


def standing_still(found: Look, course: Course) -> Problem | None:
    """NBN925 for a cost that did not fall.

    Where the gradient offers nothing to win, the training may have begun in a minimum, as a second one does; only
    if a loss gets the same prediction for all examples, it is stuck instead.
    """
    flat = slack(found) < FLAT
    if not course.still or (flat and not same_for_all(found)):
        return None
    note, hint = no_slope(found) if flat else too_slow(found, course) or no_success(found)
    return Problem("NBN925", str(RATE[-1]), course.words(), hint, notes=(note,), path=RATE, severity="warning")


def slack(found: Look) -> float:
    """What part of the cost the gradient says that weights changed by all their length would win.

    Weights are taken to be at least 0.1, so that those which are 0 count too.
    """
    trained = found.trainer.trained
    length = max(norm(trained), 0.1 * math.sqrt(trained.size))
    return norm(found.slopes) * length / max(abs(found.cost), np.finfo(np.float64).tiny)


def same_for_all(found: Look) -> bool:
    """Whether every prediction that a loss reads is, to a thousandth, the same for all examples."""
    pairs = [(found.arrays[by["prediction"]], found.arrays[by["target"]]) for by in compared(found.graph)]
    return bool(pairs) and all(
        np.ptp(prediction, axis=0).max() <= STILL * max(np.abs(prediction).max(), np.abs(target).max())
        for prediction, target in pairs
    )


def no_slope(found: Look) -> tuple[str, str]:
    """(note, hint) where the gradient is as good as 0."""
    names = " and ".join(f'"{by["prediction"]}"' for by in compared(found.graph))
    note = f"the gradient is as good as 0 ({norm(found.slopes):.2g}), and {names} the same for {found.examples}"
    hint = "check that the labels depend on the inputs, start from weights that differ, give every layer a bias"
    return note, hint


def too_slow(found: Look, course: Course) -> tuple[str, str] | None:
    """(note, hint) where the rate is too small to get anywhere, else ``None``.

    To first order an update of plain descent wins rate · Σ g², one of Adam rate · Σ |g|. The rate that is proposed
    would win a tenth of the cost, but moves no weight by more than ``MOVE`` at once.
    """
    rate, g = found.rate, np.abs(found.slopes).astype(np.float64)
    adam = isinstance(found.trainer.training.optimizer, Adam)
    win = course.updates * float(g.sum() if adam else g @ g) / abs(found.cost)
    larger = min(0.1 / win, MOVE / (1.0 if adam else float(g.max())))
    if rate * win > 10 * STILL or larger <= rate:
        return None
    note = f"{course.updates:,} updates at a learning rate of {rate:g} can win {rate * win:.1g} of the cost"
    return note, f"try a larger learning rate, such as {larger:.0e}, or more epochs"


def no_success(found: Look) -> tuple[str, str]:
    """(note, hint) where the gradient is there and the rate large enough to win by it."""
    note = f"the gradient is not 0 (norm {norm(found.slopes):.2g}), but to follow it wins nothing"
    hint = "check that the labels depend on the inputs, standardize the inputs"
    return note, f"try a lower learning rate than {found.rate:g}, {hint}"
