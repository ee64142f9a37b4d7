"""What the README and the guides show is what happens: every command is run, every document compiled."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import nbn_spec
from nbn_spec.cli import app
from nbn_spec.initializers import INITIALIZERS
from nbn_spec.spec import ModelSpec

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
LANGUAGE = (ROOT / "docs" / "language.md").read_text()
NUMBER = re.compile(r"-?\d[\d,]*\.?\d*(?:e[+-]?\d+)?")


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder like a clone, for commands that write."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("models", "schemas", "tests/data"):
        shutil.copytree(ROOT / name, folder / name)
    return folder


def run(command: str, place: Path) -> str:
    words = shlex.split(command)
    assert words[0] == "python"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    done = subprocess.run(
        [sys.executable, *words[1:]], cwd=place, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode in (0, 2), done.stderr
    return done.stdout + done.stderr


def same_line(shown: str, printed: str) -> bool:
    """Equal text; numbers equal to a millionth, as another machine may round otherwise."""
    if NUMBER.sub("#", shown) != NUMBER.sub("#", printed):
        return False
    pairs = zip(NUMBER.findall(shown), NUMBER.findall(printed), strict=True)
    return all(float(a.replace(",", "")) == pytest.approx(float(b.replace(",", "")), rel=1e-6) for a, b in pairs)


def same(shown: list[str], printed: list[str]) -> bool:
    """Equal lines; ``...`` stands for any number of them."""
    if not shown:
        return not printed
    if shown[0] == "...":
        return any(same(shown[1:], printed[i:]) for i in range(len(printed) + 1))
    return bool(printed) and same_line(shown[0], printed[0]) and same(shown[1:], printed[1:])


def sessions() -> list[list[tuple[str, list[str]]]]:
    """For each console block its commands, each with what it prints."""
    found = []
    for block in blocks(README, "console"):
        parts = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
        found.append([(part.split("\n")[0], part.rstrip("\n").split("\n")[1:]) for part in parts])
    return found


@pytest.mark.parametrize("session", sessions(), ids=lambda session: session[0][0][:60])
def test_console(session, place):
    for command, shown in session:
        printed = run(command, place).rstrip("\n").split("\n")
        assert same(shown, [] if printed == [""] else printed), "\n".join([command, *printed])


def test_comparison_of_lines_can_fail():
    assert not same(["loss 1.0"], ["loss 1.1"])
    assert not same(["a", "...", "z"], ["a", "b"])
    assert same(["a", "...", "z"], ["a", "b", "z"])


def test_first_commands_set_up_an_environment_and_do_what_they_say(place):
    first, second = [block.strip() for block in blocks(README, "sh")]
    start = "python3 -m venv .venv && .venv/bin/python -m pip install -q -e "
    assert first == start + ". && .venv/bin/python -m nbn_spec run models/xor.json"
    assert second == start + '".[test]" && .venv/bin/python -m pytest -q'
    assert "binary_accuracy 100.0%" in run("python -m nbn_spec run models/xor.json", place)


def test_ci_takes_the_commands_from_the_readme():
    script = (ROOT / ".ci" / "run").read_text()
    assert "README.md" in script
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_python_blocks_run_in_order(place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    names: dict[str, object] = {}
    for block in blocks(README, "python"):
        exec(block, names)
    assert "2-layer network" in capsys.readouterr().out
    assert names["trace"].gradients["a1"].shape == (1, 3)
    assert names["model"].predict([[0, 1]]) > 0.5
    shown = re.search(r'^line.to_json\(\)\["nodes"\]  # (.*)$', README, re.MULTILINE)
    assert json.loads(shown[1]) == names["line"].to_json()["nodes"]


def test_exit_codes_are_those_that_the_program_names():
    told = re.findall(r"^\| (\d+) \| ", README.split("exit code")[1].split("## ")[0], re.MULTILINE)
    assert told == re.findall(r"\b\d+\b", nbn_spec.cli.__doc__)


def test_the_guide_says_what_the_reference_computes():
    assert f"`xavier` ({INITIALIZERS['xavier'].equation})" in LANGUAGE
    assert f"({INITIALIZERS['he'].equation})" in LANGUAGE.replace("\n ", "")


def test_the_document_shown_is_the_document_that_ships():
    shown = json.loads(blocks(README, "json")[0])
    assert shown == json.loads((ROOT / "models" / "xor.json").read_text())


def test_every_command_and_model_is_in_the_readme():
    commands = {command.callback.__name__ for command in app.registered_commands}
    assert all(re.search(rf"^\| `{command}\b", README, re.MULTILINE) for command in commands)
    assert all(f"(models/{path.name})" in README for path in (ROOT / "models").glob("*.json"))


@pytest.mark.parametrize("path", [ROOT / "README.md", *(ROOT / "docs").glob("*.md")], ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    text = path.read_text()
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (path.parent / target).exists(), target


def documents() -> list[dict]:
    """The guide's blocks as whole documents; a part is put into a small one."""
    found = []
    for block in blocks(LANGUAGE, "json"):
        text = block.strip()
        if text.startswith('"train"'):
            text = (
                '{"name": "part", "nodes": [{"op": "identity", "inputs": "p"}], "parameters": {"p": {"value": 1}},'
                + ('"inputs": {"x": {"shape": ["N", 2]}}, "outputs": ["identity_1"],' + text + "}")
            )
        document = json.loads(text)
        if "nodes" not in document:
            document = {
                "name": "part",
                "inputs": {"x": {"shape": ["N", 2]}},
                "nodes": [document],
                "outputs": ["h"],
            }
        found.append(document)
    return found


@pytest.mark.parametrize("document", documents(), ids=lambda document: document["name"])
def test_documents_of_the_guide_are_valid(document):
    spec = ModelSpec.model_validate(document)
    if spec.train is None or spec.loss is not None:
        assert nbn_spec.compile(spec).graph.nodes


def test_the_guide_has_documents():
    assert len(documents()) >= 6


def test_parabola_of_the_guide_finds_its_minimum():
    document = next(document for document in documents() if document["name"] == "parabola")
    model = nbn_spec.compile(document)
    model.fit()
    assert model.predict() == pytest.approx(2, abs=1e-6)


def test_data_kinds_of_the_guide_are_valid():
    examples = re.findall(r"^\| \S+(?: with a header)? \| `(\{.*\})` \|$", LANGUAGE, re.MULTILINE)
    assert len(examples) == 4
    for example in examples:
        ModelSpec.model_validate(
            {
                "name": "part",
                "inputs": {"x": {"shape": ["N", 2]}, "y": {"shape": ["N", 1]}},
                "nodes": [{"op": "relu"}],
                "outputs": ["relu_1"],
                "data": json.loads(example),
            }
        )
