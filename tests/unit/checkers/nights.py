"""A nightly job as it truly went, and what an observer sees of it who asks one instance after another."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from chaoscheck.checkers.base import Death
from chaoscheck.checkers.schedule import ScheduleChecker
from chaoscheck.model.clock import NS
from chaoscheck.model.ops import Op
from chaoscheck.plan.steps import Promise
from tests.unit.checkers.making import op

EVERY_NS = NS
TERMS = Promise.model_validate(
    {"kind": "schedule", "every": "1s", "lock": "1s", "see": {"get": "/x", "values": "json:a[*]"}}
)
ALL = ("web-1.1", "web-2.1", "web-3.1")


def ledger(ticks: Iterable[int], at: int, who: str = "web-1.1", *, lane: str = "watch") -> Op:
    """An answer of that instance."""
    seen = json.dumps([str(tick) for tick in ticks])
    return op("see", "ok", at=at, seen=seen, who=who, via=who, lane=lane, obj="ledger")


@dataclass(slots=True, kw_only=True)
class Nights:
    """Ticks 0, 1, ... are due one a second, and completed in the shared ledger `late_ns` after that.

    Those in `never` aren't, those in `twice` are listed twice. A death moves the completion of what was under way: to
    within the lock time (1 s) and one interval of it.
    """

    late_ns: list[int]
    never: frozenset[int] = frozenset()
    twice: frozenset[int] = frozenset()
    deaths: list[Death] = field(default_factory=list)

    def completed_ns(self, tick: int) -> int:
        due = tick * EVERY_NS
        done = due + self.late_ns[tick]
        for death in sorted(self.deaths, key=lambda death: death.death_ns):
            if due <= death.death_ns <= done:
                done = death.death_ns + NS + self.late_ns[tick]
        return done

    def listed(self, now_ns: int) -> list[int]:
        there = [
            tick for tick in range(len(self.late_ns)) if tick not in self.never and self.completed_ns(tick) <= now_ns
        ]
        return sorted([*there, *(tick for tick in there if tick in self.twice)])

    def alive(self, now_ns: int) -> list[str]:
        gone = {death.incarnation for death in self.deaths if death.death_ns <= now_ns}
        return [name for name in ALL if name not in gone]

    def answer(self, at: int, who: str, lane: str) -> Op:
        return ledger(self.listed(at), at, who, lane=lane)


def observe(
    nights: Nights, gaps_ns: Iterable[int], *, news_ns: int = 0, lost: Iterable[bool] = ()
) -> tuple[ScheduleChecker, list[Op]]:
    """What a session that asks after each of those gaps makes of it, and all that it asked; it confirms its doubts.

    It hears of a death `news_ns` later; of its questions those that are `lost` get no answer.
    """
    checker, asked = ScheduleChecker("p", TERMS), []
    told: set[str] = set()
    dropped = iter(lost)
    now = 0
    for number, gap_ns in enumerate(gaps_ns):
        now += gap_ns
        for death in nights.deaths:
            if death.death_ns + news_ns <= now and death.incarnation not in told:
                told.add(death.incarnation)
                checker.died(death)
        names = nights.alive(now)
        each = nights.answer(now, names[number % len(names)], "watch")
        if next(dropped, False):
            each = each._replace(outcome="dropped", seen="")
        asked.append(each)
        if checker.feed(each):
            for name in names:
                now += 1000
                asked.append(nights.answer(now, name, "confirm"))
                checker.feed(asked[-1])
    return checker, asked


def found(checker: ScheduleChecker, *, confirmed: bool = True) -> set[tuple[str, int]]:
    """(anomaly, tick)."""
    return {
        (one.name, int(one.obj.removeprefix("tick ")))
        for one in checker.tally().anomalies
        if one.confirmed or not confirmed
    }
