"""The sets of all sessions, and what a read of one of them contradicts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from chaoscheck.checkers.doubt import Broken, grouped
from chaoscheck.checkers.element import CROSS, DUPLICATE, LOST, PHANTOM, RESURRECTED, Element
from chaoscheck.checkers.elements import Elements, Parked
from chaoscheck.model.ops import Op, Outcome


class Contents:
    """Sets by their session; the only one of a session, while nothing unusual is known of it, in its parked form."""

    def __init__(self) -> None:
        self.sessions: dict[str, Elements | Parked] = {}
        self._run = ""

    def taken(self, session: str, obj: str) -> tuple[Elements | None, Parked]:
        """What folding goes on from: the set where its parked form doesn't say all, and that form."""
        first = self.sessions.get(session)
        if isinstance(first, tuple) and first[0] == obj:
            return None, first
        known = self.the(session, obj)
        return known, known.parked()

    def the(self, session: str, obj: str) -> Elements:
        """That set; an empty one where there was none."""
        known = self.find(session, obj)
        if known is None:
            known = Elements(obj)
            known.more = self._first(session)
            self.sessions[session] = known
        return known

    def find(self, session: str, obj: str) -> Elements | None:
        known = self._first(session)
        while known is not None and known.obj != obj:
            known = known.more
        return known

    def of(self, session: str) -> Iterator[Elements]:
        known = self._first(session)
        while known is not None:
            yield known
            known = known.more

    def all(self) -> Iterator[tuple[str, Elements]]:
        """Every set, with its session; not to be changed."""
        for session, first in self.sessions.items():
            known: Elements | None = Elements.unparked(first) if isinstance(first, tuple) else first
            while known is not None:
                yield session, known
                known = known.more

    def _first(self, session: str) -> Elements | None:
        """The session's newest set, as an object from now on."""
        first = self.sessions.get(session)
        if isinstance(first, tuple):
            first = self.sessions[session] = Elements.unparked(first)
        return first

    def broken(
        self, known: Elements, op: Op, counts: Mapping[str, int], moving: AbstractSet[str] = frozenset()
    ) -> list[Broken]:
        """Ways in which the read contradicts what is certain; of `moving` elements something is under way."""
        found: list[tuple[str, str, Element, str]] = []
        for value, (who, acked_ns) in known.held.items():
            count = counts.get(value, 0)
            if count != 1:
                found.append((LOST if not count else DUPLICATE, value, Element(True, (who, acked_ns)), ""))
        for value, ack in (known.out or {}).items():
            if value in counts:
                found.append((RESURRECTED, value, Element(False, ack), ""))
        for value, element in (known.odd or {}).items():
            name = element.broken(counts.get(value, 0))
            if name:
                found.append((name, value, element, ""))
        strange = known.strange(counts)
        if known.base is None and op.outcome == Outcome.OK:
            known.base = {value for value in strange if not self._own(op.session, value)}
        for value in strange:
            if value not in (known.base or ()):
                whose = self._whose(op.session, value)
                found.append((CROSS if whose else PHANTOM, value, Element(None), whose))
        return grouped(one for one in found if one[1] not in moving)

    def _own(self, session: str, value: str) -> bool:
        return bool(self.run()) and value.rpartition(".")[0] == self._run + session

    def _whose(self, session: str, value: str) -> str:
        """The other session of this run that wrote that value, as its words say; "" when none did."""
        run = self.run()
        if not run or not value.startswith(run):
            return ""
        whose, _, seq = value[len(run) :].rpartition(".")
        return whose if whose != session and seq.isdecimal() else ""

    def run(self) -> str:
        """ "run." of the run's values, as an element that a session wrote shows it; "" before there is one."""
        if not self._run:
            for session, known in self.all():
                self.learn(session, next(iter((*known.held, *(known.out or ()), *(known.odd or ()))), ""))
                if self._run:
                    break
        return self._run

    def learn(self, session: str, value: str) -> None:
        """What the run is called, from a value that this session wrote."""
        head = value.rpartition(".")[0]
        if not self._run and head.endswith("." + session):
            self._run = head[: -len(session)]
