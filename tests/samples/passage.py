"""A passage by TCP to an engine's socket: what a remote engine looks like from here."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

SOCKET = "/var/run/docker.sock"


@contextlib.contextmanager
def passage(host: str) -> Iterator[int]:
    """Listens on a port of `host` as long as the block lasts, and passes every connection on to the socket."""
    listener = socket.create_server((host, 0))
    threading.Thread(target=_accept, args=(listener,), daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _accept(listener: socket.socket) -> None:
    while True:
        try:
            near, _ = listener.accept()
        except OSError:
            return
        far = socket.socket(socket.AF_UNIX)
        far.connect(SOCKET)
        for source, sink in ((near, far), (far, near)):
            threading.Thread(target=_pass, args=(source, sink), daemon=True).start()


def _pass(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(65536):
            sink.sendall(chunk)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
