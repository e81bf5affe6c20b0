"""What the controller saw and did, in order; one JSON object a line in events.ndjson.

Every class here is an event; its name is its tag. All times are nanoseconds of the run's clock.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened at `t_ns`."""

    t_ns: int

    def line(self) -> str:
        """The event as one line of JSON."""
        return json.dumps({"event": type(self).__name__, **asdict(self)}, separators=(",", ":")) + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Event):
    """First of all. `wall_ns` is the wall clock (Unix, ns) at the run's zero."""

    run: str
    version: str
    seed: int
    plan: str
    engine: str
    balancer: str
    instances: int
    command: str
    wall_ns: int
    environment: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseBegan(Event):
    phase: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceStarted(Event):
    """`address` is where the controller dials it."""

    instance: str
    slot: int
    life: int
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceReady(Event):
    """It answered its ready check; `joined` says that the balancer knows it too."""

    instance: str
    joined: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceDied(Event):
    """It ended at `death_ns`, known to within `error_ns`; `asked` is False when no strike meant it.

    `exit_code` is 128 + the signal for a signalled death.
    """

    instance: str
    asked: bool
    death_ns: int
    error_ns: int
    exit_code: int
    out_of_memory: bool
    log: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreDied(Event):
    """A store ended or restarted unasked, noticed now; `alive_ns` is when it was last asked and was as before (-1: not
    recorded), so that what was lost since then may be its doing."""

    store: str
    detail: str
    alive_ns: int = -1

    @property
    def since_ns(self) -> int:
        """From when on a loss says nothing about instances."""
        return self.alive_ns if self.alive_ns >= 0 else self.t_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportProved(Event):
    """The self-test: so many deliveries of one attempt whose connection died before the answer (must be 1)."""

    transport: str
    deliveries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlProbed(Event):
    """A control: `must` is "hold" or "fail"; `held` is what was seen of `tries` probes, as a count.

    `gone_by_expect` says that the failing answer was an unmet `expect` (so that this means gone in this plan).
    `undone` says that already its do was never ok: then `tries` counts those, and nothing was there to be seen.
    """

    promise: str
    must: str
    tries: int
    held: int
    instance: str
    request: str
    answer: str
    gone_by_expect: bool
    undone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed(Event):
    """What a request took in the controls, one after the other and with nobody else there: the median of `requests`."""

    request_s: float
    requests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RateChosen(Event):
    """The plan sets no rate, and at `tried` requests/s the service didn't keep up: from now on `rate`, by `users`.

    Meanwhile it answered `answered` requests/s well, with that p95 from the intended start, and the share `bad` failed.
    """

    tried: float
    rate: float
    users: int
    answered: float
    p95_ms: float
    bad: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixProbed(Event):
    """Written on `writer`, read on `reader`; `holds` is None where nothing could be told, and `note` says why.

    `missed` of `told` answered reads did not show it; a little later it was there on the reader (`healed`), and on the
    writer (`writer_has`). `anomaly` names what is wrong where it isn't simply lost.
    """

    promise: str
    writer: str
    reader: str
    holds: bool | None
    note: str
    session: str
    obj: str
    told: int = 0
    missed: int = 0
    healed: bool = False
    writer_has: bool = False
    anomaly: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected(Event):
    """What `instance` gave out upon `request` was looked at, before anybody masks it: `size` bytes, and problems by
    the anomaly's name, in words that don't repeat it."""

    promise: str
    instance: str
    request: str
    size: int
    problems: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundAdded(Event):
    """The planned rounds left too little evidence: `round` (from 1) is struck too, because of what each promise lacks.

    `lacks` are exposures, or kills where a kill exposes a promise once at most: those of `kills`.
    """

    round: int
    lacks: dict[str, int]
    kills: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class StrikeBegan(Event):
    """A strike at `victim`: `mode` is burst, in-flight, plain or sham."""

    index: int
    round: int
    slot: int
    victim: str
    mode: str
    fault: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck(Event):
    """The fault was applied. A sham has `signal_ns` and `death_ns` -1. `refused_ns`: the first refused connection."""

    index: int
    victim: str
    decided_ns: int
    signal_ns: int
    returned_ns: int
    death_ns: int
    error_ns: int
    refused_ns: int
    confirmed: bool
    exit_code: int
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored(Event):
    """The victim's slot serves again: its replacement is ready and joined."""

    index: int
    replacement: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LastWords(Event):
    """What the victim `instance` of strike `index` printed last, secrets masked; read when its slot served again."""

    index: int
    instance: str
    log: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed(Event):
    """What `instance` printed last, secrets masked, when controls or matrix had `seen` no good answer from it.

    `log` is "" where it printed nothing.
    """

    instance: str
    seen: str
    log: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StrikeEnded(Event):
    """All that this strike exposed was read back, or `timed_out`."""

    index: int
    exposed: dict[str, int]
    read_back: dict[str, int]
    timed_out: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficSeen(Event):
    """A worker's counters since its last one, sessions and exposures of all: `late_ms` is the generator's own lag, the
    worst of the interval, `busy` the share of one processor that the worker used (-1.0: not known)."""

    requests: int
    bad: int
    sessions: int
    late_ms: float
    p50_ms: float
    p95_ms: float
    exposures: dict[str, int]
    worker: str = ""
    busy: float = -1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingSeen(Event):
    """A worker confirmed a violation while the run went on; the judge decides again from the history."""

    promise: str
    anomaly: str
    session: str
    obj: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLost(Event):
    worker: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryClosed(Event):
    """A writer closed its history file, with so many operations in it."""

    writer: str
    operations: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalReadsEnded(Event):
    """`due` objects had to be read through every instance, `done` were."""

    due: dict[str, int]
    done: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned(Event):
    """Something a reader of the report should know; no verdict by itself."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Troubled(Event):
    """The run could not go on; makes it INVALID. `during` is the phase, `kind` the error's class."""

    during: str
    kind: str
    message: str
    hint: str
    details: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupted(Event):
    """The user ended the run early."""

    during: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded(Event):
    """The last event that judging reads; without it the run was cut off."""


KINDS: dict[str, type[Event]] = {kind.__name__: kind for kind in Event.__subclasses__()}


def read_events(lines: Iterable[str]) -> Iterator[Event]:
    """Events of those lines; a last line cut off by a crash is left out."""
    for line in lines:
        try:
            data: dict[str, Any] = json.loads(line)
        except ValueError:
            return
        kind = KINDS[data.pop("event")]
        known = {item.name for item in fields(kind)}
        yield kind(**{key: value for key, value in data.items() if key in known})
