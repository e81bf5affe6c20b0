"""When sessions come, act and go: drawn from seeded streams, so that the schedule doesn't bend to the service's speed."""

from __future__ import annotations

import math
import random

from chaoscheck.plan.plan import Plan

NS = 1_000_000_000
PAUSE_S = 0.02
"""Mean pause between two operations of one turn: a page that asks for several things."""
RAMP_S = 3.0
"""The first sessions begin within so long, however slow their turns are."""
_TURN_OPS = {"session": 1.0, "register": 2.0, "kept": 1.5}


def stream(seed: int, *names: str) -> random.Random:
    """The seeded stream of that name."""
    return random.Random("/".join((str(seed), *names)))


def exponential_ns(draw: float, mean_s: float) -> int:
    """An exponential gap, cut at five times its mean."""
    return int(min(-math.log(1.0 - draw), 5.0) * mean_s * NS)


def around_ns(draw: float, mean_s: float) -> int:
    """Evenly between half and one and a half times the mean."""
    return int((0.5 + draw) * mean_s * NS)


def requests_a_turn(plan: Plan) -> float:
    """About how many requests one turn of a session makes; with the rate wanted this gives the time between turns."""
    return sum(_TURN_OPS.get(promise.kind, 2.0) * _requests(plan, name) for name, promise in plan.promises.items())


def _requests(plan: Plan, name: str) -> float:
    """Mean requests an action of that promise; `submit` is two."""
    promise = plan.promises[name]
    sizes = [sum(2 if step.method == "submit" else 1 for step in steps) for steps in (promise.do, promise.see)]
    return sizes[1] if promise.kind == "session" else sum(sizes) / len(sizes)
