"""A little server whose paths are the ways in which an answer can go wrong. Real sockets, one thread a connection."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable

from chaoscheck.model.places import Address


def _fine(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _drip(connection: socket.socket, data: bytes, pause_s: float) -> None:
    with contextlib.suppress(OSError):
        for byte in data:
            connection.sendall(bytes([byte]))
            time.sleep(pause_s)


def _big(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 12000000\r\n\r\n")
    with contextlib.suppress(OSError):
        for _ in range(120):
            connection.sendall(b"x" * 100_000)


# Paths whose answer is some bytes; those in CLOSING close after it.
ANSWERS: dict[str, bytes] = {
    "/ok": _fine(b"hello", "X-One: 1"),
    "/empty": _fine(b""),
    "/chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
    "/trailers": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nSet-Cookie: x=1\r\n\r\n",
    "/head": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
    "/204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "/304": b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n",
    "/404": _fine(b"no", status="404 Not Found"),
    "/302": _fine(b"", "Location: /elsewhere", status="302 Found"),
    "/500": _fine(b"oops", status="500 Internal Server Error"),
    "/continue": b"HTTP/1.1 100 Continue\r\n\r\n" + _fine(b"hello"),
    "/hints": b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </y>\r\n\r\n"
    + _fine(b"hello"),
    "/cookies": _fine(b"", "Set-Cookie: a=1", "Set-Cookie: b=2; Path=/", "set-cookie: c=3"),
    "/latin": _fine(b"\xff\xfe", "X-Name: caf\xe9"),
    "/lower": b"HTTP/1.1 200\r\ncontent-length:5\r\n\r\nhello",
    "/to-the-end": b"HTTP/1.1 200 OK\r\n\r\nhello",
    "/one-point-zero": b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "/asked-to-close": _fine(b"hello", "Connection: close"),
    "/close": b"",
    "/cut": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
    "/cut-chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n50\r\nwor",
    "/bad-chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\nwor",
    "/cut-headers": b"HTTP/1.1 200 OK\r\nContent-Ty",
    "/garbage": b"\x16\x03\x01 this is not HTTP at all\r\n\r\n",
    "/idle-close": _fine(b"hello"),
    "/idle-junk": _fine(b"hello"),
    "/followed": _fine(b"hello") + _fine(b"nobody asked" * 2_000),
}
CLOSING = frozenset(
    {
        "/to-the-end",
        "/one-point-zero",
        "/asked-to-close",
        "/close",
        "/cut",
        "/cut-chunk",
        "/bad-chunk",
        "/cut-headers",
        "/garbage",
        "/idle-close",
    }
)
ACTS: dict[str, Callable[[socket.socket], None]] = {
    "/reset": _reset,
    "/reset-in-body": lambda connection: (connection.sendall(ANSWERS["/cut"]), time.sleep(0.05), _reset(connection))[
        -1
    ],
    "/slow-headers": lambda connection: _drip(connection, ANSWERS["/ok"], 0.05),
    "/slow-body": lambda connection: (connection.sendall(ANSWERS["/cut"]), _drip(connection, b"x" * 91, 0.05))[-1],
    "/silent": lambda connection: time.sleep(1.5),
    "/big": _big,
}


class Hostile:
    """Listens on 127.0.0.1, by TLS where it has certificates.

    `arrived` counts requests by path, `connections` has the connection of each, in order.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.tls = tls
        self.arrived: Counter[str] = Counter()
        self.bodies: list[bytes] = []
        self.heads: list[bytes] = []
        self.connections: list[int] = []
        self.closed = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = Address(*self._listener.getsockname()[:2])
        self._accepted = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._accepted += 1
                threading.Thread(target=self._serve, args=(connection, self._accepted), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        connection.settimeout(5)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.tls:
            with contextlib.suppress(OSError):
                connection = self.tls.wrap_socket(connection, server_side=True)
        with contextlib.suppress(OSError), connection, connection.makefile("rb") as lines:
            while path := self._read(lines, number):
                if path in ACTS:
                    ACTS[path](connection)
                    break
                connection.sendall(ANSWERS[path])
                if path == "/idle-junk":
                    time.sleep(0.05)
                    connection.sendall(_fine(b"nobody asked"))
                if path in CLOSING:
                    break
        self.closed.set()

    def _read(self, lines: object, number: int) -> str:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = lines.readline()  # type: ignore[attr-defined]
            if not line:
                return ""
            head += line
        length = next(
            (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0
        )
        self.bodies.append(lines.read(length))  # type: ignore[attr-defined]
        self.heads.append(head)
        self.connections.append(number)
        path = head.split(b" ")[1].decode()
        self.arrived[path] += 1
        return path.partition("?")[0]
