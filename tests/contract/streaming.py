"""A tiny real server of websockets and events, to run as a process: `python streaming.py PORT [PEM]`, by TLS with PEM.

`/ws` and `/events` greet, then bring what is posted to `/say`; `/large` brings one message of 300 kB in many frames,
`/closes` one message and the end, `/refused` a 403, `/page` a page. `/pid` tells who to kill.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

QUEUES: list[asyncio.Queue[str]] = []


def subscribe() -> asyncio.Queue[str]:
    queue: asyncio.Queue[str] = asyncio.Queue()
    queue.put_nowait("ready")
    QUEUES.append(queue)
    return queue


async def ws(socket: WebSocket) -> None:
    await socket.accept(headers=[(b"x-who", b"me"), (b"set-cookie", b"seen=" + socket.cookies.get("a", "no").encode())])
    queue = subscribe()
    while True:
        await socket.send_text(json.dumps({"text": await queue.get()}))


async def large(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("x" * 300_000)
    await socket.send_bytes("bytes ü".encode())
    await asyncio.sleep(60)


async def closes(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("last words")
    await socket.close()


async def refused(socket: WebSocket) -> None:
    await socket.close()


async def events(request: Request) -> Response:
    queue = subscribe()

    async def lines() -> AsyncIterator[bytes]:
        yield b": hello\r\n\r\nretry: 1000\r\n\r\n"
        while True:
            text = json.dumps({"text": await queue.get()})
            half = len(text) // 2
            yield f"id: 1\r\nevent: notice\r\ndata: {text[:half]}".encode()
            yield f"{text[half:]}\r\ndata:more\r\n\r".encode()
            yield b"\n"

    return StreamingResponse(lines(), media_type="text/event-stream", headers={"x-who": "me"})


async def say(request: Request) -> Response:
    text = (await request.body()).decode()
    for queue in QUEUES:
        queue.put_nowait(text)
    return JSONResponse({}, status_code=202)


async def page(request: Request) -> Response:
    return PlainTextResponse("just a page")


async def forbidden(request: Request) -> Response:
    return PlainTextResponse("not for you", status_code=403)


async def pid(request: Request) -> Response:
    return PlainTextResponse(str(os.getpid()))


APP = Starlette(
    routes=[
        WebSocketRoute("/ws", ws),
        WebSocketRoute("/large", large),
        WebSocketRoute("/closes", closes),
        WebSocketRoute("/refused", refused),
        Route("/events", events),
        Route("/refused", forbidden),
        Route("/say", say, methods=["POST"]),
        Route("/page", page),
        Route("/pid", pid),
    ]
)

if __name__ == "__main__":
    pem = sys.argv[2] if len(sys.argv) > 2 else None
    uvicorn.run(APP, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", ssl_certfile=pem, ssl_keyfile=pem)
