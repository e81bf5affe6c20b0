"""A read of a set that contradicts: what it is about, and what the re-reads of it said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from chaoscheck.checkers.base import Reread
from chaoscheck.checkers.element import DUPLICATE, LOST, Element
from chaoscheck.model.ops import Lane, Op

_FINAL = Lane.FINAL.value


class Broken:
    """One way in which a read contradicts: an anomaly, the elements it is about, and who said otherwise.

    `value` is the one of them that was acknowledged first.
    """

    __slots__ = ("acked_ns", "acker", "agreed", "agreed_ns", "by_read", "name", "value", "values")

    def __init__(self, name: str, value: str, known: Element) -> None:
        self.name, self.value = name, value
        self.values = {value}
        self.acker, self.acked_ns, self.by_read = known.acker, known.acked_ns, known.by_read
        self.agreed: dict[str, bool] = {}
        self.agreed_ns: dict[str, int] = {}

    def add(self, value: str, known: Element) -> None:
        """One more element, broken in the same way."""
        self.values.add(value)
        if known.acked_ns < self.acked_ns:
            self.value, self.acked_ns, self.by_read = value, known.acked_ns, known.by_read

    def mended(self, counts: Mapping[str, int]) -> bool:
        """Whether a read no longer shows it."""
        if self.name == LOST:
            return all(value in counts for value in self.values)
        most = 1 if self.name == DUPLICATE else 0
        return all(counts.get(value, 0) <= most for value in self.values)

    @property
    def healed_ns(self) -> int:
        """When the last instance came round, -1 while one of them has not."""
        return max(self.agreed_ns.values()) if self.agreed_ns and all(self.agreed.values()) else -1


class Doubt:
    """A read that contradicts what was certain then, and the re-reads of it so far."""

    __slots__ = ("asked", "broken", "counted", "read")

    def __init__(self, read: Op, broken: list[Broken], *, counted: bool) -> None:
        self.read = read
        self.broken = broken
        self.counted = counted
        self.asked: list[tuple[Op, Mapping[str, int]]] = []
        for one in broken:
            one.agreed = {read.via: False} if read.lane == _FINAL else {}

    def add(self, op: Op, counts: Mapping[str, int]) -> None:
        """One more read through an instance; only answers that say something come here."""
        self.asked.append((op, counts))
        for one in self.broken:
            mended = one.mended(counts)
            if not one.agreed.get(op.via, False):
                one.agreed_ns[op.via] = op.done_ns
            one.agreed[op.via] = mended

    def confirms(self, one: Broken) -> tuple[Reread, ...]:
        return tuple(Reread(op.via, op.outcome, op.seen, op.done_ns, one.mended(counts)) for op, counts in self.asked)

    @property
    def healed(self) -> bool:
        return all(one.healed_ns >= 0 for one in self.broken)


def grouped(found: Iterable[tuple[str, str, Element, str]]) -> list[Broken]:
    """(anomaly, element, what is known of it, whose) each, as few as there are anomalies and acknowledgers."""
    groups: dict[tuple[str, str], Broken] = {}
    for name, value, known, whose in found:
        key = (name, whose or known.acker)
        if key in groups:
            groups[key].add(value, known)
        else:
            groups[key] = Broken(name, value, known)
    return list(groups.values())
