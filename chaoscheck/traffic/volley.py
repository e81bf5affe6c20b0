"""Writes aimed straight at the instance that is about to die, so that its last acknowledgements are put to the test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from chaoscheck.model.clock import NS, Clock
from chaoscheck.model.ops import Lane, Outcome
from chaoscheck.model.places import Address
from chaoscheck.steps.calls import Done, Router
from chaoscheck.traffic.base import Message, Volley, VolleyOver, VolleyReady
from chaoscheck.traffic.routes import Straight
from chaoscheck.traffic.session import Session, SessionHand

READY_S = 4.0
"""So long the sessions of a volley may take to log in and write once; then it begins with those that did, or with the
first one that does."""
TURNS_AFTER = 2
BURST_RATE = 400.0
"""Writes a second, all clients of a burst together: enough to have one acknowledged in the last 3 ms, and few enough
that they can be read back within seconds."""
MAKES = 100
"""After so many writes (2 s) a client of a burst only overwrites: a victim that won't die must not fill the service."""
BURST = "burst"


class Field(Protocol):
    """What a volley needs of the worker."""

    worker: str
    clock: Clock
    turn_s: float
    loading: bool
    instances: dict[str, Address]
    dead: set[str]

    def open_session(self, lane: Lane, router: Router) -> Session | None: ...

    def close_session(self, session: Session, why: str) -> None: ...

    def user_router(self, session: Session) -> Router: ...

    def spawn(self, task: Callable[[], None]) -> object: ...

    def send(self, message: Message) -> None: ...


class Aim:
    """One volley under way."""

    def __init__(self, field: Field, volley: Volley) -> None:
        self._field = field
        self._volley = volley
        self._waiting = volley.clients
        self._running = volley.clients
        self._ready = 0
        self._begun = False
        self._late = False
        self._acked = 0

    def begin(self) -> None:
        """Start all clients; VolleyReady and VolleyOver follow, with nobody aboard if the victim isn't known."""
        if self._volley.victim not in self._field.instances or not self._volley.clients:
            self._say_ready()
            self._say_over()
            return
        for index in range(self._volley.clients):
            self._field.spawn(partial(self._client, index))
        self._field.spawn(self._hasten)

    def _client(self, index: int) -> None:
        victim = Straight(self._volley.victim, self._field.instances[self._volley.victim])
        burst = self._volley.mode == BURST
        session = self._field.open_session(Lane.BURST if burst else Lane.INFLIGHT, victim)
        if session is not None:
            # Streams end with the victim: who is to hear of its last messages listens where any user may.
            session.client.listens = self._field.user_router(session)
        ready = session is not None and session.begin() and (not burst or self._first(session))
        self._arrived(ready)
        if session is not None and ready:
            session.busy = True
            self._hold(session, index) if burst else self._shoot(session, index)
            session.busy = False
        self._left()
        if session is not None:
            self._live_on(session)

    def _hold(self, session: Session, index: int) -> None:
        """Keep writing until the victim refuses, or time is up (nobody dies in a sham)."""
        rota = Rota(_writers(session), session.draw)
        gap_ns = int(self._volley.clients / BURST_RATE * NS)
        now_ns = self._field.clock.now_ns()
        # Clients in step would all write at once and then be silent: what a death takes would be seen in steps as wide.
        next_ns = now_ns + (int(index / BURST_RATE * NS) - now_ns) % gap_ns
        while self._wanted():
            self._field.clock.wait_until_ns(next_ns)
            next_ns += gap_ns
            hand = rota.next()
            if hand is None:
                continue
            done = self._write(hand)
            if done.op.outcome == Outcome.FAIL and not done.op.status:
                return

    def _shoot(self, session: Session, index: int) -> None:
        """One write at its drawn moment."""
        offsets = self._volley.offsets_ns
        at_ns = self._volley.start_ns + (offsets[index % len(offsets)] if offsets else 0)
        session.aim(at_ns)
        hands = _writers(session)
        # Another promise is first at each strike, so that each of many has its turn.
        self._write(hands[(index + self._volley.strike) % len(hands)])

    def _live_on(self, session: Session) -> None:
        """Go on as a normal session for a turn or two, which reads back what the death exposed."""
        field = self._field
        session.lane = Lane.USER
        session.router = field.user_router(session)
        now_ns = field.clock.now_ns()
        session.next_ns = now_ns + int(session.draw() * NS)
        session.until_ns = now_ns + int(TURNS_AFTER * field.turn_s * NS)
        why = session.turns() if session.client.logged_in or session.login is None else "login failed"
        field.close_session(session, why)

    def _first(self, session: Session) -> bool:
        session.busy = True
        oks = [self._write(hand).op.outcome == Outcome.OK for hand in _writers(session)]
        session.busy = False
        return all(oks)

    def _write(self, hand: SessionHand) -> Done:
        value = hand.new_value()
        done = hand.do(hand.kind.object_of(hand.session_id, value), value)
        if done.reached and done.op.outcome == Outcome.OK:
            self._acked += 1
        return done

    def _wanted(self) -> bool:
        field = self._field
        return field.loading and self._volley.victim not in field.dead and field.clock.now_ns() < self._volley.until_ns

    def _arrived(self, ready: bool) -> None:
        self._waiting -= 1
        self._ready += ready
        if not self._waiting or (self._late and ready):
            self._say_ready()

    def _left(self) -> None:
        self._running -= 1
        if not self._running:
            self._say_ready()
            self._say_over()

    def _hasten(self) -> None:
        self._field.clock.wait_until_ns(self._field.clock.now_ns() + int(READY_S * NS))
        self._late = True
        if self._ready:
            self._say_ready()

    def _say_ready(self) -> None:
        if not self._begun:
            self._begun = True
            self._field.send(VolleyReady(worker=self._field.worker, strike=self._volley.strike, clients=self._ready))

    def _say_over(self) -> None:
        self._field.send(VolleyOver(worker=self._field.worker, strike=self._volley.strike, acked=self._acked))


class Rota:
    """Whose write is next in a burst: most take turns, heavy ones come in their share of all of them.

    When a heavy one is first due is drawn, so that the clients of a burst don't all write it at once.
    """

    def __init__(self, hands: Sequence[SessionHand], draw: Callable[[], float]) -> None:
        self._light = [hand for hand in hands if hand.kind.burst_share >= 1]
        self._heavy = [hand for hand in hands if hand.kind.burst_share < 1]
        self._due = [draw() for _ in self._heavy]
        self._turn = 0

    def next(self) -> SessionHand | None:
        """None where nobody's is due."""
        turn = self._turn
        self._turn += 1
        if self._turn == MAKES:
            self._light = [hand for hand in self._light if _overwrites(hand)] or self._light
            self._heavy = [hand for hand in self._heavy if _overwrites(hand)] if self._light else self._heavy
        for place, hand in enumerate(self._heavy):
            self._due[place] += hand.kind.burst_share
        for place, hand in enumerate(self._heavy):
            if self._due[place] >= 1:
                self._due[place] -= 1
                return hand
        return self._light[turn % len(self._light)] if self._light else None


def _overwrites(hand: SessionHand) -> bool:
    """Whether its writes are all about one object."""
    return hand.kind.object_of(hand.session_id, "a") == hand.kind.object_of(hand.session_id, "b")


def _writers(session: Session) -> list[SessionHand]:
    """Promises to write to: all but the login, unless there is nothing else."""
    hands = [hand for hand in session.hands if hand.promise != session.login and hand.kind.terms.do]
    return [hand for hand in hands if hand.kind.volleys] or hands or session.hands
