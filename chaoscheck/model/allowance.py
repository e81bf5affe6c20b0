"""What a rate limit may and must admit, whatever one knows only to lie between two times.

An admission happened somewhere between its request's sending and its answer, so two questions are answered apart: how
many were *certainly* admitted within a stretch, and how many *possibly* were. A fixed window may begin anywhere: any
stretch shorter than it touches two of them at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

FOREVER = 1 << 62
"""The end of what may land at any later time."""
ALWAYS = -FOREVER
SLACK = 0.01
"""Of a window: counts whose stretch is as long as the window but for this are edge straddlers, and nobody's fault."""
LEAST_SLACK_NS = 2_000_000
REMEMBERED = 4
"""Windows (or refills of a bucket) that still matter."""


class Admitted(NamedTuple):
    """A request that was admitted, or may have been, at some time in [sent_ns, done_ns]."""

    sent_ns: int
    done_ns: int
    who: str = ""
    rid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """`count` requests per `per_ns`, counted in a "sliding" or "fixed" window or by a "bucket" that holds `burst`."""

    count: int
    per_ns: int
    window: str
    burst: int

    @property
    def at_once(self) -> int:
        """So many are admitted at once by a limit that nobody has used."""
        return self.burst if self.window == "bucket" else self.count

    @property
    def slack_ns(self) -> int:
        return max(LEAST_SLACK_NS, int(SLACK * self.per_ns))

    @property
    def horizon_ns(self) -> int:
        """What ended so long ago says nothing any more."""
        refill_ns = self.burst * self.per_ns // self.count if self.window == "bucket" else 0
        return REMEMBERED * max(self.per_ns, refill_ns)

    def most(self, width_ns: int) -> float:
        """The most that may be admitted in a stretch of that length, wherever it lies."""
        if self.window == "bucket":
            return self.burst + self._refilled(width_ns)
        windows = width_ns // self.per_ns + (2 if self.window == "fixed" else 1)
        return self.count * windows

    def over(self, admitted: Sequence[Admitted]) -> Sequence[Admitted]:
        """Of certain admissions by their sending, the last one being the newest answer: the shortest stretch that has
        more than it may; () when none has."""
        if not admitted:
            return ()
        until_ns = max(one.done_ns for one in admitted)
        for number in range(len(admitted) - 1, -1, -1):
            size = len(admitted) - number
            if size > self.at_once and size > self.most(until_ns - admitted[number].sent_ns + self.slack_ns):
                return admitted[number:]
        return ()

    def full(self, admitted: Sequence[Admitted], sent_ns: int, done_ns: int) -> bool:
        """Whether certainly so many were admitted that a request sent and answered then is one too many (of a fixed
        window: unless a new one began)."""
        if self.window == "bucket":
            before = [one for one in admitted if one.done_ns <= sent_ns]
            return any(
                len(before) - number + 1 > self.burst + self._refilled(done_ns - one.sent_ns + self.slack_ns)
                for number, one in enumerate(before)
            )
        since_ns = done_ns - self.per_ns + self.slack_ns
        return sum(one.sent_ns > since_ns and one.done_ns <= sent_ns for one in admitted) >= self.count

    def must_admit(self, possible: Sequence[Admitted], since_ns: int, sent_ns: int, done_ns: int) -> bool:
        """Whether a request sent and answered then had to be admitted. `possible` are all admissions that there may
        have been since `since_ns`; of those before nothing is known."""
        if self.window == "bucket":
            return self._tokens(possible, since_ns, sent_ns, done_ns) >= 1
        from_ns = sent_ns - self.per_ns - self.slack_ns
        near = sum(one.done_ns > from_ns and one.sent_ns <= done_ns for one in possible)
        return since_ns <= from_ns and near < self.count

    def _tokens(self, possible: Sequence[Admitted], since_ns: int, sent_ns: int, done_ns: int) -> float:
        """The fewest that the bucket can have held: each admission at its latest, so that no refill is in vain."""
        ends = sorted(one.done_ns for one in possible if one.sent_ns <= done_ns)
        asked_ns = sent_ns - self.slack_ns
        fewest = self._refilled(asked_ns - since_ns) - len(ends) if since_ns > ALWAYS else float(self.burst)
        for number, end_ns in enumerate(ends):
            fewest = min(fewest, self.burst + self._refilled(asked_ns - end_ns) - (len(ends) - number))
        return fewest

    def _refilled(self, width_ns: int) -> float:
        return max(0, width_ns) * self.count / self.per_ns


UNSAID = Bound(count=1, per_ns=1_000_000_000, window="fixed", burst=1)
"""Where no plan says any: never in a run."""
