"""Products measured in processes of their own: what a process finds, and every way in which it may fail."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path

import numpy as np
import pytest

import nbn_spec
from nbn_spec import speed
from nbn_spec.kernel import WIDE, Report
from nbn_spec.machine import AS_IT_IS
from nbn_spec.speed import CASES, SMALL, Failed, Measured, Sample, Setting

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("found", "plain", "off"),
    [
        ([1, 2], [1, 2], 0),
        ([1.5, 2], [1, 2], 0.5),
        ([1, NAN], [1, 2], INF),
        ([1, INF], [1, 2], INF),
        ([INF], [INF], INF),
        ([1, 1], [NAN, 1], INF),
        ([0, 1], [0, 1], 0),
        ([1e-9, 1], [0, 1], INF),
    ],
)
def test_errors_are_relative_and_infinite_beside_what_is_no_number(found, plain, off) -> None:
    assert speed.relative(np.array(found, "float32"), np.array(plain, "float64")) == off


@pytest.mark.parametrize(
    ("executable", "reason"),
    [("", "does not know which Python"), ("/none/python", "No such file"), ("/bin/false", "ended with code 1")],
)
def test_a_python_that_does_not_start_is_a_reason(executable, reason, monkeypatch) -> None:
    if executable == "/bin/false" and not Path(executable).exists():
        pytest.skip("this system has no /bin/false")
    monkeypatch.setattr(sys, "executable", executable)
    with pytest.raises(Failed, match=reason):
        speed.sample(Setting(AS_IT_IS, {}), os.environ, 0)
    assert reason in nbn_spec.doctor().failures[0]


def test_a_python_that_takes_too_long_is_a_reason(monkeypatch) -> None:
    monkeypatch.setattr(speed, "WORKER", "import time; time.sleep(60)")
    monkeypatch.setattr(speed, "LONGEST", 0.2)
    with pytest.raises(Failed, match=r"not done after 0\.2 seconds"):
        speed.sample(Setting(AS_IT_IS, {}), os.environ, 0)


FAULTS = {
    "import os; os.kill(os.getpid(), 4)": "was ended by SIGILL: it did not say why",
    "raise SystemExit('OpenBLAS says\\nwords')": "ended with code 1: OpenBLAS says",
    "raise ImportError('no such numpy')": "ended with code 1: ImportError: no such numpy",
    "import os; os.write(2, bytes([255])); raise SystemExit(3)": "ended with code 3: \N{REPLACEMENT CHARACTER}",
    "import os; os.write(1, bytes([255]))": "said nothing that can be read",
}


@pytest.mark.skipif(os.name == "nt", reason="Windows ends processes by no signals")
@pytest.mark.parametrize(("fault", "said"), FAULTS.items(), ids=list(FAULTS.values()))
def test_a_python_that_dies_is_a_reason(fault, said, monkeypatch) -> None:
    monkeypatch.setattr(speed, "WORKER", fault)
    with pytest.raises(Failed) as caught:
        speed.sample(Setting(AS_IT_IS, {}), os.environ, 0)
    assert said in str(caught.value)


def test_what_cannot_be_passed_to_a_process_is_a_reason() -> None:
    with pytest.raises(Failed, match="null"):
        speed.sample(Setting(AS_IT_IS, {"A": "\0"}), os.environ, 0)


def test_signals_have_names_and_numbers_without_one_remain() -> None:
    assert speed.ended(-9) == "was ended by SIGKILL"
    assert speed.ended(-999) == "ended with code -999"


def test_modules_of_the_current_folder_are_not_run(tmp_path, monkeypatch) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong json')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *map(Path, sys.path)])
    assert speed.sample(Setting(AS_IT_IS, {}), os.environ, 0).numpy == np.__version__


@pytest.mark.parametrize("said", ["", "words", "{}", "[]", "null", '{"openblas": [1]}'])
def test_an_answer_that_is_none_is_a_reason(said) -> None:
    with pytest.raises(Failed, match="nothing that can be read"):
        speed.read(said)


def test_rates_are_medians_and_errors_the_largest() -> None:
    said = Report(WIDE, "OpenBLAS 0.3.31", 2)
    errors = [{"float32": error, "float64": 0.0} for error in (1e-7, 0.25, 0.0)]
    rates = zip((1.0, 9.0, 2.0), errors, strict=True)
    samples = [Sample("", "", "", said, dict.fromkeys(CASES, rate), rate, error) for rate, error in rates]
    one, other = Measured(Setting("", {}), tuple(samples)), Measured(Setting("", {}), ())
    base = Measured(Setting("", {}), (Sample("", "", "", said, dict.fromkeys(CASES, 4.0), None, errors[0]),))
    assert (one.rate(SMALL), one.alone, other.rate(SMALL), other.alone) == (2.0, 2.0, None, None)
    assert speed.gains(one, base) == [0.25]
    assert speed.gains_alone(one, base) == speed.gains(one, other) == []
    assert (one.error("float32"), base.error("float32"), other.error("float32")) == (0.25, 1e-7, None)
    assert (one.is_right, base.is_right, other.is_right) == (False, True, None)
