"""Websockets and server-sent events over one socket each; frames and bodies are h11's and wsproto's to read.

Only the standard library waits here, so that the same code runs on threads and, patched by gevent, on greenlets: a
reader per stream takes messages in as they come, whatever its listener does meanwhile.
"""

from __future__ import annotations

import base64
import codecs
import contextlib
import errno
import hashlib
import io
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import TypeVar

import h11
from wsproto import ConnectionType
from wsproto.connection import Connection
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, TextMessage
from wsproto.utilities import ProtocolError

from chaoscheck.model.clock import NS, Clock
from chaoscheck.model.places import Address
from chaoscheck.steps.base import WEBSOCKET, Answer, Said, Trouble, Wire
from chaoscheck.steps.transports.limited import connected
from chaoscheck.steps.transports.tls import Tls

INBOX = 20_000
"""Messages that may wait to be listened to; a stream that brings more has ended, for what comes then is lost."""
MESSAGE_LIMIT = 1_000_000  # bytes
EXCERPT_LIMIT = 4_000  # bytes of a refusal's body
_RECEIVE = 65_536
_IN_A_ROW = 16  # pieces
_PAUSE_S = 0.001
_Piece = TypeVar("_Piece")
_ACCEPT = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class SocketStream:
    """An open stream (a `Stream`). Its reader ends with the connection."""

    def __init__(self, clock: Clock, answer: Answer, sock: socket.socket | None) -> None:
        self.answer = answer
        self._clock = clock
        self._sock = sock
        self._inbox: deque[Said] = deque()
        self._news = threading.Condition()
        self.alive = sock is not None

    def read(self, pieces: Iterator[str]) -> None:
        """Take in what comes from now on, beside whoever called."""
        threading.Thread(target=self._take_in, args=(pieces,), daemon=True, name="chaoscheck-stream").start()

    def recv(self, until_ns: int) -> Said | None:
        with self._news:
            while not self._inbox:
                left_ns = until_ns - self._clock.now_ns()
                if left_ns <= 0 or not self.alive:
                    return None
                self._news.wait(left_ns / NS)
            return self._inbox.popleft()

    def close(self) -> None:
        self.alive = False
        if self._sock is not None:
            with contextlib.suppress(OSError):
                self._sock.shutdown(socket.SHUT_RDWR)
            self._sock.close()

    def _take_in(self, pieces: Iterator[str]) -> None:
        with contextlib.suppress(OSError, ProtocolError, h11.ProtocolError):
            for text in pieces:
                with self._news:
                    self._inbox.append(Said(self._clock.now_ns(), text))
                    self._news.notify_all()
                    if len(self._inbox) > INBOX:
                        break
        with self._news:
            self.alive = False
            self._news.notify_all()
        self.close()


def open_stream(clock: Clock, tls: Tls, address: Address, wire: Wire, kind: str) -> SocketStream:
    """Connect and ask for the stream; the answer says what came of it. Never raises for what the network does."""
    sent_ns = clock.now_ns()
    deadline_s = time.monotonic() + wire.timeout_s
    try:
        raw = connected(address, deadline_s)
        sock = tls.over(raw, address)
    except (OSError, UnicodeError) as error:
        return SocketStream(clock, Answer(0, (), b"", _unconnected(error), False, sent_ns, clock.now_ns()), None)
    talk = _Talk(sock)
    key = base64.b64encode(os.urandom(16))
    status, headers, trouble = talk.ask(wire, key if kind == WEBSOCKET else b"")
    granted = not trouble and (_accepted(status, headers, key) if kind == WEBSOCKET else _is_events(status, headers))
    body = b"" if granted or trouble else talk.excerpt()
    answer = Answer(status, headers, body, trouble, True, sent_ns, clock.now_ns())
    if not granted:
        sock.close()
        return SocketStream(clock, answer, None)
    raw.deadline_s = float("inf")
    stream = SocketStream(clock, answer, sock)
    stream.read(_frames(sock, talk.left()) if kind == WEBSOCKET else _events(talk.pieces()))
    return stream


class _Talk:
    """The request that asks for a stream, and what it is answered."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._http = h11.Connection(h11.CLIENT)
        self._events = _unhurried(self._come())

    def ask(self, wire: Wire, key: bytes) -> tuple[int, tuple[tuple[str, str], ...], Trouble]:
        """Status, headers, and what went wrong before they were whole. `key` is a websocket's."""
        headers = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in wire.headers]
        if key:
            headers += [(b"Upgrade", b"websocket"), (b"Connection", b"Upgrade"), (b"Sec-WebSocket-Version", b"13")]
            headers += [(b"Sec-WebSocket-Key", key)]
        try:
            request = h11.Request(method=wire.method, target=wire.path, headers=headers)
            self._sock.sendall((self._http.send(request) or b"") + (self._http.send(h11.EndOfMessage()) or b""))
            while True:
                event = next(self._events)
                if isinstance(event, h11.Response) or getattr(event, "status_code", 0) == 101:
                    assert isinstance(event, h11.Response | h11.InformationalResponse)
                    named = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers)
                    return event.status_code, named, Trouble.NONE
                if isinstance(event, h11.ConnectionClosed):
                    return 0, (), Trouble.CLOSED
        except TimeoutError:
            return 0, (), Trouble.TIMEOUT
        except OSError:
            return 0, (), Trouble.RESET
        except h11.RemoteProtocolError:
            return 0, (), Trouble.CLOSED if self._http.trailing_data[1] else Trouble.GARBAGE

    def excerpt(self) -> bytes:
        """How the body of a refusal begins."""
        body = b""
        with contextlib.suppress(OSError, h11.RemoteProtocolError):
            while len(body) < EXCERPT_LIMIT and isinstance(event := next(self._events), h11.Data):
                body += event.data
        return body

    def left(self) -> bytes:
        """What came after the head of an upgrade."""
        return self._http.trailing_data[0]

    def pieces(self) -> Iterator[bytes]:
        """The body as it comes, for as long as it does."""
        while isinstance(event := next(self._events), h11.Data):
            yield bytes(event.data)

    def _come(self) -> Iterator[object]:
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                self._http.receive_data(self._sock.recv(_RECEIVE))
            else:
                yield event


def _unhurried(pieces: Iterator[_Piece]) -> Iterator[_Piece]:
    """With a pause now and then: where there always is more, no greenlet but this one would ever run."""
    for number, piece in enumerate(pieces, 1):
        if not number % _IN_A_ROW:
            time.sleep(_PAUSE_S)
        yield piece


def _frames(sock: socket.socket, left: bytes) -> Iterator[str]:
    """Whole messages of a websocket; pings are answered."""
    frames = Connection(ConnectionType.CLIENT, trailing_data=left)
    parts: list[str] = []
    for event in _unhurried(_framed(sock, frames)):
        if isinstance(event, Ping):
            sock.sendall(frames.send(event.response()))
        elif isinstance(event, CloseConnection):
            return
        elif isinstance(event, TextMessage | BytesMessage):
            yield from _whole(event, parts)


def _framed(sock: socket.socket, frames: Connection) -> Iterator[Event]:
    while True:
        yield from frames.events()
        data = sock.recv(_RECEIVE)
        if not data:
            return
        frames.receive_data(data)


def _whole(event: TextMessage | BytesMessage, parts: list[str]) -> Iterator[str]:
    piece = event.data
    parts.append(piece if isinstance(piece, str) else bytes(piece).decode("utf-8", "replace"))
    if sum(map(len, parts)) > MESSAGE_LIMIT:
        raise ProtocolError("a message without end")
    if event.message_finished:
        yield "".join(parts)
        parts.clear()


def _events(pieces: Iterator[bytes]) -> Iterator[str]:
    """The data of each event; comments and other fields are passed over."""
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")("replace"), translate=True)
    text, data = "", []
    for piece in pieces:
        *lines, text = (text + decoder.decode(piece)).split("\n")
        for line in lines:
            if line.startswith("data:"):
                data.append(line[5:].removeprefix(" "))
            elif not line and data:
                yield "\n".join(data)
                data = []
        if len(text) + sum(map(len, data)) > MESSAGE_LIMIT:
            return


def _is_events(status: int, headers: tuple[tuple[str, str], ...]) -> bool:
    return status == 200 and _header(headers, "content-type").partition(";")[0].strip().lower() == "text/event-stream"


def _accepted(status: int, headers: tuple[tuple[str, str], ...], key: bytes) -> bool:
    proof = base64.b64encode(hashlib.sha1(key + _ACCEPT).digest()).decode()
    return status == 101 and _header(headers, "sec-websocket-accept").strip() == proof


def _header(headers: tuple[tuple[str, str], ...], name: str) -> str:
    return next((value for key, value in headers if key.lower() == name), "")


def _unconnected(error: OSError | UnicodeError) -> Trouble:
    code = error.errno if isinstance(error, OSError) else 0
    if isinstance(error, TimeoutError) or code == errno.ETIMEDOUT:
        return Trouble.CONNECT_TIMEOUT
    return Trouble.REFUSED if code == errno.ECONNREFUSED else Trouble.UNREACHABLE
