"""Which processes belong to an instance: its session, and whatever carries its mark, daemons of its own included."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A living process; `started` is in clock ticks since boot, as a text that only compares."""

    pid: int
    group: int
    session: int
    started: str
    words: str


def living(mark: bytes = b"") -> Iterator[tuple[Process, bool]]:
    """Every process of this machine but zombies, and whether its environment holds `mark`."""
    for entry in _PROC.iterdir():
        if entry.name.isdecimal():
            found = process(int(entry.name))
            if found is not None:
                yield found, bool(mark) and mark in _environment(entry)


def process(pid: int) -> Process | None:
    """The process of that id; None when there is none, or only its zombie."""
    try:
        head, _, tail = (_PROC / str(pid) / "stat").read_text().rpartition(")")
    except OSError:
        return None
    fields = tail.split()
    if fields[0] in "ZX":
        return None
    return Process(
        pid=pid, group=int(fields[2]), session=int(fields[3]), started=fields[19], words=head.partition("(")[2]
    )


def of_instance(leader: int, mark: bytes) -> list[Process]:
    """Who belongs to the session or group that `leader` leads, or carries the mark."""
    return _who(mark, lambda found: leader in (found.session, found.group))


def of_run(mark: bytes) -> list[Process]:
    """Who carries the mark."""
    return _who(mark, lambda _: False)


def still(processes: Iterable[Process]) -> list[Process]:
    """Those that live on. A dying process loses its environment, and so its mark, a while before it is dead."""
    now = [(one, process(one.pid)) for one in processes]
    return [one for one, found in now if found is not None and found.started == one.started]


def end(processes: Iterable[Process]) -> None:
    """SIGKILL each, unless its id stands for another process by now."""
    for one in still(processes):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(one.pid, signal.SIGKILL)


def _who(mark: bytes, belongs: Callable[[Process], bool]) -> list[Process]:
    mine = os.getpid()
    return [found for found, marked in living(mark) if found.pid != mine and (marked or belongs(found))]


def _environment(entry: Path) -> bytes:
    """All variables, a zero byte before and after each."""
    try:
        return b"\0" + (entry / "environ").read_bytes()
    except OSError:
        return b""
