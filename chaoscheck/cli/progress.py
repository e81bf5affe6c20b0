"""What is known of a run under way: a fold over its events, with nothing in it of how it is shown."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from chaoscheck.model.clock import NS
from chaoscheck.model.events import (
    ControlProbed,
    Event,
    FindingSeen,
    InstanceDied,
    InstanceReady,
    InstanceStarted,
    MatrixProbed,
    PhaseBegan,
    Restored,
    RoundAdded,
    RunStarted,
    StoreDied,
    StrikeBegan,
    StrikeEnded,
    Struck,
    Timed,
    TrafficSeen,
    Troubled,
    Warned,
    WorkerLost,
)
from chaoscheck.model.ops import Phase

SHORTEST_S = 0.3
SHAM = "sham"
VOLLEY, AT_ONCE = 4, 2
"""A victim's volley takes as long as so many clients one after the other; final reads go on so many at a time: guesses
for a service on a machine of few cores."""
KEPT = 600
"""States, marks and stretches of traffic that are remembered: more than the widest terminal shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What the run is meant to come to; 0 where that isn't known.

    `needed` exposures of each of `promises`, save where `needs` says another number; `seconds` is the whole run's
    estimate for a service that answers at once, `load_s` its part with load, at most `at_most_s` with strikes, and
    `tail_s` the one after the last strike. What a slow service adds goes by its requests: of controls and matrix, of
    a client of a strike, of the final reads. `allowed_s` bad seconds a kill, -1 without a budget.
    """

    needed: int = 0
    promises: tuple[str, ...] = ()
    strikes: int = 0
    seconds: float = 0.0
    tail_s: float = 0.0
    instances: int = 0
    allowed_s: float = -1.0
    needs: Mapping[str, int] = field(default_factory=dict)
    at_most_s: float = 0.0
    load_s: float = 0.0
    matrix_requests: int = 0
    strike_requests: int = 0
    final_requests: int = 0

    def matrix_s(self, request_s: float) -> float:
        return self.matrix_requests * request_s

    def loaded_s(self, request_s: float) -> float:
        """With load, until the strikes that are planned are over."""
        return self.load_s + self.strikes * VOLLEY * self.strike_requests * request_s

    def ending_s(self, request_s: float) -> float:
        return self.tail_s + self.final_requests * request_s / AT_ONCE

    def need(self, promise: str) -> int:
        return self.needs.get(promise, self.needed)


@dataclass(slots=True, kw_only=True)
class Slot:
    """A slot's incarnation of the moment, how often the slot was killed, and since when it was in which state."""

    instance: str
    state: str
    kills: int = 0
    past: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=KEPT))
    marks: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=KEPT))


@dataclass(slots=True, kw_only=True)
class Blow:
    """A strike as far as it went: `dead_ms` from signal to death, `back_ms` from there to full strength, or -1."""

    t_ns: int
    index: int
    slot: int
    victim: str
    mode: str
    struck: bool = False
    confirmed: bool = False
    death_ns: int = -1
    dead_ms: float = -1.0
    back_ms: float = -1.0
    exposed: int = 0
    read_back: int = 0
    ended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Users' traffic between two moments of the run, in seconds."""

    began_s: float
    ended_s: float
    requests: int
    bad: int
    p95_ms: float


@dataclass(slots=True, kw_only=True)
class Progress:
    """Fold with `take`; every field is as of the last event."""

    aim: Aim = field(default_factory=Aim)
    started: RunStarted | None = None
    now_ns: int = 0
    phase: str = "plan"
    slots: dict[int, Slot] = field(default_factory=dict)
    strike: Blow | None = None
    struck: int = 0
    kills: int = 0
    shams: int = 0
    requests: int = 0
    bad: int = 0
    sessions: int = 0
    p50_ms: float = -1.0
    p95_ms: float = -1.0
    rates: deque[float] = field(default_factory=lambda: deque(maxlen=30))
    traffic: deque[Stretch] = field(default_factory=lambda: deque(maxlen=KEPT))
    exposures: dict[str, int] = field(default_factory=dict)
    broken: Counter[str] = field(default_factory=Counter)
    broken_sessions: set[str] = field(default_factory=set)
    controls: list[bool] = field(default_factory=list)
    pairs: Counter[bool | None] = field(default_factory=Counter)
    happened: deque[Blow | Event] = field(default_factory=lambda: deque(maxlen=60))
    costs: list[float] = field(default_factory=list)
    chaos_ns: int = -1
    _end_s: float = -1.0
    _request_s: float = 0.0
    _calm: list[int] = field(default_factory=lambda: [0, 0])
    _traffic_ns: int = -1
    _since: list[float] = field(default_factory=lambda: [0, 0, 0.0])

    def take(self, event: Event) -> None:
        """The next event."""
        self.now_ns = max(self.now_ns, event.t_ns)
        match event:
            case RunStarted():
                self.started = event
            case PhaseBegan():
                self._phase(event)
            case ControlProbed():
                self.controls.append(event.tries > 0 and event.held == (event.tries if event.must == "hold" else 0))
            case Timed():
                self._request_s = event.request_s
            case MatrixProbed():
                self.pairs[event.holds] += 1
                if event.holds is False:
                    self._broke(f"{event.anomaly or 'LOST'} {event.promise}", event)
            case TrafficSeen():
                self._traffic(event)
            case FindingSeen():
                self._broke(f"{event.anomaly} {event.promise}", event)
                self.broken_sessions.add(event.session)
            case RoundAdded() | Warned() | Troubled() | WorkerLost() | StoreDied():
                self.happened.append(event)
            case _:
                self._instances(event)

    @property
    def rate(self) -> float:
        """Requests a second, lately."""
        recent = list(self.rates)[-4:]
        return sum(recent) / len(recent) if recent else 0.0

    def left_s(self, elapsed_s: float) -> float:
        """Seconds that the run may still take, by its own estimate; 0 when there is none or it is used up."""
        end_s = self._end_s if self._end_s >= 0 else self.aim.seconds
        return max(end_s - elapsed_s, 0.0) if end_s else 0.0

    def left_of_evidence_s(self, promise: str) -> float:
        """Seconds until a promise's evidence suffices, at the pace of the strikes so far; -1 where that isn't known."""
        have, lack = self.exposures.get(promise, 0), self.aim.need(promise) - self.exposures.get(promise, 0)
        passed_s = (self.now_ns - self.chaos_ns) / NS
        if self.phase != Phase.CHAOS or self.kills < 2 or not have or lack <= 0:
            return -1.0
        return lack * passed_s / have

    def _broke(self, sort: str, event: Event) -> None:
        self.broken[sort] += 1
        if self.broken[sort] == 1:
            self.happened.append(event)

    def _phase(self, event: PhaseBegan) -> None:
        self.phase = event.phase
        if event.phase == Phase.CHAOS:
            self.chaos_ns = event.t_ns
        elif event.phase == Phase.SETTLE and self.aim.tail_s:
            self._end_s = event.t_ns / NS + self.aim.ending_s(self._request_s)
        elif event.phase in (Phase.MATRIX, Phase.BASELINE) and self.aim.load_s and self._request_s:
            matrix_s = self.aim.matrix_s(self._request_s) if event.phase == Phase.MATRIX else 0.0
            after_s = self.aim.loaded_s(self._request_s) + self.aim.ending_s(self._request_s)
            self._end_s = event.t_ns / NS + matrix_s + after_s

    def _traffic(self, event: TrafficSeen) -> None:
        passed = (event.t_ns - self._traffic_ns) / NS
        requests, bad, p95_ms = self._since
        self._since = [requests + event.requests, bad + event.bad, max(p95_ms, event.p95_ms)]
        # Ticks that queued up come at one moment; several workers' come in between each other.
        if self._traffic_ns < 0 or passed >= SHORTEST_S:
            if self._traffic_ns >= 0:
                self._stretch(passed, event.t_ns / NS)
            self._traffic_ns, self._since = event.t_ns, [0, 0, 0.0]
        self.requests += event.requests
        self.bad += event.bad
        self.sessions = event.sessions
        if event.requests:
            self.p50_ms, self.p95_ms = event.p50_ms, event.p95_ms
        for promise, exposures in event.exposures.items():
            self.exposures[promise] = max(exposures, self.exposures.get(promise, 0))

    def _stretch(self, passed_s: float, ended_s: float) -> None:
        requests, bad, p95_ms = self._since
        self.rates.append(requests / passed_s)
        self.traffic.append(
            Stretch(began_s=ended_s - passed_s, ended_s=ended_s, requests=int(requests), bad=int(bad), p95_ms=p95_ms)
        )
        if self.phase == Phase.BASELINE:
            self._calm = [self._calm[0] + int(requests), self._calm[1] + int(bad)]
        elif self.costs and requests:
            usual = self._calm[1] / self._calm[0] if self._calm[0] else 0.0
            self.costs[-1] += (bad / requests - usual) * passed_s

    def _instances(self, event: Event) -> None:
        match event:
            case InstanceStarted():
                slot = self.slots.setdefault(event.slot, Slot(instance=event.instance, state=""))
                slot.instance = event.instance
                self._set(event.instance, "starting", event.t_ns)
            case InstanceReady():
                self._set(event.instance, "serving" if event.joined else "ready", event.t_ns)
            case InstanceDied():
                at_ns = event.death_ns if event.death_ns >= 0 else event.t_ns
                self._set(event.instance, "dead" if event.asked else "crashed", at_ns)
                if not event.asked:
                    self.happened.append(event)
            case StrikeBegan():
                self._began(event)
            case Struck() if self.strike is not None:
                self._struck(event, self.strike)
            case Restored() if self.strike is not None:
                self.strike.back_ms = (event.t_ns - self.strike.death_ns) / 1e6
                self._set(event.replacement, "serving", event.t_ns)
            case StrikeEnded() if self.strike is not None:
                self.strike.exposed = sum(event.exposed.values())
                self.strike.read_back = sum(event.read_back.values())
                self.strike.ended = True

    def _began(self, event: StrikeBegan) -> None:
        self.strike = Blow(t_ns=event.t_ns, index=event.index, slot=event.slot, victim=event.victim, mode=event.mode)
        self.happened.append(self.strike)
        if self.struck and self.chaos_ns >= 0 and self.aim.strikes:
            pace_s = (event.t_ns - self.chaos_ns) / NS / self.struck
            rest = max(self.aim.strikes - self.struck, 1) * pace_s
            lacking = [self.left_of_evidence_s(promise) for promise in self.aim.promises]
            longest_s = self.aim.at_most_s - (event.t_ns - self.chaos_ns) / NS if self.aim.at_most_s else math.inf
            still_s = min(max(rest, *lacking, 0.0), max(longest_s, 0.0))
            self._end_s = event.t_ns / NS + still_s + self.aim.ending_s(self._request_s)
        self.struck += 1

    def _struck(self, event: Struck, blow: Blow) -> None:
        blow.struck, blow.confirmed, blow.death_ns = True, event.confirmed, event.death_ns
        slot = self.slots.get(blow.slot)
        if blow.mode == SHAM:
            self.shams += 1
            at_ns = event.decided_ns
        elif event.death_ns < 0:
            at_ns = event.returned_ns
            self._set(event.victim, "not dead?", at_ns)
        else:
            at_ns = event.death_ns
            blow.dead_ms = (event.death_ns - event.signal_ns) / 1e6
            self.kills += 1
            self.costs.append(0.0)
            self._set(event.victim, "dead", at_ns)
            if slot is not None:
                slot.kills += 1
        if slot is not None:
            slot.marks.append((at_ns, blow.mode))
            if slot.instance != event.victim and event.death_ns >= 0:
                # The replacement was started before this was told: its name is in the slot by now.
                slot.past.append((at_ns, "dead"))

    def _set(self, instance: str, state: str, at_ns: int) -> None:
        for slot in self.slots.values():
            if slot.instance == instance:
                slot.state = state
                slot.past.append((at_ns, state))
