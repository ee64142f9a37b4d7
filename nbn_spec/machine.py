"""A look at the machine: what the numbers run on, how fast with one setting and another, and what to set."""

from __future__ import annotations

import math
import os
import platform
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from operator import itemgetter
from pathlib import Path
from statistics import median
from typing import Any

from nbn_spec import kernel
from nbn_spec.capacity import CGROUPS, allowance, control_groups
from nbn_spec.speed import (
    CASES,
    EPSILON,
    SMALL,
    Case,
    Failed,
    Measured,
    Sample,
    Setting,
    compare,
    gains,
    gains_alone,
    sample,
)

FAMILIES = ("OPENBLAS_", "OMP_", "GOTO_", "MKL_", "BLIS_", "VECLIB_", "NBN_SPEC_")
"""How the variables begin that change how products are computed."""
THREADS = ("OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "OPENBLAS_DEFAULT_NUM_THREADS", "OMP_NUM_THREADS")
"""Those that OpenBLAS takes its number of threads from; the first that holds a positive number counts."""
OMP = THREADS[-1]
"""The one that other libraries take it from too."""
ELSEWHERE = ("MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""Those of other libraries."""
FLAGS = (
    *("sse4_2", "avx", "avx2", "fma", "avx512f", "avx512dq", "avx512bw", "avx512vl", "avx512cd"),
    *("avx512_vnni", "avx512_bf16", "asimd", "asimdhp", "asimddp", "bf16", "sve", "sve2"),
)
"""The flags that kernels ask for, of x86-64 and then of ARM."""
AS_IT_IS, OWN, ONE, ALL = "as it is", "OpenBLAS's own", "one thread", "all threads"
"""The settings that are not named for their kernels."""
MARGIN = 1.1
"""How many times faster a setting must be before it is worth setting; and it must have been faster every time."""
ROUNDS, SECONDS, QUICK = 3, 0.15, 0.04
"""How often each setting is measured, and how many seconds each case; and how many where it should be quick."""
BUSY = 0.2
"""Of a core: what other work may take from the cores that are measured before it disturbs."""
STAT = Path("/proc/stat")
Changes = Mapping[str, str | None]


@dataclass(frozen=True)
class Advice:
    """What to set (``None``: to take out) before NumPy is imported, and why; empty where all is well.

    ``notes`` tell what else was seen.
    """

    changes: Changes
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Checkup:
    """What :func:`doctor` found; ``None`` and empty texts stand for what is unknown, ``failures`` tell why.

    ``cores`` may be used by this process, of ``processors``; ``quota`` is how many of them a container may keep
    busy; ``free`` are bytes of memory; ``others`` is how many cores other work kept busy while this measured;
    ``command_line`` is the core that ``run``, ``predict`` and ``evaluate`` set themselves, ``None`` where unknown.
    """

    python: str
    system: str
    numpy: str
    cpu: str
    flags: tuple[str, ...]
    cores: int
    processors: int
    quota: float | None
    others: float | None
    free: int
    free_where: str
    blas: str
    library: str
    core: str
    threads: int | None
    threads_by: str
    command_line: str | None
    variables: Mapping[str, str]
    rounds: int
    measured: tuple[Measured, ...]
    advice: Advice
    failures: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The findings as JSON has them; rates in GFLOP/s, errors relative, ``null`` where they are not finite."""
        parts = {name: value for name, value in vars(self).items() if name not in ("measured", "advice")}
        rows = [row(measured) for measured in self.measured]
        return {**parts, "measured": rows, "advice": asdict(self.advice)}


def title(case: Case) -> str:
    """A case in words: ``float32 128x784x512``."""
    dtype, *lengths = case
    return f"{dtype} {'x'.join(map(str, lengths))}"


def row(measured: Measured) -> dict[str, Any]:
    """A setting and what was measured, as JSON."""
    return {
        "setting": measured.setting.name,
        "changes": dict(measured.setting.changes),
        "core": measured.core,
        "threads": measured.threads,
        "gflops_on_one_thread": measured.alone,
        "gflops": {title(case): measured.rate(case) for case in CASES},
        "errors": {dtype: error if math.isfinite(error) else None for dtype, error in errors(measured).items()},
        "right": measured.is_right,
        "failure": measured.failure,
    }


def errors(measured: Measured) -> dict[str, float]:
    """The errors of a setting's products by dtype, as far as it was measured."""
    return {dtype: error for dtype in EPSILON if (error := measured.error(dtype)) is not None}


def doctor(*, quick: bool = False, keep: bool | None = None) -> Checkup:
    """Look at the machine, measure products with it as it is and with what could be set, and advise.

    Takes some ten seconds; ``quick`` a few, with one round. ``keep`` is whether the command line would leave the
    kernels as they are; without it ``NBN_SPEC_KERNEL`` tells. Changes nothing, imports no NumPy, and raises
    nothing for what cannot be found out.
    """
    environ = dict(os.environ)
    keep = kernel.kept(environ) if keep is None else keep
    seconds, rounds = (QUICK, 1) if quick else (SECONDS, ROUNDS)
    try:
        here = sample(Setting(AS_IT_IS, {}), environ, 0)  # not counted: it warms the caches
    except Failed as failure:
        unmeasured = replace(looked(environ, None), failures=(str(failure),))
        return replace(unmeasured, command_line=by_itself(unmeasured, keep=keep))
    found = looked(environ, here)
    start, before = time.monotonic(), taken()
    measured = tuple(compare(settings(found, here.openblas), environ, rounds, seconds))
    others = share(before, taken(), time.monotonic() - start)
    failures = tuple(f"{item.setting.name}: {item.failure}" for item in measured if item.failure)
    found = replace(found, rounds=rounds, measured=measured, failures=failures, others=others)
    found = replace(found, command_line=by_itself(found, keep=keep))
    return replace(found, advice=advise(found))


def looked(environ: Mapping[str, str], here: Sample | None) -> Checkup:
    """What can be told without measuring."""
    cpu, said = kernel.cpu(), here.openblas if here else None
    free, where = allowance(None)
    return Checkup(
        python=f"{platform.python_version()} ({platform.python_implementation()})",
        system=f"{platform.system()} {platform.machine()}",
        numpy=here.numpy if here else installed(),
        cpu=cpu.model or platform.processor(),
        flags=tuple(flag for flag in FLAGS if flag in cpu.flags),
        cores=usable(),
        processors=os.cpu_count() or 1,
        quota=quota(),
        others=None,
        free=free,
        free_where=where,
        blas=(f"OpenBLAS {said.version}" if said else here.blas if here else ""),
        library=here.library if here else str(kernel.library() or ""),
        core=said.core if said else "",
        threads=said.threads if said else None,
        threads_by=next((name for name in THREADS if number(environ.get(name, ""))), ""),
        command_line="",
        variables={name: environ[name] for name in sorted(environ) if name.startswith(FAMILIES)},
        rounds=0,
        measured=(),
        advice=Advice({}),
        failures=(),
    )


def installed() -> str:
    """The version of NumPy that is installed, which is not imported; empty where there is none."""
    try:
        return version("numpy")
    except PackageNotFoundError:
        return ""


def number(text: str) -> int:
    """The number that a text begins with, as OpenBLAS reads its variables; 0 where that is none or negative."""
    digits = re.match(r"\s*\+?([0-9]{1,18})", text)
    return int(digits[1]) if digits else 0


def usable() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def taken() -> float | None:
    """Seconds of CPU time that other processes have taken so far, on all cores; ``None`` outside Linux."""
    try:
        ticks = [int(word) for word in STAT.read_text().split("\n", 1)[0].split()[1:9]]
        user, nice, system, _, _, *interrupts = ticks  # idle and waiting for disks is no work
    except (OSError, ValueError):
        return None
    return sum((user, nice, system, *interrupts)) / os.sysconf("SC_CLK_TCK") - sum(os.times()[:4])


def share(before: float | None, after: float | None, seconds: float) -> float | None:
    """How many cores other work kept busy for so many seconds; ``None`` where that is unknown."""
    return None if before is None or after is None else max(0.0, (after - before) / seconds)


def quota() -> float | None:
    """The CPUs' worth of time that control groups (v2, and v1) leave to this process; ``None`` without a limit."""
    return min(quotas(), default=None)


def quotas(groups: Path = CGROUPS) -> Iterator[float]:
    """Every limit that is set, as time over the period in which it may be taken."""
    v1 = groups / "cpu"
    files = [[folder / "cpu.max"] for folder in control_groups()]
    for paths in (*files, [v1 / "cpu.cfs_quota_us", v1 / "cpu.cfs_period_us"]):
        with suppress(OSError, ValueError):  # no such group, or "max": no limit
            most, period = map(int, " ".join(path.read_text() for path in paths).split())
            if most > 0 < period:
                yield most / period


def settings(found: Checkup, said: kernel.Report | None) -> list[Setting]:
    """What is worth measuring here: the environment as it is, other kernels, another number of threads."""
    tried = [Setting(AS_IT_IS, {})]
    if said is not None and kernel.VARIABLE in found.variables:
        tried.append(Setting(OWN, {kernel.VARIABLE: None}))
    flags = kernel.cpu().flags if said else frozenset()
    for name, needed in ((kernel.WIDE, kernel.AVX512), (kernel.PLAIN, kernel.AVX2)):
        if flags >= needed and found.core.lower() != name.lower():
            tried.append(Setting(name, {kernel.VARIABLE: name}))
    return tried + threaded(found)


def threaded(found: Checkup) -> list[Setting]:
    """The settings with other numbers of threads: one, and all where a variable allows fewer."""
    limits = [name for name in (*THREADS, *ELSEWHERE) if number(found.variables.get(name, ""))]
    have = found.threads or min((number(found.variables[name]) for name in limits), default=found.cores)
    ours, theirs = THREADS[:1], (OMP, *ELSEWHERE)  # the narrowest that OpenBLAS heeds, or else all
    tried = [Setting(ONE, dict.fromkeys(ours if found.threads else theirs, "1"))] if have > 1 else []
    if limits and have < found.cores:
        tried.append(Setting(ALL, dict.fromkeys(ours if found.threads else limits, str(found.cores))))
    return tried if found.cores > 1 else []


def by_name(found: Checkup) -> dict[str, Measured]:
    """What was measured, by the name of its setting."""
    return {measured.setting.name: measured for measured in found.measured}


def by_itself(found: Checkup, *, keep: bool) -> str | None:
    """The core that the command line sets, as :func:`nbn_spec.kernel.choose` does.

    Empty where it leaves the kernels as they are; ``None`` where that hangs on what could not be measured.
    """
    if keep or kernel.ours(found.variables) is None:
        return ""
    if not found.measured:
        return None
    wide = by_name(found).get(kernel.WIDE)
    fits = wide is not None and kernel.wanting(found.core) and wide.core.lower() == kernel.WIDE.lower()
    return kernel.WIDE if fits else ""


def surely(found: Sequence[float]) -> float:
    """How many times faster something is, where it was so in every round and by the margin; else 0."""
    return median(found) if found and min(found) > 1 and median(found) >= MARGIN else 0.0


def better(fast: Measured, slow: Measured) -> float:
    """How many times faster the kernels of one setting are, or 0."""
    return surely(gains_alone(fast, slow) or gains(fast, slow))


def advise(found: Checkup) -> Advice:
    """What to set, from what was measured."""
    kernels, threads = on_kernels(found), on_threads(found)
    notes = (*kernels.notes, *threads.notes, *on_others(found), *on_numbers(found))
    return Advice({**kernels.changes, **threads.changes}, kernels.reasons + threads.reasons, notes)


def on_kernels(found: Checkup) -> Advice:
    """Which kernels to take: the fastest, or OpenBLAS's own choice where that is about as fast.

    Never those whose products are wrong.
    """
    named = by_name(found)
    base, right = named[AS_IT_IS], {name: one for name, one in named.items() if one.is_right}
    own, others = right.get(OWN), [right[name] for name in (OWN, kernel.WIDE, kernel.PLAIN) if name in right]
    if base.is_right is False:
        return in_place_of_wrong(found, others)
    best = max(others, key=lambda other: better(other, base), default=base)
    if not (gain := better(best, base)):
        return Advice({})
    if own is not None and not better(best, own):
        best, gain = own, better(own, base) or gain
    chosen = " that OpenBLAS chooses by itself" if best is own else ""
    faster = f"on each core, products run {gain:.1f} times faster with the {used(best)} kernels{chosen}"
    return Advice(best.setting.changes, (f"{faster} than with {in_force(found)}",))


def in_place_of_wrong(found: Checkup, others: Sequence[Measured]) -> Advice:
    """The first of the kernels that compute right, in place of those in force, which do not."""
    if not others:
        return Advice({})
    reason = f"the products of the {used(others[0])} kernels are right, those of {in_force(found)} are wrong"
    return Advice(others[0].setting.changes, (reason,))


def used(measured: Measured) -> str:
    """The kernels of a setting by their name, or by that of the setting."""
    return measured.core or measured.setting.name


def is_taken(found: Checkup) -> bool:
    """Whether the kernels in force are those that the variable names."""
    return found.variables.get(kernel.VARIABLE, "").lower() == found.core.lower() != ""


def in_force(found: Checkup) -> str:
    """The kernels in force, and whose choice they are."""
    theirs = found.variables.get(kernel.VARIABLE, "")
    return f"your {kernel.VARIABLE}={theirs}" if is_taken(found) else f"OpenBLAS's own choice, {found.core}"


def on_threads(found: Checkup) -> Advice:
    """Whether another number of threads is faster: for all products, or for small ones alone."""
    named = by_name(found)
    base, others = named[AS_IT_IS], [named[name] for name in (ONE, ALL) if name in named and named[name].is_right]
    if not (others and base.is_right):
        return Advice({})
    best, gain = fastest(others, base, CASES)
    said = f"products run {gain:.1f} times faster with {best.setting.name}"
    if gain and is_busy(found):
        return Advice({}, notes=(f"beside other work, {said}",))
    if gain:
        return Advice(best.setting.changes, (said,))
    best, gain = fastest(others, base, [SMALL])
    said = f"small products run {gain:.1f} times faster with {best.setting.name}, large ones do not"
    return Advice({}, notes=(said,) if gain else ())


def fastest(others: Sequence[Measured], base: Measured, cases: Sequence[Case]) -> tuple[Measured, float]:
    """The best of some settings, and how many times faster it surely is, or 0."""
    rated = [(other, surely(gains(other, base, cases))) for other in others]
    return max(rated, key=itemgetter(1))


def is_busy(found: Checkup) -> bool:
    """Whether something else kept the machine busy, as far as one can tell."""
    return found.others is not None and found.processors - found.others < found.cores - BUSY


def on_others(found: Checkup) -> list[str]:
    """A warning of other work."""
    if not is_busy(found):
        return []
    return [f"other work kept {found.others:.1f} of {found.processors} cores busy: measure again when it is done"]


def on_numbers(found: Checkup) -> list[str]:
    """Whether the products are right, and which settings compute wrong ones."""
    wrong = [measured for measured in found.measured if measured.is_right is False]
    told = [f'with the setting "{one.setting.name}" products are WRONG: {in_words(errors(one))}' for one in wrong]
    if any(one.setting.name == kernel.WIDE for one in wrong) and found.command_line:
        told.append(f"keep run, predict and evaluate from setting {kernel.WIDE}: {kernel.OPTION}={kernel.KEEP}")
    right = [errors(measured) for measured in found.measured if measured.is_right]
    if right:
        most = {dtype: max(one[dtype] for one in right) for dtype in EPSILON}
        told.append(f"{'the other' if wrong else 'all'} products are right to rounding: {in_words(most)}")
    return told


def in_words(errors: Mapping[str, float]) -> str:
    """Errors by dtype; one of products that hold what is no number is not finite."""
    parts = [(f"{error:.1e}" if math.isfinite(error) else "not finite", dtype) for dtype, error in errors.items()]
    return f"the largest errors are {', '.join(f'{error} in {dtype}' for error, dtype in parts)}"


def python_lines(changes: Changes) -> list[str]:
    """The changes as lines of Python."""
    lines = [
        f'os.environ.pop("{name}", None)' if value is None else f'os.environ["{name}"] = "{value}"'
        for name, value in changes.items()
    ]
    return ["import os", *lines] if lines else []


def shell_lines(changes: Changes) -> list[str]:
    """The changes as lines for a shell: that of the system, which on Windows is cmd."""
    if sys.platform == "win32":
        return [f"set {name}={value or ''}" for name, value in changes.items()]
    return [f"unset {name}" if value is None else f"export {name}={value}" for name, value in changes.items()]
