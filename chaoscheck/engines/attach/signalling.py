"""SIGKILL as the user's orchestration sees a crash, where that can be had; else through the engine.

What the engine itself was asked to kill counts as stopped by hand: no restart policy brings it back (seen on 20.10).
A process that dies by a signal from the host is a crash, and every policy acts.
"""

from __future__ import annotations

import os
import select
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

from chaoscheck.engines.attach.finding import Seen
from chaoscheck.engines.docker.base import talking


class Handle:
    """The first process of a container, held so that its number can't come to mean another one."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def kill(self) -> str:
        """Send it; what stood in the way, or ""."""
        try:
            signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)
        except ProcessLookupError:
            return "it had ended"
        except OSError as error:
            return f"its process can't be signalled: {error.strerror}"
        return ""

    def wait_ended(self, limit_s: float) -> bool:
        """Whether it is gone, waiting for that so long."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        return bool(poll.poll(limit_s * 1000))

    def close(self) -> None:
        os.close(self._descriptor)


def hold(seen: Seen) -> Handle | None:
    """Its first process; None where it can't be signalled: of another machine, pid namespace or user."""
    if not hasattr(os, "pidfd_open") or seen.pid <= 1 or not seen.own_processes:
        return None
    try:
        descriptor = os.pidfd_open(seen.pid)
    except OSError:
        return None
    # Read after it was opened: a number that was given to another process meanwhile is not in this container.
    if _is_in(seen.pid, seen.id) and _may_signal(descriptor):
        return Handle(descriptor)
    os.close(descriptor)
    return None


def can_hold(seen: Seen) -> bool:
    """Whether its death can be made to look like a crash."""
    handle = hold(seen)
    if handle is not None:
        handle.close()
    return handle is not None


def _is_in(pid: int, container: str) -> bool:
    with suppress(OSError):
        return container in Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8", errors="replace")
    return False


def _may_signal(descriptor: int) -> bool:
    with suppress(OSError):
        signal.pidfd_send_signal(descriptor, 0)
        return True
    return False


def ending_of(client: Any, seen: Seen, since_s: float, now_s: float) -> tuple[int, bool] | None:
    """Exit code of a life that is over, and whether it ran out of memory, from the engine's own record of events."""
    wanted = {"container": [seen.id], "event": ["die", "oom"]}
    with talking(f"say how {seen.name} ended"):
        events = client.events(since=since_s, until=now_s, filters=wanted, decode=True)
        rows = [(row["Action"], row["Actor"]["Attributes"]) for row in events]
    codes = [int(attributes.get("exitCode", -1)) for action, attributes in rows if action == "die"]
    return (codes[0], any(action == "oom" for action, _ in rows)) if codes else None
