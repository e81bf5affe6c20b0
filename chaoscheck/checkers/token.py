"""token: what was minted is accepted by every instance, and refused by every instance once it was revoked.

A revocation that was acknowledged makes its refusal certain as a mint makes the acceptance: it is the object's newest
write from then on, so that a list of revoked tokens which dies with an instance is found like anything else that does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar

from chaoscheck.checkers.base import CHECKERS, Anomaly
from chaoscheck.checkers.states import WRONG_USER, Fold, State, Suspicion
from chaoscheck.model.clock import NS
from chaoscheck.model.history import OpFields
from chaoscheck.model.ops import Op, Outcome
from chaoscheck.plan.steps import Promise

REVOKED = "revoked"
"""The `base` of a state whose certain write is a revocation."""


@CHECKERS.add("token")
class TokenChecker(Fold):
    """LOST or FLICKER when a valid token is refused, REVOKED_ACCEPTED when a revoked one isn't, WRONG_USER."""

    kind: ClassVar[str] = "token"

    def __init__(self, promise: str, terms: Promise | None = None) -> None:
        super().__init__(promise, terms)
        self._grace_ns = int((terms.grace or 0.0) * NS) if terms is not None else 0

    def fold(self, ops: Iterable[OpFields]) -> None:
        for fields in ops:
            self.feed(Op._make(fields))

    def certain(self, session: str) -> list[str]:
        objects = self._objects(session)
        return [obj for obj in super().certain(session) if objects[obj].base != REVOKED]

    def retired(self, session: str) -> list[str]:
        """Tokens whose revocation was acknowledged, oldest first."""
        objects = self._objects(session)
        return [obj for obj in super().certain(session) if objects[obj].base == REVOKED]

    def _write(self, state: State, op: Op) -> None:
        if op.outcome == Outcome.FAIL:
            return
        if op.action == "do":
            self._minted(state, op)
        else:
            self._revoked(state, op)

    def _minted(self, state: State, op: Op) -> None:
        if op.outcome != Outcome.OK:
            # It may take effect at any later time, after a revocation too.
            state.maybe = {op.value: 1}
        if state.ended:
            self._close(state)
            state.uncertain()
        elif op.outcome == Outcome.OK:
            self._close(state)
            state.certain(op.value, op, by_read=False)

    def _revoked(self, state: State, op: Op) -> None:
        state.ended = True
        is_certain = state.base == REVOKED and state.floor is not None
        if is_certain:
            # Who acknowledged it first may forget it now, so that the earlier acknowledgement exposes nothing more.
            self._close(state)
            state.spent = True
            return
        self._close(state)
        state.uncertain()
        if op.outcome == Outcome.OK and not state.maybe:
            state.certain(op.value, op, by_read=False)
            state.base = REVOKED

    def _contradiction(self, state: State, op: Op) -> str:
        if op.error == WRONG_USER and op.outcome != Outcome.DROPPED:
            # Whatever it is worth, it never was that user's.
            return "" if state.rebased else "WRONG_USER"
        if state.floor is None:
            return ""
        if state.base != REVOKED:
            return "LOST" if op.outcome == Outcome.GONE else ""
        late = op.sent_ns > state.acked_ns + self._grace_ns
        return "REVOKED_ACCEPTED" if op.outcome == Outcome.OK and late else ""

    def _agrees(self, state: State, op: Op) -> bool:
        if op.error == WRONG_USER or state.floor is None:
            return False
        return op.outcome == (Outcome.GONE if state.base == REVOKED else Outcome.OK)

    def _anomaly(self, session: str, obj: str, doubt: Suspicion) -> Anomaly:
        anomaly = super()._anomaly(session, obj, doubt)
        # Refused later or not, it was accepted when it had no right to be.
        return replace(anomaly, name=doubt.name) if doubt.name == "REVOKED_ACCEPTED" else anomaly
