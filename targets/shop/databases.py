"""One SQL for two databases: a SQLite file that all instances open, and a PostgreSQL that all instances ask."""

import asyncio
import itertools
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

import asyncpg

BUSY_LIMIT_S = 5.0
REACH_LIMIT_S = 3.0
OPEN_LIMIT_S = 5.0
Value = str | int | float | None
Row = tuple[Any, ...]


class Database(Protocol):
    """Statements that both databases understand, with `?` for values. All of a call is kept together, or nothing.

    An `INTEGER PRIMARY KEY` numbers its rows by itself; times are DOUBLE PRECISION, for a REAL loses the seconds.
    """

    def declare(self, schema: str) -> None:
        """Tables to have before the first statement; `;` between them, each with IF NOT EXISTS."""

    async def run(self, statement: str, *values: Value) -> list[Row]:
        """One statement of its own; its rows, also those of a RETURNING."""

    async def together(self, *steps: tuple[Value, ...]) -> None:
        """Steps of (statement, values...) in one transaction."""

    async def close(self) -> None: ...


class SqliteDatabase:
    """One connection to a file. Its calls take well under a millisecond, so they run in the event loop."""

    def __init__(self, path: str) -> None:
        """Opens or creates the file; raises sqlite3.OperationalError if it can't within BUSY_LIMIT_S."""
        self._connection = sqlite3.connect(path, timeout=BUSY_LIMIT_S, isolation_level=None)
        self._enter_wal()
        # The log is handed to the kernel before we answer, so it outlives the process, though not a power cut.
        self._connection.execute("PRAGMA synchronous=NORMAL")

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
    def _transaction(self) -> Iterator[None]:
        # IMMEDIATE: a lock taken late could not be waited for.
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            # Left open it would lock out all instances; but what fills the disk has ended it already.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def declare(self, schema: str) -> None:
        with self._transaction():
            for statement in schema.split(";"):
                self._connection.execute(statement)

    async def run(self, statement: str, *values: Value) -> list[Row]:
        return self._connection.execute(statement, values).fetchall()

    async def together(self, *steps: tuple[Value, ...]) -> None:
        with self._transaction():
            for statement, *values in steps:
                self._connection.execute(str(statement), values)

    async def close(self) -> None:
        self._connection.close()


class PostgresDatabase:
    """A pool that connects when first used, and again after the database came back.

    Whatever the database does, or a frozen instance that holds a lock in it, nobody waits for longer than the limits.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._schemas: list[str] = []
        self._pool: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()

    def declare(self, schema: str) -> None:
        self._schemas.append(schema)

    async def run(self, statement: str, *values: Value) -> list[Row]:
        pool = await self._opened()
        async with pool.acquire(timeout=REACH_LIMIT_S) as connection:
            return [tuple(row) for row in await connection.fetch(numbered(statement), *values)]

    async def together(self, *steps: tuple[Value, ...]) -> None:
        pool = await self._opened()
        async with pool.acquire(timeout=REACH_LIMIT_S) as connection, connection.transaction():
            for statement, *values in steps:
                await connection.execute(numbered(str(statement)), *values)

    async def close(self) -> None:
        if self._pool:
            # It waits for the connections that are in use; those that are so at its limit, it drops.
            with suppress(TimeoutError):
                async with asyncio.timeout(REACH_LIMIT_S):
                    await self._pool.close()

    async def _opened(self) -> asyncpg.Pool:
        async with asyncio.timeout(OPEN_LIMIT_S), self._opening:
            if self._pool is None:
                self._pool = await self._open()
            return self._pool

    async def _open(self) -> asyncpg.Pool:
        # As its own limit, for a BEGIN, a COMMIT and a cancellation wait too and can be given none.
        limits = {"timeout": REACH_LIMIT_S, "command_timeout": REACH_LIMIT_S}
        pool = await asyncpg.create_pool(self._url, min_size=0, max_size=16, **limits)
        try:
            await self._make_tables(pool)
        except BaseException:
            pool.terminate()
            raise
        return pool

    async def _make_tables(self, pool: asyncpg.Pool) -> None:
        async with pool.acquire(timeout=REACH_LIMIT_S) as connection, connection.transaction():
            # Two instances that make the same table at once would fail, IF NOT EXISTS or not.
            await connection.execute("SELECT pg_advisory_xact_lock(1)")
            for schema in self._schemas:
                await connection.execute(in_postgres(schema))


def numbered(statement: str) -> str:
    """`?, ?` as `$1, $2`."""
    count = itertools.count(1)
    return re.sub(r"\?", lambda _: f"${next(count)}", statement)


def in_postgres(schema: str) -> str:
    schema = schema.replace("WITHOUT ROWID", "")
    return schema.replace("INTEGER PRIMARY KEY", "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY")
