"""Login, logout and the profile, over whatever sessions the instance has."""

import hmac
import html
from collections.abc import Sequence
from dataclasses import replace

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from . import profile_cache
from .bodies import text_fields
from .instance import COOKIE, Instance
from .settings import TTL_S

PASSWORD = "pw"


def routes(instance: Instance) -> Sequence[BaseRoute]:
    accounts = Accounts(instance)
    return [
        Route("/", accounts.front),
        Route("/login", accounts.login, methods=["POST"]),
        Route("/me", accounts.me),
        Route("/logout", accounts.logout, methods=["POST"]),
        Route("/profile", accounts.read_profile, methods=["GET"]),
        Route("/profile", accounts.write_profile, methods=["PUT", "POST"]),
    ]


class Accounts:
    """The endpoints. Every one answers only after what it acknowledges is kept."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._sessions = instance.sessions
        self._cache = profile_cache.choose(instance.settings)

    async def front(self, request: Request) -> Response:
        session = await self._instance.session(request)
        who = html.escape(session.user) if session else "guest"
        return HTMLResponse(f"<!doctype html><title>Shop</title><h1>Shop</h1><p>Welcome, {who}.</p>")

    async def login(self, request: Request) -> Response:
        user, password = await text_fields(request, "user", "password")
        if not hmac.compare_digest(password.encode(), PASSWORD.encode()):
            raise HTTPException(401, "wrong user or password")
        return with_cookie(JSONResponse({"user": user}), await self._sessions.open(user))

    async def me(self, request: Request) -> Response:
        return JSONResponse({"user": (await self._instance.require_session(request)).user})

    async def logout(self, request: Request) -> Response:
        await self._sessions.close(request.cookies.get(COOKIE, ""))
        response = Response(status_code=204)
        response.delete_cookie(COOKIE, httponly=True, samesite="lax")
        return response

    async def read_profile(self, request: Request) -> Response:
        session = await self._instance.require_session(request)
        return Response(self._cache.page(request.cookies[COOKIE], session), media_type="application/json")

    async def write_profile(self, request: Request) -> Response:
        session = await self._instance.require_session(request)
        (nickname,) = await text_fields(request, "nickname")
        changed = replace(session, nickname=nickname)
        cookie = await self._sessions.save(request.cookies[COOKIE], changed)
        self._cache.wrote(cookie)
        return with_cookie(Response(status_code=204), cookie)


def with_cookie(response: Response, cookie: str) -> Response:
    response.set_cookie(COOKIE, cookie, max_age=TTL_S, httponly=True, samesite="lax")
    return response
