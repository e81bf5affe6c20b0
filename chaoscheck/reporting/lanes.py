"""Events to lanes: one a slot, with the lives of its incarnations and the strikes at them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from chaoscheck.model.events import (
    Event,
    InstanceDied,
    InstanceReady,
    InstanceStarted,
    PhaseBegan,
    StrikeBegan,
    Struck,
)
from chaoscheck.model.ops import Phase

QUIET = (Phase.PLAN, Phase.PREPARE)
LATE = (Phase.JUDGE, Phase.REPORT, Phase.CLEAN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """One incarnation; times in ns of the run, -1 where not seen. `asked` is False for a death that no strike meant."""

    name: str
    slot: int
    started_ns: int
    ready_ns: int = -1
    death_ns: int = -1
    asked: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A strike on a lane: `at_ns` is the death, or when it began if nobody died of it."""

    index: int
    mode: str
    slot: int
    victim: str
    at_ns: int
    confirmed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A phase from its beginning to the next one's."""

    phase: str
    start_ns: int
    end_ns: int


@dataclass(slots=True, kw_only=True)
class Lanes:
    """All that has a place on the timeline, from `start_ns` to `end_ns`."""

    start_ns: int = 0
    end_ns: int = 1
    lives: dict[str, Life] = field(default_factory=dict)
    marks: dict[int, Mark] = field(default_factory=dict)
    phases: list[Span] = field(default_factory=list)

    @property
    def slots(self) -> list[int]:
        return sorted({life.slot for life in self.lives.values()})


def lanes(events: Iterable[Event]) -> Lanes:
    """The lanes of these events; building images and judging take long and show nothing, so the time begins with the
    first instance and ends where judging begins."""
    made = Lanes()
    began: list[tuple[str, int]] = []
    last = 0
    for event in events:
        last = max(last, event.t_ns)
        if isinstance(event, PhaseBegan):
            began.append((event.phase, event.t_ns))
        else:
            _note(made, event)
    ends = [start for phase, start in began if phase in LATE]
    made.end_ns = max(ends[0] if ends else last, 1)
    births = [life.started_ns for life in made.lives.values()]
    loud = [start for phase, start in began if phase not in QUIET]
    made.start_ns = min([*births, *loud[:1], made.end_ns - 1])
    made.phases = list(_spans(began, made.start_ns, made.end_ns))
    return made


def _note(made: Lanes, event: Event) -> None:
    if isinstance(event, InstanceStarted):
        made.lives[event.instance] = Life(name=event.instance, slot=event.slot, started_ns=event.t_ns)
    elif isinstance(event, InstanceReady):
        _amend(made, event.instance, ready_ns=event.t_ns)
    elif isinstance(event, InstanceDied):
        _amend(made, event.instance, death_ns=event.death_ns if event.death_ns >= 0 else event.t_ns)
        if not event.asked and event.instance in made.lives:
            made.lives[event.instance] = replace(made.lives[event.instance], asked=False)
    elif isinstance(event, StrikeBegan):
        made.marks[event.index] = Mark(
            index=event.index, mode=event.mode, slot=event.slot, victim=event.victim, at_ns=event.t_ns, confirmed=False
        )
    elif isinstance(event, Struck) and event.index in made.marks:
        at_ns = max(event.death_ns, event.signal_ns, event.decided_ns)
        made.marks[event.index] = replace(
            made.marks[event.index], confirmed=event.confirmed, at_ns=event.death_ns if event.death_ns >= 0 else at_ns
        )
        if event.death_ns >= 0:
            _amend(made, event.victim, death_ns=event.death_ns)


def _amend(made: Lanes, name: str, *, ready_ns: int = -1, death_ns: int = -1) -> None:
    """Note the first readiness and the first death of that incarnation, if it is known."""
    life = made.lives.get(name)
    if life is None:
        return
    made.lives[name] = replace(
        life,
        ready_ns=life.ready_ns if life.ready_ns >= 0 else ready_ns,
        death_ns=life.death_ns if life.death_ns >= 0 else death_ns,
    )


def _spans(began: list[tuple[str, int]], start_ns: int, end_ns: int) -> Iterable[Span]:
    for index, (phase, start) in enumerate(began):
        end = began[index + 1][1] if index + 1 < len(began) else end_ns
        if min(end, end_ns) > max(start, start_ns):
            yield Span(phase=phase, start_ns=max(start, start_ns), end_ns=min(end, end_ns))
