"""How much traffic the evidence needs, and how long it will take: estimates, printed before anything is killed."""

from __future__ import annotations

import math
from dataclasses import dataclass

from chaoscheck.checkers.evidence import exposures_needed
from chaoscheck.faults.base import Mode
from chaoscheck.faults.schedule import planned_strikes
from chaoscheck.plan.plan import Plan
from chaoscheck.promises.base import KINDS

SPARE = 1.3
"""Exposures are drawn by chance, so the load is sized for more than is needed."""

STRIKE_S = 4.0
"""About how long one strike takes: its pause, its volley, the replacement and the reading back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizing:
    """`users` sessions at a time, `turn_s` from one turn of a session to its next, `life_s` the mean length of one."""

    needed: int
    users: int
    turn_s: float
    life_s: float
    kills: int
    shams: int
    reachable: int
    seconds: float


def size(plan: Plan) -> Sizing:
    """Sessions from exposures x instances / kills; pace from the rate and the requests of a turn."""
    needed = exposures_needed(plan.evidence.confidence, plan.evidence.max_loss)
    strikes = planned_strikes(plan.seed, plan.instances, plan.chaos)
    kills = sum(strike.mode is not Mode.SHAM for strike in strikes)
    derived = math.ceil(needed * plan.instances / kills * SPARE)
    users = derived if plan.traffic.users == "auto" else plan.traffic.users
    turn_s = max(0.5, users * requests_a_turn(plan) / plan.traffic.rate)
    life_s = max(1.5 * plan.instances * STRIKE_S, 3 * turn_s) if plan.traffic.life == "auto" else plan.traffic.life
    seconds = plan.chaos.baseline + len(strikes) * STRIKE_S + plan.chaos.settle + 15
    return Sizing(
        needed=needed,
        users=users,
        turn_s=turn_s,
        life_s=life_s,
        kills=kills,
        shams=len(strikes) - kills,
        reachable=int(users * kills / plan.instances),
        seconds=seconds,
    )


def patience_s(plan: Plan) -> float:
    """What the plan's promises add to waits for reads: what was made or struck may take so long to show."""
    return max(KINDS.get(promise.kind)(promise).patience_s() for promise in plan.promises.values())


def requests_a_turn(plan: Plan) -> float:
    """Requests of one session's turn, all promises together."""
    return max(1, sum(KINDS.get(promise.kind)(promise).requests_a_turn() for promise in plan.promises.values()))
