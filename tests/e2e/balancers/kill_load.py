"""Clients on kept connections who each note what became of every attempt, while instances are killed and replaced."""

from __future__ import annotations

import http.client
import threading
import time
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

from chaoscheck.balancers.base import Balancer
from chaoscheck.engines.base import Fleet, Instance, Killable
from chaoscheck.model.clock import Clock
from chaoscheck.model.places import Address, Incarnation


class Attempt(NamedTuple):
    """`status` 0: the connection ended without an answer. `took_ms` counts from when it should have begun."""

    rid: str
    sent_ns: int
    took_ms: float
    status: int
    instance: str
    balancer: str


class Kill(NamedTuple):
    victim: str
    signal_ns: int
    death_ns: int
    confirmed: bool
    ready_ns: int
    joined_ns: int


class Load:
    """`clients` threads that together ask `rate` times a second."""

    def __init__(self, entry: Address, clock: Clock, *, clients: int, rate: float) -> None:
        self.attempts: list[Attempt] = []
        self._entry, self._clock = entry, clock
        self._gap_ns = int(clients / rate * 1e9)
        self._over = threading.Event()
        self._ids = count()
        self._threads = [threading.Thread(target=self._client, args=(n / clients,)) for n in range(clients)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(10)

    def _client(self, phase: float) -> None:
        connection = http.client.HTTPConnection(self._entry.host, self._entry.port, timeout=5)
        due = self._clock.now_ns() + int(phase * self._gap_ns)
        while not self._over.is_set():
            self._clock.wait_until_ns(due)
            self.attempts.append(self._attempt(connection, due))
            due += self._gap_ns
        connection.close()

    def _attempt(self, connection: http.client.HTTPConnection, due: int) -> Attempt:
        rid, sent = f"r{next(self._ids)}", self._clock.now_ns()
        try:
            connection.request("GET", "/", headers={"X-Chaoscheck-Request": rid})
            answer = connection.getresponse()
            answer.read()
            found = (
                answer.status,
                answer.getheader("X-Chaoscheck-Instance", ""),
                answer.getheader("X-Chaoscheck-Balancer", ""),
            )
        except (OSError, http.client.HTTPException):
            connection.close()
            found = (0, "", "")
        return Attempt(rid, sent, (self._clock.now_ns() - due) / 1e6, *found)


@dataclass
class Killer:
    """Kills instance after instance, and has each replaced at once."""

    fleet: Fleet
    balancer: Balancer
    clock: Clock
    living: list[Instance]

    def strike(self, slot: int) -> Kill:
        assert isinstance(self.fleet, Killable)
        victim = self.living[slot]
        receipt = self.fleet.kill(victim)
        newcomer = self.fleet.start(Incarnation(slot=slot, life=victim.incarnation.life + 1))
        await_ready(newcomer)
        ready_ns = self.clock.now_ns()
        self.balancer.join(newcomer, victim)
        joined_ns = self.clock.now_ns()
        self.fleet.remove(victim)
        self.living[slot] = newcomer
        return Kill(victim.name, receipt.signal_ns, receipt.death_ns, receipt.confirmed, ready_ns, joined_ns)


def await_ready(instance: Instance) -> None:
    """Returns when it answers; AssertionError after 10 s."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            connection = http.client.HTTPConnection(*instance.address, timeout=1)
            connection.request("GET", "/")
            connection.getresponse().read()
            return
        except (OSError, http.client.HTTPException):
            time.sleep(0.005)
        finally:
            connection.close()
    raise AssertionError(f"{instance.name} did not answer within 10 s")
