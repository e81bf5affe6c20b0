"""Two runs side by side: what is worse, what is merely different, and what is noise."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
from samples import results, story

from chaoscheck.model.series import Series
from chaoscheck.model.verdict import Finding, KillRow, Level, Result, Verdict
from chaoscheck.reporting.comparison import Comparison, compare
from chaoscheck.reporting.ranks import least_p, mann_whitney

PLANS = (story.PLAN, story.PLAN)


def held(before: Result, after: Result) -> Comparison:
    return compare(before, after, PLANS)


def findings(**changes: object) -> tuple[Finding, ...]:
    first = results.result(Verdict.FAIL).findings[0]
    return (replace(first, **changes),)  # type: ignore[arg-type]


def test_same_run_twice_differs_in_nothing_and_is_no_worse() -> None:
    """Nothing is made up."""
    made = held(results.result(), results.result())
    assert (made.worse, made.gates, made.findings, made.plan, made.facts) == ((), (), (), (), ())


@pytest.mark.parametrize("before", list(Verdict))
@pytest.mark.parametrize("after", list(Verdict))
def test_worse_verdict_is_worse_and_a_better_one_is_not(before: Verdict, after: Verdict) -> None:
    """FAIL > INVALID > INCONCLUSIVE > PASS, as everywhere; but a run that shows nothing is no better than a FAIL."""
    bare = [replace(results.result(), verdict=verdict, findings=(), gates=()) for verdict in (before, after)]
    shows_less = after in (Verdict.INVALID, Verdict.INCONCLUSIVE) and after is not before
    assert bool(held(*bare).worse) is (after.rank > before.rank or shows_less)


@pytest.mark.parametrize("now", ["gone", "warn"])
def test_promise_that_no_longer_decides_is_worse(now: str) -> None:
    """A PASS that was asked less is no PASS that was asked the same."""
    base = results.result()
    gates = tuple(
        replace(gate, level=Level.WARN) if gate.group == "promises" else gate
        for gate in base.gates
        if now == "warn" or gate.group != "promises"
    )
    names = [gate.name for gate in base.gates if gate.group == "promises"]
    assert held(base, replace(base, gates=gates)).worse == tuple(f"no longer decides: {name}" for name in names)
    assert held(replace(base, gates=gates), base).worse == ()


def test_findings_are_new_gone_or_the_same_by_promise_anomaly_and_cause() -> None:
    """The sentence or the count of a finding may change: it is still the same defect."""
    old = replace(results.result(Verdict.FAIL), findings=findings(count=5) + findings(promise="cart", count=2))
    new = replace(results.result(Verdict.FAIL), findings=findings(count=9) + findings(anomaly="STALE", count=1))
    made = held(old, new)
    assert {(one.promise, one.anomaly): (one.before, one.after) for one in made.findings} == {
        (findings()[0].promise, findings()[0].anomaly): (5, 9),
        ("cart", findings()[0].anomaly): (2, 0),
        (findings()[0].promise, "STALE"): (0, 1),
    }
    assert len(made.worse) == 1
    assert "STALE" in made.worse[0]


def test_new_finding_that_the_plan_knows_of_makes_nothing_worse() -> None:
    """It doesn't fail a run, so it fails no comparison."""
    new = replace(results.result(), findings=findings(known="ticket 12"))
    assert held(results.result(), new).worse == ()


def test_gate_that_passed_and_fails_now_is_worse_though_both_runs_failed() -> None:
    """A budget that went over is not hidden by a promise that was broken before."""
    base = results.result(Verdict.FAIL)
    gate = next(gate for gate in results.result().gates if gate.group == "budget")
    was, now = replace(gate, verdict=Verdict.PASS), replace(gate, verdict=Verdict.FAIL, actual="9 bad seconds")
    made = held(replace(base, gates=(was,)), replace(base, gates=(now,)))
    assert [change.name for change in made.gates] == [f"budget {gate.name}"]
    assert made.worse == (f"fails now: {gate.name} (9 bad seconds)",)


def kills(*recoveries_ms: float) -> tuple[KillRow, ...]:
    row = next(row for row in results.result().kills if row.confirmed)
    return tuple(replace(row, index=index, recovery_ms=value) for index, value in enumerate(recoveries_ms))


def test_recovery_differs_where_kills_say_so_and_is_noise_where_they_overlap() -> None:
    """Six kills a run are enough to tell a second from three; speed decides nothing all the same."""
    base = results.result()
    slow = replace(base, kills=kills(3000, 3100, 2900, 3050, 2950, 3200))
    fast = replace(base, kills=kills(1000, 1100, 900, 1050, 950, 1200))
    alike = replace(base, kills=kills(1010, 1090, 910, 1040, 960, 1210))
    recovery = held(fast, slow).kills[0]
    assert (recovery.name, recovery.told, recovery.before.median) == ("recovery", "differs", 1025)
    assert held(fast, alike).kills[0].told == "within noise"
    assert held(fast, slow).worse == ()


def test_three_kills_against_three_can_tell_nothing_and_say_so() -> None:
    """The smallest p that they could show is 0.1: a ratio of ten would still be no proof."""
    base = results.result()
    made = held(replace(base, kills=kills(10, 11, 12)), replace(base, kills=kills(900, 910, 920)))
    assert made.kills[0].told == "too few kills to tell"
    assert least_p(3, 3) == pytest.approx(0.1)


def series(base_ms: float) -> Series:
    """Two bins a second for a minute, latencies within 10 % of it."""
    rng = random.Random(1)
    column = tuple(base_ms * (0.95 + rng.random() / 10) for _ in range(120))
    return Series(start_ns=0, width_ns=10**9 // 2, bad={}, lanes={}, p50_ms=column, p95_ms=column, p99_ms=column)


def test_latency_differs_where_the_bulk_of_it_over_time_does_not_overlap() -> None:
    """Twice as slow is told from a little slower; without bins nothing is claimed."""
    base = replace(results.result(), series=series(4.0))
    twice = held(base, replace(results.result(), series=series(8.0))).latency
    little = held(base, replace(results.result(), series=series(4.1))).latency
    assert {one.told for one in twice} == {"differs"}
    assert {one.told for one in little} == {"within noise"}
    assert {one.told for one in held(base, replace(results.result(), series=None)).latency} == {"not told"}
    assert {one.phase for one in twice} == {"baseline", "chaos"}


def test_plan_and_machine_are_compared() -> None:
    """A changed plan explains most differences: it is shown as a diff."""
    new = replace(results.result(seed=8), environment={"python": "3.12.1"})
    made = compare(results.result(), new, (story.PLAN, story.PLAN.replace("mode: sticky", "mode: round-robin")))
    assert "-balancer: {mode: sticky}" in made.plan
    assert "+balancer: {mode: round-robin}" in made.plan
    assert {"seed", "python"} <= {change.name for change in made.facts}


def test_mann_whitney_is_exact_for_few_and_near_it_for_many() -> None:
    """Known values: 4 against 4 apart is 2/70; equal samples are 1; the normal one agrees with the exact one."""
    assert mann_whitney([1, 2, 3, 4], [5, 6, 7, 8]) == pytest.approx(2 / 70)
    assert mann_whitney([1, 1, 1], [1, 1, 1]) == 1.0
    assert mann_whitney([], [1.0]) == 1.0
    one, other = [float(n) for n in range(0, 40, 2)], [float(n) + 9 for n in range(0, 40, 2)]
    assert mann_whitney(one, other) == pytest.approx(mann_whitney(other, one))
    assert 0.001 < mann_whitney(one, other) < 0.05
    rng = random.Random(3)
    small = [[rng.random() for _ in range(7)] for _ in range(2)]
    exact = mann_whitney(*small)
    assert math.comb(14, 7) <= 20_000 and 0 < exact <= 1


def test_large_samples_that_are_all_the_same_do_not_differ() -> None:
    """Their ranks have no spread to divide by."""
    assert mann_whitney([1.0] * 30, [1.0] * 30) == 1.0
