"""Running a case: a process for every line, and rounds in which each of them works in its turn."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from math import isclose
from typing import IO, Any

from tests.benchmarks.entries import Case, Contender, Key, Workload
from tests.benchmarks.machine import ROOT, environment, load

LAST_LINES = 15
Say = Callable[[str], None]


class ContenderError(Exception):
    """A contender's process has ended before its time."""


@dataclass
class Findings:
    """All that came out: numbers by line, what the contenders say of themselves, and what went amiss."""

    times: dict[Key, list[float]] = field(default_factory=dict)
    facts: dict[Key, dict[str, str]] = field(default_factory=dict)
    missing: dict[str, set[str]] = field(default_factory=dict)
    """The packages that are not installed, by the title of whom they are for."""
    amiss: list[str] = field(default_factory=list)
    load: float | None = field(default_factory=load)

    def take(self, other: Findings) -> None:
        """Add what came out elsewhere."""
        self.times.update(other.times)
        self.facts.update(other.facts)
        for title, names in other.missing.items():
            self.missing.setdefault(title, set()).update(names)
        self.amiss += other.amiss


class Child:
    """A contender's process."""

    def __init__(self, key: Key, seconds: float, errors: IO[str]) -> None:
        command = [sys.executable, *(f"-W{option}" for option in sys.warnoptions), "-m", "tests.benchmarks.child"]
        words = [key.workload, key.case, key.contender, str(seconds)]
        self.key, self.errors = key, errors
        self.process: Any = subprocess.Popen(
            [*command, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=ROOT,
            env=environment(key.kernel),
        )

    def hear(self) -> Any:
        """Its next line; raises :class:`ContenderError` where it has ended instead."""
        line = self.process.stdout.readline()
        if line.endswith("\n"):
            return json.loads(line)
        self.process.wait()
        self.errors.seek(0)
        last = "".join(self.errors.readlines()[-LAST_LINES:])
        raise ContenderError(f"{self.key}: ended with status {self.process.returncode}\n{last}".rstrip())

    def round(self) -> float:
        """What a round of it measures."""
        with suppress(BrokenPipeError):  # hear tells why
            self.process.stdin.write("go\n")
            self.process.stdin.flush()
        return float(self.hear())

    def end(self) -> None:
        """Let it go: at the end of its input it ends."""
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


@contextmanager
def child(key: Key, seconds: float) -> Iterator[Child]:
    """A contender's process, which ends with the block."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        running = Child(key, seconds, errors)
        try:
            yield running
        finally:
            running.end()


def absent(contender: Contender) -> list[str]:
    """The packages that it needs and that are not installed."""
    return [name for name in contender.needs if find_spec(name) is None]


def compete(workload: Workload, rounds: int, seconds: float, findings: Findings, say: Say) -> None:
    """Every case of a workload, one after the other."""
    for case in workload.cases:
        say(f"{workload.name} {case.title}".rstrip())
        run_case(workload, case, min(rounds, workload.most), seconds, findings)


def run_case(workload: Workload, case: Case, rounds: int, seconds: float, findings: Findings) -> None:
    """Start all contenders of a case, compare their answers, and let them work in turns."""
    with ExitStack() as stack:
        children = []
        for key, contender in workload.lines(case):
            if names := absent(contender):
                findings.missing.setdefault(contender.title, set()).update(names)
                continue
            # One after the other, so that nobody warms up while another does.
            running = stack.enter_context(child(key, seconds))
            if (ready := heard(running, findings)) is not None:
                findings.facts[key] = {**ready["facts"], "answer": ready["answer"]}
                findings.times[key] = []
                children.append(running)
        compare(case, [running.key for running in children], findings)
        take_turns(children, rounds, case.steps, findings)


def heard(running: Child, findings: Findings) -> Any:
    """What a contender says when it is ready; ``None`` where it failed."""
    try:
        return running.hear()
    except ContenderError as error:
        findings.amiss.append(str(error))
        return None


def take_turns(children: list[Child], rounds: int, steps: int, findings: Findings) -> None:
    """Round after round, each told for so many steps; who fails drops out."""
    for _ in range(rounds):
        for running in list(children):
            try:
                findings.times[running.key].append(running.round() * steps)
            except ContenderError as error:
                findings.amiss.append(str(error))
                children.remove(running)


def compare(case: Case, keys: Iterable[Key], findings: Findings) -> None:
    """Note who answers otherwise than the first who answers."""
    answers = {key: findings.facts[key].pop("answer") for key in keys}
    given = [(key, answer) for key, answer in answers.items() if answer is not None]
    for key, answer in given[1:]:
        first, wanted = given[0]
        if not agree(answer, wanted, case.tolerance):
            findings.amiss.append(f"{key}: answers {answer}, but {first} answers {wanted}")


def agree(found: list[float], wanted: list[float], tolerance: float) -> bool:
    """Whether two answers are the same but for rounding."""
    if len(found) != len(wanted):
        return False
    pairs = zip(found, wanted, strict=True)
    return all(isclose(a, b, rel_tol=tolerance, abs_tol=tolerance / 100) for a, b in pairs)
