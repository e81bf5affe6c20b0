"""job: what was taken is there, is done by its deadline, stays done with one result, and is completed once.

The deadline counts from the acknowledgement, or from a later death that came before it was over: any instance may have
been the one that ran the job, and whoever takes it over has the whole deadline for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar

from chaoscheck.checkers.base import CHECKERS, Anomaly, Death, Tally
from chaoscheck.checkers.states import ANSWERED, Fold, State, Suspicion
from chaoscheck.model.clock import NS
from chaoscheck.model.history import OpFields
from chaoscheck.model.listed import listed
from chaoscheck.model.ops import Op, Outcome
from chaoscheck.model.verdict import Cause
from chaoscheck.plan.steps import DEADLINE_S, Promise

GRACE_NS = NS
"""Nobody is called late before this is over as well: word of a death takes a moment, and so does an answer."""
LEDGER = "ledger"
_ANSWERED = ANSWERED | {Outcome.PENDING.value}


@CHECKERS.add("job")
class JobChecker(Fold):
    """LOST, BACKWARDS, CHANGED, STUCK, DUPLICATE_RUN, FLICKER. A state's `base` is the result, None until it's done."""

    kind: ClassVar[str] = "job"

    def __init__(self, promise: str, terms: Promise | None = None) -> None:
        super().__init__(promise, terms)
        self._deadline_ns = int((terms.deadline_s if terms is not None else DEADLINE_S) * NS)
        self._late: set[tuple[str, str]] = set()
        self._shown: dict[tuple[str, str], str] = {}
        self._done_since: dict[tuple[str, str], int] = {}

    def fold(self, ops: Iterable[OpFields]) -> None:
        for fields in ops:
            self.feed(Op._make(fields))

    def awaited(self, session: str) -> list[str]:
        """Jobs that no read has shown as done, and none as overdue."""
        objects = self._objects(session)
        return [obj for obj in self.certain(session) if objects[obj].base is None and (session, obj) not in self._late]

    def forget(self, session: str) -> None:
        jobs = [(session, obj) for obj in self._objects(session)]
        super().forget(session)
        for job in jobs:
            self._late.discard(job)
            self._shown.pop(job, None)
            self._done_since.pop(job, None)

    def tally(self) -> Tally:
        tally = super().tally()
        first_ns = min((death.death_ns for death in self._exposures.deaths.values()), default=None)
        twice = [one for one in tally.anomalies if one.name == "DUPLICATE_RUN"]
        if first_ns is not None and any(one.read.done_ns < first_ns for one in twice):
            # What happens with nobody dead is no death's doing, when somebody dies nearby either.
            tally.anomalies = [
                replace(one, cause=Cause.BACKGROUND) if one.name == "DUPLICATE_RUN" else one for one in tally.anomalies
            ]
        return tally

    # One operation.

    def _step(self, state: State, op: Op) -> bool:
        if op.action == LEDGER and state.suspicion is None and self._contradiction(state, op) == "":
            # It says nothing of who knows the job, and isn't the job's own read.
            state.done_ns = max(state.done_ns, op.done_ns)
            self._blank(state, op)
            return False
        if op.action == LEDGER:
            return self._listed(state, op)
        return super()._step(state, op)

    def _blank(self, state: State, op: Op) -> None:
        """Where the run of a job that has long been done isn't listed, a second one need not be either."""
        since_ns = self._done_since.get((op.session, op.obj))
        blank = op.outcome == Outcome.OK and listed(op.seen) == [] and not self._tally.inconclusive
        if blank and since_ns is not None and op.sent_ns > since_ns + GRACE_NS:
            who = op.incarnation or op.via
            self._tally.inconclusive.append(f"{self.promise}: the ledger on {who} lists no run of {op.obj}, long done")

    def _listed(self, state: State, op: Op) -> bool:
        self._conclude(op.session, op.obj, state)
        if self._contradiction(state, op) == "" or state.torn or state.floor is None:
            return False
        state.suspicion = Suspicion("DUPLICATE_RUN", op, state)
        return True

    def _write(self, state: State, op: Op) -> None:
        if op.outcome == Outcome.OK:
            self._close(state)
            state.certain(op.value, op, by_read=False)
        elif op.outcome == Outcome.UNKNOWN and state.floor is None:
            state.maybe = {op.value: 1}

    def _contradiction(self, state: State, op: Op) -> str:
        if op.action == LEDGER:
            return "DUPLICATE_RUN" if op.outcome == Outcome.OK and len(listed(op.seen) or ()) > 1 else ""
        if op.outcome == Outcome.OK:
            return self._result(state, op)
        if state.floor is None:
            return ""
        if op.outcome == Outcome.GONE:
            return "LOST"
        return self._not_done(state, op) if op.outcome == Outcome.PENDING else ""

    def _result(self, state: State, op: Op) -> str:
        if state.floor is None and state.maybe:
            # A submission of unknown end was done after all; from now on it is what its reader saw.
            state.certain(next(iter(state.maybe)), op, by_read=True)
            state.maybe = None
        if state.floor is None:
            return ""
        if state.base is None:
            state.base = op.seen
            self._shown[op.session, op.obj] = op.incarnation
            self._done_since[op.session, op.obj] = op.done_ns
        return "" if op.seen == state.base else "CHANGED"

    def _not_done(self, state: State, op: Op) -> str:
        if state.base is not None:
            return "BACKWARDS"
        if op.sent_ns <= self._due(state)[0] + GRACE_NS:
            return ""
        self._late.add((op.session, op.obj))
        return "STUCK"

    def _due(self, state: State) -> tuple[int, Death | None]:
        """When it had to be done, and the death that this counts from, if any."""
        due_ns, since = state.acked_ns + self._deadline_ns, None
        for death in sorted(self._exposures.deaths.values(), key=lambda death: death.death_ns):
            if state.acked_ns <= death.death_ns + death.error_ns and death.death_ns - death.error_ns <= due_ns:
                due_ns, since = death.death_ns + death.error_ns + self._deadline_ns, death
        return due_ns, since

    def _confirm(self, state: State, op: Op) -> None:
        doubt = state.suspicion
        if doubt is not None and op.action == doubt.read.action and op.outcome in _ANSWERED:
            doubt.add(op, self._contradiction(state, op) == "")

    # Conclusions.

    def _anomaly(self, session: str, obj: str, doubt: Suspicion) -> Anomaly:
        anomaly = super()._anomaly(session, obj, doubt)
        state = self._objects(session)[obj]
        if doubt.name == "STUCK":
            since = self._due(state)[1] if state.floor is not None else None
            if since is None:
                return replace(anomaly, name="STUCK")
            # Who acknowledged it may well live: it is the run that died, and that nobody took over.
            return replace(anomaly, name="STUCK", acker=since.incarnation, cause=Cause.LOST_WITH_INSTANCE)
        if doubt.name == "CHANGED":
            shower = self._shown.get((session, obj), anomaly.acker)
            value = state.base if state.base is not None else anomaly.value
            return replace(anomaly, name="CHANGED", value=value, acker=shower, guarantee="monotonic-reads")
        if anomaly.healed_ns >= 0 or doubt.name == "LOST":
            return anomaly
        return replace(anomaly, name=doubt.name, guarantee="" if doubt.name == "DUPLICATE_RUN" else anomaly.guarantee)
