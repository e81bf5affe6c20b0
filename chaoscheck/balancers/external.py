"""A balancer of the user's own, known by its URL alone."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from typing import ClassVar
from urllib.parse import urlsplit

from chaoscheck.balancers.base import BALANCERS, Route
from chaoscheck.balancers.roll import require_mode
from chaoscheck.engines.base import Fleet, Instance, KnownByName
from chaoscheck.errors import EnvironmentTrouble, NotReady, PlanError
from chaoscheck.model.clock import NS, Clock, wait_s
from chaoscheck.model.history import BalancerRow
from chaoscheck.model.places import Address
from chaoscheck.plan.plan import LoadedPlan, Plan
from chaoscheck.steps.mask import printable
from chaoscheck.steps.naming import named
from chaoscheck.steps.nearby import is_here

_ANSWERS_WITHIN_S = 10.0


@BALANCERS.add("external")
class External:
    """It names no incarnation, unless the plan says by which header: without, nothing that goes through it counts as
    evidence. It must find replacements itself."""

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

    def beyond(self, plan: LoadedPlan) -> str:
        """The URL where it is not of this machine, else ""."""
        url = plan.plan.balancer.url or ""
        return "" if is_here(entry_of(url).host) else url

    def open(self, fleet: Fleet, plan: Plan, instances: list[Instance], clock: Clock) -> None:
        """Returns when the URL answers HTTP and, where the plan says by which header, names an instance that is known.

        Raises PlanError, NotReady, EnvironmentTrouble.
        """
        _require_mode(plan)
        entry = entry_of(plan.balancer.url or "")
        path = plan.target.ready.get or "/"
        answer = _await_answer(entry, path, clock)
        if plan.balancer.header:
            known = {name.lower() for each in instances for name in _names(fleet, each)}
            _require_named(answer, plan.balancer.header, known, f"{plan.balancer.url}{path}")
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
    """Host and port of `url`. Raises PlanError for https."""
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
    return Address(parts.hostname, port)


def _names(fleet: Fleet, instance: Instance) -> tuple[str, ...]:
    return fleet.names(instance) if isinstance(fleet, KnownByName) else (instance.name,)


def _require_named(answer: http.client.HTTPResponse, header: str, known: set[str], asked: str) -> None:
    """Without names no exposure would count: better said now than after minutes of load."""
    value = answer.getheader(header)
    if value is None:
        raise EnvironmentTrouble(
            f"the answer to {asked} (status {answer.status}) has no header {header}",
            hint="let the balancer or the service set it to the container's host name (its id), name or address",
        )
    if named(value) not in known:
        raise EnvironmentTrouble(
            f"{header} of {asked} says '{printable(value)[:100]}', which names no instance",
            hint="it has to be the container's name, id, host name or address (and nothing that several have)",
            details="known are: " + ", ".join(sorted(known)),
        )


def _await_answer(entry: Address, path: str, clock: Clock) -> http.client.HTTPResponse:
    deadline = clock.now_ns() + int(_ANSWERS_WITHIN_S * NS)
    while True:
        connection = http.client.HTTPConnection(entry.host, entry.port, timeout=2.0)
        try:
            connection.request("GET", path)
            return connection.getresponse()
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
