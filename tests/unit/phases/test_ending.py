"""What a run's end hears before it is told."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from chaoscheck.model import events
from chaoscheck.model.ops import Phase
from chaoscheck.phases.ending import Interrupts, ending
from chaoscheck.phases.stage import Stage
from chaoscheck.store import RunFolder


def test_workers_are_heard_before_trouble_is_told(tmp_path: Path) -> None:
    """The controller waited for an instance that never came back, and heard nobody: that is no silence of theirs."""
    told: list[str] = []

    def listen() -> list[Any]:
        told.append("heard")
        return []

    nothing = SimpleNamespace(stop=lambda: None, heard=lambda: [], log=lambda: [], close=lambda: None)
    stage = SimpleNamespace(
        phase=Phase.CHAOS, inbox=[], listen=listen, traffic=nothing, balancer=nothing, fleet=nothing, transport=nothing,
        enter=lambda phase: None, emit=lambda kind, /, **data: told.append(kind.__name__),
    )  # fmt: skip
    with ending(cast(Stage, stage), RunFolder(tmp_path), Interrupts(), keep=False):
        raise ValueError("did not come back")
    assert told[:2] == ["heard", events.Troubled.__name__]
