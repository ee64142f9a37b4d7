"""What a complaint about the form of a document says beside the mistake: what was meant, and its place."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nbn_spec.errors import Problem, Steps, shorten

LEFT_OUT = object()
"""In place of a value that was meant: none, the key is to be left out."""
JSON_KINDS: dict[type, str] = {dict: "an object", list: "a list", tuple: "a tuple", str: "a string"}
ANY = "*"
"""Any step, in the pattern of a place."""


@dataclass(frozen=True)
class Complaint(Problem):
    """A problem of the document's form, and what was meant, where that is plain: another key, or another value."""

    instead: str = ""
    """The key that was meant."""
    to: Steps = ()
    """The place where the key belongs, if in another object."""
    better: Any = None
    """The value that was meant: at ``at`` if that is told, or else at ``path``; or :data:`LEFT_OUT`."""
    at: Steps | None = None
    moves: tuple[tuple[Steps, Steps], ...] = ()
    """Places in the value that was meant, and where each is written."""
    guess: bool = False
    """Whether what was meant is likely and not certain."""
    of_value: bool = False
    """Whether the message is of the value alone, so that its key is to be told before it."""


def said(code: str, path: Steps, message: str, hint: str = "", **more: Any) -> Complaint:
    """A complaint about the value at a place."""
    of_value = bool(path) and message.startswith(("must", "expected", "unknown word"))
    return Complaint(code, "", message, hint, path=path, of_value=of_value, **more)


def named_place(path: Steps) -> str:
    """The key whose value is meant, and the number of the item in its list, counted from 1."""
    at = max((i for i, step in enumerate(path) if isinstance(step, str)), default=0)
    indices, key = path[at + 1 :], shorten(str(path[at]))
    if len(indices) == 1:
        return f"{key}, item {int(str(indices[0])) + 1}"
    return key + (f" at [{', '.join(map(str, indices))}]" if indices else "")


def described(value: object) -> str:
    """A value and, where it does not show, its kind."""
    kind = JSON_KINDS.get(type(value), "")
    return f"{shorten(value)} ({kind})" if kind else shorten(value)


@dataclass(frozen=True)
class Seen:
    """A value, its place, and the document that it stands in."""

    path: Steps
    value: Any
    document: Mapping[str, Any]

    @property
    def inputs(self) -> list[str]:
        """The names of the inputs that are declared."""
        declared = self.document.get("inputs")
        return [str(name) for name in declared] if isinstance(declared, Mapping) else []

    def expected(
        self, what: str, better: Any, hint: str = "", moves: Mapping[Steps, Steps] | None = None
    ) -> Complaint:
        """The complaint that ``what`` should stand here; unless another hint is given, it is to write ``better``.

        ``moves`` has for steps beneath what was meant those beneath what is written.
        """
        shift = tuple(((*self.path, *to), (*self.path, *at)) for to, at in (moves or {}).items())
        message = f"expected {what}, got {described(self.value)}"
        return said("NBN112", self.path, message, hint or f"write {shown(better)}", better=better, moves=shift)

    def unknown(self, key: str, hint: str, better: Any, moves: Mapping[Steps, Steps] | None = None) -> Complaint:
        """The complaint about a key of this object, in whose place ``better`` is meant for all of the object."""
        shift = tuple(((*self.path, *to), (*self.path, *at)) for to, at in (moves or {}).items())
        more: dict[str, Any] = {"better": better, "at": self.path, "moves": shift, "of_key": True}
        return said("NBN111", (*self.path, key), f'unknown key "{key}"', hint, **more)


Rule = Callable[[Seen], Complaint | None]


def shown(value: Any, limit: int = 76) -> str:
    """A value as JSON, what is long in it cut short."""
    if isinstance(value, Mapping):
        inner = ", ".join(f"{json.dumps(str(key))}: {shown(item, 40)}" for key, item in [*value.items()][:6])
        return "{" + inner + (", …" if len(value) > 6 else "") + "}"
    if isinstance(value, (list, tuple)) and any(isinstance(item, Mapping) for item in value):
        return "[" + shown(value[0], 40) + (", …" if len(value) > 1 else "") + "]"
    text = shorten(value, limit)
    return text if not text.endswith("…") or isinstance(value, str) else "[…]"


def remedies(document: Mapping[str, Any], level: Mapping[Steps, Sequence[Rule]]) -> Iterator[Complaint]:
    """What the rules of one level say of a document: of each value, the first that has something to say."""
    for pattern, rules in level.items():
        for path, value in places(document, pattern):
            found = (rule(Seen(path, value, document)) for rule in rules)
            if complaint := next((one for one in found if one is not None), None):
                yield complaint


def places(value: Any, pattern: Steps, path: Steps = ()) -> Iterator[tuple[Steps, Any]]:
    """The places that a pattern fits, and what stands there."""
    if not pattern:
        yield path, value
        return
    step, *rest = pattern
    if isinstance(value, Mapping):
        steps: Sequence[object] = list(value) if step == ANY else [step] * (step in value)
    else:
        steps = range(len(value)) if isinstance(value, (list, tuple)) and step == ANY else ()
    for key in steps:
        yield from places(value[key], tuple(rest), (*path, key))
