"""Profiles remembered by an instance, rightly and wrongly.

Both caches hold state, and only one is a defect: what counts is whether an instance asks before it answers from memory.
"""

import json
from typing import Protocol, TypeVar

from .sessions import Session
from .settings import Defect, Settings

MOST = 10_000
Page = TypeVar("Page")


class ProfileCache(Protocol):
    """`page` gives what GET /profile answers; `wrote` tells of a change that went through this instance."""

    def page(self, cookie: str, now: Session) -> bytes: ...
    def wrote(self, cookie: str) -> None: ...


class NoCache:
    def page(self, cookie: str, now: Session) -> bytes:
        return rendered(now)

    def wrote(self, cookie: str) -> None:
        """Nothing to forget."""


class ValidatedCache:
    """Harmless: a page is used only while the session, read afresh from its store, is the one it was made of."""

    def __init__(self) -> None:
        self._pages: dict[str, tuple[Session, bytes]] = {}

    def page(self, cookie: str, now: Session) -> bytes:
        kept = self._pages.get(cookie)
        if kept is None or kept[0] != now:
            kept = now, rendered(now)
            remember(self._pages, cookie, kept)
        return kept[1]

    def wrote(self, cookie: str) -> None:
        self._pages.pop(cookie, None)


class StaleCache:
    """The defect: a page stays until this very instance changes the profile; changes made elsewhere never reach it."""

    def __init__(self) -> None:
        self._pages: dict[str, bytes] = {}

    def page(self, cookie: str, now: Session) -> bytes:
        if cookie not in self._pages:
            remember(self._pages, cookie, rendered(now))
        return self._pages[cookie]

    def wrote(self, cookie: str) -> None:
        self._pages.pop(cookie, None)


def rendered(session: Session) -> bytes:
    return json.dumps({"nickname": session.nickname}, ensure_ascii=False, separators=(",", ":")).encode()


def remember(pages: dict[str, Page], cookie: str, page: Page) -> None:
    """Keeps the newest MOST pages."""
    pages[cookie] = page
    if len(pages) > MOST:
        del pages[next(iter(pages))]


def choose(settings: Settings) -> ProfileCache:
    if Defect.STALE_CACHE in settings.defects:
        return StaleCache()
    return ValidatedCache() if settings.profile_cache else NoCache()
