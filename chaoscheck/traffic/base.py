"""What the controller and its workers say to each other, and what traffic is to the controller."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One line of JSON between controller and worker; the class's name is its tag."""

    def line(self) -> str:
        return json.dumps({"say": type(self).__name__, **asdict(self)}, separators=(",", ":")) + "\n"


# From the controller to every worker.


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment(Message):
    """The first line. `plan` is the plan as run (every default filled in, JSON); `clock_base_ns` makes clocks one.

    `users` sessions at a time are this worker's; `turn_s` is the mean time from one turn of a session to its next,
    `life_s` its mean length; the first ones come within `ramp_s`, where that is longer than usual; `folder` is where
    its history goes; `origin` is what clients believe they opened. Controls showed of the promises in `gone_by_expect`
    that an unmet `expect` is how their `see` says "gone". One worker `observes` what runs by itself.
    """

    run: str
    worker: str
    seed: int
    plan: str
    folder: str
    clock_base_ns: int
    origin: str
    users: int
    first_account: int
    account_step: int
    turn_s: float
    life_s: float
    arrivals: float
    entry_host: str
    entry_port: int
    pick: str
    plan_folder: str
    gone_by_expect: tuple[str, ...] = ()
    observes: bool = False
    ramp_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology(Message):
    """Instances that should be serving: name -> (host, port). Direct clients, confirms and final reads use it.

    `names`: what a balancer of the user's calls them -> the name here.
    """

    instances: dict[str, tuple[str, int]]
    names: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseIs(Message):
    """What the run is doing: "baseline" starts the load, "settle" ends it (turns under way are finished),
    "final reads" reads every object through every instance."""

    phase: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceIs(Message):
    """The load that was assigned is too much: from now on worker -> so many sessions, each at this pace."""

    users: dict[str, int]
    turn_s: float
    life_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Volley(Message):
    """Aim writes straight at `victim` for strike `strike`: mode burst keeps `clients` sessions writing until it refuses
    or `until_ns`; in-flight begins one write at each of `offsets_ns` after `start_ns`. Answered by VolleyReady when
    the sessions have logged in and begin, and VolleyOver at the end."""

    strike: int
    mode: str
    victim: str
    clients: int
    start_ns: int
    until_ns: int
    offsets_ns: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Died(Message):
    """A confirmed death."""

    incarnation: str
    strike: int
    death_ns: int
    error_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop(Message):
    """Flush, say Over, end."""


# From a worker to the controller.


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello(Message):
    """It is up, and its transport delivered one attempt so many times (must be 1)."""

    worker: str
    pid: int
    deliveries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick(Message):
    """Twice a second: user operations since the last one, sessions alive, how late the generator is (worst, ms),
    latencies from the intended start; per promise: exposures so far; per strike and promise: exposed and read back;
    `busy` is the share of one processor that the worker used, -1.0 where that isn't known."""

    worker: str
    t_ns: int
    requests: int
    bad: int
    sessions: int
    late_ms: float
    p50_ms: float
    p95_ms: float
    exposures: dict[str, int]
    exposed: dict[str, dict[str, int]]
    read_back: dict[str, dict[str, int]]
    busy: float = -1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed(Message):
    """A violation was confirmed."""

    worker: str
    promise: str
    anomaly: str
    session: str
    obj: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VolleyReady(Message):
    worker: str
    strike: int
    clients: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VolleyOver(Message):
    """`acked` writes were acknowledged by the victim."""

    worker: str
    strike: int
    acked: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled(Message):
    """No operation is under way."""

    worker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalDone(Message):
    """Promise -> objects x instances that had to be read, and that were."""

    worker: str
    due: dict[str, int]
    done: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Over(Message):
    """Everything is on disk: so many operations."""

    worker: str
    operations: int = 0


MESSAGES: dict[str, type[Message]] = {kind.__name__: kind for kind in Message.__subclasses__()}


def read_message(line: str) -> Message:
    """The message of that line. ValueError for anything else."""
    data: dict[str, Any] = json.loads(line)
    kind = MESSAGES[data.pop("say")]
    known = {item.name for item in fields(kind)}
    return kind(**{key: value for key, value in data.items() if key in known})


class Traffic(Protocol):
    """The load, as the controller sees it."""

    def warm(self, workers: list[str]) -> None:
        """Those will be started soon: what takes time and needs no assignment may begin. Never waits, and may do
        nothing; `stop` ends them even when they were never started."""
        ...

    def start(self, assignments: list[Assignment]) -> None:
        """Start a worker for each, and wait (limited) for its Hello. Raises TrafficTrouble."""
        ...

    def tell(self, message: Message) -> None:
        """To every worker; never blocks for long."""
        ...

    def heard(self) -> list[Message]:
        """What came in since the last call. Never blocks."""
        ...

    def lost(self) -> dict[str, str]:
        """Workers that ended by themselves -> what is known of it (exit code, last lines)."""
        ...

    def stop(self) -> None:
        """Say Stop, wait (limited) for Over, end what is left."""
        ...
