"""The page that compares messages shows what is said today, and leaves out nothing but calls within libraries."""

from __future__ import annotations

import re
import sys
from importlib.metadata import version
from pathlib import Path

import messages
import pytest
from messages import MISTAKES

PAGE = (Path(__file__).parents[2] / "docs" / "messages.md").read_text(encoding="utf-8")
CODES = [
    ["NBN201"],
    ["NBN203"],
    ["NBN114"],
    ["NBN111", "NBN111"],
    ["NBN113, NBN112"],
    ["NBN202"],
    ["NBN203", "NBN203"],
    ["NBN305"],
    ["NBN302"],
    ["NBN905"],
]
"""What nbn_spec says to each mistake, for each of its specs."""
PYTHON = ".".join(map(str, sys.version_info[:2]))


@pytest.mark.parametrize("number", range(1, len(MISTAKES) + 1))
def test_our_part_is_current(number: int) -> None:
    mistake = MISTAKES[number - 1]
    section = messages.Section(number, mistake, tuple(map(messages.ours, mistake.ours)), (), ())
    assert [said.gist for said in section.ours] == CODES[number - 1]
    assert section.our_part() in PAGE
    assert section.row().removesuffix(" |  |  |\n") in PAGE


@pytest.fixture(scope="module")
def page() -> str:
    return messages.page()


def table(text: str) -> list[str]:
    """The rows of the table, without the numbers of lines: those are the Python version's."""
    return [re.sub(r", \d+ lines?", "", line) for line in text.splitlines() if line.startswith("| ")]


def without_numpy(text: str) -> str:
    """The page, for any version of NumPy: it is not pinned."""
    return re.sub(r"NumPy \d+\.\d+\.\d+", "NumPy", text)


@pytest.mark.peers("torch", "keras")
def test_the_table_is_current(page: str) -> None:
    pinned = f"Keras {version('keras')} on PyTorch {version('torch').partition('+')[0]},"
    assert pinned in PAGE, "the page was made with other versions: make it anew"
    assert table(page) == table(PAGE)
    assert len(table(page)) == len(MISTAKES) + 2


@pytest.mark.peers("torch", "keras")
@pytest.mark.skipif(f"Python {PYTHON}," not in PAGE, reason="every Python version has tracebacks of its own")
def test_the_page_is_current(page: str) -> None:
    assert without_numpy(page) == without_numpy(PAGE)


@pytest.mark.peers("torch", "keras")
def test_keras_adds_the_axis_that_is_said_to_be_added() -> None:
    losses = "model.evaluate(x, y, verbose=0), model.evaluate(x, y[:, None], verbose=0)"
    program = messages.ADDS_AN_AXIS + f"print(np.ptp([{losses}]) < 1e-6)\n"
    assert messages.ran("model.py", program) == ["True"]


def test_of_a_traceback_only_calls_within_libraries_are_left_out() -> None:
    lines = [
        "Traceback (most recent call last):",
        '  File "model.py", line 3, in <module>',
        "    call()",
        "    ^^^^^^",
        '  File "/somewhere/site-packages/keras/layer.py", line 9, in call',
        "    raise ValueError(",
        "ValueError: what is wrong",
        "",
        "    and more of it",
    ]
    expected = [*lines[:4], "  … 2 lines in libraries …", *lines[6:]]
    assert list(messages.cut(lines)) == expected


def test_folders_are_left_out_of_warnings() -> None:
    line = "/somewhere/site-packages/torch/loss.py:6: UserWarning: sizes differ"
    assert list(messages.cut([line])) == ["…/torch/loss.py:6: UserWarning: sizes differ"]


def test_a_program_that_says_nothing_is_told_from_one_that_fails() -> None:
    assert messages.theirs("1 + 1\n").brief() == "no message"
    failed = messages.theirs("1 / 0\n")
    assert failed.brief() == f"ZeroDivisionError, {failed.count} lines"
    assert failed.lines[-1] == "ZeroDivisionError: division by zero"
