"""The shop's nightly job: over every shared ledger, each tick has one completed run, whoever dies."""

import asyncio
import time

import pytest
from unit.targets.shop_visits import Visitor, instances

from targets.shop import nightly
from targets.shop.nightly import CATCH_UP, EveryInstance, Ledger, RedisLedger, Run, Scheduler, SqlLedger, Timetable
from targets.shop.settings import Settings, SettingsError
from targets.shop.stores import Stores


def run_of(tick: int, name: str) -> Run:
    return Run(tick=tick, run=f"run-{name}-{tick}", instance=name)


def ledger_of(env: dict[str, str]) -> tuple[Stores, Ledger]:
    stores = Stores(Settings.from_environment(env))
    if stores.in_redis:
        return stores, RedisLedger(stores.redis)
    return stores, SqlLedger(stores.database(nightly.SCHEMA))


async def lease_is_over(lease_s: float) -> None:
    await asyncio.sleep(lease_s * 2)


async def claims(env: dict[str, str]) -> dict[str, object]:
    """What two instances get told about one tick, in the order of the story."""
    (mine, here), (theirs, there) = ledger_of(env), ledger_of(env)
    told: dict[str, object] = {
        "open to the first": await here.open_ticks(7),
        "claimed": await here.claim(run_of(7, "a"), 60),
        "claimed by another": await there.claim(run_of(7, "b"), 60),
        "still open": await there.open_ticks(7),
        "completed": await here.complete(run_of(7, "a")),
        "claimed afterwards": await there.claim(run_of(7, "c"), 60),
        "open afterwards": await there.open_ticks(7),
        "runs": await there.runs(),
    }
    await mine.close()
    await theirs.close()
    return told


def test_tick_claimed_by_one_instance_is_refused_to_another(shared_env: dict[str, str]) -> None:
    """One claims, and nobody else may, neither during the run nor after it."""
    assert asyncio.run(claims(shared_env)) == {
        "open to the first": [7],
        "claimed": True,
        "claimed by another": False,
        "still open": [7],
        "completed": True,
        "claimed afterwards": False,
        "open afterwards": [],
        "runs": [run_of(7, "a")],
    }


def test_claim_of_a_dead_runner_is_taken_over_and_its_late_end_does_not_count(shared_env: dict[str, str]) -> None:
    """The lease gives the tick free; a runner that was only paused records nothing."""

    async def scenario() -> tuple[bool, bool, bool, list[Run]]:
        stores, ledger = ledger_of(shared_env)
        await ledger.claim(run_of(7, "a"), 0.005)
        await lease_is_over(0.005)
        taken = await ledger.claim(run_of(7, "b"), 60)
        late, right = await ledger.complete(run_of(7, "a")), await ledger.complete(run_of(7, "b"))
        runs = await ledger.runs()
        await stores.close()
        return taken, late, right, runs

    assert asyncio.run(scenario()) == (True, False, True, [run_of(7, "b")])


def test_completed_tick_whose_lease_ran_out_is_refused(shared_env: dict[str, str]) -> None:
    """A lease is for those who didn't finish."""

    async def scenario() -> tuple[bool, list[Run]]:
        stores, ledger = ledger_of(shared_env)
        await ledger.claim(run_of(7, "a"), 0.5)
        await ledger.complete(run_of(7, "a"))
        if stores.in_redis:
            await stores.redis.delete("nightly:claim:7")
        else:
            await stores.database(nightly.SCHEMA).run("UPDATE nightly_claims SET until = 0")
        again = await ledger.claim(run_of(7, "b"), 60)
        runs = await ledger.runs()
        await stores.close()
        return again, runs

    assert asyncio.run(scenario()) == (False, [run_of(7, "a")])


def test_ticks_that_nobody_ran_are_open_until_they_are_too_old(shared_env: dict[str, str]) -> None:
    """After an outage of all instances the next one catches up, but not on a whole year."""

    async def scenario() -> tuple[list[int], list[int]]:
        stores, ledger = ledger_of(shared_env)
        await ledger.claim(run_of(100, "a"), 60)
        await ledger.complete(run_of(100, "a"))
        soon, late = await ledger.open_ticks(104), await ledger.open_ticks(1000)
        await stores.close()
        return soon, late

    assert asyncio.run(scenario()) == ([101, 102, 103, 104], list(range(1000 - CATCH_UP + 1, 1001)))


def scheduler(ledger: Ledger, name: str, now: list[float]) -> Scheduler:
    return Scheduler(ledger, Timetable(every_s=2, work_s=0, instance=name), lambda: now[0])


async def nights(env: dict[str, str], *, claim: bool) -> list[int]:
    """Five nights of three instances that all look at once; the ticks of the completed runs."""
    now, places = [100.0], [ledger_of(env) for _ in range(3)]
    ledgers = [ledger if claim else EveryInstance(ledger) for _, ledger in places]
    schedulers = [scheduler(ledger, f"i{number}", now) for number, ledger in enumerate(ledgers)]
    for _ in range(5):
        for _ in range(2):
            await asyncio.gather(*(each.look() for each in schedulers))
        now[0] += 2
    ticks = sorted(run.tick for run in await ledgers[0].runs())
    for stores, _ in places:
        await stores.close()
    return ticks


def test_scheduler_that_claims_runs_each_tick_once(shared_env: dict[str, str]) -> None:
    """However many instances look for work, and however often."""
    assert asyncio.run(nights(shared_env, claim=True)) == [50, 51, 52, 53, 54]


def test_scheduler_in_each_instance_runs_each_tick_as_often_as_there_are_instances(shared_env: dict[str, str]) -> None:
    """The defect: the ledger shows three of each."""
    assert asyncio.run(nights(shared_env, claim=False)) == sorted([50, 51, 52, 53, 54] * 3)


def test_runner_that_dies_at_work_leaves_its_tick_to_another(shared_env: dict[str, str]) -> None:
    """Nothing is recorded of the run that was cut off, and the tick isn't missed."""

    async def scenario() -> list[tuple[int, str]]:
        now, (stores, ledger) = [100.0], ledger_of(shared_env)
        dying = Scheduler(ledger, Timetable(every_s=0.02, work_s=60, instance="dying"), lambda: now[0])
        task = asyncio.create_task(dying.look())
        tick = int(now[0] // 0.02)
        deadline = time.monotonic() + 5
        while not await ledger_is_claimed(ledger, tick):
            assert time.monotonic() < deadline, "waited 5 s for the claim of the runner that is to die"
        task.cancel()
        await lease_is_over(0.05)
        heir = Scheduler(ledger, Timetable(every_s=0.02, work_s=0, instance="heir"), lambda: now[0])
        await heir.look()
        runs = await ledger.runs()
        await stores.close()
        return [(run.tick - tick, run.instance) for run in runs]

    assert asyncio.run(scenario()) == [(0, "heir")]


async def ledger_is_claimed(ledger: Ledger, tick: int) -> bool:
    """Asked without claiming: before the first claim only the newest tick is open."""
    await asyncio.sleep(0)
    return tick in await ledger.open_ticks(tick + 1)


@pytest.mark.parametrize(("where", "per_tick"), [("shared", 1), ("memory", 2)])
def test_runs_over_http_by_two_instances(shared_env: dict[str, str], where: str, per_tick: int) -> None:
    """The job runs beside the requests, and any instance shows the ledger."""

    async def scenario() -> list[int]:
        # Ticks so long that none ends while we look: the current one is run at the start.
        env = shared_env | {"SHOP_NIGHTLY_EVERY_S": "100000", "SHOP_NIGHTLY_WORK_S": "0", "SHOP_NIGHTLY": where}
        async with instances(env, env) as shops:
            deadline = time.monotonic() + 5
            while len(runs := (await Visitor().ask(shops[0], "GET", "/nightly/runs")).json["runs"]) < per_tick:
                await asyncio.sleep(0)
                assert time.monotonic() < deadline, f"waited 5 s for {per_tick} runs; last seen: {runs}"
            assert runs == (await Visitor().ask(shops[1], "GET", "/nightly/runs")).json["runs"]
            return [run["tick"] for run in runs]

    ticks = asyncio.run(scenario())
    assert len(ticks) == per_tick
    assert len(set(ticks)) == 1


def test_work_longer_than_its_lease_is_refused() -> None:
    """Another instance would take each run over before it is done, for ever."""
    with pytest.raises(SettingsError, match="less than half of SHOP_NIGHTLY_EVERY_S"):
        Settings.from_environment({"SHOP_NIGHTLY_EVERY_S": "2", "SHOP_NIGHTLY_WORK_S": "1"})
