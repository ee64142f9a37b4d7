"""Diagnosis: everything that can be said of a spec or an archive without training it, all at once.

The document, its graph, its data, whether training could start, the memory that it would take; and where nothing
is wrong, what is worth a warning.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Any

from nbn_spec import archive, metrics
from nbn_spec.budget import afford, limit_of, overview
from nbn_spec.compiler import Front, Source, front, merged, model_of, named
from nbn_spec.data import checked, fitted, sizes
from nbn_spec.errors import DataError, NbnError, Problem, error_of
from nbn_spec.estimate import Estimate
from nbn_spec.graph import Graph, Input, verify
from nbn_spec.lint import Subject, lint
from nbn_spec.model import Model, load
from nbn_spec.ops.base import Array
from nbn_spec.source import ENTRIES, Place, open_source
from nbn_spec.source import Source as DataSource
from nbn_spec.spec.fields import WITHOUT_DOC
from nbn_spec.spec.read import ZIP
from nbn_spec.spec.schema import check
from nbn_spec.train import Training, check_trainable, split


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What is wrong with a spec or an archive, in document order, and what it is where nothing is."""

    file: str
    problems: tuple[Problem, ...] = ()
    """Errors and, of a document without any, warnings."""
    model: Model | None = None
    """The compiled model, its parameters initialized; ``None`` where there are errors."""
    data: Mapping[str, Array] = field(default_factory=dict)
    """The spec's own data as training takes it; empty where there is none, or where it was not to be opened."""
    memory: tuple[Estimate, ...] = ()
    """What training and predicting will take; empty where there is no graph to count for."""
    front: Front | None = field(default=None, repr=False)
    """The document and its canonical form; ``None`` for an archive, and where there is no document."""

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the document on its way: its classes are made by pydantic, and have no address."""
        return {**self.__dict__, "front": None}

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems without which there would be a model."""
        return tuple(problem for problem in self.problems if problem.severity == "error")

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """The problems of a model that works, and may still not be what was wanted."""
        return tuple(problem for problem in self.problems if problem.severity == "warning")

    def located(self, problems: Iterable[Problem]) -> list[Problem]:
        """Problems of the model, found later, with their places in the document."""
        return located(self.front, problems) if self.front else list(problems)

    def require(self) -> Model:
        """The model; raises an :class:`~nbn_spec.errors.NbnError` with all errors."""
        if self.errors or self.model is None:
            raise error_of(self.errors)
        return self.model


def diagnose(
    source: Source,
    *,
    data: bool = True,
    seed: int | None = None,
    allow_outside: bool = False,
    max_memory: int | str | None = None,
) -> Diagnosis:
    """Everything that is wrong with a spec (a path, a dict, a ModelSpec) or an archive (a path); raises nothing.

    ``data`` says whether the data's files are opened; the others are as in :func:`~nbn_spec.compiler.compile`.
    """
    file = file_of(source)
    try:
        if file and is_archive(Path(file)):
            return of_archive(Path(file), max_memory)
    except NbnError as error:
        return Diagnosis(file, error.problems)
    return examine(source, data=data, seed=seed, allow_outside=allow_outside, max_memory=max_memory)


def examine(
    source: Source,
    *,
    data: bool = True,
    seed: int | None = None,
    allow_outside: bool = False,
    max_memory: int | str | None = None,
) -> Diagnosis:
    """The same for specs alone: an archive is none."""
    try:
        found = front(source, seed)
        return replace(of_spec(found, file_of(source), data, allow_outside, max_memory), front=found)
    except NbnError as error:
        return Diagnosis(file_of(source), error.problems)


def file_of(source: object) -> str:
    """The path of a source that is one."""
    return str(os.fspath(source)) if isinstance(source, (str, PathLike)) else ""


def is_archive(path: Path) -> bool:
    """Whether a file is an archive, or at least is called like one."""
    try:
        if path.suffix.lower() == ".npz" or not path.is_file():  # a pipe can be read but once
            return path.suffix.lower() == ".npz" and path.is_file()
        with path.open("rb") as file:
            return file.read(len(ZIP)) == ZIP
    except (OSError, ValueError):  # the one who reads it in earnest says why that does not work
        return False


def of_archive(path: Path, max_memory: int | str | None) -> Diagnosis:
    """The diagnosis of an archive: loading checks all of it, and the published schema its graph."""
    model = load(path, max_memory=max_memory)
    with zipfile.ZipFile(path) as members:
        check(archive.read_document(members, str(path)), "graph", str(path))
    training = training_of(model.spec)
    warnings = unsilenced(lint(Subject(model.graph, training, seed=model.seed)), model.spec)
    told = [replace(problem, path=None, where=f"{path}: {problem.where}") for problem in warnings]
    return Diagnosis(str(path), tuple(told), model, memory=tuple(overview(model.graph, training)))


def of_spec(found: Front, file: str, data: bool, allow_outside: bool, max_memory: int | str | None) -> Diagnosis:
    """The diagnosis of a document that has become what ``found`` is; data is looked at whatever else is wrong."""
    if found.canonical is None:
        return Diagnosis(file, found.problems)
    place = Place(Path(file).parent if file else Path(), allow_outside, limit_of(max_memory))
    problems = list(found.problems)
    memory: tuple[Estimate, ...] = ()
    if found.graph is not None:
        verify(found.graph)
        memory = tuple(overview(found.graph, training_of(found.canonical.to_json())))
        try:
            model = model_of(found.graph, found.canonical, allow_outside, max_memory)
        except NbnError as error:
            problems = list(error.problems)
        else:
            return of_model(found, model, file, data)
    if data:
        problems += data_problems(found, place)
    return Diagnosis(file, tuple(located(found, problems)), memory=memory)


def of_model(found: Front, model: Model, file: str, data: bool) -> Diagnosis:
    """The diagnosis of a document that compiles: its data, its training and, if nothing is wrong, warnings."""
    graph, training = model.graph, training_of(model.spec)
    wanted = wanted_inputs(model, training)
    arrays, problems = data_of(model, wanted) if data else ({}, [])
    counts = sizes(wanted, arrays) if arrays else {}
    memory = overview(graph, training, sizes=counts, data=sum(array.nbytes for array in arrays.values()))
    problems += training_problems(model, training, arrays, memory)
    if not problems:
        subject = Subject(graph, training, model.flat, model.seed, arrays, found.document.value)
        warnings = unsilenced(lint(subject), model.spec)
        return Diagnosis(file, tuple(located(found, warnings)), model, arrays, tuple(memory))
    return Diagnosis(file, tuple(located(found, problems)), memory=tuple(memory))


def training_of(spec: Mapping[str, Any]) -> Training | None:
    """The training that a canonical spec describes; ``None`` where it has none."""
    return Training.from_canonical(spec["train"]) if spec.get("train") else None


def located(found: Front, problems: Iterable[Problem]) -> list[Problem]:
    """Problems of the model or its data, with their places in the document."""
    if found.canonical is None:
        return list(problems)
    return merged(found.document.located(named(problems, found.canonical)))


def data_problems(found: Front, place: Place) -> list[Problem]:
    """What is wrong with the data of those inputs that are declared, and have it described, without a mistake."""
    described = found.canonical.spec.data if found.canonical else None
    if found.canonical is None or described is None:
        return []
    document = described.model_dump(mode="json", context=WITHOUT_DOC)
    key = next(key for key in ENTRIES.values() if key in document)
    sound = {item.name: document[key][item.name] for item in found.inputs if item.name in document[key]}
    source = DataSource.from_json({**document, key: sound})
    inputs = [item for item in found.inputs if item.name in sound]
    try:
        arrays = fitted(open_source(source, inputs, place), inputs, found.canonical.spec.dtype, {})
        sizes(inputs, arrays)
    except DataError as error:
        return [in_spec(problem, source) for problem in error.problems]
    return []


def in_spec(problem: Problem, source: DataSource) -> Problem:
    """A problem of data that names an input, with the place of its data in the spec."""
    if problem.path is not None or problem.where not in source.fields:
        return problem
    return replace(problem, path=("data", ENTRIES[source.kind], problem.where))


def wanted_inputs(model: Model, training: Training | None) -> tuple[Input, ...]:
    """The inputs that training, or else a look at the values, needs."""
    graph = model.graph
    loss = [graph.loss] if graph.loss else []
    values = [*graph.outputs, *loss] if training is None else [*loss, *metrics.compared(training.metrics, graph)]
    return graph.needed_inputs(values)


def data_of(model: Model, wanted: tuple[Input, ...]) -> tuple[dict[str, Array], list[Problem]]:
    """The spec's own data for these inputs, or what is wrong with it; neither, where it has none."""
    source = model.source
    if source is None:
        return {}, []
    try:
        arrays = model.data(wanted)
        sizes(wanted, arrays)
    except DataError as error:
        return {}, [in_spec(problem, source) for problem in error.problems]
    return arrays, []


def data_beside(path: Path, graph: Graph, spec: Mapping[str, Any], limit: str | None) -> dict[str, Array]:
    """The data that the spec at ``path`` describes, for all inputs; none where it describes none.

    Raises :class:`DataError` where it cannot be read, or does not fit.
    """
    if not spec.get("data"):
        return {}
    place = Place(path.parent, max_memory=limit_of(limit))
    arrays = checked(graph, DataSource.from_json(spec["data"]), graph.inputs, place)
    sizes(graph.inputs, arrays)
    return arrays


def training_problems(
    model: Model, training: Training | None, arrays: Mapping[str, Array], memory: Sequence[Estimate]
) -> list[Problem]:
    """Why training, or else a look at the values, could not start: settings, parts of the data, memory."""
    try:
        if training is not None:
            check_trainable(model.graph, training, model.flat)
            if arrays:
                split(model.graph, training, arrays, model.seed)
        held = model.flat.nbytes + sum(array.nbytes for array in arrays.values())
        afford(memory[0], model.max_memory, held=held)
    except NbnError as error:
        path = None if training is None else ("train",)
        return [problem if problem.path else replace(problem, path=path) for problem in error.problems]
    return []


def unsilenced(problems: Iterable[Problem], spec: Mapping[str, Any]) -> list[Problem]:
    """The warnings that the spec does not silence."""
    ignored = set((spec.get("lint") or {}).get("ignore") or ())
    return [problem for problem in problems if problem.code not in ignored]
