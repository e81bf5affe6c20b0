"""Which containers are meant, how each is dialled, and under which names a balancer may know it."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from balancer_stage import Dialler, Service
from samples.fleets import new_site, plan_of

from chaoscheck.engines.attach.doorway import Doorway
from chaoscheck.engines.attach.finding import Seen, distinct, labelled, labels_of, names_of, port_of, ways
from chaoscheck.engines.attach.pending import note, pending
from chaoscheck.engines.attach.returning import Returning
from chaoscheck.engines.docker.reach import Reach
from chaoscheck.engines.owner import Owner
from chaoscheck.engines.refusal import refuses
from chaoscheck.errors import NotReady, PlanError
from chaoscheck.model.places import Address
from chaoscheck.plan.plan import Attach

ID = "a" * 64


def container(**changes: Any) -> dict[str, Any]:
    raw: dict[str, Any] = {
        "Id": ID,
        "Name": "/p-web-1",
        "State": {"Running": True, "Restarting": False, "StartedAt": "2026-01-01T00:00:00Z", "Pid": 7},
        "Config": {"Labels": {}, "ExposedPorts": {"3000/tcp": {}, "53/udp": {}}, "Hostname": "aaaaaaaaaaaa"},
        "HostConfig": {"RestartPolicy": {"Name": "always"}, "PidMode": ""},
        "NetworkSettings": {
            "Networks": {"p": {"IPAddress": "172.18.0.2", "Gateway": "127.0.0.1"}},
            "Ports": {"3000/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}]},
        },
    }
    for key, value in changes.items():
        raw[key] = {**raw[key], **value} if isinstance(value, dict) else value
    return raw


def seen(raw: dict[str, Any]) -> Seen:
    return Seen(id=raw["Id"], name=raw["Name"].lstrip("/"), started=raw["State"]["StartedAt"], running=True, raw=raw)


class Engine:
    """Answers as the container engine does, of these containers."""

    def __init__(self, *raws: dict[str, Any]) -> None:
        self._raws = {raw["Id"]: raw for raw in raws}
        self.filters: dict[str, list[str]] = {}
        self.started: list[str] = []

    def start(self, id_: str) -> None:
        self.started.append(id_)

    def logs(self, id_: str, tail: int) -> bytes:
        return b"its last line"

    def containers(self, filters: dict[str, list[str]]) -> list[dict[str, Any]]:
        self.filters = filters
        return [{"Id": id_, "Labels": raw["Config"]["Labels"]} for id_, raw in self._raws.items()]

    def inspect_container(self, id_: str) -> dict[str, Any]:
        return self._raws[id_]


def test_labels_are_all_asked_for() -> None:
    """Of a project's service, and whatever else the plan says: a container with fewer is not meant."""
    attach = Attach(project="p", service="web", labels={"tier": "front"})
    engine = Engine()
    labelled(engine, labels_of(attach))
    assert engine.filters["label"] == [
        "com.docker.compose.project=p",
        "com.docker.compose.service=web",
        "tier=front",
    ]


def test_only_what_really_runs_is_found_and_in_its_order() -> None:
    """Not what waits for its restart, and not what `compose run` made for once."""
    two = container(Id="2", Name="/p-web-2")
    ten = container(Id="10", Name="/p-web-10")
    waiting = container(Id="3", State={"Restarting": True})
    once = container(Id="4", Config={"Labels": {"com.docker.compose.oneoff": "True"}})
    assert [one.name for one in labelled(Engine(ten, waiting, once, two), {})] == ["p-web-2", "p-web-10"]


def test_own_address_is_dialled_only_where_its_bridge_is_here() -> None:
    """Elsewhere the same address may be somebody else's container."""
    far = container(NetworkSettings={"Networks": {"p": {"IPAddress": "172.18.0.2", "Gateway": "192.0.2.1"}}})
    published = Address("127.0.0.1", 8080)
    assert ways(seen(container()), 3000, Reach()) == {
        "network p": Address("172.18.0.2", 3000),
        "published": published,
    }
    assert ways(seen(far), 3000, Reach()) == {"published": published}
    assert ways(seen(far), 3000, Reach(host="build-host")) == {"published": Address("build-host", 8080)}


def test_port_is_the_plans_or_the_only_one() -> None:
    assert [port_of(seen(container()), port) for port in (None, 81)] == [3000, 81]
    assert port_of(seen(container(Config={"ExposedPorts": {"1/tcp": {}, "2/tcp": {}}})), None) == 8000


def test_name_that_several_have_tells_nobody_apart() -> None:
    """Two containers with one host name: an answer that gives it could be either's."""
    one = names_of(seen(container()), 3000)
    assert {"p-web-1", ID, ID[:12], "172.18.0.2", "172.18.0.2:3000"} <= set(one)
    other = names_of(seen(container(Id="b" * 64, Name="/p-web-2", NetworkSettings={"Networks": {}})), 3000)
    assert "aaaaaaaaaaaa" in other
    clear = distinct({"one": one, "other": other})
    assert "p-web-1" in clear["one"]
    assert "aaaaaaaaaaaa" not in clear["one"] + clear["other"]


@pytest.mark.parametrize(
    ("changes", "policy", "orchestrated"),
    [
        ({}, "always", False),
        ({"HostConfig": {"RestartPolicy": {"Name": "no"}}}, "", False),
        ({"HostConfig": {"RestartPolicy": {}}, "Config": {"Labels": {"com.docker.swarm.service.id": "x"}}}, "", True),
    ],
)
def test_who_brings_it_back_is_read_from_it(changes: dict[str, Any], policy: str, orchestrated: bool) -> None:
    found = seen(container(**changes))
    assert (found.policy, found.orchestrated) == (policy, orchestrated)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    yield made
    made.close()


def test_doorway_leads_to_its_life_and_refuses_once_that_is_over(service: Service) -> None:
    """Also those whom it let in: whoever has the address next must not be heard under the dead one's name."""
    doorway = Doorway(free_port(), service.address)
    client = http.client.HTTPConnection(*doorway.address, timeout=5)
    client.request("GET", "/")
    assert client.getresponse().read() == b"ok"
    doorway.close()
    doorway.close()
    assert refuses(doorway.address)
    with closing(client), pytest.raises((OSError, http.client.HTTPException)):
        client.sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        client.sock.settimeout(5)
        if not client.sock.recv(1):
            raise ConnectionError("closed")
    assert service.delivered == ["/"]


def test_doorway_passes_on_that_the_service_hung_up(service: Service) -> None:
    doorway = Doorway(free_port(), service.address)
    assert Dialler(doorway.address).ask("/hang-up").status == 0
    assert Dialler(doorway.address).ask("/").status == 200
    doorway.close()


def test_doorway_to_nobody_closes_at_once() -> None:
    """A service that does not listen yet is no hang."""
    doorway = Doorway(free_port(), Address("127.0.0.1", free_port()))
    with closing(socket.create_connection(doorway.address, timeout=5)) as dialled:
        assert dialled.recv(1) == b""
    doorway.close()


def test_note_of_a_kill_stands_until_it_is_put_right(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    path = note("run-1", ID)
    [left] = pending()
    assert (left.run, left.container, left.owner) == ("run-1", ID, Owner.me())
    path.unlink()
    assert list(pending()) == []


@pytest.mark.parametrize(("ours", "started"), [(False, []), (True, [ID])])
def test_victim_is_started_only_where_that_is_ours(
    ours: bool, started: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One that waits for its restart policy is left to it: what is tried is the user's orchestration."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    raw = container(State={"Restarting": True})
    engine = Engine(raw)
    returning = Returning(engine, new_site(plan_of(), tmp_path), Attach(labels={"a": "b"}, within=0))
    returning.known.add(seen(raw).life)
    returning.goes_down(seen(raw), ours=ours)
    assert len(list(pending())) == len(started)
    with pytest.raises(NotReady, match="p-web-1 was killed and did not come back") as told:
        returning.await_next(seen(raw))
    assert (engine.started, told.value.details) == (started, "its last line")
    returning.stayed(seen(raw))
    assert list(pending()) == []


OTHER = "b" * 64


@pytest.mark.parametrize(
    ("attach", "taken"),
    [({"restart": True}, False), ({}, False), ({"restart": False}, True)],
)
def test_another_container_comes_in_a_victims_place_only_where_something_puts_it_there(
    attach: dict[str, Any], taken: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Taken in it would be killed next, and nobody named it to the user."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    down, fresh = container(State={"Running": False}), container(Id=OTHER, Name="/p-web-0")
    raws = {ID: container()}
    engine = Engine()
    engine._raws = raws
    returning = Returning(engine, new_site(plan_of(), tmp_path), Attach(labels={"a": "b"}, within=0, **attach))
    victim = seen(raws[ID])
    returning.goes_down(victim, ours=bool(attach.get("restart")))
    raws |= {ID: down, OTHER: fresh}
    if taken:
        assert returning.await_next(victim).id == OTHER
        return
    with pytest.raises(NotReady):
        returning.await_next(victim)


def test_whoever_ran_when_the_victim_died_comes_in_nobodys_place(tmp_path: Path) -> None:
    """Somebody scaled the service in mid-run."""
    raws = {ID: container(), OTHER: container(Id=OTHER, Name="/p-web-0")}
    engine = Engine(*raws.values())
    returning = Returning(engine, new_site(plan_of(), tmp_path), Attach(labels={"a": "b"}, within=0, restart=False))
    returning.goes_down(seen(raws[ID]), ours=False)
    with pytest.raises(NotReady):
        returning.await_next(seen(raws[ID]))


def test_container_that_its_death_would_remove_is_refused(tmp_path: Path) -> None:
    """What was started with --rm can't be started again."""
    raw = container(HostConfig={"AutoRemove": True, "RestartPolicy": {"Name": ""}})
    returning = Returning(Engine(raw), new_site(plan_of(), tmp_path), Attach(labels={"a": "b"}, restart=True))
    with pytest.raises(PlanError, match="--rm"):
        returning.require(seen(raw))


def test_policy_that_gives_up_is_no_way_back(tmp_path: Path) -> None:
    """on-failure:2 leaves it down after the third kill."""
    raw = container(HostConfig={"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2}})
    assert seen(raw).policy == ""
    with pytest.raises(PlanError, match="nothing would bring"):
        Returning(Engine(raw), new_site(plan_of(), tmp_path), Attach(labels={"a": "b"})).require(seen(raw))
