"""Where export jobs live: in the instance that took them, or in a table from which another instance takes them over.

A job belongs to one run of it at a time, for as long as the run keeps its lease up. Only the run that still has the job
can finish it, so a result is written once, even when a run that was thought dead wakes up again. Clocks that differ
cost a needless second run at worst, never a second result.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from redis.asyncio import Redis

from .databases import Database

LEASE_S = 1.0
PAGE = 32
SCHEMA = """
CREATE TABLE IF NOT EXISTS exports (
    id TEXT PRIMARY KEY, what TEXT NOT NULL, run TEXT NOT NULL, lease DOUBLE PRECISION NOT NULL, result TEXT
);
CREATE INDEX IF NOT EXISTS exports_open ON exports (lease) WHERE result IS NULL;
CREATE TABLE IF NOT EXISTS export_runs (run TEXT PRIMARY KEY, what TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS export_runs_by_what ON export_runs (what)
"""
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """`result` is None while it runs."""

    what: str
    result: str | None


class Jobs(Protocol):
    """A run is the name of one try to do a job; no two tries have the same."""

    async def create(self, job: str, what: str, run: str) -> bool:
        """Keeps a new job that belongs to `run`; False if there is one of that id already."""

    async def overdue(self) -> list[str]:
        """Unfinished jobs whose lease ran out, at most PAGE."""

    async def claim(self, job: str, run: str) -> str | None:
        """What to do, if the job is overdue and now belongs to `run`; else None."""

    async def beat(self, job: str, run: str) -> None:
        """Renews the lease, if the job still belongs to `run`."""

    async def finish(self, job: str, run: str, result: str) -> bool:
        """Keeps the result and notes the run in the ledger, if the job still belongs to `run`; whether it did."""

    async def finish_unasked(self, job: str, run: str, result: str) -> None:
        """The same, whoever the job belongs to: every run gets into the ledger."""

    async def read(self, job: str) -> Job | None: ...
    async def ledger(self, what: str) -> list[str]:
        """The runs that finished a job for `what`."""


class MemoryJobs:
    """Stateful: a dict, so that a job, its result and whoever does it are gone together."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._runs: list[tuple[str, str]] = []

    async def create(self, job: str, what: str, run: str) -> bool:
        return self._jobs.setdefault(job, new := Job(what=what, result=None)) is new

    async def overdue(self) -> list[str]:
        return []

    async def claim(self, job: str, run: str) -> str | None:
        return None

    async def beat(self, job: str, run: str) -> None:
        """Nobody else could take it."""

    async def finish(self, job: str, run: str, result: str) -> bool:
        what = self._jobs[job].what
        self._jobs[job] = Job(what=what, result=result)
        self._runs.append((what, run))
        return True

    async def finish_unasked(self, job: str, run: str, result: str) -> None:
        await self.finish(job, run, result)

    async def read(self, job: str) -> Job | None:
        return self._jobs.get(job)

    async def ledger(self, what: str) -> list[str]:
        return [run for of, run in self._runs if of == what]


class SqlJobs:
    """Stateless: each step is one conditional statement, so two instances can't both win it."""

    def __init__(self, database: Database, clock: Clock = time.time, lease_s: float = LEASE_S) -> None:
        self._database = database
        self._clock = clock
        self._lease_s = lease_s

    async def create(self, job: str, what: str, run: str) -> bool:
        made = await self._database.run(
            "INSERT INTO exports (id, what, run, lease) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING id",
            *(job, what, run, self._clock() + self._lease_s),
        )
        return bool(made)

    async def overdue(self) -> list[str]:
        rows = await self._database.run(
            f"SELECT id FROM exports WHERE result IS NULL AND lease < ? ORDER BY lease LIMIT {PAGE}", self._clock()
        )
        return [row[0] for row in rows]

    async def claim(self, job: str, run: str) -> str | None:
        now = self._clock()
        won = await self._database.run(
            "UPDATE exports SET run = ?, lease = ? WHERE id = ? AND result IS NULL AND lease < ? RETURNING what",
            *(run, now + self._lease_s, job, now),
        )
        return won[0][0] if won else None

    async def beat(self, job: str, run: str) -> None:
        await self._database.run(
            "UPDATE exports SET lease = ? WHERE id = ? AND run = ? AND result IS NULL",
            *(self._clock() + self._lease_s, job, run),
        )

    async def finish(self, job: str, run: str, result: str) -> bool:
        await self._database.together(
            ("UPDATE exports SET result = ? WHERE id = ? AND run = ? AND result IS NULL", result, job, run),
            (
                "INSERT INTO export_runs (run, what) SELECT run, what FROM exports WHERE id = ? AND run = ? "
                "ON CONFLICT DO NOTHING",
                *(job, run),
            ),
        )
        return bool(await self._database.run("SELECT 1 FROM export_runs WHERE run = ?", run))

    async def finish_unasked(self, job: str, run: str, result: str) -> None:
        await self._database.together(
            ("UPDATE exports SET result = ? WHERE id = ? AND result IS NULL", result, job),
            ("INSERT INTO export_runs (run, what) SELECT CAST(? AS TEXT), what FROM exports WHERE id = ?", run, job),
        )

    async def read(self, job: str) -> Job | None:
        rows = await self._database.run("SELECT what, result FROM exports WHERE id = ?", job)
        return Job(what=rows[0][0], result=rows[0][1]) if rows else None

    async def ledger(self, what: str) -> list[str]:
        rows = await self._database.run("SELECT run FROM export_runs WHERE what = ? ORDER BY run", what)
        return [row[0] for row in rows]


CREATE = """
if redis.call('EXISTS', KEYS[1]) == 1 then return redis.call('HGET', KEYS[1], 'run') == ARGV[1] end
redis.call('HSET', KEYS[1], 'run', ARGV[1], 'what', ARGV[4])
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[3])
return true
"""
CLAIM = """
local lease = redis.call('ZSCORE', KEYS[2], ARGV[3])
if not lease then return false end
if redis.call('HGET', KEYS[1], 'run') ~= ARGV[1] then
    if tonumber(lease) >= tonumber(ARGV[4]) then return false end
    redis.call('HSET', KEYS[1], 'run', ARGV[1])
    redis.call('ZADD', KEYS[2], ARGV[2], ARGV[3])
end
return redis.call('HGET', KEYS[1], 'what')
"""
BEAT = """
if redis.call('HGET', KEYS[1], 'run') == ARGV[1] then redis.call('ZADD', KEYS[2], 'XX', ARGV[2], ARGV[3]) end
"""
FINISH = """
if redis.call('HGET', KEYS[1], 'run') ~= ARGV[1] then return false end
redis.call('HSETNX', KEYS[1], 'result', ARGV[4])
redis.call('ZREM', KEYS[2], ARGV[3])
redis.call('SADD', 'export-runs:' .. redis.call('HGET', KEYS[1], 'what'), ARGV[1])
return true
"""


class RedisJobs:
    """Stateless: a hash a job, a sorted set of leases, and a script for each step that must not be torn apart.

    Each script does the same when the client sends it twice, as it may when a connection breaks.
    """

    OPEN = "exports:open"

    def __init__(self, redis: Redis, clock: Clock = time.time, lease_s: float = LEASE_S) -> None:
        self._redis = redis
        self._clock = clock
        self._lease_s = lease_s
        self._create, self._claim = redis.register_script(CREATE), redis.register_script(CLAIM)
        self._beat, self._finish = redis.register_script(BEAT), redis.register_script(FINISH)

    async def create(self, job: str, what: str, run: str) -> bool:
        return bool(await self._create(keys=self._keys(job), args=[run, self._lease(), job, what]))

    async def overdue(self) -> list[str]:
        found = await self._redis.zrangebyscore(self.OPEN, "-inf", self._clock(), start=0, num=PAGE)
        return [str(job) for job in found]

    async def claim(self, job: str, run: str) -> str | None:
        what = await self._claim(keys=self._keys(job), args=[run, self._lease(), job, self._clock()])
        return None if what is None else str(what)

    async def beat(self, job: str, run: str) -> None:
        await self._beat(keys=self._keys(job), args=[run, self._lease(), job])

    async def finish(self, job: str, run: str, result: str) -> bool:
        return bool(await self._finish(keys=self._keys(job), args=[run, self._lease(), job, result]))

    async def finish_unasked(self, job: str, run: str, result: str) -> None:
        what = str(await self._redis.hget(f"export:{job}", "what"))
        async with self._redis.pipeline(transaction=True) as together:
            together.hsetnx(f"export:{job}", "result", result)
            together.zrem(self.OPEN, job)
            together.sadd(f"export-runs:{what}", run)
            await together.execute()

    async def read(self, job: str) -> Job | None:
        kept = await self._redis.hgetall(f"export:{job}")
        if not kept:
            return None
        return Job(what=str(kept["what"]), result=str(kept["result"]) if "result" in kept else None)

    async def ledger(self, what: str) -> list[str]:
        return sorted(str(run) for run in await self._redis.smembers(f"export-runs:{what}"))

    def _keys(self, job: str) -> list[str]:
        return [f"export:{job}", self.OPEN]

    def _lease(self) -> float:
        return self._clock() + self._lease_s
