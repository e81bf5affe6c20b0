"""A crew on a site without a network, in virtual time: answers cost nothing and come from plain dictionaries."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from chaoscheck import plugins
from chaoscheck.engines.world import World
from chaoscheck.model.history import SessionBorn, SessionEnded
from chaoscheck.model.ops import Op
from chaoscheck.model.places import Address
from chaoscheck.plan.plan import Plan
from chaoscheck.steps.base import Answer, Trouble, Wire
from chaoscheck.traffic.base import Assignment, Message, PhaseIs, Topology
from chaoscheck.traffic.crew import Crew

NS = 1_000_000_000
MS = 1_000_000
ENTRY = Address("lb.test", 80)
NAMES = ("web-0.1", "web-1.1", "web-2.1")
PLACES = {name: ("site.test", 8000 + number) for number, name in enumerate(NAMES)}
PLAN = {
    "target": {"command": ["none"], "ready": "/"},
    "promises": {
        "login": {
            "kind": "session",
            "do": {"post": "/login", "json": {"user": "$user"}, "expect": 200},
            "see": {"get": "/me", "value": "json:user", "expect": {"status": 200, "value": "$user"}},
            "undo": {"post": "/logout", "expect": 204},
        },
        "profile": {
            "kind": "register",
            "do": {"put": "/profile", "json": {"nickname": "$value"}, "expect": 204},
            "see": {"get": "/profile", "value": "json:nickname", "expect": 200},
        },
        "reviews": {
            "kind": "kept",
            "do": {"post": "/reviews", "json": {"text": "$value"}, "expect": 201},
            "see": {"get": "/reviews/$value", "as": "guest", "expect": 200},
        },
    },
}


@dataclass(slots=True)
class Memory:
    """What an instance knows, or all of them when they share it."""

    users: dict[str, str] = field(default_factory=dict)
    nicknames: dict[str, str] = field(default_factory=dict)
    reviews: set[str] = field(default_factory=set)


class SiteTransport:
    """A `Transport` to three instances and a round-robin entry; each answer takes 2 ms of the world's time."""

    def __init__(self, world: World, *, shared: bool = True) -> None:
        self._world = world
        self._turn = 0
        common = Memory()
        self.memories = {name: common if shared else Memory() for name in NAMES}
        self.dead: set[str] = set()
        self.broken_logins = 0
        self.stall_ns = (0, 0)

    def send(self, address: Address, wire: Wire, *, fresh: bool = False) -> Answer:
        sent_ns = self._world.now_ns()
        begin, end = self.stall_ns
        self._world.wait_until_ns(end if begin <= sent_ns < end else sent_ns + 2 * MS)
        name = self._instance(address)
        if name in self.dead:
            return Answer(0, (), b"", Trouble.REFUSED, False, sent_ns, self._world.now_ns())
        status, body, cookie = self._answer(self.memories[name], wire)
        headers = (("X-Chaoscheck-Instance", name), *((("Set-Cookie", f"sid={cookie}; Path=/"),) if cookie else ()))
        return Answer(status, headers, body, Trouble.NONE, True, sent_ns, self._world.now_ns())

    def close(self) -> None:
        """Nothing is open."""

    def _instance(self, address: Address) -> str:
        if address != ENTRY:
            return NAMES[address.port - 8000]
        alive = [name for name in NAMES if name not in self.dead]
        self._turn += 1
        return alive[self._turn % len(alive)]

    def _answer(self, memory: Memory, wire: Wire) -> tuple[int, bytes, str]:
        path = urlsplit(wire.path).path
        sent = json.loads(wire.body) if wire.body else {}
        sid = dict(wire.headers).get("Cookie", "").partition("sid=")[2]
        if path == "/login":
            if self.broken_logins:
                self.broken_logins -= 1
                return 500, b"", ""
            memory.users[f"s{sent['user']}"] = sent["user"]
            return 200, b"{}", f"s{sent['user']}"
        if path.startswith("/reviews"):
            if wire.method == "POST":
                memory.reviews.add(sent["text"])
                return 201, b"{}", ""
            return (200 if path.removeprefix("/reviews/") in memory.reviews else 404), b"{}", ""
        user = memory.users.get(sid)
        if user is None:
            # As many services do: a stranger gets a new cookie, which takes the place of the good one.
            return 401, b"{}", "nobody"
        if path == "/me":
            return 200, json.dumps({"user": user}).encode(), ""
        if path == "/logout":
            memory.users.pop(sid)
            return 204, b"", ""
        if wire.method == "PUT":
            memory.nicknames[user] = sent["nickname"]
            return 204, b"", ""
        return 200, json.dumps({"nickname": memory.nicknames.get(user, "")}).encode(), ""


class MemoryBook:
    """A history that stays in memory."""

    def __init__(self) -> None:
        self.invoked: list[Op] = []
        self.ops: list[Op] = []
        self.births: list[SessionBorn] = []
        self.ends: list[SessionEnded] = []
        self.closed = False

    @property
    def operations(self) -> int:
        return len(self.invoked)

    def invoke(self, op: Op) -> None:
        self.invoked.append(op)

    def done(self, op: Op) -> None:
        self.ops.append(op)

    def born(self, born: SessionBorn) -> None:
        self.births.append(born)

    def ended(self, ended: SessionEnded) -> None:
        self.ends.append(ended)

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        self.closed = True


class Scene:
    """A crew, its world, and all that it said and recorded."""

    def __init__(self, *, shared: bool = True, plan: dict[str, object] | None = None, **assigned: object) -> None:
        plugins.load(("promises", "checkers"))
        self.world = World(1)
        self.site = SiteTransport(self.world, shared=shared)
        self.book = MemoryBook()
        self.said: list[Message] = []
        given: dict[str, object] = {
            "run": "r1",
            "worker": "w0",
            "seed": 7,
            "plan": "",
            "folder": "",
            "clock_base_ns": 0,
            "origin": "http://site.test",
            "users": 30,
            "first_account": 0,
            "account_step": 1,
            "turn_s": 2.0,
            "life_s": 20.0,
            "arrivals": 0.0,
            "entry_host": ENTRY.host,
            "entry_port": ENTRY.port,
            "pick": "",
            "plan_folder": "",
        }
        self.crew = Crew(
            Assignment(**(given | assigned)),  # type: ignore[arg-type]
            Plan.model_validate(PLAN | (plan or {})),
            transport=self.site,
            clock=self.world,
            book=self.book,
            spawn=self.world.spawn,
            send=self.said.append,
        )
        self.crew.handle(Topology(instances=PLACES))

    def phase(self, name: str, seconds: float) -> None:
        self.crew.handle(PhaseIs(phase=name))
        self.run(seconds)

    def run(self, seconds: float) -> None:
        self.world.wait_until_ns(self.world.now_ns() + int(seconds * NS))

    def of(self, kind: type[Message]) -> list[Message]:
        return [message for message in self.said if isinstance(message, kind)]

    def lane(self, lane: str) -> list[Op]:
        return [op for op in self.book.ops if op.lane == lane]
