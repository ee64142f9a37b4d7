"""Predicting at once: sound data gives what it gives after a full check, and any other is refused as ever."""

from __future__ import annotations

import contextvars
import gc
import re
import weakref
from pathlib import Path

import numpy as np
import pytest

import nbn_spec
from nbn_spec.predictor import Predictors

MODELS = Path(__file__).parent.parent / "models"


def two_inputs(**more):
    return nbn_spec.compile(
        {
            "name": "two",
            "dtype": "float32",
            "inputs": {"a": {"shape": ["N", 2]}, "b": {"shape": ["N", 3]}, **more},
            "nodes": [
                {"name": "c", "op": "concatenate", "inputs": ["a", "b"]},
                {"name": "y", "op": "linear", "units": 2},
                {"name": "z", "op": "tanh", "inputs": "y"},
            ],
            "outputs": ["y", "z"],
        }
    )


def one_input():
    nodes = [{"name": "y", "op": "linear", "inputs": "x", "units": 2}]
    inputs = {"x": {"shape": ["N", 3]}}
    return nbn_spec.compile(
        {"name": "one", "dtype": "float32", "inputs": inputs, "nodes": nodes, "outputs": ["y"]}
    )


def warm(model, data):
    """The model after it has predicted from data of these shapes."""
    model.predict(data)
    return model


ROWS = np.random.default_rng(1).standard_normal((4, 3))


@pytest.mark.parametrize(
    "data",
    [
        ROWS,
        ROWS.astype(np.float32),
        ROWS.astype(np.float16),
        (10 * ROWS).astype(np.int64),
        (10 * np.abs(ROWS)).astype(np.uint8),
        ROWS > 0,
        ROWS[:, ::-1],
        np.asfortranarray(ROWS),
        ROWS.astype(">f8"),
        np.broadcast_to(ROWS[:1], (4, 3)),
    ],
    ids=str,
)
def test_arrays_of_any_kind_of_number(data):
    """The first prediction takes the long way, the second the short one."""
    fresh, model = one_input(), warm(one_input(), ROWS)
    assert model._predictors._given(data)
    found = model.predict(data)
    np.testing.assert_array_equal(found, fresh.predict(data))
    np.testing.assert_array_equal(model.predict({"x": data}), found)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39])
def test_numbers_that_are_not_finite_in_the_models_dtype(bad):
    data = ROWS.copy()
    data[2, 1] = bad
    complaints = []
    for model in (one_input(), warm(one_input(), ROWS)):
        with pytest.raises(nbn_spec.DataError, match=re.escape("must be finite in float32: [2, 1] is")) as caught:
            model.predict(data)
        complaints.append(str(caught.value))
        model.predict(ROWS)  # and goes on working
    assert complaints[0] == complaints[1]


def test_large_numbers_whose_squares_leave_the_finite():
    data = ROWS * 1e30
    np.testing.assert_array_equal(warm(one_input(), ROWS).predict(data), one_input().predict(data))


@pytest.mark.parametrize(
    "data",
    [
        [[1, 2, 3]] * 4,
        np.ma.masked_array(ROWS, False),
        ROWS.astype(object),
        ROWS + 0j,
        ROWS[:, :2],
        ROWS[0],
        {"z": ROWS},
        {"x": ROWS, "z": ROWS},
        {},
        None,
        "text",
        np.array(list("abc")),
    ],
    ids=str,
)
def test_anything_else_takes_the_long_way(data):
    model, fresh = warm(one_input(), ROWS), one_input()
    assert model._predictors.at_once(data) is None
    try:
        expected = fresh.predict(data)
    except nbn_spec.NbnError as error:
        with pytest.raises(type(error), match=re.escape(str(error).splitlines()[0])):
            model.predict(data)
    else:
        np.testing.assert_array_equal(model.predict(data), expected)


def test_several_inputs_and_outputs():
    data = {"a": ROWS[:, :2], "b": ROWS}
    fresh, model = two_inputs(), warm(two_inputs(), data)
    again = {"b": data["b"] * 2, "a": data["a"]}
    found, right = model.predict(again), fresh.predict(again)
    assert [*found] == ["y", "z"]
    for name in found:
        np.testing.assert_array_equal(found[name], right[name])
    with pytest.raises(nbn_spec.DataError, match="N is 4 here, but 3"):
        model.predict({"a": data["a"][:3], "b": data["b"]})
    with pytest.raises(nbn_spec.DataError, match=r'"b": is needed|NBN306'):
        model.predict({"a": data["a"]})
    bad = {"a": data["a"], "b": np.full_like(data["b"], np.nan)}
    with pytest.raises(nbn_spec.DataError, match="must be finite"):
        model.predict(bad)


def test_copies_are_counted_before_they_are_made():
    """Rows that take no memory, in another dtype or not one behind the other, would have to be copied."""
    model = one_input()
    model.max_memory = 2**21
    for rows in (np.broadcast_to(np.float32(0), (10**12, 3)), np.zeros((10**6, 3), np.int8)):
        with pytest.raises(nbn_spec.GraphError, match=r"NBN209.* x: as float32 its .* numbers need"):
            model.predict(rows)


def test_idle_predictors_stay_within_the_limit():
    """Several threads may have some at once."""
    model = nbn_spec.Model(one_input().graph, one_input().flat, max_memory=2**16)
    model.predict(ROWS)
    predictor = model._predictors.take(((4, 3),))
    for _ in range(1000):
        model._predictors.give(predictor, model.max_memory)
    assert 0 < model._predictors.size() <= 2**16


class Held:
    """Something that a caller keeps in a context variable."""


def test_a_predictor_keeps_nothing_of_the_callers_context():
    variable = contextvars.ContextVar("request")
    model, held = one_input(), Held()
    watch = weakref.ref(held)

    def predict(kept):
        variable.set(kept)
        model.predict(ROWS)

    contextvars.Context().run(predict, held)
    del held
    gc.collect()
    assert watch() is None
    assert model._predictors.size() > 0


def test_predictions_do_not_share_memory():
    model = warm(one_input(), ROWS)
    first = model.predict(ROWS)
    kept = first.copy()
    model.predict(-ROWS)
    np.testing.assert_array_equal(first, kept)


def test_class_numbers_and_bounded_values_are_always_checked():
    loss = {"name": "cost", "op": "sparse_categorical_crossentropy", "from_logits": True}
    model = nbn_spec.compile(
        {
            "name": "cost",
            "inputs": {"x": {"shape": ["N", 3]}, "label": {"shape": ["N"], "dtype": "int64"}},
            "nodes": [{"name": "y", "op": "linear", "inputs": "x", "units": 3}],
            "loss": {**loss, "inputs": ["y", "label"]},
            "outputs": ["cost"],
        }
    )
    assert not Predictors(model.graph, model.graph.inputs).plain
    data = {"x": ROWS, "label": np.array([0, 1, 2, 0])}
    np.testing.assert_array_equal(model.predict(data), model.predict(data))
    with pytest.raises(nbn_spec.DataError, match="class number"):
        model.predict({**data, "label": np.array([0, 1, 3, 0])})
    with pytest.raises(nbn_spec.DataError, match="whole numbers"):
        model.predict({**data, "label": np.array([0, 0.5, 2, 0])})


def test_numbers_that_leave_the_finite_on_the_way_warn_of_nothing():
    """Warnings are errors in these tests."""
    model = warm(one_input(), ROWS)
    model.flat[...] = np.finfo(np.float32).max
    assert not np.isfinite(model.predict(np.full((4, 3), 3e38))).all()
    with np.errstate(all="raise"):
        assert not np.isfinite(model.predict(np.full((4, 3), 3e38))).all()
        assert np.geterr()["over"] == "raise"
