"""What a session, the controls and the matrix do for a job."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chaoscheck.model.ops import Outcome
from chaoscheck.plan.steps import Promise
from chaoscheck.promises.base import Told
from chaoscheck.promises.job import POLLS, READ_BACK, JobKind, unlike
from tests.unit.promises.benches import bench
from tests.unit.promises.test_kinds import FakeHand

TERMS = Promise.model_validate(
    {"kind": "job", "deadline": "1s", "do": {"post": "/x", "take": {"job": "json:id"}}, "see": {"get": "/x/$job"}}
)
AUDITED = Promise.model_validate({**TERMS.model_dump(by_alias=True), "ledger": {"get": "/l", "values": "json:a[*]"}})
PENDING, OK, GONE, DROPPED = Outcome.PENDING, Outcome.OK, Outcome.GONE, Outcome.DROPPED


def test_job_submitted_is_looked_at_until_it_is_done_a_few_times_a_turn() -> None:
    """A turn never waits for a job; a later turn goes on."""
    hand = FakeHand(outcomes=[OK, PENDING, OK])
    JobKind(TERMS).turn(hand)
    assert hand.actions() == ["do", "see", "see"]
    hand = FakeHand(outcomes=[OK, *[PENDING] * 20])
    JobKind(TERMS).turn(hand)
    assert hand.actions() == ["do", *["see"] * POLLS]


def test_job_not_done_yet_is_looked_at_in_the_next_turn_first() -> None:
    """Those that a death exposed lead, then those awaited; never many a turn, and no more are submitted meanwhile."""
    hand = FakeHand(there=[f"o{n}" for n in range(20)], unread=["o9"], waiting=[f"o{n}" for n in range(12)])
    JobKind(TERMS).turn(hand)
    assert hand.asked == [("see", obj, obj) for obj in ["o9", *(f"o{n}" for n in range(READ_BACK - 1))]]


def test_job_that_is_done_is_read_again_and_audited_where_there_is_a_ledger() -> None:
    """Only those that are done: their runs are complete."""
    hand = FakeHand(there=["o1", "o2"], waiting=["o1"])
    JobKind(AUDITED).turn(hand)
    assert ("ledger", "o2", "o2") in hand.asked
    assert ("ledger", "o1", "o1") not in hand.asked
    hand = FakeHand(there=["o1"])
    JobKind(TERMS).turn(hand)
    assert "ledger" not in hand.actions()


def test_job_submission_that_is_not_acknowledged_is_not_looked_at() -> None:
    """There is no id to ask for."""
    hand = FakeHand(outcomes=[Outcome.UNKNOWN])
    JobKind(TERMS).turn(hand)
    assert hand.actions() == ["do"]


@pytest.mark.parametrize("given", ["17", "job4", "0d3c9a1e-7b1f-4f0e-9d2c-5a6b7c8d9e0f", "x"])
def test_an_id_given_to_nobody_looks_alike_and_is_another(given: str) -> None:
    """Whole numbers stay whole numbers, hexadecimal ones stay hexadecimal."""
    other = unlike(given)
    assert other != given
    assert other.isdecimal() == given.isdecimal()
    if "-" in given:
        int(other.replace("-", ""), 16)


# Controls and matrix, on instances made to order.


def told(kind: JobKind, answer: Callable[[str, float, bool], tuple[Outcome, str]]) -> dict[str, Told]:
    return dict(kind.control(bench(answer), "web-1.1"))


def runs(on: str, seconds: float, own: bool) -> tuple[Outcome, str]:
    """As it should be: 0.4 s of work."""
    return ((OK, "r") if seconds > 0.4 else (PENDING, "")) if own else (GONE, "")


def test_job_controls_hold_and_fail_where_they_must() -> None:
    """A made-up id shows nothing; a job that was taken is done in time."""
    said = told(JobKind(TERMS), runs)
    assert (said["fail"].holds, said["fail"].told, said["fail"].missed) == (False, 2, 2)
    assert (said["hold"].holds, said["hold"].told, said["hold"].missed) == (True, 1, 0)


@pytest.mark.parametrize("shown", [OK, PENDING])
def test_job_control_that_knows_any_id_can_not_fail(shown: Outcome) -> None:
    """Not even as pending."""
    said = told(JobKind(TERMS), lambda on, seconds, own: runs(on, seconds, own) if own else (shown, ""))
    assert said["fail"].holds is True


def test_job_control_that_is_never_done_does_not_hold() -> None:
    """Its note says how it stood at the deadline."""
    said = told(JobKind(TERMS), lambda on, seconds, own: (PENDING if own else GONE, ""))
    assert said["hold"].holds is False
    assert "pending" in said["hold"].note


def pair(answer: Callable[[str, float, bool], tuple[Outcome, str]], reader: str = "web-2.1") -> Told:
    found = JobKind(TERMS).pair(bench(answer), "web-1.1", reader)
    assert found is not None
    return found


def test_job_pair_holds_where_the_other_knows_it_and_shows_it_done() -> None:
    """The same with itself, on many connections."""
    assert pair(runs).holds is True
    assert pair(runs, "web-1.1").holds is True


def test_job_pair_fails_where_only_the_taker_has_it() -> None:
    """It is there on the writer: state in one instance."""
    found = pair(lambda on, seconds, own: runs(on, seconds, own) if on == "web-1.1" else (GONE, ""))
    assert (found.holds, found.missed, found.writer_has, found.healed) == (False, 1, True, False)


def test_job_pair_of_one_instance_whose_processes_share_nothing_fails() -> None:
    """Every other connection misses it."""
    count = iter(range(100))
    found = pair(lambda on, seconds, own: runs(on, seconds, own) if next(count) % 2 else (GONE, ""), "web-1.1")
    assert found.holds is False
    assert 0 < found.missed < found.told


def test_job_pair_that_is_never_done_on_the_other_is_stuck() -> None:
    """Results in one instance's memory, their state in a store."""
    found = pair(lambda on, seconds, own: runs(on, seconds, own) if on == "web-1.1" else (PENDING, ""))
    assert (found.holds, found.anomaly, found.writer_has) == (False, "STUCK", True)


def test_job_pair_with_two_results_is_changed() -> None:
    """Each instance ran it for itself."""
    found = pair(lambda on, seconds, own: (OK, on) if seconds > 0.4 else (PENDING, ""))
    assert (found.holds, found.anomaly) == (False, "CHANGED")


def test_job_pair_without_an_answer_tells_nothing() -> None:
    """Neither held nor missed."""
    assert pair(lambda on, seconds, own: (DROPPED, "")).holds is None
    assert pair(lambda on, seconds, own: (Outcome.UNRECOGNISED, "")).holds is None
