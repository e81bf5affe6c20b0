"""Services that mint tokens, to simulate: one that does it as it should, and the usual ways to fail at it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

from chaoscheck.engines.fake_apps import APPS, Asked, Data, Said, Shop
from chaoscheck.model.clock import NS

POLL_NS = NS // 4
"""A list of revocations that is fetched now and then is so old at most."""


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class TokenShop(Shop):
    """Signed tokens with an opaque subject, one key for all instances, a shared list of what was revoked."""

    alg = "HS256"

    def key(self) -> str:
        return "the key of all"

    def revoked(self) -> Data:
        return self.shared.setdefault("revoked", {})  # type: ignore[no-any-return]

    def claims(self, user: str) -> Data:
        subject = hashlib.sha256(user.encode()).hexdigest()[:16]
        self.shared.setdefault("subjects", {})[subject] = user
        self.shared["minted"] = self.shared.get("minted", 0) + 1
        return {"sub": subject, "jti": f"t{self.shared['minted']}", "exp": 2_000_000_000}

    def handle(self, asked: Asked) -> Said:
        route = f"{asked.method} {asked.path}"
        if route == "POST /tokens":
            return Said(201, {"token": self.mint(self.claims(asked.body["user"]))})
        if route not in ("GET /whoami", "POST /tokens/revoke"):
            return super().handle(asked)
        claims = self.read(asked.bearer)
        if claims is None:
            return self.refuse()
        if route == "GET /whoami":
            return Said(200, {"user": self.user(claims)})
        self.revoke(claims["jti"])
        return Said(204)

    def mint(self, claims: Data) -> str:
        head = {"alg": self.alg, "typ": "JWT"}
        text = ".".join(encoded(json.dumps(part).encode()) for part in (head, claims))
        return f"{text}.{self.sign(text)}"

    def sign(self, text: str) -> str:
        return encoded(hmac.new(self.key().encode(), text.encode(), "sha256").digest())

    def read(self, token: str) -> Data | None:
        text, _, signature = token.rpartition(".")
        if not text or not hmac.compare_digest(signature, self.sign(text)):
            return None
        claims: Any = json.loads(base64.urlsafe_b64decode(text.partition(".")[2] + "=="))
        return None if self.is_revoked(claims["jti"]) else claims

    def is_revoked(self, jti: str) -> bool:
        return jti in self.revoked()

    def revoke(self, jti: str) -> None:
        self.revoked()[jti] = self.world.now_ns()

    def user(self, claims: Data) -> str:
        return str(self.shared["subjects"][claims["sub"]])

    def refuse(self) -> Said:
        return Said(401, {"error": "this token is not good"})


class KeyPerProcess(TokenShop):
    """Two processes in one instance, each of which draws a key at its start."""

    def key(self) -> str:
        self.local["turn"] = self.local.get("turn", 0) + 1
        return f"{self.name}-{self.local['turn'] % 2}"


class KeyPerInstance(TokenShop):
    """Every instance draws a key at its start."""

    def key(self) -> str:
        return self.name


class RevokedInMemory(TokenShop):
    """What was revoked, only the instance knows that was told."""

    def revoked(self) -> Data:
        return self.local.setdefault("revoked", {})  # type: ignore[no-any-return]


class RevokedByPoll(TokenShop):
    """Instances fetch the shared list now and then: a revocation takes a moment to be known."""

    def is_revoked(self, jti: str) -> bool:
        return jti in self.revoked() and self.revoked()[jti] // POLL_NS < self.world.now_ns() // POLL_NS


class NeverRevoked(TokenShop):
    """Acknowledges revocations, and that is all."""

    def revoke(self, jti: str) -> None:
        pass


class PersonalToken(TokenShop):
    """The token tells who its holder is."""

    def claims(self, user: str) -> Data:
        return {**super().claims(user), "name": f"Dr. {user}", "email": f"{user}@customers.example"}


class FatToken(TokenShop):
    """All that the user may do stands in the token."""

    def claims(self, user: str) -> Data:
        return {**super().claims(user), "may": [f"shop:orders:{number}" for number in range(200)]}


class UnsignedToken(TokenShop):
    """Takes the token's own word for how it is signed."""

    alg = "none"

    def sign(self, text: str) -> str:
        return ""


class WrongHolder(TokenShop):
    """Who asked last is kept in a global, and now and then is taken for who asks now."""

    def user(self, claims: Data) -> str:
        own = super().user(claims)
        before, self.local["last"] = self.local.get("last", own), own
        self.local["n"] = self.local.get("n", 0) + 1
        return str(before) if self.local["n"] % 17 == 0 else own


class SaysInactive(TokenShop):
    """Right in all, but a refusal is an answer with status 200, as in token introspection."""

    def refuse(self) -> Said:
        return Said(200, {"active": False})


class InactiveInMemory(SaysInactive, RevokedInMemory):
    """The same words, and a list of its own."""


class AnyToken(TokenShop):
    """Nobody looks at the token: who has a cookie is let in, and so is everyone else."""

    def read(self, token: str) -> Data | None:
        return super().read(token) or {"sub": next(iter(self.shared["subjects"])), "jti": ""}


for _name, _app in {
    "tokens": TokenShop,
    "key-per-process": KeyPerProcess,
    "key-per-instance": KeyPerInstance,
    "revoked-in-memory": RevokedInMemory,
    "revoked-by-poll": RevokedByPoll,
    "never-revoked": NeverRevoked,
    "personal-token": PersonalToken,
    "fat-token": FatToken,
    "unsigned-token": UnsignedToken,
    "wrong-holder": WrongHolder,
    "says-inactive": SaysInactive,
    "inactive-in-memory": InactiveInMemory,
    "any-token": AnyToken,
}.items():
    APPS.add(_name)(_app)
