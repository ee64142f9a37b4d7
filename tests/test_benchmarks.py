"""The benchmarks: what they print, and what they notice. How long anything takes is not looked at."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
WITHOUT_PEERS = """
import sys
for name in ("torch", "jax", "sklearn"):
    sys.modules[name] = None  # as if it were not installed
from tests.benchmarks.__main__ import main
sys.exit(main(sys.argv[1:]))
"""
QUICK = ("--rounds", "2", "--seconds", "0.01")


def python(code, *words):
    command = [sys.executable, "-W", "error", "-c", code, *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


def tables(text):
    """Every table of a document: its rows of cells, the line under the head left out."""
    blocks = re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    rows = [[[cell.strip() for cell in line.strip("|").split("|")] for line in b.splitlines()] for b in blocks]
    return [[row for row in table if not set("".join(row)) <= set("-:")] for table in rows]


@pytest.fixture(scope="module")
def document():
    """What two tiny rounds of XOR print where no peer is installed."""
    done = python(WITHOUT_PEERS, "xor", *QUICK)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == "xor\n"
    return done.stdout


def test_every_contender_has_a_line(document):
    _, _, lines, _ = tables(document)
    assert lines[0] == ["contender", "kernel", "median", "middle half", "× this program"]
    straight = "NumPy, the same steps in a straight line"
    assert [row[0] for row in lines[1:]] == [
        "this program",
        straight,
        "NumPy planned by hand",
        "a tutorial's loop",
    ]
    assert lines[1][-1] == "1.00"
    assert all(re.fullmatch(r"[0-9.,]+ (µs|ms|s)", row[2]) for row in lines[1:])


def test_the_short_table_tells_the_fastest_line_of_each(document):
    short, _, lines, _ = tables(document)
    assert short[0] == ["", "this program", "NumPy by hand", "tutorial's loop"]
    ((title, ours, by_hand, loop),) = short[1:]
    assert title == "XOR, a step"
    medians = {row[0]: row[2] for row in lines[1:]}
    assert ours == medians["this program"]
    assert by_hand.partition(" (")[0] == min(list(medians.values())[1:3], key=lambda text: float(text.split()[0]))
    assert loop.startswith(f"{medians['a tutorial' + chr(39) + 's loop']} (")


def test_tables_are_rectangular(document):
    for table in tables(document):
        assert len({len(row) for row in table}) == 1


def test_versions_and_kernels_are_told(document):
    _, programs, *_ = tables(document)
    assert programs[0] == ["program", "kernel", "BLAS", "core", "threads"]
    assert any(row[0].startswith("nbn_spec ") for row in programs)
    assert document.startswith(
        "# Benchmarks\n\nMade by `python -m tests.benchmarks xor --rounds 2 --seconds 0.01`"
    )
    assert "kernel “AVX2”: `OPENBLAS_CORETYPE=Haswell`" in document


def test_who_is_missing_is_told(document):
    for title, name in (("PyTorch", "torch"), ("JAX, jit", "jax"), ("scikit-learn", "sklearn")):
        assert f"- left out: {title}, as {name} is not installed (`pip install -e .[bench]`)" in document


def test_targets_are_told_as_far_as_they_were_measured(document):
    *_, rows = tables(document)
    assert rows[0] == ["target", "measured", "met"]
    assert [row[0].split(":")[0] for row in rows[1:]] == [
        "XOR, a tutorial's loop against this program",
        "XOR, this program against NumPy, the same steps in a straight line",
        "XOR, this program against NumPy planned by hand",
    ]
    assert {row[2] for row in rows[1:]} <= {"yes", "no"}


def test_they_agree(document):
    assert "## Failures" not in document


SCENE = """
from tests.benchmarks import contest, report, workloads
from tests.benchmarks.entries import Key
work = workloads.XOR
case = work.cases[0]
keys = [key for key, _ in work.lines(case)]
findings = contest.Findings(load=None)
"""


def test_a_target_that_is_missed_stays_in_the_table():
    code = (
        "findings.times = {key: [1.0, 2.0, 3.0] for key in keys}\nprint(report.document([work], findings, 'it'))"
    )
    *_, rows = tables(python(SCENE + code).stdout)
    assert [row[1:] for row in rows[1:]] == [["1.00", "no"], ["1.00", "no"], *[["1.00", "yes"]] * 2]


def test_another_answer_is_a_failure():
    code = (
        "findings.facts = {key: {'version': '', 'threads': '', 'answer': [1.0]} for key in keys}\n"
        "findings.facts[keys[1]]['answer'], findings.facts[keys[2]]['answer'] = [1.0 + 1e-12], [1.1]\n"
        "findings.facts[keys[4]]['answer'] = None\n"
        "contest.compare(case, keys, findings)\n"
        "print(report.document([work], findings, 'it'))"
    )
    told = python(SCENE + code).stdout.split("## Failures\n")[1]
    assert told.count("answers") == 2
    assert (
        "xor: NumPy planned by hand (command line): answers [1.1], but xor: this program (command line) answers"
        in told
    )


def test_a_contender_that_breaks_is_told_and_the_others_go_on():
    code = (
        "from dataclasses import replace\n"
        "broken = replace(case.contenders[1], title='nobody')\n"
        "work = replace(work, cases=(replace(case, contenders=(case.contenders[0], broken)),))\n"
        "contest.compete(work, 1, 0.01, findings, print)\n"
        "print([len(times) for times in findings.times.values()], *findings.amiss)"
    )
    told = python(SCENE + code).stdout
    assert told.startswith("xor\n[1] xor: nobody (command line): ended with status 1\n")
    assert "StopIteration" in told


def test_an_unknown_workload_ends_with_the_known_ones():
    done = python(WITHOUT_PEERS, "xro")
    assert done.returncode == 2
    assert done.stdout == ""
    assert 'error: unknown workload "xro"; known: xor, mlp-sgd, mlp-adam, predict-small' in done.stderr


@pytest.mark.parametrize("words", [("--rounds", "0"), ("--rounds", "x"), ("--seconds", "nan"), ("--seconds", "0")])
def test_settings_out_of_range_are_refused(words):
    done = python(WITHOUT_PEERS, "xor", *words)
    assert done.returncode == 2
    assert f"error: argument {words[0]}: must be a" in done.stderr
    assert done.stderr.endswith(f", got {words[1]}\n")


def test_the_list_names_every_workload():
    done = python(WITHOUT_PEERS, "--list")
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()][:3] == ["xor", "mlp-sgd", "mlp-adam"]


def test_a_file_is_written_whole(tmp_path):
    done = python(WITHOUT_PEERS, "xor", "--rounds", "1", "--seconds", "0.001", "--out", str(tmp_path / "b.md"))
    assert (done.returncode, done.stdout) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == ["b.md"]
    assert (tmp_path / "b.md").read_text().startswith("# Benchmarks\n")


def test_a_folder_that_is_not_there_is_told_before_anything_is_measured(tmp_path):
    done = python(WITHOUT_PEERS, "xor", "--out", str(tmp_path / "none" / "b.md"))
    assert done.returncode == 2
    assert "make it first" in done.stderr


def test_the_readme_carries_what_the_command_printed():
    """Its two tables stand in the document of one run, with the command; rows that fall short included."""
    printed, readme = (ROOT / "docs" / "benchmarks.md").read_text(), (ROOT / "README.md").read_text()
    shown = re.findall(r"(?:^\|.*\|\n)+", readme.split("## Speed\n")[1].split("\n## ")[0], re.MULTILINE)
    made = re.findall(r"(?:^\|.*\|\n)+", printed, re.MULTILINE)
    assert shown == [made[0], made[-1]]
    assert made[-1].startswith("| target | measured | met |")
    assert re.search(r"Made by `(.*?)`", printed)[1] in readme
    assert "left out" not in printed
    assert "## Failures" not in printed
