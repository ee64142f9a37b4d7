"""Mutants: the shipped models with one to four mistakes, and all that must hold for each of them.

As a program, ``python tests/mutants.py FOLDER COUNT SEED`` validates so many mutants in a folder with the models'
data, within limits of time and memory, and prints what it found as JSON. The mutant in hand is always in the
folder: if the process dies, that is the one.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from mutations import MODELS, mutants
from pydantic import ValidationError
from typer.testing import CliRunner

from nbn_spec.cli import app
from nbn_spec.errors import WIDTH
from nbn_spec.spec.models import ModelSpec
from nbn_spec.spec.read import DEEPEST
from nbn_spec.spec.schema import validator

SPEC = "model.json"
SECONDS, MEMORY = 5.0, 2**30
"""What a mutant may take: time, and memory beyond that of the program itself."""
LIMIT = "256MiB"
"""What a mutant's model may take; the rest of ``MEMORY`` is for finding that out."""
REPORTED = 8
"""Of so many mutants, one is validated with ``--format json`` too."""
UNSAID = {"values", "finite_number", "string_unicode"}
"""What a JSON Schema cannot say: that rows are equally long, numbers finite, and strings text."""


class Wrong(Exception):
    """Something does not hold for a mutant: a rule, and what was seen instead."""

    def __init__(self, rule: str, seen: str) -> None:
        super().__init__(rule, seen)
        self.rule, self.seen = rule, seen

    @property
    def kind(self) -> str:
        """What failures of the same cause have in common: the rule and, where a traceback was seen, its end."""
        lines = re.findall(r'File "(\S+)", line (\d+)', self.seen)
        return ":".join([self.rule, *lines[-1]] if lines else [self.rule])


class TooSlow(BaseException):
    """The time is up; no ``Exception``, so that nothing takes it for a failure of its own."""


def ring(*_: object) -> None:
    """Raise :class:`TooSlow`."""
    raise TooSlow


HEADING = re.compile(r"model\.json:(\d+):(\d+) (?:error|warning)\[(NBN\d{3})\]")
ELSEWHERE = re.compile(r"(?:.+?:\d+:\d+ )?(?:error|warning)\[(NBN\d{3})\]")
LONG_PATH = re.compile(ELSEWHERE.pattern + " .*:")
"""The head of a complaint about a path so long that nothing else stands in its line."""
Place = tuple[int, int]


def called(*words: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command; raises :class:`Wrong` for one that fails."""
    result = CliRunner().invoke(app, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise Wrong("an exception", "".join(traceback.format_exception(result.exception)))
    if result.exit_code not in (0, 2):
        raise Wrong(f"exit code {result.exit_code}", result.output)
    return result.exit_code, result.stdout, result.stderr


def line_lengths(content: bytes) -> list[int]:
    """The length of each line in characters; of bytes that are not UTF-8, up to the first that is not."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        text = error.object[: error.start].decode("utf-8-sig", "replace") + "?"
    return [len(line) for line in text.split("\n")]


def check_text(content: bytes, code: int, output: str) -> tuple[list[str], list[Place]]:
    """The form of the text that was printed; returns the codes, and the places in the document."""
    for line in output.split("\n"):
        too_wide = len(line) > WIDTH and not LONG_PATH.fullmatch(line)
        if too_wide or not line.isprintable():
            raise Wrong("a line too wide, or not printable", f"{line!r}\n{output}")
    headings = [line for line in output.split("\n") if HEADING.match(line) or ELSEWHERE.match(line)]
    located = [match for line in headings if (match := HEADING.match(line))]
    codes = [match[1] for line in headings if (match := ELSEWHERE.match(line))]
    if bool(code) != any("error[" in line for line in headings):
        raise Wrong("exit code and complaints do not match", f"{code}\n{output}")
    if headings[: len(located)] != [match.string for match in located]:
        raise Wrong("complaints of other files before those of the document", output)
    spots = [(int(match[1]), int(match[2])) for match in located]
    check_places(content, spots, output)
    return codes, spots


def check_places(content: bytes, spots: list[Place], seen: str) -> None:
    """Places lie in the text, and in its order."""
    lengths = line_lengths(content)
    if spots != sorted(spots):
        raise Wrong("complaints out of order", seen)
    for line, column in spots:
        if not (1 <= line <= len(lengths) and 1 <= column <= lengths[line - 1] + 1):
            raise Wrong("a place outside of the text", f"{line}:{column}\n{seen}")


def check_report(content: bytes, code: int, codes: list[str], spots: list[Place]) -> None:
    """The report has the published form, and says what the text says."""
    again, output, _ = called("validate", SPEC, "--max-memory", LIMIT, "--format", "json")
    report = json.loads(output)
    if errors := list(validator("report").iter_errors(report)):
        raise Wrong("a report against its schema", str(errors[0]))
    problems = report["files"][0]["problems"]
    inside = [(item["line"], item["column"]) for item in problems if item["file"] == SPEC and item["line"]]
    check_places(content, inside, output)
    shown = (again, [item["code"] for item in problems][: len(codes)], inside[: len(spots)])
    if shown != (code, codes, spots):
        raise Wrong("report and text differ", f"{codes} {spots}\n{output}")


def check_agreement(content: bytes) -> None:
    """Pydantic and the published schema accept the same documents, but for what a schema cannot say."""
    try:
        document = json.loads(
            content.decode("utf-8-sig"), object_pairs_hook=unique, parse_constant=refuse, parse_int=within
        )
    except (ValueError, RecursionError):
        return
    if depth(document) > DEEPEST:
        return
    mine, published = refusals(document), validator("model").is_valid(document)
    if published == bool(mine) and not (published and mine <= UNSAID):
        raise Wrong("pydantic and the schema disagree", f"the schema says {published}, pydantic {mine}")


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys are there once; raises ``ValueError`` for another."""
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a key twice")
    return made


def within(digits: str) -> int:
    """An integer; raises ``ValueError`` for one that no float can hold, which is no finite number here."""
    if len(digits) > 300:
        raise ValueError(digits)
    return int(digits)


def refuse(word: str) -> Any:
    """``NaN`` and its like are no JSON."""
    raise ValueError(word)


def depth(tree: Any) -> int:
    """How deep a tree nests."""
    level, found = [tree], 0
    while level := [part for part in level if isinstance(part, (dict, list))]:
        level = [item for part in level for item in (part.values() if isinstance(part, dict) else part)]
        found += 1
    return found


def refusals(document: Any) -> set[str]:
    """The kinds of what pydantic refuses a document for."""
    try:
        ModelSpec.model_validate(document)
    except ValidationError as error:
        return {item["type"] for item in error.errors(include_url=False, include_input=False)}
    return set()


def check(content: bytes, *, report: bool = True) -> tuple[int, set[str]]:
    """All that must hold for the mutant in the current folder; returns the exit code and the complaints' codes.

    Raises :class:`Wrong` where something does not hold; ``report`` says whether the report is looked at too.
    """
    code, output, errors = called("validate", SPEC, "--max-memory", LIMIT)
    codes, spots = check_text(content, code, errors + output)
    if report:
        check_report(content, code, codes, spots)
    check_agreement(content)
    return code, set(codes)


@dataclass
class Findings:
    """What came of all mutants."""

    mutants: int = 0
    seconds: float = 0
    slowest: float = 0
    slowest_mutant: str = ""
    memory: int = 0
    """Bytes, beyond those of the program itself."""
    exits: Counter[int] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    wrong: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By its kind, each failure, and the shortest mutant that has it."""

    def add(self, content: bytes) -> None:
        """Validate a mutant, and check all that must hold."""
        self.mutants += 1
        Path(SPEC).write_bytes(content)
        started = time.perf_counter()
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        try:
            code, codes = check(content, report=self.mutants % REPORTED == 0)
            self.exits[code] += 1
            self.codes.update(codes)
        except TooSlow:
            self.note(Wrong("too slow", ""), content)
        except Wrong as wrong:
            self.note(wrong, content)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        taken = time.perf_counter() - started
        if taken > self.slowest:
            self.slowest, self.slowest_mutant = taken, repr(content)

    def note(self, wrong: Wrong, content: bytes) -> None:
        """Keep a failure, unless a shorter mutant has it."""
        known = self.wrong.get(wrong.kind)
        if known is None or len(repr(content)) < len(known[1]):
            self.wrong[wrong.kind] = (wrong.seen, repr(content))


def peak() -> int:
    """Bytes that the process has held at most."""
    import resource  # where limits of memory are those of Linux

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def limit_memory() -> None:
    """No more than ``MEMORY`` beyond what the process has now."""
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def examine(count: int, number: int) -> Findings:
    """Validate so many mutants of the current folder."""
    found = Findings()
    rules = settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    started, before = time.perf_counter(), peak()
    seed(number)(rules(given(mutants())(found.add)))()
    found.seconds, found.memory = time.perf_counter() - started, peak() - before
    return found


def main() -> None:
    """Run as a program."""
    folder, count, number = sys.argv[1:]
    signal.signal(signal.SIGALRM, ring)
    os.chdir(folder)
    Findings().add(MODELS["digits.json"])  # what is imported on demand counts as the program's own
    limit_memory()
    print(json.dumps(vars(examine(int(count), int(number)))))


if __name__ == "__main__":
    main()
