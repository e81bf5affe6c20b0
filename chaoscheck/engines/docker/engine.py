"""The docker engine: whether there is one, a fleet on it, and what crashed runs left there."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial
from typing import Any, ClassVar

from chaoscheck.engines.base import ENGINES, Fleet, Site
from chaoscheck.engines.docker.api import connect, silence
from chaoscheck.engines.docker.checkup import examined
from chaoscheck.engines.docker.containers import remove_all
from chaoscheck.engines.docker.fleet import DockerFleet, check
from chaoscheck.engines.docker.labels import runs
from chaoscheck.engines.docker.reach import ended, find
from chaoscheck.model.checkup import Check
from chaoscheck.plan.plan import Addresses, LoadedPlan


@ENGINES.add("docker")
class DockerEngine:
    """Instances are containers of one engine."""

    name: ClassVar[str] = "docker"
    default_balancer: ClassVar[str] = "haproxy"

    def available(self) -> str:
        """ "" when an engine answers, else why not."""
        return silence()

    def check(self, plan: LoadedPlan) -> None:
        """Raises PlanError for what containers can't do, and for folders that can't be built."""
        check(plan)

    def open(self, site: Site) -> Fleet:
        """A fleet for one run; makes nothing yet. Raises EngineUnavailable."""
        client = connect()
        reach = find(client, site.plan.plan.addresses)
        if reach.doubt:
            site.say(f"warning: ports are dialled on {reach.host}, but {reach.doubt}: see `chaoscheck doctor`")
        return DockerFleet(client, site, reach)

    def examine(self, plan: LoadedPlan | None) -> Iterator[Check]:
        """How the engine stands, and the plan's images on it."""
        yield from examined(plan.plan.addresses if plan else Addresses(), plan)

    def sweep(self, *, run: str | None = None) -> list[str]:
        """Remove what runs left whose owner is provably gone, or all of `run`; a line for each thing."""
        client = connect()
        try:
            wanted = [run] if run is not None else _abandoned(client)
            return [f"{line} (run {name})" for name in wanted for line in remove_all(client, name)]
        finally:
            client.close()


def _abandoned(client: Any) -> list[str]:
    """Runs of which every thing names an owner that is provably gone."""
    gone = runs(client, cache(partial(ended, client)))
    return sorted(run for run, is_gone in gone.items() if is_gone)
