"""What happened to the run itself, in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chaoscheck.model.events import Event, InstanceDied, Interrupted, StoreDied, Troubled, WorkerLost
from chaoscheck.reporting.units import clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Something that happened to the run itself; `log` is its evidence."""

    at: str
    what: str
    hint: str = ""
    log: str = ""


def incidents(events: Iterable[Event]) -> Iterable[Incident]:
    """In their order."""
    for event in events:
        at = clock(event.t_ns)
        if isinstance(event, Troubled):
            what = f"The run stopped while in {event.during}: {event.message} ({event.kind})"
            yield Incident(at=at, what=what, hint=event.hint, log=event.details)
        elif isinstance(event, Interrupted):
            yield Incident(at=at, what=f"The run was ended early by its user while in {event.during}.")
        elif isinstance(event, WorkerLost):
            yield Incident(at=at, what=f"Worker {event.worker} ended by itself.", log=event.detail)
        elif isinstance(event, StoreDied):
            yield Incident(at=at, what=f"Store {event.store} ended or restarted unasked.", log=event.detail)
        elif isinstance(event, InstanceDied) and not event.asked:
            why = "out of memory" if event.out_of_memory else f"exit code {event.exit_code}"
            what = f"{event.instance} died, and no strike meant it ({why})."
            yield Incident(at=at, what=what, log=event.log)
