"""How many requests the shop answered: counted here, handed on every few seconds. State that an instance may hold.

A death loses the last few seconds of a statistic that nobody was promised.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from redis.asyncio import Redis
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from .databases import Database
from .instance import Instance
from .settings import Place
from .stores import STORE_IS_AWAY

FLUSH_S = 3.0
SCHEMA = "CREATE TABLE IF NOT EXISTS metrics (name TEXT PRIMARY KEY, count BIGINT NOT NULL)"
log = logging.getLogger(__name__)


class CountRequests:
    """Adds every request of a user to `counts`, by its method."""

    def __init__(self, app: ASGIApp, counts: Counter[str]) -> None:
        self._app = app
        self._counts = counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] != "/healthz":
            self._counts[f"requests.{scope['method'].lower()}"] += 1
        await self._app(scope, receive, send)


class Totals(Protocol):
    """`add` may count twice what it was told when the store's answer got lost: these are estimates."""

    async def add(self, counts: Counter[str]) -> None: ...
    async def read(self) -> dict[str, int]: ...


class MemoryTotals:
    def __init__(self) -> None:
        self._totals: Counter[str] = Counter()

    async def add(self, counts: Counter[str]) -> None:
        self._totals.update(counts)

    async def read(self) -> dict[str, int]:
        return dict(self._totals)


class SqlTotals:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, counts: Counter[str]) -> None:
        upsert = (
            "INSERT INTO metrics (name, count) VALUES (?, ?) "
            "ON CONFLICT (name) DO UPDATE SET count = metrics.count + excluded.count"
        )
        # Sorted, so that two instances never wait for each other's row.
        await self._database.together(*((upsert, name, n) for name, n in sorted(counts.items())))

    async def read(self) -> dict[str, int]:
        return dict(await self._database.run("SELECT name, count FROM metrics"))


class RedisTotals:
    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def add(self, counts: Counter[str]) -> None:
        async with self._redis.pipeline(transaction=True) as together:
            for name, n in counts.items():
                together.hincrby("metrics", name, n)
            await together.execute()

    async def read(self) -> dict[str, int]:
        return {str(name): int(n) for name, n in (await self._redis.hgetall("metrics")).items()}


def choose(instance: Instance) -> Totals:
    if instance.settings.metrics is Place.MEMORY:
        return MemoryTotals()
    stores = instance.stores
    return RedisTotals(stores.redis) if stores.in_redis else SqlTotals(stores.database(SCHEMA))


class Flusher:
    """Hands the buffer on, now and then and at the end."""

    def __init__(self, buffer: Counter[str], totals: Totals) -> None:
        self._buffer = buffer
        self._totals = totals

    async def run(self) -> None:
        try:
            while True:
                await asyncio.sleep(FLUSH_S)
                await self.flush()
        finally:
            await self.flush()

    async def flush(self) -> None:
        counts = Counter(self._buffer)
        self._buffer.clear()
        if not counts:
            return
        try:
            await self._totals.add(counts)
        except STORE_IS_AWAY as error:
            self._buffer.update(counts)
            log.warning("keeping the metrics for later: %r", error)


def routes(instance: Instance) -> Sequence[BaseRoute]:
    totals = choose(instance)
    instance.in_background(Flusher(instance.counts, totals).run)

    async def read(request: Request) -> Response:
        """What was handed on so far, by all instances."""
        return JSONResponse(await totals.read())

    return [Route("/metrics-lite", read)]
