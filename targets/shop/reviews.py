"""What customers wrote of the products: kept for good, found by any word of the text."""

import json
import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Protocol

from redis.asyncio import Redis
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from .bodies import text_fields
from .databases import Database

if TYPE_CHECKING:
    from .instance import Instance

PAGE = 20
LONGEST_REVIEW = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    id: str
    text: str


class Reviews(Protocol):
    """`add` returns once the review is kept, never before; `find` gives the newest PAGE with all words of the query."""

    async def add(self, review: Review) -> None: ...
    async def find(self, query: str) -> list[Review]: ...


def new_review(text: str) -> Review:
    """A review with an id that sorts by age and that no other instance gives out."""
    return Review(id=f"{time.time_ns():020d}-{secrets.token_hex(4)}", text=text)


def schema(name: str) -> str:
    """The tables of SqlReviews of that name."""
    return f"""
CREATE TABLE IF NOT EXISTS {name} (id TEXT PRIMARY KEY, text TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS {name}_words (word TEXT, id TEXT, PRIMARY KEY (word, id)) WITHOUT ROWID
"""


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


class SqlReviews:
    """Two tables in the database that all instances share."""

    def __init__(self, database: Database, name: str = "reviews") -> None:
        self._database = database
        self._name = name

    async def add(self, review: Review) -> None:
        note_word = f"INSERT INTO {self._name}_words (word, id) VALUES (?, ?)"
        await self._database.together(
            (f"INSERT INTO {self._name} (id, text) VALUES (?, ?)", review.id, review.text),
            *((note_word, word, review.id) for word in words(review.text)),
        )

    async def find(self, query: str) -> list[Review]:
        wanted = words(query)
        having = " AND ".join(f"id IN (SELECT id FROM {self._name}_words WHERE word = ?)" for _ in wanted) or "1 = 1"
        rows = await self._database.run(
            f"SELECT id, text FROM {self._name} WHERE {having} ORDER BY id DESC LIMIT {PAGE}", *wanted
        )
        return [Review(id=row[0], text=row[1]) for row in rows]


class RedisReviews:
    """A set per word, and one of all, in the Redis that all instances share."""

    def __init__(self, redis: Redis, name: str = "reviews") -> None:
        self._redis = redis
        self._name = name

    async def add(self, review: Review) -> None:
        member = json.dumps(asdict(review))
        async with self._redis.pipeline(transaction=True) as together:
            together.zadd(self._name, {member: 0})
            for word in words(review.text):
                together.sadd(f"{self._name}:word:{word}", member)
            await together.execute()

    async def find(self, query: str) -> list[Review]:
        found = [Review(**json.loads(member)) for member in await self._members(words(query))]
        return sorted(found, key=lambda review: review.id, reverse=True)[:PAGE]

    async def _members(self, wanted: list[str]) -> Iterable[str | bytes]:
        if wanted:
            return await self._redis.sinter([f"{self._name}:word:{word}" for word in wanted])
        # All have score 0, so they sort by their text, which begins with the id.
        return await self._redis.zrevrangebylex(self._name, "+", "-", start=0, num=PAGE)


def routes(instance: "Instance") -> Sequence[BaseRoute]:
    """Guests may write too; a review is answered after it is kept."""
    reviews = instance.reviews

    async def write(request: Request) -> Response:
        (text,) = await text_fields(request, "text", longest=LONGEST_REVIEW)
        review = new_review(text)
        await reviews.add(review)
        return JSONResponse({"id": review.id}, status_code=201)

    async def find(request: Request) -> Response:
        found = await reviews.find(request.query_params.get("q", ""))
        return JSONResponse({"items": [asdict(review) for review in found]})

    return [Route("/reviews", find, methods=["GET"]), Route("/reviews", write, methods=["POST"])]
