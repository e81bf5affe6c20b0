"""A balancer of the user's own, known by its URL alone."""

from __future__ import annotations

import http.client
import ipaddress
from collections.abc import Iterator
from typing import ClassVar
from urllib.parse import urlsplit

from chaoscheck.balancers.base import BALANCERS, Route
from chaoscheck.balancers.roll import require_mode
from chaoscheck.engines.base import Fleet, Instance
from chaoscheck.errors import EnvironmentTrouble, NotReady, PlanError
from chaoscheck.model.clock import NS, Clock, wait_s
from chaoscheck.model.history import BalancerRow
from chaoscheck.model.places import Address
from chaoscheck.plan.plan import LoadedPlan, Plan

_ANSWERS_WITHIN_S = 10.0


@BALANCERS.add("external")
class External:
    """It names no incarnation, so nothing that goes through it counts as evidence. It must find replacements itself."""

    name: ClassVar[str] = "external"

    def __init__(self) -> None:
        self._entry: Address | None = None

    def check(self, plan: LoadedPlan) -> None:
        """Raises PlanError for a mode, and for a URL that can't be dialled."""
        _require_mode(plan.plan, plan.place("balancer", "mode"))
        try:
            entry_of(plan.plan.balancer.url or "")
        except PlanError as error:
            raise PlanError(error.message, hint=error.hint, place=plan.place("balancer", "url")) from None

    def open(self, fleet: Fleet, plan: Plan, instances: list[Instance], clock: Clock) -> None:
        """Returns when the URL answers HTTP at all: who answers can't be seen. Raises PlanError, NotReady."""
        _require_mode(plan)
        entry = entry_of(plan.balancer.url or "")
        _await_answer(entry, plan.target.ready.get or "/", clock)
        self._entry = entry

    def route(self) -> Route:
        if self._entry is None:
            raise EnvironmentTrouble("the external balancer has not been opened")
        return Route(entry=self._entry)

    def join(self, instance: Instance, replaced: Instance | None) -> None:
        """Nothing we could tell it."""

    def log(self) -> Iterator[BalancerRow]:
        """Empty: its log is not ours to read."""
        return iter(())

    def close(self) -> None:
        """Nothing of ours to stop."""


def _require_mode(plan: Plan, place: str = "") -> None:
    require_mode(
        plan, External.name, ("round-robin",), "your own balancer decides who gets a request: leave mode out", place
    )


def entry_of(url: str) -> Address:
    """Host and port of `url`. Raises PlanError for https, and for hosts beyond this machine."""
    parts = urlsplit(url)
    try:
        port = parts.port or 80
    except ValueError:
        raise PlanError(f"balancer.url '{url}' has no usable port", hint="write it as http://127.0.0.1:8080") from None
    if parts.scheme != "http" or not parts.hostname:
        raise PlanError(
            f"balancer.url '{url}' can't be dialled: clients speak plain http to it",
            hint="give the balancer a plain http port, and the https origin as target.public_url",
        )
    if not _is_loopback(parts.hostname):
        raise PlanError(
            f"balancer.url '{url}' is not on this machine",
            hint="instances are killed under real load: only 127.0.0.1 and localhost are allowed",
        )
    return Address(parts.hostname, port)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _await_answer(entry: Address, path: str, clock: Clock) -> None:
    deadline = clock.now_ns() + int(_ANSWERS_WITHIN_S * NS)
    while True:
        connection = http.client.HTTPConnection(entry.host, entry.port, timeout=2.0)
        try:
            connection.request("GET", path)
            connection.getresponse()
            return
        except (OSError, http.client.HTTPException) as trouble:
            if clock.now_ns() > deadline:
                raise NotReady(
                    f"the balancer at {entry} did not answer within {_ANSWERS_WITHIN_S:g} s",
                    hint="start it before the run, in front of the instances",
                    details=f"{type(trouble).__name__}: {trouble}",
                ) from trouble
        finally:
            connection.close()
        wait_s(clock, 0.05)
