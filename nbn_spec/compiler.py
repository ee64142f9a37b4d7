"""The compiler.

::

    model.json ──read──▶ document ──validate──▶ ModelSpec ──normalize──▶ canonical ModelSpec
            ──lower──▶ Graph (nodes in forward order, shapes inferred) ──verify──▶ the same, checked anew
            ──initialize──▶ Model

What follows from there, ``plan`` and ``bind``, happens when a model runs, as it depends on the batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from numbers import Integral
from os import PathLike
from pathlib import Path
from typing import Any

from nbn_spec.data import Place
from nbn_spec.errors import GraphError, Problem, SpecError, shorten
from nbn_spec.graph import Graph, verify
from nbn_spec.model import Model
from nbn_spec.params import Layout, Seed, initialize
from nbn_spec.spec.lower import lower
from nbn_spec.spec.models import ModelSpec
from nbn_spec.spec.normalize import Canonical, normalize
from nbn_spec.spec.read import check_nesting, pointer, read_file
from nbn_spec.spec.validate import validate

Source = str | PathLike[str] | Mapping[str, Any] | ModelSpec


def compile(source: Source, *, seed: int | None = None, allow_outside: bool = False) -> Model:
    """A model with initialized parameters from a spec: a path, a dict, or a :class:`~nbn_spec.spec.ModelSpec`.

    ``seed`` replaces the spec's own; ``allow_outside`` lets data files lie outside the spec's folder (the current
    one, where the spec is no file). Raises :class:`SpecError`, :class:`GraphError`, :class:`DataError` or
    :class:`TrainingError` with all that is wrong at one stage.
    """
    return model_of(*graph_of(source, seed), allow_outside)


def model_of(graph: Graph, canonical: Canonical, allow_outside: bool = False) -> Model:
    """The model of a graph, its parameters initialized; raises :class:`GraphError` where that cannot be done."""
    document = canonical.to_json()
    try:
        flat = initialize(graph, Layout.of(graph), Seed.from_json(document["seed"]))
    except GraphError as error:
        raise GraphError.of(placed(problem, canonical) for problem in error.problems) from None
    folder = Path(canonical.where).parent if canonical.where else Path()
    return Model(graph, flat, document, Place(folder, allow_outside))


def graph_of(source: Source, seed: int | None = None) -> tuple[Graph, Canonical]:
    """The graph of a spec and the spec's canonical form: read, validate, normalize, lower, verify.

    This is all that can be known without initializing the parameters; ``compile``, and whoever only looks at a
    model, start here. Raises as :func:`compile` does.
    """
    canonical = front(source, seed)
    graph = lower(canonical)
    verify(graph)
    return graph, canonical


def front(source: Source, seed: int | None = None) -> Canonical:
    """The canonical spec."""
    where, written = "", source
    if isinstance(source, (str, PathLike)):
        where, written = str(source), read_file(Path(source))
    elif isinstance(source, ModelSpec):
        written = source.to_json()
    elif isinstance(source, Mapping):
        written = dict(source)
        check_nesting(written)
    if not isinstance(written, Mapping):
        raise SpecError("NBN112", "", f"expected a path, a dict or a ModelSpec, got {type(source).__name__}")
    spec = source if isinstance(source, ModelSpec) else validate(written, where)
    canonical = replace(normalize(spec, where), written=written)
    return canonical if seed is None else reseeded(canonical, seed)


def placed(problem: Problem, canonical: Canonical) -> Problem:
    """A problem with a parameter, such as ``z1/weight``, with its place in the document instead of its name."""
    node, _, parameter = problem.where.rpartition("/")
    if node in canonical.origins:
        return replace(problem, where=pointer(canonical.where, (*canonical.origins[node], parameter)))
    leaf = problem.where in canonical.spec.parameters
    return replace(problem, where=pointer(canonical.where, ("parameters", problem.where))) if leaf else problem


def reseeded(canonical: Canonical, seed: object) -> Canonical:
    """The spec with another seed for the same generator; raises :class:`SpecError` for one that is none."""
    if isinstance(seed, bool) or not isinstance(seed, Integral) or not 0 <= int(seed) < 2**32:
        raise SpecError("NBN113", "seed", f"must be a whole number from 0 to {2**32 - 1}, got {shorten(seed)}")
    changed: Any = canonical.spec.seed
    update = {"seed": changed.model_copy(update={"value": int(seed)})}
    return replace(canonical, spec=canonical.spec.model_copy(update=update))
