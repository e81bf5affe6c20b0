"""Exposures: (object, kill) pairs, counted the same whenever the death is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaoscheck.checkers.base import Death, PromiseChecker
from chaoscheck.checkers.exposures import REMEMBERED
from chaoscheck.checkers.kept import KeptChecker
from chaoscheck.checkers.register import RegisterChecker
from chaoscheck.checkers.session import SessionChecker
from chaoscheck.checkers.set import SetChecker
from chaoscheck.model.ops import Op
from tests.unit.checkers.making import STEP, confirms, op

DEATH = Death("web-1.1", 4, 40, 5)
TURN = st.tuples(
    st.sampled_from(["do", "see", "see"]),
    st.sampled_from(["web-1.1", "web-2.1", "web-1.2", ""]),
    st.sampled_from(["ok", "ok", "ok", "fail", "unknown"]),
    st.sampled_from(["user", "burst", "final"]),
)


def kind_history(turns: list[tuple[str, str, str, str]]) -> list[Op]:
    """Reads always show the newest certain write; nobody answers after its death."""
    ops: list[Op] = []
    floor = ""
    for number, (action, who, outcome, lane) in enumerate(turns):
        if who == DEATH.incarnation and number * STEP > DEATH.death_ns:
            who = "web-3.1"
        if action == "do":
            ops.append(op("do", outcome, at=number * STEP, value=f"run.s1.{number}", who=who, obj="s1"))
            floor = f"run.s1.{number}" if outcome == "ok" else floor
        elif floor:
            ops.append(op("see", "ok", at=number * STEP, seen=floor, who=who, lane=lane, obj="s1"))
    return ops


def expected(ops: list[Op]) -> int:
    """Straight from the definition: acknowledged by the victim, then an ok read elsewhere before any later write."""
    exposed = 0
    for number, write in enumerate(ops):
        if write.action != "do" or write.outcome != "ok" or write.incarnation != DEATH.incarnation:
            continue
        for later in ops[number + 1 :]:
            if later.action == "do" and later.outcome != "fail":
                break
            elsewhere = later.incarnation not in ("", DEATH.incarnation)
            if later.action == "see" and elsewhere and later.sent_ns > DEATH.death_ns + DEATH.error_ns:
                exposed += 1
                break
    return exposed


def told(checker: PromiseChecker, ops: list[Op], after: int) -> int:
    """Exposures when the death is told before operation `after`."""
    for each in ops[:after]:
        checker.feed(each)
    checker.died(DEATH)
    checker.fold(ops[after:])
    checker.forget("s1") if after % 2 else None
    return checker.tally().exposures.get(DEATH.strike, 0)


@settings(max_examples=400, deadline=None)
@given(st.lists(TURN, max_size=12), st.integers(0, 12))
def test_exposures_told_early_or_late_are_those_of_the_definition(
    turns: list[tuple[str, str, str, str]],
    after: int,
) -> None:
    """A live worker that hears of deaths late and the judge that knows them first count alike."""
    ops = kind_history(turns)
    assert told(RegisterChecker("p"), ops, 0) == expected(ops)
    assert told(RegisterChecker("p"), ops, min(after, len(ops))) == expected(ops)


def test_session_login_acknowledged_by_the_victim_and_read_elsewhere_is_one_exposure() -> None:
    """Many reads after one kill are one pair; the login is what the victim acknowledged."""
    checker = SessionChecker("login")
    checker.died(DEATH)
    checker.fold([op("do", "ok", at=0, value="ann"), *(op("see", "ok", at=at, who="web-2.1") for at in (20, 60, 80))])
    assert checker.tally().exposures == {4: 1}


def test_kept_read_inside_the_clock_error_is_no_exposure() -> None:
    """What lies inside the death's error is unknown."""
    checker = KeptChecker("p")
    checker.died(DEATH)
    checker.fold([op("do", "ok", at=0, value="v"), op("see", "ok", at=45, who="web-2.1")])
    seen = checker.tally()
    assert (seen.exposures, seen.pending) == ({}, {4: 1})
    assert checker.exposed("s1") == ["o1"]


def test_confirming_reads_are_no_exposure() -> None:
    """Re-reads of a suspicion look where trouble was seen; they'd bias the count."""
    checker = KeptChecker("p")
    checker.died(DEATH)
    checker.feed(op("do", "ok", at=0, value="v"))
    doubt = op("see", "gone", at=60, who="web-2.1")
    assert checker.feed(doubt)
    for each in confirms(doubt, [("web-2.1", "ok", ""), ("web-3.1", "ok", "")]):
        checker.feed(each)
    checker.feed(op("see", "ok", at=90, who="web-3.1"))
    seen = checker.tally()
    assert (seen.exposures, seen.lost) == ({}, {4: 1})
    assert [known.name for known in seen.anomalies] == ["FLICKER"]


def test_kept_after_death_remembers_when_survivors_were_acknowledged() -> None:
    """How close to the death an acknowledged write still survived tells a late persister from a lost memory."""
    checker = RegisterChecker("p")
    checker.died(DEATH)
    checker.fold([op("do", "ok", at=0, value="run.s1.0"), op("see", "ok", at=60, seen="run.s1.0", who="web-2.1")])
    assert checker.tally().kept_after == {"web-1.1": [5]}


def written_and_read(kind: type[RegisterChecker | SetChecker], times: int) -> Iterator[Op]:
    """Each write is acknowledged by the victim and read elsewhere; the set has one element or none."""
    for number in range(times):
        action, value, shown = "do", f"run.s1.{number}", f"run.s1.{number}"
        if kind is SetChecker:
            action, value = ("undo", f"run.s1.{number - 1}") if number % 2 else ("do", value)
            shown = "[]" if number % 2 else f'["{value}"]'
        yield op(action, "ok", at=2 * number * STEP, value=value)
        yield op("see", "ok", at=(2 * number + 1) * STEP, seen=shown, who="web-2.1")


@pytest.mark.parametrize("folded", [True, False])
@pytest.mark.parametrize("kind", [RegisterChecker, SetChecker])
def test_death_told_late_counts_the_newest_pairs_only(kind: type[RegisterChecker | SetChecker], folded: bool) -> None:
    """However many a long life closed before, memory stays bounded; the newest of all is still open."""
    checker, ops = kind("p"), written_and_read(kind, 3 * REMEMBERED)
    if folded:
        checker.fold(ops)
    else:
        assert not any(checker.feed(one) for one in ops)
    assert len(checker._exposures.closed["web-1.1"]) <= 4 * REMEMBERED
    checker.died(Death("web-1.1", 4, 0, 0))
    assert checker.tally().exposures == {4: REMEMBERED + 1}
