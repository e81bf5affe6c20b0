"""What is known of a run under way: a fold over its events, with nothing in it of how it is shown."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from chaoscheck.model.clock import NS
from chaoscheck.model.events import (
    Event,
    FindingSeen,
    InstanceDied,
    InstanceReady,
    InstanceStarted,
    PhaseBegan,
    Restored,
    RunStarted,
    StrikeBegan,
    StrikeEnded,
    Struck,
    TrafficSeen,
    Troubled,
    Warned,
    WorkerLost,
)

SHORTEST_S = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What the run is meant to come to; 0 where that isn't known. `needed` exposures of each of `promises`."""

    needed: int = 0
    promises: tuple[str, ...] = ()
    strikes: int = 0
    seconds: float = 0.0


@dataclass(slots=True, kw_only=True)
class Slot:
    """A slot's incarnation of the moment and how often the slot was killed."""

    instance: str
    state: str
    kills: int = 0


@dataclass(slots=True, kw_only=True)
class Progress:
    """Fold with `take`; every field is as of the last event."""

    aim: Aim = field(default_factory=Aim)
    started: RunStarted | None = None
    now_ns: int = 0
    phase: str = "plan"
    slots: dict[int, Slot] = field(default_factory=dict)
    strike: StrikeBegan | None = None
    struck: int = 0
    kills: int = 0
    shams: int = 0
    requests: int = 0
    bad: int = 0
    sessions: int = 0
    p50_ms: float = 0.0
    p95_ms: float = 0.0
    rates: deque[float] = field(default_factory=lambda: deque(maxlen=30))
    exposures: dict[str, int] = field(default_factory=dict)
    findings: list[FindingSeen] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _traffic_ns: int = -1
    _since: int = 0

    def take(self, event: Event) -> None:
        """The next event."""
        self.now_ns = max(self.now_ns, event.t_ns)
        match event:
            case RunStarted():
                self.started = event
            case PhaseBegan():
                self.phase = event.phase
            case TrafficSeen():
                self._traffic(event)
            case FindingSeen():
                self.findings.append(event)
            case Warned():
                self.notes.append(event.text)
            case Troubled():
                self.notes.append(event.message)
            case WorkerLost():
                self.notes.append(f"worker {event.worker} ended by itself")
            case _:
                self._instances(event)

    @property
    def rate(self) -> float:
        """Requests a second, lately."""
        recent = list(self.rates)[-4:]
        return sum(recent) / len(recent) if recent else 0.0

    def left_s(self, elapsed_s: float) -> float:
        """Seconds that the run may still take, by its own estimate; 0 when there is none or it is used up."""
        return max(self.aim.seconds - elapsed_s, 0.0) if self.aim.seconds else 0.0

    def _traffic(self, event: TrafficSeen) -> None:
        passed = (event.t_ns - self._traffic_ns) / NS
        self._since += event.requests
        # Ticks that queued up come at one moment; several workers' come in between each other.
        if self._traffic_ns < 0 or passed >= SHORTEST_S:
            if self._traffic_ns >= 0:
                self.rates.append(self._since / passed)
            self._traffic_ns, self._since = event.t_ns, 0
        self.requests += event.requests
        self.bad += event.bad
        self.sessions, self.p50_ms, self.p95_ms = event.sessions, event.p50_ms, event.p95_ms
        for promise, exposures in event.exposures.items():
            self.exposures[promise] = max(exposures, self.exposures.get(promise, 0))

    def _instances(self, event: Event) -> None:
        match event:
            case InstanceStarted():
                before = self.slots.get(event.slot)
                self.slots[event.slot] = Slot(
                    instance=event.instance, state="starting", kills=before.kills if before else 0
                )
            case InstanceReady():
                self._set(event.instance, "serving" if event.joined else "ready")
            case InstanceDied():
                self._set(event.instance, "dead" if event.asked else "dead, unasked")
            case StrikeBegan():
                self.strike = event
                self.struck += 1
                self._set(event.victim, f"{event.mode} strike")
            case Struck():
                self._struck(event)
            case Restored():
                self._set(event.replacement, "serving")
            case StrikeEnded():
                self.strike = None

    def _struck(self, event: Struck) -> None:
        if event.death_ns < 0:
            sham = self.strike is not None and self.strike.mode == "sham"
            self.shams += sham
            self._set(event.victim, "serving" if sham else "not confirmed dead")
            return
        self.kills += 1
        self._set(event.victim, "dead")
        # The replacement may have been started before this was told, so the victim's name can be gone from its slot.
        if self.strike is not None and self.strike.slot in self.slots:
            self.slots[self.strike.slot].kills += 1

    def _set(self, instance: str, state: str) -> None:
        for slot in self.slots.values():
            if slot.instance == instance:
                slot.state = state
