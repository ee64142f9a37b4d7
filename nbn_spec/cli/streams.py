"""Standard output and standard error that never stop the work: closed, broken, full, or of another alphabet."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from typing import Any

from nbn_spec.cli.guard import complain
from nbn_spec.errors import Problem, TrainingError


class Outlet:
    """A standard stream. Once it cannot be written, what else is printed is dropped; ``failure`` says why."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.failure: OSError | None = None

    def write(self, text: str) -> int:
        """Print ``text``."""
        self._attempt(lambda: self.stream.write(text))
        return len(text)

    def flush(self) -> None:
        """Hand on what was printed so far."""
        self._attempt(self.stream.flush)

    def _attempt(self, action: Callable[[], object]) -> None:
        try:
            action()
        except OSError as error:
            self.failure = self.failure or error
            silence(self.stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def silence(stream: Any) -> None:
    """Lead a stream nowhere: what still waits in it is lost, and nobody complains of that on the way out."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def open_outlets() -> None:
    """Make outlets of the two standard streams."""
    for name in ("stdout", "stderr"):
        stream: Any = getattr(sys, name)
        if not isinstance(stream, Outlet):
            setattr(sys, name, Outlet(nowhere() if stream is None else legible(stream)))


def nowhere() -> Any:
    """A stream for a process that was started without one."""
    return open(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8", closefd=False)


def legible(stream: Any) -> Any:
    """The stream, in which a sign that its encoding lacks becomes a question mark.

    Files and pipes get UTF-8, unless the user says otherwise: Windows would give them what few programs expect.
    """
    if hasattr(stream, "reconfigure"):
        plain = stream.isatty() or "PYTHONIOENCODING" in os.environ
        stream.reconfigure(encoding=None if plain else "utf-8", errors="replace")
    return stream


def closing_code(code: Any) -> int:
    """The exit code, once all that was printed is through: 2 in place of 0 where there was no way to print it."""
    outlet: Any = sys.stdout
    outlet.flush()
    failure = outlet.failure
    if failure is not None and not is_left(failure):
        message = f"cannot be written: {failure.strerror or failure}"
        complain([Problem("NBN402", "standard output", message, "what went to files is saved")])
        code = code or TrainingError.exit_code
    return int(code or 0)


def is_left(failure: OSError) -> bool:
    """Whether the reader of our output has left, as ``head`` does: that is no error."""
    return isinstance(failure, BrokenPipeError) or (os.name == "nt" and failure.errno == errno.EINVAL)
