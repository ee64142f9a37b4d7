"""How long ``validate`` takes on a large document with mistakes, against the same document without any.

``PYTHONPATH=. python tests/benchmarks/diagnostics.py [ROUNDS]``: 10,000 nodes, a line each. Every round validates
every variant once, so that all see the same machine; told are the medians and their ratios to the sound one.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from typer.testing import CliRunner

from nbn_spec.cli import app

NODES = 10_000
MOST = 3.0
"""The ratio that no variant may exceed."""
Lines = list[str]


def node(number: int) -> str:
    """A node of the chain: linear layers and activations take turns."""
    name, before = f"layer_{number:05}", f"layer_{number - 1:05}" if number else "x"
    if number % 2:
        return f'    {{"name": "{name}", "op": "relu", "inputs": "{before}", "doc": "Activation {number}."}}'
    return f'    {{"name": "{name}", "op": "linear", "inputs": "{before}", "units": 4, "weight": "he_normal"}}'


def sound() -> Lines:
    """The document without a mistake: its head, a line for each node, its foot."""
    head = ["{", '  "name": "chain",', '  "inputs": {"x": {"shape": ["N", 4]}},', '  "nodes": [']
    body = [node(number) + "," for number in range(NODES)]
    body[-1] = body[-1].removesuffix(",")
    return [*head, *body, "  ],", f'  "outputs": ["layer_{NODES - 1:05}"]', "}"]


def line_of(number: int) -> int:
    """The index of a node's line."""
    return 4 + number


def changed(number: int, old: str, new: str) -> Callable[[Lines], Lines]:
    """The change of one word in a node's line."""

    def change(lines: Lines) -> Lines:
        at = line_of(number)
        assert old in lines[at]
        return [*lines[:at], lines[at].replace(old, new, 1), *lines[at + 1 :]]

    return change


def everywhere(old: str, new: str) -> Callable[[Lines], Lines]:
    """The change of a word in every line."""
    return lambda lines: [line.replace(old, new, 1) for line in lines]


MIDDLE, LAST = NODES // 2, NODES - 1
VARIANTS: dict[str, Callable[[Lines], Lines]] = {
    "sound": lambda lines: lines,
    "unknown op at the end": changed(LAST, "relu", "reul"),
    "a key misspelt in the middle": changed(MIDDLE, "units", "unist"),
    "a shape that does not fit": changed(MIDDLE, '"he_normal"', '{"value": [[1, 2], [3, 4]]}'),
    "a cycle of two nodes": changed(MIDDLE, f"layer_{MIDDLE - 1:05}", f"layer_{MIDDLE + 1:05}"),
    "a cycle of all nodes": changed(0, '"x"', f'"layer_{LAST:05}"'),
    "a comma too many": lambda lines: [*lines[:-4], lines[-4] + ",", *lines[-3:]],
    "a comma missing in the middle": changed(MIDDLE, "},", "}"),
    "a bracket missing at the end": lambda lines: lines[:-1],
    "a missing name in the middle": changed(MIDDLE, f"layer_{MIDDLE - 1:05}", "layer_x"),
    "a name twice": changed(MIDDLE, f'"name": "layer_{MIDDLE:05}"', '"name": "layer_00001"'),
    "a key twice": changed(MIDDLE, '"units": 4', '"units": 4, "units": 4'),
    "10,000 misspelt keys": everywhere('"inputs"', '"input"'),
    "10,000 unknown keys": everywhere('"inputs"', '"zzz": 1, "inputs"'),
    "5,000 unknown ops": everywhere('"relu"', '"reul"'),
    "5,000 values of a wrong type": everywhere('"units": 4', '"units": "4"'),
    "5,000 numbers that are not finite": everywhere('"units": 4', '"units": 1e999'),
    "5,000 keys and their values": everywhere('"units": 4', '"unit": "4"'),
    "10,000 missing names": everywhere('"inputs": "layer_', '"inputs": "leyer_'),
    "10,000 names twice": lambda lines: [
        line.replace(f"layer_{i - 4:05}", "same", 1) for i, line in enumerate(lines)
    ],
    "5,000 shapes that do not fit": everywhere('"he_normal"', '{"value": [[1, 2], [3, 4]]}'),
    "10,000 self-cycles": lambda lines: [
        line.replace(f'"inputs": "layer_{i - 5:05}"', f'"inputs": "layer_{i - 4:05}"')
        for i, line in enumerate(lines)
    ],
    "10,000 commas too many": everywhere("},", "},,"),
    "10,000 commas missing": everywhere("},", "}"),
    "10,000 comments": lambda lines: [line + " // why" for line in lines],
    "single quotes": lambda lines: [line.replace('"', "'") for line in lines],
}


def seconds(path: Path) -> tuple[float, str]:
    """The time that a document takes, and the last line that is said of it."""
    started = time.perf_counter()
    result = CliRunner().invoke(app, ["validate", str(path), "--max-memory", "4GiB"])
    taken = time.perf_counter() - started
    assert result.exit_code in (0, 2), result.output[-2000:]
    said = [line for line in result.output.splitlines() if "[NBN" in line or "error" in line or "valid" in line]
    return taken, said[-1].replace(str(path), path.name)[:70]


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    times: dict[str, list[float]] = {title: [] for title in VARIANTS}
    said: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chain.json"
        for _ in range(rounds):
            for title, change in VARIANTS.items():
                path.write_text("\n".join(change(sound())) + "\n")
                taken, said[title] = seconds(path)
                times[title].append(taken)
    medians = {title: median(found) for title, found in times.items()}
    for title, middle in medians.items():
        ratio = middle / medians["sound"]
        print(
            f"{title:34} {middle:7.3f} s  ×{ratio:5.2f}{' !' if ratio > MOST else '  '} {said[title]}", flush=True
        )


if __name__ == "__main__":
    main()
