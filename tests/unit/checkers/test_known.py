"""Known findings: shown, deciding nothing until their day is over, and never a way around evidence."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from chaoscheck import plugins
from chaoscheck.checkers.judge import judge_rows
from chaoscheck.checkers.known import anomalies, check_known, marked, started_on
from chaoscheck.errors import PlanError
from chaoscheck.model import events as ev
from chaoscheck.model.clock import NS
from chaoscheck.model.events import Event
from chaoscheck.model.history import Row
from chaoscheck.model.verdict import Cause, Gate, Level, Result, Verdict
from chaoscheck.plan.gating import Known
from chaoscheck.plan.load import load_plan
from chaoscheck.store import encode_result
from tests.unit.checkers.test_judge import BROKEN, PLAN, changed, clean_rows, judged, note

plugins.load()

DAY = 24 * 3600 * NS
THIRD_DAY = changed(ev.RunStarted, lambda e: replace(e, wall_ns=2 * DAY + DAY // 2))
"""A run of 1970-01-03, at noon."""

FORGOTTEN = clean_rows(read="gone")
"""Eight of ten exposed objects are lost with the instance."""
ENOUGH = {"confidence": 0.5, "max_loss": 0.4}
"""Two clean exposures suffice, and two there are."""
HIDDEN = {"confidence": 0.5, "max_loss": 0.1}
"""Seven are needed: there would be ten, had the eight that broke come through."""


def entry(**changes: object) -> dict[str, object]:
    return {"promise": "note", "finding": "LOST", "because": "TICKET-12", "until": "1970-01-03", **changes}


def run(
    *entries: dict[str, object], events: list[Event] = THIRD_DAY, rows: list[Row] = FORGOTTEN, **plan: object
) -> Result:
    return judged(events, rows, **{"known": list(entries), "evidence": ENOUGH, **plan})


def promise_gate(result: Result) -> Gate:
    return next(gate for gate in result.gates if gate.group == "promises")


def test_known_finding_does_not_fail_the_run_and_is_shown_with_its_reason() -> None:
    """The finding stays with all of its evidence; the gate says that nothing else is broken, and the reason says it."""
    result = run(entry())
    assert result.verdict is Verdict.PASS, result.reason
    assert [one.known for one in result.findings] == ["TICKET-12 (until 1970-01-03)"]
    assert result.findings[0].verdict is Verdict.FAIL and result.findings[0].chain
    gate = promise_gate(result)
    assert gate.actual.startswith("nothing broken but what is known: 8 broken (lost with the instance)")
    assert (gate.known, result.promises[0].known, result.promises[0].violations) == (8, 8, 8)
    assert "TICKET-12" in gate.detail
    assert "known to be broken: note" in result.reason and result.decisive == ()


def test_same_finding_without_an_entry_fails() -> None:
    """What these tests guard against is really there."""
    assert run().verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("until", "verdict"), [("1970-01-02", Verdict.FAIL), ("1970-01-03", Verdict.PASS), ("1970-01-04", Verdict.PASS)]
)
def test_known_until_is_inclusive_and_counts_from_the_day_of_the_run(until: str, verdict: Verdict) -> None:
    """Judged again in a year, the same history still comes to the same bytes."""
    result = run(entry(until=until))
    assert result.verdict is verdict
    assert encode_result(result) == encode_result(run(entry(until=until)))


def test_known_that_is_over_says_so() -> None:
    """Who reads the failure learns that it was expected once, and that its time is up."""
    result = run(entry(until="1970-01-02"))
    assert "(known until 1970-01-02 is over: TICKET-12)" in result.reason
    assert "known: note LOST is over since 1970-01-02, so it fails again: TICKET-12" in result.warnings


@pytest.mark.parametrize(
    "other",
    [{"finding": "FLICKER"}, {"cause": "state in one instance"}, {"promise": "other"}],
)
def test_finding_that_no_entry_covers_still_fails(other: dict[str, object]) -> None:
    """An entry covers its promise, anomaly and (if it says one) cause, and nothing besides."""
    result = run(entry(**other))
    assert result.verdict is Verdict.FAIL
    assert not any(one.known for one in result.findings)


def test_known_cause_covers_only_that_cause() -> None:
    """Of two findings of one anomaly the other one fails, and comes first."""
    cells = [
        replace(e, holds=e.writer == e.reader, told=9, missed=9, writer_has=True)
        if isinstance(e, ev.MatrixProbed)
        else e
        for e in THIRD_DAY
    ]
    result = run(entry(cause="lost with the instance"), events=cells)
    assert result.verdict is Verdict.FAIL
    assert [(one.cause, bool(one.known)) for one in result.findings] == [
        (Cause.ONE_INSTANCE, False),
        (Cause.LOST_WITH_INSTANCE, True),
    ]
    assert [one.cause for one in result.decisive] == [Cause.ONE_INSTANCE]


def test_finding_that_makes_a_run_invalid_can_not_be_known() -> None:
    """It says that nothing can be told, and no plan changes that."""
    found = run().findings[0]
    entries = [Known.model_validate(entry())]
    assert marked([found], entries, date(1970, 1, 1))[0].known
    assert not marked([replace(found, verdict=Verdict.INVALID)], entries, date(1970, 1, 1))[0].known


def test_promise_that_is_known_and_short_of_evidence_is_shown_so_and_does_not_decide() -> None:
    """What is broken can't be exposed: no pass is claimed for it, and the run says that no promise decided."""
    result = run(entry(), evidence=HIDDEN)
    gate = promise_gate(result)
    assert (gate.verdict, gate.level, result.verdict) == (Verdict.INCONCLUSIVE, Level.WARN, Verdict.PASS)
    assert result.promises[0].verdict is Verdict.INCONCLUSIVE
    assert result.reason.startswith("no promise decides this run: all that broke is known")


def test_known_finding_excuses_no_evidence_that_was_missing_without_it() -> None:
    """Two whole and eight broken of 299: a defect must not make a pass easier to have than none would."""
    result = run(entry(), evidence={"max_loss": 0.01})
    assert (result.verdict, promise_gate(result).level) == (Verdict.INCONCLUSIVE, Level.ERROR)
    assert "more exposures are needed" in result.reason


def test_promise_that_is_known_but_was_not_seen_broken_needs_its_evidence() -> None:
    """An entry is no licence to test nothing."""
    result = run(entry(), rows=clean_rows(), evidence={"max_loss": 0.01})
    assert (result.verdict, promise_gate(result).level) == (Verdict.INCONCLUSIVE, Level.ERROR)


@pytest.mark.parametrize("broken", BROKEN)
def test_known_finding_lets_no_broken_assumption_pass(broken: str) -> None:
    """Kills that did not land, a check that can't fail, a run cut off: known or not, nothing was shown."""
    events, verdict, _ = BROKEN[broken]
    assert run(entry(until="2099-01-01"), events=events).verdict is verdict


def test_known_that_did_not_occur_is_to_be_removed() -> None:
    """A run that could have seen it, and did not, says so."""
    assert run(entry(), rows=clean_rows()).warnings[0] == "known: note LOST did not occur; remove it from the plan"


@pytest.mark.parametrize("broken", BROKEN)
def test_known_that_could_not_be_seen_is_not_called_gone(broken: str) -> None:
    """A run that ended early or proves nothing is silent about it."""
    assert not any(
        "did not occur" in line for line in run(entry(), events=BROKEN[broken][0], rows=clean_rows()).warnings
    )


def test_known_does_not_hide_doubts_that_nobody_settled() -> None:
    """A contradicting read of which nobody knows what it means still leaves the run open."""
    rows = [
        *FORGOTTEN,
        note("do", 23 * NS, obj="x", outcome="ok", value="x"),
        note("see", 24 * NS, obj="x", outcome="gone"),
    ]
    result = run(entry(), rows=rows)
    assert result.promises[0].suspicions_open == 1
    assert (result.verdict, promise_gate(result).level) == (Verdict.INCONCLUSIVE, Level.ERROR)


# Plans.

TEXT = """\
target: {command: [serve]}
promises:
  note:
    kind: kept
    do: {post: /notes, json: {text: $value}, expect: 201}
    see: {get: /notes, expect: $value}
known:
- {promise: note, finding: LOST, because: TICKET-12, until: 2099-12-31}
"""
ENTRY = "- {promise: note, finding: LOST, because: TICKET-12, until: 2099-12-31}\n"


@pytest.mark.parametrize(
    ("entries", "place", "message", "hint"),
    [
        (ENTRY.replace("note", "nope"), "plan.yaml:8", "no promise is named 'nope'", "did you mean 'note'?"),
        (ENTRY.replace("LOST", "LOTS"), "plan.yaml:8", "kind kept has no finding 'LOTS'", "did you mean 'LOST'?"),
        (ENTRY.replace("LOST", "lost"), "plan.yaml:8", "kind kept has no finding 'lost'", "did you mean 'LOST'?"),
        (ENTRY.replace("LOST", "WRONG_USER"), "plan.yaml:8", "no plan can let that pass", "mend the service"),
        (ENTRY + ENTRY, "plan.yaml:9", "note LOST stands twice", "tell them apart by their cause"),
        (ENTRY.replace("TICKET-12", '" "'), "plan.yaml:8", "say because of what", ""),
        (ENTRY.replace("because: TICKET-12, ", ""), "plan.yaml:8", "missing key 'because'", ""),
        (ENTRY.replace(", until: 2099-12-31", ""), "plan.yaml:8", "missing key 'until'", ""),
        (ENTRY.replace("2099-12-31", "soon"), "plan.yaml:8", "write until as a day, such as 2026-12-31", ""),
        (ENTRY.replace("2099-12-31", "2099-12-31 10:00:00"), "plan.yaml:8", "write until as a day", ""),
        (ENTRY.replace("2099-12-31", "2099-02-30"), "plan.yaml", "a value in it can't be", "is each date a real one?"),
    ],
)
def test_entry_that_means_nothing_is_refused_with_its_line(
    tmp_path: Path, entries: str, place: str, message: str, hint: str
) -> None:
    """A typo would make an entry that never covers anything."""
    path = tmp_path / "plan.yaml"
    path.write_text(TEXT.replace(ENTRY, entries))
    with pytest.raises(PlanError) as refused:
        check_known(load_plan(path, environment={}))
    assert message in refused.value.message and hint in refused.value.hint
    assert refused.value.place == place


def test_line_of_an_entry_that_did_not_occur_is_told(tmp_path: Path) -> None:
    """Its owner finds it."""
    path = tmp_path / "plan.yaml"
    path.write_text(TEXT)
    loaded = load_plan(path, environment={})
    clean = loaded.model_copy(
        update={"plan": loaded.plan.model_validate({**PLAN, "known": [entry()], "evidence": ENOUGH})}
    )
    result = judge_rows(clean, THIRD_DAY, lambda: iter([clean_rows()]))
    assert result.warnings[0].endswith("remove it from the plan, line 8")
    assert promise_gate(result).place == "plan.yaml:3"


def test_anomalies_of_each_kind_are_those_that_its_page_lists() -> None:
    """An entry may name whatever the documentation of the kind names."""
    for page in (Path(__file__).parents[3] / "docs" / "kinds").glob("*.md"):
        listed = {
            line.split("|")[1].strip(" `")
            for line in page.read_text().splitlines()
            if line.startswith("| `") and "kill" not in line
        }
        named = {name for name in listed if name.isupper()}
        assert named and named <= anomalies(page.stem), page.name


def test_day_of_a_run_that_nobody_knows_excuses_nothing() -> None:
    """A history without its first event must not make an entry last for ever."""
    assert started_on(None) > date(9000, 1, 1)
