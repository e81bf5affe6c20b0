"""Work that runs by the clock: each tick is run once, by whichever instance, and none is left out when one dies."""

from __future__ import annotations

from typing import ClassVar

from chaoscheck.model.clock import NS
from chaoscheck.model.listed import numbers
from chaoscheck.model.ops import Outcome
from chaoscheck.plan.steps import Promise
from chaoscheck.promises.base import KINDS, Bench, Hand, Kind, Told, Words

LEDGER = "ledger"
LOOKS = 4
"""Looks at a ledger within half a tick: it may grow by one tick meanwhile, and by no more."""
TRIES = 3
"""So often a service that is still catching up may have run several ticks at once."""
TICKS_TO_GROW = 3


@KINDS.add("schedule")
class ScheduleKind(Kind):
    """One object in the whole run: the ledger of completed ticks."""

    name: ClassVar[str] = "schedule"
    needs: ClassVar[frozenset[str]] = frozenset({"see"})
    may_have: ClassVar[frozenset[str]] = frozenset()
    options: ClassVar[frozenset[str]] = frozenset({"every", "lock"})
    default_of: ClassVar[str] = "value"
    plain_pairs: ClassVar[bool] = False
    per_kill: ClassVar[bool] = True
    final_reads: ClassVar[bool] = False
    alone: ClassVar[bool] = True
    words: ClassVar[Words] = Words(
        one="tick",
        many="ticks",
        lives="there is a scheduler in each instance, and nothing that they share says who runs a tick",
        died="the tick was the killed instance's to run, and nobody took it over",
        store="claim each tick in a store that all instances share (an insert under a unique key, a lock with a lease)"
        ", or let a scheduler outside the instances call the service",
        broken={
            "DUPLICATE_RUN": "run more than once",
            "MISSED_TICK": "never run",
            "STALLED": "not run in time",
            "FLICKER": "listed twice for a while",
        },
        fixes={
            "MISSED_TICK": "let a claim on a tick run out when its runner dies (a lease that the runner renews), and "
            "let every instance look for ticks that are still open",
            "STALLED": "let a claim on a tick run out when its runner dies, sooner than the declared lock time",
        },
    )

    @classmethod
    def check(cls, terms: Promise) -> str:
        if terms.every is None:
            return "a schedule needs every, the time from one tick to the next, such as 2s"
        if terms.see and terms.see[-1].values is None:
            return 'see of a schedule lists the completed ticks, so it needs values, such as "json:runs[*].tick"'
        return ""

    def requests_a_turn(self) -> float:
        return 0.0

    def patience_s(self) -> float:
        return 2 * self._every_s + (self.terms.lock or 0.0)

    def looks_every_s(self) -> float:
        return self._every_s / 2

    def begin(self, hand: Hand) -> None:
        """It runs by itself."""

    def turn(self, hand: Hand) -> None:
        hand.see(LEDGER, "")

    def end(self, hand: Hand) -> None:
        """It goes on."""

    def object_of(self, session: str, value: str) -> str:
        return LEDGER

    @property
    def _every_s(self) -> float:
        return self.terms.every or 1.0

    # Controls.

    def control(self, bench: Bench, where: str) -> list[tuple[str, Told]]:
        """Within half a tick no more than one is new; within three, the ledger grows by the next number."""
        return [("fail", self._calm(bench, where)), ("hold", self._grows(bench, where))]

    def _calm(self, bench: Bench, where: str) -> Told:
        told = Told(holds=None, note="the ledger was not answered")
        for _ in range(TRIES):
            first = _look(bench, where)
            last = first
            for _ in range(LOOKS):
                bench.wait(self._every_s / 2 / LOOKS)
                last = _look(bench, where)
            if first is None or last is None:
                continue
            new = sorted(set(last) - set(first))
            if len(new) <= 1:
                return Told(holds=False, note=f"{len(new)} new ticks in {self._every_s / 2:g} s", told=1, missed=1)
            note = f"{len(new)} new ticks in half the time of one ({_few(new)})"
            told = Told(holds=True, note=note, told=1)
            bench.wait(self._every_s)
        return told

    def _grows(self, bench: Bench, where: str) -> Told:
        end_ns = bench.now_ns() + int((TICKS_TO_GROW * self._every_s + (self.terms.lock or 0.0)) * NS)
        first = last = _look(bench, where)
        while bench.now_ns() < end_ns:
            bench.wait(self._every_s / LOOKS)
            last = _look(bench, where)
            first = last if first is None else first
            if _grew(first, last) and max(last or ()) - 1 in (last or ()):
                return Told(holds=True, note=f"it grew to {_few(last or [])}", told=1)
        if last is None:
            return Told(holds=False, note="it shows no list of whole numbers", told=1, missed=1)
        why = "its ticks aren't numbered one by one" if _grew(first, last) else "it did not grow"
        return Told(holds=False, note=f"{why} in {TICKS_TO_GROW} ticks: {_few(last)}", told=1, missed=1)


def _look(bench: Bench, where: str) -> list[int] | None:
    done = bench.see("", where)
    return numbers(done.op.seen) if done.op.outcome == Outcome.OK else None


def _grew(first: list[int] | None, last: list[int] | None) -> bool:
    return first is not None and bool(last) and max(last or ()) > max(first, default=-1)


def _few(ticks: list[int]) -> str:
    newest = sorted(ticks)[-4:]
    return (", ".join(str(tick) for tick in newest) or "nothing")[:80]
