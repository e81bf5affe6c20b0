"""A worker's logic: seats that live sessions, and what to do when the controller says so, whoever schedules it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import count
from pathlib import Path

from greenlet import GreenletExit

from chaoscheck.checkers.base import CHECKERS, Death, PromiseChecker
from chaoscheck.model.clock import NS, Clock, wait_s
from chaoscheck.model.history import SessionBorn, SessionEnded
from chaoscheck.model.ops import Lane, Op, Phase
from chaoscheck.model.places import Address
from chaoscheck.plan.plan import Plan
from chaoscheck.promises.base import KINDS, READ_BACK_S, Kind
from chaoscheck.steps.base import Transport
from chaoscheck.steps.calls import Call, Done, Router
from chaoscheck.steps.client import Client
from chaoscheck.steps.confidential import confidential
from chaoscheck.steps.jar import Jar
from chaoscheck.steps.naming import Naming
from chaoscheck.steps.perform import Performer
from chaoscheck.traffic.accounts import AccountPool, Names
from chaoscheck.traffic.arrivals import PAUSE_S, RAMP_S, around_ns, exponential_ns, stream
from chaoscheck.traffic.base import (
    Assignment,
    Died,
    FinalDone,
    Message,
    Over,
    PaceIs,
    PhaseIs,
    Settled,
    Stop,
    Topology,
    Volley,
)
from chaoscheck.traffic.counters import Counters
from chaoscheck.traffic.doubts import Doubts, read_all
from chaoscheck.traffic.routes import BALANCER, RoundRobin, Straight, routers
from chaoscheck.traffic.session import Session
from chaoscheck.traffic.spool import Book
from chaoscheck.traffic.volley import Aim

TICK_S = 0.5
FLUSH_S = 0.1
CATCH_UP = 2.5
MOST_CATCH_UP_S = 6.0
"""At a service that didn't keep up, so many times as many sessions as usually take a turn read back what a death
exposed, and all of them within so long."""
READERS = 12
"""Final reads under way at a time."""
LOADED = frozenset({Phase.BASELINE.value, Phase.CHAOS.value})


class Crew:
    """One worker. It waits only in `clock`, `transport` and `book`, so that any scheduler can run it.

    `spawn(task)` runs a task beside the others; `open_seats(n)`, where given, starts n callers of `seat()` instead.
    `watch` is shown every attempt that ended; `spent_s` tells the processor time that the worker has used.
    """

    def __init__(
        self,
        assignment: Assignment,
        plan: Plan,
        *,
        transport: Transport,
        clock: Clock,
        book: Book,
        spawn: Callable[[Callable[[], None]], object],
        send: Callable[[Message], None],
        open_seats: Callable[[int], None] | None = None,
        watch: Callable[[Op], None] | None = None,
        spent_s: Callable[[], float] | None = None,
    ) -> None:
        self.assignment = assignment
        self.worker = assignment.worker
        self.plan = plan
        self.clock = clock
        self.spawn = spawn
        self.send = send
        self.turn_s = assignment.turn_s
        self.life_s = assignment.life_s
        self._users = assignment.users
        self._seated = 0
        self._slowed = False
        self.pause_s = min(PAUSE_S, assignment.turn_s / 20)
        self.loading = False
        self.phase = ""
        self.instances: dict[str, Address] = {}
        self.dead: set[str] = set()
        self.undoable = frozenset(name for name, promise in plan.promises.items() if promise.undo)
        self.sessions: dict[str, Session] = {}
        self.checkers: Mapping[str, PromiseChecker] = {
            name: CHECKERS.get(promise.kind)(name, promise) for name, promise in plan.promises.items()
        }
        kinds = _in_order(plan)
        self._kinds = [item for item in kinds if not item[1].alone]
        self._alone = [item for item in kinds if item[1].alone]
        self._book = book
        self._open_seats = open_seats
        self._watch = watch
        self._accounts = AccountPool(
            plan.accounts,
            run=assignment.run,
            first=assignment.first_account,
            step=assignment.account_step,
            folder=Path(assignment.plan_folder),
        )
        self._names: dict[str, Names] = {}
        self._counters = Counters(spent_s)
        self.lagged = self._counters.lagged
        self._doubts = Doubts(self)
        self.doubted = self._doubts.confirm
        self._suspected: dict[str, Op] = {}
        self._born = count(1)
        self._seats = count(1)
        self._stopped = False
        self._entry = Address(assignment.entry_host, assignment.entry_port) if assignment.entry_host else None
        self._router = routers(self._entry, assignment.pick, lambda: self.instances)
        self._due: dict[str, int] = dict.fromkeys(plan.promises, 0)
        self._done: dict[str, int] = dict.fromkeys(plan.promises, 0)
        self._naming = Naming(plan.balancer.header)
        self._performer = self._make_performer(transport)

    def _make_performer(self, transport: Transport) -> Performer:
        rids = count(1)
        prefix = self.worker + "r"
        return Performer(
            self.plan.promises,
            self.plan.target,
            self.assignment.origin,
            transport,
            self,
            self.clock,
            lambda: prefix + str(next(rids)),
            confidential(self.plan),
            timeout_s=self.plan.traffic.timeout,
            gone_by_expect=frozenset(self.assignment.gone_by_expect),
            other_user=self._accounts.find_user,
            naming=self._naming,
        )

    # A journal for the performer.

    def invoke(self, op: Op) -> None:
        if self._stopped:
            # The history is closed, and what can't be recorded must not be sent: whoever wanted to ends here.
            raise GreenletExit
        self._book.invoke(op)

    def done(self, op: Op) -> None:
        """An attempt ended: recorded, counted and judged."""
        self._book.done(op)
        self._counters.ended(op)
        if op.judged and self.checkers[op.promise].feed(op):
            self._suspected[op.session] = op
        if self._watch is not None:
            self._watch(op)

    def doubt_of(self, session: str) -> Op | None:
        return self._suspected.pop(session, None) if self._suspected else None

    def perform(self, call: Call, client: Client, router: Router) -> Done:
        return self._performer.perform(call, client, router)

    def hang_up(self, client: Client, *, ended: bool = False) -> None:
        self._performer.hang_up(client, ended=ended)

    # What the controller says.

    def handle(self, message: Message) -> None:
        """Act on a message; returns at once."""
        match message:
            case Topology():
                self.instances = {name: Address(*place) for name, place in message.instances.items()}
                self._naming.learn(message.names, self.clock.now_ns())
            case PhaseIs():
                self._enter(message.phase)
            case PaceIs():
                self._slow_down(message)
            case Volley():
                Aim(self, message).begin()
            case Died():
                self._bury(message)
            case Stop():
                self.stop()
            case _:
                raise ValueError(f"a worker is never told {type(message).__name__}")

    def stop(self) -> None:
        """Write everything down, say so."""
        if self._stopped:
            return
        self.loading = False
        self._stopped = True
        for session in list(self.sessions.values()):
            self.close_session(session, "stopped")
        self._book.close()
        self.send(Over(worker=self.worker, operations=self._book.operations))

    def _enter(self, phase: str) -> None:
        if not self.phase:
            self.spawn(self._tick)
            self.spawn(self._flush)
        self.phase = phase
        was, self.loading = self.loading, phase in LOADED
        if self.loading and not was:
            self._open()
            if self._alone and self.assignment.observes:
                self.spawn(self._observe)
        elif phase == Phase.SETTLE:
            self.spawn(self._settle)
        elif phase == Phase.FINAL:
            self.spawn(self._read_everything)

    def _bury(self, died: Died) -> None:
        self.dead.add(died.incarnation)
        self._naming.forget(died.incarnation)
        death = Death(died.incarnation, died.strike, died.death_ns, died.error_ns)
        for checker in self.checkers.values():
            checker.died(death)
        exposed = [session for session in self.sessions.values() if session.exposed()]
        now_ns = self.clock.now_ns()
        spread_s = self._catch_up_s(len(exposed))
        for place, session in enumerate(exposed, start=1):
            hurry_s = session.hurry_s()
            within_s = max(hurry_s, spread_s) if hurry_s >= READ_BACK_S else hurry_s
            session.read_back(now_ns + int(within_s * NS * place / len(exposed)))

    def _catch_up_s(self, sessions: int) -> float:
        """Seconds in which so many sessions come to read back, so that this is no load that the service never had."""
        if not self._slowed:
            return 0.0
        turns_a_second = max(self._users, 1) / self.turn_s
        return min(sessions / (CATCH_UP * turns_a_second), MOST_CATCH_UP_S)

    def _slow_down(self, pace: PaceIs) -> None:
        """Fewer sessions and longer pauses, from now on: what is overdue is not caught up with."""
        self._slowed = True
        self.turn_s, self.life_s = pace.turn_s, pace.life_s
        self._users = pace.users.get(self.worker, self._users)
        now_ns = self.clock.now_ns()
        sitting = [session for session in self.sessions.values() if session.lane is Lane.USER]
        for place, session in enumerate(sitting):
            if place < self._seated - self._users:
                session.dismissed = True
                if not session.busy:
                    self.close_session(session, "dismissed")
                continue
            session.put_off(now_ns)

    # Seats.

    def _open(self) -> None:
        if self.assignment.arrivals > 0:
            self.spawn(self._arrive)
        elif self._open_seats is not None:
            self._open_seats(self.assignment.users)
        else:
            for _ in range(self.assignment.users):
                self.spawn(self.seat)

    def seat(self) -> None:
        """One user after another, until the load ends. The first begins within the ramp, in the middle of his life."""
        number = next(self._seats)
        draw = stream(self.assignment.seed, self.worker, "seat", str(number)).random
        ramp_s = max(min(RAMP_S, self.turn_s), self.assignment.ramp_s) * (number - 1) / max(self.assignment.users, 1)
        self._seated += 1
        self.clock.wait_until_ns(self.clock.now_ns() + int(ramp_s * NS))
        share = draw()
        while self.loading:
            if self._seated > self._users:
                self._seated -= 1
                return
            life_ns = int(around_ns(draw(), self.life_s) * share)
            if not self._live(life_ns):
                wait_s(self.clock, TICK_S)
            share = 1.0

    def _arrive(self) -> None:
        """Sessions come at a rate of their own, whatever became of those before."""
        draw = stream(self.assignment.seed, self.worker, "arrivals").random
        next_ns = self.clock.now_ns()
        while True:
            next_ns += exponential_ns(draw(), 1 / self.assignment.arrivals)
            self.clock.wait_until_ns(next_ns)
            if not self.loading:
                return
            life_ns = around_ns(draw(), self.life_s)
            self.spawn(partial(self._visit, life_ns))

    def _visit(self, life_ns: int) -> None:
        self._live(life_ns)

    def _live(self, life_ns: int) -> bool:
        """A whole session; False when it never got anywhere (no account free, no login)."""
        session = self.open_session(Lane.USER, None)
        if session is None:
            return False
        why = session.live(session.next_ns + life_ns)
        if session.dismissed and self.loading:
            why = "dismissed"
        self.close_session(session, why)
        return why != "login failed"

    def _observe(self) -> None:
        """One session for the whole load looks at what runs by itself, on each instance in turn."""
        login = [item for item in self._kinds if item[0] == self.plan.login]
        enters = any(kind.terms.as_ != "guest" for _, kind in self._alone)
        router = RoundRobin(lambda: self.instances, count()) if self.instances else None
        session = self.open_session(Lane.WATCH, router, [*(login if enters else ()), *self._alone])
        if session is None or not session.begin():
            return
        pace_s = min(kind.looks_every_s() for _, kind in self._alone)
        session.watch(lambda: pace_s / max(len(self.instances), 1))

    # Sessions.

    def open_session(
        self, lane: Lane, router: Router | None, kinds: Sequence[tuple[str, Kind]] | None = None
    ) -> Session | None:
        """A new client of a free account, by default with all that users do; None when all accounts are taken."""
        names = self._accounts.take()
        if names is None:
            return None
        name = f"{self.worker}s{next(self._born)}"
        rng = stream(self.assignment.seed, name)
        now_ns = self.clock.now_ns()
        self._book.born(SessionBorn(name, names["user"], lane.value, now_ns))
        client = Client(session=name, jar=Jar(self._performer.origin.url), names=dict(names))
        session = Session(
            self,
            client,
            self._kinds if kinds is None else kinds,
            run=self.assignment.run,
            router=router or self._router(rng.random),
            rng=rng,
            lane=lane,
            login=self.plan.login,
            begin_ns=now_ns,
        )
        self.sessions[name] = session
        self._names[name] = names
        return session

    def close_session(self, session: Session, why: str) -> None:
        """The session ended for that reason; without one the load ended first, and it stays for the final reads."""
        if not why or self.sessions.pop(session.id, None) is None:
            return
        self.hang_up(session.client, ended=True)
        self._book.ended(SessionEnded(session.id, self.clock.now_ns(), why))
        self._accounts.give_back(self._names.pop(session.id))
        for checker in self.checkers.values():
            checker.forget(session.id)

    def user_router(self, session: Session) -> Router:
        return self._router(session.draw)

    # Every instance.

    def routes(self) -> list[tuple[str, Router]]:
        if self.instances:
            alive = [(name, address) for name, address in self.instances.items() if name not in self.dead]
            return [(name, Straight(name, address)) for name, address in alive]
        return [(BALANCER, self._router(lambda: 0.0))]

    def read_all(self, session: Session) -> None:
        read_all(self, session, self._count_final, pause_s=self.pause_s if self.loading else 0.0)

    def _count_final(self, promise: str, answered: bool) -> None:
        self._due[promise] += 1
        self._done[promise] += answered

    def _read_everything(self) -> None:
        waiting = list(self.sessions.values())
        left = [min(READERS, max(len(waiting), 1))]

        def reader() -> None:
            while waiting and not self._stopped:
                self.read_all(waiting.pop())
            left[0] -= 1
            if not left[0]:
                self.send(FinalDone(worker=self.worker, due=dict(self._due), done=dict(self._done)))

        for _ in range(left[0]):
            self.spawn(reader)

    # Beside them.

    def _settle(self) -> None:
        while any(session.busy for session in self.sessions.values()) and not self._stopped:
            wait_s(self.clock, 0.02)
        self._book.flush()
        self.send(Settled(worker=self.worker))

    def _tick(self) -> None:
        next_ns = self.clock.now_ns()
        while not self._stopped:
            next_ns += int(TICK_S * NS)
            self.clock.wait_until_ns(next_ns)
            # A worker that nobody let run was late even if nothing was due meanwhile.
            self.lagged(self.clock.now_ns() - next_ns)
            if not self._stopped:
                self.send(self._counters.tick(self.worker, self.clock.now_ns(), len(self.sessions), self.checkers))

    def _flush(self) -> None:
        while not self._stopped:
            wait_s(self.clock, FLUSH_S)
            if not self._stopped:
                self._book.flush()


def _in_order(plan: Plan) -> list[tuple[str, Kind]]:
    """(promise, kind), the login first: the others may need it."""
    kinds = [(name, KINDS.get(promise.kind)(promise)) for name, promise in plan.promises.items()]
    return sorted(kinds, key=lambda item: item[0] != plan.login)
