"""A connected socket with one deadline for all that waits on it."""

from __future__ import annotations

import socket
import time
from typing import Any

from chaoscheck.model.places import Address


class LimitedSocket(socket.socket):
    """A socket whose every wait ends at the deadline, however many of them a handshake or a record of TLS takes."""

    deadline_s = float("inf")

    def left_s(self) -> float | None:
        """Seconds; None without a limit. Raises TimeoutError once there are none."""
        return None if self.deadline_s == float("inf") else left_s(self.deadline_s)

    def sendall(self, data: Any, flags: int = 0) -> None:
        self.settimeout(self.left_s())
        super().sendall(data, flags)

    def recv(self, size: int, flags: int = 0) -> bytes:
        self.settimeout(self.left_s())
        return super().recv(size, flags)

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        self.settimeout(self.left_s())
        return super().recv_into(buffer, nbytes, flags)


def left_s(deadline_s: float) -> float:
    """Seconds until then (of `time.monotonic`). Raises TimeoutError once there are none."""
    left = deadline_s - time.monotonic()
    if left <= 0:
        raise TimeoutError("the attempt's time is over")
    return left


def connected(address: Address, deadline_s: float) -> LimitedSocket:
    """A connection that gives up at that time (of `time.monotonic`). Raises OSError, UnicodeError."""
    made = LimitedSocket(fileno=socket.create_connection(address, timeout=left_s(deadline_s)).detach())
    made.deadline_s = deadline_s
    return made
