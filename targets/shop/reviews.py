"""What customers wrote of the products: kept for good, found by any word of the text."""

import json
import secrets
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Protocol

from redis.asyncio import Redis

from .stores import Database

PAGE = 20
SCHEMA = """
CREATE TABLE IF NOT EXISTS reviews (id TEXT PRIMARY KEY, text TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS review_words (word TEXT, id TEXT, PRIMARY KEY (word, id)) WITHOUT ROWID
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    id: str
    text: str


class Reviews(Protocol):
    """`add` returns once the review is kept, never before; `find` gives the newest PAGE with all words of the query."""

    async def add(self, review: Review) -> None: ...
    async def find(self, query: str) -> list[Review]: ...
    async def answers(self) -> bool:
        """Whether the place where reviews live can be reached."""


def new_review(text: str) -> Review:
    """A review with an id that sorts by age and that no other instance gives out."""
    return Review(id=f"{time.time_ns():020d}-{secrets.token_hex(4)}", text=text)


def words(text: str) -> list[str]:
    return sorted(set(text.casefold().split()))


class MemoryReviews:
    """A list in this process: as many truths as instances, each lost at its death."""

    def __init__(self) -> None:
        self._reviews: list[Review] = []

    async def add(self, review: Review) -> None:
        self._reviews.append(review)

    async def find(self, query: str) -> list[Review]:
        wanted = set(words(query))
        return [review for review in reversed(self._reviews) if wanted <= set(words(review.text))][:PAGE]

    async def answers(self) -> bool:
        return True


class SqliteReviews:
    """Two tables in the file that all instances share."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, review: Review) -> None:
        with self._database.transaction() as connection:
            connection.execute("INSERT INTO reviews VALUES (?, ?)", (review.id, review.text))
            pairs = [(word, review.id) for word in words(review.text)]
            connection.executemany("INSERT INTO review_words VALUES (?, ?)", pairs)

    async def find(self, query: str) -> list[Review]:
        wanted = words(query)
        having = " AND ".join("id IN (SELECT id FROM review_words WHERE word = ?)" for _ in wanted) or "1"
        rows = self._database.rows(
            f"SELECT id, text FROM reviews WHERE {having} ORDER BY id DESC LIMIT {PAGE}", *wanted
        )
        return [Review(id=row[0], text=row[1]) for row in rows]

    async def answers(self) -> bool:
        return self._database.rows("SELECT 'here'") == [("here",)]


class RedisReviews:
    """A set per word, and one of all, in the Redis that all instances share."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def add(self, review: Review) -> None:
        member = json.dumps(asdict(review))
        async with self._redis.pipeline(transaction=True) as together:
            together.zadd("reviews", {member: 0})
            for word in words(review.text):
                together.sadd(f"reviews:word:{word}", member)
            await together.execute()

    async def find(self, query: str) -> list[Review]:
        found = [Review(**json.loads(member)) for member in await self._members(words(query))]
        return sorted(found, key=lambda review: review.id, reverse=True)[:PAGE]

    async def _members(self, wanted: list[str]) -> Iterable[str | bytes]:
        if wanted:
            return await self._redis.sinter([f"reviews:word:{word}" for word in wanted])
        # All have score 0, so they sort by their text, which begins with the id.
        return await self._redis.zrevrangebylex("reviews", "+", "-", start=0, num=PAGE)

    async def answers(self) -> bool:
        return bool(await self._redis.ping())
