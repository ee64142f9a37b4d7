"""Words of other frameworks and what this language calls the same, for the hints of complaints.

The next best hint after these is a word that is spelt alike: :func:`nbn_spec.errors.suggestion`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from nbn_spec.errors import suggestion
from nbn_spec.ops import OPS

LOGITS = 'with "from_logits": true'
ALIASES: Mapping[str, str] = {
    "mse": "mean_squared_error",
    "mseloss": "mean_squared_error",
    "meansquared": "mean_squared_error",
    "mae": "mean_absolute_error",
    "l1": "mean_absolute_error",
    "l1loss": "mean_absolute_error",
    "huberloss": "huber",
    "smoothl1loss": "huber",
    "crossentropy": "sparse_categorical_crossentropy",
    "crossentropyloss": "sparse_categorical_crossentropy",
    "bce": "binary_crossentropy",
    "bceloss": "binary_crossentropy",
    "bcewithlogitsloss": "binary_crossentropy",
    "mul": "multiply",
    "sub": "subtract",
    "div": "divide",
    "abs": "absolute",
    "neg": "negative",
    "pow": "power",
    "dot": "matmul",
    "mm": "matmul",
    "bmm": "matmul",
    "swish": "silu",
    "logistic": "sigmoid",
    "permute": "transpose",
    "cat": "concatenate",
    "concat": "concatenate",
    "reducemean": "mean",
    "reducesum": "sum",
    "reducemax": "max",
    "fc": "linear",
    "gemm": "linear",
    "linear": "identity",
    "none": "identity",
    "kernelinitializer": "weight",
    "weightinitializer": "weight",
    "kernel": "weight",
    "biasinitializer": "bias",
    "usebias": "bias",
    "outfeatures": "units",
    "hiddenunits": "units",
    "lr": "learning_rate",
    "type": "name",
    "acc": "accuracy",
    "categoricalaccuracy": "accuracy",
    "sparsecategoricalaccuracy": "accuracy",
    "xavieruniform": "glorot_uniform",
    "xaviernormal": "glorot_normal",
    "kaiminguniform": "he_uniform",
    "kaimingnormal": "he_normal",
    "msra": "he_normal",
}
"""By another word, :func:`folded`, ours."""
NOTES: Mapping[str, str] = {
    "crossentropy": f"{LOGITS} where it reads scores",
    "crossentropyloss": LOGITS,
    "bcewithlogitsloss": LOGITS,
    "linear": 'or leave "activation" out',
    "none": 'or leave "activation" out',
    "usebias": "where false leaves it out",
}
"""What else is to be said of a word's translation."""
HOMES: Mapping[str, str] = {
    "learning_rate": 'it belongs into "optimizer": {"name": "sgd", "learning_rate": 0.1}',
    "epochs": 'it belongs into "train"',
    "batch_size": 'it belongs into "train"',
    "optimizer": 'it belongs into "train"',
    "metrics": 'it belongs into "train"',
}
"""Where a key stands that people write elsewhere."""
LOSSES = tuple(word for word, op in OPS.items() if op.is_loss)


def folded(word: object) -> str:
    """A word without capitals, marks and the module that it comes from: ``nn.BCELoss`` is ``bceloss``."""
    return re.sub(r"[^a-z0-9]", "", str(word)[:100].lower().rpartition(".")[2])


def translation(word: object, known: Iterable[str]) -> str | None:
    """The known word that is the same but for capitals and marks, or that another framework calls so."""
    plain = {folded(name): name for name in known}
    ours = ALIASES.get(folded(word))
    return plain.get(folded(word)) or (ours if ours in plain.values() else None)


def suggest(word: object, known: Iterable[str], first: Iterable[str] = ()) -> str:
    """The hint for an unknown word; where none is near, the known ones, of which those of ``first`` are enough."""
    words = list(known)
    if ours := translation(word, words):
        note = NOTES.get(folded(word), "") if ALIASES.get(folded(word)) == ours else ""
        return f'did you mean "{ours}"?' if not note else f'did you mean "{ours}", {note}?'
    hint = suggestion(word, words)
    listed = list(first)
    return "known: " + ", ".join(listed) if listed and hint.startswith("known") else hint


def suggest_key(key: object, known: Iterable[str]) -> str:
    """The hint for an unknown key, which may stand elsewhere."""
    words = list(known)
    home = HOMES.get(translation(key, HOMES) or "")
    return home if home and translation(key, words) is None else suggest(key, words)


def nearest_key(key: object, known: Iterable[str]) -> str:
    """The known key that an unknown one is most likely to mean, or nothing."""
    words = list(known)
    near = get_close_matches(str(key).lower()[:100], words, n=1, cutoff=0.6)
    return translation(key, words) or next(iter(near), "")
