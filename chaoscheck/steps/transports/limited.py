"""A connected socket with one deadline for all that waits on it."""

from __future__ import annotations

import socket
import time
from typing import Any

from chaoscheck.model.places import Address


class LimitedSocket(socket.socket):
    """A socket whose every wait ends at the deadline, however many of them a handshake or a record of TLS takes."""

    deadline_s = float("inf")

    def sendall(self, data: Any, flags: int = 0) -> None:
        self._bound()
        super().sendall(data, flags)

    def recv(self, size: int, flags: int = 0) -> bytes:
        self._bound()
        return super().recv(size, flags)

    def _bound(self) -> None:
        left_s = self.deadline_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        self.settimeout(left_s if left_s < 1e6 else None)


def connected(address: Address, deadline_s: float) -> LimitedSocket:
    """A connection that gives up at that time (of `time.monotonic`). Raises OSError, UnicodeError."""
    left_s = max(0.001, deadline_s - time.monotonic())
    made = LimitedSocket(fileno=socket.create_connection(address, timeout=left_s).detach())
    made.deadline_s = deadline_s
    return made
