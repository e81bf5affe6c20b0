"""Stores beside containers: ready before use, reached by name, and watched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import docker
import pytest
from samples.fleets import Bench, bench, need, plan_of

from chaoscheck.errors import NotReady, PlanError, StoreDied

pytestmark = pytest.mark.docker

SHELF: dict[str, Any] = {"shelf": {"build": "."}}
# Perl is what the base image has.
REACH = "perl -MIO::Socket::INET -e 'exit !IO::Socket::INET->new(PeerAddr => qq(shelf:8000), Timeout => 2)'"


@pytest.fixture(autouse=True)
def _docker() -> None:
    need("docker")


def test_store_is_ready_and_reached_by_its_name_before_setup_runs(tmp_path: Path) -> None:
    """Without a ready check, every exposed port accepts before anybody needs it."""
    with bench("docker", plan_of(SHELF, setup=(REACH,)), tmp_path) as tiny:
        assert tiny.inside.execute(tiny.start(1), ["sh", "-c", REACH])[0] == 0
        assert tiny.fleet.dead_stores() == {}


@pytest.mark.parametrize(
    "check",
    [{"tcp": 8000}, {"get": "/healthz"}, {"command": ["test", "-f", "/srv/serve.pl"]}],
    ids=["tcp", "get", "command"],
)
def test_store_with_each_ready_check_gets_ready(tmp_path: Path, check: dict[str, Any]) -> None:
    """Port, path and command all work for a store."""
    with bench("docker", plan_of({"shelf": {"build": ".", "ready": check}}), tmp_path) as tiny:
        assert tiny.fleet.dead_stores() == {}


@pytest.mark.parametrize(("deed", "says"), [("kill", "exit code 137"), ("restart", "restarted")])
def test_store_that_ended_or_restarted_unasked_is_named(tmp_path: Path, deed: str, says: str) -> None:
    """A store that blinked is seen, though it may be up again when one looks."""
    with bench("docker", plan_of(SHELF), tmp_path) as tiny:
        _do(tiny, deed)
        dead = tiny.fleet.dead_stores()
    assert list(dead) == ["shelf"]
    assert says in dead["shelf"]


def test_store_that_crashes_on_start_says_its_last_lines(tmp_path: Path) -> None:
    """No waiting for a dead store."""
    with (
        pytest.raises(StoreDied) as raised,
        bench("docker", plan_of({"shelf": {"build": ".", "env": {"TINY": "crash"}}}), tmp_path),
    ):
        pass
    assert "exit code 3" in raised.value.message
    assert "no luck today" in raised.value.details


def test_deaf_store_is_not_ready_though_the_engine_published_its_port(tmp_path: Path) -> None:
    """The engine's proxy accepts for a container that doesn't listen; that must not count."""
    shelf = {"build": ".", "env": {"TINY": "deaf"}, "ready": {"tcp": 8000, "within": 1}}
    with pytest.raises(NotReady) as raised, bench("docker", plan_of({"shelf": shelf}), tmp_path):
        pass
    assert (
        "store shelf was not ready within 1 s; last seen: nothing accepts connections on port 8000"
        in raised.value.message
    )


def test_store_without_check_or_exposed_port_is_a_plan_error(tmp_path: Path) -> None:
    """Readiness is never assumed."""
    with (
        pytest.raises(PlanError) as raised,
        bench("docker", plan_of({"shelf": {"image": "debian:bookworm-slim"}}), tmp_path),
    ):
        pass
    assert "no ready check" in raised.value.message


def _do(tiny: Bench, deed: str) -> None:
    client = docker.from_env()
    try:
        (container,) = client.containers.list(
            filters={"label": [f"chaoscheck.run={tiny.site.run}", "chaoscheck.role=store"]}
        )
        container.kill() if deed == "kill" else container.restart(timeout=0)
    finally:
        client.close()
