"""Tables: csv files with a header, their columns as arrays, and the line and column of every cell."""

from __future__ import annotations

import csv
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from nbn_spec.errors import DataError, Span, shorten, suggestion
from nbn_spec.ops.base import Array
from nbn_spec.params import allowance, mebibytes
from nbn_spec.record import AttributeProblem, Record, attr

SEPARATORS = (",", ";", "\t", "|", " ")
SHOWN = 3
"""How many bad values a message names; the rest is counted."""


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
        if twice := [word for word, count in Counter(self.one_hot or ()).items() if count > 1]:
            raise AttributeProblem("one_hot", f"names {shorten(twice[0])} twice")


@dataclass(frozen=True)
class Table:
    """A csv file: its header, its cells and the line of each row."""

    path: Path
    header: list[str]
    rows: list[list[str]]
    lines: list[int]
    separator: str
    name: Path
    """What messages call the file."""

    def index(self, column: str) -> int:
        """The number of a column; raises :class:`DataError` where the header does not name it exactly once."""
        if self.header.count(column) != 1:
            how, hint = "is not", suggestion(column, self.header)
            if column in self.header:
                how, hint = "stands more than once", "give each column its own name"
            raise DataError("NBN301", f"{self.name}:1", f'column "{column}" {how} in the header', hint)
        return self.header.index(column)

    def cells(self, column: str) -> list[str]:
        """A column's cells; raises as :meth:`index` does."""
        index = self.index(column)
        return [row[index] for row in self.rows]

    @cached_property
    def text(self) -> list[str]:
        """The lines of the file, for those who look at one."""
        return self.path.read_text(encoding="utf-8-sig", errors="replace").split("\n")

    def span(self, row: int, column: str) -> Span:
        """The place of a cell; ``row`` counts examples from 0."""
        line = self.lines[row]
        source = self.text[line - 1] if line <= len(self.text) else ""
        starts = cell_starts(source, self.separator)
        index = self.header.index(column)
        broken = source.count('"') % 2 or index >= len(starts)  # the row goes on in the next line
        start, end = (0, len(source)) if broken else starts[index]
        return Span(str(self.name), line, start + 1, max(1, end - start), source)


def cell_starts(line: str, separator: str) -> list[tuple[int, int]]:
    """Where each cell of a line begins and ends, without the spaces around it; separators in quotes are none."""
    found, begin, quoted = [], 0, False
    for i, sign in enumerate([*line, separator]):
        quoted ^= sign == '"'
        if (sign == separator and not quoted) or i == len(line):
            cell = line[begin:i]
            start = begin + len(cell) - len(cell.lstrip())
            found.append((start, start + len(cell.strip())))
            begin = i + 1
    return found


def read_csv(path: Path, separator: str = ",", name: Path | None = None) -> Table:
    """The cells of a csv file, stripped; empty lines are skipped. Raises :class:`DataError`.

    ``name`` is what messages call the file, if not its path.
    """
    rows, lines, before = [], [], 0
    called = name or path
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=separator, strict=True)
            for row in reader:
                if any(cell.strip() for cell in row):
                    rows.append([cell.strip() for cell in row])
                    lines.append(before + 1)
                before = reader.line_num
    except csv.Error as error:
        line = before + 1
        hint = "a quote that opens a cell closes it, too; within one, two stand for one"
        where, message = f"{called}:{line}", f"cannot be read as csv: {error}"
        raise DataError("NBN300", where, message, hint, span=Span(str(called), line, 1)) from None
    except (OSError, ValueError, TypeError) as error:
        raise DataError(
            "NBN300", str(called), f"cannot be read as csv: {error}", "save it as UTF-8 text"
        ) from None
    if len(rows) < 2:
        what = "is empty" if not rows else "has a header but no rows"
        raise DataError(
            "NBN300", str(called), what, "the first line names the columns, each further one is an example"
        )
    table = Table(path, rows[0], rows[1:], lines[1:], separator, called)
    check_widths(table)
    return table


def check_widths(table: Table) -> None:
    """Raises :class:`DataError` for rows that have more or fewer cells than the header."""
    width = len(table.header)
    bad = [(line, len(row)) for line, row in zip(table.lines, table.rows, strict=True) if len(row) != width]
    if not bad:
        return
    line, cells = bad[0]
    more = [f"line {line} has {cells}" for line, cells in bad[1:SHOWN]]
    more += [f"and {len(bad) - SHOWN} more lines"] if len(bad) > SHOWN else []
    source = table.text[line - 1] if line <= len(table.text) else ""
    raise DataError(
        "NBN300",
        f"{table.name}:{line}",
        f"has {cells} cells, but the header has {width}",
        f'cells are separated by "{table.separator}"',
        notes=(f"also {', '.join(more)}",) if more else (),
        span=Span(str(table.name), line, 1, len(source), source),
    )


def check_separator(table: Table, wanted: Iterable[str]) -> None:
    """Raises :class:`DataError` for a single column that is not wanted, and that other separators would part."""
    alone = table.header[0]
    others = [sign for sign in SEPARATORS if sign in alone and sign != table.separator]
    if len(table.header) > 1 or not others or alone in wanted:
        return
    message = f"the header has a single column, {shorten(alone)}"
    sign = json.dumps(others[0])
    hint = f'its cells seem to be separated by {sign}: write "separator": {sign}'
    raise DataError("NBN301", str(table.name), message, hint)


def names_of(field: Column) -> tuple[str, ...]:
    """The columns that a field takes."""
    return (field.column,) if isinstance(field.column, str) else field.column


def columns_of(table: Table, field: Column, max_memory: int | None = None) -> Array:
    """The array (N, columns) that a field takes from a table; raises :class:`DataError` with all that is wrong."""
    names = names_of(field)
    if field.one_hot is not None:
        words = {word: i for i, word in enumerate(field.one_hot)}
        try:
            classes = convert(table, names[0], lambda cell: words[cell], words)
        except DataError as error:
            raise DataError.of(error.at("column")) from None
        return indicators(classes.astype(np.intp), len(words), str(table.name), max_memory) * field.scale
    mapping = field.map
    read: Callable[[str], float] = mapping.__getitem__ if mapping is not None else number
    found, problems = [], []
    for place, name in enumerate(names):
        try:
            found.append(convert(table, name, read, mapping))
        except DataError as error:
            problems += error.at("column", *((place,) if isinstance(field.column, tuple) else ()))
    if problems:
        raise DataError.of(problems)
    return scaled(np.stack(found, axis=1), field.scale)


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
    for row, cell in enumerate(cells):
        try:
            read(cell)
        except (ValueError, KeyError):
            bad.append((row, cell))
    shown = ", ".join(
        f"line {table.lines[row]}: {shorten(cell) if cell else 'empty'}" for row, cell in bad[:SHOWN]
    )
    more = f" and {len(bad) - SHOWN} more" if len(bad) > SHOWN else ""
    what, hint = (
        "not a finite number",
        'give words a number each with "map", or columns of their own with "one_hot"',
    )
    if words is not None:
        what, hint = "unknown word", f"the known words are {', '.join(words)}"
    message = f'column "{column}": {what}: {shown}{more}'
    where = f'{table.name}, column "{column}"'
    return DataError("NBN302", where, message, hint, span=table.span(bad[0][0], column))


def indicators(numbers: Array, classes: int, where: str, max_memory: int | None = None) -> Array:
    """A column for each class: 1 where it is the example's, else 0; raises :class:`DataError` beyond the limit."""
    limit, origin = allowance(max_memory)
    if (need := numbers.size * classes * 8) > limit:
        what = f"{classes} classes in one-hot form need {mebibytes(need)}"
        message = f"{what}, but the limit is {mebibytes(limit)}, {origin}"
        raise DataError(
            "NBN305", where, message, "sparse_categorical_crossentropy takes the class numbers themselves"
        )
    found = np.zeros((*numbers.shape, classes))
    np.put_along_axis(found, numbers[..., None], 1, axis=-1)
    return found
