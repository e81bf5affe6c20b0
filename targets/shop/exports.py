"""Exports: jobs that go on in the background after they were accepted, and whose results are fetched later.

The instance that accepts an export begins it at once. What differs is what a death leaves of it: with jobs in memory
nothing, with jobs in a shared table an unfinished row whose lease runs out, and then any instance does it again.
"""

import asyncio
import hashlib
import itertools
import logging
import secrets
import zlib
from collections.abc import Awaitable, Callable, Sequence

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from .bodies import text_fields
from .duplicates import Seen
from .export_jobs import LEASE_S, SCHEMA, Jobs, MemoryJobs, RedisJobs, SqlJobs
from .instance import Instance
from .settings import Defect, Place
from .stores import STORE_IS_AWAY

LOOK_S = 0.25
HASTY_LEASE_S = 0.02
LAST_CHANCE_S = 1.0
Work = Callable[[str], Awaitable[str]]
log = logging.getLogger(__name__)


class Runner:
    """Does this instance's jobs, and those whose runner was heard of no more."""

    def __init__(self, jobs: Jobs, instance: str, work: Work) -> None:
        self._jobs = jobs
        self._work = work
        self._names = (f"{instance}-{number}" for number in itertools.count(1))
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def submit(self, job: str, what: str) -> None:
        """Returns once the job is kept; begins it, unless it was kept before."""
        run = next(self._names)
        if await self._jobs.create(job, what, run):
            self._begin(job, what, run)

    async def look_after_others(self) -> None:
        """Takes overdue jobs over until cancelled; then lets those under way finish, for LAST_CHANCE_S at most."""
        try:
            while True:
                await asyncio.sleep(LOOK_S)
                try:
                    await self.take_over()
                except STORE_IS_AWAY as error:
                    log.warning("can't look for overdue exports: %r", error)
        finally:
            if self._tasks:
                await asyncio.wait(self._tasks.values(), timeout=LAST_CHANCE_S)

    async def take_over(self) -> None:
        for job in await self._jobs.overdue():
            if job in self._tasks:
                continue
            run = next(self._names)
            what = await self._jobs.claim(job, run)
            if what is not None:
                self._begin(job, what, run)

    def _begin(self, job: str, what: str, run: str) -> None:
        task = asyncio.create_task(self._do(job, what, run))
        self._tasks[job] = task
        task.add_done_callback(lambda _: self._tasks.pop(job))

    async def _do(self, job: str, what: str, run: str) -> None:
        beating = asyncio.create_task(self._beat(job, run))
        try:
            await self._finish(job, run, await self._work(what))
        except STORE_IS_AWAY as error:
            log.warning("export %s is left to be taken over: %r", job, error)
        finally:
            beating.cancel()

    async def _finish(self, job: str, run: str, result: str) -> None:
        await self._jobs.finish(job, run, result)

    async def _beat(self, job: str, run: str) -> None:
        while True:
            await asyncio.sleep(LEASE_S / 3)
            try:
                await self._jobs.beat(job, run)
            except STORE_IS_AWAY as error:
                log.warning("export %s can't renew its lease: %r", job, error)


class HastyRunner(Runner):
    """The defect: with a lease far shorter than the work, others begin what is being done, and every run counts."""

    async def _finish(self, job: str, run: str, result: str) -> None:
        await self._jobs.finish_unasked(job, run, result)


async def export(what: str) -> str:
    """The work itself: 100 to 300 ms, the same for the same `what`."""
    await asyncio.sleep(0.1 + zlib.crc32(what.encode()) % 200 / 1000)
    return what


def choose(instance: Instance) -> tuple[Jobs, type[Runner]]:
    if instance.settings.exports is Place.MEMORY:
        return MemoryJobs(), Runner
    stores, hasty = instance.stores, Defect.EXPORT_TWICE in instance.settings.defects
    lease_s = HASTY_LEASE_S if hasty else LEASE_S
    jobs: Jobs
    if stores.in_redis:
        jobs = RedisJobs(stores.redis, lease_s=lease_s)
    else:
        jobs = SqlJobs(stores.database(SCHEMA), lease_s=lease_s)
    return jobs, HastyRunner if hasty else Runner


def routes(instance: Instance) -> Sequence[BaseRoute]:
    """Guests may export. The same Idempotency-Key asks for the same job, on every instance."""
    jobs, runner_kind = choose(instance)
    runner = runner_kind(jobs, instance.name, export)
    instance.in_background(runner.look_after_others)
    seen = Seen()

    async def submit(request: Request) -> Response:
        (what,) = await text_fields(request, "what")
        key = request.headers.get("idempotency-key")
        job = job_of(key, what)
        if job not in seen:
            await runner.submit(job, what)
            seen.add(job)
        return JSONResponse({"id": job}, status_code=202)

    async def poll(request: Request) -> Response:
        job = await jobs.read(request.path_params["job"])
        if job is None:
            raise HTTPException(404, "no such export")
        running = job.result is None
        return JSONResponse({"status": "running"} if running else {"status": "done", "result": job.result})

    async def ledger(request: Request) -> Response:
        return JSONResponse({"runs": await jobs.ledger(request.query_params.get("what", ""))})

    return [
        Route("/exports", submit, methods=["POST"]),
        Route("/exports/ledger", ledger),
        Route("/exports/{job}", poll),
    ]


def job_of(key: str | None, what: str) -> str:
    """The id of the job: new, or derived from the client's key, so that no instance can give it another one."""
    return hashlib.sha256(f"{key}\0{what}".encode()).hexdigest()[:32] if key else secrets.token_hex(16)
