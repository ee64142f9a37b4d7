"""Rules on what is written: training settings out of the usual, and things that nothing uses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from nbn_spec.graph import Constant, Input, Leaf
from nbn_spec.lint.roles import leaks, without_batch
from nbn_spec.lint.subject import Finding, Subject
from nbn_spec.optim import Adam, Optimizer, Sgd

USUAL: dict[type[Optimizer], tuple[float, float]] = {Sgd: (1e-4, 5.0), Adam: (1e-6, 0.1)}
"""Between which learning rates an optimizer is commonly used; those of the tutorial are from 0.1 to 2."""


def large_batch(subject: Subject) -> Iterator[Finding]:
    """A batch of more examples than there are to train on."""
    size, count = subject.training.batch_size if subject.training else "all", len(subject.parts[0])
    if size != "all" and 0 < count < size:
        held = len(subject.parts[1])
        rest = f" ({held:,} held back)" if held else ""
        yield Finding(
            "train",
            ("train", "batch_size"),
            f"batch_size is {size:,}, but {counted(count)} to train on{rest}",
            (
                "Every step then takes all examples, in their own order, and an epoch is a single step: small "
                "batches make many steps of one pass, and their noise helps.",
            ),
            '"batch_size": "all" says the same'
            + (f"; for smaller steps take, say, {min(32, count // 4)}" if count >= 8 else ""),
        )


def counted(count: int) -> str:
    """How many examples there are."""
    return "there is 1 example" if count == 1 else f"there are {count:,} examples"


def unusual_rate(subject: Subject) -> Iterator[Finding]:
    """A learning rate far outside of what its optimizer is used with."""
    optimizer = subject.training.optimizer if subject.training else None
    if optimizer is None or type(optimizer) not in USUAL:
        return
    low, high = USUAL[type(optimizer)]
    rate, word = getattr(optimizer, "learning_rate", low), optimizer.word()
    if low <= rate <= high:
        return
    much = "Steps of this size jump over every minimum, and training often leaves the finite numbers."
    little = "Steps of this size hardly move the parameters, however many epochs there are."
    yield Finding(
        "train",
        ("train", "optimizer", "learning_rate"),
        f"a learning rate of {rate:g} is far {'above' if rate > high else 'below'} what {word} is used with",
        (much if rate > high else little, f"Usual for {word} is {low:g} to {high:g}."),
        f'"optimizer": {{"name": "{word}", "learning_rate": {type(optimizer)().to_json()["learning_rate"]:g}}}'
        " is the default to start from",
    )


def unused(subject: Subject) -> Iterator[Finding]:
    """Leaves that nothing reads, nodes that nothing needs, and settings of the training without an effect."""
    meant = {name for leak in leaks(subject) for name in leak.unread}  # to be read instead of the target
    for name, leaf in subject.graph.leaves.items():
        if subject.idle(name) and name not in meant:
            yield unread(subject, name, leaf)
    dead = set(subject.graph.dead)
    for name in subject.graph.dead:
        parent = name.rpartition("/")[0]  # what sugar was expanded to goes with what was written
        if parent not in dead and parent not in subject.graph.leaves:
            yield dead_node(name)
    yield from idle_settings(subject)


def unread(subject: Subject, name: str, leaf: Leaf) -> Finding:
    """The finding for an input, constant or parameter that no needed node reads."""
    kind = "input" if isinstance(leaf, Input) else "constant" if isinstance(leaf, Constant) else "parameter"
    costs = {
        "input": "Whoever uses the model is told that it takes this input, and looks for what it does.",
        "constant": "A constant that was forgotten on the way often means a formula that is not the one meant.",
        "parameter": "It counts among the parameters and is saved with them, but nothing depends on it.",
    }
    given = kind == "input" and given_data(subject, name)
    more = (f'The data given for "{name}" is read and checked in vain.',) if given else ()
    hint = f'leave "{name}" out of "{kind}s"' + (' and of "data"' if given else "") + ", or let a node read it"
    message = f'the {kind} "{name}" is read by nothing that an output or the loss needs'
    return Finding(name, (f"{kind}s", name), message, (costs[kind], *more), hint, of_key=True)


def given_data(subject: Subject, name: str) -> bool:
    """Whether the document has data for an input by its name."""
    data = subject.written.get("data")
    groups = [data.get(key) for key in ("values", "columns", "arrays", "npy")] if isinstance(data, Mapping) else []
    return any(isinstance(group, Mapping) and name in group for group in groups)


def dead_node(name: str) -> Finding:
    """The finding for a node that was left out of the program."""
    return Finding(
        name,
        ("nodes", name),
        f'neither an output nor the loss needs node "{name}"',
        ("It is left out of the program, with its parameters: nothing of it is computed, trained or saved.",),
        f'name it under "outputs", let another node read it ("inputs": "{name}"), or leave it out',
    )


def idle_settings(subject: Subject) -> Iterator[Finding]:
    """Settings under ``train`` that change nothing beside the others."""
    training, written = subject.training, subject.written.get("train")
    if training is None or not isinstance(written, Mapping):
        return
    if training.epochs == 0:
        yield idle(
            "epochs",
            "epochs is 0, so nothing is trained",
            "The model stays as it was drawn, whatever else is said of its training.",
            '"epochs": 100, for example; to evaluate the model as it is, leave "train" out',
        )
        return
    batched = any(item.batched for item in subject.graph.inputs) or any(without_batch(subject))
    if training.log_every is not None and training.log_every > training.epochs:
        yield idle(
            "log_every",
            f"log_every is {training.log_every}, but there are {training.epochs} epochs",
            "Every so many epochs never comes round: only the first and the last epoch are reported.",
            f'"log_every": {max(1, training.epochs // 10)}',
        )
    if not batched and training.batch_size != "all":
        yield idle(
            "batch_size",
            "batch_size is given, but no input holds examples",
            "A graph without data makes one step in each epoch.",
            'leave "batch_size" out',
        )
    if written.get("shuffle") is True and training.batch_size == "all":
        yield idle(
            "shuffle",
            '"shuffle": true changes nothing, as one batch holds all examples',
            "A full batch keeps its order: its gradient is a sum, which does not depend on it.",
            'leave it out, or give a "batch_size", such as 32',
        )


def idle(key: str, message: str, note: str, hint: str) -> Finding:
    """The finding for a setting of the training."""
    return Finding("train", ("train", key), message, (note,), hint)
