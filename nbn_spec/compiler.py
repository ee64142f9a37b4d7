"""The compiler.

::

    model.json ──read──▶ document ──validate──▶ ModelSpec ──normalize──▶ canonical ModelSpec
            ──lower──▶ Graph (nodes in forward order, shapes inferred) ──verify──▶ the same, checked anew
            ──initialize──▶ Model

What follows from there, ``plan`` and ``bind``, happens when a model runs, as it depends on the batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from nbn_spec.data import Place
from nbn_spec.errors import SpecError
from nbn_spec.graph import verify
from nbn_spec.model import Model
from nbn_spec.params import Layout, Seed, initialize
from nbn_spec.spec.lower import lower
from nbn_spec.spec.models import ModelSpec
from nbn_spec.spec.normalize import Canonical, normalize
from nbn_spec.spec.read import read_file
from nbn_spec.spec.validate import validate

Source = str | PathLike[str] | Mapping[str, Any] | ModelSpec


def compile(source: Source, *, seed: int | None = None, allow_outside: bool = False) -> Model:
    """A model with initialized parameters from a spec: a path, a dict, or a :class:`~nbn_spec.spec.ModelSpec`.

    ``seed`` replaces the spec's own; ``allow_outside`` lets data files lie outside the spec's folder (the current
    one, where the spec is no file). Raises :class:`SpecError` and :class:`GraphError` with all that is wrong.
    """
    canonical, where = front(source, seed)
    graph = lower(canonical, where)
    verify(graph)
    document = canonical.to_json()
    flat = initialize(graph, Layout.of(graph), Seed.from_json(document["seed"]))
    folder = Path(where).parent if where else Path()
    return Model(graph, flat, document, Place(folder, allow_outside))


def front(source: Source, seed: int | None = None) -> tuple[Canonical, str]:
    """The canonical spec, and the file it came from."""
    where = str(source) if isinstance(source, (str, PathLike)) else ""
    if isinstance(source, ModelSpec):
        spec = source
    elif isinstance(source, Mapping):
        spec = validate(source)
    elif isinstance(source, (str, PathLike)):
        spec = validate(read_file(Path(source)), where)
    else:
        raise SpecError("NBN112", "", f"expected a path, a dict or a ModelSpec, got {type(source).__name__}")
    canonical = normalize(spec, where)
    return (canonical if seed is None else reseeded(canonical, seed)), where


def reseeded(canonical: Canonical, seed: int) -> Canonical:
    """The spec with another seed for the same generator; raises :class:`SpecError` for one that is none."""
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise SpecError("NBN113", "seed", f"must be a whole number from 0 to {2**32 - 1}, got {seed!r}")
    changed: Any = canonical.spec.seed
    update = {"seed": changed.model_copy(update={"value": seed})}
    return Canonical(canonical.spec.model_copy(update=update), canonical.origins)
