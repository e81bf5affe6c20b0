"""How much each gate decides: what the plan may soften, and what no plan may.

What makes evidence possible (assumptions, coverage) is never off: a run that could prove nothing must not pass. A
promise can be `warn`, then its findings are shown and decide nothing; what it promises can't be unsaid by `off`.
"""

from __future__ import annotations

from dataclasses import replace

from chaoscheck.errors import PlanError
from chaoscheck.model.verdict import Finding, Gate, Level, Verdict
from chaoscheck.plan.plan import LoadedPlan, Plan
from chaoscheck.registry import nearest

SHOWN = (Level.WARN, Level.ERROR)
ANY = tuple(Level)

GROUPS = {"promises": SHOWN, "budget": ANY, "recovery": ANY}
NAMES = {"bad seconds a kill": ANY, "latency p99 under kills": ANY}
DEPTH = ("requests were in flight at a kill", "a burst was on every slot")
"""Coverage that says how deep the run looked; promises' own evidence stands without it, so that it may be `warn`."""

FIXED = {
    "assumptions": "assumptions say whether the run can be trusted at all",
    "coverage": "coverage says whether the promises were tested at all",
    "baseline within the SLO": "it says whether kills can be blamed for what the budget misses",
}
"""What can't be set, and why."""


def check_gates(loaded: LoadedPlan) -> None:
    """Each key of `gates` may be set so. Raises PlanError, with the line."""
    allowed = _allowed(loaded.plan)
    for name, level in loaded.plan.gates.items():
        place = loaded.place("gates", name)
        if name in FIXED:
            raise PlanError(
                f"gates.{name}: {FIXED[name]}, so it always decides",
                hint="a promise can be set to warn, budget and recovery to warn or off",
                place=place,
            )
        if name not in allowed:
            raise PlanError(f"gates: no gate is named '{name}'", hint=nearest(name, allowed), place=place)
        if level not in allowed[name]:
            less = "; to promise less, take it out of promises" if name in ("promises", *loaded.plan.promises) else ""
            raise PlanError(
                f"gates.{name}: it can't be {level}, or a pass would hide that nobody looked",
                hint=f"warn shows it without deciding{less}",
                place=place,
            )


def leveled(gate: Gate, plan: Plan) -> Gate:
    """The gate as much as the plan lets it decide; one that is off as if nobody had looked."""
    level = level_of(gate, plan) if gate.level is Level.ERROR else gate.level
    if level is not Level.OFF:
        return replace(gate, level=level)
    return replace(
        gate,
        level=level,
        verdict=Verdict.INCONCLUSIVE,
        actual="not judged: the plan says off",
        margin="",
        n=-1,
        detail="",
    )


def level_of(gate: Gate, plan: Plan) -> Level:
    """By its name, else by its group."""
    if gate.group == "promises":
        return promise_level(plan, gate.name)
    if gate.group in GROUPS or gate.name in DEPTH:
        return plan.gates.get(gate.name, plan.gates.get(gate.group, Level.ERROR))
    return Level.ERROR


def promise_level(plan: Plan, promise: str) -> Level:
    own = plan.gates.get(promise) if promise not in GROUPS else None
    return own or plan.gates.get("promises", Level.ERROR)


def decides(finding: Finding, plan: Plan) -> bool:
    """Whether it counts: what makes the run INVALID always does."""
    return finding.counts and (
        finding.verdict is not Verdict.FAIL or promise_level(plan, finding.promise) is Level.ERROR
    )


def _allowed(plan: Plan) -> dict[str, tuple[Level, ...]]:
    return dict.fromkeys((*plan.promises, *DEPTH), SHOWN) | GROUPS | NAMES
