"""The search over overlapping requests against every order there is."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from chaoscheck.checkers.bursts import in_flight, outcomes
from chaoscheck.checkers.carts import Cart, CartMachine
from chaoscheck.checkers.set import SetChecker
from chaoscheck.model.ops import Op
from tests.unit.checkers.making import op

ITEMS = ("a", "b")
TIMES = st.tuples(st.integers(0, 12), st.integers(1, 8))
WRITES = st.tuples(
    TIMES, st.sampled_from(["do", "undo"]), st.sampled_from(["ok", "ok", "unknown", "fail"]), st.sampled_from(ITEMS)
)
READS = st.tuples(TIMES, st.just("see"), st.just("ok"), st.lists(st.sampled_from(ITEMS), max_size=2, unique=True))
BURST = st.lists(st.one_of(WRITES, READS), max_size=5)


def burst(script: Iterable[tuple[tuple[int, int], str, str, object]]) -> list[Op]:
    return [
        op(
            action, outcome, at=at, lasted=lasted, value="" if action == "see" else str(what), obj="own",
            seen=json.dumps(what) if action == "see" else "",
        )
        for (at, lasted), action, outcome, what in script
    ]  # fmt: skip


class Register:
    """Another machine: one value, which each write replaces."""

    def apply(self, op: Op, state: str) -> Iterable[str]:
        if op.action == "see":
            return [state] if op.seen == state else []
        return [op.value, state] if op.outcome == "unknown" else [op.value]


def sure(ops: list[Op]) -> list[Op]:
    return [each for each in ops if each.outcome != "fail"]


def every_order(ops: list[Op]) -> Iterable[tuple[Op, ...]]:
    """Orders in which nothing comes before what had ended when it was sent."""
    for order in permutations(ops):
        if all(
            later.outcome == "unknown" or later.done_ns > earlier.sent_ns
            for place, later in enumerate(order)
            for earlier in order[:place]
        ):
            yield order


def plain_worlds(ops: list[Op]) -> set[frozenset[str]]:
    """What is in the cart at the end, by trying every order and every set of unknown writes that never land."""
    unknown = [each for each in ops if each.outcome == "unknown"]
    found: set[frozenset[str]] = set()
    for mask in range(1 << len(unknown)):
        never = {id(each) for place, each in enumerate(unknown) if mask >> place & 1}
        for order in every_order([each for each in ops if id(each) not in never]):
            items: frozenset[str] | None = frozenset()
            for each in order:
                if each.action == "see":
                    if items != frozenset(json.loads(each.seen)):
                        items = None
                        break
                else:
                    items = items | {each.value} if each.action == "do" else items - {each.value}
            if items is not None:
                found.add(items)
    return found


def landed(states: set[Cart]) -> set[frozenset[str]]:
    """What can be in the cart once some of the unknown writes have landed."""
    found: set[frozenset[str]] = set()
    for state in states:
        worlds = [frozenset[str]()]
        for value, there, adds, removes in state:
            may = {there} | ({True} if adds else set()) | ({False} if removes else set())
            worlds = [world | {value} if present else world for world in worlds for present in may]
        found.update(worlds)
    return found


@settings(max_examples=500, deadline=None)
@given(BURST)
def test_burst_of_a_set_ends_in_just_the_carts_that_some_order_ends_in(
    script: list[tuple[tuple[int, int], str, str, object]],
) -> None:
    """Neither more nor less, unknown writes included."""
    ops = sure(burst(script))
    assert landed(outcomes(CartMachine(), ops, [()])) == plain_worlds(ops)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(TIMES, st.sampled_from(["do", "see"]), st.just("ok"), st.sampled_from("abc")), max_size=5))
def test_burst_of_a_register_ends_in_just_the_values_that_some_order_ends_in(
    script: list[tuple[tuple[int, int], str, str, object]],
) -> None:
    """The search knows nothing of carts."""
    ops = [each._replace(seen=each.seen.strip('"')) for each in burst(script)]
    found = set()
    for order in every_order(ops):
        states = ["a"]
        for each in order:
            states = [after for state in states for after in Register().apply(each, state)]
        found.update(states)
    assert outcomes(Register(), ops, ["a"]) == found


def test_in_flight_counts_those_under_way_at_one_time() -> None:
    """One that is sent as another ends doesn't overlap it."""
    assert in_flight([op("do", "ok", at=0), op("do", "ok", at=5), op("do", "ok", at=6), op("do", "ok", at=9)]) == 3


OWN = ("run.s1.1", "run.s1.2")
LONG = st.tuples(st.integers(0, 60), st.integers(1, 12))
OWN_WRITES = st.tuples(
    LONG, st.sampled_from(["do", "do", "undo"]), st.sampled_from(["ok", "ok", "ok", "unknown"]), st.sampled_from(OWN)
)
OWN_READS = st.tuples(LONG, st.just("see"), st.just("ok"), st.lists(st.sampled_from(OWN), max_size=2, unique=True))


def judged(ops: list[Op]) -> SetChecker:
    """Operations come as they end."""
    checker = SetChecker("p")
    checker.fold(sorted(ops, key=lambda each: each.done_ns))
    checker.forget("s1")
    return checker


@settings(max_examples=1500, deadline=None)
@given(st.lists(st.one_of(OWN_WRITES, OWN_READS), max_size=6))
def test_set_session_with_parallel_requests_is_never_wrongly_accused(
    script: list[tuple[tuple[int, int], str, str, object]],
) -> None:
    """Whatever some order explains is no anomaly, nor a doubt."""
    ops = burst(script)
    if plain_worlds(ops):
        assert judged(ops).tally().anomalies == []


@settings(max_examples=600, deadline=None)
@given(st.lists(st.one_of(OWN_WRITES, OWN_READS), max_size=6))
def test_set_session_with_parallel_requests_that_nothing_explains_never_passes(
    script: list[tuple[tuple[int, int], str, str, object]],
) -> None:
    """It is doubted or inconclusive (removals of what was never written aside: others may have put it there)."""
    ops = [op("do", "ok", at=-20, value="run.s1.0", obj="own"), *burst(script)]
    ops = [each._replace(seen=json.dumps(["run.s1.0", *json.loads(each.seen)])) if each.seen else each for each in ops]
    added = {each.value for each in ops if each.action == "do"}
    if not plain_worlds(ops) and {each.value for each in ops if each.action == "undo"} <= added:
        tally = judged(ops).tally()
        assert tally.anomalies or tally.inconclusive


def test_set_more_in_flight_than_can_be_told_is_inconclusive() -> None:
    """Seven at once."""
    ops = [op("do", "ok", at=number, lasted=20, value=f"run.s1.{number}", obj="own") for number in range(7)]
    assert judged([*ops, op("see", "ok", at=100, seen="[]", obj="own")]).tally().inconclusive
    assert not judged(ops[:6]).tally().inconclusive


def test_set_overlapping_writes_that_undo_each_other_lose_an_element() -> None:
    """Read-modify-write of the whole cart: both were acknowledged, one is there."""
    first, second = (op("do", "ok", at=at, lasted=20, value=OWN[at], obj="own") for at in (0, 1))
    read = op("see", "ok", at=100, seen=json.dumps([OWN[1]]), obj="own")
    again = op("see", "ok", at=120, seen=read.seen, obj="own", lane="final", via="web-1.1")
    checker = judged([first, second, read, again, again._replace(sent_ns=140, done_ns=145, via="web-2.1")])
    assert {(one.name, one.value) for one in checker.tally().anomalies} == {("LOST_ELEMENT", OWN[0])}
