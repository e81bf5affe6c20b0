"""Proof, before any traffic, that an attempt is delivered exactly once: a server that reads a request and hangs up."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections import defaultdict
from types import TracebackType

from chaoscheck.errors import ProbeTrouble
from chaoscheck.model.places import Address
from chaoscheck.steps.base import Answer, Transport, Trouble, Wire

METHODS = ("GET", "POST", "PUT", "DELETE")
_LIMIT_S = 5.0
_LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
_FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class HangUp:
    """A server on 127.0.0.1 that answers `/hello...` and hangs up on everything else once it has read it.

    `arrived` has the connections' numbers on which each path came, in order.
    """

    def __init__(self) -> None:
        self.arrived: dict[str, list[int]] = defaultdict(list)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = Address(*self._listener.getsockname()[:2])
        self._thread = threading.Thread(target=self._accept, daemon=True, name="chaoscheck-proof")

    def __enter__(self) -> HangUp:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(_LIMIT_S)

    def _accept(self) -> None:
        number = 0
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                number += 1
                threading.Thread(target=self._serve, args=(connection, number), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        connection.settimeout(_LIMIT_S)
        with connection, contextlib.suppress(OSError):
            while path := _request(connection):
                self.arrived[path].append(number)
                if not path.startswith("/hello"):
                    return
                connection.sendall(_FINE)


def prove(transport: Transport) -> int:
    """The most often that one attempt was delivered: 1. ProbeTrouble for anything else, naming the method.

    Every method is tried on a fresh connection and on one that was used before.
    """
    most = 0
    with HangUp() as server:
        for method in METHODS:
            for fresh in (True, False):
                most = max(most, _tried(transport, server, method, fresh))
    return most


def _tried(transport: Transport, server: HangUp, method: str, fresh: bool) -> int:
    how = "fresh" if fresh else "reused"
    hello, path = f"/hello/{method}", f"/{how}/{method}"
    if not fresh:
        warm = transport.send(server.address, _wire(server, "GET", hello))
        if warm.status != 200:
            raise ProbeTrouble(f"the transport's self-test got no answer: {warm.trouble.value or warm.status}")
    answer = transport.send(server.address, _wire(server, method, path), fresh=fresh)
    arrived = server.arrived[path]
    if len(arrived) != 1:
        raise ProbeTrouble(
            f"one {method} attempt on a {how} connection was delivered {len(arrived)} times; it saw {_told(answer)}",
            hint="other versions of an HTTP library may resend by themselves; install those that pyproject.toml names",
        )
    if not fresh and arrived != server.arrived[hello][-1:]:
        raise ProbeTrouble(
            f"the transport opened a new connection for {method} where one was open, so its reuse is not proven"
        )
    if answer.status or not answer.sent or answer.trouble not in (Trouble.CLOSED, Trouble.RESET):
        raise ProbeTrouble(f"the transport took a hang-up after a {method} for something else: {_told(answer)}")
    return len(arrived)


def _wire(server: HangUp, method: str, path: str) -> Wire:
    body = b"{}" if method in ("POST", "PUT") else b""
    return Wire(method, path, (("Host", str(server.address)),), body, _LIMIT_S)


def _told(answer: Answer) -> str:
    return f"status {answer.status}, {answer.trouble.value or 'no trouble'}, sent: {answer.sent}"


def _request(connection: socket.socket) -> str:
    """Read a whole request; its path, "" at the end of the stream."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65_536)
        if not more:
            return ""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    named = _LENGTH.search(head)
    left = (int(named[1]) if named else 0) - len(body)
    while left > 0 and (more := connection.recv(65_536)):
        left -= len(more)
    return head.split(b" ", 2)[1].decode("latin-1")
