"""The controller's events as judging needs them: phases, strikes, deaths."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeVar

from chaoscheck.checkers.base import Death
from chaoscheck.model.clock import NS
from chaoscheck.model.events import (
    Event,
    InstanceDied,
    PhaseBegan,
    Restored,
    RunStarted,
    StrikeBegan,
    StrikeEnded,
    Struck,
)
from chaoscheck.model.ops import Phase
from chaoscheck.model.places import Incarnation

AFTER_RESTORED_NS = 2 * NS
"""So long after strength was restored nobody should notice the strike any more."""

QUIET = frozenset({Phase.SETTLE.value, Phase.FINAL.value, Phase.JUDGE.value, Phase.CLEAN.value})
"""Phases in which no user's turn begins."""

SHAM = "sham"

E = TypeVar("E", bound=Event)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A phase, from its beginning to the next one's."""

    phase: str
    began_ns: int
    ended_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """One strike as far as it went. Its window is [start_ns, end_ns).

    For users' errors a strike that was no sham answers longer, until the next such one begins: `until_ns`. A service
    that comes back sick after a while, or not at all, has that kill to thank for it.
    """

    began: StrikeBegan
    struck: Struck | None = None
    restored: Restored | None = None
    ended: StrikeEnded | None = None
    end_ns: int = -1
    until_ns: int = -1

    @property
    def index(self) -> int:
        return self.began.index

    @property
    def sham(self) -> bool:
        return self.began.mode == SHAM

    @property
    def landed(self) -> bool:
        """A real strike whose kill was confirmed."""
        return not self.sham and self.struck is not None and self.struck.confirmed and self.struck.death_ns >= 0

    @property
    def start_ns(self) -> int:
        """The signal; for a sham the decision."""
        if self.struck is None:
            return self.began.t_ns
        return self.struck.signal_ns if self.struck.signal_ns >= 0 else self.struck.decided_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """`strikes` in their order, `deaths` asked for or not, `last_ns` the time of the last event."""

    events: tuple[Event, ...]
    spans: tuple[Span, ...]
    strikes: tuple[Strike, ...]
    deaths: tuple[Death, ...]
    last_ns: int

    def of(self, kind: type[E]) -> Iterator[E]:
        """All events of that class, in order."""
        return (event for event in self.events if isinstance(event, kind))

    @property
    def started(self) -> RunStarted | None:
        return next(self.of(RunStarted), None)

    @property
    def kills(self) -> tuple[Strike, ...]:
        """Strikes whose death is confirmed."""
        return tuple(strike for strike in self.strikes if strike.landed)

    def span(self, phase: str) -> Span | None:
        return next((span for span in self.spans if span.phase == phase), None)

    def phase_at(self, t_ns: int) -> str:
        """The phase of that time; "" before the first."""
        return next((span.phase for span in reversed(self.spans) if span.began_ns <= t_ns), "")

    def death_of(self, incarnation: str) -> Death | None:
        return next((death for death in self.deaths if death.incarnation == incarnation), None)

    def strike(self, index: int) -> Strike | None:
        return next((strike for strike in self.strikes if strike.index == index), None)


def timeline(events: Iterable[Event]) -> Timeline:
    """The events in the order in which they were written."""
    known = tuple(events)
    last_ns = max((event.t_ns for event in known), default=0)
    strikes = _windows(_strikes(known), known, last_ns)
    return Timeline(
        events=known, spans=_spans(known, last_ns), strikes=strikes, deaths=_deaths(known, strikes), last_ns=last_ns
    )


def slot_of(incarnation: str) -> int:
    """The slot of an incarnation's name, -1 where it isn't one."""
    try:
        return Incarnation.parse(incarnation).slot
    except ValueError:
        return -1


def life_of(incarnation: str) -> int:
    """Which life of its slot an incarnation's name says, -1 where it isn't one."""
    try:
        return Incarnation.parse(incarnation).life
    except ValueError:
        return -1


def _spans(events: Sequence[Event], last_ns: int) -> tuple[Span, ...]:
    begun = [event for event in events if isinstance(event, PhaseBegan)]
    ends = [event.t_ns for event in begun[1:]] + [last_ns]
    # A baseline that begins again found that it was too much load: what came before was only the way to it.
    again = [event.phase == later.phase for event, later in pairwise(begun)] + [False]
    return tuple(
        Span(phase=Phase.WARM_UP.value if repeated else event.phase, began_ns=event.t_ns, ended_ns=end)
        for event, end, repeated in zip(begun, ends, again, strict=False)
    )


def _strikes(events: Sequence[Event]) -> list[Strike]:
    strikes: dict[int, Strike] = {}
    for event in events:
        if isinstance(event, StrikeBegan):
            strikes[event.index] = Strike(began=event)
        elif isinstance(event, Struck | Restored | StrikeEnded) and event.index in strikes:
            part = {Struck: "struck", Restored: "restored", StrikeEnded: "ended"}[type(event)]
            strikes[event.index] = replace(strikes[event.index], **{part: event})  # type: ignore[arg-type]
    return list(strikes.values())


def _windows(strikes: list[Strike], events: Sequence[Event], last_ns: int) -> tuple[Strike, ...]:
    """Each ends two seconds after strength was restored (a sham: when it was over), or where the next one starts."""
    starts = [strike.start_ns for strike in strikes[1:]] + [last_ns]
    rest_ns = _rest_ns(strikes, events, last_ns)
    windowed = []
    for number, (strike, limit) in enumerate(zip(strikes, starts, strict=False)):
        over = strike.restored or (strike.ended if strike.sham else None)
        end_ns = over.t_ns + AFTER_RESTORED_NS if over is not None else limit
        end_ns = max(strike.start_ns, min(end_ns, limit))
        until_ns = next((later.start_ns for later in strikes[number + 1 :] if not later.sham), rest_ns)
        windowed.append(replace(strike, end_ns=end_ns, until_ns=end_ns if strike.sham else max(end_ns, until_ns)))
    return tuple(windowed)


def _rest_ns(strikes: Sequence[Strike], events: Sequence[Event], last_ns: int) -> int:
    """When users came to rest after the last strike."""
    after_ns = strikes[-1].start_ns if strikes else 0
    quiet = (event.t_ns for event in events if isinstance(event, PhaseBegan) and event.phase in QUIET)
    return next((t_ns for t_ns in quiet if t_ns >= after_ns), last_ns)


def _deaths(events: Sequence[Event], strikes: Sequence[Strike]) -> tuple[Death, ...]:
    struck = [
        Death(strike.struck.victim, strike.index, strike.struck.death_ns, strike.struck.error_ns)
        for strike in strikes
        if strike.landed and strike.struck is not None
    ]
    meant = {death.incarnation for death in struck}
    return tuple(struck) + tuple(
        Death(event.instance, -1, event.death_ns, event.error_ns)
        for event in events
        if isinstance(event, InstanceDied) and not event.asked and event.instance not in meant
    )
