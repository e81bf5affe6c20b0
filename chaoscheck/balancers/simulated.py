"""The fake engine's own balancer, behind the same protocol as the real ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from chaoscheck.balancers.base import BALANCERS, Route
from chaoscheck.engines.base import Fleet, Instance, RoutesItself
from chaoscheck.errors import PlanError
from chaoscheck.model.clock import Clock
from chaoscheck.model.history import BalancerRow
from chaoscheck.plan.plan import LoadedPlan


@BALANCERS.add("simulated")
class Simulated:
    """Round robin or sticky, with health checks that lag behind a death like real ones."""

    name: ClassVar[str] = "simulated"

    def __init__(self) -> None:
        self._fleet: RoutesItself | None = None
        self._route = Route(entry=None)

    def open(self, fleet: Fleet, plan: LoadedPlan, instances: list[Instance], clock: Clock) -> None:
        if not isinstance(fleet, RoutesItself):
            raise PlanError("the simulated balancer is for the fake engine", hint="balancer: {kind: haproxy}")
        self._fleet = fleet
        self._route = Route(entry=fleet.open_entry(sticky=plan.plan.balancer.mode == "sticky"))
        for instance in instances:
            fleet.admit(instance, None)

    def route(self) -> Route:
        return self._route

    def join(self, instance: Instance, replaced: Instance | None) -> None:
        assert self._fleet is not None
        self._fleet.admit(instance, replaced)

    def log(self) -> Iterator[BalancerRow]:
        return iter(self._fleet.entry_log() if self._fleet else [])

    def close(self) -> None:
        """Nothing is held."""
