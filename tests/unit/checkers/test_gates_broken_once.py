"""Gates on budget, latency, recovery, naming and overlaps: green on the clean run, red when one thing is broken."""

from __future__ import annotations

import pytest

from chaoscheck.model import events as ev
from chaoscheck.model.clock import NS
from chaoscheck.model.history import Row
from chaoscheck.model.ops import Op
from chaoscheck.model.verdict import Gate, Result, Verdict
from tests.unit.checkers.test_judge import MS, PLAN, changed, clean_events, clean_rows, judged, note

STRICT = {"slo": "99.99% over 30d", "deaths": "200/month", "spend": "10%"}
"""0.13 bad seconds a kill."""
LATENCY = {**PLAN["budget"], "latency_p99": "50ms"}  # type: ignore[dict-item]
RECOVERY = {**PLAN["budget"], "recovery": "2s"}  # type: ignore[dict-item]


def gate(result: Result, name: str) -> Gate:
    return next(one for one in result.gates if one.name == name)


def with_ops(*more: Op) -> list[Row]:
    """The clean run's rows and those, in the order in which they ended."""
    first, *rest = clean_rows()
    ops = [row for row in rest if isinstance(row, Op)]
    return [first, *sorted([*ops, *more], key=lambda each: each.done_ns)]


def errors(after_s: float, number: int, apart_ms: int = 20) -> list[Op]:
    """Answers with a 500 to users, from then on."""
    start = int(after_s * NS)
    return [
        note("see", start + turn * apart_ms * MS, obj="errors", outcome="dropped")._replace(status=500)
        for turn in range(number)
    ]


def test_bad_seconds_below_the_budget_at_every_kill_pass() -> None:
    """The clean run is well within."""
    one = gate(judged(clean_events(), clean_rows(), budget=STRICT), "bad seconds a kill")
    assert (one.verdict, one.n) == (Verdict.PASS, 2)


def test_bad_seconds_above_the_budget_after_every_kill_fail_and_break_no_promise() -> None:
    """Most of a second of errors after each of the kills, and none in the baseline."""
    rows = with_ops(*errors(10.01, 40), *errors(15.01, 40))
    result = judged(clean_events(), rows, budget=STRICT)
    one = gate(result, "bad seconds a kill")
    assert (one.verdict, one.n, result.verdict) == (Verdict.FAIL, 2, Verdict.FAIL)
    assert one.margin.startswith("-")
    assert [promise.verdict for promise in result.promises] == [Verdict.PASS]
    assert [kill.bad_seconds > 0.13 for kill in result.kills] == [True, True, False]


def test_bad_seconds_after_one_kill_of_two_are_not_shown_either_way() -> None:
    """One kill hurt and one did not: the kill is the unit, and two of them say too little."""
    one = gate(judged(clean_events(), with_ops(*errors(10.01, 40)), budget=STRICT), "bad seconds a kill")
    assert one.verdict is Verdict.INCONCLUSIVE


def test_bad_seconds_of_traffic_that_is_not_the_users_count_nothing() -> None:
    """Bursts are chaoscheck's own doing."""
    rows = with_ops(*(each._replace(lane="burst") for each in errors(10.01, 40) + errors(15.01, 40)))
    assert gate(judged(clean_events(), rows, budget=STRICT), "bad seconds a kill").verdict is Verdict.PASS


SLOW = 120 * MS


@pytest.mark.parametrize(("slow", "verdict"), [(1, Verdict.PASS), (20, Verdict.FAIL)])
def test_latency_p99_of_the_chaos_phase_is_judged_from_the_intended_start(slow: int, verdict: Verdict) -> None:
    """Requests that were sent late were late for their user, however fast the answer came."""
    late = [
        note("see", (6_050 + turn * 200) * MS, obj="late", outcome="ok")._replace(
            intended_ns=(6_050 + turn * 200) * MS - SLOW
        )
        for turn in range(slow)
    ]
    one = gate(judged(clean_events(), with_ops(*late), budget=LATENCY), "latency p99 under kills")
    assert one.verdict is verdict, one.actual
    assert one.n > 100


def test_latency_p99_of_few_requests_is_not_shown() -> None:
    """A hundred requests at least, or there is no p99."""
    rows = [row for row in clean_rows() if not isinstance(row, Op) or row.obj != "steady"]
    one = gate(judged(clean_events(), rows, budget=LATENCY), "latency p99 under kills")
    assert one.verdict is Verdict.INCONCLUSIVE


def test_recovery_within_the_limit_after_every_kill_passes() -> None:
    """Half a second to a replacement, and no error after it."""
    one = gate(judged(clean_events(), clean_rows(), budget=RECOVERY), "recovery")
    assert (one.verdict, one.n, one.actual) == (Verdict.PASS, 2, "499 ms at worst")


def test_recovery_users_errors_after_the_replacement_serves_fail() -> None:
    """It answers its health path again, but not its users: errors go on for longer than the limit."""
    limit = {**RECOVERY, "recovery": "700ms"}
    assert gate(judged(clean_events(), clean_rows(), budget=limit), "recovery").verdict is Verdict.PASS
    result = judged(clean_events(), with_ops(*errors(10.1, 8, apart_ms=100)), budget=limit)
    assert gate(result, "recovery").verdict is Verdict.FAIL
    assert result.verdict is Verdict.FAIL


def test_recovery_service_that_comes_back_sick_seconds_later_fails() -> None:
    """It serves well for two seconds, then errors come: they are that kill's, and so is their cost."""
    sick = with_ops(*errors(13.1, 30), *errors(18.1, 30))
    result = judged(clean_events(), sick, budget={**STRICT, "recovery": "2s"})
    assert gate(result, "recovery").verdict is Verdict.FAIL
    assert gate(result, "bad seconds a kill").verdict is Verdict.FAIL
    assert [kill.recovery_ms > 2000 for kill in result.kills] == [True, True, False]
    assert [kill.bad_seconds > 0.13 for kill in result.kills] == [True, True, False]


def test_recovery_errors_that_never_stop_are_a_kill_never_recovered_from() -> None:
    """However generous the limit: the next kill came, and the service was still sick of the one before."""
    endless = with_ops(*errors(10.1, 240), *errors(15.1, 480))
    result = judged(clean_events(), endless, budget={**RECOVERY, "recovery": "30s"})
    assert gate(result, "recovery").actual == "2 kills never recovered from"
    assert gate(result, "recovery").verdict is Verdict.FAIL


def test_recovery_errors_as_rare_as_in_the_baseline_are_not_blamed_on_a_kill() -> None:
    """One in ten before the kills, one in ten long after them; and a single error proves nothing either."""
    usual = [note("see", (150 + turn * 1000) * MS, obj="usual", outcome="dropped")._replace(status=500)
             for turn in range(24)]  # fmt: skip
    away = [each for each in usual if not any(0 <= each.intended_ns / NS - died < 2.6 for died in (10, 15))]
    result = judged(clean_events(), with_ops(*away), budget=RECOVERY)
    assert (gate(result, "recovery").verdict, gate(result, "recovery").actual) == (Verdict.PASS, "499 ms at worst")
    assert all(kill.bad_seconds < 0.05 for kill in result.kills)
    stray = judged(clean_events(), with_ops(*errors(13.5, 1)), budget=RECOVERY)
    assert gate(stray, "recovery").actual == "499 ms at worst"


def test_recovery_errors_in_a_shams_window_are_the_kills_before_it() -> None:
    """A sham takes nobody away: it must not shield the kill whose errors go on."""
    result = judged(clean_events(), with_ops(*errors(20.1, 30)), budget=RECOVERY)
    assert gate(result, "recovery").verdict is Verdict.FAIL
    assert [kill.bad_seconds > 0 for kill in result.kills] == [False, True, True]


def test_recovery_that_never_came_fails() -> None:
    """A slot without a replacement has not recovered, whatever its users saw."""
    events = [event for event in clean_events() if not (isinstance(event, ev.Restored) and event.index == 1)]
    one = gate(judged(events, clean_rows(), budget=RECOVERY), "recovery")
    assert (one.verdict, one.actual) == (Verdict.FAIL, "1 kills never recovered from")


def test_recovery_without_a_kill_is_not_shown() -> None:
    """Nothing died, nothing recovered."""
    events = changed(ev.Struck, lambda event: event if event.index == 2 else None)
    one = gate(judged(events, clean_rows(), budget=RECOVERY), "recovery")
    assert (one.verdict, one.n) == (Verdict.INCONCLUSIVE, 0)


def test_answers_without_a_name_count_no_exposure_and_never_pass() -> None:
    """Nobody says who answered, so nobody knows what the dead had acknowledged."""
    rows: list[Row] = [row._replace(incarnation="") if isinstance(row, Op) else row for row in clean_rows()]
    result = judged(clean_events(), rows)
    assert gate(result, "answers name their instance").verdict is Verdict.INCONCLUSIVE
    assert (result.verdict, result.promises[0].exposures) == (Verdict.INCONCLUSIVE, 0)


def test_answers_with_names_have_no_such_gate() -> None:
    """The gate is there to be red."""
    assert "answers name their instance" not in [one.name for one in judged(clean_events(), clean_rows()).gates]


def test_operations_that_overlap_on_one_object_are_never_a_pass() -> None:
    """Two reads in flight at once: which came last can't be told, and it is said of whom."""
    pair = [note("see", 8 * NS + turn * MS, obj="both", outcome="ok", lasted=5 * MS) for turn in range(2)]
    result = judged(clean_events(), with_ops(*pair))
    red = [one for one in result.gates if one.verdict is Verdict.INCONCLUSIVE]
    assert result.verdict is Verdict.INCONCLUSIVE
    assert any("overlap" in f"{one.name} {one.actual} {one.detail}" for one in red), [one.name for one in red]
