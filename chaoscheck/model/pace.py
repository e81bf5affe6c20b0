"""How well the load generator kept to its own schedule, by the ticks of its workers, each for the time it tells of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chaoscheck.model.events import Event, PhaseBegan, TrafficSeen, WorkerLost
from chaoscheck.model.ops import Phase

TICK_NS = 500_000_000
"""So often workers tick."""
_LOADED = (Phase.BASELINE.value, Phase.CHAOS.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A worker's tick at `t_ns`, which tells of `ns` of the load: its worst lag then, and its share of a processor."""

    t_ns: int
    ns: int
    worker: str
    late_ms: float
    busy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The generator's lag over the time of the load: half of it at most `median_ms`, 95 % of it at most `p95_ms`.

    `busy` is the share of a processor that a worker used at least for half of that time, -1.0 where that isn't known;
    `lost` names workers that ended by themselves. Without samples nothing is known, and all is 0.
    """

    samples: tuple[Sample, ...] = ()
    median_ms: float = 0.0
    p95_ms: float = 0.0
    worst_ms: float = 0.0
    busy: float = -1.0
    lost: tuple[str, ...] = ()


def pace(events: Iterable[Event]) -> Pace:
    """The pace in baseline and chaos; a worker that fell silent was late by as long as nothing came from it."""
    listed = list(events)
    samples = tuple(_samples(listed))
    lags = [(one.late_ms, one.ns) for one in samples]
    used = [(one.busy, one.ns) for one in samples if one.busy >= 0]
    return Pace(
        samples=samples,
        median_ms=_at(lags, 0.5),
        p95_ms=_at(lags, 0.95),
        worst_ms=max((lag for lag, _ in lags), default=0.0),
        busy=_at(used, 0.5) if used else -1.0,
        lost=tuple(event.worker for event in listed if isinstance(event, WorkerLost)),
    )


def _samples(events: list[Event]) -> Iterable[Sample]:
    start, end = _load(events)
    last: dict[str, int] = {}
    for event in events:
        if not isinstance(event, TrafficSeen):
            continue
        since = max(last.get(event.worker, start), start)
        last[event.worker] = event.t_ns
        told = min(event.t_ns, end) - since
        if told > 0:
            yield Sample(
                t_ns=event.t_ns, ns=told, worker=event.worker, late_ms=max(event.late_ms, 0.0), busy=event.busy
            )
    for worker, at in last.items():
        silent = end - max(at, start) - TICK_NS
        if worker and silent > TICK_NS:
            yield Sample(t_ns=end, ns=silent, worker=worker, late_ms=silent / 1e6, busy=-1.0)


def _load(events: list[Event]) -> tuple[int, int]:
    """From the first loaded phase to the end of the last: (0, 0) when there was none."""
    began = [event for event in events if isinstance(event, PhaseBegan)]
    starts = [event.t_ns for event in began if event.phase in _LOADED]
    if not starts:
        return 0, 0
    after = (event.t_ns for event in began if event.t_ns >= starts[-1] and event.phase not in _LOADED)
    return starts[0], next(after, max(event.t_ns for event in events))


def _at(weighed: list[tuple[float, int]], share: float) -> float:
    """The value below or at which that share of the time lies; 0.0 of nothing."""
    due = share * sum(weight for _, weight in weighed)
    for value, weight in sorted(weighed):
        due -= weight
        if due <= 1e-6:
            return value
    return 0.0
