"""set against a brute-force search over every landing time of every unknown write; and folding against feeding."""

from __future__ import annotations

import json
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaoscheck.checkers.base import Death
from chaoscheck.checkers.set import SetChecker
from chaoscheck.model.history import Batch
from chaoscheck.model.ops import Op
from tests.unit.checkers.making import STEP, confirms, op

World = tuple[frozenset[str], tuple[tuple[str, str], ...]]
ITEMS = ("run.s1.1", "run.s1.2", "run.s1.3")
FOREIGN = ("run.s9.4", "gift", "run.s1.99")
OUTCOME = st.sampled_from(["ok", "ok", "ok", "fail", "unknown"])
WRITES = st.tuples(st.sampled_from(["do", "do", "undo"]), OUTCOME, st.sampled_from(ITEMS))
SHOWN = st.lists(st.sampled_from(ITEMS), max_size=3, unique=True)
READS = st.tuples(st.just("see"), st.sampled_from(["ok", "ok", "ok", "gone", "dropped"]), SHOWN)
SCRIPT = st.lists(st.one_of(WRITES, READS), max_size=9)


def history(script: list[tuple[str, str, object]]) -> list[Op]:
    ops: list[Op] = []
    for number, (action, outcome, what) in enumerate(script):
        if action == "see":
            seen = json.dumps(what, separators=(",", ":")) if outcome == "ok" else ""
            ops.append(op("see", outcome, at=number * STEP, seen=seen, obj="own"))
        else:
            ops.append(op(action, outcome, at=number * STEP, value=str(what), obj="own"))
    return ops


def landings(worlds: set[World]) -> set[World]:
    """Every world that some of the unknown writes, in any order, can make of these."""
    todo, found = list(worlds), set(worlds)
    while todo:
        items, open_ = todo.pop()
        for number, (action, value) in enumerate(open_):
            after = items | {value} if action == "do" else items - {value}
            world = (after, open_[:number] + open_[number + 1 :])
            if world not in found:
                found.add(world)
                todo.append(world)
    return found


def first_impossible(ops: list[Op]) -> int:
    """The index of the first read that no world explains, -1 for none."""
    worlds: set[World] = {(frozenset(), ())}
    for number, each in enumerate(ops):
        if each.action != "see":
            change = frozenset({each.value})
            if each.outcome == "ok":
                worlds = landings(worlds)
                worlds = {(w | change if each.action == "do" else w - change, open_) for w, open_ in worlds}
            elif each.outcome == "unknown":
                worlds = {(w, tuple(sorted((*open_, (each.action, each.value))))) for w, open_ in worlds}
        elif each.outcome in ("ok", "gone"):
            shown = frozenset(json.loads(each.seen)) if each.outcome == "ok" else frozenset()
            worlds = {world for world in landings(worlds) if world[0] == shown}
            if not worlds:
                return number
    return -1


def without_strangers(script: list[tuple[str, str, object]]) -> list[Op]:
    """Removing what was never written says nothing of it: others may have put it there."""
    written: set[object] = set()
    kept = []
    for action, outcome, what in script:
        if action == "undo" and what not in written:
            continue
        if action == "do":
            written.add(what)
        kept.append((action, outcome, what))
    return history(kept)


@settings(max_examples=800, deadline=None)
@given(SCRIPT)
def test_set_any_sequential_history_doubts_exactly_what_no_landing_order_explains(
    script: list[tuple[str, str, object]],
) -> None:
    """Three numbers an element say neither more nor less than a search over all landings of all of them."""
    ops = without_strangers(script)
    written = next((number for number, each in enumerate(ops) if each.action == "do"), len(ops))
    ops = [each for number, each in enumerate(ops) if number >= written or each.seen in ("", "[]")]
    checker = SetChecker("p")
    doubted = next((number for number, each in enumerate(ops) if checker.feed(each)), -1)
    assert doubted == first_impossible(ops)


@settings(max_examples=400, deadline=None)
@given(SCRIPT)
def test_set_removals_of_what_others_wrote_doubts_only_what_no_landing_order_explains(
    script: list[tuple[str, str, object]],
) -> None:
    """Less is said then, never something wrong."""
    ops = history(script)
    written = next((number for number, each in enumerate(ops) if each.action == "do"), len(ops))
    ops = [each for number, each in enumerate(ops) if number >= written or each.seen in ("", "[]")]
    checker = SetChecker("p")
    doubted = next((number for number, each in enumerate(ops) if checker.feed(each)), -1)
    impossible = first_impossible(ops)
    assert doubted == -1 or 0 <= impossible <= doubted


TURN = st.fixed_dictionaries({
    "action": st.sampled_from(["do", "do", "see", "see", "see", "undo"]),
    "session": st.sampled_from(["s1", "s1", "s2"]),
    "obj": st.sampled_from(["own", "own", "own", "other"]),
    "outcome": st.sampled_from(["ok", "ok", "ok", "ok", "ok", "fail", "unknown", "gone", "dropped"]),
    "who": st.sampled_from(["web-1.1", "web-2.1", ""]),
    "lane": st.sampled_from(["user", "user", "user", "burst", "final", "confirm"]),
    "item": st.sampled_from(ITEMS),
    "shown": st.one_of(st.none(), st.none(), st.none(), st.lists(st.sampled_from((*ITEMS, *FOREIGN)), max_size=3)),
    "lasted": st.sampled_from([5, 5, 5, 5, 5, 5, STEP + 5, -1]),
    "judged": st.sampled_from([True, True, True, False]),
    "re_read": st.booleans(),
})  # fmt: skip


def mixed(turns: list[dict[str, object]]) -> list[Op]:
    """Most reads show what was written, so that the fast way is taken."""
    ops: list[Op] = []
    there: dict[tuple[object, object], list[object]] = {}
    for number, turn in enumerate(turns):
        action, outcome, item = str(turn["action"]), str(turn["outcome"]), turn["item"]
        items = there.setdefault((turn["session"], turn["obj"]), [])
        if turn["judged"] and outcome == "ok" and action == "do" and item not in items:
            items.append(item)
        if turn["judged"] and outcome == "ok" and action == "undo" and item in items:
            items.remove(item)
        shown = json.dumps(items if turn["shown"] is None else turn["shown"], separators=(",", ":"))
        each = op(
            action, outcome, at=number * STEP, session=str(turn["session"]), obj=str(turn["obj"]),
            who=str(turn["who"]), lane=str(turn["lane"]), lasted=int(str(turn["lasted"])), via=str(turn["who"] or "lb"),
            value="" if action == "see" else str(item), seen=shown if action == "see" and outcome == "ok" else "",
        )._replace(judged=bool(turn["judged"]))  # fmt: skip
        ops.append(each)
        if turn["re_read"] and action == "see" and each.done_ns >= 0:
            ops += confirms(each, [("web-1.1", outcome, each.seen), ("web-2.1", "gone", "")])
    return ops


def told(checker: SetChecker) -> list[object]:
    """Everything that a checker says."""
    said: list[object] = [checker.tally()]
    for session in ("s1", "s2"):
        said += [checker.certain(session), checker.exposed(session)]
        for obj in ("own", "other"):
            said += [checker.value_of(session, obj), checker.healed(session, obj)]
    return said


@settings(max_examples=600, deadline=None)
@given(turns=st.lists(TURN, max_size=24), cut=st.integers(0, 30), dies=st.integers(0, 30), early=st.booleans())
def test_set_fold_any_history_says_what_feed_says(
    turns: list[dict[str, object]], cut: int, dies: int, early: bool
) -> None:
    """In two batches, with a death told early or late, before and after the sessions are forgotten."""
    ops = mixed(turns)
    death = Death("web-1.1", 1, dies * STEP, 2)
    folded, fed = SetChecker("p"), SetChecker("p")
    if early:
        folded.died(death)
    folded.fold(Batch(ops[:cut]))
    if not early:
        folded.died(death)
    folded.fold(iter(ops[cut:]))
    for each in ops[:cut]:
        fed.feed(each)
    fed.died(death)
    for each in ops[cut:]:
        fed.feed(each)
    assert told(folded) == told(fed)
    for checker in (folded, fed):
        checker.forget("s1")
    assert told(folded) == told(fed)


ONE = ITEMS[0]


@pytest.mark.parametrize(
    ("turns", "anomaly"),
    [
        (("do", "do", "undo", [ONE]), "RESURRECTED"),
        (("do", [ONE, ONE], "undo", [ONE]), "RESURRECTED"),
        (([ONE], "do", [ONE, ONE]), "DUPLICATE_ELEMENT"),
        (([ONE, ONE, "gift"], "do", "undo", [ONE, "gift", ONE]), "RESURRECTED"),
        ((["gift", ONE], "do", "undo", ["gift", ONE]), "RESURRECTED"),
        (([ONE], "refused", [ONE]), "ABORTED_READ"),
    ],
)
def test_set_fold_an_element_shown_twice_is_no_text_to_be_expected(
    turns: tuple[str | list[str], ...], anomaly: str
) -> None:
    """What a read shows after the next write is told ahead only where the element stands there once."""
    said = {"refused": ("do", "fail", ONE)}
    script = [("see", "ok", turn) if isinstance(turn, list) else said.get(turn, (turn, "ok", ONE)) for turn in turns]
    folded, fed = SetChecker("p"), SetChecker("p")
    folded.fold(Batch(history(script)))
    for each in history(script):
        fed.feed(each)
    assert [one.name for one in folded.tally().anomalies][-1:] == [anomaly]
    assert told(folded) == told(fed)


def test_set_fold_every_short_history_of_one_element_says_what_feed_says() -> None:
    """All of four turns: what a read will show is told ahead wherever it can be, and nowhere else."""
    reads = [[], [ONE], [ONE, ONE], ["gift"], ["gift", ONE]]
    turns: list[tuple[str, str, object]] = [
        *[("do", outcome, ONE) for outcome in ("ok", "fail", "unknown")],
        *[("undo", outcome, ONE) for outcome in ("ok", "unknown")],
        *[("see", "ok", read) for read in reads],
    ]
    for script in product(turns, repeat=4):
        ops = history(list(script))
        folded, fed = SetChecker("p"), SetChecker("p")
        folded.fold(Batch(ops))
        for each in ops:
            fed.feed(each)
        assert told(folded) == told(fed), script
