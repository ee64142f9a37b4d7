"""Data: files become the right arrays, and every complaint names the file, the place in it and the value."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from documents import Document, drop, good, put

import nbn_spec
from nbn_spec.errors import DataError, GraphError, NbnError
from nbn_spec.graph import Input
from nbn_spec.source import Place, Source, open_source
from nbn_spec.table import Column, columns_of, number, read_csv

X, Y = Input("x", ("N", 2)), Input("y", ("N", 1))


def csv_source(columns: dict[str, Any], separator: str = ",") -> Source:
    return Source.from_json({"csv": "data.csv", "columns": columns, "separator": separator})


def read(folder: Path, source: Source, *inputs: Input) -> dict[str, Any]:
    found = open_source(source, inputs, Place(folder))
    if problems := [problem for loaded in found.values() for problem in loaded.problems]:
        raise DataError.of(problems)
    return {name: loaded.array for name, loaded in found.items()}


def refused(folder: Path, source: Source, *inputs: Input) -> tuple[str, str, str]:
    """Code, place (without the folder) and message of the error that reading raises."""
    with pytest.raises(DataError) as caught:
        read(folder, source, *inputs)
    problem = caught.value.problems[0]
    return problem.code, problem.where.replace(f"{folder}/", ""), f"{problem.message}; {problem.hint}"


PLAIN = "a,b,c\n1,2.5,yes\n-3,4e2,no\n"
CSV = {
    "plain": PLAIN,
    "byte-order mark": "\ufeff" + PLAIN,
    "Windows": PLAIN.replace("\n", "\r\n"),
    "old Mac": PLAIN.replace("\n", "\r"),
    "quotes": 'a,b,"c"\n"1","2.5",yes\n"-3",4e2,no\n',
    "spaces": "a , b, c\n 1,2.5 ,yes\n-3 , 4e2,no \n",
    "empty lines": "\n" + PLAIN.replace("\n", "\n\n"),
    "no last line break": PLAIN.strip(),
    "more columns": "z,a,b,c\nq,1,2.5,yes\nr,-3,4e2,no\n",
}


@pytest.mark.parametrize("text", CSV.values(), ids=CSV.keys())
def test_csv(tmp_path: Path, text: str) -> None:
    (tmp_path / "data.csv").write_bytes(text.encode())
    source = csv_source({"x": {"column": ["b", "a"]}, "y": {"column": "c", "map": {"no": 0, "yes": 1}}})
    arrays = read(tmp_path, source, X, Y)
    np.testing.assert_array_equal(arrays["x"], [[2.5, 1], [400, -3]])
    np.testing.assert_array_equal(arrays["y"], [[1], [0]])


@pytest.mark.parametrize("separator", [";", "\t", "|", " "])
def test_separators(tmp_path: Path, separator: str) -> None:
    (tmp_path / "data.csv").write_text(f"a{separator}b\n1{separator}2\n")
    source = csv_source({"x": {"column": ["a", "b"]}}, separator)
    np.testing.assert_array_equal(read(tmp_path, source, X)["x"], [[1, 2]])


def test_one_hot_and_scale_of_a_column(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text(PLAIN)
    hot = csv_source({"x": {"column": "c", "one_hot": ["no", "yes"]}, "y": {"column": "a", "scale": 0.5}})
    arrays = read(tmp_path, hot, X, Y)
    np.testing.assert_array_equal(arrays["x"], [[0, 1], [1, 0]])
    np.testing.assert_array_equal(arrays["y"], [[0.5], [-1.5]])


BAD_CSV = {
    "empty": ("", "NBN300", "data.csv", "is empty"),
    "blank": ("\n \n", "NBN300", "data.csv", "is empty"),
    "header only": ("a,b\n", "NBN300", "data.csv", "has a header but no rows"),
    "ragged": ("a,b\n1,2\n\n3\n", "NBN300", "data.csv:4", "has 1 cells, but the header has 2"),
    "too many cells": ("a,b\n1,2,3\n", "NBN300", "data.csv:2", "has 3 cells, but the header has 2"),
    "wrong separator": ("a;b\n1;2\n", "NBN301", "data.csv", 'a single column, "a;b"; its cells'),
    "missing column": ("a,c\n1,2\n", "NBN301", "data.csv:1", 'column "b" is not in the header; known: a, c'),
    "misspelt column": ("a,bb\n1,2\n", "NBN301", "data.csv:1", 'column "b" is not in the header'),
    "column twice": ("a,b,b\n1,2,3\n", "NBN301", "data.csv:1", 'column "b" stands more than once'),
    "text": (
        "a,b\n1,2\n3,four\n",
        "NBN302",
        'data.csv, column "b"',
        'no number: line 3: "four"; give words',
    ),
    "nan": ("a,b\n1,nan\n", "NBN302", 'data.csv, column "b"', 'not a finite number: line 2: "nan"; fill it'),
    "inf": ("a,b\n-inf,1\n", "NBN302", 'data.csv, column "a"', 'not a finite number: line 2: "-inf"'),
    "1e999": ("a,b\n1e999,1\n", "NBN302", 'data.csv, column "a"', 'not a finite number: line 2: "1e999"'),
    "1_000": ("a,b\n1,1_000\n", "NBN302", 'data.csv, column "b"', 'no number: line 2: "1_000"; write 1000'),
    "decimal comma": ('a,b\n1,"1,5"\n', "NBN302", 'data.csv, column "b"', "have a decimal point: write 1.5"),
    "other digits": ("a,b\n1,١٢\n", "NBN302", 'data.csv, column "b"', 'line 2: "١٢"'),
    "empty cell": ("a,b\n1,2\n,2\n", "NBN302", 'data.csv, column "a"', "no number: line 3: empty; fill it"),
    "many": (
        "a,b\n" + "p,1\n" * 5,
        "NBN302",
        'data.csv, column "a"',
        'line 2: "p", line 3: "p", line 4: "p" and 2 more',
    ),
    "behind a row of two lines": ('a,b,c\n1,2,"d\ne"\nx,2,3\n', "NBN302", 'data.csv, column "a"', 'line 4: "x"'),
    "open quote": ('a,b\n1,"2\n', "NBN300", "data.csv:2", "unexpected end of data"),
    "text behind a quote": ('a,b\n1,"2"3\n', "NBN300", "data.csv:2", "expected after"),
    "null byte": ("a,b\n1,\0\n", "NBN30", "data.csv", ""),
    "huge cell": ("a,b\n1," + "2" * 200_000, "NBN300", "data.csv:2", "field larger than field limit"),
    "Latin 1": ("a,b\n1,2\n", "NBN300", "data.csv", "save it as UTF-8"),
}


@pytest.mark.parametrize(("text", "code", "place", "words"), BAD_CSV.values(), ids=BAD_CSV.keys())
def test_bad_csv(tmp_path: Path, text: str, code: str, place: str, words: str) -> None:
    content = b"a,b\xe9\n1,2\n" if "UTF-8" in words else text.encode()
    (tmp_path / "data.csv").write_bytes(content)
    found = refused(tmp_path, csv_source({"x": {"column": ["a", "b"]}}), X)
    assert found[0].startswith(code)
    assert found[1].startswith(place)
    assert words in found[2]


def test_unknown_words_of_a_column(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("a,b\nred,1\nblue,2\n")
    for how in ({"map": {"red": 1}}, {"one_hot": ["red"]}):
        found = refused(tmp_path, csv_source({"y": {"column": "a", **how}}), Y)
        assert found == (
            "NBN302",
            'data.csv, column "a"',
            'column "a": unknown word: line 3: "blue"; the known words are red',
        )


@pytest.mark.parametrize("cell", ["1", "-2.5", "+3", "1e3", ".5", "5."])
def test_numbers_in_cells(cell: str) -> None:
    assert number(cell) == float(cell)


def test_one_column_of_a_table_is_a_column_of_the_array(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text(PLAIN)
    assert columns_of(read_csv(path), Column(column="a")).shape == (2, 1)


# ── npy and npz ──


def npz_source(**arrays: Any) -> Source:
    return Source.from_json({"npz": "data.npz", "arrays": arrays})


def test_npz(tmp_path: Path) -> None:
    images = np.arange(24, dtype=np.uint8).reshape(3, 2, 4)
    np.savez(tmp_path / "data.npz", images=images, labels=np.array([2, 0, 1]))
    source = npz_source(x={"array": "images", "reshape": [8], "scale": 0.5}, y={"array": "labels", "one_hot": 3})
    arrays = read(tmp_path, source, X, Y)
    np.testing.assert_array_equal(arrays["x"], images.reshape(3, 8) / 2)
    np.testing.assert_array_equal(arrays["y"], np.eye(3)[[2, 0, 1]])


def test_npy(tmp_path: Path) -> None:
    for dtype in ("float16", "float32", "float64", "int8", "uint64", "bool", ">f4"):
        np.save(tmp_path / "x.npy", np.ones((2, 2), dtype))
        source = Source.from_json({"npy": {"x": {"file": "x.npy", "reshape": [-1, 1], "scale": 3}}})
        np.testing.assert_array_equal(read(tmp_path, source, X)["x"], np.full((2, 2, 1), 3))


def npy(array: Any, **options: Any) -> bytes:
    content = io.BytesIO()
    np.save(content, array, **options)
    return content.getvalue()


LYING = npy(np.zeros(4)).replace(b"(4,)", b"(9" + b"0" * 14 + b",)").replace(b"              \n", b"\n")
BAD_NPY = {
    "empty": (b"", "cannot be read as npy"),
    "text": (b"1,2,3", "cannot be read as npy"),
    "cut off": (npy(np.zeros((4, 2)))[:-8], "cannot be read as npy"),
    "cut off in the header": (npy(np.zeros((4, 2)))[:40], "cannot be read as npy"),
    "pickled": (npy(np.array([{}, []], object), allow_pickle=True), "holds Python objects"),
    "a header that lies": (LYING, "cannot be read as npy"),
    "text array": (npy(np.array(["a", "b"])), 'holds text ([0] is "a"); give class numbers'),
    "complex": (npy(np.zeros((2, 2), complex)), "holds complex numbers"),
    "dates": (npy(np.zeros(2, "datetime64[s]")), "holds dates"),
    "structures": (npy(np.zeros(2, [("a", "f8")])), "holds records"),
    "scalar": (npy(np.float64(3)), "an example cannot become [2]"),
    "other shape": (npy(np.zeros((2, 3))), "has shape [2, 3], so an example cannot become [2]"),
}


@pytest.mark.parametrize(("content", "words"), BAD_NPY.values(), ids=BAD_NPY.keys())
def test_bad_npy(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "x.npy").write_bytes(content)
    source = Source.from_json({"npy": {"x": {"file": "x.npy", "reshape": [2]}}})
    code, place, message = refused(tmp_path, source, X)
    assert code in ("NBN300", "NBN302", "NBN303")
    assert place == "x.npy"
    assert words in message


def test_bad_npz(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    source = npz_source(x={"array": "x"})
    np.savez(path, xx=np.zeros((2, 2)))
    assert refused(tmp_path, source, X) == ("NBN301", "data.npz", 'holds no array "x"; did you mean "xx"?')
    np.savez(path, x=np.array([{}], object))
    message = "holds Python objects, which are not read; save numbers: array.astype(float)"
    assert refused(tmp_path, source, X) == ("NBN302", 'data.npz, array "x"', message)
    whole = path.read_bytes()
    for content in (b"", b"PK\x03\x04", whole[: len(whole) // 2]):
        path.write_bytes(content)
        code, place, message = refused(tmp_path, source, X)
        assert (code, place) == ("NBN300", "data.npz")
        assert "numpy.savez" in message


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([0, 3], "must be a class number from 0 to 2: [1] is 3"),
        ([0, -1], "must be a class number from 0 to 2: [1] is -1"),
        ([0.5, 1], "must be whole numbers: [0] is 0.5"),
        ([np.nan, 1], "must be whole numbers: [0] is nan"),
        ([np.inf, 1], "must be whole numbers: [0] is inf"),
        ([1e300, 1], "must be whole numbers: [0] is 1e+300"),
    ],
)
def test_class_numbers_for_one_hot(tmp_path: Path, labels: list[float], words: str) -> None:
    np.savez(tmp_path / "data.npz", y=np.array(labels))
    code, place, message = refused(tmp_path, npz_source(y={"array": "y", "one_hot": 3}), Y)
    assert (code, place) == ("NBN305", 'data.npz, array "y"')
    assert words in message


def test_more_classes_than_memory(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", y=np.arange(3))
    code, _, message = refused(tmp_path, npz_source(y={"array": "y", "one_hot": 10**15}), Y)
    assert code == "NBN305"
    assert "sparse_categorical_crossentropy" in message


# ── paths ──


def test_paths_stay_in_the_folder_of_the_spec(tmp_path: Path) -> None:
    home, outside = tmp_path / "home", tmp_path / "outside.csv"
    (home / "data").mkdir(parents=True)
    for path in (outside, home / "inside.csv"):
        path.write_text(PLAIN)
    os.symlink(outside, home / "link.csv")
    os.symlink(tmp_path, home / "folder")
    os.symlink(home / "inside.csv", home / "data" / "back.csv")
    for path in ("inside.csv", "data/../inside.csv", "data/back.csv", str(home / "inside.csv")):
        assert Place(home).find(path) == home / "inside.csv"
    for path in ("../outside.csv", str(outside), "link.csv", "folder/outside.csv", "data/../../outside.csv"):
        with pytest.raises(DataError, match="lies outside the spec's folder") as caught:
            Place(home).find(path)
        assert (caught.value.problems[0].code, caught.value.problems[0].where) == ("NBN307", path)
        assert Place(home, anywhere=True).find(path) == outside


def test_paths_that_lead_nowhere(tmp_path: Path) -> None:
    os.symlink(tmp_path / "b", tmp_path / "a")
    os.symlink(tmp_path / "a", tmp_path / "b")
    for path, words in {
        "none.csv": "there is no such file",
        ".": "is a folder",
        "a\0b": "is no path",
        "x" * 5000: "is no path",
        "a": "is no path|there is no such file",
    }.items():
        with pytest.raises(DataError, match=words) as caught:
            Place(tmp_path).find(path)
        assert caught.value.problems[0].code == "NBN300"


def test_files_outside_are_read_where_that_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "data.csv").write_text("x1,x2,y\n1,2,0\n3,4,1\n")
    path = tmp_path / "home" / "model.json"
    path.write_text(json.dumps(good(put("/data", {"csv": "../data.csv"}))))
    with pytest.raises(DataError, match="--allow-outside"):
        nbn_spec.compile(path).fit()
    assert len(nbn_spec.compile(path, allow_outside=True).fit()) == 2


# ── what the model takes ──

XY = {"x": [[0, 1], [1, 0]], "y": [[0], [1]]}
UNFIT = {
    "missing": ({"x": XY["x"]}, "NBN306", "y", "is needed: an array of shape [N, 1]"),
    "unknown": ({**XY, "z": [1]}, "NBN306", "z", "is no input of this model"),
    "columns": ({**XY, "x": [[1, 2, 3]]}, "NBN303", "x", "[1, 3], but the input is declared as [N, 2]"),
    "one example": ({**XY, "x": [0, 1]}, "NBN303", "x", "give a list of examples, even for one: [[…]]"),
    "ragged": ({**XY, "x": [[1, 2], [3]]}, "NBN303", "x", "not equally long"),
    "number": ({**XY, "x": 3}, "NBN303", "x", "has shape []"),
    "counts": ({**XY, "y": [[0]]}, "NBN303", "y", 'N is 1 here, but 2 in "x"'),
    "no examples": ({"x": np.zeros((0, 2)), "y": np.zeros((0, 1))}, "NBN303", "x", "holds no examples"),
    "text": ({**XY, "x": [["0", "1"]]}, "NBN302", "x", 'other than real numbers: text ([0, 0] is "0")'),
    "none": ({**XY, "x": None}, "NBN302", "x", "other than real numbers: Python objects (null)"),
    "objects": ({**XY, "x": np.array([[1, None]])}, "NBN302", "x", "Python objects ([0, 1] is null)"),
    "complex": ({**XY, "x": [[1j, 0], [0, 0]]}, "NBN302", "x", "complex numbers"),
    "huge integers": ({**XY, "x": [[10**400, 0], [0, 0]]}, "NBN304", "x", "too large for any float"),
    "nan": ({**XY, "x": [[0, np.nan], [0, 0]]}, "NBN304", "x", "must be finite in float32: [0, 1] is nan"),
    "beyond float32": (
        {**XY, "x": [[0, 0], [1e39, 0]]},
        "NBN304",
        "x",
        "must be finite in float32: [1, 0] is 1e+39",
    ),
}


@pytest.mark.parametrize(("data", "code", "place", "words"), UNFIT.values(), ids=UNFIT.keys())
def test_data_that_does_not_fit(data: Any, code: str, place: str, words: str) -> None:
    model = nbn_spec.compile(good())
    for use in (model.fit, model.evaluate, model.gradients):
        with pytest.raises(DataError) as caught:
            use(data)
        problem = caught.value.problems[0]
        assert (problem.code, problem.where) == (code, place)
        assert words in f"{problem.message}; {problem.hint}"


def test_predictions_need_only_what_they_are_computed_from() -> None:
    model = nbn_spec.compile(good())
    np.testing.assert_array_equal(model.predict([[0, 1]]), model.predict({"x": [[0, 1]]}))
    np.testing.assert_array_equal(model.predict({"x": [[0, 1]], "y": [[1]]}), model.predict([[0, 1]]))
    for data, words in {
        (0, 1): "give a list of examples",
        (): "has shape \\[0\\]",
        ("a",): "other than real",
    }.items():
        with pytest.raises(DataError, match=words):
            model.predict(list(data))


def test_a_vector_is_a_column_where_a_column_is_needed() -> None:
    model = nbn_spec.compile(good())
    assert model.evaluate({"x": XY["x"], "y": [0, 1]}) == model.evaluate(XY)


def classifier(loss: Document, target: Document) -> Document:
    return good(
        put("/loss", {"inputs": ["z1", "y"], **loss}), put("/inputs/y", target), drop("/data"), drop("/train")
    )


TARGETS = {
    "class": ([0, 3, 1, 7], "must be a class number from 0 to 2: [1] is 3, [3] is 7"),
    "negative class": ([0, -1, 1, 2], "[1] is -1"),
    "fractional class": ([0, 0.5, 1, 2], "must be whole numbers: [1] is 0.5"),
    "NaN": ([0, 1, np.nan, 2], "must be whole numbers: [2] is nan"),
    "huge": (np.array([0, 1, 2, 2**64 - 1], np.uint64), "must fit in 64 bits: [3] is 18446744073709551615"),
}


@pytest.mark.parametrize(("classes", "words"), TARGETS.values(), ids=TARGETS.keys())
def test_class_numbers(classes: Any, words: str) -> None:
    target = {"shape": ["N"], "dtype": "int64"}
    model = nbn_spec.compile(classifier({"op": "sparse_categorical_crossentropy", "from_logits": True}, target))
    assert model.evaluate({"x": [[0, 0]] * 4, "y": [0, 1, 2.0, 0]})["loss"] > 0
    with pytest.raises(DataError) as caught:
        model.evaluate({"x": [[0, 0]] * 4, "y": classes})
    assert (caught.value.problems[0].code, caught.value.problems[0].where) == ("NBN305", "y")
    assert words in str(caught.value)


def test_targets_outside_what_a_loss_takes() -> None:
    hinge = nbn_spec.compile(classifier({"op": "hinge"}, {"shape": ["N", 3]}))
    assert hinge.evaluate({"x": [[0, 0]], "y": [[-1, 1, 1]]})["loss"] > 0
    with pytest.raises(DataError, match=r"must be -1 or 1: \[0, 1\] is 0.0"):
        hinge.evaluate({"x": [[0, 0]], "y": [[-1, 0, 1]]})
    cross = nbn_spec.compile(classifier({"op": "binary_crossentropy", "from_logits": True}, {"shape": ["N", 3]}))
    with pytest.raises(DataError, match=r"must be from 0 to 1: \[0, 2\] is 2.0"):
        cross.evaluate({"x": [[0, 0]], "y": [[0, 1, 2]]})


def test_complaints_about_the_specs_own_data_name_where_it_came_from(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        nbn_spec.compile(good(put("/data/values/x", [[1, 2, 3]]))).fit()
    assert caught.value.problems[0].where == "data.values.x"
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    place = Place(tmp_path)
    model = nbn_spec.compile(good(put("/data", {"csv": "a.csv", "columns": {"x": ["a", "b"], "y": ["a", "b"]}})))
    model.place = place
    with pytest.raises(DataError) as caught:
        model.fit()
    assert caught.value.problems[0].where == 'a.csv, input "y"'


# ── standardize ──


def test_standardize_learns_from_the_training_part_and_stays_in_the_model(tmp_path: Path) -> None:
    rows = np.random.default_rng(3).normal([5, -300], [2, 40], (40, 2))
    text = "a,b,y\n" + "".join(f"{a!r},{b!r},{i % 2}\n" for i, (a, b) in enumerate(rows.tolist()))
    (tmp_path / "data.csv").write_text(text)
    data = {"csv": "data.csv", "columns": {"x": {"column": ["a", "b"], "standardize": True}, "y": "y"}}
    document = good(put("/data", data), put("/dtype", "float64"), put("/train/validation", {"fraction": 0.25}))
    path = tmp_path / "model.json"
    path.write_text(json.dumps(document))
    model = nbn_spec.compile(path)
    trainer = model.trainer()
    part = trainer.data["x"]
    assert len(part) == 30
    np.testing.assert_array_equal(model.parameters["x/standardized/std"], [1, 1])
    trainer.run()
    np.testing.assert_allclose(model.parameters["x/standardized/mean"], part.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(model.parameters["x/standardized/std"], part.std(axis=0), rtol=1e-13)
    assert not np.allclose(part.mean(axis=0), rows.mean(axis=0), rtol=1e-6)
    before = model.parameters["x/standardized/mean"].copy()
    model.fit({"x": rows + 1, "y": np.ones(40)})
    np.testing.assert_array_equal(model.parameters["x/standardized/mean"], before)
    model.save(tmp_path / "model.npz")
    again = nbn_spec.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(again.predict(rows), model.predict(rows))
    scores = (rows - part.mean(axis=0)) / part.std(axis=0)
    hidden = 1 / (1 + np.exp(-(scores @ model.parameters["z1/weight"].T + model.parameters["z1/bias"])))
    out = 1 / (1 + np.exp(-(hidden @ model.parameters["z2/weight"].T + model.parameters["z2/bias"])))
    np.testing.assert_allclose(again.predict(rows), out, rtol=1e-12)


@pytest.mark.parametrize(
    "document",
    [
        {"csv": 3, "columns": {}},
        {"csv": "a", "columns": []},
        {"csv": "a", "columns": {"x": {"columns": "a"}}},
        {"csv": "a", "columns": {"x": {"column": 3}}},
        {"csv": "a", "columns": {}, "separator": 3},
        {"npz": "a", "arrays": {"x": {"array": "a", "reshape": [-1, -1]}}},
        {"npy": {"x": "a.npy"}},
        {"values": 3},
        {},
    ],
    ids=str,
)
def test_what_is_no_source(document: Any) -> None:
    with pytest.raises(NbnError, match="is no description of data"):
        Source.from_json(document)


def test_a_batch_that_memory_does_not_hold() -> None:
    model = nbn_spec.compile(
        {
            "name": "wide",
            "inputs": {"x": {"shape": ["N", 1]}},
            "parameters": {"row": {"shape": [1_000_000], "init": "zeros"}},
            "nodes": [{"op": "multiply", "inputs": ["x", "row"]}],
            "outputs": ["multiply_1"],
        }
    )
    assert model.predict([[1], [2]]).shape == (2, 1_000_000)
    with pytest.raises(GraphError, match="a pass over the batch needs") as caught:
        model.predict(np.zeros((1_000_000, 1)))
    assert caught.value.problems[0].code == "NBN209"


def test_integers_beyond_64_bits_are_numbers() -> None:
    document = {"name": "square", "dtype": "float64", "inputs": {"p": {"shape": ["N"]}}}
    model = nbn_spec.compile({**document, "nodes": [{"op": "square", "inputs": "p"}], "outputs": ["square_1"]})
    assert model.predict([10**30, 1]).tolist() == [1e30 * 1e30, 1]
    for bad in ([10**30, None], [10**30, "1"], [10**30, True]):
        with pytest.raises(nbn_spec.DataError):
            model.predict(bad)


def test_masked_values_and_arrays_that_refuse() -> None:
    class Refusing:
        def __array__(self, *args: object, **kwargs: object) -> object:
            raise RuntimeError("not on this device")

    model = nbn_spec.compile(good())
    with pytest.raises(nbn_spec.DataError, match="masked"):
        model.predict(np.ma.masked_array([[0.0, 1.0]], [[True, False]]))
    with pytest.raises(nbn_spec.DataError, match="not on this device"):
        model.predict(Refusing())
