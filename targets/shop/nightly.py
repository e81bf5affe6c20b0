"""The nightly job, with nights of seconds: run by every instance, or by the one that claims the tick.

A tick is floor(unix time / every). The ledger of completed runs is what a user sees of them. Claiming is an insert
under a unique key, with a lease: when the runner dies, the lease runs out and another instance takes the tick over. A
runner that was only paused finds at the end that the claim is no longer its own, and its run doesn't count.
"""

import asyncio
import json
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol, cast

from redis.asyncio import Redis
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from .databases import Database
from .instance import Instance
from .settings import Place
from .stores import STORE_IS_AWAY

SCHEMA = """
CREATE TABLE IF NOT EXISTS nightly_claims (
    tick BIGINT PRIMARY KEY, run TEXT NOT NULL, until DOUBLE PRECISION NOT NULL, done BIGINT NOT NULL
);
CREATE TABLE IF NOT EXISTS nightly_runs (tick BIGINT NOT NULL, run TEXT PRIMARY KEY, instance TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS nightly_runs_by_tick ON nightly_runs (tick)
"""
PAGE = 200
KEPT = 1000
# An outage of all instances that is longer than this many ticks leaves gaps: old nights are not worth catching up on.
CATCH_UP = 30

Clock = Callable[[], float]
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    tick: int
    run: str
    instance: str


class Ledger(Protocol):
    """Which ticks are to be run, and which runs were completed. Must not list a run before it is complete."""

    async def open_ticks(self, newest: int) -> list[int]:
        """The ticks up to `newest` without a completed run, oldest first; at most CATCH_UP."""

    async def claim(self, run: Run, lease_s: float) -> bool:
        """Whether this run may go ahead: nobody completed its tick or holds a claim on it."""

    async def complete(self, run: Run) -> bool:
        """Records the run, unless its claim is no longer its own; whether it was recorded."""

    async def record(self, run: Run) -> None:
        """Records the run, whoever claimed it."""

    async def runs(self) -> list[Run]:
        """The newest PAGE completed runs, newest first."""


def open_between(first: int, newest: int, done: set[int]) -> list[int]:
    return [tick for tick in range(max(first, newest - CATCH_UP + 1), newest + 1) if tick not in done]


class SqlLedger:
    """Two tables in the database that all instances share."""

    def __init__(self, database: Database, clock: Clock = time.time) -> None:
        self._database = database
        self._clock = clock

    async def open_ticks(self, newest: int) -> list[int]:
        ((first,),) = await self._database.run("SELECT min(tick) FROM nightly_claims")
        done = await self._database.run("SELECT tick FROM nightly_runs WHERE tick > ?", newest - CATCH_UP)
        return open_between(newest if first is None else first, newest, {tick for (tick,) in done})

    async def claim(self, run: Run, lease_s: float) -> bool:
        now = self._clock()
        won = await self._database.run(
            "INSERT INTO nightly_claims (tick, run, until, done) VALUES (?, ?, ?, 0) ON CONFLICT (tick) "
            "DO UPDATE SET run = excluded.run, until = excluded.until "
            "WHERE nightly_claims.done = 0 AND nightly_claims.until <= ? RETURNING tick",
            *(run.tick, run.run, now + lease_s, now),
        )
        return bool(won)

    async def complete(self, run: Run) -> bool:
        await self._database.together(
            # The update locks the claim: nobody can take it over between this line and the next.
            ("UPDATE nightly_claims SET done = 1 WHERE tick = ? AND run = ?", run.tick, run.run),
            (
                "INSERT INTO nightly_runs (tick, run, instance) "
                "SELECT tick, run, CAST(? AS TEXT) FROM nightly_claims WHERE tick = ? AND run = ?",
                *(run.instance, run.tick, run.run),
            ),
            ("DELETE FROM nightly_claims WHERE tick < ?", run.tick - KEPT),
            ("DELETE FROM nightly_runs WHERE tick < ?", run.tick - KEPT),
        )
        return bool(await self._database.run("SELECT 1 FROM nightly_runs WHERE run = ?", run.run))

    async def record(self, run: Run) -> None:
        await self._database.run(
            "INSERT INTO nightly_runs (tick, run, instance) VALUES (?, ?, ?)", run.tick, run.run, run.instance
        )

    async def runs(self) -> list[Run]:
        rows = await self._database.run(
            f"SELECT tick, run, instance FROM nightly_runs ORDER BY tick DESC, run LIMIT {PAGE}"
        )
        return [Run(tick=tick, run=run, instance=name) for tick, run, name in rows]


CLAIM = """
redis.call('SET', KEYS[3], ARGV[1], 'NX')
if redis.call('ZCOUNT', KEYS[2], ARGV[1], ARGV[1]) > 0 then return 0 end
if redis.call('SET', KEYS[1], ARGV[2], 'NX', 'PX', ARGV[3]) then return 1 end
return redis.call('GET', KEYS[1]) == ARGV[2] and 1 or 0
"""
COMPLETE = """
if redis.call('GET', KEYS[1]) ~= ARGV[2] then return 0 end
redis.call('ZADD', KEYS[2], ARGV[1], ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ARGV[4])
return 1
"""


class RedisLedger:
    """A key with a time to live per claim and a sorted set of runs, in the Redis that all instances share.

    Both scripts answer the same when the client sends them twice, as it may when a connection breaks.
    """

    RUNS = "nightly:runs"
    FIRST = "nightly:first"

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._claim = redis.register_script(CLAIM)
        self._complete = redis.register_script(COMPLETE)

    async def open_ticks(self, newest: int) -> list[int]:
        first = await self._redis.get(self.FIRST)
        done = await self._redis.zrangebyscore(self.RUNS, newest - CATCH_UP, newest, withscores=True)
        return open_between(newest if first is None else int(first), newest, {int(scored[1]) for scored in done})

    async def claim(self, run: Run, lease_s: float) -> bool:
        keys = [f"nightly:claim:{run.tick}", self.RUNS, self.FIRST]
        args: list[str | int] = [run.tick, run.run, round(lease_s * 1000)]
        return await cast(Awaitable[int], self._claim(keys=keys, args=args)) == 1

    async def complete(self, run: Run) -> bool:
        keys = [f"nightly:claim:{run.tick}", self.RUNS]
        args: list[str | int] = [run.tick, run.run, json.dumps(asdict(run)), run.tick - KEPT]
        return await cast(Awaitable[int], self._complete(keys=keys, args=args)) == 1

    async def record(self, run: Run) -> None:
        await self._redis.zadd(self.RUNS, {json.dumps(asdict(run)): run.tick})

    async def runs(self) -> list[Run]:
        return [Run(**json.loads(str(member))) for member in await self._redis.zrevrange(self.RUNS, 0, PAGE - 1)]


class EveryInstance:
    """The ledger is shared but nobody claims: as many runs of each tick as instances (a defect)."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._newest = -1

    async def open_ticks(self, newest: int) -> list[int]:
        return [newest] if newest > self._newest else []

    async def claim(self, run: Run, lease_s: float) -> bool:
        self._newest = max(self._newest, run.tick)
        return True

    async def complete(self, run: Run) -> bool:
        await self._ledger.record(run)
        return True

    async def record(self, run: Run) -> None:
        await self._ledger.record(run)

    async def runs(self) -> list[Run]:
        return await self._ledger.runs()


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """When this instance looks for work, in seconds. The lease is over before the next tick begins."""

    every_s: float
    work_s: float
    instance: str

    @property
    def lease_s(self) -> float:
        return self.every_s / 2

    @property
    def look_s(self) -> float:
        return min(1.0, self.every_s / 10)


class Scheduler:
    """Runs what is open, for as long as the instance lives."""

    def __init__(self, ledger: Ledger, timetable: Timetable, clock: Clock = time.time) -> None:
        self._ledger = ledger
        self._timetable = timetable
        self._clock = clock

    async def forever(self) -> None:
        while True:
            try:
                await self.look()
            except STORE_IS_AWAY as error:
                # It is away for every other instance too: the tick stays open for the next look.
                log.warning("nightly job: %s: %s", type(error).__name__, error)
            await asyncio.sleep(self._timetable.look_s)

    async def look(self) -> None:
        """Runs each open tick that this instance can claim."""
        newest = int(self._clock() // self._timetable.every_s)
        for tick in await self._ledger.open_ticks(newest):
            run = Run(tick=tick, run=secrets.token_hex(8), instance=self._timetable.instance)
            if await self._ledger.claim(run, self._timetable.lease_s):
                # Stands for the work: nothing is kept of a run that dies in here.
                await asyncio.sleep(self._timetable.work_s)
                await self._ledger.complete(run)


def choose(instance: Instance) -> Ledger:
    """The ledger is shared in both cases, as it is what shows how often a tick was run."""
    stores = instance.stores
    ledger = RedisLedger(stores.redis) if stores.in_redis else SqlLedger(stores.database(SCHEMA))
    return EveryInstance(ledger) if instance.settings.nightly is Place.MEMORY else ledger


def routes(instance: Instance) -> Sequence[BaseRoute]:
    """Without `nightly_every_s` there is no job, and so nothing to see."""
    settings = instance.settings
    if not settings.nightly_every_s:
        return []
    ledger = choose(instance)
    timetable = Timetable(every_s=settings.nightly_every_s, work_s=settings.nightly_work_s, instance=instance.name)
    instance.in_background(Scheduler(ledger, timetable).forever)

    async def runs(request: Request) -> Response:
        return JSONResponse({"runs": [asdict(run) for run in await ledger.runs()]})

    return [Route("/nightly/runs", runs)]
