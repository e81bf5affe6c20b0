"""What a session does for each kind of promise."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from chaoscheck.model.ops import Op, Outcome
from chaoscheck.plan.steps import Promise
from chaoscheck.promises.base import Hand, Kind
from chaoscheck.promises.kept import READ_BACK, KeptKind
from chaoscheck.promises.register import RegisterKind
from chaoscheck.promises.session import TRIES, SessionKind
from chaoscheck.steps.calls import Done


@dataclass(slots=True)
class FakeHand:
    """Answers what it was given, and keeps what it was asked."""

    promise: str = "p"
    outcomes: list[Outcome] = field(default_factory=list)
    there: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    living: bool = True
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    stream: random.Random = field(default_factory=lambda: random.Random(1))

    def _answer(self, action: str, obj: str, value: str) -> Done:
        self.asked.append((action, obj, value))
        outcome = self.outcomes.pop(0) if self.outcomes else Outcome.OK
        op = Op(
            "r", "s", self.promise, action, obj, 1, 0, value, "user", "lb", True, 0, 0, 1, outcome, 200, "", "", "", ""
        )
        return Done(op=op, reached=True, taken={})

    def do(self, obj: str, value: str) -> Done:
        return self._answer("do", obj, value)

    def see(self, obj: str, value: str) -> Done:
        return self._answer("see", obj, value)

    def undo(self, obj: str, value: str) -> Done:
        return self._answer("undo", obj, value)

    def ledger(self, obj: str, value: str) -> Done:
        return self._answer("ledger", obj, value)

    def new_value(self) -> str:
        return f"run.s.{len(self.asked)}"

    def awaited(self) -> list[str]:
        return list(self.waiting)

    def certain(self) -> list[str]:
        return list(self.there)

    def retired(self) -> list[str]:
        return list(self.ended)

    def exposed(self) -> list[str]:
        return list(self.unread)

    def draw(self) -> float:
        return self.stream.random()

    def alive(self) -> bool:
        return self.living

    def actions(self) -> list[str]:
        return [action for action, _, _ in self.asked]


TERMS = Promise.model_validate({"kind": "kept", "do": {"post": "/x"}, "see": {"get": "/x"}})


def test_a_login_of_unknown_end_is_read_before_it_is_tried_again() -> None:
    """It may have worked; a second login would then hide what became of the first."""
    hand = FakeHand(outcomes=[Outcome.UNKNOWN, Outcome.OK])
    SessionKind(TERMS).begin(hand)
    assert hand.actions() == ["do", "see"]


def test_a_login_is_tried_a_few_times_and_then_left() -> None:
    """Refusals end it; nobody hammers."""
    hand = FakeHand(outcomes=[Outcome.FAIL] * 10)
    SessionKind(TERMS).begin(hand)
    assert hand.actions() == ["do"] * TRIES


def test_who_is_logged_out_logs_in_again() -> None:
    """As a user would; an answer that says nothing is no reason to."""
    gone, dropped = FakeHand(outcomes=[Outcome.GONE]), FakeHand(outcomes=[Outcome.DROPPED])
    for hand in (gone, dropped):
        SessionKind(TERMS).turn(hand)
    assert (gone.actions(), dropped.actions()) == (["see", "do"], ["see"])


def test_a_session_ends_with_a_logout() -> None:
    """The plan's undo."""
    hand = FakeHand()
    SessionKind(TERMS).end(hand)
    assert hand.actions() == ["undo"]


def test_a_register_is_read_before_it_is_written() -> None:
    """Else a write would hide what a death lost; each write carries a new value to the same object."""
    hand = FakeHand()
    for _ in range(2):
        RegisterKind(TERMS).turn(hand)
    assert hand.actions() == ["see", "do", "see", "do"]
    writes = [(obj, value) for action, obj, value in hand.asked if action == "do"]
    assert writes[0][0] == writes[1][0]
    assert writes[0][1] != writes[1][1]


def test_a_kept_object_is_named_by_the_value_that_made_it() -> None:
    """A new one at each write."""
    hand = FakeHand()
    KeptKind(TERMS).turn(hand)
    assert hand.asked == [("do", "run.s.0", "run.s.0")]
    assert KeptKind(TERMS).object_of("s", "v") == "v"


def test_what_a_death_exposed_is_read_first_a_few_a_turn() -> None:
    """And before anything is written."""
    hand = FakeHand(there=[f"o{n}" for n in range(20)], unread=[f"o{n}" for n in range(12)])
    KeptKind(TERMS).turn(hand)
    assert hand.asked[:READ_BACK] == [("see", f"o{n}", f"o{n}") for n in range(READ_BACK)]
    assert "see" not in hand.actions()[READ_BACK:]


def test_kept_objects_grow_ever_more_slowly() -> None:
    """Each is read again at the end, so a long session must not make thousands."""
    hand = FakeHand()
    for _ in range(1000):
        before = len(hand.asked)
        KeptKind(TERMS).turn(hand)
        hand.there += [obj for action, obj, _ in hand.asked[before:] if action == "do"]
    assert 50 < len(hand.there) < 150


def test_a_session_that_should_end_writes_nothing_more() -> None:
    """The load's end comes between two operations of a turn."""
    for kind in (RegisterKind(TERMS), KeptKind(TERMS)):
        hand = FakeHand(living=False)
        kind.turn(hand)
        assert "do" not in hand.actions()


def test_the_fake_hand_is_a_hand_and_kinds_are_kinds() -> None:
    """The protocols hold for what these tests use (checked by mypy, used here)."""
    hand: Hand = FakeHand()
    kinds: list[Kind] = [SessionKind(TERMS), RegisterKind(TERMS), KeptKind(TERMS)]
    assert [kind.name for kind in kinds] == ["session", "register", "kept"]
    assert hand.alive()
