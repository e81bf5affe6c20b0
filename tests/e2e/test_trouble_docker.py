"""Trouble as a user meets it, on a container engine: one sentence, the right exit code, nothing left, nothing lost."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from samples.desk import TINY, Desk, Ended
from samples.fleets import need
from samples.relay import relay

from chaoscheck.engines.docker.labels import ROLE, only
from chaoscheck.model.events import InstanceDied, StoreDied, Troubled
from chaoscheck.model.verdict import Verdict
from chaoscheck.store import RunFolder

pytestmark = pytest.mark.docker
INVALID, INTERRUPTED = 4, 130


@pytest.fixture
def client() -> Iterator[Any]:
    need("docker")
    made = docker.APIClient()
    yield made
    made.close()


@pytest.fixture
def desk(tmp_path: Path, client: Any) -> Iterator[Desk]:
    made = Desk(folder=tmp_path, runtime=tmp_path / "runtime")
    yield made
    made.close()


def left(client: Any, ended: Ended) -> list[str]:
    """Containers, networks and volumes of that run."""
    wanted = only(ended.run.name)
    found = [
        *client.containers(all=True, filters=wanted),
        *client.networks(filters=wanted),
        *(client.volumes(filters=wanted)["Volumes"] or []),
    ]
    return [str(item.get("Names") or item.get("Name")) for item in found]


def assert_stopped(client: Any, desk: Desk, ended: Ended, *said: str) -> None:
    """INVALID, with that in the summary and in the event, everything reported and nothing left."""
    assert (ended.code, left(client, ended), desk.left()) == (INVALID, [], []), ended.said
    for text in said:
        assert text in ended.said
    assert ended.result().verdict is Verdict.INVALID
    assert [event.hint != "" for event in RunFolder(ended.run).events() if isinstance(event, Troubled)] == [True]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param(
            {"target__env__TINY": "crash"},
            ["ended by itself before it was ready (exit code 3)", "| no luck today"],
            id="crashes",
        ),
        pytest.param(
            {"target__env__TINY": "deaf", "target__ready": {"get": "/healthz", "within": "1s"}},
            ["was not ready within 1 s; last seen: GET /healthz", "| hears nothing"],
            id="never-ready",
        ),
        pytest.param(
            {"target__setup": ["echo halfway there; exit 9"]},
            ["setup command `echo halfway there; exit 9` ended in 9", "| halfway there"],
            id="setup-fails",
        ),
        pytest.param(
            {"target__build": None, "target__image": "registry.invalid/no/such:tag"},
            ["image registry.invalid/no/such:tag is not on this machine and can't be pulled (its registry's name"],
            id="image-missing",
        ),
        pytest.param(
            {"stores": {"shelf": {"build": str(TINY), "env": {"TINY": "crash"}}}},
            ["store shelf ended by itself before it was ready (exit code 3)", "| no luck today"],
            id="store-crashes",
        ),
    ],
)
def test_run_that_can_not_start_is_invalid_with_the_last_words(
    desk: Desk, client: Any, changes: dict[str, Any], said: list[str]
) -> None:
    """What was printed last is what a user needs to read."""
    assert_stopped(client, desk, desk.run("run", desk.docker_plan(**changes)), *said)


def test_build_that_fails_is_invalid_with_its_last_lines(desk: Desk, client: Any) -> None:
    """The Dockerfile's own words, not our stack."""
    (desk.folder / "broken").mkdir()
    (desk.folder / "broken" / "Dockerfile").write_text("FROM debian:bookworm-slim\nRUN echo halfway there && exit 9\n")
    ended = desk.run("run", desk.docker_plan(target__build="broken"))
    assert_stopped(client, desk, ended, "target: the image didn't build", "halfway there")


def test_store_that_dies_unasked_is_invalid(desk: Desk, client: Any) -> None:
    """A store is never a victim, and what a service loses with it is not the kills' doing."""
    stores = {"shelf": {"build": str(TINY), "ready": 8000}}
    running = desk.start("run", desk.docker_plan(stores=stores, chaos__baseline="30s"))
    desk.until(running, "baseline")
    run = next(desk.reports.glob("2*")).name
    wanted = {"label": [*only(run)["label"], f"{ROLE}=store"]}
    client.kill(client.containers(filters=wanted)[0]["Id"])
    ended = desk.end(running)
    assert_stopped(client, desk, ended, "store 'shelf' ended in mid-run, and no strike meant it")
    assert [event.store for event in RunFolder(ended.run).events() if isinstance(event, StoreDied)] == ["shelf"]


def test_engine_that_goes_away_in_mid_run_is_invalid_and_swept_later(desk: Desk, client: Any) -> None:
    """Nothing can be removed without an engine: the run says how to, and is judged and reported all the same."""
    with relay() as engine:
        running = desk.start("run", desk.docker_plan(), env={"DOCKER_HOST": engine.host})
        desk.until(running, "strike 0")
        engine.cut()
        ended = desk.end(running)
    assert (ended.code, desk.left()) == (INVALID, []), ended.said
    assert "the container engine stopped answering" in ended.said
    assert "`chaoscheck clean` removes what is left once it is back" in ended.said
    assert ended.result().verdict is Verdict.INVALID
    assert left(client, ended)
    swept = desk.run("clean")
    assert (swept.code, left(client, ended)) == (0, []), swept.said
    assert f"(run {ended.run.name})" in swept.out


def test_run_that_was_killed_is_swept_by_the_next_one(desk: Desk, client: Any) -> None:
    """After -9 nobody has to know of `clean`."""
    running = desk.start("run", desk.docker_plan(chaos__baseline="30s"))
    desk.until(running, "baseline")
    running.kill()
    killed = desk.end(running)
    assert len(left(client, killed)) == 4, "two containers, a network and a volume"
    assert desk.run("report", killed.run).code == 0
    assert any("cut off" in gate.actual for gate in killed.result().gates)
    ended = desk.run("run", desk.docker_plan(target__env__TINY="crash"))
    assert f"(run {killed.run.name})" in ended.err
    assert left(client, killed) == left(client, ended) == []


def test_interrupt_beside_another_run_cleans_its_own_things_only(desk: Desk, client: Any, tmp_path: Path) -> None:
    """Two runs on one engine: one is ended by Ctrl-C in its chaos, the other goes on to its PASS."""
    (tmp_path / "other").mkdir()
    other = Desk(folder=tmp_path / "other", runtime=desk.runtime)
    mine = desk.start("run", desk.docker_plan())
    theirs = other.start("run", other.docker_plan(chaos__shams=0))
    desk.until(mine, "strike 0")
    mine.send_signal(signal.SIGINT)
    ended = desk.end(mine)
    assert (ended.code, left(client, ended), desk.left()) == (INTERRUPTED, [], []), ended.said
    assert [kill.confirmed for kill in ended.result().kills] == [True]
    passed = other.end(theirs)
    assert (passed.code, left(client, passed), other.left()) == (0, [], []), passed.said
    assert all(event.asked for event in RunFolder(passed.run).events() if isinstance(event, InstanceDied))


def test_second_interrupt_still_removes_everything(desk: Desk, client: Any) -> None:
    """Ctrl-C twice while containers are being removed: none stays."""
    running = desk.start("run", desk.docker_plan())
    desk.until(running, "controls")
    running.send_signal(signal.SIGINT)
    desk.until(running, "clean up")
    running.send_signal(signal.SIGINT)
    ended = desk.end(running)
    assert (ended.code, left(client, ended), desk.left()) == (INTERRUPTED, [], []), ended.said
