"""Who owns what a run made: enough to prove, later and elsewhere on this machine, that the owner is gone.

A pid says something within its own pid namespace only: two job containers on one machine may share the host's name, and
each has a process 1. So a process is asked for by those alone who would see it if it lived; of another container's, the
engine that runs that container can tell.
"""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_MACHINE = Path("/etc/machine-id")
_INITIAL = "pid:[4026531836]"
"""The kernel's own number for the pid namespace that it starts with: no container has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A process: its machine and that machine's boot, its pid namespace, its pid, and the pid's start time in clock
    ticks since boot; the id of the container it runs in, where the engine that was used knows it ("" elsewhere)."""

    host: str
    machine: str
    boot: str
    space: str
    pid: int
    started: str
    container: str = ""

    @classmethod
    def me(cls, container: str = "") -> Owner:
        return cls(
            host=socket.gethostname(),
            machine=_machine(),
            boot=_boot(),
            space=_space(),
            pid=os.getpid(),
            started=_started(os.getpid()),
            container=container,
        )

    def provably_gone(self, container_gone: Callable[[str], bool] = lambda id_: False) -> bool:
        """True only if the process certainly doesn't live. `container_gone` asks the engine that labelled it whether a
        container has ended."""
        if self.container and container_gone(self.container):
            return True
        if not self.boot or not self.space:
            return False
        if self.boot != _boot():
            return self._of_an_earlier_boot()
        return self.space == _space() and _ended(self.pid, self.started)

    def _of_an_earlier_boot(self) -> bool:
        """Of this very machine: containers of one image share what they know of theirs, so they prove nothing."""
        here = (socket.gethostname(), _machine(), _INITIAL)
        return bool(self.machine) and (self.host, self.machine, self.space) == here and _space() == _INITIAL

    def labels(self) -> dict[str, str]:
        return {f"chaoscheck.owner.{key}": str(value) for key, value in asdict(self).items()}

    @classmethod
    def from_labels(cls, labels: dict[str, str]) -> Owner | None:
        """The owner that those labels name; None when they don't."""
        try:
            read = {key: labels[f"chaoscheck.owner.{key}"] for key in ("host", "boot", "started")}
            later = {key: labels.get(f"chaoscheck.owner.{key}", "") for key in ("machine", "space", "container")}
            return cls(**read, **later, pid=int(labels["chaoscheck.owner.pid"]))
        except (KeyError, ValueError):
            return None


def _boot() -> str:
    return _BOOT.read_text().strip() if _BOOT.exists() else ""


def _machine() -> str:
    """A machine's id is confidential: only what can be compared is written down."""
    try:
        return hashlib.sha256(b"chaoscheck " + _MACHINE.read_bytes().strip()).hexdigest()[:16]
    except OSError:
        return ""


def _space() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def _ended(pid: int, started: str) -> bool:
    """Whether that process is gone. One that can't be looked at (another user's, with hidepid) may well live."""
    now = _started(pid)
    if now:
        return now != started
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return _started(pid) != started


def _started(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
