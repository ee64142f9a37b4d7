"""``predict`` and ``evaluate``: a saved model on new data."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nbn_spec import metrics
from nbn_spec.cli.formats import as_csv, as_json, as_lists, finite, infinite, writer_for
from nbn_spec.cli.guard import Reporter, say
from nbn_spec.cli.report import Shown, measured, outputs
from nbn_spec.data import checked
from nbn_spec.errors import DataError, TrainingError
from nbn_spec.files import write
from nbn_spec.graph import Input
from nbn_spec.model import Model
from nbn_spec.model import load as load_model
from nbn_spec.source import RELATIVE, File, Member, Numbers, Place, Source, format_of
from nbn_spec.table import Column

Arrays = Mapping[str, Any]
BINARY = ("npy", "npz")
JSON_FACTOR = 20
"""Bytes that reading JSON takes for each of its own: its numbers are objects before they stand in an array."""


def predict_archive(
    archive: Path, file: Path | None, text: str | None, out: Path | None, limit: str | None, reporter: Reporter
) -> int:
    """Print or write the outputs for a file, or for JSON from the command line."""
    model = load_model(archive, max_memory=limit)
    needed = model.graph.needed_inputs(model.graph.outputs)
    if file is not None and text is not None:
        raise DataError("NBN306", "--data, --json", "exclude each other")
    if out is not None:
        check_target(out, [archive, *([file] if file else [])])
    data = read_file(model, file, needed) if text is None else read_text(model, text, needed)
    results = outputs(model, data)
    if reporter.as_json:
        reporter.result = {"outputs": as_lists(results)}
    if out is not None:
        write_results(out, results)
    elif reporter.as_json:
        pass
    elif text is not None:
        sys.stdout.write(as_json(results))
    else:
        note_infinite(results)
        sys.stdout.write(as_csv(results))
    return 0


def evaluate_archive(archive: Path, file: Path | None, limit: str | None, reporter: Reporter) -> int:
    """Print loss and metrics for a file."""
    model = load_model(archive, max_memory=limit)
    graph = model.graph
    data: Arrays = {}
    if graph.loss is not None:  # of a model without, evaluate itself says so
        compared = metrics.compared(model.training.metrics, graph)
        data = read_file(model, file, graph.needed_inputs([graph.loss, *compared]))
    found = model.evaluate(data)
    reporter.result = {"measured": finite(found)}
    if not reporter.as_json:
        print(*(measured(name, value) for name, value in found.items()), sep="\n")
    return 0


def check_target(out: Path, sources: Sequence[Path]) -> None:
    """Refuse, before anything is computed, a file that cannot be written or that is read."""
    writer_for(out)
    if out.is_dir():
        raise unwritable(out, "it is a folder")
    if not out.parent.is_dir():
        raise unwritable(out, f"there is no folder {out.parent}")
    if any(same_file(out, source) for source in sources):
        raise unwritable(out, "it is read from, and would be lost")


def same_file(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file that exists."""
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):
        return False


def unwritable(out: Path, why: str) -> TrainingError:
    """The error for results that cannot be written."""
    return TrainingError("NBN402", str(out), f"cannot be written: {why}", "choose another: --out FILE")


def write_results(out: Path, results: Sequence[Shown]) -> None:
    """Write the outputs to a file, in the format that its name asks for."""
    content = writer_for(out)(results)
    note_infinite(results)
    try:
        write(out, content)
    except OSError as error:
        raise unwritable(out, error.strerror or str(error)) from None


def note_infinite(results: Sequence[Shown]) -> None:
    """A word on outputs that are written although they are not finite."""
    for result in results:
        if said := infinite(result):
            say(f"note: {result.name} {said}")


def read_file(model: Model, file: Path | None, inputs: Sequence[Input]) -> Arrays:
    """The arrays of a file for these inputs, read as the model's own data was."""
    if not inputs:
        return {}
    if file is None and model.source is not None and model.source.kind == "values":
        return model.data(tuple(inputs))
    if file is None:
        names = ", ".join(f'"{item.name}"' for item in inputs)
        raise DataError("NBN306", model.graph.name, f"needs data for {names}", "give it with --data FILE")
    found = find(file)
    kind = file.suffix.lower().lstrip(".")
    place = place_for(model)
    if kind == "json":
        place.afford(JSON_FACTOR * found.stat().st_size, file)
        return read_json(found.read_bytes(), str(file), inputs)
    if kind in BINARY:  # the one in the place of the other is plain to see
        kind = format_of(found) or kind
    if kind not in ("csv", *BINARY):
        raise DataError("NBN300", str(file), "is none of .csv, .npz, .npy and .json")
    return checked(model.graph, source_for(model, kind, file, inputs), inputs, place)


def read_text(model: Model, text: str, inputs: Sequence[Input]) -> Arrays:
    """The arrays of JSON from the command line for these inputs."""
    content = text.encode(errors="surrogateescape")
    place_for(model).afford(JSON_FACTOR * len(content), "--json")
    return read_json(content, "--json", inputs)


def place_for(model: Model) -> Place:
    """Where files from the command line are: anywhere, and as large as the model's limit allows."""
    return Place(Path(), anywhere=True, max_memory=model.max_memory)


def find(file: Path) -> Path:
    """A file that exists; raises :class:`DataError`."""
    try:
        return Place(Path(), anywhere=True).find(str(file))
    except DataError as error:
        here = "paths are relative to the current folder"
        told = [replace(problem, hint=problem.hint.replace(RELATIVE, here)) for problem in error.problems]
        raise DataError.of(told) from None


def source_for(model: Model, kind: str, file: Path, inputs: Sequence[Input]) -> Source:
    """Where in a file the inputs are: as in the model's own data, or else by the inputs' names.

    Numbers are scaled, reshaped and made one-hot as in the model's own data, whatever kind of file that was.
    """
    own = model.source
    if own is not None and own.kind == kind and kind != "npy":
        return own.instead(file)
    treated = {item.name: treatment(own, item.name) for item in inputs}
    if kind == "csv":
        scales = {name: treated[name].get("scale", 1.0) for name in treated}
        names = {item.name: item.columns or item.name for item in inputs}
        return Source("csv", str(file), {n: Column(column=names[n], scale=scales[n]) for n in names})
    if kind == "npz":
        return Source("npz", str(file), {name: Member(array=name, **treated[name]) for name in treated})
    if len(inputs) > 1:
        listed = ", ".join(f'"{item.name}"' for item in inputs)
        raise DataError("NBN306", str(file), f"holds one array, but the model takes {listed}", "give an npz file")
    return Source("npy", None, {name: File(file=str(file), **treated[name]) for name in treated})


def treatment(own: Source | None, name: str) -> dict[str, Any]:
    """What the model's own data says is done to the numbers of an input."""
    field = own.fields.get(name) if own is not None else None
    if isinstance(field, Numbers):
        return {"reshape": field.reshape, "scale": field.scale, "one_hot": field.one_hot}
    words = isinstance(field, Column) and (field.map is not None or field.one_hot is not None)
    return {"scale": field.scale} if isinstance(field, Column) and not words else {}


def read_json(content: bytes, where: str, inputs: Sequence[Input]) -> Arrays:
    """Arrays from JSON: an object by input, a list for the only input, or an object for each example."""
    from nbn_spec.spec.read import parse

    document = parse(content, where)
    if isinstance(document, dict):
        return document
    if isinstance(document, list) and document and all(isinstance(item, dict) for item in document):
        return {item.name: from_records(document, where, item) for item in inputs}
    if len(inputs) != 1:
        names = ", ".join(f'"{item.name}"' for item in inputs) or "none"
        raise DataError("NBN306", where, f"must be an object with the inputs by name: {names}")
    return {inputs[0].name: document}


def from_records(records: Sequence[Mapping[str, Any]], where: str, item: Input) -> list[Any]:
    """An input's examples from objects that hold them by column, or under its name; raises :class:`DataError`."""
    by_column = bool(item.columns) and len(item.shape) == 2
    keys = item.columns if by_column else (item.name,)
    for number, record in enumerate(records):
        if absent := [key for key in keys if key not in record]:
            message = f'has no "{absent[0]}", which the input "{item.name}" needs'
            hint = f"it has {', '.join(map(str, record))}" if record else "give lists of numbers: [[…]]"
            raise DataError("NBN301", f"{where}, example {number}", message, hint)
    return [[record[key] for key in keys] if by_column else record[item.name] for record in records]
