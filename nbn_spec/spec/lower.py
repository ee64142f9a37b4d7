"""From a canonical spec to a graph: names resolved, nodes sorted, shapes inferred, every mistake collected."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nbn_spec.data import Column, File, Member
from nbn_spec.errors import DataError, GraphError, Problem, TrainingError, shorten, suggestion
from nbn_spec.graph import BATCH, Constant, CycleProblem, Graph, Input, Node, Parameter, infer, sort
from nbn_spec.initializers import INITIALIZERS, Initializer
from nbn_spec.metrics import labels
from nbn_spec.ops import OPS
from nbn_spec.ops.base import Array, Op, Param, Shape, ShapeProblem, show
from nbn_spec.record import AttributeProblem, Record
from nbn_spec.spec.fields import WITHOUT_DOC
from nbn_spec.spec.nodes import Default, Exact
from nbn_spec.spec.normalize import Canonical
from nbn_spec.spec.read import in_order, pointer
from nbn_spec.spec.words import LOSSES, suggest, translation
from nbn_spec.train import Training

Steps = tuple[object, ...]
MOST_CYCLES, MOST_SUGGESTIONS = 10, 20
"""Of what is costly to find, no more is said at once."""


@dataclass
class Lowering:
    """What is known while the nodes are taken up one after the other."""

    canonical: Canonical
    where: str
    problems: list[Problem] = field(default_factory=list)
    values: dict[str, tuple[Shape, bool]] = field(default_factory=dict)
    """Shape of every value so far, and whether it holds whole numbers."""
    routes: dict[str, str] = field(default_factory=dict)
    """For every node the one it takes its first input from: the path that a shape came by."""
    parameters: list[Parameter] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    """What has a mistake, and the nodes that need it: nothing is said of the latter."""

    def complain(self, code: str, path: Steps, message: str, hint: str = "") -> None:
        """Note a mistake."""
        self.problems.append(Problem(code, pointer(self.where, path), message, hint))

    def route(self, name: str) -> str:
        """How the first operand of a node came to its shape: the last few nodes on the way."""
        steps = [name]
        while steps[-1] in self.routes and len(steps) < 6:
            steps.append(self.routes[steps[-1]])
        shown = [f"{step} {show(self.values[step][0])}" for step in reversed(steps) if step in self.values]
        return " → ".join(shown)


def lower(canonical: Canonical) -> Graph:
    """The graph of a canonical spec.

    Raises :class:`GraphError` with every independent mistake; where there is none, :class:`DataError` for data
    that leaves out an input, or else :class:`TrainingError` for what could never be trained or measured.
    """
    spec, where = canonical.spec, canonical.where
    state = Lowering(canonical, where)
    inputs, constants = lower_inputs(state), lower_constants(state)
    lower_leaf_parameters(state)
    check_names(state)
    nodes = lower_nodes(state)
    check_ends(state)
    check_data(state)
    if state.problems:
        raise GraphError.of(in_order(state.problems, canonical.written, where))
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
    check_needed(graph, spec.data, where)
    check_training(graph, spec, where)
    return graph


def prune(graph: Graph) -> Graph:
    """The graph without the nodes, and the parameters of nodes, that neither an output nor the loss needs."""
    live = graph.ancestors([*graph.outputs, *([graph.loss] if graph.loss else [])])
    owned = {name for node in graph.nodes if node.name not in live for name in node.params.values()}
    return dataclasses.replace(
        graph,
        nodes=tuple(node for node in graph.nodes if node.name in live),
        parameters=tuple(p for p in graph.parameters if p.name not in owned - live),
        dead=tuple(node.name for node in graph.nodes if node.name not in live),
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
        state.complain("NBN200", ("inputs", name, "columns"), message, "give each its own name")
    if len(state.problems) > before:
        state.broken.add(name)


def exact(state: Lowering, value: object, path: Steps) -> Array:
    """Exact values in the model's dtype."""
    with np.errstate(over="ignore"):
        array = np.array(value, dtype=np.float64).astype(state.canonical.spec.dtype)
    if not np.isfinite(array).all():
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
    """The initializer that a name or an object describes."""
    word = setting if isinstance(setting, str) else setting.init
    if word not in INITIALIZERS:
        state.complain("NBN114", path, f'unknown initializer "{word}"', suggest(word, INITIALIZERS))
        return None
    known = {part.name for part in dataclasses.fields(INITIALIZERS[word])}
    given = {} if isinstance(setting, str) else {name: getattr(setting, name) for name in known}
    try:
        return INITIALIZERS[word].from_json(given)
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
    nodes = Counter(node.name for node in spec.nodes)
    uses = nodes + Counter(name for leaves in kinds.values() for name in leaves)
    for name in [name for name, count in uses.items() if count > 1]:
        owners = [kind for kind, leaves in kinds.items() if name in leaves]
        path = state.canonical.origins[name] if nodes[name] else (f"{owners[-1]}s", name)
        things = [f"an {kind}" if kind == "input" else f"a {kind}" for kind in owners]
        things += [f"{nodes[name]} nodes" if nodes[name] > 1 else "a node"] * (nodes[name] > 0)
        state.complain(
            "NBN200", path, f'the name "{name}" stands for {" and ".join(things)}', "give each its own name"
        )
        state.broken.add(name)


def lower_nodes(state: Lowering) -> list[Node]:
    """The nodes, sorted; those with a mistake, and those that need them, are left out."""
    known = {*(node.name for node in state.canonical.spec.nodes), *state.values}
    nodes = {node.name: node for node in state.canonical.spec.nodes if node.name not in state.broken}
    for node in nodes.values():
        complain_of_missing(state, node, known)
    made = []
    for name in sorted_names(state, nodes):
        node = nodes[name]
        if name in state.broken or not state.broken.isdisjoint(node.inputs):
            state.broken.add(name)
        elif (lowered := lower_node(state, node)) is not None:
            made.append(lowered)
        else:
            state.broken.add(name)
    return made


def sorted_names(state: Lowering, nodes: Mapping[str, Any]) -> list[str]:
    """The nodes' names in forward order, those that lie on a cycle left out with a complaint."""
    sources = {name: node.inputs for name, node in nodes.items()}
    for _ in range(MOST_CYCLES):
        try:
            return sort(sources)
        except CycleProblem as problem:
            path = state.canonical.origins[problem.cycle[0]]
            hint = "a node may not need its own result; break the circle at one of its inputs"
            state.complain("NBN202", path, f"the nodes wait for each other: {problem}", hint)
            state.broken.update(problem.cycle)
            sources = {name: inputs for name, inputs in sources.items() if name not in problem.cycle}
    state.broken.update(sources)
    return []


def lower_node(state: Lowering, node: Any) -> Node | None:
    """A node with its shape and its parameters; ``None`` and a complaint where there is a mistake."""
    path = state.canonical.origins[node.name]
    op = lower_op(state, node, path)
    if op is None:
        return None
    operands = [state.values[name] for name in node.inputs]
    shapes = [shape for shape, _ in operands]
    try:
        shape = infer(op, shapes, [integer for _, integer in operands])
        owned = op.params(*shapes)
    except ShapeProblem as problem:
        arity = len(op.operands(len(shapes))) != len(shapes)
        hint = declaration(state, op, node) or operands_hint(state, node)
        state.complain("NBN206" if arity else "NBN203", path, f'node "{node.name}": {problem}', hint)
        return None
    if op.statistics and node.inputs[0] not in state.canonical.spec.inputs:
        message = f'node "{node.name}" measures data, so it reads an input, but "{node.inputs[0]}" is none'
        state.complain("NBN205", (*path, "inputs"), message, "let it read the input itself")
        return None
    params = {name: lower_parameter(state, node, name, param) for name, param in owned.items()}
    if any(parameter is None for parameter in params.values()):
        return None
    state.values[node.name] = (shape, False)
    if node.inputs:
        state.routes[node.name] = node.inputs[0]
    names = {name: f"{node.name}/{name}" for name in params}
    return Node(node.name, op, tuple(node.inputs), names, shape)


def operands_hint(state: Lowering, node: Any) -> str:
    """How the operands of a node came to their shapes."""
    if not node.inputs:
        return no_inputs(state)
    return "the inputs are " + "; ".join(state.route(name) for name in node.inputs)


def no_inputs(state: Lowering) -> str:
    """The hint for a spec that has forgotten its inputs."""
    return "" if state.canonical.spec.inputs else 'the spec declares no "inputs"'


def declaration(state: Lowering, op: Op, node: Any) -> str:
    """How a loss's target would have to be declared, where that is what is wrong."""
    inputs = state.canonical.spec.inputs
    if not op.is_loss or len(node.inputs) != 2 or node.inputs[1] not in inputs:
        return ""
    name = node.inputs[1]
    (prediction, _), (target, whole) = (state.values[operand] for operand in node.inputs)
    if "target" in op.integers and prediction and (target != prediction[:-1] or not whole):
        declared = {"shape": list(prediction[:-1]), "dtype": "int64"}
        return f'declare "{name}" as {json.dumps(declared)}'
    column = (*target, 1) == prediction and not op.integers
    return f'declare "{name}" as {{"shape": {json.dumps(list(prediction))}}}' if column else ""


def lower_op(state: Lowering, node: Any, path: Steps) -> Op | None:
    """The op with its attributes."""
    kind = OPS[node.op]
    attributes: dict[str, Any] = {}
    for part in dataclasses.fields(kind):
        value = getattr(node, part.name)
        if part.name in kind.weights:
            value = value is not False
        if value is None and part.metadata["given_by"]:
            message = f'node "{node.name}" needs "{part.name}": {part.metadata["doc"]}'
            giver = part.metadata["given_by"]
            hint = f'or exact values of "{giver}"' if giver in kind.weights else ""
            state.complain("NBN110", (*path, part.name), message, hint)
            return None
        attributes[part.name] = value
    try:
        return kind(**attributes)
    except AttributeProblem as problem:
        state.complain("NBN205", (*path, problem.name), f'node "{node.name}": {problem}')
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
            message = f'{name} of "{node.name}" is {show(value.shape)}, but must be {show(param.shape)}'
            state.complain("NBN203", (*path, "value"), message, f"the input is {state.route(node.inputs[0])}")
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


def complain_of_missing(state: Lowering, node: Any, known: set[str]) -> None:
    """A complaint for each name that a node reads and nothing has."""
    path = (*state.canonical.origins[node.name], "inputs")
    for name in node.inputs:
        if name not in known:
            message = f'node "{node.name}" reads "{name}", but nothing is called so'
            few = len(state.problems) < MOST_SUGGESTIONS
            hint = no_inputs(state) or (suggestion(name, known - {node.name}) if few else "")
            state.complain("NBN201", path, message, hint)
            state.broken.add(node.name)


def check_ends(state: Lowering) -> None:
    """Outputs and loss exist, and the loss is a scalar that a node computes."""
    spec = state.canonical.spec
    nodes = {node.name for node in spec.nodes}
    known = {*state.values, *nodes}
    for i, name in enumerate(spec.outputs):
        if name not in known:
            state.complain(
                "NBN201", ("outputs", i), f'the output "{name}" is nothing\'s name', suggestion(name, nodes)
            )
    loss = spec.loss
    if loss is None:
        return
    if loss not in nodes:
        hint = inline_loss(state, loss) or suggestion(loss, nodes)
        state.complain("NBN201", ("loss",), f'the loss "{loss}" is no node\'s name', hint)
    elif loss in state.values and state.values[loss][0] != ():
        message = f'the loss "{loss}" has shape {show(state.values[loss][0])}, but must be a scalar, []'
        state.complain("NBN204", ("loss",), message, "end with a loss, or with sum or mean over all axes")


def inline_loss(state: Lowering, word: str) -> str:
    """The hint for a loss that is named by its op."""
    spec = state.canonical.spec
    op = translation(word, LOSSES)
    written = {"op": op, "inputs": [spec.outputs[0], next(reversed(spec.inputs), "y")]}
    return f"a name is that of a node; for an operation write {json.dumps(written)}" if op else ""


def check_data(state: Lowering) -> None:
    """The data speaks of inputs only, and of each in a way that makes sense."""
    data: Any = state.canonical.spec.data
    kinds = {"values": None, "columns": Column, "arrays": Member, "npy": File}
    for key, record in kinds.items():
        for name, item in (getattr(data, key, None) or {}).items():
            path = ("data", key, name)
            if name not in state.canonical.spec.inputs:
                inputs = state.canonical.spec.inputs
                message = f'the data is for "{name}", but no input is called so'
                if not inputs:
                    message = f'"{name}" is no input: {no_inputs(state)}'
                state.complain("NBN201", path, message, suggestion(name, inputs))
            elif record is not None:
                check_record(state, record, item, path)


def check_record(state: Lowering, record: type[Record], item: Any, path: Steps) -> None:
    """What the spec says of one column or array is a valid record."""
    try:
        record.from_json(item.model_dump(exclude={"doc"}))
    except AttributeProblem as problem:
        state.complain("NBN205", (*path, problem.name), str(problem))


def check_needed(graph: Graph, data: Any, where: str) -> None:
    """Raises :class:`DataError` for data that says nothing of inputs which the outputs or the loss need."""
    needed = graph.needed_inputs([*graph.outputs, *([graph.loss] if graph.loss else [])])
    for key in ("values", "columns", "arrays", "npy"):
        given = getattr(data, key, None)
        lacking = [f'"{item.name}"' for item in needed if given is not None and item.name not in given]
        if lacking:
            message = f"says nothing of {' and '.join(lacking)}"
            raise DataError("NBN306", pointer(where, ("data", key)), message, "the outputs or the loss need it")


def check_training(graph: Graph, spec: Any, where: str) -> None:
    """Raises :class:`TrainingError` for all that stands under ``train`` and could never be done."""
    if spec.train is None:
        return
    if graph.loss is None:
        raise TrainingError("NBN400", pointer(where, ("train",)), "there is no loss to minimize", 'add "loss"')
    training = Training.from_canonical(spec.train.model_dump(mode="json", context=WITHOUT_DOC))
    if problems := metric_problems(graph, training, where):
        raise TrainingError.of(problems)


def metric_problems(graph: Graph, training: Training, where: str) -> list[Problem]:
    """Metrics that have nothing to compare; where there is none, those that are twice the same."""
    found: list[Problem] = []
    for i, metric in enumerate(training.metrics):
        try:
            metric.check_shapes(graph)
        except TrainingError as error:
            found += placed(error, pointer(where, ("train", "metrics", i)))
    try:
        labels(() if found else training.metrics, graph)
    except TrainingError as error:
        found += placed(error, pointer(where, ("train", "metrics")))
    return found


def placed(error: TrainingError, where: str) -> list[Problem]:
    """An error's problems with their place in the document."""
    return [dataclasses.replace(problem, where=where) for problem in error.problems]
