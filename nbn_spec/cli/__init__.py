"""The command line: parses arguments, calls the library, prints, and maps errors to exit codes.

0 done, 1 a bug of this program, 2 the user's input, 3 training diverged, 130 interrupted, 143 terminated.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
import typer.core

from nbn_spec.cli import streams
from nbn_spec.cli.guard import Reporter, guarded, reported
from nbn_spec.kernel import KEEP, OPTION, apply
from nbn_spec.version import VERSION


class Commands(typer.core.TyperGroup):
    """The commands; an option of theirs that stands behind one is told its place."""

    def invoke(self, context: Any) -> Any:
        """Run a command; raises ``BadParameter`` for ``--kernel`` behind it."""
        try:
            return super().invoke(context)
        except Exception as error:
            if getattr(error, "option_name", "") != "--kernel":
                raise
            command = f"{context.info_name} --kernel {KEEP} {context.invoked_subcommand}"
            raise typer.BadParameter(
                f"it goes before the command: {command} …", context, param_hint="--kernel"
            ) from None


app = typer.Typer(
    name="nbn-spec",
    cls=Commands,
    help="Compile, train and use neural networks written as one JSON document.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

MOST_EPOCHS, MOST_SEED = 10**9, 2**32 - 1
COMPUTING = ("run", "predict", "evaluate")
"""The commands whose time goes into matrix products."""
KERNEL_WORDS = ("auto", KEEP)


def path(text: str) -> Path:
    """A path; an empty one, which pathlib would take for the current folder, is refused."""
    if not text:
        raise typer.BadParameter("it is empty")
    return Path(text)


Spec = Annotated[
    Path, typer.Argument(metavar="SPEC", parser=path, help="The model's JSON document.", show_default=False)
]
SpecOrArchive = Annotated[
    Path,
    typer.Argument(metavar="SPEC", parser=path, help="A JSON document, or an archive.", show_default=False),
]
SpecsOrArchives = Annotated[
    list[Path],
    typer.Argument(metavar="SPEC", parser=path, help="JSON documents, or archives.", show_default=False),
]
Archive = Annotated[
    Path,
    typer.Argument(metavar="ARCHIVE", parser=path, help="An .npz that run has saved.", show_default=False),
]
Epochs = Annotated[
    int | None, typer.Option(min=0, max=MOST_EPOCHS, help="Instead of the spec's.", show_default=False)
]
Seed = Annotated[
    int | None, typer.Option(min=0, max=MOST_SEED, help="Instead of the spec's seed.", show_default=False)
]
Folder = Annotated[
    Path | None, typer.Option(metavar="DIR", parser=path, help="Folder for results.", show_default="runs/NAME")
]
Outside = Annotated[bool, typer.Option("--allow-outside", help="Let data files lie outside the spec's folder.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
Memory = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE", help="The most to take, as 512MiB or 2G.", show_default="what the machine has free"
    ),
]
Profile = Annotated[bool, typer.Option("--profile", help="Say where the time goes, node by node.")]
Strict = Annotated[bool, typer.Option("--strict", help="Take warnings as errors.")]
Form = Annotated[
    Literal["text", "json"],
    typer.Option("--format", help="Complaints and results as text, or as one JSON document."),
]
DataFile = Annotated[
    Path | None,
    typer.Option("--data", metavar="FILE", parser=path, help="A csv, npz, npy or json file.", show_default=False),
]
Json = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help='The data itself: [[0, 1]] or [{"x1": 0, "x2": 1}].', show_default=False),
]
Result = Annotated[
    Path | None,
    typer.Option(metavar="FILE", parser=path, help="A csv, json, npy or npz file to write.", show_default=False),
]
Findings = Annotated[
    Literal["text", "json"], typer.Option("--format", help="The findings as text, or as one JSON document.")
]


def kernel_word(context: typer.Context, parameter: typer.CallbackParam, word: str) -> str:
    """``auto`` or ``keep``, in any letter case; another is refused, and the variable named if it was that."""
    plain = word.strip().lower()
    if plain not in KERNEL_WORDS:
        source = context.get_parameter_source(str(parameter.name))
        place = OPTION if source is not None and source.name == "ENVIRONMENT" else "--kernel"
        message = f'"{word}" is neither {" nor ".join(KERNEL_WORDS)}'
        raise typer.BadParameter(message, context, param_hint=place)
    return plain


Kernel = Annotated[
    str,
    typer.Option(
        envvar=OPTION,
        metavar=f"<{'|'.join(KERNEL_WORDS)}>",
        callback=kernel_word,
        help="Let OpenBLAS use AVX-512 where the CPU has it, or keep what it takes by itself.",
    ),
]


def version(wanted: bool) -> None:
    """Print the version and leave."""
    if wanted:
        typer.echo(f"nbn-spec {VERSION}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    _: Annotated[
        bool, typer.Option("--version", callback=version, is_eager=True, help="Print the version.")
    ] = False,
    kernel: Kernel = "auto",
) -> None:
    """Compile, train and use neural networks written as one JSON document."""
    context.obj = kernel
    if kernel != KEEP and context.invoked_subcommand in COMPUTING:
        apply(os.environ)  # here, as no command has imported NumPy yet


@app.command()
@guarded
def run(
    spec: Spec,
    out: Folder = None,
    epochs: Epochs = None,
    seed: Seed = None,
    quiet: Quiet = False,
    allow_outside: Outside = False,
    max_memory: Memory = None,
    strict: Strict = False,
    form: Form = "text",
    profile: Profile = False,
) -> int:
    """Train a model, evaluate it, and save it."""
    from nbn_spec.cli.run import Options, run_spec

    reporter = Reporter(as_json=form == "json", strict=strict, quiet=quiet)
    options = Options(out, epochs, seed, quiet or form == "json", allow_outside, max_memory, profile)
    return reported("run", spec, reporter, lambda reporter: run_spec(spec, options, reporter))


@app.command()
@guarded
def validate(
    specs: SpecsOrArchives,
    quiet: Quiet = False,
    allow_outside: Outside = False,
    max_memory: Memory = None,
    strict: Strict = False,
    form: Form = "text",
) -> int:
    """Check documents, their data and whether training could start, without training."""
    from nbn_spec.cli.show import validate_files

    reporter = Reporter(as_json=form == "json", strict=strict, quiet=quiet)
    check = partial(validate_files, specs, allow_outside=allow_outside, limit=max_memory)
    return reported("validate", "", reporter, lambda reporter: check(reporter=reporter))


@app.command()
@guarded
def graph(spec: SpecOrArchive, max_memory: Memory = None) -> int:
    """Show the compiled graph: nodes in forward order, shapes, parameters, both orders, memory with the data."""
    from nbn_spec.cli.show import show_graph

    return show_graph(spec, max_memory)


@app.command()
@guarded
def explain(
    code: Annotated[str, typer.Argument(metavar="CODE", help="A code such as NBN203.", show_default=False)],
) -> int:
    """Explain the code of a complaint: its cause, a wrong and a right example."""
    from nbn_spec.cli.explain import explain_code

    return explain_code(code)


@app.command()
@guarded
def predict(
    archive: Archive,
    data: DataFile = None,
    json: Json = None,
    out: Result = None,
    max_memory: Memory = None,
    form: Form = "text",
) -> int:
    """Compute a saved model's outputs."""
    from nbn_spec.cli.predict import predict_archive

    reporter = Reporter(as_json=form == "json")
    predicting = partial(predict_archive, archive, data, json, out, max_memory)
    return reported("predict", archive, reporter, predicting)


@app.command()
@guarded
def evaluate(archive: Archive, data: DataFile = None, max_memory: Memory = None, form: Form = "text") -> int:
    """Compute a saved model's loss and metrics."""
    from nbn_spec.cli.predict import evaluate_archive

    reporter = Reporter(as_json=form == "json")
    return reported("evaluate", archive, reporter, partial(evaluate_archive, archive, data, max_memory))


@app.command()
@guarded
def schema(
    which: Annotated[
        Literal["model", "graph", "report"],
        typer.Argument(help="Of specs, of graphs in archives, or of what --format json prints."),
    ] = "model",
) -> int:
    """Print the published JSON Schema."""
    from nbn_spec.cli.show import show_schema

    return show_schema(which)


@app.command()
@guarded
def reference() -> int:
    """Print the language's reference as Markdown: every op, initializer, optimizer, metric and error."""
    from nbn_spec.cli.show import show_reference

    return show_reference()


@app.command()
@guarded
def errors() -> int:
    """Print the pages of all codes as Markdown."""
    from nbn_spec.cli.explain import show_errors

    return show_errors()


@app.command()
@guarded
def doctor(
    context: typer.Context,
    quick: Annotated[bool, typer.Option("--quick", help="Measure in one round, in a few seconds.")] = False,
    form: Findings = "text",
) -> int:
    """Tell what the numbers run on, how fast, and what to set: CPU, BLAS, kernels, threads, memory."""
    from nbn_spec.cli.doctor import show_doctor

    return show_doctor(quick=quick, as_json=form == "json", keep=context.obj == KEEP)


def main() -> None:
    """The console script."""
    streams.open_outlets()
    try:
        app()
    except SystemExit as end:
        raise SystemExit(streams.closing_code(end.code)) from None
