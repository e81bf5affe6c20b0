"""Limits in worked examples: what is too much, what is too little, and what a death has to do with it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from chaoscheck.checkers.base import Death, PromiseChecker
from chaoscheck.checkers.limit import LimitChecker
from chaoscheck.model.clock import NS
from chaoscheck.model.ops import Op
from chaoscheck.model.verdict import Cause
from chaoscheck.plan.steps import Promise
from tests.unit.checkers.making import names, op, run

MS = NS // 1000
REFUSED = "refused: status 429 isn't 200"
WHO = ("web-1.1", "web-2.1", "web-3.1")


def limit(window: str = "sliding", allow: str = "3 per 1s", burst: int | None = None) -> LimitChecker:
    said = {"kind": "limit", "do": {"get": "/x"}, "allow": allow, "window": window, "burst": burst}
    return LimitChecker("p", Promise.model_validate(said))


def ask(at_ms: int, outcome: str = "ok", who: str = "web-1.1", *, lasted_ms: int = 5, session: str = "s1") -> Op:
    """A request sent at `at_ms`; "refused" is a refusal by the limit, "fail" one by somebody else."""
    refused = outcome == "refused"
    made = op(
        "do", "fail" if refused else outcome, at=at_ms * MS, lasted=lasted_ms * MS if lasted_ms >= 0 else -1, who=who,
        session=session, obj="own", error=REFUSED if refused else "", status=429 if refused else 200,
    )  # fmt: skip
    return made._replace(rid=f"r{at_ms}-{session}")


def asks(*at_ms: int, who: Sequence[str] = ("web-1.1",)) -> list[Op]:
    return [ask(at, who=who[number % len(who)]) for number, at in enumerate(at_ms)]


def death(at_ms: int, who: str = "web-1.1", strike: int = 0) -> Death:
    return Death(who, strike, at_ms * MS, MS)


def only(checker: PromiseChecker) -> tuple[str, Cause | None, str]:
    [one] = checker.tally().anomalies
    return one.name, one.cause, one.seen


# Too much.


@pytest.mark.parametrize(
    ("window", "fine", "over"),
    [("sliding", 3, 4), ("fixed", 6, 7), ("bucket", 3, 4)],
)
def test_limit_exceeded_at_once_is_over_admitted_and_reached_is_not(window: str, fine: int, over: int) -> None:
    """A fixed window may have ended in between, so that twice as many prove nothing."""
    assert names(run(limit(window), asks(*range(0, 10 * fine, 10)))) == []
    assert names(run(limit(window), asks(*range(0, 10 * over, 10)))) == ["OVER_ADMIT"]


def test_sliding_windows_straddled_at_their_edges_are_nobody_s_fault() -> None:
    """The fourth may have been admitted just after the first one had left the window."""
    assert names(run(limit(), asks(0, 10, 20, 996))) == []
    assert names(run(limit(), asks(0, 10, 20, 970))) == ["OVER_ADMIT"]


def test_fixed_windows_over_several_of_them_are_counted_together() -> None:
    """Twice the limit in each of two windows is more than three windows hold."""
    assert names(run(limit("fixed"), asks(*range(0, 60, 10), *range(1050, 1080, 10)))) == []
    assert names(run(limit("fixed"), asks(*range(0, 60, 10), *range(1050, 1090, 10)))) == ["OVER_ADMIT"]


def test_bucket_that_refilled_may_admit_again() -> None:
    """One every third of a second, beyond the burst."""
    assert names(run(limit("bucket"), asks(0, 10, 20, 400, 750))) == []
    assert names(run(limit("bucket"), asks(0, 10, 20, 200))) == ["OVER_ADMIT"]
    assert names(run(limit("bucket", burst=5), asks(*range(0, 50, 10)))) == []


@pytest.mark.parametrize("outcome", ["unknown", "fail"])
def test_what_has_no_certain_end_is_not_admitted(outcome: str) -> None:
    """It may never have reached the limiter, or have been refused."""
    assert names(run(limit(), [*asks(0, 10, 20), ask(30, outcome)])) == []


def test_limiter_in_each_instance_is_told_by_who_refuses() -> None:
    """All three admit their three; the one that refuses has had its own three, among nine."""
    checker = run(limit(), [*asks(*range(0, 90, 10), who=WHO), ask(90, "refused")])
    assert only(checker) == (
        "OVER_ADMIT", Cause.ONE_INSTANCE, "9 admitted in 0.09 s by 3 instances, 3 allowed per 1 s",
    )  # fmt: skip


def test_one_that_was_too_many_and_is_refused_by_who_had_few_has_no_cause_yet() -> None:
    """Whoever refuses knows of the others' admissions: they count together, only badly."""
    name, cause, _ = only(run(limit(), [*asks(0, 10, 20, 30, who=WHO), ask(40, "refused", "web-2.1")]))
    assert (name, cause) == ("OVER_ADMIT", None)


def test_excess_is_confirmed_at_once_and_told_once() -> None:
    """Its admissions were acknowledged; what comes after it in the same window is part of it."""
    checker = limit()
    assert [checker.feed(each) for each in asks(0, 10, 20, 30, 40, 50)] == [False, False, False, True, False, False]
    [one] = checker.tally().anomalies
    assert one.confirmed
    assert one.read.rid == "r30-s1"
    assert one.besides == ("r0-s1", "r10-s1", "r20-s1")


def test_limits_of_two_users_are_two_limits() -> None:
    ops = [ask(at, session=session) for at in (0, 10, 20) for session in ("s1", "s2")]
    assert names(run(limit(), ops)) == []


# Too little.


@pytest.mark.parametrize("window", ["sliding", "fixed", "bucket"])
def test_refusal_with_fewer_admitted_than_allowed_is_over_rejected(window: str) -> None:
    """Two in the second before, and three allowed."""
    ops = [ask(0), *asks(3000, 3010), ask(3020, "refused")]
    assert names(run(limit(window), ops)) == ["OVER_REJECT"]
    assert names(run(limit(window), [ask(0), *asks(3000, 3010, 3020), ask(3030, "refused")])) == []


@pytest.mark.parametrize("window", ["sliding", "fixed", "bucket"])
def test_session_s_first_refusal_may_be_an_earlier_one_s_doing(window: str) -> None:
    """The account may have been somebody's a moment ago."""
    assert names(run(limit(window), [ask(0), ask(10, "refused")])) == []


@pytest.mark.parametrize("odd", ["unknown", "fail"])
def test_what_may_have_been_admitted_counts_where_a_refusal_is_judged(odd: str) -> None:
    ops = [ask(0), *asks(3000, 3010), ask(3015, odd), ask(3020, "refused")]
    assert names(run(limit(), ops)) == []


def test_unknown_request_may_be_admitted_at_any_later_time() -> None:
    ops = [ask(0), ask(10, "unknown", lasted_ms=-1), *asks(3000, 3010), ask(3020, "refused")]
    assert names(run(limit(), ops)) == []


def test_refusal_by_somebody_else_is_no_refusal_of_the_limit() -> None:
    """A lost login, say."""
    assert names(run(limit(), [ask(0), ask(3000, "fail")])) == []


# Deaths.


@pytest.mark.parametrize("late", [False, True])
def test_limit_that_was_reached_and_is_admitted_after_a_death_was_reset_by_it(late: bool) -> None:
    """Whether the death is told before or after."""
    checker = limit()
    ops = [*asks(0, 10, 20), ask(100, who="web-2.1")]
    run(checker, ops[:3])
    if not late:
        checker.died(death(50))
    run(checker, ops[3:])
    checker.died(death(50))
    tally = checker.tally()
    [one] = tally.anomalies
    assert (one.name, one.cause, one.acker) == ("RESET", Cause.LOST_WITH_INSTANCE, "web-1.1")
    assert (tally.lost, tally.exposures) == ({0: 1}, {})


def test_excess_before_the_death_needs_none() -> None:
    checker = run(limit(), [*asks(0, 10, 20, 30, who=WHO), ask(100, who="web-2.1")])
    checker.died(death(50))
    assert names(checker) == ["OVER_ADMIT"]


def test_resets_where_others_are_exceeded_without_a_death_are_of_their_sort() -> None:
    """A limiter in each instance: the death only took one of the counts."""
    each = [*asks(*range(0, 90, 10), who=WHO), ask(90, "refused")]
    reset = [ask(at, session="s2") for at in (1000, 1010, 1020)] + [ask(1100, who="web-2.1", session="s2")]
    checker = run(limit(), each + reset)
    checker.died(death(1050))
    tally = checker.tally()
    assert [(one.name, one.cause) for one in tally.anomalies] == [("OVER_ADMIT", Cause.ONE_INSTANCE)] * 2
    assert tally.lost == {}


@pytest.mark.parametrize(
    ("admitted_by", "refused_at", "refused_by", "exposures"),
    [
        (("web-1.1", "web-2.1"), 100, "web-2.1", {0: 1}),
        (("web-2.1",), 100, "web-2.1", {}),  # the victim's own are needed
        (("web-1.1", "web-2.1"), 40, "web-2.1", {}),  # before the death
        (("web-1.1", "web-2.1"), 100, "", {}),  # nobody knows who
    ],
)
def test_kill_is_exposed_by_a_refusal_that_only_the_victim_s_admissions_explain(
    admitted_by: tuple[str, ...], refused_at: int, refused_by: str, exposures: dict[int, int]
) -> None:
    checker = run(limit(), [*asks(0, 10, 20, who=admitted_by), ask(refused_at, "refused", refused_by)])
    checker.died(death(50))
    run(checker, [ask(5000)])
    assert checker.tally().exposures == exposures


def test_kill_waits_for_its_exposure_no_longer_than_a_window() -> None:
    """Then nothing can show it any more."""
    checker = run(limit(), asks(0, 10, 20))
    checker.died(death(50))
    assert checker.exposed("s1") == ["own"]
    assert checker.tally().pending == {0: 1}
    run(checker, [ask(3000)])
    assert checker.exposed("s1") == []
    assert (checker.tally().pending, checker.tally().exposures) == ({}, {})


def test_limit_that_was_not_reached_is_not_exposed() -> None:
    """One more request of it would show nothing."""
    checker = run(limit(), asks(0, 10))
    checker.died(death(50))
    assert checker.exposed("s1") == []


def test_refusal_at_the_very_time_of_the_last_admission_is_no_over_rejection() -> None:
    """Clocks have grains."""
    ops = [ask(0), *asks(3000, 3010), ask(3020, lasted_ms=0), ask(3020, "refused", lasted_ms=0)]
    assert names(run(limit(), ops)) == []
