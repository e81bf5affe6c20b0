"""Levels of gates: what the plan may soften, what no plan may, and that nothing untested passes for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaoscheck import plugins
from chaoscheck.checkers.levels import check_gates
from chaoscheck.errors import PlanError
from chaoscheck.model.verdict import Gate, Level, Result, Verdict
from chaoscheck.plan.load import load_plan
from tests.unit.checkers.test_gates_broken_once import LATENCY, STRICT, errors, with_ops
from tests.unit.checkers.test_judge import BROKEN, PLAN, clean_events, clean_rows, judged
from tests.unit.checkers.test_known import TEXT

plugins.load()

OVER = with_ops(*errors(10.01, 40), *errors(15.01, 40))
"""Most of a second of errors after each of the kills."""
TWO = {"note": PLAN["promises"]["note"], "other": PLAN["promises"]["note"]}  # type: ignore[index]


def gate(result: Result, name: str) -> Gate:
    return next(one for one in result.gates if one.name == name)


@pytest.mark.parametrize("gates", [{"budget": "warn"}, {"bad seconds a kill": "warn"}])
def test_budget_at_warn_is_shown_and_does_not_decide(gates: dict[str, str]) -> None:
    """By its group or its name; the reason still tells of it."""
    result = judged(clean_events(), OVER, budget=STRICT, gates=gates)
    one = gate(result, "bad seconds a kill")
    assert (one.verdict, one.level, one.n, result.verdict) == (Verdict.FAIL, Level.WARN, 2, Verdict.PASS)
    assert "at warn, so not counted: bad seconds a kill FAIL" in result.reason


def test_budget_that_is_off_is_listed_as_not_judged() -> None:
    """It vanishes from the verdict, not from sight, and is never green."""
    result = judged(clean_events(), OVER, budget=STRICT, gates={"budget": False})
    one = gate(result, "bad seconds a kill")
    assert (one.verdict, one.level, one.n) == (Verdict.INCONCLUSIVE, Level.OFF, -1)
    assert one.actual == "not judged: the plan says off"
    assert result.verdict is Verdict.PASS and "off: baseline within the SLO, bad seconds a kill" in result.reason


def test_name_wins_over_its_group() -> None:
    """All of a group can be softened but one."""
    result = judged(
        clean_events(), OVER, budget=LATENCY | STRICT, gates={"budget": "off", "bad seconds a kill": "error"}
    )
    assert (gate(result, "bad seconds a kill").level, result.verdict) == (Level.ERROR, Verdict.FAIL)
    assert gate(result, "latency p99 under kills").level is Level.OFF


def test_promise_at_warn_beside_one_that_decides_fails_nothing() -> None:
    """Its findings are shown, last; a run with a promise that decides can still pass or not for that one."""
    result = judged(clean_events(), clean_rows(read="gone"), promises=TWO, gates={"note": "warn"})
    assert result.findings and not result.decisive
    assert gate(result, "note").verdict is Verdict.FAIL
    assert result.verdict is Verdict.INCONCLUSIVE and result.reason.startswith("other: not shown either way")


@pytest.mark.parametrize("gates", [{"promises": "warn"}, {"note": "warn"}])
@pytest.mark.parametrize("read", ["ok", "gone"])
def test_run_in_which_no_promise_decides_is_no_pass_and_says_so(gates: dict[str, str], read: str) -> None:
    """A pass that no promise stands behind would be the worst green."""
    result = judged(clean_events(), clean_rows(read=read), gates=gates)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.reason.startswith("something is judged: no promise decides: gates sets note to warn")


@pytest.mark.parametrize("broken", BROKEN)
def test_softest_plan_lets_no_broken_assumption_pass(broken: str) -> None:
    """Whatever a plan may say, a run that proves nothing isn't a pass."""
    events, _, name = BROKEN[broken]
    soft = {
        "promises": "warn",
        "note": "error",
        "budget": "off",
        "recovery": "off",
        "a burst was on every slot": "warn",
    }
    result = judged(events, clean_rows(), gates=soft | {"requests were in flight at a kill": "warn"})
    assert result.verdict is not Verdict.PASS, name


REFUSED = [
    ("coverage: off", "gates.coverage: coverage says whether the promises were tested at all", "set to warn"),
    ("coverage: warn", "so it always decides", "budget and recovery"),
    ("assumptions: warn", "assumptions say whether the run can be trusted at all", "set to warn"),
    ('"baseline within the SLO": off', "whether kills can be blamed", "a promise can be set"),
    ("promises: off", "gates.promises: it can't be off", "take it out of promises"),
    ("note: off", "gates.note: it can't be off", "take it out of promises"),
    ('"requests were in flight at a kill": off', "it can't be off", "warn shows it without deciding"),
    ("kills land: warn", "no gate is named 'kills land'", "known: "),
    ("bugdet: warn", "no gate is named 'bugdet'", "did you mean 'budget'?"),
    ("budget: loud", "gates.budget: input should be 'error', 'warn' or 'off'", ""),
]


@pytest.mark.parametrize(("line", "message", "hint"), REFUSED)
def test_gate_that_may_not_be_set_so_is_refused_with_line_and_hint(
    tmp_path: Path, line: str, message: str, hint: str
) -> None:
    """What makes evidence possible can't be switched off, and a plan that tries is told what can."""
    path = tmp_path / "plan.yaml"
    path.write_text(f"{TEXT}gates:\n  {line}\n")
    with pytest.raises(PlanError) as refused:
        check_gates(load_plan(path, environment={}))
    assert message in refused.value.message and hint in refused.value.hint
    assert refused.value.place == "plan.yaml:10"


@pytest.mark.parametrize(
    "line", ["budget: off", "recovery: off", "note: warn", "promises: warn", "bad seconds a kill: off"]
)
def test_gate_that_may_be_set_so_is_taken(tmp_path: Path, line: str) -> None:
    """A bare `off` too, which YAML reads as false."""
    path = tmp_path / "plan.yaml"
    path.write_text(f"{TEXT}gates:\n  {line}\n")
    loaded = load_plan(path, environment={})
    check_gates(loaded)
    assert {level.value for level in loaded.plan.gates.values()} == {line.split(": ")[1]}
