"""Bearer tokens for other programs: any instance accepts what any other signed, if they have one key.

A good token carries an opaque subject, an id by which it can be revoked, and when it ends. Who the subject is, only the
shared store knows. The defects are in the key (drawn by each process, or kept by each instance on its own disk), in the
payload (readable by whoever holds the token, or too large to carry), and in where revocations are kept.
"""

import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import jwt
from redis.asyncio import Redis
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from . import revocations
from .accounts import PASSWORD
from .bodies import text_fields
from .databases import Database
from .instance import Instance
from .revocations import Revocations
from .settings import TTL_S, Defect, Settings

SCHEMA = "CREATE TABLE IF NOT EXISTS subjects (username TEXT PRIMARY KEY, subject TEXT NOT NULL UNIQUE)"
ROLES = [f"shop:{what}:{right}" for what in ("orders", "returns", "reviews", "stock") for right in range(64)]


class Subjects(Protocol):
    """Opaque names for users: one each, for good."""

    async def subject_of(self, user: str) -> str: ...
    async def user_of(self, subject: str) -> str | None: ...


class SqlSubjects:
    """A table in the database that all instances share."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def subject_of(self, user: str) -> str:
        await self._database.run(
            "INSERT INTO subjects (username, subject) VALUES (?, ?) ON CONFLICT DO NOTHING", user, secrets.token_hex(8)
        )
        ((subject,),) = await self._database.run("SELECT subject FROM subjects WHERE username = ?", user)
        return str(subject)

    async def user_of(self, subject: str) -> str | None:
        rows = await self._database.run("SELECT username FROM subjects WHERE subject = ?", subject)
        return rows[0][0] if rows else None


class RedisSubjects:
    """Two keys for each user, in the Redis that all instances share."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def subject_of(self, user: str) -> str:
        await self._redis.set(f"subject-of:{user}", secrets.token_hex(8), nx=True)
        subject = str(await self._redis.get(f"subject-of:{user}"))
        await self._redis.set(f"user-of:{subject}", user)
        return subject

    async def user_of(self, subject: str) -> str | None:
        user = await self._redis.get(f"user-of:{subject}")
        return str(user) if user else None


def signing_key(settings: Settings) -> bytes:
    """The shared secret's, unless a defect puts another in its place; empty without a secret."""
    if Defect.KEY_PER_PROCESS in settings.defects:
        return secrets.token_bytes(32)
    if Defect.KEY_PER_INSTANCE in settings.defects:
        return kept_key(Path(settings.key_file))
    return hashlib.sha256(settings.secret.encode()).digest() if settings.secret else b""


def kept_key(file: Path) -> bytes:
    """The key in this instance's own file, made by the first of its processes that looks."""
    mine = file.with_name(f"{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    mine.write_bytes(secrets.token_bytes(32))
    try:
        # Unlike a rename, a link never replaces the key of a sibling that was quicker.
        os.link(mine, file)
    except FileExistsError:
        pass
    finally:
        mine.unlink()
    return file.read_bytes()


def extras(user: str, defects: frozenset[Defect]) -> dict[str, str | list[str]]:
    """What a token has no need of."""
    more: dict[str, str | list[str]] = {}
    if Defect.PERSONAL_TOKEN in defects:
        more |= {"name": user, "email": f"{user}@customers.example"}
    if Defect.FAT_TOKEN in defects:
        more |= {"permissions": ROLES}
    return more


class Tokens:
    """Mints, reads and revokes. Keeps nothing itself."""

    def __init__(
        self, key: bytes, subjects: Subjects, revoked: Revocations, defects: frozenset[Defect] = frozenset()
    ) -> None:
        self._key = key
        self._subjects = subjects
        self._revoked = revoked
        self._defects = defects

    async def mint(self, user: str) -> str:
        claims = {
            "sub": await self._subjects.subject_of(user),
            "jti": secrets.token_urlsafe(12),
            "exp": int(time.time()) + TTL_S,
            **extras(user, self._defects),
        }
        return jwt.encode(claims, self._key, algorithm="HS256")

    async def user(self, token: str) -> str | None:
        """Whose token it is; None if it is forged, expired or revoked."""
        claims = self._claims(token)
        if claims is None or await self._revoked.revoked(claims[1]):
            return None
        return await self._subjects.user_of(claims[0])

    async def revoke(self, token: str) -> None:
        """Returns once the revocation is kept. A token that is no good needs none."""
        if claims := self._claims(token):
            _, token_id, expires = claims
            await self._revoked.revoke(token_id, expires)

    def _claims(self, token: str) -> tuple[str, str, float] | None:
        required = ["exp", "sub", "jti"]
        try:
            claims = jwt.decode(token, self._key, algorithms=["HS256"], options={"require": required})
        except jwt.InvalidTokenError:
            return None
        return claims["sub"], claims["jti"], float(claims["exp"])


def choose(instance: Instance) -> Tokens | None:
    """None without a key to sign with."""
    settings, stores = instance.settings, instance.stores
    key = signing_key(settings)
    if not key:
        return None
    subjects = RedisSubjects(stores.redis) if stores.in_redis else SqlSubjects(stores.database(SCHEMA))
    return Tokens(key, subjects, revocations.choose(settings, stores), settings.defects)


def bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.casefold() != "bearer" or not token:
        raise HTTPException(401, "a bearer token is needed", {"WWW-Authenticate": "Bearer"})
    return token.strip()


def routes(instance: Instance) -> Sequence[BaseRoute]:
    """An instance without SHOP_SECRET has no tokens."""
    tokens = choose(instance)
    if tokens is None:
        return []

    async def mint(request: Request) -> Response:
        user, password = await text_fields(request, "user", "password")
        if not hmac.compare_digest(password.encode(), PASSWORD.encode()):
            raise HTTPException(401, "wrong user or password")
        return JSONResponse({"token": await tokens.mint(user)}, status_code=201)

    async def whoami(request: Request) -> Response:
        user = await tokens.user(bearer(request))
        if user is None:
            raise HTTPException(401, "this token is not good", {"WWW-Authenticate": "Bearer"})
        return JSONResponse({"user": user})

    async def revoke(request: Request) -> Response:
        if await tokens.user(token := bearer(request)) is None:
            raise HTTPException(401, "this token is not good", {"WWW-Authenticate": "Bearer"})
        await tokens.revoke(token)
        return Response(status_code=204)

    return [
        Route("/tokens", mint, methods=["POST"]),
        Route("/whoami", whoami),
        Route("/tokens/revoke", revoke, methods=["POST"]),
    ]
