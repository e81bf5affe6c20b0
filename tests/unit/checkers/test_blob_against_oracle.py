"""blob against a brute-force search over every landing time of every upload of unknown end."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaoscheck.checkers.base import Death
from chaoscheck.checkers.blob import BlobChecker
from chaoscheck.model.ops import Op
from chaoscheck.plan.steps import Promise
from tests.unit.checkers.making import STEP, confirms, op
from tests.unit.checkers.test_register_against_oracle import landings

World = tuple[str, tuple[str, ...]]
"""(what is there, "" for nothing; uploads that may land yet)."""
DO = st.tuples(st.just("do"), st.sampled_from(["ok", "fail", "unknown"]))
SEEN = st.sampled_from([*range(5), "torn", "torn", "mixed", "page", "gone", "gone", "dropped", "other", "future"])
SEE = st.tuples(st.just("see"), SEEN)
REPLACED = st.tuples(DO, st.lists(st.one_of(DO, SEE), max_size=9)).map(lambda parts: [parts[0], *parts[1]])
MADE = st.tuples(DO, st.lists(SEE, max_size=8)).map(lambda parts: [parts[0], *parts[1]])
Script = list[tuple[str, object]]
DEATH = Death("web-1.1", 4, 4 * STEP + 5, 5)


def terms(of: str) -> Promise:
    said = {"kind": "blob", "of": of, "do": {"put": "/f", "body": "$blob"}, "see": {"get": "/f"}}
    return Promise.model_validate(said)


def history(script: Script, obj: str = "own") -> list[Op]:
    """Uploads run.s1.0, run.s1.1, ...; what reads show of the newest one, of all of them, of nobody's."""
    ops: list[Op] = []
    seq = -1
    for number, (action, what) in enumerate(script):
        at, who = number * STEP, "web-1.1" if number < 5 else "web-2.1"
        if action == "do":
            seq += 1
            ops.append(op("do", str(what), at=at, value=f"run.s1.{seq}", obj=obj, who=who if what == "ok" else ""))
            continue
        seen = {
            "torn": f"torn:9 of 64:aa:run.s1.{seq}", "mixed": f"torn:64 of 64:aa:run.s1.{seq}+run.s1.{max(seq - 1, 0)}",
            "page": "foreign:9:aa", "other": "run.s9.4", "future": "run.s1.99",
        }.get(str(what), f"run.s1.{what}")  # fmt: skip
        outcome = what if what in ("gone", "dropped") else "ok"
        ops.append(op("see", str(outcome), at=at, seen=seen if outcome == "ok" else "", obj=obj, who=who))
    return ops


def shows(world: World, each: Op) -> bool:
    """A page of another make is how some services say that nothing is there."""
    absent = each.outcome == "gone" or each.seen.startswith("foreign")
    return world[0] == ("" if absent else each.seen)


def first_impossible(ops: list[Op]) -> int:
    """The index of the first read that no world explains, -1 for none. No world has half a file."""
    worlds: set[World] = {("", ())}
    for number, each in enumerate(ops):
        if each.action == "do" and each.outcome == "ok":
            worlds = {(each.value, open_) for _, open_ in landings(worlds)}
        elif each.action == "do" and each.outcome == "unknown":
            worlds = {(value, tuple(sorted((*open_, each.value)))) for value, open_ in worlds}
        elif each.outcome in ("ok", "gone") and each.action == "see":
            worlds = {world for world in landings(worlds) if shows(world, each)}
            if not worlds:
                return number
    return -1


def first_doubted(ops: list[Op], of: str) -> int:
    checker = BlobChecker("p", terms(of))
    return next((number for number, each in enumerate(ops) if checker.feed(each)), -1)


@settings(max_examples=800, deadline=None)
@given(REPLACED)
def test_blob_replaced_doubts_exactly_what_no_landing_order_explains(script: Script) -> None:
    """Neither more nor less, torn files included, once something was uploaded."""
    ops = history(script)
    # A page that was the base may come back, which a search that takes it for absence says as well.
    assert first_doubted(ops, "session") == first_impossible(ops)


@settings(max_examples=800, deadline=None)
@given(MADE)
def test_blob_made_once_doubts_exactly_what_no_landing_order_explains(script: Script) -> None:
    """A file that each upload makes anew, unless that was refused: then it is nobody's business what is there."""
    ops = history(script, obj="run.s1.0")
    doubted, impossible = first_doubted(ops, "value"), first_impossible(ops)
    if script[0][1] == "fail":
        assert doubted == -1 or 0 <= impossible <= doubted
    else:
        assert doubted == impossible


@pytest.mark.parametrize("of", ["value", "session"])
@settings(max_examples=300, deadline=None)
@given(script=REPLACED, told=st.integers(0, 12), confirmed=st.booleans())
def test_blob_fold_and_feed_come_to_the_same(of: str, script: Script, told: int, confirmed: bool) -> None:
    """The fast way and the slow way are one checker, whenever the death is told."""
    ops = history(script, obj="run.s1.0" if of == "value" else "own")
    if of == "value":
        ops = [each for each in ops if each.action == "see" or each.value == each.obj]
    for number in range(len(ops) - 1, -1, -1):
        if confirmed and ops[number].action == "see" and number % 2:
            again = (ops[number].outcome, ops[number].seen)
            ops[number + 1 : number + 1] = confirms(ops[number], [("web-1.1", *again), ("web-2.1", *again)])
    folded, fed = BlobChecker("p", terms(of)), BlobChecker("p", terms(of))
    folded.fold(ops[:told])
    for each in ops[:told]:
        fed.feed(each)
    for checker in (folded, fed):
        checker.died(DEATH)
    folded.fold(ops[told:])
    for each in ops[told:]:
        fed.feed(each)
    assert folded.tally() == fed.tally()
    assert (folded.certain("s1"), folded.exposed("s1")) == (fed.certain("s1"), fed.exposed("s1"))


def expected_exposures(ops: list[Op]) -> int:
    """Straight from the definition: acknowledged by the victim, then seen whole elsewhere before any later upload."""
    exposed = 0
    for number, write in enumerate(ops):
        if (write.action, write.outcome, write.incarnation) != ("do", "ok", DEATH.incarnation):
            continue
        for later in ops[number + 1 :]:
            if later.action == "do" and later.outcome != "fail":
                break
            elsewhere = later.action == "see" and later.incarnation != DEATH.incarnation
            if elsewhere and later.seen == write.value and later.sent_ns > DEATH.death_ns + DEATH.error_ns:
                exposed += 1
                break
    return exposed


@settings(max_examples=600, deadline=None)
@given(script=REPLACED, told=st.integers(0, 12))
def test_blob_exposures_are_those_of_the_definition(script: Script, told: int) -> None:
    """Of histories without a contradiction; uploads of unknown end expose nothing and end what went before."""
    ops = history(script)
    impossible = first_impossible(ops)
    ops = ops[:impossible] if impossible >= 0 else ops
    checker = BlobChecker("p", terms("session"))
    checker.fold(ops[:told])
    checker.died(DEATH)
    checker.fold(ops[told:])
    assert checker.tally().exposures.get(DEATH.strike, 0) == expected_exposures(ops)
