"""Other frameworks, where they are installed."""

from __future__ import annotations

import warnings
from importlib import import_module
from importlib.util import find_spec
from typing import Any


def peer(name: str) -> Any:
    """A module of another framework, or ``None`` without it; what it warns of while it loads is its own affair."""
    if find_spec(name.partition(".")[0]) is None:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return import_module(name)
