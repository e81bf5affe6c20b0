"""Simulated instances, network and time: whole runs in milliseconds, to test the tester."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from chaoscheck.engines.base import ENGINES, Fleet, Instance, KillReceipt, Site, State
from chaoscheck.engines.fake_apps import APPS, Data
from chaoscheck.engines.fake_network import FakeTransport, Network, Server
from chaoscheck.engines.world import World
from chaoscheck.errors import PlanError
from chaoscheck.model.clock import NS, Clock
from chaoscheck.model.history import BalancerRow
from chaoscheck.model.places import Address, Incarnation
from chaoscheck.steps.base import Transport


class FakeFleet:
    """The simulated instances of one run. The target's command names the service: `command: [stateless]`."""

    def __init__(self, site: Site, world: World) -> None:
        target = site.plan.plan.target
        if not target.command:
            raise PlanError(
                "the fake engine needs target.command to name a simulated service",
                hint=f"command: [NAME], one of {', '.join(APPS)}",
            )
        self.world = world
        self.network = Network(world)
        self._app = APPS.get(target.command[0])
        self._port = target.port
        self._shared: Data = {}
        self._starts = 0

    def prepare(self) -> None:
        """Nothing to build."""

    def start(self, incarnation: Incarnation) -> Instance:
        self._starts += 1
        address = Address(f"fake-{self._starts}", self._port)
        local: Data = {}
        app = self._app(incarnation.name, local, self._shared, self.world)
        server = Server(incarnation.name, app, local)
        self.world.wait_until_ns(self.world.now_ns() + NS // 5)
        self.network.servers[address] = server
        return Instance(incarnation=incarnation, address=address, inner=address, handle=str(self._starts))

    def state(self, instance: Instance) -> State:
        server = self.network.servers.get(instance.address)
        if server is None or not server.alive:
            return State(running=False, exit_code=137, ended_ns=server.death_ns if server else -1)
        return State(running=True)

    def kill(self, instance: Instance) -> KillReceipt:
        signal_ns = self.world.now_ns()
        self.world.spend(0.005, 0.015)
        server = self.network.servers[instance.address]
        server.die(self.world.now_ns())
        death_ns = server.death_ns
        self.world.spend(0.001, 0.002)
        return KillReceipt(
            signal_ns=signal_ns,
            returned_ns=self.world.now_ns(),
            death_ns=death_ns,
            error_ns=0,
            refused_ns=self.world.now_ns(),
            confirmed=True,
            exit_code=137,
            detail="simulated",
        )

    def remove(self, instance: Instance) -> None:
        server = self.network.servers.get(instance.address)
        if server is not None and server.alive:
            server.die(self.world.now_ns())

    def logs(self, instance: Instance, lines: int) -> str:
        return ""

    def dead_stores(self) -> Mapping[str, str]:
        return {}

    def close(self) -> None:
        self.network.servers.clear()

    def open_entry(self, *, sticky: bool) -> Address:
        return self.network.open_entry(sticky=sticky)

    def admit(self, instance: Instance, replaced: Instance | None) -> None:
        self.network.admit(instance.address, replaced.name if replaced else "")

    def entry_log(self) -> list[BalancerRow]:
        return self.network.log

    def transport(self) -> Transport:
        return FakeTransport(self.network)


@ENGINES.add("fake")
class FakeEngine:
    """Simulates; a run on it proves nothing about a service, and everything about chaoscheck."""

    name: ClassVar[str] = "fake"
    default_balancer: ClassVar[str] = "simulated"

    def __init__(self, seed: int = 1) -> None:
        self.world = World(seed)

    def available(self) -> str:
        return ""

    def clock(self) -> Clock:
        return self.world

    def open(self, site: Site) -> Fleet:
        return FakeFleet(site, self.world)

    def sweep(self, *, run: str | None = None) -> list[str]:
        return []
