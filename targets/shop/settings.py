"""The shop's settings, read once from the environment: one for each feature, and a list of defects."""

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TypeVar

from .limits import Limit, Window

TTL_S = 3600
S3_URL = r"https?://([^/@]+@)?[^/@]+(/[a-z0-9][a-z0-9-]{1,61}[a-z0-9])?"
Choice = TypeVar("Choice", bound=Enum)


class SettingsError(Exception):
    """A setting that can't be used: one sentence for the operator."""


class Where(Enum):
    """Where the state of a session lives: the one setting that makes an instance stateful or stateless."""

    MEMORY = "memory"
    SHARED = "shared"
    SQLITE = "sqlite"
    REDIS = "redis"
    POSTGRES = "postgres"
    JWT = "jwt"
    HYBRID = "hybrid"


class Place(Enum):
    """Where a feature keeps its state. MEMORY and DISK are one instance's own; the others all instances share."""

    MEMORY = "memory"
    DISK = "disk"
    SHARED = "shared"
    S3 = "s3"


class Shared(Enum):
    """What SHARED stands for: the store that all instances of this shop use."""

    SQLITE = "sqlite"
    REDIS = "redis"
    POSTGRES = "postgres"


class Defect(Enum):
    """What `SHOP_DEFECT` can switch on, by name and as a list: `torn,stale-cache`."""

    TORN = "torn"
    STALE_CACHE = "stale-cache"
    EXPORT_TWICE = "export-twice"
    KEY_PER_PROCESS = "key-per-process"
    KEY_PER_INSTANCE = "key-per-instance"
    PERSONAL_TOKEN = "personal-token"
    FAT_TOKEN = "fat-token"
    LEAKY_GLOBAL = "leaky-global"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    sessions: Where
    reviews: Place
    cart: Place
    uploads: Place
    exports: Place
    metrics: Place
    notifications: Place
    limiter: Place
    nightly: Place
    revocations: Place
    forms: Place
    limit: Limit | None
    nightly_every_s: float
    nightly_work_s: float
    key_file: str
    profile_cache: bool
    shared: Shared
    sqlite: str
    redis_url: str | None
    postgres_url: str | None
    uploads_dir: str
    s3_url: str | None
    secret: str
    host: str
    port: int
    workers: int
    defects: frozenset[Defect]
    fail_every: int | None
    ack_before_persist_ms: int

    @classmethod
    def from_environment(cls, env: Mapping[str, str] | None = None) -> "Settings":
        """Reads SHOP_* and PORT; raises SettingsError for what can't be used."""
        env = os.environ if env is None else env
        where = _choice(env, "SHOP_SESSIONS", Where, Where.MEMORY)
        settings = cls(
            sessions=where,
            reviews=_place(env, "SHOP_REVIEWS", Place.MEMORY),
            cart=_place(env, "SHOP_CART", Place.MEMORY),
            uploads=_place(env, "SHOP_UPLOADS", Place.DISK, Place.S3),
            exports=_place(env, "SHOP_EXPORTS", Place.MEMORY),
            metrics=_place(env, "SHOP_METRICS", Place.MEMORY),
            notifications=_place(env, "SHOP_NOTIFICATIONS", Place.MEMORY),
            limiter=_place(env, "SHOP_LIMITER", Place.MEMORY),
            nightly=_place(env, "SHOP_NIGHTLY", Place.MEMORY),
            revocations=_place(env, "SHOP_REVOCATIONS", Place.MEMORY),
            forms=_place(env, "SHOP_FORMS", Place.MEMORY),
            limit=_limit(env),
            nightly_every_s=_seconds(env, "SHOP_NIGHTLY_EVERY_S", "0"),
            nightly_work_s=_seconds(env, "SHOP_NIGHTLY_WORK_S", "0.05"),
            key_file=env.get("SHOP_KEY_FILE", ""),
            profile_cache=_choice(env, "SHOP_PROFILE_CACHE", OnOff, OnOff.OFF) is OnOff.ON,
            shared=_shared(env, where),
            sqlite=env.get("SHOP_SQLITE", "shop.sqlite"),
            redis_url=env.get("SHOP_REDIS_URL"),
            postgres_url=env.get("SHOP_POSTGRES_URL"),
            uploads_dir=env.get("SHOP_UPLOADS_DIR") or _beside_sqlite(env),
            s3_url=env.get("SHOP_S3_URL"),
            secret=_secret(env, where),
            host=env.get("SHOP_HOST", "127.0.0.1"),
            port=_number(env, "PORT", "8000"),
            workers=_number(env, "SHOP_WORKERS", "1"),
            defects=_defects(env.get("SHOP_DEFECT", "")),
            fail_every=_fail_every(env.get("SHOP_FAULT", "")),
            ack_before_persist_ms=_number(env, "SHOP_ACK_BEFORE_PERSIST_MS", "0"),
        )
        settings._check_addresses()
        return settings

    def _check_addresses(self) -> None:
        """A store without an address is a mistake that shows at the start."""
        if self.shared is Shared.REDIS and not self.redis_url:
            raise SettingsError("a shared store of redis needs SHOP_REDIS_URL, such as redis://redis:6379")
        if self.shared is Shared.POSTGRES and not self.postgres_url:
            raise SettingsError("a shared store of postgres needs SHOP_POSTGRES_URL, such as postgresql://app@db/app")
        if self.uploads is Place.S3 and not re.fullmatch(S3_URL, self.s3_url or ""):
            raise SettingsError("SHOP_UPLOADS=s3 needs SHOP_S3_URL, such as http://key:secret@objects:9000/bucket")
        if Defect.KEY_PER_INSTANCE in self.defects and not self.key_file:
            raise SettingsError("SHOP_DEFECT=key-per-instance needs SHOP_KEY_FILE, on the instance's own volume")
        if self.nightly_every_s and self.nightly_work_s >= self.nightly_every_s / 2:
            raise SettingsError("SHOP_NIGHTLY_WORK_S must be less than half of SHOP_NIGHTLY_EVERY_S, a run's lease")


class OnOff(Enum):
    ON = "on"
    OFF = "off"


def _choice(env: Mapping[str, str], name: str, kind: type[Choice], default: Choice) -> Choice:
    text = env.get(name, default.value)
    try:
        return kind(text)
    except ValueError:
        known = ", ".join(each.value for each in kind)
        raise SettingsError(f"{name}={text} is not one of {known}") from None


def _place(env: Mapping[str, str], name: str, own: Place, *others: Place) -> Place:
    """SHARED, the instance's own, or one of the others. A shop that was told of no store has only its own."""
    places = (Place.SHARED, own, *others)
    place = _choice(env, name, Place, Place.SHARED if _has_store(env) else own)
    if place not in places:
        raise SettingsError(f"{name}={place.value} is not one of {', '.join(each.value for each in places)}")
    return place


def _beside_sqlite(env: Mapping[str, str]) -> str:
    """One shared volume holds the file and the uploads."""
    return str(Path(env.get("SHOP_SQLITE", "shop.sqlite")).parent / "uploads")


def _has_store(env: Mapping[str, str]) -> bool:
    """Whether the operator spoke of anything that instances share; else each keeps everything to itself."""
    return env.get("SHOP_SESSIONS", "memory") != "memory" or not env.keys().isdisjoint(
        {"SHOP_SHARED", "SHOP_REDIS_URL", "SHOP_POSTGRES_URL"}
    )


def _addressed(env: Mapping[str, str]) -> Shared:
    if env.get("SHOP_REDIS_URL"):
        return Shared.REDIS
    return Shared.POSTGRES if env.get("SHOP_POSTGRES_URL") else Shared.SQLITE


def _shared(env: Mapping[str, str], where: Where) -> Shared:
    """The store that SHOP_SESSIONS or SHOP_SHARED names; else the one with an address, else the SQLite file."""
    named = {
        Where.SQLITE: Shared.SQLITE,
        Where.REDIS: Shared.REDIS,
        Where.HYBRID: Shared.REDIS,
        Where.POSTGRES: Shared.POSTGRES,
    }.get(where)
    shared = _choice(env, "SHOP_SHARED", Shared, named or _addressed(env))
    # Only one store is shared, so a second name for it can't mean another.
    if named not in (None, shared) and where is not Where.HYBRID:
        raise SettingsError(f"SHOP_SESSIONS={where.value} contradicts SHOP_SHARED={shared.value}")
    return shared


def _secret(env: Mapping[str, str], where: Where) -> str:
    secret = env.get("SHOP_SECRET", "")
    if secret == "random":
        return secrets.token_hex(32)
    if not secret and where in (Where.JWT, Where.HYBRID):
        raise SettingsError(f"SHOP_SESSIONS={where.value} needs SHOP_SECRET, the same for every instance")
    return secret


def _number(env: Mapping[str, str], name: str, default: str) -> int:
    text = env.get(name, default)
    if not text.isdecimal():
        raise SettingsError(f"{name}={text} is not a whole number")
    return int(text)


def _seconds(env: Mapping[str, str], name: str, default: str) -> float:
    text = env.get(name, default)
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
        raise SettingsError(f"{name}={text} is not a number of seconds")
    return float(text)


def _limit(env: Mapping[str, str]) -> Limit | None:
    text = env.get("SHOP_LIMIT", "")
    if not text:
        return None
    found = re.fullmatch(r"([1-9][0-9]*) per ([0-9]*\.?[0-9]*[1-9][0-9]*)s", text)
    if not found:
        raise SettingsError(f"SHOP_LIMIT={text} is not of the form 5 per 2s")
    kind = _choice(env, "SHOP_LIMIT_WINDOW", Window, Window.SLIDING)
    burst = _number(env, "SHOP_LIMIT_BURST", found[1])
    return Limit(allow=int(found[1]), window_s=float(found[2]), kind=kind, burst=max(1, burst))


def _defects(names: str) -> frozenset[Defect]:
    given = [name.strip() for name in names.split(",") if name.strip()]
    return frozenset(_choice({"SHOP_DEFECT": name}, "SHOP_DEFECT", Defect, Defect.TORN) for name in given)


def _fail_every(fault: str) -> int | None:
    if not fault:
        return None
    found = re.fullmatch(r"500-every-([1-9][0-9]*)", fault)
    if not found:
        raise SettingsError(f"SHOP_FAULT={fault} is not of the form 500-every-10")
    return int(found[1])
