"""From exceptions to messages and exit codes."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import wraps
from typing import Any, ParamSpec

import typer

from nbn_spec.errors import MOST_SHOWN, NbnError, Problem, printable

INTERNAL, INTERRUPTED = 1, 130
REPORT = 1
"""Version of the report that ``--format json`` prints."""
P = ParamSpec("P")


class Reporter:
    """What a command has to say of its files: as text on standard error, or as one JSON document at the end.

    ``strict`` makes warnings errors; ``quiet`` leaves them out of the text.
    """

    def __init__(self, *, as_json: bool = False, strict: bool = False, quiet: bool = False) -> None:
        self.as_json, self.strict, self.quiet = as_json, strict, quiet
        self.files: list[dict[str, Any]] = []
        self.result: Mapping[str, Any] | None = None

    def add(self, file: str, problems: Iterable[Problem], memory: Sequence[Mapping[str, Any]] = ()) -> bool:
        """Say what is wrong with a file; returns whether no error is among it."""
        found = list(problems)
        if self.strict:
            found = [replace(problem, severity="error") for problem in found]
        errors = sum(problem.severity == "error" for problem in found)
        entry = next((entry for entry in self.files if entry["file"] == file), None)
        if entry is None:
            entry = {"file": file, "valid": True, "problems": [], "memory": list(memory)}
            self.files.append(entry)
        entry["problems"] += [problem.to_json() for problem in found]
        entry["valid"] &= not errors
        if not self.as_json:
            complain([p for p in found if p.severity == "error" or not self.quiet])
        return not errors

    def close(self, command: str, code: int) -> None:
        """Print the JSON document."""
        if self.as_json:
            problems = [problem for file in self.files for problem in file["problems"]]
            counts = {f"{kind}s": sum(p["severity"] == kind for p in problems) for kind in ("error", "warning")}
            report = {"format": REPORT, "command": command, "exit_code": code, **counts}
            report |= {"files": self.files, "result": self.result}
            text = json.dumps(report, indent=2, ensure_ascii=False)
            print(text.encode(errors="backslashreplace").decode())  # half a surrogate pair, as JSON escapes it


def guarded(command: Callable[P, int]) -> Callable[P, None]:
    """The command with its errors said in words; it ends with the exit code that it returns."""

    @wraps(command)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
        raise typer.Exit(code_of(lambda: command(*args, **kwargs)))

    return wrapper


def reported(name: str, file: object, reporter: Reporter, command: Callable[[Reporter], int]) -> int:
    """Run a command whose complaints, its errors among them, go to a reporter; returns the exit code."""

    def complaining() -> int:
        try:
            return command(reporter)
        except NbnError as error:
            reporter.add(str(file), error.problems)
            return error.exit_code

    code = code_of(complaining)
    reporter.close(name, code)
    return code


def code_of(command: Callable[[], int]) -> int:
    """Run a command and return its exit code, with a message where it fails."""
    try:
        return command()
    except NbnError as error:
        complain(error.problems)
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


def complain(problems: Sequence[Problem]) -> None:
    """The first problems, and how many there are of each kind."""
    for problem in problems[:MOST_SHOWN]:
        print(paint(problem), file=sys.stderr)
    if len(problems) > 1:
        errors = sum(problem.severity == "error" for problem in problems)
        parts = [plural(errors, "error"), plural(len(problems) - errors, "warning")]
        hidden = len(problems) - MOST_SHOWN
        more = f", of which the first {MOST_SHOWN} are shown" if hidden > 0 else ""
        say(" and ".join(part for part in parts if part) + more)


def plural(count: int, word: str) -> str:
    """A number of things in words; nothing for none."""
    return f"{count:,} {word}{'s' * (count != 1)}" if count else ""


def paint(problem: Problem) -> str:
    """A problem as text, with colour where the terminal has it."""
    lines = list(problem.lines())
    if not colourful():
        return "\n".join(lines)
    colour = "\33[1;31m" if problem.severity == "error" else "\33[1;33m"
    kind = f"{problem.severity}[{problem.code}]"
    lines[0] = lines[0].replace(kind, f"{colour}{kind}\33[0m", 1)
    for i, line in enumerate(lines):
        if line.startswith("  ") and "^" in line and not line.strip(" |^"):
            bar, carets = line.split("|")
            lines[i] = f"\33[2m{bar}|\33[0m{colour}{carets}\33[0m"
        elif line.startswith("   help: "):
            lines[i] = f"   \33[1;36mhelp:\33[0m {line[9:]}"
    return "\n".join(lines)


def colourful() -> bool:
    """Whether standard error takes colour."""
    return sys.stderr.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
