"""``predict`` and ``evaluate``: a saved model on new data."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nbn_spec.cli.run import named_columns, percent, unwritable
from nbn_spec.data import Column, File, Member, Place, Source, load
from nbn_spec.errors import DataError
from nbn_spec.files import write
from nbn_spec.graph import Input
from nbn_spec.model import Model
from nbn_spec.model import load as load_model

Arrays = Mapping[str, Any]


def predict_archive(archive: Path, file: Path | None, text: str | None, out: Path | None) -> int:
    """Print or write the outputs for a file, or for JSON from the command line."""
    model = load_model(archive)
    needed = model.graph.needed_inputs(model.graph.outputs)
    if file is not None and text is not None:
        raise DataError("NBN306", "--data, --json", "exclude each other")
    writer = writer_for(out) if out else None
    data = read_json(text.encode(), "--json", needed) if text is not None else read_file(model, file, needed)
    found = model.predict(data)
    results = found if isinstance(found, dict) else {model.graph.outputs[0]: found}
    if out is None or writer is None:
        sys.stdout.write(as_json(results) if text is not None else as_csv(results))
        return 0
    try:
        write(out, writer(results))
    except OSError as error:
        raise unwritable(out, error) from None
    return 0


def evaluate_archive(archive: Path, file: Path | None) -> int:
    """Print loss and metrics for a file."""
    model = load_model(archive)
    wanted = model.graph.needed_inputs([*model.graph.outputs, *([model.graph.loss] if model.graph.loss else [])])
    for name, value in model.evaluate(read_file(model, file, wanted)).items():
        print(f"{name} {percent(name, value)}")
    return 0


def read_file(model: Model, file: Path | None, inputs: Sequence[Input]) -> Arrays:
    """The arrays of a file for these inputs, read as the model's own data was."""
    if not inputs:
        return {}
    if file is None and model.source is not None and model.source.kind == "values":
        return model.data(tuple(inputs))
    if file is None:
        names = ", ".join(f'"{item.name}"' for item in inputs)
        raise DataError("NBN306", model.graph.name, f"needs data for {names}", "give it with --data FILE")
    kind = file.suffix.lower().lstrip(".")
    if kind == "json":
        return read_json(Place(Path(), anywhere=True).find(str(file)).read_bytes(), str(file), inputs)
    if kind not in ("csv", "npz", "npy"):
        raise DataError("NBN300", str(file), "is none of .csv, .npz, .npy and .json")
    return load(source_for(model, kind, file, inputs), inputs, Place(Path(), anywhere=True))


def source_for(model: Model, kind: str, file: Path, inputs: Sequence[Input]) -> Source:
    """Where in a file the inputs are: as in the model's own data, or else by the inputs' names."""
    own = model.source
    if own is not None and own.kind == kind and kind != "npy":
        return own.instead(file)
    if kind == "csv":
        return Source("csv", str(file), {item.name: Column(column=item.columns or item.name) for item in inputs})
    if kind == "npz":
        return Source("npz", str(file), {item.name: Member(array=item.name) for item in inputs})
    if len(inputs) > 1:
        names = ", ".join(f'"{item.name}"' for item in inputs)
        raise DataError("NBN306", str(file), f"holds one array, but the model takes {names}", "give an npz file")
    return Source("npy", None, {item.name: File(file=str(file)) for item in inputs})


def read_json(content: bytes, where: str, inputs: Sequence[Input]) -> Arrays:
    """Arrays from JSON: an object by input, or a list for the only input."""
    from nbn_spec.spec.read import parse

    document = parse(content, where)
    if isinstance(document, dict):
        return document
    if len(inputs) != 1:
        names = ", ".join(f'"{item.name}"' for item in inputs) or "none"
        raise DataError("NBN306", where, f"must be an object with the inputs by name: {names}")
    return {inputs[0].name: document}


def as_json(results: Arrays) -> str:
    """Outputs as JSON: a list, or an object where there are several."""
    lists = {name: np.asarray(values).tolist() for name, values in results.items()}
    return json.dumps(lists if len(lists) > 1 else next(iter(lists.values()))) + "\n"


def as_csv(results: Arrays) -> str:
    """Outputs as csv with a header, one row per example."""
    columns: dict[str, Any] = {}
    for name, values in results.items():
        columns |= named_columns(name, np.atleast_1d(values), ())
    if len({len(values) for values in columns.values()}) > 1:
        raise DataError(
            "NBN303", ", ".join(results), "have different numbers of rows", "write .json or .npz: --out"
        )
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*(map(str, values) for values in columns.values()), strict=True))
    return text.getvalue()


def as_npz(results: Arrays) -> bytes:
    """Outputs as npz, an array for each."""
    content = io.BytesIO()
    np.savez(content, **results)
    return content.getvalue()


def as_npy(results: Arrays) -> bytes:
    """The only output as npy."""
    if len(results) > 1:
        raise DataError("NBN303", ", ".join(results), "are several arrays, and npy holds one", "write .npz")
    content = io.BytesIO()
    np.save(content, next(iter(results.values())))
    return content.getvalue()


WRITERS: dict[str, Callable[[Arrays], bytes]] = {
    ".csv": lambda results: as_csv(results).encode(),
    ".json": lambda results: as_json(results).encode(),
    ".npy": as_npy,
    ".npz": as_npz,
}


def writer_for(out: Path) -> Callable[[Arrays], bytes]:
    """How a file of this name is written."""
    if out.suffix.lower() not in WRITERS:
        raise DataError("NBN300", str(out), f"is none of {', '.join(WRITERS)}")
    return WRITERS[out.suffix.lower()]
