"""Streams of both transports, over a real server in a process of its own; the load's once more as it runs, patched."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from balancer_stage import entered
from samples.certificates import authority

from chaoscheck.engines.fake_network import FakeTransport, Network
from chaoscheck.engines.world import World
from chaoscheck.model.clock import NS, Clock, MonotonicClock
from chaoscheck.model.places import Address
from chaoscheck.steps.base import EVENTS, WEBSOCKET, Stream, Streams, Trouble, Wire
from chaoscheck.steps.transports.gevent_ import GeventTransport
from chaoscheck.steps.transports.requests_ import RequestsTransport
from chaoscheck.steps.transports.tls import Tls

HERE = Path(__file__).parent
MAKERS: dict[str, Callable[[Clock, Tls], RequestsTransport | GeventTransport]] = {
    "requests": RequestsTransport,
    "gevent": GeventTransport,
}
CLOCK = MonotonicClock()


class Server:
    """The process, and how to reach it."""

    def __init__(self, scheme: str = "http") -> None:
        self.scheme = scheme
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = Address("127.0.0.1", free.getsockname()[1])
        pem = [str(authority().pem())] if scheme == "https" else []
        self.process = subprocess.Popen([sys.executable, str(HERE / "streaming.py"), str(self.address.port), *pem])
        url = f"{scheme}://{self.address}"
        plan = entered(url, str(authority().ca)) if pem else None
        self.plan, self.tls = plan.model_dump_json(by_alias=True) if plan else "", Tls(plan)
        transport, deadline = RequestsTransport(CLOCK, self.tls), time.monotonic() + 20
        while transport.send(self.address, wire("/pid")).status != 200:
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.05)

    def say(self, text: str) -> None:
        answer = RequestsTransport(CLOCK, self.tls).send(self.address, wire("/say", "POST", text.encode()))
        assert answer.status == 202

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)


def wire(path: str, method: str = "GET", body: bytes = b"") -> Wire:
    return Wire(method, path, (("Host", "shop.test"), ("Cookie", "a=1")), body, 5.0)


@pytest.fixture(scope="module", params=["http", "https"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    server = Server(request.param)
    yield server
    server.kill()


@pytest.fixture(params=list(MAKERS))
def maker(request: pytest.FixtureRequest) -> Callable[[Clock, Tls], RequestsTransport | GeventTransport]:
    return MAKERS[request.param]


@pytest.fixture
def transport(server: Server, maker: Callable[[Clock, Tls], RequestsTransport | GeventTransport]) -> Iterator[Streams]:
    transport = maker(CLOCK, server.tls)
    yield transport
    transport.close()


def heard(stream: Stream, seconds: float = 5.0) -> str | None:
    said = stream.recv(CLOCK.now_ns() + int(seconds * NS))
    return said.text if said is not None else None


PATHS = [(WEBSOCKET, "/ws", 101, ""), (EVENTS, "/events", 200, "\nmore")]


@pytest.mark.parametrize(("kind", "path", "status", "more"), PATHS)
def test_stream_brings_messages_in_their_order(
    transport: Streams, server: Server, kind: str, path: str, status: int, more: str
) -> None:
    """The handshake's answer is given as it came; then whole messages, stamped with when they came."""
    stream = transport.open(server.address, wire(path), kind)
    assert (stream.answer.status, stream.answer.header("X-Who"), stream.alive) == (status, "me", True)
    assert heard(stream) == '{"text": "ready"}' + more
    before_ns = CLOCK.now_ns()
    for word in ("one", "two", "ünit"):
        server.say(word)
    said = stream.recv(CLOCK.now_ns() + 5 * NS)
    assert said is not None and before_ns <= said.at_ns <= CLOCK.now_ns()
    assert [said.text, heard(stream), heard(stream)] == [
        '{"text": "one"}' + more,
        '{"text": "two"}' + more,
        '{"text": "\\u00fcnit"}' + more,
    ]
    assert heard(stream, 0.05) is None
    assert stream.alive
    stream.close()
    assert not stream.alive


def test_websocket_sends_the_session_s_own_headers(transport: Streams, server: Server) -> None:
    """Its cookies go with the upgrade, and cookies of the answer come back."""
    stream = transport.open(server.address, wire("/ws"), WEBSOCKET)
    assert stream.answer.header("Set-Cookie") == "seen=1"
    stream.close()


def test_large_and_binary_messages_are_whole(transport: Streams, server: Server) -> None:
    """However many frames and segments they come in."""
    stream = transport.open(server.address, wire("/large"), WEBSOCKET)
    assert heard(stream) == "x" * 300_000
    assert heard(stream) == "bytes ü"
    stream.close()


def test_stream_that_the_server_closes_ends_after_its_last_words(transport: Streams, server: Server) -> None:
    """What came before the end can still be heard."""
    stream = transport.open(server.address, wire("/closes"), WEBSOCKET)
    assert heard(stream) == "last words"
    assert heard(stream) is None
    assert not stream.alive


@pytest.mark.parametrize(
    ("kind", "path", "status"),
    [(WEBSOCKET, "/refused", 403), (EVENTS, "/refused", 403), (EVENTS, "/page", 200), (WEBSOCKET, "/page", None)],
)
def test_refusal_is_an_answer(transport: Streams, server: Server, kind: str, path: str, status: int | None) -> None:
    """Status and body are there to be shown, and nothing is open."""
    stream = transport.open(server.address, wire(path), kind)
    assert not stream.alive
    assert stream.answer.trouble is Trouble.NONE
    assert stream.answer.status == status or (status is None and stream.answer.status != 101)
    assert heard(stream) is None
    if kind == EVENTS and status == 403:
        assert stream.answer.body == b"not for you"


def test_nobody_there_is_refused_and_nothing_was_sent(transport: Streams) -> None:
    """As with any request."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    stream = transport.open(Address("127.0.0.1", port), wire("/ws"), WEBSOCKET)
    assert (stream.alive, stream.answer.trouble, stream.answer.sent) == (False, Trouble.REFUSED, False)


def test_server_that_never_answers_is_a_timeout(transport: Streams) -> None:
    """The limit is of the whole handshake."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = Address("127.0.0.1", silent.getsockname()[1])
        stream = transport.open(address, wire("/ws")._replace(timeout_s=0.3), WEBSOCKET)
    assert (stream.alive, stream.answer.trouble, stream.answer.sent) == (False, Trouble.TIMEOUT, True)


@pytest.mark.parametrize(("kind", "path", "status", "more"), PATHS)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_sigkill_of_the_server_ends_the_stream_at_once(
    maker: Callable[[Clock, Tls], Streams], scheme: str, kind: str, path: str, status: int, more: str
) -> None:
    """Whoever waits for a message learns of the death long before the wait is over, and hears what came before it."""
    server = Server(scheme)
    transport = maker(CLOCK, server.tls)
    stream = transport.open(server.address, wire(path), kind)
    assert heard(stream) == '{"text": "ready"}' + more
    server.say("before")
    time.sleep(0.1)
    server.kill()
    began = time.monotonic()
    assert heard(stream, 10) == '{"text": "before"}' + more
    assert heard(stream, 10) is None
    assert time.monotonic() - began < 2
    assert not stream.alive
    again = transport.open(server.address, wire(path), kind)
    assert (again.alive, again.answer.trouble) == (False, Trouble.REFUSED)


PATCHED = """\
from gevent import monkey
monkey.patch_all()
import sys, time, gevent
from chaoscheck.model.clock import NS, MonotonicClock
from chaoscheck.model.places import Address
from chaoscheck.steps.base import Wire
from chaoscheck.plan.plan import Plan
from chaoscheck.steps.transports.gevent_ import GeventTransport
from chaoscheck.steps.transports.tls import Tls
clock = MonotonicClock()
transport = GeventTransport(clock, Tls(Plan.model_validate_json(sys.argv[2])) if sys.argv[2] else None)
address = Address("127.0.0.1", int(sys.argv[1]))
wire = Wire("GET", "/ws", (("Host", "shop.test"),), b"", 5.0)
streams = [transport.open(address, wire, "websocket") for _ in range(200)]
ticks = []
def tick():
    while True:
        ticks.append(time.monotonic())
        gevent.sleep(0.01)
gevent.spawn(tick)
def two(stream):
    return [stream.recv(clock.now_ns() + 5 * NS) for _ in range(2)]
waiting = [gevent.spawn(two, stream) for stream in streams]
gevent.sleep(0.2)
said = transport.send(address, Wire("POST", "/say", (("Host", "x"),), b"all", 5.0))
gevent.joinall(waiting, timeout=10)
print(said.status, sum(w.value is not None and w.value[1].text == '{"text": "all"}' for w in waiting), len(ticks) > 10)
for stream in streams:
    stream.close()
"""


def test_hundreds_of_streams_under_gevent_block_nobody(server: Server) -> None:
    """As in a load worker: every listener hears, and others run meanwhile."""
    done = subprocess.run(
        [sys.executable, "-c", PATCHED, str(server.address.port), server.plan],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.split() == ["202", "200", "True"], done.stderr


def test_the_simulator_s_transport_has_streams_too() -> None:
    """Whole simulated runs listen through the same protocol."""
    assert isinstance(FakeTransport(Network(World(1))), Streams)


def test_threads_end_with_their_streams(server: Server) -> None:
    """Nothing stays behind when a stream is closed."""
    transport = RequestsTransport(CLOCK, server.tls)
    before = threading.active_count()
    streams = [transport.open(server.address, wire("/ws"), WEBSOCKET) for _ in range(20)]
    for stream in streams:
        stream.close()
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.02)
    assert threading.active_count() <= before


def test_handshake_that_drips_is_a_connect_timeout(maker: Callable[[Clock, Tls], Streams]) -> None:
    """The limit is of the whole, however many waits TLS needs."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection = listener.accept()[0]
            with contextlib.suppress(OSError):
                for byte in b"\x16\x03\x03\x40\x00" + b"\x02" * 30:
                    connection.sendall(bytes([byte]))
                    time.sleep(0.1)

        threading.Thread(target=serve, daemon=True).start()
        address = Address("127.0.0.1", listener.getsockname()[1])
        transport = maker(CLOCK, Tls(entered(f"https://{address}", str(authority().ca))))
        began = time.monotonic()
        stream = transport.open(address, wire("/ws")._replace(timeout_s=0.4), WEBSOCKET)
        assert time.monotonic() - began < 1.5
    assert (stream.answer.trouble, stream.answer.sent) == (Trouble.CONNECT_TIMEOUT, False)


FLOODED = """\
from gevent import monkey
monkey.patch_all()
import sys, gevent
from chaoscheck.model.clock import MonotonicClock
from chaoscheck.model.places import Address
from chaoscheck.steps.base import Wire
from chaoscheck.steps.transports.gevent_ import GeventTransport
wire = Wire("GET", "/", (("Host", "shop.test"),), b"", 5.0)
stream = GeventTransport(MonotonicClock()).open(Address("127.0.0.1", int(sys.argv[1])), wire, sys.argv[2])
for _ in range(5):
    gevent.sleep(0.001)
print(stream.answer.status, stream.alive, flush=True)
stream.close()
"""


@pytest.mark.parametrize(
    ("kind", "head", "flood", "megabytes"),
    [
        (WEBSOCKET, "101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade", b"\x8a\x00", 4),
        (EVENTS, "200 OK\r\nContent-Type: text/event-stream", b":\n", 100),
    ],
    ids=["pongs", "comments"],
)
def test_stream_that_floods_lets_others_run(kind: str, head: str, flood: bytes, megabytes: int) -> None:
    """A service that sends without a pause what is no message holds up no other user of its load worker: others run
    while the flood, which has an end, goes on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection = listener.accept()[0]
            asked = connection.recv(65_536).decode()
            key = next((line.split()[1] for line in asked.split("\r\n") if line.startswith("Sec-WebSocket-Key")), "")
            accept = base64.b64encode(hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest())
            with contextlib.suppress(OSError), connection:
                connection.sendall(f"HTTP/1.1 {head}\r\nSec-WebSocket-Accept: {accept.decode()}\r\n\r\n".encode())
                for _ in range(megabytes * 16):
                    connection.sendall(flood * 32_768)

        threading.Thread(target=serve, daemon=True).start()
        command = [sys.executable, "-c", FLOODED, str(listener.getsockname()[1]), kind]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.stdout.split()[1:] == ["True"], done.stderr
