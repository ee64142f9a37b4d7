"""What starting costs: which modules loading a model imports, what records are made of, how nodes share them."""

from __future__ import annotations

import copy
import gc
import pickle
import subprocess
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest

import nbn_spec
from nbn_spec.errors import NbnError
from nbn_spec.memory import MANY, uncollected
from nbn_spec.ops.base import Op
from nbn_spec.record import AttributeProblem, Pool, Record, attr, record

ROOT = Path(__file__).parent.parent
UNWANTED = (
    *("pydantic", "pydantic_core", "jsonschema", "typer", "rich", "click", "difflib", "numpy.random", "numpy.ma"),
    *("csv", "secrets", "hashlib", "fractions", "decimal", "numpy.polynomial", "numpy.typing"),
    *(
        "nbn_spec.spec",
        "nbn_spec.compiler",
        "nbn_spec.diagnosis",
        "nbn_spec.lint",
        "nbn_spec.health",
        "nbn_spec.cli",
    ),
)
"""Nothing that loading a model and predicting needs, and a few milliseconds to import each."""


def imported_by(code: str, *arguments: str) -> set[str]:
    """The modules that a fresh interpreter holds after some code."""
    shown = f"{code}\nprint(*sorted(sys.modules), sep='\\n')"
    command = [sys.executable, "-c", f"import sys\n{shown}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An archive whose spec has data, an optimizer and a metric."""
    path = tmp_path_factory.mktemp("start") / "iris.npz"
    nbn_spec.compile(ROOT / "models" / "iris.json").save(path)
    return str(path)


def test_loading_and_predicting_import_nothing_that_they_do_not_need(archive):
    code = "import nbn_spec; print(nbn_spec.load(sys.argv[1]).predict([[1, 2, 3, 4]]).shape)"
    found = imported_by(code, archive)
    assert found >= {"numpy", "nbn_spec.model"}
    assert not found & set(UNWANTED)


def test_drawing_imports_what_loading_does_not(archive):
    code = "import nbn_spec.params; nbn_spec.params.Seed(0).initial()"
    assert "numpy.random" in imported_by(code)


@record
class Point(Record):
    """A record."""

    x: int = attr(ge=0, doc="One.")
    y: float = attr(0.5, doc="Two.")


@record
class Named(Point):
    """A record with what another has."""

    z: tuple[int, ...] | None = attr(None, lt=9, doc="Three.")


class Alike(Point):
    """A record that needs no decorator, as it has nothing of its own."""


def test_a_record_takes_its_attributes_in_their_order_or_by_name():
    assert (Point(3).x, Point(3).y, Point(3, 4.0).y, Point(y=2.0, x=1).x) == (3, 0.5, 4.0, 1)
    assert Named(1, 2.0, (3,)) == Named(x=1, z=(3,), y=2.0)
    assert repr(Named(1)) == "Named(x=1, y=0.5, z=None)"


@pytest.mark.parametrize(("values", "named"), [((), {}), ((1, 2.0, 3), {}), ((1,), {"x": 2}), ((1,), {"w": 2})])
def test_a_record_refuses_what_it_lacks_and_what_it_does_not_know(values, named):
    with pytest.raises(TypeError, match="Point"):
        Point(*values, **named)


@pytest.mark.parametrize(
    ("values", "name"), [((-1,), "x"), ((1.5,), "x"), ((1, "a"), "y"), ((1, 1.0, (3, 9)), "z")]
)
def test_a_record_checks_types_and_bounds_of_inherited_attributes_too(values, name):
    with pytest.raises(AttributeProblem) as caught:
        Named(*values)
    assert caught.value.name == name


def test_records_are_equal_by_class_and_attributes():
    assert Point(1) == Point(1)
    assert hash(Point(1)) == hash(Point(1))
    assert len({Point(1), Point(1), Alike(1), Named(1), Point(2)}) == 4
    assert Point(1) != (1, 0.5)


def test_records_cannot_be_changed():
    point = Alike(1)
    with pytest.raises(FrozenInstanceError):
        point.x = 2
    with pytest.raises(FrozenInstanceError):
        point.other = 2
    with pytest.raises(FrozenInstanceError):
        del point.x
    assert point == Alike(1)


@pytest.mark.parametrize("made", [Point(1), Named(1, 2.0, (3, 4)), Alike(5)], ids=repr)
def test_records_survive_json_copies_and_pickles(made):
    assert type(made).from_json(made.to_json()) == made
    assert copy.deepcopy(made) == made == pickle.loads(pickle.dumps(made))


def test_a_pool_keeps_apart_what_only_compares_equal():
    pool = Pool()
    assert pool.of(Point, {"x": 1}) is pool.of(Point, {"x": 1})
    assert pool.of(Point, {"x": 1}) is not pool.of(Named, {"x": 1})
    zero, minus = pool.of(Point, {"x": 1, "y": 0.0}), pool.of(Point, {"x": 1, "y": -0.0})
    assert np.signbit([zero.y, minus.y]).tolist() == [False, True]
    with pytest.raises(AttributeProblem):
        pool.of(Point, {"x": True})


def chain(length: int) -> dict[str, object]:
    """The document of ``length`` layers in a row."""
    layers = [part for _ in range(length) for part in ({"op": "linear", "units": 2}, {"op": "tanh"})]
    layers[-1]["name"] = "last"
    inputs = {name: {"shape": ["N", 2]} for name in "xy"}
    loss = {"op": "squared_error", "inputs": ["last", "y"]}
    return {"name": "chain", "inputs": inputs, "nodes": layers, "outputs": ["last"], "loss": loss}


def ops_of(model: nbn_spec.Model) -> set[Op]:
    """The ops of a model's nodes, each object once."""
    return set({id(node.op): node.op for node in model.graph.nodes}.values())


def test_nodes_that_are_alike_share_their_op_and_their_initializers(tmp_path):
    model = nbn_spec.compile(chain(5))
    assert len(ops_of(model)) == len({id(node.op) for node in model.graph.nodes}) == 3
    assert len({id(parameter.init) for parameter in model.graph.parameters}) == 2
    model.save(tmp_path / "chain.npz")
    loaded = nbn_spec.load(tmp_path / "chain.npz")
    assert ops_of(loaded) == ops_of(model)
    assert len({id(node.op) for node in loaded.graph.nodes}) == 3


def test_a_chain_of_thousands_of_nodes_is_compiled_trained_and_run():
    model, data = nbn_spec.compile(chain(1500)), {"x": np.ones((2, 2)), "y": np.ones((2, 2))}
    before = model.predict({"x": data["x"]})
    assert len(model.fit(data, epochs=1)) == 1
    assert np.isfinite(before).all()
    assert not np.array_equal(model.flat, nbn_spec.compile(chain(1500)).flat)


@pytest.fixture(params=[True, False], ids=["on", "off"])
def collecting(request):
    """Python's collector, switched on or off, and afterwards as it was."""
    was_on = gc.isenabled()
    (gc.enable if request.param else gc.disable)()
    yield request.param
    (gc.enable if was_on else gc.disable)()


def test_the_collector_rests_meanwhile_and_is_left_as_it_was(collecting):
    with uncollected():
        assert not gc.isenabled()
    assert gc.isenabled() is collecting


def made(count):
    """That many objects that the collector watches."""
    with uncollected():
        return [[] for _ in range(count)]


def test_many_new_objects_are_not_looked_at_at_once():
    was_on = gc.isenabled()
    gc.enable()
    gc.collect()
    try:
        few = made(MANY // 10)
        assert len(few) == MANY // 10
        assert any(one is few[0] for one in gc.get_objects(0) + gc.get_objects(1) + gc.get_objects(2))
        many = made(2 * MANY)
        assert gc.get_count()[0] < MANY
        assert gc.get_freeze_count() == 0
        assert any(one is many[0] for one in gc.get_objects(2))
        del few
        gc.freeze()
        frozen = gc.get_freeze_count()
        made(2 * MANY)
        assert gc.get_freeze_count() >= frozen - 2 * MANY > 0
    finally:
        gc.unfreeze()
        (gc.enable if was_on else gc.disable)()


def test_the_collector_is_left_as_it_was_by_what_fails_too(collecting, tmp_path):
    with pytest.raises(NbnError):
        nbn_spec.compile({"name": "nothing"})
    assert gc.isenabled() is collecting
    with pytest.raises(NbnError):
        nbn_spec.load(tmp_path / "nothing.npz")
    assert gc.isenabled() is collecting
