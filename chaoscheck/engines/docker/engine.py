"""The docker engine: whether there is one, a fleet on it, and what crashed runs left there."""

from __future__ import annotations

from typing import Any, ClassVar

from chaoscheck.engines.base import ENGINES, Fleet, Site
from chaoscheck.engines.docker.api import connect, talking
from chaoscheck.engines.docker.containers import remove_all
from chaoscheck.engines.docker.fleet import DockerFleet, check
from chaoscheck.engines.docker.labels import RUN, only
from chaoscheck.engines.owner import Owner
from chaoscheck.errors import EngineUnavailable
from chaoscheck.plan.plan import LoadedPlan


@ENGINES.add("docker")
class DockerEngine:
    """Instances are containers of one local engine."""

    name: ClassVar[str] = "docker"
    default_balancer: ClassVar[str] = "haproxy"

    def available(self) -> str:
        """ "" when an engine answers, else why not."""
        try:
            connect(timeout_s=5).close()
        except EngineUnavailable as error:
            return error.message
        return ""

    def check(self, plan: LoadedPlan) -> None:
        """Raises PlanError for what containers can't do, and for folders that can't be built."""
        check(plan)

    def open(self, site: Site) -> Fleet:
        """A fleet for one run; makes nothing yet. Raises EngineUnavailable."""
        return DockerFleet(connect(), site)

    def sweep(self, *, run: str | None = None) -> list[str]:
        """Remove what runs left whose owner is provably gone, or all of `run`; a line for each thing."""
        client = connect()
        try:
            runs = [run] if run is not None else _abandoned(client)
            return [f"{line} (run {name})" for name in runs for line in remove_all(client, name)]
        finally:
            client.close()


def _abandoned(client: Any) -> list[str]:
    """Runs of which every thing names an owner that is provably gone."""
    gone: dict[str, bool] = {}
    for labels in _all_labels(client):
        owner = Owner.from_labels(labels)
        run = labels[RUN]
        gone[run] = gone.get(run, True) and owner is not None and owner.provably_gone()
    return sorted(run for run, is_gone in gone.items() if is_gone)


def _all_labels(client: Any) -> list[dict[str, str]]:
    with talking("list what runs made"):
        found = [
            *client.containers(all=True, filters=only(None)),
            *client.networks(filters=only(None)),
            *(client.volumes(filters=only(None))["Volumes"] or []),
        ]
    return [item["Labels"] for item in found]
