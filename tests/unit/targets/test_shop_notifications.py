"""The shop's notifications: each hub, two instances at a time, and the two ways of listening over HTTP."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import FrameType

import pytest
from starlette.applications import Starlette
from starlette.types import Message
from unit.targets.shop_visits import Visitor, instances

from targets.shop import notifications
from targets.shop.instance import Instance
from targets.shop.leaving import Leaving
from targets.shop.live import choose
from targets.shop.notifications import Hub, MemoryHub, Notice, Subscription, number, place
from targets.shop.settings import Settings
from targets.shop.wiring import wire

LOCAL = {"SHOP_NOTIFICATIONS": "memory"}
LIMIT_S = 5.0


@asynccontextmanager
async def hubs(*envs: dict[str, str]) -> AsyncIterator[list[Hub]]:
    """The hub of an instance for each environment, with its bell."""
    parts: list[Instance] = [wire(Settings.from_environment(env)) for env in envs]
    chosen = [choose(part) for part in parts]
    lives = [part.life(Starlette()) for part in parts]
    for life in lives:
        await life.__aenter__()
    try:
        yield chosen
    finally:
        for life in lives:
            await life.__aexit__(None, None, None)


async def take(subscription: Subscription, count: int) -> list[Notice]:
    return [await asyncio.wait_for(anext(subscription.notices), LIMIT_S) for _ in range(count)]


def texts(notices: list[Notice]) -> list[str]:
    return [notice.text for notice in notices]


def test_notices_sent_on_two_instances_reach_every_follower_in_one_order(shared_env: dict[str, str]) -> None:
    """Followers on either instance hear the same, however the senders race."""

    async def scenario() -> tuple[list[str], list[str]]:
        async with (
            hubs(shared_env, shared_env) as (here, there),
            here.follow("ann", None) as mine,
            there.follow("ann", None) as theirs,
        ):
            await asyncio.gather(*((here, there)[n % 2].send("ann", f"n.{n:02}") for n in range(30)))
            return texts(await take(mine, 30)), texts(await take(theirs, 30))

    mine, theirs = asyncio.run(scenario())
    assert mine == theirs
    assert sorted(mine) == [f"n.{n:02}" for n in range(30)]


@pytest.mark.parametrize("local", [False, True], ids=["shared", "memory"])
def test_notice_reaches_all_followers_of_its_user_and_no_other(shared_env: dict[str, str], local: bool) -> None:
    """On one instance the hubs can't be told apart: a follower gets what was sent since it subscribed, in order."""

    async def scenario() -> list[list[str]]:
        async with hubs(shared_env | LOCAL if local else shared_env) as (hub,):
            await hub.send("ann", "too early")
            async with hub.follow("ann", None) as one, hub.follow("ann", None) as two, hub.follow("bob", None) as bob:
                for user, text in (("ann", "a"), ("bob", "b"), ("ann", "c")):
                    await hub.send(user, text)
                return [texts(await take(one, 2)), texts(await take(two, 2)), texts(await take(bob, 1))]

    assert asyncio.run(scenario()) == [["a", "c"], ["a", "c"], ["b"]]


def test_notice_in_memory_of_one_instance_is_not_heard_on_another(shared_env: dict[str, str]) -> None:
    """The defect: what comes first to the follower elsewhere is what was sent there."""

    async def scenario() -> list[str]:
        async with hubs(shared_env | LOCAL, shared_env | LOCAL) as (here, there), there.follow("ann", None) as theirs:
            await here.send("ann", "unheard")
            await there.send("ann", "heard")
            return texts(await take(theirs, 1))

    assert asyncio.run(scenario()) == ["heard"]


def test_follower_who_resumes_on_another_instance_misses_nothing(shared_env: dict[str, str]) -> None:
    """From the last id that it saw, or from the id of its beginning if it saw none; more than one page of them."""

    async def scenario() -> tuple[list[str], list[str]]:
        async with hubs(shared_env, shared_env) as (here, there):
            async with here.follow("ann", None) as mine:
                start = mine.start
                await here.send("ann", "seen")
                (seen,) = await take(mine, 1)
            for n in range(120):
                await here.send("ann", f"n.{n:03}")
            async with there.follow("ann", seen.id) as resumed, there.follow("ann", start) as anew:
                return texts(await take(resumed, 120)), texts(await take(anew, 121))

    missed = [f"n.{n:03}" for n in range(120)]
    assert asyncio.run(scenario()) == (missed, ["seen", *missed])


def test_bell_wakes_a_follower_who_would_sleep_on(shared_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Two notices, so that the second finds the follower asleep for certain."""
    monkeypatch.setattr(notifications, "LONGEST_SILENCE_S", 60.0)

    async def scenario() -> list[str]:
        async with hubs(shared_env, shared_env) as (here, there), here.follow("ann", None) as mine:
            heard = []
            for text in ("one", "two"):
                waiting = asyncio.ensure_future(take(mine, 1))
                await asyncio.sleep(0.05)
                await there.send("ann", text)
                heard += texts(await waiting)
            return heard

    assert asyncio.run(scenario()) == ["one", "two"]


def test_notice_whose_bell_was_lost_comes_later_but_comes(
    shared_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A follower looks by itself when it has heard nothing for long."""
    monkeypatch.setattr(notifications, "LONGEST_SILENCE_S", 0.01)

    async def scenario() -> list[str]:
        # Outside of an instance's life nobody rings.
        instance = wire(Settings.from_environment(shared_env))
        hub = choose(instance)
        async with hub.follow("ann", None) as mine:
            waiting = asyncio.ensure_future(take(mine, 1))
            await asyncio.sleep(0.02)
            await hub.send("ann", "late")
            heard = texts(await waiting)
        await instance.stores.close()
        return heard

    assert asyncio.run(scenario()) == ["late"]


def test_memory_hub_of_a_follower_who_never_reads_stays_small() -> None:
    """The oldest notices go, and an ended subscription leaves nothing behind."""

    async def scenario() -> tuple[str, int]:
        hub = MemoryHub()
        async with hub.follow("ann", None) as subscription:
            for n in range(1500):
                await hub.send("ann", str(n))
            first = texts(await take(subscription, 1))[0]
        return first, sum(len(queues) for queues in hub._queues.values())

    assert asyncio.run(scenario()) == ("500", 0)


@pytest.mark.parametrize("hostile", ["x", "-1", "1 OR 1=1", "9" * 40, "²"])
def test_cursor_that_is_none_of_ours_is_never_passed_on(hostile: str) -> None:
    """Last-Event-ID is whatever a client cares to send; then it is about the beginning."""
    assert number(hostile) == 0
    assert place(hostile) in ("0-0", "0-1")
    assert (number("17"), place("17-2")) == (17, "17-2")


class Listener:
    """An endless request to an instance inside this process: a websocket, or a stream of events."""

    def __init__(self, shop: Starlette, visitor: Visitor, path: str, **headers: str) -> None:
        self._heard: asyncio.Queue[Message] = asyncio.Queue()
        self._said: asyncio.Queue[Message] = asyncio.Queue()
        sent = {"cookie": visitor.cookie} | {name.replace("_", "-"): text for name, text in headers.items()}
        kind = "websocket" if path == "/ws" else "http"
        self._said.put_nowait({"type": "websocket.connect"} if kind == "websocket" else {"type": "http.request"})
        scope = {
            "type": kind,
            "method": "GET",
            "path": path,
            "query_string": b"",
            "headers": [(name.encode(), text.encode()) for name, text in sent.items()],
            "client": ("127.0.0.1", 1),
        }
        self._task = asyncio.ensure_future(shop(scope, self._said.get, self._heard.put))

    async def next(self) -> Message:
        return await asyncio.wait_for(self._heard.get(), LIMIT_S)

    async def hang_up(self, kind: str) -> None:
        self._said.put_nowait({"type": kind, "code": 1000})
        await asyncio.wait_for(self._task, LIMIT_S)


def test_websocket_hears_what_is_sent_through_another_instance(shared_env: dict[str, str]) -> None:
    """First that it is ready, then each text, until the client goes."""

    async def scenario() -> list[object]:
        async with instances(shared_env, shared_env) as (here, there):
            visitor = Visitor()
            await visitor.login(here)
            listener = Listener(here, visitor, "/ws")
            heard: list[object] = [(await listener.next())["type"], json.loads((await listener.next())["text"])]
            status = (await visitor.ask(there, "POST", "/notify", {"text": "hello"})).status
            heard += [status, json.loads((await listener.next())["text"])]
            await listener.hang_up("websocket.disconnect")
            return heard

    assert asyncio.run(scenario()) == ["websocket.accept", {"ready": True}, 202, {"text": "hello"}]


def test_events_resume_after_the_last_one_heard(shared_env: dict[str, str]) -> None:
    """What was sent while nobody listened comes first, on any instance; guests hear and send nothing."""

    async def scenario() -> tuple[list[str], list[str]]:
        async with instances(shared_env, shared_env) as (here, there):
            visitor = Visitor()
            await visitor.login(here)
            first = Listener(here, visitor, "/events")
            start = await first.next()
            ready = (await first.next())["body"].decode().splitlines()
            await first.hang_up("http.disconnect")
            for text in ("one", "two"):
                await visitor.ask(here, "POST", "/notify", {"text": text})
            again = Listener(there, visitor, "/events", last_event_id=ready[0].removeprefix("id: "))
            bodies = [await again.next() for _ in range(4)][1:]
            await again.hang_up("http.disconnect")
            assert start["status"] == 200
            return ready[1:2], [message["body"].decode().splitlines()[1] for message in bodies]

    ready = 'data: {"ready": true}'
    assert asyncio.run(scenario()) == ([ready], [ready, 'data: {"text": "one"}', 'data: {"text": "two"}'])


def test_guest_is_refused_by_all_three() -> None:
    """The websocket before its upgrade, so that the refusal is an HTTP answer."""

    async def scenario() -> tuple[int, int, str]:
        async with instances({}) as (shop,):
            sent = (await Visitor().ask(shop, "POST", "/notify", {"text": "hello"})).status
            heard = (await Visitor().ask(shop, "GET", "/events")).status
            return sent, heard, (await Listener(shop, Visitor(), "/ws").next())["type"]

    assert asyncio.run(scenario()) == (401, 401, "websocket.close")


def test_leaving_is_told_before_the_server_handles_the_signal() -> None:
    """Streams end by themselves, and the server's own handler still runs."""
    handled: list[int] = []

    def handler(received: int, frame: FrameType | None) -> None:
        handled.append(received)

    async def scenario() -> None:
        leaving = Leaving()
        await leaving.watch()
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(leaving.wait(), LIMIT_S)

    before = {each: signal.signal(each, handler) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        asyncio.run(scenario())
    finally:
        for each, previous in before.items():
            signal.signal(each, previous)
    assert handled == [signal.SIGTERM]
