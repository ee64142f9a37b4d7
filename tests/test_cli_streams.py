"""The command line among terminals, pipes and signals: what is printed may get lost, what is computed may not."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time

import pytest
from commands import ENVIRONMENT, MODELS, nbn, variant

import nbn_spec
from nbn_spec.cli.progress import Interrupt

PATIENCE = 120
"""Seconds after which a process that should have said something counts as stuck."""
FULL = "/dev/full"


def shell(line, cwd, **environment):
    """Run a line of bash in which ``nbn`` is the command."""
    command = f'set -o pipefail; nbn() {{ "{sys.executable}" -W error -m nbn_spec "$@"; }}; {line}'
    return subprocess.run(
        ["bash", "-c", command],
        cwd=cwd,
        env={**ENVIRONMENT, **environment},
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
    )


def epochs_saved(folder):
    """How many epochs the history in a folder of results has."""
    return len((folder / "history.csv").read_text().splitlines()) - 1


# Alphabets


@pytest.mark.parametrize("command", ["graph {}/xor.json", "run {}/three_equations.json", "reference"])
def test_a_terminal_without_the_signs_gets_question_marks(tmp_path, command):
    done = shell(f"nbn {command.format(MODELS)}", tmp_path, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "?" in done.stdout
    assert done.stdout.isascii()


def test_messages_need_no_alphabet_either(tmp_path):
    done = shell("nbn run привет.json", tmp_path, PYTHONIOENCODING="ascii")
    assert done.returncode == 2
    assert "??????.json" in done.stderr


def test_files_and_pipes_get_utf_8_whatever_the_locale_says(tmp_path):
    """A coding that is not UTF-8 stands in for Windows, where output to files has that of the console."""
    code = (
        "import io, sys\nsys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding='cp1252')\n"
        "sys.argv = ['nbn-spec', 'graph', sys.argv[1]]\nfrom nbn_spec.cli import main\nmain()"
    )
    command = [sys.executable, "-c", code, str(MODELS / "xor.json")]
    done = subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, timeout=PATIENCE)
    assert (done.returncode, done.stderr) == (0, b"")
    assert "z1 → a1" in done.stdout.decode("utf-8")


# Streams that break


def test_a_closed_pipe_is_no_error(tmp_path):
    done = shell("nbn reference | head -1", tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "# Reference\n", "")


def test_a_training_goes_on_when_its_reader_has_left(tmp_path):
    done = shell(f"nbn run {MODELS}/xor.json --out here | head -2", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 2
    assert epochs_saved(tmp_path / "here") == 5000
    assert nbn_spec.load(tmp_path / "here/model.npz").predict([[0, 1]]) > 0.9


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", *([f"2>{FULL}"] if os.path.exists(FULL) else [])])
def test_streams_may_be_absent(tmp_path, closed):
    done = shell(f"nbn run {MODELS}/xor.json --epochs 2 --out here {closed}", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert epochs_saved(tmp_path / "here") == 2
    assert shell(f"nbn run nowhere.json {closed}", tmp_path).returncode == 2


@pytest.mark.skipif(not os.path.exists(FULL), reason=f"needs {FULL}")
def test_a_full_standard_output_is_said_after_the_results_are_saved(tmp_path):
    done = shell(f"nbn run {MODELS}/xor.json --epochs 2 --out here > {FULL}", tmp_path)
    assert done.returncode == 2
    assert "error[NBN402] standard output: cannot be written: No space left on device" in done.stderr
    assert epochs_saved(tmp_path / "here") == 2
    for command in ("reference", "--help", "--version"):
        done = shell(f"nbn {command} > {FULL}", tmp_path)
        assert done.returncode == 2
        assert len(re.findall("error", done.stderr)) == 1


# Signals


def started(folder, spec):
    """A run whose output can be read as it comes, and which hears Ctrl-C even if this process does not."""
    code = (
        "import signal, sys\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "sys.argv = ['nbn-spec', 'run', sys.argv[1]]\nfrom nbn_spec.cli import main\nmain()"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, str(spec)],
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def read_until(file, enough):
    """What comes out of a file descriptor until ``enough`` says so, or its end."""
    seen, end = b"", time.monotonic() + PATIENCE
    while not enough(seen):
        ready, _, _ = select.select([file], [], [], max(0.0, end - time.monotonic()))
        assert ready, f"nothing more came after {seen[-500:]!r}"
        try:
            part = os.read(file, 65536)
        except OSError:  # a terminal's way to say that the other side is gone
            break
        if not part:
            break
        seen += part
    return seen


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_training_and_saves_it(tmp_path, number, code):
    train = {"epochs": 10_000_000, "optimizer": {"name": "sgd", "learning_rate": 1.0}, "log_every": 100}
    process = started(tmp_path, variant(tmp_path, train=train))
    read_until(process.stdout.fileno(), lambda seen: seen.count(b"epoch ") >= 4)
    process.send_signal(number)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == code
    assert b"saved" in err
    model = nbn_spec.load(tmp_path / "runs/xor/model.npz")
    rows = (tmp_path / "runs/xor/history.csv").read_text().splitlines()
    assert len(rows) > 300
    assert model.evaluate(model.data())["loss"] <= float(rows[1].split(",")[1])


@pytest.fixture
def hearing():
    """This process hears Ctrl-C, as a shell's background jobs do not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("hearing")
def test_a_second_signal_ends_the_program_at_once():
    before = signal.getsignal(signal.SIGTERM)
    with Interrupt() as interrupt:
        assert (interrupt.asked(), interrupt.code) == (False, 0)
        signal.raise_signal(signal.SIGTERM)
        assert (interrupt.asked(), interrupt.code) == (True, 143)
        for again in (signal.SIGINT, signal.SIGTERM):
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(again)
    assert signal.getsignal(signal.SIGTERM) == before
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler


@pytest.mark.usefixtures("hearing")
def test_a_signal_that_is_ignored_stays_so():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Interrupt() as interrupt:
        signal.raise_signal(signal.SIGINT)
        assert not interrupt.asked()


# Terminals


def test_progress_bar_on_a_terminal(tmp_path):
    pty = pytest.importorskip("pty")
    train = {"epochs": 40, "optimizer": {"name": "sgd", "learning_rate": 1.0}, "log_every": 15}
    code = (
        "import sys\nfrom nbn_spec.cli import main, progress\nprogress.LONG = progress.REFRESH = 0\n"
        "sys.argv = ['nbn-spec', 'run', sys.argv[1]]\nmain()"
    )
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(variant(tmp_path, train=train))],
        cwd=tmp_path,
        env={**ENVIRONMENT, "TERM": "xterm-256color", "COLUMNS": "120"},
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    text = read_until(master, lambda seen: False).decode()
    os.close(master)
    assert process.wait(timeout=PATIENCE) == 0
    assert "cost 0.1" in text
    assert "examples/s" in text
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    for epoch in (" 0", "15", "30", "39"):
        assert re.search(rf"[\r\n]epoch {epoch}  loss 0\.\d+\r*\n", plain)


def test_a_spec_from_a_pipe(tmp_path):
    text = (MODELS / "or.json").read_text()
    for command in ("validate", "graph"):
        out, _ = nbn(command, "/dev/stdin", cwd=tmp_path, input=text)
        assert "1-layer network" in out
    nbn("run", "-q", "/dev/stdin", "--epochs", 1, cwd=tmp_path, input=text)
    assert (tmp_path / "runs/or/model.npz").exists()


def test_bytes_that_are_no_text_on_the_command_line(tmp_path):
    nbn("run", MODELS / "xor.json", "--epochs", 1, "-q", cwd=tmp_path)
    words = [sys.executable, "-m", "nbn_spec", "predict", "runs/xor/model.npz", "--json", b"[[0,\xff]]"]
    done = subprocess.run(words, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, timeout=60)
    assert done.returncode == 2
    assert b"not UTF-8" in done.stderr


def test_what_lies_in_the_folder_of_results_is_left_alone(tmp_path):
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / ".writable").write_text("mine")
    nbn("run", MODELS / "or.json", "--epochs", 1, "-q", "--out", folder, cwd=tmp_path)
    assert (folder / ".writable").read_text() == "mine"
    assert sorted(path.name for path in folder.iterdir()) == [".writable", "history.csv", "model.npz"]


def test_runs_into_one_folder_at_the_same_time(tmp_path):
    words = [
        sys.executable,
        "-m",
        "nbn_spec",
        "run",
        "-q",
        str(MODELS / "or.json"),
        "--epochs",
        "1",
        "--out",
        "one",
    ]
    many = [subprocess.Popen(words, cwd=tmp_path, env=ENVIRONMENT) for _ in range(6)]
    assert [process.wait(timeout=120) for process in many] == [0] * 6
