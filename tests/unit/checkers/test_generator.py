"""The load generator as the bottleneck is always called out, whichever way it was starved."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from chaoscheck.checkers.assumptions import assumption_gates
from chaoscheck.checkers.budget import TrafficFold
from chaoscheck.checkers.scan import Seen
from chaoscheck.checkers.timeline import timeline
from chaoscheck.model import events as ev
from chaoscheck.model.pace import pace
from chaoscheck.model.verdict import Gate, Verdict
from chaoscheck.plan.plan import Plan

S = 1_000_000_000
PLAN = Plan.model_validate(
    {
        "target": {"command": ["serve"]},
        "promises": {"login": {"kind": "session", "do": {"post": "/login"}, "see": {"get": "/me", "expect": "$user"}}},
    }
)


def tick(at_s: float, late_ms: float = 3.0, busy: float = 0.2, worker: str = "w0") -> ev.TrafficSeen:
    return ev.TrafficSeen(
        t_ns=int(at_s * S), requests=50, bad=0, sessions=9, late_ms=late_ms, p50_ms=2.0, p95_ms=4.0, exposures={},
        worker=worker, busy=busy,
    )  # fmt: skip


def run(ticks: Iterable[ev.TrafficSeen]) -> list[ev.Event]:
    """Ten seconds of baseline, twenty of chaos, then rest."""
    events: list[ev.Event] = [
        ev.PhaseBegan(t_ns=0, phase="matrix"),
        ev.PhaseBegan(t_ns=10 * S, phase="baseline"),
        ev.PhaseBegan(t_ns=20 * S, phase="chaos"),
        ev.PhaseBegan(t_ns=40 * S, phase="settle"),
        ev.RunEnded(t_ns=45 * S),
        *ticks,
    ]
    return sorted(events, key=lambda event: event.t_ns)


def healthy(worker: str = "w0", *, until_s: float = 44.0) -> list[ev.TrafficSeen]:
    return [tick(10 + half / 2, worker=worker) for half in range(1, int((until_s - 10) * 2) + 1)]


def generator(events: list[ev.Event]) -> Gate:
    known = timeline(events)
    gates = assumption_gates(PLAN, known, Seen(traffic=TrafficFold(known)))
    return next(gate for gate in gates if gate.name == "the generator keeps up")


def test_generator_that_is_punctual_passes_and_says_how_punctual() -> None:
    """The figures behind the verdict are shown, on how many ticks they stand as well."""
    gate = generator(run(healthy()))
    assert (gate.verdict, gate.n, gate.detail) == (Verdict.PASS, 60, "")
    assert "3 ms in half of the time" in gate.actual
    assert "20% of a processor" in gate.actual


@pytest.mark.parametrize(
    "ticks",
    [
        pytest.param([tick(10 + half / 2, late_ms=250) for half in range(1, 61)], id="always a little late"),
        pytest.param([*healthy(until_s=20), tick(23, late_ms=2500), *healthy()[26:]], id="stopped for 2.5 s"),
        pytest.param(healthy(until_s=30), id="silent from then on"),
        pytest.param([*healthy("w0"), *healthy("w1", until_s=30)], id="one of two falls silent"),
        pytest.param([tick(10 + half / 2, busy=0.99) for half in range(1, 61)], id="out of processor time"),
    ],
)
def test_starved_generator_is_invalid_and_named_as_the_bottleneck(ticks: list[ev.TrafficSeen]) -> None:
    """One tick that tells of seconds weighs as much as those seconds: counted as one of sixty it would pass."""
    gate = generator(run(ticks))
    assert gate.verdict is Verdict.INVALID
    assert "chaoscheck's own load generator was the bottleneck" in gate.actual
    assert "traffic.workers" in gate.detail


def test_short_hiccup_or_lag_outside_of_the_load_is_no_bottleneck() -> None:
    """Half a second in thirty, and whatever happens while nobody is measured, change no verdict."""
    ticks = healthy()
    ticks[4] = tick(12.5, late_ms=900)
    assert generator(run([*ticks, tick(44.5, late_ms=4000, busy=1.0)])).verdict is Verdict.PASS


def test_no_tick_in_the_load_is_never_a_pass() -> None:
    """Nothing measured is nothing known."""
    assert generator(run([])).verdict is Verdict.INCONCLUSIVE
    assert pace([]).samples == ()


def test_lost_workers_are_told() -> None:
    """Half of the load gone is the generator's health as well."""
    assert pace([*run(healthy()), ev.WorkerLost(t_ns=S, worker="w1", detail="killed")]).lost == ("w1",)
