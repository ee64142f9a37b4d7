"""Archives: a compiled model in one ``.npz`` that NumPy alone can read.

Members: ``graph`` (a 0-d string: JSON by ``schemas/graph.schema.json``), ``param/<name>`` and ``constant/<name>``.
Reading trusts nothing: ops only by name from the table, shapes inferred anew, sizes compared before allocation.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from nbn_spec.arrays import empty
from nbn_spec.budget import afford, estimate
from nbn_spec.capacity import mebibytes
from nbn_spec.errors import ArchiveError, NbnError, shorten
from nbn_spec.files import DAMAGED, npy_header, write
from nbn_spec.graph import DTYPES, Constant, Graph, Input, Node, Parameter, verify
from nbn_spec.interpreter import LARGE
from nbn_spec.memory import uncollected
from nbn_spec.metrics import labels
from nbn_spec.ops import OPS
from nbn_spec.ops.base import Array, Shape, ShapeProblem, show
from nbn_spec.params import Layout, Seed
from nbn_spec.record import AttributeProblem, Pool
from nbn_spec.source import Source, address, near
from nbn_spec.train import Training
from nbn_spec.version import VERSION

FORMAT = 1
"""The archive format's version; a newer one is refused."""
HINT = "an archive is an .npz that nbn_spec saved, such as runs/NAME/model.npz"
LARGEST_GRAPH = 2**28
"""Bytes: no graph member is larger."""
DEFLATED = 1032
"""Deflate packs no more bytes than this into one, so that a small file that promises much is found out."""
UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError, ArithmeticError)

T = TypeVar("T")


@dataclass(frozen=True)
class Saved:
    """What an archive holds: the graph, its parameters, and the canonical spec that it was compiled from."""

    graph: Graph
    flat: Array
    spec: Mapping[str, Any] = field(default_factory=dict)


def to_json(graph: Graph, spec: Mapping[str, Any]) -> dict[str, Any]:
    """The graph as the JSON object that archives hold."""
    inputs = {
        item.name: {"shape": list(item.shape), "columns": list(item.columns), "integer": item.integer}
        for item in graph.inputs
    }
    parameters = {item.name: {"shape": list(item.shape), "trainable": item.trainable} for item in graph.parameters}
    nodes = [
        {
            "name": node.name,
            "op": node.op.word(),
            "attributes": node.op.to_json(),
            "inputs": list(node.inputs),
            "parameters": dict(node.params),
            "shape": list(node.shape),
        }
        for node in graph.nodes
    ]
    return {
        "format": FORMAT,
        "producer": {"nbn_spec": VERSION, "numpy": np.__version__},
        "name": graph.name,
        "dtype": graph.dtype,
        "inputs": inputs,
        "constants": {item.name: {"shape": list(item.shape)} for item in graph.constants},
        "parameters": parameters,
        "nodes": nodes,
        "outputs": list(graph.outputs),
        "loss": graph.loss,
        "dead": list(graph.dead),
        "spec": dict(spec),
    }


def save(path: str | Path, saved: Saved) -> None:
    """Write an archive; the same model gives the same bytes. Raises ``OSError``."""
    document = json.dumps(to_json(saved.graph, saved.spec), ensure_ascii=False, allow_nan=False)
    views = Layout.of(saved.graph).views(saved.flat)
    members: dict[str, Any] = {"graph": np.array(document)}
    members |= {f"param/{name}": values for name, values in views.items()}
    members |= {f"constant/{item.name}": item.value for item in saved.graph.constants}
    content = io.BytesIO()
    np.savez(content, **members)
    write(path, content.getvalue())


def load(path: str | Path, max_memory: int | None = None) -> Saved:
    """Read an archive; raises :class:`ArchiveError` for anything that is not a whole and consistent one.

    So it does (NBN209) for one whose parameters need more than ``max_memory`` bytes or, without, than are free.
    """
    try:
        with uncollected(), zipfile.ZipFile(path) as archive:
            check_sizes(archive, os.path.getsize(path), str(path))
            check_text_size(archive, str(path), max_memory)
            return read(archive, str(path), max_memory)
    except FileNotFoundError:
        raise absent(str(path)) from None
    except DAMAGED as error:
        run = f"this is a spec: run it first (python -m nbn_spec run {path})"
        hint = run if looks_like_a_spec(path) else HINT
        raise ArchiveError("NBN500", str(path), f"cannot be read as an archive: {error}", hint) from None


def absent(path: str) -> ArchiveError:
    """The error for an archive that is not there."""
    if found := address(path):
        return ArchiveError("NBN500", found, "addresses are not read", "download the file, and give its path")
    return ArchiveError("NBN500", path, "there is no such file", near(Path(path), path))


def looks_like_a_spec(path: str | Path) -> bool:
    """Whether a file begins as a JSON object does."""
    try:
        with open(path, "rb") as file:
            return file.read(100).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")
    except (OSError, ValueError):
        return False


def check_sizes(archive: zipfile.ZipFile, size: int, where: str) -> None:
    """Refuse a file whose members promise more bytes than it can hold."""
    if sum(info.file_size for info in archive.infolist()) > DEFLATED * size:
        raise ArchiveError("NBN500", where, "its members are said to be larger than the file can hold")
    if len(set(archive.namelist())) < len(archive.namelist()):
        raise ArchiveError("NBN501", where, "has two members of one name")


def check_text_size(archive: zipfile.ZipFile, where: str, max_memory: int | None) -> None:
    """Refuse a graph whose text alone is more than ``max_memory``; short ones are left out of the count."""
    size = next((info.file_size for info in archive.infolist() if info.filename == "graph.npy"), 0)
    if max_memory is not None and size > max(max_memory, LARGE):
        message = f"the text of the graph needs {mebibytes(size)}, but max_memory is {mebibytes(max_memory)}"
        raise ArchiveError("NBN209", where, message, "is this an archive that nbn_spec saved?")


def read(archive: zipfile.ZipFile, where: str, max_memory: int | None = None) -> Saved:
    """The contents of an opened archive; no array of it is made before all are counted."""
    document = read_document(archive, where)
    try:
        graph = from_json(document)
        verify(graph)
    except NbnError as error:
        problem = error.problems[0]
        raise ArchiveError("NBN501", where, f"the graph is broken: {problem.where}: {problem.message}") from None
    except UNREADABLE as error:
        raise ArchiveError("NBN501", where, f"the graph cannot be read: {type(error).__name__}: {error}") from None
    make_room(graph, where, max_memory)
    layout = Layout.of(graph)
    constants = tuple(
        Constant(item.name, read_array(archive, f"constant/{item.name}", item.shape, graph.dtype, where))
        for item in graph.constants
    )
    flat = empty((layout.size,), graph.dtype)
    for name, view in layout.views(flat).items():
        view[...] = read_array(archive, f"param/{name}", view.shape, graph.dtype, where)
    return Saved(replace(graph, constants=constants), flat, checked_spec(document, graph, where))


def make_room(graph: Graph, where: str, max_memory: int | None) -> None:
    """Raises :class:`ArchiveError` for parameters and constants that are more than memory holds."""
    try:
        afford(estimate(graph, goal="load"), max_memory)
    except NbnError as error:
        problems = (replace(problem, where=f"{where}: {problem.where}") for problem in error.problems)
        raise ArchiveError.of(problems) from None


def checked_spec(document: Mapping[str, Any], graph: Graph, where: str) -> Mapping[str, Any]:
    """The canonical spec, whose seed, data and training must be ones, its metrics of values that the graph has."""
    spec = document.get("spec") or {}
    try:
        Seed.from_json(spec.get("seed") or {})
        labels(Training.from_canonical(spec.get("train") or {}).metrics, graph)
        if spec.get("data"):
            Source.from_json(spec["data"])
    except NbnError as error:
        problem = error.problems[0]
        raise ArchiveError("NBN501", where, f"the spec is broken: {problem.where}: {problem.message}") from None
    except UNREADABLE as error:
        raise ArchiveError("NBN501", where, f"the spec is broken: {error}") from None
    return dict(spec)


def read_document(archive: zipfile.ZipFile, where: str) -> dict[str, Any]:
    """The JSON of the ``graph`` member."""
    text = read_member(archive, "graph", where, check_text)
    try:
        document = json.loads(str(text), object_pairs_hook=unique, parse_constant=no_number)
    except (ValueError, RecursionError) as error:
        raise ArchiveError("NBN501", where, f"the graph is not JSON: {error}") from None
    if not isinstance(document, dict) or type(document.get("format")) is not int or document["format"] < 1:
        raise ArchiveError("NBN501", where, 'the graph has no "format"')
    if document["format"] > FORMAT:
        message = f"has format {document['format']}, but this nbn_spec {VERSION} knows up to {FORMAT}"
        raise ArchiveError("NBN501", where, message, "update nbn_spec")
    return document


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The JSON object of these pairs; raises ``ValueError`` for a key that stands twice."""
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return made


def no_number(word: str) -> float:
    """NaN and Infinity are no JSON."""
    raise ValueError(f"{word} is no number")


def check_text(shape: tuple[int, ...], dtype: np.dtype[Any]) -> str:
    """What is wrong with the header of the ``graph`` member, if anything."""
    fine = shape == () and dtype.kind == "U" and dtype.itemsize <= LARGEST_GRAPH
    return "" if fine else "is no text"


def read_array(archive: zipfile.ZipFile, name: str, shape: Shape, dtype: str, where: str) -> Array:
    """A member that must have this shape and dtype."""

    def check(found: tuple[int, ...], kind: np.dtype[Any]) -> str:
        fine = found == shape and kind == np.dtype(dtype)
        return "" if fine else f"is {kind} {show(found)}, but the graph says {dtype} {show(shape)}"

    values = read_member(archive, name, where, check)
    if not np.isfinite(values).all():
        raise ArchiveError("NBN501", where, f'"{name}" holds numbers that are not finite')
    return values


def read_member(archive: zipfile.ZipFile, name: str, where: str, check: Any) -> Array:
    """One array, its header checked before its contents are allocated."""
    try:
        info = archive.getinfo(f"{name}.npy")
    except KeyError:
        raise ArchiveError("NBN501", where, f'has no member "{name}"') from None
    try:
        with archive.open(info) as file:
            shape, dtype = npy_header(file)
            if wrong := check(shape, dtype):
                raise ArchiveError("NBN501", where, f'"{name}" {wrong}')
            if (size := prod(shape) * dtype.itemsize) != (have := info.file_size - file.tell()):
                message = f'"{name}" {"is cut off" if size > have else "has more bytes than its header says"}'
                raise ArchiveError("NBN501", where, message)
        with archive.open(info) as file:
            return np.asarray(np.lib.format.read_array(file, allow_pickle=False))
    except DAMAGED as error:
        raise ArchiveError("NBN501", where, f'"{name}" is damaged: {error}') from None


def shape_of(document: Any) -> Shape:
    """A shape from JSON; raises ``ValueError``."""
    if not isinstance(document, list) or not all(dim_is_fine(dim) for dim in document):
        raise ValueError(f"{document!r} is no shape")
    return tuple(document)


def dim_is_fine(dim: Any) -> bool:
    """Whether ``dim`` is a length or a symbol."""
    return isinstance(dim, str) or (isinstance(dim, int) and not isinstance(dim, bool) and dim >= 0)


def lengths_of(document: Any) -> tuple[int, ...]:
    """A shape without symbols; raises ``ValueError``."""
    shape = shape_of(document)
    if not all(isinstance(dim, int) for dim in shape):
        raise ValueError(f"{document!r} has symbols")
    return tuple(int(dim) for dim in shape)


def exactly(kind: type[T], value: Any) -> T:
    """``value``, which is of this JSON type; raises ``ValueError``."""
    if type(value) is not kind:
        raise ValueError(f"{shorten(value)} is no {kind.__name__}")
    return value


def names_of(document: Any) -> tuple[str, ...]:
    """A list of strings; raises ``ValueError``."""
    return tuple(exactly(str, name) for name in exactly(list, document))


KEYS = {
    "document": "format producer name dtype inputs constants parameters nodes outputs loss dead spec",
    "input": "shape columns integer",
    "constant": "shape",
    "parameter": "shape trainable",
    "node": "name op attributes inputs parameters shape",
}
"""The keys of the graph's objects, all of which are there and no others."""


def closed(what: str, document: Any) -> Any:
    """``document``, an object with exactly its keys; raises ``ValueError``."""
    if set(exactly(dict, document)) != set(KEYS[what].split()):
        raise ValueError(f"a {what} has the keys {KEYS[what]}, not {shorten(' '.join(document))}")
    return document


def entries(what: str, documents: Any) -> Iterator[tuple[str, Any]]:
    """Name and object of each leaf of a kind; raises ``ValueError``."""
    for name, document in exactly(dict, documents).items():
        yield name, closed(what, document)


def from_json(document: Mapping[str, Any]) -> Graph:
    """The graph of a JSON object, constants still without their values. Raises one of ``UNREADABLE``."""
    closed("document", document)
    if document["dtype"] not in DTYPES:
        raise ValueError(f"dtype {document['dtype']!r}")
    inputs = tuple(
        Input(name, shape_of(item["shape"]), names_of(item["columns"]), exactly(bool, item["integer"]))
        for name, item in entries("input", document["inputs"])
    )
    constants = tuple(
        Constant(name, np.broadcast_to(np.zeros((), np.int8), lengths_of(item["shape"])))
        for name, item in entries("constant", document["constants"])
    )
    parameters = tuple(
        Parameter(name, lengths_of(item["shape"]), exactly(bool, item["trainable"]))
        for name, item in entries("parameter", document["parameters"])
    )
    return Graph(
        name=exactly(str, document["name"]),
        dtype=document["dtype"],
        inputs=inputs,
        constants=constants,
        parameters=parameters,
        nodes=nodes_from_json(document["nodes"]),
        outputs=names_of(document["outputs"]),
        loss=None if document["loss"] is None else exactly(str, document["loss"]),
        dead=names_of(document["dead"]),
    )


def nodes_from_json(documents: Any) -> tuple[Node, ...]:
    """The nodes; raises one of ``UNREADABLE``."""
    pool = Pool()
    return tuple(node_from_json(document, pool) for document in documents)


def node_from_json(document: Mapping[str, Any], pool: Pool) -> Node:
    """One node, its op from a pool; raises one of ``UNREADABLE``."""
    word = closed("node", document)["op"]
    if word not in OPS:
        raise ValueError(f'unknown op "{word}"')
    try:
        op = pool.of(OPS[word], document["attributes"])
    except (AttributeProblem, ShapeProblem) as problem:
        raise ValueError(f"node {document['name']}: {problem}") from None
    params = {name: exactly(str, parameter) for name, parameter in document["parameters"].items()}
    inputs = names_of(document["inputs"])
    return Node(exactly(str, document["name"]), op, inputs, params, shape_of(document["shape"]))
