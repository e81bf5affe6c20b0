"""Operations for tests, said in few words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chaoscheck.checkers.base import PromiseChecker
from chaoscheck.model.ops import Op

STEP = 10


def op(
    action: str,
    outcome: str,
    *,
    at: int,
    seen: str = "",
    value: str = "",
    who: str = "web-1.1",
    session: str = "s1",
    obj: str = "o1",
    lane: str = "user",
    via: str = "lb",
    promise: str = "p",
    lasted: int = 5,
    error: str = "",
    seq: int = 0,
    attempt: int = 0,
    status: int = 200,
) -> Op:
    """One judged attempt sent at `at`, ended `lasted` later."""
    done = at + lasted if lasted >= 0 else -1
    return Op(
        f"r{at}-{session}-{obj}-{via}",
        session,
        promise,
        action,
        obj,
        seq,
        attempt,
        value,
        lane,
        via,
        True,
        at,
        at,
        done,
        outcome,
        status,
        error,
        who,
        seen,
        "",
    )


def confirms(after: Op, answers: Sequence[tuple[str, str, str]]) -> list[Op]:
    """Confirming reads of `after`'s object: (instance, outcome, seen) each, one after the other."""
    start = after.done_ns + 1
    return [
        op(
            "see",
            outcome,
            at=start + number,
            lasted=1,
            seen=seen,
            who=via,
            via=via,
            lane="confirm",
            session=after.session,
            obj=after.obj,
        )
        for number, (via, outcome, seen) in enumerate(answers)
    ]


def names(checker: PromiseChecker) -> list[str]:
    """Names of the anomalies so far, confirmed ones only."""
    return [known.name for known in checker.tally().anomalies if known.confirmed]


def run(checker: PromiseChecker, ops: Iterable[Op]) -> PromiseChecker:
    for each in ops:
        checker.feed(each)
    return checker
