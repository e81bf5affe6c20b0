"""Live notifications: whatever is sent to a user reaches all of that user's open connections, on any instance.

    MemoryHub   hands a notice to the connections of this process; those on other instances never hear of it
    SharedHub   appends it to a log that all instances read; each connection follows the log from a cursor of its own

A bell only says that there is something to read, so a bell that is late or lost costs time, never a notice.
"""

import asyncio
import secrets
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import Protocol, cast

from redis.asyncio import Redis

from .databases import Database
from .settings import TTL_S
from .stores import STORE_IS_AWAY

SCHEMA = """
CREATE TABLE IF NOT EXISTS notices (id BIGINT PRIMARY KEY, username TEXT NOT NULL, text TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS notices_of_user ON notices (username, id);
CREATE TABLE IF NOT EXISTS notices_count (name TEXT PRIMARY KEY, newest BIGINT NOT NULL);
INSERT INTO notices_count (name, newest) VALUES ('all', 0) ON CONFLICT DO NOTHING
"""
KEPT = 10_000
KEPT_OF_USER = 1000
PAGE = 100
POLL_S = 0.02
LONGEST_SILENCE_S = 1.0
LONGEST_QUEUE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """`id` is the place in the log, to resume after; empty where there is no log."""

    id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """`start` is the cursor that it began with; the notices come in the order in which they were sent."""

    start: str
    notices: AsyncIterator[Notice]


class Hub(Protocol):
    async def send(self, user: str, text: str) -> None:
        """Returns once the notice is on its way to every connection that the hub knows of."""

    def follow(self, user: str, after: str | None) -> AbstractAsyncContextManager[Subscription]:
        """Subscribed once entered: every notice sent from then on comes, and those after the cursor `after`."""


class MemoryHub:
    """A queue for each connection of this process."""

    def __init__(self) -> None:
        self._queues: defaultdict[str, set[asyncio.Queue[Notice]]] = defaultdict(set)

    async def send(self, user: str, text: str) -> None:
        for queue in list(self._queues[user]):
            # One who doesn't read must not fill the memory: the oldest goes.
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(Notice(id="", text=text))

    @asynccontextmanager
    async def follow(self, user: str, after: str | None) -> AsyncIterator[Subscription]:
        queue: asyncio.Queue[Notice] = asyncio.Queue(LONGEST_QUEUE)
        self._queues[user].add(queue)
        try:
            yield Subscription(start="", notices=drain(queue))
        finally:
            self._queues[user].discard(queue)


async def drain(queue: asyncio.Queue[Notice]) -> AsyncIterator[Notice]:
    while True:
        yield await queue.get()


class Log(Protocol):
    """Notices in one order that all instances see: what is read later is never older."""

    async def append(self, user: str, text: str) -> None: ...
    async def newest(self, user: str) -> str:
        """The cursor that all later notices come after."""

    async def after(self, user: str, cursor: str) -> list[Notice]:
        """The oldest PAGE of the user's notices after the cursor."""


class Bell:
    """Wakes the followers of a user in this process."""

    def __init__(self) -> None:
        self._sleepers: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    @property
    def heard(self) -> bool:
        return bool(self._sleepers)

    @contextmanager
    def sleeper(self, user: str) -> Iterator[asyncio.Event]:
        event = asyncio.Event()
        self._sleepers[user].add(event)
        try:
            yield event
        finally:
            self._sleepers[user].discard(event)
            if not self._sleepers[user]:
                del self._sleepers[user]

    def ring(self, user: str) -> None:
        for event in self._sleepers.get(user, ()):
            event.set()

    def ring_all(self) -> None:
        for user in list(self._sleepers):
            self.ring(user)


class SharedHub:
    """Follows a log. Whoever subscribes again with the last id it saw misses nothing."""

    def __init__(self, log: Log, bell: Bell) -> None:
        self._log = log
        self._bell = bell

    async def send(self, user: str, text: str) -> None:
        await self._log.append(user, text)

    @asynccontextmanager
    async def follow(self, user: str, after: str | None) -> AsyncIterator[Subscription]:
        with self._bell.sleeper(user) as event:
            start = after or await self._log.newest(user)
            yield Subscription(start=start, notices=self._read(user, start, event))

    async def _read(self, user: str, cursor: str, event: asyncio.Event) -> AsyncIterator[Notice]:
        while True:
            # Before reading: a ring while we read must not be forgotten.
            event.clear()
            notices = await self._log.after(user, cursor)
            for notice in notices:
                cursor = notice.id
                yield notice
            if not notices:
                # Not with wait_for, which forgets that it was cancelled if the bell rings in the same moment.
                with suppress(TimeoutError):
                    async with asyncio.timeout(LONGEST_SILENCE_S):
                        await event.wait()


class SqlLog:
    """A table in the database that all instances share, and a counter whose row orders the writers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, user: str, text: str) -> None:
        await self._database.together(
            # Its lock is held to the end: no notice appears before one with a smaller id.
            ("UPDATE notices_count SET newest = newest + 1",),
            (
                "INSERT INTO notices (id, username, text) "
                "SELECT newest, CAST(? AS TEXT), CAST(? AS TEXT) FROM notices_count",
                *(user, text),
            ),
            (f"DELETE FROM notices WHERE id <= (SELECT newest FROM notices_count) - {KEPT}",),
        )

    async def newest(self, user: str) -> str:
        ((newest,),) = await self._database.run("SELECT newest FROM notices_count")
        return str(newest)

    async def after(self, user: str, cursor: str) -> list[Notice]:
        rows = await self._database.run(
            f"SELECT id, text FROM notices WHERE username = ? AND id > ? ORDER BY id LIMIT {PAGE}",
            *(user, number(cursor)),
        )
        return [Notice(id=str(row[0]), text=row[1]) for row in rows]

    async def users_after(self, cursor: str) -> set[str]:
        return {row[0] for row in await self._database.run("SELECT username FROM notices WHERE id > ?", number(cursor))}


def number(cursor: str) -> int:
    """A cursor comes back from the client, so it can be anything: then it is the beginning."""
    return int(cursor) if cursor.isascii() and cursor.isdigit() and len(cursor) < 18 else 0


async def poll(log: SqlLog, bell: Bell) -> None:
    """Rings for a database, which has no way to call: asks it, while anybody listens."""
    cursor: str | None = None
    while True:
        try:
            cursor = await look(log, bell, cursor) if bell.heard else None
        except STORE_IS_AWAY:
            cursor = None
        await asyncio.sleep(POLL_S)


async def look(log: SqlLog, bell: Bell, cursor: str | None) -> str:
    """Rings for all that came after the cursor; returns the next one."""
    newest = await log.newest("")
    if cursor is None:
        bell.ring_all()
    elif newest != cursor:
        for user in await log.users_after(cursor):
            bell.ring(user)
    return newest


# The mark makes a notice that the client sent twice, as it may when a connection breaks, appear once.
APPEND = f"""
if not redis.call('SET', KEYS[2], '1', 'NX', 'EX', 60) then return '' end
local id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', {KEPT_OF_USER}, '*', 'text', ARGV[1])
redis.call('EXPIRE', KEYS[1], {TTL_S})
redis.call('PUBLISH', KEYS[1], id)
return id
"""
PREFIX = "notices:"


class RedisLog:
    """A stream for each user, in the Redis that all instances share."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._append = redis.register_script(APPEND)

    async def append(self, user: str, text: str) -> None:
        keys = [PREFIX + user, f"notice-mark:{secrets.token_hex(12)}"]
        await cast(Awaitable[str], self._append(keys=keys, args=[text]))

    async def newest(self, user: str) -> str:
        found = await self._redis.xrevrange(PREFIX + user, count=1)
        return str(found[0][0]) if found else "0-0"

    async def after(self, user: str, cursor: str) -> list[Notice]:
        found = await self._redis.xrange(PREFIX + user, min=f"({place(cursor)}", count=PAGE)
        return [Notice(id=str(at), text=str(fields["text"])) for at, fields in found or () if fields]


def place(cursor: str) -> str:
    """The same for a place in a stream."""
    milliseconds, _, sequence = cursor.partition("-")
    return f"{number(milliseconds)}-{number(sequence)}"


async def listen(redis: Redis, bell: Bell) -> None:
    """Rings for Redis, which calls by itself: one subscription for the whole process."""
    while True:
        pubsub = redis.pubsub()
        try:
            await pubsub.psubscribe(f"{PREFIX}*")
            # What was sent while nobody listened is in the log.
            bell.ring_all()
            while True:
                message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=LONGEST_SILENCE_S)
                if message:
                    bell.ring(str(message["channel"]).removeprefix(PREFIX))
        except STORE_IS_AWAY:
            await asyncio.sleep(0.1)
        finally:
            await pubsub.aclose()  # type: ignore[no-untyped-call]
