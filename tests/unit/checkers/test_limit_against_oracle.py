"""limit against real limiters, whose moments of decision it can't see, and against a search over those moments."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaoscheck.checkers.base import Death
from chaoscheck.checkers.limit import LimitChecker
from chaoscheck.model.allowance import UNSAID
from chaoscheck.model.ops import Op
from tests.unit.checkers.test_limit import MS, ask, limit

ALLOW, PER_MS = 2, 100
SLACK_MS = 2
"""Of a window of 100 ms."""
VICTIM = "web-1.1"


class Turn(NamedTuple):
    """A request: its pause and length, where in it the limiter decided, and what became of the answer."""

    gap_ms: int
    lasted_ms: int
    share: float
    fate: str
    late_ms: int
    who: str


TURNS = st.lists(
    st.builds(
        Turn,
        st.sampled_from([0, 1, 3, 10, 30, 45, 60, 97, 100, 101, 140]),
        st.sampled_from([0, 1, 4, 20, 70]),
        st.sampled_from([0.0, 0.3, 1.0]),
        st.sampled_from(["told"] * 8 + ["swallowed", "lost", "late"]),
        st.integers(0, 250),
        st.sampled_from([VICTIM, "web-2.1", "web-3.1"]),
    ),
    max_size=14,
)
EARLIER = st.lists(st.integers(-250, -1), max_size=4)
"""When an earlier session of the same account asked."""

Limiter = Callable[[list[float], float], bool]


def sliding(admitted: list[float], now: float) -> bool:
    return sum(at > now - PER_MS for at in admitted) < ALLOW


def first_request(admitted: list[float], now: float) -> bool:
    """A fixed window that begins with the first request after the one before."""
    begins = None
    count = 0
    for at in admitted:
        if begins is None or at >= begins + PER_MS:
            begins, count = at, 0
        count += 1
    return begins is None or now >= begins + PER_MS or count < ALLOW


def aligned(phase: float) -> Limiter:
    return lambda admitted, now: sum((at - phase) // PER_MS == (now - phase) // PER_MS for at in admitted) < ALLOW


def bucket(admitted: list[float], now: float) -> bool:
    tokens, last = float(ALLOW), -1000.0
    for at in [*admitted, now]:
        tokens = min(float(ALLOW), tokens + (at - last) * ALLOW / PER_MS)
        tokens, last = tokens - (at is not now), at
    return tokens >= 1


LIMITERS: dict[str, tuple[Limiter, str]] = {
    "sliding": (sliding, "sliding"),
    "sliding as fixed": (sliding, "fixed"),
    "first request": (first_request, "fixed"),
    "aligned": (aligned(0), "fixed"),
    "aligned elsewhere": (aligned(37), "fixed"),
    "bucket": (bucket, "bucket"),
    "bucket as fixed": (bucket, "fixed"),
}


def history(turns: list[Turn], earlier: list[int], admits: Limiter, death_ms: float) -> list[Op]:
    """What the session saw of that limiter, which forgets everything at `death_ms`."""
    asked: list[tuple[float, int]] = [(float(at), -1) for at in earlier]
    spans = []
    now = 0
    for number, turn in enumerate(turns):
        now += turn.gap_ms
        moment = now + turn.lasted_ms * turn.share + (turn.late_ms if turn.fate == "late" else 0)
        spans.append((now, turn.lasted_ms))
        now += turn.lasted_ms
        if turn.fate != "lost":
            asked.append((moment, number))
    admitted: list[float] = []
    told: dict[int, bool] = {}
    for moment, number in sorted(asked):
        known = [at for at in admitted if moment < death_ms or at >= death_ms]
        told[number] = admits(known, moment)
        if told[number]:
            admitted.append(moment)
    ops = []
    for number, (turn, (at, lasted)) in enumerate(zip(turns, spans, strict=True)):
        outcome = "unknown" if turn.fate != "told" else "ok" if told[number] else "refused"
        dead = turn.who == VICTIM and at + lasted >= death_ms
        ops.append(ask(at, outcome, "web-2.1" if dead else turn.who, lasted_ms=lasted))
    return ops


@pytest.mark.parametrize("name", LIMITERS)
@settings(max_examples=300, deadline=None)
@given(turns=TURNS, earlier=EARLIER, dies=st.integers(0, 600))
def test_right_limiter_is_never_accused(name: str, turns: list[Turn], earlier: list[int], dies: int) -> None:
    """Whenever it decides, whatever answers get lost, whoever dies meanwhile."""
    admits, window = LIMITERS[name]
    checker = limit(window, f"{ALLOW} per {PER_MS}ms")
    checker.fold(history(turns, earlier, admits, 1 << 30))
    checker.died(Death(VICTIM, 0, dies * MS, MS))
    assert checker.tally().anomalies == []


@pytest.mark.parametrize("name", LIMITERS)
@settings(max_examples=300, deadline=None)
@given(turns=TURNS, earlier=EARLIER, dies=st.integers(0, 600))
def test_kill_that_resets_all_counts_is_never_called_survived(
    name: str, turns: list[Turn], earlier: list[int], dies: int
) -> None:
    """A refusal after it has other reasons than what the victim admitted."""
    admits, window = LIMITERS[name]
    checker = limit(window, f"{ALLOW} per {PER_MS}ms")
    checker.fold(history(turns, earlier, admits, dies))
    checker.died(Death(VICTIM, 0, dies * MS, 0))
    assert checker.tally().exposures == {}


def possible(spans: list[tuple[int, int]], per_ms: float) -> bool:
    """Whether a sliding limiter may have admitted all of them: each as early as it can be."""
    moments: list[float] = []
    for sent, done in spans:
        moment = max(float(sent), moments[-ALLOW] + per_ms if len(moments) >= ALLOW else sent)
        if moment > done:
            return False
        moments.append(moment)
    return True


SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=9)


@settings(max_examples=600, deadline=None)
@given(turns=SPANS)
def test_sliding_excess_is_told_exactly_where_no_moments_of_decision_explain_it(turns: list[tuple[int, int]]) -> None:
    """But for the edge, which is given away."""
    spans, now = [], 0
    for gap, lasted in turns:
        spans.append((now + gap, now + gap + lasted))
        now += gap + lasted
    if now > 350:
        return
    checker = limit("sliding", f"{ALLOW} per {PER_MS}ms")
    checker.fold([ask(sent, lasted_ms=done - sent) for sent, done in spans])
    told = bool(checker.tally().anomalies)
    assert not (told and possible(spans, PER_MS))
    assert told or possible(spans, PER_MS - SLACK_MS)


@pytest.mark.parametrize("window", ["sliding", "fixed", "bucket"])
@settings(max_examples=200, deadline=None)
@given(turns=TURNS, earlier=EARLIER, dies=st.integers(0, 600), cut=st.integers(0, 14))
def test_fold_in_parts_says_what_feed_says_whenever_a_death_is_told(
    window: str, turns: list[Turn], earlier: list[int], dies: int, cut: int
) -> None:
    """Of a limiter that resets, so that there is something to tell."""
    ops = history(turns, earlier, sliding, dies)
    death = Death(VICTIM, 0, dies * MS, MS)
    folded, fed = (limit(window, f"{ALLOW} per {PER_MS}ms") for _ in range(2))
    folded.died(death)
    folded.fold(ops[:cut])
    folded.fold(ops[cut:])
    for each in ops:
        fed.feed(each)
    fed.died(death)
    assert (folded.tally(), folded.exposed("s1")) == (fed.tally(), fed.exposed("s1"))
    folded.forget("s1")
    assert folded.tally() == fed.tally()


def test_checker_without_terms_is_one() -> None:
    """Whoever lists checkers makes them so."""
    assert LimitChecker("p").tally().anomalies == []
    assert UNSAID.count == 1
