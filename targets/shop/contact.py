"""A form with a hidden one-time token against forged requests (CSRF), and the messages that it brings.

Kept in memory, a token is known to the instance that rendered the form only: a user whose next request goes elsewhere
is told to start again. Signed with the shared secret, any instance can tell that one of them gave it to this user.
"""

import hashlib
import hmac
import html
import secrets
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Protocol
from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from . import revocations
from .instance import Instance
from .reviews import MemoryReviews, RedisReviews, Reviews, SqlReviews, new_review, schema
from .revocations import Revocations
from .settings import Place

TABLE = "messages"
LONGEST_MESSAGE = 1000
FORM_TTL_S = 900
PAGE = """<!doctype html><title>Contact</title><h1>Contact</h1>{notice}
<form method="post" action="/contact">
<input type="hidden" name="csrf" value="{token}">
<label>Message <textarea name="message" required></textarea></label>
<button>Send</button>
</form>
"""


class FormTokens(Protocol):
    """Each token is good once, for the user whose form it came with."""

    async def issue(self, user: str) -> str: ...
    async def redeem(self, token: str, user: str) -> bool: ...


class MemoryFormTokens:
    """Those that this process gave out: unknown elsewhere, and after its death."""

    def __init__(self) -> None:
        self._users: dict[str, str] = {}

    async def issue(self, user: str) -> str:
        token = secrets.token_urlsafe(16)
        self._users[token] = user
        return token

    async def redeem(self, token: str, user: str) -> bool:
        return self._users.pop(token, None) == user


class SignedFormTokens:
    """The token proves itself; only that it was used is written down, where every instance looks."""

    def __init__(self, secret: str, used: Revocations) -> None:
        self._key = hashlib.sha256(b"form " + secret.encode()).digest()
        self._used = used

    async def issue(self, user: str) -> str:
        nonce, expires = secrets.token_hex(12), str(int(time.time()) + FORM_TTL_S)
        return f"{nonce}.{expires}.{self._signature(nonce, expires, user)}"

    async def redeem(self, token: str, user: str) -> bool:
        nonce, _, rest = token.partition(".")
        expires, _, signature = rest.partition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(nonce, expires, user).encode()):
            return False
        return float(expires) > time.time() and await self._used.revoke(f"form:{nonce}", float(expires))

    def _signature(self, nonce: str, expires: str, user: str) -> str:
        return hmac.new(self._key, f"{nonce} {expires} {user}".encode(), hashlib.sha256).hexdigest()


def choose(instance: Instance) -> FormTokens | None:
    """None if they are to be signed and there is no key."""
    settings = instance.settings
    if settings.forms is Place.MEMORY:
        return MemoryFormTokens()
    if not settings.secret:
        return None
    return SignedFormTokens(settings.secret, revocations.shared(instance.stores))


def messages(instance: Instance) -> Reviews:
    """Beside the reviews, and kept like them."""
    stores = instance.stores
    if instance.settings.reviews is Place.MEMORY:
        return MemoryReviews()
    if stores.in_redis:
        return RedisReviews(stores.redis, TABLE)
    return SqlReviews(stores.database(schema(TABLE)), TABLE)


def routes(instance: Instance) -> Sequence[BaseRoute]:
    """Guests may write too. An instance without SHOP_SECRET has the form only if its tokens are kept in memory."""
    tokens, kept = choose(instance), messages(instance)
    if tokens is None:
        return []

    async def user_of(request: Request) -> str:
        session = await instance.session(request)
        return f"user {session.user}" if session else "guest"

    async def form(request: Request) -> Response:
        notice = "<p>Thank you.</p>" if "sent" in request.query_params else ""
        token = await tokens.issue(await user_of(request))
        page = PAGE.format(notice=notice, token=html.escape(token))
        return HTMLResponse(page, headers={"Cache-Control": "no-store"})

    async def send(request: Request) -> Response:
        message, token = await form_fields(request, "message", "csrf")
        if not await tokens.redeem(token, await user_of(request)):
            raise HTTPException(403, "this form was not ours, or was sent before: load it again")
        await kept.add(new_review(message))
        return RedirectResponse("/contact?sent", status_code=303)

    async def find(request: Request) -> Response:
        found = await kept.find(request.query_params.get("q", ""))
        return JSONResponse({"items": [asdict(message) for message in found]})

    return [
        Route("/contact", form, methods=["GET"]),
        Route("/contact", send, methods=["POST"]),
        Route("/contact/messages", find),
    ]


async def form_fields(request: Request, *names: str) -> list[str]:
    """The named fields of a posted form, each a text of 1 to LONGEST_MESSAGE characters; 400 otherwise."""
    try:
        fields = parse_qs((await request.body()).decode(), max_num_fields=20)
    except ValueError:
        raise HTTPException(400, "the body must be a form") from None
    values = [fields.get(name, [""])[0] for name in names]
    if not all(0 < len(value) <= LONGEST_MESSAGE for value in values):
        raise HTTPException(400, f"{', '.join(names)} must be texts of 1 to {LONGEST_MESSAGE} characters")
    return values
