"""What users met under kills, where the plan has no budget that judges it: promises alone say little of that."""

from __future__ import annotations

from chaoscheck.model.ops import Phase
from chaoscheck.model.verdict import Result

_UNDER_KILLS = (Phase.CHAOS.value, Phase.SETTLE.value)


def unjudged(result: Result) -> str:
    """A sentence without its end; "" where nobody was killed under load, none failed, or a budget has its own word."""
    killed = [row for row in result.kills if row.confirmed and row.requests]
    if not killed or any(gate.group == "budget" for gate in result.gates):
        return ""
    phases = [row for row in result.phases if row.phase in _UNDER_KILLS]
    bad, requests = sum(row.bad for row in phases), sum(row.requests for row in phases)
    if not bad:
        return ""
    worst = max(row.bad_seconds for row in killed)
    failed = f"{bad:,} of {requests:,} scheduled requests failed under kills (those aimed at a victim apart)"
    cost = f", the worst kill cost {worst:.1f} s of service" if worst >= 0.05 else ""
    return f"{failed}{cost}; not judged, for the plan has no budget"
