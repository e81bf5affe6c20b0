"""Worked examples of each way in which a token's promise is broken, and of what is never a violation."""

from __future__ import annotations

from typing import Any

import pytest

from chaoscheck.checkers.base import Death
from chaoscheck.checkers.states import WRONG_USER
from chaoscheck.checkers.token import TokenChecker
from chaoscheck.model.ops import Op
from chaoscheck.plan.steps import Promise
from tests.unit.checkers.making import confirms, names, op, run

ACTIONS: dict[str, Any] = {"do": {"post": "/t"}, "see": {"get": "/w"}, "undo": {"post": "/r"}}
MINTED = op("do", "ok", at=0, value="o1")
REVOKED = op("undo", "ok", at=100, value="o1", who="web-2.1")


def token(grace: str | None = None) -> TokenChecker:
    return TokenChecker("p", Promise.model_validate({"kind": "token", "grace": grace, **ACTIONS}))


def see(outcome: str, at: int, who: str = "web-3.1", **more: str) -> Op:
    return op("see", outcome, at=at, who=who, value="o1", **more)


def everywhere(after: Op, *outcomes: str, **more: str) -> list[Op]:
    """Instances 1, 2, ... say so."""
    asked = [(f"web-{number}.1", outcome, "") for number, outcome in enumerate(outcomes, start=1)]
    return [each._replace(**more) for each in confirms(after, asked)]


def test_token_refused_though_valid_is_lost() -> None:
    """Its minter takes it, the other doesn't: it counts once everybody was asked."""
    checker, read = token(), see("gone", 50)
    assert [checker.feed(each) for each in (MINTED, read)] == [False, True]
    assert names(checker) == []
    run(checker, everywhere(read, "ok", "gone"))
    assert names(checker) == ["LOST"]
    assert not checker.healed("s1", "o1")


def test_token_refused_for_a_moment_flickered() -> None:
    """All take it again, but the user saw it refused."""
    read = see("gone", 50)
    assert names(run(token(), [MINTED, read, *everywhere(read, "ok", "ok")])) == ["FLICKER"]


@pytest.mark.parametrize(("later", "healed"), [("ok", False), ("gone", True)])
def test_token_accepted_after_its_revocation_keeps_that_name(later: str, healed: bool) -> None:
    """Whether it is refused in the end or not: it was accepted when it had no right to be."""
    read = see("ok", 200)
    checker = run(token(), [MINTED, REVOKED])
    assert checker.feed(read)
    run(checker, everywhere(read, later, "gone", later))
    found = checker.tally().anomalies
    assert [(one.name, one.acker, one.healed_ns >= 0) for one in found] == [("REVOKED_ACCEPTED", "web-2.1", healed)]
    assert {again.via for again in found[0].confirms if again.agrees} == (
        {"web-1.1", "web-2.1", "web-3.1"} if healed else {"web-2.1"}
    )


def test_token_broken_once_is_one_finding() -> None:
    """After it, nothing of that token is certain any more."""
    read = see("ok", 200)
    checker = run(token(), [MINTED, REVOKED, read, *everywhere(read, "ok", "ok")])
    assert not any(checker.feed(each) for each in (see("ok", 300), see("gone", 400)))
    assert checker.certain("s1") == checker.retired("s1") == []
    assert names(checker) == ["REVOKED_ACCEPTED"]


@pytest.mark.parametrize(("sent", "doubted"), [(106, False), (1_000_105, False), (1_000_106, True)])
def test_token_within_its_grace_may_be_accepted_or_not(sent: int, doubted: bool) -> None:
    """The grace counts from the acknowledgement (at 105) to when the use of it was sent."""
    checker = run(token("1ms"), [MINTED, REVOKED])
    assert checker.feed(see("ok", sent)) is doubted
    assert not run(token("1ms"), [MINTED, REVOKED]).feed(see("gone", sent))


@pytest.mark.parametrize("outcome", ["ok", "gone", "dropped", "unrecognised"])
def test_token_of_unknown_revocation_proves_nothing(outcome: str) -> None:
    """It may be valid, and it may stop being so at any time."""
    checker = run(token(), [MINTED, REVOKED._replace(outcome="unknown"), see("ok", 200)])
    assert not checker.feed(see(outcome, 300))
    assert checker.certain("s1") == checker.retired("s1") == []


def test_token_whose_revocation_was_refused_is_as_valid_as_before() -> None:
    """Nothing happened, certainly."""
    checker = run(token(), [MINTED, REVOKED._replace(outcome="fail")])
    assert checker.certain("s1") == ["o1"]
    assert not checker.feed(see("ok", 200))
    assert checker.feed(see("gone", 300))


@pytest.mark.parametrize("outcome", ["ok", "gone"])
def test_token_of_unknown_mint_is_never_certain(outcome: str) -> None:
    """Not even after its revocation: the mint may land later."""
    checker = run(token(), [MINTED._replace(outcome="unknown"), see("ok", 50)])
    assert not checker.feed(see(outcome, 60))
    run(checker, [REVOKED])
    assert not checker.feed(see(outcome, 200))


@pytest.mark.parametrize("before", [[MINTED], [MINTED, REVOKED]])
def test_token_that_gives_another_user_is_critical_at_once(before: list[Op]) -> None:
    """Valid or revoked; nobody needs to say it twice."""
    checker = run(token(), before)
    assert checker.feed(see("gone", 200, error=WRONG_USER, seen="bob"))
    assert [(one.name, one.critical, one.seen) for one in checker.tally().anomalies if one.confirmed] == [
        ("WRONG_USER", True, "bob")
    ]


def test_token_lists_valid_and_revoked_ones_apart() -> None:
    """Both are used at the end: the first must be accepted everywhere, the others refused."""
    checker = run(token(), [MINTED, op("do", "ok", at=10, value="o2", obj="o2"), REVOKED])
    assert (checker.certain("s1"), checker.retired("s1")) == (["o2"], ["o1"])
    assert checker.value_of("s1", "o1") == "o1"


def test_token_exposes_its_mint_and_then_its_revocation() -> None:
    """Each to the death of who acknowledged it, shown by another instance that accepts, or refuses."""
    checker = token()
    checker.died(Death("web-1.1", 1, 40, 1))
    checker.died(Death("web-2.1", 2, 150, 1))
    run(checker, [MINTED])
    assert checker.exposed("s1") == ["o1"]
    run(checker, [see("ok", 50), REVOKED])
    assert checker.exposed("s1") == ["o1"]
    assert (checker.tally().exposures, checker.tally().pending) == ({1: 1}, {2: 1})
    run(checker, [see("gone", 200)])
    assert (checker.tally().exposures, checker.tally().pending) == ({1: 1, 2: 1}, {})


def test_token_refused_within_its_grace_shows_that_the_revocation_lived_on() -> None:
    """Earlier than it had to; accepted within it shows nothing."""
    checker = token("1s")
    checker.died(Death("web-2.1", 2, 150, 1))
    run(checker, [MINTED, REVOKED, see("ok", 200)])
    assert checker.tally().exposures == {}
    run(checker, [see("gone", 300)])
    assert checker.tally().exposures == {2: 1}


def test_token_revocation_lost_with_its_instance_counts_as_lost() -> None:
    """The list was in its memory."""
    checker, read = token(), see("ok", 200)
    checker.died(Death("web-2.1", 2, 150, 1))
    run(checker, [MINTED, REVOKED, read, *everywhere(read, "ok")])
    assert checker.tally().lost == {2: 1}


def test_token_revoked_twice_exposes_nothing_more() -> None:
    """Who took the first revocation is not the only one who knows."""
    checker = token()
    checker.died(Death("web-2.1", 2, 150, 1))
    run(checker, [MINTED, REVOKED, op("undo", "ok", at=160, value="o1"), see("gone", 200)])
    assert checker.tally().exposures == {}
    assert checker.feed(see("ok", 300))
