"""Who is asking, kept in a global: right for one request at a time, and another user's name under load (a defect)."""

import asyncio
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from .instance import Instance
from .sessions import Session, Sessions
from .settings import Defect

PAUSE_S = 0.005
current_user = ""


class SetsCurrentUser:
    """Sessions that put the user of each request into the global at its start."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def open(self, user: str) -> str:
        return await self._sessions.open(user)

    async def read(self, cookie: str) -> Session | None:
        global current_user
        session = await self._sessions.read(cookie)
        if session:
            current_user = session.user
        return session

    async def save(self, cookie: str, session: Session) -> str:
        return await self._sessions.save(cookie, session)

    async def close(self, cookie: str) -> None:
        await self._sessions.close(cookie)


def routes(instance: Instance) -> Sequence[BaseRoute]:
    """With the defect, a /me that goes before the good one."""
    if Defect.LEAKY_GLOBAL not in instance.settings.defects:
        return []

    async def me(request: Request) -> Response:
        await instance.require_session(request)
        # Stands for any wait: a query, a log line, a call to another service.
        await asyncio.sleep(PAUSE_S)
        return JSONResponse({"user": current_user})

    return [Route("/me", me)]
