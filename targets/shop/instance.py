"""What every feature is given: the settings, the stores, who is asking, and a place for work in the background."""

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from .reviews import Reviews
from .sessions import Session, Sessions
from .settings import Settings
from .stores import Stores

COOKIE = "shop_session"
# Longer than any work needs for its last steps while its store answers.
ENDING_LIMIT_S = 4.0
Work = Callable[[], Awaitable[None]]
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One process of the shop. `name` is its own: no other instance, and no later one in its place, has it."""

    settings: Settings
    stores: Stores
    sessions: Sessions
    reviews: Reviews
    counts: Counter[str] = field(default_factory=Counter)
    name: str = field(default_factory=lambda: secrets.token_hex(6))
    _works: list[Work] = field(default_factory=list)

    def in_background(self, work: Work) -> None:
        """Starts `work()` with the instance and cancels it at its end."""
        self._works.append(work)

    @asynccontextmanager
    async def life(self, app: Starlette) -> AsyncIterator[None]:
        """From the start of the server to its end."""
        tasks = [asyncio.ensure_future(work()) for work in self._works]
        try:
            yield
        finally:
            await end(tasks)
            await self.stores.close()

    async def session(self, request: HTTPConnection) -> Session | None:
        cookie = request.cookies.get(COOKIE)
        return await self.sessions.read(cookie) if cookie else None

    async def require_session(self, request: HTTPConnection) -> Session:
        """The session of a logged-in user; 401 for a guest."""
        session = await self.session(request)
        if session is None:
            raise HTTPException(401, "log in first")
        return session


async def end(tasks: Collection[asyncio.Future[None]]) -> None:
    """Cancels all and waits until they have ended, for ENDING_LIMIT_S at most."""
    for task in tasks:
        task.cancel()
    if tasks:
        _, going_on = await asyncio.wait(tasks, timeout=ENDING_LIMIT_S)
        for task in going_on:
            log.warning("waited %s s for work in the background to end; last seen as %r", ENDING_LIMIT_S, task)
