"""A balancer of the user's own, known by its URL alone."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import Iterator
from typing import ClassVar
from urllib.parse import urlsplit

from chaoscheck.balancers.base import BALANCERS, Route
from chaoscheck.balancers.roll import require_mode
from chaoscheck.engines.base import Fleet, Instance, KnownByName
from chaoscheck.errors import EnvironmentTrouble, NotReady, PlanError
from chaoscheck.model.clock import NS, Clock, wait_s
from chaoscheck.model.history import BalancerRow
from chaoscheck.model.places import Address, dialled
from chaoscheck.plan.plan import LoadedPlan, Plan
from chaoscheck.steps.mask import printable
from chaoscheck.steps.naming import named
from chaoscheck.steps.nearby import is_here
from chaoscheck.steps.transports.limited import connected
from chaoscheck.steps.transports.tls import Tls

_ANSWERS_WITHIN_S = 10.0
_ASK_S = 2.0
_SERVER_ERROR = 500
_OTHER_HOST = frozenset({62, 64})  # OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH


@BALANCERS.add("external")
class External:
    """It names no incarnation, unless the plan says by which header: without, nothing that goes through it counts as
    evidence. It must find replacements itself."""

    name: ClassVar[str] = "external"

    def __init__(self) -> None:
        self._route: Route | None = None

    def check(self, plan: LoadedPlan) -> None:
        """Raises PlanError for a mode, a URL that can't be dialled, and certificates that can't be read."""
        _require_mode(plan.plan, plan.place("balancer", "mode"))
        try:
            entry_of(plan.plan.balancer.url or "")
        except PlanError as error:
            raise PlanError(error.message, hint=error.hint, place=plan.place("balancer", "url")) from None
        try:
            Tls(plan.plan, plan.folder)
        except PlanError as error:
            raise PlanError(error.message, hint=error.hint, place=plan.place("balancer", "ca")) from None

    def beyond(self, plan: LoadedPlan) -> str:
        """The URL where it is not of this machine, else ""."""
        url = plan.plan.balancer.url or ""
        return "" if is_here(entry_of(url).host) else url

    def open(self, fleet: Fleet, plan: LoadedPlan, instances: list[Instance], clock: Clock) -> None:
        """Returns when the URL answers HTTP and, where the plan says by which header, names an instance that is known.

        Raises PlanError, NotReady, EnvironmentTrouble.
        """
        balancer, target = plan.plan.balancer, plan.plan.target
        _require_mode(plan.plan)
        entry = entry_of(balancer.url or "")
        path = target.ready.get or "/"
        host = urlsplit(target.public_url or balancer.url or "").netloc
        known = {name.lower() for each in instances for name in _names(fleet, each)}
        connection = _Connection(entry, Tls(plan.plan, plan.folder))
        deadline = clock.now_ns() + int(_ANSWERS_WITHIN_S * NS)
        while True:
            answer = _await_answer(connection, path, host, balancer.ca, deadline, clock)
            try:
                _require_named(answer, balancer.header, known, f"{balancer.url}{path}")
                break
            except EnvironmentTrouble:
                # It may not have seen yet that the instances are back.
                if answer.status < _SERVER_ERROR or clock.now_ns() > deadline:
                    raise
            wait_s(clock, 0.2)
        self._route = Route(entry=entry, named=bool(balancer.header))

    def route(self) -> Route:
        if self._route is None:
            raise EnvironmentTrouble("the external balancer has not been opened")
        return self._route

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
    """Host and port of `url`. Raises PlanError where it has none."""
    try:
        return dialled(url)
    except ValueError as error:
        hint = "write it as http://127.0.0.1:8080, or https://shop.example.org"
        raise PlanError(f"balancer.url can't be dialled: {error}", hint=hint) from None


def _names(fleet: Fleet, instance: Instance) -> tuple[str, ...]:
    return fleet.names(instance) if isinstance(fleet, KnownByName) else (instance.name,)


def _require_named(answer: http.client.HTTPResponse, header: str | None, known: set[str], asked: str) -> None:
    """Without names no exposure would count: better said now than after minutes of load."""
    if header is None:
        return
    value = answer.getheader(header)
    if value is None:
        raise EnvironmentTrouble(
            f"the answer to {asked} (status {answer.status}) has no header {header}",
            hint="let the balancer or the service set it to the container's host name (its id), name or address",
        )
    if named(value) not in known:
        raise EnvironmentTrouble(
            f"{header} of {asked} (status {answer.status}) says '{printable(value)[:100]}', which names no instance",
            hint="where no instance serves, nginx gives its upstream's name; else it has to be the container's name, "
            "id, host name or address (and nothing that several have)",
            details="known are: " + ", ".join(sorted(known)),
        )


class _Connection(http.client.HTTPConnection):
    """Dials as users will."""

    def __init__(self, entry: Address, tls: Tls) -> None:
        super().__init__(entry.host, entry.port)
        self.entry, self._tls = entry, tls

    def connect(self) -> None:
        self.sock = self._tls.over(connected(self.entry, time.monotonic() + _ASK_S), self.entry)


def _untrusted(error: ssl.SSLCertVerificationError, entry: Address, ca: str | None) -> EnvironmentTrouble:
    hint = "if you trust it, name the certificate of who signed it: balancer: {ca: FILE}"
    if error.verify_code in _OTHER_HOST:
        hint = "give the host that it is for as target.public_url"
    elif ca:
        hint = f"balancer.ca '{printable(ca)}' holds no certificate of who signed it"
    said = f"the certificate of the balancer at {entry} is not trusted: {error.verify_message}"
    return EnvironmentTrouble(said, hint=hint)


def _await_answer(
    connection: _Connection, path: str, host: str, ca: str | None, deadline: int, clock: Clock
) -> http.client.HTTPResponse:
    while True:
        try:
            connection.request("GET", path, headers={"Host": host})
            return connection.getresponse()
        except ssl.SSLCertVerificationError as untrusted:
            raise _untrusted(untrusted, connection.entry, ca) from None
        except socket.gaierror as unknown:
            raise EnvironmentTrouble(
                f"the balancer's host {connection.entry.host} has no address ({unknown.strerror})",
                hint="an address may stand in the URL, and what users type in target.public_url",
            ) from None
        except (OSError, http.client.HTTPException) as trouble:
            if clock.now_ns() > deadline:
                raise NotReady(
                    f"the balancer at {connection.entry} did not answer within {_ANSWERS_WITHIN_S:g} s",
                    hint="start it before the run, in front of the instances",
                    details=f"{type(trouble).__name__}: {trouble}",
                ) from trouble
        finally:
            connection.close()
        wait_s(clock, 0.05)
