"""One user: logs in, takes turns on schedule, doubts what contradicts, has all it made read once more at the end."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Protocol

from chaoscheck.checkers.base import Awaits, PromiseChecker, Retires
from chaoscheck.model.clock import NS, Clock
from chaoscheck.model.ops import READS, Lane, Op, Outcome
from chaoscheck.promises.base import READ_BACK_S, Kind
from chaoscheck.steps.calls import Call, Done, Router
from chaoscheck.steps.client import Client
from chaoscheck.traffic.arrivals import around_ns, exponential_ns

AGAIN_S = 0.3
"""A session that has more to read back after a death does so after about this time."""
READ_BACK = 8
"""Objects of a promise that it reads back at a time."""


class Stage(Protocol):
    """What a session needs of its surroundings."""

    clock: Clock
    checkers: Mapping[str, PromiseChecker]
    dead: set[str]
    loading: bool
    turn_s: float
    pause_s: float
    undoable: frozenset[str]

    def perform(self, call: Call, client: Client, router: Router) -> Done: ...

    def spawn(self, task: Callable[[], None]) -> object: ...

    def lagged(self, lag_ns: int) -> None:
        """The generator itself was late by that much."""
        ...

    def doubt_of(self, session: str) -> Op | None:
        """The read of that session, since the last call, that contradicts what is certain."""
        ...

    def doubted(self, session: Session, read: Op, client: Client) -> None:
        """Read it again through every instance; `client` is as it was before that read."""
        ...

    def read_all(self, session: Session) -> None:
        """Read every object of the session through every instance."""
        ...


class Session:
    """One client with one jar, its stream of numbers and its schedule. Only one task at a time acts for it."""

    __slots__ = (
        "_coming",
        "_due_ns",
        "_free_ns",
        "_rng",
        "_seq",
        "_stage",
        "_values",
        "busy",
        "client",
        "dismissed",
        "hands",
        "id",
        "lane",
        "login",
        "next_ns",
        "parting",
        "prefix",
        "router",
        "until_ns",
    )

    def __init__(
        self,
        stage: Stage,
        client: Client,
        kinds: Iterable[tuple[str, Kind]],
        *,
        run: str,
        router: Router,
        rng: random.Random,
        lane: Lane,
        login: str | None,
        begin_ns: int,
    ) -> None:
        self._stage = stage
        self._rng = rng
        self._seq = 0
        self._values = 0
        self._coming = False
        self._due_ns = begin_ns
        self._free_ns = begin_ns
        self.id = client.session
        self.prefix = f"{run}.{client.session}"
        self.client = client
        self.router = router
        self.lane = lane
        self.login = login
        self.busy = False
        self.parting = False
        self.dismissed = False
        self.next_ns = begin_ns
        self.until_ns = begin_ns
        self.hands = [SessionHand(self, promise, kind, stage.checkers[promise]) for promise, kind in kinds]

    # The whole life.

    def live(self, until_ns: int) -> str:
        """Log in, take turns until then, leave. Returns why it ended; "" when the load ended first."""
        self.until_ns = until_ns
        if not self.begin():
            return "login failed" if self._stage.loading else ""
        self.next_ns += int(self._rng.random() * self._stage.turn_s * NS)
        return self.turns()

    def begin(self) -> bool:
        """Start every kind, the login first. False when the user could not log in."""
        self.busy = True
        try:
            for hand in self.hands:
                hand.kind.begin(hand)
                if hand.promise == self.login and not self.client.logged_in:
                    return False
            return True
        finally:
            self.busy = False

    def turns(self) -> str:
        """Take turns on schedule until the session's time is up, then depart."""
        while self._await_turn():
            if self.next_ns >= self.until_ns:
                self.depart()
                return "departed"
            self.turn()
        return ""

    def watch(self, gap_s: Callable[[], float]) -> None:
        """Take turns, so long after one another, until the load ends."""
        while self._await_turn():
            self.turn()
            self.next_ns = self._stage.clock.now_ns() + int(gap_s() * NS)

    def turn(self) -> None:
        """One turn: every promise once, in a drawn order, those with something to read back first."""
        self.busy = True
        try:
            self._due_ns = self.next_ns
            order = self._rng.sample(self.hands, len(self.hands))
            if self._stage.dead:
                order.sort(key=lambda hand: not hand.exposed())
            for hand in order:
                if self.alive():
                    hand.kind.turn(hand)
            self._schedule()
        finally:
            self.busy = False

    def depart(self) -> None:
        """Every object is read through every instance, then the user leaves (logs out, if the plan can)."""
        self.busy = True
        try:
            self.parting = True
            self._stage.read_all(self)
            self._due_ns = self._free_ns = self._stage.clock.now_ns()
            for hand in reversed(self.hands):
                if hand.promise in self._stage.undoable:
                    hand.kind.end(hand)
        finally:
            self.busy = False

    def read_back(self, at_ns: int) -> None:
        """Read at that time, between two turns, what a death exposed; again soon after, while there is more."""
        if not self._coming:
            self._coming = True
            self._stage.spawn(partial(self._come, at_ns))

    def alive(self) -> bool:
        return (self._stage.loading and not self.dismissed) or self.parting

    def put_off(self, now_ns: int) -> None:
        """The pace is lower now: the next turn comes within a turn's time from now, whatever was due before that."""
        # Never sooner than what is waited for already: coming late to it would look like the service's delay.
        wait_ns = 0 if self.busy else int(self._rng.random() * self._stage.turn_s * NS)
        self.next_ns = max(self.next_ns, now_ns + wait_ns)

    def exposed(self) -> bool:
        return bool(self._stage.dead) and any(hand.exposed() for hand in self.hands)

    def hurry_s(self) -> float:
        """Within so long after a death what it exposed of this session is to be read back."""
        return min((hand.kind.hurry_s() for hand in self.hands if hand.exposed()), default=READ_BACK_S)

    # Operations.

    def operate(self, promise: str, action: str, obj: str, value: str) -> Done:
        """One operation at the session's pace, judged when this returns."""
        stage = self._stage
        due_ns = self._due_ns
        stage.clock.wait_until_ns(due_ns)
        if self.lane is Lane.USER:
            # What the service or a doubt held up isn't the generator's own lag.
            stage.lagged(stage.clock.now_ns() - max(due_ns, self._free_ns))
        before = self.client.copy() if action in READS else None
        done = stage.perform(self.call(promise, action, obj, value, self.lane, due_ns), self.client, self.router)
        if promise == self.login and action == "see" and done.op.outcome == Outcome.OK:
            self.client.logged_in = True
        doubt = stage.doubt_of(self.id)
        if doubt is not None:
            self._doubted(doubt, before or self.client.copy())
        self._due_ns = self._free_ns = stage.clock.now_ns()
        if self.lane is Lane.USER and not self.parting:
            self._due_ns += exponential_ns(self._rng.random(), stage.pause_s)
        return done

    def _doubted(self, read: Op, before: Client) -> None:
        """Freeze while the read is confirmed; the schedule moves by as long, for it was not the service's time."""
        stage = self._stage
        began_ns = stage.clock.now_ns()
        stage.doubted(self, read, before)
        self.next_ns += stage.clock.now_ns() - began_ns

    def call(self, promise: str, action: str, obj: str, value: str, lane: Lane, intended_ns: int) -> Call:
        """The session's next call."""
        self._seq += 1
        return Call(
            promise=promise, action=action, obj=obj, value=value, seq=self._seq, lane=lane, intended_ns=intended_ns
        )

    def new_value(self) -> str:
        self._values += 1
        return f"{self.prefix}.{self._values}"

    def draw(self) -> float:
        return self._rng.random()

    def aim(self, at_ns: int) -> None:
        """The next operation is to be sent at that time."""
        self._due_ns = at_ns

    # Schedule.

    def _await_turn(self) -> bool:
        """Wait for the next turn; False when the load ended before it."""
        clock = self._stage.clock
        while not self.dismissed:
            clock.wait_until_ns(self.next_ns)
            self._await_others()
            if not self._stage.loading or self.dismissed:
                return False
            if self.next_ns <= clock.now_ns():
                return True
        return False

    def _await_others(self) -> None:
        """Wait until no other task acts for this session."""
        clock = self._stage.clock
        while self.busy:
            clock.wait_until_ns(clock.now_ns() + NS // 100)

    def _schedule(self) -> None:
        self.next_ns += around_ns(self._rng.random(), self._stage.turn_s)
        if self.exposed():
            self.read_back(self._stage.clock.now_ns() + around_ns(self._rng.random(), AGAIN_S))

    def _come(self, at_ns: int) -> None:
        clock = self._stage.clock
        while True:
            clock.wait_until_ns(at_ns)
            self._await_others()
            if not self._stage.loading or not self.exposed():
                break
            self._read_exposed(at_ns)
            at_ns = clock.now_ns() + around_ns(self._rng.random(), AGAIN_S)
        self._coming = False

    def _read_exposed(self, at_ns: int) -> None:
        """Few requests, so that a death adds as little load as it can while an instance is missing."""
        self.busy = True
        try:
            self._due_ns = at_ns
            for hand in self.hands:
                for obj in hand.exposed()[:READ_BACK]:
                    if self.alive():
                        # A user who finds himself logged out logs in again: that is what the kind's own turn does.
                        hand.kind.turn(hand) if hand.promise == self.login else hand.kind.read_back(hand, obj)
        finally:
            self.busy = False


class SessionHand:
    """What one promise's kind may do with the session (a `Hand`)."""

    __slots__ = ("_session", "checker", "kind", "promise", "session_id")

    def __init__(self, session: Session, promise: str, kind: Kind, checker: PromiseChecker) -> None:
        self._session = session
        self.session_id = session.id
        self.promise = promise
        self.kind = kind
        self.checker = checker

    def do(self, obj: str, value: str) -> Done:
        return self._session.operate(self.promise, "do", obj, value)

    def see(self, obj: str, value: str) -> Done:
        """An empty `value` is the newest certain one."""
        return self._session.operate(self.promise, "see", obj, value or self.checker.value_of(self.session_id, obj))

    def undo(self, obj: str, value: str) -> Done:
        return self._session.operate(self.promise, "undo", obj, value or self.checker.value_of(self.session_id, obj))

    def ledger(self, obj: str, value: str) -> Done:
        return self._session.operate(self.promise, "ledger", obj, value or self.checker.value_of(self.session_id, obj))

    def new_value(self) -> str:
        return self._session.new_value()

    def awaited(self) -> list[str]:
        return self.checker.awaited(self.session_id) if isinstance(self.checker, Awaits) else []

    def certain(self) -> list[str]:
        return self.checker.certain(self.session_id)

    def retired(self) -> list[str]:
        return self.checker.retired(self.session_id) if isinstance(self.checker, Retires) else []

    def exposed(self) -> list[str]:
        return self.checker.exposed(self.session_id)

    def draw(self) -> float:
        return self._session.draw()

    def alive(self) -> bool:
        return self._session.alive()
