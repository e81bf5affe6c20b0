"""Services with a rate limit, to simulate: 5 searches per 2 s, counted together or by each instance, rightly or not."""

from __future__ import annotations

from typing import Any

from chaoscheck.engines.fake_apps import APPS, Asked, Data, Said, Shop
from chaoscheck.model.clock import NS

ALLOW = 5
PER_NS = 2 * NS
STRICT_NS = 3 * NS
LEAK = 8


class SlidingShop(Shop):
    """No more than so many in any stretch of a window's length, counted in the shared store."""

    def counts(self, key: str) -> Data:
        return self.shared.setdefault("limits", {})  # type: ignore[no-any-return]

    def key(self, session: Data) -> str:
        return str(session["user"])

    def logged_in(self, route: str, sid: str, session: Data, asked: Asked) -> Said:
        if route != "GET /search":
            return super().logged_in(route, sid, session, asked)
        key = self.key(session)
        if not self.admits(self.counts(key), key, self.world.now_ns()):
            return Said(429, {"error": "too many searches"})
        return Said(200, {"items": []})

    def admits(self, counts: Data, key: str, now: int) -> bool:
        recent = counts[key] = [at for at in counts.get(key, []) if at > now - PER_NS]
        if len(recent) >= ALLOW:
            return False
        recent.append(now)
        return True


class FixedShop(SlidingShop):
    """So many in each aligned window."""

    def admits(self, counts: Data, key: str, now: int) -> bool:
        number, count = counts.get(key, (-1, 0))
        count = count if number == now // PER_NS else 0
        counts[key] = (now // PER_NS, min(count + 1, ALLOW))
        return bool(count < ALLOW)


class FirstRequestShop(SlidingShop):
    """A fixed window that begins with its first request: INCR, and EXPIRE on the first."""

    def admits(self, counts: Data, key: str, now: int) -> bool:
        until, count = counts.get(key, (0, 0))
        if now >= until:
            until, count = now + PER_NS, 0
        counts[key] = (until, count + 1)
        return bool(count < ALLOW)


class BucketShop(SlidingShop):
    """A bucket of so many tokens that refills evenly."""

    def admits(self, counts: Data, key: str, now: int) -> bool:
        tokens, last = counts.get(key, (float(ALLOW), now))
        tokens = min(float(ALLOW), tokens + (now - last) * ALLOW / PER_NS)
        counts[key] = (tokens - 1 if tokens >= 1 else tokens, now)
        return bool(tokens >= 1)


def _own_counts(base: type[SlidingShop]) -> type[SlidingShop]:
    """A limiter in each instance."""

    class Each(base):  # type: ignore[valid-type, misc]
        def counts(self, key: str) -> Data:
            return self.local.setdefault("limits", {})  # type: ignore[no-any-return]

    return Each


class OwnedShop(SlidingShop):
    """Each user's count is kept in the memory of one instance, which all ask; when it dies another begins anew."""

    def counts(self, key: str) -> Data:
        owners: dict[str, Data] = self.shared.setdefault("owners", {})
        owner = owners.get(key)
        if owner is None or owner.get("dead"):
            owner = owners[key] = self.local
        return owner.setdefault("limits", {})  # type: ignore[no-any-return]


class StrictShop(SlidingShop):
    """It counts for longer than it says."""

    def admits(self, counts: Data, key: str, now: int) -> bool:
        recent = counts[key] = [at for at in counts.get(key, []) if at > now - STRICT_NS]
        if len(recent) >= ALLOW:
            return False
        recent.append(now)
        return True


class CountsTwice(SlidingShop):
    """Each request counts twice."""

    def admits(self, counts: Data, key: str, now: int) -> bool:
        return super().admits(counts, key, now) and super().admits(counts, key, now)


class OneTooMany(SlidingShop):
    """It counts rightly, and compares wrongly."""

    def admits(self, counts: Data, key: str, now: int) -> bool:
        recent = counts[key] = [at for at in counts.get(key, []) if at > now - PER_NS]
        if len(recent) > ALLOW:
            return False
        recent.append(now)
        return True


class StumblingShop(SlidingShop):
    """Right, but for an error at a new user's first request."""

    def logged_in(self, route: str, sid: str, session: Data, asked: Asked) -> Said:
        said = super().logged_in(route, sid, session, asked)
        known: set[str] = self.shared.setdefault("known", set())
        if route != "GET /search" or sid in known:
            return said
        known.add(sid)
        return Said(500, {"error": "sorry"})


class LeakyShop(SlidingShop):
    """Now and then it lets one in that is too many."""

    def admits(self, counts: Data, key: str, now: int) -> bool:
        if super().admits(counts, key, now):
            return True
        self.shared["over"] = self.shared.get("over", 0) + 1
        return bool(self.shared["over"] % LEAK == 0)


class UnlimitedShop(SlidingShop):
    """It refuses nobody."""

    def admits(self, counts: Data, key: str, now: int) -> bool:
        return True


class OneForAllShop(SlidingShop):
    """All users share one count."""

    def key(self, session: Data) -> str:
        return "everyone"


class OwnWords(SlidingShop):
    """It refuses with 503 and a text of its own."""

    def logged_in(self, route: str, sid: str, session: Data, asked: Asked) -> Said:
        said = super().logged_in(route, sid, session, asked)
        return Said(403, {"error": "slow down"}) if said.status == 429 else said


_SHOPS: dict[str, Any] = {
    "limit": SlidingShop,
    "limit-fixed": FixedShop,
    "limit-first-request": FirstRequestShop,
    "limit-bucket": BucketShop,
    "limit-each": _own_counts(SlidingShop),
    "limit-each-fixed": _own_counts(FixedShop),
    "limit-each-bucket": _own_counts(BucketShop),
    "limit-owned": OwnedShop,
    "limit-strict": StrictShop,
    "limit-twice": CountsTwice,
    "limit-leaky": LeakyShop,
    "limit-one-too-many": OneTooMany,
    "limit-stumbling": StumblingShop,
    "limit-none": UnlimitedShop,
    "limit-for-all": OneForAllShop,
    "limit-own-words": OwnWords,
}
for _name, _app in _SHOPS.items():
    APPS.add(_name)(_app)
