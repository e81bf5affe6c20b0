"""Stamps of an engine with another clock: converted by what it says of its time, with the error of asking."""

from __future__ import annotations

import platform
import time
from datetime import UTC, datetime

import pytest

from chaoscheck.engines.docker.times import EngineClock
from chaoscheck.model.clock import MonotonicClock


class Engine:
    """Says a time that is `ahead_ns` of ours."""

    def __init__(self, ahead_ns: int, kernel: str = platform.release(), system: str = "Debian") -> None:
        self.ahead_ns, self.kernel, self.system, self.asked = ahead_ns, kernel, system, 0

    def info(self) -> dict[str, str]:
        self.asked += 1
        ns = time.time_ns() + self.ahead_ns
        stamp = f"{datetime.fromtimestamp(ns // 10**9, UTC):%Y-%m-%dT%H:%M:%S}.{ns % 10**9:09}Z"
        return {"SystemTime": stamp, "KernelVersion": self.kernel, "OperatingSystem": self.system}


HOUR = 3_600_000_000_000


@pytest.mark.parametrize(
    ("engine", "far"),
    [
        (Engine(0), False),
        (Engine(0), True),
        (Engine(HOUR), True),
        (Engine(HOUR), False),
        (Engine(-50_000_000), False),
        (Engine(HOUR, kernel="another"), False),
        (Engine(HOUR, system="Docker Desktop"), False),
    ],
)
def test_offset_of_any_engine_is_right_within_its_error(engine: Engine, far: bool) -> None:
    """A clock that is an hour, or 50 ms, off would otherwise turn each kill into one that "had ended before"."""
    clock = MonotonicClock()
    offset = EngineClock(engine, clock, far=far).now()
    there = time.time_ns() + engine.ahead_ns
    assert abs(there + offset.ns - clock.now_ns()) <= offset.error_ns + 2_000_000
    assert offset.error_ns < 20_000_000


def test_engine_on_this_kernel_is_asked_once_and_another_not_at_each_look() -> None:
    """A kill looks every 5 ms, and to ask takes as long."""
    here, there = Engine(0), Engine(HOUR)
    for engine, times in ((here, 1), (there, 4)):
        clock = EngineClock(engine, MonotonicClock(), far=False)
        for _ in range(20):
            clock.now()
        assert engine.asked == times
