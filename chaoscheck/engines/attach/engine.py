"""The attach engine: what already runs is the fleet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from chaoscheck.engines.attach.finding import inspect, labelled, labels_of
from chaoscheck.engines.attach.fleet import AttachFleet
from chaoscheck.engines.attach.pending import Pending, pending
from chaoscheck.engines.base import ENGINES, Fleet, Site
from chaoscheck.engines.docker.base import connect, elsewhere, examined, find, silence, talking
from chaoscheck.errors import PlanError
from chaoscheck.model.checkup import Check, ok, problem, warn
from chaoscheck.plan.plan import LoadedPlan

_LEAST, _MOST = 2, 20


@ENGINES.add("attach")
class AttachEngine:
    """Instances are containers that somebody else started; only those with the plan's labels are ever killed."""

    name: ClassVar[str] = "attach"
    default_balancer: ClassVar[str] = "direct"

    def available(self) -> str:
        """ "" when a container engine answers, else why not."""
        return silence()

    def check(self, plan: LoadedPlan) -> None:
        """Raises PlanError for what has no meaning where nothing is started."""
        target = plan.plan.target
        if target.attach is None:
            raise PlanError(
                "engine attach needs target.attach",
                place=plan.place("target"),
                hint="say what runs: attach: {project: ..., service: ...} or attach: {labels: ...}",
            )
        if plan.plan.stores:
            raise PlanError(
                "stores has no place with target.attach: what the service stores in already runs, and is yours",
                place=plan.place("stores"),
                hint="name services of the project whose deaths should be seen in target.attach.watch",
            )
        if plan.plan.balancer.kind == "haproxy":
            raise PlanError(
                "balancer kind haproxy is started by chaoscheck, and with target.attach nothing is",
                place=plan.place("balancer", "kind"),
                hint="give your own balancer's address as target.url, or use kind direct",
            )

    def found(self, plan: LoadedPlan) -> tuple[str, ...]:
        """The containers that a run would kill. Raises PlanError where they are too few or too many."""
        attach = plan.plan.target.attach
        assert attach is not None
        client = connect()
        try:
            seen = labelled(client, labels_of(attach))
        finally:
            client.close()
        if not _LEAST <= len(seen) <= _MOST:
            wanted = ", ".join(f"{key}={value}" for key, value in labels_of(attach).items())
            raise PlanError(
                f"{len(seen)} containers run with {wanted}; a run needs {_LEAST} to {_MOST}",
                place=plan.place("target", "attach"),
                hint="scale the service first: docker compose up -d --scale SERVICE=3",
            )
        return tuple(str(one) for one in seen)

    def elsewhere(self) -> str:
        """The engine's URL where the containers are another machine's, else ""."""
        return elsewhere()

    def examine(self, plan: LoadedPlan | None) -> Iterator[Check]:
        """How the engine stands, and whom a run would find there."""
        if plan is None:
            return
        if left := [one.container[:12] for one in pending() if one.owner.provably_gone()]:
            down = f"killed by a run that is gone, and perhaps still down: {', '.join(left)}"
            yield warn("leftovers", down, "the next run starts them again, or chaoscheck clean")
        yield from examined(plan.plan.addresses, None)
        try:
            yield ok("instances", "; ".join(self.found(plan)))
        except PlanError as error:
            yield problem("instances", error.message, error.hint)

    def open(self, site: Site) -> Fleet:
        """A fleet for one run. Raises EngineUnavailable."""
        client = connect()
        return AttachFleet(client, site, find(client, site.plan.plan.addresses))

    def sweep(self, *, run: str | None = None) -> list[str]:
        """Start again what a run killed and had to start, but was killed itself before it did."""
        left = [one for one in pending() if (one.run == run if run is not None else one.owner.provably_gone())]
        if not left:
            return []
        client = connect()
        try:
            return [_put_right(client, one) for one in left]
        finally:
            client.close()


def _put_right(client: Any, one: Pending) -> str:
    seen = inspect(client, one.container)
    if seen is not None and not seen.running:
        with talking(f"start {seen.name} again"):
            client.start(one.container)
    one.path.unlink(missing_ok=True)
    if seen is None or seen.running:
        return f"a note about container {one.container[:12]} (run {one.run})"
    return f"the mark of a kill on container {seen.name}, which was started again (run {one.run})"
