"""What a CI system is told besides the exit code, and what it tells through the environment."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from chaoscheck.model.verdict import Result
from chaoscheck.reporting.github import commands

STEP_BYTES = 1024 * 1024
"""GitHub drops the whole summary of a step that is larger."""

_NO = ("", "0", "false", "no", "off")
Write = Callable[[str], None]


def in_ci(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether CI is set: GitHub, GitLab, CircleCI, Travis and others do it."""
    return environment.get("CI", "").strip().lower() not in _NO


def on_github(environment: Mapping[str, str] = os.environ) -> bool:
    return environment.get("GITHUB_ACTIONS", "") == "true"


@contextmanager
def no_commands(write: Write, environment: Mapping[str, str] = os.environ) -> Iterator[None]:
    """While it lasts, a line of the output that looks like a workflow command is none: services' answers are shown."""
    if not on_github(environment):
        yield
        return
    token = secrets.token_hex(16)
    write(f"::stop-commands::{token}\n")
    try:
        yield
    finally:
        write(f"::{token}::\n")


def tell_github(
    result: Result, folder: Path, plan: Path, write: Write, environment: Mapping[str, str] = os.environ
) -> None:
    """Annotations at the plan's lines, and the step's summary. Nothing outside of GitHub Actions."""
    if not on_github(environment):
        return
    for line in commands(result, _in_repository(plan, environment)):
        write(f"{line}\n")
    if page := environment.get("GITHUB_STEP_SUMMARY"):
        _append(Path(page), folder / "summary.md")


def _in_repository(plan: Path, environment: Mapping[str, str]) -> str:
    """As the repository names it; "" where it lies elsewhere, so that no other file is marked."""
    top = environment.get("GITHUB_WORKSPACE")
    if not top or not plan.resolve().is_relative_to(Path(top).resolve()):
        return ""
    return plan.resolve().relative_to(Path(top).resolve()).as_posix()


def _append(page: Path, summary: Path) -> None:
    """The summary where it still fits; a page that can't be written is no reason for another verdict."""
    try:
        text = summary.read_bytes()
        size = page.stat().st_size if page.exists() else 0
        if size + len(text) + 1 < STEP_BYTES:
            with page.open("ab") as out:
                out.write(text + b"\n")
    except OSError:
        return
