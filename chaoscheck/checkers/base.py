"""What a checker of promises is: a fold over one promise's operations, the same live and later over files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple, Protocol, runtime_checkable

from chaoscheck.model.history import OpFields
from chaoscheck.model.ops import Op
from chaoscheck.model.verdict import Cause
from chaoscheck.plan.steps import Promise
from chaoscheck.registry import Registry


class Death(NamedTuple):
    """The confirmed death of an incarnation by a strike (index; -1 for one that no strike meant)."""

    incarnation: str
    strike: int
    death_ns: int
    error_ns: int


class Reread(NamedTuple):
    """One more read of what was doubted, through the instance `via`; `agrees` with what is certain, or not."""

    via: str
    outcome: str
    seen: str
    done_ns: int
    agrees: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """A contradiction, before anyone asks for its cause. `name` is LOST, STALE, FLICKER, WRONG_USER, ...

    `acker` gave the certain write (at `acked_ns`) that the read contradicts; `read` is the contradicting read.
    `confirms` are the re-reads through every instance; `confirmed` is False while they were not made or came to no
    end. `healed_ns` is when all instances agreed with the promise again, -1 if never.
    `guarantee` says what made the value certain: "read-your-writes" (an acknowledgement) or "monotonic-reads" (a read,
    and then `acker` is who showed it), "all-or-nothing" (nothing was, and half a write of `acker` is there); "" for
    values that should not exist at all.
    `cause` is what the contradiction itself proves, None where that takes more evidence. `besides` are the request ids
    of further operations without which `read` contradicts nothing. `shown_ns` is when an instance other than `acker`
    was last asked and showed it, -1 if none ever did.
    """

    name: str
    promise: str
    session: str
    obj: str
    value: str
    seen: str
    critical: bool
    confirmed: bool
    acker: str
    acked_ns: int
    read: Op
    healed_ns: int
    confirms: tuple[Reread, ...]
    guarantee: str = ""
    cause: Cause | None = None
    besides: tuple[str, ...] = ()
    shown_ns: int = -1


NEWEST = 64
"""Acknowledgement times that a tally keeps of a dead incarnation."""


@dataclass(slots=True, kw_only=True)
class Tally:
    """What a fold came to; tallies of disjoint sessions merge in any order to the same."""

    exposures: dict[int, int] = field(default_factory=dict)
    """Strike index -> (object, kill) pairs that were exposed and read back."""
    pending: dict[int, int] = field(default_factory=dict)
    """Strike index -> exposed pairs that no read followed yet."""
    lost: dict[int, int] = field(default_factory=dict)
    """Strike index -> exposed pairs whose first read was a confirmed contradiction (healed later or not)."""
    anomalies: list[Anomaly] = field(default_factory=list)
    outcomes: dict[str, int] = field(default_factory=dict)
    """"action/outcome" -> how many judged operations."""
    kept_after: dict[str, list[int]] = field(default_factory=dict)
    """Dead incarnation -> acknowledgement times (ns) of the newest writes it acknowledged that were read back whole."""
    final_done: int = 0
    final_due: int = 0
    inconclusive: list[str] = field(default_factory=list)

    def merge(self, other: Tally) -> None:
        """Add another's counts to these."""
        pairs = ((self.exposures, other.exposures), (self.pending, other.pending), (self.lost, other.lost))
        for mine, theirs in pairs:
            for strike, count in theirs.items():
                mine[strike] = mine.get(strike, 0) + count
        for name, count in other.outcomes.items():
            self.outcomes[name] = self.outcomes.get(name, 0) + count
        for victim, times in other.kept_after.items():
            self.kept_after[victim] = sorted(self.kept_after.get(victim, []) + times)[-NEWEST:]
        self.anomalies.extend(other.anomalies)
        self.final_done += other.final_done
        self.final_due += other.final_due
        self.inconclusive.extend(other.inconclusive)


class PromiseChecker(Protocol):
    """Judges one promise. Operations of one session come in the order in which they ended; sessions may interleave."""

    kind: ClassVar[str]

    def died(self, death: Death) -> None:
        """An incarnation died; may come after operations that were sent later than the death."""
        ...

    def feed(self, op: Op) -> bool:
        """Take one judged operation. True when it is a read that contradicts what is certain and no confirming reads of
        it were fed yet: re-read it now through every instance (lane "confirm")."""
        ...

    def fold(self, ops: Iterable[OpFields]) -> None:
        """Feed many; the same, faster, and fastest where they are plain tuples."""
        ...

    def healed(self, session: str, obj: str) -> bool:
        """Whether the last confirming read through each instance so far agreed with what is certain."""
        ...

    def certain(self, session: str) -> list[str]:
        """Objects that should be there now, oldest first."""
        ...

    def value_of(self, session: str, obj: str) -> str:
        """The newest certain value of that object; "" when there is none."""
        ...

    def exposed(self, session: str) -> list[str]:
        """Objects whose newest certain write was acknowledged by an incarnation that died, unread since."""
        ...

    def forget(self, session: str) -> None:
        """The session is over: keep only what it counts for."""
        ...

    def tally(self) -> Tally:
        """What was seen so far; open suspicions come as anomalies that aren't confirmed."""
        ...


@runtime_checkable
class Awaits(Protocol):
    """A checker of objects that are whole only a while after they were acknowledged."""

    def awaited(self, session: str) -> list[str]:
        """Objects that a read may still show as not done, oldest first."""
        ...


@runtime_checkable
class Retires(Protocol):
    """A checker of objects that nobody may be shown any more once their end was acknowledged."""

    def retired(self, session: str) -> list[str]:
        """Objects that should be gone now, oldest first."""
        ...


CHECKERS: Registry[Callable[[str, Promise | None], PromiseChecker]] = Registry("checker", PromiseChecker)
