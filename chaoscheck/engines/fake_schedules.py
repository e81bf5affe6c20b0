"""Services with a nightly job, to simulate: nights of seconds, claimed or not, with the ledger shared or not."""

from __future__ import annotations

from chaoscheck.engines.fake_apps import APPS, Asked, Data, Said, Shop
from chaoscheck.engines.world import World
from chaoscheck.model.clock import NS

EVERY_NS = NS
WORK_NS = NS // 20
LOOK_NS = NS // 10
LEASE_NS = NS // 2


class NightlyShop(Shop):
    """Each instance looks for the tick that is due; who claims it first runs it, and claims of the dead run out."""

    def __init__(self, name: str, local: Data, shared: Data, world: World) -> None:
        super().__init__(name, local, shared, world)
        self.world.at(self.world.now_ns() + LOOK_NS, self.look)

    def runs(self) -> list[int]:
        return self.shared.setdefault("nightly", [])  # type: ignore[no-any-return]

    def claims(self) -> dict[int, int]:
        return self.shared.setdefault("claims", {})  # type: ignore[no-any-return]

    def handle(self, asked: Asked) -> Said:
        if asked.path == "/nightly/runs":
            return Said(200, {"runs": [{"tick": tick} for tick in self.runs()[-100:]]})
        return super().handle(asked)

    def look(self) -> None:
        if self.local.get("dead"):
            return
        now = self.world.now_ns()
        newest = now // EVERY_NS
        first = self.shared.setdefault("first", newest)
        done = set(self.runs())
        for tick in range(max(first, newest - 10), newest + 1):
            if tick not in done and self.claim(tick, now):
                self.world.at(now + WORK_NS, lambda tick=tick: self.complete(tick))  # type: ignore[misc]
        self.world.at(now + LOOK_NS, self.look)

    def claim(self, tick: int, now: int) -> bool:
        if self.claims().get(tick, 0) > now:
            return False
        self.claims()[tick] = now + LEASE_NS
        return True

    def complete(self, tick: int) -> None:
        if not self.local.get("dead"):
            self.runs().append(tick)


class SchedulerEach(NightlyShop):
    """A scheduler in each instance: all of them run every tick, and write it into the shared ledger."""

    def claim(self, tick: int, now: int) -> bool:
        mine = self.local.setdefault("mine", set())
        if tick in mine or tick < now // EVERY_NS:
            return False
        mine.add(tick)
        return True


class OwnLedgers(SchedulerEach):
    """The same, and each keeps its ledger to itself."""

    def runs(self) -> list[int]:
        return self.local.setdefault("nightly", [])  # type: ignore[no-any-return]


class LostTicks(NightlyShop):
    """Ticks are dealt out among all instances that ever joined, so that those of the dead are never run."""

    def __init__(self, name: str, local: Data, shared: Data, world: World) -> None:
        super().__init__(name, local, shared, world)
        self.shared.setdefault("members", []).append(name)

    def claim(self, tick: int, now: int) -> bool:
        members = self.shared["members"]
        owner = self.shared.setdefault("owners", {}).setdefault(tick, members[tick % len(members)])
        return bool(owner == self.name) and super().claim(tick, now)


class OneLeader(NightlyShop):
    """The first instance of all is the only one that runs anything, until it dies."""

    def claim(self, tick: int, now: int) -> bool:
        return bool(self.shared.setdefault("leader", self.name) == self.name) and super().claim(tick, now)


class CountsReads(NightlyShop):
    """Its ledger shows how often it was asked."""

    def handle(self, asked: Asked) -> Said:
        if asked.path == "/nightly/runs":
            self.shared["asked"] = self.shared.get("asked", 0) + 1
            return Said(200, {"runs": [{"tick": tick} for tick in range(self.shared["asked"])][-100:]})
        return super().handle(asked)


class NeverRuns(NightlyShop):
    """Nothing is ever run."""

    def look(self) -> None:
        return


for _name, _app in {
    "nightly": NightlyShop,
    "nightly-each": SchedulerEach,
    "nightly-own-ledgers": OwnLedgers,
    "nightly-lost": LostTicks,
    "nightly-one-leader": OneLeader,
    "nightly-counts-reads": CountsReads,
    "nightly-never": NeverRuns,
}.items():
    APPS.add(_name)(_app)
