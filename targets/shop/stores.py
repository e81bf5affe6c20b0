"""The shared stores of one instance, each opened when a feature first asks for it."""

import asyncio
import sqlite3
from collections.abc import Iterable
from functools import cached_property

import asyncpg
from redis.asyncio import BlockingConnectionPool, Connection, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from .databases import Database, PostgresDatabase, SqliteDatabase
from .settings import Settings, Shared

STORE_IS_AWAY = (RedisError, sqlite3.OperationalError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError)


class Stores:
    """`in_redis` says which of the two to use; a feature that finds it false uses `database(its tables)`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.in_redis = settings.shared is Shared.REDIS

    @cached_property
    def redis(self) -> Redis:
        assert self._settings.redis_url, "settings refuse a shared Redis without its address"
        return connect_redis(self._settings.redis_url)

    @cached_property
    def _database(self) -> Database:
        if self._settings.shared is Shared.POSTGRES:
            return PostgresDatabase(self._settings.postgres_url or "")
        return SqliteDatabase(self._settings.sqlite)

    def database(self, schema: str) -> Database:
        """The shared database, with these tables in it."""
        self._database.declare(schema)
        return self._database

    async def answer(self) -> None:
        """Returns if every store in use can be reached; raises what its client raises."""
        if "redis" in self.__dict__:
            await self.redis.ping()
        if "_database" in self.__dict__:
            await self._database.run("SELECT 1")

    async def close(self) -> None:
        if "redis" in self.__dict__:
            await self.redis.aclose()
        if "_database" in self.__dict__:
            await self._database.close()


class PromptConnection(Connection):
    """Ends with whoever it works for, also when that is cancelled as a command has just been written.

    Before Python 3.12 `asyncio.wait_for` forgets a cancellation that comes when what it waits for is already done, and
    the client writes with it: work in the background would go on after its only cancellation, and be waited for.
    """

    async def send_packed_command(self, command: bytes | str | Iterable[bytes], check_health: bool = True) -> None:
        task = asyncio.current_task()
        # Whoever was cancelled before may still write, as what it does at its end.
        before = task.cancelling() if task else 0
        await super().send_packed_command(command, check_health)
        if task and task.cancelling() > before:
            # The reply is under way: nobody else must take it for their own.
            await self.disconnect(nowait=True)
            raise asyncio.CancelledError


def connect_redis(url: str) -> "Redis":
    """A client that connects when first used, and again after the store came back."""
    pool = BlockingConnectionPool.from_url(
        url,
        connection_class=PromptConnection,
        max_connections=32,
        timeout=2,
        socket_timeout=2,
        socket_connect_timeout=1,
        decode_responses=True,
        # Every write of ours may be sent twice without harm; only the metrics may then count too much.
        retry=Retry(ExponentialBackoff(cap=0.2, base=0.02), 3),
        retry_on_error=[RedisConnectionError, RedisTimeoutError],
    )
    return Redis(connection_pool=pool)
