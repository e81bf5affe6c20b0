"""A user's cart: a set of articles.

Both keep it by user. In memory it is in the instance that took the request; shared, every instance adds and
removes single articles in one place, and none reads the whole cart to write it back.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Protocol

from redis.asyncio import Redis
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from .bodies import text_fields
from .databases import Database
from .instance import Instance
from .settings import Place

SCHEMA = "CREATE TABLE IF NOT EXISTS carts (username TEXT, sku TEXT, PRIMARY KEY (username, sku)) WITHOUT ROWID"


class Carts(Protocol):
    """Adding what is there, and removing what isn't, changes nothing. `items` are sorted."""

    async def add(self, user: str, sku: str) -> None: ...
    async def remove(self, user: str, sku: str) -> None: ...
    async def items(self, user: str) -> list[str]: ...


class MemoryCarts:
    """Stateful: a cart in each instance that the user meets, each with a part of the articles."""

    def __init__(self) -> None:
        self._carts: defaultdict[str, set[str]] = defaultdict(set)

    async def add(self, user: str, sku: str) -> None:
        self._carts[user].add(sku)

    async def remove(self, user: str, sku: str) -> None:
        self._carts[user].discard(sku)

    async def items(self, user: str) -> list[str]:
        return sorted(self._carts[user])


class SqlCarts:
    """Stateless: a row for each article in a cart."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, user: str, sku: str) -> None:
        await self._database.run("INSERT INTO carts (username, sku) VALUES (?, ?) ON CONFLICT DO NOTHING", user, sku)

    async def remove(self, user: str, sku: str) -> None:
        await self._database.run("DELETE FROM carts WHERE username = ? AND sku = ?", user, sku)

    async def items(self, user: str) -> list[str]:
        return sorted(row[0] for row in await self._database.run("SELECT sku FROM carts WHERE username = ?", user))


class RedisCarts:
    """Stateless: a Redis set for each cart."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def add(self, user: str, sku: str) -> None:
        await self._redis.sadd(f"cart:{user}", sku)

    async def remove(self, user: str, sku: str) -> None:
        await self._redis.srem(f"cart:{user}", sku)

    async def items(self, user: str) -> list[str]:
        return sorted(str(sku) for sku in await self._redis.smembers(f"cart:{user}"))


def choose(instance: Instance) -> Carts:
    if instance.settings.cart is Place.MEMORY:
        return MemoryCarts()
    stores = instance.stores
    return RedisCarts(stores.redis) if stores.in_redis else SqlCarts(stores.database(SCHEMA))


def routes(instance: Instance) -> Sequence[BaseRoute]:
    """Carts belong to users: a guest is refused."""
    carts = choose(instance)

    async def add(request: Request) -> Response:
        session = await instance.require_session(request)
        (sku,) = await text_fields(request, "sku")
        await carts.add(session.user, sku)
        return JSONResponse({"sku": sku}, status_code=201)

    async def remove(request: Request) -> Response:
        session = await instance.require_session(request)
        await carts.remove(session.user, request.path_params["sku"])
        return Response(status_code=204)

    async def items(request: Request) -> Response:
        session = await instance.require_session(request)
        return JSONResponse({"items": await carts.items(session.user)})

    return [
        Route("/cart", items, methods=["GET"]),
        Route("/cart", add, methods=["POST"]),
        Route("/cart/{sku}", remove, methods=["DELETE"]),
    ]
