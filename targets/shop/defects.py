"""Defects that can be switched on, each as small as the one that real services have."""

import asyncio
import itertools
from collections.abc import Coroutine

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from .reviews import PAGE, Review, Reviews, words
from .sessions import Session, SessionStore


class EveryNthFails:
    """Answers every nth request of a user with 500, before doing anything. Health checks are spared."""

    def __init__(self, app: ASGIApp, every: int) -> None:
        self._app = app
        self._every = every
        self._count = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        counts = scope["type"] == "http" and scope["path"] != "/healthz"
        if counts and next(self._count) % self._every == 0:
            await PlainTextResponse("out of order", status_code=500)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


class Later:
    """Does things after a delay and keeps hold of them until they are done."""

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self._tasks: set[asyncio.Task[None]] = set()

    def do(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(self._wait_and(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _wait_and(self, work: Coroutine[None, None, None]) -> None:
        await asyncio.sleep(self._delay_s)
        await work


class WriteBehindStore:
    """Acknowledges a session before the store has it: whoever dies in between takes it along."""

    def __init__(self, store: SessionStore, delay_s: float) -> None:
        self._store = store
        self._later = Later(delay_s)
        self._pending: dict[str, Session] = {}

    async def get(self, session_id: str) -> Session | None:
        return self._pending.get(session_id) or await self._store.get(session_id)

    async def put(self, session_id: str, session: Session) -> None:
        self._pending[session_id] = session
        self._later.do(self._persist(session_id, session))

    async def drop(self, session_id: str) -> None:
        self._pending.pop(session_id, None)
        await self._store.drop(session_id)

    async def _persist(self, session_id: str, session: Session) -> None:
        # Only the newest is written: an older one that comes late would undo it.
        if self._pending.get(session_id) is session:
            await self._store.put(session_id, session)
            if self._pending.get(session_id) is session:
                del self._pending[session_id]


class WriteBehindReviews:
    """The same for reviews: until they are kept, this instance shows them from its memory."""

    def __init__(self, reviews: Reviews, delay_s: float) -> None:
        self._reviews = reviews
        self._later = Later(delay_s)
        self._pending: dict[str, Review] = {}

    async def add(self, review: Review) -> None:
        self._pending[review.id] = review
        self._later.do(self._persist(review))

    async def find(self, query: str) -> list[Review]:
        wanted = set(words(query))
        pending = [one for one in self._pending.values() if wanted <= set(words(one.text))]
        kept = await self._reviews.find(query)
        found = {one.id: one for one in (*kept, *pending)}
        return sorted(found.values(), key=lambda review: review.id, reverse=True)[:PAGE]

    async def _persist(self, review: Review) -> None:
        await self._reviews.add(review)
        del self._pending[review.id]
