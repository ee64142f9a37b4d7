"""A planned program shares memory only where it may, and computes exactly what a naive evaluation computes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any

import graphs
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kernels import garbage

import nbn_spec
from nbn_spec.arrays import ALIGNMENT
from nbn_spec.graph import Graph, Node, Parameter, infer
from nbn_spec.graph import Input as GraphInput
from nbn_spec.interpreter import Interpreter, arena_of
from nbn_spec.memory import Life, assign, rounded
from nbn_spec.ops import OPS
from nbn_spec.ops.base import Array, Call
from nbn_spec.params import Layout
from nbn_spec.plan import Program, Slot, gradient, plan

exhaustive = settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
EXAMPLES = st.integers(1, 3)


def place(slot: Slot) -> tuple[int, int]:
    """First byte and the byte behind the last."""
    assert slot.offset is not None
    return slot.offset, slot.offset + slot.size


def overlap(a: Slot, b: Slot) -> bool:
    (start, end), (other_start, other_end) = place(a), place(b)
    return start < other_end and other_start < end


def lives(program: Program, fetched: set[str]) -> dict[str, tuple[int, int]]:
    """First and last step of every slot in the arena, by what the steps say."""
    found: dict[str, tuple[int, int]] = {}
    for index, step in enumerate(program.steps):
        for name in step.uses():
            if program.slots[name].offset is not None:
                found[name] = (found.get(name, (index, 0))[0], index)
    return {
        name: (first, len(program.steps) if name in fetched else last) for name, (first, last) in found.items()
    }


def handed_over(program: Program, old: str, new: str, at: int) -> bool:
    """Whether ``new`` may be written over ``old`` in this step, and is.

    It may where ``old`` is the sole source of an op that works in place, or the first part of a sum.
    """
    step = program.steps[at]
    a, b = program.slots[old], program.slots[new]
    if place(a) != place(b) or step.args[0] != old or old in (*step.args[1:], *step.named.values()):
        return False
    if step.kind == "accumulate":
        return step.named["y"] == new
    result = step.named["y"] if step.kind == "forward" else step.named["dx"]
    return result == new and step.kind in program.graph.by_name[step.node].op.in_place


def check_memory(program: Program, fetched: set[str]) -> int:
    """Assert that slots which live at one time lie apart; the number of hand-overs found."""
    alive = lives(program, fetched)
    assert alive.keys() == {name for name, slot in program.slots.items() if slot.offset is not None}
    hand_overs = 0
    for index in range(len(program.steps) + 1):
        now = sorted(
            (name for name, (first, last) in alive.items() if first <= index <= last),
            key=lambda name: (program.slots[name].offset, alive[name]),
        )
        for i, name in enumerate(now):
            for other in now[i + 1 :]:
                if not overlap(program.slots[name], program.slots[other]):
                    continue
                old, new = sorted((name, other), key=lambda one: alive[one])
                assert alive[old][1] == alive[new][0] == index, f"{old} and {new} live at one time"
                assert handed_over(program, old, new, index), f"{new} may not be written over {old}"
                hand_overs += 1
    assert all(place(program.slots[name])[1] <= program.arena for name in alive)
    assert all(place(program.slots[name])[0] % ALIGNMENT == 0 for name in alive)
    return hand_overs


def compiled(spec: dict[str, Any], seed: int, examples: int) -> tuple[Any, dict[str, Array]]:
    """A model with random parameters, and data for it."""
    rng = np.random.default_rng(seed)
    model = nbn_spec.compile(spec)
    model.flat[:] = rng.normal(scale=0.7, size=model.flat.size)
    return model, graphs.data(rng, examples)


@exhaustive
@given(spec=graphs.specs(), examples=EXAMPLES)
def test_live_slots_never_overlap(spec: dict[str, Any], examples: int) -> None:
    graph = nbn_spec.compile(spec).graph
    for fetch, backward in ((graph.outputs, False), ((), True), (graph.outputs, True)):
        program = plan(graph, {"N": examples}, fetch, backward=backward)
        check_memory(program, {*fetch, *([str(graph.loss)] if backward else [])})
        kept = plan(graph, {"N": examples}, fetch, backward=backward, keep=True)
        assert program.arena <= program.unshared == kept.unshared == kept.arena


def test_the_memory_check_sees_a_planted_overlap() -> None:
    graph = chain("sin", "cos", "sin")
    program = plan(graph, {"N": 4}, graph.outputs)
    slots = {**program.slots, "n1": Slot("n1", *shape_of(program.slots["n1"]), program.slots["n0"].offset)}
    spoiled = Program(graph, program.sizes, program.steps, program.forward, slots, program.arena, program.unshared)
    assert check_memory(program, {"n2"}) == 0
    with pytest.raises(AssertionError, match="n1 may not be written over n0"):
        check_memory(spoiled, {"n2"})


def shape_of(slot: Slot) -> tuple[tuple[int, ...], str]:
    return slot.shape, slot.dtype


def sized(shape: tuple[int | str, ...], examples: int) -> tuple[int, ...]:
    return tuple(examples if isinstance(dim, str) else dim for dim in shape)


def naive(graph: Graph, leaves: dict[str, Array]) -> tuple[dict[str, Array], dict[str, Array]]:
    """Every value and every gradient, each in an array of its own, straight from the graph and the kernels."""
    values, buffers = dict(leaves), {}
    examples = len(leaves["x"])
    for node in graph.nodes:
        table = node.op.buffers(*map(graph.shape, node.inputs))
        buffers[node.name] = {
            n: garbage(sized(b.shape, examples), b.dtype or graph.dtype) for n, b in table.items()
        }
        used = {name: array for name, array in buffers[node.name].items() if table[name].life != "backward"}
        y = garbage(sized(node.shape, examples), graph.dtype)
        arguments = [None if name is None else values[name] for name in node.arguments]
        run(node.op.forward(*arguments, y=y, **used))
        values[node.name] = y
    parts: dict[str, list[Array]] = {str(graph.loss): [np.ones((), graph.dtype)]}
    gradients: dict[str, Array] = {}
    for name in graph.backward_order:
        gradients[name] = total(parts[name])
        node = graph.by_name[name]
        for operand, part in sent(graph, node, values, buffers[name], gradients[name]).items():
            parts.setdefault(node.sources[operand], []).append(part)
    gradients |= {p.name: total(parts[p.name]) for p in graph.parameters if p.name in parts}
    return values, gradients


def sent(
    graph: Graph, node: Node, values: dict[str, Array], buffers: dict[str, Array], dy: Array
) -> dict[str, Array]:
    """What a node sends back to each of its sources."""
    table = node.op.buffers(*map(graph.shape, node.inputs))
    used = {name: array for name, array in buffers.items() if table[name].life != "forward"}
    sources = {**node.sources, "y": node.name}
    keeps = [name for name in node.op.keeps if name in sources]
    wanted = [name for name, source in node.sources.items() if source in graph.trainable]
    out = {name: garbage(values[sources[name]].shape, graph.dtype) for name in wanted}
    kept = {name: values[sources[name]] for name in keeps}
    if node.op.variadic:
        kept["shapes"] = [values[name].shape for name in node.inputs]
    run(node.op.backward(dy, **kept, **used, **{"d" + name: array for name, array in out.items()}))
    return out


def run(calls: Iterator[Call]) -> None:
    with np.errstate(all="ignore"):
        for call in calls:
            call()


def total(parts: list[Array]) -> Array:
    """The sum, from the first part to the last."""
    return reduce(np.add, parts)


def planned(model: Any, data: dict[str, Array], keep: bool) -> tuple[Interpreter, Array]:
    """A program that ran twice in memory full of garbage, so that nothing of the first run may matter."""
    graph: Graph = model.graph
    examples = len(data["x"])
    program = plan(graph, {"N": examples}, graph.outputs, backward=True, keep=keep)
    arena = arena_of(program.arena)
    grad = np.zeros_like(model.flat)
    bound = Interpreter(program, model.layout, model.flat, grad, inputs=data, arena=arena)
    for _ in range(2):
        arena.fill(255)
        with np.errstate(all="ignore"):
            bound.forward()
            bound.backward()
    return bound, grad


@exhaustive
@given(spec=graphs.specs(), examples=EXAMPLES, seed=st.integers(0, 2**32 - 1))
def test_planned_equals_kept_equals_naive(spec: dict[str, Any], examples: int, seed: int) -> None:
    model, data = compiled(spec, seed, examples)
    graph: Graph = model.graph
    shared, grad = planned(model, data, keep=False)
    kept, kept_grad = planned(model, data, keep=True)
    leaves = {**data, **model.parameters, **{item.name: item.value for item in graph.constants}}
    values, gradients = naive(graph, leaves)
    np.testing.assert_array_equal(grad, kept_grad)
    for name in (*graph.outputs, str(graph.loss)):
        np.testing.assert_array_equal(shared.arrays[name], values[name])
    for node in shared.program.graph.nodes:
        if node.name in kept.program.slots:
            np.testing.assert_array_equal(kept.arrays[node.name], values[node.name])
    views = model.layout.views(grad)
    for name, array in gradients.items():
        np.testing.assert_array_equal(kept.arrays[gradient(name)], array)
        if name in views:
            np.testing.assert_array_equal(views[name], array)


@exhaustive
@given(spec=graphs.specs(), examples=EXAMPLES, seed=st.integers(0, 2**32 - 1))
def test_inference_equals_naive(spec: dict[str, Any], examples: int, seed: int) -> None:
    model, data = compiled(spec, seed, examples)
    graph: Graph = model.graph
    program = plan(graph, {"N": examples}, graph.outputs)
    arena = arena_of(program.arena)
    arena.fill(255)
    bound = Interpreter(program, model.layout, model.flat, inputs=data, arena=arena)
    with np.errstate(all="ignore"):
        bound.forward()
    leaves = {**data, **model.parameters, **{item.name: item.value for item in graph.constants}}
    values, _ = naive(graph, leaves)
    for name in graph.outputs:
        np.testing.assert_array_equal(bound.arrays[name], values[name])
    assert {step.node for step in program.steps} == graph.ancestors(graph.outputs) & {n.name for n in graph.nodes}


def built(nodes: list[tuple[str, tuple[str, ...]]], outputs: tuple[str, ...], width: int = 32) -> Graph:
    """A graph over an input x and a parameter w; each node's inputs are names, itself it is n0, n1, …"""
    shapes: dict[str, Any] = {"x": ("N", width), "w": (width,)}
    made = []
    for i, (word, inputs) in enumerate(nodes):
        op = OPS[word].from_json({"units": width, "bias": False} if word == "linear" else {})
        shape = infer(op, [shapes[name] for name in inputs], [False] * len(inputs))
        shapes[f"n{i}"] = shape
        params = {name: f"n{i}/{name}" for name in op.params(shapes[inputs[0]])} if op.weights else {}
        made.append(Node(f"n{i}", op, inputs, params, shape))
    owned = [Parameter(name, (width, width)) for node in made for name in node.params.values()]
    loss = outputs[0] if shapes[outputs[0]] == () else None
    inputs_of_graph = (GraphInput("x", ("N", width)),)
    parameters = (Parameter("w", (width,)), *owned)
    return Graph("built", "float64", inputs_of_graph, (), parameters, tuple(made), outputs, loss)


def chain(*words: str) -> Graph:
    """One node after the other, from x."""
    nodes = [(word, (f"n{i - 1}" if i else "x",)) for i, word in enumerate(words)]
    return built(nodes, (f"n{len(words) - 1}",))


@pytest.mark.parametrize(
    "words", [("sin",), ("linear", "tanh"), ("linear", "gelu"), ("exp",), ("softmax", "square")]
)
def test_inference_of_a_chain_needs_no_more_memory_for_more_depth(words: tuple[str, ...]) -> None:
    def arena(depth: int) -> int:
        graph = chain(*(words * depth))
        return plan(graph, {"N": 64}, graph.outputs).arena

    assert arena(500) == arena(50) == arena(3)


def test_a_chain_of_in_place_ops_is_one_array() -> None:
    graph = chain("sin", *(("exp", "tanh", "sigmoid", "negative") * 10))
    program = plan(graph, {"N": 64}, graph.outputs)
    assert program.arena == 64 * 32 * 8
    assert check_memory(program, set(graph.outputs)) == 40


def test_nothing_is_written_over_data_or_an_output() -> None:
    graph = built([("exp", ("x",)), ("tanh", ("n0",)), ("negative", ("n1",))], ("n0", "n2"))
    program = plan(graph, {"N": 2}, graph.outputs)
    assert program.slots["x"].offset is None
    assert not overlap(program.slots["n0"], program.slots["n1"])
    assert place(program.slots["n1"]) == place(program.slots["n2"])


def test_an_array_with_a_second_reader_is_not_written_over() -> None:
    graph = built([("sin", ("x",)), ("exp", ("n0",)), ("add", ("n0", "n1"))], ("n2",))
    program = plan(graph, {"N": 2}, graph.outputs)
    assert not overlap(program.slots["n0"], program.slots["n1"])


def layered(count: int) -> list[tuple[str, tuple[str, ...]]]:
    nodes = [("linear" if i % 2 else "tanh", (f"n{i - 1}" if i else "x",)) for i in range(count)]
    return [*nodes, ("sum", (f"n{count - 1}",))]


def fanned(count: int) -> list[tuple[str, tuple[str, ...]]]:
    """Many readers of one value, joined by sums: one gradient of many parts."""
    nodes: list[tuple[str, tuple[str, ...]]] = [("multiply", ("x", "w"))]
    nodes += [("sin", ("n0",)) for _ in range(count)]
    joined = "n1"
    for i in range(2, count + 1):
        nodes.append(("add", (joined, f"n{i}")))
        joined = f"n{len(nodes) - 1}"
    return [*nodes, ("sum", (joined,))]


def skipped(count: int) -> list[tuple[str, tuple[str, ...]]]:
    """Every node reads the last and the first one, and a parameter that they share."""
    nodes: list[tuple[str, tuple[str, ...]]] = [("multiply", ("x", "w"))]
    for i in range(count):
        nodes.append(("multiply", (f"n{2 * i}", "w")))
        nodes.append(("add", (f"n{2 * i + 1}", "n0")))
    return [*nodes, ("sum", (f"n{2 * count}",))]


def work(action: Callable[[], object]) -> int:
    """How many calls, of Python and of C functions, an action makes: a clock that no other process disturbs."""
    count = 0

    def tick(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(tick)
    try:
        action()
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("shape", [layered, fanned, skipped])
@pytest.mark.parametrize("backward", [False, True])
def test_planning_takes_time_linear_in_the_number_of_nodes(shape: Any, backward: bool) -> None:
    def cost(count: int) -> int:
        nodes = shape(count)
        graph = built(nodes, (f"n{len(nodes) - 1}",), width=4)
        return work(lambda: plan(graph, {"N": 2}, graph.outputs, backward=backward))

    small, large = cost(200), cost(1600)
    assert large < 8.5 * small


def test_a_graph_ten_thousand_nodes_deep_is_planned_and_run() -> None:
    nodes = [("sin", (f"n{i - 1}",)) if i else ("multiply", ("x", "w")) for i in range(10_000)]
    nodes.append(("sum", ("n9999",)))
    graph = built(nodes, ("n10000",), width=1)
    layout = Layout.of(graph)
    program = plan(graph, {"N": 1}, graph.outputs, backward=True)
    grad = np.full(1, np.nan)
    bound = Interpreter(program, layout, np.ones(1), grad, inputs={"x": np.ones((1, 1))})
    bound.forward()
    bound.backward()
    value, slope = 1.0, 1.0
    for _ in range(9999):
        value, slope = np.sin(value), slope * np.cos(value)
    assert bound.arrays["n10000"] == pytest.approx(value, rel=1e-12)
    assert grad[0] == pytest.approx(slope, rel=1e-9)


LIVES = st.lists(
    st.tuples(st.sampled_from([0, 1, 64, 100, 500]), st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=20
)


@exhaustive
@given(drawn=LIVES, over=st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=60))
def test_assignment_of_any_lives(drawn: list[tuple[int, int, int]], over: list[tuple[int, int]]) -> None:
    """Two buffers whose lives meet lie apart, but for a successor of the same size, and each has one at most."""
    table = {f"b{i}": Life(size, min(a, b), max(a, b)) for i, (size, a, b) in enumerate(drawn)}
    allowed = {f"b{new}": [f"b{old}"] for new, old in over if new != old and max(new, old) < len(drawn)}
    offsets, end = assign(table, allowed)
    heirs: dict[str, str] = {}
    for name, life in table.items():
        assert 0 <= offsets[name] <= end - rounded(life.size)
        for other, later in table.items():
            meet = name != other and life.first <= later.first <= life.last
            apart = offsets[name] + rounded(life.size) <= offsets[other] or (
                offsets[other] + rounded(later.size) <= offsets[name]
            )
            if meet and not apart:
                first, second = (name, other) if name in allowed.get(other, []) else (other, name)
                assert first in allowed.get(second, [])
                assert table[first].last == table[second].first
                assert table[first].size == table[second].size
                assert heirs.setdefault(first, second) == second


def test_a_buffer_is_handed_on_once() -> None:
    table = {"old": Life(64, 0, 1), "one": Life(64, 1, 2), "two": Life(64, 1, 2)}
    offsets, end = assign(table, {"one": ["old"], "two": ["old"]})
    assert offsets["one"] == offsets["old"] != offsets["two"]
    assert end == 128


def test_a_buffer_that_begins_in_the_same_step_is_not_handed_on() -> None:
    offsets, end = assign({"new": Life(64, 0, 1), "old": Life(64, 0, 0)}, {"new": ["old"]})
    assert offsets["new"] != offsets["old"]
    assert end == 128


def test_free_neighbours_merge() -> None:
    table = {
        "a": Life(64, 0, 0),
        "b": Life(64, 0, 0),
        "c": Life(64, 0, 0),
        "all": Life(192, 1, 1),
        "d": Life(100, 2, 2),
    }
    assert assign(table, {})[1] == 192
