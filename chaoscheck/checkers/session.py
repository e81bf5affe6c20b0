"""session: after an acknowledged login the user stays that user, until logout is sent."""

from __future__ import annotations

from typing import ClassVar

from chaoscheck.checkers.base import CHECKERS
from chaoscheck.checkers.states import WRONG_USER, Fold, State
from chaoscheck.model.ops import Op, Outcome


@CHECKERS.add("session")
class SessionChecker(Fold):
    """LOST or FLICKER when logged out, WRONG_USER when someone else; silent while no login is certain."""

    kind: ClassVar[str] = "session"

    def _write(self, state: State, op: Op) -> None:
        if op.action == "do" and op.outcome == Outcome.FAIL:
            return
        # A login that may have happened can have replaced the earlier one, and a logout that was sent may land yet.
        self._close(state)
        if op.action != "do" and op.outcome == Outcome.UNKNOWN:
            state.ended = True
        if op.action == "do" and op.outcome == Outcome.OK and not state.ended:
            state.certain(op.value, op, by_read=False)
        else:
            state.uncertain()

    def _contradiction(self, state: State, op: Op) -> str:
        if state.floor is None or op.outcome == Outcome.DROPPED:
            return ""
        if op.error == WRONG_USER:
            return "WRONG_USER"
        return "LOST" if op.outcome == Outcome.GONE else ""
