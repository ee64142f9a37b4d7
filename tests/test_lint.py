"""Every rule of the lint: what it warns about and what not, on the shipped models too, and with how much work."""

from __future__ import annotations

import copy
import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import graphs
import numpy as np
import pytest
from hypothesis import given, settings
from lint_quiet import QUIET
from lint_specs import (
    ALL,
    BITS,
    ONE_HOT,
    PIXELS,
    REAL,
    RNG,
    STANDARD,
    TABLE,
    TWO,
    WARNED,
    YEARS,
    X,
    binary,
    chain,
    classes,
    graph,
    linear,
    op,
    tall,
)

import nbn_spec
from nbn_spec.codes import CODES
from nbn_spec.errors import DataError
from nbn_spec.graph import Graph, Input, Node, Parameter
from nbn_spec.initializers import GlorotUniform
from nbn_spec.lint import RULES, Subject, columns, lint
from nbn_spec.lint.ranges import ranges
from nbn_spec.lint.reach import reach
from nbn_spec.ops.activation import Identity, Relu
from nbn_spec.ops.arithmetic import Add
from nbn_spec.ops.linear import Linear
from nbn_spec.ops.loss import MeanSquaredError
from nbn_spec.params import Seed
from nbn_spec.train import Training, Validation

MODELS = Path(__file__).parent.parent / "models"


def subject(document, folder=None):
    """What lint gets to see of a document."""
    model = nbn_spec.compile(document if folder is None else folder / document)
    written = document if folder is None else json.loads((folder / document).read_text())
    try:
        data = model.data()
    except DataError:
        data = {}
    training = model.training if "train" in written else None
    return Subject(model.graph, training, model.flat, model.seed, data, written)


def codes(document):
    return [problem.code for problem in lint(subject(document))]


@pytest.mark.parametrize(("code", "where", "path", "document"), WARNED.values(), ids=WARNED)
def test_it_warns_of(code, where, path, document):
    found = {(problem.code, problem.where): problem for problem in lint(subject(document))}
    assert (code, where) in found, list(found)
    problem = found[code, where]
    assert problem.path == path
    assert problem.severity == "warning"
    assert problem.notes
    assert all(note.endswith((".", "?")) for note in problem.notes)
    assert problem.hint


@pytest.mark.parametrize(("code", "document"), QUIET.values(), ids=QUIET)
def test_it_is_quiet_about(code, document):
    assert code not in codes(document)


def test_every_rule_has_a_case_of_each_kind():
    assert {code for code, *_ in WARNED.values()} == set(RULES) == {code for code, _ in QUIET.values()}
    assert set(RULES) <= set(CODES)


@pytest.mark.parametrize("path", sorted(MODELS.glob("*.json")), ids=lambda path: path.stem)
def test_the_models_get_what_they_deserve(path):
    found = [(problem.code, problem.path) for problem in lint(subject(path.name, MODELS))]
    squared = json.loads(path.read_text()).get("loss")
    behind_sigmoid = isinstance(squared, dict) and squared["op"] == "squared_error"
    assert found == ([("NBN903", ("loss",))] if behind_sigmoid else [])


OF_LOSSES = [name for name in WARNED if name[:3] in ("903", "904", "905", "906") and WARNED[name][1] != "train"]


@pytest.mark.parametrize("name", OF_LOSSES)
def test_the_loss_of_the_hint_mends_it(name):
    code, _, _, document = WARNED[name]
    hint = next(problem.hint for problem in lint(subject(document)) if problem.code == code)
    if '"loss": ' not in hint:
        assert "linear node" in hint
        return
    loss, _ = json.JSONDecoder().raw_decode(hint[hint.index('"loss": ') + len('"loss": ') :])
    assert codes({**copy.deepcopy(document), "loss": loss}) == []


def hint_of(name):
    """The hint of a case that is warned of."""
    code, where, _, document = WARNED[name]
    return next(p.hint for p in lint(subject(document)) if (p.code, p.where) == (code, where))


def test_a_metric_of_the_hint_mends_it():
    name = "906 each class counted by itself"
    assert '"accuracy"' in hint_of(name)
    assert codes({**WARNED[name][3], "train": {"metrics": ["accuracy"]}}) == []


def test_the_axis_of_the_hint_mends_it():
    assert '"axis": -1' in hint_of("907 over the examples")
    assert codes(classes(linear(3), op("softmax", axis=-1))) == []


@pytest.mark.parametrize("name", [name for name in WARNED if name.startswith("917")])
def test_the_inputs_of_the_hint_turn_a_loss_round(name):
    document = WARNED[name][3]
    inputs = json.loads(hint_of(name).removeprefix('"inputs": '))
    assert inputs == document["loss"]["inputs"][::-1]
    assert codes({**document, "loss": {**document["loss"], "inputs": inputs}}) == []


def test_of_a_loss_that_is_the_same_either_way_that_is_said():
    for name, same in (("917 a crossentropy", False), ("917 a distance", True)):
        (problem,) = (p for p in lint(subject(WARNED[name][3])) if p.code == "NBN917")
        assert ("the same either way" in problem.notes[1]) is same


@pytest.mark.parametrize(
    "name", [name for name, case in WARNED.items() if case[0] == "NBN918" and case[2][0] == "nodes"]
)
def test_the_inputs_of_the_hint_mend_a_leak(name):
    _, where, _, document = WARNED[name]
    inputs = json.loads(hint_of(name).partition('"inputs": ')[2])
    nodes = [
        {**node, "inputs": inputs} if node.get("name", where) == where else node for node in document["nodes"]
    ]
    assert "NBN913" not in codes(document)
    assert "NBN918" not in codes({**document, "nodes": nodes})


def test_what_takes_two_operands_is_to_read_another_second():
    document = chain(linear(name="a", inputs="x"), op("add", inputs=["a", "y"]))
    (problem,) = lint(subject(document))
    assert (problem.where, problem.hint) == ("n1", 'let "n1" read something else than "y"')


def test_without_the_document_a_leak_is_told_too():
    full = subject(WARNED["918 inputs left out"][3])
    found = [(problem.code, problem.where) for problem in lint(Subject(full.graph))]
    assert found == [("NBN918", "n0")]


@pytest.mark.parametrize(
    ("columns", "hint"),
    [
        ({"x": ["a", "b"], "y": "b"}, '"x": ["a"], and "shape": ["N", 1]'),
        ({"x": {"column": ["a", "b"], "standardize": True}, "y": "b"}, '"column": ["a"], and'),
        ({"y": "b"}, '"columns": ["a"], and'),
        ({"x": "b", "y": "b"}, ""),
        ({"x": "b", "y": ["b", "c"]}, 'read other columns as "x"'),
    ],
)
def test_a_column_of_the_target_is_left_out_of_the_input(columns, hint):
    width = 1 if columns.get("x") == "b" else 2
    given = {"columns": ["a", "b"]} if "x" not in columns else {}
    y = [[0.0] * (2 if isinstance(columns["y"], list) else 1)]
    document = chain(linear(len(y[0])), x=[[0.0] * width], y=y, x_more=given)
    found = lint(subject({**document, "data": {"csv": "none.csv", "columns": columns}}))
    assert [hint in problem.hint for problem in found if problem.code == "NBN918"] == [True] * bool(hint)


@pytest.mark.parametrize("name", [name for name in WARNED if name.startswith("919")])
def test_the_shapes_of_the_hint_give_a_batch(name):
    inputs, _ = json.JSONDecoder().raw_decode(hint_of(name).removeprefix('"inputs": '))
    assert inputs == {"x": {"shape": ["N", 2]}, "y": {"shape": ["N", 1]}}
    assert codes({**WARNED[name][3], "inputs": inputs, "data": {"values": ALL}}) == []


def test_a_constant_column_is_told_with_its_number():
    assert "column 1 (always 0)" in lint(subject(WARNED["916 a column of zeros"][3]))[0].message
    assert '"b" (always 3)' in lint(subject(WARNED["916 a column beside the bias"][3]))[0].message
    minus = chain(linear(), x=[[a, -0.0] for a, _ in X])
    assert "(always 0)" in lint(subject(minus))[0].message


def test_of_a_training_without_epochs_only_that_is_said():
    document = chain(*TWO, train={"epochs": 0, "shuffle": True, "log_every": 5})
    assert [problem.path for problem in lint(subject(document))] == [("train", "epochs")]


def test_a_harmless_log_softmax_is_called_so():
    problems = lint(subject(WARNED["905 log_softmax"][3]))
    assert "no harm" in problems[0].notes[0]
    wrong = binary(linear(3), op("log_softmax"), logits=True, y=ONE_HOT)
    assert "at most ½" in lint(subject(wrong))[0].notes[0]


def test_what_holds_a_gradient_up_is_named():
    (problem,) = lint(subject(WARNED["915 times 0"][3]))
    assert '"m" (multiply)' in problem.notes[0]
    alone = next(p for p in lint(subject(WARNED["915 only an output"][3])) if p.code == "NBN915")
    assert "No path" in alone.notes[0]
    assert "weight and bias" in alone.message


def test_what_holds_a_gradient_up_is_named_from_afar():
    nodes = [("s", "square", "a"), ("m", "multiply", ["s", "z"]), ("l", "add", ["m", "b"])]
    leaves = {"parameters": {"a": {"value": 2}, "b": {"value": 5}}, "constants": {"z": 0}}
    (problem,) = lint(subject(graph(nodes, **leaves)))
    assert (problem.where, '"m" (multiply)' in problem.notes[0]) == ("a", True)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("902 zeros before a relu", "exactly 0"),
        ("902 zeros before a sigmoid", 'Only the first weights of "n2"'),
        ("902 ones, and equal weights behind", "never breaks"),
    ],
)
def test_equal_units_part_late_or_never(name, words):
    assert words in lint(subject(WARNED[name][3]))[0].notes[0]


def test_a_single_example_is_told_from_a_constant_column():
    assert "a single example" in lint(subject(WARNED["916 one example"][3]))[0].message
    assert "column 1 never changes" in lint(subject(WARNED["916 a constant column"][3]))[0].message


def test_one_class_is_spoken_of_once():
    assert codes(classes(linear(), op("softmax"), y=[[1]] * 12)).count("NBN907") == 1


def test_the_key_of_what_is_unused_is_meant():
    (problem,) = lint(subject(WARNED["913 an input"][3]))
    assert problem.of_key
    assert any("in vain" in note for note in problem.notes)


def test_a_named_loss_is_shown_where_it_stands():
    document = chain(linear(), op("sigmoid"), y=BITS)
    document["nodes"].append({"name": "cost", **document["loss"]})
    document["loss"] = "cost"
    (problem,) = lint(subject(document))
    assert (problem.where, problem.path) == ("cost", ("nodes", "cost"))
    assert json.loads(problem.hint[problem.hint.index("{") :])["name"] == "cost"


def test_a_loss_that_is_only_an_output_is_left_alone():
    document = chain(linear(), op("sigmoid"), y=BITS, loss="binary_crossentropy", outputs=["n1", "watched"])
    document["nodes"].append({"name": "watched", "op": "squared_error", "inputs": ["n1", "y"]})
    assert codes(document) == []


def test_without_values_and_data_the_rules_on_them_say_nothing():
    document = {
        **chain(linear(3, weight="zeros"), op("tanh"), linear(), **tall(YEARS)),
        "train": {"batch_size": 99},
    }
    full = subject(document)
    assert {problem.code for problem in lint(full)} == {"NBN902", "NBN909", "NBN911"}
    assert lint(replace(full, flat=None, data={})) == []
    assert lint(Subject(full.graph)) == []


def test_the_split_is_that_of_the_training():
    document = chain(*TWO, train={"validation": {"fraction": 0.25}})
    first, second = replace(subject(document), seed=Seed(3)).parts
    assert (len(first), len(second)) == (9, 3)
    model = nbn_spec.compile(document, seed=3)
    held = model.trainer().validation
    assert held is not None
    assert held.examples == len(second)
    assert sorted([*first, *second]) == list(range(12))


def held_back_document(x, y=None):
    y = np.arange(40.0)[:, None].tolist() if y is None else y
    return chain(STANDARD, linear(), x=x, y=y, train={"validation": {"fraction": 0.25}})


def test_a_column_that_varies_in_the_held_back_part_alone_is_constant():
    _, second = subject(held_back_document(np.arange(40.0)[:, None].tolist())).parts
    x = np.column_stack([np.arange(40.0), np.isin(np.arange(40), second[:2])])
    assert codes(held_back_document(x.tolist())) == ["NBN916"]


@pytest.mark.parametrize(("twins", "expected"), [(1, []), (2, ["NBN912"]), (9, ["NBN912"])])
def test_one_row_in_both_parts_is_no_leak_and_two_of_ten_are(twins, expected):
    first, second = subject(held_back_document(np.arange(40.0)[:, None].tolist())).parts
    x = np.random.default_rng(2).normal(size=(40, 3))
    y = np.arange(40.0)[:, None]
    x[second[:twins]], y[second[:twins]] = x[first[:twins]], y[first[:twins]]
    assert codes(held_back_document(x.tolist(), y.tolist())) == expected


def test_an_empty_part_is_no_business_of_the_lint():
    full = subject(chain(*TWO))
    training = Training(validation=Validation(fraction=0.01))
    assert [len(part) for part in replace(full, training=training).parts] == [12, 0]


@pytest.mark.parametrize("seed", range(5))
def test_iris_has_too_few_twins_to_speak_of(seed):
    document = json.loads((MODELS / "iris.json").read_text())
    document["data"]["csv"] = str(MODELS / "data" / "iris.csv")
    document["train"]["validation"] = {"fraction": 0.2}
    model = nbn_spec.compile(document, allow_outside=True)
    full = Subject(model.graph, model.training, model.flat, Seed(seed), model.data(), document)
    assert lint(full) == []


def test_the_hint_for_pixels_is_the_scale(tmp_path):
    np.savez(tmp_path / "d.npz", x=PIXELS, y=np.array(REAL))
    document = {**chain(linear(), x=PIXELS.tolist()), "data": {"npz": "d.npz"}}
    (tmp_path / "m.json").write_text(json.dumps(document))
    (problem,) = lint(subject("m.json", tmp_path))
    scale = re.search(r'"scale": ([\d.]+)', problem.hint)
    assert scale is not None
    assert float(scale[1]) == pytest.approx(1 / 255, rel=1e-3)


def test_columns_are_named_as_the_input_names_them():
    (problem,) = lint(subject(WARNED["909 years"][3]))
    assert '"b" goes from 1950 to 1961' in problem.message


def test_large_data_is_sampled_and_measured_in_blocks(monkeypatch):
    monkeypatch.setattr(columns, "SAMPLE", 100)
    monkeypatch.setattr(columns, "BLOCK", 64)
    array = np.random.default_rng(0).normal(5, 2, size=(1000, 3))
    parts = list(columns.blocks(array))
    np.testing.assert_array_equal(np.concatenate(parts), array[::10])
    assert max(part.size for part in parts) <= 64
    held = columns.columns_of(array)
    np.testing.assert_allclose(held.mean, array[::10].mean(0))
    np.testing.assert_allclose(held.deviation, array[::10].std(0))
    np.testing.assert_array_equal(held.spread, np.ptp(array[::10], axis=0))
    rows = np.arange(0, 1000, 20)
    np.testing.assert_allclose(columns.columns_of(array, rows).mean, array[rows].mean(0))


def test_the_deviation_of_large_numbers_keeps_its_digits():
    array = 1e9 + np.arange(10.0)[:, None]
    np.testing.assert_allclose(columns.columns_of(array).deviation, array.std(0))


def test_rows_are_compared_by_their_bytes():
    x, y = np.array([[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]]), np.array([3, 3, 4])
    hashes = columns.row_hashes([x, y], np.arange(3))
    assert hashes[0] == hashes[1] != hashes[2]


def test_the_bits_of_a_table_do_not_grow_with_its_length():
    assert columns.bits([TABLE], 1e9) == pytest.approx(2)
    assert columns.bits([np.tile(TABLE, (50, 1))], 1e9) == pytest.approx(2)


UNARY = [
    "sigmoid",
    "tanh",
    "relu",
    "leaky_relu",
    "elu",
    "selu",
    "softplus",
    "softsign",
    "gelu",
    "silu",
    "sin",
    "cos",
    "identity",
    "softmax",
    "log_softmax",
    "negative",
    "square",
    "sqrt",
    "exp",
    "log",
    "absolute",
    "sum",
    "mean",
    "max",
    "transpose",
    "flatten",
]
BINARY = ["add", "subtract", "multiply", "maximum", "minimum", "divide", "power", "matmul"]


@pytest.mark.parametrize("first", ["identity", "sigmoid", "tanh", "relu", "negative", "log_softmax"])
@pytest.mark.parametrize("word", UNARY + BINARY)
def test_no_value_leaves_its_range(first, word):
    nodes = [("h", first, "p"), ("n", word, "h" if word in UNARY else ["h", "q"])]
    for bounds in ((-3, 3), (0.5, 2), (-2, -0.5)):
        values = np.random.default_rng(1).uniform(*bounds, (4, 4)).tolist()
        leaves = {"p": {"value": values, "trainable": False}, "q": {"value": values[::-1], "trainable": False}}
        document = graph([*nodes, ("s", "sum", "n"), ("l", "square", "s")], parameters=leaves, outputs=["n"])
        full = subject({key: value for key, value in document.items() if key != "loss"})
        with np.errstate(all="ignore"):
            found = nbn_spec.compile(full.written).predict()
        bound = ranges(full)["n"]
        assert np.all((found >= bound.low - 1e-9) & (found <= bound.high + 1e-9) | np.isnan(found)), bound


@settings(max_examples=60, deadline=None)
@given(graphs.specs())
def test_in_any_graph_values_keep_to_their_ranges_and_gradients_to_their_reach(spec):
    full, model = subject(spec), nbn_spec.compile(spec)
    data = graphs.data(np.random.default_rng(0), 3)
    with np.errstate(all="ignore"):
        trace = model.trace({item.name: data[item.name] for item in model.graph.inputs})
    bounds = ranges(full)
    for name in model.graph.forward_order:
        values, bound = trace.values.get(name, np.nan), bounds[name]
        assert np.all((values >= bound.low - 1e-6) & (values <= bound.high + 1e-6) | np.isnan(values)), (
            name,
            bound,
        )
    reached, _ = reach(full, bounds)
    for name in full.trainable - reached:
        assert not np.nan_to_num(trace.gradients[name]).any(), name


def ladder(count):
    """A graph of ``count`` nodes: linear layers, activations, copies, and each sum read by the next step twice."""
    nodes, parameters, last = [], [], "x"
    for i in range(count // 4):
        weight = Parameter(f"a{i}/weight", (2, 2), True, GlorotUniform())
        parameters.append(weight)
        nodes.append(Node(f"a{i}", Linear(2, bias=False), (last,), {"weight": weight.name}, ("N", 2)))
        nodes.append(Node(f"b{i}", Identity(), (f"a{i}",), {}, ("N", 2)))
        nodes.append(Node(f"c{i}", Relu(), (f"b{i}",), {}, ("N", 2)))
        nodes.append(Node(f"d{i}", Add(), (f"c{i}", last), {}, ("N", 2)))
        last = f"d{i}"
    nodes.append(Node("l", MeanSquaredError(), (last, "y"), {}, ()))
    inputs = (Input("x", ("N", 2)), Input("y", ("N", 2)))
    return Graph("ladder", "float64", inputs, (), tuple(parameters), tuple(nodes), (last,), "l")


def calls_of(count):
    """How many functions are called to lint a graph of so many nodes."""
    made = ladder(count)
    data = {"x": np.array(X), "y": np.array(X)}
    full = Subject(made, Training(), RNG.normal(size=count), data=data)
    seen = 0

    def count_call(frame, event, argument):
        nonlocal seen
        seen += event in ("call", "c_call")

    sys.setprofile(count_call)
    try:
        found = lint(full)
    finally:
        sys.setprofile(None)
    assert found == []
    return seen


def test_the_work_grows_with_the_nodes_and_no_faster():
    short, long = calls_of(1000), calls_of(10_000)
    assert long < 10.5 * short
    assert long < 10_000 * 300
