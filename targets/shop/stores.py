"""Clients of the two shared stores: a SQLite file that all instances open, and Redis."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

BUSY_LIMIT_S = 5.0


class Database:
    """One connection to a SQLite file. Its calls take well under a millisecond, so they run in the event loop."""

    def __init__(self, path: str, schema: str) -> None:
        """Opens or creates the file; raises sqlite3.OperationalError if it can't within BUSY_LIMIT_S."""
        self._connection = sqlite3.connect(path, timeout=BUSY_LIMIT_S, isolation_level=None)
        self._enter_wal()
        # The log is handed to the kernel before we answer, so it outlives the process, though not a power cut.
        self._connection.execute("PRAGMA synchronous=NORMAL")
        with self.transaction() as connection:
            for statement in schema.split(";"):
                connection.execute(statement)

    def _enter_wal(self) -> None:
        """Switching to WAL ignores the busy timeout, and every instance does it at its start: so wait here."""
        deadline = time.monotonic() + BUSY_LIMIT_S
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything inside is kept together, or not at all. IMMEDIATE: a lock taken late could not be waited for."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def rows(self, query: str, *values: object) -> list[tuple[str, ...]]:
        with closing(self._connection.execute(query, values)) as cursor:
            return cursor.fetchall()

    def close(self) -> None:
        self._connection.close()


def connect_redis(url: str) -> "Redis":
    """A client that connects when first used, and again after the store came back."""
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=32,
        timeout=2,
        socket_timeout=2,
        socket_connect_timeout=1,
        decode_responses=True,
        # Every write of ours may be sent twice without harm: they set values, and never add to one.
        retry=Retry(ExponentialBackoff(cap=0.2, base=0.02), 3),
        retry_on_error=[RedisConnectionError, RedisTimeoutError],
    )
    return Redis(connection_pool=pool)
