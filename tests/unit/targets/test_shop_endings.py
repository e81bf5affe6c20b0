"""What the shop waits for ends: cancelled work at any moment, and stores that are frozen, locked or in use."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncpg
import pytest
import redis
from starlette.applications import Starlette

from targets.shop import databases, instance
from targets.shop.databases import PostgresDatabase, SqliteDatabase
from targets.shop.notifications import Bell, Notice, SharedHub
from targets.shop.settings import Settings
from targets.shop.stores import STORE_IS_AWAY, connect_redis
from targets.shop.wiring import wire

LIMIT_S = 20.0
MOST_TURNS = 1000


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def outlived(work: Callable[[], Awaitable[object]], after: int) -> bool | None:
    """Whether work that is cancelled so many turns of the loop after its start goes on; None if it was done by then."""
    task = asyncio.ensure_future(work())
    await turns(after)
    if task.done():
        return None
    task.cancel()
    await asyncio.wait([task], timeout=LIMIT_S)
    return not task.cancelled()


@pytest.mark.parametrize("connected", [False, True])
def test_redis_call_cancelled_at_any_moment_ends_there_and_leaves_no_reply_to_others(
    redis_url: str, connected: bool
) -> None:
    """No turn of the loop between its start and its end forgets the cancellation, and the next call gets its answer."""

    async def scenario() -> tuple[list[int], list[str]]:
        wrong, answers = [], []
        for after in range(MOST_TURNS):
            client = connect_redis(redis_url)
            if connected:
                await client.ping()
            went_on = await outlived(lambda: client.echo("cancelled"), after)  # noqa: B023 (awaited in this round)
            answers.append(str(await client.echo(f"next {after}")))
            await client.aclose()
            if went_on is None:
                return wrong, answers
            wrong += [after] * went_on
        pytest.fail(f"a call took more than {MOST_TURNS} turns of the loop")

    wrong, answers = asyncio.run(scenario())
    assert len(answers) > 2
    assert (wrong, answers) == ([], [f"next {after}" for after in range(len(answers))])


def test_redis_call_of_cancelled_work_at_its_end_is_made(redis_url: str) -> None:
    """Cancelled work may still write its last: only a cancellation during the call ends the call."""

    async def work() -> None:
        client = connect_redis(redis_url)
        try:
            await asyncio.sleep(LIMIT_S)
        finally:
            await client.set("last words", "kept")
            await client.aclose()

    assert asyncio.run(outlived(work, 1)) is False
    assert redis.Redis.from_url(redis_url, socket_timeout=LIMIT_S).get("last words") == b"kept"


class EmptyLog:
    """A log to which nobody ever wrote."""

    async def append(self, user: str, text: str) -> None: ...

    async def newest(self, user: str) -> str:
        return "0"

    async def after(self, user: str, cursor: str) -> list[Notice]:
        return []


@pytest.mark.parametrize("between", range(5))
def test_follower_cancelled_as_the_bell_rings_ends(between: int) -> None:
    """However many turns lie between the ring and the cancellation, the follower does not wait for the next one."""

    async def scenario() -> bool:
        bell = Bell()
        async with SharedHub(EmptyLog(), bell).follow("ann", None) as subscription:
            task = asyncio.ensure_future(anext(subscription.notices))
            await turns(5)
            bell.ring("ann")
            await turns(between)
            task.cancel()
            await asyncio.wait([task], timeout=0.5)
            return task.cancelled()

    assert asyncio.run(scenario())


def test_instance_whose_work_ignores_its_cancellation_ends_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The server is not kept from stopping by work that does not stop."""
    monkeypatch.setattr(instance, "ENDING_LIMIT_S", 0.05)

    async def stubborn_work() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(LIMIT_S)
        await asyncio.sleep(LIMIT_S)

    async def scenario() -> None:
        shop = wire(Settings.from_environment({}))
        shop.in_background(stubborn_work)
        async with asyncio.timeout(LIMIT_S), shop.life(Starlette()):
            await turns(2)

    asyncio.run(scenario())
    assert "waited 0.05 s" in caplog.text
    assert "stubborn_work" in caplog.text


@asynccontextmanager
async def locked(url: str) -> AsyncIterator[None]:
    """Holds the lock under which instances make their tables, as one does that was frozen just then."""
    other = await asyncpg.connect(url, timeout=LIMIT_S)
    await other.execute("SELECT pg_advisory_lock(1)")
    yield
    await other.close(timeout=LIMIT_S)


async def served(database: PostgresDatabase) -> list[databases.Row]:
    """The answer of a database that was away until now."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            with suppress(TimeoutError):
                return await database.run("SELECT 2")


def test_postgres_locked_by_a_frozen_instance_refuses_all_in_time_and_serves_after(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for the lock longer than the limit, nor for those who wait before them."""
    monkeypatch.setattr(databases, "REACH_LIMIT_S", 0.3)
    monkeypatch.setattr(databases, "OPEN_LIMIT_S", 0.4)

    async def scenario() -> tuple[list[object], float, list[databases.Row]]:
        database = PostgresDatabase(postgres_url)
        async with locked(postgres_url):
            start = time.monotonic()
            async with asyncio.timeout(LIMIT_S):
                asked = (database.run("SELECT 1") for _ in range(20))
                refusals = await asyncio.gather(*asked, return_exceptions=True)
            took_s = time.monotonic() - start
        rows = await served(database)
        await database.close()
        return list(refusals), took_s, rows

    refusals, took_s, rows = asyncio.run(scenario())
    assert [each for each in refusals if not isinstance(each, STORE_IS_AWAY)] == []
    assert took_s < 5
    assert rows == [(2,)]


def test_postgres_closed_while_a_statement_does_not_end_is_closed_in_time(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of an instance does not hang on a call that hangs; the call is refused."""
    monkeypatch.setattr(databases, "REACH_LIMIT_S", LIMIT_S)

    async def scenario() -> tuple[float, list[object]]:
        database = PostgresDatabase(postgres_url)
        await database.run("SELECT 1")
        call = asyncio.ensure_future(database.together((f"SELECT pg_sleep({LIMIT_S})",)))
        await asyncio.sleep(0.05)
        monkeypatch.setattr(databases, "REACH_LIMIT_S", 0.1)
        start = time.monotonic()
        await database.close()
        took_s = time.monotonic() - start
        return took_s, list(await asyncio.gather(call, return_exceptions=True))

    took_s, (refusal,) = asyncio.run(scenario())
    assert took_s < LIMIT_S / 2
    assert isinstance(refusal, STORE_IS_AWAY)


def test_sqlite_whose_commit_fails_lets_others_write_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction that could not be kept does not stay open with its lock."""
    monkeypatch.setattr(databases, "BUSY_LIMIT_S", 0.1)
    schema = """
    CREATE TABLE IF NOT EXISTS parents (id TEXT PRIMARY KEY);
    CREATE TABLE IF NOT EXISTS children (of TEXT REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)
    """

    async def scenario() -> list[databases.Row]:
        one, other = (SqliteDatabase(str(tmp_path / "shop.sqlite")) for _ in range(2))
        one.declare(schema)
        await one.run("PRAGMA foreign_keys = ON")
        with pytest.raises(databases.sqlite3.IntegrityError):
            await one.together(("INSERT INTO children (of) VALUES (?)", "nobody"))
        await other.together(("INSERT INTO parents (id) VALUES (?)", "ann"))
        await one.together(("INSERT INTO children (of) VALUES (?)", "ann"))
        return await other.run("SELECT of FROM children")

    assert asyncio.run(scenario()) == [("ann",)]
