"""The simulated network: servers at addresses, a balancer before them, and a transport that reaches both."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol, runtime_checkable

from chaoscheck.engines.fake_apps import Asked, Data, Said, Shop
from chaoscheck.engines.world import World
from chaoscheck.model.clock import NS
from chaoscheck.model.history import BalancerRow
from chaoscheck.model.places import Address
from chaoscheck.model.wire import BALANCER_HEADER, INSTANCE_HEADER, REQUEST_HEADER
from chaoscheck.steps.base import Answer, Trouble, Wire
from chaoscheck.steps.base import Said as Message

HEALTH_CHECK_NS = NS // 5
END_SEEN_NS = NS // 500
"""A client sees so much later that its stream's server died."""


class Server:
    """One simulated instance."""

    def __init__(self, name: str, app: Shop, local: Data) -> None:
        self.name, self.app, self.local = name, app, local
        self.death_ns = -1

    @property
    def alive(self) -> bool:
        return self.death_ns < 0

    def die(self, now_ns: int) -> None:
        self.death_ns = now_ns
        self.local["dead"] = True


class Heard(NamedTuple):
    """What a server made of a request; `trouble` where it died over it."""

    answer: Said
    trouble: Trouble


class Network:
    """Addresses of one simulated run, and the balancer in front, which notices a death only at its next check."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.servers: dict[Address, Server] = {}
        self.entry: Address | None = None
        self.sticky = False
        self.backends: list[Server] = []
        self.turn = 0
        self.log: list[BalancerRow] = []

    def open_entry(self, *, sticky: bool) -> Address:
        self.entry, self.sticky = Address("balancer.fake", 80), sticky
        return self.entry

    def admit(self, address: Address, replaced: str) -> None:
        self.backends = [server for server in self.backends if server.name != replaced]
        self.backends.append(self.servers[address])

    def serve(self, server: Server, wire: Wire) -> Heard:
        """Let `server` work on the request in simulated time; it may die before, while or after it does."""
        self.world.spend(0.0002, 0.001)
        if not server.alive:
            return Heard(Said(0), Trouble.CLOSED)
        headers = {key.lower(): value for key, value in wire.headers}
        answer = server.app.handle(Asked.of(wire.method, wire.path, headers, wire.body))
        self.world.spend(0.0001, 0.0006)
        return Heard(answer, Trouble.NONE if server.alive else Trouble.CLOSED)

    def choose(self, wire: Wire, tried: set[str]) -> Server | None:
        """Who the balancer sends it to: it avoids those whose death a health check has seen."""
        now = self.world.now_ns()
        up = [
            server
            for server in self.backends
            if server.name not in tried and (server.alive or now - server.death_ns < HEALTH_CHECK_NS)
        ]
        if not up:
            return None
        if self.sticky:
            cookies = dict(wire.headers).get("Cookie", "")
            held = [server for server in up if f"lb={server.name}" in cookies]
            if held:
                return held[0]
        self.turn += 1
        return up[self.turn % len(up)]


@runtime_checkable
class Speaks(Protocol):
    """A simulated service that has streams."""

    def listen(self, asked: Asked, deliver: Callable[[str], None]) -> Said:
        """Grant the stream with 101 or 200 and deliver to it from now on, or refuse."""
        ...


class FakeStream:
    """A simulated `Stream`: what is delivered arrives in order, until its server is dead or it is closed."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._server: Server | None = None
        self._closed = True
        self._inbox: deque[Message] = deque()
        self._last_ns = 0
        self.answer = Answer(0, (), b"", Trouble.CLOSED, True, 0, 0)

    def opened(self, server: Server, answer: Answer) -> FakeStream:
        self._server, self.answer, self._closed = server, answer, False
        return self

    def refused(self, answer: Answer) -> FakeStream:
        self.answer = answer
        return self

    @property
    def alive(self) -> bool:
        server = self._server
        seen = server is not None and (server.alive or self._world.now_ns() - server.death_ns < END_SEEN_NS)
        return seen and not self._closed

    def deliver(self, text: str) -> None:
        """By the service; nothing leaves a dead one."""
        if self._server is not None and not self._server.alive:
            return
        now_ns = self._world.now_ns()
        self._last_ns = max(self._last_ns, now_ns + int(self._world.random.uniform(0.0002, 0.001) * NS))
        self._world.at(self._last_ns, lambda: self._inbox.append(Message(self._world.now_ns(), text)))

    def recv(self, until_ns: int) -> Message | None:
        pause_ns = NS // 2000
        while not self._inbox:
            now_ns = self._world.now_ns()
            if now_ns >= until_ns or not self.alive:
                return None
            self._world.wait_until_ns(min(until_ns, now_ns + pause_ns))
            pause_ns = min(2 * pause_ns, NS // 50)
        return self._inbox.popleft()

    def close(self) -> None:
        self._closed = True


class FakeTransport:
    """Steps' Transport over the simulated network."""

    def __init__(self, network: Network) -> None:
        self.network, self.world = network, network.world

    def send(self, address: Address, wire: Wire, *, fresh: bool = False) -> Answer:
        sent_ns = self.world.now_ns()
        self.world.spend(0.0001, 0.0004)
        if address == self.network.entry:
            return self._through_balancer(wire, sent_ns)
        server = self.network.servers.get(address)
        if server is None or not server.alive:
            return self._answer(Said(0), Trouble.REFUSED, sent_ns, ())
        heard = self.network.serve(server, wire)
        return self._answer(heard.answer, heard.trouble, sent_ns, ())

    def close(self) -> None:
        pass

    def open(self, address: Address, wire: Wire, kind: str) -> FakeStream:
        sent_ns = self.world.now_ns()
        self.world.spend(0.0001, 0.0004)
        if address != self.network.entry:
            server = self.network.servers.get(address)
            return self._granted(server, wire, sent_ns, ())
        tried: set[str] = set()
        while (server := self.network.choose(wire, tried)) is not None and not server.alive:
            tried.add(server.name)
        return self._granted(server, wire, sent_ns, ((INSTANCE_HEADER, server.name),) if server else ())

    def _granted(
        self, server: Server | None, wire: Wire, sent_ns: int, extra: tuple[tuple[str, str], ...]
    ) -> FakeStream:
        stream = FakeStream(self.world)
        if server is None or not server.alive:
            return stream.refused(self._answer(Said(0), Trouble.REFUSED, sent_ns, ()))
        headers = {key.lower(): value for key, value in wire.headers}
        asked = Asked.of(wire.method, wire.path, headers, wire.body)
        self.world.spend(0.0002, 0.001)
        app = server.app
        said = app.listen(asked, stream.deliver) if isinstance(app, Speaks) else app.handle(asked)
        trouble = Trouble.NONE if server.alive else Trouble.CLOSED
        if extra:
            self._log(wire, server.name, Heard(said, trouble))
        answer = self._answer(said, trouble, sent_ns, extra)
        granted = isinstance(app, Speaks) and trouble is Trouble.NONE and said.status in (101, 200)
        return stream.opened(server, answer) if granted else stream.refused(answer)

    def _through_balancer(self, wire: Wire, sent_ns: int) -> Answer:
        tried: set[str] = set()
        while (server := self.network.choose(wire, tried)) is not None:
            tried.add(server.name)
            if not server.alive:
                continue  # Refused at once: nothing was sent, so the balancer may ask another.
            heard = self.network.serve(server, wire)
            self._log(wire, server.name, heard)
            named = (
                ((INSTANCE_HEADER, server.name), ("Set-Cookie", f"lb={server.name}; Path=/"))
                if self.network.sticky
                else ((INSTANCE_HEADER, server.name),)
            )
            return self._answer(heard.answer, heard.trouble, sent_ns, named)
        return self._answer(Said(503), Trouble.NONE, sent_ns, ((BALANCER_HEADER, "none"),))

    def _log(self, wire: Wire, server: str, heard: Heard) -> None:
        rid = dict(wire.headers).get(REQUEST_HEADER, "")
        ending = "--" if heard.trouble is Trouble.NONE else "SH"
        self.network.log.append(BalancerRow(rid, server, heard.answer.status, ending, 0))

    def _answer(self, said: Said, trouble: Trouble, sent_ns: int, extra: tuple[tuple[str, str], ...]) -> Answer:
        self.world.spend(0.0001, 0.0004)
        done_ns = self.world.now_ns()
        if trouble is not Trouble.NONE:
            return Answer(0, (), b"", trouble, trouble is not Trouble.REFUSED, sent_ns, done_ns)
        is_file = isinstance(said.body, bytes)
        headers = [("Content-Type", "application/octet-stream" if is_file else "application/json"), *extra]
        if said.sid:
            headers.append(("Set-Cookie", f"sid={said.sid}; Path=/; HttpOnly"))
        body = said.body if is_file else json.dumps(said.body).encode()
        return Answer(said.status, tuple(headers), body, trouble, True, sent_ns, done_ns)
