"""The strips below the lanes as geometry of one SVG: what is seen of them without a script, and on paper."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from chaoscheck.model.ops import Outcome
from chaoscheck.model.series import Series
from chaoscheck.reporting.figure import LEFT, RIGHT, WIDTH, Bar, Label, Scale, nice, ticks
from chaoscheck.reporting.lanes import Lanes
from chaoscheck.reporting.units import clock, millis

STRIP, GAP, TOP = 78.0, 24.0, 18.0
BAD = (Outcome.UNRECOGNISED, Outcome.DROPPED, Outcome.UNKNOWN, Outcome.GONE, Outcome.OK, Outcome.PENDING, Outcome.FAIL)
"""What an error comes out as, from the top of the strip down."""
_PEAKS = (1, 2, 3, 4, 6, 8, 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A polyline or area as an SVG path."""

    path: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """One strip: its frame, grid lines with their labels, and what is drawn in it."""

    top: float
    title: str
    unit: str
    legend: tuple[tuple[str, str], ...]
    grid: tuple[Label, ...]
    bars: tuple[Bar, ...] = ()
    lines: tuple[Line, ...] = ()
    empty: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strips:
    """The whole drawing; `deaths` are (x, whether it was a sham)."""

    height: float
    bottom: float
    strips: tuple[Strip, ...]
    deaths: tuple[tuple[float, bool], ...]
    ticks: tuple[Label, ...]
    top: float = TOP
    width: float = WIDTH
    left: float = LEFT
    right: float = WIDTH - RIGHT
    strip: float = STRIP


def strips(series: Series | None, drawn: Lanes) -> Strips:
    """The strips of that series; without one they say that nothing is known."""
    seen = series or Series(start_ns=drawn.start_ns, width_ns=1, bad={}, lanes={})
    x = Scale(drawn.start_ns, drawn.end_ns)
    made = tuple(draw(seen, x, TOP + index * (STRIP + GAP)) for index, draw in enumerate((_rate, _errors, _latency)))
    bottom = TOP + len(made) * (STRIP + GAP) - GAP
    return Strips(
        height=bottom + 30,
        bottom=bottom,
        strips=made,
        deaths=tuple((x(mark.at_ns), mark.mode == "sham") for mark in drawn.marks.values()),
        ticks=tuple(ticks(drawn.start_ns, drawn.end_ns, x, bottom + 20)),
    )


def ceiling(series: Series) -> float:
    """Requests a second up to which the strip shows them.

    A burst is many times the users' rate: what matters is theirs, so the rest is cut off, and that is said.
    """
    most = max((users + others for users, others in zip(series.users, series.others, strict=True)), default=0)
    theirs = max(series.users, default=0)
    return nice(min(most, 3 * theirs or most) / series.seconds or 1, _PEAKS)


def _rate(series: Series, x: Scale, top: float) -> Strip:
    users = [each / series.seconds for each in series.users]
    total = [(each + more) / series.seconds for each, more in zip(series.users, series.others, strict=True)]
    peak, most = ceiling(series), max(total, default=0)
    cut = f"; probes and strikes reach {most:.0f}, cut off here" if most > peak else ""
    return Strip(
        top=top,
        title="requests",
        unit=f"per second{cut}" if any(total) else "",
        legend=(("users", "users"), ("others", "probes")) if any(total) else (),
        grid=_grid(top, peak) if any(total) else (),
        empty="" if any(total) else "no request was recorded",
        lines=(
            Line(path=_area([min(each, peak) for each in total], series, x, top, peak), kind="others"),
            Line(path=_area(users, series, x, top, peak), kind="users"),
        ),
    )


def _errors(series: Series, x: Scale, top: float) -> Strip:
    columns = {name: series.bad[name] for name in reversed(BAD) if name in series.bad}
    worst = max((sum(each) for each in zip(*columns.values(), strict=True)), default=0)
    peak = nice(worst or 2, _PEAKS)
    bars = [bar for index in range(len(series.users)) for bar in _stack(index, columns, series, x, top, peak)]
    empty = "" if bars else ("every user request went well" if any(series.users) else "no user request was recorded")
    return Strip(
        top=top,
        title="errors",
        unit=f"users, per {millis(series.seconds * 1000)}" if bars else "",
        bars=tuple(bars),
        empty=empty,
        grid=_grid(top, peak) if bars else (),
        legend=tuple((name, name) for name in columns),
    )


def _stack(
    index: int, columns: dict[Outcome, tuple[int, ...]], series: Series, x: Scale, top: float, peak: float
) -> Iterable[Bar]:
    start = series.start_of(index)
    counts = {name.value: column[index] for name, column in columns.items() if column[index]}
    floor = top + STRIP
    title = f"{clock(start)}: " + ", ".join(f"{number} {name}" for name, number in counts.items())
    for name, number in counts.items():
        height = number / peak * STRIP
        floor -= height
        yield Bar(
            x=x(start),
            y=round(floor, 1),
            width=max(round(x(start + series.width_ns) - x(start) - 0.2, 1), 1.6),
            height=round(height, 1),
            kind=name,
            title=title,
        )


def _latency(series: Series, x: Scale, top: float) -> Strip:
    """Logarithmic, in whole decades around what was seen: 3 ms and 300 ms are both worth seeing."""
    ranks = {"p99": series.p99_ms, "p95": series.p95_ms, "p50": series.p50_ms}
    seen = [value for values in ranks.values() for value in values if not math.isnan(value)]
    if not seen:
        return Strip(top=top, title="latency", unit="", legend=(), grid=(), empty="no answer to a user was recorded")
    low, high = math.floor(math.log10(min(seen))), math.ceil(math.log10(max(seen)) + 1e-9)
    decades = max(high - low, 1)

    def y(value: float) -> float:
        return round(top + STRIP - (math.log10(value) - low) / decades * STRIP, 1)

    grid = tuple(Label(x=LEFT, y=y(10.0**power), text=millis(10.0**power)) for power in range(low, low + decades + 1))
    return Strip(
        top=top,
        title="latency",
        unit="from the intended start",
        grid=grid,
        legend=(("p99", "p99"), ("p95", "p95"), ("p50", "p50")),
        lines=tuple(
            Line(path=_line(values, [y(value) if value > 0 else 0 for value in values], series, x), kind=name)
            for name, values in ranks.items()
        ),
    )


def _grid(top: float, peak: float) -> tuple[Label, ...]:
    return tuple(
        Label(x=LEFT, y=round(top + STRIP - share * STRIP, 1), text=f"{peak * share:g}") for share in (0.0, 0.5, 1.0)
    )


def _area(values: list[float], series: Series, x: Scale, top: float, peak: float) -> str:
    """Steps from bin to bin; none where the height stays."""
    floor = top + STRIP
    steps, last = [f"M{x(series.start_ns):g} {floor:g}"], floor
    for index, value in enumerate(values):
        y = round(floor - value / peak * STRIP, 1)
        if y != last:
            steps.append(f"H{x(series.start_of(index)):g}V{y:g}")
            last = y
    return "".join(steps) + f"H{x(series.start_of(len(values))):g}V{floor:g}Z"


def _line(values: tuple[float, ...], heights: list[float], series: Series, x: Scale) -> str:
    """A line through the middle of each bin, broken where nothing was measured."""
    steps, pen = [], "M"
    for index, (value, height) in enumerate(zip(values, heights, strict=True)):
        if math.isnan(value):
            pen = "M"
            continue
        middle = (x(series.start_of(index)) + x(series.start_of(index + 1))) / 2
        steps.append(f"{pen}{middle:.1f} {height:g}" + ("h1" if pen == "M" else ""))
        pen = "L"
    return "".join(steps)
