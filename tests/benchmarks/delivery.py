"""Where the document goes: into a file or to standard output; what was measured is not lost where that fails."""

from __future__ import annotations

import argparse
import errno
import io
import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any


def target(text: str) -> Path:
    """The file that ``--out`` names, seen to be writable before anything is measured."""
    path = Path(os.path.realpath(text))
    try:
        told = fault(text, path)
        if not told:
            beside(path).touch()
            beside(path).unlink()
    except OSError as error:
        told = f'cannot write "{text}": {error.strerror}'
    if told:
        raise argparse.ArgumentTypeError(told)
    return path


def fault(text: str, path: Path) -> str:
    """Why no document can stand there; empty where one can."""
    if not text:
        return "must name a file, got nothing"
    if path.is_dir() or text.endswith(("/", os.sep)):
        return f'"{text}" names a folder; name a file in it'
    if path.exists() and not path.is_file():
        return f'"{text}" is no regular file; leave --out away to print'
    return "" if path.parent.is_dir() else f'there is no folder "{path.parent}"; make it first'


def beside(path: Path) -> Path:
    """The file that is written before it takes the place of ``path``."""
    return path.with_name(f"{path.name}.{os.getpid()}.part")


def write(path: Path, text: str) -> None:
    """Write a file in one step, so that no half of it stands there."""
    part = beside(path)
    try:
        part.write_text(text, encoding="utf-8", errors="replace")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def deliver(text: str, path: Path | None) -> bool:
    """Write the document, or print it; ``False`` where it could not be put where it should go."""
    if path is None:
        return printed(text)
    try:
        write(path, text)
    except OSError as error:
        say(f'error: cannot write "{path}": {error.strerror}; the document is printed instead')
        printed(text)
        return False
    return True


def printed(text: str) -> bool:
    """Print the document; where that fails, keep it in a temporary file and tell which."""
    if (error := shown(text)) is not None:
        say(f"error: cannot print: {error.strerror}; {kept(text)}")
    return error is None


def shown(text: str) -> OSError | None:
    """Print as UTF-8, whatever the terminal's encoding; tells what hindered it."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    try:
        put(sys.stdout, text)
    except OSError as error:
        return error
    return None


def kept(text: str) -> str:
    """Put the document into the folder for temporary files, and say where."""
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", errors="replace", prefix="benchmarks-", suffix=".md", delete=False
        ) as file:
            file.write(text)
    except OSError as error:
        return f"nor can it be kept: {error.strerror}"
    return f'the document is in "{file.name}"'


def say(text: str) -> None:
    """A line for whoever waits; that nobody can read it is no reason to stop measuring."""
    with suppress(OSError):
        put(sys.stderr, text + "\n")


def put(stream: Any, text: str) -> None:
    """Write at once. A stream that fails leads nowhere from then on, as it would be flushed again at the end."""
    if stream is None:
        raise OSError(errno.EBADF, "it is closed")
    try:
        stream.write(text)
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        raise
