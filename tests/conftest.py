"""Tests against other frameworks run where those are installed, and say so in one line where not.

A module of such tests says ``pytestmark = pytest.mark.peers("torch")``.
"""

from __future__ import annotations

from importlib.util import find_spec

import pytest

MISSING = pytest.StashKey[set[str]]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip the tests whose peer is not installed."""
    missing = config.stash.setdefault(MISSING, set())
    for item in items:
        absent = [name for mark in item.iter_markers("peers") for name in mark.args if find_spec(name) is None]
        if absent:
            missing.update(absent)
            item.add_marker(pytest.mark.skip(reason=f"not installed: {', '.join(absent)}"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """One line for all of them."""
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if "peers" in report.keywords]
    missing = ", ".join(sorted(config.stash.get(MISSING, set())))
    if skipped and missing:
        install = "pip install -e .[peers]"
        terminalreporter.write_line(f"peers: {len(skipped)} tests skipped, not installed: {missing} ({install})")
