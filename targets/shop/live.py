"""Notifications over HTTP: sent with a POST, heard on a websocket or as server-sent events."""

import asyncio
import json
from asyncio import FIRST_COMPLETED
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from .bodies import text_fields
from .instance import Instance
from .leaving import Leaving
from .notifications import SCHEMA, Bell, Hub, MemoryHub, RedisLog, SharedHub, SqlLog, Subscription, listen, poll
from .settings import Place
from .stores import STORE_IS_AWAY

LONGEST_NOTICE = 1000
# Shorter than the idle limit of any proxy in between.
KEEP_ALIVE_S = 10.0
READY = json.dumps({"ready": True})
POLICY_VIOLATION = 1008
TRY_AGAIN_LATER = 1013


def choose(instance: Instance) -> Hub:
    if instance.settings.notifications is Place.MEMORY:
        return MemoryHub()
    bell, stores = Bell(), instance.stores
    if stores.in_redis:
        instance.in_background(partial(listen, stores.redis, bell))
        return SharedHub(RedisLog(stores.redis), bell)
    log = SqlLog(stores.database(SCHEMA))
    instance.in_background(partial(poll, log, bell))
    return SharedHub(log, bell)


def routes(instance: Instance) -> Sequence[BaseRoute]:
    """A user has one channel, their own; guests are refused."""
    hub, leaving = choose(instance), Leaving()
    instance.in_background(leaving.watch)

    async def notify(request: Request) -> Response:
        session = await instance.require_session(request)
        (text,) = await text_fields(request, "text", longest=LONGEST_NOTICE)
        await hub.send(session.user, text)
        return Response(status_code=202)

    async def events(request: Request) -> Response:
        session = await instance.require_session(request)
        subscribed = hub.follow(session.user, request.headers.get("last-event-id"))
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(event_stream(subscribed, leaving), media_type="text/event-stream", headers=headers)

    async def websocket(socket: WebSocket) -> None:
        session = await instance.session(socket)
        if session is None:
            # Before the upgrade, so that a client sees an HTTP refusal.
            await socket.close(POLICY_VIOLATION)
            return
        await socket.accept()
        with suppress(WebSocketDisconnect):
            await talk(socket, hub, session.user)

    return [Route("/notify", notify, methods=["POST"]), Route("/events", events), WebSocketRoute("/ws", websocket)]


async def event_stream(subscribed: AbstractAsyncContextManager[Subscription], leaving: Leaving) -> AsyncIterator[str]:
    """Server-sent events; the first names the place to resume from, in case nothing else ever comes."""
    async with subscribed as subscription:
        yield event(subscription.start, READY)
        left = asyncio.ensure_future(leaving.wait())
        coming = asyncio.ensure_future(anext(subscription.notices))
        try:
            while True:
                done, _ = await asyncio.wait([coming, left], timeout=KEEP_ALIVE_S, return_when=FIRST_COMPLETED)
                if coming in done:
                    notice = coming.result()
                    coming = asyncio.ensure_future(anext(subscription.notices))
                    yield event(notice.id, json.dumps({"text": notice.text}))
                elif left in done:
                    return
                else:
                    yield ": still here\n\n"
        finally:
            coming.cancel()
            left.cancel()


def event(place: str, data: str) -> str:
    return f"id: {place}\ndata: {data}\n\n" if place else f"data: {data}\n\n"


async def talk(socket: WebSocket, hub: Hub, user: str) -> None:
    """Sends until the client goes. What it says is read too, as nothing else tells that it has gone."""
    async with hub.follow(user, None) as subscription:
        await socket.send_text(READY)
        tasks = [asyncio.ensure_future(forward(socket, subscription)), asyncio.ensure_future(outlast(socket))]
        try:
            await asyncio.wait(tasks, return_when=FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            endings = await asyncio.gather(*tasks, return_exceptions=True)
    if any(isinstance(ending, STORE_IS_AWAY) for ending in endings):
        await socket.close(TRY_AGAIN_LATER)


async def forward(socket: WebSocket, subscription: Subscription) -> None:
    async for notice in subscription.notices:
        await socket.send_text(json.dumps({"text": notice.text}))


async def outlast(socket: WebSocket) -> None:
    """Returns when the client has gone."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
