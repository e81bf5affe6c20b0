"""The shop's variants, two instances at a time: what one acknowledges the other knows, except in memory."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.types import Message, Receive, Scope, Send

from targets.shop import bodies, revocations, sessions, wiring
from targets.shop.defects import EveryNthFails, WriteBehindReviews, WriteBehindStore
from targets.shop.reviews import MemoryReviews, Reviews, new_review
from targets.shop.revocations import MemoryRevocations
from targets.shop.sessions import MemoryStore, Session, Sessions, SignedToken
from targets.shop.settings import Place, Settings, SettingsError, Shared
from targets.shop.stores import Stores

Pair = tuple[tuple[Sessions, Reviews], tuple[Sessions, Reviews]]
Pairs = Callable[[str], Pair]


@pytest.fixture
def pairs(tmp_path: Path) -> Pairs:
    """Two instances of a variant, wired as two processes with the same settings would be."""

    def pair(variant: str) -> Pair:
        env = {"SHOP_SQLITE": str(tmp_path / "shop.sqlite"), "SHOP_SECRET": "shared"}
        if variant == "hybrid":
            return hybrid_on_sqlite(env), hybrid_on_sqlite(env)
        return halves(env | {"SHOP_SESSIONS": variant}), halves(env | {"SHOP_SESSIONS": variant})

    return pair


def halves(env: dict[str, str]) -> tuple[Sessions, Reviews]:
    instance = wiring.wire(Settings.from_environment(env))
    return instance.sessions, instance.reviews


def hybrid_on_sqlite(env: dict[str, str]) -> tuple[Sessions, Reviews]:
    """The hybrid half with the embedded store in the place of Redis."""
    settings = Settings.from_environment(env | {"SHOP_SESSIONS": "sqlite"})
    stores = Stores(settings)
    store, revoked = wiring.session_store(settings, stores), revocations.choose(settings, stores)
    return sessions.Hybrid(settings.secret, store, revoked), wiring.reviews(settings, stores)


async def read_elsewhere(pair: Pair) -> tuple[Session | None, Session | None]:
    """Logs in and sets the nickname on the first instance; the session as the first and as the second see it."""
    (here, _), (there, _) = pair
    cookie = await here.open("ann")
    cookie = await here.save(cookie, Session(user="ann", nickname="nick"))
    return await here.read(cookie), await there.read(cookie)


@pytest.mark.parametrize("variant", ["sqlite", "jwt", "hybrid"])
def test_stateless_session_read_on_another_instance_is_whole(pairs: Pairs, variant: str) -> None:
    """Any instance continues a session that another began."""
    expected = Session(user="ann", nickname="nick")
    assert asyncio.run(read_elsewhere(pairs(variant))) == (expected, expected)


def test_memory_session_read_on_another_instance_is_unknown(pairs: Pairs) -> None:
    """The defect that the two memory plans must find."""
    assert asyncio.run(read_elsewhere(pairs("memory"))) == (Session(user="ann", nickname="nick"), None)


@pytest.mark.parametrize(
    ("variant", "found"), [("memory", []), ("sqlite", ["good run.1.2"]), ("jwt", ["good run.1.2"])]
)
def test_review_sought_on_another_instance(pairs: Pairs, variant: str, found: list[str]) -> None:
    """Reviews are found by a word of theirs, on every instance that shares their place."""

    async def scenario() -> list[str]:
        (_, here), (_, there) = pairs(variant)
        await here.add(new_review("good run.1.2"))
        await here.add(new_review("bad run.1.20"))
        return [review.text for review in await there.find("run.1.2")]

    assert asyncio.run(scenario()) == found


@pytest.mark.parametrize("variant", ["memory", "sqlite"])
def test_review_search_without_match_is_empty(pairs: Pairs, variant: str) -> None:
    """The search shows what was written, never what was asked for; without words it shows the newest first."""

    async def scenario() -> tuple[int, list[str]]:
        reviews = pairs(variant)[0][1]
        for text in ("first one", "second one"):
            await reviews.add(new_review(text))
        return len(await reviews.find("unwritten")), [review.text for review in await reviews.find("")]

    assert asyncio.run(scenario()) == (0, ["second one", "first one"])


@pytest.mark.parametrize("variant", ["memory", "sqlite"])
def test_closed_session_is_refused_everywhere(pairs: Pairs, variant: str) -> None:
    """A server-side session ends at the logout, on every instance."""

    async def scenario() -> tuple[Session | None, Session | None]:
        (here, _), (there, _) = pairs(variant)
        cookie = await here.open("ann")
        await here.close(cookie)
        return await here.read(cookie), await there.read(cookie)

    assert asyncio.run(scenario()) == (None, None)


@pytest.mark.parametrize("variant", ["sqlite", "jwt", "hybrid"])
def test_expired_session_is_refused(pairs: Pairs, variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No session outlives its time to live."""
    monkeypatch.setattr(sessions, "TTL_S", -10)
    assert asyncio.run(read_elsewhere(pairs(variant))) == (None, None)


def test_token_of_another_key_is_refused() -> None:
    """A key per process is state: what one signs the other takes for a forgery."""

    async def scenario() -> Session | None:
        mine, theirs = SignedToken("one", MemoryRevocations()), SignedToken("other", MemoryRevocations())
        return await mine.read(await theirs.open("ann"))

    assert asyncio.run(scenario()) is None


def test_token_with_the_longest_names_fits_into_a_cookie() -> None:
    """Clients drop cookies over 4096 bytes, silently."""
    longest = "\N{SNOWMAN}" * bodies.LONGEST_NAME
    cookie = asyncio.run(SignedToken("key", MemoryRevocations()).save("", Session(user=longest, nickname=longest)))
    assert len(cookie) < 4000


def test_write_behind_acknowledges_before_the_store_has_it() -> None:
    """The writer's own instance hides it; the store, and so everybody else, learns of it later."""

    async def scenario() -> tuple[Session | None, Session | None, Session | None]:
        inner = MemoryStore()
        behind = WriteBehindStore(inner, delay_s=0)
        await behind.put("id", Session(user="ann"))
        own, others = await behind.get("id"), await inner.get("id")
        for _ in range(5):
            await asyncio.sleep(0)
        return own, others, await inner.get("id")

    assert asyncio.run(scenario()) == (Session(user="ann"), None, Session(user="ann"))


def test_write_behind_review_is_found_elsewhere_only_after_its_delay() -> None:
    """A review that was acknowledged but not yet kept is in the memory of one instance, and shown once by it."""

    async def scenario() -> tuple[int, int, int, int]:
        shared = MemoryReviews()
        behind = WriteBehindReviews(shared, delay_s=0)
        await behind.add(new_review("good"))
        at_once = len(await behind.find("good")), len(await shared.find("good"))
        for _ in range(5):
            await asyncio.sleep(0)
        return *at_once, len(await behind.find("good")), len(await shared.find("good"))

    assert asyncio.run(scenario()) == (1, 0, 1, 1)


def test_fault_500_every_third_spares_health_checks() -> None:
    """Exactly each third user request fails, before the shop sees it."""
    served: list[str] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        served.append(scope["path"])

    async def scenario() -> list[int]:
        answers: list[int] = []

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                answers.append(message["status"])

        async def receive() -> Message:
            return {"type": "http.request"}

        faulty = EveryNthFails(inner, every=3)
        for path in ("/1", "/healthz", "/2", "/3", "/healthz", "/4"):
            await faulty({"type": "http", "path": path, "method": "GET"}, receive, send)
        return answers

    assert asyncio.run(scenario()) == [500]
    assert served == ["/1", "/healthz", "/2", "/healthz", "/4"]


@pytest.mark.parametrize(
    ("env", "sentence"),
    [
        ({"SHOP_SESSIONS": "disk"}, "=disk is not one of memory, shared, sqlite, redis, postgres, jwt, hybrid"),
        ({"SHOP_SESSIONS": "redis"}, "needs SHOP_REDIS_URL"),
        ({"SHOP_SESSIONS": "jwt"}, "needs SHOP_SECRET"),
        ({"SHOP_CART": "s3"}, "SHOP_CART=s3 is not one of shared, memory"),
        ({"SHOP_UPLOADS": "s3"}, "needs SHOP_S3_URL"),
        ({"SHOP_SHARED": "postgres"}, "needs SHOP_POSTGRES_URL"),
        ({"SHOP_DEFECT": "torn, lost"}, "SHOP_DEFECT=lost is not one of"),
        ({"SHOP_FAULT": "500"}, "not of the form 500-every-10"),
        ({"PORT": "http"}, "PORT=http is not a whole number"),
    ],
)
def test_settings_that_cannot_work_are_refused(env: dict[str, str], sentence: str) -> None:
    """A wrong setting is a sentence at the start, not a surprise in a session."""
    with pytest.raises(SettingsError, match=sentence):
        Settings.from_environment(env)


@pytest.mark.parametrize(
    ("env", "shared", "cart"),
    [
        ({}, Shared.SQLITE, Place.MEMORY),
        ({"SHOP_SHARED": "sqlite"}, Shared.SQLITE, Place.SHARED),
        ({"SHOP_SESSIONS": "sqlite", "SHOP_REDIS_URL": "redis://r"}, Shared.SQLITE, Place.SHARED),
        ({"SHOP_SESSIONS": "jwt", "SHOP_SECRET": "s", "SHOP_REDIS_URL": "redis://r"}, Shared.REDIS, Place.SHARED),
        ({"SHOP_POSTGRES_URL": "postgresql://p"}, Shared.POSTGRES, Place.SHARED),
        ({"SHOP_SESSIONS": "redis", "SHOP_REDIS_URL": "redis://r", "SHOP_CART": "memory"}, Shared.REDIS, Place.MEMORY),
    ],
)
def test_features_are_shared_as_soon_as_a_store_is_named(env: dict[str, str], shared: Shared, cart: Place) -> None:
    """A defect is one setting on top of a shop that shares all else, and a shop without a store keeps to itself."""
    settings = Settings.from_environment(env)
    assert (settings.shared, settings.cart) == (shared, cart)


def test_two_names_for_the_shared_store_are_refused() -> None:
    """There is one."""
    with pytest.raises(SettingsError, match="SHOP_SESSIONS=sqlite contradicts SHOP_SHARED=redis"):
        Settings.from_environment({"SHOP_SESSIONS": "sqlite", "SHOP_SHARED": "redis", "SHOP_REDIS_URL": "redis://r"})
