"""Asking the judge while the run goes on, so seldom that it doesn't hold up strikes: he reads the whole history."""

from __future__ import annotations

import time
from collections.abc import Callable

FREE_S = 3.0
SHARE = 0.1
"""What asking may take: so much in any case, and of the run's time."""


class Sparing:
    """Asks `ask` unless asking has taken more than its share by now; then the answer is False until later.

    A run of many losses has a history of a hundred thousand lines, which takes seconds to judge after each strike.
    """

    def __init__(self, ask: Callable[[], bool], now: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._now = now
        self._began_s = now()
        self._spent_s = 0.0

    def __call__(self) -> bool:
        since_s = self._now()
        if self._spent_s > FREE_S + SHARE * (since_s - self._began_s):
            return False
        try:
            return self._ask()
        finally:
            self._spent_s += self._now() - since_s
