"""What authors who know other frameworks write, and what they are told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from documents import complaint, drop, good, put, said

from nbn_spec.graph import DTYPES
from nbn_spec.spec import words as table
from nbn_spec.spec.models import DATA, METRIC_MODELS, OPTIMIZER_MODELS, ColumnField, MemberField, ModelSpec, Train
from nbn_spec.spec.nodes import INITS, NODES

MEANT = {
    "loss": (put("/loss/op", "mse"), "#/loss/op", 'did you mean "mean_squared_error"?'),
    "a module's loss": (put("/loss/op", "nn.L1Loss"), "#/loss/op", 'did you mean "mean_absolute_error"?'),
    "logits": (
        put("/loss/op", "BCEWithLogitsLoss"),
        "#/loss/op",
        '"binary_crossentropy", with "from_logits": true?',
    ),
    "classes": (
        put("/loss/op", "CrossEntropyLoss"),
        "#/loss/op",
        '"sparse_categorical_crossentropy", with "from_logits": true?',
    ),
    "no such loss": (put("/loss/op", "qqq"), "#/loss/op", "known: squared_error, mean_squared_error"),
    "op": (put("/nodes/1/op", "mul"), "#/nodes/1/op", 'did you mean "multiply"?'),
    "capital": (put("/nodes/0/op", "Linear"), "#/nodes/0/op", 'did you mean "linear"?'),
    "framework": (put("/nodes/0/op", "nn.Linear"), "#/nodes/0/op", 'did you mean "linear"?'),
    "reduction": (put("/nodes/1/op", "reduce_mean"), "#/nodes/1/op", 'did you mean "mean"?'),
    "initializer": (put("/nodes/0/weight", "kaiming_uniform"), "#/nodes/0/weight", 'did you mean "he_uniform"?'),
    "activation": (
        put("/nodes/0", {"op": "dense", "units": 3, "activation": "swish"}),
        "#/nodes/0/activation",
        'did you mean "silu"?',
    ),
    "no activation": (
        put("/nodes/0", {"op": "dense", "units": 3, "activation": "linear"}),
        "#/nodes/0/activation",
        'did you mean "identity", or leave "activation" out?',
    ),
    "optimizer": (put("/train/optimizer", "SGD"), "#/train/optimizer", 'did you mean "sgd"?'),
    "optimizer with settings": (put("/train/optimizer/name", "Adam"), "#/train/optimizer/name", '"adam"?'),
    "metric": (put("/train/metrics/0", "acc"), "#/train/metrics/0", 'did you mean "accuracy"?'),
    "key": (put("/nodes/0/kernel_initializer", "he"), "#/nodes/0/kernel_initializer", 'did you mean "weight"?'),
    "rate": (put("/train/optimizer/lr", 1), "#/train/optimizer/lr", 'did you mean "learning_rate"?'),
    "rate elsewhere": (put("/train/learning_rate", 1), "#/train/learning_rate", 'it belongs in "optimizer"'),
    "rate elsewhere by another's word": (put("/train/lr", 1), "#/train/lr", 'it belongs in "optimizer"'),
    "epochs elsewhere": (put("/epochs", 1), "#/epochs", 'it belongs in "train"'),
    "type for name": (
        put("/train/optimizer", {"type": "adam"}),
        "#/train/optimizer/type",
        'write "name": "adam" instead of "type"',
    ),
    "no op": (drop("/nodes/1/op"), "#/nodes/1/op", "known: absolute, add,"),
    "no op of the loss": (drop("/loss/op"), "#/loss/op", "known: squared_error, mean_squared_error"),
    "no init": (put("/nodes/0/weight", {}), "#/nodes/0/weight/init", "known: constant, glorot_normal"),
    "number among inputs": (
        put("/nodes/1/inputs", ["z1", 0.5]),
        "#/nodes/1/inputs/1",
        '"constants": {"c": 0.5}, and read "c"',
    ),
    "number as input": (put("/nodes/1/inputs", 2), "#/nodes/1/inputs", '"constants": {"c": 2}'),
    "number where inputs are declared": (put("/inputs", 3), "#/inputs", "expected an object, got 3"),
    "activation with settings": (
        put("/nodes/0", {"op": "dense", "units": 3, "activation": {"op": "leaky_relu", "negative_slope": 0.2}}),
        "#/nodes/0/activation",
        'write {"op": "linear", …} and {"op": "leaky_relu", …}',
    ),
    "every activation": (
        put("/nodes/0", {"op": "dense", "units": 3, "activation": 3}),
        "#/nodes/0/activation",
        "expected the name of an activation, got 3",
    ),
}
MEANT_CODES = {"NBN110", "NBN111", "NBN112", "NBN114"}


@pytest.mark.parametrize(("change", "place", "words"), MEANT.values(), ids=MEANT.keys())
def test_what_was_meant(tmp_path: Path, change: Any, place: str, words: str) -> None:
    path = tmp_path / "model.json"
    error = complaint(path, json.dumps(good(change)).encode())
    assert [p.where for p in error.problems] == [f"{path}{place}"]
    assert error.problems[0].code in MEANT_CODES
    assert words in said(error)


def test_every_translation_is_a_word_of_the_language() -> None:
    models = {**NODES, **INITS, **OPTIMIZER_MODELS, **METRIC_MODELS}
    keys = {key for model in models.values() for key in model.model_fields}
    objects = [ModelSpec, *DATA.values(), ColumnField, MemberField, Train]
    keys |= {key for model in objects for key in model.model_fields} | {*DTYPES, "mt19937", "pcg64"}
    assert set(table.MEANT) <= {*models, *keys}
    assert all(table.folded(word) == word for word in table.ALIASES)
    assert all(words for words in table.MEANT.values())
    assert table.NOTES.keys() <= table.ALIASES.keys()
