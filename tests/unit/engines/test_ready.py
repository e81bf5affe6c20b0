"""Waiting for instances: what counts as ready, and what is said of those that don't become so."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from chaoscheck.engines.base import Instance, State
from chaoscheck.engines.ready import meets, wait_ready
from chaoscheck.errors import InstanceCrashed, NotReady, PlanError
from chaoscheck.model.clock import NS
from chaoscheck.model.places import Address, Incarnation
from chaoscheck.plan.plan import Ready
from chaoscheck.plan.steps import Expect
from chaoscheck.steps.base import Answer, Trouble, Wire


class VirtualClock:
    """Waiting costs nothing."""

    def __init__(self) -> None:
        self.t_ns = 0

    def now_ns(self) -> int:
        return self.t_ns

    def wait_until_ns(self, when_ns: int) -> None:
        self.t_ns = max(self.t_ns, when_ns)


class Fleet:
    """Instances whose states a test sets."""

    def __init__(self) -> None:
        self.states: dict[str, State] = {}
        self.log = ""

    def prepare(self) -> None: ...

    def start(self, incarnation: Incarnation) -> Instance:
        raise NotImplementedError

    def state(self, instance: Instance) -> State:
        return self.states.get(instance.name, State(running=True))

    def remove(self, instance: Instance) -> None: ...

    def dead_stores(self) -> Mapping[str, str]:
        return {}

    def close(self) -> None: ...

    def logs(self, instance: Instance, lines: int) -> str:
        return self.log or f"the log of {instance.name}"


class Wires:
    """A transport that answers by address and time, and keeps what it was given."""

    def __init__(self, clock: VirtualClock, say: Callable[[Address, int], Answer]) -> None:
        self.clock = clock
        self.say = say
        self.sent: list[Wire] = []

    def send(self, address: Address, wire: Wire, *, fresh: bool = False) -> Answer:
        assert fresh, "a ready check must not keep a connection"
        self.sent.append(wire)
        return self.say(address, self.clock.now_ns())

    def close(self) -> None: ...


def answer(status: int, body: bytes = b"", trouble: Trouble = Trouble.NONE) -> Answer:
    return Answer(status, (("X-Version", "7"), ("Set-Cookie", "a=1")), body, trouble, True, 0, 0)


def instance(slot: int) -> Instance:
    address = Address("127.0.0.1", 8000 + slot)
    return Instance(incarnation=Incarnation(slot=slot, life=1), address=address, inner=address, handle=str(slot))


def wait(
    say: Callable[[Address, int], Answer],
    *,
    fleet: Fleet | None = None,
    ready: Ready | None = None,
    headers: dict[str, str] | None = None,
    told: list[str] | None = None,
) -> tuple[dict[str, int], list[Wire]]:
    clock = VirtualClock()
    wires = Wires(clock, say)
    found = wait_ready(
        fleet or Fleet(),
        [instance(1), instance(2)],
        ready or Ready(get="/up", within=5),
        transport=wires,
        clock=clock,
        headers=headers,
        say=(told if told is not None else []).append,
    )
    return found, wires.sent


def test_all_ready_when_each_answered_tells_when_each_did() -> None:
    """Instances become ready one by one; the times are those of the first good answers."""
    found, _ = wait(lambda address, t_ns: answer(200 if t_ns >= (address.port - 8000) * NS else 503))
    assert NS <= found["web-1.1"] < 1.1 * NS
    assert 2 * NS <= found["web-2.1"] < 2.1 * NS


def test_ready_check_keeps_no_cookie_and_carries_the_host_it_is_given() -> None:
    """A health path may hand out sessions; none is taken. The Host is the instance's unless the caller says."""
    _, plain = wait(lambda *_: answer(204))
    _, public = wait(lambda *_: answer(204), headers={"Host": "shop.example"})
    assert dict(plain[0].headers) == {"Host": "127.0.0.1:8001"}
    assert dict(public[0].headers) == {"Host": "shop.example"}
    _, many = wait(lambda _, t_ns: answer(200 if t_ns > NS else 500))
    assert all("Cookie" not in dict(wire.headers) for wire in many)


def test_never_ready_names_instance_limit_and_last_answer() -> None:
    """The sentence alone tells what to look at; the log's tail is there as well."""
    with pytest.raises(NotReady) as raised:
        wait(lambda *_: answer(500, b"no  database\n"))
    assert raised.value.message == (
        "web-1.1 (nor web-2.1) was not ready within 5 s; last seen: GET /up answers 500: no database"
    )
    assert raised.value.details == "the log of web-1.1"
    assert raised.value.hint


def test_page_that_was_answered_instead_is_told_by_its_words() -> None:
    """Its tags tell nobody anything."""
    page = b"<html><head><title>Error</title></head><body><pre>Cannot GET /up</pre></body></html>"
    html = answer(404, page)._replace(headers=(("Content-Type", "text/html; charset=utf-8"),))
    with pytest.raises(NotReady) as raised:
        wait(lambda *_: html)
    assert raised.value.message.endswith("GET /up answers 404: Error | Cannot GET /up")


def test_long_wait_says_now_and_then_what_it_waits_for() -> None:
    """Silence for a minute looks like a hang; a line every second would be noise."""
    told: list[str] = []
    limit = Ready(get="/up", within=60)
    with pytest.raises(NotReady):
        wait(lambda address, _: answer(401 if address.port == 8002 else 200), ready=limit, told=told)
    assert told == [
        f"still waiting for web-2.1: GET /up answers 401 - is that the right path for `ready`? ({seconds} s of 60 s)"
        for seconds in (5, 10, 20, 40)
    ]
    told.clear()
    wait(lambda _, t_ns: answer(200 if t_ns > 6 * NS else 503), ready=limit, told=told)
    assert told == ["still waiting for web-1.1 (and web-2.1): GET /up answers 503 (5 s of 60 s)"]


def test_short_wait_says_nothing() -> None:
    """Most services take a second or two."""
    told: list[str] = []
    wait(lambda _, t_ns: answer(200 if t_ns > 4 * NS else 503), told=told)
    assert told == []


def test_refused_to_the_end_hints_at_the_port() -> None:
    """Nothing listening is another mistake than a bad path."""
    with pytest.raises(NotReady) as raised:
        wait(lambda *_: answer(0, trouble=Trouble.REFUSED))
    assert "connection refused" in raised.value.message
    assert "target.port" in raised.value.hint


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("redis: getaddrinfo ENOTFOUND redis", "a name in its settings isn't there (redis)"),
        ('could not translate host name "postgres" to address: Name or service not known', "isn't there (postgres)"),
        ("socket.gaierror: [Errno -2] Name or service not known", "a name in its settings isn't there:"),
        ("dial tcp: lookup redis on 127.0.0.11:53: no such host", "isn't there (redis)"),
        ("Error: connect ECONNREFUSED 127.0.0.1:6379", "it is refused at 127.0.0.1:6379"),
        ('connection to server at "localhost" (::1), port 5432 failed: Connection refused', "refused at localhost"),
        ("[Errno 111] Connection refused", "it is refused at what it asks"),
    ],
)
def test_its_own_log_is_the_best_hint(line: str, said: str) -> None:
    """A store that isn't there keeps it from listening: no setting of the port helps."""
    fleet = Fleet()
    fleet.log = f"starting\n{line}\nbye"
    with pytest.raises(NotReady) as raised:
        wait(lambda *_: answer(0, trouble=Trouble.REFUSED), fleet=fleet)
    assert said in raised.value.hint and "stores" in raised.value.hint
    with pytest.raises(NotReady) as raised:
        wait(lambda *_: answer(404), fleet=fleet)
    assert raised.value.hint.startswith("target.ready must name a path")
    fleet.states["web-1.1"] = State(running=False, exit_code=1, ended_ns=0)
    with pytest.raises(InstanceCrashed) as crashed:
        wait(lambda *_: answer(0, trouble=Trouble.REFUSED), fleet=fleet)
    assert said in crashed.value.hint


def test_crash_ends_the_wait_at_once_with_code_and_log() -> None:
    """Nobody waits for the dead."""
    fleet = Fleet()
    fleet.states["web-2.1"] = State(running=False, exit_code=1, ended_ns=0)
    with pytest.raises(InstanceCrashed) as raised:
        wait(
            lambda address, _: answer(
                200 if address.port == 8001 else 0, trouble=Trouble.NONE if address.port == 8001 else Trouble.REFUSED
            ),
            fleet=fleet,
        )
    assert "web-2.1 ended by itself before it was ready (exit code 1)" in raised.value.message
    assert raised.value.details == "the log of web-2.1"


def test_crash_for_memory_says_so() -> None:
    """An exit code of 137 alone would send the reader looking for a killer."""
    fleet = Fleet()
    fleet.states["web-1.1"] = State(running=False, exit_code=137, out_of_memory=True)
    with pytest.raises(InstanceCrashed, match="out of memory"):
        wait(lambda *_: answer(0, trouble=Trouble.CLOSED), fleet=fleet)


def test_check_from_within_on_a_fleet_that_cannot_look_is_a_plan_error() -> None:
    """A capability that is missing is said, not guessed around."""
    with pytest.raises(PlanError):
        wait(lambda *_: answer(200), ready=Ready(tcp=8000))


@pytest.mark.parametrize(
    ("expect", "holds"),
    [
        (None, True),
        (Expect(status=200), True),
        (Expect(status=204), False),
        (Expect(status=(204, 200)), True),
        (Expect(text="fine"), True),
        (Expect(text="bad"), False),
        (Expect(match="^all .*e$"), True),
        (Expect(header={"X-Version": "^7$"}), True),
        (Expect(header={"X-Version": "^8$"}), False),
        (Expect(header={"X-Other": "."}), False),
    ],
)
def test_expectation_of_a_health_answer(expect: Expect | None, holds: bool) -> None:
    """Every key that is set must hold."""
    assert meets(expect, answer(200, b"all fine")) is holds


@pytest.mark.parametrize(("status", "holds"), [(199, False), (200, True), (302, True), (400, False), (503, False)])
def test_without_expectation_two_and_three_hundreds_are_ready(status: int, holds: bool) -> None:
    """The default is any success or redirect."""
    assert meets(None, answer(status)) is holds
    assert meets(Expect(text=""), answer(status)) is holds
