"""Data: from what a source holds, or a caller gives, to named arrays that fit the graph's inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from nbn_spec.checks import Loaded, conform, within
from nbn_spec.errors import DataError, Problem, suggestion
from nbn_spec.graph import Graph, Input
from nbn_spec.ops.base import Array, Domain, show
from nbn_spec.source import Place, Source, open_source


def checked(graph: Graph, source: Source, inputs: Sequence[Input], place: Place) -> dict[str, Array]:
    """What a source holds for these inputs, loaded and checked; raises :class:`DataError`."""
    return fitted(open_source(source, inputs, place), inputs, graph.dtype, graph.domains)


def fitted(
    found: Mapping[str, Loaded], inputs: Sequence[Input], dtype: str, domains: Mapping[str, Sequence[Domain]]
) -> dict[str, Array]:
    """The arrays as the inputs take them; raises :class:`DataError` with all that is wrong or does not fit."""
    arrays: dict[str, Array] = {}
    problems: list[Problem] = []
    for item in inputs:
        loaded = found[item.name]
        if loaded.problems:
            problems += loaded.problems
            continue
        try:
            arrays[item.name] = conform(item, loaded.array, dtype, loaded.origin)
            for domain in domains.get(item.name, ()):
                within(arrays[item.name], domain, item.name, loaded.origin)
        except DataError as error:
            problems += [loaded.origin.at(p, None) if p.path is None else p for p in error.problems]
    if problems:
        raise DataError.of(problems)
    return arrays


def prepare(
    graph: Graph, arrays: Mapping[str, object], inputs: Sequence[Input], limit: int | None = None
) -> dict[str, Array]:
    """What the given inputs take from ``arrays``, checked; raises :class:`DataError` with all that is wrong.

    A copy in the model's dtype that would take more than ``limit`` bytes raises :class:`GraphError`.

    Names that are no input of the graph are refused; inputs that are not asked for are left aside.
    """
    problems = [unknown(graph, str(name)) for name in arrays if not isinstance(graph.leaves.get(name), Input)]
    lacking = [item for item in inputs if item.name not in arrays]
    if problems and lacking:  # what is misspelt is missing, too: that is one mistake
        notes = tuple(f'"{item.name}" is needed: an array of shape {show(item.shape)}' for item in lacking)
        raise DataError.of([replace(problems[0], notes=notes), *problems[1:]])
    problems += [
        Problem("NBN306", item.name, f"is needed: an array of shape {show(item.shape)}") for item in lacking
    ]
    found = {}
    for item in inputs:
        if item.name not in arrays:
            continue
        try:
            found[item.name] = array = conform(item, arrays[item.name], graph.dtype, limit=limit)
            for domain in graph.domains[item.name]:
                within(array, domain, item.name)
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError.of(problems)
    return found


def unknown(graph: Graph, name: str) -> Problem:
    """The complaint about data for what is no input."""
    hint = suggestion(name, [item.name for item in graph.inputs])
    return Problem("NBN306", name, "is no input of this model", hint)


def sizes(inputs: Sequence[Input], arrays: Mapping[str, Array]) -> dict[str, int]:
    """What number each symbol stands for; raises :class:`DataError` where arrays disagree or hold no example."""
    found: dict[str, int] = {}
    owner: dict[str, str] = {}
    problems: list[Problem] = []
    for item in inputs:
        for dim, length in zip(item.shape, arrays[item.name].shape, strict=True):
            if not isinstance(dim, str):
                continue
            if found.setdefault(dim, length) != length:
                message = f'{dim} is {length} here, but {found[dim]} in "{owner[dim]}"'
                hint = "every input needs the same number of examples"
                problems.append(Problem("NBN303", item.name, message, hint))
            elif length == 0:
                problems.append(Problem("NBN303", item.name, "holds no examples"))
            owner.setdefault(dim, item.name)
    if problems:
        raise DataError.of(problems)
    return found
