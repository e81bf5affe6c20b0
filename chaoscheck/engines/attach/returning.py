"""Whoever was killed runs again: by the user's own orchestration, or started by this program where the plan says so."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaoscheck.engines.attach.finding import Seen, inspect, labelled, labels_of
from chaoscheck.engines.attach.pending import note
from chaoscheck.engines.attach.signalling import can_hold
from chaoscheck.engines.base import Site
from chaoscheck.engines.docker.base import log_of, talking
from chaoscheck.engines.ready import Patience
from chaoscheck.errors import NotReady, PlanError
from chaoscheck.plan.plan import Attach

LOG_LINES = 20
_POLL_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Down:
    """A victim whose next life was not seen yet. `ours` to start: then a note of it stands at `path`."""

    seen: Seen
    ours: bool
    path: Path | None


class Returning:
    """`known` are the lives that were seen: a new one with the labels is what came in a victim's place."""

    def __init__(self, client: Any, site: Site, attach: Attach) -> None:
        self.known: set[tuple[str, str]] = set()
        self._client = client
        self._site = site
        self._attach = attach
        self._labels = labels_of(attach)
        self._down: dict[str, Down] = {}

    def is_ours(self, seen: Seen) -> bool:
        """Whether it is this program that has to start it again. Asked while it lives: the dead can't be held."""
        if self._attach.restart is not None:
            return self._attach.restart
        return bool(seen.policy) and not seen.orchestrated and not can_hold(seen)

    def require(self, seen: Seen) -> None:
        """PlanError where nothing that can be seen would bring it back, or where its death would remove it."""
        if self._attach.restart and seen.removes_itself:
            raise PlanError(
                f"{seen.name} was started with --rm: its death removes it, and nothing can start it again",
                place=self._site.plan.place("target", "attach"),
                hint="start it without --rm, or say restart: false where something of yours puts another in its place",
            )
        if self._attach.restart is not None or seen.policy or seen.orchestrated:
            if self._attach.restart is None and self.is_ours(seen):
                why = "from here its kill can't be made to look like a crash, so its restart policy doesn't act"
                self._site.say(f"{seen.name} is started again by chaoscheck: {why}")
            return
        raise PlanError(
            f"nothing would bring {seen.name} back once it is killed: it has no restart policy that always acts",
            place=self._site.plan.place("target", "attach"),
            hint="say restart: true (chaoscheck starts it again), or restart: false where something of yours does",
        )

    def goes_down(self, seen: Seen, *, ours: bool) -> None:
        """It is killed next. Whoever runs already comes in nobody's place: somebody scaled, say."""
        self.known.update(one.life for one in labelled(self._client, self._labels))
        path = note(self._site.run, seen.id) if ours else None
        self._down[seen.id] = Down(seen=seen, ours=ours, path=path)

    def stayed(self, seen: Seen) -> None:
        """The kill did not land."""
        self._forget(seen)

    def await_all(self) -> None:
        """Wait for all that are down. Raises NotReady."""
        for down in list(self._down.values()):
            self.await_next(down.seen)

    def await_next(self, victim: Seen) -> Seen:
        """The same container in a life that nobody knows yet; where it may be replaced, another with its labels, too.

        Raises NotReady.
        """
        within_s = self._attach.within
        down = self._down.get(victim.id)
        if down is not None and down.ours:
            self._start(victim)
        began = time.monotonic()
        patience = Patience(within_s, self._site.say)
        while True:
            for seen in labelled(self._client, self._labels):
                if seen.life not in self.known and (seen.id == victim.id or self._may_be_replaced(victim, down)):
                    self._forget(victim)
                    return seen
            waited = time.monotonic() - began
            if waited >= within_s:
                raise self._gone(victim, within_s)
            patience.waited(waited, f"{victim.name} to come back", _status(inspect(self._client, victim.id)))
            time.sleep(_POLL_S)

    def await_healthy(self, seen: Seen) -> None:
        """By its own health check, if it has one: where it can't be asked, nothing else tells when it serves again."""
        until = time.monotonic() + self._attach.within
        while (now := inspect(self._client, seen.id)) is not None and time.monotonic() < until:
            if (now.raw["State"].get("Health") or {}).get("Status", "healthy") == "healthy":
                return
            time.sleep(_POLL_S * 5)

    def _may_be_replaced(self, victim: Seen, down: Down | None) -> bool:
        """Whether another container may come in its place: neither chaoscheck nor a restart policy makes one."""
        if down is not None and down.ours:
            return False
        return self._attach.restart is False or victim.orchestrated

    def _start(self, victim: Seen) -> None:
        now = inspect(self._client, victim.id)
        if now is not None and not now.running:
            with talking(f"start {victim.name} again"):
                self._client.start(victim.id)

    def _forget(self, seen: Seen) -> None:
        down = self._down.pop(seen.id, None)
        if down is not None and down.path is not None:
            down.path.unlink(missing_ok=True)

    def _gone(self, victim: Seen, within_s: float) -> NotReady:
        return NotReady(
            f"{victim.name} was killed and did not come back within {within_s:g} s; last seen: "
            f"{_status(inspect(self._client, victim.id))}",
            hint="start it; then say restart: true in target.attach, or give its orchestration longer with within",
            details=log_of(self._client, victim.id, LOG_LINES),
        )


def _status(seen: Seen | None) -> str:
    return "removed" if seen is None else str(seen.raw["State"].get("Status", "not running"))
