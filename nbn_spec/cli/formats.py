"""How outputs are written: csv, JSON, npy and npz."""

from __future__ import annotations

import csv
import io
import json
import math
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nbn_spec.checks import listed
from nbn_spec.cli.report import Shown
from nbn_spec.errors import DataError

Writer = Callable[[Sequence[Shown]], bytes]


def infinite(result: Shown) -> str:
    """Which of its first numbers are infinite or none at all; empty where all are finite."""
    values = np.asarray(result.values)
    bad = ~np.isfinite(values)
    if not bad.any():
        return ""
    return f"is {values!s}" if values.ndim == 0 else f"holds numbers that are not finite: {listed(values, bad)}"


def as_lists(results: Sequence[Shown]) -> dict[str, Any]:
    """Outputs as lists, by name; raises :class:`DataError` for numbers that JSON cannot hold."""
    for result in results:
        if said := infinite(result):
            hint = "csv, npy and npz hold such numbers: --out FILE.csv"
            raise DataError("NBN304", result.name, f"{said}; JSON has none", hint)
    return {result.name: np.asarray(result.values).tolist() for result in results}


def finite(measured: Mapping[str, float]) -> dict[str, float | None]:
    """Measurements as JSON has them: ``null`` for what is not finite."""
    return {name: value if math.isfinite(value) else None for name, value in measured.items()}


def as_json(results: Sequence[Shown]) -> str:
    """Outputs as JSON: a list, or an object where there are several. Raises :class:`DataError`."""
    lists = as_lists(results)
    return json.dumps(lists if len(lists) > 1 else next(iter(lists.values())), allow_nan=False) + "\n"


def as_csv(results: Sequence[Shown]) -> str:
    """Outputs as csv with a header, one row per example; of a lone output without examples, its first axis."""
    whole = [result.name for result in results if not result.batched]
    if whole and len(results) > 1:
        message = "cannot stand in a csv with other outputs, as it has no row for each example"
        raise DataError("NBN303", ", ".join(whole), message, "write --out FILE.json or --out FILE.npz")
    columns = [column for result in results for column in result.columns()]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([title for title, _ in columns])
    writer.writerows(zip(*(map(str, cells) for _, cells in columns), strict=True))
    return text.getvalue()


def as_npz(results: Sequence[Shown]) -> bytes:
    """Outputs as npz, an array for each."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:  # numpy.savez takes no array that is called "file"
        for result in results:
            with archive.open(f"{result.name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(result.values), allow_pickle=False)
    return content.getvalue()


def as_npy(results: Sequence[Shown]) -> bytes:
    """The only output as npy."""
    if len(results) > 1:
        names = ", ".join(result.name for result in results)
        raise DataError("NBN303", names, "are several arrays, and npy holds one", "write .npz")
    content = io.BytesIO()
    np.save(content, results[0].values)
    return content.getvalue()


WRITERS: dict[str, Writer] = {
    ".csv": lambda results: as_csv(results).encode(errors="backslashreplace"),
    ".json": lambda results: as_json(results).encode(),
    ".npy": as_npy,
    ".npz": as_npz,
}


def writer_for(out: Path) -> Writer:
    """How a file of this name is written."""
    if out.suffix.lower() not in WRITERS:
        raise DataError("NBN300", str(out), f"is none of {', '.join(WRITERS)}")
    return WRITERS[out.suffix.lower()]
