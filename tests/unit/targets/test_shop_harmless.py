"""State that an instance may hold, and the one cache that it mayn't."""

import asyncio
from collections import Counter

import pytest
from unit.targets.shop_visits import Visitor, instances

from targets.shop import metrics
from targets.shop.duplicates import Seen
from targets.shop.metrics import Flusher, MemoryTotals


async def nicknames(env: dict[str, str]) -> list[str]:
    """What the second instance shows after each of three changes: two made elsewhere, then one of its own."""
    async with instances(env, env) as (here, there):
        visitor, seen = Visitor(), []
        await visitor.login(here)
        for number, shop in enumerate((here, here, there), 1):
            assert (await visitor.ask(shop, "PUT", "/profile", {"nickname": f"nick.{number}"})).status == 204
            seen.append((await visitor.ask(there, "GET", "/profile")).json["nickname"])
        return seen


@pytest.mark.parametrize(
    ("setting", "shown"),
    [
        ({}, ["nick.1", "nick.2", "nick.3"]),
        ({"SHOP_PROFILE_CACHE": "on"}, ["nick.1", "nick.2", "nick.3"]),
        ({"SHOP_DEFECT": "stale-cache"}, ["nick.1", "nick.1", "nick.3"]),
    ],
)
def test_profile_changed_on_another_instance_is_stale_only_without_validation(
    shared_env: dict[str, str], setting: dict[str, str], shown: list[str]
) -> None:
    """The stale cache is right on one instance alone, which is why nobody notices it before there are two."""
    assert asyncio.run(nicknames(shared_env | setting)) == shown


def test_cached_profile_of_an_ended_session_is_refused(shared_env: dict[str, str]) -> None:
    """A cache of pages is no cache of who may see them."""

    async def scenario() -> list[int]:
        env = shared_env | {"SHOP_PROFILE_CACHE": "on"}
        async with instances(env, env) as (here, there):
            visitor = Visitor()
            await visitor.login(here)
            cookie = visitor.cookie
            before = await visitor.ask(there, "GET", "/profile")
            await visitor.ask(here, "POST", "/logout")
            return [before.status, (await Visitor(cookie=cookie).ask(there, "GET", "/profile")).status]

    assert asyncio.run(scenario()) == [200, 401]


def test_metrics_of_two_instances_are_added_up(shared_env: dict[str, str]) -> None:
    """Nothing is in the store until a buffer is flushed; an instance that ends in order flushes its own."""

    async def scenario() -> list[dict[str, int]]:
        guest = Visitor()
        async with instances(shared_env) as (reader,):
            before = (await guest.ask(reader, "GET", "/metrics-lite")).json
            async with instances(shared_env, shared_env) as shops:
                for shop in (*shops, shops[0]):
                    await asyncio.sleep(0)
                    await guest.ask(shop, "POST", "/views/home")
            return [before, (await guest.ask(reader, "GET", "/metrics-lite")).json]

    assert asyncio.run(scenario()) == [{}, {"requests.post": 3}]


def test_metrics_that_the_store_did_not_take_are_kept_for_later() -> None:
    """A store that is away costs no count, and no request either."""

    class Away(MemoryTotals):
        async def add(self, counts: Counter[str]) -> None:
            raise ConnectionError

    buffer = Counter({"requests.get": 2})
    asyncio.run(Flusher(buffer, Away()).flush())
    assert buffer == {"requests.get": 2}
    totals = MemoryTotals()
    asyncio.run(Flusher(buffer, totals).flush())
    assert (buffer, asyncio.run(totals.read())) == ({}, {"requests.get": 2})


def test_views_are_each_instance_s_own_estimate(shared_env: dict[str, str]) -> None:
    """Declared as such: what one counted the other doesn't know."""

    async def scenario() -> list[object]:
        async with instances(shared_env, shared_env) as (here, there):
            guest = Visitor()
            for shop, view in ((here, "a"), (here, "a"), (there, "b")):
                await guest.ask(shop, "POST", f"/views/{view}")
            return [
                (await guest.ask(shop, "GET", f"/views{query}")).json["items"]
                for shop, query in ((here, ""), (there, "?v=a"))
            ]

    assert asyncio.run(scenario()) == [[{"view": "a", "count": 2}], []]


def test_filter_of_duplicates_forgets_the_oldest() -> None:
    """It may forget, so it need not grow."""
    seen = Seen(most=2)
    for key in ("a", "b", "c"):
        seen.add(key)
    assert [key in seen for key in "abc"] == [False, True, True]


def test_buffer_is_flushed_every_few_seconds_only() -> None:
    """A flush a request would make it a write like any other."""
    assert 1 <= metrics.FLUSH_S <= 10
