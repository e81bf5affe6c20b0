"""What every test run needs: container tests only where there is an engine, and said loudly where there is none."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from samples.fleets import need

# Services that run as local processes find their libraries beside this interpreter.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"


REAL = ("tests/contract/", "tests/e2e/")


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Real instances run one test at a time, in one process; all else runs beside them in another."""
    for item in items:
        if item.nodeid.startswith(REAL):
            item.add_marker(pytest.mark.xdist_group("real"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A container test without an engine is skipped, or fails where CHAOSCHECK_REQUIRE_DOCKER=1 asks for one."""
    if item.get_closest_marker("docker"):
        need("docker")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One loud line for what did not run."""
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if "docker" in report.keywords]
    if skipped:
        terminalreporter.write_line(
            f"WARNING: {len(skipped)} container tests did NOT run: no engine answers here; `make docker` brings one up",
            red=True,
            bold=True,
        )
