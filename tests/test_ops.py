"""Every promise of an op, for every case: gradients, writing without reading, memory, words."""

from __future__ import annotations

import inspect
import math
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

import gradcheck
import kernels
import numpy as np
import pytest
from cases import CASES, Case
from kernels import Bound

from nbn_spec.ops import OPS
from nbn_spec.ops.base import Array, Call, Op, do

pytestmark = pytest.mark.filterwarnings("error")
every_case = pytest.mark.parametrize("case", CASES, ids=str)
every_op = pytest.mark.parametrize("word", OPS)
DIFFERENTIABLE = [case for case in CASES if case.differentiable()]
IN_PLACE = [case for case in CASES if case.op.in_place]


def upstream(case: Case, seed: int = 1) -> Array:
    shape = kernels.value(case.op, case.sources()).shape
    return np.asarray(np.random.default_rng(seed).normal(size=shape))


def test_every_op_has_a_case() -> None:
    assert {case.op.word() for case in CASES} == OPS.keys()


def test_cases_are_told_apart() -> None:
    names = [str(case) for case in CASES]
    assert len(names) == len(set(names))


@every_case
def test_gradients(case: Case) -> None:
    sources, dy = case.sources(), upstream(case)
    claimed = kernels.gradients(case.op, sources, dy, case.differentiable())
    assert claimed.keys() == set(case.differentiable())
    gradcheck.check(lambda arrays: kernels.value(case.op, arrays), sources, dy, claimed)


@every_case
def test_the_shape_rule_tells_the_shape_that_numpy_gives(case: Case) -> None:
    """No NaN is left of the garbage that the result started from: the kernel filled all of the inferred shape."""
    assert np.isfinite(kernels.value(case.op, case.sources())).all()


@pytest.mark.parametrize("case", DIFFERENTIABLE, ids=str)
def test_any_subset_of_gradients_equals_the_full_set(case: Case) -> None:
    sources, dy, names = case.sources(), upstream(case), case.differentiable()
    full = kernels.gradients(case.op, sources, dy, names)
    for count in range(1, min(len(names), 3) + 1):
        for wanted in combinations(names, count):
            some = kernels.gradients(case.op, sources, dy, wanted)
            for name in wanted:
                np.testing.assert_array_equal(some[name], full[name])


@every_case
def test_operands_and_upstream_gradient_stay_untouched(case: Case) -> None:
    sources, dy = case.sources(), upstream(case)
    given = {name: array.copy() for name, array in sources.items()}
    for array in (*given.values(), dy):
        array.flags.writeable = False
    bound = Bound(case.op, given)
    y = bound.forward().copy()
    bound.backward(dy, case.differentiable())
    for name, array in sources.items():
        np.testing.assert_array_equal(given[name], array)
    np.testing.assert_array_equal(bound.y, y)


@every_case
def test_kernels_write_and_never_add(case: Case) -> None:
    """Whatever stands in results and buffers before, the same comes out, to the bit."""
    sources, dy = case.sources(), upstream(case)
    nan = kernels.gradients(case.op, sources, dy, case.differentiable())
    seven = kernels.gradients(case.op, sources, dy, case.differentiable(), number=7.0)
    np.testing.assert_array_equal(kernels.value(case.op, sources), kernels.value(case.op, sources, number=7.0))
    for name in case.differentiable():
        assert np.isfinite(nan[name]).all()
        np.testing.assert_array_equal(nan[name], seven[name])


@every_case
def test_running_again_gives_the_same(case: Case) -> None:
    """Bound once, a kernel sees new values of its operands, and nothing of the last run."""
    first, second, dy = case.sources(), case.sources(seed=7), upstream(case)
    bound = Bound(case.op, {name: array.copy() for name, array in first.items()})
    calls = bound.forward_calls()
    back, out = bound.backward_calls(dy, case.differentiable())
    with np.errstate(all="ignore"):
        for sources in (first, second):
            for name, array in sources.items():
                np.copyto(bound.sources[name], array)
            for call in (*calls, *back):
                call()
    fresh = kernels.gradients(case.op, second, dy, case.differentiable())
    np.testing.assert_array_equal(bound.y, kernels.value(case.op, second))
    for name, array in out.items():
        np.testing.assert_array_equal(array, fresh[name])


@every_case
def test_float32_is_near_float64(case: Case) -> None:
    small, dy = case.sources(dtype="float32"), upstream(case).astype("float32")
    large = {name: array.astype("float64") if array.dtype.kind == "f" else array for name, array in small.items()}
    y = kernels.value(case.op, small, dtype="float32")
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, kernels.value(case.op, large), rtol=2e-5, atol=2e-6)
    found = kernels.gradients(case.op, small, dy, case.differentiable(), dtype="float32")
    exact = kernels.gradients(case.op, large, dy.astype("float64"), case.differentiable())
    for name, array in found.items():
        assert array.dtype == np.float32
        np.testing.assert_allclose(array, exact[name], rtol=5e-5, atol=5e-6)


@pytest.mark.parametrize("case", IN_PLACE, ids=str)
def test_in_place_gives_the_same(case: Case) -> None:
    sources, dy = case.sources(), upstream(case)
    apart = Bound(case.op, {name: array.copy() for name, array in sources.items()})
    y = apart.forward()
    over = Bound(case.op, {name: array.copy() for name, array in sources.items()}, in_place=True)
    np.testing.assert_array_equal(over.forward(), y)
    assert np.shares_memory(over.y, over.sources["x"]) == ("forward" in case.op.in_place)
    over.forget()
    right, found = apart.backward(dy, ["x"]), over.backward(dy, ["x"])
    np.testing.assert_array_equal(found["x"], right["x"])


@every_op
def test_only_ops_of_one_operand_work_in_place(word: str) -> None:
    op = OPS[word]
    assert set(op.in_place) <= {"forward", "backward"}
    assert not op.in_place or (op.inputs == ("x",) and not op.variadic and not op.weights)
    assert not ("forward" in op.in_place and "x" in op.keeps), "written over, but read by backward"


@every_op
def test_backward_asks_for_nothing_but_what_it_may_read(word: str) -> None:
    """The kernel's own signature: kept values, buffers that live in backward, and gradients to write."""
    for case in (case for case in CASES if case.op.word() == word and not case.op.variadic):
        table = case.op.buffers(*case.shapes)
        may = {*case.op.keeps, *(name for name, buffer in table.items() if buffer.life != "forward")}
        may |= {"d" + name for name in (*case.op.inputs, *case.op.weights)}
        needs = [
            name
            for name, part in list(inspect.signature(case.op.backward).parameters.items())[1:]
            if part.default is inspect.Parameter.empty
        ]
        assert set(needs) <= may


@pytest.mark.parametrize("case", [case for case in DIFFERENTIABLE if case.op.is_loss], ids=str)
def test_a_constant_upstream_gradient_gives_what_a_computed_one_gives(case: Case) -> None:
    """A loss folds the constant into its factor when it is bound."""
    constant, names = np.ones(()), case.differentiable()
    constant.flags.writeable = False
    folded = kernels.gradients(case.op, case.sources(), constant, names)
    for name, values in kernels.gradients(case.op, case.sources(), np.ones(()), names).items():
        np.testing.assert_array_equal(folded[name], values)


@every_op
def test_words(word: str) -> None:
    op = OPS[word]
    assert op.word() == word
    assert (op.__doc__ or "").strip()
    assert op.equation.startswith("y = ")
    names = {*op.inputs, *op.weights} - {*op.integers, *op.statistics}
    assert op.derivatives.keys() == names
    assert all(words.strip() for words in op.derivatives.values())


@every_op
def test_what_is_kept_and_owned_exists(word: str) -> None:
    op = OPS[word]
    assert {*op.integers, *op.statistics} <= {*op.inputs, *op.weights}
    for case in (case for case in CASES if case.op.word() == word):
        assert set(case.op.keeps) <= {*op.inputs, *op.weights, "y"}
        owned = case.op.params(*case.shapes)
        assert owned.keys() == {name for name in op.weights if getattr(case.op, name, True)}
        assert all(param.init for param in owned.values())


@every_op
def test_attributes_come_back_from_json(word: str) -> None:
    for case in (case for case in CASES if case.op.word() == word):
        assert OPS[word].from_json(case.op.to_json()) == case.op


LARGE = 30_000
"""Elements, at least: several times what NumPy's own buffers hold, so that an array shows."""
MOST = 2048
"""Bytes that one call may allocate: NumPy makes a 0-d array of a Python number, and an iterator."""


def limit(call: Call) -> int:
    """``MOST``, and where a call broadcasts the blocks of fixed size through which NumPy copies operands."""
    arrays = [part for part in (*call.args, *call.keywords.values()) if isinstance(part, np.ndarray)]
    if len({array.shape for array in arrays if array.ndim}) < 2:
        return MOST
    return MOST + (len(arrays) - 1) * np.getbufsize() * arrays[0].itemsize


def enlarged(case: Case) -> Case:
    """The case with long axes where shape and attributes allow them: the first axis, else all alike."""
    if case.op.word() in ("matmul", "transpose"):
        return replace(case, shapes=tuple(tuple(n * 20 for n in shape) for shape in case.shapes))
    length = case.shapes[0][0]
    grown = LARGE // int(np.prod(case.shapes[0][1:])) + 7
    shapes = [(grown if shape[0] == length else shape[0], *shape[1:]) for shape in case.shapes]
    return replace(case, shapes=tuple(shapes))


def grow(word: str) -> Iterator[Case]:
    """The op's cases that can be enlarged."""
    for case in (case for case in CASES if case.op.word() == word and all(case.shapes)):
        large = enlarged(case)
        try:
            case.op.infer(*large.shapes)
        except ValueError:
            continue
        yield large


def allocated(calls: list[Call]) -> list[int]:
    """The most bytes that each call holds while it runs, when they run the second time."""
    peaks = []
    with np.errstate(all="ignore"):
        for call in calls:
            call()
        tracemalloc.start()
        for call in calls:
            before = tracemalloc.get_traced_memory()[0]
            tracemalloc.reset_peak()
            call()
            peaks.append(tracemalloc.get_traced_memory()[1] - before)
        tracemalloc.stop()
    return peaks


@every_op
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_call_allocates(word: str, dtype: str) -> None:
    tried = 0
    for case in grow(word):
        bound = Bound(case.op, case.sources(dtype=dtype), dtype=dtype)
        dy = np.ones(bound.y.shape, dtype)
        calls, _ = bound.backward_calls(dy, case.differentiable())
        sizes = [array.size for array in (bound.y, *bound.sources.values())]
        for part in (bound.forward_calls(), calls):
            for call, peak in zip(part, allocated(part), strict=True):
                assert peak < limit(call), (str(case), call.func)
        tried += max(sizes) > 8192
    assert tried, "no case of this op could be enlarged"


def test_the_allocation_meter_sees_numpys_buffers() -> None:
    x, mask = np.ones((2, LARGE)), np.ones((2, LARGE), dtype=bool)
    calls = [do(np.multiply, x, mask, x), do(np.add, x, 1), do(np.add, x, x[:, :1]), do(np.add, x, 1, x)]
    spent = [peak > limit(call) for call, peak in zip(calls, allocated(calls), strict=True)]
    assert spent == [True, True, True, False]


def crossentropy(word: str, dtype: str, from_logits: bool, **given: object) -> tuple[float, Array]:
    """The loss and its gradient by the prediction."""
    op = OPS[word].from_json({"from_logits": from_logits})
    sources = {name: np.asarray(array, "int64" if name in op.integers else dtype) for name, array in given.items()}
    y = kernels.value(op, sources, dtype=dtype)
    return float(y), kernels.gradients(op, sources, np.ones((), dtype), ["prediction"], dtype=dtype)["prediction"]


SATURATING = ["sigmoid", "tanh", "softmax", "log_softmax", "softplus", "softsign", "elu", "selu", "gelu", "silu"]
both_dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


@both_dtypes
@pytest.mark.parametrize(
    ("logit", "target", "cost", "slope"),
    [
        (1000, 1, 0, 0),
        (-1000, 0, 0, 0),
        (1000, 0, 1000, 1),
        (-1000, 1, 1000, -1),
        (0, 1, np.log(2), -0.5),
        (1000, 0.5, 500, 0.5),
    ],
)
def test_binary_crossentropy_of_large_logits(
    dtype: str, logit: float, target: float, cost: float, slope: float
) -> None:
    found, gradient = crossentropy("binary_crossentropy", dtype, True, prediction=[logit], target=[target])
    assert found == pytest.approx(cost, rel=1e-6)
    assert gradient.tolist() == pytest.approx([slope], rel=1e-6)


@both_dtypes
@pytest.mark.parametrize("word", ["categorical_crossentropy", "sparse_categorical_crossentropy"])
def test_categorical_crossentropies_of_large_logits(dtype: str, word: str) -> None:
    logits = [[1000, -1000, 0], [1000, -1000, 0], [-1000, -1000, -1000]]
    classes = [0, 1, 2]
    target = classes if word.startswith("sparse") else np.eye(3)[classes]
    found, gradient = crossentropy(word, dtype, True, prediction=logits, target=target)
    assert found == pytest.approx((0 + 2000 + np.log(3)) / 3, rel=1e-6)
    expected = np.array([[0, 0, 0], [1, -1, 0], [1 / 3, 1 / 3, -2 / 3]]) / 3
    np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-7)


@both_dtypes
@pytest.mark.parametrize(
    ("word", "prediction", "target", "cost", "slopes"),
    [
        ("binary_crossentropy", [0, 1], [0, 1], 0, [0, 0]),
        ("binary_crossentropy", [0, 1], [1, 0], 100, [-0.5e12, 0.5e12]),
        ("categorical_crossentropy", [[0, 1]], [[0, 1]], 0, [0, -1]),
        ("categorical_crossentropy", [[0, 1]], [[1, 0]], 100, [-1e12, 0]),
        ("sparse_categorical_crossentropy", [[0, 1]], [1], 0, [0, -1]),
        ("sparse_categorical_crossentropy", [[0, 1]], [0], 100, [-1e12, 0]),
    ],
)
def test_crossentropies_of_sure_probabilities(
    dtype: str, word: str, prediction: object, target: object, cost: float, slopes: list[float]
) -> None:
    found, gradient = crossentropy(word, dtype, False, prediction=prediction, target=target)
    assert found == pytest.approx(cost, rel=1e-6)
    assert gradient.reshape(-1).tolist() == pytest.approx(slopes, rel=1e-6)


@both_dtypes
@pytest.mark.parametrize("word", SATURATING)
def test_activations_of_large_numbers(dtype: str, word: str) -> None:
    sources = {"x": np.array([-1000, -100, 0, 100, 1000], dtype)}
    dy = np.ones(5, dtype)
    assert np.isfinite(kernels.value(OPS[word](), sources, dtype=dtype)).all()
    assert np.isfinite(kernels.gradients(OPS[word](), sources, dy, ["x"], dtype=dtype)["x"]).all()


def slope(word: str, names: str, *values: object, **attributes: object) -> dict[str, list[float]]:
    """The gradients by all operands, of the sum over the result."""
    op: Op = OPS[word].from_json(attributes)
    sources = {name: np.asarray(value, "float64") for name, value in zip(names.split(), values, strict=True)}
    dy = np.ones(kernels.value(op, sources).shape)
    return {name: array.tolist() for name, array in kernels.gradients(op, sources, dy, sources).items()}


@pytest.mark.parametrize(
    ("word", "expected"),
    [("relu", 0), ("leaky_relu", 0.01), ("elu", 1), ("absolute", 0), ("softsign", 1), ("sigmoid", 0.25)],
)
def test_derivatives_at_zero_are_as_documented(word: str, expected: float) -> None:
    assert slope(word, "x", [0.0, -0.0]) == {"x": [expected, expected]}


def test_ties_share_the_gradient() -> None:
    assert slope("maximum", "a b", [1, 2, 3], [1, 1, 4]) == {"a": [0.5, 1, 0], "b": [0.5, 0, 1]}
    assert slope("minimum", "a b", [1, 2, 3], [1, 1, 4]) == {"a": [0.5, 0, 1], "b": [0.5, 1, 0]}
    assert slope("max", "x", [[1, 3, 3], [2, 2, 2]], axis=-1) == {"x": [[0, 0.5, 0.5], [1 / 3, 1 / 3, 1 / 3]]}


@pytest.mark.parametrize(
    ("word", "prediction", "dprediction", "dtarget"),
    [
        ("mean_absolute_error", [1, 2], [0, 0.5], [0, -0.5]),
        ("hinge", [1, -2], [0, -0.5], [0, 1]),
        ("huber", [2, -4], [0.5, -0.5], [-0.5, 0.5]),
    ],
)
def test_losses_at_their_kinks(
    word: str, prediction: list[float], dprediction: list[float], dtarget: list[float]
) -> None:
    found = slope(word, "prediction target", prediction, [1, 1])
    assert found == {"prediction": dprediction, "target": dtarget}


def test_power_where_logarithms_and_inverses_fail() -> None:
    """0⁰ is 1 whatever the base, and no exponent of a base that is not positive gets a gradient."""
    found = slope("power", "a b", [0, 0, 0, -2, -2, 2], [0, 1, 2, 3, 0, 0])
    assert found["a"] == [0, 1, 0, 12, 0, 0]
    assert found["b"] == [0, 0, 0, 0, 0, pytest.approx(np.log(2))]


def test_gelu_is_exact_to_the_last_digits() -> None:
    x = np.linspace(-37, 12, 4001)
    exact = np.array([0.5 * v * math.erfc(-v / math.sqrt(2)) for v in x])
    error = np.abs(kernels.value(OPS["gelu"](), {"x": x}) - exact)
    rounding = 4 + 2.25 * x**2
    """In units of the last digit: exp is taken of −x²/2, off by five half units here, by four in ``exact``."""
    assert (error <= rounding * np.finfo(float).eps * np.abs(exact)).all()


@both_dtypes
def test_gelu_where_the_density_vanishes(dtype: str) -> None:
    x = np.array([-1e30, -1000, -39, 39, 1000, 1e30], dtype)
    y = kernels.value(OPS["gelu"](), {"x": x}, dtype=dtype)
    np.testing.assert_array_equal(y, np.where(x < 0, 0, x))


def test_slopes_of_sure_probabilities_are_held_at_the_same_floor_in_float32() -> None:
    _, gradient = crossentropy("binary_crossentropy", "float32", False, prediction=[1e-20], target=[1.0])
    assert gradient.tolist() == pytest.approx([-1e12])
