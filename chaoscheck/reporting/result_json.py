"""result.json: everything the judge said, versioned, for programs."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from chaoscheck.model.events import Event
from chaoscheck.model.verdict import Result
from chaoscheck.reporting.base import REPORTERS
from chaoscheck.store import RunFolder


@REPORTERS.add("json")
class JsonReporter:
    """Writes the result as it is; the same result gives the same bytes."""

    name: ClassVar[str] = "json"
    file: ClassVar[str] = "result.json"

    def write(self, result: Result, events: list[Event], folder: Path) -> Path:
        return RunFolder(folder).finish(result)
