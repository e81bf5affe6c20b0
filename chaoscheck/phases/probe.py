"""The controller's own clients: one request at a time, and what went over the wire is kept to be shown."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from statistics import median

from chaoscheck.engines.base import Instance
from chaoscheck.errors import PlanError
from chaoscheck.model import events
from chaoscheck.model.clock import NS
from chaoscheck.model.history import SessionBorn
from chaoscheck.model.ops import Lane, Op, Outcome
from chaoscheck.model.places import Address
from chaoscheck.phases.stage import Stage
from chaoscheck.promises.base import KINDS, Kind
from chaoscheck.steps.calls import Call, Done, Journal, Router
from chaoscheck.steps.client import Client
from chaoscheck.steps.confidential import confidential
from chaoscheck.steps.jar import Jar
from chaoscheck.steps.perform import Exchange, Performer
from chaoscheck.traffic.accounts import AccountPool
from chaoscheck.traffic.routes import Straight, ViaBalancer
from chaoscheck.traffic.spool import Spool

_UNANSWERED = (Outcome.UNKNOWN, Outcome.DROPPED, Outcome.FAIL)


class Shared:
    """A journal for several threads: the matrix reads on many connections at once."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._lock = threading.Lock()

    def invoke(self, op: Op) -> None:
        with self._lock:
            self._journal.invoke(op)

    def done(self, op: Op) -> None:
        with self._lock:
            self._journal.done(op)


class Split:
    """Prepare on one instance, finish on another: the last of `requests` attempts goes to `finish`."""

    def __init__(self, begin: Instance, finish: Instance, requests: int) -> None:
        self._begin, self._finish, self._left = begin, finish, requests

    def pick(self, attempt: int) -> tuple[str, Address]:
        self._left -= 1
        chosen = self._begin if self._left > 0 else self._finish
        return chosen.name, chosen.address

    def another(self, attempt: int) -> bool:
        return False


@dataclass(slots=True)
class Visitor:
    """One session of the controller: a client with an account of its own, whose names it began with."""

    client: Client
    lane: Lane
    account: Mapping[str, str] = field(default_factory=dict)
    seq: int = 0

    @property
    def session(self) -> str:
        return self.client.session


class Prober:
    """Makes visitors, and does the plan's actions for them on the instance that it is told."""

    def __init__(self, stage: Stage, watch: Callable[[Exchange], None] | None = None) -> None:
        self._stage = stage
        self._watch = watch
        self._seen: list[Exchange] = []
        self._accounts = AccountPool(stage.plan.accounts, run=stage.run, first=0, step=1, folder=stage.loaded.folder)
        self._book = Spool(stage.folder / "history", stage.run, "controller")
        self._made = 0
        self._rids = count(1)
        self._performer: Performer | None = None
        self._took_ns: list[int] = []
        self.trouble: dict[str, str] = {}
        """Instance -> the first of its answers that tell of trouble of its own, and not of the plan."""

    def tell_time(self) -> None:
        """Say what a request took so far, one after the other: estimates and limits follow it."""
        if self._took_ns:
            self._stage.request_s = round(median(self._took_ns) / NS, 4)
            self._stage.emit(events.Timed, request_s=self._stage.request_s, requests=len(self._took_ns))

    @property
    def accounts_used(self) -> int:
        """Accounts from this number on are the workers'."""
        return self._made

    def kind(self, promise: str) -> Kind:
        terms = self._stage.plan.promises[promise]
        return KINDS.get(terms.kind)(terms)

    def visitor(self, lane: Lane) -> Visitor:
        """A new session with the next account."""
        names = self._accounts.take()
        if names is None:
            raise PlanError(
                f"the plan's accounts ran out after {self._made}, before the matrix was done",
                hint="list more accounts, or use a template such as user-$run-$n",
            )
        session = f"c{self._made}"
        self._made += 1
        self._book.born(SessionBorn(session, names["user"], lane.value, self._stage.clock.now_ns()))
        return Visitor(Client(session=session, jar=Jar(self._stage.origin), names=dict(names)), lane, names)

    def new_value(self, visitor: Visitor) -> str:
        visitor.seq += 1
        return f"{self._stage.run}.{visitor.session}.{visitor.seq}"

    def call(
        self,
        visitor: Visitor,
        promise: str,
        action: str,
        value: str,
        where: Instance | Split,
        *,
        client: Client | None = None,
        fresh: bool = False,
    ) -> Done:
        """Do one action there; `client` stands in for the visitor's own (a copy, a guest)."""
        visitor.seq += 1
        now_ns = self._stage.clock.now_ns()
        obj = self.kind(promise).object_of(visitor.session, value)
        call = Call(
            promise=promise,
            action=action,
            obj=obj,
            value=value,
            seq=visitor.seq,
            lane=visitor.lane,
            intended_ns=now_ns,
            fresh=fresh,
        )
        return self.performer.perform(call, client or visitor.client, self._router(where))

    def _router(self, where: Instance | Split) -> Router:
        """Straight there; through the balancer, whoever that is, where no instance can be asked alone."""
        if not self._stage.asks_each and self._stage.entry is not None:
            return ViaBalancer(self._stage.entry)
        return where if isinstance(where, Split) else Straight(where.name, where.address)

    @property
    def performer(self) -> Performer:
        """Made late: the origin is known only once the balancer is up."""
        if self._performer is None:
            stage = self._stage
            self._performer = Performer(
                stage.plan.promises,
                stage.plan.target,
                stage.origin,
                stage.transport,
                Shared(self._book),
                stage.clock,
                self._rid,
                confidential(stage.plan, stage.loaded.filled),
                timeout_s=stage.plan.traffic.timeout,
                gone_by_expect=stage.gone_by_expect,
                watch=self._show,
            )
        return self._performer

    def taken(self) -> list[Exchange]:
        """What went over the wire since this was last asked, secrets masked."""
        seen, self._seen = self._seen, []
        return seen

    def close(self) -> None:
        """Write everything down, and say how much it was."""
        self._book.close()
        self._stage.emit(events.HistoryClosed, writer="controller", operations=self._book.operations)

    def _show(self, exchange: Exchange) -> None:
        self._seen.append(exchange)
        op = exchange.op
        self._took_ns.append(op.done_ns - op.sent_ns)
        if op.status >= 500 or (not op.status and op.outcome in _UNANSWERED):
            self.trouble.setdefault(op.incarnation or op.via, f"{op.promise}.{op.action}: {op.status or op.error}")
        if self._watch is not None:
            self._watch(exchange)

    def _rid(self) -> str:
        return f"c-{next(self._rids)}"
