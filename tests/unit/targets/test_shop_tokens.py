"""The shop's bearer tokens: good on every instance of the shop with one key, and what each defect does to that."""

import asyncio
import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from unit.targets.shop_visits import Visitor, instances

from targets.shop.revocations import shared
from targets.shop.settings import Settings, SettingsError
from targets.shop.stores import Stores
from targets.shop.tokens import kept_key

SECRET = {"SHOP_SECRET": "shared"}


async def mint(shop: Starlette, user: str = "ann") -> str:
    answer = await Visitor().ask(shop, "POST", "/tokens", {"user": user, "password": "pw"})
    assert answer.status == 201, answer
    return str(answer.json["token"])


async def whoami(shop: Starlette, token: str) -> tuple[int, str | None]:
    answer = await Visitor().ask(shop, "GET", "/whoami", authorization=f"Bearer {token}")
    return answer.status, answer.json.get("user")


async def revoke(shop: Starlette, token: str) -> int:
    return (await Visitor().ask(shop, "POST", "/tokens/revoke", authorization=f"Bearer {token}")).status


async def minted_here_used_everywhere(*envs: dict[str, str]) -> list[tuple[int, str | None]]:
    async with instances(*envs) as shops:
        token = await mint(shops[0])
        return [await whoami(shop, token) for shop in shops]


def readable(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))


async def one_token(env: dict[str, str]) -> str:
    async with instances(env) as (shop,):
        return await mint(shop)


def test_token_of_one_instance_is_good_on_another(shared_env: dict[str, str]) -> None:
    """They have one key, and who the subject is stands in the store that they share."""
    env = shared_env | SECRET
    assert asyncio.run(minted_here_used_everywhere(env, env)) == [(200, "ann"), (200, "ann")]


def test_token_of_a_key_per_process_is_refused_elsewhere(shared_env: dict[str, str]) -> None:
    """The defect: who starts anew has forgotten the key, and siblings never had it."""
    env = shared_env | SECRET | {"SHOP_DEFECT": "key-per-process"}
    assert asyncio.run(minted_here_used_everywhere(env, env)) == [(200, "ann"), (401, None)]


def test_token_of_a_key_per_instance_is_good_after_a_restart_only(shared_env: dict[str, str], tmp_path: Path) -> None:
    """The defect: the key is in the instance's own file, so a restart hides what another instance shows."""
    defect = shared_env | SECRET | {"SHOP_DEFECT": "key-per-instance"}
    one, other = (defect | {"SHOP_KEY_FILE": str(tmp_path / name)} for name in ("one", "other"))
    assert asyncio.run(minted_here_used_everywhere(one, one, other)) == [(200, "ann"), (200, "ann"), (401, None)]


def test_kept_key_made_by_two_processes_is_one(tmp_path: Path) -> None:
    """Whoever comes second reads what the first wrote, and nothing else is left behind."""
    file = tmp_path / "key"
    assert kept_key(file) == kept_key(file)
    assert list(tmp_path.iterdir()) == [file]


def test_key_per_instance_without_a_file_is_refused() -> None:
    """A common default would be a shared key, and so no defect."""
    with pytest.raises(SettingsError, match="needs SHOP_KEY_FILE"):
        Settings.from_environment({"SHOP_DEFECT": "key-per-instance"})


@pytest.mark.parametrize(("where", "elsewhere"), [("shared", 401), ("memory", 200)])
def test_token_revoked_on_one_instance(shared_env: dict[str, str], where: str, elsewhere: int) -> None:
    """Shared, a revocation is everywhere at once; in memory (the defect) only where it was said."""

    async def scenario() -> tuple[int, int, int, int, int]:
        env = shared_env | SECRET | {"SHOP_REVOCATIONS": where}
        async with instances(env, env) as (here, there):
            token, other = await mint(here), await mint(here)
            first, again = await revoke(here, token), await revoke(here, token)
            mine, theirs = (await whoami(here, token))[0], (await whoami(there, token))[0]
            return first, again, mine, theirs, (await whoami(there, other))[0]

    assert asyncio.run(scenario()) == (204, 401, 401, elsewhere, 200)


def test_good_token_tells_nothing_and_is_small(shared_env: dict[str, str]) -> None:
    """An opaque subject, an id and an end are all that it holds."""
    token = asyncio.run(one_token(shared_env | SECRET))
    assert sorted(readable(token)) == ["exp", "jti", "sub"]
    assert "ann" not in readable(token)["sub"]
    assert len(token) < 300


def test_personal_token_can_be_read_by_its_holder(shared_env: dict[str, str]) -> None:
    """The defect: signed is not sealed."""
    claims = readable(asyncio.run(one_token(shared_env | SECRET | {"SHOP_DEFECT": "personal-token"})))
    assert (claims["name"], claims["email"]) == ("ann", "ann@customers.example")


def test_fat_token_is_over_its_budget_and_still_good(shared_env: dict[str, str]) -> None:
    """The defect: more than 4 kB on each request."""
    env = shared_env | SECRET | {"SHOP_DEFECT": "fat-token"}
    assert len(asyncio.run(one_token(env))) > 4096
    assert asyncio.run(minted_here_used_everywhere(env, env)) == [(200, "ann"), (200, "ann")]


def test_token_that_is_forged_or_missing_or_asked_for_with_a_wrong_password_is_refused() -> None:
    """Only what the shop signed is taken."""

    async def scenario() -> list[int]:
        async with instances({"SHOP_SESSIONS": "sqlite", "SHOP_SQLITE": ":memory:"} | SECRET) as (shop,):
            header, payload, signature = (await mint(shop)).split(".")
            wrong = await Visitor().ask(shop, "POST", "/tokens", {"user": "ann", "password": "guess"})
            bare = await Visitor().ask(shop, "GET", "/whoami")
            forged = f"{header}.{payload}.{signature[::-1]}"
            return [wrong.status, bare.status, (await whoami(shop, forged))[0], (await whoami(shop, "x"))[0]]

    assert asyncio.run(scenario()) == [401, 401, 401, 401]


def test_instance_without_a_secret_has_no_tokens() -> None:
    """None are better than some that are good on one instance only."""

    async def scenario() -> int:
        async with instances({}) as (shop,):
            return (await Visitor().ask(shop, "POST", "/tokens", {"user": "ann", "password": "pw"})).status

    assert asyncio.run(scenario()) == 404


def test_id_revoked_by_two_instances_at_once_is_revoked_by_one(shared_env: dict[str, str]) -> None:
    """What is good once is used once: exactly one call is told that it was the first."""

    async def scenario() -> list[bool]:
        pair = [Stores(Settings.from_environment(shared_env)) for _ in range(2)]
        ids = [shared(stores) for stores in pair]
        told = await asyncio.gather(*(ids[number % 2].revoke("id", time.time() + 60) for number in range(6)))
        for stores in pair:
            await stores.close()
        return sorted(told)

    assert asyncio.run(scenario()) == [False] * 5 + [True]


@pytest.mark.parametrize(("where", "elsewhere"), [("shared", 401), ("memory", 200)])
def test_signed_session_after_its_logout(shared_env: dict[str, str], where: str, elsewhere: int) -> None:
    """A copy of the cookie, from before or after a change of the profile, is refused by each instance that was told."""

    async def scenario() -> tuple[list[int], list[int]]:
        kind = "hybrid" if "SHOP_REDIS_URL" in shared_env else "jwt"
        env = shared_env | SECRET | {"SHOP_SESSIONS": kind, "SHOP_REVOCATIONS": where}
        async with instances(env, env) as (here, there):
            visitor = Visitor()
            await visitor.login(here)
            before = visitor.cookie
            await visitor.ask(here, "PUT", "/profile", {"nickname": "annie"})
            copies = [Visitor(cookie=before), Visitor(cookie=visitor.cookie)]
            await visitor.ask(here, "POST", "/logout")
            mine = [(await copy.ask(here, "GET", "/me")).status for copy in copies]
            return mine, [(await copy.ask(there, "GET", "/me")).status for copy in copies]

    assert asyncio.run(scenario()) == ([401, 401], [elsewhere] * 2)
