"""session, register, kept: what breaks them, what never does, and what confirming changes."""

from __future__ import annotations

import pytest

from chaoscheck.checkers.base import PromiseChecker
from chaoscheck.checkers.kept import KeptChecker
from chaoscheck.checkers.register import RegisterChecker
from chaoscheck.checkers.session import SessionChecker
from chaoscheck.model.ops import Op
from chaoscheck.model.verdict import Cause
from tests.unit.checkers.making import confirms, names, op, run

GONE = op("see", "gone", at=100)
ALL_GONE = [("web-1.1", "gone", ""), ("web-2.1", "gone", "")]
ALL_THERE = [("web-1.1", "ok", ""), ("web-2.1", "ok", "")]


@pytest.mark.parametrize("kind", [SessionChecker, KeptChecker])
def test_gone_after_acknowledged_and_confirmed_everywhere_lost(kind: type[PromiseChecker]) -> None:
    """An acknowledged login or object that no instance has."""
    checker = run(kind("p"), [op("do", "ok", at=0, value="v"), GONE, *confirms(GONE, ALL_GONE)])  # type: ignore[call-arg]
    assert names(checker) == ["LOST"]


@pytest.mark.parametrize("kind", [SessionChecker, KeptChecker])
def test_gone_but_back_at_confirming_flicker(kind: type[PromiseChecker]) -> None:
    """The user saw it, so it counts, with how long it took."""
    checker = kind("p")  # type: ignore[call-arg]
    run(checker, [op("do", "ok", at=0, value="v"), GONE, *confirms(GONE, [("web-2.1", "gone", ""), *ALL_THERE])])
    found = checker.tally().anomalies[0]
    assert (found.name, found.healed_ns) == ("FLICKER", GONE.done_ns + 1 + 2 + 1)


@pytest.mark.parametrize("kind", [SessionChecker, KeptChecker])
def test_gone_never_confirmed_stays_a_doubt(kind: type[PromiseChecker]) -> None:
    """Absence is conclusive only after confirmation; dropped re-reads confirm nothing."""
    dropped = [("web-1.1", "dropped", ""), ("web-2.1", "unrecognised", "")]
    checker = run(kind("p"), [op("do", "ok", at=0, value="v"), GONE, *confirms(GONE, dropped)])  # type: ignore[call-arg]
    assert names(checker) == []
    assert [known.confirmed for known in checker.tally().anomalies] == [False]


@pytest.mark.parametrize("outcome", ["dropped", "unrecognised"])
@pytest.mark.parametrize("kind", [SessionChecker, KeptChecker, RegisterChecker])
def test_answers_that_say_nothing_count_for_nothing(kind: type[PromiseChecker], outcome: str) -> None:
    """No doubt and no evidence."""
    checker = kind("p")  # type: ignore[call-arg]
    checker.feed(op("do", "ok", at=0, value="run.s1.1"))
    assert not checker.feed(op("see", outcome, at=20))
    assert checker.tally().anomalies == []


@pytest.mark.parametrize("kind", [SessionChecker, KeptChecker, RegisterChecker])
@pytest.mark.parametrize("outcome", ["unknown", "fail"])
def test_absence_after_a_write_that_is_not_certain_is_no_violation(kind: type[PromiseChecker], outcome: str) -> None:
    """An unknown write may land at any time, or never."""
    checker = kind("p")  # type: ignore[call-arg]
    checker.feed(op("do", outcome, at=0, value="run.s1.1"))
    assert not checker.feed(op("see", "gone", at=20))


@pytest.mark.parametrize("undone", ["ok", "unknown", "fail"])
def test_session_gone_after_logout_was_sent_is_no_violation(undone: str) -> None:
    """A logout may have landed whatever came of it."""
    checker = SessionChecker("login")
    run(checker, [op("do", "ok", at=0, value="v"), op("undo", undone, at=20)])
    assert not checker.feed(GONE)


def test_session_another_users_identity_is_critical_at_once() -> None:
    """Presence needs no confirmation."""
    checker = SessionChecker("login")
    checker.feed(op("do", "ok", at=0, value="v"))
    assert checker.feed(op("see", "unrecognised", at=20, seen="bob", error="wrong user"))
    found = checker.tally().anomalies[0]
    assert (found.name, found.critical, found.confirmed, found.seen) == ("WRONG_USER", True, True, "bob")


def test_kept_unknown_create_that_was_seen_and_is_gone_lost() -> None:
    """Once seen it is certain, though nobody acknowledged it."""
    checker = KeptChecker("p")
    seen = [op("do", "unknown", at=0, value="v"), op("see", "ok", at=20), GONE, *confirms(GONE, ALL_GONE)]
    run(checker, seen)
    found = checker.tally().anomalies[0]
    assert (found.name, found.guarantee) == ("LOST", "monotonic-reads")


WRITES = [op("do", "ok", at=0, value="run.s1.1"), op("do", "fail", at=20, value="run.s1.2"),
          op("do", "ok", at=40, value="run.s1.3")]  # fmt: skip


@pytest.mark.parametrize(
    ("seen", "name"),
    [("run.s1.1", "LOST"), ("run.s1.2", "ABORTED_READ"), ("run.s9.1", "CROSS_SESSION"), ("run.s1.7", "PHANTOM"),
     ("", "LOST")],
)  # fmt: skip
def test_register_reads_of_other_values_are_named(seen: str, name: str) -> None:
    """What was read says what went wrong."""
    read = op("see", "ok", at=100, seen=seen)
    confirmed = confirms(read, [("web-1.1", "ok", seen), ("web-2.1", "ok", seen)])
    assert names(run(RegisterChecker("p"), [*WRITES, read, *confirmed])) == [name]


def test_register_older_value_that_healed_stale() -> None:
    """Every instance shows the newest at last: late, not lost."""
    read = op("see", "ok", at=100, seen="run.s1.1")
    confirmed = confirms(read, [("web-1.1", "ok", "run.s1.3"), ("web-2.1", "ok", "run.s1.3")])
    checker = run(RegisterChecker("p"), [*WRITES, read, *confirmed])
    assert names(checker) == ["STALE"]
    assert checker.tally().anomalies[0].guarantee == "read-your-writes"


@pytest.mark.parametrize(
    ("shown", "name", "cause"),
    [
        (["run.s1.1", "run.s1.3"], "STALE", Cause.ONE_INSTANCE),
        (["run.s1.1", "run.s1.0"], "STALE", Cause.ONE_INSTANCE),
        (["run.s1.1", "run.s1.1"], "LOST", None),
        (["run.s1.1", ""], "LOST", None),
        ([], "STALE", None),
    ],
    ids=["one-has-the-newest", "copies-differ", "all-show-the-same", "one-has-none", "nobody-was-asked"],
)
def test_register_older_value_is_stale_where_instances_differ(shown: list[str], name: str, cause: Cause | None) -> None:
    """A copy that nobody told of the change is no loss; one older version everywhere is."""
    read = op("see", "ok", at=100, seen="run.s1.1")
    answers = [(f"web-{n}.1", "ok" if seen else "gone", seen) for n, seen in enumerate(shown, 1)]
    checker = run(RegisterChecker("p"), [*WRITES, read, *confirms(read, answers)])
    found = checker.tally().anomalies[0]
    assert (found.name, found.cause, found.confirmed) == (name, cause, bool(shown))


def test_register_one_loss_is_one_finding() -> None:
    """After a loss nothing is certain until the next acknowledged write."""
    read = op("see", "ok", at=100, seen="run.s1.1")
    confirmed = confirms(read, [("web-1.1", "ok", "run.s1.1"), ("web-2.1", "ok", "run.s1.1")])
    after = [op("see", "ok", at=at, seen=seen) for at, seen in ((200, "run.s1.1"), (220, "run.s1.3"), (240, ""))]
    assert names(run(RegisterChecker("p"), [*WRITES, read, *confirmed, *after])) == ["LOST"]


def test_register_overlapping_operations_make_it_inconclusive() -> None:
    """Which of two came last can't be told, so nothing is said of it, aloud."""
    checker = RegisterChecker("p")
    first, second = (
        op("do", "ok", at=0, value="run.s1.1", lasted=30),
        op("do", "ok", at=10, value="run.s1.2", lasted=50),
    )
    run(checker, [first, second])
    assert not checker.feed(op("see", "ok", at=100, seen="run.s1.1"))
    assert len(checker.tally().inconclusive) == 1


def test_final_reads_present_on_one_instance_and_gone_on_another_lost() -> None:
    """The last reads go through every instance: each one must have it."""
    answers = ((100, "ok", "web-1.1"), (120, "gone", "web-2.1"), (140, "ok", "web-3.1"))
    finals = [op("see", outcome, at=at, lane="final", via=who, who=who) for at, outcome, who in answers]
    checker = run(KeptChecker("p"), [op("do", "ok", at=0, value="v"), *finals])
    assert names(checker) == ["LOST"]


def test_doubts_of_one_value_are_one() -> None:
    """A value that every read misses and nobody re-read is one open doubt."""
    later: list[Op] = [op("see", "gone", at=at) for at in (100, 120, 140)]
    checker = run(KeptChecker("p"), [op("do", "ok", at=0, value="v"), *later])
    assert len(checker.tally().anomalies) == 1
