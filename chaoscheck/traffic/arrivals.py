"""When sessions come, act and go: drawn from seeded streams, so no schedule bends to the service's speed."""

from __future__ import annotations

import math
import random

NS = 1_000_000_000
PAUSE_S = 0.02
"""Mean pause between two operations of one turn: a page that asks for several things."""
RAMP_S = 3.0
"""The first sessions begin within so long, however slow their turns are."""


def stream(seed: int, *names: str) -> random.Random:
    """The seeded stream of that name."""
    return random.Random("/".join((str(seed), *names)))


def exponential_ns(draw: float, mean_s: float) -> int:
    """An exponential gap, cut at five times its mean."""
    return int(min(-math.log(1.0 - draw), 5.0) * mean_s * NS)


def around_ns(draw: float, mean_s: float) -> int:
    """Evenly between half and one and a half times the mean."""
    return int((0.5 + draw) * mean_s * NS)
