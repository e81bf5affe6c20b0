"""Which sessions broke, and when: what the report's picture of sessions marks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """So many sessions broke; breaks of `listed` of them are told, a column for each part of a break, in order of time.

    Where more broke than are listed, those of the findings are, and of the others some evenly by when they broke.
    """

    sessions: int = 0
    listed: int = 0
    session: tuple[str, ...] = ()
    at_ns: tuple[int, ...] = ()
    promise: tuple[str, ...] = ()
    anomaly: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether each session that broke is listed."""
        return self.listed == self.sessions
