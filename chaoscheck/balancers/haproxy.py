"""HAProxy beside the instances: a container in front of containers, or the local binary in front of processes."""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import math
import random
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from chaoscheck.balancers.base import BALANCERS, INSTANCE_HEADER, Route
from chaoscheck.balancers.haproxy_api import RuntimeApi, await_version
from chaoscheck.balancers.haproxy_config import Setup, read_log, render
from chaoscheck.balancers.roll import Roll, require_mode
from chaoscheck.engines.base import Fleet, Instance, RunsSidecars, Sidecar, SidecarSpec
from chaoscheck.errors import EnvironmentTrouble, NotReady, PortTaken
from chaoscheck.model.clock import NS, Clock, MonotonicClock, wait_s
from chaoscheck.model.history import BalancerRow
from chaoscheck.model.places import Address
from chaoscheck.plan.plan import LoadedPlan, Plan

DEFAULT_IMAGE = "haproxy:2.8"
_BUILD = Path(__file__).parent / "haproxy-image"
_CONFIG = "/etc/chaoscheck/haproxy.cfg"
_USUAL_CONFIG = "/usr/local/etc/haproxy/haproxy.cfg"  # where the usual image looks
_OPENS_WITHIN_S = 15.0
_JOINS_WITHIN_S = 5.0
_POLL_S = 0.01
_TAIL_LINES = 20
_PORTS = range(12_000, 20_000)


@BALANCERS.add("haproxy")
class HAProxy:
    """Round robin, or sticky by a cookie. It hears of replacements, and finds out about deaths by itself."""

    name: ClassVar[str] = "haproxy"

    def __init__(self) -> None:
        self._roll = Roll()
        self._retired: list[str] = []
        self._sticky = False
        self._clock: Clock = MonotonicClock()
        self._sidecar: Sidecar | None = None
        self._entry = self._admin = 0

    def check(self, plan: LoadedPlan) -> None:
        """Raises PlanError for mode never-same."""
        _require_mode(plan.plan, plan.place("balancer", "mode"))

    def open(self, fleet: Fleet, plan: LoadedPlan, instances: list[Instance], clock: Clock) -> None:
        """Start it; returns when each instance has answered through it. Raises PlanError, EnvironmentTrouble."""
        self._open(fleet, plan.plan, instances, clock)

    def _open(self, fleet: Fleet, plan: Plan, instances: list[Instance], clock: Clock) -> None:
        _require_mode(plan)
        if not isinstance(fleet, RunsSidecars):
            raise EnvironmentTrouble("this engine can't run HAProxy beside instances", hint="use balancer kind direct")
        for instance in instances:
            self._enter(instance)
        self._clock, self._sticky = clock, plan.balancer.mode == "sticky"
        self._entry, self._admin = _free_ports()
        setup = Setup(
            host=listening_host(instances),
            entry=self._entry,
            admin=self._admin,
            sticky=self._sticky,
            servers=tuple((each.name, each.inner) for each in instances),
            server_s=max(60, math.ceil(2 * plan.traffic.timeout)),
            maxconn=_maxconn(plan),
        )
        self._sidecar = fleet.sidecar(sidecar_spec(plan.balancer.image, setup))
        self._await_answers(plan, {each.name for each in instances})

    def needs(self, plan: Plan | None) -> SidecarSpec:
        """HAProxy with nobody behind it."""
        entry, admin = _free_ports()
        setup = Setup(host="0.0.0.0", entry=entry, admin=admin, sticky=False, servers=())
        return sidecar_spec(plan.balancer.image if plan else None, setup)

    def try_out(self, fleet: Fleet, plan: Plan | None) -> str:
        """Start it with nobody behind it, and dial its runtime API as a run would. Raises an EnvironmentTrouble."""
        if not isinstance(fleet, RunsSidecars):
            raise EnvironmentTrouble("this engine can't run HAProxy beside instances", hint="use balancer kind direct")
        spec = self.needs(plan)
        self._sidecar = fleet.sidecar(spec)
        api = RuntimeApi(self._sidecar.address(spec.ports[1]))
        return await_version(api, self._clock, self._living)

    def route(self) -> Route:
        sidecar = self._living()
        return Route(entry=sidecar.address(self._entry))

    def join(self, instance: Instance, replaced: Instance | None) -> None:
        """Retire `replaced`, take in `instance`, return when it gets requests (at most 5 s)."""
        api = RuntimeApi(self._living().address(self._admin))
        self._enter(instance)
        try:
            self._forget_retired(api)
            if replaced is not None:
                api.retire(replaced.name)
                self._retired.append(replaced.name)
            api.add(instance.name, instance.inner, sticky=self._sticky)
            self._await_up(api, instance.name)
        except OSError as trouble:
            self._living()
            raise EnvironmentTrouble(
                f"HAProxy's runtime API failed while {instance.name} joined: {trouble}", details=self._tail()
            ) from trouble

    def log(self) -> Iterator[BalancerRow]:
        """Every row; then EnvironmentTrouble if HAProxy ended by itself, as what it didn't log is unknown."""
        if self._sidecar is None:
            return
        yield from read_log(self._sidecar.logs().splitlines())
        self._living()

    def close(self) -> None:
        """The fleet that runs it removes it; from here on there is no log."""
        self._sidecar = None

    def _enter(self, instance: Instance) -> None:
        try:
            ipaddress.ip_address(instance.inner.host)
        except ValueError:
            raise EnvironmentTrouble(
                f"{instance.name} has no IP address for HAProxy but '{instance.inner.host}'",
                hint="its runtime API takes in servers by IP address only",
            ) from None
        self._roll.enter(instance.name, instance.inner)

    def _living(self) -> Sidecar:
        if self._sidecar is None:
            raise EnvironmentTrouble("HAProxy is not open")
        if not self._sidecar.running():
            raise EnvironmentTrouble("HAProxy ended by itself", details=self._tail())
        return self._sidecar

    def _tail(self) -> str:
        return "\n".join(self._sidecar.logs().splitlines()[-_TAIL_LINES:]) if self._sidecar else ""

    def _await_answers(self, plan: Plan, missing: set[str]) -> None:
        entry = self._living().address(self._entry)
        host = urlsplit(plan.target.public_url).netloc if plan.target.public_url else str(entry)
        deadline = self._clock.now_ns() + int(_OPENS_WITHIN_S * NS)
        while missing:
            self._living()
            who, seen = _who_answers(entry, plan.target.ready.get or "/", host)
            if who in missing:
                missing.remove(who)
                continue
            if self._clock.now_ns() > deadline:
                raise NotReady(
                    f"HAProxy got no answer from {', '.join(sorted(missing))} within {_OPENS_WITHIN_S:g} s; "
                    f"last seen: {seen}",
                    hint="does the service listen on 0.0.0.0 and answer target.ready whatever the Host?",
                    details=self._tail(),
                )
            wait_s(self._clock, _POLL_S)

    def _await_up(self, api: RuntimeApi, name: str) -> None:
        deadline = self._clock.now_ns() + int(_JOINS_WITHIN_S * NS)
        # The first check of its own is 200 ms away, and the newcomer serves from now on: waiting for that check would
        # only lengthen every recovery that is measured.
        while not (status := api.status(name)).startswith("UP"):
            if self._clock.now_ns() > deadline:
                raise NotReady(
                    f"HAProxy did not see {name} up within {_JOINS_WITHIN_S:g} s; last seen: {status}",
                    hint="does a fresh instance answer target.ready at once, or only after a while?",
                    details=self._tail(),
                )
            wait_s(self._clock, _POLL_S)

    def _forget_retired(self, api: RuntimeApi) -> None:
        """Those of earlier joins: what one that was just retired still had in hand has ended by then."""
        self._retired = [name for name in self._retired if not api.delete(name)]


def listening_host(instances: list[Instance]) -> str:
    """Where HAProxy listens: beside processes on loopback only; in a network of its own, on all addresses there."""
    local = all(ipaddress.ip_address(each.inner.host).is_loopback for each in instances)
    return "127.0.0.1" if local else "0.0.0.0"


def _maxconn(plan: Plan) -> int:
    """Each user's connection, and at most as many attempts under way, with room for the controller's."""
    users = plan.traffic.users
    return max(8192, 3 * users) if isinstance(users, int) else 8192


def sidecar_spec(image: str | None, setup: Setup) -> SidecarSpec:
    """HAProxy with that setup. A user's own image is never replaced by a built one."""
    text = render(setup)
    return SidecarSpec(
        name="haproxy",
        image=image or DEFAULT_IMAGE,
        build=None if image else _BUILD,
        command=("haproxy", "-db", "-f", "{files}" + _CONFIG),
        files={_CONFIG: text, _USUAL_CONFIG: text},
        ports=(setup.entry, setup.admin),
    )


def _free_ports() -> tuple[int, int]:
    """Two ports that are free on this machine now. In a container any two would do; beside processes these matter."""
    with contextlib.ExitStack() as held:
        first, second = (held.enter_context(_listening()) for _ in range(2))
        return first.getsockname()[1], second.getsockname()[1]


def _listening() -> socket.socket:
    # Below what Linux hands out to outgoing connections, so that none of those sits on it when HAProxy starts.
    for port in random.SystemRandom().sample(_PORTS, k=100):
        with contextlib.suppress(OSError):
            return socket.create_server(("127.0.0.1", port))
    raise PortTaken(
        f"100 ports between {_PORTS.start} and {_PORTS.stop} were tried, none is free on 127.0.0.1",
        hint="end what holds them, or remove what dead runs left with chaoscheck clean",
    )


def _who_answers(entry: Address, path: str, host: str) -> tuple[str, str]:
    """The incarnation that answers one request through the balancer ("" for none), and what was seen."""
    connection = http.client.HTTPConnection(entry.host, entry.port, timeout=2.0)
    try:
        connection.request("GET", path, headers={"Host": host})
        answer = connection.getresponse()
        who = answer.getheader(INSTANCE_HEADER, "")
        return who, f"HTTP {answer.status} from {who or 'HAProxy itself'}"
    except (OSError, http.client.HTTPException) as trouble:
        return "", f"{type(trouble).__name__}: {trouble}"
    finally:
        connection.close()


def _require_mode(plan: Plan, place: str = "") -> None:
    require_mode(
        plan,
        HAProxy.name,
        ("round-robin", "sticky"),
        "clients that never go to the same instance twice pick for themselves: use kind direct",
        place,
    )
