"""When chaos has shown enough: where evidence is counted in kills, a kill counts once, however many workers saw it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from chaoscheck import plugins
from chaoscheck.phases.chaos import _short, _suffices
from chaoscheck.phases.sizing import Sizing
from chaoscheck.phases.stage import Stage
from chaoscheck.plan.plan import Plan

PLAN: dict[str, Any] = {
    "target": {"image": "x", "port": 80},
    "promises": {"search": {"kind": "limit", "allow": "5 per 2s", "do": {"get": "/search"}}},
    "chaos": {"rounds": 2},
}


@pytest.mark.parametrize(("exposed", "enough"), [(5, False), (6, True)])
def test_kill_that_two_workers_saw_exposed_is_one(exposed: int, enough: bool) -> None:
    """Five of six kills, each seen by both workers, are no ten: another round makes up for the sixth."""
    plugins.load()
    both = {str(strike): {"search": 2} for strike in range(exposed)}
    stage = SimpleNamespace(
        plan=Plan.model_validate(PLAN),
        struck={f"web-{slot}.{life}" for slot in (1, 2, 3) for life in (1, 2)},
        read_back=both,
        exposures={"search": 2 * exposed},
    )
    assert _suffices(cast(Stage, stage), cast(Sizing, SimpleNamespace(needed=29))) is enough
    assert _short(cast(Stage, stage), cast(Sizing, SimpleNamespace(needed=29))) == ({} if enough else {"search": 1})
