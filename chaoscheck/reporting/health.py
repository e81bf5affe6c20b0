"""How fast users were served by phase, what became of each promise's requests, and whether the load can be trusted."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from chaoscheck.model.events import Event
from chaoscheck.model.ops import READS, Outcome
from chaoscheck.model.pace import Pace, Sample, pace
from chaoscheck.model.verdict import Gate, PhaseRow, PromiseSummary, Result
from chaoscheck.reporting.figure import LEFT, RIGHT, WIDTH
from chaoscheck.reporting.lanes import Lanes
from chaoscheck.reporting.units import clock, millis

GENERATOR = "the generator keeps up"
"""The gate that judges the load generator."""
RANGE = 260.0
"""Drawing units of a phase's range."""
STRIP = 56.0
_TOP, _COLUMNS = 8.0, 250
_LIMITS_MS = (100.0, 500.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseRange:
    """A phase's latencies on one logarithmic scale for all phases, in drawing units."""

    row: PhaseRow
    p50: float
    p95: float
    p99: float
    most: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionOutcomes:
    """How many judged operations of one action came out as what; `first` of the promise's `actions` rows."""

    promise: str
    action: str
    counts: dict[str, int]
    total: int
    first: bool
    actions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LagMark:
    """A level of the lag strip: its line's height and its words; `limit` where the gate draws a line."""

    y: float
    text: str
    limit: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorView:
    """The generator's lag over time, aligned with the timeline, and what was measured and judged of it."""

    gate: Gate | None
    pace: Pace
    path: str
    late: str
    marks: tuple[LagMark, ...]
    caption: str
    height: float = STRIP + 2 * _TOP
    floor: float = STRIP + _TOP
    width: float = WIDTH
    left: float = LEFT
    right: float = WIDTH - RIGHT


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthView:
    """All three; `named` are the outcomes that were seen, in the order of their table's columns."""

    phases: tuple[PhaseRange, ...]
    ticks: tuple[tuple[float, str], ...]
    outcomes: tuple[ActionOutcomes, ...]
    named: tuple[str, ...]
    generator: GeneratorView
    range: float = RANGE


def health(result: Result, events: Iterable[Event], drawn: Lanes) -> HealthView:
    """The view of that run."""
    loaded = [row for row in result.phases if row.requests]
    low, high = _decades(loaded)
    outcomes = tuple(row for promise in result.promises for row in _actions(promise))
    return HealthView(
        phases=tuple(_range(row, low, high) for row in loaded),
        ticks=tuple(
            # Every other decade is named where there are many, or their names would run into each other.
            (_place(10.0**power, low, high), millis(10.0**power) if high - low < 4 or (power - low) % 2 == 0 else "")
            for power in range(low, high + 1)
        ),
        outcomes=outcomes,
        named=tuple(name.value for name in Outcome if any(name in row.counts for row in outcomes)),
        generator=_generator(result, pace(events), drawn),
    )


def _decades(rows: Sequence[PhaseRow]) -> tuple[int, int]:
    seen = [value for row in rows for value in (row.p50_ms, row.max_ms) if value > 0 and not math.isnan(value)]
    if not seen:
        return 0, 1
    low = math.floor(math.log10(min(seen)))
    return low, max(math.ceil(math.log10(max(seen)) + 1e-9), low + 1)


def _place(value: float, low: int, high: int) -> float:
    if value <= 0 or math.isnan(value):
        return 0.0
    return round(min(max((math.log10(value) - low) / (high - low), 0.0), 1.0) * RANGE, 1)


def _range(row: PhaseRow, low: int, high: int) -> PhaseRange:
    p50, p95, p99, most = (_place(value, low, high) for value in (row.p50_ms, row.p95_ms, row.p99_ms, row.max_ms))
    return PhaseRange(row=row, p50=p50, p95=p95, p99=p99, most=most)


def _actions(promise: PromiseSummary) -> Iterable[ActionOutcomes]:
    """ "action/outcome" -> count, taken apart; writes first."""
    counted: dict[str, dict[str, int]] = {}
    for key, number in promise.outcomes.items():
        action, _, outcome = key.partition("/")
        counted.setdefault(action, {})[outcome] = number
    for index, action in enumerate(sorted(counted, key=lambda name: (name in READS, name))):
        counts = counted[action]
        yield ActionOutcomes(
            promise=promise.promise, action=action, counts=counts, total=sum(counts.values()),
            first=index == 0, actions=len(counted),
        )  # fmt: skip


def _generator(result: Result, seen: Pace, drawn: Lanes) -> GeneratorView:
    gate = next((gate for gate in result.gates if gate.name == GENERATOR), None)
    top = max(4, math.ceil(math.log10(max(seen.worst_ms, 1.0)) + 1e-9))

    def y(late_ms: float) -> float:
        return round(_TOP + STRIP - math.log10(max(late_ms, 1.0)) / top * STRIP, 1)

    columns = _columns(seen.samples, drawn)
    levels = [(10.0**power, False) for power in range(0, top + 1, 4)] + [(limit, True) for limit in _LIMITS_MS]
    return GeneratorView(
        gate=gate,
        pace=seen,
        path="".join(_bar(column, late, y) for column, late in columns if late <= _LIMITS_MS[1]),
        late="".join(_bar(column, late, y) for column, late in columns if late > _LIMITS_MS[1]),
        marks=tuple(LagMark(y=y(value), text=millis(value), limit=limit) for value, limit in levels),
        caption=f"{millis(seen.worst_ms)} at worst, from {clock(drawn.start_ns)} to {clock(drawn.end_ns)}",
    )


def _columns(samples: Sequence[Sample], drawn: Lanes) -> list[tuple[int, float]]:
    """The worst lag of any worker in each column: a sample reaches back over the time that it tells of."""
    span = max(drawn.end_ns - drawn.start_ns, 1)
    worst: dict[int, float] = {}
    for one in samples:
        end = _column(one.t_ns, drawn.start_ns, span)
        for column in range(_column(one.t_ns - one.ns, drawn.start_ns, span), end + 1):
            worst[column] = max(worst.get(column, 0.0), one.late_ms)
    return sorted(worst.items())


def _column(at_ns: int, start_ns: int, span: int) -> int:
    return min(max((at_ns - start_ns) * _COLUMNS // span, 0), _COLUMNS - 1)


def _bar(column: int, late_ms: float, y: Callable[[float], float]) -> str:
    width = (WIDTH - LEFT - RIGHT) / _COLUMNS
    return f"M{LEFT + column * width:.1f} {_TOP + STRIP:g}V{y(late_ms)}h{width:.2f}V{_TOP + STRIP:g}z"
