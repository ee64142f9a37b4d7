"""``run``: train, evaluate, save."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from nbn_spec import summary
from nbn_spec.cli.guard import INTERRUPTED, say
from nbn_spec.cli.show import number, table
from nbn_spec.compiler import compile
from nbn_spec.errors import Diverged, TrainingError
from nbn_spec.metrics import BinaryAccuracy
from nbn_spec.model import Model
from nbn_spec.train import History, Trainer

SMALL = 20
"""Most examples whose predictions are printed."""
LONG = 1.0
"""Seconds after which a run gets a progress bar."""
REFRESH = 0.1
"""Seconds between two updates of the progress bar."""


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    out: Path | None
    epochs: int | None
    seed: int | None
    quiet: bool
    allow_outside: bool


def run_spec(spec: Path, options: Options) -> int:
    """Train the model of a spec, print what came of it, and save it; returns the exit code."""
    model = compile(spec, seed=options.seed, allow_outside=options.allow_outside)
    folder = prepare(options.out or Path("runs") / model.graph.name)
    if model.graph.dead:
        say(f"note: {', '.join(model.graph.dead)} left out: neither an output nor the loss needs them")
    if model.spec.get("train") is None and options.epochs is None:
        return evaluate_only(model, folder, options)
    trainer = model.trainer(epochs=options.epochs)
    history = train(model, trainer, folder, options)
    save(model, history, folder)
    if not options.quiet:
        report(model, trainer, history)
        print(f"saved {folder / 'model.npz'} and {folder / 'history.csv'}")
    if history.interrupted:
        say(f"interrupted after {len(history):,} epochs: what was trained so far is saved in {folder}")
        return INTERRUPTED
    return 0


def evaluate_only(model: Model, folder: Path, options: Options) -> int:
    """A model without training: its values, and its gradients if it has a loss."""
    if not options.quiet:
        print(summary.headline(model.graph), "", sep="\n")
        found = model.trace() if model.graph.loss else None
        values = found.values if found else outputs(model)
        for name in model.graph.forward_order:
            if name in values:
                print(f"{name} = {show(values[name])}")
        for name, gradient in (found.gradients if found else {}).items():
            if name in model.parameters:
                print(f"∂{model.graph.loss}/∂{name} = {show(gradient)}")
        print('\nnot trained: the spec has no "train"')
    save(model, History(), folder)
    if not options.quiet:
        print(f"saved {folder / 'model.npz'}")
    return 0


def outputs(model: Model) -> Mapping[str, Any]:
    """The model's outputs on its own data, by name."""
    found = model.predict(model.data(model.graph.needed_inputs(model.graph.outputs)))
    return found if isinstance(found, dict) else {model.graph.outputs[0]: found}


def show(values: Any) -> str:
    """An array in one line; a number with all its digits."""
    return number(float(values)) if np.ndim(values) == 0 else np.array2string(np.asarray(values), threshold=50)


def prepare(folder: Path) -> Path:
    """The folder for the results, made and tried before anything is computed."""
    trial = folder / ".writable"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        trial.write_bytes(b"")
        trial.unlink()
    except OSError as error:
        raise unwritable(folder, error) from None
    return folder


def unwritable(path: Path, error: OSError) -> TrainingError:
    """The error for results that cannot be written."""
    return TrainingError(
        "NBN402", str(path), f"cannot be written: {error.strerror or error}", "choose another: --out DIR"
    )


def save(model: Model, history: History, folder: Path) -> None:
    """Write the archive and, if there was a training, its history."""
    try:
        model.save(folder / "model.npz")
        if history.columns or history.interrupted:
            history.save(folder / "history.csv")
    except OSError as error:
        raise unwritable(folder, error) from None


def train(model: Model, trainer: Trainer, folder: Path, options: Options) -> History:
    """Train with the progress on the terminal; a history that ends in divergence is saved too."""
    if not options.quiet:
        print(summary.headline(model.graph), plan_line(trainer), "", sep="\n", flush=True)
    watch: Any = nullcontext() if options.quiet else Progress(trainer)
    try:
        with Interrupt() as interrupt, watch as progress:
            return trainer.run(progress, interrupt.asked)
    except Diverged as error:
        error.history.save(folder / "history.csv")
        say(f"the {len(error.history)} epochs before are in {folder / 'history.csv'}")
        raise


def plan_line(trainer: Trainer) -> str:
    """The training in one line."""
    training, steps = trainer.training, trainer.steps_per_epoch
    held = f", {trainer.validation.examples:,} held back" if trainer.validation else ""
    optimizer = training.optimizer
    rate = getattr(optimizer, "learning_rate", None)
    words = f"{optimizer.word()}, learning rate {rate}" if rate is not None else optimizer.word()
    pace = f"{training.epochs:,} epochs of {steps:,} {'steps' if steps > 1 else 'step'}"
    return f"{trainer.count:,} examples{held}; {pace}; {words}"


class Interrupt:
    """Ctrl-C ends the training after the step in hand; a second one ends the program at once."""

    def __init__(self) -> None:
        self.came = False
        self.before: Any = None

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            self.before = signal.signal(signal.SIGINT, self.note)
        return self

    def note(self, number: int, frame: FrameType | None) -> None:
        """Remember the wish; the next one is served by Python."""
        self.came = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def asked(self) -> bool:
        """Whether Ctrl-C came."""
        return self.came

    def __exit__(self, *error: object) -> None:
        if self.before is not None:
            signal.signal(signal.SIGINT, self.before)


@dataclass
class Progress:
    """Lines for the epochs that are to be reported and, on a terminal in a long run, a bar with cost and rate."""

    trainer: Trainer
    started: float = 0.0
    shown: float = 0.0
    console: Any = None
    bar: Any = None
    width: int = field(init=False)

    def __post_init__(self) -> None:
        self.width = len(str(max(0, self.trainer.training.epochs - 1)))

    def __enter__(self) -> Progress:
        from rich.console import Console

        self.console = Console(highlight=False, soft_wrap=True)
        self.started = self.shown = time.monotonic()
        return self

    def __call__(self, epoch: int, row: Mapping[str, float]) -> None:
        now = time.monotonic()
        if self.console.is_terminal and now - self.started > LONG and now - self.shown > REFRESH:
            self.shown = now
            self.move(epoch, row["loss"])
        if self.trainer.training.logged(epoch):
            values = "  ".join(f"{name} {number(value)}" for name, value in row.items())
            self.console.print(f"epoch {epoch:>{self.width}}  {values}", markup=False)

    def move(self, epoch: int, cost: float) -> None:
        """Bring the bar up to date; it appears when it is first needed."""
        if self.bar is None:
            self.bar = new_bar(self.console)
            self.bar.start()
            self.bar.add_task("training", total=self.trainer.training.epochs, cost=0.0, rate=0.0)
        rate = (epoch + 1) * self.trainer.count / (time.monotonic() - self.started)
        self.bar.update(self.bar.task_ids[0], completed=epoch + 1, cost=cost, rate=rate)

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.stop()


def new_bar(console: Any) -> Any:
    """A progress bar with cost and rate."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    cost = TextColumn("cost {task.fields[cost]:.6g}")
    rate = TextColumn("{task.fields[rate]:,.0f} examples/s")
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        cost,
        rate,
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, transient=True)


def report(model: Model, trainer: Trainer, history: History) -> None:
    """Metrics of the trained model and, for few examples, its predictions."""
    print()
    for part, values in trainer.measure().items():
        words = "  ".join(f"{name} {percent(name, value)}" for name, value in values.items())
        print(f"{part}: {words}")
    if trainer.count <= SMALL and not trainer.validation and model.graph.inputs:
        print("", *predictions(model, trainer), sep="\n")


def percent(name: str, value: float) -> str:
    """A share in percent, a loss with its digits."""
    return f"{100 * value:.1f}%" if name.endswith("accuracy") else number(value)


def predictions(model: Model, trainer: Trainer) -> list[str]:
    """A table of each example: its inputs, the outputs, for yes or no the answer, and the target."""
    data = trainer.data
    needed = model.graph.needed_inputs(model.graph.outputs)
    found = model.predict({item.name: data[item.name] for item in needed})
    results = found if isinstance(found, dict) else {model.graph.outputs[0]: found}
    columns: dict[str, Any] = {}
    for item in model.graph.inputs:
        if item.name in data and item in needed:
            columns |= named_columns(item.name, data[item.name], item.columns)
    for name, values in results.items():
        columns |= named_columns(name, values, ())
    columns |= answers(model, trainer, results)
    for item in model.graph.inputs:
        if item.name in data and item not in needed:
            columns |= named_columns(item.name, data[item.name], item.columns)
    rows = zip(*([f"{value:.6g}" for value in values] for values in columns.values()), strict=True)
    return table([tuple(columns), *rows])


def answers(model: Model, trainer: Trainer, results: Mapping[str, Any]) -> dict[str, Any]:
    """The decision of a yes-or-no model: a column beside its output."""
    for metric in trainer.training.metrics:
        name = metric.prediction(model.graph)
        if isinstance(metric, BinaryAccuracy) and name in results:
            decided = (results[name] > metric.decision(model.graph)).astype(int)
            return named_columns("prediction", decided, ())
    return {}


def named_columns(name: str, values: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """The columns of an array, by name."""
    matrix = np.asarray(values).reshape(len(values), -1)
    width = matrix.shape[1]
    titles = (
        names if len(names) == width else (name,) if width == 1 else tuple(f"{name}[{i}]" for i in range(width))
    )
    return dict(zip(titles, matrix.T, strict=True))
