"""What a caller asks of the steps, and what it gets back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from chaoscheck.model.ops import Lane, Op
from chaoscheck.model.places import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Do one action of one promise. `intended_ns` is when it should have begun, were the generator ideal."""

    promise: str
    action: str
    obj: str
    value: str
    seq: int
    lane: Lane
    intended_ns: int
    fresh: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """`op` is the last attempt made; `reached` says that it was the judged request and not one that prepares it.

    `taken` are the names that the action's steps took (already in the client's names).
    """

    op: Op
    reached: bool
    taken: Mapping[str, str]


class Journal(Protocol):
    """Keeps attempts: `invoke` returns only when the attempt is on disk."""

    def invoke(self, op: Op) -> None: ...

    def done(self, op: Op) -> None: ...


class Router(Protocol):
    """Where the next attempt goes."""

    def pick(self, attempt: int) -> tuple[str, Address]:
        """(via, address) for attempt number `attempt` (0 first): "lb", or the incarnation dialled directly, by name."""
        ...

    def another(self, attempt: int) -> bool:
        """Whether an attempt of which certainly nothing was sent may go elsewhere, as attempt `attempt`."""
        ...
