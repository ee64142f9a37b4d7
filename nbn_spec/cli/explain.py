"""``explain`` and ``errors``: the pages behind the codes."""

from __future__ import annotations

import sys
from difflib import get_close_matches

from nbn_spec.codes import CODES
from nbn_spec.errors import SpecError, shorten
from nbn_spec.pages import page, pages

WIDEST = 100
"""Columns that a page takes at most on a terminal: longer lines are hard to read."""


def explain_code(code: str) -> int:
    """Print the page of a code, written ``NBN203``, ``nbn203`` or ``203``; returns the exit code.

    Raises :class:`SpecError` for a code that there is not.
    """
    known = known_code(code)
    if sys.stdout.isatty():
        render(page(known))
    else:
        print(page(known), end="")
    return 0


def show_errors() -> int:
    """Print all pages as one Markdown document; returns the exit code."""
    print(pages(), end="")
    return 0


def known_code(word: str) -> str:
    """The code that a word means; raises :class:`SpecError` with those that are near."""
    code = "NBN" + word.strip().upper().removeprefix("NBN")
    if code in CODES:
        return code
    alike = get_close_matches(code[:20], CODES, n=20, cutoff=0.8)
    near = sorted(alike, key=lambda other: other[:4] != code[:4])[:3]  # those of the same group first
    hint = f"did you mean {' or '.join(near)}?" if near else '"python -m nbn_spec errors" prints them all'
    raise SpecError("NBN114", "", f"unknown code {shorten(word)}", hint)


def render(text: str) -> None:
    """Print Markdown for a reader at a terminal: headings, code in frames, lines that fit."""
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console()
    console.print(Markdown(text), width=min(console.width, WIDEST))
