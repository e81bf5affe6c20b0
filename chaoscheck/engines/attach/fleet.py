"""The user's own containers as a fleet: each life of one is an incarnation. None is ever made, changed or removed."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chaoscheck.engines.attach.doorway import Doorway
from chaoscheck.engines.attach.finding import (
    PROJECT,
    SERVICE,
    Seen,
    distinct,
    inspect,
    labelled,
    labels_of,
    names_of,
    port_of,
    ways,
)
from chaoscheck.engines.attach.returning import LOG_LINES, Returning
from chaoscheck.engines.attach.signalling import ending_of, hold
from chaoscheck.engines.base import Instance, KillReceipt, Site, State
from chaoscheck.engines.docker.base import (
    EngineClock,
    Reach,
    Signalled,
    execute_in,
    listens,
    log_of,
    receipt,
    send_kill,
    state_of,
)
from chaoscheck.engines.ports import Ports
from chaoscheck.engines.refusal import refuses
from chaoscheck.errors import EnvironmentTrouble, PlanError
from chaoscheck.model.places import Address, Incarnation, dialled
from chaoscheck.plan.plan import Attach

KILL_LIMIT_S = 10.0
_POLL_S = 0.02
_DIAL_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """One life of a container, and the doorway that leads to it and to no other (None where there is no way to it)."""

    seen: Seen
    doorway: Doorway | None
    address: Address

    def over(self) -> None:
        """Nobody gets there any more; a second time does nothing."""
        if self.doorway is not None:
            self.doorway.close()


class AttachFleet:
    """Containers with the plan's labels. No other is looked at, but those of services that it is told to watch."""

    def __init__(self, client: Any, site: Site, reach: Reach) -> None:
        attach = site.plan.plan.target.attach
        assert attach is not None
        self._client = client
        self._site = site
        self._reach = reach
        self._attach: Attach = attach
        self._labels = labels_of(attach)
        self._returning = Returning(client, site, attach)
        self._offset = EngineClock(client, site.clock, far=reach.remote)
        self._ports = Ports()
        self._lock = threading.Lock()
        self._first: list[Seen] = []
        self._lives: dict[int, Life] = {}
        self._by_handle: dict[str, Life] = {}
        self._way: dict[str, str] = {}
        self._watched: list[Seen] = []
        self._closed = False
        self._each = True
        self._far = ""

    def prepare(self) -> None:
        """Find them, see that each can be dialled, and that whoever is killed will come back. Makes nothing."""
        self._first = labelled(self._client, self._labels)
        if len(self._first) != self._site.plan.plan.instances:
            raise EnvironmentTrouble(
                f"{len(self._first)} containers run with the labels of target.attach now, and "
                f"{self._site.plan.plan.instances} did when the run began",
                hint="let nobody scale or deploy while a run goes on",
            )
        self._returning.known.update(seen.life for seen in self._first)
        if self._site.allow_kill:
            for seen in self._first:
                self._returning.require(seen)
        self._watched = [seen for service in self._attach.watch for seen in self._service(service)]
        self._each = all(self._find_way(seen) for seen in self._first)
        if not self._each:
            url = self._site.plan.plan.balancer.url
            self._site.say(f"warning: {self._far}; all goes through {url}, and the run can't end in PASS")

    def asks_each(self) -> bool:
        """Whether every one of them was reached by an address of its own."""
        return self._each

    def start(self, incarnation: Incarnation) -> Instance:
        """The first life is the one that runs; a later one is what came in the place of the last. Raises NotReady."""
        if incarnation.life == 1:
            return self._enter(incarnation, self._first[incarnation.slot - 1])
        seen = self._returning.await_next(self._lives[incarnation.slot].seen)
        if not self._each:
            self._returning.await_healthy(seen)
        return self._enter(incarnation, seen)

    def state(self, instance: Instance) -> State:
        """How that life is now: of a container that runs again it is over. Raises EngineLost."""
        return self._state(self._by_handle[instance.handle].seen)

    def kill(self, instance: Instance) -> KillReceipt:
        """SIGKILL to the whole container, if the user allowed it, and wait for the confirmed death."""
        life = self._by_handle[instance.handle]
        seen, clock = life.seen, self._site.clock
        ours = self._returning.is_ours(seen)
        handle = None if ours else hold(seen)
        began_s = time.time()
        signal_ns = clock.now_ns()
        objection = self._objection(seen)
        if not objection:
            self._returning.goes_down(seen, ours=ours)
            signal_ns = clock.now_ns()
            objection = handle.kill() if handle is not None else send_kill(self._client, seen.id, seen.name)
        if handle is not None:
            if not objection and handle.wait_ended(KILL_LIMIT_S):
                life.over()
            handle.close()
        sent = Signalled(signal_ns=signal_ns, returned_ns=clock.now_ns(), objection=objection)
        state = self._ended(seen, 0 if objection else KILL_LIMIT_S, began_s)
        if not state.running:
            life.over()
        else:
            self._returning.stayed(seen)
        seen_ended_ns = clock.now_ns()
        refused = not state.running and (life.doorway is None or refuses(instance.address))
        refused_ns = clock.now_ns() if refused else -1
        return receipt(sent, state, seen_ended_ns=seen_ended_ns, refused_ns=refused_ns, limit_s=KILL_LIMIT_S)

    def names(self, instance: Instance) -> tuple[str, ...]:
        """What a balancer may call it, without what it may call another, too."""
        port = instance.inner.port
        with self._lock:
            present = {id(life) for life in self._lives.values()}
            lives = {handle: life for handle, life in self._by_handle.items() if id(life) in present}
        clear = distinct({handle: names_of(life.seen, port) for handle, life in lives.items()})
        return clear.get(instance.handle, ())

    def logs(self, instance: Instance, lines: int) -> str:
        """The last lines of its container; "" when it is gone."""
        return log_of(self._client, self._by_handle[instance.handle].seen.id, lines)

    def remove(self, instance: Instance) -> None:
        """Only the way there: containers are the user's."""
        self._by_handle[instance.handle].over()

    def listens(self, instance: Instance, port: int) -> bool:
        """Whether something in the container accepts connections on that port of its own."""
        life = self._by_handle[instance.handle]
        there = ways(life.seen, port, self._reach)
        inner = next((address for way, address in there.items() if way != "published"), None)
        return listens(inner, there.get("published"))

    def execute(self, instance: Instance, words: Sequence[str]) -> tuple[int, str]:
        """Run a command in the container: exit code and output."""
        return execute_in(self._client, self._by_handle[instance.handle].seen.id, words)

    def dead_stores(self) -> Mapping[str, str]:
        """Of the services that the plan says to watch: what ended or restarted."""
        found = ((seen, inspect(self._client, seen.id)) for seen in self._watched)
        return {
            seen.name: "it is gone" if now is None else f"it ended, or began anew at {now.started}"
            for seen, now in found
            if now is None or not now.running or now.started != seen.started
        }

    def close(self) -> None:
        """See that all that was killed runs again. Raises EnvironmentTrouble, with its last lines, where it doesn't."""
        if self._closed:
            return
        self._closed = True
        try:
            self._returning.await_all()
        finally:
            for life in self._by_handle.values():
                life.over()
            self._ports.close()
            self._client.close()

    # Finding.

    def _service(self, service: str) -> list[Seen]:
        found = labelled(self._client, {PROJECT: self._attach.project or "", SERVICE: service})
        if not found:
            raise PlanError(
                f"target.attach.watch: no container of service {service} runs in project {self._attach.project}",
                place=self._site.plan.place("target", "attach", "watch"),
                hint="start it, or leave it out of watch",
            )
        return found

    def _find_way(self, seen: Seen) -> bool:
        """By which of its addresses it is dialled from now on, its later lives included; False where there is none.

        EnvironmentTrouble where there is no other way to the service either.
        """
        port = self._port(seen)
        candidates = ways(seen, port, self._reach)
        until = time.monotonic() + _DIAL_S
        while candidates:
            for way, address in candidates.items():
                if listens(address, None):
                    self._way[seen.id] = way
                    return True
            if time.monotonic() > until:
                break
            time.sleep(_POLL_S)
        tried = ", ".join(str(address) for address in candidates.values()) or "it has no address that leads there"
        self._far = f"port {port} of {seen.name} can't be reached from here ({tried})"
        if self._site.plan.plan.target.url:
            return False
        raise EnvironmentTrouble(
            self._far,
            hint="say target.port; publish that port of each instance, or run chaoscheck on the engine's own host: "
            "what an instance holds by itself is seen only by asking it alone",
            details=log_of(self._client, seen.id, LOG_LINES),
        )

    def _enter(self, incarnation: Incarnation, seen: Seen) -> Instance:
        port = self._port(seen)
        doorway = Doorway(self._ports.take(), self._inner(seen, port)) if self._each else None
        entry = self._entry() if doorway is None else doorway.address
        life = Life(seen=seen, doorway=doorway, address=entry)
        handle = f"{seen.id} {seen.started}"
        with self._lock:
            self._returning.known.add(seen.life)
            self._lives[incarnation.slot] = life
            self._by_handle[handle] = life
        lasting = self._inner(seen, port) if self._each else None
        inner = Address(lasting.host if lasting else entry.host, port)
        return Instance(incarnation=incarnation, address=entry, inner=inner, handle=handle, lasting=lasting)

    def _inner(self, seen: Seen, port: int) -> Address:
        """Where this life is dialled: by the same way as the first."""
        there = ways(seen, port, self._reach)
        way = self._way.get(seen.id) or next(iter(self._way.values()))
        if way not in there:
            raise EnvironmentTrouble(f"{seen.name} came back without an address by {way}, where it was dialled before")
        self._way[seen.id] = way
        return there[way]

    def _entry(self) -> Address:
        return dialled(self._site.plan.plan.balancer.url or "")

    def _port(self, seen: Seen) -> int:
        target = self._site.plan.plan.target
        return port_of(seen, target.port if "port" in target.model_fields_set else None)

    # Killing.

    def _objection(self, seen: Seen) -> str:
        """Why it must not be killed; "" when it may."""
        if not self._site.allow_kill:
            return "--allow-kill was not given"
        now = inspect(self._client, seen.id)
        if now is None or now.life != seen.life or not now.running:
            return "it was not running"
        return ""

    def _state(self, seen: Seen) -> State:
        now = inspect(self._client, seen.id)
        if now is None:
            return State(running=False)
        if now.running and now.started == seen.started:
            return State(running=True)
        ended = {**now.raw, "State": {**now.raw["State"], "Running": False}}
        found = state_of(ended, self._offset.now())
        if now.started == seen.started:
            return found
        # Its next life has begun, and the exit code told is that one's.
        return State(running=False, exit_code=-1, ended_ns=found.ended_ns, error_ns=found.error_ns)

    def _ended(self, seen: Seen, limit_s: float, began_s: float) -> State:
        """Its state once that life ended, or as it is at the limit."""
        until = time.monotonic() + limit_s
        while (state := self._state(seen)).running and time.monotonic() < until:
            time.sleep(_POLL_S / 4)
        if state.running or state.exit_code >= 0:
            return state
        told = ending_of(self._client, seen, began_s - 1, time.time() + 1)
        code, out_of_memory = told if told is not None else (-1, False)
        return State(
            running=False,
            exit_code=code,
            out_of_memory=out_of_memory,
            ended_ns=state.ended_ns,
            error_ns=state.error_ns,
        )
