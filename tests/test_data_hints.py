"""Complaints about data tell the mend: by what stands in a cell, a file, an array, or a call."""

from __future__ import annotations

import json
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import nbn
from documents import Document, drop, good, put

import nbn_spec
from nbn_spec.errors import DataError, Problem
from nbn_spec.source import near
from nbn_spec.table import advice, cells_in

CLASSES = {"op": "sparse_categorical_crossentropy", "inputs": ["z1", "y"], "from_logits": True}


def found(folder: Path, document: Document) -> tuple[Problem, ...]:
    """What is said of a spec in this folder."""
    path = folder / "model.json"
    path.write_text(json.dumps(document, indent=1))
    return nbn_spec.diagnose(path).errors


def only(folder: Path, data: Any, *changes: Any) -> Problem:
    """The only complaint about the good spec with other data."""
    (problem,) = found(folder, good(put("/data", data), *changes))
    return problem


def place(problem: Problem) -> tuple[str, str, int, int]:
    """Code, name of the file, line and column of a complaint."""
    assert problem.span is not None
    return problem.code, Path(problem.span.file).name, problem.span.line, problem.span.column


def classifier(*changes: Any) -> Document:
    """A spec whose target is class numbers, of three classes."""
    target = {"shape": ["N"], "dtype": "int64"}
    return good(put("/loss", CLASSES), put("/inputs/y", target), put("/train/metrics", []), *changes)


# ── csv files ──


@pytest.mark.parametrize(
    ("cell", "separator", "hint"),
    [
        *((cell, ",", "fill it, or delete the line") for cell in ("", "?", "n/a", "NA", "-", "nan", "null")),
        ("3,000", ",", "write 3000"),
        ("1,234,567.5", ",", "write 1234567.5"),
        ("1'000", ",", "write 1000"),
        ("$3,000", ",", "write 3000"),
        ("3,000", ";", "write 3000, or 3.000 if the comma is a decimal one"),
        ("2,5", ";", "numbers have a decimal point: write 2.5"),
        ("-,5", ";", "numbers have a decimal point: write -.5"),
        ("1.234,5", ";", "numbers have a decimal point: write 1234.5"),
        ("12 %", ",", "write 12"),
        ("\N{MINUS SIGN}3", ",", "write -3"),
        ("inf", ",", "write a finite number, or delete the line"),
    ],
)
def test_a_cell_is_mended_by_what_it_holds(cell: str, separator: str, hint: str) -> None:
    assert advice(cell, separator)[1] == hint


@pytest.mark.parametrize("cell", ["red", "1,2,3", "12,34,5", "v1.2", "1-2", "3rd"])
def test_words_are_for_map_and_one_hot(cell: str) -> None:
    assert '"map"' in advice(cell, ",")[1]


def test_each_kind_of_cell_has_its_own_mend(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text('x1,x2,y\n1,n/a,0\n1,"3,000",0\n1,?,0\n')
    problem = only(tmp_path, {"csv": "d.csv"})
    assert place(problem) == ("NBN302", "d.csv", 2, 3)
    assert problem.message == 'column "x2": no number: line 2: "n/a", line 3: "3,000", line 4: "?"'
    assert problem.hint == "line 2: fill it, or delete the line; line 3: write 3000"


@pytest.mark.parametrize(("sign", "written"), [(";", '";"'), ("\t", '"\\t"'), ("|", '"|"')])
def test_decimal_commas_do_not_hide_the_separator(tmp_path: Path, sign: str, written: str) -> None:
    (tmp_path / "d.csv").write_text("x1;x2;y\n31;2;0\n31;2,5;0\n1,5;2,5;1\n".replace(";", sign))
    problem = only(tmp_path, {"csv": "d.csv"})
    assert (problem.code, problem.path) == ("NBN301", ("data", "csv"))
    assert "the header has a single column" in problem.message
    assert problem.hint == f'its cells seem to be separated by {written}: write "separator": {written}'


def test_rows_that_no_separator_parts_evenly_are_told_by_their_width(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("x1;x2\n1;2\n1,2;3;4\n")
    problem = only(tmp_path, {"csv": "d.csv"})
    assert place(problem) == ("NBN300", "d.csv", 3, 1)
    assert problem.message == "has 2 cells, but the header has 1"


def test_a_csv_without_a_header(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("\n0.5,1,0\n1,1,1\n")
    problem = only(tmp_path, {"csv": "d.csv"})
    assert place(problem) == ("NBN301", "d.csv", 2, 1)
    assert problem.message == "the first line holds numbers: a csv needs a header"
    assert problem.hint == "write a line above it with the names, such as x1,x2,y"


def test_columns_may_be_called_by_numbers(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("0,1,2\n1,1,1\n0,0,0\n")
    assert found(tmp_path, good(put("/data", {"csv": "d.csv", "columns": {"x": ["0", "1"], "y": "2"}}))) == ()
    problem = only(tmp_path, {"csv": "d.csv", "columns": {"x": ["0", "1"], "y": "9"}})
    assert (problem.code, problem.hint) == ("NBN301", "known: 0, 1, 2")


def test_columns_that_the_data_does_not_name(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("a,b,c\n1,1,1\n")
    both = found(tmp_path, good(put("/data", {"csv": "d.csv"}), drop("/inputs/x/columns")))
    assert [(problem.code, problem.message) for problem in both] == [
        ("NBN301", 'column "x" is not in the header'),
        ("NBN301", 'column "y" is not in the header'),
    ]
    assert both[0].hint == 'known: a, b, c; name its columns in the data, such as "columns": {"x": ["a", "b"]}'
    assert both[1].hint == 'known: a, b, c; name its columns in the data, such as "columns": {"y": "c"}'


def test_a_declared_column_that_is_near_is_a_slip(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("x1,xx2,y\n1,1,1\n")
    problem = only(tmp_path, {"csv": "d.csv"})
    assert (problem.code, problem.hint) == ("NBN301", 'did you mean "xx2"?')


QUOTED = 'x1,note,x2,y\n1,"two\nlines",p,0\n2,"a ""b"", c",q,1\n'


def test_a_cell_behind_a_quoted_line_break_is_found(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text(QUOTED)
    problem = only(tmp_path, {"csv": "d.csv"})
    assert place(problem) == ("NBN302", "d.csv", 3, 8)
    assert problem.message == 'column "x2": no number: line 3: "p", line 4: "q"'
    assert problem.span is not None
    assert problem.span.source == 'lines",p,0'


def test_a_cell_that_holds_a_line_break_begins_where_it_begins(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text(QUOTED)
    columns = {"x": ["x1", "note"], "y": "y"}
    problem = only(tmp_path, {"csv": "d.csv", "columns": columns})
    assert place(problem) == ("NBN302", "d.csv", 2, 3)
    assert problem.span is not None
    assert problem.span.length == len('"two')


def test_cells_of_a_row() -> None:
    text = 'a, "b" ,"c,\nd","e""f",5" g\nnext'
    assert [text[begin:end] for begin, end in cells_in(text, ",")] == ["a", '"b"', '"c,\nd"', '"e""f"', '5" g']


def test_what_is_wrong_with_a_line_of_a_csv_stands_there(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text('x1,x2,y\n1,2,0\n1,"2,0\n')
    assert place(only(tmp_path, {"csv": "d.csv"})) == ("NBN300", "d.csv", 3, 1)
    (tmp_path / "d.csv").write_text("x1,x2,y\n1,2,0\n1,2\n")
    assert place(only(tmp_path, {"csv": "d.csv"})) == ("NBN300", "d.csv", 3, 1)


# ── other files ──


def test_files_of_another_kind(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((2, 2)))
    np.save(tmp_path / "y.npy", np.zeros((2, 1)))
    np.savez(tmp_path / "d.npz", x=np.zeros((2, 2)), y=np.zeros((2, 1)))
    (tmp_path / "t.csv").write_text("x1,x2,y\n1,2,0\n")
    told = {
        "an npy": only(tmp_path, {"npz": "x.npy"}),
        "an npz": only(tmp_path, {"csv": "d.npz"}),
        "a csv": only(tmp_path, {"npz": "t.csv"}),
    }
    assert [(p.code, p.message) for p in told.values()] == [("NBN300", f"is {kind} file") for kind in told]
    assert [p.hint for p in told.values()] == [
        'write "npy": {"x": "x.npy"}',
        'write "npz": "d.npz", "arrays": {"x": "x", "y": "y"}',
        'write "csv": "t.csv"',
    ]
    problem = only(tmp_path, {"npy": {"x": "d.npz", "y": "y.npy"}})
    assert problem.path == ("data", "npy", "x")
    assert (problem.message, problem.hint) == ("is an npz file", 'write "npz": "d.npz", "arrays": {"x": "x"}')


def test_a_spreadsheet(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "d.xlsx", "w") as members:
        members.writestr("[Content_Types].xml", "<Types/>")
    problem = only(tmp_path, {"csv": "d.xlsx"})
    assert (problem.code, problem.message, problem.hint) == ("NBN300", "is a spreadsheet", "export it as csv")


def test_arrays_of_no_numbers(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.array([{}, 1], object), y=np.array(["yes", "no"]))
    objects, text = found(tmp_path, good(put("/data", {"npz": "d.npz"})))
    assert (objects.code, objects.message) == ("NBN302", "holds Python objects, which are not read")
    assert objects.hint == "save numbers: array.astype(float)"
    assert (text.code, text.message) == ("NBN302", 'holds text ([0] is "yes")')
    assert text.hint == 'give class numbers in place of words: "no" 0, "yes" 1'


def test_one_bad_file_does_not_hide_the_next_ones_numbers(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", [[0, np.nan], [0, 0]])
    np.save(tmp_path / "y.npy", np.array(["a", "b"]))
    both = found(tmp_path, good(put("/data", {"npy": {"x": "x.npy", "y": "y.npy"}})))
    assert [(problem.code, problem.path) for problem in both] == [
        ("NBN304", ("data", "npy", "x")),
        ("NBN302", ("data", "npy", "y")),
    ]
    with pytest.raises(DataError) as caught:
        nbn_spec.compile(tmp_path / "model.json").fit()
    assert [problem.code for problem in caught.value.problems] == ["NBN304", "NBN302"]


def test_addresses(tmp_path: Path) -> None:
    problem = only(tmp_path, {"csv": "https://example.com/iris.csv"})
    assert (problem.code, problem.where) == ("NBN300", "https://example.com/iris.csv")
    assert (problem.message, problem.hint) == ("addresses are not read", "download the file, and give its path")


def test_outside_of_which_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model.json").write_text(json.dumps(good(put("/data", {"csv": "../d.csv"}))))
    (problem,) = nbn_spec.diagnose("model.json").errors
    assert (problem.code, problem.message) == ("NBN307", f"lies outside the spec's folder {tmp_path.resolve()}")


def test_files_with_such_a_name(tmp_path: Path) -> None:
    for name in ("shop.csv", "other.csv", "Iris.json"):
        (tmp_path / name).write_text("")
    (tmp_path / "shops.csv").mkdir()
    assert near(tmp_path / "shopp.csv", "data/shopp.csv") == 'did you mean "data/shop.csv"?'
    assert near(tmp_path / "iris", "iris") == 'did you mean "Iris.json"?'
    assert near(tmp_path / "q.bin", "q.bin") == ""
    assert near(tmp_path / "dta" / "q.csv", "dta/q.csv") == 'there is no folder "dta"'
    problem = only(tmp_path, {"csv": "shopp.csv"})
    assert (problem.code, problem.hint) == ("NBN300", 'did you mean "shop.csv"?')


# ── shapes ──


def misfit(shape: tuple[int, ...], declared: list[Any], **values: Any) -> str:
    """The hint for an array of this shape where an input is declared so."""
    document = {"name": "m", "inputs": {"x": {"shape": declared}}, "nodes": [{"op": "square", "inputs": "x"}]}
    model = nbn_spec.compile({**document, "outputs": ["square_1"]})
    with pytest.raises(DataError) as caught:
        model.predict(values.get("array", np.zeros(shape)))
    (problem,) = caught.value.problems
    assert problem.code == "NBN303"
    assert problem.message.startswith("has shape [")
    return problem.hint


@pytest.mark.parametrize(
    ("shape", "declared", "hint"),
    [
        ((50, 8, 8), ["N", 64], "array.reshape(-1, 64) has that shape"),
        ((50, 64), ["N", 8, 8], "array.reshape(-1, 8, 8) has that shape"),
        ((3, 20), ["N", 3], "it looks transposed: the first axis counts the examples"),
        ((1, 20), ["N"], "it looks transposed: the first axis counts the examples"),
        ((20, 2), [2], 'the first axis of data counts the examples: declare "x" as ["N", 2]'),
        ((20, 2), ["N", 3], 'give 3 columns, or declare "x" as ["N", 2]'),
        ((3,), ["N", 3], "give a list of examples, even for one: [[…]]"),
        ((2, 3, 4, 5), ["N", 2], ""),
    ],
)
def test_shapes_that_do_not_fit(shape: tuple[int, ...], declared: list[Any], hint: str) -> None:
    assert misfit(shape, declared) == hint


def test_columns_of_0_and_1_for_class_numbers() -> None:
    hint = "give the number of each example's class, not columns of 0 and 1: array.argmax(axis=1)"
    assert misfit((), ["N"], array=np.eye(3)) == hint


def test_arrays_from_files_are_reshaped_in_the_spec(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", images=np.zeros((2, 1, 2)), y=np.zeros((2, 1)))
    data = {"npz": "d.npz", "arrays": {"x": {"array": "images", "scale": 0.5}}}
    problem = only(tmp_path, data)
    assert (problem.code, problem.path) == ("NBN303", ("data", "arrays", "x"))
    assert problem.hint == 'reshape each example: {"array": "images", "scale": 0.5, "reshape": [2]}'
    data["arrays"] = {"x": json.loads(problem.hint.partition(": ")[2])}
    assert found(tmp_path, good(put("/data", data))) == ()


def test_class_numbers_from_files_become_columns(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.zeros((4, 2)), y=np.array([0, 1, 2, 0]))
    change = put("/inputs/y", {"shape": ["N", 3]})
    loss = {"op": "categorical_crossentropy", "inputs": ["z1", "y"], "from_logits": True}
    problem = only(tmp_path, {"npz": "d.npz"}, change, put("/loss", loss), put("/train/metrics", []))
    assert problem.hint == 'class numbers become columns of 0 and 1: {"array": "y", "one_hot": 3}'


def test_values_are_declared_or_written_otherwise(tmp_path: Path) -> None:
    problem = only(tmp_path, {"values": {"x": [[[0], [1]], [[1], [1]]], "y": [[0], [1]]}})
    assert problem.hint == 'declare "x" as ["N", 2, 1], or write the examples in the declared shape'


# ── labels ──


def test_classes_that_are_counted_from_1(tmp_path: Path) -> None:
    data = {"values": {"x": [[0, 1]] * 3, "y": [1, 2, 3]}}
    (problem,) = found(tmp_path, classifier(put("/data", data)))
    assert (problem.code, problem.path) == ("NBN305", ("data", "values", "y", 2))
    assert problem.hint == "classes count from 0: subtract 1, or give 4 units"
    (tmp_path / "d.csv").write_text("x1,x2,y\n0,1,1\n0,1,2\n0,1,3\n")
    (problem,) = found(tmp_path, classifier(put("/data", {"csv": "d.csv"})))
    assert place(problem) == ("NBN305", "d.csv", 4, 5)
    assert problem.hint == 'classes count from 0: "map": {"1": 0, "2": 1, "3": 2}, or give 4 units'
    for labels in ([0, 1, 3], [1, 2, 4]):
        data = {"values": {"x": [[0, 1]] * 3, "y": labels}}
        assert found(tmp_path, classifier(put("/data", data)))[0].hint == ""


@pytest.mark.parametrize(
    ("loss", "labels", "hint"),
    [
        ("binary_crossentropy", [1, 2], "labels count from 0: subtract 1"),
        ("binary_crossentropy", [-1, 1], "the labels are 0 and 1: give 0 in place of -1"),
        ("binary_crossentropy", [1.5, 2], ""),
        ("hinge", [0, 1], "the labels are -1 and 1: give -1 in place of 0"),
        ("hinge", [2, 1], ""),
    ],
)
def test_labels_of_two_classes(loss: str, labels: list[float], hint: str) -> None:
    document = good(put("/loss", {"op": loss, "inputs": ["z2", "y"]}), drop("/data"), drop("/train"))
    with pytest.raises(DataError) as caught:
        nbn_spec.compile(document).evaluate({"x": [[0, 1]] * 2, "y": labels})
    assert [(p.code, p.hint) for p in caught.value.problems] == [("NBN305", hint)]


# ── from Python ──


@pytest.mark.parametrize("method", ["fit", "trainer", "evaluate", "gradients", "trace"])
def test_arrays_one_behind_the_other(method: str) -> None:
    with pytest.raises(DataError) as caught:
        getattr(nbn_spec.compile(good()), method)([[0, 1]], [[1]])
    (problem,) = caught.value.problems
    assert (problem.code, problem.where) == ("NBN306", "good")
    assert problem.message == f"{method} takes all data as one argument, not as 2"
    assert problem.hint == f'give the arrays by name: {method}({{"x": x, "y": y}})'


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[1, 2], [3, 4], [5]], "the rows are not equally long: [2] has 1 entry, [0] has 2 entries"),
        ([[1, 2], 3], "the rows are not equally long: [1] has no row, [0] has 2 entries"),
        ([[[1], [2]], [[1], [2, 3]]], "the rows are not equally long: [1, 1] has 2 entries, [1, 0] has 1 entry"),
    ],
)
def test_ragged_rows_are_told_by_their_index(rows: Any, message: str) -> None:
    with pytest.raises(DataError) as caught:
        nbn_spec.compile(good()).predict(rows)
    assert [(p.code, p.message) for p in caught.value.problems] == [("NBN303", message)]


@pytest.mark.parametrize(
    ("values", "message", "hint"),
    [
        (np.zeros((1, 2), object), "Python objects", "array.astype(float) makes numbers of them"),
        ([[0, None]], "Python objects ([0, 1] is null)", "every element has to be a number"),
        ([["0", "1"]], 'text ([0, 0] is "0")', "numbers stand without quotes: array.astype(float)"),
        ([[str(i), "a"] for i in range(9)], 'text ([0, 0] is "0")', "words: "),
        ([[f"w{i}", "a"] for i in range(20)], 'text ([0, 0] is "w0")', "0, 1, 2, …"),
    ],
)
def test_values_that_are_no_numbers(values: Any, message: str, hint: str) -> None:
    with pytest.raises(DataError) as caught:
        nbn_spec.compile(good()).predict(values)
    (problem,) = caught.value.problems
    assert (problem.code, problem.message) == ("NBN302", f"holds other than real numbers: {message}")
    assert hint in problem.hint


def test_every_input_is_measured_against_the_others() -> None:
    inputs = {name: {"shape": ["N", 1]} for name in "abc"}
    node = {"op": "concatenate", "inputs": ["a", "b", "c"]}
    model = nbn_spec.compile({"name": "m", "inputs": inputs, "nodes": [node], "outputs": ["concatenate_1"]})
    with pytest.raises(DataError) as caught:
        model.predict({"a": [[0]], "b": [[0]] * 2, "c": [[0]] * 3})
    assert [problem.where for problem in caught.value.problems] == ["b", "c"]


# ── the command line ──


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a spec and its archive."""
    (tmp_path / "good.json").write_text(json.dumps(good()))
    nbn_spec.compile(good()).save(tmp_path / "good.npz")
    return tmp_path


COMMANDS = {
    "validate goood.json": ("NBN100] goood.json: there is no such file", 'did you mean "good.json"?'),
    "run good": ("NBN100] good: there is no such file", 'did you mean "good.json" or "good.npz"?'),
    "graph models/good.json": ("NBN100] models/good.json: there", 'there is no folder "models"'),
    "validate .": ("NBN100] .: cannot be read", 'give a document in it, such as "good.json"'),
    "validate https://a.org/b.json": ("NBN100] https://a.org/b.json: addresses are not read", "download the file"),
    "predict goood.npz": ("NBN500] goood.npz: there is no such file", 'did you mean "good.npz"?'),
    "predict good.json": ("NBN500] good.json: cannot be read", "this is a spec: run it first"),
    "evaluate https://a.org/b.npz": ("NBN500] https://a.org/b.npz: addresses are not read", "download the file"),
    "predict good.npz --data goood.npz": ("NBN300] goood.npz: there is no such file", 'did you mean "good.npz"?'),
    "predict good.npz --data qqq.csv": ("NBN300] qqq.csv: there", "paths are relative to the current folder"),
    "predict good.npz --data https://a.org/b.csv": ("https://a.org/b.csv: addresses are not", "download the file"),
}


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_say_what_may_be_meant(folder: Path, line: str) -> None:
    _, err = nbn(*line.split(), cwd=folder, code=2)
    for words in COMMANDS[line]:
        assert words in err


def test_a_file_of_the_other_binary_kind_is_read_as_what_it_is(folder: Path) -> None:
    np.savez(folder / "d.npz", x=[[0.0, 1.0]])
    np.save(folder / "x.npy", [[0.0, 1.0]])
    wanted = nbn("predict", "good.npz", "--data", "x.npy", cwd=folder)
    (folder / "d.npz").rename(folder / "d.npy")
    (folder / "x.npy").rename(folder / "x.npz")
    for name in ("d.npy", "x.npz"):
        assert nbn("predict", "good.npz", "--data", name, cwd=folder) == wanted


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_json_is_measured_before_it_is_read(folder: Path, command: str) -> None:
    (folder / "d.json").write_text(json.dumps({"x": [[0, 1]] * 200_000, "y": [[0]] * 200_000}))
    _, err = nbn(command, "good.npz", "--data", "d.json", "--max-memory", "4MiB", cwd=folder, code=2)
    assert "error[NBN209] d.json: reading it takes" in err


def test_json_takes_no_more_than_is_counted() -> None:
    from nbn_spec.cli.predict import JSON_FACTOR
    from nbn_spec.spec.read import parse

    content = json.dumps([[0.5, 1.25]] * 50_000).encode()
    tracemalloc.start()
    try:
        parse(content)
        assert tracemalloc.get_traced_memory()[1] < JSON_FACTOR * len(content)
    finally:
        tracemalloc.stop()
