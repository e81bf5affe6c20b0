"""register against a brute-force search over every landing time of every unknown write."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from chaoscheck.checkers.register import RegisterChecker
from chaoscheck.model.ops import Op
from tests.unit.checkers.making import STEP, confirms, op

World = tuple[str, tuple[str, ...]]
WRITES = st.tuples(st.just("do"), st.sampled_from(["ok", "fail", "unknown"]), st.booleans())
REMOVALS = st.tuples(st.just("undo"), st.sampled_from(["ok", "fail", "unknown"]), st.just(False))
READS = st.tuples(st.just("see"), st.integers(-3, 6), st.sampled_from(["ok", "ok", "ok", "gone", "dropped"]))
ANYTHING = st.lists(st.one_of(WRITES, READS), max_size=9)
WITH_REMOVALS = st.lists(st.one_of(WRITES, REMOVALS, READS), max_size=9)


def history(script: list[tuple[str, object, object]]) -> list[Op]:
    """Writes with values run.s1.0, run.s1.1, ... (True retries the last value) and reads of any of them."""
    ops: list[Op] = []
    seq = -1
    for number, (action, first, second) in enumerate(script):
        at = number * STEP
        if action == "do":
            seq += 0 if second and seq >= 0 and ops[-1].action == "do" and ops[-1].outcome != "ok" else 1
            ops.append(op("do", str(first), at=at, value=f"run.s1.{seq}", obj="s1"))
        elif action == "undo":
            ops.append(op("undo", str(first), at=at, obj="s1"))
        else:
            assert isinstance(first, int)
            seen = {-1: "", -2: "run.s9.4", -3: "run.s1.99"}.get(first, f"run.s1.{first}")
            ops.append(op("see", str(second), at=at, seen=seen if second == "ok" else "", obj="s1"))
    return ops


def landings(worlds: set[World]) -> set[World]:
    """Every world that some of the unknown writes, in any order, can make of these."""
    todo, found = list(worlds), set(worlds)
    while todo:
        _, open_ = todo.pop()
        for number, value in enumerate(open_):
            after = (value, open_[:number] + open_[number + 1 :])
            if after not in found:
                found.add(after)
                todo.append(after)
    return found


def first_impossible(ops: list[Op]) -> int:
    """The index of the first read that no world explains, -1 for none."""
    worlds: set[World] = {("", ())}
    for number, each in enumerate(ops):
        if each.action != "see":
            # A removal is a write of nothing.
            if each.outcome == "ok":
                worlds = {(each.value, open_) for _, open_ in landings(worlds)}
            elif each.outcome == "unknown":
                worlds = {(value, tuple(sorted((*open_, each.value)))) for value, open_ in worlds}
        elif each.outcome in ("ok", "gone"):
            worlds = {world for world in landings(worlds) if world[0] == each.seen}
            if not worlds:
                return number
    return -1


def first_doubted(ops: list[Op]) -> int:
    checker = RegisterChecker("p")
    return next((number for number, each in enumerate(ops) if checker.feed(each)), -1)


@settings(max_examples=600, deadline=None)
@given(ANYTHING)
def test_register_any_sequential_history_doubts_exactly_what_no_landing_order_explains(
    script: list[tuple[str, object, object]],
) -> None:
    """The state says neither more nor less than a search over all landings (once a write told the run's name)."""
    ops = history(script)
    written = next((number for number, each in enumerate(ops) if each.action == "do"), len(ops))
    ops = [each for number, each in enumerate(ops) if number >= written or each.seen == ""]
    assert first_doubted(ops) == first_impossible(ops)


@settings(max_examples=600, deadline=None)
@given(WITH_REMOVALS)
def test_register_with_removals_doubts_only_what_no_landing_order_explains(
    script: list[tuple[str, object, object]],
) -> None:
    """A removal that may land at any later time makes it say less, never something wrong."""
    ops = history(script)
    written = next((number for number, each in enumerate(ops) if each.action == "do"), len(ops))
    ops = [each for number, each in enumerate(ops) if number >= written or each.seen == ""]
    doubted, impossible = first_doubted(ops), first_impossible(ops)
    assert doubted == -1 or 0 <= impossible <= doubted


@settings(max_examples=200, deadline=None)
@given(ANYTHING)
def test_register_fold_and_feed_come_to_the_same(script: list[tuple[str, object, object]]) -> None:
    """The fast way and the slow way are one checker."""
    ops = history(script)
    for number in range(len(ops) - 1, -1, -1):
        if ops[number].action == "see" and number % 2:
            ops[number + 1 : number + 1] = confirms(ops[number], [("web-1.1", "ok", ops[number].seen)])
    folded, fed = RegisterChecker("p"), RegisterChecker("p")
    folded.fold(ops)
    for each in ops:
        fed.feed(each)
    assert folded.tally() == fed.tally()
    assert folded.certain("s1") == fed.certain("s1")
