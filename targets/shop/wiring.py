"""Settings to parts: the only place where the variants differ."""

from . import reviews as shop_reviews
from . import sessions as shop_sessions
from .defects import WriteBehindReviews, WriteBehindStore
from .reviews import MemoryReviews, RedisReviews, Reviews, SqliteReviews
from .sessions import Hybrid, MemoryStore, RedisStore, ServerSide, Sessions, SessionStore, SignedToken, SqliteStore
from .settings import Settings, Where
from .stores import Database, connect_redis

SCHEMA = f"{shop_sessions.SCHEMA};{shop_reviews.SCHEMA}"


def wire(settings: Settings) -> tuple[Sessions, Reviews]:
    """The halves of one instance; opens the SQLite file if the variant has one, Redis when first used."""
    store, reviews = places(settings)
    if settings.ack_before_persist_ms:
        delay_s = settings.ack_before_persist_ms / 1000
        store, reviews = WriteBehindStore(store, delay_s), WriteBehindReviews(reviews, delay_s)
    match settings.sessions:
        case Where.JWT:
            return SignedToken(settings.secret), reviews
        case Where.HYBRID:
            return Hybrid(settings.secret, store), reviews
        case _:
            return ServerSide(store), reviews


def places(settings: Settings) -> tuple[SessionStore, Reviews]:
    """Where state lives: in this process, in the shared Redis, or in the shared SQLite file."""
    if settings.sessions is Where.MEMORY:
        return MemoryStore(), MemoryReviews()
    if settings.redis_url and settings.sessions is not Where.SQLITE:
        redis = connect_redis(settings.redis_url)
        return RedisStore(redis), RedisReviews(redis)
    database = Database(settings.sqlite, SCHEMA)
    return SqliteStore(database), SqliteReviews(database)
