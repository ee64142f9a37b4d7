"""Archives: what is saved comes back bit for bit, and a damaged file is refused, whatever the damage."""

from __future__ import annotations

import io
import json
import random
import re
import resource
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from documents import good, node, put

import nbn_spec
from nbn_spec import archive
from nbn_spec.errors import ArchiveError
from nbn_spec.graph import Graph

Change = Callable[[dict[str, Any]], None]


def rich() -> nbn_spec.Model:
    """A trained model with a dead node, constants, a frozen parameter and a leaf parameter."""
    model = nbn_spec.compile(
        good(
            put("/dtype", "float64"),
            put("/constants", {"half": 0.5, "row": [[1, 2, 3]]}),
            put("/parameters", {"p": {"value": [1, 2, 3]}}),
            put("/nodes/0/weight", {"init": "he", "trainable": False}),
            put("/nodes/1", {"op": "multiply", "name": "a0", "inputs": ["z1", "row"]}),
            node(op="add", name="a1", inputs=["a0", "p"]),
            put("/nodes/2/inputs", "a1"),
            node(op="exp", name="dead", inputs="half"),
            put("/seed", {"value": 3, "generator": "mt19937"}),
        )
    )
    model.fit()
    return model


def save(path: Path) -> nbn_spec.Model:
    model = rich()
    model.save(path)
    return model


def refused(path: Path, code: str = "NBN50[01]") -> str:
    """What loading says; anything but an ``ArchiveError`` fails the test."""
    with pytest.raises(ArchiveError) as caught:
        nbn_spec.load(path)
    problem = caught.value.problems[0]
    assert re.fullmatch(code, problem.code)
    assert problem.where.split(": ")[0] == str(path)
    return str(caught.value)


def test_round_trip(tmp_path: Path) -> None:
    model = save(tmp_path / "a.npz")
    again = nbn_spec.load(tmp_path / "a.npz")
    x = np.random.default_rng(0).normal(size=(50, 2))
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    assert {name: values.tobytes() for name, values in again.parameters.items()} == {
        name: values.tobytes() for name, values in model.parameters.items()
    }
    fields = [name for name in Graph.__dataclass_fields__ if name not in ("parameters", "constants")]
    assert {n: getattr(again.graph, n) for n in fields} == {n: getattr(model.graph, n) for n in fields}
    assert again.graph.dead == ("dead",)
    assert {p.name: p.trainable for p in again.graph.parameters} == {
        p.name: p.trainable for p in model.graph.parameters
    }
    assert {c.name: c.value.tolist() for c in again.graph.constants} == {"half": 0.5, "row": [[1, 2, 3]]}
    assert json.loads(json.dumps(again.spec)) == json.loads(json.dumps(model.spec))
    assert (again.seed, again.training) == (model.seed, model.training)
    assert again.fit().columns == model.fit().columns


def test_saving_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    model = save(tmp_path / "a.npz")
    model.save(tmp_path / "b.npz")
    nbn_spec.load(tmp_path / "a.npz").save(tmp_path / "c.npz")
    first, *others = ((tmp_path / f"{name}.npz").read_bytes() for name in "abc")
    assert others == [first, first]


def test_numpy_alone_reads_the_parameters(tmp_path: Path) -> None:
    model = save(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as members:
        np.testing.assert_array_equal(members["param/z1/weight"], model.parameters["z1/weight"])
        np.testing.assert_array_equal(members["param/p"], model.parameters["p"])
        np.testing.assert_array_equal(members["constant/row"], [[1, 2, 3]])
        document = json.loads(str(members["graph"]))
    assert document["format"] == archive.FORMAT
    assert document["producer"] == {"nbn_spec": nbn_spec.__version__, "numpy": np.__version__}
    assert [part["name"] for part in document["nodes"]] == list(model.graph.forward_order)


def members_of(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as members:
        return dict(members)


def test_compressed_archives_are_fine(tmp_path: Path) -> None:
    model = save(tmp_path / "a.npz")
    np.savez_compressed(tmp_path / "b.npz", **members_of(tmp_path / "a.npz"))
    np.testing.assert_array_equal(nbn_spec.load(tmp_path / "b.npz").predict([[1, 2]]), model.predict([[1, 2]]))


# ── damaged files ──


def test_files_that_are_none(tmp_path: Path) -> None:
    assert "there is no such file" in refused(tmp_path / "none.npz")
    assert "Is a directory" in refused(tmp_path)
    for content in (b"", b"PK", b"{}", b"\x93NUMPY", random.Random(0).randbytes(1000)):
        (tmp_path / "a.npz").write_bytes(content)
        assert "not a zip file" in refused(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", x=np.zeros(3))
    assert 'has no member "graph"' in refused(tmp_path / "a.npz")
    with pytest.raises(ArchiveError, match="null byte"):
        nbn_spec.load("a\0b")


@pytest.mark.filterwarnings("ignore::UserWarning")  # numpy says so where it parses a header of Python 2
def test_truncated_files(tmp_path: Path) -> None:
    save(tmp_path / "a.npz")
    whole = (tmp_path / "a.npz").read_bytes()
    for length in [*range(0, 200), *range(200, len(whole), 97), *range(len(whole) - 100, len(whole))]:
        (tmp_path / "b.npz").write_bytes(whole[:length])
        refused(tmp_path / "b.npz")


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("pack", [np.savez, np.savez_compressed])
def test_flipped_bytes(tmp_path: Path, pack: Callable[..., None]) -> None:
    """A flipped byte is found out, or it was in a place that nobody reads (dates in the zip's directory)."""
    model = save(tmp_path / "a.npz")
    pack(tmp_path / "a.npz", **members_of(tmp_path / "a.npz"))
    whole = (tmp_path / "a.npz").read_bytes()
    draw, harmless = random.Random(1), 0
    for _ in range(600):
        damaged = bytearray(whole)
        damaged[draw.randrange(len(whole))] ^= draw.randrange(1, 256)
        (tmp_path / "b.npz").write_bytes(damaged)
        try:
            again = nbn_spec.load(tmp_path / "b.npz")
        except ArchiveError:
            continue
        harmless += 1
        np.testing.assert_array_equal(again.flat, model.flat)
    assert harmless < 120


def rewrite(path: Path, **members: Any) -> None:
    """Save the members of an archive anew, some replaced; ``None`` leaves one out."""
    whole = {**members_of(path), **members}
    np.savez(path, **{name: value for name, value in whole.items() if value is not None})


MEMBERS = {
    "missing parameter": ({"param/z1/weight": None}, 'has no member "param/z1/weight"'),
    "missing constant": ({"constant/half": None}, 'has no member "constant/half"'),
    "missing graph": ({"graph": None}, 'has no member "graph"'),
    "shape": ({"param/p": np.zeros(4)}, "is float64 [4], but the graph says float64 [3]"),
    "axes": ({"param/p": np.zeros((3, 1))}, "is float64 [3, 1]"),
    "dtype": ({"param/p": np.zeros(3, np.float32)}, "is float32 [3]"),
    "byte order": ({"param/p": np.zeros(3, ">f8")}, "is >f8 [3]"),
    "text": ({"param/p": np.array("abc")}, "is <U3 []"),
    "structure": ({"param/p": np.zeros(3, [("a", "f8")])}, "but the graph says float64 [3]"),
    "pickle": ({"param/p": np.array([{}, 1, 2], object)}, "is object [3]"),
    "pickled graph": ({"graph": np.array({}, object)}, '"graph" is no text'),
    "NaN": ({"param/p": np.array([1, np.nan, 2])}, '"param/p" holds numbers that are not finite'),
    "infinite constant": ({"constant/half": np.array(np.inf)}, "not finite"),
    "graph of bytes": ({"graph": np.array(b"{}")}, '"graph" is no text'),
    "graph of two texts": ({"graph": np.array(["{}", "{}"])}, '"graph" is no text'),
    "no JSON": ({"graph": np.array("{")}, "the graph is not JSON"),
    "a list": ({"graph": np.array("[]")}, 'has no "format"'),
    "too deep": ({"graph": np.array("[" * 100_000)}, "the graph is not JSON"),
    "long integer": ({"graph": np.array('{"format": 1' + "0" * 5000 + "}")}, "the graph is not JSON"),
}


@pytest.mark.parametrize(("members", "words"), MEMBERS.values(), ids=MEMBERS.keys())
def test_wrong_members(tmp_path: Path, members: dict[str, Any], words: str) -> None:
    save(tmp_path / "a.npz")
    rewrite(tmp_path / "a.npz", **members)
    assert words in refused(tmp_path / "a.npz")


def at(pointer: str, value: Any) -> Change:
    """The change that sets, or with ``...`` deletes, what a path of keys names."""

    def change(document: dict[str, Any]) -> None:
        *front, last = [int(step) if step.isdigit() else step for step in pointer.split(".")]
        target: Any = document
        for step in front:
            target = target[step]
        if value is ...:
            del target[last]
        else:
            target[last] = value

    return change


GRAPHS = {
    "newer format": (at("format", 2), "has format 2, but this nbn_spec"),
    "no format": (at("format", ...), 'has no "format"'),
    "format true": (at("format", True), 'has no "format"'),
    "format 0": (at("format", 0), 'has no "format"'),
    "unknown op": (at("nodes.0.op", "os.system"), 'unknown op "os.system"'),
    "op that is none": (at("nodes.0.op", ["linear"]), "unhashable"),
    "unknown attribute": (at("nodes.0.attributes.unit", 3), "unknown attribute"),
    "missing attribute": (at("nodes.0.attributes.units", ...), "is missing"),
    "attribute out of bounds": (at("nodes.0.attributes.units", 0), "must be at least 1, got 0"),
    "attribute of another type": (at("nodes.0.attributes.units", "3"), 'expected an integer, got "3"'),
    "attribute beyond 64 bits": (at("nodes.0.attributes.units", 10**400), "64 bits hold no such number"),
    "attribute that is NaN": (at("nodes.0.attributes.units", float("nan")), "NaN is no number"),
    "other units": (at("nodes.0.attributes.units", 4), "its op gives [N, 4]"),
    "missing attributes": (at("nodes.0.attributes", ...), "a node has the keys name op attributes"),
    "node's shape": (at("nodes.0.shape", ["N", 4]), "its op gives [N, 3]"),
    "order": (lambda document: document["nodes"].reverse(), "which is not computed before it"),
    "node twice": (lambda document: document["nodes"].append(document["nodes"][0]), "stands for two things"),
    "node that is none": (at("nodes.0", 3), "the graph cannot be read"),
    "unknown input": (at("nodes.0.inputs", ["w"]), 'reads "w"'),
    "too many inputs": (at("nodes.0.inputs", ["x", "y"]), "linear takes 1 input"),
    "no inputs": (at("nodes.0.inputs", []), "linear takes 1 input"),
    "unknown parameter": (at("nodes.0.parameters.weight", "w"), 'reads "w"'),
    "input as parameter": (at("nodes.0.parameters.weight", "x"), "is no parameter"),
    "missing parameter": (at("nodes.0.parameters.weight", ...), "other parameters than its op"),
    "parameter's shape": (at("parameters.z1/weight.shape", [2, 3]), "is [2, 3], not [3, 2]"),
    "symbol in a parameter": (at("parameters.p.shape", ["N"]), "has symbols"),
    "negative length": (at("parameters.p.shape", [-3]), "is no shape"),
    "huge constant": (at("constants.half.shape", [10**30]), "the graph cannot be read"),
    "true as a length": (at("inputs.x.shape", ["N", True]), "is no shape"),
    "dtype": (at("dtype", "object"), "dtype 'object'"),
    "input's dtype": (at("inputs.x.integer", True), "takes real numbers"),
    "unknown output": (at("outputs", ["none"]), "nothing has this name"),
    "no outputs": (at("outputs", []), "no outputs"),
    "unknown loss": (at("loss", "none"), "no node has this name"),
    "loss that is no scalar": (at("loss", "z1"), "not a scalar"),
    "inputs as a list": (at("inputs", []), "the graph cannot be read"),
    "no nodes": (at("nodes", ...), "a document has the keys format"),
    "spec as a list": (at("spec", [1]), "the spec is broken"),
    "spec's seed": (at("spec.seed", {"value": -1}), "the spec is broken"),
    "spec's training": (at("spec.train", {"epochs": "many"}), "the spec is broken"),
    "spec's optimizer": (at("spec.train.optimizer.name", "none"), "the spec is broken"),
    "spec's data": (at("spec.data", {"csv": 3}), "the spec is broken"),
}


@pytest.mark.parametrize(("change", "words"), GRAPHS.values(), ids=GRAPHS.keys())
def test_wrong_graphs(tmp_path: Path, change: Change, words: str) -> None:
    save(tmp_path / "a.npz")
    document = json.loads(str(members_of(tmp_path / "a.npz")["graph"]))
    change(document)
    rewrite(tmp_path / "a.npz", graph=np.array(json.dumps(document)))
    assert words in refused(tmp_path / "a.npz")


LARGE = {
    "huge parameter": (
        at("parameters.p.shape", [10**30]),
        "p [1000000000000000000000000000000] more than any machine",
    ),
    "large parameter": (at("parameters.p.shape", [10**12, 4]), "MiB are free"),
    "large constant": (at("constants.half.shape", [10**6, 10**6]), "half [1000000, 1000000] 3,814,697 MiB"),
}


@pytest.mark.parametrize(("change", "words"), LARGE.values(), ids=LARGE.keys())
def test_graphs_that_memory_does_not_hold(tmp_path: Path, change: Change, words: str) -> None:
    """None of these is read by a node, so that nothing else is wrong."""
    model = nbn_spec.compile(
        good(put("/constants", {"half": 0.5}), put("/parameters", {"p": {"value": [1, 2, 3]}}))
    )
    document = json.loads(json.dumps(archive.to_json(model.graph, model.spec)))
    change(document)
    np.savez(tmp_path / "a.npz", graph=np.array(json.dumps(document)))
    assert words in " ".join(refused(tmp_path / "a.npz", "NBN209").split())


def test_a_text_that_is_larger_than_the_limit(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", graph=np.array("[" * 2**20))
    with pytest.raises(ArchiveError, match=r"the text of the graph needs 4\.0 MiB, but max_memory is 2\.0 MiB"):
        nbn_spec.load(tmp_path / "a.npz", max_memory=2**21)
    with pytest.raises(ArchiveError, match="the graph is not JSON"):
        nbn_spec.load(tmp_path / "a.npz", max_memory=2**23)


def npy(array: Any, shape: str = "") -> bytes:
    """The bytes of an npy file, which may lie about the array's shape."""
    content = io.BytesIO()
    np.save(content, array)
    whole = content.getvalue()
    if not shape:
        return whole
    head, tail = whole[10 : whole.index(b"\n")], whole[whole.index(b"\n") :]
    lying = head.replace(str(array.shape).encode(), shape.encode()).rstrip().ljust(len(head))
    assert len(lying) == len(head)
    return whole[:10] + lying + tail


def repack(path: Path, name: str, content: bytes, packing: int = zipfile.ZIP_STORED) -> None:
    """Replace one member's bytes."""
    with zipfile.ZipFile(path) as old:
        members = {info.filename: old.read(info) for info in old.infolist()}
    with zipfile.ZipFile(path, "w", packing) as new:
        for member, bytes_ in {**members, f"{name}.npy": content}.items():
            new.writestr(member, bytes_)


def test_headers_that_lie(tmp_path: Path) -> None:
    save(tmp_path / "a.npz")
    for shape in ("(4,)", "(999999999999,)", "(2,)", "(-3,)", "(3,3,3)"):
        repack(tmp_path / "a.npz", "param/p", npy(np.zeros(3), shape))
        assert '"param/p"' in refused(tmp_path / "a.npz")
    repack(tmp_path / "a.npz", "param/p", npy(np.zeros(3))[:-8])
    assert "is cut off" in refused(tmp_path / "a.npz")
    repack(tmp_path / "a.npz", "param/p", npy(np.zeros(3)) + b"more")
    assert "more bytes than its header says" in refused(tmp_path / "a.npz")
    repack(tmp_path / "a.npz", "graph", npy(np.array("{}")).replace(b"<U2", b"<U999999999"[:3]))
    refused(tmp_path / "a.npz")


def test_a_member_that_is_larger_than_it_can_be(tmp_path: Path) -> None:
    save(tmp_path / "a.npz")
    whole = (tmp_path / "a.npz").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.npz") as members:
        size = members.getinfo("param/z1/weight.npy").file_size
    (tmp_path / "a.npz").write_bytes(whole.replace(size.to_bytes(4, "little"), (2**31).to_bytes(4, "little")))
    assert "larger than the file can hold" in refused(tmp_path / "a.npz")


def test_encrypted_and_strangely_packed_members(tmp_path: Path) -> None:
    save(tmp_path / "a.npz")
    whole = (tmp_path / "a.npz").read_bytes()
    for offset, value in ((8, 1), (10, 99)):  # flags and method in the directory of the zip file
        damaged = bytearray(whole)
        place = 0
        while (place := damaged.find(b"PK\x01\x02", place)) >= 0:
            damaged[place + offset] |= value
            place += 4
        (tmp_path / "a.npz").write_bytes(damaged)
        refused(tmp_path / "a.npz")


def test_no_damage_makes_loading_take_much_memory(tmp_path: Path) -> None:
    """Highest use of memory so far, before and after all that promise too much, in KiB."""
    save(tmp_path / "a.npz")
    whole = members_of(tmp_path / "a.npz")
    document = json.loads(str(whole["graph"]))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for pointer in ("parameters.p.shape", "constants.half.shape"):
        for shape in ([10**9], [2**28], [10**5, 10**4]):
            changed = json.loads(json.dumps(document))
            at(pointer, shape)(changed)
            np.savez(tmp_path / "a.npz", **{**whole, "graph": np.array(json.dumps(changed))})
            refused(tmp_path / "a.npz")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + 2**16


STRICT = {
    "a key too many": ("surprise", 1),
    "columns that are too few": ("inputs", "x", "columns", ["x1"]),
    "columns of one name": ("inputs", "x", "columns", ["x1", "x1"]),
    "a metric of nothing": ("spec", "train", "metrics", [{"name": "accuracy", "output": "nope"}]),
    "no number": ("spec", "name", float("nan")),
    "a flag that is a word": ("parameters", "z1/weight", "trainable", "false"),
    "a list that is a word": ("outputs", "y_hat"),
    "a name that is a number": ("name", 3),
    "a name that steers a terminal": ("nodes", 0, "name", "\33[31m"),
    "a batch that stands second": ("inputs", "x", "shape", [2, "N"]),
}


@pytest.mark.parametrize("change", STRICT.values(), ids=STRICT.keys())
def test_hand_made_graphs_are_taken_at_their_word(tmp_path: Path, change: tuple[Any, ...]) -> None:
    model = nbn_spec.compile(Path(__file__).parent.parent / "models" / "xor.json")
    document = json.loads(json.dumps(archive.to_json(model.graph, model.spec)))
    *path, value = change
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    members = {f"param/{name}": array for name, array in model.parameters.items()}
    np.savez(tmp_path / "model.npz", graph=np.array(json.dumps(document)), **members)
    with pytest.raises(nbn_spec.ArchiveError):
        nbn_spec.load(tmp_path / "model.npz")


def test_statistics_cannot_be_trained(tmp_path: Path) -> None:
    model = nbn_spec.compile(Path(__file__).parent.parent / "models" / "iris.json")
    document = json.loads(json.dumps(archive.to_json(model.graph, model.spec)))
    document["parameters"]["x/standardized/mean"]["trainable"] = True
    members = {f"param/{name}": array for name, array in model.parameters.items()}
    np.savez(tmp_path / "model.npz", graph=np.array(json.dumps(document)), **members)
    with pytest.raises(nbn_spec.ArchiveError, match="cannot be trained"):
        nbn_spec.load(tmp_path / "model.npz")
