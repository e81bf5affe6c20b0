"""What a rate limit admits: pure arithmetic over the state that a limiter keeps of each user."""

import math
from dataclasses import dataclass
from enum import Enum

State = list[float]


class Window(Enum):
    """SLIDING admits `allow` in any stretch of a window's length, FIXED in each aligned one, BUCKET refills evenly."""

    SLIDING = "sliding"
    FIXED = "fixed"
    BUCKET = "bucket"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """`allow` requests per `window_s`; only a bucket has a `burst`, the most that it holds."""

    allow: int
    window_s: float
    kind: Window
    burst: int

    @property
    def forgotten_after_s(self) -> float:
        """After this long without a request the state says no more than none at all."""
        refill_s = self.burst * self.window_s / self.allow
        return refill_s if self.kind is Window.BUCKET else self.window_s


def decide(limit: Limit, state: State, now: float) -> tuple[State, float]:
    """The state to keep, and 0.0 or how long to wait. An empty state is a user who never asked."""
    match limit.kind:
        case Window.SLIDING:
            return _sliding(limit, state, now)
        case Window.FIXED:
            return _fixed(limit, state, now)
        case Window.BUCKET:
            return _bucket(limit, state, now)


def _sliding(limit: Limit, admitted: State, now: float) -> tuple[State, float]:
    recent = [at for at in admitted if at > now - limit.window_s]
    if len(recent) < limit.allow:
        return [*recent, now], 0.0
    return recent, recent[0] + limit.window_s - now


def _fixed(limit: Limit, state: State, now: float) -> tuple[State, float]:
    start = math.floor(now / limit.window_s) * limit.window_s
    count = state[1] if state and state[0] == start else 0.0
    if count < limit.allow:
        return [start, count + 1], 0.0
    return [start, count], start + limit.window_s - now


def _bucket(limit: Limit, state: State, now: float) -> tuple[State, float]:
    tokens, last = state or [float(limit.burst), now]
    rate = limit.allow / limit.window_s
    tokens = min(float(limit.burst), tokens + max(0.0, now - last) * rate)
    if tokens >= 1:
        return [tokens - 1, now], 0.0
    return [tokens, now], (1 - tokens) / rate
