"""What a run started, written down as it starts, so that a later run can end what a killed one left."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chaoscheck.engines.owner import Owner
from chaoscheck.engines.process.members import Process, end, of_instance, of_run, process, still
from chaoscheck.engines.process.words import mark
from chaoscheck.engines.runtime import runtime_folder
from chaoscheck.errors import EnvironmentTrouble

_LIMIT_S = 10.0
_PREFIX = "chaoscheck-disks-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A run's entry: `folder` holds its owner and its groups, `work` the disks and volumes of its instances."""

    run: str
    folder: Path
    work: Path
    owner: Owner

    @classmethod
    def make(cls, run: str) -> Record:
        """Begin one for this process."""
        folder = runtime_folder("runs", run)
        work = Path(tempfile.mkdtemp(prefix=_PREFIX))
        record = cls(run=run, folder=folder, work=work, owner=Owner.me())
        draft = folder / "owner.json.draft"
        draft.write_text(json.dumps({"run": run, "work": str(work), "owner": record.owner.labels()}))
        draft.rename(folder / "owner.json")
        return record

    def add(self, pid: int, started: str) -> None:
        """A group was started whose leader has that id and start time."""
        with (self.folder / "groups.ndjson").open("a") as file:
            file.write(json.dumps([pid, started]) + "\n")

    def leaders(self) -> list[Process]:
        """Leaders that still live, and are the ones that were written down."""
        path = self.folder / "groups.ndjson"
        rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        found = [(process(pid), started) for pid, started in rows]
        return [one for one, started in found if one is not None and one.started == started]

    def processes(self) -> list[Process]:
        """All that still lives of the run: groups of known leaders, and whatever carries its mark."""
        found = {one.pid: one for one in of_run(mark(self.run))}
        for leader in self.leaders():
            found |= {one.pid: one for one in of_instance(leader.pid, b"")}
        return list(found.values())

    def clear(self) -> list[str]:
        """End all of it and forget it; a line for each thing. EnvironmentTrouble for a process that lives on."""
        known: dict[int, Process] = {}
        until = time.monotonic() + _LIMIT_S
        while left := self._living(known):
            end(left)
            if time.monotonic() > until:
                who = f"process {left[0].pid} ({left[0].words})"
                raise EnvironmentTrouble(f"{who} lives on {_LIMIT_S:g} s after SIGKILL")
            time.sleep(0.01)
        if self.work.name.startswith(_PREFIX):
            shutil.rmtree(self.work, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        return [f"process {one.pid} ({one.words}) (run {self.run})" for one in known.values()]

    def _living(self, known: dict[int, Process]) -> list[Process]:
        """All that lives of it, once seen always remembered in `known`."""
        known |= {one.pid: one for one in self.processes()}
        return still(known.values())


def records() -> Iterator[Record]:
    """Of all runs of this user on this machine that didn't end by themselves, or go on."""
    for path in sorted(runtime_folder("runs").glob("*/owner.json")):
        try:
            data = json.loads(path.read_text())
            owner = Owner.from_labels(data["owner"])
        except (OSError, ValueError, KeyError):
            continue
        if owner is not None:
            yield Record(run=data["run"], folder=path.parent, work=Path(data["work"]), owner=owner)
