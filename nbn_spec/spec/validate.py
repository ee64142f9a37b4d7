"""From a document to a :class:`ModelSpec`: of one with mistakes, as much as can be made out is passed on.

What is wrong is taken out or, where the meaning is plain, put right, and the rest is validated again: the later
stages then find what is wrong with the rest, and say nothing of what needs the parts that were taken out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError

from nbn_spec.errors import Problem, SpecError, Steps, shorten
from nbn_spec.spec.complain import complaints
from nbn_spec.spec.fields import NAME_PATTERN, REFERENCE_PATTERN
from nbn_spec.spec.forms import LEVELS, stranger
from nbn_spec.spec.hints import LEFT_OUT, Complaint, named_place, remedies
from nbn_spec.spec.models import LANGUAGE, ModelSpec
from nbn_spec.spec.nodes import Broken
from nbn_spec.spec.read import Document, pointer
from nbn_spec.spec.words import ALIASES, folded

TAGS = ("op", "init", "name")
"""Keys whose word tells what an object is."""
ROUNDS = 12
"""How often what is left is looked at; each time, mistakes may show that others had hidden."""
FILLERS: dict[object, Any] = {
    "name": "unnamed",
    "nodes": [{"op": "identity"}],
    "outputs": ["unnamed"],
}
"""What stands in for a required key, so that the rest can be validated."""
FILLED: dict[object, Any] = {"inputs": {"shape": ["N"]}, "parameters": {"value": 0}, "constants": 0}
"""What stands in for a leaf: its name stays known."""
ENTRIES = ("columns", "arrays", "npy", "values")
"""Keys of ``data`` that hold an entry for each input."""


@dataclass(frozen=True)
class Validated:
    """A spec, and its document with all that is wrong so far.

    ``broken`` are the places of which nothing more is to be said, ``unusable`` names that may not be
    used: whoever reads one is not told that it does not exist. ``spec`` is ``None`` where so little is left that
    there is nothing to look at.
    """

    spec: ModelSpec | None
    document: Document
    broken: frozenset[Steps] = frozenset()
    unusable: frozenset[str] = frozenset()
    guessed: frozenset[Steps] = frozenset()
    """Objects whose word was put right: what they mean is likely and not certain."""


def validate(document: Document) -> Validated:
    """The spec that a document is, as far as it is one; raises :class:`SpecError` for a newer language."""
    draft = Draft(document)
    check_version(draft)
    for _ in range(ROUNDS):
        try:
            spec = ModelSpec.model_validate(draft.value)
        except ValidationError as error:
            if foreign := stranger(draft.value):
                draft.note(foreign)
                break
            if not draft.remedied():
                draft.take_all(complaints(error, draft.value))
        except RecursionError:
            raise SpecError("NBN104", pointer(document.where, ()), "nests too deep") from None
        else:
            return draft.finished(spec)
    return draft.finished(None)


@dataclass
class Draft:
    """A document on the way to one that is valid: what was changed, and why."""

    document: Document
    problems: list[Problem] = field(default_factory=list)
    broken: set[Steps] = field(default_factory=set)
    unusable: set[str] = field(default_factory=set)
    guessed: set[Steps] = field(default_factory=set)
    renamed: dict[Steps, Steps] = field(default_factory=dict)
    """The places whose key was put right, and what is written there."""
    misspelt: set[Steps] = field(default_factory=set)
    """What is written there, to be looked up."""
    nodes: dict[int, Any] = field(default_factory=dict)
    """The nodes that were taken out, as they were written."""
    loss: Any = None
    copied: dict[int, Any] = field(default_factory=dict)
    """What may be changed by its id, kept so that nothing else gets that id."""
    told: set[Steps] = field(init=False)
    """The places where the reader has found something, and all those around them."""

    def __post_init__(self) -> None:
        self.value = dict(self.document.value)
        self.copied[id(self.value)] = self.value
        paths = [problem.path for problem in self.document.problems if problem.path is not None]
        self.told = {path[:length] for path in paths for length in range(len(path) + 1)}

    def remedied(self) -> bool:
        """Put right or take out what is written in another form, the outer first; whether there was any."""
        found = False
        for level in LEVELS:
            here = list(remedies(self.value, level))
            found |= bool(here)
            self.take_all(here)
        return found

    def take_all(self, found: Iterable[Complaint]) -> None:
        """Take several; what is put right first: in an object that is taken out it could not be."""
        for problem in sorted(found, key=lambda each: not (each.instead or each.to)):
            self.take(problem)

    def take(self, problem: Complaint) -> None:
        """Note a problem, and take its cause out or put it right."""
        path = problem.path or ()
        self.note(problem)
        if problem.code == "NBN116":
            self.avoid(path, problem.of_key)
        if problem.better is not None:
            self.put_right(problem)
        elif problem.of_key and problem.code == "NBN111":
            self.move(path, problem.to or (*path[:-1], problem.instead))
        elif not self.is_broken(path):
            self.take_out(path)

    def put_right(self, problem: Complaint) -> None:
        """Write what was meant in place of what is written."""
        path = problem.path or ()
        at = path if problem.at is None else problem.at
        if self.is_broken(at):
            return
        if not at:
            self.value = dict(problem.better)
            self.copied[id(self.value)] = self.value
        elif problem.better is LEFT_OUT:
            self.reach(at[:-1]).pop(at[-1])
        else:
            self.reach(at[:-1])[at[-1]] = problem.better
        self.renamed |= dict(problem.moves)
        if problem.code == "NBN114" or problem.guess:
            self.guessed.add(path[:-1] if path[-1] in TAGS or problem.guess else path)

    def is_broken(self, path: Steps) -> bool:
        """Whether a place, or what it stands in, was taken out."""
        return any(path[:length] in self.broken for length in range(1, len(path) + 1))

    def note(self, problem: Problem) -> None:
        """Remember a problem, its place told as the author wrote it; a place has but one."""
        path = self.written(problem.path or ())
        if self.is_known(problem, path):
            return
        of_value = isinstance(problem, Complaint) and problem.of_value
        message = f"{named_place(path)}: {problem.message}" if of_value else problem.message
        where = pointer(self.document.where, path)
        self.problems.append(replace(problem, message=message, path=path, where=where))

    def is_known(self, problem: Problem, path: Steps) -> bool:
        """Whether the cause was told before: by the reader, or as a key that stands for another."""
        if problem.code == "NBN112" and path in self.misspelt:
            return folded(path[-1]) in ALIASES  # of another framework, whose values differ too
        return path in self.told

    def avoid(self, path: Steps, of_key: bool) -> None:
        """Remember a name that may not be used, be it a key or the name of a node."""
        if of_key:
            self.unusable.add(str(path[-1]))
        elif path[-1] == "name" and len(path) > 1:
            self.unusable.add(str(self.document.at(self.written(path))))

    def written(self, path: Steps) -> Steps:
        """A place in the author's keys."""
        return replace(self.document, renamed=self.renamed).written(path)

    def reach(self, path: Steps) -> Any:
        """The object or list at a place, which may be changed: it and all around it are copies."""
        value: Any = self.value
        for step in path:
            inner = value[step]
            if id(inner) not in self.copied:
                inner = dict(inner) if isinstance(inner, Mapping) else list(inner)
                self.copied[id(inner)] = inner
                value[step] = inner
            value = inner
        return value

    def move(self, path: Steps, to: Steps) -> None:
        """Put a misspelt or misplaced key right, or take out one that means nothing: then ``to`` ends with ''."""
        *front, key = path
        if self.is_broken(path[:-1]):
            return
        value = self.reach(tuple(front)).pop(key, None)
        if not to[-1] or any(step not in self.value for step in to[:-1] if to[:-1] != path[:-1]):
            return
        owner = self.reach(to[:-1])
        if isinstance(owner, dict) and to[-1] not in owner:
            self.misspelt.add(self.written(path))
            owner[to[-1]] = value
            written = self.written(path)
            within = self.renamed.pop(path, path)
            self.renamed[to] = within if to[:-1] == path[:-1] else written

    def take_out(self, path: Steps) -> None:
        """Take out the smallest part around a place without which the rest still means something."""
        top, *rest = path or ("",)
        self.broken.add(path[:3] if top == "data" else path[:2])
        if top == "nodes" and rest and isinstance(rest[0], int):
            nodes = self.reach(("nodes",))
            self.nodes.setdefault(rest[0], nodes[rest[0]])
            nodes[rest[0]] = {"op": "identity"}
        elif top in FILLED and rest:
            self.fill(top, rest[0])
        elif top == "data" and rest[:1] and rest[0] in ENTRIES and len(rest) > 1:
            self.reach(path[:2]).pop(rest[1], None)
        elif top == "train" and rest:
            self.reach(("train",)).pop(rest[0], None)
        elif top == "outputs" and rest and len(self.value["outputs"]) > 1:
            self.reach(("outputs",))[rest[0]] = next(iter(FILLERS["outputs"]))
        else:
            self.drop(top)

    def fill(self, top: object, name: object) -> None:
        """Keep a leaf's name, if it may be one, without what was written of it."""
        leaves = self.reach((top,))
        leaves.pop(name, None)
        if isinstance(name, str) and re.fullmatch(NAME_PATTERN, name):
            leaves[name] = FILLED[top]

    def drop(self, top: object) -> None:
        """Take out a whole key of the document."""
        self.broken.add((top,))
        written = self.value.pop(top, None)
        self.loss = written if top == "loss" else self.loss
        if top in FILLERS:
            self.value[str(top)] = FILLERS[top]

    def finished(self, spec: ModelSpec | None) -> Validated:
        """What came of it: in the spec, a :class:`Broken` node for each that was taken out."""
        problems = (*self.document.problems, *self.problems)
        document = replace(self.document, problems=problems, renamed=self.renamed)
        if spec is None or ("nodes",) in self.broken:
            return Validated(None, document)
        changes: dict[str, Any] = {}
        if self.nodes:
            stubs = {i: self.stub(node) for i, node in self.nodes.items()}
            changes["nodes"] = [stubs.get(i, node) for i, node in enumerate(spec.nodes)]
        if isinstance(self.loss, Mapping):
            changes["loss"] = self.stub(self.loss)
        if any(path[:1] == ("outputs",) for path in self.broken):
            changes["outputs"] = [name for name in spec.outputs if name not in FILLERS["outputs"]]
        changed = spec.model_copy(update=changes) if changes else spec
        broken, unusable = frozenset(self.broken), frozenset(self.unusable)
        return Validated(changed, document, broken, unusable, frozenset(self.guessed))

    def stub(self, node: Any) -> Broken:
        """What is known of a node with a mistake."""
        written = node if isinstance(node, Mapping) else {}
        name, op, inputs = (written.get(key) for key in ("name", "op", "inputs"))
        if not isinstance(name, str) or not re.fullmatch(NAME_PATTERN, name):
            name = None
        if inputs is not None:
            listed = inputs if isinstance(inputs, (list, tuple)) else [inputs]
            inputs = [item for item in listed if isinstance(item, str) and re.fullmatch(REFERENCE_PATTERN, item)]
        word = op if isinstance(op, str) else "node"
        expands = word == "dense" and "activation" in written
        return Broken.model_construct(name=name, op=word, inputs=inputs, expands=expands)


def check_version(draft: Draft) -> None:
    """A language that this program does not know: a newer one cannot be looked at."""
    version = draft.value.get("version", LANGUAGE)
    if isinstance(version, bool) or not isinstance(version, (int, float)):
        message, hint = f"expected {LANGUAGE}, got {shorten(version)}", f"write {LANGUAGE}"
        draft.take(Complaint("NBN112", "", message, hint, path=("version",), better=LANGUAGE, of_value=True))
    elif version > LANGUAGE:
        message = f"is written in version {shorten(version)} of the language; this program knows up to {LANGUAGE}"
        place = pointer(draft.document.where, ("version",))
        found = Problem("NBN115", place, message, "update nbn_spec", path=("version",))
        raise SpecError.of(draft.document.located([found]))
    elif version != LANGUAGE:
        message = f"there is no version {shorten(version)}"
        draft.take(Complaint("NBN115", "", message, f"write {LANGUAGE}", path=("version",)))
