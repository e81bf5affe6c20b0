"""Simulated time: coroutines that wait in it cost nothing, and everything happens in one drawn order."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable

from greenlet import getcurrent, greenlet

from chaoscheck.model.clock import NS


class World:
    """A clock and what waits for it. The code that made it drives it: time passes only while that code waits."""

    def __init__(self, seed: int) -> None:
        self._now_ns = 0
        self._queue: list[tuple[int, int, Callable[[], object]]] = []
        self._order = 0
        self._main = getcurrent()
        self.random = random.Random(f"{seed}:world")

    def now_ns(self) -> int:
        return self._now_ns

    def wait_until_ns(self, when_ns: int) -> None:
        """Like Clock's: in the driver this runs all that is due until then, elsewhere it lets others run."""
        current = getcurrent()
        if current is self._main:
            self._run_until(when_ns)
        else:
            self.at(when_ns, current.switch)
            self._main.switch()

    def spend(self, low_s: float, high_s: float) -> None:
        """Wait a drawn time."""
        self.wait_until_ns(self._now_ns + int(self.random.uniform(low_s, high_s) * NS))

    def at(self, when_ns: int, call: Callable[[], object]) -> None:
        """Call that then, in the driver's time."""
        self._order += 1
        heapq.heappush(self._queue, (max(when_ns, self._now_ns), self._order, call))

    def spawn(self, work: Callable[[], object]) -> None:
        """Run that as a coroutine, from now on."""
        self.at(self._now_ns, greenlet(work, parent=self._main).switch)

    def _run_until(self, when_ns: int) -> None:
        while self._queue and self._queue[0][0] <= when_ns:
            due, _, call = heapq.heappop(self._queue)
            self._now_ns = max(self._now_ns, due)
            call()
        self._now_ns = max(self._now_ns, when_ns)
