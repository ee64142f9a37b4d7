"""``doctor``: what it finds, what it advises, and that nothing which it cannot find out stops it."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import ENVIRONMENT, ROOT, nbn

import nbn_spec
from nbn_spec import kernel, machine, speed
from nbn_spec.cli.doctor import show_doctor
from nbn_spec.kernel import AVX2, AVX512, PLAIN, VARIABLE, WIDE, Cpu, Report
from nbn_spec.machine import ALL, AS_IT_IS, ONE, OWN
from nbn_spec.speed import CASES, SMALL, Failed, Sample, Setting

CONFIG = "OpenBLAS 0.3.31  USE64BITINT DYNAMIC_ARCH NO_AFFINITY SkylakeX MAX_THREADS=64"
SPEEDS = {WIDE: 200.0, "Cooperlake": 200.0, PLAIN: 100.0, "Zen": 100.0, "Barcelona": 25.0}
"""GFLOP/s on one thread."""


class Pretended:
    """A machine of two idle cores whose OpenBLAS takes the core ``own`` by itself."""

    def __init__(self, monkeypatch, own=WIDE, environ=None, **more) -> None:
        self.own, self.speeds, self.scale = own, more.get("speeds", SPEEDS), more.get("scale", lambda case, n: n)
        self.openblas, self.failing = more.get("openblas", True), more.get("failing", ())
        self.off, self.most = more.get("off", {}), more.get("cores", 2)
        cpu = Cpu("AMD EPYC", more.get("flags", AVX2 | AVX512))
        self.ran: list[str] = []
        for name in [name for name in os.environ if name.startswith(machine.FAMILIES)]:
            monkeypatch.delenv(name)
        for name, value in (environ or {}).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(kernel, "cpu", lambda: cpu)
        monkeypatch.setattr(kernel, "library", lambda: Path("/lib/blas.so"))
        monkeypatch.setattr(kernel.sys, "platform", "linux")
        monkeypatch.setattr(kernel.os, "uname", lambda: type("Uname", (), {"machine": "x86_64"}), raising=False)
        monkeypatch.setattr(machine.os, "cpu_count", lambda: self.most)
        monkeypatch.setattr(machine, "usable", lambda: self.most)
        monkeypatch.setattr(machine, "share", lambda before, after, seconds: more.get("others", 0.1))
        monkeypatch.setattr(speed, "sample", self.sample)
        monkeypatch.setattr(machine, "sample", self.sample)

    def sample(self, setting, environ, seconds) -> Sample:
        """What a process in this environment would find."""
        self.ran.append(setting.name)
        if setting.name in self.failing:
            raise Failed("it does not want to")
        changed = setting.environment(environ)
        core = self.own if changed.get(VARIABLE) not in self.speeds else changed[VARIABLE]
        numbers = (machine.number(changed.get(name, "")) for name in machine.THREADS)
        threads = min(next(filter(None, numbers), self.most), self.most)
        rates = {case: self.speeds[core] * self.scale(case, threads) for case in CASES}
        errors = {"float32": self.off.get(core, 0.0), "float64": 0.0}
        said = Report(core, CONFIG, threads) if self.openblas else None
        alone = self.speeds[core] if self.openblas else None
        return Sample("2.4.6", "some BLAS 1.0", "/lib/blas.so", said, rates, alone, errors)


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
    assert found.advice.changes == {"OPENBLAS_NUM_THREADS": "2"}
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


def test_more_threads_are_tried_where_a_variable_allows_several_but_not_all(monkeypatch) -> None:
    pretended = Pretended(monkeypatch, environ={"OPENBLAS_NUM_THREADS": "2"}, cores=64, others=None)
    found = nbn_spec.doctor(quick=True)
    assert pretended.ran[-2:] == [ONE, ALL]
    assert found.advice.changes == {"OPENBLAS_NUM_THREADS": "64"}
    assert found.advice.reasons == (f"products run 32.0 times faster with {ALL}",)


def test_another_blas_is_told_of_threads_by_the_variables_that_are_set(monkeypatch) -> None:
    pretended = Pretended(monkeypatch, openblas=False, environ={"MKL_NUM_THREADS": "1", "OMP_NUM_THREADS": "x"})
    found = nbn_spec.doctor(quick=True)
    assert [dict(one.setting.changes) for one in found.measured] == [{}, {"MKL_NUM_THREADS": "2"}]
    assert pretended.ran == [AS_IT_IS, AS_IT_IS, ALL]


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        (
            {"OPENBLAS_NUM_THREADS": "abc"},
            "2, set by no variable of OpenBLAS; OPENBLAS_NUM_THREADS=abc is ignored",
        ),
        (
            {"OPENBLAS_NUM_THREADS": "0", "OMP_NUM_THREADS": "1"},
            "1, set by OMP_NUM_THREADS=1; OPENBLAS_NUM_THREADS=0 is ignored",
        ),
        (
            {"OPENBLAS_NUM_THREADS": "-1", "GOTO_NUM_THREADS": "2"},
            "2, set by GOTO_NUM_THREADS=2; OPENBLAS_NUM_THREADS=-1 is ignored",
        ),
        (
            {"OPENBLAS_DEFAULT_NUM_THREADS": "1", "OMP_NUM_THREADS": "2"},
            "1, set by OPENBLAS_DEFAULT_NUM_THREADS=1",
        ),
        ({"OMP_NUM_THREADS": "1,2"}, "1, set by OMP_NUM_THREADS=1,2"),
        ({"OMP_NUM_THREADS": "8"}, "2, set by OMP_NUM_THREADS=8, which asks for more than there are cores"),
    ],
)
def test_the_first_variable_that_holds_a_number_sets_the_threads(environ, said, monkeypatch, capsys) -> None:
    Pretended(monkeypatch, environ=environ)
    assert f"threads {said} variables" in joined(text(capsys))


def test_a_core_that_openblas_does_not_take_is_told(monkeypatch, capsys) -> None:
    Pretended(monkeypatch, own=PLAIN, environ={VARIABLE: "Haswel"})
    said = joined(text(capsys))
    assert f"Haswell, chosen by OpenBLAS, which does not take {VARIABLE}=Haswel threads" in said
    assert "faster with the SkylakeX kernels than with OpenBLAS's own choice, Haswell" in said


def test_all_products_that_are_right_to_rounding_are_said_to_be(monkeypatch) -> None:
    Pretended(monkeypatch, off={PLAIN: 1e-6})
    said = "all products are right to rounding: the largest errors are 1.0e-06 in float32, 0.0e+00 in float64"
    assert nbn_spec.doctor(quick=True).advice.notes[-1] == said


@pytest.mark.parametrize(("off", "said"), [(1e-2, "1.0e-02"), (math.inf, "not finite")])
def test_kernels_that_compute_wrong_are_never_advised(off, said, monkeypatch, capsys) -> None:
    Pretended(monkeypatch, own="Zen", off={WIDE: off}, speeds={WIDE: 200.0, PLAIN: 100.0, "Zen": 100.0})
    found = nbn_spec.doctor(quick=True)
    assert found.advice.changes == {}
    assert found.advice.notes[0].startswith(
        f'with the setting "{WIDE}" products are WRONG: the largest errors are {said} in'
    )
    assert found.advice.notes[1].endswith("NBN_SPEC_KERNEL=keep")
    assert found.advice.notes[2].startswith("the other products are right to rounding")
    assert found.to_json()["measured"][1]["right"] is False
    json.dumps(found.to_json(), allow_nan=False)


def test_kernels_in_force_that_compute_wrong_are_replaced(monkeypatch) -> None:
    Pretended(monkeypatch, own=PLAIN, environ={VARIABLE: WIDE}, off={WIDE: math.inf})
    found = nbn_spec.doctor(quick=True)
    assert found.advice.changes == {VARIABLE: None}
    wrong = f"the products of the {PLAIN} kernels are right, those of your {VARIABLE}={WIDE} are wrong"
    assert found.advice.reasons == (wrong,)


def test_where_all_kernels_compute_wrong_none_is_advised(monkeypatch, capsys) -> None:
    Pretended(monkeypatch, off={WIDE: 1.0, PLAIN: 1.0})
    assert joined(text(capsys)).endswith("do not trust this BLAS")


def test_one_thread_that_computes_wrong_is_not_advised(monkeypatch) -> None:
    pretended = Pretended(monkeypatch, scale=lambda case, threads: 2 / threads)
    plain = pretended.sample

    def sample(setting, environ, seconds) -> Sample:
        found = plain(setting, environ, seconds)
        wrong = dict.fromkeys(speed.EPSILON, 1.0)
        return replace(found, errors=wrong) if setting.name == ONE else found

    monkeypatch.setattr(speed, "sample", sample)
    assert nbn_spec.doctor(quick=True).advice.changes == {}


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
    assert f"NumPy         {np.__version__} is installed" in said
    assert "no flags are told" in said
    for row in ("BLAS", "kernels", "threads"):
        assert f"{row:14}unknown, as nothing could be measured" in said
    assert json.dumps(nbn_spec.doctor().to_json())


@pytest.mark.parametrize(
    ("environ", "known"), [({}, None), ({"NBN_SPEC_KERNEL": "KEEP"}, ""), ({VARIABLE: ""}, "")]
)
def test_without_measuring_it_is_only_known_where_the_command_line_does_nothing(
    environ, known, monkeypatch, capsys
) -> None:
    Pretended(monkeypatch, failing=(AS_IT_IS,), environ=environ)
    assert nbn_spec.doctor().command_line == known
    said = "run, predict and evaluate leave the kernels as they are" if known == "" else "unknown, as nothing"
    assert f"command line  {said}" in text(capsys)


def test_a_machine_as_it_is_that_fails_later_gets_no_advice(monkeypatch, capsys) -> None:
    pretended = Pretended(monkeypatch)
    found = pretended.sample(Setting(AS_IT_IS, {}), {}, 0)
    monkeypatch.setattr(machine, "sample", lambda *_: found)
    pretended.failing = (AS_IT_IS,)
    assert joined(text(capsys)).endswith("nothing is advised: this machine as it is could not be measured")


@pytest.mark.parametrize("where", ["library", "platform"])
def test_the_command_line_sets_nothing_where_it_does_not_choose(where, monkeypatch) -> None:
    Pretended(monkeypatch, own="Barcelona")
    assert nbn_spec.doctor(quick=True).command_line == WIDE
    assert nbn_spec.doctor(quick=True, keep=True).command_line == ""
    if where == "library":
        monkeypatch.setattr(kernel, "library", lambda: None)
    else:
        monkeypatch.setattr(kernel.sys, "platform", "darwin")
    assert nbn_spec.doctor(quick=True).command_line == ""


def test_variables_and_paths_of_any_length_fit(monkeypatch, capsys) -> None:
    Pretended(monkeypatch, environ={"OPENBLAS_VERBOSE": "2 " * 100, "MKL_A": "\33[31m"})
    said = text(capsys)
    assert "\33" not in said


def test_a_path_stays_whole(monkeypatch, capsys) -> None:
    path = f"/home/{'a-' * 70}/libopenblas-r0.so"
    Pretended(monkeypatch, environ={"MKL_PATH": path})
    assert show_doctor(quick=True, as_json=False) == 0
    assert path in capsys.readouterr().out


def process(code: str, *, code_expected: int = 0) -> tuple[str, str]:
    """What a fresh Python prints, as text and complaints."""
    done = subprocess.run(
        [sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, encoding="utf-8", timeout=60
    )
    assert done.returncode == code_expected, (done.stdout, done.stderr)
    return done.stdout, done.stderr


def test_without_a_numpy_that_can_be_imported_the_rest_is_told(tmp_path) -> None:
    (tmp_path / "numpy.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGILL)")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
    code += "from nbn_spec.cli.doctor import show_doctor\nshow_doctor(quick=True, as_json=False)"
    said, complaints = process(code)
    assert complaints == ""
    assert "could not measure: a Python to measure in was ended by SIGILL" in said
    assert "kernels       unknown, as nothing could be measured" in said


def test_the_doctor_itself_imports_no_numpy() -> None:
    code = "import sys, nbn_spec.machine\nassert 'numpy' not in sys.modules\n"
    code += "from nbn_spec.cli.doctor import show_doctor\nshow_doctor(quick=True, as_json=False)\n"
    code += "print('numpy' in sys.modules)"
    assert process(code)[0].splitlines()[-1] == "False"


@pytest.mark.skipif(os.name == "nt", reason="Windows ends processes by no signals")
@pytest.mark.parametrize("killed", [False, True], ids=["SIGTERM", "SIGKILL"])
def test_a_signal_leaves_no_process_that_measures(killed, tmp_path) -> None:
    note = tmp_path / "child"
    worker = f"import os, time; open({str(note)!r}, 'w').write(f'{{os.getpid()}} ')\n"
    worker += speed.WORKER.replace("float(sys.argv[2])", "60") if killed else "time.sleep(60)"
    code = f"import nbn_spec.speed\nnbn_spec.speed.WORKER = {worker!r}\n"
    code += "import sys; sys.argv[1:] = ['doctor']\nfrom nbn_spec.cli import main\nmain()"
    with subprocess.Popen([sys.executable, "-c", code], env=ENVIRONMENT, stderr=subprocess.PIPE) as doctor:
        until(lambda: note.exists() and note.read_text().endswith(" "))
        doctor.send_signal(signal.SIGKILL if killed else signal.SIGTERM)
        assert doctor.communicate(timeout=30)[1].strip() == (b"" if killed else b"terminated")
    assert doctor.returncode == (-signal.SIGKILL if killed else 143)
    until(lambda: not is_alive(int(note.read_text())))


def until(true, seconds=30) -> None:
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def is_alive(process: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_signal_that_is_ignored_stays_so_and_the_handler_is_put_back(monkeypatch) -> None:
    Pretended(monkeypatch)
    for handler in (signal.SIG_IGN, signal.SIG_DFL):
        before = signal.signal(signal.SIGTERM, handler)
        try:
            show_doctor(quick=True, as_json=True)
            assert signal.getsignal(signal.SIGTERM) is handler
        finally:
            signal.signal(signal.SIGTERM, before)


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
    assert (found["format"], found["command"], found["exit_code"]) == (1, "doctor", 0)
    assert (found["nbn_spec"], found["numpy"]) == (nbn_spec.__version__, np.__version__)
    assert found["python"].startswith(sys.version.split()[0])
    assert all(f"`{key}`" in (ROOT / "docs" / "kernels.md").read_text() for key in (*found, *found["measured"][0]))
    assert all(measured["right"] for measured in found["measured"])
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
    for line in said.splitlines():
        assert len(line) <= 100 or " " not in line[14:], "only a path may be wider, as it is not broken"
