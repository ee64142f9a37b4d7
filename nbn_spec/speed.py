"""How fast matrix products are with one environment and another, each measured in processes of its own.

A process chooses kernels and starts threads once, when NumPy is imported. So every measurement is a fresh Python,
and the settings take turns, round after round: what slows the machine for a while slows them all.
"""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import prod
from pathlib import Path
from statistics import geometric_mean, median
from typing import Any

from nbn_spec import kernel

Case = tuple[str, int, int, int]
SMALL: Case = ("float32", 128, 784, 512)
"""A layer of 512 units on a batch of 128 images."""
CASES: tuple[Case, ...] = (("float32", 1024, 1024, 1024), ("float64", 1024, 1024, 1024), SMALL)
"""What is measured: a dtype, and the rows, inner length and columns of a product."""
EPSILON = {"float32": 2.0**-23, "float64": 2.0**-52}
COMPARED = 16
"""Rows of a product that are compared with plain sums."""
LEAST = 3
"""Products that are timed at least, however long they take."""
LONGEST = 120
"""Seconds after which a process is given up."""
WORKER = (
    "import json, sys\nsys.path[:] = json.loads(sys.argv[1])\n"
    "from nbn_spec.speed import work\nwork(float(sys.argv[2]))"
)


class Failed(Exception):
    """A measurement that did not come about; says why."""


@dataclass(frozen=True)
class Setting:
    """An environment by what it changes: variables to set and, where ``None``, to take out."""

    name: str
    changes: Mapping[str, str | None]

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """``environ`` with the changes made."""
        changed = {**environ, **self.changes}
        return {name: value for name, value in changed.items() if value is not None}


@dataclass(frozen=True)
class Sample:
    """What one process found: its NumPy, its BLAS, its times and its numbers.

    ``openblas`` is ``None`` where the BLAS is another; ``rates`` holds the GFLOP/s of each case, ``alone`` that of
    the small one on one thread, if OpenBLAS let itself be told; ``errors``, by dtype, how far the small product is
    from sums that NumPy adds up without a BLAS, relative to these: infinite where it holds what is no number.
    """

    numpy: str
    blas: str
    library: str
    openblas: kernel.Report | None
    rates: Mapping[Case, float]
    alone: float | None
    errors: Mapping[str, float]


@dataclass(frozen=True)
class Measured:
    """A setting with a sample for each round, or with the reason why there is none."""

    setting: Setting
    samples: tuple[Sample, ...] = ()
    failure: str = ""

    @property
    def openblas(self) -> kernel.Report | None:
        """What OpenBLAS said of itself in this setting; ``None`` where it is another BLAS, or nothing is known."""
        return self.samples[0].openblas if self.samples else None

    @property
    def core(self) -> str:
        """The core whose kernels were in force; empty where unknown."""
        return self.openblas.core if self.openblas else ""

    @property
    def threads(self) -> int | None:
        """The number of threads; ``None`` where unknown."""
        return self.openblas.threads if self.openblas else None

    def rate(self, case: Case) -> float | None:
        """The median GFLOP/s of a case; ``None`` where it was not measured."""
        return median(sample.rates[case] for sample in self.samples) if self.samples else None

    @property
    def alone(self) -> float | None:
        """The median GFLOP/s on one thread; ``None`` where it was not measured."""
        known = [sample.alone for sample in self.samples if sample.alone is not None]
        return median(known) if known else None

    def error(self, dtype: str) -> float | None:
        """The largest relative error of its products; ``None`` where it was not measured."""
        return max((sample.errors[dtype] for sample in self.samples), default=None)

    @property
    def is_right(self) -> bool | None:
        """Whether its products are right to rounding; ``None`` where it was not measured."""
        errors = ((dtype, self.error(dtype)) for dtype in EPSILON)
        known = [error <= agreement(dtype) for dtype, error in errors if error is not None]
        return all(known) if known else None


def gains(fast: Measured, slow: Measured, cases: Iterable[Case] = CASES) -> list[float]:
    """How many times faster one setting is than another, in each round: the geometric mean over the cases."""
    wanted = list(cases)
    rounds = zip(fast.samples, slow.samples, strict=False)  # no rounds where one of them failed
    return [geometric_mean(a.rates[case] / b.rates[case] for case in wanted) for a, b in rounds]


def gains_alone(fast: Measured, slow: Measured) -> list[float]:
    """How many times faster one setting is than another on one thread, in each round, as far as that is known.

    This tells kernels apart even beside other work: threads that share a core with it wait for each other, and
    may take a hundred times as long.
    """
    rounds = zip(fast.samples, slow.samples, strict=False)
    return [a.alone / b.alone for a, b in rounds if a.alone and b.alone]


def agreement(dtype: str) -> float:
    """The largest relative difference that rounding explains: a unit in the last place for each term of a sum."""
    return SMALL[2] * EPSILON[dtype]


def compare(
    settings: Sequence[Setting], environ: Mapping[str, str], rounds: int, seconds: float
) -> list[Measured]:
    """Measure the settings in turn, ``rounds`` times; what fails once is not tried again."""
    found = [Measured(setting) for setting in settings]
    for _ in range(rounds):
        found = [once_more(measured, environ, seconds) for measured in found]
    return found


def once_more(measured: Measured, environ: Mapping[str, str], seconds: float) -> Measured:
    """A setting with another sample."""
    if measured.failure:
        return measured
    try:
        found = sample(measured.setting, environ, seconds)
    except Failed as failure:
        return Measured(measured.setting, failure=str(failure))
    return Measured(measured.setting, (*measured.samples, found))


def sample(setting: Setting, environ: Mapping[str, str], seconds: float) -> Sample:
    """Measure in a fresh process, so many seconds for each case; raises :class:`Failed`."""
    if not sys.executable:
        raise Failed("this program does not know which Python to start")
    command = [sys.executable, "-P", "-c", WORKER, json.dumps(paths()), str(seconds)]
    try:
        with leash() as end:
            done = subprocess.run(
                command,
                env=setting.environment(environ),
                stdin=end,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=LONGEST,
                check=False,
            )
    except subprocess.TimeoutExpired:
        raise Failed(f"a Python to measure in was not done after {LONGEST:g} seconds") from None
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise Failed(f"a Python to measure in failed: {error}") from None
    if done.returncode:
        raise Failed(f"a Python to measure in {ended(done.returncode)}: {complaint(done.stderr)}")
    return read(done.stdout)


@contextmanager
def leash() -> Iterator[int]:
    """The end of a pipe to read from, whose other end this process closes when it is done here, or dies."""
    inward, outward = os.pipe()
    try:
        yield inward
    finally:
        os.close(inward)
        os.close(outward)


def follow() -> None:
    """End this process when the other end of its leash is closed: what started it is no longer there to listen."""
    os.read(0, 1)
    os._exit(1)


def paths() -> list[str]:
    """Where the fresh process finds modules: where this one does, less ``""``, the current folder."""
    return [*filter(None, map(str, sys.path)), str(Path(__file__).parent.parent)]


def ended(code: int) -> str:
    """How a process ended: a negative code is that of a signal."""
    with suppress(ValueError):
        if code < 0:
            return f"was ended by {signal.Signals(-code).name}"
    return f"ended with code {code}"


def complaint(text: str) -> str:
    """What a process complained of: the last line that OpenBLAS wrote, or else the last of all."""
    lines = text.strip().splitlines()
    theirs = [line for line in lines if line.startswith("OpenBLAS")]
    return (theirs or lines or ["it did not say why"])[-1]


def read(text: str) -> Sample:
    """The sample that a process printed; raises :class:`Failed`."""
    try:
        said = json.loads(text.strip().splitlines()[-1])
        openblas = said["openblas"] and kernel.Report(*said["openblas"])
        rates = dict(zip(CASES, said["rates"], strict=True))
        errors = {dtype: float(said["errors"][dtype]) for dtype in EPSILON}
        names = (said["numpy"], said["blas"], said["library"])
        return Sample(*names, openblas, rates, said["alone"], errors)
    except (ValueError, LookupError, TypeError) as error:
        raise Failed(f"a Python to measure in said nothing that can be read: {error!r}") from None


def work(seconds: float) -> None:
    """The part of the fresh process: import NumPy, measure, print."""
    threading.Thread(target=follow, daemon=True).start()
    import numpy as np

    loaded = mapped() or kernel.library()
    config: Any = np.show_config(mode="dicts")
    built = config.get("Build Dependencies", {}).get("blas", {})
    said = {
        "numpy": np.__version__,
        "blas": f"{built.get('name', '')} {built.get('version', '')}".strip(),
        "library": str(loaded or ""),
        "openblas": loaded and introduced(loaded),
        "rates": [rate(case, seconds) for case in CASES],
        "errors": {dtype: error(dtype) for dtype in EPSILON},
        "alone": rate(SMALL, seconds) if loaded and alone(loaded) else None,  # the last, as it stays so
    }
    print("\n" + json.dumps(said))


def mapped() -> Path | None:
    """The OpenBLAS that this process has loaded, a wheel's or the system's, as Linux tells it."""
    try:
        lines = Path("/proc/self/maps").read_text().splitlines()
    except OSError:
        return None
    paths = (Path(line[line.index("/") :]) for line in lines if "/" in line)
    return next((path for path in paths if "openblas" in path.name), None)


def introduced(path: Path) -> list[Any] | None:
    """What an OpenBLAS says of itself; ``None`` where it cannot be asked."""
    try:
        said = kernel.ask(path)
    except (OSError, AttributeError):
        return None
    return [said.core, said.config, said.threads]


def alone(path: Path) -> bool:
    """Tell an OpenBLAS to use one thread; returns whether it could be told."""
    import ctypes

    try:
        kernel.spelt(ctypes.CDLL(str(path)), "set_num_threads")(1)
    except (OSError, AttributeError):
        return False
    return True


def factors(case: Case) -> tuple[Any, Any]:
    """Two matrices of numbers from 0 to 1, always the same, whose product no term leaves small."""
    import numpy as np

    dtype, rows, inner, columns = case
    draws = np.random.default_rng(0)
    return draws.random((rows, inner)).astype(dtype), draws.random((inner, columns)).astype(dtype)


def rate(case: Case, seconds: float) -> float:
    """GFLOP/s of a product: its multiplications and additions over the median time."""
    import numpy as np

    left, right = factors(case)
    out = left @ right
    times = timed(lambda: np.matmul(left, right, out=out), seconds)
    return 2 * prod(case[1:]) / median(times) / 1e9


def timed(action: Callable[[], object], seconds: float) -> list[float]:
    """Times of an action that is repeated for so many seconds, and a few times at least."""
    times: list[float] = []
    while len(times) < LEAST or sum(times) < seconds:
        start = time.perf_counter()
        action()
        times.append(max(time.perf_counter() - start, 1e-9))  # of a clock too coarse to tell
    return times


def error(dtype: str) -> float:
    """The largest error of rows from all over the small product, relative to sums added up without a BLAS."""
    import numpy as np

    left, right = factors((dtype, *SMALL[1:]))
    every = slice(None, None, len(left) // COMPARED)
    plain = np.array([(row[:, None] * right).sum(axis=0) for row in left[every].astype("float64")])
    return relative((left @ right)[every], plain)


def relative(found: Any, plain: Any) -> float:
    """The largest difference between two arrays relative to the second; infinite where either is not finite.

    Beside a zero, only a zero is right.
    """
    import numpy as np

    with np.errstate(all="ignore"):
        off = np.abs(found - plain) / np.abs(plain)
    off = np.where((found == plain) & np.isfinite(plain), 0.0, off)
    return float(off.max()) if np.isfinite(off).all() and np.isfinite(found).all() else math.inf
