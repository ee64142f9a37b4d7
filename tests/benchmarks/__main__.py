"""How fast is it, beside others? ``python -m tests.benchmarks [WORKLOAD…]``, from the project's root.

Every contender of a workload runs in a process of its own, all see the same machine in turns, and what they
compute is compared. Markdown goes to standard output, or into ``--out FILE``; progress goes to standard error.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path

from tests.benchmarks.contest import Findings, compete
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
    parser.add_argument("--out", type=Path, metavar="FILE", help="write there instead of printing")
    parser.add_argument("--list", action="store_true", help="list the workloads")
    given = parser.parse_args(words)
    for name in given.workloads:
        if not matching(name):
            parser.error(f'unknown workload "{name}"; known: {", ".join(WORKLOADS)}')
    if given.out and not given.out.parent.is_dir():
        parser.error(f'--out: there is no folder "{given.out.parent}"; make it first')
    return given


def matching(name: str) -> list[str]:
    """The workloads of that name, or of a family such as ``growth``."""
    return [known for known in WORKLOADS if known == name or known.startswith(f"{name}-")]


def positive(text: str) -> int:
    """A whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, got {text}")
    return int(text)


def length(text: str) -> float:
    """Seconds, more than 0 and at most 60."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= 60:
        raise argparse.ArgumentTypeError(f"must be a number of seconds above 0 and at most 60, got {text}")
    return number


def write(path: Path, text: str) -> None:
    """Write a file in one step, so that no half of it stands there."""
    beside = path.with_name(path.name + ".part")
    beside.write_text(text)
    os.replace(beside, path)


def progress(text: str) -> None:
    """A line for whoever waits."""
    print(text, file=sys.stderr, flush=True)


def measured(given: argparse.Namespace) -> tuple[str, bool]:
    """The document, and whether all went well."""
    names = dict.fromkeys(known for name in given.workloads or WORKLOADS for known in matching(name))
    chosen, findings = [WORKLOADS[name] for name in names], Findings()
    for workload in chosen:
        compete(workload, given.rounds, given.seconds, findings, progress)
    options = [f"--rounds {given.rounds}", f"--seconds {given.seconds:g}"]
    command = " ".join([COMMAND, *map(shlex.quote, given.workloads), *options])
    return document(chosen, findings, command), not findings.amiss


def main(words: list[str]) -> int:
    """Measure, and tell; 1 where a contender failed or computed something else."""
    given = arguments(words)
    if given.list:
        print("\n".join(f"{item.name:14} {item.title}" for item in WORKLOADS.values()))
        return 0
    try:
        text, well = measured(given)
    except KeyboardInterrupt:
        return 130
    if given.out:
        write(given.out, text)
    else:
        print(text, end="")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
