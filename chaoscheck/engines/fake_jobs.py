"""Services that run jobs, to simulate: a shared queue with a lease, and the ways in which job runners go wrong."""

from __future__ import annotations

from typing import Any

from chaoscheck.engines.fake_apps import APPS, Asked, Data, Said, Shop
from chaoscheck.model.clock import NS

WORK_NS = NS // 4
LOOK_NS = NS // 20
LEASE_NS = NS // 2
UNPUBLISHED = 404


class JobShop(Shop):
    """Jobs in a shared queue: whoever is free claims one under a lease, and completes it while the claim is its own."""

    def __init__(self, name: str, local: Data, shared: Data, world: Any) -> None:
        super().__init__(name, local, shared, world)
        self.world.at(self.world.now_ns() + LOOK_NS, self.look)

    def jobs(self) -> Data:
        return self.shared.setdefault("jobs", {})  # type: ignore[no-any-return]

    def queue(self) -> list[Data]:
        return self.shared.setdefault("queue", [])  # type: ignore[no-any-return]

    def ledger(self) -> list[tuple[str, str]]:
        return self.shared.setdefault("ledger", [])  # type: ignore[no-any-return]

    def handle(self, asked: Asked) -> Said:
        if (asked.method, asked.path) == ("POST", "/exports"):
            return self.submit(str(asked.body["what"]))
        if asked.path == "/exports/ledger":
            return Said(200, {"runs": [run for what, run in self.ledger() if what == asked.query.get("what")]})
        if asked.method == "GET" and asked.path.startswith("/exports/"):
            return self.show(asked.path.rpartition("/")[2])
        return super().handle(asked)

    def submit(self, what: str) -> Said:
        self.shared["submitted"] = self.shared.get("submitted", 0) + 1
        job = f"job{self.shared['submitted']}"
        self.jobs()[job] = known = {"what": what, "status": "running", "result": None, "until": 0, "claim": ""}
        self.queue().append(known)
        return Said(202, {"id": job})

    def show(self, job: str) -> Said:
        known = self.jobs().get(job)
        if known is None:
            return Said(UNPUBLISHED, {"error": "no such job"})
        return Said(200, {"status": known["status"], "result": known["result"]})

    # The runner.

    def look(self) -> None:
        if self.local.get("dead"):
            return
        now = self.world.now_ns()
        for known in self.queue():
            if known["status"] == "running" and self.free(known, now):
                self.run(known)
        self.queue()[:] = [known for known in self.queue() if known["status"] == "running"]
        self.world.at(now + LOOK_NS, self.look)

    def free(self, known: Data, now: int) -> bool:
        return bool(known["until"] <= now)

    def run(self, known: Data) -> None:
        self.shared["runs"] = self.shared.get("runs", 0) + 1
        claim = f"run{self.shared['runs']}"
        known["until"], known["claim"] = self.world.now_ns() + LEASE_NS, claim
        self.world.at(self.world.now_ns() + WORK_NS, lambda: self.complete(known, claim))

    def complete(self, known: Data, claim: str) -> None:
        if not self.local.get("dead") and known["claim"] == claim:
            known["status"], known["result"] = "done", f"export of {known['what']}"
            self.ledger().append((known["what"], claim))


class MemoryJobs(JobShop):
    """Jobs and their results in the instance's own memory."""

    def jobs(self) -> Data:
        return self.local.setdefault("jobs", {})  # type: ignore[no-any-return]

    def queue(self) -> list[Data]:
        return self.local.setdefault("queue", [])  # type: ignore[no-any-return]


class StuckJobs(JobShop):
    """A claim has no end: a job whose runner died stays running for ever."""

    def free(self, known: Data, now: int) -> bool:
        return not known["claim"]


class RunsTwice(JobShop):
    """The lease is shorter than the work, and nobody looks whose claim it is at the end."""

    def free(self, known: Data, now: int) -> bool:
        return bool(known["until"] - LEASE_NS + WORK_NS // 2 <= now)

    def complete(self, known: Data, claim: str) -> None:
        if not self.local.get("dead"):
            known["status"], known["result"] = "done", f"export of {known['what']}"
            self.ledger().append((known["what"], claim))


class BackwardsJobs(JobShop):
    """That a job is done is known to who took it: its successor starts them all anew."""

    def submit(self, what: str) -> Said:
        said = super().submit(what)
        self.jobs()[said.body["id"]]["by"] = self.name
        return said

    def look(self) -> None:
        names = self.shared.setdefault("lives", {})
        slot, _, life = self.name.partition(".")
        if names.get(slot, life) != life:
            for known in self.jobs().values():
                if known.get("by") == f"{slot}.{names[slot]}":
                    known.update(status="running", claim="", until=self.world.now_ns() + 60 * NS)
        names[slot] = life
        super().look()


class OwnResults(JobShop):
    """Each instance makes the result that it shows by itself, and each makes another."""

    def show(self, job: str) -> Said:
        said = super().show(job)
        if said.status == 200 and said.body["status"] == "done":
            return Said(200, {**said.body, "result": f"{said.body['result']} by {self.name}"})
        return said


class EveryIdIsAJob(JobShop):
    """Shows a job for ids that it never gave out."""

    def show(self, job: str) -> Said:
        return super().show(job) if job in self.jobs() else Said(200, {"status": "done", "result": "nothing"})


class BlankLedger(RunsTwice):
    """Its ledger never lists a run."""

    def ledger(self) -> list[tuple[str, str]]:
        return []


class LedgerEach(JobShop):
    """Each instance lists only the runs that it made itself."""

    def ledger(self) -> list[tuple[str, str]]:
        return self.local.setdefault("ledger", [])  # type: ignore[no-any-return]


class IdleJobs(JobShop):
    """Takes jobs and never runs one."""

    def look(self) -> None:
        return


for _name, _app in {
    "jobs": JobShop,
    "jobs-in-memory": MemoryJobs,
    "jobs-stuck": StuckJobs,
    "jobs-twice": RunsTwice,
    "jobs-backwards": BackwardsJobs,
    "jobs-own-results": OwnResults,
    "jobs-every-id": EveryIdIsAJob,
    "jobs-blank-ledger": BlankLedger,
    "jobs-ledger-each": LedgerEach,
    "jobs-idle": IdleJobs,
}.items():
    APPS.add(_name)(_app)
