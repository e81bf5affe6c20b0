"""What a balancer is: it takes users' requests to instances, and it is never told of a death."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

from chaoscheck.engines.base import Fleet, Instance, SidecarSpec
from chaoscheck.model.clock import Clock
from chaoscheck.model.history import BalancerRow
from chaoscheck.model.places import Address
from chaoscheck.model.wire import INSTANCE_HEADER, REQUEST_HEADER
from chaoscheck.plan.plan import LoadedPlan, Plan
from chaoscheck.registry import Registry

__all__ = ["BALANCERS", "INSTANCE_HEADER", "REQUEST_HEADER", "Balancer", "Route"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How users' clients dial: `entry` is the balancer's address; None means that the client picks an instance itself,
    by `pick` (round-robin or never-same). `named`: whether answers say who gave them."""

    entry: Address | None
    pick: str = "round-robin"
    named: bool = True


class Balancer(Protocol):
    """Routes users' requests. It sets `X-Chaoscheck-Instance` on each answer to the incarnation that gave it, sends a
    request again only if nothing of it was sent, and learns of deaths only by its own health checks."""

    name: ClassVar[str]

    def open(self, fleet: Fleet, plan: LoadedPlan, instances: list[Instance], clock: Clock) -> None:
        """Start with these (ready) instances; returns when each answers through it. Raises EnvironmentTrouble."""
        ...

    def route(self) -> Route: ...

    def join(self, instance: Instance, replaced: Instance | None) -> None:
        """Take in a (ready) replacement; the dead entry of `replaced` goes to maintenance first.

        Returns when it is up there. No server name or address is used twice.
        """
        ...

    def log(self) -> Iterator[BalancerRow]:
        """What it logged of every request that carried a request id, in any order."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class MayBeRemote(Protocol):
    """A balancer that may stand on another machine."""

    def beyond(self, plan: LoadedPlan) -> str:
        """Where that is, as the plan says it; "" where it is this machine."""
        ...


@runtime_checkable
class TriesOut(Protocol):
    """A balancer that can run beside a fleet without instances, just to show that it starts and can be dialled."""

    def needs(self, plan: Plan | None) -> SidecarSpec:
        """What it would run."""
        ...

    def try_out(self, fleet: Fleet, plan: Plan | None) -> str:
        """Start it, ask it something, and say what answered where. Raises an EnvironmentTrouble."""
        ...


BALANCERS: Registry[Callable[[], Balancer]] = Registry("balancer", Balancer)
