"""Where data comes from: values in the spec, csv, npy and npz files, and how each is read."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np

from nbn_spec.checks import Loaded, Origin, plain, whole, within
from nbn_spec.errors import DataError, Problem, Steps, shorten, suggestion
from nbn_spec.files import DAMAGED, npy_header
from nbn_spec.graph import Input
from nbn_spec.ops.base import Array, Domain, show
from nbn_spec.params import allowance, mebibytes
from nbn_spec.record import AttributeProblem, Record, attr
from nbn_spec.table import Column, check_separator, columns_of, indicators, names_of, read_csv, scaled

LONGEST = 2**15
"""Characters of a path; no system takes a longer one."""
SMALL = 2**20
"""Bytes of which nobody asks whether they are free."""
CSV_FACTOR = 12
"""Bytes that reading a csv file takes for each of its own: cells are objects before they are numbers."""


@dataclass(frozen=True, kw_only=True)
class Numbers(Record):
    """What may be done to an array from a file."""

    reshape: tuple[int, ...] | None = attr(None, ge=-1, doc="The shape of one example; one length may be -1.")
    scale: float = attr(1.0, doc="Factor on every number.")
    one_hot: int | None = attr(None, ge=2, doc="Number of classes: class numbers become columns of 0 and 1.")
    standardize: bool = attr(False, doc="Mean 0, deviation 1, by the training part; becomes a node of the graph.")

    def check(self) -> None:
        if self.reshape is not None and self.reshape.count(-1) > 1:
            raise AttributeProblem("reshape", "only one length may be -1")


@dataclass(frozen=True, kw_only=True)
class Member(Numbers):
    """One array of an npz file."""

    array: str = attr(doc="The array's name in the file.")


@dataclass(frozen=True, kw_only=True)
class File(Numbers):
    """An npy file."""

    file: str = attr(doc="Path of the npy file, relative to the spec.")


@dataclass(frozen=True)
class Source:
    """Where the data of each input comes from; exactly one of ``values``, ``csv``, ``npz``, ``npy``."""

    kind: str
    path: str | None
    fields: Mapping[str, Any]
    separator: str = ","

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Source:
        """The source that a canonical ``data`` object describes; raises :class:`DataError`."""
        try:
            if "csv" in document:
                columns = {name: Column.from_json(item) for name, item in document["columns"].items()}
                return cls("csv", text(document["csv"]), columns, text(document.get("separator", ",")))
            if "npz" in document:
                arrays = {name: Member.from_json(item) for name, item in document["arrays"].items()}
                return cls("npz", text(document["npz"]), arrays)
            if "npy" in document:
                return cls("npy", None, {name: File.from_json(item) for name, item in document["npy"].items()})
            return cls("values", None, dict(document["values"]))
        except (AttributeProblem, KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError("NBN306", "data", f"is no description of data: {error}") from None

    def instead(self, path: Path) -> Source:
        """The same columns or arrays of another file."""
        return replace(self, path=str(path))

    def label(self, name: str) -> str:
        """Where the array of an input came from, for messages."""
        file = getattr(self.fields.get(name), "file", self.path)
        return f'{file}, input "{name}"' if file else f"data.values.{name}"


def text(value: object) -> str:
    """``value``, a string; raises ``TypeError``."""
    if not isinstance(value, str):
        raise TypeError(f"{shorten(value)} is no string")
    return value


@dataclass(frozen=True)
class Place:
    """Where relative paths start, whether they may lead out of that folder, and how much may be read."""

    folder: Path
    anywhere: bool = False
    max_memory: int | None = None
    """Bytes; ``None`` stands for what is free."""

    def afford(self, need: int, where: object) -> None:
        """Raises :class:`DataError` (NBN209) for what takes more bytes to read than there are."""
        if need <= SMALL and self.max_memory is None:
            return
        limit, origin = allowance(self.max_memory)
        if need > limit:
            message = f"reading it takes {mebibytes(need)}, but the limit is {mebibytes(limit)}, {origin}"
            raise DataError("NBN209", str(where), message, "read a part of it, or give more with --max-memory")

    def named(self, path: str) -> Path:
        """What messages call the file behind ``path``."""
        return self.folder / path

    def find(self, path: str) -> Path:
        """The file behind ``path``; raises :class:`DataError` where it may not be opened or does not exist."""
        if len(path) > LONGEST:
            raise DataError("NBN300", shorten(path), "is no path: File name too long")
        try:
            full = (self.folder / path).resolve()
            found, folder = full.is_file(), full.is_dir()
        except (OSError, ValueError, RuntimeError) as error:  # too long, a null byte, links in a circle
            reason = getattr(error, "strerror", None) or error
            raise DataError("NBN300", path, f"is no path: {reason}") from None
        if not self.anywhere and not full.is_relative_to(self.folder.resolve()):
            raise DataError(
                "NBN307", path, f"lies outside the spec's folder {self.folder}", "allow it with --allow-outside"
            )
        if not found:
            what = "is a folder" if folder else "is no regular file" if full.exists() else "there is no such file"
            raise DataError("NBN300", str(self.folder / path), what, "paths are relative to the spec's folder")
        return full


Reader = Callable[[str, Steps], Loaded]
"""The array of an input, by its name and its place in the spec."""


def read_values(source: Source, place: Place) -> Reader:
    """How values that are written in the spec are read."""

    def read(name: str, path: Steps) -> Loaded:
        return Loaded(plain(source.fields[name], source.label(name)), Origin(source.label(name), path))

    return read


def read_table(source: Source, place: Place) -> Reader:
    """How the columns of a csv file are read."""
    full = found_at(place, source.path or "", ("data", "csv"))
    try:
        place.afford(CSV_FACTOR * full.stat().st_size, place.named(source.path or ""))
        table = read_csv(full, source.separator, place.named(source.path or ""))
        wanted = [name for field in source.fields.values() for name in names_of(field)]
        check_separator(table, wanted)
    except DataError as error:
        raise DataError.of(error.at("data", "csv")) from None

    def read(name: str, path: Steps) -> Loaded:
        field = source.fields[name]
        return Loaded(columns_of(table, field, place.max_memory), Origin(source.label(name), path, table, field))

    return read


def read_npz(source: Source, place: Place) -> Reader:
    """How the arrays of an npz file are read."""
    full = found_at(place, source.path or "", ("data", "npz"))
    path = place.named(source.path or "")
    try:
        with open(full, "rb") as file, np.load(file, allow_pickle=False) as archive:
            _ = archive.files
    except DAMAGED as error:
        message, hint = f"cannot be read as npz: {error}", "save it with numpy.savez"
        raise DataError("NBN300", str(path), message, hint, path=("data", "npz")) from None

    def read(name: str, place_in_spec: Steps) -> Loaded:
        field = source.fields[name]
        try:
            with open(full, "rb") as file, np.load(file, allow_pickle=False) as archive:
                if field.array not in archive.files:
                    hint = suggestion(field.array, archive.files)
                    message = f'holds no array "{field.array}"'
                    raise DataError("NBN301", str(path), message, hint, path=("array",))
                place.afford(member_size(full, field.array), path)
                array = shaped(archive[field.array], field, f'{path}, array "{field.array}"', place.max_memory)
                return Loaded(array, Origin(source.label(name), place_in_spec))
        except DAMAGED as error:
            message = f"cannot be read as npz: {error}"
            raise DataError("NBN300", str(path), message, "save it with numpy.savez") from None

    return read


def read_npy(source: Source, place: Place) -> Reader:
    """How npy files are read."""

    def read(name: str, place_in_spec: Steps) -> Loaded:
        field = source.fields[name]
        full, path = found_at(place, field.file, ("file",)), place.named(field.file)
        try:
            with open(full, "rb") as file:
                place.afford(array_size(file, full.stat().st_size), path)
            array = shaped(np.load(full, allow_pickle=False), field, str(path), place.max_memory)
        except DAMAGED as error:
            message = f"cannot be read as npy: {error}"
            raise DataError("NBN300", str(path), message, "save it with numpy.save") from None
        return Loaded(array, Origin(source.label(name), place_in_spec))

    return read


def array_size(file: IO[bytes], most: int) -> int:
    """The bytes of an npy file's array and of a copy, by its header; raises ``ValueError`` for one that lies."""
    shape, dtype = npy_header(file)
    size = prod(shape) * dtype.itemsize
    if size > most and not dtype.hasobject:
        raise ValueError("it is cut off")
    return 2 * min(size, most)


def member_size(path: Path, name: str) -> int:
    """The same for a member of an npz file; raises one of ``DAMAGED``."""
    with zipfile.ZipFile(path) as members:
        found = name if name in members.namelist() else f"{name}.npy"
        with members.open(found) as file:
            return array_size(file, members.getinfo(found).file_size)


READERS: dict[str, Callable[[Source, Place], Reader]] = {
    "values": read_values,
    "csv": read_table,
    "npz": read_npz,
    "npy": read_npy,
}
ENTRIES = {"values": "values", "csv": "columns", "npz": "arrays", "npy": "npy"}
"""The key of the spec's data that has an entry for each input, by the kind of the data."""


def found_at(place: Place, path: str, spec_path: Steps) -> Path:
    """The file behind a path that stands at this place of the spec."""
    try:
        return place.find(path)
    except DataError as error:
        raise DataError.of(error.at(*spec_path)) from None


def shaped(array: object, field: Numbers, where: str, max_memory: int | None = None) -> Array:
    """An array from a file, one-hot, reshaped and scaled as its field says."""
    if not isinstance(array, np.ndarray):
        raise DataError("NBN300", where, "is no single array")
    found: Array = array
    if found.dtype.kind not in "biuf":
        raise DataError("NBN302", where, f"holds other than real numbers: dtype {found.dtype}")
    if field.one_hot is not None:
        found = one_hot(found, field.one_hot, where, max_memory)
    if field.reshape is not None:
        try:
            found = found.reshape(found.shape[0], *field.reshape)
        except (ValueError, IndexError, OverflowError):
            message = f"has shape {show(found.shape)}, so an example cannot become {show(field.reshape)}"
            raise DataError("NBN303", where, message, path=("reshape",)) from None
    return scaled(found, field.scale)


def one_hot(array: Array, classes: int, where: str, max_memory: int | None = None) -> Array:
    """Columns of 0 and 1 from class numbers."""
    numbers = whole(array, where)
    within(numbers, Domain(0, classes - 1, f"a class number from 0 to {classes - 1}"), where)
    return indicators(numbers, classes, where, max_memory)


def open_source(source: Source, inputs: Sequence[Input], place: Place) -> dict[str, Loaded]:
    """An array for each of the inputs and its origin; raises :class:`DataError` with all that is wrong."""
    problems: list[Problem] = []
    found: dict[str, Loaded] = {}
    for item in inputs:
        if item.name not in source.fields:
            hint = suggestion(item.name, source.fields)
            message = f'says nothing of input "{item.name}"'
            problems.append(Problem("NBN306", "data", message, hint, path=("data", ENTRIES[source.kind])))
    wanted = [item for item in inputs if item.name in source.fields]
    try:
        read = READERS[source.kind](source, place)
    except DataError as error:
        raise DataError.of([*problems, *error.problems]) from None
    for item in wanted:
        path = ("data", ENTRIES[source.kind], item.name)
        try:
            found[item.name] = read(item.name, path)
        except DataError as error:
            problems += error.at(*path)
    if problems:
        raise DataError.of(problems)
    return found
