"""Lint: warnings about models that compile and still are not what one would want, each with its cause and mend.

A rule is a generator of findings about a :class:`Subject`. Rules look at the graph in linear time and at data a
small part at a time; what they cannot know, for want of data or of initial values, they say nothing of.
"""

from collections.abc import Callable, Iterator

from nbn_spec.errors import Problem
from nbn_spec.lint import labels, layers, outputs, reach, roles, scales, settings
from nbn_spec.lint.subject import Finding, Subject

__all__ = ["RULES", "Finding", "Subject", "lint"]

RULES: dict[str, Callable[[Subject], Iterator[Finding]]] = {
    "NBN901": layers.nothing_between,
    "NBN902": layers.equal_units,
    "NBN903": outputs.squared_labels,
    "NBN904": outputs.no_probabilities,
    "NBN905": outputs.twice_activated,
    "NBN906": outputs.ill_fitting,
    "NBN907": outputs.single_column,
    "NBN908": outputs.floored,
    "NBN909": scales.unscaled,
    "NBN910": labels.ill_labelled,
    "NBN911": settings.large_batch,
    "NBN912": labels.leaked,
    "NBN913": settings.unused,
    "NBN914": settings.unusual_rate,
    "NBN915": reach.out_of_reach,
    "NBN916": scales.nothing_to_measure,
    "NBN917": roles.turned_round,
    "NBN918": roles.reads_target,
    "NBN919": roles.without_batch,
}
"""Every rule by its code."""


def lint(subject: Subject) -> list[Problem]:
    """What is worth a warning in a compiled model, rule by rule."""
    return [warning(code, finding) for code, rule in RULES.items() for finding in rule(subject)]


def warning(code: str, finding: Finding) -> Problem:
    """A finding as the complaint of its rule."""
    return Problem(
        code,
        finding.where,
        finding.message,
        finding.hint,
        finding.notes,
        finding.path,
        finding.of_key,
        severity="warning",
    )
