"""Runs that end otherwise than planned, in simulated time."""

from __future__ import annotations

from pathlib import Path

import pytest
from simulate.conftest import PLAN

from chaoscheck.model.events import Event, PhaseBegan, RunEnded, Troubled
from chaoscheck.model.ops import Phase
from chaoscheck.model.verdict import Verdict
from chaoscheck.plan.load import load_plan
from chaoscheck.run import Options, run


@pytest.mark.parametrize("phase", [Phase.CONTROLS, Phase.CHAOS])
def test_defect_in_mid_run_is_invalid_and_taken_down(tmp_path: Path, phase: Phase) -> None:
    """Whatever breaks in chaoscheck itself, the run ends reported, cleaned, and never as a pass or a fail."""

    def break_down(event: Event) -> None:
        if isinstance(event, PhaseBegan) and event.phase == phase.value:
            raise RuntimeError("out of order")

    path = tmp_path / "plan.yaml"
    path.write_text(PLAN)
    options = Options(reports=tmp_path / "reports", listeners=(break_down,))
    result, folder = run(load_plan(path, environment={}), options)
    events = folder.events()
    trouble = next(event for event in events if isinstance(event, Troubled))
    assert result.verdict is Verdict.INVALID
    assert trouble.message == "chaoscheck itself failed: RuntimeError: out of order"
    assert "break_down" in trouble.details
    assert PhaseBegan(t_ns=events[-1].t_ns, phase=Phase.CLEAN.value) in events
    assert not any(isinstance(event, RunEnded) for event in events)
    assert (folder.path / "report.html").exists()


def test_service_that_is_slow_to_get_ready_is_told_of_while_it_is_waited_for(tmp_path: Path) -> None:
    """Who watches learns what is awaited, long before the limit ends the run."""
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN.replace("[stateless]", "[unready]"))
    told: list[str] = []
    result, _ = run(load_plan(path, environment={}), Options(reports=tmp_path / "reports", say=told.append))
    assert result.verdict is Verdict.INVALID
    assert told[0].startswith("still waiting for web-1.1")
    assert "GET /healthz answers 500" in told[0]
    assert 2 <= len(told) <= 5
