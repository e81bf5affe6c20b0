"""A baseline that begins again at a lower rate: only what users felt from then on is the control arm."""

from __future__ import annotations

from chaoscheck.checkers.assumptions import assumption_gates
from chaoscheck.checkers.budget import TrafficFold
from chaoscheck.checkers.scan import Seen
from chaoscheck.checkers.timeline import timeline
from chaoscheck.model import events as ev
from chaoscheck.model.verdict import Gate, Verdict
from chaoscheck.plan.plan import Plan

S = 1_000_000_000
PLAN = Plan.model_validate(
    {
        "target": {"command": ["serve"]},
        "promises": {"login": {"kind": "session", "do": {"post": "/login"}, "see": {"get": "/me", "expect": "$user"}}},
    }
)
LOWERED = ev.RateChosen(t_ns=3 * S, tried=150.0, rate=30.0, users=90, answered=61.0, p95_ms=2100.0, bad=0.25)


def story(*more: ev.Event) -> list[ev.Event]:
    began = [("matrix", 0), ("baseline", 1), *(("baseline", 8) for _ in more), ("chaos", 20)]
    events: list[ev.Event] = [ev.PhaseBegan(t_ns=at_s * S, phase=phase) for phase, at_s in began]
    return sorted([*events, *more, ev.RunEnded(t_ns=30 * S)], key=lambda event: event.t_ns)


def rate_gates(events: list[ev.Event]) -> list[Gate]:
    known = timeline(events)
    gates = assumption_gates(PLAN, known, Seen(traffic=TrafficFold(known)))
    return [gate for gate in gates if gate.name == "the service keeps up"]


def test_baseline_that_begins_again_makes_the_first_one_a_warm_up() -> None:
    """The errors and waits of too much load are no usual ones: kills would be forgiven theirs."""
    known = timeline(story(LOWERED))
    assert [span.phase for span in known.spans] == ["matrix", "warm-up", "baseline", "chaos"]
    base = known.span("baseline")
    assert base is not None
    assert (base.began_ns, base.ended_ns) == (8 * S, 20 * S)


def test_one_baseline_stays_one() -> None:
    """Nothing is renamed where nothing began again."""
    assert [span.phase for span in timeline(story()).spans] == ["matrix", "baseline", "chaos"]


def test_rate_that_the_run_chose_is_told_with_the_verdict() -> None:
    """What the run shows holds at that rate, and at none that the reader may have in mind."""
    (gate,) = rate_gates(story(LOWERED))
    assert gate.verdict is Verdict.PASS
    assert gate.actual == "30 requests/s by 90 users; at 150 it answered 61"
    assert "25% failed" in gate.detail


def test_rate_of_the_plan_is_no_gate() -> None:
    """Nothing was chosen."""
    assert rate_gates(story()) == []
