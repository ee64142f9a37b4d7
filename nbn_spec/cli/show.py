"""``validate``, ``graph``, ``schema`` and ``reference``: what can be said without training."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from nbn_spec.batches import symbols
from nbn_spec.budget import afford, overview
from nbn_spec.cli.guard import Reporter
from nbn_spec.compiler import graph_of
from nbn_spec.diagnosis import Diagnosis, data_beside, diagnose, is_archive, training_of
from nbn_spec.errors import DataError, NbnError, printable, wrapped
from nbn_spec.estimate import Estimate
from nbn_spec.graph import Graph
from nbn_spec.model import load
from nbn_spec.spec.schema import Which, schema
from nbn_spec.summary import counted, headline, memory_lines, summarize


def validate_files(paths: Sequence[Path], reporter: Reporter, allow_outside: bool, limit: str | None) -> int:
    """Check each document by itself; returns the exit code."""
    fine = True
    for path in paths:
        found = diagnose(path, allow_outside=allow_outside, max_memory=limit)
        valid = reporter.add(str(path), found.problems, [estimate.to_json() for estimate in found.memory])
        if valid and not (reporter.quiet or reporter.as_json):
            print(*map(printable, verdict(path, found)), sep="\n")
        fine &= valid
    return 0 if fine else NbnError.exit_code


def verdict(path: Path, found: Diagnosis) -> list[str]:
    """What is said of a file without errors."""
    graph = found.require().graph
    kind = "valid" if found.front else "a valid archive"
    return [f"{path}: {kind}; {described(graph)}", *memory_lines(found.memory, "  ")]


def described(graph: Graph) -> str:
    """A graph in one line."""
    return f"{counted(len(graph.nodes), 'node')}; {headline(graph)}"


def show_graph(path: Path, limit: str | None) -> int:
    """Print the compiled graph of a spec or an archive as a table."""
    graph, memory, note = seen(path, limit)
    if limit is not None:
        for estimate in memory:
            afford(estimate, limit)
    print(summarize(graph, memory), *(wrapped(printable(note), "") if note else ()), sep="\n")
    return 0


def seen(path: Path, limit: str | None) -> tuple[Graph, list[Estimate], str]:
    """The graph, what it takes, and why its data is not counted; of a spec without its parameters: of any size."""
    if is_archive(path):
        model = load(path, max_memory=limit)
        return model.graph, overview(model.graph, training_of(model.spec)), ""
    graph, canonical = graph_of(path)
    spec, note = canonical.to_json(), ""
    try:
        arrays = data_beside(path, graph, spec, limit)
    except DataError as error:
        arrays, note = {}, f"data:   not counted: {error.problems[0].where}: {error.problems[0].message}"
    size = sum(array.nbytes for array in arrays.values())
    return graph, overview(graph, training_of(spec), sizes=symbols(graph, arrays), data=size), note


def show_reference() -> int:
    """Print the language's reference."""
    from nbn_spec.spec.reference import reference

    print(reference(), end="")
    return 0


def show_schema(which: Which) -> int:
    """Print a published schema."""
    print(json.dumps(schema(which), indent=2, ensure_ascii=False))
    return 0
