"""From a canonical spec to a graph: names resolved, nodes sorted, shapes inferred, every mistake collected."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import pairwise
from typing import Any

import numpy as np

from nbn_spec.errors import Problem, Steps, shorten, suggestion
from nbn_spec.graph import BATCH, NAME, Constant, CycleProblem, Graph, Input, Node, Parameter, sort
from nbn_spec.initializers import INITIALIZERS, Initializer
from nbn_spec.ops import OPS
from nbn_spec.ops.base import Array, Op, Param, Shape, ShapeProblem, disagreement, show
from nbn_spec.record import AttributeProblem, attributes
from nbn_spec.spec.ends import check_data, check_ends, check_needed, check_training, no_inputs
from nbn_spec.spec.lowering import Lowering
from nbn_spec.spec.nodes import Broken, Default, Exact
from nbn_spec.spec.normalize import Canonical
from nbn_spec.spec.words import suggest

MOST_CYCLES, MOST_SUGGESTIONS, MOST_NAMED = 10, 20, 12
"""Of what is costly to find, no more is said at once; nor are more nodes of a cycle named."""


TRANSPOSED = "weights are stored (out, in), a row for each unit: transpose them"
COUNTS = {1: "a node", 2: "two nodes"}
LEAVES = ("inputs", "parameters", "constants")


@dataclass(frozen=True)
class Lowered:
    """The graph of a spec, ``None`` where something is wrong with it, and all that is."""

    graph: Graph | None
    problems: tuple[Problem, ...] = ()
    inputs: tuple[Input, ...] = ()
    """The inputs that are declared without a mistake."""


def lower(
    canonical: Canonical,
    silent: frozenset[Steps] = frozenset(),
    unusable: frozenset[str] = frozenset(),
    guessed: frozenset[Steps] = frozenset(),
) -> Lowered:
    """The graph of a canonical spec, or every independent mistake in it.

    Nothing is said of the places in ``silent``, which were found wrong before, nor of those who read a name in
    ``unusable``, nor of the shapes of nodes in ``guessed``.
    """
    spec = canonical.spec
    state = Lowering(canonical, silent, guessed, [*canonical.problems])
    state.broken |= {*unusable, *(str(path[1]) for path in silent if path[0] in LEAVES and len(path) > 1)}
    inputs, constants = lower_inputs(state), lower_constants(state)
    lower_leaf_parameters(state)
    check_names(state)
    known = {*(node.name for node in spec.nodes), *state.values, *unusable, *expanded(spec.nodes)}
    check_inputs(state, known)
    nodes = lower_nodes(state, known)
    check_ends(state)
    check_data(state)
    graph = None
    if not state.problems and not silent and not guessed:
        graph = prune(
            Graph(
                name=spec.name,
                dtype=spec.dtype,
                inputs=tuple(inputs),
                constants=tuple(constants),
                parameters=tuple(state.parameters),
                nodes=tuple(nodes),
                outputs=tuple(dict.fromkeys(spec.outputs)),
                loss=spec.loss if isinstance(spec.loss, str) else None,
            )
        )
    check_needed(state, graph)
    check_training(state, graph)
    sound = tuple(item for item in inputs if item.name not in state.broken and not state.is_data_silent(item.name))
    return Lowered(None if state.problems else graph, tuple(state.problems), sound)


def prune(graph: Graph) -> Graph:
    """The graph without the nodes, and the parameters of nodes, that neither an output nor the loss needs."""
    live = graph.ancestors([*graph.outputs, *([graph.loss] if graph.loss else [])])
    dead = [node for node in graph.nodes if node.name not in live]
    if not dead:
        return graph
    owned = {name for node in dead for name in node.params.values()} - live
    return dataclasses.replace(
        graph,
        nodes=tuple(node for node in graph.nodes if node.name in live),
        parameters=tuple(p for p in graph.parameters if p.name not in owned),
        dead=tuple(node.name for node in dead),
    )


def lower_inputs(state: Lowering) -> list[Input]:
    """The graph's inputs."""
    found = []
    for name, item in state.canonical.spec.inputs.items():
        shape: Shape = tuple(item.shape)
        check_input(state, name, item)
        found.append(Input(name, shape, tuple(item.columns or ()), item.dtype == "int64"))
        state.values[name] = (shape, item.dtype == "int64")
    return found


def check_input(state: Lowering, name: str, item: Any) -> None:
    """The batch stands first, and the columns have a name each."""
    shape, columns, before = tuple(item.shape), tuple(item.columns or ()), len(state.problems)
    if BATCH in shape[1:]:
        message = f"{BATCH}, the number of examples, may only stand first, got {show(shape)}"
        state.complain("NBN203", ("inputs", name, "shape"), message)
    elif columns and shape[-1:] != (len(columns),):
        message = f"names {len(columns)} columns, but the shape is {show(shape)}"
        hint = "one name for each place of the last axis"
        state.complain("NBN203", ("inputs", name, "columns"), message, hint)
    if twice := [column for column, count in Counter(columns).items() if count > 1]:
        message = f"two columns are called {shorten(twice[0])}"
        second = columns.index(twice[0], columns.index(twice[0]) + 1)
        state.complain("NBN200", ("inputs", name, "columns", second), message, "give each its own name")
    if len(state.problems) > before:
        state.broken.add(name)


def exact(state: Lowering, value: object, path: Steps) -> Array:
    """Exact values in the model's dtype."""
    with np.errstate(over="ignore"):
        array = np.array(value, dtype=np.float64).astype(state.canonical.spec.dtype)
    if not np.isfinite(array).all() and not state.is_silent("dtype"):
        state.complain("NBN113", path, f"holds a number that {state.canonical.spec.dtype} cannot hold")
    array.flags.writeable = False
    return array


def lower_constants(state: Lowering) -> list[Constant]:
    """The graph's constants."""
    constants = state.canonical.spec.constants.items()
    found = [Constant(name, exact(state, value, ("constants", name))) for name, value in constants]
    state.values |= {item.name: (item.shape, False) for item in found}
    return found


def lower_leaf_parameters(state: Lowering) -> None:
    """The parameters that belong to the graph and not to a node."""
    for name, item in state.canonical.spec.parameters.items():
        path = ("parameters", name)
        if isinstance(item, Exact):
            value = exact(state, item.value, (*path, "value"))
            made = Parameter(name, value.shape, item.trainable, value=value)
        else:
            init = initializer(state, item.init, (*path, "init"))
            made = Parameter(name, tuple(item.shape), item.trainable, init)
        state.parameters.append(made)
        state.values[name] = (made.shape, False)


def initializer(state: Lowering, setting: Any, path: Steps) -> Initializer | None:
    """The initializer that a name or an object describes; one for all that describe the same."""
    word = setting if isinstance(setting, str) else setting.init
    if word not in INITIALIZERS:
        state.complain("NBN114", path, f'unknown initializer "{word}"', suggest(word, INITIALIZERS))
        return None
    known = attributes(INITIALIZERS[word])
    given = {} if isinstance(setting, str) else {name: getattr(setting, name) for name in known}
    try:
        return state.pool.of(INITIALIZERS[word], given)
    except AttributeProblem as problem:
        state.complain("NBN205", (*path, problem.name), str(problem))
        return None


def check_names(state: Lowering) -> None:
    """Every name stands for one thing, and every input of a node for something."""
    spec = state.canonical.spec
    kinds: dict[str, Mapping[str, Any]] = {
        "input": spec.inputs,
        "parameter": spec.parameters,
        "constant": spec.constants,
    }
    nodes, leaf_names = [node.name for node in spec.nodes], [name for leaves in kinds.values() for name in leaves]
    if len({*nodes, *leaf_names}) < len(nodes) + len(leaf_names):
        complain_of_names(state, kinds, Counter(nodes), Counter(leaf_names))


def complain_of_names(
    state: Lowering, kinds: Mapping[str, Mapping[str, Any]], nodes: Counter[str], others: Counter[str]
) -> None:
    """A complaint for each name that stands for several things."""
    uses = nodes + others
    for name in sorted((name for name, count in uses.items() if count > 1), key=lambda name: "/" in name):
        if name.rpartition("/")[0] in state.broken:
            continue
        owners = [kind for kind, leaves in kinds.items() if name in leaves]
        path = name_of(state, name) if nodes[name] else (f"{owners[-1]}s", name)
        things = [f"an {kind}" if kind == "input" else f"a {kind}" for kind in owners]
        things += [COUNTS.get(nodes[name], f"{nodes[name]} nodes")] if nodes[name] else []
        message = f'the name "{name}" stands for {" and ".join(things)}'
        hint = "give each its own name"
        state.complain("NBN200", path, message, hint, notes=first_of(state, name), of_key=not nodes[name])
        state.broken.add(name)


def first_of(state: Lowering, name: str) -> list[str]:
    """The line of the first node of a name, of several."""
    written = state.canonical.document.value.get("nodes", ())
    places = [i for i, node in enumerate(written) if isinstance(node, Mapping) and node.get("name") == name]
    lines = state.canonical.document.lines([("nodes", places[0])]) if len(places) > 1 else [None]
    return [f"the first one stands in line {lines[0]}"] if lines[0] else []


def name_of(state: Lowering, name: str) -> Steps:
    """The place of a node's name, or of the node where it has none of its own."""
    path = (*state.canonical.origins[name], "name")
    return path if state.canonical.document.holds(path) else path[:-1]


def check_inputs(state: Lowering, known: set[str]) -> None:
    """A spec that has forgotten to declare its inputs hears of that, and not of each name that is read."""
    spec = state.canonical.spec
    read = {name: None for node in spec.nodes for name in node.inputs if name not in known}
    if spec.inputs or spec.parameters or any(path[:1] == ("inputs",) for path in state.silent):
        return
    strange = [name for name in list(read)[:MOST_NAMED] if not get_close_matches(name, known, n=1)]
    if not strange:
        return
    names = ", ".join(f'"{name}"' for name in strange)
    hint = f'declare them: "inputs": {{"{strange[0]}": {{"shape": ["N", 2]}}, …}}'
    state.complain("NBN110", ("inputs",), f'"inputs" is missing, but nodes read {names}', hint)
    state.silent |= {("inputs",)}


def lower_nodes(state: Lowering, known: set[str]) -> list[Node]:
    """The nodes, sorted; those with a mistake, and those that need them, are left out."""
    spec = state.canonical.spec
    state.broken.update(expanded(spec.nodes))
    nodes = {node.name: node for node in spec.nodes if node.name not in state.broken}
    for node in nodes.values():
        if not known.issuperset(node.inputs):
            complain_of_missing(state, node, known)
    made = []
    for name in sorted_names(state, nodes):
        node = nodes[name]
        if (
            is_unclear(state, node)
            or has_wrong_count(state, node)
            or name in state.broken
            or not state.broken.isdisjoint(node.inputs)
        ):
            state.broken.add(name)
        elif (lowered := lower_node(state, node)) is not None:
            made.append(lowered)
        else:
            state.broken.add(name)
    return made


def has_wrong_count(state: Lowering, node: Any) -> bool:
    """Whether a node has more or fewer inputs than its op takes, which is told: it needs no shapes."""
    op, count = OPS[node.op], len(node.inputs)
    names = op.operands(count)
    if count == len(names) and count:
        return False
    want = "at least one input" if op.variadic else f"{len(names)} input{'s' * (len(names) > 1)}"
    hint = no_inputs(state) if not count else ""
    if len(names) == 1 < count:
        hint = f"join them first: {json.dumps({'op': 'concatenate', 'inputs': node.inputs})}"
    message = f'wrong number of inputs at node "{state.called(node.name)}" ({op.word()})'
    notes = [f"{op.word()} takes {want} ({', '.join(names) or 'x0, …'}), got {count}"]
    notes += state.paths(node.name, [name for name in node.inputs if name in state.values])
    state.complain("NBN206", state.inputs_of(node.name), message, hint, notes=notes)
    return True


def is_unclear(state: Lowering, node: Any) -> bool:
    """Whether it is not certain what a node is, or what it reads: the first input, which is broken."""
    lacks_inputs = not node.inputs and any(path[:1] == ("inputs",) for path in state.silent)
    return isinstance(node, Broken) or lacks_inputs or state.canonical.origins[node.name] in state.guessed


def expanded(nodes: Sequence[Any]) -> Iterator[str]:
    """Names of the nodes that those with a mistake would have become."""
    return (f"{node.name}/linear" for node in nodes if isinstance(node, Broken) and node.expands)


def sorted_names(state: Lowering, nodes: Mapping[str, Any]) -> list[str]:
    """The nodes' names in forward order, those that lie on a cycle left out with a complaint."""
    sources = {name: node.inputs for name, node in nodes.items()}
    for _ in range(MOST_CYCLES):
        try:
            return sort(sources)
        except CycleProblem as problem:
            complain_of_cycle(state, problem.cycle)
            state.broken.update(problem.cycle)
            sources = {name: inputs for name, inputs in sources.items() if name not in problem.cycle}
    state.broken.update(sources)
    return []


def complain_of_cycle(state: Lowering, cycle: tuple[str, ...]) -> None:
    """A complaint with each node of a cycle and its line, from the one that stands first on."""
    origins = state.canonical.origins
    nodes = [name for name, after in pairwise(cycle) if origins[name] != origins[after] or len(cycle) == 2]
    first = min(range(len(nodes)), key=lambda i: written_place(origins[nodes[i]]))
    ring = [*nodes[first:], *nodes[: first + 1]]
    lines = state.canonical.document.lines(origins[name] for name in ring[:MOST_NAMED])
    shown = [name if line is None else f"{name} (line {line})" for name, line in zip(ring, lines, strict=False)]
    if len(ring) > MOST_NAMED:
        shown += [f"… {len(ring) - MOST_NAMED - 1} more …", ring[-1]]
    if len(nodes) == 1:
        message = f'the node "{ring[0]}" waits for itself'
    else:
        message = f"{len(nodes)} nodes wait for each other"
    hint = "a node may not need its own result: break the cycle at one of its inputs"
    state.complain("NBN202", state.inputs_of(ring[0]), message, hint, notes=[f"cycle: {' → '.join(shown)}"])


def written_place(origin: Steps) -> tuple[bool, int]:
    """The order of nodes in the document; an inline loss comes last."""
    return origin[0] != "nodes", origin[1] if len(origin) > 1 and isinstance(origin[1], int) else 0


def lower_node(state: Lowering, node: Any) -> Node | None:
    """A node with its shape and its parameters; ``None`` and a complaint where there is a mistake."""
    path = state.canonical.origins[node.name]
    op = lower_op(state, node, path)
    if op is None:
        return None
    try:
        shape, owned = state.inference.of(op, [state.values[name] for name in node.inputs])
    except ShapeProblem as problem:
        complain_of_shapes(state, op, node, problem)
        return None
    if op.statistics and node.inputs[0] not in state.canonical.spec.inputs:
        message = f'node "{node.name}" measures data, so it reads an input, but "{node.inputs[0]}" is none'
        state.complain("NBN205", state.inputs_of(node.name), message, "let it read the input itself")
        return None
    params = {name: lower_parameter(state, node, name, param) for name, param in owned.items()}
    if any(parameter is None for parameter in params.values()):
        return None
    state.values[node.name] = (shape, False)
    if node.inputs:
        state.routes[node.name] = node.inputs[0]
    names = {name: f"{node.name}/{name}" for name in params}
    return Node(node.name, op, tuple(node.inputs), names, shape)


def complain_of_shapes(state: Lowering, op: Op, node: Any, problem: ShapeProblem) -> None:
    """A complaint about a node that cannot take its operands: both shapes, and the ways by which they came."""
    path = (*state.canonical.origins[node.name], problem.attribute)
    if not state.canonical.document.holds(path):
        path = state.inputs_of(node.name)
    message = f'shape mismatch at node "{state.called(node.name)}" ({op.word()})'
    notes = [str(problem), *state.paths(node.name, node.inputs)]
    state.complain("NBN203", path, message, declaration(state, op, node), notes=notes)


def declaration(state: Lowering, op: Op, node: Any) -> str:
    """How a loss's target would have to be declared, where that is what is wrong."""
    inputs = state.canonical.spec.inputs
    if not op.is_loss or len(node.inputs) != 2 or node.inputs[1] not in inputs:
        return ""
    name = node.inputs[1]
    (prediction, _), (target, whole) = (state.values[operand] for operand in node.inputs)
    if "target" in op.integers and prediction and (target != prediction[:-1] or not whole):
        declared = {"shape": list(prediction[:-1]), "dtype": "int64"}
        hint = f'declare "{name}" as {json.dumps(declared)}'
        other = op.word().removeprefix("sparse_")
        if len(prediction) > 2:
            return f'{hint}; or is {{"op": "flatten"}} missing, behind an input of several axes?'
        return f'{hint}, or use "{other}" for one-hot targets' if target == prediction else hint
    column = (*target, 1) == prediction and not op.integers
    return f'declare "{name}" as {{"shape": {json.dumps(list(prediction))}}}' if column else ""


def lower_op(state: Lowering, node: Any, path: Steps) -> Op | None:
    """The op with its attributes; one for all nodes that have the same."""
    kind = OPS[node.op]
    given: dict[str, Any] = {}
    for part in attributes(kind).values():
        value = getattr(node, part.name)
        if part.name in kind.weights:
            value = value is not False
        if value is None and part.metadata["given_by"]:
            message = f'node "{node.name}" needs "{part.name}": {part.metadata["doc"]}'
            giver = part.metadata["given_by"]
            hint = f'or exact values of "{giver}"' if giver in kind.weights else ""
            state.complain("NBN110", (*path, part.name), message, hint)
            return None
        given[part.name] = value
    try:
        return state.pool.of(kind, given)
    except AttributeProblem as problem:
        message = f'node "{state.called(node.name)}": {problem}'
        state.complain("NBN205", (*path, *problem.place), message)
        return None


def lower_parameter(state: Lowering, node: Any, name: str, param: Param) -> Parameter | None:
    """One of a node's own parameters: drawn, or exact values of the right shape."""
    full = f"{node.name}/{name}"
    path = (*state.canonical.origins[node.name], name)
    setting = getattr(node, name, None)
    trainable = name not in OPS[node.op].statistics and getattr(setting, "trainable", True)
    if isinstance(setting, Exact):
        value = exact(state, setting.value, (*path, "value"))
        if value.shape != param.shape:
            complain_of_values(state, node, name, value.shape, param)
            return None
        made = Parameter(full, param.shape, trainable, value=value)
    else:
        own = setting is None or setting is True or isinstance(setting, Default)
        init = initializer(state, param.init if own else setting, path)
        if init is None:
            return None
        made = Parameter(full, param.shape, trainable, init)
    state.parameters.append(made)
    return made


def complain_of_values(state: Lowering, node: Any, name: str, have: Shape, param: Param) -> None:
    """A complaint about exact values of the wrong shape."""
    read = node.inputs[0]
    cause = f'{name} is {show(have)}; for the input "{read}" {show(state.values[read][0])} it must be'
    turned = len(have) == len(param.shape) == 2 and have[0] == param.shape[1] != have[1]
    state.complain(
        "NBN203",
        (*state.canonical.origins[node.name], name, "value"),
        f'shape mismatch at node "{state.called(node.name)}" ({node.op})',
        TRANSPOSED if turned else f"give {param.layout}" if param.layout else "",
        notes=[f"{cause} {show(param.shape)}: {disagreement(have, param.shape)}", *state.paths(node.name, [read])],
    )


def complain_of_missing(state: Lowering, node: Any, known: set[str]) -> None:
    """A complaint for each name that a node reads and nothing has."""
    for number, name in enumerate(node.inputs):
        if name not in known:
            state.broken.add(node.name)
            if state.is_blind or state.may_be_invented(name):
                return
            message = f'node "{state.called(node.name)}" reads "{name}", but nothing is called so'
            few = len(state.problems) < MOST_SUGGESTIONS
            usable = (other for other in known - {node.name} - state.invented if NAME.fullmatch(other))
            hint = suggestion(name, usable) if few else ""
            state.complain("NBN201", state.inputs_of(node.name, number), message, hint)
