"""What a user would call an error, and which of a request's attempts decides it."""

from __future__ import annotations

from typing import NamedTuple

from chaoscheck.model.ops import Op, Outcome
from chaoscheck.steps.base import Trouble

NOT_SENT = frozenset({Trouble.REFUSED.value, Trouble.UNREACHABLE.value, Trouble.CONNECT_TIMEOUT.value})
"""A client that picks instances by itself goes elsewhere after these, as a balancer does."""
_BAD = frozenset({Outcome.UNKNOWN.value, Outcome.DROPPED.value, Outcome.UNRECOGNISED.value})


def is_bad(op: Op) -> bool:
    """Whether a user would call this attempt an error. A refusal by the service or "not there" is an answer."""
    return op.outcome in _BAD or op.status == 0 or op.status >= 500


class Noticed(NamedTuple):
    """What the user had of a request: the attempt that decided it, and when the first one was due."""

    op: Op
    intended_ns: int
    bad: bool


class Attempts:
    """Attempts of any sessions in the order of their ends: one that was not sent waits for the next of its request."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: dict[str, Noticed] = {}

    def add(self, op: Op) -> tuple[Noticed, ...]:
        """What is decided by it: a request of its session that was never sent again, itself, both or nothing."""
        earlier = self._held.pop(op.session, None) if self._held else None
        decided: tuple[Noticed, ...] = ()
        intended_ns = op.intended_ns
        if earlier is not None:
            if earlier.op.seq == op.seq and op.attempt > earlier.op.attempt:
                intended_ns = earlier.intended_ns
            else:
                decided = (earlier,)
        if op.error in NOT_SENT:
            self._held[op.session] = Noticed(op, intended_ns, True)
            return decided
        return (*decided, Noticed(op, intended_ns, is_bad(op)))

    def close(self) -> tuple[Noticed, ...]:
        """No more attempts: those that wait were all that there was."""
        decided = tuple(self._held.values())
        self._held = {}
        return decided
