"""What every test run needs: container tests only where there is an engine, and said loudly where there is none."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings
from samples.fleets import need
from xdist.scheduler import LoadScopeScheduling

# Services that run as local processes find their libraries beside this interpreter.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"

# Under CI runs end at the first failure, and pages and colours are others. What a test expects it sets itself.
OURS = {"CHAOSCHECK_REQUIRE_DOCKER", "CHAOSCHECK_SNAPSHOTS"}
for name in {*os.environ} - OURS:
    if name.startswith(("CHAOSCHECK_", "CI_", "GITHUB_", "GITLAB_")) or name in {"CI", "FORCE_COLOR", "NO_COLOR"}:
        del os.environ[name]

# The same examples each time, so that the same code has one verdict; `make fuzz` looks for others.
settings.register_profile("repeatable", derandomize=True, database=None)


def pytest_configure(config: pytest.Config) -> None:
    if not config.getoption("--hypothesis-profile", None):
        settings.load_profile("repeatable")


REAL = ("tests/contract/", "tests/e2e/")
APART = tuple(
    f"tests/{name}.py"
    for name in (
        "contract/test_engine_connections", "contract/test_streams", "contract/test_transports",
        "e2e/test_channels_process", "e2e/test_pytest_plugin", "e2e/test_recipes_process", "e2e/test_report_browser",
        "e2e/test_report_hostile", "e2e/test_secrets_process", "e2e/traffic/test_worker",
    )
)  # fmt: skip
"""Sockets of a test's own, a browser that shows recorded runs, and few local processes that nobody else looks for:
file by file."""


class Beside(LoadScopeScheduling):  # type: ignore[misc]
    """Real instances are tested one at a time, in one process: each would sweep what another's dead run left, and
    notice its load. All other tests run beside them in the other process."""

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(APART):
            return nodeid.partition("::")[0]
        return "real" if nodeid.startswith(REAL) else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Beside:
    return Beside(config, log)


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
