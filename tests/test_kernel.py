"""Which kernels OpenBLAS is told to take: by the flags, never over the user, before NumPy is imported."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest
from commands import MODELS, ROOT

from nbn_spec import kernel
from nbn_spec.kernel import AVX512, NARROW, VARIABLE, WIDE, Cpu, Report

ZEN4 = """processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 25
model name\t: AMD EPYC 9354 32-Core Processor
flags\t\t: fpu sse sse2 ssse3 fma sse4_1 sse4_2 avx avx2 avx512f avx512dq avx512cd avx512bw avx512vl avx512_bf16

processor\t: 1
model name\t: another one
flags\t\t: fpu
"""
SKYLAKE = (
    "model name : Intel(R) Xeon(R) Gold 6130\nflags : avx avx2 fma avx512f avx512dq avx512cd avx512bw avx512vl\n"
)
KNIGHTS_LANDING = "model name : Intel(R) Xeon Phi(TM)\nflags : avx avx2 fma avx512f avx512pf avx512er avx512cd\n"
ALDER_LAKE = "model name : 12th Gen Intel(R) Core(TM) i7-12700\nflags : fpu avx avx2 fma avx_vnni\n"
ARM = "processor\t: 0\nBogoMIPS\t: 243.75\nFeatures\t: fp asimd atomics sve bf16\nCPU implementer\t: 0x41\n"
CPUINFOS = [
    pytest.param(ZEN4, "AMD EPYC 9354 32-Core Processor", True, id="Zen 4"),
    pytest.param(SKYLAKE, "Intel(R) Xeon(R) Gold 6130", True, id="Skylake server"),
    pytest.param(KNIGHTS_LANDING, "Intel(R) Xeon Phi(TM)", False, id="another AVX-512"),
    pytest.param(ALDER_LAKE, "12th Gen Intel(R) Core(TM) i7-12700", False, id="no AVX-512"),
    pytest.param(ARM, "", False, id="ARM"),
    pytest.param("", "", False, id="nothing"),
    pytest.param("flags\n: : :\n\x00\n", "", False, id="nonsense"),
]
LINUX = sys.platform == "linux" and os.uname().machine == "x86_64"


@pytest.mark.parametrize(("text", "model", "wide"), CPUINFOS)
def test_the_first_cpu_is_read_from_what_linux_says(text, model, wide, tmp_path) -> None:
    source = tmp_path / "cpuinfo"
    source.write_text(text)
    found = kernel.cpu(source)
    assert found.model == model
    assert (found.flags >= AVX512) == wide


def test_the_flags_of_arm_are_its_features() -> None:
    assert kernel.parsed(ARM).flags == {"fp", "asimd", "atomics", "sve", "bf16"}


def test_without_the_file_there_is_a_cpu_without_flags(tmp_path) -> None:
    assert kernel.cpu(tmp_path / "cpuinfo") == Cpu()


def test_of_many_cpus_only_the_first_is_read(tmp_path) -> None:
    source = tmp_path / "cpuinfo"
    source.write_text(ZEN4 * 500)
    assert kernel.cpu(source) == kernel.parsed(ZEN4)


@pytest.mark.parametrize(
    "core", ["Haswell", "HASWELL", "Zen", "Barcelona", "Prescott", "Sandybridge", "Excavator"]
)
def test_these_cores_leave_avx512_unused(core) -> None:
    assert kernel.wanting(core)


@pytest.mark.parametrize("core", ["SkylakeX", "Cooperlake", "SapphireRapids", "neoversev1", "Unknown", "", "Zen9"])
def test_these_cores_use_it_or_are_not_ours_to_judge(core) -> None:
    assert not kernel.wanting(core)


def test_the_names_are_in_small_letters() -> None:
    assert {name.lower() for name in NARROW} == NARROW
    assert kernel.PLAIN.lower() in NARROW
    assert WIDE.lower() not in NARROW


class Machine:
    """A Linux machine with flags, and an OpenBLAS that takes ``core`` by itself and ``told`` when it is told."""

    def __init__(self, monkeypatch, flags=AVX512, path=Path("openblas.so"), core="Haswell", told=WIDE) -> None:
        self.asked: list[str | None] = []
        self.cores = {None: core, WIDE: told}
        monkeypatch.setattr(kernel.sys, "platform", "linux")
        monkeypatch.setattr(kernel.os, "uname", lambda: type("Uname", (), {"machine": "x86_64"}), raising=False)
        monkeypatch.setattr(kernel, "cpu", lambda: Cpu("", frozenset(flags)))
        monkeypatch.setattr(kernel, "library", lambda: path)
        monkeypatch.setattr(kernel, "reported", self.reported)

    def reported(self, _, core=None) -> Report | None:
        self.asked.append(core)
        said = self.cores[core]
        return said and Report(said, "OpenBLAS 0.3.20", 2)


def test_a_core_without_avx512_is_replaced(monkeypatch) -> None:
    machine = Machine(monkeypatch)
    assert kernel.choose({"HOME": "/"}) == WIDE
    assert machine.asked == [None, WIDE]


@pytest.mark.parametrize("value", ["", "Haswell", "SkylakeX", "nonsense"])
def test_the_word_of_the_user_stands(value, monkeypatch) -> None:
    machine = Machine(monkeypatch)
    assert kernel.choose({VARIABLE: value}) is None
    assert machine.asked == []


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        ({"flags": AVX512 - {"avx512vl"}}, []),
        ({"flags": ()}, []),
        ({"path": None}, []),
        ({"core": "SkylakeX"}, [None]),
        ({"core": "Cooperlake"}, [None]),
        ({"core": None}, [None]),
        ({"told": None}, [None, WIDE]),
        ({"told": "Prescott"}, [None, WIDE]),
    ],
)
def test_otherwise_nothing_is_done(changes, asked, monkeypatch) -> None:
    machine = Machine(monkeypatch, **changes)
    assert kernel.choose({}) is None
    assert machine.asked == asked


@pytest.mark.parametrize(("system", "machine"), [("darwin", "x86_64"), ("win32", "AMD64"), ("linux", "aarch64")])
def test_elsewhere_nothing_is_asked(system, machine, monkeypatch) -> None:
    there = Machine(monkeypatch)
    monkeypatch.setattr(kernel.sys, "platform", system)
    monkeypatch.setattr(kernel.os, "uname", lambda: type("Uname", (), {"machine": machine}), raising=False)
    assert kernel.choose({}) is None
    assert there.asked == []


def test_applying_sets_the_variable_unless_numpy_is_imported(monkeypatch) -> None:
    Machine(monkeypatch)
    environ: dict[str, str] = {}
    assert kernel.apply(environ) is None
    assert environ == {}
    monkeypatch.delitem(sys.modules, "numpy")
    assert kernel.apply(environ) == WIDE
    assert environ == {VARIABLE: WIDE}


def test_a_library_is_found_beside_numpy(tmp_path, monkeypatch) -> None:
    package, libraries = tmp_path / "numpy", tmp_path / "numpy.libs"
    package.mkdir()
    (package / "__init__.py").write_text("")
    monkeypatch.setattr(kernel, "find_spec", lambda _: type("Spec", (), {"origin": str(package / "__init__.py")}))
    assert kernel.library() is None  # another BLAS, or that of the system
    libraries.mkdir()
    (libraries / "libgfortran.so.5").write_text("")
    assert kernel.library() is None
    for name in ("libopenblas64_p-r0.so", "libscipy_openblas64_-1.so"):
        (libraries / name).write_text("")
        assert kernel.library() == libraries / name


@pytest.mark.parametrize("found", [None, type("Spec", (), {"origin": None})])
def test_without_numpy_there_is_no_library(found, monkeypatch) -> None:
    monkeypatch.setattr(kernel, "find_spec", lambda _: found)
    assert kernel.library() is None


def test_a_numpy_that_cannot_be_looked_up_has_no_library(monkeypatch) -> None:
    def fail(_: str) -> None:
        raise ValueError("numpy.__spec__ is None")

    monkeypatch.setattr(kernel, "find_spec", fail)
    assert kernel.library() is None


@pytest.mark.parametrize(
    ("config", "version"), [("OpenBLAS 0.3.31  DYNAMIC_ARCH", "0.3.31"), ("OpenBLAS  DYNAMIC_ARCH", ""), ("", "")]
)
def test_the_config_tells_the_version(config, version) -> None:
    assert Report("Haswell", config, 1).version == version


def fresh(code: str, *words: object, code_expected: int = 0, **variables: str | None) -> tuple[str, str]:
    """What a fresh Python prints, as text and complaints; a variable that is ``None`` is taken out."""
    inherited = {name: value for name, value in os.environ.items() if name != "NBN_SPEC_KERNEL"}
    environ = {**inherited, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), "COLUMNS": "100", **variables}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *map(str, words)],
        env={name: value for name, value in environ.items() if value is not None},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )
    assert done.returncode == code_expected, (done.returncode, done.stdout, done.stderr)
    return done.stdout, done.stderr


def openblas() -> Path:
    """NumPy's own OpenBLAS on Linux, for the tests that need one."""
    path = kernel.library()
    if not LINUX or path is None:
        pytest.skip("NumPy has no OpenBLAS of its own here, or this is not Linux on x86-64")
    return path


def wide_openblas() -> Path:
    """NumPy's own OpenBLAS on a CPU with AVX-512."""
    path = openblas()
    if not kernel.cpu().flags >= AVX512:
        pytest.skip("the CPU has no AVX-512")
    return path


ASKED = (
    "import sys; from pathlib import Path; from nbn_spec import kernel\nprint(kernel.reported(Path(sys.argv[1])))"
)


def test_openblas_is_asked_without_being_loaded() -> None:
    code = ASKED + "\nprint('openblas' in open('/proc/self/maps').read(), 'numpy' in sys.modules)"
    said, left = fresh(code, openblas())[0].splitlines()
    assert said.startswith("Report(core='")
    assert left == "False False"


def test_openblas_takes_the_kernels_that_it_is_told_to() -> None:
    code = "import sys; from pathlib import Path; from nbn_spec import kernel\nask = kernel.reported\n"
    code += "print(*(ask(Path(sys.argv[1]), core).core for core in sys.argv[2:]))"
    assert fresh(code, wide_openblas(), WIDE, kernel.PLAIN)[0].split() == [WIDE, kernel.PLAIN]


def extension() -> Path:
    """A shared library that is no OpenBLAS."""
    return next(Path(np.__file__).parent.rglob(f"*{sysconfig.get_config_var('EXT_SUFFIX')}"))


@pytest.mark.skipif(not LINUX, reason="only Linux is asked")
def test_what_is_no_openblas_answers_nothing(tmp_path) -> None:
    (tmp_path / "text.so").write_text("no library")
    for path in (tmp_path / "text.so", tmp_path / "absent.so", extension()):
        assert fresh(ASKED, path) == ("None\n", "")


@pytest.mark.skipif(not LINUX, reason="only Linux is asked")
@pytest.mark.parametrize(
    "fault",
    [
        "import time; time.sleep(60)",
        "import os; os.kill(os.getpid(), 9)",
        "raise KeyboardInterrupt",
        "raise MemoryError",
        "print('many words')",
        "return 7",
    ],
)
def test_a_child_that_fails_in_any_way_answers_nothing(fault) -> None:
    code = f"from pathlib import Path\nfrom nbn_spec import kernel\ndef ask(path):\n    {fault}\n"
    code += "kernel.ask, kernel.PATIENCE = ask, 300\nprint(kernel.reported(Path('x.so')))"
    assert fresh(code) == ("None\n", "")


@pytest.mark.skipif(not LINUX, reason="only Linux is asked")
def test_a_process_with_threads_is_not_forked() -> None:
    code = "import threading\nend = threading.Event()\nthreading.Thread(target=end.wait).start()\n"
    code += "import os\ndef fork(): raise AssertionError\nos.fork = fork\n"
    assert fresh(code + ASKED + "\nend.set()", "x.so") == ("None\n", "")


@pytest.mark.parametrize("said", [b"\xff\xfe", b"words", b"[1]", b"7", b""])
def test_an_answer_that_is_none_is_nothing(said) -> None:
    inward, outward = os.pipe()
    os.write(outward, said)
    os.close(outward)
    assert kernel.received(inward) is None
    os.close(inward)


def test_what_cannot_be_forked_answers_nothing(monkeypatch) -> None:
    def refuse() -> int:
        raise OSError("no more processes")

    monkeypatch.setattr(kernel.os, "fork", refuse, raising=False)
    before = len(os.listdir("/proc/self/fd")) if LINUX else 0
    monkeypatch.setattr(kernel.os, "listdir", lambda _: ["1"])
    assert kernel.reported(Path("x.so")) is None
    monkeypatch.undo()
    assert before == (len(os.listdir("/proc/self/fd")) if LINUX else 0)  # no end of a pipe is left open


def test_openblas_is_asked_where_the_standard_streams_are_closed(tmp_path) -> None:
    code = (
        ASKED.replace("print(", "said = (").rstrip() + f"\nopen({str(tmp_path / 'said')!r}, 'w').write(str(said))"
    )
    shell = 'exec "$0" -c "$1" "$2" <&- >&- 2>&-'
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(["sh", "-c", shell, sys.executable, code, str(openblas())], env=environ, check=True, timeout=60)
    assert (tmp_path / "said").read_text().startswith("Report(core='")


COMMAND = f"""
import atexit, os, sys
from nbn_spec import kernel
def choose(environ):
    print("asked")
    return None if kernel.VARIABLE in environ else "{WIDE}"
kernel.choose = choose
atexit.register(lambda: print("set to", os.environ.get(kernel.VARIABLE)))
from nbn_spec.cli import main
main()
"""


def command(*words: object, code: int = 0, **variables: str | None) -> list[str]:
    """What is printed of the choice by a command line whose OpenBLAS always wants another core."""
    said, _ = fresh(COMMAND, *words, code_expected=code, **{VARIABLE: None, **variables})
    return [line for line in said.splitlines() if line == "asked" or line.startswith("set to")]


@pytest.mark.parametrize(
    "words", [("run", MODELS / "none.json"), ("predict", "none.npz"), ("evaluate", "none.npz")], ids=lambda w: w[0]
)
def test_the_commands_that_compute_set_the_variable(words) -> None:
    assert command(*words, code=2) == ["asked", f"set to {WIDE}"]
    assert command("--kernel", "auto", *words, code=2) == ["asked", f"set to {WIDE}"]


@pytest.mark.parametrize(
    "words", [("validate", MODELS / "xor.json"), ("graph", MODELS / "xor.json"), ("schema",), ("explain", "203")]
)
def test_the_others_do_not_ask(words) -> None:
    assert command(*words) == ["set to None"]


@pytest.mark.parametrize("value", ["", "Haswell"])
def test_the_command_line_never_overrides(value) -> None:
    assert command("predict", "none.npz", code=2, **{VARIABLE: value})[-1] == f"set to {value}"


def test_the_choice_is_switched_off_by_option_and_by_variable() -> None:
    assert command("--kernel", "keep", "predict", "none.npz", code=2) == ["set to None"]
    assert command("predict", "none.npz", code=2, NBN_SPEC_KERNEL="keep") == ["set to None"]
    assert command("--kernel", "auto", "predict", "none.npz", code=2, NBN_SPEC_KERNEL="keep")[0] == "asked"
    assert command("predict", "none.npz", code=2, NBN_SPEC_KERNEL="")[0] == "asked"


@pytest.mark.parametrize(
    ("words", "variables"),
    [
        (("--kernel", "fast"), {}),
        ((), {"NBN_SPEC_KERNEL": "fast"}),
        (("--kernel", "fast"), {"NBN_SPEC_KERNEL": "keep"}),
    ],
)
def test_another_word_is_refused_with_those_that_there_are(words, variables) -> None:
    _, said = fresh(COMMAND, *words, "predict", "none.npz", code_expected=2, **variables)
    place = "--kernel" if words else "NBN_SPEC_KERNEL"
    assert f'Invalid value for {place}: "fast" is neither auto nor keep' in said
    assert "Traceback" not in said
    assert "Value error" not in said


def test_letters_may_be_of_either_case() -> None:
    assert command("--kernel", "Keep", "predict", "none.npz", code=2) == ["set to None"]
    assert command("predict", "none.npz", code=2, NBN_SPEC_KERNEL="KEEP") == ["set to None"]
    assert command("predict", "none.npz", code=2, NBN_SPEC_KERNEL="AUTO")[0] == "asked"


@pytest.mark.parametrize("words", [("--kernel", "keep"), ("--kernel=auto",)])
def test_behind_the_command_the_option_is_told_its_place(words) -> None:
    _, said = fresh(COMMAND, "run", *words, "x.json", code_expected=2)
    assert "it goes before the command" in said
    assert "--kernel keep run" in said


def test_the_words_that_keep_the_kernels() -> None:
    assert kernel.kept({"NBN_SPEC_KERNEL": " Keep "})
    assert not kernel.kept({"NBN_SPEC_KERNEL": "auto"})
    assert not kernel.kept({})


def test_numpy_then_takes_the_kernels(tmp_path) -> None:
    path = wide_openblas()
    code = "import os, sys, atexit; from nbn_spec import kernel; from nbn_spec.cli import main\n"
    code += f"atexit.register(lambda: print(kernel.ask({str(path)!r}).core, *sys.modules))\nmain()"
    words = ("run", "-q", "--epochs", 1, "--out", tmp_path, MODELS / "and.json")
    core, *modules = fresh(code, *words, **{VARIABLE: None})[0].split()
    assert "numpy" in modules
    assert not kernel.wanting(core)
    assert fresh(code, *words, **{VARIABLE: kernel.PLAIN})[0].split()[0] == kernel.PLAIN


@pytest.mark.parametrize("word", ["--version", "--help"])
def test_version_and_help_import_nothing_heavy(word) -> None:
    code = "import sys, atexit; from nbn_spec.cli import main\n"
    code += (
        "atexit.register(lambda: print('heavy:', {'numpy', 'pydantic', 'jsonschema'} & set(sys.modules)))\nmain()"
    )
    assert fresh(code, word)[0].splitlines()[-1] == "heavy: set()"


TRAIN = """
import sys, nbn_spec
model = nbn_spec.compile(sys.argv[1])
model.fit(epochs=int(sys.argv[2]))
sys.stdout.write(model.flat.astype("float64").tobytes().hex())
"""


def trained(core: str, model: str, epochs: int) -> np.ndarray:
    """The parameters that a training with the kernels of one core ends with."""
    said, _ = fresh(TRAIN, MODELS / f"{model}.json", epochs, **{VARIABLE: core})
    return np.frombuffer(bytes.fromhex(said))


@pytest.mark.parametrize(("model", "epochs", "rounding"), [("xor", 300, 1e-12), ("digits", 2, 1e-5)])
def test_kernels_agree_to_rounding_and_each_with_itself_to_the_bit(model, epochs, rounding) -> None:
    wide_openblas()
    cores = (WIDE, kernel.PLAIN)
    first, second = ([trained(core, model, epochs) for core in cores] for _ in range(2))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_allclose(*first, rtol=0, atol=rounding)
