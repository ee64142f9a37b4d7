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
    from nbn_spec import spec as spec
    from nbn_spec.compiler import compile as compile
    from nbn_spec.diagnosis import Diagnosis as Diagnosis
    from nbn_spec.diagnosis import diagnose as diagnose
    from nbn_spec.errors import ArchiveError as ArchiveError
    from nbn_spec.errors import DataError as DataError
    from nbn_spec.errors import Diverged as Diverged
    from nbn_spec.errors import GraphError as GraphError
    from nbn_spec.errors import NbnError as NbnError
    from nbn_spec.errors import Problem as Problem
    from nbn_spec.errors import Span as Span
    from nbn_spec.errors import SpecError as SpecError
    from nbn_spec.errors import TrainingError as TrainingError
    from nbn_spec.machine import Checkup as Checkup
    from nbn_spec.machine import doctor as doctor
    from nbn_spec.model import Model as Model
    from nbn_spec.model import Trace as Trace
    from nbn_spec.model import load as load
    from nbn_spec.profile import Profile as Profile
    from nbn_spec.train import History as History
    from nbn_spec.train import Trainer as Trainer

__version__ = version.VERSION
ERRORS = "ArchiveError DataError Diverged GraphError NbnError Problem Span SpecError TrainingError"
PUBLIC = {
    "compiler": "compile",
    "diagnosis": "Diagnosis diagnose",
    "errors": ERRORS,
    "machine": "Checkup doctor",
    "model": "Model Trace load",
    "profile": "Profile",
    "train": "History Trainer",
}
"""Public names by module, imported when they are first used: ``load`` never imports pydantic."""

if not TYPE_CHECKING:  # or else a type checker would believe that every name exists
    HOMES = {"spec": "spec"} | {name: module for module, names in PUBLIC.items() for name in names.split()}
    __all__ = list(HOMES)

    def __getattr__(name: str) -> Any:
        if name not in HOMES:
            raise AttributeError(f"module 'nbn_spec' has no attribute {name!r}")
        module = import_module(f"nbn_spec.{HOMES[name]}")
        return module if name == "spec" else getattr(module, name)

    def __dir__() -> list[str]:
        return sorted([*__all__, "__version__"])
