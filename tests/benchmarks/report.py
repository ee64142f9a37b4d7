"""The findings as Markdown."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median, quantiles
from textwrap import wrap

from nbn_spec.kernel import VARIABLE, cpu
from tests.benchmarks import glance as short
from tests.benchmarks.contest import Findings
from tests.benchmarks.entries import AVX2, CHOSEN, OURS, OWN, Case, Key, Workload
from tests.benchmarks.machine import chosen, cores
from tests.benchmarks.targets import TARGETS, Results

SCALES = {"s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")), "B": ((2.0**20, "MiB"), (2.0**10, "KiB"))}
WIDTH = 115
"""Columns of a line of prose."""
Lines = Iterator[str]


def document(workloads: Sequence[Workload], findings: Findings, command: str) -> str:
    """Everything, as one document; ``command`` is what made it."""
    parts = [
        head(findings, command),
        glance(workloads, findings.times),
        whose(findings),
        *(section(workload, findings) for workload in workloads),
        targets(findings.times),
        amiss(findings),
    ]
    return "\n".join(line for part in parts for line in part).rstrip() + "\n"


def paragraph(text: str) -> Lines:
    """Prose, and an empty line."""
    yield from wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)
    yield ""


def point(text: str) -> Lines:
    """An item of a list."""
    yield from wrap(f"- {text}", WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: int = 1) -> Lines:
    """A table whose columns from ``numbers`` on are set to the right; an empty line follows."""
    yield f"| {' | '.join(head)} |"
    yield f"| {' | '.join('---' if at < numbers else '---:' for at in range(len(head)))} |"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def shown(value: float, unit: str) -> str:
    """Three digits and a unit."""
    factor, name = next((scale for scale in SCALES[unit] if value >= scale[0]), SCALES[unit][-1])
    number = value / factor
    return f"{number:,.{max(0, 3 - len(str(int(number))))}f} {name}"


def times(ratio: float) -> str:
    """A ratio."""
    return f"{ratio:,.2f}" if ratio < 100 else f"{ratio:,.0f}"


def head(findings: Findings, command: str) -> Lines:
    """The machine and how it was measured."""
    yield "# Benchmarks"
    yield ""
    yield from ("Made by", "", "```sh", command, "```", "")
    yield from paragraph(
        "Every contender has a process of its own; they work in turns, and wait while another works. Told are the"
        " medians of the rounds."
    )
    asked = f"`{VARIABLE}={chosen()}`" if chosen() else "the one that OpenBLAS chooses by itself"
    load = f", load before it {findings.load:.1f}" if findings.load is not None else ""
    processor = cpu().model or platform.processor() or platform.machine()
    for text in (
        f"{processor}, {cores()} cores{load}; {platform.system()}, Python {platform.python_version()}",
        f"kernel “{AVX2}”: `{VARIABLE}=Haswell`, what OpenBLAS takes on processors that it does not know",
        f"kernel “{CHOSEN}”: as nbn_spec's command line runs it, here {asked}",
        f"kernel “{OWN}”: a framework that does not compute with OpenBLAS",
    ):
        yield from point(text)
    yield ""


def glance(workloads: Sequence[Workload], results: Results) -> Lines:
    """The short table: medians, and how many times as long as this program."""
    found = short.rows(workloads, results)
    titles = [title for title in short.COLUMNS if any(title in row for _, row in found)]
    cells = [[name, *(beside(row, title) for title in titles)] for name, row in found]
    if cells:
        yield from table(["", *titles], cells)
        yield from paragraph(
            "As the command line runs it, the fastest of a framework's lines; in brackets × this program."
        )


def beside(row: Mapping[str, float], title: str) -> str:
    """A framework's median beside this program's."""
    if title not in row:
        return ""
    ratio = "" if title == OURS else f" ({times(row[title] / row[OURS])})"
    return shown(row[title], "s") + ratio


def whose(findings: Findings) -> Lines:
    """Versions, and with what each contender computes."""
    rows = {
        (facts["version"], key.kernel, facts.get("blas", ""), facts.get("core", ""), facts["threads"])
        for key, facts in findings.facts.items()
    }
    yield from table(["program", "kernel", "BLAS", "core", "threads"], sorted(rows), 4)
    for title, names in sorted(findings.missing.items()):
        packages = f"{' and '.join(sorted(names))} {'is' if len(names) == 1 else 'are'} not installed"
        yield from point(f"left out: {title}, as {packages} (`pip install -e .[bench]`)")
    if findings.missing:
        yield ""


def section(workload: Workload, findings: Findings) -> Lines:
    """A workload."""
    yield f"## {workload.title} (`{workload.name}`)"
    yield ""
    yield from paragraph(workload.doc)
    yield from {"list": listed, "grid": grid}[workload.layout](workload, findings.times)


def listed(workload: Workload, results: Results) -> Lines:
    """A row for every line."""
    for case in workload.cases:
        kernels = case.contenders[0].kernels
        heads = ["× this program" + (f", {kernel}" if len(kernels) > 1 else "") for kernel in kernels]
        told = [key for key, _ in workload.lines(case) if results.get(key)]
        rows = [list_row(workload, case, key, kernels, results) for key in told]
        yield from table(["contender", "kernel", "median", "middle half", *heads], rows, 2)
        present = {key.contender for key in told}
        notes = [f"{item.title}: {item.note}" for item in case.contenders if item.note and item.title in present]
        yield from paragraph(" ".join(notes)) if notes else []


def list_row(workload: Workload, case: Case, key: Key, kernels: Sequence[str], results: Results) -> list[str]:
    """One of them: who, with what, the median, the quartiles, and the ratio to this program with each kernel."""
    taken = results[key]
    middle = median(taken)
    bases = [results.get(Key(workload.name, case.title, OURS, kernel)) for kernel in kernels]
    ratios = [times(middle / median(base)) if base else "" for base in bases]
    quarters = quantiles(taken, method="inclusive") if len(taken) > 1 else [middle] * 3
    spread = f"{shown(quarters[0], workload.unit)} – {shown(quarters[2], workload.unit)}"
    return [key.contender, key.kernel, shown(middle, workload.unit), spread, *ratios]


def grid(workload: Workload, results: Results) -> Lines:
    """A row for every case, a column for every contender."""
    lines = {case.title: {key.contender: key for key, _ in workload.lines(case)} for case in workload.cases}
    every = next(iter(lines.values()))
    titles = [title for title in every if any(results.get(keys[title]) for keys in lines.values())]
    heads = [head for title in titles for head in (title, *(["× the row above"] if workload.growth else []))]
    rows, before = [], dict[str, float]()
    for case, keys in lines.items():
        middles = {title: median(results[key]) for title, key in keys.items() if results.get(key)}
        cells = [cell for title in titles for cell in grid_cells(title, middles, before, workload)]
        found = [(middles.get(top), middles.get(bottom)) for _, top, bottom in workload.ratios]
        rows.append([case, *cells, *(times(top / bottom) if top and bottom else "" for top, bottom in found)])
        before = middles
    yield from table(["", *heads, *(ratio[0] for ratio in workload.ratios)], rows)


def grid_cells(
    title: str, middles: dict[str, float], before: dict[str, float], workload: Workload
) -> Iterator[str]:
    """A contender's median and, where it is wanted, its growth."""
    middle, last = middles.get(title), before.get(title)
    yield shown(middle, workload.unit) if middle is not None else ""
    if workload.growth:
        yield times(middle / last) if middle is not None and last is not None else ""


def targets(results: Results) -> Lines:
    """What was meant to be reached, beside what was."""
    measured = [(target, target.ratio(results)) for target in TARGETS]
    rows = [
        [target.claim, times(ratio), "yes" if target.met(ratio) else "no"]
        for target, ratio in measured
        if ratio is not None
    ]
    if rows:
        yield "## Targets"
        yield ""
        yield from paragraph("Where PyTorch or ONNX Runtime has two lines, the faster counts.")
        yield from table(["target", "measured", "met"], rows)


def amiss(findings: Findings) -> Lines:
    """Who failed, and who computes something else."""
    if findings.amiss:
        yield "## Failures"
        yield ""
        for text in findings.amiss:
            yield "```"
            yield text
            yield "```"
