"""session and kept against a brute-force search over what may be there, for one object."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaoscheck.checkers.base import Death
from chaoscheck.checkers.kept import KeptChecker
from chaoscheck.checkers.session import SessionChecker
from chaoscheck.checkers.states import Fold
from chaoscheck.model.ops import Op
from tests.unit.checkers.making import STEP, op

KINDS = (SessionChecker, KeptChecker)
DEATH = Death("web-1.1", 4, 4 * STEP + 5, 5)
WRITE_OUTCOMES = ["ok", "ok", "fail", "unknown"]
READ_OUTCOMES = ["ok", "ok", "gone", "dropped"]
TURN = st.one_of(
    st.tuples(st.just("do"), st.sampled_from(WRITE_OUTCOMES), st.sampled_from(["web-1.1", "web-2.1"])),
    st.tuples(st.just("undo"), st.sampled_from(WRITE_OUTCOMES), st.just("web-2.1")),
    st.tuples(st.just("see"), st.sampled_from(READ_OUTCOMES), st.sampled_from(["web-1.1", "web-2.1"])),
)
SCRIPT = st.lists(TURN, max_size=10)
World = tuple[bool, bool, bool]
"""(there now, a creation may land yet, a removal may land yet)."""


def history(script: list[tuple[str, str, str]]) -> list[Op]:
    """Nobody answers after its death; a login by another name than kept's creation is the same write."""
    ops = []
    for number, (action, outcome, who) in enumerate(script):
        who = "web-3.1" if who == DEATH.incarnation and number * STEP > DEATH.death_ns else who
        ops.append(op(action, outcome, at=number * STEP, who=who, value="v" if action == "do" else ""))
    return ops


def landings(worlds: set[World]) -> set[World]:
    """Every world that what is still open can make of these, in any order; it may land more than once."""
    found = set(worlds)
    for there, creation, removal in worlds:
        found |= {(True, creation, removal)} if creation else set()
        found |= {(False, creation, removal)} if removal else set()
        found |= {(not there, creation, removal)} if creation and removal else set()
    return found


def after(worlds: set[World], each: Op, kind: type[Fold]) -> set[World]:
    """The worlds in which `each` can have come out so; none for an absence that nothing explains."""
    worlds = landings(worlds)
    if each.action == "do":
        return {world for one in worlds for world in _made(one, each.outcome, kind)}
    if each.action == "undo":
        return {world for one in worlds for world in _removed(one, each.outcome)}
    if each.outcome == "ok":
        # That something is there is no contradiction for these two kinds.
        return {world for world in worlds if world[0]} or {(True, *world[1:]) for world in worlds}
    return {world for world in worlds if not world[0]} if each.outcome == "gone" else worlds


def _made(world: World, outcome: str, kind: type[Fold]) -> set[World]:
    there, creation, removal = world
    if outcome == "ok":
        return {(True, creation, removal)}
    if outcome == "fail":
        return {world}
    # A login that may have happened may have thrown the earlier session away, whose answer never came.
    replaced = {(False, True, removal)} if kind is SessionChecker else set()
    return {(there, True, removal), *replaced}


def _removed(world: World, outcome: str) -> set[World]:
    there, creation, removal = world
    return {"ok": {(False, creation, removal)}, "fail": {world}, "unknown": {(there, creation, True)}}[outcome]


def first_doubted(ops: list[Op], kind: type[Fold]) -> int:
    checker = kind("p")
    return next((number for number, each in enumerate(ops) if checker.feed(each)), -1)


def first_impossible(ops: list[Op], kind: type[Fold]) -> int:
    worlds: set[World] = {(False, False, False)}
    for number, each in enumerate(ops):
        worlds = after(worlds, each, kind)
        if not worlds:
            return number
    return -1


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=800, deadline=None)
@given(script=SCRIPT)
def test_presence_any_history_doubts_only_what_nothing_explains(
    kind: type[Fold], script: list[tuple[str, str, str]]
) -> None:
    """Never a wrong verdict: the first doubt is an absence that no landing of what was unknown explains."""
    ops = history(script)
    doubted, impossible = first_doubted(ops, kind), first_impossible(ops, kind)
    assert doubted == -1 or 0 <= impossible <= doubted


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=800, deadline=None)
@given(script=SCRIPT)
def test_presence_without_removals_doubts_all_that_nothing_explains(
    kind: type[Fold], script: list[tuple[str, str, str]]
) -> None:
    """Nor a missed one, as long as nothing was taken away; a login counts from its acknowledgement only."""
    ops = [each for each in history(script) if each.action != "undo"]
    if kind is SessionChecker:
        ops = [each for each in ops if each.outcome != "unknown"]
        logins = [number for number, each in enumerate(ops) if each.action == "do" and each.outcome == "ok"]
        ops = ops[logins[0] :] if logins else []
    elif not any(each.action == "do" for each in ops[:1]):
        ops = []
    assert first_doubted(ops, kind) == _first_gone_after_certain(ops, kind)


def _first_gone_after_certain(ops: list[Op], kind: type[Fold]) -> int:
    """As `first_impossible`, but a creation that certainly failed and is seen all the same makes nothing certain."""
    worlds: set[World] = {(False, False, False)}
    for number, each in enumerate(ops):
        unexplained = each.outcome == "ok" and each.action == "see" and not any(one[0] for one in landings(worlds))
        worlds = worlds if unexplained else after(worlds, each, kind)
        if not worlds:
            return number
    return -1


def expected_exposures(ops: list[Op], kind: type[Fold]) -> int:
    """Straight from the definition: acknowledged by the victim, then an ok read elsewhere before any later write."""
    exposed, gone = 0, False
    for number, write in enumerate(ops):
        gone = gone or (kind is KeptChecker and write.action == "undo" and write.outcome != "fail")
        if gone or (write.action, write.outcome, write.incarnation) != ("do", "ok", DEATH.incarnation):
            continue
        for later in ops[number + 1 :]:
            if _ends(later, kind):
                break
            if (
                later.action == "see"
                and later.incarnation != DEATH.incarnation
                and later.outcome == "ok"
                and (later.sent_ns > DEATH.death_ns + DEATH.error_ns)
            ):
                exposed += 1
                break
    return exposed


def _ends(later: Op, kind: type[Fold]) -> bool:
    if later.action == "see":
        return False
    if kind is SessionChecker:
        return later.action == "undo" or later.outcome != "fail"
    return later.outcome == "ok" or (later.action == "undo" and later.outcome != "fail")


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=800, deadline=None)
@given(script=SCRIPT, told=st.integers(0, 10))
def test_presence_exposures_are_those_of_the_definition_whenever_the_death_is_told(
    kind: type[Fold], script: list[tuple[str, str, str]], told: int
) -> None:
    """Unknown writes, logouts and late news change no count (reads that contradict are another test's)."""
    ops = [each for each in history(script) if each.outcome != "gone" and not _after_open_logout(each, script)]
    checker = kind("p")
    checker.fold(ops[:told])
    checker.died(DEATH)
    checker.fold(ops[told:])
    assert checker.tally().exposures.get(DEATH.strike, 0) == expected_exposures(ops, kind)


def _after_open_logout(each: Op, script: list[tuple[str, str, str]]) -> bool:
    """Whether a removal that may land yet was sent before: nothing is certain from then on."""
    return any(turn[:2] == ("undo", "unknown") for turn in script[: each.sent_ns // STEP])
