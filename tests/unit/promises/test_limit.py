"""What a session does with its limit, how the matrix uses one up, and what a plan can't say of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from chaoscheck import plugins
from chaoscheck.checkers.budget import TrafficFold
from chaoscheck.checkers.coverage import coverage_gates
from chaoscheck.checkers.scan import Refusals, Seen, Share
from chaoscheck.checkers.timeline import timeline
from chaoscheck.errors import PlanError
from chaoscheck.model.clock import NS
from chaoscheck.model.ops import Op, Outcome
from chaoscheck.phases.validate import validate
from chaoscheck.plan.load import load_plan
from chaoscheck.plan.plan import Plan
from chaoscheck.plan.steps import Promise
from chaoscheck.promises.base import Bench, Controls, Pairs
from chaoscheck.promises.limit import TIMES_OVER, USERS, LimitKind
from chaoscheck.promises.register import RegisterKind
from chaoscheck.steps.calls import Done
from chaoscheck.traffic.volley import _writers
from tests.unit.promises.test_kinds import FakeHand

SEARCH: dict[str, Any] = {"kind": "limit", "allow": "3 per 2s", "do": {"get": "/search?q=$value"}}


def kind(**said: Any) -> LimitKind:
    return LimitKind(Promise.model_validate({**SEARCH, **said}))


@dataclass(slots=True)
class Counting:
    """Instances that admit `most` of each user, together or each (`apart`); every request takes a millisecond."""

    most: int = 3
    apart: bool = False
    shared: bool = False
    slow_s: float = 0.001
    user: int = 0
    counts: dict[tuple[int, str], int] = field(default_factory=dict)
    clock: list[int] = field(default_factory=lambda: [0])
    users: list[int] = field(default_factory=lambda: [0])

    @property
    def session(self) -> str:
        return f"c{self.user}"

    def new_value(self) -> str:
        return "v"

    def do(self, value: str, on: str) -> Done:
        key = (0 if self.shared else self.user, on if self.apart else "")
        self.counts[key] = self.counts.get(key, 0) + 1
        let_in = self.counts[key] <= self.most
        sent = self.clock[0]
        self.clock[0] += int(self.slow_s * NS)
        outcome, status = (Outcome.OK, 200) if let_in else (Outcome.FAIL, 429)
        op = Op(
            "r", self.session, "p", "do", "own", 1, 0, value, "matrix", on, True, sent, sent, self.clock[0], outcome,
            status, "" if let_in else "refused: status 429 isn't 200", on, "", "",
        )  # fmt: skip
        return Done(op=op, reached=True, taken={})

    def do_at_once(self, values: Sequence[str], on: str) -> list[Done]:
        return [self.do(value, on) for value in values]

    def newcomer(self) -> Counting:
        self.users[0] += 1
        return Counting(
            self.most, self.apart, self.shared, self.slow_s, self.users[0], self.counts, self.clock, self.users
        )

    def log_in(self, on: str) -> Done | None:
        return None

    def see(self, value: str, on: str, *, fresh: bool = False, given: Mapping[str, str] | None = None) -> Done:
        raise AssertionError("a limit is not seen")

    see_at_once = undo = elsewhere = hang_up = now_ns = wait = see


def bench(**said: Any) -> Bench:
    return Counting(**said)  # type: ignore[return-value]


def test_turn_asks_until_it_is_refused() -> None:
    """At once where the window hasn't passed, after the whole limit where it has."""
    for admitted in (0, 3):
        hand = FakeHand(outcomes=[Outcome.OK] * admitted + [Outcome.FAIL])
        kind().turn(hand)
        assert hand.actions() == ["do"] * (admitted + 1)


def test_request_of_unknown_end_is_no_refusal() -> None:
    hand = FakeHand(outcomes=[Outcome.UNKNOWN, Outcome.OK, Outcome.FAIL])
    kind().turn(hand)
    assert len(hand.asked) == 3


def test_turn_ends_somewhere_where_nobody_refuses() -> None:
    """And at once where the load has ended."""
    hand, late = FakeHand(), FakeHand(living=False)
    kind().turn(hand)
    kind().turn(late)
    assert (len(hand.asked), len(late.asked)) == (3 * TIMES_OVER, 0)


def test_death_is_followed_by_one_request_within_the_window() -> None:
    """A whole turn of every user would be a load of its own."""
    hand = FakeHand()
    kind().read_back(hand, "own")
    assert hand.actions() == ["do"]
    assert kind().hurry_s() == 0.5
    assert kind(allow="3 per 1h").hurry_s() == 1.5


def test_pace_follows_what_a_turn_asks_for() -> None:
    assert kind().requests_a_turn() == 4
    assert kind(window="bucket", burst=9).requests_a_turn() == 10


def test_kills_that_showed_nothing_are_made_up_for_by_later_ones() -> None:
    assert [LimitKind.kills_needed(kills, 6) for kills in (3, 6, 9)] == [3, 6, 6]


@pytest.mark.parametrize(
    ("service", "fail", "hold"),
    [
        ({}, False, True),
        ({"most": 1000}, True, True),
        ({"most": 0}, False, False),
        ({"shared": True}, False, False),
    ],
)
def test_control_needs_a_refusal_in_the_end_and_two_users_let_in(
    service: dict[str, Any], fail: bool, hold: bool
) -> None:
    """No limiter can't fail; one that lets nobody in, or counts all users as one, doesn't hold."""
    search = kind()
    assert isinstance(search, Controls)
    told = dict(search.control(bench(**service), "web-1.1"))
    assert (told["fail"].holds, told["hold"].holds) == (fail, hold)
    assert (told["fail"].missed == 0, told["hold"].missed == 0) == (fail, hold)


@pytest.mark.parametrize("window", ["sliding", "fixed", "bucket"])
@pytest.mark.parametrize(
    ("service", "there", "holds", "anomaly"),
    [
        ({}, "web-2.1", True, ""),
        ({}, "web-1.1", True, ""),
        ({"apart": True}, "web-2.1", False, "OVER_ADMIT"),
        ({"apart": True}, "web-1.1", True, ""),
        ({"most": 6}, "web-1.1", False, "OVER_ADMIT"),
        ({"most": 2}, "web-2.1", False, "OVER_REJECT"),
        ({"slow_s": 2.0, "most": 1000}, "web-2.1", None, ""),
    ],
)
def test_pair_uses_the_limit_up_here_and_is_refused_there(
    window: str, service: dict[str, Any], there: str, holds: bool | None, anomaly: str
) -> None:
    """What is slow enough to be within the limit tells nothing."""
    search = kind(window=window)
    assert isinstance(search, Pairs)
    told = search.pair(bench(**service), "web-1.1", there)
    assert told is not None
    assert (told.holds, told.anomaly) == (holds, anomaly), told.note
    if anomaly == "OVER_ADMIT":
        assert told.writer_has
        assert told.session


def test_fixed_window_must_be_exceeded_by_several_users_in_a_row() -> None:
    """Once it may have ended in between."""
    service = Counting(apart=True)
    kind(window="fixed").pair(service, "web-1.1", "web-2.1")  # type: ignore[arg-type]
    assert service.users == [USERS]


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"allow": None}, "a limit needs allow"),
        ({"allow": "many"}, "write allow as '5 per 2s'"),
        ({"burst": 9}, "burst is for window: bucket"),
        ({"of": "value"}, "has no of"),
        ({"allow": "1000 per 1s"}, "too many requests to reach"),
        ({"see": {"get": "/search"}}, "has no see"),
        ({"do": []}, "needs do"),
        ({"every": "2s"}, "has no every"),
    ],
)
def test_what_a_plan_cannot_say_of_a_limit_is_refused_before_any_traffic(
    tmp_path: Path, said: dict[str, Any], problem: str
) -> None:
    """With the place in the file."""
    plugins.load()
    path = tmp_path / "plan.yaml"
    lines = [f"    {key}: {_yaml(value)}\n" for key, value in {**SEARCH, **said}.items() if value is not None]
    path.write_text("target: {image: service}\npromises:\n  search:\n" + "".join(lines))
    with pytest.raises(PlanError) as refused:
        validate(load_plan(path, environment={}))
    assert problem in refused.value.message
    assert "plan.yaml:" in (refused.value.place or "")


@pytest.mark.parametrize(("promise", "gates"), [("search", 0), ("note", 1)])
def test_more_refusals_under_kills_are_no_finding_where_they_are_promised(promise: str, gates: int) -> None:
    """Anything else that is refused more often is."""
    plugins.load()
    note = {"kind": "kept", "do": {"post": "/notes"}, "see": {"get": "/notes"}}
    plan = Plan.model_validate({"target": {"image": "service"}, "promises": {"search": SEARCH, "note": note}})
    known = timeline([])
    seen = Seen(traffic=TrafficFold(known))
    seen.refusals[promise, "do"] = Refusals(Share(100, 1), Share(100, 50))
    found = [gate.name for gate in coverage_gates(plan, known, seen)]
    assert sum("is accepted under kills" in name for name in found) == gates


def test_volleys_leave_limits_alone_where_there_is_something_else_to_write() -> None:
    """A refusal in a burst would be an acknowledgement less."""
    register = RegisterKind(Promise.model_validate({"kind": "register", "do": {"put": "/x"}, "see": {"get": "/x"}}))
    hands = [SimpleNamespace(promise=one.name, kind=one) for one in (kind(), register)]
    for present, writers in ((hands, ["register"]), (hands[:1], ["limit"])):
        session: Any = SimpleNamespace(hands=present, login=None)
        assert [hand.promise for hand in _writers(session)] == writers


def _yaml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f'{key}: "{item}"' for key, item in value.items()) + "}"
    return f'"{value}"' if isinstance(value, str) else str(value)
