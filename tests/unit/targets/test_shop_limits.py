"""The shop's rate limit: the arithmetic, every limiter against it, and what two instances admit together."""

import asyncio
import random
from collections.abc import Callable

import pytest
from unit.targets.shop_visits import Visitor, instances

from targets.shop import limiter
from targets.shop.limiter import Limiter, MemoryLimiter, RedisLimiter, SqlLimiter
from targets.shop.limits import Limit, Window
from targets.shop.settings import Settings, SettingsError
from targets.shop.stores import Stores

Shared = Callable[[Limit, Callable[[], float]], Limiter]
LIMITS = [
    Limit(allow=3, window_s=2.0, kind=Window.SLIDING, burst=3),
    Limit(allow=3, window_s=2.0, kind=Window.FIXED, burst=3),
    Limit(allow=3, window_s=2.0, kind=Window.BUCKET, burst=5),
]


def by_kind(limit: Limit) -> str:
    return limit.kind.value


def shared_limiter(stores: Stores, limit: Limit, clock: Callable[[], float]) -> Limiter:
    if stores.in_redis:
        return RedisLimiter(limit, stores.redis, clock)
    return SqlLimiter(limit, stores.database(limiter.SCHEMA), clock)


def times(seed: int) -> list[float]:
    """Arrivals in clumps and after pauses; eighths of seconds, so that sums are exact and edges are hit."""
    drawn, now = random.Random(seed), 1000.0
    arrivals = []
    for _ in range(120):
        now += drawn.choice([0, 0, 1, 2, 3, 8, 20]) / 8
        arrivals.append(now)
    return arrivals


def most_admitted(limit: Limit, arrivals: list[float]) -> int:
    """In the worst stretch (for FIXED: the worst aligned one) of a window's length, by brute force."""
    if limit.kind is Window.FIXED:
        return max(sum(at // limit.window_s == edge // limit.window_s for at in arrivals) for edge in arrivals)
    return max(sum(start <= at < start + limit.window_s for at in arrivals) for start in arrivals)


async def admissions(of: Limiter, arrivals: list[float], now: list[float]) -> list[bool]:
    answers = []
    for at in arrivals:
        now[0] = at
        answers.append(await of.wait_s("ann") == 0)
    return answers


@pytest.mark.parametrize("limit", LIMITS, ids=by_kind)
def test_limit_under_clumps_admits_its_bound_and_no_more(limit: Limit) -> None:
    """No window has more than it may (a bucket: its burst and what refills meanwhile), and the bound is reached."""
    now = [0.0]
    for seed in range(20):
        arrivals = times(seed)
        answers = asyncio.run(admissions(MemoryLimiter(limit, lambda: now[0]), arrivals, now))
        admitted = [at for at, ok in zip(arrivals, answers, strict=True) if ok]
        bound = limit.allow + (limit.burst if limit.kind is Window.BUCKET else 0)
        assert limit.allow <= most_admitted(limit, admitted) <= bound


@pytest.mark.parametrize("limit", LIMITS, ids=by_kind)
def test_wait_after_refusal_is_exactly_long_enough(limit: Limit) -> None:
    """Just before it is over the user is refused again, at its end admitted."""
    now = [1000.25]
    of = MemoryLimiter(limit, lambda: now[0])

    async def scenario() -> tuple[bool, bool]:
        while not (wait_s := await of.wait_s("ann")):
            pass
        start = now[0]
        now[0] = start + wait_s - 0.01
        early = await of.wait_s("ann") == 0
        now[0] = start + wait_s + 1e-9
        return early, await of.wait_s("ann") == 0

    assert asyncio.run(scenario()) == (False, True)


@pytest.mark.parametrize("limit", LIMITS, ids=by_kind)
def test_shared_limiter_on_two_instances_decides_like_one_in_memory(shared_env: dict[str, str], limit: Limit) -> None:
    """Whichever of two instances is asked, the answers are those of one process that hears everything."""
    now, arrivals = [0.0], times(7)

    async def scenario() -> list[bool]:
        pair = [Stores(Settings.from_environment(shared_env)) for _ in range(2)]
        limiters = [shared_limiter(stores, limit, lambda: now[0]) for stores in pair]
        answers = []
        for number, at in enumerate(arrivals):
            answers += await admissions(limiters[number % 3 % 2], [at], now)
        for stores in pair:
            await stores.close()
        return answers

    expected = asyncio.run(admissions(MemoryLimiter(limit, lambda: now[0]), arrivals, now))
    assert asyncio.run(scenario()) == expected


LIMIT_S = 60.0


async def searches(env: dict[str, str], count: int) -> list[int]:
    """The statuses of `count` searches of one user at the same time, half of them on each of two instances."""
    async with asyncio.timeout(LIMIT_S), instances(env, env) as shops:
        visitor = Visitor()
        await visitor.login(shops[0])
        asked = (visitor.ask(shops[number % 2], "GET", "/search?q=a") for number in range(count))
        return [answer.status for answer in await asyncio.gather(*asked)]


@pytest.mark.parametrize("kind", [kind.value for kind in Window])
def test_shared_limit_under_parallel_searches_is_kept_by_two_instances(shared_env: dict[str, str], kind: str) -> None:
    """None of the requests that race for the last place gets it twice."""
    env = shared_env | {"SHOP_LIMIT": "5 per 100s", "SHOP_LIMIT_WINDOW": kind}
    assert sorted(asyncio.run(searches(env, 20))) == [200] * 5 + [429] * 15


def test_memory_limit_on_two_instances_admits_twice_as_many(shared_env: dict[str, str]) -> None:
    """The defect: each counts for itself."""
    env = shared_env | {"SHOP_LIMIT": "5 per 100s", "SHOP_LIMITER": "memory"}
    assert asyncio.run(searches(env, 20)).count(200) == 10


def test_search_over_the_limit_says_when_to_return_and_spares_others(shared_env: dict[str, str]) -> None:
    """Counted are users by name, and guests by their address."""

    async def scenario() -> tuple[list[int], str, int, int]:
        async with instances(shared_env | {"SHOP_LIMIT": "1 per 100s"}) as (shop,):
            ann, bob = Visitor(), Visitor()
            await ann.login(shop, "ann")
            await bob.login(shop, "bob")
            answers = [await ann.ask(shop, "GET", "/search?q=a") for _ in range(2)]
            guest, other = await Visitor().ask(shop, "GET", "/search"), await bob.ask(shop, "GET", "/search")
            return [each.status for each in answers], answers[1].headers["retry-after"], guest.status, other.status

    statuses, retry_after, guest, other = asyncio.run(scenario())
    assert statuses == [200, 429]
    assert 98 <= int(retry_after) <= 100
    assert (guest, other) == (200, 200)


def test_search_without_a_limit_finds_reviews(shared_env: dict[str, str]) -> None:
    """The limit is off unless a setting names one, and a search is a search of the reviews."""

    async def scenario() -> list[str]:
        async with instances(shared_env) as (shop,):
            await Visitor().ask(shop, "POST", "/reviews", {"text": "good shoes"})
            found = [await Visitor().ask(shop, "GET", "/search?q=shoes") for _ in range(20)]
            return [each.json["items"][0]["text"] for each in found]

    assert asyncio.run(scenario()) == ["good shoes"] * 20


@pytest.mark.parametrize("text", ["5", "0 per 2s", "5 per 0s", "5 per s", "5 per 2"])
def test_limit_that_cannot_be_read_is_refused(text: str) -> None:
    """A limiter with a limit of its own invention would be worse than none."""
    with pytest.raises(SettingsError, match="is not of the form 5 per 2s"):
        Settings.from_environment({"SHOP_LIMIT": text})
