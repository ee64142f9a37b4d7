"""How fast is it, beside others? ``python -m tests.benchmarks [WORKLOAD…]``, from the project's root.

Every contender of a workload runs in a process of its own, all see the same machine in turns, and what they
compute is compared. Markdown goes to standard output, or into ``--out FILE``; progress goes to standard error.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from tests.benchmarks.contest import Findings, compete
from tests.benchmarks.delivery import deliver, printed, say, shown, target
from tests.benchmarks.entries import Workload
from tests.benchmarks.report import document
from tests.benchmarks.workloads import WORKLOADS

COMMAND = "python -m tests.benchmarks"
DESCRIPTION = "Measure this program beside others that do the same; print Markdown."


def arguments(words: list[str]) -> argparse.Namespace:
    """What is asked for; ends with status 2 for what is not known."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=DESCRIPTION)
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help="which; left out, all of them")
    parser.add_argument("--rounds", type=positive, default=9, metavar="N", help="rounds of each contender")
    parser.add_argument("--seconds", type=length, default=0.3, metavar="S", help="about so long a round")
    parser.add_argument("--out", type=target, metavar="FILE", help="write there instead of printing")
    parser.add_argument("--list", action="store_true", help="list the workloads")
    given = parser.parse_args(words)
    for name in given.workloads:
        if not matching(name):
            parser.error(f'unknown workload "{name}"; known: {", ".join(WORKLOADS)}')
    if sys.stdout is None and (given.list or not given.out):
        parser.error("standard output is closed; name a file with --out")
    return given


def matching(name: str) -> list[str]:
    """The workloads of that name, or of a family such as ``growth``."""
    return [known for known in WORKLOADS if known == name or known.startswith(f"{name}-")]


def positive(text: str) -> int:
    """A whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, got {text.strip() or 'nothing'}")
    return int(text)


def length(text: str) -> float:
    """Seconds, more than 0 and at most 60."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= 60:
        got = text.strip() or "nothing"
        raise argparse.ArgumentTypeError(f"must be a number of seconds above 0 and at most 60, got {got}")
    return number


def asked(given: argparse.Namespace) -> list[Workload]:
    """The workloads that are meant, each once."""
    names = dict.fromkeys(known for name in given.workloads or WORKLOADS for known in matching(name))
    return [WORKLOADS[name] for name in names]


def measured(workload: Workload, given: argparse.Namespace) -> Findings:
    """What comes out of one workload."""
    findings = Findings(load=None)
    compete(workload, given.rounds, given.seconds, findings, say)
    return findings


def text_of(done: Sequence[Workload], findings: Findings, names: Sequence[str], given: argparse.Namespace) -> str:
    """The document, with the command that measures what is told in it."""
    options = [f"--rounds {given.rounds}", f"--seconds {given.seconds:g}"]
    return document(done, findings, " ".join([COMMAND, *names, *options]))


def stopped(
    error: KeyboardInterrupt | OSError, done: Sequence[Workload], findings: Findings, given: argparse.Namespace
) -> int:
    """Print what was finished; an earlier document under ``--out`` is not replaced by a part of one."""
    names, asked_to = [work.name for work in done], isinstance(error, KeyboardInterrupt)
    why = "interrupted" if asked_to else f"error: cannot go on: {error}"
    say(f"{why}; {'printed is what was finished: ' + ', '.join(names) if names else 'nothing was finished'}")
    if done:
        printed(text_of(done, findings, names, given))
    return 130 if asked_to else 2


def listed() -> int:
    """Print the workloads; 2 where that fails."""
    error = shown("".join(f"{item.name:14} {item.title}\n" for item in WORKLOADS.values()))
    if error is not None:
        say(f"error: cannot print: {error.strerror}")
    return 0 if error is None else 2


def main(words: list[str]) -> int:
    """Measure, and tell; 1 where a contender failed or computed something else."""
    given = arguments(words)
    if given.list:
        return listed()
    done, findings = list[Workload](), Findings()
    try:
        for workload in asked(given):
            findings.take(measured(workload, given))
            done.append(workload)
    except (KeyboardInterrupt, OSError) as error:
        return stopped(error, done, findings, given)
    if not deliver(text_of(done, findings, given.workloads, given), given.out):
        return 2
    return 1 if findings.amiss else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
