"""``doctor``: what it finds, what it advises, and that nothing which it cannot find out stops it."""

from __future__ import annotations

import json
import os
import sys
from array import array
from pathlib import Path

import pytest
from commands import nbn

import nbn_spec
from nbn_spec import kernel, machine, speed
from nbn_spec.cli.doctor import show_doctor
from nbn_spec.kernel import AVX2, AVX512, PLAIN, VARIABLE, WIDE, Cpu, Report
from nbn_spec.machine import ALL, AS_IT_IS, ONE, OWN
from nbn_spec.speed import CASES, SMALL, Failed, Measured, Sample, Setting

CONFIG = "OpenBLAS 0.3.31  USE64BITINT DYNAMIC_ARCH NO_AFFINITY SkylakeX MAX_THREADS=64"
SPEEDS = {WIDE: 200.0, "Cooperlake": 200.0, PLAIN: 100.0, "Zen": 100.0, "Barcelona": 25.0}
"""GFLOP/s on one thread."""


class Pretended:
    """A machine of two idle cores whose OpenBLAS takes the core ``own`` by itself."""

    def __init__(self, monkeypatch, own=WIDE, environ=None, **more) -> None:
        self.own, self.speeds, self.scale = own, more.get("speeds", SPEEDS), more.get("scale", lambda case, n: n)
        self.openblas, self.failing = more.get("openblas", True), more.get("failing", ())
        self.off = more.get("off", {})
        cpu = Cpu("AMD EPYC", more.get("flags", AVX2 | AVX512))
        self.ran: list[str] = []
        for name in [name for name in os.environ if name.startswith(machine.FAMILIES)]:
            monkeypatch.delenv(name)
        for name, value in (environ or {}).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(kernel, "cpu", lambda: cpu)
        monkeypatch.setattr(machine.os, "cpu_count", lambda: 2)
        monkeypatch.setattr(machine, "usable", lambda: more.get("cores", 2))
        monkeypatch.setattr(machine, "share", lambda before, after, seconds: more.get("others", 0.1))
        monkeypatch.setattr(speed, "sample", self.sample)
        monkeypatch.setattr(machine, "sample", self.sample)

    def sample(self, setting, environ, seconds) -> Sample:
        """What a process in this environment would find."""
        self.ran.append(setting.name)
        if setting.name in self.failing:
            raise Failed("it does not want to")
        changed = setting.environment(environ)
        core = changed.get(VARIABLE) or self.own
        threads = int(next((changed[name] for name in machine.THREADS if name in changed), 2))
        rates = {case: self.speeds[core] * self.scale(case, threads) for case in CASES}
        products = {"float32": array("d", [1.0 + self.off.get(core, 0.0)]), "float64": array("d", [1.0])}
        said = Report(core, CONFIG, threads) if self.openblas else None
        alone = self.speeds[core] if self.openblas else None
        return Sample("2.4.6", "some BLAS 1.0", "/lib/blas.so", said, rates, alone, products)


def text(capsys) -> str:
    """The report as text, whose lines fit."""
    assert show_doctor(quick=False, as_json=False) == 0
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 100
    return said


def joined(said: str) -> str:
    """The report as one line."""
    return " ".join(said.split())


def test_where_openblas_chooses_well_nothing_needs_to_be_set(monkeypatch, capsys) -> None:
    pretended = Pretended(monkeypatch)
    said = text(capsys)
    assert pretended.ran == [AS_IT_IS, *([AS_IT_IS, PLAIN, ONE] * machine.ROUNDS)]  # in turn
    assert said.splitlines()[-1].startswith("nothing needs to be set")
    assert "SkylakeX, chosen by OpenBLAS" in said
    assert "run, predict and evaluate leave the kernels as they are" in said
    assert "2, set by no variable of OpenBLAS" in said


def test_where_it_does_not_the_command_line_sets_it_and_others_are_told_how(monkeypatch, capsys) -> None:
    Pretended(monkeypatch, own="Barcelona")
    said = text(capsys)
    assert f"run, predict and evaluate set {VARIABLE}={WIDE} themselves" in said
    assert "8.0 times faster with the SkylakeX kernels than with OpenBLAS's own choice, Barcelona" in joined(said)
    assert f"    export {VARIABLE}={WIDE}\n" in said
    assert said.endswith(f'    import os\n    os.environ["{VARIABLE}"] = "{WIDE}"\n')


def test_the_switch_that_keeps_the_kernels_is_seen(monkeypatch) -> None:
    Pretended(monkeypatch, own="Barcelona", environ={"NBN_SPEC_KERNEL": "keep"})
    found = nbn_spec.doctor()
    assert found.command_line == ""
    assert found.advice.changes == {VARIABLE: WIDE}


def test_a_value_that_is_slower_than_openblas_by_itself_is_to_be_taken_out(monkeypatch, capsys) -> None:
    Pretended(monkeypatch, environ={VARIABLE: PLAIN})
    said = text(capsys)
    assert f"Haswell, with {VARIABLE}=Haswell" in said
    assert "2.0 times faster with the SkylakeX kernels that OpenBLAS chooses by itself" in joined(said)
    assert f"with your {VARIABLE}=Haswell" in joined(said)
    assert f"    unset {VARIABLE}\n" in said
    assert said.endswith(f'    os.environ.pop("{VARIABLE}", None)\n')


def test_a_value_that_is_slower_than_openblas_could_be_is_to_be_changed(monkeypatch) -> None:
    Pretended(monkeypatch, own="Barcelona", environ={VARIABLE: PLAIN})
    assert nbn_spec.doctor().advice.changes == {VARIABLE: WIDE}


def test_a_value_that_is_good_stays(monkeypatch) -> None:
    Pretended(monkeypatch, own="Barcelona", environ={VARIABLE: WIDE})
    found = nbn_spec.doctor()
    assert found.advice.changes == {}
    assert found.command_line == ""


def test_kernels_that_the_build_lacks_are_not_advised(monkeypatch) -> None:
    pretended = Pretended(monkeypatch, own="Zen", speeds={WIDE: 100.0, PLAIN: 100.0, "Zen": 100.0})
    assert nbn_spec.doctor().advice.changes == {}
    assert {WIDE, PLAIN} <= set(pretended.ran)


@pytest.mark.parametrize(
    ("flags", "tried"),
    [(AVX512 | AVX2, [WIDE, PLAIN]), (AVX2, [PLAIN]), (AVX512 - {"avx512f"} | AVX2, [PLAIN]), (frozenset(), [])],
)
def test_only_kernels_that_the_cpu_can_run_are_tried(flags, tried, monkeypatch) -> None:
    pretended = Pretended(monkeypatch, own="Barcelona", flags=flags)
    nbn_spec.doctor(quick=True)
    assert [name for name in dict.fromkeys(pretended.ran) if name not in (AS_IT_IS, ONE)] == tried


def test_more_threads_are_advised_where_a_variable_keeps_them_from_being_used(monkeypatch) -> None:
    Pretended(monkeypatch, environ={"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"})
    found = nbn_spec.doctor()
    assert (found.threads, found.threads_by) == (1, "OPENBLAS_NUM_THREADS")
    assert found.advice.changes == {"OMP_NUM_THREADS": None, "OPENBLAS_NUM_THREADS": None}
    assert found.advice.reasons == (f"products run 2.0 times faster with {ALL}",)


def test_one_thread_is_advised_where_it_is_faster(monkeypatch) -> None:
    Pretended(monkeypatch, scale=lambda case, threads: 2 / threads)
    assert nbn_spec.doctor().advice.changes == {"OPENBLAS_NUM_THREADS": "1"}


def test_beside_other_work_threads_are_only_spoken_of(monkeypatch) -> None:
    Pretended(monkeypatch, scale=lambda case, threads: 2 / threads, others=0.7)
    advice = nbn_spec.doctor().advice
    assert advice.changes == {}
    assert advice.notes[0] == f"beside other work, products run 2.0 times faster with {ONE}"
    assert advice.notes[1].startswith("other work kept 0.7 of 2 cores busy: measure again")


def test_what_holds_for_small_products_alone_is_a_note(monkeypatch) -> None:
    Pretended(monkeypatch, scale=lambda case, threads: 2 / threads if case == SMALL else threads)
    advice = nbn_spec.doctor().advice
    assert advice.changes == {}
    assert advice.notes[0] == f"small products run 2.0 times faster with {ONE}, large ones do not"


def test_with_one_core_there_are_no_other_threads_to_try(monkeypatch) -> None:
    pretended = Pretended(monkeypatch, cores=1)
    nbn_spec.doctor(quick=True)
    assert not {ONE, ALL} & set(pretended.ran)


@pytest.mark.parametrize(("off", "said"), [(1e-6, "agree to rounding"), (1e-2, "do NOT agree to rounding")])
def test_results_are_compared(off, said, monkeypatch) -> None:
    Pretended(monkeypatch, off={PLAIN: off})
    assert said in nbn_spec.doctor().advice.notes[-1]
    assert f"{off:.1e} in float32, 0.0e+00 in float64" in nbn_spec.doctor().advice.notes[-1]


def test_another_blas_is_measured_and_its_kernels_are_unknown(monkeypatch, capsys) -> None:
    pretended = Pretended(monkeypatch, openblas=False)
    said = text(capsys)
    assert set(pretended.ran) == {AS_IT_IS, ONE}
    assert "some BLAS 1.0" in said
    assert "unknown, as this is no OpenBLAS that can be asked" in said
    assert said.splitlines()[-1].startswith("nothing needs to be set")


def test_a_setting_that_fails_is_told_and_the_others_go_on(monkeypatch, capsys) -> None:
    pretended = Pretended(monkeypatch, failing=(PLAIN,))
    said = text(capsys)
    assert pretended.ran.count(PLAIN) == 1
    assert "could not measure: Haswell: it does not want to" in said
    assert "nothing needs to be set" in said


def test_where_nothing_can_be_measured_the_rest_is_told(monkeypatch, capsys) -> None:
    Pretended(monkeypatch, failing=(AS_IT_IS,), flags=frozenset())
    said = text(capsys)
    assert said.splitlines()[-1] == "could not measure: it does not want to"
    assert "NumPy         unknown" in said
    assert "no flags are told" in said
    assert json.dumps(nbn_spec.doctor().to_json())


def test_variables_and_paths_of_any_length_fit(monkeypatch, capsys) -> None:
    Pretended(monkeypatch, environ={"OPENBLAS_VERBOSE": "2 " * 100, "OMP_PLACES": "x" * 300, "MKL_A": "\33[31m"})
    said = text(capsys)
    assert "\33" not in said


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
    with pytest.raises(Failed, match="timed out"):
        speed.sample(Setting(AS_IT_IS, {}), os.environ, 0)


@pytest.mark.parametrize("said", ["", "words", "{}", "[]", "null", '{"openblas": [1]}'])
def test_an_answer_that_is_none_is_a_reason(said) -> None:
    with pytest.raises(Failed, match="nothing that can be read"):
        speed.read(said)


def test_quotas_are_read_from_both_kinds_of_control_groups(tmp_path, monkeypatch) -> None:
    new, free, old = tmp_path / "new", tmp_path / "free", tmp_path / "cpu"
    for folder in (new, free, old):
        folder.mkdir()
    (new / "cpu.max").write_text("150000 100000\n")
    (free / "cpu.max").write_text("max 100000\n")
    monkeypatch.setattr(machine, "control_groups", lambda: iter([new, free, tmp_path / "none"]))
    assert list(machine.quotas(tmp_path)) == [1.5]
    (old / "cpu.cfs_quota_us").write_text("50000\n")
    (old / "cpu.cfs_period_us").write_text("100000\n")
    assert list(machine.quotas(tmp_path)) == [1.5, 0.5]
    (old / "cpu.cfs_quota_us").write_text("-1\n")
    assert list(machine.quotas(tmp_path)) == [1.5]


def test_the_time_of_others_is_that_of_all_less_our_own(tmp_path, monkeypatch) -> None:
    stat = tmp_path / "stat"
    monkeypatch.setattr(machine, "STAT", stat)
    monkeypatch.setattr(machine.os, "sysconf", lambda _: 100, raising=False)
    monkeypatch.setattr(machine.os, "times", lambda: (1.0, 2.0, 3.0, 4.0, 999.0))
    assert machine.taken() is None
    stat.write_text("cpu  1000 100 500 99999 77 10 20 30 40 50\ncpu0 1 2\n")
    assert machine.taken() == pytest.approx(16.6 - 10)
    for text in ("words of another system\n", "cpu 1 2\n", ""):
        stat.write_text(text)
        assert machine.taken() is None


def test_the_share_of_others_is_their_time_over_that_which_passed() -> None:
    assert machine.share(1.0, 4.0, 2.0) == 1.5
    assert machine.share(4.0, 3.99, 2.0) == 0
    assert machine.share(None, 1.0, 2.0) is machine.share(1.0, None, 2.0) is None


def test_a_gain_must_be_there_in_every_round() -> None:
    assert machine.surely([1.5, 1.2, 1.3]) == 1.3
    assert machine.surely([3.0, 0.9, 3.0]) == 0
    assert machine.surely([1.05, 1.05, 1.06]) == 0
    assert machine.surely([]) == 0


def test_rates_are_medians_and_differences_the_largest() -> None:
    said = Report(WIDE, CONFIG, 2)
    numbers = [{"float32": array("d", values), "float64": array("d", [1.0])} for values in ([1, 2.5], [1, 2])]
    samples = [Sample("", "", "", said, dict.fromkeys(CASES, rate), rate, numbers[0]) for rate in (1.0, 9.0, 2.0)]
    one, other = Measured(Setting("", {}), tuple(samples)), Measured(Setting("", {}), ())
    base = Measured(Setting("", {}), (Sample("", "", "", said, dict.fromkeys(CASES, 4.0), None, numbers[1]),))
    assert (one.rate(SMALL), one.alone, other.rate(SMALL), other.alone) == (2.0, 2.0, None, None)
    assert speed.gains(one, base) == [0.25]
    assert speed.gains_alone(one, base) == speed.gains(one, other) == []
    assert (one.difference(base, "float32"), one.difference(other, "float32")) == (0.25, None)


def test_lines_for_the_shell_and_for_python(monkeypatch) -> None:
    changes = {"A": "1", "B": None}
    assert machine.python_lines(changes) == ["import os", 'os.environ["A"] = "1"', 'os.environ.pop("B", None)']
    monkeypatch.setattr(machine.sys, "platform", "linux")
    assert machine.shell_lines(changes) == ["export A=1", "unset B"]
    monkeypatch.setattr(machine.sys, "platform", "win32")
    assert machine.shell_lines(changes) == ["set A=1", "set B="]
    assert machine.python_lines({}) == machine.shell_lines({}) == []


def test_the_command_measures_this_machine(tmp_path) -> None:
    said, complaints = nbn("doctor", "--quick", "--format", "json", cwd=tmp_path)
    found = json.loads(said)
    assert complaints == ""
    assert found["failures"] == []
    assert found["measured"][0]["setting"] == AS_IT_IS
    assert all(rate > 0 for measured in found["measured"] for rate in measured["gflops"].values())
    assert all(measured["failure"] == "" for measured in found["measured"])
    assert found["free"] > 0
    assert found["cores"] >= 1
    own = [measured for measured in found["measured"] if measured["setting"] == OWN]
    assert bool(own) == (VARIABLE in os.environ and bool(found["core"]))


def test_the_command_says_it_in_words(tmp_path) -> None:
    said, _ = nbn("doctor", "--quick", cwd=tmp_path)
    names = [line[:14].strip() for line in said.splitlines()[:14]]
    facts = ("nbn_spec", "NumPy", "CPU", "cores", "memory", "BLAS", "library", "kernels", "threads", "variables")
    assert [name for name in names if name in facts] == list(facts)
    assert "GFLOP/s of matrix products, one round" in said
    assert "nothing needs to be set" in said or "set this in the shell:" in said
    assert max(map(len, said.splitlines())) <= 100
