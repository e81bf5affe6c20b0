"""Which (object, kill) pairs count as exposed, for checkers whose state isn't a single value.

A pair is evaluated late, from the time at which another incarnation was last asked and agreed, so that the counts are
the same whether a death is told before or after the reads that follow it.
"""

from __future__ import annotations

from chaoscheck.checkers.base import NEWEST, Death, Tally

REMEMBERED = 4096
"""Closed pairs kept per living incarnation, for deaths that are told late."""


class Exposures:
    """The deaths that are known, and the pairs that a later write closed before one was.

    `closed` has two numbers a pair, acked_ns and sent_ns, by who acknowledged. The oldest are forgotten many at a time:
    one by one, each would be looked up again long after it left the processor's caches.
    """

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self.deaths: dict[str, Death] = {}
        self.closed: dict[str, list[int]] = {}

    def died(self, death: Death) -> None:
        self.deaths[death.incarnation] = death
        kept = self.closed.pop(death.incarnation, [])[-2 * REMEMBERED :]
        for acked_ns, sent_ns in zip(kept[::2], kept[1::2], strict=True):
            self.count(self._tally, death, acked_ns, sent_ns)

    def seal(self, acker: str, acked_ns: int, sent_ns: int) -> None:
        """A pair is over: what was read back until now, last by a request sent then, is all that counts."""
        kept = self.closed.get(acker)
        if kept is None:
            death = self.deaths.get(acker)
            if death is not None:
                self.count(self._tally, death, acked_ns, sent_ns)
                return
            kept = self.closed[acker] = []
        kept += (acked_ns, sent_ns)
        _trim(kept)

    def trim(self) -> None:
        """Forget the oldest of too many pairs; for folds, which close pairs by themselves."""
        for kept in self.closed.values():
            _trim(kept)

    def count(self, tally: Tally, death: Death, acked_ns: int, sent_ns: int) -> bool:
        """Count the pair as read back, if it was after the death."""
        if not self.after(death, sent_ns):
            return False
        tally.exposures[death.strike] = tally.exposures.get(death.strike, 0) + 1
        self.keep(tally, death, (acked_ns,))
        return True

    @staticmethod
    def keep(tally: Tally, death: Death, acked_ns: tuple[int, ...]) -> None:
        """Writes that the dead incarnation acknowledged at those times were read back whole."""
        kept = tally.kept_after.setdefault(death.incarnation, [])
        kept.extend(acked_ns)
        if len(kept) > 2 * NEWEST:
            tally.kept_after[death.incarnation] = sorted(kept)[-NEWEST:]

    @staticmethod
    def after(death: Death, sent_ns: int) -> bool:
        return sent_ns > death.death_ns + death.error_ns


def _trim(kept: list[int]) -> None:
    if len(kept) > 4 * REMEMBERED:
        del kept[: -2 * REMEMBERED]
