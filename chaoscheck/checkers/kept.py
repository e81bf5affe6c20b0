"""kept: what was acknowledged as made is there, until its removal is sent."""

from __future__ import annotations

from typing import ClassVar

from chaoscheck.checkers.base import CHECKERS
from chaoscheck.checkers.states import Fold, State
from chaoscheck.model.ops import Op, Outcome


@CHECKERS.add("kept")
class KeptChecker(Fold):
    """LOST (FLICKER where it came back) when an object that was certain is gone; each value is an object of its own."""

    kind: ClassVar[str] = "kept"

    def _write(self, state: State, op: Op) -> None:
        if op.outcome == Outcome.FAIL:
            return
        if op.action != "do":
            self._close(state)
            state.uncertain()
            # An undo that was sent may land at any later time, so nothing makes this object certain again.
            state.maybe = None
            state.ended = True
        elif not state.ended:
            self._made(state, op)

    def _made(self, state: State, op: Op) -> None:
        if op.outcome == Outcome.OK:
            self._close(state)
            state.certain(op.value, op, by_read=False)
        elif state.floor is None:
            state.maybe = {op.value: 1}

    def _contradiction(self, state: State, op: Op) -> str:
        if op.outcome == Outcome.OK and state.maybe and state.floor is None:
            state.certain(next(iter(state.maybe)), op, by_read=True)
            state.maybe = None
        return "LOST" if op.outcome == Outcome.GONE and state.floor is not None else ""
