"""The language: specs as pydantic models, read, checked, made canonical and published as JSON Schema.

``ModelSpec``, ``Input`` and the other classes build a spec in Python; every op is a class here too, in CamelCase:
``spec.Linear(name="z1", units=3, weight="xavier")``.
"""

from __future__ import annotations

from typing import Any

from nbn_spec.spec.models import (
    DATA,
    METRIC_MODELS,
    OPTIMIZER_MODELS,
    CsvData,
    Drawn,
    Input,
    ModelSpec,
    NpyData,
    NpzData,
    Train,
    ValidationObject,
    ValuesData,
)
from nbn_spec.spec.nodes import INITS, NODES, Default, Dense, Exact

CLASSES: dict[str, Any] = {
    model.__name__: model for table in (NODES, INITS, OPTIMIZER_MODELS, METRIC_MODELS) for model in table.values()
}
"""Classes that are derived from tables, by name."""


def __getattr__(name: str) -> Any:
    if name in CLASSES:
        return CLASSES[name]
    raise AttributeError(f"module 'nbn_spec.spec' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *CLASSES])


__all__ = [
    "DATA",
    "CsvData",
    "Default",
    "Dense",
    "Drawn",
    "Exact",
    "Input",
    "ModelSpec",
    "NpyData",
    "NpzData",
    "Train",
    "ValidationObject",
    "ValuesData",
]
