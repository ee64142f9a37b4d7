"""A contender in a process of its own: ``python -m tests.benchmarks.child WORKLOAD CASE CONTENDER SECONDS``.

It says one line of JSON when it is ready, and then one for every line that it reads: what the round measured. In
between it waits for input and takes no time from the others.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from typing import TextIO

from tests.benchmarks.workloads import WORKLOADS


def answers() -> TextIO:
    """Standard output, kept for the parent: whatever else a framework prints goes to standard error."""
    stream = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return stream


LOOK, IDLE, LOOKS = 0.02, 0.002, 50
"""Seconds between two looks, processor time that counts as none, and how often one looks at most."""


def settle() -> None:
    """Wait until this process's threads rest: those of OpenBLAS look out for more work for a tenth of a second."""
    for _ in range(LOOKS):
        before = time.process_time()
        time.sleep(LOOK)
        if time.process_time() - before < IDLE:
            return


def main() -> None:
    """Get ready, then work at the parent's word."""
    workload, case, title, seconds = sys.argv[1:]
    out = answers()
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    chosen = next(item for item in WORKLOADS[workload].cases if item.title == case)
    contender = next(item for item in chosen.contenders if item.title == title)
    built = contender.make(chosen.task)
    answer = built.answer()
    built.prepare(float(seconds))
    settle()
    print(json.dumps({"facts": contender.load().facts(), "answer": answer}), file=out, flush=True)
    for _ in sys.stdin:
        found = built.round()
        settle()
        print(json.dumps(found), file=out, flush=True)


if __name__ == "__main__":
    main()
