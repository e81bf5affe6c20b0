"""Does the service keep up with the load, as its users feel it, before anybody is killed?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Protocol

SLOW_S = 1.0
SLOW_TIMES = 10.0
"""A wait is long when it is longer than this, and than so many times what a request takes with nobody else there."""
HOPELESS = 2.0
"""So much longer than that, and nothing that follows can be blamed on kills."""
FAILING = 0.2
WINDOW = 4
"""Ticks of each worker that are looked at: two seconds."""
TICK_S = 0.5
LEAST = 10
"""Of fewer requests nothing is told: their p95 is the slowest one's."""
SPARE = 0.5
"""Of what a service answers when it is overloaded it can be asked for that much: deaths and read-backs come on top."""


class Ticked(Protocol):
    """What is looked at of a worker's tick."""

    @property
    def requests(self) -> int: ...
    @property
    def bad(self) -> int: ...
    @property
    def p95_ms(self) -> float: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Felt:
    """What users felt for a while: `answered` requests a second answered well, the usual p95 of a tick, the share bad.

    `limit_ms` is what counts as long here. Nothing is told by fewer than LEAST `requests`.
    """

    requests: int
    answered: float
    p95_ms: float
    bad: float
    limit_ms: float

    @property
    def slow(self) -> bool:
        return self.requests >= LEAST and self.p95_ms > self.limit_ms

    @property
    def failing(self) -> bool:
        return self.requests >= LEAST and self.bad > FAILING

    @property
    def hopeless(self) -> bool:
        return self.requests >= LEAST and self.p95_ms > HOPELESS * self.limit_ms

    @property
    def sustained(self) -> float:
        """Requests a second that it could be asked for, to two digits; at least one in ten seconds."""
        asked = max(SPARE * self.answered, 0.1)
        grain = 10.0 ** (math.floor(math.log10(asked)) - 1)
        return float(f"{math.floor(asked / grain) * grain:.2g}")

    def __str__(self) -> str:
        return f"p95 {self.p95_ms / 1000:.1f} s, {self.bad:.0%} bad, about {self.answered:.0f} requests/s answered well"


def felt(ticks: Sequence[Ticked], request_s: float, *, workers: int = 1) -> Felt:
    """What these ticks say together; `request_s` is what a request takes with nobody else there."""
    telling = [tick for tick in ticks if tick.requests]
    total, bad = sum(tick.requests for tick in ticks), sum(tick.bad for tick in ticks)
    seconds = len(ticks) * TICK_S / workers
    return Felt(
        requests=total,
        answered=(total - bad) / seconds if seconds else 0.0,
        p95_ms=median(tick.p95_ms for tick in telling) if telling else 0.0,
        bad=bad / total if total else 0.0,
        limit_ms=1000 * max(SLOW_S, SLOW_TIMES * request_s),
    )
