"""Tables: csv files with a header, their columns as arrays, and the line and column of every cell."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np

from nbn_spec.capacity import allowance, mebibytes
from nbn_spec.errors import DataError, Span, shorten, suggestion
from nbn_spec.ops.base import Array
from nbn_spec.record import AttributeProblem, Record, attr, record

SEPARATORS = (",", ";", "\t", "|", " ")
SHOWN = 3
"""How many bad values a message names; the rest is counted."""
FEW = 5
"""Rows from which the separator is guessed."""
NO_VALUE = frozenset(("", "?", "-", "--", ".", "n/a", "#n/a", "na", "nan", "nil", "none", "null", "missing"))
"""What people write into a cell, in small letters, where they have no value."""
THOUSANDS = r"[-+]?\d{1,3}([,'’ _])\d{3}(?:\1\d{3})*(?:\.\d+)?"
DECIMAL_COMMA = r"[-+]?(?:\d*|\d{1,3}(?:[.'’ ]\d{3})+),\d+"
UNITS = "%€$£ "
FILL = "fill it, or delete the line"
WORDS = 'give words a number each with "map", or columns of their own with "one_hot"'


@record
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
    top: int = 1
    """The line of the header."""

    def index(self, column: str) -> int:
        """The number of a column; raises :class:`DataError` where the header does not name it exactly once."""
        if self.header.count(column) != 1:
            how, hint = "is not", suggestion(column, self.header)
            if column in self.header:
                how, hint = "stands more than once", "give each column its own name"
            raise DataError("NBN301", f"{self.name}:{self.top}", f'column "{column}" {how} in the header', hint)
        return self.header.index(column)

    def cells(self, column: str) -> list[str]:
        """A column's cells; raises as :meth:`index` does."""
        index = self.index(column)
        return [row[index] for row in self.rows]

    @cached_property
    def text(self) -> list[str]:
        """The lines of the file, for those who look at one."""
        return self.path.read_text(encoding="utf-8-sig", errors="replace").split("\n")

    def line(self, row: int, column: str) -> int:
        """The line of a cell, which is not its row's where a cell before it holds the end of a line."""
        return self._place(row, column)[0]

    def span(self, row: int, column: str) -> Span:
        """The place of a cell; ``row`` counts examples from 0."""
        line, start, end = self._place(row, column)
        return Span(str(self.name), line, start + 1, max(1, end - start), self._line(line))

    def line_span(self, line: int) -> Span:
        """A whole line."""
        source = self._line(line)
        return Span(str(self.name), line, 1, max(1, len(source)), source)

    def _line(self, line: int) -> str:
        """The text of a line; nothing for one that the file, changed since, no longer has."""
        return self.text[line - 1] if line <= len(self.text) else ""

    def _place(self, row: int, column: str) -> tuple[int, int, int]:
        """The line of a cell, and where it begins and ends there."""
        first, after = [*self.lines[row : row + 2], len(self.text) + 1][:2]
        text = "\n".join(self.text[first - 1 : after - 1])
        index = self.header.index(column)
        start, end = next(islice(cells_in(text, self.separator), index, None), (0, 0))
        begin, stop = text.rfind("\n", 0, start) + 1, text.find("\n", start)
        return first + text.count("\n", 0, start), start - begin, (end if stop < 0 else min(end, stop)) - begin


def cells_in(text: str, separator: str) -> Iterator[tuple[int, int]]:
    """Where each cell of a row begins and ends, without the spaces around it.

    What stands in quotes belongs to the cell: separators, and the ends of lines.
    """
    pattern = re.compile(rf'(?:"[^"]*"(?:"[^"]*")*)?[^{re.escape(separator)}\n]*')
    at = 0
    while found := pattern.match(text, at):
        cell, at = found.group(), found.end() + 1
        start = found.start() + len(cell) - len(cell.lstrip())
        yield start, start + len(cell.strip())
        if at > len(text) or text[at - 1] == "\n":
            return


def read_csv(path: Path, separator: str = ",", name: Path | None = None) -> Table:
    """The cells of a csv file, stripped; empty lines are skipped. Raises :class:`DataError`.

    ``name`` is what messages call the file, if not its path.
    """
    import csv  # whoever loads a trained model reads no csv file

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
    table = Table(path, rows[0], rows[1:], lines[1:], separator, called, lines[0])
    check_widths(table)
    return table


def check_widths(table: Table) -> None:
    """Raises :class:`DataError` for rows that have more or fewer cells than the header."""
    width = len(table.header)
    bad = [(line, len(row)) for line, row in zip(table.lines, table.rows, strict=True) if len(row) != width]
    if not bad:
        return
    if sign := other_separator(table):
        raise lone_column(table, sign)
    line, cells = bad[0]
    more = [f"line {line} has {cells}" for line, cells in bad[1:SHOWN]]
    more += [f"and {len(bad) - SHOWN} more lines"] if len(bad) > SHOWN else []
    raise DataError(
        "NBN300",
        f"{table.name}:{line}",
        f"has {cells} cells, but the header has {width}",
        f'cells are separated by "{table.separator}"',
        notes=(f"also {', '.join(more)}",) if more else (),
        span=table.line_span(line),
    )


def other_separator(table: Table) -> str:
    """The separator that parts a header of a single column and the first rows evenly; empty where none does."""
    if len(table.header) > 1:
        return ""
    lines = [table.text[line - 1] for line in (table.top, *table.lines[:FEW])]
    for sign in SEPARATORS:
        widths = {sum(1 for _ in cells_in(line, sign)) for line in lines}
        if sign != table.separator and len(widths) == 1 and max(widths) > 1:
            return sign
    return ""


def check_separator(table: Table, wanted: Iterable[str]) -> None:
    """Raises :class:`DataError` for a single column that is not wanted, and that other separators would part."""
    alone = table.header[0]
    others = [sign for sign in SEPARATORS if sign in alone and sign != table.separator]
    if len(table.header) == 1 and others and alone not in wanted:
        raise lone_column(table, others[0])


def lone_column(table: Table, separator: str) -> DataError:
    """The complaint about a header of a single column that another separator would part."""
    message = f"the header has a single column, {shorten(table.header[0])}"
    sign = json.dumps(separator)
    hint = f'its cells seem to be separated by {sign}: write "separator": {sign}'
    return DataError("NBN301", str(table.name), message, hint)


def check_header(table: Table, wanted: Sequence[str]) -> None:
    """Raises :class:`DataError` for a header of nothing but numbers, none of them a column that is wanted."""
    names = list(dict.fromkeys(wanted))
    if set(names) & set(table.header) or not all(map(is_number, table.header)):
        return
    message, hint = "the first line holds numbers: a csv needs a header", "write a line above it with the names"
    if len(names) == len(table.header):
        hint += f", such as {table.separator.join(names)}"
    raise DataError("NBN301", f"{table.name}:{table.top}", message, hint, span=table.line_span(table.top))


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


def is_number(cell: str) -> bool:
    """Whether a cell holds a finite number."""
    try:
        number(cell)
    except ValueError:
        return False
    return True


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
        f"line {table.line(row, column)}: {shorten(cell) if cell else 'empty'}" for row, cell in bad[:SHOWN]
    )
    more = f" and {len(bad) - SHOWN} more" if len(bad) > SHOWN else ""
    if words is not None:
        what, hint = "unknown word", f"the known words are {', '.join(words)}"
    else:
        what = "not a finite number" if is_infinite(bad[0][1]) else "no number"
        hint = advice_for(table, column, bad[:SHOWN])
    message = f'column "{column}": {what}: {shown}{more}'
    where = f'{table.name}, column "{column}"'
    return DataError("NBN302", where, message, hint, span=table.span(bad[0][0], column))


def is_infinite(cell: str) -> bool:
    """Whether a cell holds what Python takes for a number, and is not finite."""
    try:
        return not math.isfinite(float(cell))
    except ValueError:
        return False


def advice_for(table: Table, column: str, bad: Sequence[tuple[int, str]]) -> str:
    """What to do with bad cells: once for each kind of them, with its line where there are several."""
    found: dict[str, tuple[int, str]] = {}
    for row, cell in bad:
        kind, hint = advice(cell, table.separator)
        found.setdefault(kind, (row, hint))
    if len(found) == 1:
        return next(hint for _, hint in found.values())
    return "; ".join(f"line {table.line(row, column)}: {hint}" for row, hint in found.values())


def advice(cell: str, separator: str) -> tuple[str, str]:
    """The kind of a cell that is no finite number, and what to do with it."""
    text = unicodedata.normalize("NFKC", cell).replace("\N{MINUS SIGN}", "-").strip(UNITS)
    joined, pointed = re.sub(r"[,'’ _]", "", text), re.sub(r"[.'’ ]", "", text).replace(",", ".")
    if cell.lower() in NO_VALUE:
        return "empty", FILL
    if is_infinite(cell):
        return "infinite", "write a finite number, or delete the line"
    if re.fullmatch(THOUSANDS, text):  # in files with another separator, a comma may as well be a decimal one
        doubt = separator != "," and text.count(",") == 1 and "." not in text
        return "thousands", f"write {joined}" + f", or {pointed} if the comma is a decimal one" * doubt
    if re.fullmatch(DECIMAL_COMMA, text):
        return "decimal", f"numbers have a decimal point: write {pointed}"
    return ("written", f"write {text}") if is_number(text) else ("word", WORDS)


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
