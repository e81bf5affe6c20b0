"""The shop over HTTP. Nothing here knows where sessions and reviews live."""

import hmac
import html
import json
import sqlite3
from dataclasses import asdict, replace

from redis.exceptions import RedisError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from .defects import EveryNthFails
from .reviews import Reviews, new_review
from .sessions import Session, Sessions
from .settings import TTL_S, Settings
from .wiring import wire

COOKIE = "shop_session"
PASSWORD = "pw"
LONGEST_NAME = 100
LONGEST_REVIEW = 1000


class Shop:
    """The endpoints. Every one answers only after what it acknowledges is kept."""

    def __init__(self, sessions: Sessions, reviews: Reviews) -> None:
        self._sessions = sessions
        self._reviews = reviews

    async def front(self, request: Request) -> Response:
        session = await self._session(request)
        who = html.escape(session.user) if session else "guest"
        return HTMLResponse(f"<!doctype html><title>Shop</title><h1>Shop</h1><p>Welcome, {who}.</p>")

    async def login(self, request: Request) -> Response:
        user, password = await text_fields(request, "user", "password")
        if not hmac.compare_digest(password.encode(), PASSWORD.encode()):
            raise HTTPException(401, "wrong user or password")
        return with_cookie(JSONResponse({"user": user}), await self._sessions.open(user))

    async def me(self, request: Request) -> Response:
        return JSONResponse({"user": (await self._require_session(request)).user})

    async def logout(self, request: Request) -> Response:
        await self._sessions.close(request.cookies.get(COOKIE, ""))
        response = Response(status_code=204)
        response.delete_cookie(COOKIE, httponly=True, samesite="lax")
        return response

    async def read_profile(self, request: Request) -> Response:
        return JSONResponse({"nickname": (await self._require_session(request)).nickname})

    async def write_profile(self, request: Request) -> Response:
        session = await self._require_session(request)
        (nickname,) = await text_fields(request, "nickname")
        changed = replace(session, nickname=nickname)
        return with_cookie(Response(status_code=204), await self._sessions.save(request.cookies[COOKIE], changed))

    async def write_review(self, request: Request) -> Response:
        (text,) = await text_fields(request, "text", longest=LONGEST_REVIEW)
        review = new_review(text)
        await self._reviews.add(review)
        return JSONResponse({"id": review.id}, status_code=201)

    async def find_reviews(self, request: Request) -> Response:
        found = await self._reviews.find(request.query_params.get("q", ""))
        return JSONResponse({"items": [asdict(review) for review in found]})

    async def healthz(self, request: Request) -> Response:
        """Asks the shared store, so that an instance that can't serve is taken out; creates no session."""
        ready = await self._reviews.answers()
        return JSONResponse({"ready": ready}, status_code=200 if ready else 503)

    async def _session(self, request: Request) -> Session | None:
        cookie = request.cookies.get(COOKIE)
        return await self._sessions.read(cookie) if cookie else None

    async def _require_session(self, request: Request) -> Session:
        session = await self._session(request)
        if session is None:
            raise HTTPException(401, "log in first")
        return session


async def text_fields(request: Request, *names: str, longest: int = LONGEST_NAME) -> list[str]:
    """The named fields of a JSON body, each a text of 1 to `longest` characters; 400 otherwise."""
    try:
        body = json.loads(await request.body())
        values = [body[name] for name in names]
        fits = all(isinstance(value, str) and value.encode() and len(value) <= longest for value in values)
    except (ValueError, KeyError, TypeError):
        raise HTTPException(400, f"the body must be a JSON object with {', '.join(names)}") from None
    if not fits:
        raise HTTPException(400, f"{', '.join(names)} must be texts of 1 to {longest} characters")
    return values


def with_cookie(response: Response, cookie: str) -> Response:
    response.set_cookie(COOKIE, cookie, max_age=TTL_S, httponly=True, samesite="lax")
    return response


async def store_is_away(request: Request, error: Exception) -> Response:
    """503, not 500: another try may succeed, and nothing was acknowledged."""
    return JSONResponse({"error": f"the store does not answer: {type(error).__name__}"}, status_code=503)


async def refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, status_code=error.status_code, headers=error.headers)


def create_app(settings: Settings | None = None) -> Starlette:
    """One instance of the shop, wired by its settings (default: from the environment)."""
    settings = settings or Settings.from_environment()
    shop = Shop(*wire(settings))
    every = settings.fail_every
    return Starlette(
        routes=[
            Route("/", shop.front),
            Route("/login", shop.login, methods=["POST"]),
            Route("/me", shop.me),
            Route("/logout", shop.logout, methods=["POST"]),
            Route("/profile", shop.read_profile, methods=["GET"]),
            Route("/profile", shop.write_profile, methods=["PUT", "POST"]),
            Route("/reviews", shop.find_reviews, methods=["GET"]),
            Route("/reviews", shop.write_review, methods=["POST"]),
            Route("/healthz", shop.healthz),
        ],
        middleware=[Middleware(EveryNthFails, every=every)] if every else [],
        exception_handlers={
            HTTPException: refusal,
            RedisError: store_is_away,
            sqlite3.OperationalError: store_is_away,
        },
    )
