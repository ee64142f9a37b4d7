"""While a training runs: its lines, its bar, and the signals that end it early."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from nbn_spec.cli.report import in_full
from nbn_spec.errors import printable
from nbn_spec.train import Trainer

LONG = 1.0
"""Seconds after which a run gets a progress bar."""
REFRESH = 0.1
"""Seconds between two updates of the progress bar."""
AWAITED = (signal.SIGINT, signal.SIGTERM)
"""The signals that end a training gently."""


class Interrupt:
    """Ctrl-C or SIGTERM ends the training after the step in hand; a second one ends the program at once."""

    def __init__(self) -> None:
        self.came = 0
        self.before: dict[int, Any] = {}

    @property
    def code(self) -> int:
        """The exit code, as shells have it: 130 for Ctrl-C, 143 for SIGTERM, 0 where none came."""
        return 128 + self.came if self.came else 0

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            for number in AWAITED:
                # One that is ignored stays so: a shell's background jobs do not hear the terminal's Ctrl-C.
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self.before[number] = signal.signal(number, self.note)
        return self

    def note(self, number: int, frame: FrameType | None) -> None:
        """Remember the wish; the next one, of either kind, ends the program."""
        if self.came:
            raise KeyboardInterrupt
        self.came = number

    def asked(self) -> bool:
        """Whether a signal came."""
        return self.came != 0

    def __exit__(self, *error: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)


@dataclass
class Progress:
    """Lines for the epochs that are to be reported and, on a terminal in a long run, a bar with cost and rate."""

    trainer: Trainer
    started: float = 0.0
    shown: float = 0.0
    terminal: bool = False
    bar: Any = None
    width: int = field(init=False)

    def __post_init__(self) -> None:
        self.width = len(str(max(0, self.trainer.training.epochs - 1)))

    def __enter__(self) -> Progress:
        self.terminal = sys.stdout.isatty()
        self.started = self.shown = time.monotonic()
        return self

    def __call__(self, epoch: int, row: Mapping[str, float]) -> None:
        now = time.monotonic()
        if self.terminal and now - self.started > LONG and now - self.shown > REFRESH:
            self.shown = now
            self.move(epoch, row["loss"])
        if self.trainer.training.logged(epoch):
            values = "  ".join(f"{name} {in_full(value)}" for name, value in row.items())
            self.say(printable(f"epoch {epoch:>{self.width}}  {values}"))

    def say(self, line: str) -> None:
        """Print a line, above the bar if there is one."""
        if self.bar is None:
            print(line, flush=True)
        else:
            self.bar.console.out(line, highlight=False)

    def move(self, epoch: int, cost: float) -> None:
        """Bring the bar up to date; it appears when it is first needed."""
        rate = (epoch + 1) * self.trainer.count / max(time.monotonic() - self.started, 1e-9)
        state: dict[str, Any] = {"completed": epoch + 1, "cost": cost, "rate": rate}
        if self.bar is None:
            self.bar = new_bar()
            self.bar.add_task("training", total=self.trainer.training.epochs, **state)
            self.bar.start()
        self.bar.update(self.bar.task_ids[0], **state)

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.stop()


def new_bar() -> Any:
    """A progress bar with cost and rate."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("cost {task.fields[cost]:.6g}"),
        TextColumn("{task.fields[rate]:,.0f} examples/s"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(highlight=False), transient=True)
