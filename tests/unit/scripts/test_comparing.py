"""The calibration's judgement of a run: a miss is red, a false alarm is red, and nothing else is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from samples.results import result

from chaoscheck.model import events
from chaoscheck.model.clock import NS
from chaoscheck.model.verdict import Cause, Finding, Result, Verdict
from chaoscheck.plan.plan import Expected
from scripts.comparing import Row, compare, enough, failed
from scripts.tables import BEGIN, END, lines, markdown, replaced

LOST = Expected(verdict="FAIL", promise="login", finding="LOST", cause=Cause.LOST_WITH_INSTANCE)
PASSES = Expected(verdict="PASS")
BEGAN = events.PhaseBegan(t_ns=2 * NS, phase="controls")


def broken(*findings: Finding, verdict: Verdict = Verdict.FAIL) -> Result:
    """A failed run with these findings (default: the login lost with its instance)."""
    base = result(Verdict.FAIL)
    return replace(base, verdict=verdict, findings=findings or base.findings[:1])


def finding(**changes: object) -> Finding:
    return replace(result(Verdict.FAIL).findings[0], **changes)  # type: ignore[arg-type]


def row(expect: Expected, came: Result, *happened: events.Event) -> Row:
    return compare("some-target", expect, came, [BEGAN, *happened], 12.0)


def test_expected_finding_is_green() -> None:
    """The right promise, anomaly and cause, and nothing beside it."""
    one = row(LOST, broken())
    assert not one.wrong
    assert one.defect
    assert not failed([one])
    assert enough(LOST, broken())


@pytest.mark.parametrize(
    "changes",
    [{"promise": "review"}, {"anomaly": "STALE"}, {"cause": Cause.BACKGROUND}, {"verdict": Verdict.INVALID}],
    ids=lambda changes: next(iter(changes)),
)
def test_finding_that_differs_in_one_point_is_a_miss(changes: dict[str, object]) -> None:
    """A FAIL for another reason has not caught the defect."""
    came = broken(finding(**changes))
    assert any(why.startswith("missed") for why in row(LOST, came).wrong)
    assert failed([row(LOST, came)])
    assert not enough(LOST, came)


def test_defect_that_passes_is_a_miss() -> None:
    """No finding at all."""
    one = row(LOST, result(Verdict.PASS))
    assert failed([one])
    assert one.first_s < 0


def test_accusing_a_promise_that_the_defect_leaves_alone_is_a_false_alarm() -> None:
    """Beside the right finding, too."""
    one = row(LOST, broken(finding(), finding(promise="review", anomaly="LOST")))
    assert one.wrong == ("falsely accused: review: LOST (lost with the instance)",)
    assert failed([one])


def test_second_finding_of_the_broken_promise_is_no_false_alarm() -> None:
    """One defect may show in several ways."""
    assert not row(LOST, broken(finding(), finding(anomaly="FLICKER", cause=Cause.UNSETTLED))).wrong


@pytest.mark.parametrize("verdict", [Verdict.INCONCLUSIVE, Verdict.INVALID, Verdict.FAIL])
def test_sound_service_that_does_not_pass_is_a_false_alarm(verdict: Verdict) -> None:
    """Also without any finding: what isn't shown either way is no PASS."""
    assert failed([row(PASSES, result(verdict))])


def test_finding_on_a_sound_service_is_a_false_alarm_whatever_the_verdict() -> None:
    """A result that contradicts itself must not slip through."""
    assert row(PASSES, broken(verdict=Verdict.PASS)).wrong == ("falsely accused: login: LOST (lost with the instance)",)
    assert not row(PASSES, result(Verdict.PASS)).wrong


@pytest.mark.parametrize(("estimate", "fits"), [(9.9, False), (10.0, True), (23.0, True), (40.0, True), (41.0, False)])
def test_window_is_estimated_within_a_factor_of_two(estimate: float, fits: bool) -> None:
    """Both ways, and a run goes on until it is."""
    expect = LOST.model_copy(update={"cause": Cause.ACK_BEFORE_PERSIST, "lost_ms": 20.0})
    came = broken(finding(cause=Cause.ACK_BEFORE_PERSIST, acked_before_death_ms=estimate))
    assert enough(expect, came) == fits
    assert (not row(expect, came).wrong) == fits


def test_nothing_run_proves_nothing() -> None:
    """No rows are red."""
    assert failed([])


def test_time_counts_from_the_first_request_to_the_confirmation() -> None:
    """The controls send the first request; traffic says when it had confirmed."""
    came = broken(finding(at_ns=4 * NS, strike=-1))
    seen = [
        events.FindingSeen(t_ns=3 * NS, promise="login", anomaly="LOST", session="s", obj="o"),
        events.FindingSeen(t_ns=5 * NS, promise="review", anomaly="LOST", session="s", obj="o"),
        events.FindingSeen(t_ns=6 * NS, promise="login", anomaly="LOST", session="s", obj="o"),
    ]
    assert row(LOST, came, *seen).first_s == 4.0
    assert row(LOST, broken(finding(at_ns=4 * NS, phase="matrix")), *seen).first_s == 2.0


def test_kills_count_up_to_the_finding() -> None:
    """Later ones were not needed; a sham never is."""
    came = broken()
    deaths = sorted(kill.death_ns for kill in came.kills if kill.confirmed)
    assert row(LOST, broken(finding(at_ns=deaths[1], phase="chaos"))).kills == 2
    assert row(LOST, broken(finding(at_ns=deaths[0] - 1, phase="matrix"))).kills == 0


def test_table_shows_the_worst_of_all_seeds() -> None:
    """A target that was missed once is not shown as caught."""
    good = row(LOST, broken())
    missed = replace(row(LOST, result(Verdict.PASS)), seed=8)
    table = markdown([good, missed, replace(row(PASSES, result(Verdict.PASS)), target="good")], 60.0)
    assert "1 of 2 runs of a defect" in table
    assert "1 of 1 runs of a sound service" in table
    assert "PASS, 1 of 2" in table
    assert next(lines(good)).startswith("✓")


def test_table_replaces_what_stood_between_the_markers() -> None:
    """And a text without markers is left alone, loudly."""
    assert replaced(f"a\n{BEGIN}\nold\n{END}\nz", "new") == f"a\n{BEGIN}\nnew\n{END}\nz"
    with pytest.raises(ValueError, match="no place"):
        replaced("a", "new")
