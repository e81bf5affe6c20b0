"""An address of its own for each life of a container that keeps its address: dialled there, only that life answers."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

from chaoscheck.engines.ports import HOST
from chaoscheck.model.places import Address

_DIAL_S = 1.0
_CHUNK = 65_536


class Doorway:
    """Passes connections to `port` of this machine on to `inner`, until it is closed.

    A container that is started again often has the address that it had before: dialled there, the new life would answer
    for the dead one. A doorway is closed with the life that it leads to, and its port is never used again.
    """

    def __init__(self, port: int, inner: Address) -> None:
        self.address = Address(HOST, port)
        self._inner = inner
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._closed = False
        self._listener = socket.create_server(self.address, backlog=256)
        threading.Thread(target=self._accept, name=f"doorway {port}", daemon=True).start()

    def close(self) -> None:
        """Refuse, and end every connection; a second time does nothing."""
        with self._lock:
            self._closed = True
            ending, self._open = {self._listener, *self._open}, set()
        for each in ending:
            # A thread that waits in accept or recv is woken by a shutdown only.
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass_on, args=(client,), name="doorway", daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self._inner, timeout=_DIAL_S)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        for each in (client, server):
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not self._enter(client, server):
            return
        back = threading.Thread(target=self._pump, args=(server, client), name="doorway back", daemon=True)
        back.start()
        self._pump(client, server)
        back.join()
        self._leave(client, server)

    def _enter(self, *pair: socket.socket) -> bool:
        """Whether it is still open; the pair is closed where it isn't."""
        with self._lock:
            if not self._closed:
                self._open.update(pair)
                return True
        for each in pair:
            each.close()
        return False

    def _leave(self, *pair: socket.socket) -> None:
        with self._lock:
            self._open.difference_update(pair)
        for each in pair:
            each.close()

    @staticmethod
    def _pump(source: socket.socket, into: socket.socket) -> None:
        """Until the source ends; its end is passed on, so that a service that hangs up is seen to."""
        with suppress(OSError):
            while chunk := source.recv(_CHUNK):
                into.sendall(chunk)
        with suppress(OSError):
            into.shutdown(socket.SHUT_WR)
