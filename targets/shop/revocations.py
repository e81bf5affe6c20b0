"""Which ids of tokens are no longer good: known to this instance only, or to all of them."""

import secrets
import time
from typing import Protocol

from redis.asyncio import Redis

from .databases import Database
from .settings import Place, Settings
from .stores import Stores

SCHEMA = """
CREATE TABLE IF NOT EXISTS revocations (id TEXT PRIMARY KEY, expires DOUBLE PRECISION NOT NULL);
CREATE INDEX IF NOT EXISTS revocations_by_expiry ON revocations (expires)
"""


class Revocations(Protocol):
    """Ids are kept until `expires` (unix seconds), when the token would be refused anyhow."""

    async def revoke(self, token_id: str, expires: float) -> bool:
        """Returns once the id is kept; whether this call was the one that revoked it."""

    async def revoked(self, token_id: str) -> bool: ...


class MemoryRevocations:
    """A dict in this process: the other instances go on accepting, and a restart forgives."""

    def __init__(self) -> None:
        self._expiries: dict[str, float] = {}

    async def revoke(self, token_id: str, expires: float) -> bool:
        if token_id in self._expiries:
            return False
        self._expiries[token_id] = expires
        return True

    async def revoked(self, token_id: str) -> bool:
        return token_id in self._expiries


class SqlRevocations:
    """A table in the database that all instances share."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def revoke(self, token_id: str, expires: float) -> bool:
        await self._database.run("DELETE FROM revocations WHERE expires < ?", time.time())
        written = await self._database.run(
            "INSERT INTO revocations (id, expires) VALUES (?, ?) ON CONFLICT DO NOTHING RETURNING id",
            *(token_id, expires),
        )
        return bool(written)

    async def revoked(self, token_id: str) -> bool:
        return bool(await self._database.run("SELECT 1 FROM revocations WHERE id = ?", token_id))


class RedisRevocations:
    """A key with a time to live for each, in the Redis that all instances share."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def revoke(self, token_id: str, expires: float) -> bool:
        key, mark = f"revoked:{token_id}", secrets.token_hex(8)
        lives_s = max(1, round(expires - time.time()))
        # The client may send this twice when a connection breaks: then it is our own mark that we find.
        return bool(await self._redis.set(key, mark, nx=True, ex=lives_s)) or await self._redis.get(key) == mark

    async def revoked(self, token_id: str) -> bool:
        return bool(await self._redis.exists(f"revoked:{token_id}"))


def shared(stores: Stores) -> Revocations:
    return RedisRevocations(stores.redis) if stores.in_redis else SqlRevocations(stores.database(SCHEMA))


def choose(settings: Settings, stores: Stores) -> Revocations:
    return MemoryRevocations() if settings.revocations is Place.MEMORY else shared(stores)
