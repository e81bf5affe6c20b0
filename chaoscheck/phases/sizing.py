"""How much traffic the evidence needs, and how long it will take: estimates, printed before anything is killed."""

from __future__ import annotations

import math
from dataclasses import dataclass

from chaoscheck.checkers.evidence import exposures_needed
from chaoscheck.faults.base import Mode
from chaoscheck.faults.schedule import planned_strikes
from chaoscheck.plan.plan import Plan
from chaoscheck.promises.base import KINDS, requests

SPARE = 1.3
"""Exposures are drawn by chance, so the load is sized for more than is needed."""

STRIKE_S = 4.0
"""About how long one strike takes: its pause, its volley, the replacement and the reading back."""

CLIENTS = 8
FEWEST_CLIENTS = 2
SET_UP_S = 3.0
"""A volley has no more clients than could log in and write within so long one after the other."""

SAME_READS = 24
"""Reads that the matrix makes on an instance's own fresh connections."""

USERS_A_RATE = 3.0
"""At a rate that the service's slowness dictates no more users than there are requests in so many seconds: all of them
have to write, and be read back, between one death and the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizing:
    """`users` sessions at a time, `turn_s` from one turn of a session to its next, `life_s` the mean length of one.

    The first users come within `ramp_s` at most, `rate` is requests a second over all of them.
    """

    needed: int
    rate: float
    ramp_s: float
    users: int
    turn_s: float
    life_s: float
    kills: int
    shams: int
    reachable: int
    seconds: float


def size(plan: Plan, rate: float | None = None) -> Sizing:
    """Sessions from exposures x instances / kills; pace from the rate and the requests of a turn.

    `rate` is what the run chose where the plan's was too much: then no more users than that serves, and more rounds.
    """
    most = math.inf if rate is None else max(math.ceil(USERS_A_RATE * rate), 2 * plan.instances)
    rate = rate or plan.traffic.rate
    needed = exposures_needed(plan.evidence.confidence, plan.evidence.max_loss)
    strikes = planned_strikes(plan.seed, plan.instances, plan.chaos)
    kills = sum(strike.mode is not Mode.SHAM for strike in strikes)
    derived = math.ceil(needed * plan.instances / kills * SPARE)
    users = int(min(derived, most)) if plan.traffic.users == "auto" else plan.traffic.users
    turn_s = max(0.5, users * requests_a_turn(plan) / rate)
    life_s = max(1.5 * plan.instances * STRIKE_S, 3 * turn_s) if plan.traffic.life == "auto" else plan.traffic.life
    seconds = plan.chaos.baseline + len(strikes) * STRIKE_S + plan.chaos.settle + 15
    return Sizing(
        needed=needed,
        rate=rate,
        ramp_s=users * _login_requests(plan) / rate,
        users=users,
        turn_s=turn_s,
        life_s=life_s,
        kills=kills,
        shams=len(strikes) - kills,
        reachable=int(users * kills / plan.instances),
        seconds=seconds,
    )


def volley_requests(plan: Plan) -> int:
    """About how many requests a client of a volley makes until it has written once."""
    each = plan.promises.items()
    return sum(requests(promise.do) + (name != plan.login) * requests(promise.see) for name, promise in each)


def volley_clients(plan: Plan, request_s: float) -> int:
    """Clients of a volley at a service whose requests take so long: many more would only wait for each other."""
    each_s = volley_requests(plan) * request_s
    return CLIENTS if not each_s else max(FEWEST_CLIENTS, min(CLIENTS, int(SET_UP_S / each_s)))


def volley_s(plan: Plan, request_s: float, clients: int = CLIENTS) -> float:
    """Seconds that so many clients need to log in and write once, if the victim serves them one after the other."""
    return clients * volley_requests(plan) * request_s


def matrix_requests(plan: Plan) -> int:
    """About how many requests controls and matrix make."""
    pairs, own = plan.instances * (plan.instances - 1), plan.instances
    a_pair = a_own = 0
    for promise in plan.promises.values():
        do, see = requests(promise.do), requests(promise.see)
        split = do if do > 1 else 0
        a_pair, a_own = a_pair + do + 2 * see + split, a_own + do + SAME_READS * see
    return pairs * a_pair + own * a_own


def final_requests(plan: Plan, users: int) -> int:
    """About how many requests the final reads of that many users make: each has made a few objects of some kinds."""
    return users * plan.instances * sum(2 * requests(promise.see) for promise in plan.promises.values())


def patience_s(plan: Plan) -> float:
    """What the plan's promises add to waits for reads: what was made or struck may take so long to show."""
    return max(KINDS.get(promise.kind)(promise).patience_s() for promise in plan.promises.values())


def requests_a_turn(plan: Plan) -> float:
    """Requests of one session's turn, all promises together."""
    return max(1, sum(KINDS.get(promise.kind)(promise).requests_a_turn() for promise in plan.promises.values()))


def _login_requests(plan: Plan) -> int:
    """Requests of a session's beginning."""
    return max(1, requests(plan.promises[plan.login].do) if plan.login else 1)
