"""The shop's settings, read once from the environment."""

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

TTL_S = 3600


class SettingsError(Exception):
    """A setting that can't be used: one sentence for the operator."""


class Where(Enum):
    """Where the state of a session lives: the one setting that makes an instance stateful or stateless."""

    MEMORY = "memory"
    SQLITE = "sqlite"
    REDIS = "redis"
    JWT = "jwt"
    HYBRID = "hybrid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    sessions: Where
    sqlite: str
    redis_url: str | None
    secret: str
    host: str
    port: int
    workers: int
    fail_every: int | None
    ack_before_persist_ms: int

    @classmethod
    def from_environment(cls, env: Mapping[str, str] | None = None) -> "Settings":
        """Reads SHOP_* and PORT; raises SettingsError for what can't be used."""
        env = os.environ if env is None else env
        where = _where(env.get("SHOP_SESSIONS", "memory"))
        redis_url = env.get("SHOP_REDIS_URL")
        if where in (Where.REDIS, Where.HYBRID) and not redis_url:
            raise SettingsError(f"SHOP_SESSIONS={where.value} needs SHOP_REDIS_URL, such as redis://redis:6379")
        return cls(
            sessions=where,
            sqlite=env.get("SHOP_SQLITE", "shop.sqlite"),
            redis_url=redis_url,
            secret=_secret(env, where),
            host=env.get("SHOP_HOST", "127.0.0.1"),
            port=_number(env, "PORT", "8000"),
            workers=_number(env, "SHOP_WORKERS", "1"),
            fail_every=_fail_every(env.get("SHOP_FAULT", "")),
            ack_before_persist_ms=_number(env, "SHOP_ACK_BEFORE_PERSIST_MS", "0"),
        )


def _where(name: str) -> Where:
    try:
        return Where(name)
    except ValueError:
        known = ", ".join(where.value for where in Where)
        raise SettingsError(f"SHOP_SESSIONS={name} is not one of {known}") from None


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


def _fail_every(fault: str) -> int | None:
    if not fault:
        return None
    found = re.fullmatch(r"500-every-([1-9][0-9]*)", fault)
    if not found:
        raise SettingsError(f"SHOP_FAULT={fault} is not of the form 500-every-10")
    return int(found[1])
