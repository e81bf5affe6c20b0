"""Both transports behind one contract, over a hostile server on real sockets."""

from __future__ import annotations

import contextlib
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from balancer_stage import entered
from hostile import ANSWERS, Hostile
from samples.certificates import Authority, authority

from chaoscheck.errors import ProbeTrouble
from chaoscheck.model.clock import Clock, MonotonicClock
from chaoscheck.model.places import Address
from chaoscheck.steps.base import Answer, Transport, Trouble, Wire
from chaoscheck.steps.proof import HangUp, prove
from chaoscheck.steps.transports.gevent_ import GeventTransport, _Connection
from chaoscheck.steps.transports.limited import connected
from chaoscheck.steps.transports.requests_ import RequestsTransport
from chaoscheck.steps.transports.tls import Tls

MAKERS: dict[str, Callable[[Clock, Tls], Transport]] = {"requests": RequestsTransport, "gevent": GeventTransport}


@pytest.fixture(params=["http", "https"])
def server(request: pytest.FixtureRequest) -> Iterator[Hostile]:
    server = Hostile(authority().context() if request.param == "https" else None)
    yield server
    server.stop()


@pytest.fixture(params=list(MAKERS))
def maker(request: pytest.FixtureRequest) -> Callable[[Clock, Tls], Transport]:
    return MAKERS[request.param]


@pytest.fixture
def transport(request: pytest.FixtureRequest, maker: Callable[[Clock, Tls], Transport]) -> Iterator[Transport]:
    """It speaks to the test's server as that wants it, and plainly to all others."""
    server = request.getfixturevalue("server") if "server" in request.fixturenames else None
    transport = maker(MonotonicClock(), secured(server.address) if server and server.tls else Tls())
    yield transport
    transport.close()


def secured(address: Address, **target: str) -> Tls:
    """What a plan with that entry comes to."""
    return Tls(entered(f"https://{address}", str(authority().ca), **target))


def wire(path: str, method: str = "GET", body: bytes = b"", timeout_s: float = 5.0) -> Wire:
    return Wire(method, path, (("Host", "shop.test"), ("X-Mine", "1")), body, timeout_s)


def seen(answer: Answer) -> tuple[int, bytes, Trouble, bool]:
    return answer.status, answer.body, answer.trouble, answer.sent


@pytest.mark.parametrize(
    ("path", "method", "status", "body"),
    [
        ("/ok", "GET", 200, b"hello"),
        ("/ok?q=a%20b", "GET", 200, b"hello"),
        ("/empty", "GET", 200, b""),
        ("/chunked", "GET", 200, b"hello world"),
        ("/trailers", "GET", 200, b"hello"),
        ("/head", "HEAD", 200, b""),
        ("/204", "DELETE", 204, b""),
        ("/304", "GET", 304, b""),
        ("/404", "GET", 404, b"no"),
        ("/302", "POST", 302, b""),
        ("/500", "PUT", 500, b"oops"),
        ("/continue", "POST", 200, b"hello"),
        ("/hints", "GET", 200, b"hello"),
        ("/latin", "GET", 200, b"\xff\xfe"),
        ("/lower", "GET", 200, b"hello"),
        ("/to-the-end", "GET", 200, b"hello"),
        ("/one-point-zero", "GET", 200, b"hello"),
        ("/asked-to-close", "GET", 200, b"hello"),
    ],
)
def test_answer_whole_is_given_as_it_came(
    transport: Transport, server: Hostile, path: str, method: str, status: int, body: bytes
) -> None:
    """A whole answer, however it is framed, is given as it came, twice in a row, each attempt delivered once."""
    for _ in range(2):
        assert seen(transport.send(server.address, wire(path, method))) == (status, body, Trouble.NONE, True)
    assert server.arrived[path] == 2


@pytest.mark.parametrize(
    ("path", "trouble", "status"),
    [
        ("/reset", Trouble.RESET, 0),
        ("/close", Trouble.CLOSED, 0),
        ("/cut", Trouble.CUT, 200),
        ("/cut-chunk", Trouble.CUT, 200),
        ("/bad-chunk", Trouble.CUT, 200),
        ("/cut-headers", Trouble.CUT, 200),
        ("/reset-in-body", Trouble.CUT, 200),
        ("/garbage", Trouble.GARBAGE, 0),
        ("/slow-headers", Trouble.TIMEOUT, 0),
        ("/slow-body", Trouble.TIMEOUT, 200),
        ("/silent", Trouble.TIMEOUT, 0),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_answer_broken_is_named_and_never_asked_for_again(
    transport: Transport, server: Hostile, path: str, trouble: Trouble, status: int, method: str
) -> None:
    """Each way to break an answer has its name; the attempt was sent, delivered once, and limited as a whole."""
    began = time.monotonic()
    answer = transport.send(server.address, wire(path, method, timeout_s=0.4))
    assert (answer.trouble, answer.status, answer.sent) == (trouble, status, True)
    assert server.arrived[path] == 1
    assert time.monotonic() - began < 1.2
    assert answer.done_ns >= answer.sent_ns


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH"])
def test_attempt_on_reused_connection_that_hangs_up_is_one_delivery(
    transport: Transport, server: Hostile, method: str
) -> None:
    """A connection that was used before and is closed in mid-attempt leaves an unknown, not a second delivery."""
    transport.send(server.address, wire("/ok"))
    answer = transport.send(server.address, wire("/close", method, b"x"))
    assert (answer.trouble, answer.sent) == (Trouble.CLOSED, True)
    assert server.connections == [1, 1]
    assert server.arrived["/close"] == 1


def test_connection_kept_alive_is_reused(transport: Transport, server: Hostile) -> None:
    """Attempts of one address share a connection while it is good."""
    for path in ("/ok", "/chunked", "/204", "/304", "/hints"):
        transport.send(server.address, wire(path))
    assert set(server.connections) == {1}


def test_connection_fresh_is_new_and_not_kept(transport: Transport, server: Hostile) -> None:
    """`fresh` takes a connection of its own and leaves the kept one alone."""
    transport.send(server.address, wire("/ok"))
    transport.send(server.address, wire("/ok"), fresh=True)
    transport.send(server.address, wire("/ok"))
    assert server.connections == [1, 2, 1]


@pytest.mark.parametrize("path", ["/idle-close", "/idle-junk"])
def test_connection_spoilt_while_idle_is_not_sent_into(transport: Transport, server: Hostile, path: str) -> None:
    """An end of stream or bytes that nobody asked for on an idle connection: the next attempt takes another one."""
    transport.send(server.address, wire(path))
    time.sleep(0.15)
    assert seen(transport.send(server.address, wire("/ok", "POST"))) == (200, b"hello", Trouble.NONE, True)
    assert server.connections == [1, 2]


def test_answer_that_nobody_asked_for_is_never_another_s(transport: Transport, server: Hostile) -> None:
    """Nor what came in one piece with the answer before it."""
    for _ in range(3):
        for path in ("/followed", "/ok"):
            assert seen(transport.send(server.address, wire(path))) == (200, b"hello", Trouble.NONE, True)


def test_body_over_the_limit_is_cut(transport: Transport, server: Hostile) -> None:
    """More than 10 MB is not read, and not taken for whole."""
    answer = transport.send(server.address, wire("/big"))
    assert (answer.status, answer.trouble) == (200, Trouble.CUT)
    assert 9_000_000 < len(answer.body) < 11_000_000


def test_headers_repeated_are_all_kept(transport: Transport, server: Hostile) -> None:
    """Each Set-Cookie is a header of its own, whatever its case."""
    answer = transport.send(server.address, wire("/cookies"))
    assert answer.header_all("Set-Cookie") == ["a=1", "b=2; Path=/", "c=3"]


def test_trailers_are_no_headers(transport: Transport, server: Hostile) -> None:
    """What comes after a chunked body sets no cookie, here or there."""
    assert [name for name, _ in transport.send(server.address, wire("/trailers")).headers] == ["Transfer-Encoding"]


def test_request_is_sent_as_it_was_made(transport: Transport, server: Hostile) -> None:
    """Method, path, headers and body go out as they are: nothing is added but the length, nothing is encoded again."""
    transport.send(server.address, wire("/ok?a=%2F&b=x%20y", "PUT", b"\x00\xffbody"))
    head = server.heads[0].decode()
    assert head.splitlines()[0] == "PUT /ok?a=%2F&b=x%20y HTTP/1.1"
    names = {line.partition(":")[0].lower() for line in head.splitlines()[1:] if line}
    assert names == {"host", "x-mine", "content-length"}
    assert "Host: shop.test" in head
    assert server.bodies == [b"\x00\xffbody"]


def test_cookies_and_redirects_are_nobodys_business_here(transport: Transport, server: Hostile) -> None:
    """A transport keeps no cookies and follows nothing."""
    transport.send(server.address, wire("/cookies"))
    assert transport.send(server.address, wire("/302")).header("location") == "/elsewhere"
    assert b"cookie" not in server.heads[1].lower()
    assert sum(server.arrived.values()) == 2


def test_port_that_refuses_means_nothing_was_sent(transport: Transport) -> None:
    """Refused is refused, and certain."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = Address(*listener.getsockname()[:2])
    assert seen(transport.send(address, wire("/ok", "POST"))) == (0, b"", Trouble.REFUSED, False)


def test_address_without_a_route_means_nothing_was_sent(transport: Transport) -> None:
    """What can't be reached got nothing."""
    answer = transport.send(Address("255.255.255.255", 80), wire("/ok", timeout_s=1.0))
    assert (answer.trouble, answer.sent) == (Trouble.UNREACHABLE, False)


def test_connect_that_hangs_is_a_connect_timeout(transport: Transport) -> None:
    """A listener whose queue is full never completes the handshake: the limit ends it, and nothing was sent."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, contextlib.ExitStack() as held:
        address = Address(*listener.getsockname()[:2])
        for _ in range(8):
            filler = held.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(address)
        began = time.monotonic()
        answer = transport.send(address, wire("/ok", "POST", timeout_s=0.3))
        assert (answer.trouble, answer.sent) == (Trouble.CONNECT_TIMEOUT, False)
        assert time.monotonic() - began < 1.0


def test_proof_of_a_transport_that_sends_once_is_one(transport: Transport) -> None:
    """The self-test of every start, as it runs there."""
    assert prove(transport) == 1


class _Twice:
    """What a stock client does: it sends again what got no answer."""

    def __init__(self, inner: Transport) -> None:
        self.inner = inner

    def send(self, address: Address, wire: Wire, *, fresh: bool = False) -> Answer:
        answer = self.inner.send(address, wire, fresh=fresh)
        return answer if answer.status or wire.method == "POST" else self.inner.send(address, wire, fresh=fresh)

    def close(self) -> None:
        self.inner.close()


def test_proof_of_a_transport_that_resends_fails(transport: Transport) -> None:
    """The self-test can fail: a client that repeats an unanswered GET is found and named."""
    with pytest.raises(ProbeTrouble, match=r"one GET attempt .* delivered 2 times"):
        prove(_Twice(transport))


def test_proof_server_hangs_up_after_reading(transport: Transport) -> None:
    """What the proof stands on: the request arrived whole before the end of the stream."""
    with HangUp() as server:
        answer = transport.send(server.address, wire("/x", "POST", b"x" * 200_000))
        assert answer.trouble in (Trouble.CLOSED, Trouble.RESET)
        assert list(server.arrived) == ["/x"]


def test_every_answer_of_the_hostile_server_is_tried() -> None:
    """A new way to answer wrongly can't be added without a test of it."""
    text = Path(__file__).read_text(encoding="utf-8")
    assert [path for path in ANSWERS if f'"{path}' not in text] == []


def test_proof_holds_in_a_process_that_gevent_patched() -> None:
    """Workers run patched: the server of the proof is greenlets there, and both transports still deliver once."""
    code = (
        "import gevent.monkey; gevent.monkey.patch_all()\n"
        "from chaoscheck.model.clock import MonotonicClock\n"
        "from chaoscheck.steps.proof import prove\n"
        "from chaoscheck.steps.transports.gevent_ import GeventTransport\n"
        "from chaoscheck.steps.transports.requests_ import RequestsTransport\n"
        "print(prove(GeventTransport(MonotonicClock())), prove(RequestsTransport(MonotonicClock())))\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert (ran.stdout, ran.returncode) == ("1 1\n", 0), ran.stderr


def test_certificate_of_a_stranger_is_not_spoken_to(maker: Callable[[Clock, Tls], Transport]) -> None:
    """Who isn't trusted, or is somebody else, gets nothing."""
    for server, tls in (
        (Hostile(Authority().context()), secured),
        (Hostile(authority().context("other.test")), secured),
        (Hostile(authority().context()), partial(secured, public_url="https://other.test")),
    ):
        transport = maker(MonotonicClock(), tls(server.address))
        answer = transport.send(server.address, wire("/ok", "POST"))
        assert (answer.trouble, answer.sent) == (Trouble.UNREACHABLE, False)
        assert not server.arrived
        transport.close()
        server.stop()


def test_certificate_is_that_of_the_host_that_users_open(maker: Callable[[Clock, Tls], Transport]) -> None:
    """An entry may be dialled by its address: `public_url` says who has to answer there."""
    server = Hostile(authority().context("staging.test"))
    transport = maker(MonotonicClock(), secured(server.address, public_url="https://staging.test"))
    assert seen(transport.send(server.address, wire("/ok"))) == (200, b"hello", Trouble.NONE, True)
    transport.close()
    server.stop()


def test_entry_that_speaks_no_tls_gets_nothing(maker: Callable[[Clock, Tls], Transport]) -> None:
    """A plain http port behind an https URL: nothing was sent that it could have understood."""
    server = Hostile()
    transport = maker(MonotonicClock(), secured(server.address))
    answer = transport.send(server.address, wire("/ok", "POST", timeout_s=0.5))
    assert (answer.sent, dict(server.arrived)) == (False, {})
    transport.close()
    server.stop()


def test_handshake_that_never_ends_is_a_connect_timeout(maker: Callable[[Clock, Tls], Transport]) -> None:
    """The time limit is of the whole attempt."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = Address(*silent.getsockname()[:2])
        transport = maker(MonotonicClock(), secured(address))
        began = time.monotonic()
        answer = transport.send(address, wire("/ok", timeout_s=0.3))
        transport.close()
    assert (answer.trouble, answer.sent) == (Trouble.CONNECT_TIMEOUT, False)
    assert time.monotonic() - began < 1.0


@pytest.mark.parametrize("how", ["reset", "stops"])
def test_body_that_was_read_in_part_was_sent(maker: Callable[[Clock, Tls], Transport], how: str) -> None:
    """By TLS as without: what the server read can't be called not sent."""
    context = authority().context()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        address = Address(*listener.getsockname()[:2])
        read: list[bytes] = []

        def serve() -> None:
            connection = context.wrap_socket(listener.accept()[0], server_side=True)
            read.append(connection.recv(4096))
            if how == "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.close()
            else:
                time.sleep(1)

        threading.Thread(target=serve, daemon=True).start()
        transport = maker(MonotonicClock(), secured(address))
        answer = transport.send(address, wire("/ok", "POST", b"x" * 8_000_000, timeout_s=0.5))
        transport.close()
    assert answer.sent
    assert answer.trouble in ((Trouble.RESET, Trouble.CLOSED) if how == "reset" else (Trouble.TIMEOUT,))
    assert read[0].startswith(b"POST /ok")


def test_interim_answers_without_end_are_a_timeout(maker: Callable[[Clock, Tls], Transport]) -> None:
    """Data that is always there is no wait, and still the limit holds."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = Address(*listener.getsockname()[:2])

        def serve() -> None:
            connection = listener.accept()[0]
            with contextlib.suppress(OSError):
                for _ in range(5_000):
                    connection.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 1_000)

        threading.Thread(target=serve, daemon=True).start()
        transport = maker(MonotonicClock(), Tls())
        began = time.monotonic()
        answer = transport.send(address, wire("/ok", timeout_s=0.4))
        transport.close()
    assert answer.trouble in (Trouble.TIMEOUT, Trouble.GARBAGE)
    assert time.monotonic() - began < 2


class Flood:
    """A connected socket that always has more interim answers."""

    def __init__(self) -> None:
        self.receptions = 0

    def send(self, data: bytes) -> int:
        return len(data)

    def recv(self, size: int) -> bytes:
        assert self.receptions < 500, "no timer of the loop was run"
        self.receptions += 1
        return (b"HTTP/1.1 103 Early Hints\r\n\r\n" * (size // 28))[:size]

    def shutdown(self, how: int) -> None:
        pass

    def close(self) -> None:
        pass


def test_limit_holds_though_no_read_of_the_socket_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is: in receptions, not in seconds."""
    flood = Flood()
    transport = GeventTransport(MonotonicClock(), Tls())
    monkeypatch.setattr(transport, "_connect", lambda *_: _Connection(flood, flood))
    answer = transport.send(Address("flood.test", 80), wire("/ok", timeout_s=0.001))
    assert (answer.trouble, answer.sent) == (Trouble.TIMEOUT, True)


TWO_ADDRESSES = """\
import gevent.monkey; gevent.monkey.patch_all()
import gevent.socket, socket, sys, time
from chaoscheck.model.clock import MonotonicClock
from chaoscheck.model.places import Address
from chaoscheck.plan.plan import Plan
from chaoscheck.steps.base import Wire
from chaoscheck.steps.transports.gevent_ import GeventTransport
from chaoscheck.steps.transports.tls import Tls
full, silent = (("127.0.0.1", int(port)) for port in sys.argv[1:3])
found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", full), (socket.AF_INET, socket.SOCK_STREAM, 6, "", silent)]
gevent.socket.create_connection.__globals__["getaddrinfo"] = lambda *_, **__: found
transport = GeventTransport(MonotonicClock(), Tls(Plan.model_validate_json(sys.argv[3])))
began = time.monotonic()
answer = transport.send(Address("two.test", 443), Wire("GET", "/", (), b"", 0.5))
print(answer.trouble.name, answer.sent, time.monotonic() - began < 2)
"""


def test_name_of_two_addresses_has_one_time_limit() -> None:
    """The first takes no connections, and the second never shakes hands."""
    with (
        socket.create_server(("127.0.0.1", 0), backlog=0) as full,
        socket.create_server(("127.0.0.1", 0)) as silent,
        contextlib.ExitStack() as held,
    ):
        for _ in range(8):
            filler = held.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        plan = entered("https://two.test", str(authority().ca)).model_dump_json(by_alias=True)
        ports = [str(server.getsockname()[1]) for server in (full, silent)]
        code = [sys.executable, "-c", TWO_ADDRESSES, *ports, plan]
        ran = subprocess.run(code, capture_output=True, text=True, timeout=20, check=False)
    assert ran.stdout.split() == ["CONNECT_TIMEOUT", "False", "True"], ran.stderr


def test_reading_lines_of_a_limited_socket_is_limited_too() -> None:
    """Each byte that drips in is a wait of its own, and all of them have one end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection = listener.accept()[0]
            with contextlib.suppress(OSError):
                for _ in range(40):
                    connection.sendall(b"x")
                    time.sleep(0.1)

        threading.Thread(target=serve, daemon=True).start()
        sock = connected(Address(*listener.getsockname()[:2]), time.monotonic() + 0.4)
        with sock, sock.makefile("rb") as lines, pytest.raises(TimeoutError):
            lines.readline()
