"""One clock for a whole run: nanoseconds since the run began, the same in every process of this machine."""

from __future__ import annotations

import time
from typing import Protocol

NS = 1_000_000_000


class Clock(Protocol):
    """Tells the run's time and waits; the simulator has one whose waiting costs nothing."""

    def now_ns(self) -> int:
        """Nanoseconds since the run began."""
        ...

    def wait_until_ns(self, when_ns: int) -> None:
        """Return when `now_ns() >= when_ns`, at once if that is so already."""
        ...


class MonotonicClock:
    """CLOCK_MONOTONIC counted from `base_ns`, which the controller hands to its workers.

    Two processes of one boot read the same counter, so their times compare; another machine's would not.
    """

    def __init__(self, base_ns: int | None = None) -> None:
        self.base_ns = time.monotonic_ns() if base_ns is None else base_ns

    def now_ns(self) -> int:
        return time.monotonic_ns() - self.base_ns

    def wait_until_ns(self, when_ns: int) -> None:
        left = when_ns - self.now_ns()
        if left > 0:
            time.sleep(left / NS)


def wait_s(clock: Clock, seconds: float) -> None:
    """Wait that many seconds of the run's time."""
    clock.wait_until_ns(clock.now_ns() + int(seconds * NS))
