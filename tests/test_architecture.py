"""The rules of the house that a program can check: who imports whom, how long things are, what loading needs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from itertools import takewhile
from pathlib import Path
from statistics import median

import pytest

import nbn_spec
from nbn_spec.codes import CODES

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "nbn_spec"
ROOMS = [
    *("version", "codes", "errors", "record", "files", "kernel", "capacity", "arrays"),
    *("ops.base", "initializers", "ops.*", "ops"),
    *(
        "graph",
        "params",
        "memory",
        "plan",
        "interpreter",
        "optim",
        "metrics",
        "estimate",
        "budget",
        "speed",
        "machine",
    ),
    *("batches", "profile", "table", "checks", "source", "data", "predictor", "train", "health"),
    *("lint.*", "lint", "archive", "summary", "model", "pages"),
    *("spec.words", "spec.fields", "spec.nodes", "spec.models", "spec.locate", "spec.mend", "spec.read"),
    *("spec.hints", "spec.lengths", "spec.forms", "spec.complain", "spec.validate"),
    *("spec.normalize", "spec.lowering", "spec.ends", "spec.lower"),
    *("spec.*", "spec", "compiler", "diagnosis"),
    *("cli.guard", "cli.*", "cli", "__main__", "(package)"),
]
"""In import order: a module imports only from rooms above its own, or (where it has a *) from siblings."""
NUMPY_ONLY = [*takewhile(lambda room: room != "spec.words", ROOMS)]
SOURCES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))


def name_of(path: Path) -> str:
    """A module's dotted name within the package."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__") or "(package)"


def room(module: str) -> int:
    """The place of a module in the import order; a family has one for all that are not named."""
    if module in ROOMS:
        return ROOMS.index(module)
    return ROOMS.index(module.split(".", maxsplit=1)[0] + ".*")


def imported(path: Path) -> set[str]:
    """Modules that a file imports, those of the package by their dotted name within it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            whole = str(node.module)
            parts = {f"{whole}.{alias.name}" for alias in node.names}
            modules = {part for part in parts if is_module(part)}
            found |= modules or {whole}
    return found


def is_module(dotted: str) -> bool:
    """Whether a dotted name is a module of the package."""
    path = ROOT.joinpath(*dotted.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def own(path: Path) -> set[str]:
    """The package's modules that a file imports."""
    names = {name for name in imported(path) if name.split(".")[0] == "nbn_spec"}
    return {name.removeprefix("nbn_spec").removeprefix(".") or "(package)" for name in names}


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_module_imports_only_from_the_rooms_above_it(path: Path) -> None:
    module = name_of(path)
    if module == "(package)":
        return  # it resolves its names when they are asked for; for type checkers it imports them all
    for other in own(path):
        siblings = room(module) == room(other) and module not in ROOMS
        assert room(other) < room(module) or siblings, f"{module} imports {other}, which stands below it"


def test_siblings_import_each_other_in_no_circle() -> None:
    graph = {name_of(path): own(path) for path in SOURCES}
    done: set[str] = set()
    while ready := {name for name, needs in graph.items() if name not in done and needs - {"(package)"} <= done}:
        done |= ready
    assert set(graph) == done


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_below_the_spec_there_is_only_numpy_and_the_standard_library(path: Path) -> None:
    if room(name_of(path)) >= len(NUMPY_ONLY):
        return
    others = {name.split(".")[0] for name in imported(path)} - {"nbn_spec", "numpy"}
    assert others <= sys.stdlib_module_names


def functions(path: Path) -> list[tuple[str, int]]:
    """Every function with the number of its lines: of code, without its docstring."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            documented = ast.get_docstring(node) is not None
            first = node.body[0]
            words = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
            found.append((f"{name_of(path)}.{node.name}", (node.end_lineno or 0) - node.lineno + 1 - words))
    return found


def test_functions_are_short() -> None:
    lengths = dict(sorted((part for path in SOURCES for part in functions(path)), key=lambda part: part[1]))
    assert not {name: length for name, length in lengths.items() if length > 40}
    every = sorted(length for path in SOURCES for _, length in functions(path))
    assert median(every) <= 6
    assert every[int(0.9 * len(every))] <= 20


@pytest.mark.parametrize("path", [*SOURCES, *TESTS], ids=lambda path: str(path.relative_to(ROOT)))
def test_files_are_short_and_named_for_what_they_hold(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 500
    assert path.stem not in ("utils", "util", "helpers", "helper", "misc", "common", "manager")


def test_every_code_is_used_and_every_used_code_is_known() -> None:
    used = {
        code
        for path in SOURCES
        if path.name != "codes.py"
        for code in re.findall(r'"(NBN\d{3})"', path.read_text())
    }
    assert used == set(CODES)


BLOCKED = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"pydantic", "pydantic_core", "jsonschema", "typer", "rich", "click"}:
            raise ImportError(f"{name} is blocked")
sys.meta_path.insert(0, Block())
"""


def python(code: str, *arguments: str) -> str:
    """What a fresh interpreter prints."""
    command = [sys.executable, "-W", "error", "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_loading_and_predicting_need_numpy_only(tmp_path: Path) -> None:
    model = nbn_spec.compile(ROOT / "models" / "xor.json")
    model.save(tmp_path / "xor.npz")
    code = BLOCKED + "import nbn_spec; print(nbn_spec.load(sys.argv[1]).predict([[0, 1]])[0, 0])"
    assert float(python(code, str(tmp_path / "xor.npz"))) == model.predict([[0, 1]])[0, 0]


def test_training_a_loaded_model_needs_numpy_only(tmp_path: Path) -> None:
    model = nbn_spec.compile(ROOT / "models" / "xor.json")
    model.save(tmp_path / "xor.npz")
    code = BLOCKED + "import nbn_spec; print(nbn_spec.load(sys.argv[1]).fit(epochs=2)['loss'][1])"
    assert float(python(code, str(tmp_path / "xor.npz"))) == model.fit(epochs=2)["loss"][1]


def test_the_blocking_blocks() -> None:
    code = BLOCKED + "import nbn_spec\ntry: nbn_spec.compile\nexcept ImportError as error: print(error)"
    assert "is blocked" in python(code)


def test_importing_the_package_alone_imports_nothing_heavy() -> None:
    heavy = "numpy pydantic typer jsonschema"
    code = f"import sys, nbn_spec; print([name for name in {heavy.split()!r} if name in sys.modules])"
    assert python(code) == "[]"


def test_public_names_are_there() -> None:
    for name in nbn_spec.__all__:
        assert getattr(nbn_spec, name) is not None
    assert set(nbn_spec.__all__) <= set(dir(nbn_spec))
    with pytest.raises(AttributeError, match="no attribute 'compil'"):
        _ = nbn_spec.compil  # type: ignore[attr-defined]
