"""The fast way of folding and the slow one are one checker, whatever is mixed and wherever the batches end."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaoscheck.checkers.base import Death
from chaoscheck.checkers.kept import KeptChecker
from chaoscheck.checkers.register import RegisterChecker
from chaoscheck.checkers.session import SessionChecker
from chaoscheck.checkers.states import Fold
from chaoscheck.model.ops import Op
from tests.unit.checkers.making import STEP, confirms, op

KINDS = (SessionChecker, RegisterChecker, KeptChecker)
TURN = st.fixed_dictionaries({
    "action": st.sampled_from(["do", "do", "see", "see", "see", "undo"]),
    "session": st.sampled_from(["s1", "s1", "s2"]),
    "obj": st.sampled_from(["o1", "o1", "o2"]),
    "outcome": st.sampled_from(["ok", "ok", "ok", "ok", "fail", "unknown", "gone", "dropped"]),
    "who": st.sampled_from(["web-1.1", "web-2.1", ""]),
    "lane": st.sampled_from(["user", "user", "user", "burst", "final", "confirm"]),
    "number": st.integers(0, 3),
    "lasted": st.sampled_from([5, 5, 5, 5, 5, STEP + 5, -1]),
    "judged": st.sampled_from([True, True, True, False]),
    "re_read": st.booleans(),
})  # fmt: skip
TURNS = st.lists(TURN, max_size=24)


def history(turns: list[dict[str, object]]) -> list[Op]:
    """Few values, so that retries, repeats and agreeing reads are common."""
    ops: list[Op] = []
    for number, turn in enumerate(turns):
        value = f"run.{turn['session']}.{turn['number']}"
        action, outcome = str(turn["action"]), str(turn["outcome"])
        reads = action == "see"
        each = op(
            action, outcome, at=number * STEP, session=str(turn["session"]), obj=str(turn["obj"]),
            who=str(turn["who"]), lane=str(turn["lane"]), lasted=int(str(turn["lasted"])), via=str(turn["who"] or "lb"),
            value="" if reads else value, seen=value if reads and outcome == "ok" else "",
        )._replace(judged=bool(turn["judged"]))  # fmt: skip
        ops.append(each)
        if turn["re_read"] and reads and each.done_ns >= 0:
            ops += confirms(each, [("web-1.1", outcome, each.seen), ("web-2.1", "gone", "")])
    return ops


def told(checker: Fold) -> list[object]:
    """Everything that a checker says."""
    said: list[object] = [checker.tally()]
    for session in ("s1", "s2"):
        said += [checker.certain(session), checker.exposed(session)]
        for obj in ("o1", "o2"):
            said += [checker.value_of(session, obj), checker.healed(session, obj)]
    return said


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=300, deadline=None)
@given(turns=TURNS, cut=st.integers(0, 30), dies=st.integers(0, 30))
def test_fold_any_history_says_what_feed_says(
    kind: type[Fold], turns: list[dict[str, object]], cut: int, dies: int
) -> None:
    """In two batches, with a death told early or late, before and after the sessions are forgotten."""
    ops = history(turns)
    death = Death("web-1.1", 1, dies * STEP, 2)
    folded, fed = kind("p"), kind("p")
    folded.fold(ops[:cut])
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


@pytest.mark.parametrize("kind", KINDS)
def test_fold_every_short_history_of_one_object_says_what_feed_says(kind: type[Fold]) -> None:
    """All of four turns."""
    turns = [("do", "ok", "0"), ("do", "ok", "1"), ("do", "fail", "1"), ("do", "unknown", "1"), ("undo", "ok", "")]
    turns += [("undo", "unknown", ""), ("see", "ok", "0"), ("see", "ok", "1"), ("see", "gone", "")]
    for script in product(turns, repeat=4):
        ops = [
            op(action, outcome, at=number * STEP, value=f"run.s1.{what}" if action == "do" else "",
               seen=f"run.s1.{what}" if what and action == "see" else "", who=f"web-{1 + number % 2}.1")
            for number, (action, outcome, what) in enumerate(script)
        ]  # fmt: skip
        folded, fed = kind("p"), kind("p")
        folded.fold(ops)
        for each in ops:
            fed.feed(each)
        assert told(folded) == told(fed), script


def test_fold_retry_that_succeeded_is_no_longer_a_failed_write() -> None:
    """A value that failed first and was acknowledged then: reading it in place of a newer one is a loss, no more."""
    ops = [
        op("do", "fail", at=0, value="run.s1.0", obj="s1"), op("do", "ok", at=20, value="run.s1.0", obj="s1"),
        op("do", "ok", at=40, value="run.s1.1", obj="s1"), op("see", "ok", at=60, seen="run.s1.0", obj="s1"),
    ]  # fmt: skip
    checker = RegisterChecker("p")
    checker.fold([*ops, *confirms(ops[-1], [("web-1.1", "ok", "run.s1.0")])])
    assert [known.name for known in checker.tally().anomalies] == ["LOST"]
