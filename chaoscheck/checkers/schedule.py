"""schedule: over all instances each tick is run once, none is left out, and none comes later than it may.

When a tick was due nobody says, but those seen around it bound it: at the latest one interval after the tick before it
was first shown, and one before the next one was. It may take one more interval to be run and shown, and the declared
lock time besides; a death before that is over starts this anew, for it may have been the runner's.

A ledger in each instance is told from a shared one by what only one of them shows: a tick that was there before another
answered without it, and still is after. Then a tick in two ledgers was run twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from chaoscheck.checkers.base import CHECKERS, Anomaly, Death, Reread, Tally
from chaoscheck.model.clock import NS
from chaoscheck.model.history import OpFields
from chaoscheck.model.listed import numbers
from chaoscheck.model.ops import Lane, Op, Outcome
from chaoscheck.model.verdict import Cause
from chaoscheck.plan.steps import Promise

GRACE_NS = NS
"""Word of a death takes a moment, and so does an answer."""
DOUBTED = 3
"""Ticks run twice that are asked again through every instance; later ones are of the same sort."""
AHEAD = 1000
"""Ticks looked at beyond those that are whole: numbers further apart are no ticks one by one."""


@dataclass(slots=True)
class _Ledger:
    """What one instance showed: each tick with when it was first seen there, and its last answer."""

    shown: dict[int, int] = field(default_factory=dict)
    last: frozenset[int] = frozenset()
    sent_ns: int = -1
    done_ns: int = -1


@dataclass(slots=True)
class _Doubt:
    """What one read showed to be wrong with some ticks, and what every instance said of it since."""

    name: str
    ticks: tuple[int, ...]
    read: Op
    seen: str
    due_ns: int = -1
    apart: bool = False
    death: Death | None = None
    confirms: list[Reread] = field(default_factory=list)

    @property
    def healed_ns(self) -> int:
        """A tick that was missing is there once any instance shows it; one run twice only when none says so."""
        last = {again.via: again for again in self.confirms}
        agreed = [again.done_ns for again in last.values() if again.agrees]
        if self.name == "DUPLICATE_RUN":
            return max(agreed) if agreed and len(agreed) == len(last) else -1
        return min(agreed, default=-1)


@CHECKERS.add("schedule")
class ScheduleChecker:
    """DUPLICATE_RUN, MISSED_TICK, STALLED. One session of the run asks every instance in turn."""

    kind: ClassVar[str] = "schedule"

    def __init__(self, promise: str, terms: Promise | None = None) -> None:
        self.promise = promise
        self._every_ns = int(((terms.every if terms is not None else None) or 1.0) * NS)
        self._lock_ns = int(((terms.lock if terms is not None else None) or 0.0) * NS)
        self._deaths: dict[str, Death] = {}
        self._ledgers: dict[str, _Ledger] = {}
        self._apart: set[frozenset[str]] = set()
        self._common = False
        self._first: dict[int, int] = {}
        self._base = self._whole = self._newest = -1
        self._told: set[int] = set()
        self._twice: set[int] = set()
        self._calm_twice = False
        self._stalled_at = -2
        self._reads: list[tuple[int, str, int]] = []
        self._doubt: _Doubt | None = None
        self._done: list[_Doubt] = []
        self._open: dict[int, _Doubt] = {}
        self._outcomes: dict[str, int] = {}
        self._odd: list[str] = []

    # The protocol.

    def died(self, death: Death) -> None:
        self._deaths[death.incarnation] = death

    def feed(self, op: Op) -> bool:
        if not op.judged or op.action != "see":
            return False
        confirms = op.lane == Lane.CONFIRM.value
        if not confirms:
            self._conclude()
            key = f"see/{op.outcome}"
            self._outcomes[key] = self._outcomes.get(key, 0) + 1
        if op.outcome != Outcome.OK:
            return False
        ticks = self._ticks(op)
        if ticks is None:
            return False
        counts = Counter(ticks)
        self._learn(op, counts)
        if confirms:
            self._confirm(op, counts)
            return False
        self._doubt = self._twice_in(op, counts) or self._overdue(op)
        if self._doubt is None:
            return False
        if not self._worth_asking(self._doubt):
            self._settle(self._doubt)
            return False
        return True

    def fold(self, ops: Iterable[OpFields]) -> None:
        for fields in ops:
            self.feed(Op._make(fields))

    def healed(self, session: str, obj: str) -> bool:
        return self._doubt is None or self._doubt.healed_ns >= 0

    def certain(self, session: str) -> list[str]:
        return []

    def value_of(self, session: str, obj: str) -> str:
        return ""

    def exposed(self, session: str) -> list[str]:
        return []

    def forget(self, session: str) -> None:
        self._conclude()

    def tally(self) -> Tally:
        tally = Tally(outcomes=dict(self._outcomes), inconclusive=list(self._odd))
        now = [self._doubt] if self._doubt is not None else []
        asked = {tick for doubt in now for tick in doubt.ticks}
        for doubt in [*self._done, *now]:
            tally.anomalies.extend(self._anomalies(doubt, doubt.ticks))
        for tick, doubt in self._open.items():
            tally.anomalies.extend(self._anomalies(doubt, () if tick in asked else (tick,)))
        for death in self._deaths.values():
            self._expose(tally, death)
        return tally

    # What an answer teaches.

    def _ticks(self, op: Op) -> list[int] | None:
        ticks = numbers(op.seen)
        if ticks is None and not self._odd:
            self._odd.append(f"{self.promise} shows what is no list of whole numbers: {op.seen[:80]}")
        return ticks

    def _learn(self, op: Op, counts: Counter[int]) -> None:
        who = op.incarnation or op.via
        ledger = self._ledgers.setdefault(who, _Ledger())
        if op.sent_ns < ledger.done_ns:
            return
        now = frozenset(counts)
        for other, theirs in self._ledgers.items():
            if other != who and self._lacks(ledger, theirs, now, op.sent_ns):
                self._apart.add(frozenset({who, other}))
            self._common = self._common or (other != who and not now.isdisjoint(theirs.shown))
        for tick in now:
            ledger.shown.setdefault(tick, op.done_ns)
            self._first.setdefault(tick, op.done_ns)
        ledger.last, ledger.sent_ns, ledger.done_ns = now, op.sent_ns, op.done_ns
        self._newest = max(self._newest, max(now, default=-1))
        if self._base < 0 and now:
            self._base = self._whole = max(now)
        self._reads.append((op.sent_ns, who, max(now, default=-1)))
        while self._whole + 1 in self._first or self._whole + 1 in self._told:
            self._whole += 1

    def _lacks(self, mine: _Ledger, theirs: _Ledger, now: frozenset[int], sent_ns: int) -> bool:
        """Whether the other answered without a tick that this one has shown long before, and shows again now."""
        if theirs.sent_ns < 0 or sent_ns < theirs.done_ns:
            return False
        long_before_ns = theirs.sent_ns - 2 * self._every_ns - GRACE_NS
        return any(mine.shown.get(tick, sent_ns) < long_before_ns for tick in now - theirs.last)

    # What it contradicts.

    def _twice_in(self, op: Op, counts: Counter[int]) -> _Doubt | None:
        who = op.incarnation or op.via
        new = [tick for tick in counts if tick > self._base and tick not in self._twice]
        listed = [tick for tick in new if counts[tick] > 1]
        others = [name for name in self._ledgers if frozenset({name, who}) in self._apart]
        apart = [tick for tick in new if any(tick in self._ledgers[name].shown for name in others)]
        ticks = tuple(sorted({*listed, *apart}))
        if not ticks:
            return None
        self._calm_twice = self._calm_twice or bool(apart) or self._no_death_near(ticks[0], op.done_ns)
        times = f"tick {ticks[0]} listed {counts[ticks[0]]} times" if listed else f"tick {ticks[0]} in two ledgers"
        return _Doubt("DUPLICATE_RUN", ticks, op, times, apart=not listed)

    def _overdue(self, op: Op) -> _Doubt | None:
        if self._base < 0:
            return None
        for tick in range(self._whole + 1, min(self._newest + 1, self._whole + AHEAD) + 1):
            if tick in self._first or tick in self._told or (tick > self._newest and self._stalled_at >= self._newest):
                continue
            due_ns = self._due_ns(tick)
            until_ns, death = self._until(due_ns)
            if op.sent_ns > until_ns and self._all_asked(until_ns, op.sent_ns):
                return self._missing(tick, op, due_ns, death)
        return None

    def _missing(self, tick: int, op: Op, due_ns: int, death: Death | None) -> _Doubt | None:
        gone = death or self._unasked(due_ns)
        if gone is not None and (self._apart or not self._common):
            self._told.add(tick)
            self._odd.append(f"{self.promise}: tick {tick} may be in the ledger that went with {gone.incarnation}")
            return None
        if tick < self._newest and (page := self._begins_after(tick, op.sent_ns)):
            self._told.add(tick)
            self._odd.append(f"{self.promise}: tick {tick} may have been run: {page}; let it list more of the newest")
            return None
        last = max((known for known in self._first if known < tick), default=self._base)
        after = min((known for known in self._first if known > tick), default=None)
        seen = f"tick {last}, then {after}" if after is not None else f"nothing after tick {last}"
        name = "STALLED" if after is None else "MISSED_TICK"
        return _Doubt(name, (tick,), op, seen, due_ns=due_ns, death=death)

    def _begins_after(self, tick: int, sent_ns: int) -> str:
        """Whose page of the newest ticks is too short to tell of it; "" for nobody's."""
        for who, ledger in self._ledgers.items():
            first = min(ledger.last, default=tick)
            if first > tick and min(ledger.shown) < first and not self._dead(who, sent_ns):
                return f"the {len(ledger.last)} ticks that {who} lists begin after it"
        return ""

    def _due_ns(self, tick: int) -> int:
        """The latest time at which it can have been due, as the ticks next to it bound it."""
        before = max(known for known in self._first if known < tick)
        bound = self._first[before] + (tick - before) * self._every_ns
        after = [known for known in self._first if known > tick]
        return min([bound, *(self._first[known] - (known - tick) * self._every_ns for known in after)])

    def _until(self, due_ns: int) -> tuple[int, Death | None]:
        """Until when it had to be shown, and the newest death that counts for it."""
        until_ns, newest = due_ns + self._every_ns + self._lock_ns + GRACE_NS, None
        for death in sorted(self._deaths.values(), key=lambda death: death.death_ns):
            if due_ns - self._every_ns <= death.death_ns + death.error_ns and death.death_ns <= until_ns:
                after_ns = death.death_ns + death.error_ns + self._every_ns + self._lock_ns + GRACE_NS
                until_ns, newest = max(until_ns, after_ns), death
        return until_ns, newest

    def _all_asked(self, until_ns: int, sent_ns: int) -> bool:
        """Whether every instance that is not known to be dead answered a later question."""
        return all(ledger.sent_ns > until_ns for who, ledger in self._ledgers.items() if not self._dead(who, sent_ns))

    def _unasked(self, due_ns: int) -> Death | None:
        """The death of somebody who may have run it, much later, and was never asked for it in between."""
        until_ns = due_ns + self._every_ns + self._lock_ns + GRACE_NS
        for death in self._deaths.values():
            ledger = self._ledgers.get(death.incarnation)
            asked = ledger is not None and ledger.sent_ns > until_ns
            if not asked and death.death_ns + death.error_ns >= due_ns - self._every_ns:
                return death
        return None

    def _dead(self, who: str, sent_ns: int) -> bool:
        death = self._deaths.get(who)
        return death is not None and death.death_ns <= sent_ns

    def _no_death_near(self, tick: int, seen_ns: int) -> bool:
        since_ns = self._first[tick] - 2 * self._every_ns - self._lock_ns
        return not any(since_ns <= death.death_ns <= seen_ns for death in self._deaths.values())

    def _worth_asking(self, doubt: _Doubt) -> bool:
        return doubt.name != "DUPLICATE_RUN" or sum(known.name == doubt.name for known in self._done) < DOUBTED

    def _confirm(self, op: Op, counts: Counter[int]) -> None:
        doubt = self._doubt
        if doubt is None:
            return
        if doubt.name == "DUPLICATE_RUN":
            agrees = not any(counts[tick] > (0 if doubt.apart else 1) for tick in doubt.ticks)
        else:
            agrees = doubt.ticks[0] in counts
        doubt.confirms.append(Reread(op.via, op.outcome, doubt.seen, op.done_ns, agrees))

    def _conclude(self) -> None:
        """A doubt that nobody could be asked about stays open, and the next read may raise it again."""
        doubt, self._doubt = self._doubt, None
        if doubt is None:
            return
        if doubt.confirms:
            self._settle(doubt)
            return
        for tick in doubt.ticks:
            self._open.setdefault(tick, doubt)

    def _settle(self, doubt: _Doubt) -> None:
        self._doubt = None
        self._done.append(doubt)
        for tick in doubt.ticks:
            self._open.pop(tick, None)
        if doubt.name == "DUPLICATE_RUN":
            self._twice.update(doubt.ticks)
            return
        self._told.update(doubt.ticks)
        if doubt.name == "STALLED":
            self._stalled_at = doubt.ticks[0] - 1

    # What it comes to.

    def _anomalies(self, doubt: _Doubt, ticks: Iterable[int]) -> Iterator[Anomaly]:
        twice = doubt.name == "DUPLICATE_RUN"
        healed_ns = doubt.healed_ns
        name = ("FLICKER" if twice else "STALLED") if healed_ns >= 0 else doubt.name
        death = doubt.death or (None if twice else self._since(doubt))
        victim = death.incarnation if death is not None else ""
        cause = Cause.ONE_INSTANCE if twice and self._calm_twice else Cause.LOST_WITH_INSTANCE if victim else None
        for tick in ticks:
            yield Anomaly(
                name=name,
                promise=self.promise,
                session=doubt.read.session,
                obj=f"tick {tick}",
                value=f"tick {tick} once",
                seen=doubt.seen,
                critical=False,
                confirmed=bool(doubt.confirms),
                acker=victim,
                acked_ns=doubt.due_ns,
                read=doubt.read._replace(seen=doubt.seen),
                healed_ns=healed_ns,
                confirms=tuple(doubt.confirms),
                guarantee="exactly once",
                cause=cause,
            )

    def _since(self, doubt: _Doubt) -> Death | None:
        """The newest death before a tick that nobody ran, where none was left out until something had died."""
        known = [*self._done, *self._open.values(), doubt]
        first_ns = min(each.due_ns for each in known if each.name != "DUPLICATE_RUN")
        before = [death for death in self._deaths.values() if death.death_ns <= doubt.due_ns]
        if not before or min(death.death_ns for death in self._deaths.values()) > first_ns:
            return None
        return max(before, key=lambda death: death.death_ns)

    def _expose(self, tally: Tally, death: Death) -> None:
        """A tick that an instance showed only after the death was completed after it; and so were those before it."""
        since_ns = death.death_ns + death.error_ns
        ran = self._ran_after(since_ns)
        counts = tally.pending
        if ran is not None:
            if any(tick in self._told or tick in self._twice for tick in ran):
                counts = tally.lost
            elif all(tick in self._first for tick in ran):
                counts = tally.exposures
        counts[death.strike] = counts.get(death.strike, 0) + 1

    def _ran_after(self, since_ns: int) -> range | None:
        had: dict[str, int] = {}
        for sent_ns, who, newest in self._reads:
            if sent_ns <= since_ns:
                continue
            before = had.setdefault(who, newest)
            if newest > before:
                return range(max(before, self._base) + 1, newest + 1)
        return None
