"""The engine stamps deaths by the wall clock; here they become the run's time, with the error of that."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from chaoscheck.model.clock import Clock

# Between a process's end and the engine's stamp of it, as measured: up to 5 ms.
STAMP_LAG_NS = 5_000_000
_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Offset:
    """Run's time = wall time + `ns`, to within `error_ns`."""

    ns: int
    error_ns: int


def measure(clock: Clock) -> Offset:
    """How the wall clock stands to the run's at this moment: the tightest of a few readings."""
    best = Offset(ns=0, error_ns=1 << 62)
    for _ in range(3):
        before, wall, after = clock.now_ns(), time.time_ns(), clock.now_ns()
        if (after - before) // 2 + 1 < best.error_ns:
            best = Offset(ns=(before + after) // 2 - wall, error_ns=(after - before) // 2 + 1)
    return best


def stamp_ns(stamp: str) -> int:
    """Unix ns of an RFC 3339 stamp; -1 for what isn't one, and for the engine's zero (year 1: never)."""
    found = _STAMP.fullmatch(stamp)
    if not found or stamp.startswith("0001-"):
        return -1
    zone = "+00:00" if found[3] == "Z" else found[3]
    seconds = int(datetime.fromisoformat(found[1] + zone).astimezone(UTC).timestamp())
    return seconds * 1_000_000_000 + int((found[2] or "").ljust(9, "0"))
