"""The memory budget: exact by hand, equal to what is allocated, and a limit at every way in."""

from __future__ import annotations

import json
import re
import tracemalloc
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import nbn_spec
from nbn_spec import budget, capacity, interpreter, params
from nbn_spec.arrays import ALIGNMENT
from nbn_spec.batches import Sweep, symbols
from nbn_spec.budget import afford, estimate, measured, overview
from nbn_spec.estimate import Estimate, Part
from nbn_spec.graph import Graph, Input
from nbn_spec.interpreter import LARGE
from nbn_spec.metrics import METRICS
from nbn_spec.optim import OPTIMIZERS, Adam, Sgd
from nbn_spec.plan import plan
from nbn_spec.train import Training, Validation

MODELS = Path(__file__).parent.parent / "models"
ARRAYS = tracemalloc.DomainFilter(True, np.lib.tracemalloc_domain)
EXAMPLES = 3000


def document(units=1000, dtype="float32", **train):
    """2-units-1, its examples two columns each."""
    return {
        "name": "wide",
        "dtype": dtype,
        "inputs": {"x": {"shape": ["N", 2]}, "y": {"shape": ["N", 1]}},
        "nodes": [
            {"name": "h", "op": "linear", "inputs": "x", "units": units},
            {"name": "a", "op": "tanh"},
            {"name": "o", "op": "linear", "units": 1},
        ],
        "outputs": ["o"],
        "loss": {"op": "squared_error", "inputs": ["o", "y"]},
        "train": {"epochs": 1, "batch_size": "all", "optimizer": {"name": "adam"}, **train},
    }


def wide(**more):
    return nbn_spec.compile(document(**more))


def examples(count=EXAMPLES):
    return {"x": np.ones((count, 2), np.float32), "y": np.ones((count, 1), np.float32)}


def nbytes(arrays):
    return sum(array.nbytes for array in arrays.values())


@contextmanager
def traced():
    """Memory is watched within."""
    tracemalloc.start()
    try:
        yield
    finally:
        tracemalloc.stop()


# Counted by hand


def layer():
    """One layer in double precision: 9 parameters, of which 3 are frozen."""
    return nbn_spec.compile(
        {
            "name": "layer",
            "dtype": "float64",
            "inputs": {"x": {"shape": ["N", 2]}},
            "constants": {"c": [1, 2, 3]},
            "nodes": [
                {
                    "name": "z",
                    "op": "linear",
                    "inputs": "x",
                    "units": 3,
                    "bias": {"init": "ones", "trainable": False},
                },
                {"name": "cost", "op": "mean", "inputs": "z"},
            ],
            "outputs": ["z"],
            "loss": "cost",
        }
    ).graph


def test_predicting_by_hand():
    found = estimate(layer(), goal="infer", batch=4)
    z, x = 4 * 3 * 8, 4 * 2 * 8
    assert (found.parameters, found.gradients, found.optimizer) == (9 * 8, 0, 0)
    arena = 128 + 128 + 64
    assert found.activations == arena + x + z, "z and its bias on whole cache lines, the first's place, two copies"
    assert found.total == 9 * 8 + arena + x + z + found.data
    assert found.parts == (
        Part("scratch", "z", (4, 3), z),
        Part("activation", "z", (4, 3), z),
        Part("scratch", "z:spread", (4, 3), z),
        Part("data", "x", (4, 2), x),
        Part("parameter", "z/weight", (3, 2), 48),
    )


def test_training_by_hand():
    graph = layer()
    for optimizer, vectors in ((Sgd(), 1), (Adam(), 3), (None, 0)):
        found = estimate(graph, goal="train", batch=4, training=optimizer, data=100)
        assert (found.parameters, found.gradients) == (72, 72), "the gradient has the layout of the parameters"
        assert found.optimizer == vectors * 6 * 8, "only what is trained is remembered"
        assert found.data == 100 + sum(item.value.size * 8 for item in graph.constants)
        assert found.batch == 4
    program = plan(graph, {"N": 4}, ["cost"], backward=True)
    measuring = plan(graph, {"N": 4}, ["cost"])
    buffers = 2 * 4 * 2 * 8
    assert found.activations == program.arena + measuring.arena + 2 * ALIGNMENT + buffers


def test_what_is_known_of_the_data_is_counted():
    graph = wide().graph
    training = Training(batch_size=10, validation=Validation(0.25), optimizer=Sgd())
    found = estimate(graph, goal="train", training=training, data=1200, sizes={"N": 100})
    assert found.batch == 10
    assert found.data == 2 * 1200 + 2 * 8 * 75, "the data, its two parts, and two orders of those that are trained"
    every = Training(batch_size="all", shuffle=True)
    found = estimate(graph, goal="train", training=every, data=1200, sizes={"N": 100})
    assert (found.batch, found.data) == (100, 1200)
    assert estimate(graph, goal="train", training=every).batch is None
    assert estimate(graph, goal="train", training=training, sizes={"N": 4}).batch == 4


def test_loading_counts_what_drawing_takes():
    graph = nbn_spec.compile(document(units=50)).graph
    found = estimate(graph, goal="load")
    assert found.parameters == 4 * (100 + 50 + 50 + 1)
    assert found.activations == max(params.drawn(parameter, 4) for parameter in graph.parameters)
    assert (found.gradients, found.optimizer, found.data) == (0, 0, 0)


def test_no_product_overflows_and_nothing_is_allocated():
    inputs = tuple(Input(f"x{i}", ("N", 10**9)) for i in range(64))
    graph = Graph("many", "float64", inputs, (), (), (), tuple(item.name for item in inputs))
    with traced():
        found = estimate(graph, goal="infer", batch=10**15, data=10**30)
        with pytest.raises(nbn_spec.GraphError, match="more than any machine has"):
            afford(found, 2**40)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    assert found.total == 10**30 + ALIGNMENT + 2 * 64 * 10**9 * 10**15 * 8


def test_a_long_chain_is_counted():
    nodes = [{"name": f"n{i}", "op": "tanh", "inputs": f"n{i - 1}" if i else "x"} for i in range(3000)]
    spec = {"name": "chain", "inputs": {"x": {"shape": ["N", 8]}}, "nodes": nodes, "outputs": ["n2999"]}
    found = estimate(nbn_spec.compile(spec).graph, goal="infer", batch=10)
    assert found.activations <= 2 * 320 + ALIGNMENT + 2 * 320


# Equal to what is allocated


def arrays():
    """Bytes of all arrays that were made since tracing began and still are."""
    return sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces([ARRAYS]).traces)


@pytest.mark.parametrize("name", ["xor", "iris", "digits"])
def test_training_takes_what_was_estimated(name, monkeypatch):
    """Arrays that exist while the trained model is measured, which is when most of them do."""
    model = nbn_spec.compile(MODELS / f"{name}.json")
    data = model.data()
    found = estimate(
        model.graph, goal="train", training=model.training, data=nbytes(data), sizes=symbols(model.graph, data)
    )
    seen, mean = [], Sweep.mean
    monkeypatch.setattr(Sweep, "mean", lambda sweep: (seen.append(arrays()), mean(sweep))[1])
    with traced():
        trainer = model.trainer(data, epochs=1)
        trainer.run()
        trainer.measure()
    real = max(seen) + nbytes(data) + model.flat.nbytes
    assert real <= 1.05 * found.total
    assert found.total <= 1.05 * real


USES = {
    "infer": lambda model, data: model.predict(data["x"]),
    "evaluate": lambda model, data: model.evaluate(data),
    "gradients": lambda model, data: model.gradients(data),
    "trace": lambda model, data: model.trace(data),
    "train": lambda model, data: model.trainer(data).measure(),
}
"""Every way to compute, by what it counts."""


def given(goal, data):
    return {"x": data["x"]} if goal == "infer" else data


def needed(model, goal, data):
    """The estimate of a use."""
    data = given(goal, data)
    training = model.training if goal in ("evaluate", "train") else None
    sizes = symbols(model.graph, data)
    return estimate(model.graph, goal=goal, training=training, data=nbytes(data), sizes=sizes)


@pytest.mark.parametrize("batch_size", ["all", 512])
@pytest.mark.parametrize("goal", USES)
def test_every_use_takes_what_was_estimated(goal, batch_size):
    model, data = wide(batch_size=batch_size, validation={"fraction": 0.2}), examples()
    found = needed(model, goal, data).total - model.flat.nbytes - nbytes(given(goal, data))
    with traced():
        USES[goal](model, data)
        peak = tracemalloc.get_traced_memory()[1]
    assert peak <= 1.05 * found
    assert found <= 1.3 * peak


def test_loading_takes_what_was_estimated(tmp_path):
    wide(units=500_000).save(tmp_path / "wide.npz")
    nbn_spec.load(tmp_path / "wide.npz")
    with traced():
        model = nbn_spec.load(tmp_path / "wide.npz")
        peak = tracemalloc.get_traced_memory()[1]
    found = sum(parameter.nbytes for parameter in model.parameters.values()) + 5 * 1_000_000
    assert estimate(model.graph, goal="load").total == found
    assert 0.95 * found <= peak <= 1.05 * found


@pytest.mark.parametrize("optimizer", [kind() for kind in OPTIMIZERS.values()], ids=OPTIMIZERS)
def test_optimizers_declare_all_that_they_allocate(optimizer):
    flat, grad = np.zeros(10_000), np.zeros(10_000)
    with traced():
        update = optimizer.bind(flat, grad)
        real = arrays()
    assert 0 <= real - flat.nbytes * len(optimizer.vectors) < 256
    assert {name for name, state in update.state.items() if state.size > 1} <= set(optimizer.vectors)


@pytest.mark.parametrize("kind", METRICS.values(), ids=METRICS)
@pytest.mark.parametrize("columns", [2, 10])
def test_no_metric_takes_more_than_is_counted(kind, columns):
    spec = {
        "name": "measured",
        "inputs": {"x": {"shape": ["N", columns]}, "y": {"shape": ["N", columns]}},
        "nodes": [{"name": "o", "op": "tanh", "inputs": "x"}],
        "outputs": ["o"],
    }
    graph, metric, values = nbn_spec.compile(spec).graph, kind(target="y"), np.zeros((1000, columns))
    bare, more = (
        estimate(graph, goal="evaluate", sizes={"N": 1000}, training=Training(metrics=metrics))
        for metrics in ((), (metric,))
    )
    counted = more.activations - bare.activations - plan(graph, {"N": 1000}, ["o"]).arena
    with traced():
        metric.bind(graph, values, values)()
        assert arrays() <= counted
        peak = tracemalloc.get_traced_memory()[1]
    assert peak <= counted + 2**13


def test_measuring_takes_no_more_than_its_share():
    graph = wide().graph
    sizes, fetch = {"N": 10**6}, [graph.loss]
    most = measured(graph, sizes, fetch, 32)
    assert 32 < most < budget.MEASURED
    arena = plan(graph, {"N": most}, fetch).arena
    assert 0.9 * budget.MEASURED_BYTES < arena <= budget.MEASURED_BYTES
    assert measured(graph, sizes, fetch, 2000) == 2000, "what can be trained can be measured"
    assert measured(graph, {"N": 20}, fetch, 32) == budget.MEASURED
    assert measured(wide(units=2).graph, sizes, fetch, 32) == budget.MEASURED


# A limit at every way in


@pytest.mark.parametrize("goal", USES)
def test_a_limit_is_kept_to_the_byte(goal):
    model, data = wide(batch_size=100), examples()
    need = needed(model, goal, data).total
    model.max_memory = need
    USES[goal](model, data)
    model = wide(batch_size=100)
    model.max_memory = need - 1
    with pytest.raises(nbn_spec.GraphError) as caught:
        USES[goal](model, data)
    assert [problem.code for problem in caught.value.problems] == ["NBN209"]


@pytest.mark.parametrize("goal", USES)
def test_what_is_refused_names_the_largest_and_allocates_nothing(goal):
    model, data = wide(), examples()
    model.max_memory = 2**20
    with traced():
        with pytest.raises(nbn_spec.GraphError) as caught:
            USES[goal](model, data)
        peak = tracemalloc.get_traced_memory()[1]
    assert peak < 2**18
    (problem,) = caught.value.problems
    counted, largest, limit = problem.notes
    assert problem.where == "h"
    assert problem.path == ("nodes", "h")
    assert problem.message.endswith(" MiB, but max_memory is 1.0 MiB")
    assert counted.startswith("counted: activations ")
    assert counted.endswith(" MiB; examples at a time: 3,000")
    assert largest.startswith("largest: h [3000, 1000] 11.4 MiB, a [3000, 1000] 11.4 MiB, ")
    assert limit == "limit: 1.0 MiB, given as max_memory"


def number(pattern, caught):
    """The number that a hint tells."""
    return int(re.fullmatch(pattern, caught.value.problems[0].hint)[1].replace(",", ""))


@pytest.mark.parametrize("goal", ["infer", "gradients", "trace"])
def test_the_batch_that_is_told_fits(goal):
    model, data = wide(), examples()
    model.max_memory = 2**23
    with pytest.raises(nbn_spec.GraphError) as caught:
        USES[goal](model, data)
    most = number(r"give at most ([\d,]+) examples at once", caught)
    again = needed(model, goal, data).again
    assert again(batch=most).total <= 2**23 < again(batch=most + 1).total
    USES[goal](model, {name: array[:most] for name, array in data.items()})


def test_the_batch_size_that_is_told_fits():
    model, data = wide(), examples()
    model.max_memory = 2**23
    with pytest.raises(nbn_spec.GraphError) as caught:
        model.fit(data)
    most = number(r'set "batch_size" to at most ([\d,]+)', caught)
    smaller = wide(batch_size=most)
    smaller.max_memory = 2**23
    assert len(smaller.fit(data)) == 1
    larger = wide(batch_size=most + 1)
    larger.max_memory = 2**23
    with pytest.raises(nbn_spec.GraphError, match="NBN209"):
        larger.fit(data)


def test_parameters_that_dominate_are_to_be_fewer():
    model = wide(units=200_000)
    model.max_memory = 2**22
    with pytest.raises(nbn_spec.GraphError) as caught:
        model.fit(examples(1))
    (problem,) = caught.value.problems
    assert problem.where == "h/weight"
    assert problem.path is None
    assert problem.hint == "the largest is h/weight [200000, 2]: make it smaller, with fewer units"
    assert "adam: m [800001] 3.1 MiB" in problem.notes[1]
    model.max_memory = needed(model, "train", examples(2)).total - 1
    with pytest.raises(nbn_spec.GraphError) as caught:
        model.fit(examples(2))
    assert caught.value.problems[0].hint.endswith('fewer units; or set "batch_size" to at most 1')


def test_one_example_that_does_not_fit():
    model = wide()
    model.max_memory = 2**14 + 2**10
    with pytest.raises(nbn_spec.GraphError) as caught:
        model.predict(np.ones((5, 2)))
    (problem,) = caught.value.problems
    assert problem.hint.startswith("no batch is small enough; the largest is h [5, 1000]: make it smaller")


def test_data_that_dominates():
    found = Estimate(1, 1, 1, 1, 2**40, (Part("data", "the data", (), 2**40),), 1, "train")
    with pytest.raises(nbn_spec.GraphError) as caught:
        afford(found, "1G")
    assert caught.value.problems[0].hint == "give fewer examples"


def test_a_program_without_arrays_is_refused_too():
    with pytest.raises(nbn_spec.GraphError, match="limit: 1 byte, given as max_memory"):
        afford(Estimate(0, 0, 0, 64, 0, (), 1), 1)


def test_compiling_is_refused():
    with traced():
        with pytest.raises(nbn_spec.GraphError) as caught:
            nbn_spec.compile(document(units=10**15))
        assert tracemalloc.get_traced_memory()[1] < 2**24
    (problem,) = caught.value.problems
    assert problem.code == "NBN209"
    assert problem.message.startswith("the parameters need 30,517,578,125 MiB, but ")
    assert "largest: h/weight: first values [1000000000000000, 2] 15,258,789,062 MiB, " in problem.notes[1]
    assert problem.hint == "the largest is h/weight [1000000000000000, 2]: make it smaller, with fewer units"
    with pytest.raises(nbn_spec.GraphError, match=r"but max_memory is 1\.0 MiB"):
        nbn_spec.compile(document(units=10**6), max_memory=2**20)
    need = estimate(wide().graph, goal="load").total
    assert nbn_spec.compile(document(), max_memory=need).max_memory == need
    with pytest.raises(nbn_spec.GraphError, match="NBN209"):
        nbn_spec.compile(document(), max_memory=need - 1)


def test_loading_is_refused(tmp_path):
    model = wide(units=100_000)
    model.save(tmp_path / "wide.npz")
    need = model.flat.nbytes + 5 * 200_000
    assert nbn_spec.load(tmp_path / "wide.npz", max_memory=need).max_memory == need
    with traced():
        with pytest.raises(nbn_spec.ArchiveError) as caught:
            nbn_spec.load(tmp_path / "wide.npz", max_memory=need - 1)
        assert tracemalloc.get_traced_memory()[1] < 2**18
    (problem,) = caught.value.problems
    assert (problem.code, problem.where) == ("NBN209", f"{tmp_path / 'wide.npz'}: h/weight")
    assert "largest: h/weight: first values [100000, 2] " in problem.notes[1]


def test_free_memory_is_the_limit_where_none_is_given(monkeypatch):
    model, data = wide(), examples()
    need = needed(model, "gradients", data).total
    held = model.flat.nbytes + nbytes(data)
    monkeypatch.setattr(capacity, "free_in_container", lambda: 2**60)
    monkeypatch.setattr(capacity, "free_on_machine", lambda: need - held)
    model.gradients(data)  # what is there already needs no more room
    monkeypatch.setattr(capacity, "free_on_machine", lambda: need - held - 1)
    with pytest.raises(nbn_spec.GraphError, match="are free") as caught:
        model.gradients(data)
    assert caught.value.problems[0].notes[2].endswith(" MiB, free on this machine")
    monkeypatch.setattr(capacity, "free_in_container", lambda: LARGE)
    with pytest.raises(nbn_spec.GraphError, match=r"limit: 1\.0 MiB, free in the container"):
        model.gradients(data)
    monkeypatch.setattr(capacity, "free_in_container", lambda: 0)
    model.gradients(examples(10))  # so little that nobody asks


def test_a_pass_that_nobody_foresaw_is_refused_too(monkeypatch):
    monkeypatch.setattr(interpreter, "free_memory", lambda: LARGE + 1)
    assert interpreter.arena_of(LARGE + 1).size == LARGE + 1
    with pytest.raises(nbn_spec.GraphError, match=r"NBN209.*a pass over the batch needs 2\.0 MiB"):
        interpreter.arena_of(2 * LARGE)


def test_idle_programs_make_room():
    model = wide()
    model.max_memory = 2**23
    for count in (100, 200, 300):
        model.predict(np.ones((count, 2)))
    assert len(model._predictors.idle) == 3
    assert model._predictors.size() > 600 * 4000
    model.predict(np.ones((1500, 2)))
    assert [*model._predictors.idle] == [((1500, 2),)]
    assert model._predictors.size() < model.max_memory


# In words


def test_lines():
    graph = wide().graph
    known = overview(graph, Training(batch_size=128, optimizer=Adam()), sizes={"N": 1000}, data=2**20)
    train, infer = (found.line for found in known)
    assert re.fullmatch(
        r"memory: 4\.\d MiB to train with batches of 128 \(activations 3\.\d, data 1\.0 MiB\)", train
    )
    assert re.fullmatch(r"memory: 51\d\.\d KiB to predict 128 examples", infer)
    assert re.fullmatch(
        r"memory: \d+\.\d KiB to train on 1 example \(parameters 15\.6, gradients 15\.6, activations [\d.]+ KiB\)",
        estimate(graph, goal="train").line,
    )
    assert estimate(graph, goal="infer").line.endswith(" KiB to predict 1 example")
    assert " KiB for the trace of 2 examples (" in estimate(graph, goal="trace", batch=2).line
    assert " KiB to measure 2 examples (" in estimate(graph, goal="evaluate", batch=2).line
    assert estimate(graph, goal="load").line == "memory: 31.3 KiB to load (parameters 15.6, temporary 15.6 KiB)"


def test_the_summary_ends_with_memory():
    model = wide(batch_size=128)
    *_, train, infer = model.summary().split("memory: ")
    assert "to train with batches of 128 (" in train
    predict, arena = infer.splitlines()
    assert predict.endswith(" to predict 128 examples")
    train, infer = overview(model.graph, model.training)
    assert train.arena < train.unshared
    assert re.fullmatch(r"arena:  1\.\d MiB to train, [\d.]+ KiB to predict \(without sharing .* MiB, .*\)", arena)
    del (plain := document())["loss"], plain["train"]
    *_, last, _ = nbn_spec.compile(plain).summary().splitlines()
    assert re.fullmatch(r"memory: [\d.]+ KiB to predict 1 example", last)


def test_as_json():
    found = estimate(wide().graph, goal="train", batch=10, training=Adam(), data=7)
    document_ = json.loads(json.dumps(found.to_json()))
    assert document_["total"] == found.total == sum(found.by_category().values())
    assert (document_["goal"], document_["batch"], document_["data"]) == ("train", 10, 7)
    assert len(document_["parts"]) == budget.MOST_PARTS
    assert set(document_["parts"][0]) == {"kind", "name", "shape", "size"}
