"""Mutants: the shipped models with one to four mistakes, and all that must hold for each of them.

Mistakes are made in the tree of the document (a key less, a key twice, another type, a letter wrong, parts that
change places, absurd numbers and names) and in its bytes (cut off, bits flipped, slips of every kind).

As a program, ``python tests/mutants.py FOLDER COUNT SEED`` validates so many mutants in a folder with the models'
data, within limits of time and memory, and prints what it found as JSON. The mutant in hand is always in the
folder: if the process dies, that is the one.
"""

from __future__ import annotations

import copy
import json
import os
import re
import resource
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from typer.testing import CliRunner

from nbn_spec.cli import app
from nbn_spec.errors import WIDTH
from nbn_spec.spec.models import ModelSpec
from nbn_spec.spec.read import DEEPEST
from nbn_spec.spec.schema import validator

ROOT = Path(__file__).parent.parent
MODELS = {path.name: path.read_bytes() for path in sorted((ROOT / "models").glob("*.json"))}
SPEC = "model.json"
SECONDS, MEMORY = 5.0, 2**30
"""What a mutant may take: time, and memory beyond that of the program itself."""
LIMIT = "256MiB"
"""What a mutant's model may take; the rest of ``MEMORY`` is for finding that out."""
REPORTED = 8
"""Of so many mutants, one is validated with ``--format json`` too."""
UNSAID = {"values", "finite_number", "string_unicode"}
"""What a JSON Schema cannot say: that rows are equally long, numbers finite, and strings text."""

Tree = Any
Draw = Callable[[st.SearchStrategy[Any]], Any]
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
LEAVES = (
    st.sampled_from([None, True, False, [], {}])
    | st.sampled_from(NUMBERS)
    | st.sampled_from(WORDS)
    | st.sampled_from(LITERALS).map(bare)
    | st.text(LETTERS, max_size=8)
)
VALUES = (
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
    return str(draw(st.sampled_from(ways)))


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
    *(delete, repeat, retype, retype, add, rename_key, rename_word, reorder, exchange, copy_elsewhere, shake),
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
    return bytes(draw(st.sampled_from(ways)))


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
    chosen = draw(st.lists(st.sampled_from([*STRUCTURAL, *TEXTUAL]), min_size=1, max_size=4))
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


class Wrong(Exception):
    """Something does not hold for a mutant: a rule, and what was seen instead."""

    def __init__(self, rule: str, seen: str) -> None:
        super().__init__(rule, seen)
        self.rule, self.seen = rule, seen

    @property
    def kind(self) -> str:
        """What failures of the same cause have in common: the rule and, where a traceback was seen, its end."""
        lines = re.findall(r'File "(\S+)", line (\d+)', self.seen)
        return ":".join([self.rule, *lines[-1]] if lines else [self.rule])


class TooSlow(BaseException):
    """The time is up; no ``Exception``, so that nothing takes it for a failure of its own."""


def ring(*_: object) -> None:
    """Raise :class:`TooSlow`."""
    raise TooSlow


HEADING = re.compile(r"model\.json:(\d+):(\d+) (?:error|warning)\[(NBN\d{3})\]")
ELSEWHERE = re.compile(r"(?:\S+:\d+:\d+ )?(?:error|warning)\[(NBN\d{3})\]")
Place = tuple[int, int]


def called(*words: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command; raises :class:`Wrong` for one that fails."""
    result = CliRunner().invoke(app, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise Wrong("an exception", "".join(traceback.format_exception(result.exception)))
    if result.exit_code not in (0, 2):
        raise Wrong(f"exit code {result.exit_code}", result.output)
    return result.exit_code, result.stdout, result.stderr


def line_lengths(content: bytes) -> list[int]:
    """The length of each line in characters; of bytes that are not UTF-8, up to the first that is not."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        text = error.object[: error.start].decode("utf-8-sig", "replace") + "?"
    return [len(line) for line in text.split("\n")]


def check_text(content: bytes, code: int, output: str) -> tuple[list[str], list[Place]]:
    """The form of the text that was printed; returns the codes, and the places in the document."""
    for line in output.split("\n"):
        if len(line) > WIDTH or not line.isprintable():
            raise Wrong("a line too wide, or not printable", f"{line!r}\n{output}")
    headings = [line for line in output.split("\n") if HEADING.match(line) or ELSEWHERE.match(line)]
    located = [match for line in headings if (match := HEADING.match(line))]
    codes = [match[1] for line in headings if (match := ELSEWHERE.match(line))]
    if bool(code) != any("error[" in line for line in headings):
        raise Wrong("exit code and complaints do not match", f"{code}\n{output}")
    if headings[: len(located)] != [match.string for match in located]:
        raise Wrong("complaints of other files before those of the document", output)
    spots = [(int(match[1]), int(match[2])) for match in located]
    check_places(content, spots, output)
    return codes, spots


def check_places(content: bytes, spots: list[Place], seen: str) -> None:
    """Places lie in the text, and in its order."""
    lengths = line_lengths(content)
    if spots != sorted(spots):
        raise Wrong("complaints out of order", seen)
    for line, column in spots:
        if not (1 <= line <= len(lengths) and 1 <= column <= lengths[line - 1] + 1):
            raise Wrong("a place outside of the text", f"{line}:{column}\n{seen}")


def check_report(content: bytes, code: int, codes: list[str], spots: list[Place]) -> None:
    """The report has the published form, and says what the text says."""
    again, output, _ = called("validate", SPEC, "--max-memory", LIMIT, "--format", "json")
    report = json.loads(output)
    if errors := list(validator("report").iter_errors(report)):
        raise Wrong("a report against its schema", str(errors[0]))
    problems = report["files"][0]["problems"]
    inside = [(item["line"], item["column"]) for item in problems if item["file"] == SPEC and item["line"]]
    check_places(content, inside, output)
    if (again, [item["code"] for item in problems][: len(codes)]) != (code, codes) or inside[
        : len(spots)
    ] != spots:
        raise Wrong("report and text differ", f"{codes} {spots}\n{output}")


def check_agreement(content: bytes) -> None:
    """Pydantic and the published schema accept the same documents, but for what a schema cannot say."""
    try:
        document = json.loads(content.decode("utf-8-sig"), object_pairs_hook=unique, parse_constant=refuse)
    except (ValueError, RecursionError):
        return
    if depth(document) > DEEPEST:
        return
    mine, published = refusals(document), validator("model").is_valid(document)
    if published == bool(mine) and not (published and mine <= UNSAID):
        raise Wrong("pydantic and the schema disagree", f"the schema says {published}, pydantic {mine}")


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys are there once; raises ``ValueError`` for another."""
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a key twice")
    return made


def refuse(word: str) -> Any:
    """``NaN`` and its like are no JSON."""
    raise ValueError(word)


def depth(tree: Tree) -> int:
    """How deep a tree nests."""
    level, found = [tree], 0
    while level := [part for part in level if isinstance(part, (dict, list))]:
        level = [item for part in level for item in (part.values() if isinstance(part, dict) else part)]
        found += 1
    return found


def refusals(document: Tree) -> set[str]:
    """The kinds of what pydantic refuses a document for."""
    try:
        ModelSpec.model_validate(document)
    except ValidationError as error:
        return {item["type"] for item in error.errors(include_url=False, include_input=False)}
    return set()


@dataclass
class Findings:
    """What came of all mutants."""

    mutants: int = 0
    seconds: float = 0
    slowest: float = 0
    slowest_mutant: str = ""
    memory: int = 0
    """Bytes, beyond those of the program itself."""
    exits: Counter[int] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    wrong: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By its kind, each failure, and the shortest mutant that has it."""

    def add(self, content: bytes) -> None:
        """Validate a mutant, and check all that must hold."""
        self.mutants += 1
        Path(SPEC).write_bytes(content)
        started = time.perf_counter()
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        try:
            self.check(content)
        except TooSlow:
            self.note(Wrong("too slow", ""), content)
        except Wrong as wrong:
            self.note(wrong, content)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        taken = time.perf_counter() - started
        if taken > self.slowest:
            self.slowest, self.slowest_mutant = taken, repr(content)

    def check(self, content: bytes) -> None:
        """All that must hold; raises :class:`Wrong`."""
        code, output, errors = called("validate", SPEC, "--max-memory", LIMIT)
        self.exits[code] += 1
        codes, spots = check_text(content, code, errors + output)
        self.codes.update(set(codes))
        if self.mutants % REPORTED == 0:
            check_report(content, code, codes, spots)
        check_agreement(content)

    def note(self, wrong: Wrong, content: bytes) -> None:
        """Keep a failure, unless a shorter mutant has it."""
        known = self.wrong.get(wrong.kind)
        if known is None or len(repr(content)) < len(known[1]):
            self.wrong[wrong.kind] = (wrong.seen, repr(content))


def peak() -> int:
    """Bytes that the process has held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def limit_memory() -> None:
    """No more than ``MEMORY`` beyond what the process has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def examine(count: int, number: int) -> Findings:
    """Validate so many mutants of the current folder."""
    found = Findings()
    rules = settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    started, before = time.perf_counter(), peak()
    seed(number)(rules(given(mutants())(found.add)))()
    found.seconds, found.memory = time.perf_counter() - started, peak() - before
    return found


def main() -> None:
    """Run as a program."""
    folder, count, number = sys.argv[1:]
    signal.signal(signal.SIGALRM, ring)
    os.chdir(folder)
    Findings().add(MODELS["digits.json"])  # what is imported on demand counts as the program's own
    limit_memory()
    print(json.dumps(vars(examine(int(count), int(number)))))


if __name__ == "__main__":
    main()
