"""A real worker process against a real site: sessions, history, messages, and both ends' deaths."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from chaoscheck import plugins
from chaoscheck.checkers.base import CHECKERS
from chaoscheck.errors import TrafficTrouble
from chaoscheck.model.history import SessionBorn, SessionEnded, read_file
from chaoscheck.model.ops import Lane, Op
from chaoscheck.plan.plan import Plan
from chaoscheck.traffic.base import (
    Assignment,
    Confirmed,
    Died,
    FinalDone,
    Hello,
    Message,
    Over,
    PhaseIs,
    Settled,
    Stop,
    Tick,
    Topology,
    Volley,
    VolleyOver,
    VolleyReady,
    read_message,
)
from chaoscheck.traffic.processes import ProcessTraffic
from tests.e2e.traffic.site import PLAN, Site, site

NS = 1_000_000_000
PROMISES = ("login", "profile", "reviews")
BEGAN_NS = time.monotonic_ns()


def now_ns() -> int:
    return time.monotonic_ns() - BEGAN_NS


def assignment(folder: Path, *, users: int = 20, turn_s: float = 0.4, **others: object) -> Assignment:
    plan = Plan.model_validate(yaml.safe_load(PLAN)).model_dump_json(by_alias=True)
    given = {
        "run": "r1",
        "worker": "w0",
        "seed": 7,
        "plan": plan,
        "folder": str(folder),
        "clock_base_ns": BEGAN_NS,
        "origin": "http://site.test",
        "users": users,
        "first_account": 0,
        "account_step": 1,
        "turn_s": turn_s,
        "life_s": 2.0,
        "arrivals": 0.0,
        "entry_host": "",
        "entry_port": 0,
        "pick": "round-robin",
        "plan_folder": str(folder),
        "gone_by_expect": ("reviews",),
    }
    return Assignment(**(given | others))  # type: ignore[arg-type]


class Talk:
    """Traffic, and all that it said."""

    def __init__(self, folder: Path) -> None:
        self.traffic = ProcessTraffic(folder)
        self.said: list[Message] = []

    def until(self, done: Callable[[], bool], limit_s: float = 15.0) -> None:
        give_up = time.monotonic() + limit_s
        while True:
            self.said += self.traffic.heard()
            if done():
                return
            assert time.monotonic() < give_up, f"not within {limit_s} s; said last: {self.said[-3:]}"
            time.sleep(0.02)

    def has(self, kind: type[Message]) -> bool:
        return any(isinstance(message, kind) for message in self.said)

    def of(self, kind: type[Message]) -> list[Message]:
        return [message for message in self.said if isinstance(message, kind)]

    def finish(self) -> None:
        self.traffic.tell(PhaseIs(phase="settle"))
        self.until(lambda: self.has(Settled))
        self.traffic.tell(PhaseIs(phase="final reads"))
        self.until(lambda: self.has(FinalDone))
        self.traffic.stop()
        self.said += self.traffic.heard()


@pytest.fixture
def talk(tmp_path: Path) -> Iterator[Talk]:
    made = Talk(tmp_path)
    yield made
    made.traffic.stop()


def history(folder: Path) -> list[object]:
    return list(read_file(folder / "history/w0.ndjson"))


def judged(rows: list[object]) -> dict[str, list[str]]:
    """Confirmed anomalies, a promise, of a history read again."""
    plugins.load(("promises", "checkers"))
    plan = Plan.model_validate(yaml.safe_load(PLAN))
    found: dict[str, list[str]] = {}
    for name, promise in plan.promises.items():
        checker = CHECKERS.get(promise.kind)(name)
        for op in rows:
            if isinstance(op, Op) and op.judged and op.promise == name:
                checker.feed(op)
        found[name] = [anomaly.name for anomaly in checker.tally().anomalies if anomaly.confirmed]
    return found


def test_a_worker_on_a_stateless_site_records_whole_clean_sessions(talk: Talk, tmp_path: Path) -> None:
    """Sessions log in, read, write, come and go; nothing contradicts; every object is read through every instance."""
    with site("web-0.1", "web-1.1", shared=True) as shop:
        talk.traffic.start([assignment(tmp_path)])
        talk.traffic.tell(Topology(instances=shop.instances()))
        talk.traffic.tell(PhaseIs(phase="baseline"))
        talk.until(lambda: len(talk.of(Tick)) >= 8)
        talk.finish()
    rows = history(tmp_path)
    ops = [row for row in rows if isinstance(row, Op)]
    assert len([row for row in rows if isinstance(row, SessionBorn)]) >= 30
    assert {row.why for row in rows if isinstance(row, SessionEnded)} == {"departed", "stopped"}
    done = Counter((op.promise, op.action, op.outcome) for op in ops if op.lane == Lane.USER)
    assert all(done[promise, action, "ok"] > 10 for promise in PROMISES for action in ("do", "see"))
    assert judged(rows) == {"login": [], "profile": [], "reviews": []}
    final = talk.of(FinalDone)[0]
    assert isinstance(final, FinalDone)
    assert final.due == final.done
    assert all(count > 20 for count in final.due.values())
    assert sum(tick.requests for tick in talk.of(Tick)) > 200  # type: ignore[attr-defined]
    assert talk.has(Over)
    assert talk.traffic.lost() == {}


def test_every_request_that_was_delivered_stands_in_the_history(talk: Talk, tmp_path: Path) -> None:
    """A worker killed with -9 in full traffic leaves unknowns, never gaps."""
    with site("web-0.1", "web-1.1", shared=True) as shop:
        talk.traffic.start([assignment(tmp_path, users=60, turn_s=0.02)])
        talk.traffic.tell(Topology(instances=shop.instances()))
        talk.traffic.tell(PhaseIs(phase="baseline"))
        talk.until(lambda: len(shop.requests) > 2000)
        hello = talk.of(Hello)[0]
        assert isinstance(hello, Hello)
        os.kill(hello.pid, signal.SIGKILL)
        talk.until(lambda: bool(talk.traffic.lost()))
        time.sleep(0.3)
        delivered = set(shop.requests)
    invoked = {row.rid for row in history(tmp_path) if isinstance(row, Op)}
    assert delivered <= invoked
    assert len(delivered) > 2000
    assert "signal 9" in talk.traffic.lost()["w0"]


def test_state_in_one_instance_is_confirmed_through_every_instance(talk: Talk, tmp_path: Path) -> None:
    """With a memory of its own in each instance a user is logged out by the next one, and that is confirmed at once."""
    with site("web-0.1", "web-1.1", shared=False) as shop:
        talk.traffic.start([assignment(tmp_path)])
        talk.traffic.tell(Topology(instances=shop.instances()))
        talk.traffic.tell(PhaseIs(phase="baseline"))
        talk.until(lambda: {getattr(said, "promise", "") for said in talk.of(Confirmed)} == set(PROMISES))
        talk.traffic.stop()
    confirms = [row for row in history(tmp_path) if isinstance(row, Op) and row.lane == Lane.CONFIRM]
    assert {op.via for op in confirms} == {"web-0.1", "web-1.1"}
    assert "LOST" in judged(history(tmp_path))["login"]


def test_a_burst_flows_until_the_victim_is_dead_and_is_read_back(talk: Talk, tmp_path: Path) -> None:
    """Acknowledged writes keep flowing to the victim; after its death the same sessions read all of it elsewhere."""
    with site("web-0.1", "web-1.1", shared=True) as shop:
        talk.traffic.start([assignment(tmp_path)])
        talk.traffic.tell(Topology(instances=shop.instances()))
        talk.traffic.tell(PhaseIs(phase="baseline"))
        talk.until(lambda: len(talk.of(Tick)) >= 4)
        strike(talk, shop, "web-0.1", "burst", ())
        talk.until(lambda: read_back(talk, "0"))
        talk.finish()
    rows = history(tmp_path)
    over = talk.of(VolleyOver)[0]
    assert isinstance(over, VolleyOver)
    acks = [row for row in rows if isinstance(row, Op) and row.lane == Lane.BURST and row.outcome == "ok"]
    assert over.acked > 20
    assert {op.incarnation for op in acks} == {"web-0.1"}
    assert judged(rows) == {"login": [], "profile": [], "reviews": []}
    last = talk.of(Tick)[-1]
    assert isinstance(last, Tick)
    assert all(last.exposures[promise] > 3 for promise in PROMISES)


def test_in_flight_writes_begin_at_their_drawn_moments(talk: Talk, tmp_path: Path) -> None:
    """Each client of the volley sends one write to the victim, close to its offset."""
    with site("web-0.1", "web-1.1", shared=True) as shop:
        talk.traffic.start([assignment(tmp_path, users=4)])
        talk.traffic.tell(Topology(instances=shop.instances()))
        talk.traffic.tell(PhaseIs(phase="baseline"))
        talk.until(lambda: len(talk.of(Tick)) >= 2)
        start_ns = strike(talk, shop, "web-1.1", "in-flight", (0, 5_000_000, 10_000_000, 15_000_000))
        talk.finish()
    writes = sorted(
        row.sent_ns - start_ns
        for row in history(tmp_path)
        if isinstance(row, Op) and row.lane == Lane.INFLIGHT and row.promise != "login"
    )
    assert len(writes) == 4
    assert all(0 <= sent - 5_000_000 * place < 50_000_000 for place, sent in enumerate(writes))


def strike(talk: Talk, shop: Site, victim: str, mode: str, offsets_ns: tuple[int, ...]) -> int:
    """A volley at the victim and its death. Returns the volley's start."""
    start_ns = now_ns() + NS
    talk.traffic.tell(
        Volley(
            strike=0,
            mode=mode,
            victim=victim,
            clients=4,
            start_ns=start_ns,
            until_ns=start_ns + 5 * NS,
            offsets_ns=offsets_ns,
        )
    )
    talk.until(lambda: talk.has(VolleyReady))
    ready = talk.of(VolleyReady)[0]
    assert isinstance(ready, VolleyReady)
    assert ready.clients == 4
    time.sleep(0.2 if mode == "burst" else max(0.0, (start_ns - now_ns()) / NS + 0.2))
    shop.kill(victim)
    died_ns = now_ns()
    talk.traffic.tell(Died(incarnation=victim, strike=0, death_ns=died_ns, error_ns=1_000_000))
    talk.traffic.tell(Topology(instances=shop.instances()))
    talk.until(lambda: talk.has(VolleyOver))
    return start_ns


def read_back(talk: Talk, strike: str) -> bool:
    """Whether all that the strike exposed was read since."""
    last = talk.of(Tick)[-1]
    assert isinstance(last, Tick)
    exposed = last.exposed.get(strike, {})
    return bool(exposed) and all(last.read_back[strike][name] >= count for name, count in exposed.items())


def test_a_worker_whose_controller_is_gone_stops_by_itself(tmp_path: Path) -> None:
    """The end of stdin is an order to stop: everything is written down, and the process ends."""
    with site("web-0.1", shared=True) as shop:
        worker = subprocess.Popen(
            [sys.executable, "-m", "chaoscheck.traffic.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert worker.stdin and worker.stdout
        told = (assignment(tmp_path), Topology(instances=shop.instances()), PhaseIs(phase="baseline"))
        worker.stdin.write("".join(message.line() for message in told).encode())
        worker.stdin.flush()
        assert isinstance(read_message(worker.stdout.readline().decode()), Hello)
        for _ in range(3):
            assert isinstance(read_message(worker.stdout.readline().decode()), Tick)
        worker.stdin.close()
        assert worker.wait(5) == 0
        worker.stdout.close()
        delivered = set(shop.requests)
    rows = history(tmp_path)
    assert delivered <= {row.rid for row in rows if isinstance(row, Op)}
    assert any(isinstance(row, SessionEnded) and row.why == "stopped" for row in rows)


def test_stop_before_any_load_is_over_at_once(talk: Talk, tmp_path: Path) -> None:
    """A worker that never got to work says Over and leaves an empty history."""
    talk.traffic.start([assignment(tmp_path)])
    talk.traffic.tell(Stop())
    talk.until(lambda: talk.has(Over), 5.0)
    assert history(tmp_path) == []


def test_worker_that_came_up_before_its_assignment_works_like_any_other(talk: Talk, tmp_path: Path) -> None:
    """It waits for its assignment, says Hello once it has it, and no second process is started."""
    talk.traffic.warm(["w0"])
    talk.traffic.start([assignment(tmp_path)])
    talk.until(lambda: talk.has(Hello), 5.0)
    talk.traffic.tell(Stop())
    talk.until(lambda: talk.has(Over), 5.0)
    assert len(talk.of(Hello)) == 1


def test_worker_that_never_gets_an_assignment_is_gone_after_stop(tmp_path: Path) -> None:
    """A run may end before it has any load, and while a worker is about to begin."""
    traffic = ProcessTraffic(tmp_path)
    traffic.warm(["w0", "w1"])
    traffic.stop()
    assert [worker.process.poll() is None for worker in traffic._begun.values()] == [False, False]


def test_a_worker_that_cannot_start_says_why(tmp_path: Path) -> None:
    """An account file that isn't there: the error carries the worker's last words, and no process is left."""
    plan = yaml.safe_load(PLAN) | {"accounts": "nobody.csv"}
    traffic = ProcessTraffic(tmp_path)
    with pytest.raises(TrafficTrouble, match="did not start") as raised:
        traffic.start([assignment(tmp_path, plan=Plan.model_validate(plan).model_dump_json(by_alias=True))])
    assert "can't read the accounts" in raised.value.details
    assert "exit code" in raised.value.details


def test_a_plan_with_a_budget_survives_the_way_to_the_worker() -> None:
    """The plan as run is handed over as JSON and must read back the same."""
    plan = Plan.model_validate(
        yaml.safe_load(PLAN)
        | {"budget": {"slo": "99.9% over 30d", "deaths": "200/month", "spend": "10%"}, "accounts": ["a", "b"]}
    )
    assert Plan.model_validate_json(plan.model_dump_json(by_alias=True)) == plan
