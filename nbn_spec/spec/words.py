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
MEANT: Mapping[str, str] = {
    # operations
    "linear": "fc gemm affine innerproduct fullyconnected addmm perceptron",
    "matmul": "dot mm bmm batchmatmul einsum tensordot",
    "sigmoid": "logistic expit",
    "leaky_relu": "prelu rrelu",
    "relu": "relu6 rectifier",
    "silu": "swish hardswish mish",
    "softmax": "softargmax",
    "identity": "linear none noop passthrough",
    "multiply": "mul times hadamard product",
    "subtract": "sub minus",
    "divide": "div truediv",
    "power": "pow",
    "absolute": "abs",
    "negative": "neg",
    "square": "sqr",
    "mean": "reducemean average avg globalaveragepool",
    "sum": "reducesum",
    "max": "reducemax amax",
    "transpose": "permute swapaxes",
    "reshape": "view squeeze unsqueeze expanddims",
    "concatenate": "cat concat merge stack hstack",
    "standardize": "batchnorm normalization standardscaler normalize zscore standardise",
    # losses
    "squared_error": "l2 l2loss sse quadratic sumofsquares",
    "mean_squared_error": "mse mseloss meansquared rmse",
    "mean_absolute_error": "mae l1 l1loss",
    "huber": "huberloss smoothl1loss smoothl1",
    "hinge": "hingeloss svm marginloss",
    "binary_crossentropy": "bce bceloss bcewithlogitsloss logloss sigmoidcrossentropywithlogits",
    "sparse_categorical_crossentropy": "crossentropy crossentropyloss nll nllloss softmaxcrossentropy"
    " sparsesoftmaxcrossentropywithlogits",
    "categorical_crossentropy": "softmaxcrossentropywithlogits",
    # keys of a node
    "op": "type class classname layer kind optype function",
    "units": "outfeatures hiddenunits neurons size width numunits nunits hidden hiddensize outputdim outdim dim"
    " nodes",
    "weight": "kernelinitializer weightinitializer kernel weights w init initializer",
    "bias": "biasinitializer usebias b intercept",
    "activation": "act activationfunction nonlinearity",
    "inputs": "input from source sources parents inboundnodes",
    "axis": "dim axes",
    "negative_slope": "alpha",
    # keys of the document
    "nodes": "layers ops operations modules network graph model",
    "parameters": "variables params weights",
    "outputs": "output",
    "loss": "criterion cost objective lossfunction lossfn",
    "data": "dataset datasets",
    "train": "training fit",
    "seed": "randomstate randomseed rngseed",
    "name": "type title id",
    # training
    "learning_rate": "lr eta stepsize learningrateinit",
    "epochs": "nepochs numepochs maxiter iterations maxepochs epoch",
    "batch_size": "batch minibatch bs",
    "optimizer": "opt solver",
    "validation": "validationsplit validationfraction valsplit testsplit",
    "metrics": "scoring measure",
    "beta_1": "beta1 b1",
    "beta_2": "beta2 b2",
    "epsilon": "eps",
    "sgd": "gradientdescent gd stochasticgradientdescent momentum",
    "adam": "adamw adamoptimizer",
    "accuracy": "acc categoricalaccuracy sparsecategoricalaccuracy",
    "binary_accuracy": "binaryacc",
    # data
    "separator": "sep delimiter",
    "columns": "cols features fields",
    "column": "col feature field",
    "map": "mapping encoding",
    "one_hot": "classes categories",
    "array": "member key",
    # initializers
    "init": "type name initializer",
    "glorot_uniform": "xavieruniform glorot",
    "glorot_normal": "xaviernormal",
    "he_uniform": "kaiminguniform",
    "he_normal": "kaimingnormal kaiming msra variancescaling",
    "lecun_normal": "lecun",
    "normal": "gaussian randn randomnormal",
    "uniform": "randomuniform rand",
    "truncated_normal": "truncnormal",
    "zeros": "zero",
    "ones": "one",
    "constant": "fill const value",
    "std": "sigma stddev stdev scale",
    "low": "min minval minimum",
    "high": "max maxval maximum",
    # numbers
    "float32": "single float16 half bfloat16",
    "float64": "double float",
    "mt19937": "mersennetwister mt",
    "pcg64": "pcg default",
}
"""For our words those of other frameworks, :func:`folded`."""
NOTES: Mapping[str, str] = {
    "crossentropy": f"{LOGITS} where it reads scores",
    "crossentropyloss": LOGITS,
    "bcewithlogitsloss": LOGITS,
    "linear": 'or leave "activation" out',
    "none": 'or leave "activation" out',
    "usebias": "where false leaves it out",
    "validationsplit": 'as in {"fraction": 0.2}',
    "validationfraction": 'as in {"fraction": 0.2}',
}
"""What else is to be said of a word's translation."""
HOMES: Mapping[str, str] = {
    "momentum": "this optimizer has none",
    "activation": 'an activation is a node of its own, or belongs to "op": "dense"',
    "input_shape": 'the shape stands where the input is declared: "inputs": {"x": {"shape": ["N", 4]}}',
    "input_dim": 'the shape stands where the input is declared: "inputs": {"x": {"shape": ["N", 4]}}',
    "in_features": "it is known from what the node reads",
    "learning_rate": 'it belongs into "optimizer": {"name": "sgd", "learning_rate": 0.1}',
    "epochs": 'it belongs into "train"',
    "batch_size": 'it belongs into "train"',
    "optimizer": 'it belongs into "train"',
    "metrics": 'it belongs into "train"',
}
"""Where a key stands that people write elsewhere."""
SURE = 0.8
"""How alike two words are, of which one is surely the other misspelt."""
LOSSES = tuple(word for word, op in OPS.items() if op.is_loss)


def folded(word: object) -> str:
    """A word without capitals, marks and the module that it comes from: ``nn.BCELoss`` is ``bceloss``."""
    return re.sub(r"[^a-z0-9]", "", str(word)[:100].lower().rpartition(".")[2])


def aliases() -> dict[str, list[str]]:
    """By another word, ours, of which the first that is known where it stands is meant."""
    found: dict[str, list[str]] = {}
    for ours, others in MEANT.items():
        for other in others.split():
            found.setdefault(other, []).append(ours)
    return found


ALIASES = aliases()


def translation(word: object, known: Iterable[str]) -> str | None:
    """The known word that is the same but for capitals and marks, or that another framework calls so."""
    plain = {folded(name): name for name in known}
    ours = (name for name in ALIASES.get(folded(word), ()) if name in plain.values())
    return plain.get(folded(word)) or next(ours, None)


def suggest(word: object, known: Iterable[str], first: Iterable[str] = ()) -> str:
    """The hint for an unknown word; where none is near, the known ones, of which those of ``first`` are enough."""
    words = list(known)
    if ours := translation(word, words):
        note = NOTES.get(folded(word), "") if ours in ALIASES.get(folded(word), ()) else ""
        return f'did you mean "{ours}"?' if not note else f'did you mean "{ours}", {note}?'
    hint = suggestion(word, words)
    listed = list(first)
    return "known: " + ", ".join(listed) if listed and hint.startswith("known") else hint


def suggest_key(key: object, known: Iterable[str]) -> str:
    """The hint for an unknown key, which may stand elsewhere."""
    words = list(known)
    home = HOMES.get(translation(key, HOMES) or "")
    return home if home and translation(key, words) is None else suggest(key, words)


def meant(word: str, known: Iterable[str]) -> str | None:
    """The known word that an unknown one surely means: another's, or spelt all but the same."""
    words = list(known)
    near = get_close_matches(word.lower()[:100], words, n=2, cutoff=SURE)
    return translation(word, words) or (near[0] if len(near) == 1 else None)


def nearest_key(key: object, known: Iterable[str]) -> str:
    """The known key that an unknown one is most likely to mean, or nothing."""
    words = list(known)
    near = get_close_matches(str(key).lower()[:100], words, n=1, cutoff=0.6)
    return translation(key, words) or next(iter(near), "")
