"""How often a user may ask: counted in this instance, or where all instances count together.

The arithmetic in `limits.py` is the same everywhere. What differs is whose count it reads: with counts in memory each
of N instances admits the whole limit, and a death sets its count back to nothing.
"""

import json
import math
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from typing import Protocol, cast

from redis.asyncio import Redis
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from .databases import Database
from .instance import Instance
from .limits import Limit, State, Window, decide
from .settings import Place

SCHEMA = """
CREATE TABLE IF NOT EXISTS limits (who TEXT PRIMARY KEY, state TEXT NOT NULL, expires DOUBLE PRECISION NOT NULL)
"""
MOST_TRIES = 50

Clock = Callable[[], float]


class Limiter(Protocol):
    async def wait_s(self, who: str) -> float:
        """0.0 if the request is admitted (and now counted), else how long until one may be."""


class Unlimited:
    """Every request is admitted."""

    async def wait_s(self, who: str) -> float:
        return 0.0


class MemoryLimiter:
    """Counts in this process: N instances admit N times the limit, and a restart forgives everything."""

    def __init__(self, limit: Limit, clock: Clock = time.time) -> None:
        self._limit = limit
        self._clock = clock
        self._states: dict[str, State] = {}

    async def wait_s(self, who: str) -> float:
        self._states[who], wait_s = decide(self._limit, self._states.get(who, []), self._clock())
        return wait_s


class SqlLimiter:
    """Writes only over the state that it decided on, so no two instances admit the same last request."""

    def __init__(self, limit: Limit, database: Database, clock: Clock = time.time) -> None:
        self._limit = limit
        self._database = database
        self._clock = clock

    async def wait_s(self, who: str) -> float:
        for _ in range(MOST_TRIES):
            now = self._clock()
            seen = await self._seen(who)
            state, wait_s = decide(self._limit, json.loads(seen), now)
            # A refusal changes nothing that the next decision could not derive again.
            if wait_s or await self._replace(who, seen, json.dumps(state), now):
                return wait_s
        raise TimeoutError(f"the count of {who} changed under each of {MOST_TRIES} tries to write it")

    async def _seen(self, who: str) -> str:
        rows = await self._database.run("SELECT state FROM limits WHERE who = ?", who)
        return str(rows[0][0]) if rows else "[]"

    async def _replace(self, who: str, seen: str, state: str, now: float) -> bool:
        expires = now + self._limit.forgotten_after_s
        if seen == "[]":
            # Only newcomers pay for the sweep: they are the ones who make the table grow.
            await self._database.run("DELETE FROM limits WHERE expires < ?", now - self._limit.forgotten_after_s)
        written = await self._database.run(
            "INSERT INTO limits (who, state, expires) VALUES (?, ?, ?) ON CONFLICT (who) DO UPDATE "
            "SET state = excluded.state, expires = excluded.expires WHERE limits.state = ? RETURNING who",
            *(who, state, expires, seen),
        )
        return bool(written)


# The same arithmetic where the counts are. The nonce makes a request that the client sent twice count once.
_NOW = """
local now = tonumber(ARGV[1])
if not now then local t = redis.call('TIME'); now = t[1] + t[2] / 1000000 end
local window, allow, burst, nonce = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
"""
SCRIPTS = {
    Window.SLIDING: _NOW
    + """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
if redis.call('ZSCORE', KEYS[1], nonce) then return '0' end
if redis.call('ZCARD', KEYS[1]) < allow then
  redis.call('ZADD', KEYS[1], now, nonce)
  redis.call('PEXPIRE', KEYS[1], math.ceil(window * 1000))
  return '0'
end
return tostring(redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2] + window - now)
""",
    Window.FIXED: _NOW
    + """
local number = math.floor(now / window)
local counted = KEYS[1] .. ':' .. string.format('%d', number)
if redis.call('SISMEMBER', counted, nonce) == 1 then return '0' end
if redis.call('SCARD', counted) < allow then
  redis.call('SADD', counted, nonce)
  redis.call('PEXPIRE', counted, math.ceil(window * 1000))
  return '0'
end
return tostring((number + 1) * window - now)
""",
    Window.BUCKET: _NOW
    + """
local rate = allow / window
local kept = redis.call('HMGET', KEYS[1], 'tokens', 'last', 'nonce')
if kept[3] == nonce then return '0' end
local tokens = math.min(burst, (kept[1] or burst) + math.max(0, now - (kept[2] or now)) * rate)
local wait = 0
if tokens >= 1 then tokens = tokens - 1 else wait = (1 - tokens) / rate; nonce = '' end
local kept_tokens, last = string.format('%.17g', tokens), string.format('%.17g', now)
redis.call('HSET', KEYS[1], 'tokens', kept_tokens, 'last', last, 'nonce', nonce)
redis.call('PEXPIRE', KEYS[1], math.ceil(burst / rate * 1000))
return tostring(wait)
""",
}


class RedisLimiter:
    """One script, run by Redis alone and by its clock: no two instances admit the same last request."""

    def __init__(self, limit: Limit, redis: Redis, clock: Clock | None = None) -> None:
        self._limit = limit
        self._clock = clock
        self._script = redis.register_script(SCRIPTS[limit.kind])

    async def wait_s(self, who: str) -> float:
        now = repr(self._clock()) if self._clock else ""
        limit = self._limit
        values: list[str | float] = [now, limit.window_s, limit.allow, limit.burst, secrets.token_hex(8)]
        answer = await cast(Awaitable[str], self._script(keys=[f"limit:{limit.kind.value}:{who}"], args=values))
        return float(answer)


def choose(instance: Instance) -> Limiter:
    limit = instance.settings.limit
    if limit is None:
        return Unlimited()
    if instance.settings.limiter is Place.MEMORY:
        return MemoryLimiter(limit)
    stores = instance.stores
    return RedisLimiter(limit, stores.redis) if stores.in_redis else SqlLimiter(limit, stores.database(SCHEMA))


def routes(instance: Instance) -> Sequence[BaseRoute]:
    """A search of the reviews, for a guest as well: users are counted by name, guests by address."""
    limiter = choose(instance)

    async def search(request: Request) -> Response:
        session = await instance.session(request)
        address = request.client.host if request.client else "unknown"
        wait_s = await limiter.wait_s(f"user {session.user}" if session else f"address {address}")
        if wait_s:
            raise HTTPException(429, "too many searches", {"Retry-After": str(math.ceil(wait_s))})
        found = await instance.reviews.find(request.query_params.get("q", ""))
        return JSONResponse({"items": [asdict(review) for review in found]})

    return [Route("/search", search)]
