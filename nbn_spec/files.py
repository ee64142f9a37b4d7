"""Files: writing so that a failure at any point leaves the old one whole; what reading may raise."""

from __future__ import annotations

import os
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np

DAMAGED = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What NumPy and ``zipfile`` raise when an npy or npz file is damaged, or is none."""


def write(path: str | Path, content: bytes) -> None:
    """Write ``content`` to a temporary file in the same folder, flush it to disk, and rename it to ``path``.

    A link stays one: the file that it leads to is replaced. Raises ``OSError``; nothing is left behind then, and
    what stood at ``path`` before still does.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise IsADirectoryError(f"{path} is a folder")
    temporary = target.with_name(f".{os.urandom(8).hex()}.part")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            os.chmod(temporary, target.stat().st_mode & 0o777)
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def npy_header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and dtype from an npy header; raises ``ValueError``."""
    major, _ = np.lib.format.read_magic(file)
    readers = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}
    if major not in readers:
        raise ValueError(f"npy version {major}")
    shape, _, dtype = readers[major](file)
    return shape, dtype
