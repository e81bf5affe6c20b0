"""A site of several instances in this process: logins, a profile and reviews, in one shared memory or in one each."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

PLAN = """
target: {command: [none], ready: /}
promises:
  login:
    kind: session
    do:   {post: /login, json: {user: $user}, expect: 200}
    see:  {get: /me, value: "json:user", expect: {status: 200, value: $user}}
    undo: {post: /logout, expect: 204}
  profile:
    kind: register
    do:   {put: /profile, json: {nickname: $value}, expect: 204}
    see:  {get: /profile, value: "json:nickname", expect: 200}
  reviews:
    kind: kept
    do:   {post: /reviews, json: {text: $value}, expect: 201}
    see:  {get: "/reviews?q=$value", as: guest, expect: $value}
"""


@dataclass(slots=True)
class Memory:
    users: dict[str, str] = field(default_factory=dict)
    nicknames: dict[str, str] = field(default_factory=dict)
    reviews: set[str] = field(default_factory=set)
    logins: int = 0


class Site:
    """Instances on ports of 127.0.0.1. `requests` are the X-Chaoscheck-Request ids of all that arrived whole."""

    def __init__(self, names: list[str], *, shared: bool) -> None:
        common = Memory()
        self.requests: list[str] = []
        self.ports: dict[str, int] = {}
        self._names = names
        self._memories = {name: common if shared else Memory() for name in names}
        self._servers: dict[str, asyncio.Server] = {}
        self._writers: dict[str, set[asyncio.StreamWriter]] = {name: set() for name in names}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def instances(self) -> dict[str, tuple[str, int]]:
        return {name: ("127.0.0.1", port) for name, port in self.ports.items()}

    def start(self) -> None:
        self._thread.start()
        for name in self._names:
            self.open(name)

    def open(self, name: str) -> None:
        self._run(self._listen(name))

    def kill(self, name: str) -> None:
        """The instance is gone: its port refuses, its connections end, its memory with it."""
        self._run(self._close(name))
        self.ports.pop(name)

    def stop(self) -> None:
        for name in list(self.ports):
            self.kill(name)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _run(self, work: object) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(5)  # type: ignore[arg-type]

    async def _listen(self, name: str) -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._serve(name, reader, writer)

        self._memories.setdefault(name, Memory())
        self._writers.setdefault(name, set())
        server = await asyncio.start_server(serve, "127.0.0.1", self.ports.get(name, 0))
        self._servers[name] = server
        self.ports[name] = server.sockets[0].getsockname()[1]

    async def _close(self, name: str) -> None:
        self._servers.pop(name).close()
        for writer in self._writers[name]:
            writer.transport.abort()

    async def _serve(self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers[name].add(writer)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                lines = head.split("\r\n")
                headers = {key.lower(): text.strip() for key, _, text in (line.partition(":") for line in lines[1:])}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                self.requests.append(headers["x-chaoscheck-request"])
                method, target, _ = lines[0].split(" ")
                memory = self._memories[name]
                status, data, cookie = answer(memory, method, target, headers.get("cookie", ""), body)
                extra = f"Set-Cookie: sid={cookie}; Path=/\r\n" if cookie else ""
                writer.write(
                    f"HTTP/1.1 {status} X\r\nX-Chaoscheck-Instance: {name}\r\n{extra}"
                    f"Content-Length: {len(data)}\r\n\r\n".encode()
                    + data
                )
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers[name].discard(writer)
            writer.close()


def answer(memory: Memory, method: str, target: str, cookie: str, body: bytes) -> tuple[int, bytes, str]:
    url = urlsplit(target)
    sent = json.loads(body) if body else {}
    if url.path == "/login":
        memory.logins += 1
        sid = f"{id(memory)}-{memory.logins}"
        memory.users[sid] = sent["user"]
        return 200, b"{}", sid
    if url.path == "/reviews":
        if method == "POST":
            memory.reviews.add(sent["text"])
            return 201, b"{}", ""
        wanted = parse_qs(url.query)["q"][0]
        return 200, json.dumps([text for text in [wanted] if text in memory.reviews]).encode(), ""
    sid = cookie.partition("sid=")[2].partition(";")[0]
    user = memory.users.get(sid)
    if user is None:
        return 401, b"{}", ""
    if url.path == "/me":
        return 200, json.dumps({"user": user}).encode(), ""
    if url.path == "/logout":
        memory.users.pop(sid)
        return 204, b"", ""
    if method == "PUT":
        memory.nicknames[user] = sent["nickname"]
        return 204, b"", ""
    return 200, json.dumps({"nickname": memory.nicknames.get(user, "")}).encode(), ""


@contextmanager
def site(*names: str, shared: bool) -> Iterator[Site]:
    made = Site(list(names), shared=shared)
    made.start()
    try:
        yield made
    finally:
        made.stop()
