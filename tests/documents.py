"""A good spec, ways to change it, and what compiling a bad one says."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nbn_spec
from nbn_spec.errors import NbnError

Document = dict[str, Any]
GOOD: Document = {
    "name": "good",
    "inputs": {"x": {"shape": ["N", 2], "columns": ["x1", "x2"]}, "y": {"shape": ["N", 1]}},
    "nodes": [
        {"name": "z1", "op": "linear", "inputs": "x", "units": 3, "weight": "xavier"},
        {"name": "a1", "op": "sigmoid"},
        {"name": "z2", "op": "linear", "units": 1},
        {"name": "y_hat", "op": "sigmoid"},
    ],
    "constants": {"s": 2},
    "outputs": ["y_hat"],
    "loss": {"op": "squared_error", "inputs": ["y_hat", "y"]},
    "data": {"values": {"x": [[0, 0], [0, 1]], "y": [[0], [1]]}},
    "train": {"epochs": 2, "optimizer": {"name": "sgd", "learning_rate": 1.0}, "metrics": ["binary_accuracy"]},
}


def put(pointer: str, value: Any) -> Callable[[Document], None]:
    """The change that sets what a JSON pointer names; ``-`` appends to a list."""

    def change(document: Document) -> None:
        *front, last = pointer.strip("/").split("/")
        target: Any = document
        for step in front:
            target = target[int(step)] if isinstance(target, list) else target[step]
        if last == "-":
            target.append(value)
        else:
            target[int(last) if isinstance(target, list) else last] = value

    return change


def drop(pointer: str) -> Callable[[Document], None]:
    """The change that deletes what a JSON pointer names."""

    def change(document: Document) -> None:
        *front, last = pointer.strip("/").split("/")
        target: Any = document
        for step in front:
            target = target[int(step)] if isinstance(target, list) else target[step]
        del target[int(last) if isinstance(target, list) else last]

    return change


def good(*changes: Callable[[Document], None]) -> Document:
    """The good spec, changed."""
    document = copy.deepcopy(GOOD)
    for change in changes:
        change(document)
    return document


def complaint(path: Path, content: bytes) -> NbnError:
    """What compiling a file of this content raises; anything but an ``NbnError`` fails the test."""
    path.write_bytes(content)
    with pytest.raises(NbnError) as caught:
        nbn_spec.compile(path)
    return caught.value


def node(**fields: Any) -> Callable[[Document], None]:
    """The change that appends a node."""
    return put("/nodes/-", fields)


def places(error: Any) -> list[tuple[str, str]]:
    return [(problem.code, problem.where) for problem in error.problems]


def said(error: NbnError) -> str:
    """All that an error says, not broken into lines."""
    return "\n".join(part for p in error.problems for part in (f"{p.where}: {p.message}", *p.notes, p.hint))
