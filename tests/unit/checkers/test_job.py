"""Worked examples of each way in which a job's promise is broken, and of what is never a violation."""

from __future__ import annotations

import pytest

from chaoscheck.checkers.base import Death
from chaoscheck.checkers.job import GRACE_NS, JobChecker
from chaoscheck.model.clock import NS
from chaoscheck.model.ops import Op
from chaoscheck.model.verdict import Cause
from chaoscheck.plan.steps import Promise
from tests.unit.checkers.making import confirms, names, op, run

TERMS = Promise.model_validate({"kind": "job", "deadline": "1s", "do": {"post": "/x"}, "see": {"get": "/x"}})
LATE = NS + GRACE_NS + 1000
TAKEN = op("do", "ok", at=0, value="o1")


def job() -> JobChecker:
    return JobChecker("p", TERMS)


def see(outcome: str, at: int, seen: str = "", who: str = "web-2.1", **more: str) -> Op:
    return op("see", outcome, at=at, seen=seen, who=who, value="o1", **more)


def everywhere(after: Op, outcome: str, seen: str = "") -> list[Op]:
    """Both instances say so."""
    return [
        each._replace(action=after.action) for each in confirms(after, [(f"web-{n}.1", outcome, seen) for n in (1, 2)])
    ]


BROKEN = {
    "LOST": [TAKEN, see("pending", 10), see("gone", 20)],
    "LOST once done": [TAKEN, see("ok", 10, "r"), see("gone", 20)],
    "BACKWARDS": [TAKEN, see("ok", 10, "r"), see("pending", 20)],
    "CHANGED": [TAKEN, see("ok", 10, "r"), see("ok", 20, "other")],
    "STUCK": [TAKEN, see("pending", 10), see("pending", LATE)],
    "DUPLICATE_RUN": [TAKEN, see("ok", 10, "r"), see("ok", 20, '["a","b"]')._replace(action="ledger")],
}


@pytest.mark.parametrize("name", BROKEN)
def test_job_broken_promise_is_doubted_asked_again_and_named(name: str) -> None:
    """The last read contradicts; it counts once every instance said the same."""
    checker, ops = job(), BROKEN[name]
    assert [checker.feed(each) for each in ops] == [*[False] * (len(ops) - 1), True]
    assert names(checker) == []
    run(checker, everywhere(ops[-1], ops[-1].outcome, ops[-1].seen))
    assert names(checker) == [name.split()[0]]
    checker.feed(see("pending", 3 * LATE))
    assert names(checker) == [name.split()[0]]


@pytest.mark.parametrize("name", ["LOST", "LOST once done", "BACKWARDS"])
def test_job_that_all_instances_show_again_flickered(name: str) -> None:
    """The user saw it, but nothing was lost for good."""
    checker, ops = run(job(), BROKEN[name]), BROKEN[name]
    run(checker, everywhere(ops[-1], "ok", "r"))
    assert names(checker) == ["FLICKER"]


def test_job_done_after_its_deadline_was_stuck_all_the_same() -> None:
    """A deadline that was missed stays missed; how long it took is told."""
    checker = run(job(), BROKEN["STUCK"])
    run(checker, everywhere(BROKEN["STUCK"][-1], "ok", "r"))
    assert names(checker) == ["STUCK"]
    assert checker.tally().anomalies[0].healed_ns > 0


def test_job_pending_before_its_deadline_is_awaited_and_no_violation() -> None:
    """That is what jobs are like."""
    checker = run(job(), [TAKEN, see("pending", 10), see("pending", NS)])
    assert checker.awaited("s1") == ["o1"]
    checker.feed(see("ok", NS + 10, "r"))
    assert checker.awaited("s1") == []
    assert checker.certain("s1") == ["o1"]
    assert checker.tally().anomalies == []


@pytest.mark.parametrize("read", [see("gone", 20), see("pending", 9 * LATE), see("ok", 20, "r")])
def test_job_of_unknown_submission_breaks_nothing(read: Op) -> None:
    """It may never have been taken, and it may be taken yet."""
    checker = job()
    assert not any(checker.feed(each) for each in [op("do", "unknown", at=0, value="o1"), read])


def test_job_one_aborted_and_one_completed_run_is_fine() -> None:
    """The ledger lists what was completed: one."""
    checker = job()
    assert not any(checker.feed(each) for each in [TAKEN, see("ok", 20, '["b"]')._replace(action="ledger")])


@pytest.mark.parametrize(("death_ns", "stuck"), [(NS // 2, False), (NS + 10, True), (-10, True)])
def test_job_deadline_counts_from_a_death_before_it_was_over(death_ns: int, stuck: bool) -> None:
    """Any death meanwhile may have been the runner's; one before the submission, or after the deadline, was not."""
    checker = job()
    checker.died(Death("web-3.1", 1, death_ns, 0))
    assert run(checker, [TAKEN]).feed(see("pending", LATE)) is stuck


def test_job_stuck_after_a_death_is_that_death_s_doing() -> None:
    """Who took the job may well live."""
    checker = job()
    checker.died(Death("web-3.1", 1, NS // 2, 0))
    read = see("pending", LATE + NS)
    run(checker, [TAKEN, read, *everywhere(read, "pending")])
    found = checker.tally().anomalies[0]
    assert (found.name, found.acker, found.cause) == ("STUCK", "web-3.1", Cause.LOST_WITH_INSTANCE)


def test_job_exposure_counts_the_first_done_read_after_the_death() -> None:
    """Seen pending, or done by the victim itself, shows nothing of what became of it."""
    checker = job()
    checker.died(Death("web-1.1", 4, 100, 5))
    run(checker, [TAKEN, see("ok", 50, "r")])
    assert checker.exposed("s1") == ["o1"]
    run(checker, [see("ok", 200, "r")])
    assert checker.tally().exposures == {4: 1}
    waiting = job()
    waiting.died(Death("web-1.1", 4, 100, 5))
    run(waiting, [TAKEN, see("pending", 200)])
    assert (waiting.tally().exposures, waiting.tally().pending) == ({}, {4: 1})


def test_job_lost_with_its_taker_counts_as_lost() -> None:
    """The pair (job, kill) was exposed, and did not hold."""
    checker = job()
    checker.died(Death("web-1.1", 4, 100, 5))
    read = see("gone", 200)
    run(checker, [TAKEN, read, *confirms(read, [("web-2.1", "gone", "")])])
    assert checker.tally().lost == {4: 1}


def test_job_forgotten_session_keeps_what_it_counts_for() -> None:
    """And is not awaited any more."""
    checker = run(job(), [TAKEN, see("ok", 200, "r")])
    checker.forget("s1")
    checker.died(Death("web-1.1", 4, 100, 5))
    assert checker.tally().exposures == {4: 1}
    assert checker.certain("s1") == checker.awaited("s1") == []


def test_job_run_twice_with_nobody_dead_is_no_death_s_doing() -> None:
    """Nor are those near a later death: it is one defect."""
    checker = job()
    for number, at in enumerate((20, 2000)):
        taken = op("do", "ok", at=at - 10, value=f"o{number}", obj=f"o{number}")
        read = op("see", "ok", at=at, seen='["a","b"]', value=f"o{number}", obj=f"o{number}")._replace(action="ledger")
        run(checker, [taken, read, *everywhere(read, "ok", '["a","b"]')])
    checker.died(Death("web-3.1", 1, 1900, 0))
    assert [one.cause for one in checker.tally().anomalies] == [Cause.BACKGROUND] * 2


def test_job_seen_late_is_not_awaited_any_more_even_if_nobody_confirmed_it() -> None:
    """Else a final read would wait for it for ever."""
    assert run(job(), BROKEN["STUCK"]).awaited("s1") == []
