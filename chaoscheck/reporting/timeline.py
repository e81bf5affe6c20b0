"""One pass over a history, in memory that doesn't grow with it: rate, outcomes and latency in bins of time."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from chaoscheck.model.history import Row
from chaoscheck.model.ops import Lane, Op
from chaoscheck.steps.attempts import Attempts, Noticed

BINS = 200
_STEP = math.log(1.04)
"""Latencies are counted in buckets 4 % apart, so a percentile is off by 2 % at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """What was due in one interval. `others` is the traffic of probes and strikes; `bad` are users' errors by outcome.

    Percentiles are ms from the intended start to the end of requests that ended, NaN where none did.
    """

    users: int
    others: int
    bad: dict[str, int]
    p50_ms: float
    p95_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Strips:
    """Bins of `width_ns` from `start_ns` on; `lanes` counts the whole history: lane -> outcome -> requests."""

    start_ns: int
    width_ns: int
    bins: tuple[Bin, ...]
    lanes: dict[str, dict[str, int]]

    @property
    def seconds(self) -> float:
        """The width of a bin in seconds."""
        return self.width_ns / 1e9


class _Gathering:
    """Counts of one bin while the history goes by."""

    __slots__ = ("bad", "buckets", "others", "users")

    def __init__(self) -> None:
        self.users = 0
        self.others = 0
        self.bad: Counter[str] = Counter()
        self.buckets: Counter[int] = Counter()

    def done(self) -> Bin:
        ranks = _percentiles(self.buckets, (0.50, 0.95, 0.99))
        return Bin(
            users=self.users,
            others=self.others,
            bad=dict(sorted(self.bad.items())),
            p50_ms=ranks[0],
            p95_ms=ranks[1],
            p99_ms=ranks[2],
        )


def strips(rows: Iterable[Row], start_ns: int, end_ns: int, bins: int = BINS) -> Strips:
    """What happened from `start_ns` to `end_ns`, each request in the bin in which it was due.

    Requests outside of the time shown count in `lanes` only.
    """
    width = max(1, math.ceil((end_ns - start_ns) / bins))
    gathering = [_Gathering() for _ in range(bins)]
    lanes: dict[str, Counter[str]] = {}
    attempts = Attempts()

    def count(noticed: Iterable[Noticed]) -> None:
        for op, intended_ns, bad in noticed:
            index = (intended_ns - start_ns) // width
            if 0 <= index < bins:
                _count(gathering[index], op, intended_ns, bad)

    for op in rows:
        if not isinstance(op, Op):
            continue
        lanes.setdefault(op.lane, Counter())[op.outcome] += 1
        count(attempts.add(op) if op.lane == Lane.USER else (Noticed(op, op.intended_ns, False),))
    count(attempts.close())
    order = [lane.value for lane in Lane]
    return Strips(
        start_ns=start_ns,
        width_ns=width,
        bins=tuple(each.done() for each in gathering),
        lanes={lane: dict(lanes[lane]) for lane in sorted(lanes, key=lambda lane: _place(order, lane))},
    )


def _count(into: _Gathering, op: Op, intended_ns: int, bad: bool) -> None:
    if op.lane != Lane.USER:
        into.others += 1
        return
    into.users += 1
    if bad:
        into.bad[op.outcome] += 1
    if op.done_ns >= 0:
        millis = max((op.done_ns - intended_ns) / 1e6, 0.01)
        into.buckets[int(math.log(millis) // _STEP)] += 1


def _percentiles(buckets: Counter[int], shares: tuple[float, ...]) -> list[float]:
    """Nearest rank, in the middle of the bucket that holds it."""
    total = sum(buckets.values())
    ranks = [math.ceil(share * total) for share in shares]
    found: list[float] = []
    seen = 0
    for bucket in sorted(buckets):
        seen += buckets[bucket]
        while len(found) < len(ranks) and ranks[len(found)] <= seen:
            found.append(math.exp((bucket + 0.5) * _STEP))
    return found if total else [math.nan] * len(shares)


def _place(order: list[str], lane: str) -> tuple[int, str]:
    return (order.index(lane) if lane in order else len(order), lane)
