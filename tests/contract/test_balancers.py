"""What every balancer promises, and what HAProxy in particular must do and must never do."""

from __future__ import annotations

import shutil
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from balancer_stage import Dialler, LocalFleet, plan_of

import chaoscheck.balancers.direct
import chaoscheck.balancers.external
import chaoscheck.balancers.haproxy
from chaoscheck.balancers.base import BALANCERS, Balancer
from chaoscheck.engines.base import Instance
from chaoscheck.errors import EnvironmentTrouble, NotReady, PlanError
from chaoscheck.model.clock import MonotonicClock
from chaoscheck.model.history import BalancerRow
from chaoscheck.model.places import Address

needs_haproxy = pytest.mark.skipif(not shutil.which("haproxy"), reason="no haproxy binary on this machine")
KINDS = [pytest.param("haproxy", marks=needs_haproxy), "direct", "external"]


@pytest.fixture
def fleet() -> Iterator[LocalFleet]:
    made = LocalFleet()
    yield made
    made.close()
    shutil.rmtree(made.folder)


@pytest.fixture
def front(fleet: LocalFleet) -> Iterator[Callable[..., tuple[Balancer, list[Instance]]]]:
    """Opens a balancer of that kind before so many new services."""
    opened: list[Balancer] = []

    def open_(kind: str, size: int = 3, **section: str) -> tuple[Balancer, list[Instance]]:
        instances = [fleet.birth(slot) for slot in range(size)]
        if kind == "external":
            section["url"] = f"http://{instances[0].address}"
        balancer = BALANCERS.get(kind)()
        opened.append(balancer)
        balancer.open(fleet, plan_of(kind, **section), instances, MonotonicClock())  # type: ignore[arg-type]
        return balancer, instances

    yield open_
    for balancer in opened:
        balancer.close()
        balancer.close()


@pytest.mark.parametrize("kind", KINDS)
def test_route_after_open_leads_to_an_instance(front, kind):
    """An open balancer has a route, and what dials it gets an instance's answer at once."""
    balancer, instances = front(kind)
    entry = balancer.route().entry or instances[0].address
    assert Dialler(entry).ask("/").status == 200


@pytest.mark.parametrize("kind", KINDS)
def test_join_replacement_leaves_the_route_as_it_was(front, fleet, kind):
    """A replacement is taken in without users having to dial anywhere else."""
    balancer, instances = front(kind)
    before = balancer.route()
    balancer.join(fleet.birth(2, life=1), instances[2])
    assert balancer.route() == before


@pytest.mark.parametrize("kind", KINDS)
def test_log_of_a_request_without_id_is_empty(front, kind):
    """Only attempts of ours have rows."""
    balancer, instances = front(kind)
    Dialler(balancer.route().entry or instances[0].address).ask("/")
    assert list(balancer.log()) == []


@pytest.mark.parametrize("kind", KINDS[:2])
def test_join_of_an_address_that_served_before_is_refused(front, fleet, kind):
    """Two incarnations at one address could not be told apart, so that is an error and not a guess."""
    balancer, instances = front(kind)
    again = fleet.birth(0, life=1)
    reused = Instance(incarnation=again.incarnation, address=instances[0].address, inner=instances[0].inner, handle="")
    with pytest.raises(EnvironmentTrouble, match=r"web-0\.0's"):
        balancer.join(reused, instances[0])


@pytest.mark.parametrize(("kind", "mode"), [("haproxy", "never-same"), ("direct", "sticky"), ("external", "sticky")])
def test_open_with_a_mode_it_lacks_is_a_plan_error_with_a_hint(front, kind, mode):
    """What a balancer can't do is said before anything starts."""
    with pytest.raises(PlanError) as refused:
        front(kind, mode=mode)
    assert refused.value.hint


def entry_of(balancer: Balancer) -> Address:
    entry = balancer.route().entry
    assert entry is not None
    return entry


def rows_of(balancer: Balancer, *rids: str) -> dict[str, BalancerRow]:
    """The rows of those attempts: HAProxy logs a request when it has ended there, an instant after its answer."""
    deadline = time.monotonic() + 3
    while True:
        rows = {row.rid: row for row in balancer.log()}
        if rows.keys() >= set(rids) or time.monotonic() > deadline:
            return rows
        time.sleep(0.01)


@needs_haproxy
def test_haproxy_names_who_answered_whatever_the_service_claims(front, fleet):
    """The header is the balancer's word: forged ones of the service don't come through."""
    balancer, instances = front("haproxy")
    client = Dialler(entry_of(balancer))
    answers = [client.ask(f"/{n}", rid=f"r{n}") for n in range(9)]
    for n, answer in enumerate(answers):
        assert f"/{n}" in fleet.services[answer.headers["x-chaoscheck-instance"]].delivered
        assert "x-chaoscheck-balancer" not in answer.headers
    assert Counter(each.headers["x-chaoscheck-instance"] for each in answers) == {each.name: 3 for each in instances}


@needs_haproxy
@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE"])
@pytest.mark.parametrize("path", ["/hang-up", "/reset"])
@pytest.mark.parametrize("mode", ["round-robin", "sticky"])
def test_haproxy_instance_dies_with_a_request_in_hand_is_delivered_once(front, fleet, mode, method, path):
    """Nothing of which a byte was sent is sent again: neither to another instance, nor on a used connection."""
    balancer, _ = front("haproxy", mode=mode)
    client = Dialler(entry_of(balancer))
    cookie = client.ask("/warm-up").cookie
    seen = [client.ask(f"{path}/{n}", method=method, rid=f"r{n}", cookie=cookie) for n in range(6)]
    delivered = Counter(each for service in fleet.services.values() for each in service.delivered)
    rows = rows_of(balancer, *(f"r{n}" for n in range(6)))
    for n, answer in enumerate(seen):
        assert delivered[f"{path}/{n}"] == 1
        assert answer.status in (0, 502)
        assert "x-chaoscheck-balancer" not in answer.headers
        assert f"{path}/{n}" in fleet.services[rows[f"r{n}"].incarnation].delivered


@needs_haproxy
def test_haproxy_instance_gone_request_goes_elsewhere_unnoticed(front, fleet):
    """A refused connect carried nothing, so another instance gets the request, and the row counts the retry."""
    balancer, instances = front("haproxy")
    client = Dialler(entry_of(balancer))
    fleet.death(instances[1])
    answers = [client.ask(f"/{n}", rid=f"r{n}") for n in range(6)]
    assert {each.status for each in answers} == {200}
    rows = rows_of(balancer, *(f"r{n}" for n in range(6)))
    assert [rows[f"r{n}"].incarnation for n in range(6)] == [each.headers["x-chaoscheck-instance"] for each in answers]
    assert sum(row.retries for row in rows.values()) >= 1


@needs_haproxy
def test_haproxy_nobody_left_own_503_says_that_nothing_was_forwarded(front, fleet):
    """With every instance dead the 503 is marked, before and after the checks notice, and no one is named for it."""
    balancer, instances = front("haproxy", 2)
    client = Dialler(entry_of(balancer))
    for each in instances:
        fleet.death(each)
    seen = [client.ask("/", rid="at-once")]
    time.sleep(0.6)
    seen.append(client.ask("/", rid="later"))
    for answer in seen:
        assert (answer.status, answer.headers["x-chaoscheck-balancer"]) == (503, "none")
        assert "x-chaoscheck-instance" not in answer.headers
    rows = rows_of(balancer, "at-once", "later")
    assert {row.incarnation for row in rows.values()} == {""}
    assert {row.ending for row in rows.values()} == {"SC"}


@needs_haproxy
def test_haproxy_503_of_the_service_is_not_taken_for_its_own(front):
    """A 503 that an instance made may have had an effect: it is not marked, and names the instance."""
    balancer, _ = front("haproxy")
    answer = Dialler(entry_of(balancer)).ask("/own-503")
    assert answer.status == 503
    assert answer.headers["x-chaoscheck-instance"].startswith("web-")
    assert "x-chaoscheck-balancer" not in answer.headers


@needs_haproxy
def test_haproxy_connect_that_hangs_own_503_is_marked(front, fleet):
    """An instance that is there but accepts nothing (a full backlog) gets no byte: retries, then a marked 503."""
    balancer, _ = front("haproxy", 1)
    full = socket.create_server(("127.0.0.1", 0), backlog=0)
    waiting = [socket.socket() for _ in range(3)]
    for each in waiting:
        each.setblocking(False)
        with suppress(BlockingIOError):
            each.connect(full.getsockname())
    # The join can't succeed, as its check can't either; requests go there until the first check has failed.
    api = chaoscheck.balancers.haproxy.RuntimeApi(balancer._sidecar.address(balancer._admin))  # type: ignore[attr-defined]
    api.ask("set server be/web-0.0 state maint")
    api.add("web-0.1", Address(*full.getsockname()), sticky=False)
    answer = Dialler(entry_of(balancer)).ask("/", rid="hung")
    for each in [*waiting, full]:
        each.close()
    assert (answer.status, answer.headers.get("x-chaoscheck-balancer")) == (503, "none")
    assert rows_of(balancer, "hung")["hung"].incarnation == ""


@needs_haproxy
@pytest.mark.parametrize("mode", ["round-robin", "sticky"])
def test_haproxy_replacement_joined_is_up_and_the_dead_get_nothing(front, fleet, mode):
    """After `join` the newcomer serves its share and the one it replaced serves none, again and again."""
    balancer, living = front("haproxy", mode=mode)
    for life in range(1, 4):
        for slot in range(3):
            dead, living[slot] = living[slot], fleet.birth(slot, life)
            fleet.death(dead)
            began = time.monotonic()
            balancer.join(living[slot], dead)
            assert time.monotonic() - began < 1
    client = Dialler(entry_of(balancer))
    seen = Counter(client.ask("/").headers["x-chaoscheck-instance"] for _ in range(9))
    assert seen == {each.name: 3 for each in living}


@needs_haproxy
def test_haproxy_sticky_session_stays_until_its_instance_dies_then_moves_once(front, fleet):
    """With its cookie a session keeps its instance while that lives, and keeps one other afterwards; a replacement
    taken in at runtime holds sessions just so."""
    balancer, instances = front("haproxy", mode="sticky")
    client = Dialler(entry_of(balancer))
    first = client.ask("/")
    home = first.headers["x-chaoscheck-instance"]
    assert {client.ask("/", cookie=first.cookie).headers["x-chaoscheck-instance"] for _ in range(6)} == {home}

    dead = next(each for each in instances if each.name == home)
    fleet.death(dead)
    moved = client.ask("/", cookie=first.cookie)
    assert (moved.status, moved.headers["x-chaoscheck-instance"] != home) == (200, True)
    again = {client.ask("/", cookie=moved.cookie).headers["x-chaoscheck-instance"] for _ in range(6)}
    assert again == {moved.headers["x-chaoscheck-instance"]}

    balancer.join(fleet.birth(dead.incarnation.slot, life=1), dead)
    newcomers = [
        each for each in (client.ask("/") for _ in range(3)) if each.headers["x-chaoscheck-instance"].endswith(".1")
    ]
    assert len(newcomers) == 1 and newcomers[0].cookie
    kept = {client.ask("/", cookie=newcomers[0].cookie).headers["x-chaoscheck-instance"] for _ in range(6)}
    assert kept == {newcomers[0].headers["x-chaoscheck-instance"]}


@needs_haproxy
def test_haproxy_ended_by_itself_is_trouble_with_its_log(front, fleet):
    """Without its balancer a run proves nothing: every later call says so."""
    balancer, instances = front("haproxy")
    fleet.sidecars[0].process.kill()
    fleet.sidecars[0].process.wait(5)
    for call in (balancer.route, lambda: balancer.join(fleet.birth(0, 1), instances[0]), lambda: list(balancer.log())):
        with pytest.raises(EnvironmentTrouble, match="HAProxy ended by itself"):
            call()


@needs_haproxy
def test_haproxy_instance_that_never_answers_open_ends_in_time_and_names_it(front, fleet, monkeypatch):
    """The wait has a limit, and its error says who is missing and what was seen last."""
    monkeypatch.setattr(chaoscheck.balancers.haproxy, "_OPENS_WITHIN_S", 0.3)
    birth = fleet.birth

    def stillborn(slot: int, life: int = 0) -> Instance:
        instance = birth(slot, life)
        if slot == 1:
            fleet.death(instance)
        return instance

    monkeypatch.setattr(fleet, "birth", stillborn)
    with pytest.raises(NotReady, match=r"no answer from web-1\.0 within 0\.3 s; last seen: HTTP 200 from web-"):
        front("haproxy", 2)


@needs_haproxy
def test_haproxy_that_does_not_start_is_trouble_with_its_own_words(front, monkeypatch):
    """A configuration or a port that it can't use ends the run at once, with HAProxy's reason."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = (taken.getsockname()[1],) * 2
        monkeypatch.setattr(chaoscheck.balancers.haproxy, "_free_ports", lambda: ports)
        with pytest.raises(EnvironmentTrouble) as trouble:
            front("haproxy", 1)
    assert "in use" in trouble.value.details.lower()


@needs_haproxy
def test_haproxy_upgraded_connection_is_passed_through_both_ways(front, fleet):
    """A websocket's bytes go to one instance and back, and that instance is named."""
    balancer, _ = front("haproxy")
    with socket.create_connection(entry_of(balancer), timeout=3) as client:
        client.sendall(b"GET /upgrade HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
        head = client.recv(65536)
        assert head.startswith(b"HTTP/1.1 101") and b"x-chaoscheck-instance: web-" in head.lower()
        for _ in range(2):
            client.sendall(b"ping")
            assert client.recv(65536) == b"ping"
