"""``validate``, ``graph``, ``schema`` and ``reference``: what can be said without training."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from nbn_spec import archive, metrics
from nbn_spec.cli.guard import complain
from nbn_spec.data import sizes
from nbn_spec.errors import DataError, NbnError, TrainingError, printable
from nbn_spec.graph import Graph
from nbn_spec.model import Model
from nbn_spec.spec.read import ZIP
from nbn_spec.spec.schema import check, schema
from nbn_spec.summary import counted, headline, summarize
from nbn_spec.train import check_trainable, split


def is_archive(path: Path) -> bool:
    """Whether a file is an archive, or at least is called like one."""
    try:
        if path.suffix.lower() == ".npz" or not path.is_file():  # a pipe can be read but once
            return path.suffix.lower() == ".npz" and path.is_file()
        with path.open("rb") as file:
            return file.read(len(ZIP)) == ZIP
    except (OSError, ValueError):  # the one who reads it in earnest says why that does not work
        return False


def validate_files(paths: Sequence[Path], quiet: bool, allow_outside: bool) -> int:
    """Check each document by itself; returns the exit code."""
    code = 0
    for path in paths:
        try:
            line = validate_archive(path) if is_archive(path) else validate_spec(path, allow_outside)
        except NbnError as error:
            complain(error)
            code = error.exit_code
        else:
            if not quiet:
                print(printable(line))
    return code


def validate_spec(path: Path, allow_outside: bool) -> str:
    """Check a document by all that ``run`` would find before its first step, and by the published schema."""
    from nbn_spec.compiler import graph_of, model_of

    graph, canonical = graph_of(path)
    check(canonical.written, "model", str(path))
    model = model_of(graph, canonical, allow_outside)
    try:
        check_training(model)
    except (DataError, TrainingError) as error:
        placed = [replace(problem, where=f"{path}: {problem.where}") for problem in error.problems]
        raise type(error).of(placed) from None
    return f"{path}: valid; {described(model.graph)}"


def validate_archive(path: Path) -> str:
    """Check an archive as loading it does, and its graph by the published schema."""
    graph = archive.load(path).graph
    with zipfile.ZipFile(path) as members:
        check(archive.read_document(members, str(path)), "graph", str(path))
    return f"{path}: a valid archive; {described(graph)}"


def described(graph: Graph) -> str:
    """A graph in one line."""
    return f"{counted(len(graph.nodes), 'node')}; {headline(graph)}"


def check_training(model: Model) -> None:
    """Raises :class:`TrainingError` or :class:`DataError` for a training that could not start, or data amiss."""
    graph, training = model.graph, model.training
    values = [*graph.outputs, *([graph.loss] if graph.loss else [])]
    if model.spec.get("train"):
        check_trainable(graph, training, model.flat)
        values = [graph.loss or "", *metrics.compared(training.metrics, graph)]
    if model.source is not None:
        wanted = graph.needed_inputs(values)
        arrays = model.data(wanted)
        sizes(wanted, arrays)
        split(graph, training, arrays, model.seed)


def show_graph(path: Path) -> int:
    """Print the compiled graph of a spec or an archive as a table."""
    print(summarize(archive.load(path).graph if is_archive(path) else graph_of_spec(path)))
    return 0


def graph_of_spec(path: Path) -> Graph:
    """The graph, without parameters: of any size."""
    from nbn_spec.compiler import graph_of

    return graph_of(path)[0]


def show_reference() -> int:
    """Print the language's reference."""
    from nbn_spec.spec.reference import reference

    print(reference(), end="")
    return 0


def show_schema(which: Literal["model", "graph"]) -> int:
    """Print a published schema."""
    print(json.dumps(schema(which), indent=2, ensure_ascii=False))
    return 0
