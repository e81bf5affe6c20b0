"""What was seen of the things that a service gives out becomes findings, and having seen none is no pass."""

from __future__ import annotations

from typing import Any

import pytest

from chaoscheck import plugins
from chaoscheck.checkers.coverage import coverage_gates
from chaoscheck.checkers.findings import inspection_findings
from chaoscheck.checkers.scan import scan
from chaoscheck.checkers.timeline import timeline
from chaoscheck.model.events import Event, Inspected, read_events
from chaoscheck.model.verdict import Cause, Gate, Verdict
from chaoscheck.plan.plan import Plan

plugins.load()
BEARER = {"Authorization": "Bearer $key"}
API: dict[str, Any] = {
    "kind": "token",
    "do": {"post": "/tokens", "take": {"key": "json:token"}},
    "see": {"get": "/whoami", "headers": BEARER},
}
NAME = "api: what it gives out was looked into"


def plan(**said: Any) -> Plan:
    return Plan.model_validate({"target": {"image": "service"}, "promises": {"api": {**API, **said}}})


def inspected(at_ns: int, **problems: str) -> Inspected:
    return Inspected(
        t_ns=at_ns, promise="api", instance="web-1.1", request="POST /tokens", size=5000, problems=problems
    )


def gate(events: list[Event]) -> Gate:
    known = timeline(events)
    return next(one for one in coverage_gates(plan(), known, scan(plan(), known, [], [])) if one.name == NAME)


@pytest.mark.parametrize("survives", [["another-instance", "kill"], []])
def test_each_problem_is_one_finding_that_needs_no_kill(survives: list[str]) -> None:
    """However often it was seen, and whatever the promise declares not to survive."""
    events = [
        inspected(1, TOO_LARGE="5000 bytes"),
        inspected(2, TOO_LARGE="5001 bytes", READABLE="an e-mail"),
        inspected(3),
    ]
    found = inspection_findings(plan(survives=survives), timeline(events))
    assert [(one.anomaly, one.count, one.verdict, one.cause, one.seen) for one in found] == [
        ("TOO_LARGE", 2, Verdict.FAIL, Cause.CONTENT, "5000 bytes"),
        ("READABLE", 1, Verdict.FAIL, Cause.CONTENT, "an e-mail"),
    ]
    assert all(one.fix and one.chain[0].curl == "# POST /tokens" for one in found)


def test_nothing_wrong_is_no_finding() -> None:
    assert inspection_findings(plan(), timeline([inspected(1)])) == []


def test_nothing_to_look_into_is_not_shown_either_way() -> None:
    """Zero samples are never a pass."""
    assert (gate([]).verdict, gate([]).n) == (Verdict.INCONCLUSIVE, 0)
    assert (gate([inspected(1)]).verdict, gate([inspected(1)]).n) == (Verdict.PASS, 1)


def test_event_comes_back_from_its_line() -> None:
    """Judging again reads the same."""
    event = inspected(7, READABLE="an e-mail address in the payload of the JWT")
    assert list(read_events([event.line()])) == [event]
