"""Instances of the shop inside the test's own process, and a visitor who talks to them without any network."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.types import Message

from targets.shop.app import create_app
from targets.shop.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(slots=True, kw_only=True)
class Visitor:
    """Keeps one cookie, which is all that the shop sets, and takes it to any instance."""

    cookie: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    async def ask(
        self, shop: Starlette, method: str, path: str, value: object = None, *, body: bytes = b"", **headers: str
    ) -> Answer:
        """One request; `value` is sent as JSON, `body` as it is."""
        body = body if value is None else json.dumps(value).encode()
        path, _, query = path.partition("?")
        sent = {"content-length": str(len(body)), "cookie": self.cookie}
        sent |= {name.replace("_", "-"): text for name, text in headers.items()}
        heard: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            heard.append(message)

        await shop(
            {
                "type": "http",
                "method": method,
                "path": path,
                "query_string": query.encode(),
                "headers": [(name.encode(), text.encode()) for name, text in sent.items()],
                "client": ("127.0.0.1", 1),
            },
            receive,
            send,
        )
        return self._answer(heard)

    async def login(self, shop: Starlette, user: str = "ann") -> None:
        answer = await self.ask(shop, "POST", "/login", {"user": user, "password": "pw"})
        assert answer.status == 200, answer

    def _answer(self, heard: list[Message]) -> Answer:
        headers = {name.decode().lower(): value.decode() for name, value in heard[0]["headers"]}
        if "set-cookie" in headers:
            self.cookie = headers["set-cookie"].split(";")[0]
        body = b"".join(message.get("body", b"") for message in heard[1:])
        return Answer(status=heard[0]["status"], headers=headers, body=body)


@asynccontextmanager
async def instances(*environments: Mapping[str, str]) -> AsyncIterator[list[Starlette]]:
    """An instance for each environment, with its work in the background, until the end of the block."""
    async with AsyncExitStack() as stack:
        shops = []
        for env in environments:
            shop = create_app(Settings.from_environment(env))
            await stack.enter_async_context(shop.router.lifespan_context(shop))
            shops.append(shop)
        yield shops
