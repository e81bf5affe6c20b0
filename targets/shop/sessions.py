"""Where a session lives: in this instance, in a store that all instances share, or with the client.

An instance is stateless when any other can take its place in the middle of a session. Read the classes in pairs:

    MemoryStore   the session is a dict in this process: nobody else can continue it, and it dies with us
    SqlStore      the same three methods on a database that every instance opens
    RedisStore    the same three methods on a server that every instance asks

    ServerSide    the cookie is a random id, the session lives in one of those stores
    SignedToken   the cookie *is* the session, and any instance with the same key can read it
    Hybrid        the cookie says who you are, a shared store keeps what you did
"""

import hashlib
import secrets
import time
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import jwt
from redis.asyncio import Redis
from redis.typing import EncodableT as RedisText

from .databases import Database
from .revocations import Revocations
from .settings import TTL_S

Claims = dict[str, Any]

SCHEMA = """
CREATE TABLE IF NOT EXISTS sessions (
    id TEXT PRIMARY KEY, username TEXT NOT NULL, nickname TEXT, expires DOUBLE PRECISION NOT NULL
);
CREATE INDEX IF NOT EXISTS sessions_by_expiry ON sessions (expires)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    user: str
    nickname: str | None = None


class SessionStore(Protocol):
    """Keeps sessions by id. `put` returns once the session is kept, never before."""

    async def get(self, session_id: str) -> Session | None: ...
    async def put(self, session_id: str, session: Session) -> None: ...
    async def drop(self, session_id: str) -> None: ...


class Sessions(Protocol):
    """What the shop knows of sessions: a cookie in, a session out. Must not write anything in `read`."""

    async def open(self, user: str) -> str:
        """Begins a session; returns its cookie."""

    async def read(self, cookie: str) -> Session | None:
        """The session that the cookie stands for; None if it is unknown, expired or forged."""

    async def save(self, cookie: str, session: Session) -> str:
        """Keeps the changed session; returns the cookie to use from now on."""

    async def close(self, cookie: str) -> None:
        """Ends the session, for every copy of its cookie."""


# Stateful: the one store that must not be used.


class MemoryStore:
    """A dict in this process: quick, simple, and wrong with two instances or one death."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}

    async def get(self, session_id: str) -> Session | None:
        return self._sessions.get(session_id)

    async def put(self, session_id: str, session: Session) -> None:
        self._sessions[session_id] = session

    async def drop(self, session_id: str) -> None:
        self._sessions.pop(session_id, None)


# Stateless: the same dict, kept where every instance sees it and none takes it along when it dies.


class SqlStore:
    """A table in a SQLite file on a volume that all instances share, or in their PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, session_id: str) -> Session | None:
        rows = await self._database.run(
            "SELECT username, nickname FROM sessions WHERE id = ? AND expires > ?", session_id, time.time()
        )
        return Session(user=rows[0][0], nickname=rows[0][1]) if rows else None

    async def put(self, session_id: str, session: Session) -> None:
        now = time.time()
        await self._database.together(
            ("DELETE FROM sessions WHERE expires <= ?", now),
            (
                "INSERT INTO sessions (id, username, nickname, expires) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE "
                "SET username = excluded.username, nickname = excluded.nickname, expires = excluded.expires",
                *(session_id, session.user, session.nickname, now + TTL_S),
            ),
        )

    async def drop(self, session_id: str) -> None:
        await self._database.run("DELETE FROM sessions WHERE id = ?", session_id)


class RedisStore:
    """A hash per session with a time to live: Redis forgets the abandoned ones by itself."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def get(self, session_id: str) -> Session | None:
        kept = await self._redis.hgetall(f"session:{session_id}")
        return Session(**{str(name): str(value) for name, value in kept.items()}) if kept else None

    async def put(self, session_id: str, session: Session) -> None:
        fields: dict[RedisText, RedisText] = {
            name: value for name, value in asdict(session).items() if value is not None
        }
        async with self._redis.pipeline(transaction=True) as together:
            together.hset(f"session:{session_id}", mapping=fields)
            together.expire(f"session:{session_id}", TTL_S)
            await together.execute()

    async def drop(self, session_id: str) -> None:
        await self._redis.delete(f"session:{session_id}")


# What the cookie carries: a name for the state, the state itself, or a bit of both.


class ServerSide:
    """The cookie is a random id; as stateless as the store behind it."""

    def __init__(self, store: SessionStore) -> None:
        self._store = store

    async def open(self, user: str) -> str:
        session_id = secrets.token_urlsafe(24)
        await self._store.put(session_id, Session(user=user))
        return session_id

    async def read(self, cookie: str) -> Session | None:
        return await self._store.get(cookie)

    async def save(self, cookie: str, session: Session) -> str:
        await self._store.put(cookie, session)
        return cookie

    async def close(self, cookie: str) -> None:
        await self._store.drop(cookie)


class SignedToken:
    """The cookie is the session, signed. Stateless only while every instance, and every worker, has the same key.

    A logout can't take the cookie out of the world, so it revokes the id of the session, which all its cookies share.
    """

    def __init__(self, secret: str, revoked: Revocations) -> None:
        self._key = hashlib.sha256(secret.encode()).digest()
        self._revoked = revoked

    async def open(self, user: str) -> str:
        return self._sign(secrets.token_urlsafe(12), Session(user=user))

    async def read(self, cookie: str) -> Session | None:
        claims = self._claims(cookie)
        if claims is None or await self._revoked.revoked(claims["jti"]):
            return None
        return Session(user=claims["sub"], nickname=claims.get("nickname"))

    async def save(self, cookie: str, session: Session) -> str:
        claims = self._claims(cookie)
        return self._sign(claims["jti"] if claims else secrets.token_urlsafe(12), session)

    async def close(self, cookie: str) -> None:
        if claims := self._claims(cookie):
            # Until the last cookie of the session is over, and a save may have made one just now.
            await self._revoked.revoke(claims["jti"], time.time() + TTL_S)

    def _claims(self, cookie: str) -> Claims | None:
        return verified(cookie, self._key, "exp", "sub", "jti")

    def _sign(self, session_id: str, session: Session) -> str:
        claims = {"sub": session.user, "nickname": session.nickname, "jti": session_id, "exp": int(time.time()) + TTL_S}
        return jwt.encode(claims, self._key, algorithm="HS256")


class Hybrid:
    """Who you are comes with the token, what you did lives in the shared store: small cookies, data of any size."""

    def __init__(self, secret: str, store: SessionStore, revoked: Revocations) -> None:
        self._key = hashlib.sha256(secret.encode()).digest()
        self._store = store
        self._revoked = revoked

    async def open(self, user: str) -> str:
        claims = {"sub": user, "sid": secrets.token_urlsafe(24), "exp": int(time.time()) + TTL_S}
        return jwt.encode(claims, self._key, algorithm="HS256")

    async def read(self, cookie: str) -> Session | None:
        claims = self._claims(cookie)
        if claims is None or await self._revoked.revoked(claims["sid"]):
            return None
        kept = await self._store.get(claims["sid"])
        return Session(user=claims["sub"], nickname=kept.nickname if kept else None)

    async def save(self, cookie: str, session: Session) -> str:
        if claims := self._claims(cookie):
            await self._store.put(claims["sid"], session)
        return cookie

    async def close(self, cookie: str) -> None:
        if claims := self._claims(cookie):
            await self._revoked.revoke(claims["sid"], float(claims["exp"]))
            await self._store.drop(claims["sid"])

    def _claims(self, cookie: str) -> Claims | None:
        return verified(cookie, self._key, "exp", "sub", "sid")


def verified(cookie: str, key: bytes, *required: str) -> Claims | None:
    """What a cookie of ours says; None if it is forged, expired or of another kind."""
    try:
        claims: Claims = jwt.decode(cookie, key, algorithms=["HS256"], options={"require": list(required)})
    except jwt.InvalidTokenError:
        return None
    return claims
