"""What people write in another form than this language has, and the form that they mean.

A rule looks at the values of one kind of place, and says nothing of those that are as they should be. The rules
stand in :data:`LEVELS` from the outside in: what one puts right, the next may look into.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from nbn_spec.errors import Steps, shorten
from nbn_spec.spec.hints import ANY, LEFT_OUT, Complaint, Rule, Seen, said, shown
from nbn_spec.spec.lengths import is_length, is_number, length_meant, lengths, no_lengths
from nbn_spec.spec.models import DATA, ModelSpec
from nbn_spec.spec.nodes import INIT_FORMS, NODES, Sized
from nbn_spec.spec.words import LOSSES, folded, meant, translation

NO_BIAS = ("false", "none", "no", "off", "null")
"""What people write for a bias that there is not, :func:`folded`."""
PREDICTIONS = ("prediction", "predictions", "pred", "ypred", "output", "outputs", "logits", "yhat")
TARGETS = ("target", "targets", "label", "labels", "ytrue", "y")
"""Keys for what a loss reads, :func:`folded`."""
FILES = ("file", "path", "filename", "filepath", "source")
"""Keys for the path of a data file, :func:`folded`."""
KINDS_OF_FILE = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".npz": "npz", ".npy": "npy"}
"""By how a file's name ends, its key in ``data``."""
FIELDS = {"csv": "columns", "npz": "arrays"}
"""By a kind of data, the key that holds an entry for each input."""
STATE = re.compile(r"[\w.]+\.(weight|bias|running_mean|running_var|num_batches_tracked|weight_ih_l0|weight_hh_l0)")
"""A key in a state dict of PyTorch."""
REFERENCE = "python -m nbn_spec reference"


def is_array(value: object) -> bool:
    """Whether a value is a list, or an array that Python code gives."""
    return isinstance(value, (list, tuple)) or (hasattr(value, "tolist") and getattr(value, "ndim", 0) > 0)


def stranger(document: Mapping[str, Any]) -> Complaint | None:
    """The complaint about a document that another program has written."""
    hint = f'a spec lists "nodes" and "outputs": {REFERENCE}'
    if "nodes" in document:
        return None
    if "keras_version" in document or {"class_name", "config"} <= document.keys() or "modelTopology" in document:
        return said("NBN112", (), "this is a Keras model config, not a spec", hint)
    if document and all(isinstance(key, str) and STATE.fullmatch(key) for key in document):
        hint = f'a spec lists "nodes", whose "weight" may be {{"value": …}}: {REFERENCE}'
        return said("NBN112", (), "this is a state dict of PyTorch, not a spec", hint)
    return None


def wrapped(seen: Seen) -> Complaint | None:
    """A document inside a key of another."""
    known = {field.alias or name for name, field in ModelSpec.model_fields.items()}
    found = (key for key in seen.value if key not in known and isinstance(seen.value[key], Mapping))
    key = next((key for key in found if seen.value[key].keys() & {"nodes", "layers"}), None)
    if key is None or "nodes" in seen.value:
        return None
    rest = {name: value for name, value in seen.value.items() if name != key}
    inner = {name: value for name, value in seen.value[key].items() if name not in rest}
    moves = tuple(((name,), (key, name)) for name in {*known, *inner} - rest.keys())
    more: dict[str, Any] = {"of_key": True, "better": {**inner, **rest}, "at": (), "moves": moves}
    hint = "take that object out: its keys stand at the top"
    return said("NBN111", (key,), f'the document stands inside "{key}"', hint, **more)


def inputs_listed(seen: Seen) -> Complaint | None:
    """Inputs as a list: of names, or of objects with names."""
    items = seen.value
    if not isinstance(items, (list, tuple)) or not items:
        return None
    if all(isinstance(item, str) for item in items):
        hint = f'each name has its shape: write {{"{items[0]}": {{"shape": ["N", 2]}}}}, with its own lengths'
        return seen.expected("an object", None, hint)
    if not all(isinstance(item, Mapping) and isinstance(item.get("name"), str) for item in items):
        return None
    if len({item["name"] for item in items}) < len(items):
        return None
    better = {item["name"]: {key: value for key, value in item.items() if key != "name"} for item in items}
    moves: dict[Steps, Steps] = {(item["name"],): (i,) for i, item in enumerate(items)}
    return seen.expected("an object", better, moves=moves)


def nodes_by_name(seen: Seen) -> Complaint | None:
    """Nodes as an object: by their names, or a single one."""
    nodes = seen.value
    if not isinstance(nodes, Mapping) or not nodes:
        return None
    if "op" in nodes:
        return seen.expected("a list", [nodes], moves={(0,): ()})
    if not all(isinstance(node, Mapping) for node in nodes.values()):
        return None
    better = [{"name": name, **node} for name, node in nodes.items()]
    hint = f"each node in a list has its name: write {shown(better)}"
    return seen.expected("a list", better, hint, {(i,): (name,) for i, name in enumerate(nodes)})


def outputs_by_name(seen: Seen) -> Complaint | None:
    """Outputs as an object: their names are wanted."""
    if not isinstance(seen.value, Mapping) or not seen.value:
        return None
    names = list(seen.value.values())
    return seen.expected("a list", names) if all(isinstance(name, str) for name in names) else None


def output_by_name(seen: Seen) -> Complaint | None:
    """One output as an object with a name."""
    name = seen.value.get("name") if isinstance(seen.value, Mapping) else None
    return seen.expected("a string", name) if isinstance(name, str) else None


def operands(seen: Seen) -> Complaint | None:
    """What a node reads, as an object of names or as lists in a list."""
    value = seen.value
    if isinstance(value, Mapping) and value and all(isinstance(name, str) for name in value.values()):
        return seen.expected("a string or a list", list(value.values()))
    if not isinstance(value, (list, tuple)) or not any(isinstance(item, (list, tuple)) for item in value):
        return None
    flat = list(chain.from_iterable(item if isinstance(item, (list, tuple)) else [item] for item in value))
    return seen.expected("a string or a list of strings", flat) if all(isinstance(n, str) for n in flat) else None


def data_form(seen: Seen) -> Complaint | None:
    """Data as the path of a file, as records, or without the key that says what kind of data it is."""
    forms = "an object with one of the keys " + ", ".join(f'"{kind}"' for kind in DATA)
    value = seen.value
    if isinstance(value, str):
        return seen.expected(forms, better, moves={}) if (better := of_file(value, {}, seen)) else None
    if isinstance(value, (list, tuple)) and value and all(isinstance(row, Mapping) for row in value):
        keys = value[0].keys()
        if not keys or keys & DATA.keys() or any(row.keys() != keys for row in value):
            return None
        places: dict[Steps, Steps] = {("values", key, i): (i, key) for key in keys for i in range(len(value))}
        return seen.expected(forms, {"values": {key: [row[key] for row in value] for key in keys}}, moves=places)
    if not isinstance(value, Mapping) or value.keys() & DATA.keys():
        return None
    if any(name in value for name in seen.inputs) and all(is_array(item) for item in value.values()):
        return seen.expected(forms, {"values": dict(value)}, moves={("values",): ()})
    return data_file(seen)


def data_file(seen: Seen) -> Complaint | None:
    """Data whose file stands under a key that does not say its kind."""
    key = next((key for key in seen.value if folded(key) in FILES and isinstance(seen.value[key], str)), None)
    if key is None:
        return None
    path = seen.value[key]
    rest = {name: item for name, item in seen.value.items() if name not in (key, "type", "format", "kind")}
    better = of_file(path, rest, seen)
    if better is None:
        return None
    kind = next(iter(better))
    moves: dict[Steps, Steps] = {(kind,): (key,)}
    if kind in FIELDS:
        moves |= {(FIELDS[kind], name): (name,) for name in rest if name in seen.inputs}
    return seen.unknown(key, f"write {shown(better)}", better, moves)


def of_file(path: str, rest: Mapping[str, Any], seen: Seen) -> dict[str, Any] | None:
    """Data from a file, whose kind its name tells; ``rest`` stands beside it, entries for inputs among it."""
    kind = next((kind for end, kind in KINDS_OF_FILE.items() if path.lower().endswith(end)), None)
    if kind == "npy" and len(seen.inputs) > 1:
        return None
    if kind == "npy":
        return {"npy": {next(iter(seen.inputs), "x"): path}}
    if kind is None:
        return None
    entries = {name: item for name, item in rest.items() if name in seen.inputs}
    others = {name: item for name, item in rest.items() if name not in entries}
    return {kind: path, **others, **({FIELDS[kind]: entries} if entries else {})}


def npy_path(seen: Seen) -> Complaint | None:
    """One npy file, without the name of its input."""
    if not isinstance(seen.value, str):
        return None
    better = {next(iter(seen.inputs), "x"): seen.value}
    if len(seen.inputs) > 1:
        hint = f"write {shown(better)[:-1]}, …}}, with a file for each input"
        return seen.expected("an object", None, hint)
    return seen.expected("an object", better)


def codes(seen: Seen) -> Complaint | None:
    """The codes of warnings that are not wanted, alone."""
    return seen.expected("an object", {"ignore": list(seen.value)}) if isinstance(seen.value, list) else None


def share(seen: Seen) -> Complaint | None:
    """The share of examples to validate on, alone."""
    if not is_number(seen.value) or not 0 < seen.value < 100 or seen.value == 1:
        return None
    fraction = seen.value / 100 if seen.value > 1 else seen.value
    return seen.expected("an object", {"fraction": fraction})


def percent(seen: Seen) -> Complaint | None:
    """A share in percent."""
    if not is_number(seen.value) or not 1 < seen.value < 100:
        return None
    better = seen.value / 100
    return said(
        "NBN113", seen.path, f"must be less than 1, got {shorten(seen.value)}", f"write {better}", better=better
    )


def loss_ends(seen: Seen) -> Complaint | None:
    """A loss that names its prediction and its target, each by a key."""
    if not isinstance(seen.value, Mapping) or "inputs" in seen.value:
        return None
    first, second = (
        next((key for key in seen.value if folded(key) in keys and isinstance(seen.value[key], str)), None)
        for keys in (PREDICTIONS, TARGETS)
    )
    if first is None or second is None:
        return None
    ends = [seen.value[first], seen.value[second]]
    rest = {key: value for key, value in seen.value.items() if key not in (first, second)}
    hint = f'write "inputs": {json.dumps(ends)} instead of "{first}" and "{second}"'
    moves: dict[Steps, Steps] = {("inputs",): (first,), ("inputs", 0): (first,), ("inputs", 1): (second,)}
    return seen.unknown(first, hint, {**rest, "inputs": ends}, moves)


def loss_name(seen: Seen) -> Complaint | None:
    """A loss whose op is called its name."""
    loss = seen.value
    word = loss.get("name") if isinstance(loss, Mapping) and "op" not in loss else None
    op = translation(word, LOSSES) if isinstance(word, str) else None
    if op is None:
        return None
    outputs = seen.document.get("outputs")
    output = outputs[0] if isinstance(outputs, (list, tuple)) and outputs else "y_hat"
    ends = [loss[key] for words in (PREDICTIONS, TARGETS) for key in loss if folded(key) in words]
    inputs = loss.get("inputs", ends if len(ends) == 2 else [output, seen.inputs[-1] if seen.inputs else "y"])
    known = ("name", "reduction", "inputs")
    rest = {key: v for key, v in loss.items() if key not in known and folded(key) not in PREDICTIONS + TARGETS}
    better = {"op": op, "inputs": inputs, **rest}
    more: dict[str, Any] = {
        "better": better,
        "at": seen.path,
        "moves": (((*seen.path, "op"), (*seen.path, "name")),),
    }
    return said("NBN110", (*seen.path, "name"), '"op" is missing', f"write {shown(better)}", guess=True, **more)


def bare_shape(seen: Seen) -> Complaint | None:
    """An input as nothing but its shape."""
    if isinstance(seen.value, Mapping) or (items := lengths(seen.value)) is None:
        return None
    shape = [length_meant(item, i == 0) for i, item in enumerate(items)]
    if not shape or None in shape:
        return None
    if any(isinstance(length, str) for length in shape[1:]):
        return None
    behind = shape[1:] if isinstance(shape[0], str) else shape
    return seen.expected("an object", {"shape": ["N", *behind]}, moves={("shape",): ()})


def shape(seen: Seen) -> Complaint | None:
    """A shape as text or as a number, or with lengths that are no lengths."""
    items = lengths(seen.value)
    if items is None or not items:
        return None
    listed = isinstance(seen.value, (list, tuple))
    wrong = [i for i, item in enumerate(items) if not is_length(item)] if listed else []
    better: list[Any] = [
        length_meant(item, i == 0) if i in wrong or not listed else item for i, item in enumerate(items)
    ]
    if None in better or (listed and not wrong):
        return None
    if is_number(seen.value):
        better = ["N", *better]
    if not listed:
        return seen.expected("a list", better)
    code, message = no_lengths([items[i] for i in wrong])
    where = (*seen.path, wrong[0]) if len(wrong) == 1 else seen.path
    if any(i and isinstance(better[i], str) for i in wrong):  # how long that axis is, nobody knows
        return said(code, where, message, 'only the batch, "N" in front, is open: write its length')
    hint = f"write {shown(better[wrong[0]] if len(wrong) == 1 else better)}"
    if wrong == [0] and better[0] == "N":
        hint = f'the batch is "N": {json.dumps(better)}'
    return said(code, where, message, hint, better=better, at=seen.path)


def dtype(seen: Seen) -> Complaint | None:
    """The dtype of real numbers at an input."""
    word = translation(seen.value, ["float32", "float64"]) if isinstance(seen.value, str) else None
    if word is None:
        return None
    hint = 'leave it out: "dtype" stands at the top, inputs name only "int64"'
    return said("NBN114", seen.path, f"unknown dtype {shorten(seen.value)}", hint, better=LEFT_OUT)


def bare_op(seen: Seen) -> Complaint | None:
    """A node as nothing but its op's name."""
    op = meant(seen.value, NODES) if isinstance(seen.value, str) else None
    if op is None:
        return None
    if issubclass(NODES[op], Sized):
        return seen.expected("an object", None, f'write {{"op": "{op}", "units": 3}}, with a number of its own')
    return seen.expected("an object", {"op": op})


def op_as_key(seen: Seen) -> Complaint | None:
    """A node under its op's name."""
    node = seen.value
    if not isinstance(node, Mapping) or "op" in node:
        return None
    keys = (key for key in node if isinstance(key, str) and isinstance(node[key], Mapping))
    key = next((key for key in keys if translation(key, NODES)), None)
    if key is None:
        return None
    rest = {name: value for name, value in node.items() if name != key}
    better = {**rest, "op": translation(key, NODES), **node[key]}
    moves: dict[Steps, Steps] = {(name,): (key, name) for name in node[key]}
    return seen.unknown(key, f"write {shown(better)}", better, {("op",): (key,), **moves})


def takes(node: object, key: str) -> bool:
    """Whether a node's op has a key, or may have it."""
    op = node.get("op") if isinstance(node, Mapping) else None
    return isinstance(op, str) and op in NODES and key in NODES[op].model_fields


def loose(seen: Seen) -> Complaint | None:
    """Settings of a node's weight that stand in the node itself."""
    node = seen.value
    if not takes(node, "weight"):
        return None
    given = {key: node[key] for key in ("init", "trainable") if key in node}
    weight = node.get("weight", {})
    weight = {"init": weight} if isinstance(weight, str) else weight
    if not given or not isinstance(weight, Mapping) or given.keys() & weight.keys():
        return None
    better = {key: value for key, value in node.items() if key not in given} | {"weight": {**weight, **given}}
    key = next(iter(given))
    moves: dict[Steps, Steps] = {("weight", key): (key,) for key in given}
    return seen.unknown(key, f'write "weight": {shown(better["weight"])}', better, moves)


def use_bias(seen: Seen) -> Complaint | None:
    """The wish for a bias, which is there anyway."""
    if not takes(seen.value, "bias"):
        return None
    key = next((key for key in seen.value if folded(key) == "usebias" and seen.value[key] is True), None)
    if key is None:
        return None
    better = {name: value for name, value in seen.value.items() if name != key}
    return seen.unknown(key, "leave it out: a bias is the default", better)


def is_strange(seen: Seen) -> bool:
    """Whether the op of the node, whose key this is, has no such key: then it is the key that is wrong."""
    node = seen.document["nodes"][seen.path[1]]
    op = node.get("op")
    return isinstance(op, str) and op in NODES and not takes(node, str(seen.path[2]))


def bias(seen: Seen) -> Complaint | None:
    """A bias that is to be there, or not to be, in other words."""
    value = seen.value
    if is_strange(seen):
        return None
    if value is True or (isinstance(value, str) and folded(value) == "true"):
        return seen.expected(f"{INIT_FORMS}, or false", LEFT_OUT, "leave it out: a bias is the default")
    if value is None or (isinstance(value, str) and folded(value) in NO_BIAS):
        return seen.expected(f"{INIT_FORMS}, or false", False, "write false, which leaves it out")
    return None


def values(seen: Seen) -> Complaint | None:
    """A parameter as nothing but its values."""
    if is_strange(seen):
        return None
    forms = INIT_FORMS + ", or false" * (seen.path[-1] == "bias")
    if is_array(seen.value):
        return seen.expected(forms, {"value": seen.value}, moves={("value",): ()})
    if is_number(seen.value):
        return seen.expected(forms, {"init": "constant", "constant": seen.value})
    return None


def constant(seen: Seen) -> Complaint | None:
    """The initializer of one number, which is called its value."""
    given = seen.value
    if not isinstance(given, Mapping) or given.get("init") != "constant" or "value" not in given:
        return None
    if "constant" in given:
        return None
    if is_array(given["value"]):
        exact = {key: value for key, value in given.items() if key != "init"}
        return seen.unknown("init", f"write {shown(exact)}", exact)
    better = {"constant" if key == "value" else key: value for key, value in given.items()}
    return seen.unknown("value", f"write {shown(better)}", better, {("constant",): ("value",)})


def leaf_values(seen: Seen) -> Complaint | None:
    """A parameter of the graph as nothing but its values."""
    if not is_array(seen.value) and not is_number(seen.value):
        return None
    return seen.expected(
        '{"value": …} or {"shape": […], "init": …}', {"value": seen.value}, moves={("value",): ()}
    )


def constant_object(seen: Seen) -> Complaint | None:
    """A constant in an object, as parameters are."""
    if not isinstance(seen.value, Mapping) or not (
        is_array(seen.value.get("value")) or is_number(seen.value.get("value"))
    ):
        return None
    return seen.expected("a number or lists of numbers", seen.value["value"])


LEVELS: tuple[dict[Steps, Sequence[Rule]], ...] = (
    {(): [wrapped]},
    {
        ("inputs",): [inputs_listed],
        ("nodes",): [nodes_by_name],
        ("outputs",): [outputs_by_name],
        ("loss",): [loss_name],
        ("data",): [data_form],
        ("lint",): [codes],
        ("train", "validation"): [share],
    },
    {
        ("inputs", ANY): [bare_shape],
        ("nodes", ANY): [bare_op, op_as_key],
        ("outputs", ANY): [output_by_name],
        ("parameters", ANY): [leaf_values],
        ("constants", ANY): [constant_object],
        ("loss",): [loss_ends],
        ("data", "npy"): [npy_path],
        ("train", "validation", "fraction"): [percent],
    },
    {
        ("inputs", ANY, "shape"): [shape],
        ("inputs", ANY, "dtype"): [dtype],
        ("nodes", ANY): [loose],
        ("nodes", ANY, "inputs"): [operands],
    },
    {("nodes", ANY): [use_bias]},
    {
        ("nodes", ANY, "weight"): [values, constant],
        ("nodes", ANY, "bias"): [bias, values, constant],
    },
)
"""The rules by the kind of their place, those of the outer places first."""
