"""Live messages for whole runs as local processes: every instance follows one log in a shared folder.

MODE=memory makes it misbehave: an instance then hands a message to its own connections only.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

LOG = Path(os.environ["LIVE_LOG"])
QUEUES: dict[str, set[asyncio.Queue[str]]] = {}


def hand_out(line: str) -> None:
    said = json.loads(line)
    for queue in QUEUES.get(said["to"], ()):
        queue.put_nowait(json.dumps({"text": said["text"]}))


async def follow() -> None:
    with LOG.open("a+") as log:
        log.seek(0, os.SEEK_END)
        while True:
            line = log.readline()
            if line.endswith("\n"):
                hand_out(line)
            else:
                # A line that is still being written is read again.
                log.seek(log.tell() - len(line.encode()))
                await asyncio.sleep(0.01)


@asynccontextmanager
async def following(app: Starlette) -> AsyncIterator[None]:
    task = asyncio.create_task(follow())
    yield
    task.cancel()


async def notify(request: Request) -> Response:
    line = json.dumps(await request.json()) + "\n"
    if os.environ.get("MODE") == "memory":
        hand_out(line)
    else:
        with LOG.open("a") as log:
            log.write(line)
    return JSONResponse({}, status_code=202)


def subscribe(user: str) -> asyncio.Queue[str]:
    queue: asyncio.Queue[str] = asyncio.Queue()
    queue.put_nowait(json.dumps({"ready": True}))
    QUEUES.setdefault(user, set()).add(queue)
    return queue


async def ws(socket: WebSocket) -> None:
    await socket.accept()
    queue = subscribe(socket.query_params["user"])
    try:
        while True:
            await socket.send_text(await queue.get())
    except (WebSocketDisconnect, RuntimeError):
        QUEUES[socket.query_params["user"]].discard(queue)


async def events(request: Request) -> Response:
    queue = subscribe(request.query_params["user"])

    async def lines() -> AsyncIterator[str]:
        while True:
            yield f"data: {await queue.get()}\n\n"

    return StreamingResponse(lines(), media_type="text/event-stream")


async def health(request: Request) -> Response:
    return JSONResponse({"ok": True})


APP = Starlette(
    routes=[
        Route("/healthz", health),
        Route("/notify", notify, methods=["POST"]),
        Route("/events", events),
        WebSocketRoute("/ws", ws),
    ],
    lifespan=following,
)

if __name__ == "__main__":
    uvicorn.run(APP, host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning", timeout_graceful_shutdown=1)
