"""The process engine: needs nothing installed, and sweeps by the records that each run keeps of what it starts."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from chaoscheck.engines.base import ENGINES, Fleet, Site
from chaoscheck.engines.process.fleet import ProcessFleet, check, working_folder
from chaoscheck.engines.process.records import records
from chaoscheck.model.checkup import Check, ok, problem, warn
from chaoscheck.plan.plan import LoadedPlan


@ENGINES.add("process")
class ProcessEngine:
    """Instances are processes of this machine."""

    name: ClassVar[str] = "process"

    @property
    def default_balancer(self) -> str:
        """HAProxy where it is installed, else none: the clients pick."""
        return "haproxy" if shutil.which("haproxy") else "direct"

    def available(self) -> str:
        """ "" on Linux, whose /proc tells who belongs to a session."""
        if sys.platform == "linux" and Path(f"/proc/{os.getpid()}/stat").exists():
            return ""
        return "the process engine needs Linux with /proc, to see that every process of an instance is dead"

    def check(self, plan: LoadedPlan) -> None:
        """Raises PlanError for what local processes can't do, and for a command that isn't there."""
        check(plan, working_folder(plan))

    def open(self, site: Site) -> Fleet:
        """A fleet for one run; makes nothing yet."""
        return ProcessFleet(site)

    def examine(self, plan: LoadedPlan | None) -> Iterator[Check]:
        """The binaries that a plan needs here, and what dead runs left."""
        if plan is not None and plan.plan.stores:
            yield problem("stores", "local processes have no stores beside them", "use the docker engine")
        haproxy = shutil.which("haproxy")
        if haproxy:
            yield ok("local haproxy", haproxy)
        else:
            yield warn("local haproxy", "not installed: clients pick an instance", "install it to test behind it")
        dead = [record.run for record in records() if record.owner.provably_gone()]
        if dead:
            yield warn("local leftovers", f"of runs that are gone: {', '.join(dead)}", "chaoscheck clean removes them")
        else:
            yield ok("local leftovers", "no dead runs")

    def sweep(self, *, run: str | None = None) -> list[str]:
        """End what runs left whose owner is provably gone, or all of `run`; a line for each process."""
        wanted = [
            record for record in records() if (record.run == run if run is not None else record.owner.provably_gone())
        ]
        return [line for record in wanted for line in record.clear()]
