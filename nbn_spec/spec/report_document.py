"""The report that ``--format json`` prints as pydantic models, so that its schema can be published."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Exactly(BaseModel):
    """A closed object."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class ReportedProblem(Exactly):
    """One complaint."""

    code: str = Field(pattern="^NBN[0-9]{3}$", description="Its stable code; `explain CODE` prints its page.")
    severity: Literal["error", "warning"] = Field(description="Warnings do not stop anything.")
    where: str = Field(description="The place in words.")
    file: str | None = Field(description="The file that line and column are of; null without a place in a text.")
    line: int | None = Field(ge=1, description="Counted from 1.")
    column: int | None = Field(ge=1, description="In characters, counted from 1.")
    length: int | None = Field(ge=1, description="Characters that are meant, on that line.")
    pointer: str | None = Field(description="The place in the spec as a JSON pointer (RFC 6901).")
    message: str = Field(description="What is wrong.")
    notes: list[str] = Field(description="The cause, line by line.")
    help: str = Field(description="The mend; may be empty.")


class ReportedPart(Exactly):
    """One array among the largest."""

    kind: str = Field(description="Parameter, gradient, optimizer, activation, scratch or data.")
    name: str = Field(description="What it belongs to.")
    shape: list[int] = Field(description="Its lengths.")
    size: int = Field(ge=0, description="Bytes.")


class ReportedMemory(Exactly):
    """What one use of the model takes, in bytes."""

    goal: str = Field(description="Train, infer or load.")
    batch: int | None = Field(description="Examples at a time; null where unknown: then counted for one.")
    parameters: int = Field(ge=0, description="Values of the parameters.")
    gradients: int = Field(ge=0, description="Their gradients.")
    optimizer: int = Field(ge=0, description="What the optimizer remembers.")
    activations: int = Field(ge=0, description="Values and gradients of nodes, shared by lifetime.")
    data: int = Field(ge=0, description="The examples.")
    total: int = Field(ge=0, description="All of it.")
    arena: int = Field(ge=0, description="What nodes share by lifetime in one pass.")
    unshared: int = Field(ge=0, description="What they would take side by side.")
    parts: list[ReportedPart] = Field(description="The largest arrays, the largest first.")


class ReportedFile(Exactly):
    """One file that was looked at."""

    file: str = Field(description="Its path; empty where there is none.")
    valid: bool = Field(description="Whether no error was found.")
    problems: list[ReportedProblem] = Field(description="All that was found, in the order of the document.")
    memory: list[ReportedMemory] = Field(description="What using the model takes; empty where it is not known.")


class ReportDocument(Exactly):
    """What `--format json` prints on standard output: one document for each command."""

    format: Literal[1] = Field(description="The report's version.")
    command: str = Field(description="The command.")
    exit_code: int = Field(ge=0, description="0 done, 2 the input is wrong, 3 training diverged.")
    errors: int = Field(ge=0, description="How many errors there are in all files.")
    warnings: int = Field(ge=0, description="How many warnings there are in all files.")
    files: list[ReportedFile] = Field(description="Each file with what was found.")
    result: dict[str, Any] | None = Field(description="What the command computed; null for none.")
