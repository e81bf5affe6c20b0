"""HAProxy's runtime API: one command a connection."""

from __future__ import annotations

import csv
import io
import socket
from collections.abc import Callable

from chaoscheck.balancers.haproxy_config import BACKEND, CHECK
from chaoscheck.errors import EnvironmentTrouble, NotReady
from chaoscheck.model.clock import NS, Clock, wait_s
from chaoscheck.model.places import Address

_SPEAKS_WITHIN_S = 5.0
_POLL_S = 0.02


class RuntimeApi:
    """Speaks to one HAProxy. Methods raise OSError when it can't be reached, EnvironmentTrouble when it refuses."""

    def __init__(self, address: Address, *, timeout_s: float = 2.0) -> None:
        self._address = address
        self._timeout_s = timeout_s

    def ask(self, command: str) -> str:
        """Its whole reply to `command`."""
        with socket.create_connection(self._address, timeout=self._timeout_s) as connection:
            connection.sendall(command.encode() + b"\n")
            connection.shutdown(socket.SHUT_WR)
            reply = bytearray()
            while chunk := connection.recv(65536):
                reply += chunk
        return reply.decode(errors="replace").strip()

    def version(self) -> str:
        """Which HAProxy it is; "" when the connection was closed without a word."""
        told = dict(line.partition(": ")[::2] for line in self.ask("show info").splitlines())
        return told.get("Version", "").partition("-")[0]

    @property
    def address(self) -> Address:
        return self._address

    def retire(self, name: str) -> None:
        """Into maintenance: no request and no check goes there any more."""
        self._tell(f"set server {BACKEND}/{name} state maint")

    def add(self, name: str, address: Address, *, sticky: bool) -> None:
        """A new server; it gets requests at once."""
        self._tell(f"add server {BACKEND}/{name} {address} {CHECK}", but="New server registered.")
        if sticky:
            # This gives cookies to all servers anew, the same ones to those that have them; before the newcomer is
            # enabled, so that it never serves without one.
            self._tell(f"enable dynamic-cookie backend {BACKEND}")
        self._tell(f"enable health {BACKEND}/{name}")
        self._tell(f"enable server {BACKEND}/{name}")

    def delete(self, name: str) -> bool:
        """Forget a retired server; False when connections are still attached to it."""
        return "deleted" in self.ask(f"del server {BACKEND}/{name}").lower()

    def status(self, name: str) -> str:
        """Its status and its last check, as in "UP L4OK"; "unknown" when there is no such server."""
        table = self.ask(f"show stat {BACKEND} 4 -1").removeprefix("# ")
        for row in csv.DictReader(io.StringIO(table)):
            if row.get("svname") == name:
                return f"{row['status']} {row['check_status'].removeprefix('* ')}"
        return "unknown"

    def _tell(self, command: str, *, but: str = "") -> None:
        reply = self.ask(command)
        if reply != but:
            raise EnvironmentTrouble(f"HAProxy refused '{command}'", details=reply)


def await_version(api: RuntimeApi, clock: Clock, living: Callable[[], object]) -> str:
    """Which HAProxy answers where, once it does; `living` raises if it ended. Raises NotReady."""
    began, last = clock.now_ns(), ""
    while clock.now_ns() - began < _SPEAKS_WITHIN_S * NS:
        living()
        try:
            if version := api.version():
                return f"HAProxy {version} answers on {api.address}"
            last = "the connection was closed without a word"
        except OSError as trouble:
            last = str(trouble) or type(trouble).__name__
        wait_s(clock, _POLL_S)
    raise NotReady(
        f"HAProxy runs, but did not answer on {api.address} within {_SPEAKS_WITHIN_S:g} s; last seen: {last}",
        hint="say where ports are bound and dialled: CHAOSCHECK_PUBLISH and CHAOSCHECK_HOST",
    )
