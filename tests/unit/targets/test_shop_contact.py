"""The shop's contact form and its one-time token, and the global that gives one user another's name."""

import asyncio
import re
from urllib.parse import urlencode

import pytest
from starlette.applications import Starlette
from unit.targets.shop_visits import Visitor, instances

from targets.shop import contact
from targets.shop.contact import SignedFormTokens
from targets.shop.revocations import MemoryRevocations

SECRET = {"SHOP_SECRET": "shared"}


async def fetch(shop: Starlette, visitor: Visitor) -> str:
    """The hidden token of a fresh form."""
    answer = await visitor.ask(shop, "GET", "/contact")
    found = re.search(r'name="csrf" value="([^"]+)"', answer.body.decode())
    assert found, answer
    return found[1]


async def send(shop: Starlette, visitor: Visitor, token: str, message: str = "hello run.1.2") -> int:
    body = urlencode({"message": message, "csrf": token}).encode()
    return (await visitor.ask(shop, "POST", "/contact", body=body)).status


async def sought(shop: Starlette, query: str) -> list[str]:
    answer = await Visitor().ask(shop, "GET", f"/contact/messages?q={query}")
    return [item["text"] for item in answer.json["items"]]


@pytest.mark.parametrize(
    ("where", "status", "found"), [("shared", 303, ["hello run.1.2"]), ("memory", 403, [])], ids=["shared", "memory"]
)
def test_form_fetched_on_one_instance_and_sent_to_another(
    shared_env: dict[str, str], where: str, status: int, found: list[str]
) -> None:
    """Signed, any instance knows the token for one of theirs; in memory (the defect) only the one that gave it out."""

    async def scenario() -> tuple[int, list[str]]:
        env = shared_env | SECRET | {"SHOP_FORMS": where}
        async with instances(env, env) as (here, there):
            visitor = Visitor()
            await visitor.login(here)
            answer = await send(there, visitor, await fetch(here, visitor))
            return answer, await sought(here, "run.1.2")

    assert asyncio.run(scenario()) == (status, found)


@pytest.mark.parametrize("where", ["shared", "memory"])
def test_form_token_is_good_once_and_for_its_user(shared_env: dict[str, str], where: str) -> None:
    """Neither a second press of the button nor another user's page gets anything in."""

    async def scenario() -> list[int]:
        async with instances(shared_env | SECRET | {"SHOP_FORMS": where}) as (shop,):
            ann, guest = Visitor(), Visitor()
            await ann.login(shop)
            token, other = await fetch(shop, ann), await fetch(shop, ann)
            statuses = [await send(shop, ann, token), await send(shop, ann, token), await send(shop, guest, other)]
            return [*statuses, await send(shop, ann, "made.1.up"), await send(shop, ann, "")]

    assert asyncio.run(scenario()) == [303, 403, 403, 403, 400]


def test_form_token_sent_to_two_instances_at_once_is_taken_by_one(shared_env: dict[str, str]) -> None:
    """One-time holds across instances, not only on each."""

    async def scenario() -> tuple[list[int], int]:
        env = shared_env | SECRET
        async with instances(env, env) as shops:
            token = await fetch(shops[0], Visitor())
            sent = await asyncio.gather(*(send(shops[number % 2], Visitor(), token) for number in range(6)))
            return sorted(sent), len(await sought(shops[0], "run.1.2"))

    assert asyncio.run(scenario()) == ([303] + [403] * 5, 1)


def test_signed_form_token_over_its_time_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else each would have to be remembered for ever."""
    monkeypatch.setattr(contact, "FORM_TTL_S", -1)

    async def scenario() -> bool:
        tokens = SignedFormTokens("secret", MemoryRevocations())
        return await tokens.redeem(await tokens.issue("user ann"), "user ann")

    assert asyncio.run(scenario()) is False


def test_messages_and_reviews_are_kept_apart(shared_env: dict[str, str]) -> None:
    """They live in the same store under two names."""

    async def scenario() -> tuple[list[str], list[str]]:
        async with instances(shared_env | SECRET) as (shop,):
            await Visitor().ask(shop, "POST", "/reviews", {"text": "good shoes"})
            await send(shop, Visitor(), await fetch(shop, Visitor()), "no shoes came")
            reviews = (await Visitor().ask(shop, "GET", "/reviews?q=shoes")).json["items"]
            return await sought(shop, "shoes"), [item["text"] for item in reviews]

    assert asyncio.run(scenario()) == (["no shoes came"], ["good shoes"])


async def names_seen(env: dict[str, str]) -> list[tuple[str, str]]:
    """(who asked, whose name came) of users who ask one instance at the same time."""

    async def ask(shop: Starlette, user: str) -> tuple[str, str]:
        visitor = Visitor()
        await visitor.login(shop, user)
        return user, (await visitor.ask(shop, "GET", "/me")).json["user"]

    async with instances(env) as (shop,):
        return list(await asyncio.gather(*(ask(shop, user) for user in ("ann", "bob", "eve"))))


def test_global_user_under_parallel_requests_is_another_users_name() -> None:
    """The defect: all wait, and all read what the last one wrote."""
    seen = asyncio.run(names_seen({"SHOP_DEFECT": "leaky-global"}))
    assert len({name for _, name in seen}) == 1


def test_global_user_of_one_request_at_a_time_is_right_and_a_guest_is_refused() -> None:
    """Which is why nobody found it before it went live."""

    async def scenario() -> tuple[list[str], int]:
        async with instances({"SHOP_DEFECT": "leaky-global"}) as (shop,):
            names = []
            for user in ("ann", "bob"):
                visitor = Visitor()
                await visitor.login(shop, user)
                names.append((await visitor.ask(shop, "GET", "/me")).json["user"])
            return names, (await Visitor().ask(shop, "GET", "/me")).status

    assert asyncio.run(scenario()) == (["ann", "bob"], 401)


def test_user_without_the_defect_under_parallel_requests_is_right(shared_env: dict[str, str]) -> None:
    """The same requests on the good shop."""
    assert all(asked == name for asked, name in asyncio.run(names_seen(shared_env)))
