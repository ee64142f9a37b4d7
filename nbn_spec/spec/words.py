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
    "standardize": "normalization standardscaler normalize zscore standardise",
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
    "doc": "description comment comments note notes",
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
    "column": "col feature field name columns",
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
    "activation": 'an activation is a node of its own, or belongs to "op": "dense"',
    "input_shape": 'the shape stands where the input is declared: "inputs": {"x": {"shape": ["N", 4]}}',
    "input_dim": 'the shape stands where the input is declared: "inputs": {"x": {"shape": ["N", 4]}}',
    "in_features": "leave it out: it is known from what the node reads",
    "dtype": 'leave it out: "dtype" stands at the top of the document',
    "header": "leave it out: every csv file has a header line",
    "reduction": "leave it out: each loss has its own",
    "learning_rate": 'it belongs in "optimizer": {"name": "sgd", "learning_rate": 0.1}',
    "epochs": 'it belongs in "train"',
    "batch_size": 'it belongs in "train"',
    "optimizer": 'it belongs in "train"',
    "metrics": 'it belongs in "train"',
}
"""Where a key stands that people write elsewhere."""
ABSENT_WORDS = (
    "dropout dropout1d dropout2d alphadropout spatialdropout1d spatialdropout2d gaussiandropout gaussiannoise"
    " batchnorm batchnorm1d batchnorm2d batchnormalization layernorm layernormalization groupnorm instancenorm"
    " conv conv1d conv2d conv3d convolution conv2dtranspose convtranspose2d maxpool maxpool1d maxpool2d"
    " maxpooling1d maxpooling2d avgpool avgpool1d avgpool2d averagepooling1d averagepooling2d"
    " globalaveragepooling1d globalaveragepooling2d globalmaxpooling2d pooling upsampling2d zeropadding2d"
    " lstm gru rnn simplernn lstmcell bidirectional timedistributed embedding attention multiheadattention"
    " transformer transformerencoder filters kernelsize stride strides padding"
    " weightdecay regularizer kernelregularizer biasregularizer activityregularizer kernelconstraint momentum"
    " nesterov dampening amsgrad clipnorm clipvalue gradientclipping gradclip verbose verbosity earlystopping"
    " patience callbacks scheduler lrscheduler warmup decay classweight sampleweight device"
    " rmsprop adagrad adadelta adamax nadam radam lbfgs ftrl lion"
    " precision recall f1 f1score auc rocauc r2 r2score confusionmatrix orthogonal"
    " kldiv kldivergence kldivloss poisson cosinesimilarity tripletloss ctcloss"
)
ABSENT = frozenset(ABSENT_WORDS.split())
"""Words of other frameworks, :func:`folded`, for what this language does not have."""
NONE_YET = "this language has none (yet)"
MOST_LISTED = 12
"""How many known words a help line lists."""
ALIKE = 0.65
"""How alike a key and a known one are, of which the former may be the latter misspelt."""
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
    words = sorted(known)
    if ours := translation(word, words):
        note = NOTES.get(folded(word), "") if ours in ALIASES.get(folded(word), ()) else ""
        return f'did you mean "{ours}"?' if not note else f'did you mean "{ours}", {note}?'
    listed = list(first) or words
    if is_absent(word):
        return f"{NONE_YET}; {listing(listed)}" if 0 < len(listed) <= MOST_LISTED else NONE_YET
    hint = suggestion(word, words)
    return listing(listed) if hint.startswith("known") else hint


def listing(words: list[str]) -> str:
    """The known words, or as many of them as can be read at a glance."""
    more = len(words) - MOST_LISTED
    rest = f", … and {more} more: python -m nbn_spec reference" if more > 0 else ""
    return "known: " + ", ".join(words[:MOST_LISTED]) + rest


def is_absent(word: object) -> bool:
    """Whether a word is another framework's for what this language does not have."""
    return folded(word) in ABSENT


def home_of(key: object, known: Iterable[str]) -> str:
    """Where a key stands that is not known here; nothing for one that has no place, or means one that is known."""
    home = HOMES.get(translation(key, HOMES) or "", "")
    return home if translation(key, known) is None else ""


def suggest_key(key: object, known: Iterable[str]) -> str:
    """The hint for an unknown key, which may stand elsewhere."""
    words = list(known)
    if is_absent(key) and translation(key, words) is None:
        return NONE_YET
    return home_of(key, words) or suggest(key, words)


def meant(word: str, known: Iterable[str]) -> str | None:
    """The known word that an unknown one surely means: another's, or spelt all but the same."""
    words = list(known)
    near = get_close_matches(word.lower()[:100], words, n=2, cutoff=SURE)
    return translation(word, words) or (near[0] if len(near) == 1 else None)


def nearest_key(key: object, known: Iterable[str]) -> str:
    """The known key that an unknown one is most likely to mean, or nothing."""
    words = list(known)
    if ours := translation(key, words):
        return ours
    if is_absent(key) or home_of(key, words):
        return ""
    return next(iter(get_close_matches(str(key).lower()[:100], words, n=1, cutoff=ALIKE)), "")
