"""What a run's end hears before it is told."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from chaoscheck.errors import SetupFailed
from chaoscheck.model import events
from chaoscheck.model.ops import Phase
from chaoscheck.phases.ending import Interrupts, ending
from chaoscheck.phases.stage import Stage
from chaoscheck.plan.plan import LoadedPlan, Plan
from chaoscheck.store import RunFolder

PROMISE = {"kind": "kept", "do": {"post": "/n"}, "see": {"get": "/n"}}
PLAN = Plan.model_validate({"target": {"image": "x", "env": {"API_TOKEN": "tk-17-abcdef"}}, "promises": {"n": PROMISE}})
LOADED = LoadedPlan(plan=PLAN, path=Path("plan.yaml"), text="", lines={})


def test_workers_are_heard_before_trouble_is_told(tmp_path: Path) -> None:
    """The controller waited for an instance that never came back, and heard nobody: that is no silence of theirs."""
    told: list[str] = []

    def listen() -> list[Any]:
        told.append("heard")
        return []

    nothing = SimpleNamespace(stop=lambda: None, heard=lambda: [], log=lambda: [], close=lambda: None)
    stage = SimpleNamespace(
        loaded=LOADED, phase=Phase.CHAOS, inbox=[], listen=listen, traffic=nothing, balancer=nothing, fleet=nothing,
        transport=nothing, enter=lambda phase: None, emit=lambda kind, /, **data: told.append(kind.__name__),
    )  # fmt: skip
    with ending(cast(Stage, stage), RunFolder(tmp_path), Interrupts(), keep=False):
        raise ValueError("did not come back")
    assert told[:2] == ["heard", events.Troubled.__name__]


@pytest.mark.parametrize(
    "error",
    [
        SetupFailed("setup `login tk-17-abcdef` ended in 9", hint="is tk-17-abcdef right?", details="no tk-17-abcdef"),
        ValueError("no tk-17-abcdef"),
    ],
)
def test_secret_is_in_nothing_that_is_told_of_trouble(tmp_path: Path, error: Exception) -> None:
    """What a command of the plan's or the service's last lines said of it: the event is saved, shown and reported."""
    told: dict[str, Any] = {}
    part = SimpleNamespace(stop=lambda: None, heard=lambda: [], log=lambda: [], close=lambda: None)
    stage = SimpleNamespace(
        loaded=LOADED, phase=Phase.PREPARE, inbox=[], listen=lambda: [], traffic=part, balancer=part, fleet=part,
        transport=part, enter=lambda phase: None, emit=lambda kind, /, **data: told.update(data),
    )  # fmt: skip
    RunFolder(tmp_path).history.mkdir()
    with ending(cast(Stage, stage), RunFolder(tmp_path), Interrupts(), keep=False):
        raise error
    assert "***" in told["message"]
    assert "tk-17-abcdef" not in str(told)
