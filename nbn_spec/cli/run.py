"""``run``: train, evaluate, save."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from nbn_spec.cli.formats import finite
from nbn_spec.cli.guard import Reporter, say
from nbn_spec.cli.progress import Interrupt, Progress
from nbn_spec.cli.report import Shown, is_batched, outputs, plan_line, profile_lines, report
from nbn_spec.diagnosis import Diagnosis, examine, unsilenced
from nbn_spec.errors import Diverged, NbnError, TrainingError, printable
from nbn_spec.health import health
from nbn_spec.model import Model
from nbn_spec.profile import Profile
from nbn_spec.summary import counted, headline
from nbn_spec.train import History, Trainer, measure_statistics

MODEL, HISTORY, BROKEN = "model.npz", "history.csv", "history.diverged.csv"
"""The results: an archive, the history that belongs to it, and the history of a training that gave no model."""


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    out: Path | None
    epochs: int | None
    seed: int | None
    quiet: bool
    allow_outside: bool
    max_memory: str | None
    profile: bool = False


def run_spec(spec: Path, options: Options, reporter: Reporter) -> int:
    """Train the model of a spec, print what came of it, and save it; returns the exit code."""
    found = examine(spec, seed=options.seed, allow_outside=options.allow_outside, max_memory=options.max_memory)
    memory = [estimate.to_json() for estimate in found.memory]
    if not reporter.add(str(spec), found.problems, memory):
        return NbnError.exit_code
    model = found.require()
    folder = prepare(options.out or Path("runs") / model.graph.name)
    if model.spec.get("train") is None and options.epochs is None:
        return evaluate_only(model, folder, options, reporter)
    try:
        return train_and_save(found, model, folder, options, reporter)
    except Diverged as error:
        reporter.add(str(spec), found.located(error.problems))
        return error.exit_code


def train_and_save(found: Diagnosis, model: Model, folder: Path, options: Options, reporter: Reporter) -> int:
    """Train, save, and say how it went; returns the exit code."""
    profile = Profile() if options.profile else None
    trainer = model.trainer(found.data or None, epochs=options.epochs, profile=profile)
    with Interrupt() as interrupt:  # saving included, lest a signal between the two loses the training
        history = train(model, trainer, interrupt, folder, options)
        save(model, folder, history)
    reporter.result = result(model, trainer, history, folder) if reporter.as_json else None
    if not options.quiet:
        report(model, trainer)
        if profile is not None:
            print(*profile_lines(profile, model.graph), sep="\n")
        print(printable(f"saved {folder / MODEL} and {folder / HISTORY}"))
    if interrupt.asked():
        say(f"interrupted after {counted(len(history), 'epoch')}: what was trained so far is saved in {folder}")
    ailing = found.located(unsilenced(health(trainer, history), model.spec))
    fine = not ailing or reporter.add(found.file, ailing)
    return interrupt.code if fine else interrupt.code or NbnError.exit_code


def result(model: Model, trainer: Trainer, history: History, folder: Path) -> dict[str, Any]:
    """What came of a training, for programs."""
    profile = trainer.profile
    return {
        **({} if profile is None else {"profile": profile.to_json() if profile.steps else None}),
        "name": model.graph.name,
        "epochs": len(history),
        "interrupted": history.interrupted,
        "measured": {part: finite(values) for part, values in trainer.measure().items()},
        "saved": {"model": str(folder / MODEL), "history": str(folder / HISTORY)},
    }


def evaluate_only(model: Model, folder: Path, options: Options, reporter: Reporter) -> int:
    """A model without training: its values, and its gradients if it has a loss."""
    measure(model)
    if not options.quiet:
        print(headline(model.graph), "", *values_and_gradients(model), sep="\n")
        print('\nnot trained: the spec has no "train"' + ", so there is no profile" * options.profile)
    save(model, folder)
    reporter.result = {"name": model.graph.name, "epochs": 0, "saved": {"model": str(folder / MODEL)}}
    if not options.quiet:
        print(printable(f"saved {folder / MODEL}"))
    return 0


def measure(model: Model) -> None:
    """Set the statistics of the data, which nodes such as ``standardize`` need, as training would."""
    graph = model.graph
    if any(node.op.statistics for node in graph.nodes):
        measure_statistics(graph, model.layout, model.flat, model.data(graph.needed_inputs(graph.forward_order)))


def values_and_gradients(model: Model) -> list[str]:
    """A line for every node and every gradient, or for the outputs where there is no loss."""
    graph = model.graph
    if graph.loss is None:
        found = outputs(model, model.data(graph.needed_inputs(graph.outputs)))
        return [result.line() for result in found]
    trace = model.trace()
    names = [name for name in graph.forward_order if name in trace.values]
    parts = [Shown(name, trace.values[name], is_batched(model, name)) for name in names]
    by = [name for name in trace.gradients if name in model.parameters]
    parts += [Shown(f"∂{graph.loss}/∂{name}", trace.gradients[name], False) for name in by]
    return [part.line() for part in parts]


def prepare(folder: Path) -> Path:
    """The folder for the results, made and tried before anything is computed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise unwritable(folder, error) from None
    return folder


def unwritable(folder: Path, error: OSError) -> TrainingError:
    """The error for results that cannot be written."""
    message = f"cannot be written: {error.strerror or error}"
    return TrainingError("NBN402", str(folder), message, "choose another: --out DIR")


def save(model: Model, folder: Path, history: History | None = None) -> None:
    """Write the archive and, if there was a training, its history."""
    try:
        model.save(folder / MODEL)
        if history is not None:
            history.save(folder / HISTORY)
            (folder / BROKEN).unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from None


def train(model: Model, trainer: Trainer, interrupt: Interrupt, folder: Path, options: Options) -> History:
    """Train with the progress on the terminal; a history that ends in divergence is saved too."""
    if not options.quiet:
        print(headline(model.graph), plan_line(trainer), "", sep="\n", flush=True)
    watch: Any = nullcontext() if options.quiet else Progress(trainer)
    try:
        with watch as progress:
            return trainer.run(progress, interrupt.asked)
    except Diverged as error:
        keep_broken(error.history, folder)
        raise


def keep_broken(history: History, folder: Path) -> None:
    """Save the history of a training that diverged, beside the results of an earlier run and not over them."""
    if not len(history):
        return
    try:
        history.save(folder / BROKEN)
    except OSError as error:
        say(f"note: {folder / BROKEN} cannot be written: {error.strerror or error}")
        return
    earlier = f"; {MODEL} there is that of an earlier run" if (folder / MODEL).exists() else ""
    say(f"the history of the {counted(len(history), 'epoch')} before is in {folder / BROKEN}{earlier}")
