"""The pages behind the codes: each example is tried, the wrong one for its code, the right one for none."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from commands import ENVIRONMENT, MODELS, ROOT

import nbn_spec
from nbn_spec.cli.explain import explain_code, known_code, render, show_errors
from nbn_spec.codes import CODES, GROUPS
from nbn_spec.errors import NbnError, SpecError
from nbn_spec.health import health
from nbn_spec.pages import FENCE, anchor, body, is_warning, page, pages

FOLDER = ROOT / "nbn_spec" / "pages"
PART = re.compile(r"^(?=(?:Wrong|Right)\b.*:$)", re.MULTILINE)
TABLE = re.compile(r"`([\w.]+\.csv)`")
BY_COMMAND = {
    "NBN100": "no document can say that it is not there",
    "NBN402": "only a command that writes can fail to write",
    "NBN500": "an archive is no document",
    "NBN501": "an archive is no document",
}
"""Codes that a command shows, and why no document does."""
BY_PYTHON = {
    "NBN117": "of a document in a file, the program's own checks say it first",
    "NBN210": "no graph that the compiler makes contradicts itself",
}
"""Codes that only Python code can earn, and why."""
BY_TRAINING = ("NBN401", "NBN921", "NBN922", "NBN923", "NBN924", "NBN925")
"""Codes that a document earns when it is trained, and not before."""
BY_DOCUMENT = [code for code in CODES if code not in {*BY_COMMAND, *BY_PYTHON, *BY_TRAINING}]
ENCODINGS = {("NBN105", "Wrong"): "latin-1"}
"""Examples that are not saved as UTF-8."""


@dataclass
class Example:
    """One half of a page: the last block of each language, and the tables by name, those above it included."""

    blocks: dict[str, str] = field(default_factory=dict)
    tables: dict[str, str] = field(default_factory=dict)


def parts(code: str) -> list[str]:
    """(cause, wrong, right), as text."""
    return PART.split(body(code))


def examples(code: str) -> dict[str, Example]:
    """The two examples of a page; the right one shares what it does not show anew."""
    made, found = Example(), {}
    for name, text in zip(("cause", "Wrong", "Right"), parts(code), strict=True):
        made = Example(dict(made.blocks), dict(made.tables))
        pieces = FENCE.split(text)
        for prose, fence in zip(pieces[::2], pieces[1::2], strict=False):
            language, content = fence.removeprefix("```").removesuffix("```").split("\n", maxsplit=1)
            if language == "csv":
                made.tables[TABLE.findall(prose)[-1]] = content
            else:
                made.blocks[language] = content
        found[name] = made
    return found


def written(code: str, name: str, folder: Path) -> Path:
    """An example's spec, its tables beside it."""
    example = examples(code)[name]
    for table, content in example.tables.items():
        (folder / table).write_text(content)
    path = folder / "spec.json"
    path.write_bytes(example.blocks["json"].encode(ENCODINGS.get((code, name), "utf-8")))
    return path


def codes_of(problems) -> list[str]:
    return [problem.code for problem in problems]


def test_every_code_has_a_page_and_every_page_a_code():
    assert {path.stem for path in FOLDER.glob("*.md")} == set(CODES)
    assert {f"NBN{path.stem[3:]}" for path in FOLDER.glob("*.md")} == {path.stem for path in FOLDER.glob("*.md")}


def test_the_pages_are_part_of_what_is_installed():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = settings["tool"]["setuptools"]["package-data"]["nbn_spec"]
    installed = {path for pattern in patterns for path in FOLDER.parent.glob(pattern)}
    assert set(FOLDER.glob("*.md")) <= installed


@pytest.mark.parametrize("code", CODES)
def test_a_page_has_a_cause_an_example_of_each_kind_and_a_mend(code):
    cause, wrong, right = parts(code)
    mend = FENCE.split(right)[-1]
    assert len(cause.split()) >= 30
    assert len(mend.split()) >= 15
    assert "```" in wrong
    assert "```" in right
    assert not body(code).startswith("#")


@pytest.mark.parametrize("code", CODES)
def test_a_page_speaks_of_codes_that_there_are(code):
    assert set(re.findall(r"NBN\d+", body(code))) <= set(CODES)


@pytest.mark.parametrize("code", CODES)
def test_lines_fit(code):
    assert max(len(line) for line in body(code).splitlines() if "[[[[" not in line) <= 120


@pytest.mark.parametrize("code", CODES)
def test_examples_are_shown_in_the_way_that_suits_the_code(code):
    shown = {language for example in examples(code).values() for language in example.blocks}
    assert shown == {"console" if code in BY_COMMAND else "python" if code in BY_PYTHON else "json"}


@pytest.mark.parametrize("code", BY_DOCUMENT)
def test_a_wrong_document_earns_its_code_and_no_other(code, tmp_path):
    assert codes_of(nbn_spec.diagnose(written(code, "Wrong", tmp_path)).problems) == [code]


@pytest.mark.parametrize("code", [*BY_DOCUMENT, *BY_TRAINING])
def test_a_right_document_earns_nothing(code, tmp_path):
    assert codes_of(nbn_spec.diagnose(written(code, "Right", tmp_path)).problems) == []


@pytest.mark.parametrize("code", [code for code in BY_DOCUMENT if is_warning(code)])
def test_a_warning_is_silenced_as_its_page_says(code, tmp_path):
    path = written(code, "Wrong", tmp_path)
    (told,) = re.findall(r'`("lint": [^`]*)`', page(code))
    path.write_text(json.dumps({**json.loads(path.read_text()), **json.loads(f"{{{told}}}")}))
    assert codes_of(nbn_spec.diagnose(path).problems) == []


@pytest.mark.parametrize("code", BY_TRAINING)
def test_only_training_shows_these(code, tmp_path):
    assert codes_of(nbn_spec.diagnose(written(code, "Wrong", tmp_path)).problems) == []
    assert codes_of(trained(tmp_path / "spec.json")) == [code]
    assert codes_of(trained(written(code, "Right", tmp_path))) == []


def trained(spec: Path):
    """The problems of training a spec: why it diverged, or what its end says of its health."""
    trainer = nbn_spec.compile(spec).trainer()
    try:
        return health(trainer, trainer.run())
    except nbn_spec.Diverged as error:
        return error.problems


@pytest.mark.parametrize("code", BY_PYTHON)
def test_python_that_is_wrong_and_right(code, tmp_path, monkeypatch):
    shutil.copy(MODELS / "xor.json", tmp_path)
    monkeypatch.chdir(tmp_path)
    found = examples(code)
    with pytest.raises(NbnError) as caught:
        exec(found["Wrong"].blocks["python"], {})
    assert codes_of(caught.value.problems) == [code]
    exec(found["Right"].blocks["python"], {})


def session(console: str, folder: Path) -> list[int]:
    """Run the commands of a console, which print what is shown; returns their exit codes."""
    codes = []
    for part in re.split(r"^\$ ", console, flags=re.MULTILINE)[1:]:
        command, shown = part.split("\n", maxsplit=1)
        done = run(command, folder)
        assert re.fullmatch(pattern(shown), done.stdout + done.stderr, re.DOTALL), done.stdout + done.stderr
        codes.append(done.returncode)
    return codes


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    python, *words = shlex.split(command)
    assert python == "python"
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )


def pattern(shown: str) -> str:
    """What is printed, where an ellipsis stands for anything."""
    return ".*".join(re.escape(piece) for piece in shown.split("…"))


@pytest.mark.parametrize("code", BY_COMMAND)
def test_commands_that_are_wrong_and_right(code, tmp_path):
    shutil.copytree(MODELS, tmp_path, dirs_exist_ok=True)
    found = examples(code)
    *before, last = session(found["Wrong"].blocks["console"], tmp_path)
    assert not any(before)
    assert last == 2
    assert f"error[{code}]" in found["Wrong"].blocks["console"]
    assert not any(session(found["Right"].blocks["console"], tmp_path))


def test_the_document_of_all_pages_is_current():
    assert (ROOT / "docs" / "errors.md").read_text() == pages()


def test_every_link_of_that_document_leads_somewhere():
    text = "".join(FENCE.split(pages())[::2])
    headings = {anchor(line.lstrip("# ")) for line in text.splitlines() if line.startswith("#")}
    links = set(re.findall(r"\]\(#([^)]*)\)", text))
    assert {code.lower() for code in CODES} | {anchor(title) for title in GROUPS.values()} <= links <= headings


@pytest.mark.parametrize("word", ["NBN203", "nbn203", "203", " 203 "])
def test_a_code_may_be_written_in_several_ways(word, capsys):
    assert explain_code(word) == 0
    assert capsys.readouterr().out == page("NBN203")


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("NBN207", "NBN20"),
        ("NBN2003", "NBN203"),
        ("E12", "NBN112"),
        ("x", "errors"),
        ("", "errors"),
        ("NBN" * 1000, "errors"),
    ],
)
def test_an_unknown_code_is_said_to_be_one(word, hint):
    with pytest.raises(SpecError) as caught:
        known_code(word)
    problem = caught.value.problems[0]
    assert problem.code == "NBN114"
    assert problem.message.startswith("unknown code")
    assert hint in problem.hint


def test_on_a_terminal_a_page_is_set_for_reading(capsys, monkeypatch):
    monkeypatch.setattr("nbn_spec.cli.explain.render", lambda text: print("set:", text.splitlines()[0]))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert explain_code("203") == 0
    assert capsys.readouterr().out == f"set: # NBN203: {CODES['NBN203']}\n"


@pytest.mark.parametrize("columns", ["60", "200"])
def test_set_for_reading_no_line_is_too_long(columns, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    render(page("NBN203"))
    printed = capsys.readouterr().out
    assert "```" not in printed
    assert f"NBN203: {CODES['NBN203']}" in printed
    assert max(map(len, printed.splitlines())) <= min(int(columns), 100)


def test_all_pages_are_printed(capsys):
    assert show_errors() == 0
    assert capsys.readouterr().out == pages()
