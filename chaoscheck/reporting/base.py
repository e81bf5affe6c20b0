"""What a reporter is: it writes one file of a finished (or aborted) run, purely from what the run's folder holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Protocol

from chaoscheck.model.events import Event
from chaoscheck.model.verdict import Result
from chaoscheck.registry import Registry


class Reporter(Protocol):
    """Writes `file` into the run's folder. It must not change the result, nor read anything outside the folder."""

    name: ClassVar[str]
    file: ClassVar[str]

    def write(self, result: Result, events: list[Event], folder: Path) -> Path: ...


REPORTERS: Registry[Callable[[], Reporter]] = Registry("reporter", Reporter)
