"""Writing files so that a failure at any point leaves the old one whole."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write(path: str | Path, content: bytes) -> None:
    """Write ``content`` to a temporary file in the same folder, flush it to disk, and rename it to ``path``.

    Raises ``OSError``; nothing is left behind then, and what stood at ``path`` before still does.
    """
    target = Path(path)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~current_umask())
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def current_umask() -> int:
    """The permissions that new files go without."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
