"""job against a brute-force search over what may have become of one job, with deaths and unknown submissions."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from chaoscheck.checkers.base import Death
from chaoscheck.checkers.job import GRACE_NS, JobChecker
from chaoscheck.model.clock import NS
from chaoscheck.model.ops import Op
from chaoscheck.plan.steps import Promise
from tests.unit.checkers.making import confirms, op

TERMS = Promise.model_validate({"kind": "job", "deadline": "1s", "do": {"post": "/x"}, "see": {"get": "/x"}})
STEP_NS = NS // 3
RESULTS = ("a", "b")
READ = st.tuples(
    st.sampled_from(["ok", "ok", "ok", "pending", "pending", "pending", "gone", "dropped"]),
    st.sampled_from(["a", "a", "a", "b"]),
    st.sampled_from(["web-1.1", "web-2.1", "web-3.1"]),
    st.integers(1, 4),
)
READS = st.lists(READ, max_size=10)
DEATHS = st.lists(
    st.tuples(st.sampled_from(["web-4.1", "web-5.1"]), st.integers(0, 20)), max_size=2, unique_by=lambda d: d[0]
)
ABSENT, RUNNING = "absent", "running"
"""The other worlds are results: done with it."""


def history(submission: str, reads: list[tuple[str, str, str, int]]) -> list[Op]:
    ops = [op("do", submission, at=0, value="o1")]
    at = 0
    for outcome, seen, who, wait in reads:
        at += wait * STEP_NS
        ops.append(op("see", outcome, at=at, seen=seen if outcome == "ok" else "", who=who, value="o1"))
    return ops


def told_deaths(deaths: list[tuple[str, int]]) -> list[Death]:
    return [Death(who, number, step * STEP_NS + 7, 3) for number, (who, step) in enumerate(deaths)]


def due_ns(acked_ns: int, deaths: list[Death]) -> int:
    """By definition: the latest of a deadline from the acknowledgement, or from a death before it was over."""
    due = acked_ns + NS
    spans = [(death.death_ns - death.error_ns, death.death_ns + death.error_ns) for death in deaths]
    while later := [until + NS for since, until in spans if acked_ns <= until and since <= due < until + NS]:
        due = max(later)
    return due


def after(worlds: set[str], each: Op, due: int) -> set[str]:
    """The worlds in which this read can have come out so, and what they may have become until then."""
    if ABSENT in worlds:
        worlds = worlds | {RUNNING}
    if RUNNING in worlds:
        worlds = worlds | set(RESULTS)
    if each.outcome == "ok":
        return worlds & {each.seen}
    if each.outcome == "pending":
        return worlds & {RUNNING} if each.sent_ns <= due + GRACE_NS else set()
    return worlds & {ABSENT} if each.outcome == "gone" else worlds


def first_impossible(ops: list[Op], deaths: list[Death]) -> int:
    taken = ops[0].outcome == "ok"
    worlds = {RUNNING} if taken else {ABSENT}
    due = due_ns(ops[0].done_ns, deaths) if taken else 10**18
    for number, each in enumerate(ops[1:], start=1):
        # An absence that nothing explains makes nothing certain while the submission is unknown.
        worlds = after(worlds, each, due) if taken or after(worlds, each, due) else worlds
        if not worlds:
            return number
    return -1


def first_doubted(ops: list[Op], deaths: list[Death]) -> int:
    checker = JobChecker("p", TERMS)
    for death in deaths:
        checker.died(death)
    return next((number for number, each in enumerate(ops) if checker.feed(each)), -1)


@settings(max_examples=1500, deadline=None)
@given(reads=READS, deaths=DEATHS)
def test_job_taken_doubts_exactly_what_nothing_explains(
    reads: list[tuple[str, str, str, int]], deaths: list[tuple[str, int]]
) -> None:
    """Never a wrong verdict and never a missed one, wherever deaths move the deadline."""
    ops, died = history("ok", reads), told_deaths(deaths)
    assert first_doubted(ops, died) == first_impossible(ops, died)


@settings(max_examples=800, deadline=None)
@given(reads=READS, deaths=DEATHS, submission=st.sampled_from(["unknown", "fail"]))
def test_job_not_acknowledged_doubts_only_what_was_shown_done(
    reads: list[tuple[str, str, str, int]], deaths: list[tuple[str, int]], submission: str
) -> None:
    """Until a read shows it done, nothing of it is certain."""
    ops, died = history(submission, reads), told_deaths(deaths)
    doubted = first_doubted(ops, died)
    shown = next((number for number, each in enumerate(ops) if each.action == "see" and each.outcome == "ok"), -1)
    assert doubted == -1 or (submission == "unknown" and 0 <= shown < doubted)
    if doubted >= 0:
        assert (ops[doubted].outcome, ops[doubted].seen) != ("ok", ops[shown].seen)


@settings(max_examples=500, deadline=None)
@given(reads=READS, deaths=DEATHS, again=st.lists(st.booleans(), min_size=10, max_size=10), cut=st.integers(0, 12))
def test_job_fold_says_what_feed_says(
    reads: list[tuple[str, str, str, int]], deaths: list[tuple[str, int]], again: list[bool], cut: int
) -> None:
    """In two batches, with re-reads, before and after the session is forgotten."""
    ops: list[Op] = []
    for each, asked in zip(history("ok", reads), [False, *again], strict=False):
        ops += [
            each,
            *(confirms(each, [("web-1.1", each.outcome, each.seen), ("web-2.1", "gone", "")]) if asked else []),
        ]
    folded, fed = JobChecker("p", TERMS), JobChecker("p", TERMS)
    for death in told_deaths(deaths):
        folded.died(death)
        fed.died(death)
    folded.fold(list(ops[:cut]))
    folded.fold(iter(ops[cut:]))
    for each in ops:
        fed.feed(each)
    for _ in range(2):
        assert folded.tally() == fed.tally()
        assert folded.awaited("s1") == fed.awaited("s1")
        folded.forget("s1")
        fed.forget("s1")


@settings(max_examples=500, deadline=None)
@given(reads=READS, told=st.integers(0, 10))
def test_job_exposures_are_those_of_the_definition_whenever_the_death_is_told(
    reads: list[tuple[str, str, str, int]], told: int
) -> None:
    """Acknowledged by the victim, then shown done by another incarnation to a question sent after the death."""
    death = Death("web-1.1", 4, 4 * STEP_NS, 5)
    reads = [("ok" if outcome == "gone" else outcome, "a", who, wait) for outcome, _, who, wait in reads]
    ops = [
        each for each in history("ok", reads) if each.incarnation != death.incarnation or each.sent_ns < death.death_ns
    ]
    done = next((number for number, each in enumerate(ops) if each.outcome == "ok" and each.action == "see"), len(ops))
    ops = [
        each for number, each in enumerate(ops) if each.outcome != "pending" or (number < done and each.sent_ns <= NS)
    ]
    checker = JobChecker("p", TERMS)
    checker.fold(ops[:told])
    checker.died(death)
    checker.fold(ops[told:])
    shown = any(
        each.action == "see" and each.outcome == "ok" and each.incarnation != death.incarnation
        and each.sent_ns > death.death_ns + death.error_ns
        for each in ops
    )  # fmt: skip
    assert checker.tally().exposures.get(4, 0) == int(shown)
