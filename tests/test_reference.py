"""Gradients of random graphs, and of every op, against an independent automatic differentiator (HIPS autograd)."""

from __future__ import annotations

import math
from typing import Any

import autograd.numpy as anp
import graphs
import kernels
import numpy as np
import pytest
import reference
from autograd import value_and_grad
from autograd.extend import defvjp, primitive
from cases import CASES, Case
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import nbn_spec
from nbn_spec.ops import OPS

TOLERANCE = 1e-10


@primitive
def erf(x: Any) -> Any:
    return np.vectorize(math.erf, otypes=[float])(x)


defvjp(erf, lambda _, x: lambda g: g * 2 / np.sqrt(np.pi) * anp.exp(-(x**2)))
RULES = reference.table(anp, erf)


def near(found: Any, expected: Any, scale: float) -> None:
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE, atol=TOLERANCE * scale)


def test_every_op_has_a_reference() -> None:
    assert RULES.keys() == OPS.keys()


def apply(case: Case, sources: dict[str, Any]) -> Any:
    attributes = {name: value for name, value in case.op.to_json().items() if name not in case.op.weights}
    return RULES[case.op.word()](*sources.values(), **attributes)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_ops(case: Case) -> None:
    sources = case.sources(seed=3)
    dy = np.random.default_rng(4).normal(size=kernels.value(case.op, sources).shape)
    wanted = {name: sources[name] for name in case.differentiable()}
    total, expected = value_and_grad(lambda some: anp.sum(dy * apply(case, {**sources, **some})))(wanted)
    near(np.sum(dy * kernels.value(case.op, sources)), total, 1.0)
    found = kernels.gradients(case.op, sources, dy, wanted)
    for name, gradient in expected.items():
        near(found[name], gradient, max(1.0, np.abs(gradient).max()))


@settings(max_examples=1500, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(spec=graphs.specs(), examples=st.integers(1, 3), seed=st.integers(0, 2**32 - 1))
def test_random_graphs(spec: dict[str, Any], examples: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    model = nbn_spec.compile(graphs.shuffled(spec, rng))
    model.flat[:] = rng.normal(scale=0.7, size=model.flat.size)
    data = graphs.data(rng, examples)
    used = {name: data[name] for name in spec["inputs"]}
    assume(not graphs.near_kink(model, dict(model.trace(used).values)))
    loss, found = model.gradients(used)
    constants = {name: np.array(value) for name, value in spec["constants"].items()}
    parameters = {name: array.copy() for name, array in model.parameters.items()}
    live = {**spec, "nodes": [node for node in spec["nodes"] if node["name"] in model.graph.by_name]}

    def evaluate(trained: Any) -> Any:
        return reference.evaluate(RULES, live, {**data, **constants, **parameters, **trained})[spec["loss"]]

    total, expected = value_and_grad(evaluate)({name: parameters[name] for name in found})
    scale = max(np.abs(gradient).max() for gradient in expected.values())
    near(loss, total, 1.0)
    assert "frozen" not in found
    for name, gradient in expected.items():
        near(found[name], gradient, scale)
