"""Ten mistakes, and what nbn_spec, Keras and PyTorch say to each: the table, and the page that is made from it.

``python -m tests.peers.messages > docs/messages.md``, from the root of the repository.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from itertools import groupby
from operator import itemgetter
from pathlib import Path

ROOT = Path(__file__).parents[2]
FLOWERS = "length,width,kind\n1.4,0.2,0\n4.7,1.4,0\n5.1,five,1\n"
"""A csv file beside every program, for those that read it."""


def document(*nodes: str, inputs: str = "", outputs: str = "y", more: str = "") -> str:
    """A small spec as its author types it: two columns ``x``, further inputs, nodes, further keys."""
    listed = ",\n".join(f"    {node}" for node in nodes)
    inputs = '"x": {"shape": ["N", 2]}' + (f", {inputs}" if inputs else "")
    rest = f",\n  {more}" if more else ""
    head = f'{{\n  "name": "net",\n  "inputs": {{{inputs}}},\n  "nodes": [\n'
    return f'{head}{listed}\n  ],\n  "outputs": ["{outputs}"]{rest}\n}}\n'


def keras(*lines: str, using: str = "Input, Sequential, layers", numpy: bool = False) -> str:
    """A program with Keras: the imports, then ``lines``."""
    imports = ["import numpy as np"] * numpy + [f"from keras import {using}", ""]
    return "\n".join([*imports, *lines, ""])


def keras_fit(layers: str, y: str, loss: str, using: str = "Input, Sequential, layers") -> str:
    """A program with Keras that trains some layers on four rows of two columns."""
    return keras(
        "x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])",
        f"y = np.array({y})",
        f"model = Sequential([Input((2,)), {layers}])",
        f'model.compile("sgd", loss={loss})',
        "model.fit(x, y, verbose=0)",
        using=using,
        numpy=True,
    )


def torch(*lines: str) -> str:
    """A program with PyTorch: the imports, then ``lines``."""
    module = ["import torch"] * any("torch." in line for line in lines)
    return "\n".join([*module, "from torch import nn", "", *lines, ""])


def torch_module(first: str, second: str, *forward: str) -> str:
    """A program with PyTorch that defines a module of two layers and calls it."""
    return torch(
        "",
        "class Net(nn.Module):",
        "    def __init__(self):",
        "        super().__init__()",
        f"        self.hidden = {first}",
        f"        self.out = {second}",
        "",
        "    def forward(self, x):",
        *(f"        {line}" for line in forward),
        "",
        "",
        "net = Net()",
        "net(torch.rand(4, 2))",
    )


def torch_fit(net: str, y: str, loss: str) -> str:
    """A program with PyTorch that trains a net on four rows of two columns."""
    return torch(
        "x = torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])",
        f"y = torch.tensor({y})",
        f"net = {net}",
        f"loss_of = {loss}",
        "optimizer = torch.optim.SGD(net.parameters(), lr=0.1)",
        "for _ in range(100):",
        "    optimizer.zero_grad()",
        "    loss_of(net(x), y).backward()",
        "    optimizer.step()",
    )


@dataclass(frozen=True)
class Mistake:
    """A mistake as it is made in a spec, with Keras and with PyTorch, and how what they say compares."""

    title: str
    ours: tuple[str, ...]
    keras: tuple[str, ...]
    torch: tuple[str, ...]
    compared: str


HIDDEN = '{"name": "h", "op": "dense", "inputs": "x", "units": 3, "activation": "tanh"}'
OUT = '{"name": "y", "op": "linear", "units": 1}'
SOFTMAX = '{"name": "p", "op": "dense", "inputs": "x", "units": 3, "activation": "softmax"}'
ROWS = '"x": [[0, 0], [0, 1], [1, 0], [1, 1]]'
CLASSES = '"label": {"shape": ["N"], "dtype": "int64"}'
SPARSE = '"loss": {"op": "sparse_categorical_crossentropy", "inputs": ["p", "label"]'
SQUARED = '"loss": {"op": "mean_squared_error", "inputs": ["y", "target"]}'
ADDS_AN_AXIS = keras_fit("layers.Dense(1)", "[0, 1, 1, 0]", '"mean_squared_error"')
"""What is a mistake elsewhere and none with Keras: it gives these targets the shape of the predictions."""

MISTAKES = (
    Mistake(
        "A name that nothing has",
        (document(HIDDEN, '{"name": "y", "op": "linear", "inputs": "hh", "units": 1}'),),
        (
            keras(
                "x = Input((2,))",
                'h = layers.Dense(3, activation="tanh")(x)',
                "y = layers.Dense(1)(hh)",
                "model = Model(x, y)",
                using="Input, Model, layers",
            ),
        ),
        (
            torch_module(
                "nn.Linear(2, 3)", "nn.Linear(3, 1)", "h = torch.tanh(self.hidden(x))", "return self.out(hh)"
            ),
        ),
        """\
Python's message is as good as ours: it shows the line and suggests the name. With PyTorch it comes when the net is
first called, not when it is built.""",
    ),
    Mistake(
        "A weight that does not fit the layer before",
        (document(HIDDEN, '{"name": "y", "op": "linear", "weight": {"value": [[0.1, 0.4]]}}'),),
        (
            keras(
                'model = Sequential([Input((2,)), layers.Dense(3, activation="tanh"), layers.Dense(1)])',
                "model.layers[1].set_weights([np.array([[0.1], [0.4]]), np.zeros(1)])",
                numpy=True,
            ),
        ),
        (torch("net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(2, 1))", "net(torch.rand(4, 2))"),),
        """\
Keras's message is as good as ours, and its layers take their widths from what they read, as ours do, so that the
mistake needs weights written by hand. PyTorch asks for both widths; it gives the shapes of the product that
failed, and the line that called the net, but not which layer it was.""",
    ),
    Mistake(
        "An activation that does not exist: “sigmod”",
        (document(HIDDEN.replace("tanh", "sigmod"), OUT),),
        (keras('model = Sequential([Input((2,)), layers.Dense(3, activation="sigmod"), layers.Dense(1)])'),),
        (torch("net = nn.Sequential(nn.Linear(2, 3), nn.Sigmod(), nn.Linear(3, 1))"),),
        """\
Python suggests PyTorch's class, as we suggest the word. Keras names the word and suggests nothing.""",
    ),
    Mistake(
        "A keyword that does not exist: “unitz”, and “activatoin”",
        (
            document(HIDDEN.replace("units", "unitz"), OUT),
            document(HIDDEN.replace("activation", "activatoin"), OUT),
        ),
        (
            keras('model = Sequential([Input((2,)), layers.Dense(unitz=3, activation="tanh"), layers.Dense(1)])'),
            keras('model = Sequential([Input((2,)), layers.Dense(3, activatoin="tanh"), layers.Dense(1)])'),
        ),
        (torch("net = nn.Sequential(nn.Linear(2, out_featurez=3), nn.Tanh(), nn.Linear(3, 1))"),),
        """\
Keras says that `units` is missing, which is true; the word that stands in its place is not named. A misspelled
keyword that may be left out is named. Neither suggests the right one here; from Python 3.13 on, Python itself does
so for functions that list their keywords, as PyTorch's layers do.""",
    ),
    Mistake(
        '−3 units, and the text "3"',
        (document(HIDDEN.replace("3", "-3"), OUT.replace("1", '"3"')),),
        (
            keras('model = Sequential([Input((2,)), layers.Dense(-3, activation="tanh"), layers.Dense(1)])'),
            keras('model = Sequential([Input((2,)), layers.Dense(3, activation="tanh"), layers.Dense("3")])'),
        ),
        (
            torch("net = nn.Sequential(nn.Linear(2, -3), nn.Tanh(), nn.Linear(-3, 1))"),
            torch('net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, "3"))'),
        ),
        """\
Keras's message for −3 is as good as ours; for the text "3" it says `units=3`, without the quotation marks that are
the mistake. PyTorch's messages are those of the function that makes the weight. A program stops at its first
mistake: it took two programs to see both messages, and one spec.""",
    ),
    Mistake(
        "A cycle",
        (
            document(
                '{"name": "a", "op": "dense", "inputs": "b", "units": 2, "activation": "tanh"}',
                '{"name": "b", "op": "dense", "inputs": "a", "units": 2, "activation": "tanh"}',
                outputs="b",
            ),
        ),
        (
            keras(
                "x = Input((2,))",
                'a = layers.Dense(2, activation="tanh")(b)',
                'b = layers.Dense(2, activation="tanh")(a)',
                "model = Model(x, b)",
                using="Input, Model, layers",
            ),
        ),
        (
            torch_module(
                "nn.Linear(2, 2)",
                "nn.Linear(2, 2)",
                "a = torch.tanh(self.hidden(b))",
                "b = torch.tanh(self.out(a))",
                "return b",
            ),
        ),
        """\
A program that runs from top to bottom cannot hold a cycle; who writes one reads a name before it has a value, and
is told so, in the right line. That rules the mistake out. The nodes of a spec may stand in any order, so we must
find the circle, and name it.""",
    ),
    Mistake(
        "Targets of another shape than the predictions: two columns for one, and no columns for one",
        (
            document(OUT, inputs='"target": {"shape": ["N", 2]}', more=SQUARED),
            document(OUT, inputs='"target": {"shape": ["N"]}', more=SQUARED),
        ),
        (
            keras_fit("layers.Dense(1)", "[[1, 0], [0, 1], [0, 1], [1, 0]]", '"mean_squared_error"'),
            ADDS_AN_AXIS,
        ),
        (
            torch_fit("nn.Linear(2, 1)", "[[1.0, 0], [0, 1], [0, 1], [1, 0]]", "nn.MSELoss()"),
            torch_fit("nn.Linear(2, 1)", "[0.0, 1, 1, 0]", "nn.MSELoss()"),
        ),
        """\
Two columns for one: Keras broadcasts and trains on, and says nothing; PyTorch warns, and trains on. No columns for
one: Keras adds the missing axis, which is what the user means, and is kinder than our error; PyTorch warns,
rightly, as it would train on all pairs of predictions and targets.""",
    ),
    Mistake(
        "A label beyond the classes",
        (
            document(
                SOFTMAX,
                inputs=CLASSES,
                outputs="p",
                more=SPARSE + '},\n  "data": {"values": {' + ROWS + ', "label": [1, 2, 3, 1]}}',
            ),
        ),
        (keras_fit('layers.Dense(3, activation="softmax")', "[1, 2, 3, 1]", '"sparse_categorical_crossentropy"'),),
        (torch_fit("nn.Linear(2, 3)", "[1, 2, 3, 1]", "nn.CrossEntropyLoss()"),),
        """\
Keras and PyTorch name the label once training comes to it, but neither its row nor the labels there may be.""",
    ),
    Mistake(
        "A word among the numbers of a csv file",
        (
            document(
                OUT,
                inputs='"target": {"shape": ["N", 1]}',
                more=SQUARED
                + ',\n  "data": {"csv": "flowers.csv", "columns": {"x": ["length", "width"], "target": "kind"}}',
            ),
        ),
        (
            keras(
                'table = np.loadtxt("flowers.csv", delimiter=",", skiprows=1)',
                "model = Sequential([Input((2,)), layers.Dense(1)])",
                'model.compile("sgd", loss="mean_squared_error")',
                "model.fit(table[:, :2], table[:, 2:], verbose=0)",
                numpy=True,
            ),
        ),
        (
            "import numpy as np\n"
            + torch(
                'table = torch.from_numpy(np.loadtxt("flowers.csv", delimiter=",", skiprows=1)).float()',
                "net = nn.Linear(2, 1)",
                "loss = nn.MSELoss()(net(table[:, :2]), table[:, 2:])",
            ),
        ),
        """\
Neither Keras nor PyTorch reads csv files; NumPy does here, for both, and names word, row and column as we do. Its
rows count from 0 below the header, its columns from 1.""",
    ),
    Mistake(
        "`from_logits` behind a softmax",
        (
            document(
                SOFTMAX,
                inputs=CLASSES,
                outputs="p",
                more=SPARSE
                + ', "from_logits": true},\n  "data": {"values": {'
                + ROWS
                + ', "label": [0, 1, 2, 1]}}',
            ),
        ),
        (
            keras_fit(
                'layers.Dense(3, activation="softmax")',
                "[0, 1, 2, 1]",
                "losses.SparseCategoricalCrossentropy(from_logits=True)",
                using="Input, Sequential, layers, losses",
            ),
        ),
        (torch_fit("nn.Sequential(nn.Linear(2, 3), nn.Softmax(dim=1))", "[0, 1, 2, 1]", "nn.CrossEntropyLoss()"),),
        """\
The softmax is taken twice: the cost of three classes cannot fall below 0.55, and nothing fails. Ours is a warning,
an error with `--strict`. In its TensorFlow backend Keras has a warning for this; with PyTorch as its backend it
says nothing.""",
    ),
)


INTRODUCTION = """\
# What is said to a mistake

Ten mistakes, as people make them, and what nbn_spec, Keras and PyTorch say to each. The page is made by
`python -m tests.peers.messages > docs/messages.md`, which runs the programs below as they stand, here with
{versions}. `pip install -e ".[peers]"` installs these versions of
Keras and PyTorch. A test runs all of it again and compares.

- The mistakes are our choice. Keras and PyTorch take any program; a language as small as that of our specs is
  easier to check, and nothing has to run first.
- Of a traceback, the lines in libraries are counted and left out. The lines in the user's own program and the text
  of the error stand as they were printed, but for the names of folders.
- What editors do is not shown. In the Python programs, ruff finds the names of 1 and 6 before anything runs, and
  mypy PyTorch's 3 and 4 and its text of 5. Editors that know JSON Schema find 3, 4 and 5 in a spec.

| mistake | nbn_spec | Keras | PyTorch |
| --- | --- | --- | --- |
"""


@dataclass(frozen=True)
class Said:
    """What was said to a text: the lines to show, how many there were in all, and the gist for the table."""

    text: str
    lines: tuple[str, ...]
    count: int
    gist: str

    def brief(self) -> str:
        """The gist and the length."""
        if not self.count:
            return "none needed" if self.text == ADDS_AN_AXIS else "no message"
        return f"{self.gist}, {self.count} line{'s' * (self.count > 1)}"


def ran(name: str, text: str, *command: str) -> list[str]:
    """The lines that a command prints in a folder that holds ``text`` under a name, and the csv file."""
    with tempfile.TemporaryDirectory() as made:
        folder = os.path.realpath(made)
        Path(folder, name).write_text(text, encoding="utf-8")
        Path(folder, "flowers.csv").write_text(FLOWERS, encoding="utf-8")
        settings = {"PYTHONPATH": str(ROOT), "COLUMNS": "100", "PYTHONUTF8": "1"}
        settings |= {"KERAS_BACKEND": "torch", "KERAS_HOME": folder}
        done = subprocess.run(
            [sys.executable, *command, name],
            cwd=folder,
            env={**os.environ, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=300,
        )
        return done.stdout.replace(folder + os.sep, "").splitlines()


def ours(spec: str) -> Said:
    """What ``validate`` says to a spec."""
    lines = ran("model.json", spec, "-m", "nbn_spec", "validate")
    codes = re.findall(r"(?:error|warning)\[(NBN\d+)\]", "\n".join(lines))
    return Said(spec, tuple(lines), len(lines), ", ".join(codes))


def theirs(program: str) -> Said:
    """What Python says to a program; of a traceback the lines in libraries are left out."""
    lines = ran("model.py", program)
    kinds = re.findall(r"^(?:\S+: )?(\w+(?:Error|Warning)): ", "\n".join(lines), re.MULTILINE)
    return Said(program, tuple(cut(lines)), len(lines), kinds[-1] if kinds else "")


def cut(lines: list[str]) -> Iterator[str]:
    """A traceback in which the lines of libraries are counted in place of shown."""
    for in_library, group in groupby(zip(lines, in_libraries(lines), strict=True), key=itemgetter(1)):
        shown = [re.sub(r"^\S*/site-packages/", "…/", line) for line, _ in group]
        yield from [f"  … {len(shown)} lines in libraries …"] if in_library else shown


def in_libraries(lines: list[str]) -> Iterator[bool]:
    """For each line whether it tells of a call within a library; messages do not."""
    library = False
    for line in lines:
        if line.startswith("  File "):
            library = not line.startswith('  File "model.py"')
        elif not line.startswith("    "):
            library = False
        yield library


def fenced(language: str, text: str) -> str:
    """A block of Markdown."""
    return f"```{language}\n{text.strip()}\n```\n"


def our_panel(said: Said) -> str:
    """A spec, and what ``validate`` prints."""
    printed = "\n".join(["$ python -m nbn_spec validate model.json", *said.lines])
    return f"{fenced('json', said.text)}\n{fenced('console', printed)}"


def their_panel(said: Said) -> str:
    """A program, and what its user sees."""
    program = fenced("python", said.text)
    if not said.count:
        told = "and none is needed" if said.text == ADDS_AN_AXIS else "it trains silently"
        return f"{program}\nNo message: {told}.\n"
    traceback = any(line.startswith("Traceback") for line in said.lines)
    lead = f"A traceback of {said.count} lines:" if traceback else "A warning, and it trains on:"
    return f"{program}\n{lead}\n\n{fenced('text', chr(10).join(said.lines))}"


@dataclass(frozen=True)
class Section:
    """A mistake with everything that was said to it."""

    number: int
    mistake: Mistake
    ours: tuple[Said, ...]
    keras: tuple[Said, ...]
    torch: tuple[Said, ...]

    def row(self) -> str:
        """The line of the table."""
        sides = (self.ours, self.keras, self.torch)
        cells = " | ".join("; ".join(said.brief() for said in side) for side in sides)
        return f"| {self.number}. {self.mistake.title} | {cells} |\n"

    def our_part(self) -> str:
        """The specs and what nbn_spec says to them."""
        csv = f"`flowers.csv`:\n\n{fenced('csv', FLOWERS)}\n" if "flowers.csv" in self.mistake.ours[0] else ""
        return f"### nbn_spec\n\n{csv}" + "\n".join(map(our_panel, self.ours))

    def text(self) -> str:
        """The part of the page."""
        keras_part, torch_part = ("\n".join(map(their_panel, side)) for side in (self.keras, self.torch))
        return (
            f"\n## {self.number}. {self.mistake.title}\n\n{self.mistake.compared}\n\n{self.our_part()}\n"
            f"### Keras\n\n{keras_part}\n### PyTorch\n\n{torch_part}"
        )


def section(number: int, mistake: Mistake) -> Section:
    """Everything that is said to a mistake; takes some seconds."""
    sides = map(ours, mistake.ours), map(theirs, mistake.keras), map(theirs, mistake.torch)
    return Section(number, mistake, *map(tuple, sides))


def sections() -> list[Section]:
    """All of them, two at a time."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(section, range(1, len(MISTAKES) + 1), MISTAKES))


def versions() -> str:
    """What the page is made with."""
    python = ".".join(map(str, sys.version_info[:2]))
    pytorch = version("torch").partition("+")[0]
    return f"Python {python}, Keras {version('keras')} on PyTorch {pytorch}, NumPy {version('numpy')}"


def page() -> str:
    """The whole page."""
    found = sections()
    table = "".join(part.row() for part in found)
    return INTRODUCTION.format(versions=versions()) + table + "".join(part.text() for part in found)


if __name__ == "__main__":
    sys.stdout.write(page())
