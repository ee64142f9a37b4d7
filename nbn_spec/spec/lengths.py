"""The lengths of a shape, however they are written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from nbn_spec.errors import shorten
from nbn_spec.record import LARGEST
from nbn_spec.spec.fields import SYMBOL_PATTERN

OPEN = ("none", "null", "-1", "?")
"""What people write for a length that is not fixed."""
LENGTHS = re.compile(r"[\w\s,()\[\]×*'\"?-]{1,200}")
"""A shape as text."""
KIND_OF_NUMBER = re.compile(r"(u?int|b?float|double|real|bool)\d*", re.IGNORECASE)
"""What is no length, though it holds digits."""


def is_number(value: object) -> bool:
    """Whether a value is a number; true and false are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def lengths(value: object) -> list[Any] | None:
    """The lengths of a shape as a list, however they are written; ``None`` where they are no lengths."""
    if isinstance(value, str):
        found = re.findall(r"-?\w+|\?", value) if LENGTHS.fullmatch(value) else []
        items = [item for item in found if item not in ("x", "X") or len(found) == 1]
        told = all(item.strip("-").isdecimal() or item.lower() in OPEN or item.isupper() for item in items[1:])
        return items if told and items and not KIND_OF_NUMBER.fullmatch(items[0]) else None
    if isinstance(value, (int, float)) and is_number(value):
        return [value] if value >= 1 else None
    return list(value) if isinstance(value, (list, tuple)) else None


def length_meant(item: object, first: bool) -> int | str | None:
    """The length or symbol that an item of a shape means; ``None`` where that is not plain."""
    if isinstance(item, str) and item.strip().isdecimal():
        item = int(item.strip()[:20])
    if isinstance(item, int) and not isinstance(item, bool) and 1 <= item <= LARGEST:
        return item
    open_ended = item.strip().lower() in OPEN if isinstance(item, str) else item is None
    if open_ended or (is_number(item) and item == -1):
        return "N" if first else "T"
    if not isinstance(item, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", item):
        return None
    return item if re.match(SYMBOL_PATTERN, item) else "N" if first else item[0].upper() + item[1:]


def is_whole(item: int | float) -> bool:
    """Whether a number is an integer, be it written as 3.0; true and false are none."""
    return not isinstance(item, bool) and (isinstance(item, int) or item.is_integer())


def is_length(item: object) -> bool:
    """Whether an item of a shape is as it should be."""
    if isinstance(item, str):
        return re.match(SYMBOL_PATTERN, item) is not None
    return isinstance(item, (int, float)) and is_whole(item) and 1 <= item <= LARGEST


def no_lengths(wrong: Sequence[object]) -> tuple[str, str]:
    """The code and the message for items that are no lengths."""
    if len(wrong) == 1 and is_number(wrong[0]):
        return "NBN113", f"must be at least 1, got {shorten(wrong[0])}"
    if len(wrong) == 1 and isinstance(wrong[0], str) and wrong[0].isidentifier():
        return "NBN116", f"{shorten(wrong[0])} may not be used as a name here"
    return "NBN112", "expected lengths and symbols, got " + ", ".join(map(shorten, wrong))
