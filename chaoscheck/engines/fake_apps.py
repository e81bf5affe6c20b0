"""Services to simulate: one small shop, right in one way and wrong in many."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from email.parser import BytesParser
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from chaoscheck.engines.world import World
from chaoscheck.model.clock import NS
from chaoscheck.registry import Registry

Data = dict[str, Any]


class Asked(NamedTuple):
    """A request as an application sees it: `body` if it is JSON, `form` and `files` of one that a form makes,
    `bearer` the token that it carries."""

    method: str
    path: str
    query: dict[str, str]
    cookie: str
    body: dict[str, Any]
    raw: bytes = b""
    form: Mapping[str, str] = {}
    files: Mapping[str, bytes] = {}
    bearer: str = ""

    @classmethod
    def of(cls, method: str, target: str, headers: dict[str, str], body: bytes) -> Asked:
        parts = urlsplit(target)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        kind = headers.get("content-type", "")
        sent = json.loads(body) if body and kind.startswith("application/json") else {}
        form, files = _parts(kind, body) if kind.startswith("multipart/") else ({}, {})
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        bearer = bearer if scheme == "Bearer" else ""
        return cls(method, parts.path, query, headers.get("cookie", ""), sent, body, form, files, bearer)


def _parts(kind: str, body: bytes) -> tuple[dict[str, str], dict[str, bytes]]:
    """Fields and files of a multipart body."""
    form: dict[str, str] = {}
    files: dict[str, bytes] = {}
    message = BytesParser().parsebytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
    for part in message.walk():
        content = part.get_payload(decode=True)
        if not isinstance(content, bytes):
            continue
        name = str(part.get_param("name", "", "content-disposition"))
        if part.get_filename() is None:
            form[name] = content.decode()
        else:
            files[name] = content
    return form, files


class Said(NamedTuple):
    """An answer: status, the body (bytes as they are, anything else as JSON) and the session id to set, if any."""

    status: int
    body: Any = None
    sid: str = ""


class Shop:
    """Login, profile and reviews. `local` dies with the instance, `shared` doesn't; a subclass says what lies where."""

    def __init__(self, name: str, local: Data, shared: Data, world: World) -> None:
        self.name, self.local, self.shared, self.world = name, local, shared, world

    def sessions(self) -> Data:
        return self.shared.setdefault("sessions", {})  # type: ignore[no-any-return]

    def reviews(self) -> Data:
        return self.shared.setdefault("reviews", {})  # type: ignore[no-any-return]

    def save_session(self, sid: str, session: Data) -> None:
        self.sessions()[sid] = session

    def save_review(self, text: str) -> None:
        self.reviews()[text] = True

    def handle(self, asked: Asked) -> Said:
        route = f"{asked.method} {asked.path}"
        if route == "GET /healthz":
            return Said(200, {"ok": True})
        if route == "POST /login":
            return self.login(asked)
        if route == "GET /reviews":
            return Said(200, [text for text in (asked.query.get("q"),) if text in self.reviews()])
        sid = next((part[4:] for part in asked.cookie.split("; ") if part.startswith("sid=")), "")
        session = self.sessions().get(sid)
        return Said(401, {"error": "log in"}) if session is None else self.logged_in(route, sid, session, asked)

    def login(self, asked: Asked) -> Said:
        self.shared["logins"] = self.shared.get("logins", 0) + 1
        sid = f"{self.name}-{self.shared['logins']}"
        self.save_session(sid, {"user": asked.body["user"], "nickname": ""})
        return Said(200, {"user": asked.body["user"]}, sid)

    def logged_in(self, route: str, sid: str, session: Data, asked: Asked) -> Said:
        match route:
            case "GET /me":
                return Said(200, {"user": session["user"]})
            case "GET /profile":
                return Said(200, {"nickname": session["nickname"]})
            case "PUT /profile":
                self.save_session(sid, {**session, "nickname": asked.body["nickname"]})
                return Said(200, {})
            case "POST /reviews":
                self.save_review(asked.body["text"])
                return Said(201, {})
            case "POST /logout":
                self.sessions().pop(sid, None)
                return Said(204)
        return Said(404, {"error": "no such page"})


class MemoryShop(Shop):
    """Everything in the instance's own memory."""

    def sessions(self) -> Data:
        return self.local.setdefault("sessions", {})  # type: ignore[no-any-return]

    def reviews(self) -> Data:
        return self.local.setdefault("reviews", {})  # type: ignore[no-any-return]


class LocalReviewsShop(Shop):
    """Sessions are shared, reviews are not."""

    def reviews(self) -> Data:
        return self.local.setdefault("reviews", {})  # type: ignore[no-any-return]


class WriteBehindShop(Shop):
    """Acknowledges first and persists 50 ms later, if it still lives; reads its own buffer meanwhile."""

    def save_session(self, sid: str, session: Data) -> None:
        local, shared = self.local.setdefault("sessions", {}), self.shared.setdefault("sessions", {})
        local[sid] = session
        self._later(lambda: shared.update({sid: session}) or local.pop(sid, None))

    def save_review(self, text: str) -> None:
        local, shared = self.local.setdefault("reviews", {}), self.shared.setdefault("reviews", {})
        local[text] = True
        self._later(lambda: shared.update({text: True}) or local.pop(text, None))

    def sessions(self) -> Data:
        return {**self.shared.get("sessions", {}), **self.local.get("sessions", {})}

    def reviews(self) -> Data:
        return {**self.shared.get("reviews", {}), **self.local.get("reviews", {})}

    def _later(self, persist: Callable[[], object]) -> None:
        local = self.local
        self.world.at(self.world.now_ns() + NS // 20, lambda: None if local.get("dead") else persist())


class StaleProfileShop(Shop):
    """Keeps each profile that it has shown, until the profile is changed through this very instance."""

    def logged_in(self, route: str, sid: str, session: Data, asked: Asked) -> Said:
        kept = self.local.setdefault("profiles", {})
        if route == "GET /profile":
            return kept.setdefault(sid, super().logged_in(route, sid, session, asked))  # type: ignore[no-any-return]
        if route == "PUT /profile":
            kept.pop(sid, None)
        return super().logged_in(route, sid, session, asked)


class TwoWorkersShop(Shop):
    """Two processes in one instance, each with sessions of its own: no kill is needed to lose one."""

    def sessions(self) -> Data:
        self.local["turn"] = self.local.get("turn", 0) + 1
        return self.local.setdefault(f"sessions-{self.local['turn'] % 2}", {})  # type: ignore[no-any-return]


class WrongUserShop(Shop):
    """Who asked last is kept in a global: now and then one user sees another's identity."""

    def logged_in(self, route: str, sid: str, session: Data, asked: Asked) -> Said:
        before = self.local.get("last", session["user"])
        self.local["last"] = session["user"]
        self.local["n"] = self.local.get("n", 0) + 1
        if route == "GET /me" and self.local["n"] % 17 == 0:
            return Said(200, {"user": before})
        return super().logged_in(route, sid, session, asked)


class FiveHundredsShop(Shop):
    """Every tenth request fails before it does anything."""

    def handle(self, asked: Asked) -> Said:
        self.local["n"] = self.local.get("n", 0) + 1
        if asked.path != "/healthz" and self.local["n"] % 10 == 0:
            return Said(500, {"error": "sorry"})
        return super().handle(asked)


class GuestsToo(Shop):
    """The page that tells who is logged in answers 200 to everyone."""

    def handle(self, asked: Asked) -> Said:
        answer = super().handle(asked)
        return Said(200, {"user": ""}) if asked.path == "/me" and answer.status == 401 else answer


class EchoingSearch(Shop):
    """The search page repeats what was searched for."""

    def handle(self, asked: Asked) -> Said:
        if asked.method == "GET" and asked.path == "/reviews":
            return Said(200, [asked.query.get("q")])
        return super().handle(asked)


class Unready(Shop):
    """Its health path answers 500."""

    def handle(self, asked: Asked) -> Said:
        return Said(500, {"error": "no"}) if asked.path == "/healthz" else super().handle(asked)


class ForgetfulStore(Shop):
    """The store itself loses sessions now and then, whoever holds them: nobody's death is to blame."""

    def logged_in(self, route: str, sid: str, session: Data, asked: Asked) -> Said:
        self.shared["n"] = self.shared.get("n", 0) + 1
        if self.shared["n"] % 97 == 0:
            self.sessions().pop(sid, None)
        return super().logged_in(route, sid, session, asked)


class ErrorPageShop(Shop):
    """Sessions die with their instance, and those who come with one get an error page with status 200."""

    def save_session(self, sid: str, session: Data) -> None:
        super().save_session(sid, {**session, "home": session.get("home", self.name)})

    def logged_in(self, route: str, sid: str, session: Data, asked: Asked) -> Said:
        life = self.shared.setdefault("lives", {})
        slot = self.name.partition(".")[0]
        life[slot] = self.name
        home = session.get("home", self.name)
        if life.get(home.partition(".")[0], home) != home:
            return Said(200, {"error": "something went wrong"})
        return super().logged_in(route, sid, session, asked)


AppMaker = Callable[[str, Data, Data, World], Shop]
APPS: Registry[AppMaker] = Registry("simulated service")
for _name, _app in {
    "stateless": Shop,
    "memory": MemoryShop,
    "local-reviews": LocalReviewsShop,
    "write-behind": WriteBehindShop,
    "two-workers": TwoWorkersShop,
    "stale-profiles": StaleProfileShop,
    "wrong-user": WrongUserShop,
    "five-hundreds": FiveHundredsShop,
    "guests-too": GuestsToo,
    "echoing-search": EchoingSearch,
    "unready": Unready,
    "error-page": ErrorPageShop,
    "forgetful-store": ForgetfulStore,
}.items():
    APPS.add(_name)(_app)
