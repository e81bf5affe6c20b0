"""A run's traffic over time, in bins: what the report's strips draw."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Bins of `width_ns` from `start_ns` on, each request in the one in which it was due; a column has a value a bin.

    `users` and `others` (probes and strikes) count requests, `bad` users' errors by outcome. Percentiles are ms from
    the intended start to the end of users' requests that ended, NaN where none did. `lanes` counts the whole history,
    what was due outside of the bins too: lane -> outcome -> requests.
    """

    start_ns: int
    width_ns: int
    users: tuple[int, ...] = ()
    others: tuple[int, ...] = ()
    bad: dict[str, tuple[int, ...]]
    p50_ms: tuple[float, ...] = ()
    p95_ms: tuple[float, ...] = ()
    p99_ms: tuple[float, ...] = ()
    lanes: dict[str, dict[str, int]]

    @property
    def seconds(self) -> float:
        """The width of a bin in seconds."""
        return self.width_ns / 1e9

    def start_of(self, index: int) -> int:
        """When that bin begins."""
        return self.start_ns + index * self.width_ns
