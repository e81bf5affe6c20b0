"""set: what breaks a cart, what never does, and what confirming changes."""

from __future__ import annotations

import json

import pytest

from chaoscheck.checkers.base import Anomaly, Death
from chaoscheck.checkers.set import SetChecker
from chaoscheck.model.ops import Op
from tests.unit.checkers.making import confirms, names, op

A, B, C = "run.s1.1", "run.s1.2", "run.s1.3"


def add(value: str, at: int, outcome: str = "ok", who: str = "web-1.1") -> Op:
    return op("do", outcome, at=at, value=value, obj="own", who=who)


def remove(value: str, at: int, outcome: str = "ok", who: str = "web-1.1") -> Op:
    return op("undo", outcome, at=at, value=value, obj="own", who=who)


def see(*items: str, at: int, who: str = "web-2.1", session: str = "s1") -> Op:
    return op("see", "ok", at=at, seen=text(*items), obj="own", who=who, session=session)


def text(*items: str) -> str:
    return json.dumps(items, separators=(",", ":"))


def fed(*ops: Op) -> SetChecker:
    checker = SetChecker("p")
    for each in ops:
        checker.feed(each)
    return checker


def only(checker: SetChecker) -> Anomaly:
    (anomaly,) = checker.tally().anomalies
    return anomaly


def test_set_element_that_no_instance_has_is_lost() -> None:
    """Named with who acknowledged it and when."""
    read = see(B, at=40)
    checker = fed(add(A, 0), add(B, 20, who="web-2.1"), read, *confirms(read, [("web-1.1", "ok", text(B))]))
    found = only(checker)
    assert (found.name, found.value, found.acker, found.acked_ns) == ("LOST_ELEMENT", A, "web-1.1", 5)
    assert (found.confirmed, found.critical, found.guarantee) == (True, False, "read-your-writes")


def test_set_element_that_comes_back_flickered() -> None:
    """The user saw it missing."""
    read = see(at=40)
    assert names(fed(add(A, 0), read, *confirms(read, [("web-1.1", "ok", text(A)), ("web-2.1", "ok", text(A))]))) == [
        "FLICKER"
    ]


def test_set_absence_that_nobody_confirmed_stays_a_doubt() -> None:
    """No verdict rests on one read that says something is missing."""
    checker = fed(add(A, 0), see(at=40), see(A, at=60))
    assert (names(checker), only(checker).confirmed) == ([], False)


def test_set_removed_element_that_is_shown_again_is_resurrected() -> None:
    """On the word of who removed it, so that its cause can be told."""
    read = see(A, at=60)
    answers = [("web-1.1", "ok", text()), ("web-2.1", "ok", text(A))]
    checker = fed(add(A, 0), see(A, at=20), remove(A, 40, who="web-1.1"), read, *confirms(read, answers))
    found = only(checker)
    assert (found.name, found.value, found.acker, found.acked_ns) == ("RESURRECTED", A, "web-1.1", 45)
    assert [again.agrees for again in found.confirms] == [True, False]


def test_set_loss_is_reported_once() -> None:
    """After it nothing is certain of that element; of the others everything still is."""
    first, second = see(B, at=40), see(A, at=60)
    checker = fed(add(A, 0), add(B, 20), first, *confirms(first, [("web-1.1", "ok", text(B))]))
    assert not checker.feed(see(B, at=50))
    assert checker.feed(second)
    for each in confirms(second, [("web-1.1", "ok", text(A))]):
        checker.feed(each)
    assert [found.value for found in checker.tally().anomalies] == [A, B]


def test_set_many_lost_at_once_are_one_anomaly_an_acknowledger() -> None:
    """A burst of hundreds must not make hundreds of them; the one acknowledged first stands for them."""
    values = [f"run.s1.{number}" for number in range(300)]
    writes = [add(value, 10 * number, who=f"web-{1 + number % 2}.1") for number, value in enumerate(values)]
    read = see(*values[:100], at=9000)
    checker = fed(*writes, read, *confirms(read, [("web-3.1", "ok", text(*values[:100]))]))
    assert [(found.acker, found.value) for found in checker.tally().anomalies] == [
        ("web-1.1", values[100]),
        ("web-2.1", values[101]),
    ]


def test_set_survivors_of_a_burst_tell_how_late_it_persists() -> None:
    """What the victim acknowledged before the lost ones is there: its newest times are kept for the cause."""
    values = [f"run.s1.{number}" for number in range(20)]
    read = see(*values[:15], at=1000)
    checker = fed(*(add(value, 10 * number) for number, value in enumerate(values)), read)
    for each in confirms(read, [("web-2.1", "ok", text(*values[:15]))]):
        checker.feed(each)
    checker.died(Death("web-1.1", 3, 300, 5))
    checker.feed(see(*values[:15], at=2000))
    tally = checker.tally()
    assert tally.kept_after["web-1.1"] == [10 * number + 5 for number in range(15)]
    assert (tally.lost, tally.exposures, tally.pending) == ({3: 1}, {}, {})


def test_set_element_shown_twice_is_a_duplicate_at_once() -> None:
    """Presence needs no confirmation; it is told once."""
    checker = fed(add(A, 0))
    assert checker.feed(see(A, A, at=20))
    assert not checker.feed(see(A, A, at=40))
    assert names(checker) == ["DUPLICATE_ELEMENT"]


def test_set_two_attempts_that_may_both_have_landed_are_no_duplicate() -> None:
    """The client itself sent it twice."""
    assert not fed(add(A, 0, "unknown"), add(A, 20)).feed(see(A, A, at=40))


def test_set_element_of_another_session_is_critical() -> None:
    """Someone sees what is not his."""
    checker = fed(add(A, 0), see(A, at=20))
    assert checker.feed(see(A, "run.s2.7", at=40))
    found = only(checker)
    assert (found.name, found.critical, found.confirmed, found.seen) == ("CROSS_SESSION", True, True, "run.s2.7")


@pytest.mark.parametrize("strange", ["gift", "run.s1.99"])
def test_set_element_that_nobody_wrote_is_a_phantom(strange: str) -> None:
    """Whether it looks like one of ours or not."""
    checker = fed(add(A, 0), see(A, at=20))
    assert checker.feed(see(A, strange, at=40))
    assert names(checker) == ["PHANTOM"]


def test_set_elements_of_the_first_read_are_the_account_s_own() -> None:
    """What was there before may stay, and go, and come again."""
    checker = fed(see("gift", "run.s2.7", at=0), add(A, 20))
    for at, items in enumerate([("gift", A), (A,), (A, "run.s2.7")], start=2):
        assert not checker.feed(see(*items, at=20 * at))
    assert checker.feed(see(A, "card", at=200))


def test_set_add_that_failed_and_is_shown_is_an_aborted_read() -> None:
    """It certainly did not happen."""
    assert fed(add(A, 0, "fail")).feed(see(A, at=20))
    assert names(fed(add(A, 0, "fail"), see(A, at=20))) == ["ABORTED_READ"]


@pytest.mark.parametrize("shown", [(), (A,)])
def test_set_unknown_add_may_be_there_or_not(shown: tuple[str, ...]) -> None:
    """And may land at any later time."""
    checker = fed(add(A, 0, "unknown"), see(at=20))
    assert not checker.feed(see(*shown, at=40))
    assert not checker.feed(see(A, at=60))


def test_set_unknown_add_that_was_seen_stays() -> None:
    """From then on it is certain, on the word of who showed it."""
    checker = fed(add(A, 0, "unknown"), see(A, at=20, who="web-3.1"))
    assert checker.feed(see(at=40))
    assert [(one.acker, one.guarantee) for one in checker.tally().anomalies] == [("web-3.1", "monotonic-reads")]


def test_set_unknown_removal_may_land_at_any_time_but_once() -> None:
    """There, still there, gone; and then it can't be there again."""
    checker = fed(add(A, 0), remove(A, 20, "unknown"))
    for at, shown in enumerate(((A,), (A,), (), ()), start=2):
        assert not checker.feed(see(*shown, at=20 * at))
    assert checker.feed(see(A, at=200))


@pytest.mark.parametrize("outcome", ["dropped", "unrecognised"])
def test_set_answer_that_says_nothing_counts_for_nothing(outcome: str) -> None:
    """No doubt and no evidence."""
    assert not fed(add(A, 0)).feed(op("see", outcome, at=20, obj="own"))


def test_set_gone_altogether_loses_its_elements_and_an_empty_one_may_be_gone() -> None:
    """A 404 for a cart that has nothing in it is how some services say empty."""
    gone = op("see", "gone", at=40, obj="own")
    assert fed(add(A, 0)).feed(gone)
    assert not fed(add(A, 0), remove(A, 20)).feed(gone)


def test_set_order_of_elements_means_nothing() -> None:
    """The newest first, or sorted as the service likes."""
    checker = fed(add(A, 0), add(B, 20), see(B, A, at=40), add(C, 60))
    assert not checker.feed(see(C, B, A, at=80))


@pytest.mark.parametrize(("who", "counts"), [("web-2.1", 1), ("web-1.1", 0)])
def test_set_newest_write_of_a_victim_read_back_elsewhere_is_one_exposure(who: str, counts: int) -> None:
    """Adds or removals alike; a read by the dead itself, or none at all, leaves it pending."""
    for last in (add(B, 20), remove(A, 20)):
        items = (A, B) if last.action == "do" else ()
        checker = fed(add(A, 0), last, see(*items, at=40, who=who))
        checker.died(Death("web-1.1", 3, 30, 1))
        tally = checker.tally()
        assert (tally.exposures.get(3, 0), tally.pending.get(3, 0)) == (counts, 1 - counts)


def test_set_unknown_write_ends_the_pair() -> None:
    """What is read after it was asked after a later write."""
    checker = fed(add(A, 0), add(B, 40, "unknown"), see(A, at=60))
    checker.died(Death("web-1.1", 3, 30, 1))
    assert (checker.tally().exposures, checker.tally().pending) == ({}, {})


def test_set_unknown_writes_that_were_seen_to_land_land_no_second_time() -> None:
    """Neither after a removal nor after a new add that was acknowledged since."""
    assert fed(add(A, 0, "unknown"), see(A, at=20), remove(A, 40)).feed(see(A, at=60))
    assert fed(add(A, 0), remove(A, 20, "unknown"), see(at=40), add(A, 60)).feed(see(at=80))
