"""A performer that listens: what is recorded, in which order, and what each outcome rests on."""

from __future__ import annotations

import json
from itertools import count

import pytest

from chaoscheck.model.clock import NS
from chaoscheck.model.heard import Heard, read_heard
from chaoscheck.model.ops import Lane, Op, Outcome
from chaoscheck.model.places import Address
from chaoscheck.plan.plan import Target
from chaoscheck.plan.steps import Promise
from chaoscheck.steps.base import Answer, Said, Trouble, Wire
from chaoscheck.steps.calls import Call, Done
from chaoscheck.steps.client import Client
from chaoscheck.steps.jar import Jar
from chaoscheck.steps.listen import ECHOES, LATER_S, OTHERS, PROBE_S
from chaoscheck.steps.perform import Exchange, Performer

MS = NS // 1000
SEE = {"websocket": "/ws", "value": "json:text"}
PLAN = {"kind": "channel", "within": "1s", "do": {"post": "/n", "json": {"text": "$value"}, "expect": 202}, "see": SEE}
READY = {**PLAN, "see": {**SEE, "expect": {"text": "ready"}}}


class FakeClock:
    """Moves only when someone waits or sends."""

    def __init__(self) -> None:
        self.now = 1000 * MS

    def now_ns(self) -> int:
        return self.now

    def wait_until_ns(self, when_ns: int) -> None:
        self.now = max(self.now, when_ns)


class Scripted:
    """A stream whose messages are known beforehand: (when, text)."""

    def __init__(self, clock: FakeClock, answer: Answer, ends_ns: int) -> None:
        self.clock, self.answer, self.ends_ns = clock, answer, ends_ns
        self.coming: list[tuple[int, str]] = []
        self.closed = False

    @property
    def alive(self) -> bool:
        return self.answer.status == 101 and not self.closed and self.clock.now < self.ends_ns

    def recv(self, until_ns: int) -> Said | None:
        if self.coming and self.coming[0][0] <= max(until_ns, self.clock.now) and self.coming[0][0] < self.ends_ns:
            at, text = self.coming.pop(0)
            self.clock.wait_until_ns(at)
            return Said(at, text)
        self.clock.wait_until_ns(min(until_ns, self.ends_ns))
        return None

    def close(self) -> None:
        self.closed = True


class Wires:
    """A transport with streams; `status` is what the next upgrade is answered, `delay_s` how long messages take."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.streams: list[Scripted] = []
        self.asked: list[tuple[str, Wire]] = []
        self.status, self.write, self.ends_ns, self.greeting, self.delay_s = 101, 202, 1 << 60, "", 0.01
        self.log: list[str] = []

    def send(self, address: Address, wire: Wire, *, fresh: bool = False) -> Answer:
        self.log.append("send")
        sent_ns = self.clock.now
        self.clock.now += 5 * MS
        for stream in self.streams:
            if self.delay_s >= 0:
                stream.coming.append((sent_ns + int(self.delay_s * NS), wire.body.decode()))
        return Answer(self.write, (), b"{}", Trouble.NONE, True, sent_ns, self.clock.now)

    def open(self, address: Address, wire: Wire, kind: str) -> Scripted:
        self.log.append("open")
        self.asked.append((kind, wire))
        self.clock.now += 5 * MS
        named = (("X-Chaoscheck-Instance", "web-2.1"), ("Set-Cookie", "seen=chocolate"))
        answer = Answer(self.status, named, b"no entry", Trouble.NONE, True, self.clock.now - 5 * MS, self.clock.now)
        stream = Scripted(self.clock, answer, self.ends_ns)
        if self.greeting:
            stream.coming.append((self.clock.now + MS, self.greeting))
        self.streams.append(stream)
        return stream

    def close(self) -> None:
        """Nothing is held."""


class Entry:
    def pick(self, attempt: int) -> tuple[str, Address]:
        return "lb", Address("lb", 80)

    def another(self, attempt: int) -> bool:
        return False


class Desk:
    """One session at a performer, and the journal of what it did."""

    def __init__(self, plan: dict[str, object] = PLAN) -> None:
        self.clock = FakeClock()
        self.wires = Wires(self.clock)
        self.rows: list[tuple[str, Op]] = []
        self.shown: list[Exchange] = []
        rids = count(1)
        self.performer = Performer(
            {"p": Promise.model_validate(plan)},
            Target.model_validate({"image": "x"}),
            "http://shop.test",
            self.wires,
            self,
            self.clock,
            lambda: f"r{next(rids)}",
            watch=self.shown.append,
        )
        self.client = Client(session="s1", jar=Jar("http://shop.test"))

    def invoke(self, op: Op) -> None:
        self.rows.append(("invoke", op))
        self.wires.log.append("invoke")

    def done(self, op: Op) -> None:
        self.rows.append(("done", op))

    def _call(self, action: str, value: str, lane: Lane) -> Done:
        call = Call(promise="p", action=action, obj="own", value=value, seq=1, lane=lane, intended_ns=self.clock.now)
        return self.performer.perform(call, self.client, Entry())

    def do(self, number: int) -> Done:
        return self._call("do", f"run.s1.{number}", Lane.USER)

    def see(self, number: int | None = None, lane: Lane = Lane.USER) -> Done:
        return self._call("see", "" if number is None else f"run.s1.{number}", lane)

    def ended(self, judged: bool) -> list[Op]:
        return [op for word, op in self.rows if word == "done" and op.judged is judged]


def ready_desk() -> Desk:
    desk = Desk(READY)
    desk.wires.greeting = "ready"
    assert desk.see().reached
    return desk


def test_subscribing_is_a_request_that_prepares_and_is_on_disk_first() -> None:
    """Recorded like any request, with the instance that serves it; its cookies are kept."""
    desk = Desk()
    done = desk.see()
    assert (done.reached, done.op.outcome, done.op.status, done.op.incarnation) == (True, "ok", 101, "web-2.1")
    assert desk.wires.log == ["invoke", "open"]
    assert [op.judged for _, op in desk.rows] == [False, False]
    kind, wire = desk.wires.asked[0]
    assert (kind, wire.method, wire.path, dict(wire.headers)["Origin"]) == (
        "websocket",
        "GET",
        "/ws",
        "http://shop.test",
    )
    assert desk.client.jar.value("seen") == "chocolate"


def test_being_subscribed_already_asks_for_nothing() -> None:
    """No request, and no row."""
    desk = ready_desk()
    rows = len(desk.rows)
    assert desk.see().op.outcome == Outcome.OK
    assert (len(desk.rows), len(desk.wires.streams)) == (rows, 1)


def test_message_that_is_heard_is_ok_since_it_was_sent() -> None:
    """One who was subscribed has listened from the sending on; the instance that served it is named."""
    desk = ready_desk()
    sent = desk.do(1).op
    op = desk.see(1).op
    assert (op.outcome, op.judged, op.incarnation, op.status) == ("ok", True, "web-2.1", 101)
    assert op.sent_ns == sent.sent_ns
    assert op.done_ns >= sent.done_ns
    told = read_heard(op.seen)
    assert told is not None and told.values == ("run.s1.1",)
    assert 0 < told.since_ns <= sent.sent_ns
    assert json.loads(desk.shown[-1].text) == {"text": "run.s1.1"}


def test_message_that_is_overdue_on_a_living_subscription_is_gone() -> None:
    """Not a moment before `within` is over after the acknowledgement."""
    desk = ready_desk()
    desk.wires.delay_s = -1
    sent = desk.do(1).op
    op = desk.see(1).op
    assert (op.outcome, op.incarnation) == ("gone", "web-2.1")
    assert op.done_ns == sent.done_ns + NS
    assert "web-2.1" in op.excerpt


def test_message_missed_by_a_stream_that_ended_is_dropped() -> None:
    """And the next listening subscribes anew, of which nothing sent before is expected."""
    desk = Desk(READY)
    desk.wires.greeting, desk.wires.ends_ns = "ready", desk.clock.now + 200 * MS
    desk.see()
    desk.wires.delay_s = -1
    desk.do(1)
    op = desk.see(1).op
    assert (op.outcome, op.status, op.incarnation) == ("dropped", 0, "")
    desk.wires.ends_ns = 1 << 60
    began = desk.clock.now
    again = desk.see(1).op
    assert (again.outcome, len(desk.wires.streams)) == ("pending", 2)
    assert desk.clock.now - began < 50 * MS


def test_what_came_before_the_end_was_heard() -> None:
    """But of what didn't nobody knows until when it could have come."""
    desk = Desk(READY)
    desk.wires.greeting, desk.wires.ends_ns = "ready", desk.clock.now + 100 * MS
    desk.see()
    desk.do(1)
    desk.clock.now += 500 * MS
    op = desk.see(1).op
    assert op.outcome == "ok"
    assert read_heard(op.seen) == Heard(-1, ("run.s1.1",))


def test_without_a_ready_message_the_first_echo_shows_that_one_is_subscribed() -> None:
    """The granted upgrade doesn't: what is not heard before it is pending, after a short wait."""
    desk = Desk()
    desk.see()
    desk.wires.delay_s = -1
    sent = desk.do(1).op
    op = desk.see(1).op
    assert op.outcome == "pending"
    assert read_heard(op.seen) == Heard(-1, ())
    assert op.done_ns == pytest.approx(sent.done_ns + PROBE_S * NS, abs=MS)
    desk.wires.delay_s = 0.01
    desk.do(2)
    told = read_heard(desk.see(2).op.seen)
    assert told is not None and told.since_ns > sent.done_ns


def test_stream_that_never_brings_an_echo_is_unrecognised_and_given_up() -> None:
    """It shows nothing, however often one publishes."""
    desk = Desk()
    desk.see()
    desk.wires.delay_s = -1
    outcomes = []
    for number in range(1, 12):
        desk.do(number)
        outcomes.append(desk.see(number).op.outcome)
    assert set(outcomes[:7]) == {"pending"}
    assert "unrecognised" in outcomes
    assert len(desk.wires.streams) > 1
    assert desk.wires.streams[0].closed
    assert ECHOES * 1.0 > PROBE_S


def test_ready_message_that_never_comes_is_unrecognised() -> None:
    """Within the time that a message may take."""
    desk = Desk(READY)
    done = desk.see()
    assert not done.reached
    assert (done.op.outcome, done.op.judged, done.op.error) == ("unrecognised", True, "no ready message within 1 s")
    assert desk.wires.streams[0].closed


@pytest.mark.parametrize(("status", "outcome"), [(403, "unrecognised"), (404, "unrecognised"), (503, "dropped")])
def test_refused_stream_is_no_evidence(status: int, outcome: str) -> None:
    """Recorded with what was answered; the service's own trouble is no answer."""
    desk = Desk()
    desk.wires.status = status
    done = desk.see(1)
    assert (done.reached, done.op.outcome) == (False, outcome)
    judged = [op.outcome for op in desk.ended(True)]
    assert judged == (["unrecognised"] if outcome == "unrecognised" else [])
    if judged:
        assert "no entry" in desk.ended(True)[0].excerpt


def test_message_heard_while_listening_for_another_is_not_waited_for() -> None:
    """Whichever is asked for first."""
    desk = ready_desk()
    desk.do(1)
    desk.do(2)
    assert desk.see(2).op.outcome == "ok"
    began = desk.clock.now
    assert desk.see(1).op.outcome == "ok"
    assert desk.clock.now == began


def test_same_message_asked_for_again_is_listened_for_a_while_longer() -> None:
    """That tells late from lost."""
    desk = ready_desk()
    desk.wires.delay_s = 1.5
    desk.do(1)
    assert desk.see(1).op.outcome == "gone"
    began = desk.clock.now
    again = desk.see(1, Lane.CONFIRM).op
    assert (again.outcome, again.lane) == ("ok", "confirm")
    assert desk.clock.now == began + int(LATER_S * NS)


def test_message_of_unknown_end_is_pending_at_most() -> None:
    """Nobody acknowledged it, so it is never missed."""
    desk = ready_desk()
    desk.wires.write, desk.wires.delay_s = 500, -1
    assert desk.do(1).op.outcome == "unknown"
    assert desk.see(1).op.outcome == "pending"


def test_values_of_others_are_told_but_few() -> None:
    """A public channel brings thousands; texts that no user of this run wrote aren't told at all."""
    desk = ready_desk()
    stream = desk.wires.streams[0]
    stream.coming = [(desk.clock.now, json.dumps({"text": f"run.s9.{n}"})) for n in range(100)]
    stream.coming += [(desk.clock.now, '{"text": "weather"}'), (desk.clock.now, "not json")]
    desk.do(1)
    told = read_heard(desk.see(1).op.seen)
    assert told is not None
    assert told.values[-1] == "run.s1.1"
    assert len(told.values) == OTHERS + 1


def test_steps_before_the_stream_are_done_when_it_is_opened_only() -> None:
    """A ticket for each listening would be a load that no user makes."""
    ticket = {"post": "/ticket", "expect": 202}
    desk = Desk({**PLAN, "see": [ticket, SEE]})
    desk.see()
    desk.do(1)
    desk.see(1)
    assert desk.wires.log.count("send") == 2


def test_hanging_up_closes_what_is_open_and_copies_have_nothing_open() -> None:
    """A copy is another browser: its streams are its own."""
    desk = ready_desk()
    assert desk.client.copy().ears == {}
    desk.performer.hang_up(desk.client, ended=True)
    assert desk.wires.streams[0].closed
    assert desk.client.ears == {}
    assert desk.see().reached
    assert len(desk.wires.streams) == 2


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"since": "x", "heard": []}', '{"since": 1, "heard": 2}'])
def test_what_is_no_listening_is_not_read_as_one(text: str) -> None:
    """Hostile or damaged histories included."""
    assert read_heard(text) is None
    assert read_heard(Heard(5, ("a", "b")).text()) == Heard(5, ("a", "b"))
