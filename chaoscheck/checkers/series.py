"""Users' traffic in bins of time, gathered while the history goes by, in memory that doesn't grow with it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

from chaoscheck.checkers.timeline import Timeline
from chaoscheck.model.events import InstanceStarted
from chaoscheck.model.ops import Lane, Op, Phase
from chaoscheck.model.series import Series
from chaoscheck.steps.attempts import Noticed

BINS = 400
_STEP = math.log(1.04)
"""Latencies are counted in buckets 4 % apart, so a percentile is off by 2 % at most."""
_RANKS = (0.50, 0.95, 0.99)
_AFTER = (Phase.JUDGE.value, Phase.REPORT.value, Phase.CLEAN.value)


class SeriesFold:
    """Every attempt is `seen`, and what users had of their requests `noticed`; `series` is what it came to."""

    def __init__(self, start_ns: int, end_ns: int, bins: int = BINS) -> None:
        self._start = start_ns
        self._width = max(1, math.ceil((end_ns - start_ns) / bins))
        self._bins = bins
        self._users = [0] * bins
        self._others = [0] * bins
        self._bad: dict[str, list[int]] = {}
        self._took: list[dict[int, int]] = [{} for _ in range(bins)]
        self._lanes: Counter[tuple[str, str]] = Counter()

    @classmethod
    def of(cls, known: Timeline) -> SeriesFold:
        """From the first instance to the end of what is measured: building and judging take long and show nothing."""
        births = [event.t_ns for event in known.of(InstanceStarted)]
        ends = [span.began_ns for span in known.spans if span.phase in _AFTER]
        return cls(births[0] if births else 0, ends[0] if ends else known.last_ns)

    def seen(self, op: Op) -> None:
        """An attempt of any lane."""
        self._lanes[op.lane, op.outcome] += 1
        if op.lane != "user":
            index = (op.intended_ns - self._start) // self._width
            if 0 <= index < self._bins:
                self._others[index] += 1

    def noticed(self, noticed: Noticed) -> None:
        """A user's request, by the attempt that decided it."""
        op, intended_ns, bad = noticed
        index = (intended_ns - self._start) // self._width
        if not 0 <= index < self._bins:
            return
        self._users[index] += 1
        if bad:
            self._bad.setdefault(op.outcome, [0] * self._bins)[index] += 1
        if op.done_ns >= 0:
            bucket = int(math.log(max((op.done_ns - intended_ns) / 1e6, 0.01)) // _STEP)
            took = self._took[index]
            took[bucket] = took.get(bucket, 0) + 1

    def series(self) -> Series:
        ranks = [_percentiles(took) for took in self._took]
        return Series(
            start_ns=self._start,
            width_ns=self._width,
            users=tuple(self._users),
            others=tuple(self._others),
            bad={name: tuple(self._bad[name]) for name in sorted(self._bad)},
            p50_ms=tuple(one[0] for one in ranks),
            p95_ms=tuple(one[1] for one in ranks),
            p99_ms=tuple(one[2] for one in ranks),
            lanes={lane: dict(self._outcomes(lane)) for lane in self._order()},
        )

    def _order(self) -> list[str]:
        places = {lane.value: place for place, lane in enumerate(Lane)}
        return sorted({lane for lane, _ in self._lanes}, key=lambda lane: (places.get(lane, len(places)), lane))

    def _outcomes(self, lane: str) -> Iterator[tuple[str, int]]:
        return ((outcome, number) for (whose, outcome), number in sorted(self._lanes.items()) if whose == lane)


def _percentiles(buckets: dict[int, int]) -> list[float]:
    """Nearest rank, in the middle of the bucket that holds it; to a µs, which is finer than the bucket."""
    total = sum(buckets.values())
    ranks = [math.ceil(share * total) for share in _RANKS]
    found: list[float] = []
    seen = 0
    for bucket in sorted(buckets):
        seen += buckets[bucket]
        while len(found) < len(ranks) and ranks[len(found)] <= seen:
            found.append(round(math.exp((bucket + 0.5) * _STEP), 3))
    return found if total else [math.nan] * len(_RANKS)
