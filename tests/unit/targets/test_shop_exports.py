"""Export jobs: what is left of one when its runner dies, in every place where jobs can live."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from unit.targets.shop_visits import Visitor, instances

from targets.shop import exports
from targets.shop.export_jobs import LEASE_S, SCHEMA, Job, Jobs, MemoryJobs, RedisJobs, SqlJobs
from targets.shop.exports import HastyRunner, Runner
from targets.shop.settings import Settings
from targets.shop.stores import Stores


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


Scenario = Callable[[Jobs, Jobs, Clock], Awaitable[object]]


def play(env: dict[str, str], scenario: Scenario) -> object:
    """Runs the scenario with the jobs of two instances and their clock."""

    async def played() -> object:
        clock = Clock()
        stores = [Stores(Settings.from_environment(env)) for _ in range(2)]
        here, there = (
            RedisJobs(store.redis, clock) if store.in_redis else SqlJobs(store.database(SCHEMA), clock)
            for store in stores
        )
        try:
            return await scenario(here, there, clock)
        finally:
            for store in stores:
                await store.close()

    return asyncio.run(played())


async def whole_life(here: Jobs, there: Jobs, clock: Clock) -> object:
    made = [await here.create("j", "v", "run.1"), await there.create("j", "v", "run.2")]
    before = await there.read("j")
    finished = await here.finish("j", "run.1", "result")
    return made, before, finished, await there.read("j"), await there.ledger("v"), await there.read("unknown")


LIFE = ([True, False], Job(what="v", result=None), True, Job(what="v", result="result"), ["run.1"], None)


def test_job_done_by_its_first_run_is_the_same_everywhere(shared_env: dict[str, str]) -> None:
    """Made once, running, then done, with one run in the ledger, as the other instance sees it."""
    assert play(shared_env, whole_life) == LIFE


def test_job_in_memory_lives_the_same_life_on_its_own_instance() -> None:
    """The same protocol: nobody sees the difference without a second instance."""
    jobs = MemoryJobs()
    assert asyncio.run(_life_of(jobs)) == LIFE


async def _life_of(jobs: Jobs) -> object:
    return await whole_life(jobs, jobs, Clock())


def test_job_with_a_live_runner_is_left_to_it(shared_env: dict[str, str]) -> None:
    """A lease that is renewed doesn't run out."""

    async def scenario(here: Jobs, there: Jobs, clock: Clock) -> object:
        await here.create("j", "v", "run.1")
        for _ in range(3):
            clock.now += 0.8 * LEASE_S
            await here.beat("j", "run.1")
        clock.now += 0.8 * LEASE_S
        return await there.overdue(), await there.claim("j", "run.2")

    assert play(shared_env, scenario) == ([], None)


def test_job_of_a_dead_runner_is_taken_over_by_one(shared_env: dict[str, str]) -> None:
    """Of many that try at once, one gets it."""

    async def scenario(here: Jobs, there: Jobs, clock: Clock) -> object:
        await here.create("j", "v", "run.1")
        clock.now += 1.1 * LEASE_S
        assert await there.overdue() == ["j"]
        got = await asyncio.gather(*((here, there)[n % 2].claim("j", f"run.{n}") for n in range(2, 12)))
        return sorted(what for what in got if what is not None), await here.overdue()

    assert play(shared_env, scenario) == (["v"], [])


def test_runner_that_was_thought_dead_writes_no_second_result(shared_env: dict[str, str]) -> None:
    """A paused process that wakes up is too late, whether the other one is done or not; and a result stays."""

    async def scenario(here: Jobs, there: Jobs, clock: Clock) -> object:
        await here.create("j", "v", "run.1")
        clock.now += 1.1 * LEASE_S
        await there.claim("j", "run.2")
        early = await here.finish("j", "run.1", "old")
        await here.beat("j", "run.1")
        done = await there.finish("j", "run.2", "new")
        late = await here.finish("j", "run.1", "old")
        clock.now += 9 * LEASE_S
        return early, done, late, await here.overdue(), await here.read("j"), await here.ledger("v")

    assert play(shared_env, scenario) == (False, True, False, [], Job(what="v", result="new"), ["run.2"])


def test_claim_and_finish_that_are_sent_twice_count_once(shared_env: dict[str, str]) -> None:
    """A client sends a command again when its answer was lost."""

    async def scenario(here: Jobs, there: Jobs, clock: Clock) -> object:
        await here.create("j", "v", "run.1")
        finished = [await here.finish("j", "run.1", "result") for _ in range(2)]
        return finished, await here.ledger("v")

    assert play(shared_env, scenario) == ([True, True], ["run.1"])


def test_export_whose_instance_dies_is_finished_by_another(shared_env: dict[str, str]) -> None:
    """The runner that takes over does all the work again and leaves one run in the ledger."""

    async def never(what: str) -> str:
        await asyncio.Event().wait()
        return what

    async def at_once(what: str) -> str:
        return f"{what} exported"

    async def scenario(here: Jobs, there: Jobs, clock: Clock) -> object:
        dying, living = Runner(here, "dying", never), Runner(there, "living", at_once)
        await dying.submit("j", "v")
        await living.take_over()
        early = await there.read("j")
        clock.now += 1.1 * LEASE_S
        await living.take_over()
        await drained(living)
        return early, await there.read("j"), await there.ledger("v")

    expected = Job(what="v", result=None), Job(what="v", result="v exported"), ["living-1"]
    assert play(shared_env, scenario) == expected


def test_export_of_hasty_runners_is_run_twice_by_two_instances_and_once_by_one(shared_env: dict[str, str]) -> None:
    """The defect: a job whose lease ran out too soon is begun elsewhere, and each run counts; alone none does."""
    gate = asyncio.Event()

    async def when_told(what: str) -> str:
        await gate.wait()
        return what

    async def scenario(here: Jobs, there: Jobs, clock: Clock) -> object:
        first, second = HastyRunner(here, "first", when_told), HastyRunner(there, "second", when_told)
        await first.submit("j", "v")
        clock.now += 2 * LEASE_S
        await first.take_over()
        await second.take_over()
        gate.set()
        await drained(first)
        await drained(second)
        return await here.read("j"), await here.ledger("v")

    assert play(shared_env, scenario) == (Job(what="v", result="v"), ["first-1", "second-1"])


async def drained(runner: Runner) -> None:
    """Until what the runner began is done: its loop, cancelled at once, waits for that."""
    loop = asyncio.create_task(runner.look_after_others())
    await asyncio.sleep(0)
    loop.cancel()
    with suppress(asyncio.CancelledError):
        await loop


async def export_on_two(env: dict[str, str], gate: asyncio.Event) -> tuple[set[str], list[int], int]:
    """The ids of one export asked for on both instances under one key, what the second says of it, and the runs."""
    async with instances(env, env) as (here, there):
        guest = Visitor()
        asked = [
            await guest.ask(shop, "POST", "/exports", {"what": "v"}, idempotency_key="key")
            for shop in (here, there, here)
        ]
        assert {answer.status for answer in asked} == {202}
        ids = {answer.json["id"] for answer in asked}
        polls = [(await guest.ask(there, "GET", f"/exports/{job}")).json.get("status") for job in (*ids, "unknown")]
        gate.set()
        for _ in range(2000):
            runs = (await guest.ask(there, "GET", "/exports/ledger?what=v")).json["runs"]
            if runs:
                break
            await asyncio.sleep(0.001)
        return ids, polls, len(runs)


def test_same_key_on_two_instances_is_one_job_with_one_run(
    shared_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The local filter of duplicates is no state that matters: the id is derived from the key."""

    gate = asyncio.Event()

    async def when_told(what: str) -> str:
        await gate.wait()
        return what

    monkeypatch.setattr(exports, "export", when_told)
    ids, polls, runs = asyncio.run(export_on_two(shared_env, gate))
    assert (len(ids), polls, runs) == (1, ["running", None], 1)


def test_export_in_memory_polled_on_another_instance_is_unknown() -> None:
    """The defect: the result is where the work was done."""

    async def scenario() -> list[int]:
        async with instances({}, {}) as (here, there):
            guest = Visitor()
            job = (await guest.ask(here, "POST", "/exports", {"what": "v"})).json["id"]
            return [(await guest.ask(shop, "GET", f"/exports/{job}")).status for shop in (here, there)]

    assert asyncio.run(scenario()) == [200, 404]
