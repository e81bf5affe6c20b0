"""One pass over a run's history: every checker fed, users' traffic counted, and what the assumptions ask gathered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from chaoscheck.checkers.base import CHECKERS, PromiseChecker, Tally
from chaoscheck.checkers.budget import TrafficFold
from chaoscheck.checkers.routing import RoutingFold
from chaoscheck.checkers.timeline import Timeline
from chaoscheck.model.history import BalancerRow, Batch, OpFields, RawRow, SessionBorn, SessionEnded
from chaoscheck.model.ops import READS, Lane, Op, Outcome, Phase
from chaoscheck.plan.plan import Plan
from chaoscheck.steps.attempts import is_bad

BATCH = 8192
JUDGED_LANES = frozenset(
    lane.value for lane in (Lane.USER, Lane.BURST, Lane.INFLIGHT, Lane.WATCH, Lane.CONFIRM, Lane.FINAL)
)
_WATCHED = frozenset({Lane.USER.value, Lane.WATCH.value})


@dataclass(slots=True)
class Unrecognised:
    """Reads of one promise in the baseline, those that the plan doesn't know, and what the first one said."""

    reads: int = 0
    unknown: int = 0
    excerpt: str = ""


@dataclass(slots=True)
class Share:
    """Users' attempts of one action, and those that the service refused."""

    total: int = 0
    refused: int = 0


@dataclass(slots=True)
class Refusals:
    """The same before kills began and after; what the first refusal after said."""

    before: Share = field(default_factory=Share)
    after: Share = field(default_factory=Share)
    excerpt: str = ""


@dataclass(slots=True)
class Missed:
    """Attempts of one action that didn't end well, and the last of them."""

    total: int
    last: Op


@dataclass(slots=True)
class InFlight:
    """Requests that were on the victim when it died."""

    total: int = 0
    failed: int = 0


@dataclass(slots=True)
class Seen:
    """All that one pass over the history came to."""

    traffic: TrafficFold
    routing: RoutingFold | None = None
    tallies: dict[str, Tally] = field(default_factory=dict)
    crashed: dict[str, str] = field(default_factory=dict)
    users: dict[str, str] = field(default_factory=dict)
    in_flight: dict[int, InFlight] = field(default_factory=dict)
    unrecognised: dict[str, Unrecognised] = field(default_factory=dict)
    unrecognised_late: dict[str, Unrecognised] = field(default_factory=dict)
    refusals: dict[tuple[str, str], Refusals] = field(default_factory=dict)
    burst_acks: dict[str, int] = field(default_factory=dict)
    """Victim -> writes of a burst that it acknowledged."""
    final_answers: dict[str, int] = field(default_factory=dict)
    """Promise -> reads that were answered in the phase of the final reads."""
    missed: dict[tuple[str, str], Missed] = field(default_factory=dict)
    """(promise, action) -> what wasn't ok of the operations that are judged."""
    misnamed: int = 0
    """Answers whose header names another instance than the balancer's log."""
    outcomes: dict[str, dict[str, int]] = field(default_factory=dict)
    operations: int = 0
    backwards: int = 0
    ghosts: int = 0
    """Answers from an incarnation to requests that were sent after its death."""
    ghost: str = ""
    unfinished: int = 0


class Scan:
    """Feeds rows in their order; `end` gives what they came to."""

    def __init__(self, plan: Plan, known: Timeline, balancer: Iterable[BalancerRow]) -> None:
        self._plan = plan
        self._logged = {row.rid: row.incarnation for row in balancer if row.incarnation}
        self._known = known
        self._seen = Seen(traffic=TrafficFold(known))
        self._routing = self._seen.routing = RoutingFold(plan, known)
        self._checkers: dict[str, PromiseChecker] = {}
        self._waiting: dict[str, Batch] = {name: Batch() for name in plan.promises}
        self._over: list[str] = []
        self._parted: set[str] = set()
        self._kills = [(strike.index, strike.struck) for strike in known.kills if strike.struck is not None]
        self._dead_ns = {death.incarnation: death.death_ns + death.error_ns for death in known.deaths}
        base = known.span(Phase.BASELINE.value)
        self._baseline = (base.began_ns, base.ended_ns) if base is not None else (0, -1)
        last = known.span(Phase.FINAL.value)
        self._final_ns = last.began_ns if last is not None else 1 << 62
        self._make_checkers()

    def rows(self, rows: Iterable[RawRow]) -> None:
        """Rows of one file."""
        for row in rows:
            if isinstance(row, SessionBorn):
                self._seen.users[row.session] = row.user
            elif isinstance(row, SessionEnded):
                self._over.append(row.session)
            else:
                self._op(Op._make(row), row)

    def end(self) -> Seen:
        """Let everything conclude."""
        self._flush_all()
        for promise, checker in list(self._checkers.items()):
            try:
                self._seen.tallies[promise] = checker.tally()
            except Exception as error:
                self._crash(promise, error)
        self._seen.traffic.close()
        return self._seen

    def _make_checkers(self) -> None:
        for name, promise in self._plan.promises.items():
            try:
                checker = self._checkers[name] = CHECKERS.get(promise.kind)(name, promise)
                for death in self._known.deaths:
                    checker.died(death)
            except Exception as error:
                self._crash(name, error)

    def _op(self, op: Op, fields: OpFields) -> None:
        seen = self._seen
        seen.operations += 1
        seen.backwards += 0 <= op.done_ns < op.sent_ns
        seen.unfinished += op.done_ns < 0
        if op.status and op.sent_ns > self._dead_ns.get(op.incarnation, op.sent_ns):
            seen.ghosts += 1
            seen.ghost = seen.ghost or op.incarnation
        self._in_flight(op)
        seen.traffic.add(op)
        self._routing.add(op)
        if not op.judged:
            return
        self._coverage(op)
        if op.lane in JUDGED_LANES and op.promise in self._checkers and not self._after_logout(op):
            if op.outcome != Outcome.OK:
                missed = self._seen.missed.setdefault((op.promise, op.action), Missed(0, op))
                missed.total, missed.last = missed.total + 1, op
            waiting = self._waiting[op.promise]
            waiting.add(fields)
            if len(waiting) >= BATCH:
                self._flush_all()

    def _after_logout(self, op: Op) -> bool:
        """Whether its session has sent a logout: what it is refused from then on says nothing of other promises."""
        if op.promise == self._plan.login:
            if op.action == "undo" and op.outcome != Outcome.FAIL:
                self._parted.add(op.session)
            elif op.action == "do":
                self._parted.discard(op.session)
            return False
        return op.outcome == Outcome.GONE and op.session in self._parted

    def _coverage(self, op: Op) -> None:
        """What the coverage gates ask of a judged operation."""
        seen = self._seen
        if op.lane == Lane.BURST.value:
            if op.action == "do" and op.outcome == Outcome.OK and op.via == op.incarnation:
                seen.burst_acks[op.via] = seen.burst_acks.get(op.via, 0) + 1
        elif op.lane == Lane.FINAL.value or (op.lane in _WATCHED and op.action in READS):
            self._recognise(op)
        elif op.lane == Lane.USER.value:
            self._refusal(op)

    def _recognise(self, op: Op) -> None:
        seen = self._seen
        if op.lane == Lane.FINAL.value and op.sent_ns >= self._final_ns and op.outcome in (Outcome.OK, Outcome.GONE):
            seen.final_answers[op.promise] = seen.final_answers.get(op.promise, 0) + 1
        early = self._baseline[0] <= op.sent_ns < self._baseline[1]
        counts = seen.unrecognised if early else seen.unrecognised_late
        count = counts.setdefault(op.promise, Unrecognised())
        count.reads += 1
        if op.outcome == Outcome.UNRECOGNISED:
            count.unknown += 1
            count.excerpt = count.excerpt or op.excerpt

    def _refusal(self, op: Op) -> None:
        count = self._seen.refusals.setdefault((op.promise, op.action), Refusals())
        early = op.sent_ns < self._baseline[1]
        share = count.before if early else count.after
        share.total += 1
        if op.outcome == Outcome.FAIL and op.status:
            share.refused += 1
            count.excerpt = count.excerpt or ("" if early else op.excerpt)

    def _in_flight(self, op: Op) -> None:
        """Join the balancer's word: it tells who had an attempt that got no answer, and may gainsay the header."""
        logged = self._logged.get(op.rid, "") if op.via == "lb" else op.via
        if op.incarnation and logged and logged != op.incarnation:
            self._seen.misnamed += 1
        who = op.incarnation or logged
        if who and self._kills:
            self._on_victim(op, who)

    def _on_victim(self, op: Op, who: str) -> None:
        """On the victim, begun before the death and not ended before the signal (it may answer up to its death)."""
        for index, struck in self._kills:
            if struck.victim != who or op.sent_ns > struck.death_ns + struck.error_ns:
                continue
            if op.done_ns < 0 or op.done_ns >= struck.signal_ns:
                count = self._seen.in_flight.setdefault(index, InFlight())
                count.total += 1
                count.failed += is_bad(op)

    def _flush_all(self) -> None:
        """Feed what waits, then forget the sessions that were over by then: all they did is among it."""
        over, self._over = self._over, []
        for promise, waiting in self._waiting.items():
            self._waiting[promise] = Batch()
            checker = self._checkers.get(promise)
            if checker is None:
                continue
            try:
                checker.fold(waiting)
                for session in over:
                    checker.forget(session)
            except Exception as error:
                self._crash(promise, error)

    def _crash(self, promise: str, error: Exception) -> None:
        self._checkers.pop(promise, None)
        self._seen.crashed[promise] = f"{type(error).__name__}: {error}"


def scan(plan: Plan, known: Timeline, files: Iterable[Iterable[RawRow]], balancer: Iterable[BalancerRow]) -> Seen:
    """Everything judging needs of the history; memory grows with sessions and their objects, not with operations."""
    reader = Scan(plan, known, balancer)
    for rows in files:
        reader.rows(rows)
    return reader.end()
