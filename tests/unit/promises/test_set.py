"""What a session does with its cart, what the matrix asks of it, and which plans make no sense."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from chaoscheck import plugins
from chaoscheck.errors import PlanError
from chaoscheck.model.ops import Op, Outcome
from chaoscheck.phases.validate import validate
from chaoscheck.plan.load import load_plan
from chaoscheck.plan.steps import Promise
from chaoscheck.promises.base import Told
from chaoscheck.promises.set import SetKind
from chaoscheck.steps.calls import Done

SEE = {"get": "/cart", "values": "json:items[*]"}
ADDS = {"kind": "set", "do": {"post": "/cart", "json": {"sku": "$value"}}, "see": SEE}
BOTH = {**ADDS, "undo": {"delete": "/cart/$value"}}


@dataclass
class Carts:
    """A hand and a bench in one: carts by instance, removals that reach `told` only."""

    told: tuple[str, ...] = ("i", "j")
    session: str = "s"
    promise: str = "p"
    items: dict[str, list[str]] = field(default_factory=lambda: {"i": [], "j": []})
    actions: list[str] = field(default_factory=list)
    values: int = 0
    drawn: float = 0.5

    def _done(self, action: str, value: str, seen: str = "") -> Done:
        self.actions.append(action)
        op = Op(
            "r", "s", "p", action, "own", 1, 0, value, "user", "lb", True, 0, 0, 1, Outcome.OK, 200, "", "", seen, ""
        )
        return Done(op=op, reached=True, taken={})

    def new_value(self) -> str:
        self.values += 1
        return f"run.s.{self.values}"

    def do(self, value: str, on: str) -> Done:
        for items in self.items.values():
            items.append(on if on.startswith("run.") else value)
        return self._done("do", value)

    def see(self, value: str, on: str, *, fresh: bool = False) -> Done:
        return self._done("see", value, json.dumps(self.items.get(on, self.items["i"])))

    def undo(self, value: str, on: str) -> Done:
        value = on if on.startswith("run.") else value
        for name in self.told:
            self.items[name].remove(value)
        return self._done("undo", value)

    def wait(self, seconds: float) -> None:
        pass

    def draw(self) -> float:
        return self.drawn

    def alive(self) -> bool:
        return True


def kind(terms: dict[str, object]) -> SetKind:
    return SetKind(Promise.model_validate(terms))


@pytest.mark.parametrize("terms", [ADDS, BOTH])
def test_set_is_read_before_it_is_changed_and_stays_small(terms: dict[str, object]) -> None:
    """A change would hide what a death took; every object is read again at the end."""
    hand = Carts()
    for turn in range(200):
        hand.drawn = turn * 0.618 % 1
        kind(terms).turn(hand)  # type: ignore[arg-type]
    assert hand.actions[0::2].count("see") > 80
    assert all(before == "see" for before, now in zip(hand.actions, hand.actions[1:], strict=False) if now != "see")
    assert 2 < len(hand.items["i"]) < (12 if terms is BOTH else 80)


def pair(bench: Carts) -> Told | None:
    return kind(BOTH).pair(bench, "i", "j")  # type: ignore[arg-type]


def test_set_removal_that_every_instance_knows_of_holds() -> None:
    """Added here, seen there, removed here, gone there."""
    told = pair(Carts())
    assert told is not None
    assert told.holds


def test_set_removal_that_another_instance_does_not_know_of_is_resurrected() -> None:
    """And who removed it still knows."""
    told = pair(Carts(told=("i",)))
    assert told is not None
    assert (told.holds, told.anomaly, told.writer_has, told.healed) == (False, "RESURRECTED", True, False)


def test_set_without_undo_has_no_pair_of_its_own() -> None:
    """Nothing can be removed."""
    assert kind(ADDS).pair(Carts(), "i", "j") is None  # type: ignore[arg-type]


def test_set_shows_what_its_list_holds() -> None:
    """An element, not a part of its text; an empty list shows nothing."""
    shows = kind(ADDS).shows
    assert shows('["run.s.12","b"]', "b")
    assert not shows('["run.s.12"]', "run.s.1")
    assert not shows("[]", "b")


@pytest.mark.parametrize(
    ("cart", "said"),
    [
        ("{kind: set, do: {post: /c, json: {v: $value}}}", "needs see"),
        ("{kind: set, do: {post: /c, json: {v: $value}}, see: {get: /c}}", "how to read the elements"),
        ('{kind: set, do: {post: /c, json: {v: $value}}, see: {get: /c, value: "json:a"}}', "how to read the elements"),
        ('{kind: set, do: {post: /c}, see: {get: /c, values: "json:a[*]"}}', "do must say which element"),
        (
            '{kind: set, do: {post: "/c/$value"}, undo: {delete: /c}, see: {get: /c, values: "json:a[*]"}}',
            "undo must say which element",
        ),
        ('{kind: set, every: 2s, do: {post: "/c/$value"}, see: {get: /c, values: "json:a[*]"}}', "has no every"),
    ],
)
def test_set_that_can_not_be_judged_is_a_plan_error(cart: str, said: str, tmp_path: Path) -> None:
    """Found before anything starts, with the line."""
    plugins.load()
    path = tmp_path / "plan.yaml"
    path.write_text(f"target: {{image: service}}\npromises:\n  cart: {cart}\n")
    with pytest.raises(PlanError, match=said) as raised:
        validate(load_plan(path, environment={}))
    assert "plan.yaml:3" in str(raised.value.place)
