"""What a session does with tokens, what it asks of instances, and what a plan can't say of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chaoscheck import plugins
from chaoscheck.errors import PlanError
from chaoscheck.model.ops import Outcome
from chaoscheck.phases.validate import validate
from chaoscheck.plan.load import load_plan
from chaoscheck.plan.steps import Promise
from chaoscheck.promises.token import MOST, READ_BACK, TokenKind
from tests.unit.promises.test_kinds import FakeHand

BEARER = {"Authorization": "Bearer $key"}
TOKENS: dict[str, Any] = {
    "kind": "token",
    "do": {"post": "/tokens", "json": {"user": "$user"}, "take": {"key": "json:token"}},
    "see": {"get": "/whoami", "headers": BEARER, "value": "json:user", "expect": {"value": "$user"}},
    "undo": {"post": "/revoke", "headers": BEARER},
}


def kind(**said: Any) -> TokenKind:
    return TokenKind(Promise.model_validate({**TOKENS, **said}))


class Holder(FakeHand):
    """Knows what was minted and what was revoked, as a checker does."""

    def do(self, obj: str, value: str) -> Any:
        self.there.append(obj)
        return super().do(obj, value)

    def undo(self, obj: str, value: str) -> Any:
        self.there.remove(obj)
        self.ended.append(obj)
        return super().undo(obj, value)


def test_session_begins_with_a_token_of_its_own() -> None:
    """Named by the value of the call that minted it."""
    hand = Holder()
    kind().begin(hand)
    assert [(action, obj == value) for action, obj, value in hand.asked] == [("do", True)]


def test_what_a_death_put_at_risk_is_used_before_anything_changes() -> None:
    """Valid and revoked ones alike, a few a turn."""
    hand = Holder(there=["o1"], unread=[f"o{number}" for number in range(12)])
    kind().turn(hand)
    assert [obj for _, obj, _ in hand.asked[:READ_BACK]] == [f"o{number}" for number in range(READ_BACK)]
    assert set(hand.actions()[:READ_BACK]) == {"see"}
    assert "see" not in hand.actions()[READ_BACK:]


def test_every_turn_uses_a_valid_token_and_a_revoked_one() -> None:
    hand = Holder(there=["a"], ended=["b"])
    kind().turn(hand)
    assert {obj for action, obj, _ in hand.asked if action == "see"} == {"a", "b"}


def test_session_holds_few_tokens_however_long_it_lives() -> None:
    """Each is used through every instance at the end; some are revoked, and none of those is revoked again."""
    hand, tokens = Holder(), kind()
    for _ in range(3000):
        tokens.turn(hand)
    assert len(hand.there) + len(hand.ended) <= MOST
    assert hand.there
    assert hand.ended
    revoked = [obj for action, obj, _ in hand.asked if action == "undo"]
    assert len(revoked) == len(set(revoked))


def test_without_undo_no_token_is_revoked() -> None:
    hand = Holder()
    for _ in range(200):
        kind(undo=[]).turn(hand)
    assert "undo" not in hand.actions()


def test_session_that_ends_asks_nothing_more() -> None:
    hand = Holder(there=["a"], living=False)
    kind().turn(hand)
    kind().end(hand)
    assert hand.asked == []


def test_refused_token_makes_a_session_mint_another_one() -> None:
    """As a client would."""
    hand = Holder(outcomes=[Outcome.GONE])
    kind().turn(hand)
    assert hand.actions() == ["do"]


def test_only_what_see_sends_is_looked_into() -> None:
    """Other names that the mint takes stay with the service."""
    tokens = kind(do={"post": "/tokens", "take": {"key": "json:token", "mail": "json:mail"}})
    seen = tokens.inspect({"key": "opaque", "mail": "ann@shop.example"}, {"user": "ann"})
    assert seen is not None
    assert (seen.size, dict(seen.problems)) == (6, {})
    assert tokens.inspect({"mail": "ann@shop.example"}, {"user": "ann"}) is None


@pytest.mark.parametrize(("said", "size", "large"), [({}, 4096, False), ({}, 4097, True), ({"max_size": 9}, 10, True)])
def test_token_over_its_budget_is_too_large(said: dict[str, Any], size: int, large: bool) -> None:
    """4 kB where the plan says nothing; bytes, not letters."""
    seen = kind(**said).inspect({"key": "k" * (size - 2) + "é"}, {"user": "ann"})
    assert seen is not None
    assert seen.size == size
    assert ("TOO_LARGE" in seen.problems) is large


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"do": {"post": "/tokens"}}, "do must take the token"),
        ({"see": {"get": "/whoami"}}, "see must send what do takes ($key)"),
        ({"undo": {"post": "/revoke"}}, "undo must say which token it revokes"),
        ({"undo": [], "grace": "1s"}, "without undo there is none"),
        ({"see": []}, "needs see"),
        ({"do": []}, "needs do"),
        ({"deadline": "3s"}, "has no deadline"),
        ({"personal": ["$usr"]}, "personal uses $usr"),
        ({"personal": ["5 $"]}, "dollar that begins no name"),
        ({"max_size": "large"}, "size"),
    ],
)
def test_what_a_plan_cannot_say_of_tokens_is_refused_before_any_traffic(
    tmp_path: Path, said: dict[str, Any], problem: str
) -> None:
    """With the place in the file."""
    plugins.load()
    path = tmp_path / "plan.yaml"
    terms = {key: value for key, value in {**TOKENS, **said}.items() if value != []}
    path.write_text(
        "target: {image: service}\npromises:\n  api:\n"
        + "".join(f"    {key}: {_yaml(value)}\n" for key, value in terms.items())
    )
    with pytest.raises(PlanError) as refused:
        validate(load_plan(path, environment={}))
    assert problem in refused.value.message
    assert "plan.yaml:" in (refused.value.place or "")


def _yaml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_yaml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_yaml(item) for item in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)
