"""The cart, over HTTP and over every place where it can live: two instances have one cart, or each its own."""

import asyncio
from collections.abc import Mapping

from starlette.applications import Starlette
from unit.targets.shop_visits import Visitor, instances

LOCAL = {"SHOP_CART": "memory"}


async def add(shop: Starlette, visitor: Visitor, sku: str) -> None:
    assert (await visitor.ask(shop, "POST", "/cart", {"sku": sku})).status == 201


async def remove(shop: Starlette, visitor: Visitor, sku: str) -> None:
    assert (await visitor.ask(shop, "DELETE", f"/cart/{sku}")).status == 204


async def items(shop: Starlette, visitor: Visitor) -> list[str]:
    answer = await visitor.ask(shop, "GET", "/cart")
    assert answer.status == 200
    return list(answer.json["items"])


async def one_visit(env: Mapping[str, str]) -> list[str]:
    """Twice the same article, one that isn't there removed, one removed: all on one instance."""
    async with instances(env) as (shop,):
        visitor = Visitor()
        await visitor.login(shop)
        for sku in ("b", "a", "a", "c"):
            await add(shop, visitor, sku)
        for sku in ("c", "unknown"):
            await remove(shop, visitor, sku)
        return await items(shop, visitor)


def test_cart_on_one_instance_is_a_set(shared_env: dict[str, str]) -> None:
    """Whoever has one instance can't tell the two kinds apart."""
    assert asyncio.run(one_visit(shared_env)) == ["a", "b"]
    assert asyncio.run(one_visit(shared_env | LOCAL)) == ["a", "b"]


def test_shared_cart_filled_through_two_instances_at_once_is_whole(shared_env: dict[str, str]) -> None:
    """Articles are added and removed one by one, so no instance overwrites what another did meanwhile."""

    async def scenario() -> list[str]:
        async with instances(shared_env, shared_env) as shops:
            visitor = Visitor()
            await visitor.login(shops[0])
            await asyncio.gather(*(add(shops[n % 2], visitor, f"sku.{n:02}") for n in range(40)))
            await asyncio.gather(*(remove(shops[n % 3 % 2], visitor, f"sku.{n:02}") for n in range(0, 40, 2)))
            assert await items(shops[0], visitor) == await items(shops[1], visitor)
            return await items(shops[0], visitor)

    assert asyncio.run(scenario()) == [f"sku.{n:02}" for n in range(1, 40, 2)]


def test_memory_cart_filled_through_two_instances_is_in_two_parts(shared_env: dict[str, str]) -> None:
    """The defect: each instance knows what it was told itself."""

    async def scenario() -> tuple[list[str], list[str]]:
        async with instances(shared_env | LOCAL, shared_env | LOCAL) as (here, there):
            visitor = Visitor()
            await visitor.login(here)
            await add(here, visitor, "a")
            await add(there, visitor, "b")
            return await items(here, visitor), await items(there, visitor)

    assert asyncio.run(scenario()) == (["a"], ["b"])


def test_cart_of_another_user_is_another(shared_env: dict[str, str]) -> None:
    """Users see their own, and guests none."""

    async def scenario() -> tuple[list[str], int]:
        async with instances(shared_env) as (shop,):
            ann, bob = Visitor(), Visitor()
            await ann.login(shop, "ann")
            await bob.login(shop, "bob")
            await add(shop, ann, "a")
            return await items(shop, bob), (await Visitor().ask(shop, "GET", "/cart")).status

    assert asyncio.run(scenario()) == ([], 401)
