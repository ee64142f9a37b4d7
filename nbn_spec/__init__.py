"""nbn_spec: neural networks written as one JSON document, compiled to a static graph, run and trained by NumPy.

::

    import nbn_spec

    model = nbn_spec.compile("models/xor.json")
    history = model.fit()
    model.predict([[0, 1]])
    model.save("xor.npz")
    again = nbn_spec.load("xor.npz")  # needs NumPy only
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from nbn_spec import version

if TYPE_CHECKING:
    from nbn_spec import spec
    from nbn_spec.compiler import compile
    from nbn_spec.errors import ArchiveError, DataError, Diverged, GraphError, NbnError, SpecError, TrainingError
    from nbn_spec.model import Model, load
    from nbn_spec.train import History

__version__ = version.VERSION

PUBLIC = {
    "ArchiveError": "errors",
    "DataError": "errors",
    "Diverged": "errors",
    "GraphError": "errors",
    "History": "train",
    "Model": "model",
    "NbnError": "errors",
    "SpecError": "errors",
    "TrainingError": "errors",
    "compile": "compiler",
    "load": "model",
}
"""Public names and their modules, imported when they are first used: ``load`` never imports pydantic."""


def __getattr__(name: str) -> Any:
    if name in PUBLIC:
        return getattr(import_module(f"nbn_spec.{PUBLIC[name]}"), name)
    if name == "spec":
        return import_module("nbn_spec.spec")
    raise AttributeError(f"module 'nbn_spec' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])


__all__ = [
    "ArchiveError",
    "DataError",
    "Diverged",
    "GraphError",
    "History",
    "Model",
    "NbnError",
    "SpecError",
    "TrainingError",
    "compile",
    "load",
    "spec",
]
