"""token against a brute-force search over when the mint and each revocation of one token may have taken effect."""

from __future__ import annotations

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from chaoscheck.checkers.base import Death
from chaoscheck.checkers.token import TokenChecker
from chaoscheck.model.ops import Op
from chaoscheck.plan.steps import Promise
from tests.unit.checkers.making import confirms, op

TERMS = Promise.model_validate(
    {"kind": "token", "grace": "1ms", "do": {"post": "/t"}, "see": {"get": "/w"}, "undo": {"post": "/r"}}
)
GRACE_NS = 1_000_000
STEP_NS = 350_000
NEVER = 1 << 60
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *(("see", outcome) for outcome in ("ok", "ok", "ok", "gone", "gone", "dropped", "unrecognised")),
                *(("undo", outcome) for outcome in ("ok", "ok", "unknown", "fail")),
            ]
        ),
        st.sampled_from(["web-1.1", "web-2.1", "web-3.1"]),
        st.integers(1, 4),
    ),
    max_size=8,
)
Steps = list[tuple[tuple[str, str], str, int]]


def history(mint: str, steps: Steps) -> list[Op]:
    ops, at = [op("do", mint, at=0, value="o1")], 0
    for (action, outcome), who, wait in steps:
        at += wait * STEP_NS
        ops.append(op(action, outcome, at=at, value="o1", who=who))
    return ops


def explained(before: list[Op], read: Op) -> bool:
    """Whether times can be chosen for all that was written until then so that the read comes out as it did.

    What was acknowledged takes effect before its end (a revocation within the grace after it), what is unknown at any
    later time or never. The newest effect before the read decides.
    """
    writes = [each for each in before if each.action != "see" and each.outcome in ("ok", "unknown")]
    spans = []
    for each in writes:
        until = NEVER
        if each.outcome == "ok":
            until = each.done_ns + (GRACE_NS if each.action == "undo" else 0)
        spans.append({time for time in (each.sent_ns, read.sent_ns - 1, until) if each.sent_ns <= time <= until})
    for chosen in product(*spans):
        effects = [(at, each.action == "do") for at, each in zip(chosen, writes, strict=True) if at < read.sent_ns]
        newest = max((at for at, _ in effects), default=-1)
        valid = {mints for at, mints in effects if at == newest} or {False}
        if (read.outcome == "ok") in valid:
            return True
    return False


def first_impossible(ops: list[Op]) -> int:
    return next(
        (
            number
            for number, each in enumerate(ops)
            if each.action == "see" and each.outcome in ("ok", "gone") and not explained(ops[:number], each)
        ),
        -1,
    )


def first_doubted(ops: list[Op]) -> int:
    checker = TokenChecker("p", TERMS)
    return next((number for number, each in enumerate(ops) if checker.feed(each)), -1)


@settings(max_examples=2000, deadline=None)
@given(mint=st.sampled_from(["ok", "ok", "ok", "unknown"]), steps=STEPS)
def test_token_doubts_exactly_what_nothing_explains(mint: str, steps: Steps) -> None:
    """Never a wrong verdict and never a missed one, with mints and revocations of unknown end."""
    ops = history(mint, steps)
    assert first_doubted(ops) == first_impossible(ops)


@settings(max_examples=500, deadline=None)
@given(steps=STEPS)
def test_token_whose_mint_failed_is_doubted_only_after_its_revocation(steps: Steps) -> None:
    """Nobody holds such a token; what is said of it is never wrong."""
    ops = history("fail", steps)
    doubted = first_doubted(ops)
    assert doubted == -1 or not explained(ops[:doubted], ops[doubted])


@settings(max_examples=500, deadline=None)
@given(
    steps=STEPS,
    again=st.lists(st.booleans(), min_size=9, max_size=9),
    cut=st.integers(0, 10),
    died=st.integers(0, 9),
)
def test_token_fold_says_what_feed_says(steps: Steps, again: list[bool], cut: int, died: int) -> None:
    """In two batches, with re-reads, before and after the session is forgotten."""
    ops: list[Op] = []
    for each, asked in zip(history("ok", steps), again, strict=False):
        ops += [each, *(confirms(each, [("web-1.1", each.outcome, ""), ("web-2.1", "gone", "")]) if asked else [])]
    folded, fed = TokenChecker("p", TERMS), TokenChecker("p", TERMS)
    for checker in (folded, fed):
        checker.died(Death("web-1.1", 3, died * STEP_NS + 9, 5))
    folded.fold(list(ops[:cut]))
    folded.fold(iter(ops[cut:]))
    for each in ops:
        fed.feed(each)
    for _ in range(2):
        assert folded.tally() == fed.tally()
        assert (folded.certain("s1"), folded.retired("s1")) == (fed.certain("s1"), fed.retired("s1"))
        folded.forget("s1")
        fed.forget("s1")


@settings(max_examples=800, deadline=None)
@given(
    reads=st.lists(st.tuples(st.sampled_from(["web-1.1", "web-2.1", "web-3.1"]), st.integers(1, 5)), max_size=6),
    revoked=st.booleans(),
    died=st.integers(1, 15),
    told=st.integers(0, 8),
)
def test_token_exposures_are_those_of_the_definition_whenever_the_death_is_told(
    reads: list[tuple[str, int]], revoked: bool, died: int, told: int
) -> None:
    """The victim acknowledged its newest write, and another incarnation, asked after the death, did as it should."""
    death = Death("web-1.1", 4, died * STEP_NS + 9, 5)
    ops, at = [op("do", "ok", at=0, value="o1", who="web-2.1" if revoked else "web-1.1")], 10
    if revoked:
        ops.append(op("undo", "ok", at=at, value="o1"))
    for who, wait in reads:
        at += wait * STEP_NS
        if who != death.incarnation or at < death.death_ns:
            ops.append(op("see", "gone" if revoked else "ok", at=at, who=who, value="o1"))
    checker = TokenChecker("p", TERMS)
    checker.fold(ops[:told])
    checker.died(death)
    checker.fold(ops[told:])
    shown = any(
        each.action == "see"
        and each.incarnation != death.incarnation
        and each.sent_ns > death.death_ns + death.error_ns
        for each in ops
    )
    assert checker.tally().exposures.get(4, 0) == int(shown)
