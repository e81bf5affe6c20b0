"""A socket that leads to the container engine until it is cut: an engine that goes away, as its clients see it."""

from __future__ import annotations

import contextlib
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import docker


class Relay:
    """Passes bytes on in both directions; `host` is what DOCKER_HOST should be."""

    def __init__(self, path: Path) -> None:
        self.host = f"unix://{path}"
        self._path = path
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen(64)
        self._ends: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """From now on nobody answers, and what was under way ends."""
        self._path.unlink(missing_ok=True)
        for one in (self._server, *self._ends):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._server.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(_engine())
                self._ends += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=_copy, args=(source, sink), daemon=True).start()


@contextlib.contextmanager
def relay() -> Iterator[Relay]:
    """A relay at a path that is short enough for a socket."""
    with tempfile.TemporaryDirectory() as folder:
        made = Relay(Path(folder) / "engine.sock")
        try:
            yield made
        finally:
            made.cut()


def _engine() -> str:
    where = docker.utils.kwargs_from_env().get("base_url") or "unix:///var/run/docker.sock"
    return urlsplit(where.replace("http+unix", "unix")).path


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
