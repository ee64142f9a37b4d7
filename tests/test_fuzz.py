"""Random changes to good documents and archives: they work, or are refused with an ``NbnError``."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nbn_spec
from nbn_spec.errors import ArchiveError, NbnError, SpecError

ROOT = Path(__file__).parent.parent
DOCUMENTS = [
    json.loads((ROOT / "models" / f"{name}.json").read_text())
    for name in ("xor", "three_equations", "xor_feature_cross", "iris", "digits")
]
FUZZ = settings(
    deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow], max_examples=250
)

NAMES = ["x", "y", "z1", "a1", "y_hat", "N", "K", "linear", "softmax", "sum", "huber", "xavier", "zeros", "adam"]
KEYS = ["value", "init", "op", "name", "units", "axis", "columns", "float64", "int64", "all", "accuracy"]
WORDS = st.sampled_from([*NAMES, *KEYS, "", "\0", "a/b", "é", "\ud800", "~"])
NUMBERS = st.sampled_from([0, 1, 2, 3, -1, 0.5, 3.0, 1e-320, 1e308, -1e300, 2**31, 2**53, 2**63, 10**30, 10**400])
LEAVES = WORDS | NUMBERS | st.sampled_from([None, True, False, [], {}, float("nan"), float("inf")])


def nested(value: Any, depth: int) -> Any:
    for i in range(depth):
        value = [value] if i % 2 else {"value": value}
    return value


VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3), max_leaves=6
) | st.builds(nested, LEAVES, st.sampled_from([5, 33, 70, 3000]))


def containers(document: Any) -> list[Any]:
    """Every object and list that holds something, in a document."""
    found, waiting = [], [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, (dict, list)) and value:
            found.append(value)
            waiting.extend(value.values() if isinstance(value, dict) else value)
    return found


def mutate(document: Any, draw: Any) -> None:
    """One change: delete, duplicate, retype, rename, swap or insert."""
    places = containers(document)
    target = places[draw(st.integers(0, len(places) - 1))]
    keys = list(target) if isinstance(target, dict) else list(range(len(target)))
    key = draw(st.sampled_from(keys))
    what = draw(st.sampled_from(["delete", "replace", "replace", "rename", "duplicate", "swap"]))
    if what == "delete":
        del target[key]
    elif what == "replace":
        target[key] = draw(VALUES)
    elif what == "swap":
        other = draw(st.sampled_from(keys))
        target[key], target[other] = target[other], target[key]
    elif isinstance(target, list):
        target.insert(key, target[key])
    else:
        target[draw(WORDS)] = target.pop(key) if what == "rename" else target[key]


@st.composite
def mutants(draw: Any, documents: list[Any]) -> Any:
    document = copy.deepcopy(draw(st.sampled_from(documents)))
    for _ in range(draw(st.integers(1, 4))):
        if containers(document):
            mutate(document, draw)
    return document


def use(model: nbn_spec.Model) -> None:
    """Everything that one does with a model, on little data."""
    model.summary()
    if sum(values.size for values in model.parameters.values()) < 10**5 and model.training.epochs:
        model.fit(epochs=1)
        model.evaluate()


def refusal(act: Callable[[], object]) -> NbnError | None:
    """The error that something raises, if any; another kind of error fails the test."""
    try:
        act()
    except NbnError as error:
        return error
    return None


def text_of(document: Any) -> str:
    """JSON, or that of an empty list where Python cannot write one so deep."""
    try:
        return json.dumps(document)
    except RecursionError:
        return "[]"


@FUZZ
@given(mutants(DOCUMENTS))
def test_mutated_documents(document: Any) -> None:
    error = refusal(lambda: use(nbn_spec.compile(document)))
    assert error is None or all(problem.code and problem.message for problem in error.problems)


@FUZZ
@given(mutants(DOCUMENTS))
def test_canonical_documents_are_specs_and_their_own_canonical_form(document: Any) -> None:
    found: list[nbn_spec.Model] = []
    refusal(lambda: found.append(nbn_spec.compile(document)))
    for model in found:
        if not any("/" in node["name"] for node in model.spec["nodes"]):  # no author may write such a name
            again = nbn_spec.compile(json.loads(json.dumps(model.spec)))
            assert again.spec == json.loads(json.dumps(model.spec))
            assert again.graph == model.graph


@FUZZ
@given(mutants(DOCUMENTS))
def test_mutated_files(document: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        path.write_text(text_of(document))
        error = refusal(lambda: nbn_spec.compile(path))
    assert error is None or all(problem.where.startswith(str(path)) for problem in error.problems), error


@FUZZ
@given(st.binary(max_size=60) | st.text('{}[]":,\\/ \n0123eE+-.tfnulNaI', max_size=60).map(str.encode))
def test_any_bytes(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        path.write_bytes(content)
        error = refusal(lambda: nbn_spec.compile(path))
    assert isinstance(error, SpecError)
    assert error.problems[0].where.startswith(str(path))


def graph_of(document: Any) -> tuple[Any, dict[str, Any]]:
    """The JSON of an archive's graph, and the archive's other members."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.npz"
        nbn_spec.compile(document).save(path)
        with np.load(path) as members:
            arrays = dict(members)
    return json.loads(str(arrays.pop("graph"))), arrays


SAVED = [graph_of(document) for document in DOCUMENTS[:4]]


@FUZZ
@given(st.data())
def test_mutated_archives(data: Any) -> None:
    graph, arrays = data.draw(st.sampled_from(SAVED), label="model")
    text = text_of(data.draw(mutants([graph]), label="graph"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.npz"
        np.savez(path, graph=np.array(text), **arrays)
        found: list[nbn_spec.Model] = []
        error = refusal(lambda: found.append(nbn_spec.load(path)))
    assert found or isinstance(error, ArchiveError)
    if found:
        refusal(lambda: use(found[0]))
