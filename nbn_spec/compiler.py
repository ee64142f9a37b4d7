"""The compiler.

::

    model.json ──read──▶ document ──validate──▶ ModelSpec ──normalize──▶ canonical ModelSpec
            ──lower──▶ Graph (nodes in forward order, shapes inferred) ──verify──▶ the same, checked anew
            ──initialize──▶ Model

What follows from there, ``plan`` and ``bind``, happens when a model runs, as it depends on the batch. A stage that
finds mistakes hands on what it can make out, so that one run tells those of all stages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from numbers import Integral
from os import PathLike
from pathlib import Path
from typing import Any

from nbn_spec.budget import afford, estimate, limit_of
from nbn_spec.errors import GraphError, Problem, SpecError, error_of, shorten
from nbn_spec.graph import Graph, Input, verify
from nbn_spec.memory import uncollected
from nbn_spec.model import Model
from nbn_spec.params import Layout, Seed, initialize
from nbn_spec.source import Place
from nbn_spec.spec.lower import lower
from nbn_spec.spec.models import ModelSpec
from nbn_spec.spec.normalize import Canonical, normalize
from nbn_spec.spec.read import Document, check_nesting, read_file
from nbn_spec.spec.validate import Validated, validate

Source = str | PathLike[str] | Mapping[str, Any] | ModelSpec


@dataclass(frozen=True)
class Front:
    """What a spec has become before anything is computed, and all that is wrong with it, in document order."""

    document: Document
    problems: tuple[Problem, ...] = ()
    canonical: Canonical | None = None
    """``None`` where so little can be made out that there is nothing to look at."""
    graph: Graph | None = None
    """``None`` where anything is wrong."""
    inputs: tuple[Input, ...] = ()
    """The inputs that are declared without a mistake."""


def compile(
    source: Source, *, seed: int | None = None, allow_outside: bool = False, max_memory: int | str | None = None
) -> Model:
    """A model with initialized parameters from a spec: a path, a dict, or a :class:`~nbn_spec.spec.ModelSpec`.

    ``seed`` replaces the spec's own; ``allow_outside`` lets data files lie outside the spec's folder (the current
    one, where the spec is no file); ``max_memory`` is the most that the model may take, in bytes or in words such
    as ``"512MiB"``: left out, what is free. Raises :class:`SpecError`, :class:`GraphError`, :class:`DataError` or
    :class:`TrainingError`, whichever concerns the earliest stage, with all that is wrong with the document; data
    files are not opened yet.
    """
    with uncollected():
        return model_of(*graph_of(source, seed), allow_outside, max_memory)


def model_of(
    graph: Graph, canonical: Canonical, allow_outside: bool = False, max_memory: int | str | None = None
) -> Model:
    """The model of a graph, its parameters initialized; raises :class:`GraphError` where that cannot be done."""
    document = canonical.to_json()
    try:
        afford(estimate(graph, goal="load"), max_memory)
        flat = initialize(graph, Layout.of(graph), Seed.from_json(document["seed"]))
    except GraphError as error:
        raise GraphError.of(canonical.document.located(named(error.problems, canonical))) from None
    folder = Path(canonical.where).parent if canonical.where else Path()
    return Model(graph, flat, document, Place(folder, allow_outside, limit_of(max_memory)), max_memory)


def graph_of(source: Source, seed: int | None = None) -> tuple[Graph, Canonical]:
    """The graph of a spec and the spec's canonical form: read, validate, normalize, lower, verify.

    This is all that can be known without initializing the parameters; ``compile``, and whoever only looks at a
    model, start here. Raises as :func:`compile` does.
    """
    found = front(source, seed)
    if found.graph is None or found.canonical is None:
        raise error_of(found.problems)
    verify(found.graph)
    return found.graph, found.canonical


def front(source: Source, seed: int | None = None) -> Front:
    """Every stage up to the graph; raises :class:`SpecError` for what is no document at all."""
    valid = validate(opened(source)) if not isinstance(source, ModelSpec) else built(source)
    document = valid.document
    if valid.spec is None:
        return Front(document, tuple(merged(document.located(document.problems))))
    canonical = reseeded(normalize(valid.spec, document), seed)
    lowered = lower(canonical, valid.broken, valid.unusable, valid.guessed)
    problems = merged(document.located([*document.problems, *lowered.problems]))
    return Front(document, tuple(problems), canonical, None if problems else lowered.graph, lowered.inputs)


def built(spec: ModelSpec) -> Validated:
    """A spec that Python code has made, which pydantic has checked."""
    return Validated(spec, Document(spec.to_json()))


def opened(source: object) -> Document:
    """The document in a file, or the one that a dict is."""
    if isinstance(source, (str, PathLike)):
        return read_file(Path(source))
    if not isinstance(source, Mapping):
        message = f"expected a path, a dict or a ModelSpec, got {type(source).__name__}"
        raise SpecError("NBN112", "", message)
    document = dict(source)
    check_nesting(document)
    return Document(document)


def merged(problems: Iterable[Problem]) -> list[Problem]:
    """The problems without those that say the same of the same place.

    Of a word that is no JSON, such as ``None``, it is enough to hear what should stand there.
    """
    found: dict[object, Problem] = {}
    for problem in problems:
        found.setdefault((problem.code, problem.span or problem.path, problem.message), problem)
    told = {problem.span for problem in found.values() if problem.span and problem.code == "NBN112"}
    return [problem for problem in found.values() if problem.code != "NBN101" or problem.span not in told]


def named(problems: Iterable[Problem], canonical: Canonical) -> list[Problem]:
    """Problems of parameters and nodes that are told by their names, such as ``z1/weight``, with their places."""
    return [placed(problem, canonical) for problem in problems]


def placed(problem: Problem, canonical: Canonical) -> Problem:
    """The place in the document of a problem that names a node, or a parameter of a node or of the graph."""
    path, origins = problem.path, canonical.origins
    if path is None:
        node, _, parameter = problem.where.rpartition("/")
        if node in origins:
            path = (*origins[node], parameter)
        elif problem.where in canonical.spec.parameters:
            path = ("parameters", problem.where)
    elif path[:1] == ("nodes",) and len(path) > 1 and isinstance(path[1], str):
        path = (*origins.get(path[1], ("nodes",)), *path[2:])
    says = path is None or path[:1] == ("data",)  # a file or an input, which the message does not name
    return replace(problem, path=path, where=problem.where if says else "")


def reseeded(canonical: Canonical, seed: object) -> Canonical:
    """The spec with another seed for the same generator; raises :class:`SpecError` for one that is none."""
    if seed is None:
        return canonical
    if isinstance(seed, bool) or not isinstance(seed, Integral) or not 0 <= int(seed) < 2**32:
        raise SpecError("NBN113", "seed", f"must be a whole number from 0 to {2**32 - 1}, got {shorten(seed)}")
    changed: Any = canonical.spec.seed
    update = {"seed": changed.model_copy(update={"value": int(seed)})}
    return replace(canonical, spec=canonical.spec.model_copy(update=update))
