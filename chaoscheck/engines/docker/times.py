"""The engine stamps deaths by the wall clock; here they become the run's time, with the error of that."""

from __future__ import annotations

import platform
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chaoscheck.engines.docker.api import talking
from chaoscheck.model.clock import Clock

# Between a process's end and the engine's stamp of it, as measured: up to 5 ms.
STAMP_LAG_NS = 5_000_000
_ASK_AGAIN_NS = 10_000_000_000
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


class EngineClock:
    """The offset for the engine's stamps. An engine on this kernel stamps by our wall clock; any other is asked for its
    time (it takes milliseconds to say, which is the error), again after ten seconds, as clocks drift."""

    def __init__(self, client: Any, clock: Clock, *, far: bool) -> None:
        self._client = client
        self._clock = clock
        self._far = far
        self._last: Offset | None = None
        self._asked_ns = 0

    def now(self) -> Offset:
        """Raises EngineLost."""
        if self._last is None:
            asked = ask_time(self._client, self._clock)
            ours = measure(self._clock)
            self._far = self._far or not asked.same_kernel or abs(asked.offset.ns - ours.ns) > asked.offset.error_ns
        if not self._far:
            self._last = measure(self._clock)
        elif self._last is None or self._clock.now_ns() - self._asked_ns > _ASK_AGAIN_NS:
            told = (ask_time(self._client, self._clock).offset for _ in range(3))
            self._last = min(told, key=lambda one: one.error_ns)
            self._asked_ns = self._clock.now_ns()
        return self._last


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the engine says of its time; `same_kernel`: it seems to run on ours."""

    offset: Offset
    same_kernel: bool


def ask_time(client: Any, clock: Clock) -> Told:
    """Ask the engine for its wall clock. Raises EngineLost."""
    with talking("say what time it is"):
        before = clock.now_ns()
        info = client.info()
        after = clock.now_ns()
    there = stamp_ns(str(info["SystemTime"]))
    here = "Docker Desktop" not in str(info.get("OperatingSystem", ""))
    return Told(
        offset=Offset(ns=(before + after) // 2 - there, error_ns=(after - before) // 2 + 1),
        same_kernel=here and info.get("KernelVersion") == platform.release(),
    )


def stamp_ns(stamp: str) -> int:
    """Unix ns of an RFC 3339 stamp; -1 for what isn't one, and for the engine's zero (year 1: never)."""
    found = _STAMP.fullmatch(stamp)
    if not found or stamp.startswith("0001-"):
        return -1
    zone = "+00:00" if found[3] == "Z" else found[3]
    seconds = int(datetime.fromisoformat(found[1] + zone).astimezone(UTC).timestamp())
    return seconds * 1_000_000_000 + int((found[2] or "").ljust(9, "0"))
