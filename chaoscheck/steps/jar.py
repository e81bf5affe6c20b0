"""A cookie jar as a browser keeps it that has opened one origin (RFC 6265, one host only)."""

from __future__ import annotations

import calendar
import email.utils
import http.cookiejar
import ipaddress
import math
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple
from urllib.parse import urlsplit

_CACHED_PATHS = 64


class _Cookie(NamedTuple):
    name: str
    value: str
    domain: str
    path: str
    expires_s: float
    born: int


class Jar:
    """Cookies of one browser that has opened `origin`. Every call scopes by that origin, whichever instance is dialled.

    As the client visits one host only, a cookie is either of use there or not kept at all: foreign domains, `Secure`
    over plain http, and `__Host-`/`__Secure-` names that break their rules are refused. SameSite never matters: every
    request comes from the origin itself. `now` tells the wall clock, s.
    """

    __slots__ = ("_born", "_cookies", "_headers", "_host", "_now", "_secure", "_soonest_s", "origin")

    def __init__(self, origin: str, now: Callable[[], float] = time.time) -> None:
        parts = urlsplit(origin)
        self.origin = origin
        self._host = (parts.hostname or "").lower()
        self._secure = parts.scheme == "https"
        self._now = now
        self._cookies: dict[tuple[str, str, str], _Cookie] = {}
        self._headers: dict[str, str] = {}
        self._soonest_s = math.inf
        self._born = 0

    def header(self, path: str) -> str:
        """The Cookie header's value for a request of `path` (query allowed); "" for none."""
        if not self._cookies:
            return ""
        if self._soonest_s is not math.inf and self._now() >= self._soonest_s:
            self._changed()
        known = self._headers.get(path)
        return self._render(path) if known is None else known

    def absorb(self, path: str, set_cookie_values: Iterable[str]) -> None:
        """Take in the Set-Cookie values of an answer to a request of `path`. Malformed ones are left out."""
        touched = False
        for line in set_cookie_values:
            touched = self._absorb_one(path.partition("?")[0], line) or touched
        if touched:
            self._changed()

    def value(self, name: str) -> str | None:
        """What the cookie of that name holds; None when there is none."""
        self._forget_expired()
        return next((cookie.value for cookie in self._cookies.values() if cookie.name == name), None)

    def names(self) -> tuple[str, ...]:
        """Names of the live cookies, oldest first."""
        self._forget_expired()
        return tuple(cookie.name for cookie in self._cookies.values())

    def values(self) -> tuple[str, ...]:
        """What the live cookies hold: secrets, all of them."""
        self._forget_expired()
        return tuple(cookie.value for cookie in self._cookies.values())

    def copy(self) -> Jar:
        other = self.empty()
        other._cookies = dict(self._cookies)
        other._soonest_s, other._born = self._soonest_s, self._born
        return other

    def empty(self) -> Jar:
        """A jar for the same origin with nothing in it."""
        return Jar(self.origin, self._now)

    def _absorb_one(self, path: str, line: str) -> bool:
        pair, _, rest = line.partition(";")
        name, equals, value = pair.partition("=")
        name, value = name.strip(), value.strip()
        if not (name and equals) or _has_controls(line):
            return False
        attributes = _attributes(rest)
        domain = self._domain(attributes.get("domain", ""))
        cookie_path = attributes.get("path", "")
        cookie_path = cookie_path if cookie_path.startswith("/") else _default_path(path)
        if domain is None or not self._may_keep(name, attributes, cookie_path):
            return False
        key = (name, domain, cookie_path)
        expires_s = self._expires_s(attributes)
        before = self._cookies.get(key)
        if expires_s <= self._now():
            return self._cookies.pop(key, None) is not None
        if before is None:
            self._born += 1
        self._cookies[key] = _Cookie(name, value, domain, cookie_path, expires_s, before.born if before else self._born)
        return True

    def _may_keep(self, name: str, attributes: dict[str, str], path: str) -> bool:
        if "secure" in attributes:
            if not self._secure:
                return False
        elif name.startswith(("__Secure-", "__Host-")):
            return False
        return not name.startswith("__Host-") or (path == "/" and not attributes.get("domain"))

    def _domain(self, said: str) -> str | None:
        """The domain to keep a cookie under: "" for this host only, None for one that isn't ours."""
        domain = said.lower().removeprefix(".")
        if not domain:
            return ""
        if domain == self._host:
            return "" if _is_address(domain) else domain
        ours = self._host.endswith("." + domain) and "." in domain and not _is_address(self._host)
        return domain if ours else None

    def _expires_s(self, attributes: dict[str, str]) -> float:
        age = attributes.get("max-age", "")
        if age and age.removeprefix("-").isdigit() and age.isascii():
            return self._now() + int(age[:12]) if not age.startswith("-") else -math.inf
        when = _date_s(attributes["expires"]) if attributes.get("expires") else None
        return math.inf if when is None else when

    def _changed(self) -> None:
        self._headers.clear()
        self._soonest_s = min((cookie.expires_s for cookie in self._cookies.values()), default=math.inf)
        if self._soonest_s <= self._now():
            self._forget_expired()

    def _forget_expired(self) -> None:
        now = self._now()
        if self._soonest_s <= now:
            self._cookies = {key: cookie for key, cookie in self._cookies.items() if cookie.expires_s > now}
            self._changed()

    def _render(self, path: str) -> str:
        bare = path.partition("?")[0]
        fits = [cookie for cookie in self._cookies.values() if _path_matches(bare, cookie.path)]
        fits.sort(key=lambda cookie: (-len(cookie.path), cookie.born))
        value = "; ".join(f"{cookie.name}={cookie.value}" for cookie in fits)
        if len(self._headers) >= _CACHED_PATHS:
            self._headers.clear()
        self._headers[path] = value
        return value


def _attributes(rest: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in rest.split(";"):
        key, _, value = part.partition("=")
        found[key.strip().lower()] = value.strip()
    return found


def _default_path(path: str) -> str:
    folder = path.rpartition("/")[0]
    return folder if folder.startswith("/") else "/"


def _path_matches(path: str, scope: str) -> bool:
    return scope == "/" or path == scope or path.startswith(scope if scope.endswith("/") else scope + "/")


def _date_s(text: str) -> float | None:
    when: float | None = http.cookiejar.http2time(text)  # type: ignore[attr-defined]
    if when is None:
        # Years before 1970 are how some servers say "delete this".
        parsed = email.utils.parsedate_tz(text)
        try:
            when = calendar.timegm(parsed[:9]) if parsed else None
        except (ValueError, OverflowError):
            when = None
    return when


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _has_controls(text: str) -> bool:
    return any((char < " " and char != "\t") or char == "\x7f" for char in text)
