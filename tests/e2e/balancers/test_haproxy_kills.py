"""HAProxy between users and real instances that are really killed."""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.balancers.kill_load import Attempt, Kill, Killer, Load, await_ready

from chaoscheck.balancers.haproxy import HAProxy
from chaoscheck.engines.base import Engine, Fleet, Site
from chaoscheck.engines.docker.engine import DockerEngine
from chaoscheck.engines.process.engine import ProcessEngine
from chaoscheck.model.clock import MonotonicClock, wait_s
from chaoscheck.model.history import BalancerRow
from chaoscheck.model.places import Incarnation
from chaoscheck.plan.plan import LoadedPlan, Plan

needs_haproxy = pytest.mark.skipif(not shutil.which("haproxy"), reason="no haproxy binary on this machine")
ENGINES = [
    pytest.param(DockerEngine, id="docker", marks=pytest.mark.docker),
    pytest.param(ProcessEngine, id="process", marks=needs_haproxy),
]

LOG_LIMIT_S = 5.0
_SERVICE = Path(__file__).parent / "service"
_STEP = {"get": "/"}


def loaded_plan() -> LoadedPlan:
    target = {"build": ".", "command": ["perl", str(_SERVICE / "serve.pl")], "ready": "/"}
    plan = Plan.model_validate(
        {
            "target": target,
            "balancer": {"kind": "haproxy"},
            "promises": {"page": {"kind": "kept", "do": _STEP, "see": _STEP}},
        }
    )
    return LoadedPlan(plan=plan, path=_SERVICE / "plan.yaml", text="", lines={})


@pytest.fixture(params=ENGINES)
def killer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Killer]:
    """Three ready instances behind HAProxy."""
    yield from opened(request.param(), tmp_path)


def opened(engine: Engine, tmp_path: Path) -> Iterator[Killer]:
    clock = MonotonicClock()
    plan = loaded_plan()
    site = Site(run=f"test-{uuid.uuid4().hex[:8]}", plan=plan, clock=clock, folder=tmp_path, say=lambda line: None)
    fleet: Fleet = engine.open(site)
    balancer = HAProxy()
    try:
        fleet.prepare()
        living = [fleet.start(Incarnation(slot=slot, life=0)) for slot in range(3)]
        for each in living:
            await_ready(each)
        began = time.monotonic()
        balancer.open(fleet, plan, living, clock)
        print(f"open took {time.monotonic() - began:.2f} s")
        yield Killer(fleet, balancer, clock, living)
    finally:
        balancer.close()
        fleet.close()


def run_kills(killer: Killer, kills: int, *, clients: int, rate: float) -> tuple[list[Attempt], list[Kill]]:
    entry = killer.balancer.route().entry
    assert entry is not None
    with Load(entry, killer.clock, clients=clients, rate=rate) as load:
        wait_s(killer.clock, 1)
        done = []
        for index in range(kills):
            done.append(killer.strike(index % 3))
            wait_s(killer.clock, 1)
    return load.attempts, done


def whole_log(killer: Killer, rids: set[str]) -> dict[str, BalancerRow]:
    """HAProxy's lines come to its reader a little after the answers do."""
    deadline = time.monotonic() + LOG_LIMIT_S
    while True:
        rows = {row.rid: row for row in killer.balancer.log()}
        if rids <= set(rows) or time.monotonic() > deadline:
            return rows
        time.sleep(0.05)


def bad_of(attempts: list[Attempt]) -> list[Attempt]:
    return [each for each in attempts if each.status != 200]


def slowest_ms(attempts: list[Attempt]) -> float:
    return max(each.took_ms for each in attempts)


def describe(attempts: list[Attempt], kills: list[Kill], rows: dict[str, BalancerRow]) -> str:
    """What was measured, for whoever reads the test's output."""
    lines = [
        f"{len(attempts)} attempts, {len(bad_of(attempts))} failed, slowest {slowest_ms(attempts):.0f} ms, "
        f"{sum(row.retries > 0 for row in rows.values())} retried"
    ]
    for index, kill in enumerate(kills):
        end = kills[index + 1].signal_ns if index + 1 < len(kills) else 1 << 62
        here = [each for each in attempts if kill.signal_ns - 50_000_000 <= each.sent_ns < end]
        failed = [
            f"{each.status}@{(each.sent_ns - kill.signal_ns) / 1e6:.0f}ms {rows[each.rid].ending}"
            for each in bad_of(here)
        ]
        retried = sum(rows[each.rid].retries > 0 for each in here if each.rid in rows)
        times = (kill.death_ns, kill.ready_ns, kill.joined_ns)
        death, ready, joined = ((then - kill.signal_ns) / 1e6 for then in times)
        lines.append(
            f"{kill.victim}: failed {failed or 0}, retried {retried}, slowest {slowest_ms(here):.0f} ms; "
            f"ms after the signal: dead {death:.0f}, replacement ready {ready:.0f}, joined {joined:.0f}"
        )
    return "\n".join(lines)


def test_instances_killed_under_load_only_what_they_had_in_hand_fails(killer: Killer) -> None:
    """Every attempt has a row that agrees with what the client saw; those that fail were the victim's, near its death;
    replacements serve."""
    attempts, kills = run_kills(killer, 3, clients=20, rate=150)
    rows = whole_log(killer, {each.rid for each in attempts})
    print(describe(attempts, kills, rows))
    assert all(kill.confirmed for kill in kills)
    assert {each.rid for each in attempts} == set(rows)
    assert all(rows[each.rid].incarnation == each.instance for each in attempts if each.status == 200)
    deaths = {kill.victim: kill.death_ns for kill in kills}
    for each in bad_of(attempts):
        row = rows[each.rid]
        assert (each.balancer == "none") == (row.incarnation == ""), (each, row)
        assert not row.incarnation or each.sent_ns < deaths[row.incarnation] + 100_000_000, (each, row)
    served = {each.instance for each in attempts}
    assert {each.name for each in killer.living} <= served
    assert any(row.retries for row in rows.values())
