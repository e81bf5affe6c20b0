"""Which of the reads of a set that were doubted are anomalies, and what they tell of the dead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from chaoscheck.checkers.base import NEWEST, Anomaly, Tally
from chaoscheck.checkers.doubt import Broken, Doubt
from chaoscheck.checkers.element import ABORTED, AT_ONCE, CROSS, DUPLICATE, LOST, PHANTOM
from chaoscheck.checkers.elements import Elements
from chaoscheck.checkers.exposures import Exposures
from chaoscheck.model.ops import Op

SHOWN = 200
"""Characters of a read that a finding shows."""

Key = tuple[str, str, str, str]
"""(session, set, anomaly, element) of a finding."""


class Doubts:
    """What came of the doubts of one promise; `tally` gets what is sure."""

    def __init__(self, promise: str, tally: Tally, exposures: Exposures) -> None:
        self._promise = promise
        self._tally = tally
        self._exposures = exposures
        self._open: dict[Key, Anomaly] = {}
        self._hits: list[tuple[str, Op]] = []
        self._kept: dict[str, list[tuple[int, int]]] = {}

    def conclude(self, session: str, known: Elements, doubt: Doubt) -> None:
        """No more re-reads come."""
        self._hits += _hit(known, doubt)
        # The pair's first read contradicted: whatever is read later, it never counts as an exposure.
        known.spent = True
        for (key, anomaly), broken in zip(self._anomalies(session, known.obj, doubt), doubt.broken, strict=True):
            if not anomaly.confirmed:
                # It stays certain, so that every later read doubts it again: one doubt of it is kept.
                self._open.setdefault(key, anomaly)
                continue
            self._open.pop(key, None)
            self._tally.anomalies.append(anomaly)
            if broken.name in AT_ONCE or broken.healed_ns < 0:
                self._rebase(known, broken, doubt.read.sent_ns)

    def withdraw(self, session: str, obj: str, since_ns: int) -> bool:
        """Whether a read that ended after that was found to contradict; from now on it was not."""

        def early(read: Op) -> bool:
            return not (read.session == session and read.obj == obj and read.done_ns > since_ns)

        found = len(self._tally.anomalies) + len(self._open)
        if not found:
            return False
        self._tally.anomalies = [one for one in self._tally.anomalies if early(one.read)]
        self._open = {key: one for key, one in self._open.items() if early(one.read)}
        self._hits = [(acker, read) for acker, read in self._hits if early(read)]
        return len(self._tally.anomalies) + len(self._open) < found

    def tell(self, seen: Tally, doubted: Iterable[tuple[str, Elements, Doubt]]) -> None:
        """Add to `seen` what the open doubts come to, and what all of them tell of the dead."""
        open_, hits = dict(self._open), list(self._hits)
        for session, known, doubt in doubted:
            for key, anomaly in self._anomalies(session, known.obj, doubt):
                before = open_.pop(key, anomaly)
                seen.anomalies.append(anomaly if anomaly.confirmed else before)
            hits += _hit(known, doubt)
        seen.anomalies.extend(open_.values())
        self._count_kept(seen)
        for acker, read in hits:
            death = self._exposures.deaths.get(acker)
            if death is not None and self._exposures.after(death, read.sent_ns):
                seen.lost[death.strike] = seen.lost.get(death.strike, 0) + 1

    def _rebase(self, known: Elements, broken: Broken, sent_ns: int) -> None:
        """One loss is one finding: nothing is certain of these elements any more."""
        for value in broken.values:
            if broken.name in (PHANTOM, CROSS):
                known.base = {*(known.base or ()), value}
            elif broken.name == DUPLICATE:
                known.moved(value).twice = True
            else:
                known.moved(value).there = None
        if broken.name == LOST and broken.acker:
            kept = sorted(known.survivors(broken.acker))[-NEWEST:]
            self._kept.setdefault(broken.acker, []).extend((acked_ns, sent_ns) for acked_ns in kept)

    def _anomalies(self, session: str, obj: str, doubt: Doubt) -> Iterator[tuple[Key, Anomaly]]:
        for one in doubt.broken:
            yield (session, obj, one.name, one.value), self._anomaly(session, obj, doubt, one)

    def _anomaly(self, session: str, obj: str, doubt: Doubt, one: Broken) -> Anomaly:
        at_once = one.name in AT_ONCE
        healed_ns = one.healed_ns
        strange = one.name in (PHANTOM, CROSS, ABORTED)
        return Anomaly(
            name=one.name if at_once or healed_ns < 0 else "FLICKER",
            promise=self._promise,
            session=session,
            obj=obj,
            value="" if strange else one.value,
            seen=one.value if strange else doubt.read.seen[:SHOWN],
            critical=one.name == CROSS,
            confirmed=at_once or bool(doubt.asked),
            acker=one.acker,
            acked_ns=one.acked_ns,
            read=doubt.read,
            healed_ns=healed_ns,
            confirms=doubt.confirms(one),
            guarantee="" if at_once else "monotonic-reads" if one.by_read else "read-your-writes",
        )

    def _count_kept(self, tally: Tally) -> None:
        """Elements that were there when others of the same incarnation were lost: they tell how late it persists."""
        for acker, kept in self._kept.items():
            death = self._exposures.deaths.get(acker)
            if death is not None:
                after = tuple(acked_ns for acked_ns, sent_ns in kept if self._exposures.after(death, sent_ns))
                self._exposures.keep(tally, death, after)
        for victim, times in tally.kept_after.items():
            tally.kept_after[victim] = sorted(times)[-NEWEST:]


def _hit(known: Elements, doubt: Doubt) -> list[tuple[str, Op]]:
    """The pair whose first read contradicted for sure: its acknowledger, and the read."""
    sure = doubt.counted and bool(doubt.asked) and any(one.name not in AT_ONCE for one in doubt.broken)
    return [(known.acker, doubt.read)] if sure else []
