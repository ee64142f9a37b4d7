"""From exceptions to messages and exit codes."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import typer

from nbn_spec.errors import NbnError, Problem, printable

INTERNAL, INTERRUPTED = 1, 130
P = ParamSpec("P")


def guarded(command: Callable[P, int]) -> Callable[P, None]:
    """The command with its errors said in words; it ends with the exit code that it returns."""

    @wraps(command)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
        raise typer.Exit(code_of(lambda: command(*args, **kwargs)))

    return wrapper


def code_of(command: Callable[[], int]) -> int:
    """Run a command and return its exit code, with a message where it fails."""
    try:
        return command()
    except NbnError as error:
        complain(error)
        return error.exit_code
    except KeyboardInterrupt:
        say("interrupted")
        return INTERRUPTED
    except Exception:  # the last resort: what is not an NbnError is our own mistake, and is said to be
        traceback.print_exc()
        say("this is a bug of nbn_spec, not of your input; please report it with the lines above")
        return INTERNAL


def say(message: str) -> None:
    """One line on standard error."""
    print(printable(message), file=sys.stderr)


def complain(error: NbnError) -> None:
    """Every problem of an error, and how many there are."""
    for problem in error.problems:
        print(paint(problem), file=sys.stderr)
    if len(error.problems) > 1:
        say(f"{len(error.problems)} errors")


def paint(problem: Problem) -> str:
    """A problem as text, with colour where the terminal has it."""
    red, dim, plain = ("\33[1;31m", "\33[2m", "\33[0m") if colourful() else ("", "", "")
    place = f"{problem.where}: " if problem.where else ""
    hint = f"\n  {dim}help:{plain} {printable(problem.hint)}" if problem.hint else ""
    return f"{red}error[{problem.code}]{plain} {printable(place + problem.message)}{hint}"


def colourful() -> bool:
    """Whether standard error takes colour."""
    return sys.stderr.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
