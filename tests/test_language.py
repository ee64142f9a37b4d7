"""Specs that are odd but good mean what they should; very long ones are read in linear time."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from documents import GOOD, Document, drop, good, places, put
from pydantic import ValidationError

import nbn_spec
from nbn_spec import spec
from nbn_spec.compiler import graph_of
from nbn_spec.errors import GraphError, NbnError, SpecError
from nbn_spec.spec import schema


def test_nodes_in_any_order_mean_the_same() -> None:
    straight = nbn_spec.compile(
        good(*(put(f"/nodes/{i}/inputs", name) for i, name in enumerate(["x", "z1", "a1", "z2"])))
    )
    document = good(*(put(f"/nodes/{i}/inputs", name) for i, name in enumerate(["x", "z1", "a1", "z2"])))
    document["nodes"].reverse()
    shuffled = nbn_spec.compile(document)
    assert (
        shuffled.graph.forward_order
        == straight.graph.forward_order
        == ("z1", "a1", "z2", "y_hat", "squared_error_1")
    )
    assert shuffled.graph.parameters == straight.graph.parameters
    np.testing.assert_array_equal(shuffled.flat, straight.flat)


def test_default_names_and_inputs() -> None:
    model = nbn_spec.compile(
        {
            "name": "defaults",
            "inputs": {"x": {"shape": ["N", 2]}, "y": {"shape": ["N", 2]}},
            "nodes": [
                {"op": "relu"},
                {"op": "relu", "name": "relu_2"},
                {"op": "relu"},
                {"op": "add", "inputs": ["x", "y"]},
            ],
            "outputs": ["relu_3", "add_1"],
        }
    )
    inputs = {node.name: node.inputs for node in model.graph.nodes}
    assert inputs == {"relu_1": ("x",), "relu_2": ("relu_1",), "relu_3": ("relu_2",), "add_1": ("x", "y")}


def test_numbers_that_are_whole() -> None:
    document = good(put("/nodes/0/units", 3.0), put("/inputs/x/shape", ["N", 2.0]), put("/train/epochs", 2.0))
    model = nbn_spec.compile({**document, "version": 1.0, "seed": 3.0})
    assert model.graph.shape("z1") == ("N", 3)
    assert model.training.epochs == 2
    assert nbn_spec.compile(good(put("/nodes/0/units", np.int64(3)))).graph == nbn_spec.compile(GOOD).graph


def test_doc_may_stand_in_every_object() -> None:
    def document_all(value: Any, key: str = "") -> Any:
        if isinstance(value, list):
            return [document_all(item) for item in value]
        if not isinstance(value, dict):
            return value
        doc = {} if key in ("inputs", "constants", "values") else {"doc": "what this is for"}
        return {**{name: document_all(item, name) for name, item in value.items()}, **doc}

    written = document_all(good(put("/seed", {"value": 1}), put("/nodes/0/bias", {"value": [1, 2, 3]})))
    assert written["nodes"][0]["bias"]["doc"]
    model, plain = (
        nbn_spec.compile(written),
        nbn_spec.compile(good(put("/seed", 1), put("/nodes/0/bias", {"value": [1, 2, 3]}))),
    )
    assert model.graph == plain.graph
    np.testing.assert_array_equal(model.flat, plain.flat)
    assert model.training == plain.training


def test_doc_is_a_name_like_any_other(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("kind,truth\ndoc,1\nno,0\n")
    document: Document = {
        "name": "doc",
        "doc": "what this is for",
        "inputs": {"doc": {"shape": ["N", 1], "doc": "an input"}, "y": {"shape": ["N", 1]}},
        "parameters": {"p": {"value": 1}},
        "constants": {"c": 1},
        "nodes": [{"op": "linear", "name": "out", "units": 1, "inputs": "doc", "doc": "a node"}],
        "outputs": ["out"],
        "loss": {"op": "squared_error", "inputs": ["out", "y"]},
        "data": {
            "csv": "a.csv",
            "columns": {"doc": {"column": "kind", "map": {"doc": 1, "no": 2}, "doc": "words"}, "y": "truth"},
        },
    }
    (tmp_path / "m.json").write_text(json.dumps(document))
    model = nbn_spec.compile(tmp_path / "m.json")
    np.testing.assert_array_equal(model.data()["doc"], [[1], [2]])
    assert model.spec["data"]["columns"]["doc"] == {
        "column": "kind",
        "map": {"doc": 1, "no": 2},
        "scale": 1.0,
        "standardize": False,
    }
    assert model.spec["nodes"][0]["doc"] == "a node"
    values = {"values": {"doc": [[3], [4]], "y": [[0], [1]]}}
    np.testing.assert_array_equal(nbn_spec.compile({**document, "data": values}).data()["doc"], [[3], [4]])


def test_names_of_expanded_nodes_may_be_read() -> None:
    document = good(
        put(
            "/nodes",
            [
                {"op": "dense", "name": "h", "units": 1, "activation": "tanh"},
                {"op": "square", "name": "y_hat", "inputs": "h/linear"},
                {"op": "mean", "name": "cost", "inputs": ["h/linear"]},
            ],
        ),
        put("/outputs", ["h/linear", "y_hat"]),
        put("/loss/inputs", ["h/linear", "y"]),
        put("/train/metrics", [{"name": "binary_accuracy", "output": "h/linear"}]),
    )
    model = nbn_spec.compile(document)
    assert model.graph.outputs == ("h/linear", "y_hat")
    assert model.graph.by_name["y_hat"].inputs == ("h/linear",)
    assert model.evaluate().keys() == {"loss", "binary_accuracy"}
    schema.check(document)
    spread = good(put("/nodes", [{"op": "dense", "name": "h", "units": 1, "activation": "tanh"}]))
    spread |= {"loss": "h/linear", "outputs": ["h"]}
    with pytest.raises(GraphError, match=r'"h/linear" has shape \[N, 1\], but must be a scalar'):
        nbn_spec.compile(spread)
    with pytest.raises(SpecError, match="and / in the names of what was expanded"):
        nbn_spec.compile(good(put("/outputs", ["h//linear"])))


def test_an_op_s_own_initializer_can_be_frozen() -> None:
    written = good(put("/nodes/0", {"op": "linear", "name": "z1", "units": 3, "weight": {"trainable": False}}))
    model, plain = nbn_spec.compile(written), nbn_spec.compile(good(drop("/nodes/0/weight")))
    assert not model.graph.leaves["z1/weight"].trainable
    assert model.graph.leaves["z1/weight"].init == plain.graph.leaves["z1/weight"].init
    np.testing.assert_array_equal(model.parameters["z1/weight"], plain.parameters["z1/weight"])
    assert nbn_spec.compile(model.spec).graph == model.graph


def test_optimizer_and_metric_as_bare_names() -> None:
    training = nbn_spec.compile(good(put("/train/optimizer", "adam"))).training
    assert training.optimizer.to_json() == {
        "learning_rate": 0.001,
        "beta_1": 0.9,
        "beta_2": 0.999,
        "epsilon": 1e-8,
    }
    assert nbn_spec.compile(good(drop("/train"))).training.optimizer.word() == "sgd"


def test_dense_is_sugar() -> None:
    document = good(
        put(
            "/nodes",
            [
                {"op": "dense", "name": "h", "units": 3, "activation": "tanh"},
                {"op": "dense", "name": "y_hat", "units": 1},
            ],
        )
    )
    model = nbn_spec.compile(document)
    assert [(n.name, n.op.word(), n.inputs) for n in model.graph.nodes[:3]] == [
        ("h/linear", "linear", ("x",)),
        ("h", "tanh", ("h/linear",)),
        ("y_hat", "linear", ("h",)),
    ]
    assert set(model.parameters) == {"h/linear/weight", "h/linear/bias", "y_hat/weight", "y_hat/bias"}


def test_exact_weights_say_the_units() -> None:
    weight = [[0.1, 0.6], [0.2, 0.3]]
    model = nbn_spec.compile(good(drop("/nodes/0/units"), put("/nodes/0/weight", {"value": weight})))
    assert model.graph.shape("z1") == ("N", 2)
    np.testing.assert_array_equal(model.parameters["z1/weight"], np.float32(weight))


def test_frozen_and_missing_parameters() -> None:
    model = nbn_spec.compile(
        good(put("/nodes/0/weight", {"init": "he", "trainable": False}), put("/nodes/0/bias", False))
    )
    assert "z1/bias" not in model.parameters
    assert {p.name: p.trainable for p in model.graph.parameters} == {
        "z1/weight": False,
        "z2/weight": True,
        "z2/bias": True,
    }
    frozen = model.parameters["z1/weight"].copy()
    trained = model.parameters["z2/weight"].copy()
    model.fit()
    np.testing.assert_array_equal(model.parameters["z1/weight"], frozen)
    assert not np.array_equal(model.parameters["z2/weight"], trained)


def test_a_graph_of_constants_and_parameters_alone() -> None:
    model = nbn_spec.compile(
        {
            "name": "three_equations",
            "dtype": "float64",
            "parameters": {"a": {"value": 2}, "b": {"value": 5}},
            "constants": {"five": 5},
            "nodes": [
                {"name": "e", "op": "multiply", "inputs": ["c", "d"]},
                {"name": "c", "op": "multiply", "inputs": ["a", "b"]},
                {"name": "d", "op": "add", "inputs": ["b", "five"]},
            ],
            "outputs": ["e"],
            "loss": "e",
        }
    )
    loss, gradients = model.gradients()
    assert (loss, model.predict()) == (100, 100)
    assert gradients == {"a": 50, "b": 30}


def test_feature_crosses() -> None:
    model = nbn_spec.compile(
        good(
            put("/nodes", [{"op": "feature_cross", "name": "y_hat", "terms": ["x1", "x1^2*x2"]}]),
            drop("/loss"),
            drop("/train"),
        )
    )
    np.testing.assert_array_equal(model.predict([[2, 3], [-1, 5]]), [[2, 12], [-1, 5]])


def test_seed_of_the_call() -> None:
    first, second = nbn_spec.compile(good(put("/seed", 7))), nbn_spec.compile(GOOD, seed=7)
    np.testing.assert_array_equal(first.flat, second.flat)
    np.testing.assert_array_equal(first.flat, nbn_spec.compile(GOOD, seed=np.int64(7)).flat)
    assert json.dumps(nbn_spec.compile(GOOD, seed=np.int64(7)).spec["seed"])
    for wrong in (-1, True, 2**32, 10**5000, 1.0, "3"):
        with pytest.raises(SpecError, match="whole number from 0"):
            nbn_spec.compile(GOOD, seed=wrong)  # type: ignore[arg-type]


def test_tuples_are_lists_and_sets_are_not() -> None:
    document = good(
        put("/inputs/x/shape", ("N", 2)),
        put("/outputs", ("y_hat",)),
        put("/nodes/0/inputs", ("x",)),
        put("/train/metrics", ("binary_accuracy",)),
    )
    document["nodes"] = tuple(document["nodes"])
    assert nbn_spec.compile(document).graph == nbn_spec.compile(GOOD).graph
    assert spec.Input(shape=("N", 2)) == spec.Input(shape=["N", 2])
    with pytest.raises(SpecError, match="a list"):
        nbn_spec.compile(good(put("/outputs", {"y_hat"})))


def test_the_graph_of_a_spec_without_its_numbers() -> None:
    graph, canonical = graph_of(GOOD)
    assert graph == nbn_spec.compile(GOOD).graph
    assert canonical.to_json() == nbn_spec.compile(GOOD).spec


def test_specs_built_in_python_are_the_documents_written_by_hand() -> None:
    built = spec.ModelSpec(
        name="good",
        inputs={"x": spec.Input(shape=["N", 2], columns=["x1", "x2"]), "y": spec.Input(shape=["N", 1])},
        nodes=[
            spec.Linear(name="z1", inputs="x", units=3, weight="xavier"),
            spec.Sigmoid(name="a1"),
            spec.Linear(name="z2", units=1),
            spec.Sigmoid(name="y_hat"),
        ],
        constants={"s": 2},
        outputs=["y_hat"],
        loss=spec.SquaredError(inputs=["y_hat", "y"]),
        data=spec.ValuesData(values={"x": [[0, 0], [0, 1]], "y": [[0], [1]]}),
        train=spec.Train(epochs=2, optimizer=spec.Sgd(learning_rate=1.0), metrics=["binary_accuracy"]),
    )
    assert built.to_json() == GOOD
    for text in (built.model_dump_json(), built.model_dump_json(exclude_defaults=True)):
        assert nbn_spec.compile(json.loads(text)).spec == nbn_spec.compile(GOOD).spec
    assert nbn_spec.compile(built).graph == nbn_spec.compile(GOOD).graph
    with pytest.raises(GraphError) as caught:
        nbn_spec.compile(built.model_copy(update={"outputs": ["yhat"]}))
    assert places(caught.value) == [("NBN201", "/outputs/0")]


def test_words_and_keys_survive_every_way_to_write_a_spec() -> None:
    built = spec.ModelSpec(
        **{"$schema": "s.json"},  # type: ignore[arg-type]
        name="part",
        nodes=[spec.Linear(units=1, weight=spec.ConstantInit(constant=0.0))],
        outputs=["linear_1"],
        train=spec.Train(optimizer=spec.Adam(), metrics=[spec.Accuracy()]),
    )
    brief = json.loads(built.model_dump_json(exclude_defaults=True))
    assert brief == {
        "$schema": "s.json",
        "name": "part",
        "nodes": [{"op": "linear", "units": 1, "weight": {"init": "constant", "constant": 0.0}}],
        "outputs": ["linear_1"],
        "train": {"optimizer": {"name": "adam"}, "metrics": [{"name": "accuracy"}]},
    }
    assert brief == built.to_json()
    with pytest.raises(ValidationError):
        spec.ModelSpec(schema_="s.json", name="part", nodes=[spec.Relu()], outputs=["r"])  # type: ignore[call-arg]


def test_the_canonical_spec_is_a_spec_and_its_own_canonical_form() -> None:
    canonical = nbn_spec.compile(good(put("/nodes/0", {"op": "linear", "units": 3, "bias": False}))).spec
    assert nbn_spec.compile(canonical).spec == canonical
    schema.check(canonical)


def chain(count: int) -> Document:
    return {
        "name": "chain",
        "inputs": {"x": {"shape": ["N", 2]}},
        "nodes": [
            {"op": "identity", "name": f"n{i}", "inputs": f"n{i + 1}" if i + 1 < count else "x"}
            for i in range(count)
        ],
        "outputs": ["n0"],
    }


def test_a_chain_of_fifty_thousand_nodes_compiles_and_runs() -> None:
    model = nbn_spec.compile(chain(50_000))
    np.testing.assert_array_equal(model.predict([[1, 2]]), [[1, 2]])


def profiled(document: Document, note: Any) -> None:
    """Compile with ``note`` called at each call of a function."""
    sys.setprofile(note)
    try:
        nbn_spec.compile(document)
    finally:
        sys.setprofile(None)


def calls(count: int, **wrong: Any) -> int:
    """How many functions are called to complain of so many nodes."""
    document, counted = chain(count), 0
    document["nodes"] = [{**node, **wrong} for node in document["nodes"]]

    def note(frame: object, event: str, argument: object) -> None:
        nonlocal counted
        counted += event in ("call", "c_call")

    with pytest.raises(NbnError) as caught:
        profiled(document, note)
    assert len(caught.value.problems) >= count
    return counted


@pytest.mark.parametrize(
    "wrong", [{"inputs": "none"}, {"unit": 1}, {"op": "idenity"}, {"op": "sum", "inputs": "x", "axis": 9}], ids=str
)
def test_complaining_takes_linear_time(wrong: dict[str, Any]) -> None:
    """Eight times the nodes take about eight times the calls; were it quadratic, it would be 64 times."""
    assert calls(2400, **wrong) < 12 * calls(300, **wrong)
