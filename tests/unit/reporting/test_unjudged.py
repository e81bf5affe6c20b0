"""What users met where no budget judges it is told, and only there."""

from __future__ import annotations

from dataclasses import replace

from samples import results

from chaoscheck.model.ops import Phase
from chaoscheck.model.verdict import Gate, PhaseRow, Result, Verdict
from chaoscheck.reporting.unjudged import unjudged


def made(bad: int) -> Result:
    row = PhaseRow(
        phase=Phase.CHAOS.value, began_ns=0, ended_ns=1, requests=1_879, bad=bad, p50_ms=1, p95_ms=1, p99_ms=1, max_ms=1
    )
    result = results.result()
    kill = replace(result.kills[0], confirmed=True, requests=800, bad_seconds=5.94 if bad else 0.0)
    gates = tuple(gate for gate in result.gates if gate.group != "budget")
    return replace(result, phases=(row,), kills=(kill,), gates=gates)


def test_failed_requests_under_kills_are_told_where_nothing_judges_them() -> None:
    assert unjudged(made(889)) == (
        "889 of 1,879 scheduled requests failed under kills (those aimed at a victim apart), the worst kill cost "
        "5.9 s of service; not judged, for the plan has no budget"
    )
    assert unjudged(made(0)) == ""


def test_budget_has_a_word_of_its_own() -> None:
    gate = Gate(group="budget", name="bad seconds a kill", verdict=Verdict.PASS, expected="", actual="", margin="", n=3,
                detail="")  # fmt: skip
    assert unjudged(replace(made(889), gates=(gate,))) == ""


def test_without_kills_under_load_nothing_is_told() -> None:
    assert unjudged(replace(made(889), kills=())) == ""
