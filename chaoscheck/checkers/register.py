"""register: one value that its session overwrites; a read shows the newest certain one, or one that may have landed."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from chaoscheck.checkers.base import CHECKERS, Anomaly
from chaoscheck.checkers.states import Fold, State, Suspicion
from chaoscheck.model.ops import Op, Outcome
from chaoscheck.model.verdict import Cause
from chaoscheck.plan.steps import Promise

STALE = "STALE"


@CHECKERS.add("register")
class RegisterChecker(Fold):
    """LOST, STALE, ABORTED_READ, CROSS_SESSION, PHANTOM. Values look like run.session.seq.

    An older version is STALE, be it for a while or for good, as long as instances differ in what they show.
    """

    kind: ClassVar[str] = "register"
    by_value: ClassVar[bool] = True
    healed_name = STALE

    def __init__(self, promise: str, terms: Promise | None = None) -> None:
        super().__init__(promise, terms)
        self._run = ""

    # Writes.

    def _write(self, state: State, op: Op) -> None:
        if op.action == "do":
            state.wrote = op.value
        if op.outcome == Outcome.FAIL:
            if op.action == "do":
                self._failed(state, op.value)
            return
        self._close(state)
        if op.action != "do":
            # Taking the value away makes nothing certain, and one that is unknown may land at any later time.
            state.uncertain()
            state.ended = state.ended or op.outcome == Outcome.UNKNOWN
        elif op.outcome == Outcome.OK:
            self._acknowledged(state, op)
        else:
            self._possible(state, op.value)

    @staticmethod
    def _acknowledged(state: State, op: Op) -> None:
        if state.ended:
            state.uncertain()
        else:
            state.certain(op.value, op, by_read=False)
        if state.dead:
            state.dead.discard(op.value)

    @staticmethod
    def _failed(state: State, value: str) -> None:
        if value != state.floor and not (state.maybe and value in state.maybe):
            state.dead = state.dead or set()
            state.dead.add(value)

    @staticmethod
    def _possible(state: State, value: str) -> None:
        state.maybe = state.maybe or {}
        state.maybe[value] = state.maybe.get(value, 0) + 1
        if state.dead:
            state.dead.discard(value)
        # A read may show the unknown write from now on, so the pair (object, kill) of the earlier one is over.
        state.spent = True

    # Reads.

    def _contradiction(self, state: State, op: Op) -> str:
        if op.outcome == Outcome.GONE:
            return self._absent(state)
        if op.outcome != Outcome.OK or op.seen == state.floor:
            return ""
        if state.maybe and op.seen in state.maybe:
            self._landed(state, op)
            return ""
        if state.dead and op.seen in state.dead:
            return "ABORTED_READ" if not state.rebased else ""
        if op.seen == "":
            return self._absent(state)
        return self._other(state, op)

    def _absent(self, state: State) -> str:
        if state.floor is not None:
            return "LOST"
        if state.base is None:
            state.base = ""
        return ""

    def _landed(self, state: State, op: Op) -> None:
        """An unknown write is seen. It may land once for each attempt that is unknown, so one of them is used up."""
        assert state.maybe is not None
        left = state.maybe.pop(op.seen) - 1
        if left:
            state.maybe[op.seen] = left
        if not state.ended:
            self._close(state)
            state.certain(op.seen, op, by_read=True)

    def _other(self, state: State, op: Op) -> str:
        """A value that is neither certain nor possible nor known to have failed."""
        run = self._prefix()
        if run and op.seen.startswith(run):
            whose, _, seq = op.seen[len(run) :].rpartition(".")
            if whose == op.session:
                return self._own(state, seq)
            if whose and seq.isdecimal():
                return "" if state.rebased else "CROSS_SESSION"
        if state.floor is None:
            state.base = op.seen if state.base is None else state.base
            return ""
        return "LOST" if state.base in (None, op.seen) else "PHANTOM"

    def _prefix(self) -> str:
        """ "run." of the run's values, as the first write of all shows it; "" before there is one."""
        if not self._run:
            written = next(((session, state.wrote) for session, _, state in self._states() if state.wrote), None)
            head = written[1].rpartition(".")[0] if written else ""
            if written and head.endswith("." + written[0]):
                self._run = head[: -len(written[0])]
        return self._run

    @staticmethod
    def _own(state: State, seq: str) -> str:
        newest = state.wrote.rpartition(".")[2]
        if not seq.isdecimal() or not newest.isdecimal() or int(seq) > int(newest):
            return "" if state.rebased else "PHANTOM"
        return "" if state.floor is None else STALE

    def _anomaly(self, session: str, obj: str, doubt: Suspicion) -> Anomaly:
        found = super()._anomaly(session, obj, doubt)
        if doubt.name != STALE or found.healed_ns >= 0:
            return found
        if not found.confirms:
            return replace(found, name=STALE)
        return replace(found, name=STALE, cause=Cause.ONE_INSTANCE) if _copies(found) else found


def _copies(found: Anomaly) -> bool:
    """Whether instances have copies of their own: all show a version, and not all the same one."""
    last = {again.via: again for again in found.confirms}.values()
    return all(again.outcome == Outcome.OK and again.seen for again in last) and len({one.seen for one in last}) > 1
