"""Real fleets of a tiny service, for the engines' tests: each with a run of its own, and always closed."""

from __future__ import annotations

import http.client
import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from chaoscheck.engines.base import ENGINES, Fleet, HasLogs, Instance, Killable, Site
from chaoscheck.engines.docker import DockerEngine
from chaoscheck.engines.process import ProcessEngine
from chaoscheck.engines.ready import ProbesInside, wait_ready
from chaoscheck.model.clock import MonotonicClock
from chaoscheck.model.places import Address, Incarnation
from chaoscheck.plan.plan import LoadedPlan, Plan
from chaoscheck.steps.transports.requests_ import RequestsTransport

FOLDER = Path(__file__).parent / "tiny_service"
ENGINE_CLASSES: Mapping[str, Callable[[], DockerEngine | ProcessEngine]] = {
    "docker": DockerEngine,
    "process": ProcessEngine,
}
TARGET: dict[str, Any] = {
    "build": ".",
    "command": ["perl", "serve.pl"],
    "ready": {"get": "/healthz", "within": 20},
    "env": {"OWN_DIR": "/own", "SHARED_DIR": "/shared"},
    "volumes": {"own": {"path": "/own", "scope": "own"}, "shared": "/shared"},
}
PROMISE = {"kind": "kept", "do": {"post": "/"}, "see": {"get": "/"}}


def plan_of(stores: dict[str, Any] | None = None, **target: Any) -> LoadedPlan:
    """A plan of the tiny service with those keys of `target` changed; None takes one away."""
    section = {key: value for key, value in {**TARGET, **target}.items() if value is not None}
    plan = Plan.model_validate({"target": section, "stores": stores or {}, "promises": {"p": PROMISE}})
    return LoadedPlan(plan=plan, path=FOLDER / "plan.yaml", text="", lines={})


class Bench:
    """A fleet and what a test asks of it."""

    def __init__(self, fleet: Fleet, site: Site) -> None:
        self.fleet = fleet
        self.site = site
        self.transport = RequestsTransport(site.clock)

    def start(self, slot: int, life: int = 1, *, ready: bool = True) -> Instance:
        instance = self.fleet.start(Incarnation(slot=slot, life=life))
        if ready:
            self.await_ready(instance)
        return instance

    def await_ready(self, *instances: Instance) -> dict[str, int]:
        return wait_ready(
            self.fleet, instances, self.site.plan.plan.target.ready, transport=self.transport, clock=self.site.clock
        )

    @property
    def killable(self) -> Killable:
        assert isinstance(self.fleet, Killable)
        return self.fleet

    @property
    def inside(self) -> ProbesInside:
        assert isinstance(self.fleet, ProbesInside)
        return self.fleet

    def logs(self, instance: Instance) -> str:
        assert isinstance(self.fleet, HasLogs)
        return self.fleet.logs(instance, 50)


def new_site(plan: LoadedPlan, folder: Path) -> Site:
    return Site(
        run=f"test-{uuid.uuid4().hex[:10]}", plan=plan, clock=MonotonicClock(), folder=folder, say=lambda _: None
    )


@contextmanager
def bench(engine: str, plan: LoadedPlan, folder: Path, *, prepare: bool = True) -> Iterator[Bench]:
    """A prepared fleet, closed afterwards whatever the test did. Skips, loudly, where there is no such engine."""
    need(engine)
    site = new_site(plan, folder)
    fleet = ENGINES.get(engine)().open(site)
    try:
        if prepare:
            fleet.prepare()
        yield Bench(fleet, site)
    finally:
        fleet.close()


def need(engine: str) -> None:
    """Skip the test where that engine isn't; fail it if it must be there."""
    why = ENGINES.get(engine)().available()
    if why and engine == "docker" and os.environ.get("CHAOSCHECK_REQUIRE_DOCKER") == "1":
        pytest.fail(why)
    if why:
        pytest.skip(why)


def ask(address: Address, path: str) -> str:
    """The body of a GET, on a connection of its own."""
    connection = http.client.HTTPConnection(*address, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()
