"""The load's transport: gevent sockets and geventhttpclient's parser, with no loop around the attempt."""

from __future__ import annotations

import errno
import socket as stdlib
import time
from itertools import count
from typing import Any

import gevent
import gevent.socket
from geventhttpclient._parser import HTTPParseError, HTTPResponseParser

from chaoscheck.model.clock import Clock
from chaoscheck.model.places import Address
from chaoscheck.steps.base import Answer, Stream, Trouble, Wire
from chaoscheck.steps.transports.streams import open_stream
from chaoscheck.steps.transports.tls import Tls, TlsSocket

BODY_LIMIT = 10_000_000  # bytes; a longer body is CUT
_RECEIVE = 65_536
_IN_A_ROW = 4  # receptions
_IDLE_LIMIT = 1024  # connections kept per address
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


class _Parser(HTTPResponseParser):
    """Collects one final answer; interim (1xx) ones are passed over."""

    def __init__(self, is_head: bool) -> None:
        super().__init__()
        self.headers: list[tuple[str, str]] = []
        self.parts: list[bytes] = []
        self.size = self.status = 0
        self.has_headers = self.is_whole = self.has_more = False
        self._is_head = is_head
        self._name = ""
        self._value: str | None = None

    def _on_message_begin(self) -> None:
        if self.is_whole:
            self.has_more = True

    def _on_status(self, text: str) -> None:
        pass

    def _on_header_field(self, text: str) -> None:
        if self._value is None:
            self._name += text
        else:
            self._keep()
            self._name = text

    def _on_header_value(self, text: str) -> None:
        self._value = text if self._value is None else self._value + text

    def _on_headers_complete(self) -> bool:
        self._keep()
        status = self.get_code()
        if 100 <= status < 200 and status != 101:
            self.headers.clear()
            return False
        if not self.has_more:
            self.has_headers, self.status = True, status
        return self._is_head

    def _on_body(self, data: bytes) -> None:
        if not self.is_whole:
            self.parts.append(bytes(data))
            self.size += len(data)

    def _on_message_complete(self) -> None:
        if self.has_headers:
            self.is_whole = True

    def _keep(self) -> None:
        # What comes after the headers' end are trailers, or the headers of an answer that nobody asked for.
        if self._name and not self.has_headers:
            self.headers.append((self._name, self._value or ""))
        self._name, self._value = "", None


class _Connection:
    """A connection, and the deadline of the attempt that has it."""

    __slots__ = ("is_late", "raw", "socket", "status")

    def __init__(self, raw: Any, socket: Any) -> None:
        self.raw = raw
        self.socket = socket
        self.is_late = False
        self.status = 0

    def is_idle(self) -> bool:
        """Whether nothing came since its last answer: neither an end of stream nor bytes that nobody asked for."""
        self.raw.settimeout(0.0)
        try:
            self.raw.recv(1, stdlib.MSG_PEEK)
        except BlockingIOError:
            self.raw.settimeout(None)
            return not isinstance(self.socket, TlsSocket) or self.socket.is_quiet()
        except OSError:
            return False
        return False

    def expire(self) -> None:
        """The attempt's time is over: what waits on the socket ends."""
        self.is_late = True
        try:
            self.socket.shutdown(stdlib.SHUT_RDWR)
        except OSError:
            self.socket.close()

    def close(self) -> None:
        self.socket.close()


class GeventTransport:
    """One attempt a call, for any number of greenlets. A connection that died while idle is never sent into; one that
    dies after it was sent into is an answer not known, and nothing is sent again.

    A body over 10 MB is CUT. The time limit is of the whole attempt, connecting and reading included.
    """

    def __init__(self, clock: Clock, tls: Tls | None = None) -> None:
        self._clock = clock
        self._tls = tls or Tls()
        self._idle: dict[Address, list[_Connection]] = {}
        self._loop = gevent.get_hub().loop

    def send(self, address: Address, wire: Wire, *, fresh: bool = False) -> Answer:
        sent_ns = self._clock.now_ns()
        started = time.monotonic()
        connection = None if fresh else self._reuse(address)
        if connection is None:
            try:
                connection = self._connect(address, wire.timeout_s)
            except (OSError, UnicodeError) as error:  # the latter for a name that no resolver takes
                self._forget(address)
                return Answer(0, (), b"", _unconnected(error), False, sent_ns, self._clock.now_ns())
            timer = self._loop.timer(max(0.001, wire.timeout_s - (time.monotonic() - started)))
        else:
            timer = self._loop.timer(wire.timeout_s)
        timer.start(connection.expire)
        keep = False
        try:
            parser, trouble, sent = _exchange(connection, wire)
            keep = trouble is Trouble.NONE and not fresh and not connection.is_late and _reusable(parser)
        finally:
            timer.stop()
            timer.close()
            if keep:
                self._keep(address, connection)
            else:
                connection.close()
        status = connection.status if parser.has_headers or trouble is Trouble.CUT else 0
        body = parser.parts[0] if len(parser.parts) == 1 else b"".join(parser.parts)
        return Answer(status, tuple(parser.headers), body, trouble, sent, sent_ns, self._clock.now_ns())

    def open(self, address: Address, wire: Wire, kind: str) -> Stream:
        return open_stream(self._clock, self._tls, address, wire, kind)

    def close(self) -> None:
        for address in list(self._idle):
            self._forget(address)

    def _connect(self, address: Address, timeout_s: float) -> _Connection:
        # Its own exception, for an OSError would make `create_connection` go on to a name's next address.
        with gevent.Timeout(timeout_s, False):
            raw = gevent.socket.create_connection(address)
            raw.setsockopt(stdlib.IPPROTO_TCP, stdlib.TCP_NODELAY, 1)
            raw.settimeout(None)
            return _Connection(raw, self._tls.over(raw, address))
        raise TimeoutError("connecting took too long")

    def _reuse(self, address: Address) -> _Connection | None:
        idle = self._idle.get(address)
        while idle:
            connection = idle.pop()
            if connection.is_idle():
                return connection
            connection.close()
        return None

    def _keep(self, address: Address, connection: _Connection) -> None:
        idle = self._idle.setdefault(address, [])
        if len(idle) < _IDLE_LIMIT:
            idle.append(connection)
        else:
            connection.close()

    def _forget(self, address: Address) -> None:
        for connection in self._idle.pop(address, ()):
            connection.close()


def _exchange(connection: _Connection, wire: Wire) -> tuple[_Parser, Trouble, bool]:
    """Send and read the answer; whether a byte may have left comes last."""
    parser = _Parser(wire.method == "HEAD")
    socket = connection.socket
    data = _encoded(wire)
    sent = False
    try:
        # The first call either takes bytes or fails having taken none.
        count = socket.send(data)
        sent = True
        if count < len(data):
            socket.sendall(data[count:])
    except OSError:
        if connection.is_late:
            return parser, Trouble.TIMEOUT, sent
        if not sent:
            return parser, Trouble.RESET, False
        # A server may answer without reading all (413) and close: its answer is still there to be read.
    return parser, _receive(connection, parser), True


def _receive(connection: _Connection, parser: _Parser) -> Trouble:
    socket = connection.socket
    is_begun = False
    try:
        for number in count(1):
            if parser.is_whole:
                break
            if not number % _IN_A_ROW:
                _let_timers_run()
            data = socket.recv(_RECEIVE)
            if connection.is_late:
                return Trouble.TIMEOUT
            parser.feed(data)
            connection.status = parser.status or parser.get_code()
            if not data and not parser.is_whole:
                return Trouble.CUT if is_begun else Trouble.CLOSED
            is_begun = is_begun or connection.status > 0
            if parser.size > BODY_LIMIT:
                return Trouble.CUT
    except HTTPParseError:
        return _unparsed(connection, parser, data, is_begun)
    except OSError:
        if connection.is_late:
            return Trouble.TIMEOUT
        return Trouble.CUT if parser.has_headers else Trouble.RESET
    return Trouble.NONE


def _let_timers_run() -> None:
    """Go once through the loop, for data that is there already is no wait, and without one no time limit could end it.

    `gevent.sleep(0)` would not do: the loop runs up to fifty of them before it looks at a timer.
    """
    hub = gevent.get_hub()
    with hub.loop.timer(0) as at_once:
        hub.wait(at_once)


def _unparsed(connection: _Connection, parser: _Parser, data: bytes, is_begun: bool) -> Trouble:
    if parser.is_whole:
        parser.has_more = True
        return Trouble.NONE
    if not data:
        return Trouble.CUT if is_begun else Trouble.CLOSED
    if parser.has_headers:
        connection.status = parser.status
        return Trouble.CUT
    return Trouble.GARBAGE


def _reusable(parser: _Parser) -> bool:
    return not parser.has_more and parser.should_keep_alive() and not parser.parser_failed()


def _encoded(wire: Wire) -> bytes:
    lines = [f"{wire.method} {wire.path} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in wire.headers]
    if wire.body or wire.method in _WITH_BODY:
        lines.append(f"Content-Length: {len(wire.body)}")
    lines.append("\r\n")
    return "\r\n".join(lines).encode("latin-1", "replace") + wire.body


def _unconnected(error: OSError | UnicodeError) -> Trouble:
    code = error.errno if isinstance(error, OSError) else 0
    if isinstance(error, TimeoutError) or code == errno.ETIMEDOUT:
        return Trouble.CONNECT_TIMEOUT
    return Trouble.REFUSED if code == errno.ECONNREFUSED else Trouble.UNREACHABLE
