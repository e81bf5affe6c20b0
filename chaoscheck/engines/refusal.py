"""Watches an address until it refuses a connection: the moment from which users notice a death."""

from __future__ import annotations

import socket
import threading

from chaoscheck.model.clock import Clock
from chaoscheck.model.places import Address

_PAUSE_S = 0.002
_DIAL_S = 0.25


class RefusalWatch:
    """Dials `address` from a thread of its own, from `start` to the first refusal or the limit."""

    def __init__(self, address: Address, clock: Clock, *, limit_s: float) -> None:
        self._address = address
        self._clock = clock
        self._limit_ns = int(limit_s * 1e9)
        self._stop = threading.Event()
        self._refused_ns = -1
        self._thread = threading.Thread(target=self._watch, name=f"refusal {address}", daemon=True)

    def start(self) -> RefusalWatch:
        self._thread.start()
        return self

    def refused_ns(self, *, wait_s: float) -> int:
        """When the first connection was refused (run's clock); -1 if none within `wait_s` from now. Ends the watch."""
        self._thread.join(wait_s)
        self._stop.set()
        return self._refused_ns

    def _watch(self) -> None:
        until = self._clock.now_ns() + self._limit_ns
        while not self._stop.is_set() and self._clock.now_ns() < until:
            if refuses(self._address):
                self._refused_ns = self._clock.now_ns()
                return
            self._stop.wait(_PAUSE_S)


def refuses(address: Address) -> bool:
    """Whether a connection to it is refused right now; a timeout is no refusal."""
    try:
        socket.create_connection(address, timeout=_DIAL_S).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False
