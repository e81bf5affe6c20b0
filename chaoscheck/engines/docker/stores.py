"""Stores of the plan: started first, reached by their names, watched to the end, never a victim."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from chaoscheck.engines.docker.containers import Box, Containers, Wanted
from chaoscheck.engines.docker.dress import Dress
from chaoscheck.engines.docker.images import Images
from chaoscheck.engines.docker.listening import get, listens
from chaoscheck.engines.docker.together import together
from chaoscheck.engines.ready import PROBE_S, Patience, meets
from chaoscheck.errors import NotReady, PlanError, SetupFailed, StoreDied
from chaoscheck.model.places import Address
from chaoscheck.plan.plan import LoadedPlan, Ready, Store

_POLL_S = 0.1
_LOG_LINES = 20
ENDS_WITHIN_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A ready store: `began` is the engine's stamp of its start, another one later means that it restarted; `done`: it
    had to end, and did."""

    box: Box
    began: str
    done: bool = False


class Stores:
    """The stores of one run."""

    def __init__(self, containers: Containers, plan: LoadedPlan, say: Callable[[str], None]) -> None:
        self._containers = containers
        self._plan = plan
        self._say = say
        self._running: dict[str, Running] = {}

    def start(self, images: Images, ids: Mapping[str, str]) -> None:
        """Start each when those that it comes after are ready, and wait for all.

        Raises NotReady, StoreDied, SetupFailed, PlanError.
        """
        stores = self._plan.plan.stores
        exposed = {name: images.exposed(ids[name]) for name in stores}
        waiting = dict(stores)
        while waiting:
            now = {name: store for name, store in waiting.items() if not waiting.keys() & set(store.after)}
            if not now:
                raise PlanError(
                    f"stores wait for each other: {', '.join(waiting)}",
                    place=self._plan.place("stores", min(waiting)),
                    hint="take one of them out of another's `after`",
                )
            self._running |= together(
                {name: partial(self._start, name, store, ids[name], exposed[name]) for name, store in now.items()}
            )
            waiting = {name: store for name, store in waiting.items() if name not in now}

    def dead(self) -> dict[str, str]:
        """Stores that ended or restarted since they were ready -> what is known of it."""
        said = {
            name: _death(running, self._containers.inspect(running.box.id))
            for name, running in self._running.items()
            if not running.done
        }
        return {name: text for name, text in said.items() if text}

    def _start(self, name: str, store: Store, image: str, exposed: tuple[int, ...]) -> Running:
        check = store.ready
        if check is None and not exposed and store.until == "ready":
            raise PlanError(
                f"store {name} has no ready check, and its image exposes no port to try",
                place=self._plan.place("stores", name),
                hint="add ready: 6379, or a path, or a command",
            )
        ports = _ports(check, exposed)
        own = {self._containers.volume(name, volume): spec.path for volume, spec in store.volumes.items()}
        said = store.container
        box = self._containers.start(
            Wanted(
                name=name,
                role="store",
                image=image,
                env=store.env,
                ports=ports,
                mounts={**own, **self._containers.volumes(said)},
                aliases=(name, *said.aliases),
                entrypoint=said.entrypoint,
                command=said.command,
                dress=Dress(container=said, folder=self._plan.folder),
            )
        )
        return self._await_end(name, box, check) if store.until == "done" else self._await(name, box, check, ports)

    def _await_end(self, name: str, box: Box, check: Ready | None) -> Running:
        """It has to end by itself, with code 0: a migration, say."""
        within = check.within if check else ENDS_WITHIN_S
        began = time.monotonic()
        while True:
            found = self._containers.inspect(box.id)
            if found is None or not found["State"]["Running"]:
                break
            if time.monotonic() - began >= within:
                raise NotReady(f"store {name} did not end within {within:g} s", hint="see until: done")
            time.sleep(_POLL_S)
        if found is None or found["State"]["ExitCode"]:
            raise SetupFailed(
                f"{name} has to end well before the service starts, and ended otherwise ({_ending(found)})",
                hint="its last lines say why",
                details=self._containers.logs(box.id, _LOG_LINES),
            )
        self._say(f"{name} ended well after {time.monotonic() - began:.1f} s")
        return Running(box=box, began="", done=True)

    def _await(self, name: str, box: Box, check: Ready | None, ports: tuple[int, ...]) -> Running:
        within = check.within if check else 60.0
        began = time.monotonic()
        patience = Patience(within, self._say)
        while True:
            found = self._containers.inspect(box.id)
            if found is None or not found["State"]["Running"]:
                raise StoreDied(
                    f"store {name} ended by itself before it was ready ({_ending(found)})",
                    hint="its last lines say why",
                    details=self._containers.logs(box.id, _LOG_LINES),
                )
            seen = self._seen(box, check, ports)
            if not seen:
                self._say(f"store {name} is ready after {time.monotonic() - began:.1f} s")
                return Running(box=box, began=found["State"]["StartedAt"])
            if time.monotonic() - began >= within:
                raise NotReady(
                    f"store {name} was not ready within {within:g} s; last seen: {seen}",
                    hint="see its ready check",
                    details=self._containers.logs(box.id, _LOG_LINES),
                )
            patience.waited(time.monotonic() - began, f"store {name}", seen)
            time.sleep(_POLL_S)

    def _seen(self, box: Box, check: Ready | None, ports: tuple[int, ...]) -> str:
        """ "" when it is ready, else what was seen instead."""
        if check is None or check.tcp is not None:
            wanted = ports if check is None or check.tcp is None else (check.tcp,)
            closed = [str(port) for port in wanted if not listens(_inner(box, port), box.published.get(port))]
            return f"nothing accepts connections on port {', '.join(closed)}" if closed else ""
        if check.command is not None:
            code, printed = self._containers.execute(box.id, check.command)
            return f"`{' '.join(check.command)}` ended in {code}: {printed.strip()[-200:]}" if code else ""
        return _answer_seen(box, check, ports)


def _ports(check: Ready | None, exposed: tuple[int, ...]) -> tuple[int, ...]:
    """Those to publish: what the image exposes, what the check dials."""
    if check is not None and check.tcp is not None:
        return tuple(sorted({*exposed, check.tcp}))
    return exposed or ((80,) if check is not None and check.get is not None else ())


def _inner(box: Box, port: int) -> Address | None:
    return Address(box.inner, port) if box.near else None


def _answer_seen(box: Box, check: Ready, ports: tuple[int, ...]) -> str:
    port = ports[0]
    answer = get(box.published[port], check.get or "/", PROBE_S)
    if not answer.trouble and meets(check.expect, answer):
        return ""
    text = " ".join(answer.body.decode("utf-8", "replace").split())[:200]
    return f"GET {check.get} on port {port}: {answer.status or 'no answer'}: {text}"


def _death(running: Running, found: Mapping[str, Any] | None) -> str:
    if found is None:
        return "its container is gone"
    state = found["State"]
    if not state["Running"]:
        return f"it ended at {state['FinishedAt']} ({_ending(found)})"
    if state["StartedAt"] != running.began or state.get("Paused"):
        return "it is paused" if state.get("Paused") else f"it restarted at {state['StartedAt']}"
    return ""


def _ending(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return "removed"
    state = found["State"]
    return "out of memory" if state.get("OOMKilled") else f"exit code {state['ExitCode']}"
