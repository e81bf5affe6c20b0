"""No balancer: the client dials the instances itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from chaoscheck.balancers.base import BALANCERS, Route
from chaoscheck.balancers.roll import Roll, require_mode
from chaoscheck.engines.base import Fleet, Instance
from chaoscheck.model.clock import Clock
from chaoscheck.model.history import BalancerRow
from chaoscheck.plan.plan import LoadedPlan, Plan


@BALANCERS.add("direct")
class Direct:
    """The port that was dialled says who answered, so here too no address may serve twice."""

    name: ClassVar[str] = "direct"

    def __init__(self) -> None:
        self._roll = Roll()
        self._pick = "round-robin"

    def check(self, plan: LoadedPlan) -> None:
        """Raises PlanError for mode sticky."""
        _require_mode(plan.plan, plan.place("balancer", "mode"))

    def open(self, fleet: Fleet, plan: LoadedPlan, instances: list[Instance], clock: Clock) -> None:
        """Nothing to start. Raises PlanError for mode sticky."""
        _require_mode(plan.plan)
        self._pick = plan.plan.balancer.mode
        for instance in instances:
            self._roll.enter(instance.name, instance.address)

    def route(self) -> Route:
        return Route(entry=None, pick=self._pick)

    def join(self, instance: Instance, replaced: Instance | None) -> None:
        """Clients hear of it from the controller. Raises EnvironmentTrouble when its address served before."""
        self._roll.enter(instance.name, instance.address)

    def log(self) -> Iterator[BalancerRow]:
        """Empty: nobody stands between."""
        return iter(())

    def close(self) -> None:
        """Nothing to stop."""


def _require_mode(plan: Plan, place: str = "") -> None:
    require_mode(
        plan,
        Direct.name,
        ("round-robin", "never-same"),
        "sticky routing needs a balancer that keeps it: use kind haproxy",
        place,
    )
