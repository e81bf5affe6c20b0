"""Recorded runs under tests/histories end in the results recorded beside them, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaoscheck import plugins
from chaoscheck.checkers.judge import judge
from chaoscheck.model.events import read_events
from chaoscheck.plan.plan import LoadedPlan, Plan
from chaoscheck.store import encode_result

HISTORIES = Path(__file__).parents[2] / "histories"


def result_of(folder: Path) -> bytes:
    plugins.load()
    plan = Plan.model_validate_json((folder / "plan.json").read_bytes())
    events = list(read_events((folder / "events.ndjson").read_text(encoding="utf-8").splitlines()))
    loaded = LoadedPlan(plan=plan, path=Path("plan.yaml"), text="", lines={})
    return encode_result(judge(loaded, events, sorted(folder.glob("w*.ndjson"))))


@pytest.mark.parametrize("name", sorted(folder.name for folder in HISTORIES.iterdir() if folder.is_dir()))
def test_recorded_history_is_judged_to_the_recorded_bytes(name: str) -> None:
    """Judging is a pure function; a change of the verdict on the past is meant, or it is a defect."""
    assert result_of(HISTORIES / name) == (HISTORIES / name / "result.json").read_bytes()
