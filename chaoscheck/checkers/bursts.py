"""Requests of one session that overlap in time: which states can they leave behind, in whatever order they took effect?

A busy burst is judged by itself, from the states that were possible before it. A request takes effect at one moment
between its being sent and its being answered; one that nobody answered does so at any moment after it was sent, and its
machine says what that makes possible. Every order that keeps to this is tried, equal states at one place only once.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Protocol, TypeVar

from chaoscheck.model.ops import Op, Outcome

MOST_IN_FLIGHT = 6
MOST_UNKNOWN = 64
"""Requests in flight at once, and unknown writes that may land yet, beyond which nothing is told of a session."""

_EVER = 1 << 62

S = TypeVar("S", bound=Hashable)


class Machine(Protocol[S]):
    """One object as a sequence of operations would leave it. States are compared by value."""

    def apply(self, op: Op, state: S) -> Iterable[S]:
        """The states after `op` took effect in `state`; none where a read can't show what it showed."""
        ...


def in_flight(ops: Iterable[Op]) -> int:
    """The most of them that were under way at one time."""
    edges = sorted((at, step) for op in ops for at, step in ((op.sent_ns, 1), (_ended(op), -1)))
    now = most = 0
    for _, step in edges:
        now += step
        most = max(most, now)
    return most


def outcomes(machine: Machine[S], ops: Sequence[Op], states: Iterable[S]) -> set[S]:
    """Every state that some order of these operations ends in; empty when no order explains what they read."""
    ordered = sorted(ops, key=lambda op: op.sent_ns)
    ends = [_effective_until(op) for op in ordered]
    layer: dict[int, set[S]] = {0: set(states)}
    for _ in ordered:
        after: dict[int, set[S]] = {}
        for done, before in layer.items():
            for number in _next(ordered, ends, done):
                reached = {state for old in before for state in machine.apply(ordered[number], old)}
                if reached:
                    after.setdefault(done | 1 << number, set()).update(reached)
        layer = after
    return set().union(*layer.values())


def in_turn(ops: Sequence[Op], before: Sequence[Sequence[int]]) -> bool:
    """Whether some order keeps to their times and has each of them after the places that `before` names for it."""
    ends = [_effective_until(op) for op in ops]
    left = list(range(len(ops)))
    taken: set[int] = set()
    while left:
        first_end = min(ends[place] for place in left)
        ready = [place for place in left if ops[place].sent_ns < first_end and taken.issuperset(before[place])]
        if not ready:
            return False
        taken.update(ready)
        left = [place for place in left if place not in taken]
    return True


def _next(ordered: Sequence[Op], ends: Sequence[int], done: int) -> list[int]:
    """Those that may take effect next: none that is left had ended when they were sent."""
    left = [number for number in range(len(ordered)) if not done >> number & 1]
    first_end = min((ends[number] for number in left), default=_EVER)
    return [number for number in left if ordered[number].sent_ns < first_end]


def _ended(op: Op) -> int:
    return op.done_ns if op.done_ns >= 0 else _EVER


def _effective_until(op: Op) -> int:
    return _EVER if op.outcome == Outcome.UNKNOWN else max(_ended(op), op.sent_ns + 1)
