"""The benchmarks: what they print, and what they notice. How long anything takes is not looked at."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks import delivery

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
    straight = "NumPy in a straight line"
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
        "# Benchmarks\n\nMade by\n\n```sh\npython -m tests.benchmarks xor --rounds 2 --seconds 0.01\n```\n"
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
        "XOR, this program against NumPy in a straight line",
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


@pytest.mark.parametrize("option", ["--rounds", "--seconds"])
@pytest.mark.parametrize(
    ("value", "told"), [("0", "0"), ("x", "x"), ("nan", "nan"), ("", "nothing"), (" ", "nothing")]
)
def test_settings_out_of_range_are_refused(option, value, told):
    done = python(WITHOUT_PEERS, "xor", option, value)
    assert done.returncode == 2
    assert f"error: argument {option}: must be a" in done.stderr
    assert done.stderr.endswith(f", got {told}\n")


def test_the_list_names_every_workload():
    done = python(WITHOUT_PEERS, "--list")
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()][:3] == ["xor", "mlp-sgd", "mlp-adam"]


def test_a_file_is_written_whole(tmp_path):
    done = python(WITHOUT_PEERS, "xor", "--rounds", "1", "--seconds", "0.001", "--out", str(tmp_path / "b.md"))
    assert (done.returncode, done.stdout) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == ["b.md"]
    assert (tmp_path / "b.md").read_text(encoding="utf-8").startswith("# Benchmarks\n")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("", "must name a file, got nothing"),
        (".", '"." names a folder; name a file in it'),
        ("none/", '"none/" names a folder; name a file in it'),
        ("none/b.md", "make it first"),
        (os.devnull, f'"{os.devnull}" is no regular file; leave --out away to print'),
        ("n" * 255, f'cannot write "{"n" * 255}": '),
    ],
)
def test_where_no_file_can_be_written_nothing_is_measured(name, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(argparse.ArgumentTypeError) as raised:
        delivery.target(name)
    assert told in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_is_refused_at_the_start(tmp_path):
    done = python(WITHOUT_PEERS, "xor", "--out", str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith(f'error: argument --out: "{tmp_path}" names a folder; name a file in it\n')


def test_a_document_whose_file_cannot_be_written_any_more_is_printed(tmp_path, capsys):
    place = delivery.target(str(tmp_path / "b.md"))
    place.mkdir()
    assert not delivery.deliver("× µs\n", place)
    printed, told = capsys.readouterr()
    assert printed == "× µs\n"
    assert told.startswith(f'error: cannot write "{place}": ')
    assert told.endswith("; the document is printed instead\n")
    assert told.count("\n") == 1
    assert list(tmp_path.iterdir()) == [place]


NOTHING_MEASURED = """
import tests.benchmarks.__main__ as program
program.compete = lambda *given: None
"""
"""The program as it is, but that no workload takes any time."""


@pytest.mark.parametrize("words", [(), ("--list",)])
def test_a_closed_standard_output_is_refused_at_the_start(words):
    code = "import sys\nsys.stdout = None\n" + WITHOUT_PEERS
    done = python(code, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("error: standard output is closed; name a file with --out\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
@pytest.mark.parametrize("words", [(), ("--list",)])
def test_a_full_standard_output_is_told_in_a_line_and_the_document_kept(words, tmp_path):
    command = [sys.executable, "-c", NOTHING_MEASURED + WITHOUT_PEERS, *words]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=environment)
    assert done.returncode == 2
    assert done.stderr.startswith("error: cannot print: No space left on device")
    assert done.stderr.count("\n") == 1
    texts = [path.read_text(encoding="utf-8") for path in tmp_path.iterdir()]
    assert [text.startswith("# Benchmarks\n") for text in texts] == ([] if words else [True])
    assert all(f'; the document is in "{path}"' in done.stderr for path in tmp_path.iterdir())


@pytest.mark.parametrize("to_file", [False, True])
def test_a_document_is_in_utf_8_whatever_the_terminal_has(to_file, tmp_path):
    words = ["--out", str(tmp_path / "b.md")] if to_file else []
    command = [sys.executable, "-c", NOTHING_MEASURED + WITHOUT_PEERS, "xor", *words]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    done = subprocess.run(command, capture_output=True, cwd=ROOT, env=environment)
    assert (done.returncode, done.stderr) == (0, b"")
    written = (tmp_path / "b.md").read_bytes() if to_file else done.stdout
    assert "kernel “AVX2”" in written.decode("utf-8")


def test_that_nobody_reads_the_progress_does_not_end_the_measuring():
    code = "import sys\nsys.stderr = None\n" + WITHOUT_PEERS
    done = python(code, "xor", "--rounds", "1", "--seconds", "0.001")
    assert done.returncode == 0
    assert done.stdout.startswith("# Benchmarks\n")


STOPPED = """
from tests.benchmarks import contest
measure = contest.Child.round
def stopping(child):
    if child.key.workload == "predict-small":
        raise ERROR
    return measure(child)
contest.Child.round = stopping
"""


@pytest.mark.parametrize(
    ("error", "status", "why"),
    [
        ("KeyboardInterrupt", 130, "interrupted"),
        ("OSError('no memory')", 2, "error: cannot go on: no memory"),
    ],
)
def test_what_was_finished_is_printed_when_the_measuring_stops(error, status, why, tmp_path):
    (tmp_path / "b.md").write_text("what there was before")
    code = STOPPED.replace("ERROR", error) + WITHOUT_PEERS
    done = python(code, "xor", "predict", *QUICK, "--out", str(tmp_path / "b.md"))
    assert done.returncode == status
    assert done.stderr == f"xor\npredict-small\n{why}; printed is what was finished: xor\n"
    assert "```sh\npython -m tests.benchmarks xor --rounds 2 --seconds 0.01\n```\n" in done.stdout
    assert re.findall(r"^## .*", done.stdout, re.MULTILINE) == ["## XOR, a step (`xor`)", "## Targets"]
    assert "4-16-3" not in done.stdout
    assert [path.read_text() for path in tmp_path.iterdir()] == ["what there was before"]


def test_an_interrupt_before_anything_is_finished_prints_nothing():
    done = python(STOPPED.replace("ERROR", "KeyboardInterrupt") + WITHOUT_PEERS, "predict-small", *QUICK)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "predict-small\ninterrupted; nothing was finished\n"


def test_several_missing_packages_are_told_in_the_plural():
    code = (
        "findings.missing = {'ONNX Runtime': {'onnxruntime', 'onnx'}}\nprint(report.document([], findings, 'it'))"
    )
    told = "- left out: ONNX Runtime, as onnx and onnxruntime are not installed (`pip install -e .[bench]`)\n"
    assert told in python(SCENE + code).stdout


def test_who_was_left_out_has_no_note(document):
    assert "NumPy planned by hand: Its biases are folded" in document
    assert "Its cost is the crossentropy." not in document


def test_prose_is_wrapped():
    code = (
        "findings.missing = {'nobody ' * 9: {'onnxruntime', 'onnx'}}\n"
        "every = list(workloads.WORKLOADS.values())\n"
        "findings.times = {key: [1.0] for item in every for case in item.cases for key, _ in item.lines(case)}\n"
        "print(report.document(every, findings, 'command ' * 30))"
    )
    told = python(SCENE + code).stdout.splitlines()
    assert [line for line in told if len(line) > 115 and not line.startswith("|")] == ["command " * 30]
    assert any(line.startswith("- left out: nobody nobody") for line in told)
    assert any(line.startswith("  ") and line.endswith(".[bench]`)") for line in told)
    assert told.count("## An epoch by the number of examples (`growth-rows`)") == 1


def test_a_number_may_be_told_for_an_epoch():
    code = (
        "from unittest.mock import Mock\n"
        "rows = workloads.WORKLOADS['growth-rows'].cases\n"
        "print([case.steps for case in rows])\n"
        "findings.times = {keys[0]: []}\n"
        "contest.take_turns([Mock(key=keys[0], round=lambda: 0.5)], 2, 10, findings)\n"
        "print(findings.times[keys[0]])"
    )
    assert python(SCENE + code).stdout == "[10, 100, 1000]\n[5.0, 5.0]\n"


def test_the_readme_carries_what_the_command_printed():
    """Its two tables stand in the document of one run, with the command; rows that fall short included."""
    printed, readme = ((ROOT / name).read_text(encoding="utf-8") for name in ("docs/benchmarks.md", "README.md"))
    shown = re.findall(r"(?:^\|.*\|\n)+", readme.split("## Speed\n")[1].split("\n## ")[0], re.MULTILINE)
    made = re.findall(r"(?:^\|.*\|\n)+", printed, re.MULTILINE)
    assert shown == [made[0], made[-1]]
    assert made[-1].startswith("| target | measured | met |")
    command = re.search(r"^```sh\n(.*)\n```$", printed, re.MULTILINE)[1]
    assert f"`{command}`" in readme
    assert "left out" not in printed
    assert "## Failures" not in printed
