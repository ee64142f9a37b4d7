"""Gradients of random graphs, and of every op, against JAX in float64."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import graphs
import kernels
import numpy as np
import pytest
import reference
from cases import CASES, Case
from hypothesis import HealthCheck, assume, settings
from hypothesis import given as drawn
from hypothesis import strategies as st
from peer import peer

import nbn_spec

jax = peer("jax")
jnp = peer("jax.numpy")
special = peer("jax.scipy.special")
pytestmark = pytest.mark.peers("jax")
TOLERANCE = 1e-10


@pytest.fixture(autouse=True)
def _float64() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def rules() -> reference.Table:
    return reference.table(jnp, special.erf)


def near(found: Any, expected: Any, scale: float) -> None:
    np.testing.assert_allclose(found, np.asarray(expected), rtol=TOLERANCE, atol=TOLERANCE * scale)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_ops(case: Case) -> None:
    sources = case.sources(seed=21)
    dy = np.random.default_rng(22).normal(size=kernels.value(case.op, sources).shape)
    attributes = {name: value for name, value in case.op.to_json().items() if name not in case.op.weights}
    arrays = {name: jnp.asarray(array) for name, array in sources.items()}
    wanted = {name: arrays[name] for name in case.differentiable()}

    def projected(some: Any) -> Any:
        return jnp.sum(dy * rules()[case.op.word()](*{**arrays, **some}.values(), **attributes))

    value, expected = jax.value_and_grad(projected)(wanted)
    assert value.dtype == np.float64
    near(np.sum(dy * kernels.value(case.op, sources)), value, 1.0)
    found = kernels.gradients(case.op, sources, dy, wanted)
    for name, gradient in expected.items():
        near(found[name], gradient, max(1.0, float(np.abs(gradient).max())))


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@drawn(spec=graphs.specs(), examples=st.integers(1, 3), seed=st.integers(0, 2**32 - 1))
def test_random_graphs(spec: dict[str, Any], examples: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    model = nbn_spec.compile(spec)
    model.flat[:] = rng.normal(scale=0.7, size=model.flat.size)
    data = graphs.data(rng, examples)
    assume(not graphs.near_kink(model, dict(model.trace(data).values)))
    loss, found = model.gradients(data)
    given = {**data, **spec["constants"], **model.parameters}
    leaves = {name: jnp.asarray(value) for name, value in given.items()}
    live = {**spec, "nodes": [node for node in spec["nodes"] if node["name"] in model.graph.by_name]}

    def evaluate(trained: Any) -> Any:
        return reference.evaluate(rules(), live, {**leaves, **trained})[spec["loss"]]

    total, expected = jax.value_and_grad(evaluate)({name: leaves[name] for name in found})
    scale = max(float(np.abs(gradient).max()) for gradient in expected.values())
    near(loss, total, 1.0)
    for name, gradient in expected.items():
        near(found[name], gradient, scale)
