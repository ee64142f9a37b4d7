"""Where data comes from: values in the spec, csv, npy and npz files, and how each is read."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import islice
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np

from nbn_spec.capacity import allowance, mebibytes
from nbn_spec.checks import Loaded, Origin, check_kind, plain, whole, within
from nbn_spec.errors import COMPARED, DataError, Problem, Steps, shorten, suggestion
from nbn_spec.files import DAMAGED, npy_header
from nbn_spec.graph import Input
from nbn_spec.ops.base import Array, Domain, show
from nbn_spec.record import AttributeProblem, Record, attr, record
from nbn_spec.table import (
    Column,
    Table,
    check_header,
    check_separator,
    columns_of,
    indicators,
    names_of,
    read_csv,
    scaled,
)

RELATIVE = "paths are relative to the spec's folder"
LONGEST = 2**15
"""Characters of a path; no system takes a longer one."""
SMALL = 2**20
"""Bytes of which nobody asks whether they are free."""
CSV_FACTOR = 12
"""Bytes that reading a csv file takes for each of its own: cells are objects before they are numbers."""
ADDRESS = r"([A-Za-z][A-Za-z0-9+.-]+):/+"
"""How an address begins, of whose slashes a path keeps one; a drive has a single letter."""
MAGIC = {b"\x93NUMPY": "npy", b"PK\3\4": "npz"}
"""How binary files begin."""
SHEET = "[Content_Types].xml"
"""A member that the zip files of spreadsheets have."""


@record
class Numbers(Record):
    """What may be done to an array from a file."""

    reshape: tuple[int, ...] | None = attr(None, ge=-1, doc="The shape of one example; one length may be -1.")
    scale: float = attr(1.0, doc="Factor on every number.")
    one_hot: int | None = attr(None, ge=2, doc="Number of classes: class numbers become columns of 0 and 1.")
    standardize: bool = attr(False, doc="Mean 0, deviation 1, by the training part; becomes a node of the graph.")

    def check(self) -> None:
        if self.reshape is not None and self.reshape.count(-1) > 1:
            raise AttributeProblem("reshape", "only one length may be -1")


@record
class Member(Numbers):
    """One array of an npz file."""

    array: str = attr(doc="The array's name in the file.")


@record
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
        if found := address(path):
            raise DataError("NBN300", found, "addresses are not read", "download the file, and give its path")
        try:
            full = (self.folder / path).resolve()
            there, folder = full.is_file(), full.is_dir()
        except (OSError, ValueError, RuntimeError) as error:  # too long, a null byte, links in a circle
            reason = getattr(error, "strerror", None) or error
            raise DataError("NBN300", path, f"is no path: {reason}") from None
        if not self.anywhere and not full.is_relative_to(self.folder.resolve()):
            message = f"lies outside the spec's folder {self.folder.resolve()}"
            raise DataError("NBN307", path, message, "allow it with --allow-outside")
        if not there:
            what = "is a folder" if folder else "is no regular file" if full.exists() else "there is no such file"
            hint = near(self.folder / path, path) or RELATIVE
            raise DataError("NBN300", str(self.folder / path), what, hint)
        return full


def address(path: str) -> str:
    """The address that a path was meant as; empty for a path."""
    found = re.match(ADDRESS, path)
    return f"{found[1]}://{path[found.end() :]}" if found else ""


def near(path: Path, called: str) -> str:
    """“did you mean …” for a file that is not there: those of its folder with such a name; else nothing.

    ``called`` is how the user calls the file.
    """
    from difflib import get_close_matches  # only a complaint needs it, and loading a model has none

    try:
        others = sorted(other.name for other in islice(path.parent.iterdir(), COMPARED) if other.is_file())
    except OSError:
        return "" if path.parent.is_dir() else f"there is no folder {shorten(str(Path(called).parent))}"
    wanted = path.name.lower()
    known = {name.lower(): name for name in others}
    alike = get_close_matches(wanted, known, n=2, cutoff=0.7)
    alike = [name for name in known if Path(name).stem == wanted][:2] or alike
    shown = " or ".join(shorten(str(Path(called).parent / known[name])) for name in alike)
    return f"did you mean {shown}?" if shown else ""


def helped(problem: Problem) -> Problem:
    """The complaint about a document that cannot be opened, with what may be meant; others as they are."""
    if problem.code != "NBN100" or problem.hint or not problem.where:
        return problem
    if found := address(problem.where):
        return replace(problem, where=found, message="addresses are not read", hint="download the file")
    path = Path(problem.where)
    try:
        if path.is_dir():
            inside = sorted(str(item) for item in islice(path.iterdir(), COMPARED) if item.suffix == ".json")
            return replace(problem, hint=f"give a document in it, such as {shorten(inside[0])}" if inside else "")
        return problem if path.exists() else replace(problem, hint=near(path, problem.where))
    except (OSError, ValueError):  # nothing that could be a path
        return problem


Reader = Callable[[Input, Steps], Loaded]
"""The array of an input, which has this place in the spec."""


def read_values(source: Source, inputs: Sequence[Input], place: Place) -> Reader:
    """How values that are written in the spec are read."""

    def read(item: Input, path: Steps) -> Loaded:
        label = source.label(item.name)
        return Loaded(plain(source.fields[item.name], label), Origin(label, path))

    return read


def read_table(source: Source, inputs: Sequence[Input], place: Place) -> Reader:
    """How the columns of a csv file are read."""
    full, path = found_at(place, source.path or "", ("data", "csv")), place.named(source.path or "")
    try:
        check_format(full, path, source)
        place.afford(CSV_FACTOR * full.stat().st_size, path)
        table = read_csv(full, source.separator, path)
        wanted = [name for field in source.fields.values() for name in names_of(field)]
        check_separator(table, wanted)
        check_header(table, wanted)
    except DataError as error:
        raise DataError.of(error.at("data", "csv")) from None
    allotted = allotment(table, source, inputs)

    def read(item: Input, path: Steps) -> Loaded:
        field = source.fields[item.name]
        try:
            array = columns_of(table, field, place.max_memory)
        except DataError as error:
            raise DataError.of(named(problem, item, field, allotted) for problem in error.problems) from None
        return Loaded(array, Origin(source.label(item.name), path, table, field))

    return read


def allotment(table: Table, source: Source, inputs: Sequence[Input]) -> dict[str, list[str]]:
    """Columns that inputs may take whose own are not in the header: in its order, as many as each declares.

    Where there are not as many, it names the first ones again: what is shown is an example.
    """
    own = {item.name: names_of(source.fields[item.name]) for item in inputs}
    taken = {name for names in own.values() for name in names}
    free = [name for name in table.header if name not in taken]
    order = iter([*free, *(table.header * len(inputs))])
    lacking = [item for item in inputs if not set(own[item.name]) <= set(table.header)]
    return {item.name: list(islice(order, columns_in(item))) for item in lacking}


def columns_in(item: Input) -> int:
    """How many columns of a csv file an input takes."""
    width = item.shape[1] if len(item.shape) == 2 else 1
    return width if isinstance(width, int) else 1


def named(problem: Problem, item: Input, field: Column, allotted: Mapping[str, list[str]]) -> Problem:
    """The complaint about a column that nobody named in the data: with the key that does.

    Where the input declares a column that is near to one of the file, the slip stands there.
    """
    by_input = names_of(field) == (item.columns or (item.name,))
    slip = bool(item.columns) and problem.hint.startswith("did you mean")
    if problem.code != "NBN301" or not by_input or slip:
        return problem
    names = allotted[item.name]
    entry = json.dumps({item.name: names if len(names) > 1 else names[0]}, ensure_ascii=False)
    hint = f'name its columns in the data, such as "columns": {entry}'
    return replace(problem, hint=f"{problem.hint}; {hint}" if problem.hint else hint)


def check_format(full: Path, path: Path, source: Source) -> None:
    """Raises :class:`DataError` for an npy, npz or csv file where the spec says that it is another of them."""
    found = format_of(full)
    if found in ("", source.kind):
        return
    members = member_names(full) if found == "npz" else []
    if SHEET in members:
        raise DataError("NBN300", str(path), "is a spreadsheet", "export it as csv")
    if found == "npz" and not members:  # a zip file that holds no arrays, or a damaged one
        return
    article = "a" if found == "csv" else "an"
    hint = f"write {described(found, source, members)}"
    raise DataError("NBN300", str(path), f"is {article} {found} file", hint)


def format_of(path: Path) -> str:
    """What a file is by its first bytes, or else by its name: ``npy``, ``npz``, ``csv``; empty for others."""
    try:
        with open(path, "rb") as file:
            start = file.read(6)
    except OSError:  # the one who reads it in earnest says why that does not work
        return ""
    by_name = "csv" if path.suffix.lower() == ".csv" and start else ""
    return next((kind for sign, kind in MAGIC.items() if start.startswith(sign)), by_name)


def member_names(path: Path) -> list[str]:
    """The arrays of an npz file, or what else a zip file holds; none for a damaged one."""
    try:
        with zipfile.ZipFile(path) as members:
            return [name.removesuffix(".npy") for name in members.namelist()]
    except DAMAGED:
        return []


def described(kind: str, source: Source, members: Sequence[str]) -> str:
    """How the spec describes the data of a source whose file is of another kind."""
    first = next(iter(source.fields))
    path = json.dumps(path_of(source, first), ensure_ascii=False)
    if kind == "npy":
        return f'"npy": {{{json.dumps(first, ensure_ascii=False)}: {path}}}'
    arrays = {name: name if name in members else members[0] for name in source.fields if kind == "npz"}
    return f'"{kind}": {path}' + (f', "arrays": {json.dumps(arrays, ensure_ascii=False)}' if arrays else "")


def path_of(source: Source, name: str) -> str:
    """The file that an input's numbers stand in, as the spec calls it."""
    return str(getattr(source.fields[name], "file", source.path))


def read_npz(source: Source, inputs: Sequence[Input], place: Place) -> Reader:
    """How the arrays of an npz file are read."""
    full = found_at(place, source.path or "", ("data", "npz"))
    path = place.named(source.path or "")
    try:
        check_format(full, path, source)
        with open(full, "rb") as file, np.load(file, allow_pickle=False) as archive:
            _ = archive.files
    except DataError as error:
        raise DataError.of(error.at("data", "npz")) from None
    except DAMAGED as error:
        message, hint = f"cannot be read as npz: {error}", "save it with numpy.savez"
        raise DataError("NBN300", str(path), message, hint, path=("data", "npz")) from None

    def read(item: Input, place_in_spec: Steps) -> Loaded:
        field = source.fields[item.name]
        where = f'{path}, array "{field.array}"'
        try:
            with open(full, "rb") as file, np.load(file, allow_pickle=False) as archive:
                if field.array not in archive.files:
                    hint = suggestion(field.array, archive.files)
                    message = f'holds no array "{field.array}"'
                    raise DataError("NBN301", str(path), message, hint, path=("array",))
                place.afford(member_size(full, field.array, where), path)
                array = shaped(archive[field.array], field, where, place.max_memory)
                return Loaded(array, Origin(source.label(item.name), place_in_spec, entry=entry_of(field)))
        except DAMAGED as error:
            message = f"cannot be read as npz: {error}"
            raise DataError("NBN300", str(path), message, "save it with numpy.savez") from None

    return read


def read_npy(source: Source, inputs: Sequence[Input], place: Place) -> Reader:
    """How npy files are read."""

    def read(item: Input, place_in_spec: Steps) -> Loaded:
        field = source.fields[item.name]
        full, path = found_at(place, field.file, ("file",)), place.named(field.file)
        check_format(full, path, replace(source, fields={item.name: field}))
        try:
            with open(full, "rb") as file:
                place.afford(array_size(file, full.stat().st_size, str(path)), path)
            array = shaped(np.load(full, allow_pickle=False), field, str(path), place.max_memory)
        except DAMAGED as error:
            message = f"cannot be read as npy: {error}"
            raise DataError("NBN300", str(path), message, "save it with numpy.save") from None
        return Loaded(array, Origin(source.label(item.name), place_in_spec, entry=entry_of(field)))

    return read


def entry_of(field: Numbers) -> dict[str, Any]:
    """How the spec describes an array, as an object with nothing in it that can be left out."""
    defaults = {part.name: part.default for part in fields(field)}
    written = {key: value for key, value in field.to_json().items() if value != defaults[key]}
    return dict(sorted(written.items(), key=lambda pair: pair[0] not in ("array", "file")))


def array_size(file: IO[bytes], most: int, where: str) -> int:
    """The bytes of an npy file's array and of a copy, by its header; raises ``ValueError`` for one that lies.

    Raises :class:`DataError` for one of Python objects: reading those would run what they say.
    """
    shape, dtype = npy_header(file)
    size = prod(shape) * dtype.itemsize
    if dtype.hasobject:
        message, hint = "holds Python objects, which are not read", "save numbers: array.astype(float)"
        raise DataError("NBN302", where, message, hint)
    if size > most:
        raise ValueError("it is cut off")
    return 2 * min(size, most)


def member_size(path: Path, name: str, where: str) -> int:
    """The same for a member of an npz file; raises one of ``DAMAGED``."""
    with zipfile.ZipFile(path) as members:
        found = name if name in members.namelist() else f"{name}.npy"
        with members.open(found) as file:
            return array_size(file, members.getinfo(found).file_size, where)


READERS: dict[str, Callable[[Source, Sequence[Input], Place], Reader]] = {
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
    check_kind(found, where)
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
    """An array for each of the inputs and its origin, or what is wrong with it.

    Raises :class:`DataError` where the source cannot be opened for any of them.
    """
    wanted = [item for item in inputs if item.name in source.fields]
    found = {item.name: lacking(source, item) for item in inputs if item not in wanted}
    try:
        read = READERS[source.kind](source, wanted, place)
    except DataError as error:
        told = [problem for loaded in found.values() for problem in loaded.problems]
        raise DataError.of([*told, *error.problems]) from None
    for item in wanted:
        path = ("data", ENTRIES[source.kind], item.name)
        try:
            found[item.name] = read(item, path)
        except DataError as error:
            found[item.name] = unread(source, item, error.at(*path))
    return found


def lacking(source: Source, item: Input) -> Loaded:
    """What there is of an input that the data does not mention."""
    message, hint = f'says nothing of input "{item.name}"', suggestion(item.name, source.fields)
    return unread(source, item, [Problem("NBN306", "data", message, hint, path=("data", ENTRIES[source.kind]))])


def unread(source: Source, item: Input, problems: Sequence[Problem]) -> Loaded:
    """What there is of an input whose numbers could not be read."""
    return Loaded(np.empty(0), Origin(source.label(item.name)), tuple(problems))
