"""Where the time of a training goes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import nbn_spec
from nbn_spec.cli.report import profile_lines
from nbn_spec.ops.base import do
from nbn_spec.profile import DATA, METRICS, OPTIMIZER, VALIDATION, Profile, is_product
from tests.commands import nbn

MODELS = Path(__file__).parent.parent / "models"


@pytest.fixture(scope="module")
def digits():
    model, profile = nbn_spec.compile(MODELS / "digits.json"), Profile()
    return model, profile, model.trainer(epochs=2, profile=profile).run()


def test_training_is_the_same_with_a_clock(digits):
    model, _, history = digits
    plain = nbn_spec.compile(MODELS / "digits.json")
    assert plain.fit(epochs=2).columns == history.columns
    np.testing.assert_array_equal(plain.flat, model.flat)


def test_every_node_has_a_row_and_all_rows_add_up(digits):
    model, profile, _ = digits
    rows = {row.name: row for row in profile.rows()}
    assert [*rows] == [*model.graph.forward_order, DATA, METRICS, OPTIMIZER, VALIDATION]
    assert {name for name, row in rows.items() if row.backward} == {*model.graph.backward_order, OPTIMIZER}
    assert all(row.total > 0 for row in rows.values())
    assert profile.steps == 2 * model.trainer().steps_per_epoch
    assert 0 < profile.rest < profile.step
    assert sum(row.total for row in rows.values()) + profile.rest == pytest.approx(profile.step)
    assert 0 < profile.share_of_products < 1


def test_rows_as_text_and_as_json(digits):
    model, profile, _ = digits
    lines = profile_lines(profile, model.graph)
    assert [line.split()[0] for line in lines[5:-2]] == [
        *(row.name.split()[0] for row in profile.rows()),
        "(rest)",
    ]
    assert "linear" in next(line for line in lines if line.startswith("h1/linear"))
    document = json.loads(json.dumps(profile.to_json()))
    assert document["steps"] == profile.steps
    assert document["step"] == pytest.approx(
        document["rest"] + sum(row["forward"] + row["backward"] for row in document["rows"])
    )


def test_what_a_matrix_product_is():
    a, b, c, ones = (np.ones(shape) for shape in ((2, 3), (3, 4), (2, 4), 2))
    assert is_product(do(a.dot, b, c))
    assert is_product(do(np.matmul, a, b, c))
    assert not is_product(do(ones.dot, a, np.empty(3)))
    assert not is_product(do(np.add, a, a, a))
    assert not is_product(lambda: None)


def test_what_is_no_profile_is_refused():
    with pytest.raises(nbn_spec.TrainingError, match="profile: must be a Profile, got true"):
        nbn_spec.compile(MODELS / "xor.json").trainer(profile=True)


def test_products_are_a_share_of_what_nodes_and_optimizer_take():
    """What validation, data and metrics take is in no part of it."""
    profile = Profile()
    profile.spent = {("z", "forward"): [60], (OPTIMIZER, "backward"): [20]}
    profile.spent |= {(name, "forward"): [1000] for name in (DATA, METRICS, VALIDATION)}
    profile.products = [20]
    assert profile.share_of_products == 0.25


def test_a_trainer_goes_on_counting():
    model, profile = nbn_spec.compile(MODELS / "xor.json"), Profile()
    trainer = model.trainer(epochs=3, profile=profile)
    trainer.run()
    first = profile.elapsed
    trainer.run()
    assert profile.steps == 6
    assert profile.elapsed > first > 0


def test_the_command_line_prints_it(tmp_path):
    words = ("run", MODELS / "xor.json", "--profile", "--out", tmp_path, "--epochs")
    said, _ = nbn(*words, 5, cwd=tmp_path)
    assert "profile: 5 steps of " in said
    assert "matrix products: " in said
    said, _ = nbn(*words, 0, cwd=tmp_path)
    assert "profile: no step was made" in said
    said, _ = nbn(*words, 0, "--format", "json", cwd=tmp_path)
    assert json.loads(said)["result"]["profile"] is None
    said, _ = nbn(*words, 5, "--format", "json", cwd=tmp_path)
    assert json.loads(said)["result"]["profile"]["steps"] == 5
