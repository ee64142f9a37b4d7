"""Data: from inline values, csv, npy and npz files to named NumPy arrays that fit the graph's inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nbn_spec.errors import DataError, Problem, Steps, shorten, suggestion
from nbn_spec.files import DAMAGED
from nbn_spec.graph import BATCH, Graph, Input
from nbn_spec.ops.base import Array, Domain, show
from nbn_spec.record import AttributeProblem, Record, attr
from nbn_spec.table import (
    SHOWN,
    Column,
    Table,
    check_separator,
    columns_of,
    indicators,
    names_of,
    read_csv,
    scaled,
)

LONGEST = 2**15
"""Characters of a path; no system takes a longer one."""
FRACTIONLESS = 2.0**53
"""From here on a float cannot tell neighbouring whole numbers apart."""


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


@dataclass(frozen=True)
class Origin:
    """Where the numbers of an input come from: what complaints call the place of each."""

    label: str
    path: Steps = ()
    """The place in the spec; of values that stand there, a number's indices follow."""
    table: Table | None = None
    field: Any = None

    def column(self, index: Sequence[int]) -> str | None:
        """The column of a csv file that a number was read from; ``None`` where there is not just one."""
        if self.table is None or self.field.one_hot is not None:
            return None
        return names_of(self.field)[index[1] if len(index) > 1 else 0]

    def name(self, index: Sequence[int]) -> str:
        """A number's place: its indices, or the line and column of the file."""
        column = self.column(index)
        if self.table is None or column is None:
            return f"[{', '.join(map(str, index))}]"
        return f'line {self.table.lines[index[0]]}, column "{column}",'

    def at(self, problem: Problem, index: Sequence[int] | None) -> Problem:
        """A problem with its place, of which ``index`` tells the first bad number."""
        if index is None:
            return replace(problem, where=self.label, path=self.path)
        column = self.column(index)
        if self.table is not None and column is not None:
            return replace(problem, where=self.label, path=self.path, span=self.table.span(index[0], column))
        inside = tuple(map(int, index)) if self.path[:2] == ("data", "values") else ()
        return replace(problem, where=self.label, path=(*self.path, *inside))


@dataclass(frozen=True)
class Loaded:
    """An array and where it comes from."""

    array: Array
    origin: Origin


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


def checked(graph: Graph, source: Source, inputs: Sequence[Input], place: Place) -> dict[str, Array]:
    """What a source holds for these inputs, loaded and checked; raises :class:`DataError`."""
    return fitted(open_source(source, inputs, place), inputs, graph.dtype, graph.domains)


def fitted(
    found: Mapping[str, Loaded], inputs: Sequence[Input], dtype: str, domains: Mapping[str, Sequence[Domain]]
) -> dict[str, Array]:
    """The arrays as the inputs take them; raises :class:`DataError` with all that does not fit."""
    arrays: dict[str, Array] = {}
    problems: list[Problem] = []
    for item in inputs:
        loaded = found[item.name]
        try:
            arrays[item.name] = conform(item, loaded.array, dtype, loaded.origin)
            for domain in domains.get(item.name, ()):
                within(arrays[item.name], domain, item.name, loaded.origin)
        except DataError as error:
            problems += [loaded.origin.at(p, None) if p.path is None else p for p in error.problems]
    if problems:
        raise DataError.of(problems)
    return arrays


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
        table = read_csv(full, source.separator, place.named(source.path or ""))
        wanted = [name for field in source.fields.values() for name in names_of(field)]
        check_separator(table, wanted)
    except DataError as error:
        raise DataError.of(error.at("data", "csv")) from None

    def read(name: str, path: Steps) -> Loaded:
        field = source.fields[name]
        return Loaded(columns_of(table, field), Origin(source.label(name), path, table, field))

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
                array = shaped(archive[field.array], field, f'{path}, array "{field.array}"')
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
            array = shaped(np.load(full, allow_pickle=False), field, str(path))
        except DAMAGED as error:
            message = f"cannot be read as npy: {error}"
            raise DataError("NBN300", str(path), message, "save it with numpy.save") from None
        return Loaded(array, Origin(source.label(name), place_in_spec))

    return read


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
            raise DataError("NBN303", where, message, path=("reshape",)) from None
    return scaled(found, field.scale)


def one_hot(array: Array, classes: int, where: str) -> Array:
    """Columns of 0 and 1 from class numbers."""
    numbers = whole(array, where)
    within(numbers, Domain(0, classes - 1, f"a class number from 0 to {classes - 1}"), where)
    return indicators(numbers, classes, where)


def whole(array: Array, where: str, origin: Origin | None = None) -> Array:
    """The array as int64; raises :class:`DataError` for anything but whole numbers."""
    if array.dtype.kind == "f" and (bad := ~((np.floor(array) == array) & (np.abs(array) < FRACTIONLESS))).any():
        demand, hint = "must be whole numbers", "class numbers are 0, 1, 2, …"
        raise bad_numbers("NBN305", where, demand, array, bad, origin, hint)
    if array.dtype.kind == "u" and (bad := array > np.iinfo(np.int64).max).any():
        raise bad_numbers("NBN305", where, "must fit in 64 bits", array, bad, origin)
    return array.astype(np.int64)


def within(array: Array, domain: Domain, where: str, origin: Origin | None = None) -> None:
    """Raises :class:`DataError` for the first values that are outside the domain."""
    bad = ~np.isin(array, domain.only) if domain.only else (array < domain.low) | (array > domain.high)
    if bad.any():
        raise bad_numbers("NBN305", where, f"must be {domain.words}", array, bad, origin)


def bad_numbers(
    code: str, where: str, demand: str, array: Array, bad: Array, origin: Origin | None, hint: str = ""
) -> DataError:
    """The complaint about numbers that are not as they must be: the first ones, and how many more there are."""
    problem = Problem(code, where, f"{demand}: {listed(array, bad, origin)}", hint)
    return DataError.of([problem if origin is None else origin.at(problem, np.argwhere(bad)[0].tolist())])


def listed(array: Array, bad: Array, origin: Origin | None = None) -> str:
    """The first bad values with their places, and how many more there are."""
    places = np.argwhere(bad).tolist()
    named = (origin or Origin("")).name
    shown = ", ".join(f"{named(place)} is {array[tuple(place)]!s}" for place in places[:SHOWN])
    return shown + (f" and {len(places) - SHOWN} more" if len(places) > SHOWN else "")


def conform(item: Input, value: object, dtype: str, origin: Origin | None = None) -> Array:
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
        return np.ascontiguousarray(whole(array, item.name, origin))
    cast = array if array.dtype == dtype and array.flags.c_contiguous else converted(array, dtype)
    if not np.logical_and.reduce(np.isfinite(cast), axis=None):
        raise bad_numbers("NBN304", item.name, f"must be finite in {dtype}", array, ~np.isfinite(cast), origin)
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
    """What the given inputs take from ``arrays``, checked; raises :class:`DataError` with all that is wrong.

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
            found[item.name] = array = conform(item, arrays[item.name], graph.dtype)
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
