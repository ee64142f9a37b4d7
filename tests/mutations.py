"""Mutations: the text of the shipped models with one to four mistakes.

Mistakes are made in the tree of the document (a key less, a key twice, another type, a letter wrong, parts that
change places, absurd numbers and names) and in its bytes (cut off, bits flipped, slips of every kind).
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

ROOT = Path(__file__).parent.parent
MODELS = {path.name: path.read_bytes() for path in sorted((ROOT / "models").glob("*.json"))}
Tree = Any
Draw = st.DrawFn
AGAIN, BARE = "\ue000", "\ue001"
"""Marks in a tree: of a key that is there twice, and around what is written as it stands."""
LITERAL = re.compile(rf'"{BARE}((?:[^"\\]|\\.)*?){BARE}"')


def bare(text: str) -> str:
    """A value that is written as this text, be it JSON or not."""
    return f"{BARE}{text}{BARE}"


LETTERS = "abexyzNX019_-/. \n\t\0\x1b\x7f\x9b\u00e9\u202e\u2028\ud800\U0001f40d"
WORDS = [
    *("", "x", "y", "N", "T", "z1", "a1", "y_hat", "x1", "linear", "dense", "softmax", "sum", "huber", "slice"),
    *("squared_error", "xavier", "he", "zeros", "adam", "accuracy", "all", "int64", "float32", "a/b", "h/linear"),
    *("../x.csv", "data/iris.csv", "data", "/dev/zero", "\0", "\x1b[31m", "é", "\ud800", "x\n", "~", "#", "%s"),
    *("relu" * 5000, "a " * 5000, "🐍" * 3000, "x" * 101, '"' * 60, "\\" * 60),
]
KEYS = [
    *(
        "name",
        "op",
        "inputs",
        "units",
        "weight",
        "bias",
        "value",
        "init",
        "trainable",
        "activation",
        "axis",
        "doc",
    ),
    *("shape", "columns", "dtype", "column", "map", "one_hot", "reshape", "scale", "standardize", "array", "csv"),
    *("npz", "npy", "values", "arrays", "epochs", "batch_size", "optimizer", "learning_rate", "metrics", "lint"),
    *("validation", "fraction", "seed", "nodes", "outputs", "loss", "data", "train", "lr", "loc", "type", "ctx"),
]
NUMBERS = [
    *(0, 1, 2, 3, 5, 65, -1, 0.5, 3.0, -0.0, 1e-320, 1e308, -1e300, 10**5, 10**7, 2**31, 2**32, 2**53),
    *(2**63 - 1, 2**63, -(2**63), 10**30, 10**400, 1e15),
]
LITERALS = [
    *(
        "1e999",
        "-1e999",
        "-0",
        "-0.0",
        "1" * 5000,
        "1E400",
        "1" * 310,
        "0." + "3" * 5000,
        "1e-99999",
        "1e2147483648",
    ),
    *("NaN", "Infinity", "-Infinity", "True", "None", "undefined", "nan", "0x10", "01", "1_000", ".5", "+1", "1."),
    *(
        "[" * 70 + "]" * 70,
        "[" * 3000 + "]" * 3000,
        '{"value":' * 200 + "1" + "}" * 200,
        "[" * 60 + "1" + "]" * 60,
    ),
    *("{" * 40, "]" * 40, "[1, 2", "'single'", "b'x'", "[1 2]", '{"a" 1}', "{x: 1}", "// no\n1", "/* no */ 1", ""),
]
LEAVES: st.SearchStrategy[Any] = (
    st.sampled_from([None, True, False])
    | st.builds(list)
    | st.builds(dict)
    | st.sampled_from(NUMBERS)
    | st.sampled_from(WORDS)
    | st.sampled_from(LITERALS).map(bare)
    | st.text(LETTERS, max_size=8)
)
VALUES: st.SearchStrategy[Any] = (
    LEAVES
    | st.lists(LEAVES, max_size=3)
    | st.dictionaries(st.sampled_from([*KEYS, *WORDS[:12]]), LEAVES, max_size=3)
)


def slots(tree: Tree) -> list[tuple[Any, Any]]:
    """Every place of a tree that a value can be put into: its object or list, and its key."""
    found: list[tuple[Any, Any]] = []
    waiting = [tree]
    while waiting:
        owner = waiting.pop()
        keys = list(owner) if isinstance(owner, dict) else range(len(owner))
        found += [(owner, key) for key in keys]
        waiting += [owner[key] for key in keys if isinstance(owner[key], (dict, list))]
    return found


def containers(tree: Tree) -> list[Any]:
    """The tree, and every object and list in it."""
    return [tree, *(owner[key] for owner, key in slots(tree) if isinstance(owner[key], (dict, list)))]


def insert(draw: Draw, owner: Any, key: str, value: Tree) -> None:
    """Another value in an object, under a key that it may have already, or in a list."""
    if isinstance(owner, list):
        owner.insert(draw(st.integers(0, len(owner))), value)
        return
    while key in owner:
        key += AGAIN
    owner[key] = value


def misspelt(draw: Draw, text: str) -> str:
    """A word with one letter changed, missing, or too many; or two that change places."""
    at = draw(st.integers(0, max(0, len(text) - 1)))
    letter = draw(st.sampled_from(LETTERS))
    ways = [
        *(text[:at] + letter + text[at + 1 :], text[:at] + text[at + 1 :], text[:at] + letter + text[at:]),
        *(text[:at] + text[at + 1 : at + 2] + text[at : at + 1] + text[at + 2 :], text.upper()),
    ]
    return draw(st.sampled_from(ways))


def delete(draw: Draw, tree: Tree) -> None:
    """A key or an item less."""
    owner, key = draw(st.sampled_from(slots(tree)))
    del owner[key]


def repeat(draw: Draw, tree: Tree) -> None:
    """A key or an item twice."""
    owner, key = draw(st.sampled_from(slots(tree)))
    insert(draw, owner, str(key), copy.deepcopy(owner[key]))


def retype(draw: Draw, tree: Tree) -> None:
    """Another value."""
    owner, key = draw(st.sampled_from(slots(tree)))
    owner[key] = draw(VALUES)


def add(draw: Draw, tree: Tree) -> None:
    """A value that was not there."""
    insert(draw, draw(st.sampled_from(containers(tree))), draw(st.sampled_from([*KEYS, *WORDS])), draw(VALUES))


def rename_key(draw: Draw, tree: Tree) -> None:
    """A key with a letter wrong, or another one, in its place."""
    objects = [owner for owner in containers(tree) if isinstance(owner, dict) and owner]
    if not objects:
        return
    owner = draw(st.sampled_from(objects))
    old = draw(st.sampled_from(list(owner)))
    new = misspelt(draw, old) if draw(st.booleans()) else draw(st.sampled_from([*KEYS, *WORDS]))
    items = [(new if key == old else key, value) for key, value in owner.items()]
    owner.clear()
    for key, value in items:
        insert(draw, owner, key, value)


def rename_word(draw: Draw, tree: Tree) -> None:
    """A string with a letter wrong."""
    words = [(owner, key) for owner, key in slots(tree) if isinstance(owner[key], str)]
    if words:
        owner, key = draw(st.sampled_from(words))
        owner[key] = misspelt(draw, owner[key])


def other_number(draw: Draw, tree: Tree) -> None:
    """A number that is of the right type, and absurd."""
    numbers = [(owner, key) for owner, key in slots(tree) if isinstance(owner[key], (int, float))]
    if numbers:
        owner, key = draw(st.sampled_from(numbers))
        owner[key] = draw(st.sampled_from(NUMBERS) | st.integers(-3, 300))


def other_word(draw: Draw, tree: Tree) -> None:
    """A string that stands elsewhere in the document, or one that the language knows."""
    words = [(owner, key) for owner, key in slots(tree) if isinstance(owner[key], str)]
    if words:
        owner, key = draw(st.sampled_from(words))
        owner[key] = draw(st.sampled_from([*(other[name] for other, name in words), *WORDS]))


def reorder(draw: Draw, tree: Tree) -> None:
    """A list or an object in another order."""
    owner = draw(st.sampled_from(containers(tree)))
    if isinstance(owner, list):
        owner[:] = draw(st.permutations(owner))
        return
    items = draw(st.permutations(list(owner.items())))
    owner.clear()
    owner.update(items)


def exchange(draw: Draw, tree: Tree) -> None:
    """Two parts that change places; of one within the other, a copy."""
    (first, one), (second, other) = draw(st.tuples(*[st.sampled_from(slots(tree))] * 2))
    left, right = copy.deepcopy(first[one]), copy.deepcopy(second[other])
    first[one], second[other] = right, left


def copy_elsewhere(draw: Draw, tree: Tree) -> None:
    """A part that stands at another place too."""
    owner, key = draw(st.sampled_from(slots(tree)))
    part = copy.deepcopy(owner[key])
    insert(draw, draw(st.sampled_from(containers(tree))), str(key), part)


def shake(draw: Draw, tree: Tree) -> None:
    """One name with a letter wrong wherever it stands: the same mistake many times, or none at all."""
    words = sorted({owner[key] for owner, key in slots(tree) if isinstance(owner[key], str)})
    if not words:
        return
    old = draw(st.sampled_from(words))
    new = misspelt(draw, old)
    for owner, key in slots(tree):
        if owner[key] == old:
            owner[key] = new


STRUCTURAL: list[Callable[[Draw, Tree], None]] = [
    *(delete, repeat, retype, add, rename_key, rename_word, reorder, exchange, copy_elsewhere, shake),
    *(other_number, other_word, other_number, other_word),
]

MARKS = [b"[", b"]", b"{", b"}", b",", b":", b'"', b"'", b";", b"=", b"(", b")"]
INSERTED = [
    *(
        b"\0",
        b"\xff",
        b"\xc3",
        b"\xed\xa0\x80",
        b"\xef\xbb\xbf",
        "\u2028".encode(),
        b"\x1b[2J",
        b"\r",
        b"\t",
        b"\n",
    ),
    *(b"//x\n", b"/* x */", b"/* x", b"# x\n", b"'", b'"', b",", b":", b"=", b"=>", b"{", b"}", b"[", b"]", b"\\"),
    *(b"\\ud800", b"\\u12", b" ", b"\xc2\xa0", "“".encode(), b"True", b"-", b"1", b"e", b"<!--", b"...", b";"),
    *(b" " * 3000, b"[" * 100, b"\n" * 500, b"]" * 100, b'"' * 7),
]


def places(content: bytes, pattern: bytes) -> list[int]:
    """Where a pattern is found, and the end of the text."""
    return [*(match.start() for match in re.finditer(pattern, content)), len(content)]


def cut(draw: Draw, content: bytes) -> bytes:
    """All behind a place is gone."""
    return content[: draw(st.integers(0, len(content)))]


def remove(draw: Draw, content: bytes) -> bytes:
    """A few bytes less."""
    at = draw(st.integers(0, len(content)))
    return content[:at] + content[at + draw(st.integers(1, 20)) :]


def put_in(draw: Draw, content: bytes) -> bytes:
    """A few bytes more."""
    at = draw(st.integers(0, len(content)))
    return content[:at] + draw(st.sampled_from(INSERTED) | st.binary(min_size=1, max_size=4)) + content[at:]


def flip(draw: Draw, content: bytes) -> bytes:
    """One bit the other way."""
    at = draw(st.integers(0, max(0, len(content) - 1)))
    changed = bytes(byte ^ 1 << draw(st.integers(0, 7)) for byte in content[at : at + 1])
    return content[:at] + changed + content[at + 1 :]


def take_mark(draw: Draw, content: bytes) -> bytes:
    """A bracket, comma, colon or quote less."""
    at = draw(st.sampled_from(places(content, rb'[][{},:"]')))
    return content[:at] + content[at + 1 :]


def double_mark(draw: Draw, content: bytes) -> bytes:
    """The same twice."""
    at = draw(st.sampled_from(places(content, rb'[][{},:"]')))
    return content[:at] + content[at : at + 1] + content[at:]


def change_mark(draw: Draw, content: bytes) -> bytes:
    """Another mark in its place."""
    at = draw(st.sampled_from(places(content, rb'[][{},:"]')))
    return content[:at] + draw(st.sampled_from(MARKS)) + content[at + 1 :]


def trailing_comma(draw: Draw, content: bytes) -> bytes:
    """A comma before a closing bracket."""
    at = draw(st.sampled_from(places(content, rb"[]}]")))
    return content[:at] + b"," + content[at:]


def comment(draw: Draw, content: bytes) -> bytes:
    """A comment at the end of a line."""
    at = draw(st.sampled_from(places(content, rb"\n")))
    return content[:at] + draw(st.sampled_from([b" // why", b" # why", b" /* why */", b" /* why"])) + content[at:]


def single_quotes(draw: Draw, content: bytes) -> bytes:
    """Single quotes, from a place on."""
    at = draw(st.sampled_from(places(content, b'"')))
    return content[:at] + content[at:].replace(b'"', b"'", draw(st.sampled_from([1, 2, 4, -1])))


def whole(draw: Draw, content: bytes) -> bytes:
    """The whole text in another form."""
    ways = [
        *(b"\xef\xbb\xbf" + content, b"\xef\xbb\xbf" * 2 + content, content.replace(b"\n", b"\r\n")),
        *(content.replace(b"\n", b"\r"), content.replace(b"\n", b" "), content.replace(b"\n", b"\n\n")),
        *(content.decode(errors="replace").encode("utf-16"), content * 2, b"[" + content + b"]", content + b"\0"),
        *(content.decode("latin-1").encode(), content.replace(b" ", b"\t"), content.replace(b" ", b"\xc2\xa0")),
        *(content[::-1], b"", b"PK\3\4" + content, b"model = " + content, content.replace(b"\n", b"\f\n")),
    ]
    return draw(st.sampled_from(ways))


TEXTUAL: list[Callable[[Draw, bytes], bytes]] = [
    *(
        cut,
        remove,
        put_in,
        flip,
        take_mark,
        double_mark,
        change_mark,
        trailing_comma,
        comment,
        single_quotes,
        whole,
    ),
]


def written(tree: Tree, indent: int | None, ascii_only: bool) -> bytes:
    """A tree as text."""
    text = json.dumps(tree, ensure_ascii=False, indent=indent).replace(AGAIN, "")
    text = re.sub(LITERAL, lambda match: str(json.loads(f'"{match[1]}"')), text)
    if ascii_only:
        text = re.sub(r"[^\0-\x7f]", lambda match: json.dumps(match[0])[1:-1], text)
    return text.replace(BARE, "").encode(errors="surrogatepass")


@st.composite
def mutants(draw: Draw) -> bytes:
    """The text of a shipped model with one to four mistakes."""
    content = draw(st.sampled_from(list(MODELS.values())))
    kinds: list[Any] = draw(
        st.sampled_from([STRUCTURAL, STRUCTURAL, STRUCTURAL, TEXTUAL, [*STRUCTURAL, *TEXTUAL]])
    )
    chosen = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=4))
    changes = [change for change in chosen if change in STRUCTURAL]
    if changes:
        tree = json.loads(content)
        for change in changes:
            if slots(tree):
                change(draw, tree)
        content = written(tree, draw(st.sampled_from([2, 0, None])), draw(st.booleans()))
    for edit in chosen:
        content = edit(draw, content) if edit in TEXTUAL else content
    return bytes(content)
