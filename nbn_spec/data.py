"""Data: from inline values, csv, npy and npz files to named NumPy arrays that fit the graph's inputs."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nbn_spec.errors import DataError, shorten, suggestion
from nbn_spec.files import DAMAGED
from nbn_spec.graph import BATCH, Graph, Input
from nbn_spec.ops.base import Array, Domain, show
from nbn_spec.params import free_memory, mebibytes
from nbn_spec.record import AttributeProblem, Record, attr

SHOWN = 3
"""How many bad values a message names; the rest is counted."""
FRACTIONLESS = 2.0**53
"""From here on a float cannot tell neighbouring whole numbers apart."""


@dataclass(frozen=True, kw_only=True)
class Column(Record):
    """One or more columns of a csv file."""

    column: str | tuple[str, ...] = attr(doc="The column's name in the header, or a list of names.")
    map: dict[str, float] | None = attr(None, doc="A number for each word in the column.")
    one_hot: tuple[str, ...] | None = attr(None, doc="The words in the column: each becomes a column of 0 and 1.")
    scale: float = attr(1.0, doc="Factor on every number.")
    standardize: bool = attr(False, doc="Mean 0, deviation 1, by the training part; becomes a node of the graph.")

    def check(self) -> None:
        if self.map is not None and self.one_hot is not None:
            raise AttributeProblem("one_hot", "map and one_hot exclude each other")
        if self.column == () or self.one_hot == ():
            raise AttributeProblem("column" if self.column == () else "one_hot", "the list is empty")
        if self.one_hot is not None and isinstance(self.column, tuple) and len(self.column) > 1:
            raise AttributeProblem("one_hot", "takes a single column")


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
    """Where relative paths start, and whether they may lead out of that folder."""

    folder: Path
    anywhere: bool = False

    def find(self, path: str) -> Path:
        """The file behind ``path``; raises :class:`DataError` where it may not be opened or does not exist."""
        try:
            full = (self.folder / path).resolve()
            found, folder = full.is_file(), full.is_dir()
        except (OSError, ValueError, RuntimeError) as error:  # too long, a null byte, links in a circle
            raise DataError("NBN300", path, f"is no path: {error}") from None
        if not self.anywhere and not full.is_relative_to(self.folder.resolve()):
            raise DataError(
                "NBN307", path, f"lies outside the spec's folder {self.folder}", "allow it with --allow-outside"
            )
        if not found:
            what = "is a folder" if folder else "there is no such file"
            raise DataError("NBN300", str(self.folder / path), what, "paths are relative to the spec's folder")
        return full


def load(source: Source, inputs: Sequence[Input], place: Place) -> dict[str, Array]:
    """An array for each of the inputs; raises :class:`DataError` with file, row, column and value."""
    for item in inputs:
        if item.name not in source.fields:
            hint = suggestion(item.name, source.fields)
            raise DataError("NBN306", "data", f'says nothing of input "{item.name}"', hint)
    readers: dict[str, Callable[[], dict[str, Array]]] = {
        "values": lambda: {item.name: plain(source.fields[item.name], item.name) for item in inputs},
        "csv": lambda: load_csv(source, inputs, place.find(source.path or "")),
        "npz": lambda: load_npz(source, inputs, place.find(source.path or "")),
        "npy": lambda: {item.name: load_npy(source.fields[item.name], place) for item in inputs},
    }
    return readers[source.kind]()


def checked(graph: Graph, source: Source, inputs: Sequence[Input], place: Place) -> dict[str, Array]:
    """What a source holds for these inputs, loaded and checked; raises :class:`DataError`."""
    arrays = load(source, inputs, place)
    try:
        return prepare(graph, arrays, inputs)
    except DataError as error:
        raise DataError.of(replace(p, where=source.label(p.where)) for p in error.problems) from None


def plain(values: object, where: str) -> Array:
    """Nested lists as an array; raises :class:`DataError` where the rows differ in length."""
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        raise DataError("NBN302", where, "has masked values", "fill them or leave the examples out")
    try:
        array: Array = np.asarray(values)
        return array.astype(np.float64) if holds_large_integers(array) else array
    except (ValueError, TypeError):
        raise DataError("NBN303", where, "the rows are not equally long, or hold more than numbers") from None
    except OverflowError:
        raise DataError("NBN304", where, "holds an integer that is too large for any float") from None
    except RuntimeError as error:  # what other libraries' arrays raise
        raise DataError("NBN302", where, f"cannot be read as an array: {error}") from None


def holds_large_integers(array: Array) -> bool:
    """Whether NumPy made objects of plain numbers, because some are integers that 64 bits cannot hold."""
    return array.dtype == object and all(type(item) in (int, float) for item in array.flat)


def load_csv(source: Source, inputs: Sequence[Input], path: Path) -> dict[str, Array]:
    """Arrays from the columns of a csv file with a header."""
    table = read_csv(path, source.separator)
    return {item.name: columns_of(table, source.fields[item.name], item) for item in inputs}


@dataclass(frozen=True)
class Table:
    """A csv file: its header, its cells and the line of each row."""

    path: Path
    header: list[str]
    rows: list[list[str]]
    lines: list[int]

    def cells(self, column: str) -> list[str]:
        """A column's cells; raises :class:`DataError` where the header does not name it exactly once."""
        if self.header.count(column) != 1:
            how, hint = "is not", suggestion(column, self.header)
            if column in self.header:
                how, hint = "stands more than once", "give each column its own name"
            raise DataError("NBN301", f"{self.path}:1", f'column "{column}" {how} in the header', hint)
        index = self.header.index(column)
        return [row[index] for row in self.rows]


def read_csv(path: Path, separator: str = ",") -> Table:
    """The cells of a csv file, stripped; empty lines are skipped. Raises :class:`DataError`."""
    rows, lines, before = [], [], 0
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=separator, strict=True)
            for row in reader:
                if any(cell.strip() for cell in row):
                    rows.append([cell.strip() for cell in row])
                    lines.append(before + 1)
                before = reader.line_num
    except csv.Error as error:
        raise DataError("NBN300", f"{path}:{before + 1}", f"cannot be read as csv: {error}") from None
    except (OSError, ValueError, TypeError) as error:
        raise DataError("NBN300", str(path), f"cannot be read as csv: {error}", "save it as UTF-8 text") from None
    if len(rows) < 2:
        what = "is empty" if not rows else "has a header but no rows"
        raise DataError(
            "NBN300", str(path), what, "the first line names the columns, each further one is an example"
        )
    for row, line in zip(rows, lines, strict=True):
        if len(row) != len(rows[0]):
            message = f"has {len(row)} cells, but the header has {len(rows[0])}"
            raise DataError("NBN300", f"{path}:{line}", message, f'cells are separated by "{separator}"')
    return Table(path, rows[0], rows[1:], lines[1:])


def columns_of(table: Table, field: Column, item: Input) -> Array:
    """The array of an input from its columns: (N,) for a single one that the input takes so, else (N, columns)."""
    names = (field.column,) if isinstance(field.column, str) else field.column
    if field.one_hot is not None:
        words = {word: i for i, word in enumerate(field.one_hot)}
        classes = convert(table, names[0], lambda cell: words[cell], words)
        return indicators(classes.astype(np.intp), len(words), str(table.path)) * field.scale
    mapping = field.map
    read: Callable[[str], float] = mapping.__getitem__ if mapping is not None else number
    return scaled(np.stack([convert(table, name, read, mapping) for name in names], axis=1), field.scale)


def scaled(array: Array, factor: float) -> Array:
    """``array`` times ``factor``; what becomes infinite is found when it is checked."""
    with np.errstate(over="ignore", invalid="ignore"):
        return array if factor == 1 else np.asarray(array * factor)


def number(cell: str) -> float:
    """A finite number; raises ``ValueError``."""
    value = float(cell)
    if not math.isfinite(value) or "_" in cell or not cell.isascii():
        raise ValueError(cell)
    return value


def convert(table: Table, column: str, read: Callable[[str], float], words: Iterable[str] | None) -> Array:
    """A column's cells as numbers; raises :class:`DataError` that names the first bad ones."""
    cells = table.cells(column)
    try:
        return np.array([read(cell) for cell in cells])
    except (ValueError, KeyError):
        raise bad_cells(table, column, cells, read, words) from None


def bad_cells(
    table: Table, column: str, cells: list[str], read: Callable[[str], float], words: Iterable[str] | None
) -> DataError:
    """The complaint about cells that ``read`` refuses."""
    bad = []
    for line, cell in zip(table.lines, cells, strict=True):
        try:
            read(cell)
        except (ValueError, KeyError):
            bad.append((line, cell))
    shown = ", ".join(f"line {line}: {shorten(cell) if cell else 'empty'}" for line, cell in bad[:SHOWN])
    more = f" and {len(bad) - SHOWN} more" if len(bad) > SHOWN else ""
    if words is None:
        hint = 'give words a number each with "map", or columns of their own with "one_hot"'
        return DataError("NBN302", f'{table.path}, column "{column}"', f"not a finite number: {shown}{more}", hint)
    known = f"the known words are {', '.join(words)}"
    return DataError("NBN302", f'{table.path}, column "{column}"', f"unknown word: {shown}{more}", known)


def load_npz(source: Source, inputs: Sequence[Input], path: Path) -> dict[str, Array]:
    """Arrays from an npz file."""
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            found = {}
            for item in inputs:
                field = source.fields[item.name]
                if field.array not in archive.files:
                    hint = suggestion(field.array, archive.files)
                    raise DataError("NBN301", str(path), f'holds no array "{field.array}"', hint)
                found[item.name] = shaped(archive[field.array], field, f'{path}, array "{field.array}"')
            return found
    except DAMAGED as error:
        raise DataError(
            "NBN300", str(path), f"cannot be read as npz: {error}", "save it with numpy.savez"
        ) from None


def load_npy(field: File, place: Place) -> Array:
    """The array of an npy file."""
    path = place.find(field.file)
    try:
        return shaped(np.load(path, allow_pickle=False), field, str(path))
    except DAMAGED as error:
        raise DataError(
            "NBN300", str(path), f"cannot be read as npy: {error}", "save it with numpy.save"
        ) from None


def shaped(array: object, field: Numbers, where: str) -> Array:
    """An array from a file, one-hot, reshaped and scaled as its field says."""
    if not isinstance(array, np.ndarray):
        raise DataError("NBN300", where, "is no single array")
    found: Array = array
    if found.dtype.kind not in "biuf":
        raise DataError("NBN302", where, f"holds other than real numbers: dtype {found.dtype}")
    if field.one_hot is not None:
        found = one_hot(found, field.one_hot, where)
    if field.reshape is not None:
        try:
            found = found.reshape(found.shape[0], *field.reshape)
        except (ValueError, IndexError, OverflowError):
            message = f"has shape {show(found.shape)}, so an example cannot become {show(field.reshape)}"
            raise DataError("NBN303", where, message) from None
    return scaled(found, field.scale)


def one_hot(array: Array, classes: int, where: str) -> Array:
    """Columns of 0 and 1 from class numbers."""
    numbers = whole(array, where)
    within(numbers, Domain(0, classes - 1, f"a class number from 0 to {classes - 1}"), where)
    return indicators(numbers, classes, where)


def indicators(numbers: Array, classes: int, where: str) -> Array:
    """A column for each class: 1 where it is the example's, else 0."""
    if (need := numbers.size * classes * 8) > (have := free_memory()):
        message = f"{classes} classes in one-hot form need {mebibytes(need)}, but {mebibytes(have)} are free"
        raise DataError(
            "NBN305", where, message, "sparse_categorical_crossentropy takes the class numbers themselves"
        )
    found = np.zeros((*numbers.shape, classes))
    np.put_along_axis(found, numbers[..., None], 1, axis=-1)
    return found


def whole(array: Array, where: str) -> Array:
    """The array as int64; raises :class:`DataError` for anything but whole numbers."""
    if array.dtype.kind == "f" and (bad := ~((np.floor(array) == array) & (np.abs(array) < FRACTIONLESS))).any():
        raise DataError(
            "NBN305", where, f"must be whole numbers: {listed(array, bad)}", "class numbers are 0, 1, 2, …"
        )
    if array.dtype.kind == "u" and (bad := array > np.iinfo(np.int64).max).any():
        raise DataError("NBN305", where, f"must fit in 64 bits: {listed(array, bad)}")
    return array.astype(np.int64)


def within(array: Array, domain: Domain, where: str) -> None:
    """Raises :class:`DataError` for the first values that are outside the domain."""
    bad = ~np.isin(array, domain.only) if domain.only else (array < domain.low) | (array > domain.high)
    if bad.any():
        raise DataError("NBN305", where, f"must be {domain.words}: {listed(array, bad)}")


def listed(array: Array, bad: Array) -> str:
    """The first bad values with their places, and how many more there are."""
    places = np.argwhere(bad)
    shown = ", ".join(f"[{', '.join(map(str, place))}] is {array[tuple(place)]!s}" for place in places[:SHOWN])
    return shown + (f" and {len(places) - SHOWN} more" if len(places) > SHOWN else "")


def conform(item: Input, value: object, dtype: str) -> Array:
    """``value`` as the array that an input takes: right dtype, shape and layout, all finite.

    A single column fits both ``["N"]`` and ``["N", 1]``. Raises :class:`DataError`.
    """
    array: Array = value if type(value) is np.ndarray else plain(value, item.name)
    if array.dtype.kind not in "biuf":
        raise DataError(
            "NBN302", item.name, f"holds other than real numbers: dtype {array.dtype}, {shorten(value)}"
        )
    if not fits(array.shape, item):
        array = as_column(array, item)
    if item.integer:
        return np.ascontiguousarray(whole(array, item.name))
    cast = array if array.dtype == dtype and array.flags.c_contiguous else converted(array, dtype)
    if not np.logical_and.reduce(np.isfinite(cast), axis=None):
        raise DataError("NBN304", item.name, f"must be finite in {dtype}: {listed(array, ~np.isfinite(cast))}")
    return cast


def converted(array: Array, dtype: str) -> Array:
    """The array in another dtype, its elements one behind the other; numbers too large become infinite."""
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(array, dtype=dtype).reshape(array.shape)


def fits(shape: tuple[int, ...], item: Input) -> bool:
    """Whether an array's shape is one that the input declares."""
    return len(shape) == len(item.shape) and all(
        isinstance(want, str) or have == want for have, want in zip(shape, item.shape, strict=True)
    )


def as_column(array: Array, item: Input) -> Array:
    """A vector as a column or a column as a vector, if that is what the input declares; else an error."""
    if array.ndim == 1 and item.shape == (BATCH, 1):
        return array.reshape(-1, 1)
    if array.ndim == 2 and array.shape[1] == 1 and item.shape == (BATCH,):
        return array.reshape(-1)
    hint = "give a list of examples, even for one: [[…]]" if array.ndim == len(item.shape) - 1 else ""
    message = f"has shape {show(array.shape)}, but the input is declared as {show(item.shape)}"
    raise DataError("NBN303", item.name, message, hint)


def prepare(graph: Graph, arrays: Mapping[str, object], inputs: Sequence[Input]) -> dict[str, Array]:
    """What the given inputs take from ``arrays``, checked; raises :class:`DataError`.

    Names that are no input of the graph are refused; inputs that are not asked for are left aside.
    """
    for name in arrays:
        if not isinstance(graph.leaves.get(name), Input):
            known = [item.name for item in graph.inputs]
            raise DataError("NBN306", str(name), "is no input of this model", suggestion(name, known))
    found = {}
    for item in inputs:
        if item.name not in arrays:
            raise DataError("NBN306", item.name, f"is needed: an array of shape {show(item.shape)}")
        found[item.name] = conform(item, arrays[item.name], graph.dtype)
    for name, array in found.items():
        for domain in graph.domains[name]:
            within(array, domain, name)
    return found


def sizes(inputs: Sequence[Input], arrays: Mapping[str, Array]) -> dict[str, int]:
    """What number each symbol stands for; raises :class:`DataError` where arrays disagree or hold no example."""
    found: dict[str, int] = {}
    owner: dict[str, str] = {}
    for item in inputs:
        for dim, length in zip(item.shape, arrays[item.name].shape, strict=True):
            if not isinstance(dim, str):
                continue
            if found.setdefault(dim, length) != length:
                message = f'{dim} is {length} here, but {found[dim]} in "{owner[dim]}"'
                raise DataError("NBN303", item.name, message, "every input needs the same number of examples")
            if length == 0:
                raise DataError("NBN303", item.name, "holds no examples")
            owner.setdefault(dim, item.name)
    return found
