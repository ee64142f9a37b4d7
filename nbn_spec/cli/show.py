"""``validate``, ``graph`` and ``schema``; and numbers and tables as text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from nbn_spec.cli.guard import complain
from nbn_spec.errors import NbnError
from nbn_spec.spec.schema import check, schema


def number(value: float) -> str:
    """A number with every digit that tells it from its neighbours."""
    return repr(float(value))


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns aligned to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]


def validate_specs(specs: Sequence[Path], quiet: bool) -> int:
    """Check each document by itself; returns the exit code."""
    code = 0
    for path in specs:
        try:
            line = validate_spec(path)
        except NbnError as error:
            complain(error)
            code = error.exit_code
        else:
            if not quiet:
                print(line)
    return code


def validate_spec(path: Path) -> str:
    """Check a document by the compiler and by the published schema; returns a line that describes it."""
    from nbn_spec import compiler, summary
    from nbn_spec.spec.lower import lower
    from nbn_spec.spec.read import read_file

    canonical, where = compiler.front(path)
    graph = lower(canonical, where)
    check(read_file(path), "model", str(path))
    return f"{path}: valid; {len(graph.nodes)} nodes; {summary.headline(graph)}"


def show_graph(path: Path) -> int:
    """Print the compiled graph as a table."""
    from nbn_spec.compiler import front
    from nbn_spec.spec.lower import lower
    from nbn_spec.summary import summarize

    print(summarize(lower(*front(path))))
    return 0


def show_reference() -> int:
    """Print the language's reference."""
    from nbn_spec.spec.reference import reference

    print(reference(), end="")
    return 0


def show_schema(which: Literal["model", "graph"]) -> int:
    """Print a published schema."""
    print(json.dumps(schema(which), indent=2, ensure_ascii=False))
    return 0
