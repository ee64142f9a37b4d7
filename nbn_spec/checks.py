"""What the numbers of an input must be: of the right kind, shape and domain; and the complaints about others."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite, prod
from typing import Any

import numpy as np

from nbn_spec.capacity import allowance, mebibytes
from nbn_spec.errors import DataError, GraphError, Problem, Steps, shorten
from nbn_spec.graph import BATCH, Input
from nbn_spec.interpreter import LARGE
from nbn_spec.ops.base import Array, Domain, show
from nbn_spec.table import SHOWN, Table, names_of

FRACTIONLESS = 2.0**53
"""From here on a float cannot tell neighbouring whole numbers apart."""
MANY = 10
"""Classes or words that a hint no longer lists."""
OTHERS = ", or hold more than numbers"
"""What is said of lists that make no array although their rows are equally long."""
KINDS = {
    "U": "text",
    "S": "text",
    "O": "Python objects",
    "c": "complex numbers",
    "M": "dates",
    "m": "spans of time",
    "V": "records",
}
"""What an array holds that holds no real numbers, by the kind of its dtype."""


@dataclass(frozen=True)
class Origin:
    """Where the numbers of an input come from: what complaints call the place of each."""

    label: str
    path: Steps = ()
    """The place in the spec; of values that stand there, a number's indices follow."""
    table: Table | None = None
    field: Any = None
    entry: Mapping[str, Any] | None = None
    """How the spec describes an array of an npy or npz file, written out as an object."""

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
        return f'line {self.table.line(index[0], column)}, column "{column}",'

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
    """An array and where it comes from; where it could not be read, what is wrong instead of it."""

    array: Array
    origin: Origin
    problems: tuple[Problem, ...] = ()


def plain(values: object, where: str) -> Array:
    """Nested lists as an array; raises :class:`DataError` where the rows differ in length."""
    if is_masked(values):
        raise DataError("NBN302", where, "has masked values", "fill them or leave the examples out")
    try:
        array: Array = np.asarray(values)
        return array.astype(np.float64) if holds_large_integers(array) else array
    except (ValueError, TypeError):
        message = f"the rows are not equally long{odd_row(values)}"
        raise DataError("NBN303", where, message) from None
    except OverflowError:
        raise DataError("NBN304", where, "holds an integer that is too large for any float") from None
    except RuntimeError as error:  # what other libraries' arrays raise
        raise DataError("NBN302", where, f"cannot be read as an array: {error}") from None


def is_masked(values: object) -> bool:
    """Whether an array hides some of its values."""
    masks: Any = sys.modules.get("numpy.ma")  # who holds such an array has imported it; else that takes 7 ms
    return masks is not None and isinstance(values, masks.MaskedArray) and bool(masks.is_masked(values))


def odd_row(values: object, place: tuple[int, ...] = ()) -> str:
    """The first row that is not as long as the first one beside it; or that the list holds more than numbers."""
    rows = list(values) if isinstance(values, (list, tuple)) else []
    lengths = [len(row) if isinstance(row, (list, tuple)) else None for row in rows]
    for i, length in enumerate(lengths):
        if length != lengths[0]:
            here, first = (f"[{', '.join(map(str, (*place, at)))}]" for at in (i, 0))
            return f": {here} has {counted(length)}, {first} has {counted(lengths[0])}"
    inside = (odd_row(row, (*place, i)) for i, row in enumerate(rows) if lengths[i])
    return next((said for said in inside if said != OTHERS), OTHERS)


def counted(length: int | None) -> str:
    """The length of a row in words; ``None`` stands for a number in place of a row."""
    return "no row" if length is None else f"{length} {'entry' if length == 1 else 'entries'}"


def holds_large_integers(array: Array) -> bool:
    """Whether NumPy made objects of plain numbers, because some are integers that 64 bits cannot hold."""
    return array.dtype == object and all(type(item) in (int, float) for item in array.flat)


def check_kind(array: Array, where: str, what: str = "holds") -> None:
    """Raises :class:`DataError` for an array of anything but real numbers: what it holds, and the first of it."""
    kind = array.dtype.kind
    if kind in "biuf":
        return
    found, first, hint = KINDS.get(kind, f"dtype {array.dtype}"), "", ""
    if kind == "O":
        first = first_object(array)
        hint = "every element has to be a number" if first else "array.astype(float) makes numbers of them"
    elif array.size and kind in "US":
        first, hint = pointed(array, 0), words_hint(array)
    raise DataError("NBN302", where, f"{what} {found}" + (f" ({first})" if first else ""), hint)


def pointed(array: Array, number: int) -> str:
    """One of an array's elements, by its number among all of them, with its indices."""
    index = [int(step) for step in np.unravel_index(number, array.shape)]
    place = f"[{', '.join(map(str, index))}] is " if index else ""
    return place + shorten(array.reshape(-1)[number].item() if array.dtype.kind != "O" else array.flat[number])


def first_object(array: Array) -> str:
    """The first element of an array of objects that is no number, if there is one."""
    numbers = (int, float, np.integer, np.floating, np.bool_)
    odd = next((i for i, item in enumerate(array.flat) if not isinstance(item, numbers)), None)
    return "" if odd is None else pointed(array, odd)


def words_hint(array: Array) -> str:
    """What to give in place of text: the numbers that it spells, or a number for each word."""
    try:
        array.astype(np.float64)
    except ValueError:
        pass
    else:
        return "numbers stand without quotes: array.astype(float)"
    words = np.unique(array).tolist()
    if len(words) > MANY:
        return "give class numbers in place of words: 0, 1, 2, …"
    pairs = ", ".join(f"{shorten(word, 20)} {number}" for number, word in enumerate(words))
    return f"give class numbers in place of words: {pairs}"


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
        hint = label_hint(array, domain, origin)
        raise bad_numbers("NBN305", where, f"must be {domain.words}", array, bad, origin, hint)


def label_hint(array: Array, domain: Domain, origin: Origin | None) -> str:
    """What to do with labels that are counted from 1, or are -1 and 1 where 0 and 1 are meant, or the reverse."""
    if domain.only:
        return "the labels are -1 and 1: give -1 in place of 0" * bool(np.isin(array, (0, 1)).all())
    if domain.high == 1 and np.isin(array, (-1, 1)).all():
        return "the labels are 0 and 1: give 0 in place of -1"
    classes = int(domain.high) + 1
    if domain.low != 0 or array.min() < 1 or array.max() != classes:
        return ""
    if array.dtype.kind == "f":
        return "labels count from 0: subtract 1" * bool((array == np.floor(array)).all())
    numbers = ", ".join(f'"{number + 1}": {number}' for number in range(classes))
    from_csv = origin is not None and origin.table is not None and classes <= MANY
    how = f'"map": {{{numbers}}}' if from_csv else "subtract 1"
    return f"classes count from 0: {how}, or give {classes + 1} units"


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


def conform(
    item: Input, value: object, dtype: str, origin: Origin | None = None, limit: int | None = None
) -> Array:
    """``value`` as the array that an input takes: right dtype, shape and layout, all finite.

    A single column fits both ``["N"]`` and ``["N", 1]``. Raises :class:`DataError`, and :class:`GraphError`
    for a copy of more than ``limit`` bytes or, without one, than are free.
    """
    array: Array = value if type(value) is np.ndarray else plain(value, item.name)
    if array.dtype.kind not in "biuf":
        check_kind(array, item.name, "holds other than real numbers:")
    if not fits(array.shape, item):
        array = as_column(array, item, origin)
    if item.integer:
        return np.ascontiguousarray(whole(array, item.name, origin))
    as_it_is = array.dtype == dtype and array.flags.c_contiguous
    cast = array if as_it_is else converted(array, dtype, item.name, limit)
    if not is_finite(cast):
        raise bad_numbers("NBN304", item.name, f"must be finite in {dtype}", array, ~np.isfinite(cast), origin)
    return cast


def is_finite(array: Array) -> bool:
    """Whether all numbers are finite: their squares are added first, as that takes no memory; it may overflow."""
    every = array.reshape(-1)
    with np.errstate(all="ignore"):
        return isfinite(every.dot(every)) or bool(np.isfinite(every).all())


def converted(array: Array, dtype: str, where: str, limit: int | None = None) -> Array:
    """The array in another dtype, its elements one behind the other; numbers too large become infinite.

    Raises :class:`GraphError` for more bytes than ``limit`` or, without one, than are free.
    """
    size = array.size * np.dtype(dtype).itemsize
    have, origin = allowance(limit) if size > LARGE else (size, "")
    if size > have:
        message = f"as {dtype} its {array.size:,} numbers need {mebibytes(size)}; {mebibytes(have)} are {origin}"
        raise GraphError("NBN209", where, message, "give fewer examples at once")
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(array, dtype=dtype).reshape(array.shape)


def fits(shape: tuple[int, ...], item: Input) -> bool:
    """Whether an array's shape is one that the input declares."""
    return len(shape) == len(item.shape) and all(
        isinstance(want, str) or have == want for have, want in zip(shape, item.shape, strict=True)
    )


def as_column(array: Array, item: Input, origin: Origin | None = None) -> Array:
    """A vector as a column or a column as a vector, if that is what the input declares; else an error."""
    if array.ndim == 1 and item.shape == (BATCH, 1):
        return array.reshape(-1, 1)
    if array.ndim == 2 and array.shape[1] == 1 and item.shape == (BATCH,):
        return array.reshape(-1)
    hint = next(filter(None, (rule(array, item, origin) for rule in SHAPE_HINTS)), "")
    message = f"has shape {show(array.shape)}, but the input is declared as {show(item.shape)}"
    raise DataError("NBN303", item.name, message, hint)


def uncounted(array: Array, item: Input, origin: Origin | None) -> str:
    """The hint for an input that is declared as a single example."""
    if array.ndim != len(item.shape) + 1 or array.shape[1:] != item.shape:
        return ""
    return f"the first axis of data counts the examples: declare {declared(item, array.shape[1:])}"


def one_hot_rows(array: Array, item: Input, origin: Origin | None) -> str:
    """The hint for columns of 0 and 1 where class numbers are taken."""
    if item.shape != (BATCH,) or array.ndim != 2 or array.shape[1] < 2:
        return ""
    rows = np.isin(array, (0, 1)).all() and (array.sum(axis=1) == 1).all()
    return "give the number of each example's class, not columns of 0 and 1: array.argmax(axis=1)" * bool(rows)


def class_numbers(array: Array, item: Input, origin: Origin | None) -> str:
    """The hint for class numbers from a file where columns of 0 and 1 are taken."""
    classes = item.shape[1] if len(item.shape) == 2 else 0
    if array.ndim != 1 or not isinstance(classes, int) or classes < 2 or origin is None or not origin.entry:
        return ""
    fine = np.isin(array, np.arange(classes)).all()
    return f"class numbers become columns of 0 and 1: {written(origin, one_hot=classes)}" * bool(fine)


def transposed(array: Array, item: Input, origin: Origin | None) -> str:
    """The hint for columns by examples."""
    turned = array.shape[::-1]
    alike = fits(turned, item) or (item.shape == (BATCH,) and turned[1:] == (1,))
    return "it looks transposed: the first axis counts the examples" * (array.ndim == 2 and alike)


def reshaped(array: Array, item: Input, origin: Origin | None) -> str:
    """The hint for examples that hold as many numbers as they should, in another shape."""
    lengths = [dim for dim in item.shape[1:] if isinstance(dim, int)]
    same = array.ndim > 1 and prod(lengths) == prod(array.shape[1:])
    if not same or item.shape[:1] != (BATCH,) or len(lengths) + 1 != len(item.shape):
        return ""
    if origin is None:
        return f"array.reshape({', '.join(map(str, (-1, *lengths)))}) has that shape"
    if origin.entry:
        return f"reshape each example: {written(origin, reshape=lengths)}"
    return f"declare {declared(item, array.shape[1:])}, or write the examples in the declared shape"


def single(array: Array, item: Input, origin: Origin | None) -> str:
    """The hint for a lone example."""
    return "give a list of examples, even for one: [[…]]" * (array.ndim == len(item.shape) - 1)


def other_width(array: Array, item: Input, origin: Origin | None) -> str:
    """The hint for more or fewer columns than are declared."""
    if array.ndim != 2 or len(item.shape) != 2 or item.shape[0] != BATCH or not isinstance(item.shape[1], int):
        return ""
    columns = f"{item.shape[1]} column{'s' * (item.shape[1] != 1)}"
    return f"give {columns}, or declare {declared(item, array.shape[1:])}"


def declared(item: Input, lengths: Sequence[int]) -> str:
    """How the spec declares an input whose examples have this shape."""
    return f'"{item.name}" as {json.dumps([BATCH, *lengths])}'


def written(origin: Origin, **more: Any) -> str:
    """The entry of the spec's data for an array, with something more done to it."""
    return json.dumps({**(origin.entry or {}), **more}, ensure_ascii=False)


SHAPE_HINTS: tuple[Callable[[Array, Input, Origin | None], str], ...] = (
    *(uncounted, one_hot_rows, class_numbers, transposed, reshaped, single, other_width),
)
"""What may be behind a shape that does not fit; the first that applies is told."""
