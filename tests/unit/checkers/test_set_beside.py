"""set in sessions that do several things at a time: the plain ways say what the search says."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaoscheck.checkers.base import Death, Tally
from chaoscheck.checkers.bursts import MOST_IN_FLIGHT, MOST_UNKNOWN, outcomes
from chaoscheck.checkers.carts import CartMachine, one_way
from chaoscheck.checkers.elements import Elements
from chaoscheck.checkers.set import SetChecker
from chaoscheck.model.history import Batch, OpFields
from chaoscheck.model.ops import Op
from tests.unit.checkers.making import op

A, B = "run.s1.1", "run.s1.2"
DEATH = Death("web-1.1", 3, 60, 1)


class Searching(SetChecker):
    """Without the shortcut of plain bursts."""

    def _plain(self, known: Elements, burst: list[OpFields]) -> bool:
        return False


def add(value: str, since: int, until: int, outcome: str = "ok", who: str = "web-1.1") -> Op:
    return op("do", outcome, at=since, lasted=until - since, value=value, obj="own", who=who)


def remove(value: str, since: int, until: int, outcome: str = "ok") -> Op:
    return op("undo", outcome, at=since, lasted=until - since, value=value, obj="own")


def see(*items: str, since: int, until: int, lane: str = "user", via: str = "lb") -> Op:
    return op(
        "see", "ok", at=since, lasted=until - since, seen=text(items), obj="own", who="web-2.1", lane=lane, via=via
    )


def text(items: Iterable[str]) -> str:
    return json.dumps(list(items), separators=(",", ":"))


def judged(ops: Iterable[Op], checker: SetChecker | None = None) -> Tally:
    checker = checker or SetChecker("p")
    checker.fold(Batch(sorted(ops, key=lambda each: each.done_ns)))
    checker.forget("s1")
    return checker.tally()


BEGUN = (add(A, 0, 5), see(A, since=3, until=6))
"""A session that has done two things at a time already."""

WANTED = st.fixed_dictionaries({
    "action": st.sampled_from(["do", "do", "undo", "see", "see", "see", "see"]),
    "outcome": st.sampled_from([*["ok"] * 12, "unknown", "fail"]),
    "pause": st.sampled_from([0, 1, 1, 3, 9]),
    "lasts": st.integers(1, 6),
    "point": st.integers(0, 5),
    "who": st.sampled_from(["web-1.1", "web-2.1"]),
    "which": st.integers(0, 9),
    "wrong": st.sampled_from([False] * 19 + [True]),
})  # fmt: skip


def served(script: list[dict[str, object]], *, wrongly: bool) -> list[Op]:
    """What a service answers whose requests take effect at one moment each; sometimes wrong where that is asked for."""
    at, asked = 0, []
    for number, turn in enumerate(script):
        at += int(str(turn["pause"]))
        point = at + min(int(str(turn["point"])), int(str(turn["lasts"])) - 1)
        asked.append((point, number, at, turn))
    items: list[str] = []
    ops, added = [], [f"run.s1.{number}" for number, turn in enumerate(script) if turn["action"] == "do"]
    for _, number, since, turn in sorted(asked, key=lambda each: each[:2]):
        action, outcome, which = str(turn["action"]), str(turn["outcome"]), int(str(turn["which"]))
        value = f"run.s1.{number}" if action == "do" else added[which % len(added)] if added else ""
        lands = outcome == "ok" or (outcome == "unknown" and which % 2)
        if action == "do" and lands:
            items = [*items, value]
        elif action == "undo" and lands:
            items = [item for item in items if item != value]
        shown = items[1:] if wrongly and turn["wrong"] else items
        if value or action == "see":
            ops.append(
                op(
                    action, "ok" if action == "see" else outcome, at=since, lasted=int(str(turn["lasts"])),
                    who=str(turn["who"]), value="" if action == "see" else value, obj="own",
                    seen=text(shown) if action == "see" else "",
                )
            )  # fmt: skip
    return ops


@settings(max_examples=400, deadline=None)
@given(st.lists(WANTED, max_size=30))
def test_set_what_a_right_service_answers_at_a_time_is_never_doubted(script: list[dict[str, object]]) -> None:
    """However long, and whatever overlaps."""
    tally = judged(served(script, wrongly=False))
    assert tally.anomalies == []
    assert not any("no order" in line for line in tally.inconclusive)


@settings(max_examples=400, deadline=None)
@given(st.lists(WANTED, max_size=30), st.booleans())
def test_set_plain_bursts_say_what_the_search_says(script: list[dict[str, object]], wrongly: bool) -> None:
    """Exposures, losses, doubts and what can't be told."""
    ops = served(script, wrongly=wrongly)
    short, long = SetChecker("p"), Searching("p")
    for checker in (short, long):
        checker.died(DEATH)
    assert judged(ops, short) == judged(ops, long)


@settings(max_examples=400, deadline=None)
@given(st.lists(WANTED, max_size=30), st.integers(0, 30))
def test_set_fold_of_parallel_requests_says_what_feed_says(script: list[dict[str, object]], cut: int) -> None:
    """In two batches."""
    ops = sorted(served(script, wrongly=True), key=lambda each: each.done_ns)
    folded, fed = SetChecker("p"), SetChecker("p")
    folded.fold(Batch(ops[:cut]))
    folded.fold(Batch(ops[cut:]))
    for each in ops:
        fed.feed(each)
    for checker in (folded, fed):
        checker.died(DEATH)
    assert folded.tally() == fed.tally()
    for checker in (folded, fed):
        checker.forget("s1")
    assert folded.tally() == fed.tally()


CLOSE = st.tuples(st.integers(0, 12), st.integers(0, 8))
WRITTEN = st.tuples(
    CLOSE, st.sampled_from(["do", "undo"]), st.sampled_from(["ok", "ok", "ok", "fail"]), st.sampled_from("abc")
)
READ = st.tuples(
    CLOSE,
    st.just("see"),
    st.sampled_from(["ok", "ok", "gone", "dropped"]),
    st.lists(st.sampled_from("abc"), unique=True),
)


@settings(max_examples=1000, deadline=None)
@given(st.lists(st.one_of(WRITTEN, READ), max_size=7), st.sets(st.sampled_from("abc")))
def test_set_elements_written_once_end_as_the_search_says(
    script: list[tuple[tuple[int, int], str, str, object]], there: set[str]
) -> None:
    """Whatever is told without it."""
    ops = [
        op(
            action, outcome, at=at, lasted=lasts, value="" if action == "see" else str(what), obj="own",
            seen=text(list(what)) if outcome == "ok" and isinstance(what, list) else "",
        )
        for (at, lasts), action, outcome, what in script
    ]  # fmt: skip
    state = tuple((value, value in there, 0, 0) for value in "abc")
    ends = one_way(ops, state)
    assert ends is None or ends == outcomes(CartMachine(only="abc"), ops, [state])
    twice = len([each for each in ops if each.value and each.outcome == "ok"]) > len(
        {each.value for each in ops if each.value and each.outcome == "ok"}
    )
    assert (ends is None) == twice


def test_set_elements_that_may_change_by_themselves_take_the_search() -> None:
    """A read may show that one of them did."""
    read = see("a", since=0, until=5)
    assert one_way([read], (("a", False, 1, 0),)) is None
    assert one_way([read], (("a", False, 0, 0),)) == set()
    assert one_way([add("a", 0, 5, "unknown")], (("a", False, 0, 0),)) is None


def test_set_read_that_began_before_everything_takes_back_what_was_judged() -> None:
    """It overlaps the first write too, though the burst was found by the third."""
    ops = [add(A, 0, 1), add(B, 1, 2), add(B, 1, 2), see(since=0, until=3)]
    assert judged(ops).anomalies == []


def test_set_write_that_ends_late_excuses_what_its_readers_saw() -> None:
    """Judged alone they showed what nobody wrote; whether that is so can't be told any more."""
    ops = [
        add(A, 0, 5), see(A, since=3, until=6), see(A, B, since=10, until=12), see(A, B, since=14, until=16),
        add(B, 8, 30),
    ]  # fmt: skip
    tally = judged(ops)
    assert (tally.anomalies, len(tally.inconclusive)) == ([], 1)


def test_set_session_that_can_t_be_told_still_takes_back_what_a_late_write_excuses() -> None:
    """The overlap that ended judging isn't the one that explains it."""
    seven = [add(f"run.s1.{number}", 20, 30) for number in range(10, 17)]
    ops = [add(A, 0, 2), see(A, B, since=5, until=6), *seven, see(since=40, until=41), add(B, 4, 50)]
    tally = judged(ops)
    assert (tally.anomalies, len(tally.inconclusive)) == ([], 1)


def test_set_second_reader_excuses_nothing() -> None:
    """Only a write could have put the stranger there."""
    ops = [add(A, 0, 2), see(A, since=3, until=4), see(A, B, since=5, until=7), see(A, since=6, until=9)]
    assert [(one.name, one.seen) for one in judged(ops).anomalies] == [("PHANTOM", B)]


def test_set_stranger_beside_a_write_is_told_whatever_is_read_later() -> None:
    """One read proves it: a final read that shows it no more changes nothing."""
    ops = [
        *BEGUN, add(B, 10, 20), see(A, "gift", since=11, until=19),
        see(A, B, since=40, until=41, lane="final", via="web-2.1"),
    ]  # fmt: skip
    assert [(one.name, one.seen, one.confirmed) for one in judged(ops).anomalies] == [("PHANTOM", "gift", True)]


def test_set_stranger_in_a_burst_is_told_beside_what_is_missing() -> None:
    """Each read is doubted by itself, the second as well."""
    ops = [*BEGUN, add(B, 10, 20), see(since=11, until=19), see(A, "gift", since=12, until=18)]
    assert {(one.name, one.confirmed) for one in judged(ops).anomalies} == {("LOST_ELEMENT", False), ("PHANTOM", True)}


@pytest.mark.parametrize(("more", "told"), [(0, True), (1, False)])
def test_set_with_more_unknown_writes_than_can_be_told_is_inconclusive(more: int, told: bool) -> None:
    """Only where requests overlap: one at a time takes no search, however many."""
    unknown = [
        add(f"run.s1.{number}", 10 * number, 10 * number + 5, "unknown") for number in range(MOST_UNKNOWN + more)
    ]
    beside = [see(since=9000 + number, until=9010 + number) for number in range(3)]
    assert judged([*unknown, beside[0]]).inconclusive == []
    assert (judged([*unknown, *beside]).inconclusive == []) == told


def test_set_order_that_nothing_explains_is_inconclusive() -> None:
    """Each element by itself could be right: the later read shows less than the earlier one did."""
    shown = [see(A, B, since=12, until=14), see(A, B, since=13, until=17), see(A, since=16, until=18)]
    ops = [*BEGUN, add(B, 10, 30), *shown]
    tally = judged(ops)
    assert tally.anomalies == []
    assert tally.inconclusive == ["s1: no order of overlapping operations explains what was read (own)"]


def test_set_requests_that_took_no_time_are_in_their_order() -> None:
    """A coarse clock."""
    assert judged([add(A, 0, 5), add(B, 3, 3), see(A, B, since=4, until=8)]).inconclusive == []


@pytest.mark.parametrize(("readers", "told"), [(MOST_IN_FLIGHT, True), (MOST_IN_FLIGHT + 1, False)])
def test_set_more_readers_at_once_than_can_be_told_are_inconclusive(readers: int, told: bool) -> None:
    """However plain what they read."""
    assert (
        judged([*BEGUN, *(see(A, since=50, until=60 + number) for number in range(readers))]).inconclusive == []
    ) == told


def test_set_pair_that_a_burst_ends_counts_as_far_as_it_was_read() -> None:
    """The write by itself was read back after the death; the writes of a burst are no pair."""
    checker = SetChecker("p")
    checker.died(DEATH)
    alone = [add(B, 20, 25), see(A, B, since=100, until=105)]
    third = "run.s1.3"
    burst = [add(third, 120, 130), see(A, B, since=121, until=131)]
    assert judged([*BEGUN, *alone, *burst], checker).exposures == {3: 1}


def test_set_write_beside_others_is_no_pair() -> None:
    """Neither read back nor pending."""
    checker = SetChecker("p")
    checker.died(DEATH)
    tally = judged([*BEGUN, add(B, 20, 30), see(A, since=21, until=31), see(A, B, since=100, until=105)], checker)
    assert (tally.exposures, tally.pending) == ({}, {})


def test_set_read_of_what_was_before_a_write_that_waits_is_doubted() -> None:
    """Though another session came between."""
    other = op("see", "ok", at=36, seen="[]", obj="own", session="s2")
    ops = [*BEGUN, see(A, since=20, until=22), see(A, since=21, until=24), add(B, 30, 35), other]
    tally = judged([*ops, see(A, since=50, until=55)])
    assert [(one.name, one.value) for one in tally.anomalies] == [("LOST_ELEMENT", B)]


def test_set_final_read_that_misses_something_hides_no_stranger_of_a_burst() -> None:
    """Both are told."""
    ops = [*BEGUN, add(B, 10, 20), see(A, "gift", since=11, until=19)]
    tally = judged([*ops, see(A, since=40, until=41, lane="final", via="web-2.1")])
    assert {one.name for one in tally.anomalies} == {"PHANTOM", "LOST_ELEMENT"}
