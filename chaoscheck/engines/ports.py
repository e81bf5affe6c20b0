"""Host ports: free ones, none used twice in a run, none shared by runs that go on at the same time on one machine."""

from __future__ import annotations

import errno
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
    """The ports of one run. It owns whole blocks by file locks, which the kernel releases when the run dies.

    `host` is the address that they are to be bound on. Where that is another machine's, or that of this container's
    host, neither the locks nor a look tells who has a port: whoever binds it finds out, and says so by `avoid`.
    """

    def __init__(self, host: str = HOST) -> None:
        self._host = host
        self._lock = threading.Lock()
        self._held: list[IO[bytes]] = []
        self._avoided = -1
        self._source = self._walk()

    def take(self) -> int:
        """A port that is free now and that this run never had before. PortTaken when there are no more."""
        with self._lock:
            for port in self._source:
                if port // _BLOCK != self._avoided and is_free(port, self._host):
                    return port
        raise PortTaken(
            f"no port from {_FIRST} to {_FIRST + _BLOCK * _BLOCKS - 1} is free on {self._host}",
            hint="end what holds them, or run fewer instances or rounds",
        )

    def avoid(self, port: int) -> None:
        """It was taken after all, and its neighbours probably are, too: go on in another block."""
        with self._lock:
            self._avoided = port // _BLOCK

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


def is_free(port: int, host: str = HOST) -> bool:
    """Whether that port can be listened on now; of an address that isn't this machine's nothing is known against it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.errno == errno.EADDRNOTAVAIL
    return True
