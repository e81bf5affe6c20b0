"""What instances printed that gave the controls or the matrix no good answer: an answer of 503 seldom says why."""

from __future__ import annotations

from contextlib import suppress

from chaoscheck.engines.base import HasLogs, Instance
from chaoscheck.model import events
from chaoscheck.phases.stage import Stage

SHOWN_LINES = 15
SAVED_LINES = 2_000
SAVED_CHARS = 1_000_000


def testify(stage: Stage, trouble: dict[str, str], *, sound: bool) -> None:
    """Tell what instances in `trouble` (name -> what was seen) printed last, and keep their logs in the run's folder.

    Where the controls were not `sound`, the logs of all are kept. Raises InstanceCrashed when one ended by itself.
    """
    for instance in stage.instances.values():
        if instance.name in trouble or not sound:
            _keep(stage, instance)
        if instance.name in trouble and isinstance(stage.fleet, HasLogs):
            log = stage.log_tail(instance, SHOWN_LINES)
            stage.emit(events.Printed, instance=instance.name, seen=trouble[instance.name], log=log)
    if trouble:
        stage.watch()


def keep_logs(stage: Stage) -> None:
    """Keep what every instance that is there printed: its container goes with the run."""
    for instance in stage.instances.values():
        _keep(stage, instance)


def _keep(stage: Stage, instance: Instance) -> None:
    """As a file, unless the engine writes there itself. What can't be kept is no reason to end the run."""
    file = stage.folder / "logs" / f"{instance.name}.log"
    log = "" if file.exists() else stage.log_tail(instance, SAVED_LINES, SAVED_CHARS)
    if log:
        with suppress(OSError):
            file.write_text(log, encoding="utf-8", errors="replace")
