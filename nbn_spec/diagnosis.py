"""Diagnosis: everything that can be said of a spec or an archive without training it, all at once.

The document, its graph, its data, whether training could start, the memory that it would take; and where nothing
is wrong, what is worth a warning.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Any

from nbn_spec import archive, metrics
from nbn_spec.budget import Estimate, afford, estimate, overview
from nbn_spec.compiler import Front, Source, front, model_of, named
from nbn_spec.data import ENTRIES, Place, fitted, open_source, sizes
from nbn_spec.data import Source as DataSource
from nbn_spec.errors import DataError, NbnError, Problem, Steps, error_of
from nbn_spec.graph import Graph, Input, verify
from nbn_spec.lint import Subject, lint
from nbn_spec.model import Model, load
from nbn_spec.ops.base import Array
from nbn_spec.spec.fields import WITHOUT_DOC
from nbn_spec.spec.read import ZIP
from nbn_spec.spec.schema import check
from nbn_spec.train import check_trainable, split

TRAINING_PLACES: Mapping[str, Steps] = {
    "learning_rate": ("train", "optimizer", "learning_rate"),
    "/train/validation/fraction": ("train", "validation", "fraction"),
}
"""Where a document says what training complains of."""


@dataclass(frozen=True)
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
        if self.front is None or self.front.canonical is None:
            return list(problems)
        return self.front.document.located(named(problems, self.front.canonical))

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
    return str(source) if isinstance(source, (str, PathLike)) else ""


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
    training = model.training if model.spec.get("train") else None
    subject = Subject(model.graph, training, None, model.seed)
    found = kept(lint(subject), model.spec)
    return Diagnosis(str(path), tuple(found), model, memory=tuple(overview(model.graph, training)))


def of_spec(found: Front, file: str, data: bool, allow_outside: bool, max_memory: int | str | None) -> Diagnosis:
    """The diagnosis of a document that has become what ``found`` is."""
    document = found.document
    if found.canonical is None:
        return Diagnosis(file, found.problems)
    if found.graph is None:
        folder = Path(file).parent if file else Path()
        problems = data_problems(found, Place(folder, allow_outside)) if data else []
        placed = document.located([*found.problems, *named(problems, found.canonical)])
        return Diagnosis(file, tuple(placed))
    verify(found.graph)
    try:
        model = model_of(found.graph, found.canonical, allow_outside, max_memory)
    except NbnError as error:
        memory = overview(found.graph)
        return Diagnosis(
            file, tuple(document.located(named(error.problems, found.canonical))), memory=tuple(memory)
        )
    look = Look(model, document.value)
    problems = look.problems(data) or kept(look.lint(), model.spec)
    placed = document.located(named(problems, found.canonical))
    fine = not any(problem.severity == "error" for problem in placed)
    return Diagnosis(file, tuple(placed), model if fine else None, look.data, look.memory)


def data_problems(found: Front, place: Place) -> list[Problem]:
    """What is wrong with the data of a spec whose graph is not complete: of inputs whose declaration is sound."""
    assert found.canonical is not None, "there is something to look at"
    described = found.canonical.spec.data
    if described is None:
        return []
    try:
        source = DataSource.from_json(described.model_dump(mode="json", context=WITHOUT_DOC))
    except DataError:  # the spec has said so, and where
        return []
    inputs = [item for item in found.inputs if item.name in source.fields]
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


@dataclass
class Look:
    """A compiled model with its data, on the way to a diagnosis."""

    model: Model
    written: Mapping[str, Any]
    data: Mapping[str, Array] = field(default_factory=dict)
    memory: tuple[Estimate, ...] = ()

    @property
    def graph(self) -> Graph:
        """The model's graph."""
        return self.model.graph

    def wanted(self) -> tuple[Input, ...]:
        """The inputs that training, or else a look at the values, needs."""
        graph = self.graph
        values = [*graph.outputs, *([graph.loss] if graph.loss else [])]
        if self.model.spec.get("train"):
            values = [graph.loss or "", *metrics.compared(self.model.training.metrics, graph)]
        return graph.needed_inputs(values)

    def problems(self, data: bool) -> list[Problem]:
        """What is wrong with the data, the training and the memory that it takes."""
        training = self.model.training if self.model.spec.get("train") else None
        self.memory = tuple(overview(self.graph, training))
        found = [*self._data_problems(data), *self._training_problems()]
        if training is None or found:
            return found
        counts = sizes(self.wanted(), self.data) if self.data else {}
        held = sum(array.nbytes for array in self.data.values())
        self.memory = tuple(overview(self.graph, training, sizes=counts, data=held))
        try:
            need = estimate(self.graph, goal="train", training=training, sizes=counts, data=held)
            afford(need, self.model.max_memory, held=self.model.flat.nbytes + held)
        except NbnError as error:
            return list(error.problems)
        return []

    def _data_problems(self, data: bool) -> Iterator[Problem]:
        """What is wrong with the data, which is kept where nothing is."""
        source, wanted = self.model.source, self.wanted()
        if source is None or not data:
            return
        try:
            arrays = self.model.data(wanted)
            sizes(wanted, arrays)
            self.data = arrays
        except DataError as error:
            yield from (in_spec(problem, source) for problem in error.problems)

    def _training_problems(self) -> Iterator[Problem]:
        """Why training could not start."""
        if not self.model.spec.get("train"):
            return
        try:
            check_trainable(self.graph, self.model.training, self.model.flat)
            if self.data:
                split(self.graph, self.model.training, self.data, self.model.seed)
        except NbnError as error:
            for problem in error.problems:
                yield replace(problem, path=TRAINING_PLACES.get(problem.where, ("train",)))

    def lint(self) -> list[Problem]:
        """What is worth a warning."""
        model = self.model
        training = model.training if model.spec.get("train") else None
        return lint(Subject(self.graph, training, model.flat, model.seed, self.data, self.written))


def kept(problems: Iterable[Problem], spec: Mapping[str, Any]) -> list[Problem]:
    """The warnings that the spec does not silence."""
    ignored = set((spec.get("lint") or {}).get("ignore") or ())
    return [problem for problem in problems if problem.code not in ignored]
