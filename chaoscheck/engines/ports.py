"""Host ports: free ones on 127.0.0.1, none used twice in a run, none shared by runs that go on at the same time."""

from __future__ import annotations

import fcntl
import random
import socket
import threading
from collections.abc import Iterator
from typing import IO

from chaoscheck.engines.runtime import runtime_folder
from chaoscheck.errors import PortTaken

HOST = "127.0.0.1"
# Below the range that Linux hands out to clients, so that no outgoing connection sits on a port of ours.
_FIRST, _BLOCK, _BLOCKS = 20_000, 100, 120


class Ports:
    """The ports of one run. It owns whole blocks by file locks, which the kernel releases when the run dies."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: list[IO[bytes]] = []
        self._source = self._walk()

    def take(self) -> int:
        """A port that is free now and that this run never had before. PortTaken when there are no more."""
        with self._lock:
            for port in self._source:
                if is_free(port):
                    return port
        raise PortTaken(
            f"no port from {_FIRST} to {_FIRST + _BLOCK * _BLOCKS - 1} is free on {HOST}",
            hint="end what holds them, or run fewer instances or rounds",
        )

    def close(self) -> None:
        """Let other runs have the blocks."""
        with self._lock:
            for lock in self._held:
                lock.close()
            self._held.clear()
            self._source = iter(())

    def _walk(self) -> Iterator[int]:
        # Not of the run's seed: where runs begin to look only spreads them.
        begin = random.SystemRandom().randrange(_BLOCKS)
        for index in range(_BLOCKS):
            block = (begin + index) % _BLOCKS
            if self._hold(block):
                yield from range(_FIRST + block * _BLOCK, _FIRST + (block + 1) * _BLOCK)

    def _hold(self, block: int) -> bool:
        lock = (runtime_folder("ports") / str(block)).open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            return False
        self._held.append(lock)
        return True


def is_free(port: int) -> bool:
    """Whether that port of 127.0.0.1 can be listened on now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
