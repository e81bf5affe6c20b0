"""A read that contradicts what is certain: asked again through every instance, until they agree or time is up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from chaoscheck.model.clock import NS, wait_s
from chaoscheck.model.ops import Lane, Op, Outcome
from chaoscheck.promises.base import Confirms
from chaoscheck.steps.calls import Router
from chaoscheck.steps.client import Client
from chaoscheck.traffic.asking import SessionAsking
from chaoscheck.traffic.base import Confirmed, Message
from chaoscheck.traffic.session import Session, SessionHand, Stage

LIMIT_S = 1.5
"""So long a promise may take to come true again and still be called late instead of lost."""
FIRST_PAUSE_S = 0.03
DETAILED = 10
"""Doubts of one sort in one phase that are confirmed; the others stay open, and the judge matches them with these."""
READ_TRIES = 4
READ_PAUSE_S = 0.2
NEWS_S = 2.0
"""After that time a death is known here: a session that departs while its instance dies isn't owed its answer."""


class Wide(Stage, Protocol):
    """A stage that knows the instances."""

    worker: str
    phase: str

    def routes(self) -> list[tuple[str, Router]]:
        """Every instance that should be serving, dialled directly; the entry where none is known."""
        ...

    def send(self, message: Message) -> None: ...

    def hang_up(self, client: Client, *, ended: bool = False) -> None: ...


class Doubts:
    """Confirms, and counts how many it did of each sort."""

    def __init__(self, stage: Wide) -> None:
        self._stage = stage
        self._made: dict[tuple[str, str, str], int] = {}

    def confirm(self, session: Session, read: Op, client: Client) -> None:
        """Re-read with copies of the jar as it was before the contradicting read; the session waits meanwhile."""
        sort = (read.promise, read.outcome, self._stage.phase)
        self._made[sort] = self._made.get(sort, 0) + 1
        if self._made[sort] > DETAILED:
            return
        kind = next(hand.kind for hand in session.hands if hand.promise == read.promise)
        if isinstance(kind, Confirms):
            routes = dict(self._stage.routes())
            kind.confirm(SessionAsking(self._stage, session, read, routes), read, list(routes))
        else:
            self._ask_everyone(session, read, client)
        self._tell(session, read)

    def _ask_everyone(self, session: Session, read: Op, client: Client) -> None:
        stage = self._stage
        checker = stage.checkers[read.promise]
        give_up_ns = stage.clock.now_ns() + int(LIMIT_S * NS)
        pause_s = FIRST_PAUSE_S
        while True:
            for _, router in stage.routes():
                call = session.call(read.promise, read.action, read.obj, read.value, Lane.CONFIRM, stage.clock.now_ns())
                stage.perform(call, client.copy(), router)
            if checker.healed(session.id, read.obj) or stage.clock.now_ns() >= give_up_ns:
                return
            wait_s(stage.clock, pause_s)
            pause_s *= 2

    def _tell(self, session: Session, read: Op) -> None:
        found = [
            anomaly
            for anomaly in self._stage.checkers[read.promise].tally().anomalies
            if anomaly.read.rid == read.rid and anomaly.confirmed
        ]
        for anomaly in found:
            self._stage.send(
                Confirmed(
                    worker=self._stage.worker,
                    promise=read.promise,
                    anomaly=anomaly.name,
                    session=session.id,
                    obj=read.obj,
                )
            )


def read_all(stage: Wide, session: Session, count: Callable[[str, bool], None], *, pause_s: float) -> None:
    """Read every object of the session through every instance, with copies of its jar; `count` is told of each.

    Where one contradicts, those that agreed before it are asked once more: who still has it is what tells state in one
    instance from a loss.
    """
    for hand in session.hands:
        there = [(obj, Outcome.OK, Outcome.GONE) for obj in hand.certain()]
        for obj, due, wrong in (*there, *((obj, Outcome.GONE, Outcome.OK) for obj in hand.retired())):
            agreed: list[str] = []
            contradicted = False
            for name in [name for name, _ in stage.routes()]:
                outcome = _read_through(stage, session, hand, obj, name, count)
                if outcome == due:
                    agreed.append(name)
                doubted = not stage.checkers[hand.promise].healed(session.id, obj)
                contradicted = contradicted or outcome == wrong or doubted
                wait_s(stage.clock, pause_s)
            for name in agreed if contradicted else ():
                _ask_again(stage, session, hand.promise, obj, name)
            if hand.kind.terms.ledger and (names := [name for name, _ in stage.routes()]):
                asked = names[int(hand.draw() * len(names))]
                _read_through(stage, session, hand, obj, asked, count, action="ledger")


def _ask_again(stage: Wide, session: Session, promise: str, obj: str, name: str) -> None:
    router = dict(stage.routes()).get(name)
    if router is not None:
        value = stage.checkers[promise].value_of(session.id, obj)
        call = session.call(promise, "see", obj, value, Lane.CONFIRM, stage.clock.now_ns())
        stage.perform(call, session.client.copy(), router)


def _read_through(
    stage: Wide,
    session: Session,
    hand: SessionHand,
    obj: str,
    name: str,
    count: Callable[[str, bool], None],
    *,
    action: str = "see",
) -> str:
    """Ask that instance until it answers, and until what is awaited is done or overdue: the outcome.

    One that is no longer meant to serve owes no answer.
    """
    promise = hand.promise
    value = stage.checkers[promise].value_of(session.id, obj)
    attempt = 0
    while attempt < READ_TRIES:
        router = dict(stage.routes()).get(name)
        if router is None:
            return Outcome.DROPPED
        client = session.client.copy()
        call = session.call(promise, action, obj, value, Lane.FINAL, stage.clock.now_ns())
        done = stage.perform(call, session.client.copy(), router)
        doubt = stage.doubt_of(session.id)
        if doubt is not None:
            stage.doubted(session, doubt, client)
        if done.op.outcome == Outcome.PENDING and obj in hand.awaited():
            wait_s(stage.clock, READ_PAUSE_S)
            continue
        if done.op.outcome != Outcome.DROPPED:
            # An answer that the plan doesn't know shows nothing of the object.
            count(promise, done.op.outcome != Outcome.UNRECOGNISED)
            return done.op.outcome
        attempt += 1
        if attempt < READ_TRIES:
            wait_s(stage.clock, READ_PAUSE_S)
    if stage.loading:
        wait_s(stage.clock, NEWS_S)
    if name in dict(stage.routes()):
        count(promise, False)
    return Outcome.DROPPED
