"""Which of its kernels OpenBLAS takes on this CPU, and which it should: chosen before NumPy is imported.

OpenBLAS, which NumPy's wheels bring, holds matrix products written for many CPUs and takes one set of them when it
is loaded, by the CPU's family and model. A release that is older than the CPU may take AVX2 kernels, or those of
2007, where there is AVX-512. The variable ``OPENBLAS_CORETYPE`` names the set instead. Nothing here imports NumPy:
by then the choice is made, for the whole life of the process.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from dataclasses import astuple, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

VARIABLE = "OPENBLAS_CORETYPE"
"""The variable that OpenBLAS reads when it is loaded."""
OPTION, KEEP = "NBN_SPEC_KERNEL", "keep"
"""The variable for the command line's ``--kernel``, and the word that leaves the kernels as they are."""
CPUINFO = Path("/proc/cpuinfo")
HEAD = 2**14
"""Bytes of it that are read: the first CPU stands in them, and the kernel takes its time to write of hundreds."""
AVX512 = frozenset({"avx512f", "avx512dq", "avx512bw", "avx512vl", "avx512cd"})
"""What SkylakeX kernels may use: the flags of Intel's Skylake servers, as /proc/cpuinfo writes them."""
AVX2 = frozenset({"avx2", "fma"})
"""What Haswell kernels may use."""
WIDE, PLAIN = "SkylakeX", "Haswell"
"""The names of OpenBLAS for the kernels that use AVX-512, and AVX2, and no more."""
NARROW = frozenset(
    {
        *("prescott", "banias", "atom", "core2", "penryn", "dunnington", "nehalem", "sandybridge", "haswell"),
        *("athlon", "opteron", "opteron_sse3", "barcelona", "bobcat", "bulldozer", "piledriver", "steamroller"),
        *("excavator", "zen", "nano"),
    }
)
"""Names, in small letters, of kernels without AVX-512. A name that is not here is not ours to judge."""
LIBRARIES = ("libscipy_openblas*", "libopenblas*")
SPELLINGS = ("scipy_openblas_{}64_", "scipy_openblas_{}", "openblas_{}64_", "openblas_{}")
"""How the builds of OpenBLAS call a function."""
PATIENCE = 2000
"""Milliseconds that an answer may take."""


@dataclass(frozen=True)
class Cpu:
    """The first CPU of ``/proc/cpuinfo``: its ``model`` in words, empty where unknown, and its ``flags``."""

    model: str = ""
    flags: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Report:
    """What OpenBLAS says of itself: the ``core`` whose kernels it took, its ``config`` and its ``threads``."""

    core: str
    config: str
    threads: int

    @property
    def version(self) -> str:
        """The release, such as ``0.3.31``; empty where the config tells none."""
        return next((word for word in self.config.split() if word[0].isdigit()), "")


def cpu(source: Path = CPUINFO) -> Cpu:
    """The CPU of this machine; one without model and flags where the system does not tell, as outside Linux."""
    try:
        with open(source, "rb") as file:
            return parsed(file.read(HEAD).decode(errors="replace"))
    except OSError:
        return Cpu()


def parsed(text: str) -> Cpu:
    """The first CPU that a text as in ``/proc/cpuinfo`` describes; ARM calls its flags features."""
    said: dict[str, str] = {}
    for line in text.splitlines():
        key, _, value = line.partition(":")
        said.setdefault(key.strip(), value.strip())
    flags = said.get("flags", said.get("Features", ""))
    return Cpu(said.get("model name", ""), frozenset(flags.split()))


def library() -> Path | None:
    """The OpenBLAS that NumPy's wheel brings; ``None`` where NumPy uses another BLAS, or that of the system.

    NumPy is looked up, not imported.
    """
    try:
        found = find_spec("numpy")
    except (ImportError, ValueError):
        return None
    if found is None or found.origin is None:
        return None
    package = Path(found.origin).parent
    folders = (package.parent / "numpy.libs", package / ".libs", package / ".dylibs")
    found_there = (path for folder in folders for name in LIBRARIES for path in sorted(folder.glob(name)))
    return next(found_there, None)


def ask(path: Path | str) -> Report:
    """What an OpenBLAS says of itself. Loads it into this process, which fixes its choice.

    Raises ``OSError`` where it cannot be loaded and ``AttributeError`` where it is no OpenBLAS.
    """
    import ctypes

    loaded = ctypes.CDLL(str(path))
    core, config = (spelt(loaded, name) for name in ("get_corename", "get_config"))
    core.restype = config.restype = ctypes.c_char_p
    name, built = (function().decode(errors="replace") for function in (core, config))
    return Report(name, built, int(spelt(loaded, "get_num_threads")()))


def spelt(loaded: Any, name: str) -> Any:
    """A function of OpenBLAS as this build spells it; raises ``AttributeError`` where it has none."""
    for spelling in SPELLINGS:
        with suppress(AttributeError):
            return getattr(loaded, spelling.format(name))
    raise AttributeError(f"this library has no openblas_{name}")


def reported(path: Path, core: str | None = None) -> Report | None:
    """What :func:`ask` answers in a process like this one, with the variable set to ``core`` if that is given.

    A forked child asks: this process loads nothing, and whatever goes wrong there is ``None`` here, as it is where
    there are no children or where this process has other threads, which a fork would cut off. Takes 4 to 5 ms
    (AMD EPYC of 2 cores, NumPy 2.4), of which loading is nearly all; a fresh ``python -I -S`` takes 9 to 12.
    """
    try:
        if len(os.listdir("/proc/self/task")) > 1:
            return None
        inward, outward = os.pipe()
    except OSError:
        return None
    try:
        child = os.fork()
    except OSError:
        os.close(inward)
        os.close(outward)
        return None
    if child == 0:
        answer(path, core, outward)
    os.close(outward)
    try:
        return received(inward)
    finally:
        os.close(inward)
        end(child)


def answer(path: Path, core: str | None, outward: int) -> NoReturn:
    """The child's part: ask, write the answer, and leave without a word, whatever happens."""
    try:
        import fcntl  # which Windows has not

        outward = fcntl.fcntl(outward, fcntl.F_DUPFD, 3)  # a process without standard streams may have it as one
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)  # where OpenBLAS complains of names that it does not know
        if core is not None:
            os.environ[VARIABLE] = core
        os.write(outward, json.dumps(astuple(ask(path))).encode())
    finally:
        os._exit(0)


def received(inward: int) -> Report | None:
    """The answer that comes through a pipe; ``None`` where none comes in time."""
    waiting = select.poll()
    waiting.register(inward)
    if not waiting.poll(PATIENCE):
        return None
    try:
        return Report(*json.loads(os.read(inward, select.PIPE_BUF)))
    except (ValueError, TypeError):
        return None


def end(child: int) -> None:
    """Stop a child that has answered, or that never will."""
    with suppress(OSError):
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def wanting(core: str) -> bool:
    """Whether kernels for this core leave AVX-512 unused, where the CPU has it."""
    return core.lower() in NARROW


def kept(environ: Mapping[str, str]) -> bool:
    """Whether the variables tell the command line to leave the kernels as they are, in any letter case."""
    return environ.get(OPTION, "").strip().lower() == KEEP


def ours(environ: Mapping[str, str]) -> Path | None:
    """The OpenBLAS whose kernels are ours to choose; ``None`` where they are left alone, whatever they are.

    Never where the variable is set, even to nothing: that is the user's choice. Linux on x86-64 only, as elsewhere
    nobody tells the flags; on a CPU with AVX-512 only, and with an OpenBLAS that came with NumPy.
    """
    if VARIABLE in environ or sys.platform != "linux" or os.uname().machine != "x86_64":
        return None
    return library() if cpu().flags >= AVX512 else None


def choose(environ: Mapping[str, str]) -> str | None:
    """The core that ``OPENBLAS_CORETYPE`` should name; ``None`` to leave it as it is.

    OpenBLAS is asked only where it is :func:`ours`, and again, with the new name, only where its own choice leaves
    AVX-512 unused: a build without such kernels is left alone. Costs 0.04 ms without AVX-512; with it what
    :func:`reported` takes, twice where the answer is a name.
    """
    path = ours(environ)
    said = path and reported(path)
    if not (path and said and wanting(said.core)):
        return None
    again = reported(path, WIDE)
    return WIDE if again is not None and again.core.lower() == WIDE.lower() else None


def apply(environ: MutableMapping[str, str]) -> str | None:
    """Set the variable as :func:`choose` says; returns what it was set to, ``None`` where nothing was done.

    Nothing is done once NumPy is imported: it would change only the children.
    """
    chosen = None if "numpy" in sys.modules else choose(environ)
    if chosen is not None:
        environ[VARIABLE] = chosen
    return chosen
