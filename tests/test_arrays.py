"""Arrays on cache lines, sums as products with ones, and views that are one and the same."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nbn_spec
from nbn_spec.arrays import ALIGNMENT, SMALL, empty, zeros
from nbn_spec.ops.base import CONSTANTS, PAIRWISE, ROW, add_squares, add_up, constant, do

MODELS = Path(__file__).parent.parent / "models"


def on_a_line(array):
    return array.ctypes.data % ALIGNMENT == 0


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool"])
@pytest.mark.parametrize("shape", [(), (3,), (SMALL,), (100, 999), (7, 0, 3)])
def test_large_arrays_begin_on_a_cache_line(shape, dtype):
    for _ in range(5):
        array = empty(shape, dtype)
        assert (array.shape, array.dtype) == (shape, np.dtype(dtype))
        assert array.flags.c_contiguous
        assert array.flags.writeable
        assert array.nbytes < SMALL or on_a_line(array)
    assert not zeros(shape, dtype).any()


def mlp(**train):
    nodes = [{"name": "h", "op": "linear", "inputs": "x", "units": 300}, {"name": "a", "op": "relu"}]
    return {
        "name": "mlp",
        "dtype": "float32",
        "inputs": {"x": {"shape": ["N", 50]}, "label": {"shape": ["N"], "dtype": "int64"}},
        "nodes": [*nodes, {"name": "z", "op": "linear", "units": 10}],
        "outputs": ["z"],
        "loss": {"op": "sparse_categorical_crossentropy", "inputs": ["z", "label"], "from_logits": True},
        "train": train,
    }


def test_every_large_array_of_a_training_begins_on_a_cache_line(tmp_path):
    model = nbn_spec.compile(mlp(batch_size=64, optimizer={"name": "adam"}))
    rng = np.random.default_rng(0)
    trainer = model.trainer({"x": rng.random((1000, 50)), "label": rng.integers(0, 10, 1000)})
    (batch, last) = trainer.batches.batches
    model.save(tmp_path / "mlp.npz")
    vectors = [model.flat, trainer.grad, *trainer.update.state.values(), nbn_spec.load(tmp_path / "mlp.npz").flat]
    for array in (
        *vectors,
        *(b.interpreter.arrays[name] for b in (batch, last) for name in ("x", "h", "a", "∂a")),
    ):
        assert array.nbytes < SMALL or on_a_line(array)


def total(full, axes, out):
    for call in add_up(full, axes, out):
        call()
    return out


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.data(), st.sampled_from(["float32", "float64"]))
def test_sums_over_any_axes(lengths, data, dtype):
    full = np.random.default_rng(len(lengths)).standard_normal(lengths).astype(dtype)
    axes = data.draw(st.lists(st.integers(0, len(lengths) - 1), unique=True).map(tuple))
    if data.draw(st.booleans()):
        full = full.transpose()
    right = full.sum(axes)
    keepdims = data.draw(st.booleans())
    out = np.full(np.sum(full, axes, keepdims=True).shape if keepdims else right.shape, np.nan, dtype)
    found = total(full, axes, out).reshape(right.shape)
    np.testing.assert_allclose(found, right, rtol=1e-5 if dtype == "float32" else 1e-13, atol=1e-6)


def test_long_rows_are_added_pairwise():
    """A running sum in single precision would be off by percents here."""
    count = 64 * PAIRWISE
    full = np.full((1, count), 0.1, np.float32)
    (call,) = add_up(full, (1,), np.empty(1, np.float32))
    assert call.func == np.add.reduce
    assert total(full, (1,), np.empty(1, np.float32))[0] == pytest.approx(0.1 * count, rel=1e-6)


@pytest.mark.parametrize("count", [1, 7, PAIRWISE, PAIRWISE + 1, 10**6])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_squares_and_columns_are_added_without_growing_errors(count, dtype):
    """Equal numbers are the worst case of a running sum: a million of them are off by 1e-4 in single precision."""
    values, y = np.full((count, 1), 0.1, dtype), np.full((), np.nan, dtype)
    exact, tolerance = float(values[0, 0]) * count, 3e-6 if dtype == "float32" else 1e-13
    for call in add_squares(values, y):
        call()
    assert float(y) == pytest.approx(exact * float(values[0, 0]), rel=tolerance)
    assert total(values, (0,), np.empty(1, dtype))[0] == pytest.approx(exact, rel=tolerance)


def test_sums_down_a_matrix_are_as_accurate_as_a_running_sum():
    full = np.random.default_rng(0).random((100_000, 3), np.float32)
    exact = full.sum(0, dtype=np.float64)
    plain = np.abs(np.add.reduce(full, 0) / exact - 1).max()
    assert np.abs(total(full, (0,), np.empty(3, np.float32)) / exact - 1).max() <= max(plain, 1e-6)


def test_numbers_that_are_not_finite_are_seen_in_a_sum():
    for bad in (np.nan, np.inf):
        full = np.ones((4, 3))
        full[1, 2] = bad
        for axes in ((0,), (1,), (0, 1)):
            out = np.empty([length for axis, length in enumerate(full.shape) if axis not in axes])
            np.testing.assert_array_equal(total(full, axes, out), full.sum(axes))


def test_constants_are_shared_for_as_long_as_they_are_used():
    gc.collect()
    before, single = len(CONSTANTS), np.dtype("float32")
    first = constant(1.0, 12345, single)
    assert constant(1.0, 12345, single) is first
    assert constant(0.0, 12345, single) is not first
    assert constant(1.0, 12345, np.dtype("float64")) is not first
    assert not first.flags.writeable
    call = do(first.dot, np.ones((12345, 2), np.float32), np.empty(2, np.float32))
    del first
    assert ((1.0).hex(), 12345, single) in CONSTANTS
    call()
    del call
    gc.collect()
    assert len(CONSTANTS) == before


@pytest.mark.parametrize(
    "shape", [(), (1,), (4, 3), (ROW,), (2, ROW), (128, 512), (99_991, 3), (25_000, 3), (5, ROW, 3)]
)
@pytest.mark.parametrize("call", [np.maximum, np.minimum])
def test_the_larger_of_an_array_and_a_number(call, shape):
    """A row of numbers stands for the number; where an array cannot be cut into rows, a number stays one."""
    x = np.asarray(np.random.default_rng(0).standard_normal(shape), np.float32)
    if x.size > 3:
        x.reshape(-1)[:3] = np.nan, np.inf, -np.inf
    right = call(x, np.float32(0.25))
    y = np.empty_like(x)
    for args in ((x, 0.25), (0.25, x), (x, np.float64(0.25))):
        y.fill(np.nan)
        do(call, *args, out=y)()
        np.testing.assert_array_equal(y, right)
    over = do(call, x, 0.25, out=x)
    assert over.args[0] is over.keywords["out"]
    over()
    np.testing.assert_array_equal(x, right)


def test_the_larger_of_a_view_and_a_number():
    x = np.arange(24.0).reshape(4, 6)
    for view in (x.T, x[:, ::2], x[:1].repeat(0, axis=0)):
        y = np.empty(view.shape)
        do(np.maximum, view, 7, out=y)()
        np.testing.assert_array_equal(y, np.maximum(view, 7))


def test_what_is_written_over_is_one_and_the_same_array():
    model = nbn_spec.compile(MODELS / "xor.json")
    (batch,) = model.trainer().batches.batches
    arrays = batch.interpreter.arrays
    assert arrays["a1"] is arrays["z1"]
    assert arrays["∂z1"] is arrays["∂a1"]
    assert arrays["a1"] is not arrays["∂a1"]
