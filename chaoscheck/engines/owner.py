"""Who owns what a run made: enough to prove, later and elsewhere on this host, that the owner is gone."""

from __future__ import annotations

import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A process: its host, that host's boot, its pid, and the pid's start time in clock ticks since boot."""

    host: str
    boot: str
    pid: int
    started: str

    @classmethod
    def me(cls) -> Owner:
        return cls(host=socket.gethostname(), boot=_boot(), pid=os.getpid(), started=_started(os.getpid()))

    def provably_gone(self) -> bool:
        """True only if the process certainly doesn't live: another host's can't be told."""
        if self.host != socket.gethostname():
            return False
        return self.boot != _boot() or _started(self.pid) != self.started

    def labels(self) -> dict[str, str]:
        return {f"chaoscheck.owner.{key}": str(value) for key, value in asdict(self).items()}

    @classmethod
    def from_labels(cls, labels: dict[str, str]) -> Owner | None:
        """The owner that those labels name; None when they don't."""
        try:
            return cls(
                host=labels["chaoscheck.owner.host"],
                boot=labels["chaoscheck.owner.boot"],
                pid=int(labels["chaoscheck.owner.pid"]),
                started=labels["chaoscheck.owner.started"],
            )
        except (KeyError, ValueError):
            return None


def _boot() -> str:
    return _BOOT.read_text().strip() if _BOOT.exists() else ""


def _started(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
