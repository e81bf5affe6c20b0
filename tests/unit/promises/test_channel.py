"""What a session, the controls, the matrix and a doubt do for a channel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from chaoscheck.model.clock import NS
from chaoscheck.model.heard import Heard
from chaoscheck.model.ops import Op, Outcome
from chaoscheck.plan.steps import Promise
from chaoscheck.promises.base import Confirms, Controls, Pairs
from chaoscheck.promises.channel import CIRCLES, OWN, ROUNDS, TRIES, ChannelKind
from chaoscheck.steps.calls import Done
from tests.unit.promises.test_kinds import FakeHand

PLAN = {"kind": "channel", "do": {"post": "/n"}, "see": {"websocket": "/ws", "value": "json:text"}}
ECHO = Promise.model_validate(PLAN)
READY = Promise.model_validate({**PLAN, "see": {**PLAN["see"], "expect": {"text": "ready"}}})  # type: ignore[dict-item]
OK, GONE, PENDING, DROPPED, FAIL = Outcome.OK, Outcome.GONE, Outcome.PENDING, Outcome.DROPPED, Outcome.FAIL
UNRECOGNISED = Outcome.UNRECOGNISED


def test_session_subscribes_before_it_publishes_and_listens_after() -> None:
    """Whatever is sent before one is subscribed is owed to nobody."""
    hand = FakeHand()
    ChannelKind(READY).begin(hand)
    assert hand.asked == [("see", OWN, ""), ("do", OWN, "run.s.1"), ("see", OWN, "run.s.1")]


def test_session_publishes_until_it_hears_itself_a_few_times() -> None:
    """The first echo shows that one is subscribed; a mute service is not asked for ever."""
    hand = FakeHand(outcomes=[OK, OK, PENDING] * 20)
    ChannelKind(ECHO).begin(hand)
    assert hand.actions() == ["see", "do", "see"] * CIRCLES


def test_stream_that_ended_is_opened_again_at_once() -> None:
    """And one that can't be is no reason to publish."""
    hand = FakeHand(outcomes=[DROPPED, OK, OK, OK])
    ChannelKind(READY).read_back(hand, OWN)
    assert hand.actions() == ["see", "see", "do", "see"]
    refused = FakeHand(outcomes=[UNRECOGNISED, UNRECOGNISED])
    ChannelKind(READY).read_back(refused, OWN)
    assert refused.actions() == ["see", "see"]


@pytest.mark.parametrize("outcome", [FAIL, Outcome.UNKNOWN])
def test_message_that_nobody_acknowledged_is_not_listened_for(outcome: Outcome) -> None:
    """It is owed to nobody."""
    hand = FakeHand(outcomes=[OK, outcome])
    ChannelKind(READY).read_back(hand, OWN)
    assert hand.actions() == ["see", "do"]


def test_some_turns_publish_twice_before_they_listen() -> None:
    """Else the order could never be wrong."""
    hand = FakeHand()
    for _ in range(40):
        ChannelKind(READY).turn(hand)
    twice = sum(pair == ("do", "do") for pair in zip(hand.actions(), hand.actions()[1:], strict=False))
    assert 3 <= twice <= 20


def test_session_that_should_end_does_nothing_more() -> None:
    """Not even subscribe."""
    hand = FakeHand(living=False)
    ChannelKind(READY).turn(hand)
    assert hand.asked == []


Delivers = Callable[[str, str, int], bool]


@dataclass(slots=True)
class Hall:
    """Instances that hand messages on as `delivers(published on, listened on, number)` says; no real time passes."""

    delivers: Delivers
    refuses: frozenset[str] = frozenset()
    session: str = "c0"
    now: int = 0
    made: int = 0
    said: list[tuple[str, str, int]] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    hung_up: int = 0
    on_own: str = "web-2.1"

    def new_value(self) -> str:
        self.made += 1
        return f"run.c0.{self.made}"

    def do(self, value: str, on: str) -> Done:
        self.said.append((value, on, len(self.said)))
        return self._done("do", value, on, OK, "")

    def see(self, value: str, on: str) -> Done:
        where = on or self.on_own
        if where in self.refuses:
            return self._done("see", value, where, UNRECOGNISED, "")
        if not value:
            self.open.append(where)
            return self._done("see", value, where, OK, "")
        came = any(value == one and self.delivers(by, where, number) for one, by, number in self.said)
        self.now += 0 if came else NS
        published = any(value == one for one, _, _ in self.said)
        outcome = OK if came else GONE if published else PENDING
        return self._done("see", value, where, outcome, Heard(0, (value,) if came else ()).text())

    def elsewhere(self) -> Hall:
        return self

    def hang_up(self) -> None:
        self.hung_up += 1

    def now_ns(self) -> int:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += int(seconds * NS)

    def _done(self, action: str, value: str, on: str, outcome: Outcome, seen: str) -> Done:
        error = "websocket refused: status 403" if outcome is UNRECOGNISED else ""
        op = Op("r", "c0", "p", action, OWN, 1, 0, value, "matrix", on, True, 0, self.now, self.now, outcome, 101,
                error, on, seen, error)  # fmt: skip
        return Done(op=op, reached=outcome is not UNRECOGNISED, taken={})


def everyone(by: str, on: str, number: int) -> bool:
    return True


def own_only(by: str, on: str, number: int) -> bool:
    return by == on


def nobody(by: str, on: str, number: int) -> bool:
    return False


def test_control_hears_what_was_published_and_not_what_was_not() -> None:
    """Both must be so before anything is believed."""
    kind, hall = ChannelKind(READY), Hall(everyone)
    assert isinstance(kind, Controls) and isinstance(kind, Pairs) and isinstance(kind, Confirms)
    (fail, failed), (hold, held) = kind.control(hall, "web-1.1")  # type: ignore[arg-type]
    assert (fail, failed.told - failed.missed) == ("fail", 0)
    assert (hold, held.told, held.missed) == ("hold", 2, 0)
    assert hall.hung_up == 1


@pytest.mark.parametrize(
    ("hall", "said"),
    [(Hall(nobody), ""), (Hall(everyone, refuses=frozenset({"web-1.1"})), "refused: status 403")],
    ids=["mute", "refused"],
)
def test_control_of_a_channel_that_shows_nothing_never_holds(hall: Hall, said: str) -> None:
    """With what was seen."""
    (_, _), (_, held) = ChannelKind(READY).control(hall, "web-1.1")  # type: ignore[arg-type]
    assert held.told > 0
    assert held.missed == held.told
    assert said in held.note
    assert len(hall.said) <= TRIES


def test_pair_that_hears_is_told_by_one_message() -> None:
    """Nothing more is asked, and every stream is closed."""
    hall = Hall(everyone)
    told = ChannelKind(READY).pair(hall, "web-1.1", "web-2.1")  # type: ignore[arg-type]
    assert told is not None and told.holds is True
    assert (len(hall.said), hall.hung_up, sorted(set(hall.open))) == (1, 2, ["web-1.1", "web-2.1"])


def test_pair_of_which_the_other_hears_nothing_is_deaf() -> None:
    """Its own instance has heard it all the while."""
    hall = Hall(own_only)
    told = ChannelKind(READY).pair(hall, "web-1.1", "web-2.1")  # type: ignore[arg-type]
    assert told is not None
    assert (told.holds, told.anomaly, told.writer_has, told.missed) == (False, "DEAF_INSTANCE", True, ROUNDS)
    own = ChannelKind(READY).pair(Hall(own_only), "web-1.1", "web-1.1")  # type: ignore[arg-type]
    assert own is not None and own.holds is True


def test_pair_that_nobody_hears_is_a_lost_message() -> None:
    """Not even the instance that took it."""
    told = ChannelKind(READY).pair(Hall(nobody), "web-1.1", "web-2.1")  # type: ignore[arg-type]
    assert told is not None
    assert (told.holds, told.anomaly, told.writer_has) == (False, "LOST_MESSAGE", False)


def test_pair_whose_reader_refuses_what_the_writer_grants_does_not_hold() -> None:
    """Who reconnects there hears nothing."""
    hall = Hall(everyone, refuses=frozenset({"web-2.1"}))
    told = ChannelKind(READY).pair(hall, "web-1.1", "web-2.1")  # type: ignore[arg-type]
    assert told is not None
    assert (told.holds, told.anomaly) == (False, "DEAF_INSTANCE")
    nowhere = Hall(everyone, refuses=frozenset({"web-1.1", "web-2.1"}))
    untold = ChannelKind(READY).pair(nowhere, "web-1.1", "web-2.1")  # type: ignore[arg-type]
    assert untold is not None and untold.holds is None


def test_pair_without_a_ready_message_is_proven_by_an_echo_first() -> None:
    """What is published before that shows nothing of the pair."""
    hall = Hall(own_only)
    told = ChannelKind(ECHO).pair(hall, "web-1.1", "web-2.1")  # type: ignore[arg-type]
    assert told is not None and told.anomaly == "DEAF_INSTANCE"
    assert [on for _, on, _ in hall.said[:2]] == ["web-2.1", "web-1.1"]


def test_doubt_is_asked_again_and_then_everyone_is_heard_by_everyone() -> None:
    """Late or lost first, then deaf or lost; all streams of it are closed."""
    hall = Hall(own_only)
    read = hall._done("see", "run.c0.0", "lb", GONE, Heard(0, ()).text()).op
    ChannelKind(READY).confirm(hall, read, ["web-1.1", "web-2.1"])
    assert [on for _, on, _ in hall.said] == ["web-1.1", "web-2.1"]
    assert (hall.open, hall.hung_up) == (["web-1.1", "web-2.1"], 2)
