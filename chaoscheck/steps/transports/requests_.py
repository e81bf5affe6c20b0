"""The controller's transport: `requests`, one attempt a call, told exactly what went wrong."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.util import SKIP_HEADER

from chaoscheck.model.clock import Clock
from chaoscheck.model.places import Address
from chaoscheck.steps.base import Answer, Stream, Trouble, Wire
from chaoscheck.steps.transports.limited import LimitedSocket, left_s
from chaoscheck.steps.transports.streams import open_stream
from chaoscheck.steps.transports.tls import Tls, TlsSocket

BODY_LIMIT = 10_000_000  # bytes; a longer body is CUT
_INTERIM_LIMIT = 16
_CHUNK = 65_536
_IDLE_LIMIT = 64  # connections kept per address


class _Attempt(threading.local):
    """The attempt that this thread makes now."""

    deadline_s: float = 0.0
    sent: bool = False
    address: Address
    tls: Tls


_attempt = _Attempt()


class _Socket(LimitedSocket):
    """Kept for many attempts, each with a deadline of its own."""

    def left_s(self) -> float:
        return left_s(_attempt.deadline_s)


class _HeadersCut(http.client.HTTPException):
    """The stream ended within the headers; the standard library takes that for their end."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class _Lines:
    """A stream that remembers its last line."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.last = b""

    def readline(self, limit: int = -1) -> bytes:
        self.last = self.stream.readline(limit)
        return self.last

    def close(self) -> None:
        self.stream.close()


class _Response(http.client.HTTPResponse):
    """Skips every interim (1xx) answer, where the standard library skips 100 only, and sees cut off headers."""

    fp: Any

    def begin(self) -> None:
        lines = _Lines(self.fp)
        self.fp = lines
        try:
            super().begin()
        finally:
            if self.fp is lines:
                self.fp = lines.stream
        if lines.last == b"":
            raise _HeadersCut(self.status)

    def _read_status(self) -> tuple[str, int, str]:
        for _ in range(_INTERIM_LIMIT):
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if status >= 200 or status in (100, 101):
                return version, status, reason
            while self.fp.readline(_CHUNK) not in (b"\r\n", b"\n", b""):
                pass
        raise http.client.BadStatusLine("too many interim answers")


class _Connection(HTTPConnection):
    response_class = _Response

    @property
    def is_connected(self) -> bool:
        return super().is_connected and (not isinstance(self.sock, TlsSocket) or self.sock.is_quiet())

    def send(self, data: Any) -> None:
        """Remembers that a byte may have left."""
        if self.sock is None:
            self.connect()
        left_s(_attempt.deadline_s)
        _attempt.sent = True
        super().send(data)

    def _new_conn(self) -> socket.socket:
        # The deadline bounds connecting as well: several addresses of one name share it.
        self.timeout = left_s(_attempt.deadline_s)
        dialled: socket.socket = _attempt.tls.over(_Socket(fileno=super()._new_conn().detach()), _attempt.address)
        return dialled


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **more: Any) -> None:
        super().init_poolmanager(connections, maxsize, block, **more)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool}


class RequestsTransport:
    """The adapter of `requests` without what surrounds it: no redirects, cookies, proxies, retries. For many threads.

    A body over 10 MB is CUT. The time limit is of the whole attempt, connecting and reading included.
    """

    def __init__(self, clock: Clock, tls: Tls | None = None) -> None:
        self._clock = clock
        self._tls = tls or Tls()
        self._adapter = _Adapter(max_retries=0, pool_maxsize=_IDLE_LIMIT)

    def send(self, address: Address, wire: Wire, *, fresh: bool = False) -> Answer:
        adapter = _Adapter(max_retries=0) if fresh else self._adapter
        started = time.monotonic()
        _attempt.deadline_s, _attempt.sent = started + wire.timeout_s, False
        _attempt.address, _attempt.tls = address, self._tls
        sent_ns = self._clock.now_ns()
        try:
            status, headers, body, trouble = self._exchange(adapter, address, wire)
        finally:
            if fresh:
                adapter.close()
        return Answer(status, headers, body, trouble, _attempt.sent, sent_ns, self._clock.now_ns())

    def open(self, address: Address, wire: Wire, kind: str) -> Stream:
        return open_stream(self._clock, self._tls, address, wire, kind)

    def close(self) -> None:
        self._adapter.close()

    def _exchange(
        self, adapter: _Adapter, address: Address, wire: Wire
    ) -> tuple[int, tuple[tuple[str, str], ...], bytes, Trouble]:
        try:
            response = adapter.send(_request(address, wire), stream=True, timeout=wire.timeout_s)
        except (
            requests.RequestException,
            urllib3.exceptions.HTTPError,
            http.client.HTTPException,
            OSError,
            ValueError,
        ) as error:
            cut = _cause(error, _HeadersCut)
            return (cut.status, (), b"", Trouble.CUT) if isinstance(cut, _HeadersCut) else (0, (), b"", _trouble(error))
        raw = response.raw
        body, trouble = _body(raw)
        if trouble is Trouble.NONE:
            raw.release_conn()
        else:
            raw.close()
        return raw.status, tuple(raw.headers.iteritems()), body, trouble


def _request(address: Address, wire: Wire) -> requests.PreparedRequest:
    request = requests.PreparedRequest()
    request.method = wire.method
    request.url = f"http://{address}{wire.path}"
    # Without a word of ours urllib3 would put in words of its own.
    request.headers = CaseInsensitiveDict(
        {"User-Agent": SKIP_HEADER, "Accept-Encoding": SKIP_HEADER} | dict(wire.headers)
    )
    request.body = wire.body or None
    if wire.body or wire.method in ("POST", "PUT", "PATCH"):
        request.headers["Content-Length"] = str(len(wire.body))
    request.hooks = {"response": []}
    return request


def _body(raw: Any) -> tuple[bytes, Trouble]:
    parts: list[bytes] = []
    size = 0
    try:
        while (
            chunk := raw.read1(_CHUNK, decode_content=False)
            if hasattr(raw, "read1")
            else raw.read(_CHUNK, decode_content=False)
        ):
            parts.append(chunk)
            size += len(chunk)
            if size > BODY_LIMIT:
                return b"".join(parts)[:BODY_LIMIT], Trouble.CUT
    except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, ValueError) as error:
        return b"".join(parts), Trouble.TIMEOUT if _caused_by(
            error, TimeoutError, urllib3.exceptions.TimeoutError
        ) else Trouble.CUT
    return b"".join(parts), Trouble.NONE


def _trouble(error: BaseException) -> Trouble:
    """Why there is no status. What was sent is `_attempt.sent`'s to say."""
    if not _attempt.sent:
        # urllib3 calls every failure to connect a timeout: only the socket's own word tells them apart.
        if _caused_by(error, TimeoutError):
            return Trouble.CONNECT_TIMEOUT
        return Trouble.REFUSED if _caused_by(error, ConnectionRefusedError) else Trouble.UNREACHABLE
    if _caused_by(error, TimeoutError, urllib3.exceptions.TimeoutError):
        return Trouble.TIMEOUT
    # RemoteDisconnected is a BadStatusLine and a ConnectionResetError as well: it goes first.
    if _caused_by(error, http.client.RemoteDisconnected):
        return Trouble.CLOSED
    if _caused_by(error, ConnectionResetError, BrokenPipeError, ConnectionAbortedError):
        return Trouble.RESET
    return Trouble.GARBAGE


def _caused_by(error: BaseException, *kinds: type[BaseException]) -> bool:
    return _cause(error, *kinds) is not None


def _cause(error: BaseException, *kinds: type[BaseException]) -> BaseException | None:
    """`error`, or what it wraps, if it is of one of these; libraries wrap by cause, context, argument or attribute."""
    queue: list[object] = [error]
    known: set[int] = set()
    while queue:
        item = queue.pop()
        if not isinstance(item, BaseException) or id(item) in known:
            continue
        known.add(id(item))
        if isinstance(item, kinds):
            return item
        queue += [item.__cause__, item.__context__, getattr(item, "reason", None), *item.args]
    return None
