"""What goes over the wire and what comes back, whoever carries it."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple, Protocol, runtime_checkable

from chaoscheck.model.places import Address


class Trouble(StrEnum):
    """Why an attempt has no whole answer."""

    NONE = ""
    REFUSED = "connection refused"  # nothing was sent
    UNREACHABLE = "no route"  # nothing was sent
    CONNECT_TIMEOUT = "connect timeout"  # nothing was sent
    RESET = "connection reset"  # before a status line
    CLOSED = "closed without an answer"  # end of stream before a status line
    TIMEOUT = "timeout"  # sent, no whole answer in time
    CUT = "body cut off"  # a status line, but not the whole body
    GARBAGE = "not HTTP"  # an answer that can't be parsed


class Wire(NamedTuple):
    """One request, ready to send: `path` is the origin form with query, `headers` already hold Host and Cookie."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    timeout_s: float


class Answer(NamedTuple):
    """What came of one attempt. `status` 0: no status line. `headers` in their order, names as sent.

    `sent` is False only if certainly no byte of the request left. Times are the run's clock, ns.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    trouble: Trouble
    sent: bool
    sent_ns: int
    done_ns: int

    def header(self, name: str) -> str:
        """The first header of that name, whatever its case; "" when there is none."""
        low = name.lower()
        return next((value for key, value in self.headers if key.lower() == low), "")

    def header_all(self, name: str) -> list[str]:
        low = name.lower()
        return [value for key, value in self.headers if key.lower() == low]


class Transport(Protocol):
    """Carries one attempt. It must not send it twice, follow redirects, keep cookies, or raise for what the network or
    the service does. Connections are kept open between attempts; `fresh=True` takes a new one and closes it after."""

    def send(self, address: Address, wire: Wire, *, fresh: bool = False) -> Answer: ...

    def close(self) -> None: ...


WEBSOCKET, EVENTS = "websocket", "events"
"""Kinds of streams, as the plan's methods name them."""


class Said(NamedTuple):
    """One whole message of a stream (of an event its data), and when it came: the run's clock, ns."""

    at_ns: int
    text: str


class Stream(Protocol):
    """A stream that was asked for. `answer` is what came of asking: 101 or 200 where it is open, else a refusal, or
    why there is no answer. `alive` is False from the moment its end was seen; what came before can still be heard."""

    answer: Answer
    alive: bool

    def recv(self, until_ns: int) -> Said | None:
        """The next message; None when there is none until then, or when the stream has ended and all was heard."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class Streams(Protocol):
    """What a transport may have besides. Messages come in whether or not anyone listens, so that no stream stalls the
    service; one request a call, never sent twice, and nothing is raised for what the network or the service does."""

    def open(self, address: Address, wire: Wire, kind: str) -> Stream:
        """Ask for a stream of that kind (`WEBSOCKET`, `EVENTS`)."""
        ...
