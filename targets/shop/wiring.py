"""Settings to parts: which sessions and reviews an instance has. Other features choose in their own module."""

from . import identity, revocations
from . import reviews as shop_reviews
from . import sessions as shop_sessions
from .defects import WriteBehindReviews, WriteBehindStore
from .instance import Instance
from .reviews import MemoryReviews, RedisReviews, Reviews, SqlReviews
from .sessions import Hybrid, MemoryStore, RedisStore, ServerSide, Sessions, SessionStore, SignedToken, SqlStore
from .settings import Defect, Place, Settings, Where
from .stores import Stores


def wire(settings: Settings) -> Instance:
    """One instance; opens the SQLite file if something lives in it, Redis and PostgreSQL when first used."""
    stores = Stores(settings)
    opened = sessions(settings, stores)
    if Defect.LEAKY_GLOBAL in settings.defects:
        opened = identity.SetsCurrentUser(opened)
    return Instance(settings=settings, stores=stores, sessions=opened, reviews=reviews(settings, stores))


def sessions(settings: Settings, stores: Stores) -> Sessions:
    """What the cookie carries, over the place where the rest lives."""
    match settings.sessions:
        case Where.JWT:
            return SignedToken(settings.secret, revocations.choose(settings, stores))
        case Where.HYBRID:
            revoked = revocations.choose(settings, stores)
            return Hybrid(settings.secret, session_store(settings, stores), revoked)
        case _:
            return ServerSide(session_store(settings, stores))


def session_store(settings: Settings, stores: Stores) -> SessionStore:
    store: SessionStore
    if settings.sessions is Where.MEMORY:
        store = MemoryStore()
    elif stores.in_redis:
        store = RedisStore(stores.redis)
    else:
        store = SqlStore(stores.database(shop_sessions.SCHEMA))
    delay_s = settings.ack_before_persist_ms / 1000
    return WriteBehindStore(store, delay_s) if delay_s else store


def reviews(settings: Settings, stores: Stores) -> Reviews:
    kept: Reviews
    if settings.reviews is Place.MEMORY:
        kept = MemoryReviews()
    elif stores.in_redis:
        kept = RedisReviews(stores.redis)
    else:
        kept = SqlReviews(stores.database(shop_reviews.schema("reviews")))
    delay_s = settings.ack_before_persist_ms / 1000
    return WriteBehindReviews(kept, delay_s) if delay_s else kept
