"""Latency by phase, outcomes by action and the load generator, as the report shows them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from samples import results

from chaoscheck.model import events as ev
from chaoscheck.model.verdict import Gate, Result, Verdict
from chaoscheck.reporting.health import GENERATOR, RANGE, HealthView, health
from chaoscheck.reporting.html import html
from chaoscheck.reporting.lanes import lanes

S = 1_000_000_000


def events(late_ms: float = 4.0) -> list[ev.Event]:
    """Ten seconds of baseline and thirty of chaos, a tick each half second."""
    told: list[ev.Event] = [
        ev.InstanceStarted(t_ns=0, instance="web-1.1", slot=1, life=1, address="127.0.0.1:1"),
        ev.PhaseBegan(t_ns=10 * S, phase="baseline"),
        ev.PhaseBegan(t_ns=20 * S, phase="chaos"),
        ev.PhaseBegan(t_ns=50 * S, phase="settle"),
        ev.RunEnded(t_ns=55 * S),
    ]
    told += [tick(half * S // 2, late_ms) for half in range(21, 101)]
    return told


def tick(t_ns: int, late_ms: float) -> ev.TrafficSeen:
    return ev.TrafficSeen(
        t_ns=t_ns, requests=9, bad=0, sessions=3, late_ms=late_ms, p50_ms=1.0, p95_ms=2.0, exposures={}, worker="w0",
        busy=0.5,
    )  # fmt: skip


def seen(result: Result, told: list[ev.Event]) -> HealthView:
    return health(result, told, lanes(told))


def test_phases_share_one_scale_on_which_slower_is_further_right() -> None:
    """Ranges of different phases can be compared by eye."""
    shown = seen(results.result(), events())
    assert [one.row.phase for one in shown.phases] == [row.phase for row in results.result().phases if row.requests]
    for one in shown.phases:
        assert 0 <= one.p50 <= one.p95 <= one.p99 <= one.most <= RANGE
    slow, fast = sorted(shown.phases, key=lambda one: -one.row.max_ms)[:2]
    assert slow.row.max_ms == fast.row.max_ms or slow.most > fast.most


def test_outcomes_are_told_by_promise_and_action_with_what_is_unknown() -> None:
    """Nothing is added up over actions: an unknown write and a dropped read are different things."""
    base = results.result()
    promise = replace(base.promises[0], outcomes={"see/ok": 7, "do/unknown": 2, "do/ok": 5, "see/unrecognised": 1})
    shown = seen(replace(base, promises=(promise,)), events())
    assert [(row.action, row.total, row.counts) for row in shown.outcomes] == [
        ("do", 7, {"unknown": 2, "ok": 5}),
        ("see", 8, {"ok": 7, "unrecognised": 1}),
    ]
    assert shown.named == ("ok", "unknown", "unrecognised")


def test_lag_beyond_the_limit_is_drawn_apart_and_where_it_was() -> None:
    """One bad half second stands out, the rest doesn't."""
    told = [
        replace(event, late_ms=2000.0) if isinstance(event, ev.TrafficSeen) and event.t_ns == 30 * S else event
        for event in events()
    ]
    view = seen(results.result(), told).generator
    assert view.late and view.path
    assert view.pace.worst_ms == 2000
    assert view.caption.startswith("2 s at worst")
    assert not seen(results.result(), events()).generator.late


def test_no_load_says_that_nothing_was_measured() -> None:
    """An empty strip would look like punctuality."""
    view = seen(results.result(), [event for event in events() if not isinstance(event, ev.TrafficSeen)]).generator
    assert (view.pace.samples, view.path) == ((), "")


def test_page_calls_a_starved_generator_out_with_its_gate() -> None:
    """The verdict of the gate and what to do stand where the lag is drawn."""
    gate = Gate(
        group="assumptions", name=GENERATOR, verdict=Verdict.INVALID, expected="punctual",
        actual="chaoscheck's own load generator was the bottleneck: late", margin="", n=9,
        detail="ask for a lower rate",
    )  # fmt: skip
    view = seen(replace(results.result(Verdict.INVALID), gates=(gate,)), events()).generator
    assert view.gate is gate


def test_page_shows_all_three(tmp_path: Path) -> None:
    """They are part of the one page."""
    page = html(results.result(), events(), tmp_path)
    for words in ("Latency by phase", "What was judged, by promise and action", "Load generator"):
        assert words in page
