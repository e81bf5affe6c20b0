"""What a fleet of somebody else's containers keeps: confirmed kills of those alone, and all of them left running."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from samples.fleets import FOLDER, Bench, ask, need
from samples.project import Project, await_answer, project

from chaoscheck.engines.attach import AttachEngine
from chaoscheck.engines.attach.fleet import AttachFleet
from chaoscheck.engines.base import Attaches, KnownByName, Site
from chaoscheck.engines.ready import ProbesInside
from chaoscheck.engines.refusal import refuses
from chaoscheck.errors import NotReady, PlanError
from chaoscheck.model.clock import MonotonicClock
from chaoscheck.plan.plan import LoadedPlan, Plan

pytestmark = pytest.mark.docker
PROMISE = {"kind": "kept", "do": {"post": "/"}, "see": {"get": "/"}}


@pytest.fixture(scope="module")
def town() -> Iterator[Project]:
    need("docker")
    with project() as made:
        yield made


def two(town: Project, service: str, **more: Any) -> list[str]:
    """Two containers of that service, which answer."""
    made = [town.up(service, town.image("tiny", FOLDER), number, **more) for number in (1, 2)]
    for id_ in made:
        await_answer(town.address(id_, 8000))
    return made


def plan_of(town: Project, service: str, **attach: Any) -> LoadedPlan:
    target = {"attach": {"project": town.name, "service": service, **attach}, "ready": "/healthz"}
    plan = Plan.model_validate({"target": target, "instances": 2, "promises": {"p": PROMISE}})
    return LoadedPlan(plan=plan, path=FOLDER / "plan.yaml", text="", lines={})


@contextmanager
def attached(plan: LoadedPlan, folder: Path, *, allow_kill: bool = True) -> Iterator[Bench]:
    site = Site(
        run="test-attached",
        plan=plan,
        clock=MonotonicClock(),
        folder=folder,
        say=lambda _: None,
        allow_kill=allow_kill,
    )
    fleet = AttachEngine().open(site)
    try:
        fleet.prepare()
        yield Bench(fleet, site)
    finally:
        fleet.close()
        fleet.close()


def test_life_that_a_restart_policy_begins_is_another_incarnation(
    town: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kill is a crash to the engine, confirmed with times in order; the same container comes back by its policy
    alone, under a new address, while its old one refuses and the other lives on."""

    def start(_: str) -> None:
        raise AssertionError("its policy brings it back, nobody else")

    ids = two(town, "policy", policy="on-failure")
    before = town.life(ids[1])
    with attached(plan_of(town, "policy"), tmp_path) as opened:
        assert isinstance(opened.fleet, AttachFleet)
        monkeypatch.setattr(opened.fleet._client, "start", start)
        first, other = opened.start(1), opened.start(2)
        assert isinstance(opened.fleet, KnownByName)
        assert ids[0][:12] in opened.fleet.names(first)
        receipt = opened.killable.kill(first)
        assert receipt.confirmed, receipt.detail
        assert receipt.exit_code == 137
        assert receipt.signal_ns <= receipt.death_ns + receipt.error_ns
        assert receipt.death_ns < receipt.refused_ns <= opened.site.clock.now_ns()
        second = opened.start(1, 2)
        opened.fleet.remove(first)
        assert second.address != first.address
        assert second.inner == first.inner
        assert refuses(first.address)
        assert ask(second.address, "/healthz") == "ok"
        assert not opened.fleet.state(first).running
        assert opened.fleet.state(second).running
        assert ids[0][:12] in opened.fleet.names(second)
        assert opened.fleet.state(other).running
        assert not opened.killable.kill(first).confirmed
        assert opened.fleet.state(second).running
    assert town.life(ids[0])[0]
    assert town.life(ids[1]) == before


def test_new_container_with_the_same_labels_is_the_replacement(town: Project, tmp_path: Path) -> None:
    """As an orchestrator does it that makes another; what it made is left to it."""
    ids = two(town, "remade")
    with attached(plan_of(town, "remade", restart=False), tmp_path) as opened:
        first = opened.start(1)
        assert opened.killable.kill(first).confirmed
        made = town.up("remade", town.image("tiny", FOLDER), 3)
        second = opened.start(1, 2)
        assert isinstance(opened.fleet, KnownByName)
        assert made[:12] in opened.fleet.names(second)
    assert [town.life(id_)[0] for id_ in (ids[0], ids[1], made)] == [False, True, True]


def test_container_without_a_policy_is_started_again_if_the_plan_says_so(town: Project, tmp_path: Path) -> None:
    """Also when the run ends before anyone asked for its next life; without the plan's word it is not even prepared."""
    ids = two(town, "plain")
    with attached(plan_of(town, "plain", restart=True), tmp_path) as opened:
        for slot in (1, 2):
            opened.start(slot)
        assert opened.killable.kill(opened.start(1)).confirmed
    assert town.life(ids[0])[0]
    with pytest.raises(PlanError, match="nothing would bring"), attached(plan_of(town, "plain"), tmp_path):
        pass


def test_nobody_is_killed_without_leave(town: Project, tmp_path: Path) -> None:
    """Whatever asks for it: the fleet itself holds this."""
    ids = two(town, "spared", policy="always")
    before = [town.life(id_) for id_ in ids]
    with attached(plan_of(town, "spared"), tmp_path, allow_kill=False) as opened:
        receipt = opened.killable.kill(opened.start(1))
        assert (receipt.confirmed, receipt.exit_code) == (False, -1)
        assert "--allow-kill was not given" in receipt.detail
    assert [town.life(id_) for id_ in ids] == before


def test_victim_that_does_not_come_back_is_named_with_its_last_lines(town: Project, tmp_path: Path) -> None:
    """The user has to bring it back by hand, so he must learn of it."""
    ids = two(town, "gone")
    name = f"{town.name}-gone-1"
    with (
        pytest.raises(NotReady, match=name) as told,
        attached(plan_of(town, "gone", restart=False, within=0.3), tmp_path) as opened,
    ):
        assert opened.killable.kill(opened.start(1)).confirmed
    assert "begins" in told.value.details
    assert not town.life(ids[0])[0]


def test_logs_commands_and_ports_are_of_the_container(town: Project, tmp_path: Path) -> None:
    two(town, "asked")
    with attached(plan_of(town, "asked"), tmp_path, allow_kill=False) as opened:
        one = opened.start(1)
        assert isinstance(opened.fleet, ProbesInside)
        assert opened.fleet.execute(one, ["sh", "-c", "echo hello; exit 3"]) == (3, "hello\n")
        assert (opened.fleet.listens(one, 8000), opened.fleet.listens(one, 8001)) == (True, False)
        assert "begins" in opened.logs(one)


def test_engine_names_who_may_die_and_wants_more_than_one(town: Project) -> None:
    two(town, "listed", policy="always")
    engine = AttachEngine()
    assert isinstance(engine, Attaches)
    assert [line.split(" ")[0] for line in engine.found(plan_of(town, "listed"))] == [
        f"{town.name}-listed-1",
        f"{town.name}-listed-2",
    ]
    with pytest.raises(PlanError, match="0 containers run with"):
        engine.found(plan_of(town, "nobody"))


def test_kill_that_died_with_its_run_is_put_right_by_the_next(
    town: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is itself killed between a kill and its restart leaves a note, by which the container is started."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    ids = two(town, "noted")
    with attached(plan_of(town, "noted", restart=True), tmp_path) as opened:
        fleet = opened.fleet
        assert isinstance(fleet, AttachFleet)
        assert opened.killable.kill(opened.start(1)).confirmed
        assert not town.life(ids[0])[0]
        assert AttachEngine().sweep() == []
        [line] = AttachEngine().sweep(run="test-attached")
        assert f"{town.name}-noted-1" in line
        assert town.life(ids[0])[0]
