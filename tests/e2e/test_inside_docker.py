"""chaoscheck in a job container that has the engine's socket, and with an engine that is reached by TCP."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from samples.fleets import Bench, new_site, plan_of
from samples.passage import SOCKET, passage

from chaoscheck.engines.docker import DockerEngine
from chaoscheck.engines.docker.labels import only
from chaoscheck.model.places import Incarnation

pytestmark = pytest.mark.docker

ROOT = Path(__file__).resolve().parents[2]
IMAGE = "debian:bookworm-slim"
PLAN = "targets/shop/plans/memory-round-robin.yaml"
# A container whose whole userland is this machine's, so that it needs no image of its own.
SHARED = dict.fromkeys(
    str(Path(path).resolve()) for path in ("/usr", "/etc/ld.so.cache", sys.base_prefix, sys.prefix, ROOT, "/etc/ssl")
)


@pytest.fixture
def client() -> Iterator[Any]:
    made = docker.APIClient(version="auto")
    yield made
    made.close()


@contextlib.contextmanager
def job(client: Any, words: list[str], out: Path) -> Iterator[str]:
    """A job container on a network of its own that runs those words; its id. Removed afterwards with its network."""
    name = f"chaoscheck-test-job-{uuid.uuid4().hex[:8]}"
    network = client.create_network(name, driver="bridge")["Id"]
    binds = [f"{path}:{path}:ro" for path in SHARED if Path(path).exists()] + [f"{SOCKET}:{SOCKET}", f"{out}:{out}"]
    made = client.create_container(
        IMAGE,
        words,
        name=name,
        hostname="runner",
        working_dir=str(ROOT),
        environment={
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": f"{ROOT}:{ROOT}/tests",
            "CHAOSCHECK_INSTANCES": "2",  # a smaller matrix finds the same
        },
        volumes=[bind.split(":")[1] for bind in binds],
        host_config=client.create_host_config(binds=binds, network_mode=network),
    )["Id"]
    try:
        client.start(made)
        yield made
    finally:
        client.remove_container(made, force=True, v=True)
        client.remove_network(network)


def gateway_of(client: Any, id_: str) -> str:
    """Of its only network; told only while it runs."""
    (network,) = client.inspect_container(id_)["NetworkSettings"]["Networks"].values()
    return str(network["Gateway"])


def chaoscheck(*words: str) -> list[str]:
    return [sys.executable, "-m", "chaoscheck", *words]


def test_run_in_a_job_container_gets_its_verdict_by_the_gateway_and_leaves_nothing(client: Any, tmp_path: Path) -> None:
    """Published and dialled on the gateway, never on all addresses; the same FAIL as outside."""
    words = chaoscheck("run", PLAN, "--fail-fast", "--engine", "docker", "--out", str(tmp_path))
    with job(client, words, tmp_path) as id_:
        gateway = gateway_of(client, id_)
        ended = client.wait(id_, timeout=120)["StatusCode"]
        said = client.logs(id_).decode()
    assert ended == 1, said
    (folder,) = (path for path in tmp_path.iterdir() if path.is_dir() and not path.is_symlink())
    events = [json.loads(line) for line in (folder / "events.ndjson").read_text().splitlines()]
    addresses = {event["address"].partition(":")[0] for event in events if "address" in event}
    assert addresses == {gateway}
    assert "state in one instance" in (folder / "result.json").read_text()
    assert client.containers(all=True, filters=only(folder.name)) == []


def test_doctor_in_a_job_container_tries_the_gateway(client: Any, tmp_path: Path) -> None:
    """It says where ports go, and has something answer there: 0 because it did."""
    with job(client, chaoscheck("doctor", "--json", "--engine", "docker", "--out", str(tmp_path)), tmp_path) as id_:
        gateway = gateway_of(client, id_)
        ended = client.wait(id_, timeout=60)["StatusCode"]
        said = client.logs(id_, stderr=False).decode()
    checks = {check["name"]: check["seen"] for check in json.loads(said)["checks"]}
    assert ended == 0, said
    assert f"published on {gateway} and dialled on {gateway}" in checks["addresses"]
    assert f"answers on {gateway}:" in checks["trial"] or "not made" in checks["trial"]


HOLD = """
import time
from chaoscheck.engines.docker import DockerEngine
from chaoscheck.model.places import Incarnation
from samples.fleets import new_site, plan_of
from pathlib import Path
fleet = DockerEngine().open(new_site(plan_of(), Path("{out}")))
fleet.prepare()
print(fleet._site.run, flush=True)
time.sleep(120)
"""


def test_job_that_was_killed_is_swept_and_one_that_lives_is_not(client: Any, tmp_path: Path) -> None:
    """Another pid namespace's process 1 can't be seen; whether its container still runs, the engine knows."""
    engine = DockerEngine()
    with job(client, [sys.executable, "-c", HOLD.format(out=tmp_path)], tmp_path) as id_:
        until = time.monotonic() + 60
        while not (run := client.logs(id_, stderr=False).decode().strip()):
            assert time.monotonic() < until, client.logs(id_).decode()
            time.sleep(0.2)
        engine.sweep()
        assert client.networks(filters=only(run))
        client.kill(id_)
        client.wait(id_, timeout=10)
        swept = [line for line in engine.sweep() if run in line]
    assert any(line.startswith("network") for line in swept)
    assert client.networks(filters=only(run)) == []


def test_engine_by_tcp_kills_are_confirmed_by_its_own_clock(
    client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ports are published and dialled on the engine's address, and deaths lie between signal and sight."""
    gateway = client.inspect_network("bridge")["IPAM"]["Config"][0]["Gateway"]
    with passage(gateway) as port:
        monkeypatch.setenv("DOCKER_HOST", f"tcp://{gateway}:{port}")
        site = new_site(plan_of(ready={"tcp": 8000, "within": 20}), tmp_path)
        fleet = DockerEngine().open(site)
        try:
            fleet.prepare()
            bench = Bench(fleet, site)
            victim = bench.start(1)
            receipt = bench.killable.kill(victim)
            second = fleet.start(Incarnation(slot=1, life=2))
            bound = client.inspect_container(second.handle)["HostConfig"]["PortBindings"]
        finally:
            fleet.close()
    assert victim.address.host == second.address.host == gateway
    assert {one["HostIp"] for ports in bound.values() for one in ports} == {gateway}
    assert receipt.confirmed, receipt.detail
    assert receipt.signal_ns <= receipt.death_ns <= receipt.refused_ns + receipt.error_ns


def test_host_user_of_the_socket_needs_no_container(tmp_path: Path) -> None:
    """Here, beside the engine, nothing changes: loopback only."""
    done = subprocess.run(
        chaoscheck("doctor", "--json", "--engine", "docker", "--out", str(tmp_path)),
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        check=False,
    )
    checks = {check["name"]: check["seen"] for check in json.loads(done.stdout)["checks"]}
    assert done.returncode == 0, done.stdout
    assert "published on 127.0.0.1 and dialled on 127.0.0.1" in checks["addresses"]
