"""What a plan's run is meant to come to, as the live view shows it."""

from __future__ import annotations

from chaoscheck.cli.progress import Aim
from chaoscheck.phases.sizing import STRIKE_S, Sizing, final_requests, matrix_requests, volley_requests
from chaoscheck.plan.plan import Plan
from chaoscheck.promises.base import KINDS

TAIL_S = 4.0
"""About how long final reads and clearing away take after the settling."""


def aim_for(plan: Plan, sizing: Sizing) -> Aim:
    """Needs are exposures, kills for a kind that counts by the kill, and 0 where no kill is to be survived."""
    needs = {}
    for name, promise in plan.promises.items():
        kind = KINDS.get(promise.kind)
        if "kill" not in promise.survives:
            needs[name] = 0
        elif kind.per_kill:
            needs[name] = kind.kills_needed(sizing.kills, plan.chaos.rounds * plan.instances)
    return Aim(
        needed=sizing.needed,
        promises=tuple(plan.promises),
        strikes=sizing.kills + sizing.shams,
        seconds=sizing.seconds,
        tail_s=plan.chaos.settle + TAIL_S,
        instances=plan.instances,
        allowed_s=plan.budget.bad_seconds_a_kill if plan.budget is not None else -1.0,
        needs=needs,
        at_most_s=plan.chaos.duration or plan.chaos.at_most,
        load_s=plan.chaos.baseline + (sizing.kills + sizing.shams) * STRIKE_S,
        matrix_requests=matrix_requests(plan),
        strike_requests=volley_requests(plan),
        final_requests=final_requests(plan, sizing.users),
    )
