"""All that one run started as local processes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from chaoscheck.engines.base import Instance, KillReceipt, Sidecar, SidecarSpec, Site, State
from chaoscheck.engines.ports import HOST, Ports
from chaoscheck.engines.process.child import Child, tail
from chaoscheck.engines.process.kill import end_all, kill
from chaoscheck.engines.process.members import Process, end
from chaoscheck.engines.process.records import Record
from chaoscheck.engines.process.words import Place, command, environment, mark
from chaoscheck.engines.refusal import refuses
from chaoscheck.errors import EnvironmentTrouble, PlanError, SetupFailed
from chaoscheck.model.places import Address, Incarnation
from chaoscheck.plan.plan import LoadedPlan

LIMIT_S = 10.0
SETUP_LIMIT_S = 300.0
LAST_LINES = 25


class ProcessFleet:
    """Processes of one run, each the leader of its own session. Calls may come from several threads."""

    def __init__(self, site: Site) -> None:
        self.kill_limit_s = LIMIT_S
        self._site = site
        self._target = site.plan.plan.target
        self._cwd = working_folder(site.plan)
        self._ports = Ports()
        self._record: Record | None = None
        self._children: dict[str, Child] = {}
        self._places: dict[str, Place] = {}
        self._lock = threading.Lock()
        self._closed = False

    def prepare(self) -> None:
        """Setup commands, in the place that instances get. PlanError for what processes can't do, SetupFailed."""
        check(self._site.plan, self._cwd)
        self._record = Record.make(self._site.run)
        for number, text in enumerate(self._target.setup, start=1):
            self._site.say(f"setup: {text}")
            self._setup(f"setup-{number}", text)

    def start(self, incarnation: Incarnation) -> Instance:
        """Start an incarnation with a fresh disk; it need not be ready yet. Raises an EnvironmentTrouble."""
        place = self._place(incarnation.name, str(incarnation.slot), self._ports.take())
        child = self._spawn(place, command(self._target.command or (), place), self._env(place), self._cwd)
        address = Address(HOST, place.port)
        return Instance(incarnation=incarnation, address=address, inner=address, handle=str(child.pid))

    def state(self, instance: Instance) -> State:
        """How its first process is now; one that was removed isn't running."""
        child = self._children.get(instance.name)
        return child.state() if child else State(running=False)

    def kill(self, instance: Instance) -> KillReceipt:
        """SIGKILL to its whole session, and wait (at most `kill_limit_s`) until nobody of it lives."""
        clock = self._site.clock
        child = self._children.get(instance.name)
        if child is None:
            now = clock.now_ns()
            return KillReceipt(
                signal_ns=now,
                returned_ns=now,
                death_ns=-1,
                error_ns=0,
                refused_ns=-1,
                confirmed=False,
                exit_code=-1,
                detail="it was removed before",
            )
        return kill(
            child,
            self._mark(instance.name),
            instance.address,
            clock=clock,
            limit_s=self.kill_limit_s,
            signal=self._signal,
        )

    def logs(self, instance: Instance, lines: int) -> str:
        """The last lines that it printed."""
        return tail(self._log(instance.name), lines)

    def remove(self, instance: Instance) -> None:
        """End what is left of it and delete its disk; a second time does nothing."""
        self._remove(instance.name)

    def listens(self, instance: Instance, port: int) -> bool:
        """Whether something accepts connections there; the plan's port means the one that this instance got."""
        own = instance.address.port if port == self._target.port else port
        return not refuses(Address(HOST, own))

    def execute(self, instance: Instance, words: Sequence[str]) -> tuple[int, str]:
        """Run a command where the instance runs: exit code and output."""
        place = self._places[instance.name]
        try:
            done = subprocess.run(
                command(words, place), cwd=self._cwd, capture_output=True, timeout=LIMIT_S, env=self._env(place)
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return 127, str(error)
        return done.returncode, (done.stdout + done.stderr).decode("utf-8", "replace")

    def sidecar(self, spec: SidecarSpec) -> Sidecar:
        """Start its local command, its files in a folder of its own. Raises an EnvironmentTrouble."""
        place = self._place(spec.name, spec.name, 0)
        files = place.disk / "files"
        for path, text in spec.files.items():
            into = files / path.lstrip("/")
            into.parent.mkdir(parents=True, exist_ok=True)
            into.write_text(text)
        words = [word.replace("{files}", str(files)) for word in spec.command]
        if not words or not shutil.which(words[0]):
            raise EnvironmentTrouble(
                f"{spec.name}: there is no command {words[0] if words else ''} on this machine",
                hint="install it, take balancer kind: direct, or use the docker engine",
            )
        child = self._spawn(place, words, environment(place, {}, os.environ, Path(sys.executable)), place.disk)
        return ProcessSidecar(child)

    def dead_stores(self) -> Mapping[str, str]:
        """None: there are no stores beside processes."""
        return {}

    def close(self) -> None:
        """End all that this run started, and delete its disks. EnvironmentTrouble for a process that lives on."""
        self._closed = True
        try:
            for child in list(self._children.values()):
                self._end(child)
            if self._record:
                self._record.clear()
        finally:
            self._ports.close()

    def _signal(self, child: Child, others: Sequence[Process]) -> None:
        child.signal_group()
        end(others)

    def _end(self, child: Child) -> None:
        end_all(child, self._mark(child.name), clock=self._site.clock, limit_s=LIMIT_S, signal=self._signal)

    def _mark(self, name: str) -> bytes:
        return mark(self._site.run, name)

    def _remove(self, name: str) -> None:
        child = self._children.get(name)
        if child is None:
            return
        self._end(child)
        with self._lock:
            self._children.pop(name, None)
            place = self._places.pop(name, None)
        if place:
            shutil.rmtree(place.disk, ignore_errors=True)

    def _place(self, name: str, slot: str, port: int) -> Place:
        """A fresh disk and the volumes of that slot."""
        work = self._opened().work
        disk = work / "disks" / name
        disk.mkdir(parents=True)
        volumes: dict[str, tuple[str, Path]] = {}
        for volume, spec in self._target.volumes.items():
            folder = work / "volumes" / (volume if spec.scope == "shared" else f"{volume}-{slot}")
            folder.mkdir(parents=True, exist_ok=True)
            volumes[volume] = (spec.path, folder)
        return Place(run=self._site.run, name=name, disk=disk, host=HOST, port=port, volumes=volumes)

    def _spawn(self, place: Place, words: list[str], env: Mapping[str, str], cwd: Path) -> Child:
        record = self._opened()
        with self._lock:
            if self._closed:
                raise EnvironmentTrouble(f"{place.name} was asked for after the fleet was closed")
            child = Child(place.name, words, env=env, cwd=cwd, log=self._log(place.name), clock=self._site.clock)
            record.add(child.pid, child.started)
            self._children[place.name] = child
            self._places[place.name] = place
        return child

    def _setup(self, name: str, text: str) -> None:
        place = self._place(name, name, 0)
        child = self._spawn(place, command(["sh", "-c", text], place), self._env(place), self._cwd)
        state = child.wait(SETUP_LIMIT_S)
        printed = child.tail(LAST_LINES)
        self._remove(name)
        if state.running or state.exit_code != 0:
            how = f"did not end within {SETUP_LIMIT_S:g} s" if state.running else f"ended in {state.exit_code}"
            raise SetupFailed(f"setup command `{text}` {how}", hint="its last lines are below", details=printed)

    def _env(self, place: Place) -> dict[str, str]:
        return environment(place, self._target.env, os.environ, Path(sys.executable))

    def _log(self, name: str) -> Path:
        return self._site.folder / "logs" / f"{name}.log"

    def _opened(self) -> Record:
        if self._record is None:
            raise EnvironmentTrouble("the fleet was not prepared")
        return self._record


class ProcessSidecar:
    """A running local command."""

    def __init__(self, child: Child) -> None:
        self._child = child

    def address(self, port: int) -> Address:
        """Its ports are this machine's."""
        return Address(HOST, port)

    def logs(self) -> str:
        """All it printed so far."""
        return self._child.log.read_text(errors="replace")

    def running(self) -> bool:
        return self._child.state().running


def working_folder(plan: LoadedPlan) -> Path:
    """The plan's build folder, else the plan's own."""
    return (plan.folder / (plan.plan.target.build or ".")).resolve()


def check(plan: LoadedPlan, cwd: Path) -> None:
    """PlanError where the plan asks for what local processes can't do."""
    target, stores = plan.plan.target, plan.plan.stores
    if not target.command:
        raise PlanError(
            "the process engine runs a command, and target has none",
            place=plan.place("target"),
            hint="add command: [...], or use the docker engine",
        )
    if stores:
        raise PlanError(
            f"the process engine has no stores, and the plan names {', '.join(stores)}",
            place=plan.place("stores"),
            hint="use the docker engine, or an embedded store on a volume",
        )
    if not cwd.is_dir():
        raise PlanError(
            f"there is no folder {cwd} to run the command in",
            place=plan.place("target", "build"),
            hint="build is seen from the plan's own folder",
        )
    first = target.command[0]
    beside = Path(sys.executable).parent / first
    if not ((cwd / first).exists() if "/" in first else shutil.which(first) or beside.exists()):
        raise PlanError(
            f"there is no command {first}",
            place=plan.place("target", "command"),
            hint=f"it is looked for on PATH, or from {cwd} when it holds a slash",
        )
