"""The table of mistakes: each file of diagnostics/*.json gets the complaints that it asks for, at their places.

A case is the text of a document as an author types it, the files beside it, and ``expect``: every error and every
warning that the program must give for it, with its place and with words of its text (in any case), and no others.
The line of the document that a complaint shows does not count as its text.

- ``mended`` holds the lines, by their numbers, with which nothing is to be said of the document any more.
- ``command`` is ``validate``, unless it is ``run``, the words of another command line, or ``verify``: the check of
  a graph that a program has made.
- ``archive`` says from which model of models/ an archive is made, and how it is damaged.
- ``absent`` and ``folder`` say that there is no file, or a folder in its place; ``encoding`` and ``newline`` how
  the text is written; ``arrays`` are npz files.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from documents import put
from typer.testing import CliRunner

import nbn_spec
from nbn_spec import archive
from nbn_spec.cli import app
from nbn_spec.codes import CODES
from nbn_spec.errors import WIDTH, NbnError, Problem
from nbn_spec.graph import verify

ROOT = Path(__file__).parent.parent
SPEC, ARCHIVE = "model.json", "model.npz"
Case = dict[str, Any]
TABLE: dict[str, list[Case]] = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / "tests" / "diagnostics").glob("*.json"))
}


def chosen(keep: Callable[[Case], bool]) -> list[Any]:
    """The cases for which ``keep`` holds, as parameters of a test."""
    pairs = [(group, case) for group, cases in TABLE.items() for case in cases]
    return [pytest.param(case, id=f"{group}: {case['title']}") for group, case in pairs if keep(case)]


def is_spec(case: Case) -> bool:
    """Whether a case is a document that is diagnosed."""
    return case.get("command", "validate") == "validate" and "archive" not in case


def warned(case: Case) -> bool:
    """Whether nothing but warnings is said of a document."""
    return is_spec(case) and all(item["code"].startswith("NBN9") for item in case["expect"])


CASES, SPECS, WARNED = chosen(lambda case: True), chosen(is_spec), chosen(warned)
TWINS = chosen(lambda case: "mended" in case)
HEADING = re.compile(
    r"(?:(?P<file>[^\s:]+):(?P<line>\d+):(?P<column>\d+) )?(?P<kind>error|warning)\[(?P<code>\w+)\]"
)

EXCERPT = re.compile(r" *\d* \| ")


@dataclass(frozen=True)
class Said:
    """One complaint: its kind, its code, its place (``None`` where it has none) and all its text."""

    kind: str
    code: str
    place: tuple[str, int, int] | None
    text: str

    @property
    def words(self) -> str:
        """The text in small letters and one line, without the line of the document that it shows."""
        lines = (line for line in self.text.splitlines() if not EXCERPT.match(line))
        return " ".join(" ".join(lines).lower().split())


def lay(case: Case, folder: Path, lines: Mapping[str, str] | None = None) -> None:
    """Write a case's files into a folder; ``lines`` are put in place of those of the document."""
    for name, content in case.get("files", {}).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("\n".join(content) + "\n" * bool(content[0]), encoding="utf-8")
    for name, arrays in case.get("arrays", {}).items():
        members: Any = {key: np.array(value) for key, value in arrays.items()}
        np.savez(folder / name, **members)
    if "archive" in case:
        lay_archive(case["archive"], folder / ARCHIVE)
    elif case.get("folder"):
        (folder / SPEC).mkdir()
    elif not case.get("absent"):
        (folder / SPEC).write_bytes(content_of(case, lines or {}))


def content_of(case: Case, lines: Mapping[str, str]) -> bytes:
    """The bytes of a case's document, which ends with its last line's end unless it is empty."""
    text = [lines.get(str(number), line) for number, line in enumerate(case["text"], 1)]
    if text == [""]:
        return b""
    end: str = case.get("newline", "\n")
    return "".join(line + end for line in text).encode(case.get("encoding", "utf-8"))


def lay_archive(recipe: Case, path: Path) -> None:
    """An archive of a shipped model, damaged as the recipe says."""
    nbn_spec.compile(ROOT / "models" / f"{recipe['from']}.json").save(path)
    DAMAGES[recipe["damage"]](path, recipe)


def truncate(path: Path, recipe: Case) -> None:
    """Half of the file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def drop(path: Path, recipe: Case) -> None:
    """One member less."""
    whole = path.rename(path.with_suffix(".whole"))
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            if name != recipe["member"]:
                new.writestr(name, old.read(name))


def replace(path: Path, member: str, change: Callable[[Any], Any]) -> None:
    """Another array in place of a member."""
    with np.load(path) as file:
        members = {name: file[name] for name in file.files}
    members[member] = change(members[member])
    np.savez(path, **members)


def edit(path: Path, recipe: Case) -> None:
    """Another value at a place of the graph."""

    def change(text: Any) -> Any:
        document = json.loads(str(text))
        put(recipe["pointer"], recipe["value"])(document)
        return np.array(json.dumps(document))

    replace(path, "graph", change)


def other_array(path: Path, recipe: Case) -> None:
    """Other numbers in a member."""
    replace(path, recipe["member"], lambda old: np.array(recipe["value"], dtype=old.dtype))


DAMAGES: dict[str, Callable[[Path, Case], object]] = {
    "none": lambda path, recipe: None,
    "text": lambda path, recipe: path.write_text("this is no archive\n"),
    "remove": lambda path, recipe: path.unlink(),
    "truncate": truncate,
    "drop": drop,
    "edit": edit,
    "array": other_array,
}


def command_line(case: Case) -> list[str]:
    """The words of a case's command line."""
    target = ARCHIVE if "archive" in case else SPEC
    command = case.get("command", "validate")
    words = command if isinstance(command, list) else [command, target]
    return [word.replace("{spec}", SPEC).replace("{archive}", ARCHIVE) for word in words]


def called(*words: str) -> tuple[int, str, str]:
    """(exit code, standard output, standard error) of a command."""
    result = CliRunner().invoke(app, list(words))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def parsed(text: str) -> list[Said]:
    """The complaints in what a command printed; their further lines are indented."""
    blocks: list[list[str]] = []
    for line in text.splitlines():
        if HEADING.match(line):
            blocks.append([line])
        elif blocks and line.startswith("   "):
            blocks[-1].append(line)
    return [said("\n".join(block)) for block in blocks]


def said(text: str) -> Said:
    """The complaint that a text is."""
    found = HEADING.match(text)
    assert found is not None, text
    place = (found["file"], int(found["line"]), int(found["column"])) if found["file"] else None
    return Said(found["kind"], found["code"], place, text)


def told(case: Case) -> list[Said]:
    """What the program says of a case that lies in the current folder; checks the exit code and the form."""
    if case.get("command") == "verify":
        with pytest.raises(NbnError) as caught:
            verify(archive.from_json(graph_of(Path(ARCHIVE))))
        return parsed(str(caught.value))
    code, _, text = called(*command_line(case))
    found = parsed(text)
    assert code == exit_code(found), text
    check_form(text)
    return found


def graph_of(path: Path) -> dict[str, Any]:
    """The graph of an archive, as JSON."""
    with zipfile.ZipFile(path) as members:
        return archive.read_document(members, str(path))


def exit_code(found: list[Said]) -> int:
    """The exit code that goes with some complaints."""
    codes = {item.code for item in found if item.kind == "error"}
    return 3 if "NBN401" in codes else 2 if codes else 0


def check_form(text: str) -> None:
    """No line is too wide, and no sign can steer a terminal."""
    for line in text.splitlines():
        assert len(line) <= WIDTH, line
        assert line.isprintable(), repr(line)


def compare(case: Case, found: list[Said], text: str) -> None:
    """All that was expected was said, and nothing else: in the document's order, then what stands elsewhere."""
    wanted = [(item["code"], place_of(item)) for item in case["expect"]]
    have = [(item.code, item.place) for item in found]
    assert sorted(have, key=elsewhere) == sorted(wanted, key=elsewhere), text
    for item, expected in zip(sorted(found, key=of_said), sorted(case["expect"], key=of_expected), strict=True):
        assert item.kind == ("warning" if item.code.startswith("NBN9") else "error")
        for word in expected["words"]:
            assert word.lower() in item.words, f"{word} is missing in\n{item.text}"


def place_of(item: Case) -> tuple[str, int, int] | None:
    """The place that an expected complaint has."""
    return None if item["line"] is None else (item.get("file", SPEC), item["line"], item["column"])


def elsewhere(pair: tuple[str, tuple[str, int, int] | None]) -> bool:
    """Whether a complaint's place is not in the document."""
    return pair[1] is None or pair[1][0] != SPEC


def of_said(item: Said) -> bool:
    """The same of one that was said."""
    return elsewhere((item.code, item.place))


def of_expected(item: Case) -> bool:
    """The same of one that was expected."""
    return elsewhere((item["code"], place_of(item)))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one: complaints name files as they were given."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


@pytest.mark.parametrize("case", CASES)
def test_complaints(case: Case, folder: Path) -> None:
    lay(case, folder)
    found = told(case)
    compare(case, found, "\n".join(item.text for item in found))


@pytest.mark.parametrize("case", SPECS)
def test_diagnosis(case: Case, folder: Path) -> None:
    """From Python the same is said as on the command line, and nothing is raised."""
    lay(case, folder)
    diagnosis = nbn_spec.diagnose(SPEC)
    assert [str(problem) for problem in diagnosis.problems] == [item.text for item in told(case)]
    kinds = [problem.severity for problem in diagnosis.problems]
    assert (len(diagnosis.errors), len(diagnosis.warnings)) == (kinds.count("error"), kinds.count("warning"))


@pytest.mark.parametrize("case", SPECS)
def test_compile(case: Case, folder: Path) -> None:
    """Compiling raises what is wrong with the document and its graph, all of it at once."""
    lay(case, folder)
    wanted = [problem for problem in nbn_spec.diagnose(SPEC).errors if problem.code[3] in "12"]
    assert [problem for problem in raised() if problem.code[3] in "12"] == wanted


def raised() -> tuple[Problem, ...]:
    """The problems for which the current folder's document is not compiled."""
    try:
        nbn_spec.compile(SPEC)
    except NbnError as error:
        return error.problems
    return ()


@pytest.mark.parametrize("case", WARNED)
def test_strict(case: Case, folder: Path) -> None:
    """Where warnings are to be errors, they are said to be some."""
    lay(case, folder)
    code, _, text = called("validate", SPEC, "--strict")
    assert code == 2
    have = [(item.kind, item.code) for item in parsed(text)]
    assert have == [("error", part["code"]) for part in case["expect"]]


@pytest.mark.parametrize("case", TWINS)
def test_mended(case: Case, folder: Path) -> None:
    """With its mistakes taken back, nothing is said of a document."""
    lay(case, folder, case["mended"])
    diagnosis = nbn_spec.diagnose(SPEC)
    assert diagnosis.problems == (), "\n".join(map(str, diagnosis.problems))


SAMPLE = [
    *(TABLE["syntax"][0], TABLE["reading"][0], TABLE["keys"][0], TABLE["shapes"][0], TABLE["cells"][0]),
    *(TABLE["values"][0], TABLE["archive"][0], TABLE["lint_losses"][0], TABLE["three"][0], TABLE["three"][-1]),
]


@pytest.mark.parametrize("case", [pytest.param(case, id=case["title"]) for case in SAMPLE])
def test_report(case: Case, folder: Path) -> None:
    """As JSON the report has the published form, and holds the same complaints."""
    lay(case, folder)
    code, output, _ = called(*command_line(case), "--format", "json")
    report = json.loads(output)
    jsonschema.validate(report, json.loads((ROOT / "schemas" / "report.schema.json").read_text(encoding="utf-8")))
    found = told(case)
    assert code == exit_code(found)
    assert [p["code"] for p in problems_in(report)] == [item.code for item in found]
    lines = [(p["file"], p["line"], p["column"]) if p["line"] else None for p in problems_in(report)]
    assert lines == [item.place for item in found]


def problems_in(report: Any) -> list[Case]:
    """The complaints of a report, wherever it has them."""
    if isinstance(report, list):
        return [problem for part in report for problem in problems_in(part)]
    if not isinstance(report, dict):
        return []
    if "problems" in report:
        return list(report["problems"])
    return [problem for part in report.values() for problem in problems_in(part)]


def test_every_code_has_a_case() -> None:
    covered = {item["code"] for cases in TABLE.values() for case in cases for item in case["expect"]}
    assert covered == set(CODES)


def test_table_is_as_large_as_it_says() -> None:
    titles = [case["title"] for cases in TABLE.values() for case in cases]
    assert len(set(titles)) == len(titles) >= 140
    assert len(TWINS) >= 60
    several = [case for group, cases in TABLE.items() if group.startswith("three") for case in cases]
    assert sum(len(case["expect"]) >= 3 for case in several) >= 12
