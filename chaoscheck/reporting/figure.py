"""Lanes and strips to the geometry of one SVG; no words of its own but axis labels, no colours at all."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from chaoscheck.model.ops import Outcome
from chaoscheck.model.verdict import Finding
from chaoscheck.reporting.lanes import Lanes, Life, Mark, Span
from chaoscheck.reporting.timeline import Bin, Strips
from chaoscheck.reporting.units import NONE, clock, millis, plural

WIDTH, LEFT, RIGHT = 1120.0, 104.0, 14.0
LANE, STRIP, GAP, LABEL = 30.0, 78.0, 24.0, 15.0
BAD = (Outcome.UNRECOGNISED, Outcome.DROPPED, Outcome.UNKNOWN, Outcome.FAIL)
"""What an error comes out as, from the top of the strip down."""
_PEAKS = (1, 2, 3, 4, 6, 8, 10)
_FLAG = 18.0
_LETTER = 6.3
"""About how wide a letter of a label is, in the drawing's units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A box with a class, and what it says when pointed at."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    x: float
    y: float
    text: str
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """A strike's or a finding's mark; `target` is the anchor it leads to."""

    x: float
    y: float
    kind: str
    letter: str
    number: str
    anchor: str
    target: str
    title: str


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
class Figure:
    """Everything to draw, in drawing units; `lanes_top` to `bottom` is where time goes from left to right."""

    height: float
    lanes_top: float
    bottom: float
    phases: tuple[Bar, ...]
    phase_labels: tuple[Label, ...]
    slots: tuple[Label, ...]
    lives: tuple[Bar, ...]
    signs: tuple[Sign, ...]
    findings: tuple[Sign, ...]
    findings_top: float
    ticks: tuple[Label, ...]
    strips: tuple[Strip, ...]
    width: float = WIDTH
    left: float = LEFT
    right: float = WIDTH - RIGHT
    strip: float = STRIP


def figure(drawn: Lanes, strips: Strips, findings: Iterable[tuple[int, Finding]]) -> Figure:
    """The timeline's geometry; `findings` are (number, finding), each with its anchors `finding-N` and `mark-N`."""
    x = _scale(drawn.start_ns, drawn.end_ns)
    labels, rows = _phase_labels(drawn.phases, x)
    lanes_top = 8 + rows * LABEL + 6
    rails = {slot: lanes_top + 10 + index * LANE for index, slot in enumerate(drawn.slots)}
    findings_top = lanes_top + 10 + len(rails) * LANE
    top = findings_top + 44
    made = tuple(draw(strips, x, top + index * (STRIP + GAP)) for index, draw in enumerate((_rate, _errors, _latency)))
    bottom = top + len(made) * (STRIP + GAP) - GAP
    return Figure(
        height=bottom + 30,
        lanes_top=lanes_top,
        bottom=bottom,
        phase_labels=labels,
        strips=made,
        phases=tuple(_phase(index, span, x, lanes_top, bottom) for index, span in enumerate(drawn.phases)),
        slots=tuple(Label(x=LEFT - 12, y=y + 13, text=f"slot {slot}") for slot, y in rails.items()),
        lives=tuple(bar for life in drawn.lives.values() for bar in _life(life, x, rails[life.slot], drawn.end_ns)),
        signs=tuple(_strike(mark, x, rails[mark.slot]) for mark in drawn.marks.values() if mark.slot in rails),
        findings=_flags(findings, x, findings_top + 16),
        findings_top=findings_top,
        ticks=tuple(_ticks(drawn.start_ns, drawn.end_ns, x, bottom + 20)),
    )


def _scale(start_ns: int, end_ns: int) -> Callable[[float], float]:
    span = max(end_ns - start_ns, 1)

    def place(at_ns: float) -> float:
        share = min(max((at_ns - start_ns) / span, 0.0), 1.0)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    return place


def _phase(index: int, span: Span, x: Callable[[float], float], top: float, bottom: float) -> Bar:
    return Bar(
        x=x(span.start_ns),
        y=top,
        width=round(x(span.end_ns) - x(span.start_ns), 1),
        height=bottom - top,
        kind="even" if index % 2 == 0 else "odd",
        title=f"{span.phase}: {clock(span.start_ns)} to {clock(span.end_ns)}",
    )


def _phase_labels(spans: list[Span], x: Callable[[float], float]) -> tuple[tuple[Label, ...], int]:
    """A label at each phase's beginning, moved down a row where it would run into the one before."""
    ends: list[float] = []
    labels = []
    for span in spans:
        text, start = span.phase, x(span.start_ns)
        start = min(start, WIDTH - RIGHT - len(text) * _LETTER)
        row = next((row for row, end in enumerate(ends) if end < start), len(ends))
        ends[row : row + 1] = [start + (len(text) + 1.5) * _LETTER]
        labels.append(Label(x=start, y=8 + row * LABEL + 10, text=text))
    return tuple(labels), max(len(ends), 1)


def _life(life: Life, x: Callable[[float], float], y: float, end_ns: int) -> Iterable[Bar]:
    """A thin bar while it starts, a full one while it serves."""
    end = life.death_ns if life.death_ns >= 0 else end_ns
    ready = life.ready_ns if life.ready_ns >= 0 else end
    died = f"died {clock(life.death_ns)}" if life.death_ns >= 0 else "alive at the end"
    unasked = "" if life.asked else ", which no strike meant"
    title = f"{life.name}: started {clock(life.started_ns)}, ready {clock(life.ready_ns)}, {died}{unasked}"
    left, mid, right = x(life.started_ns), x(min(ready, end)), x(end)
    if mid > left:
        yield Bar(x=left, y=y + 6, width=round(mid - left, 1), height=6, kind="starting", title=title)
    if right > mid:
        yield Bar(x=mid, y=y, width=round(right - mid, 1), height=18, kind="serving", title=title)
    if not life.asked:
        yield Bar(x=right - 1.5, y=y - 3, width=3, height=24, kind="unasked", title=title)


def _strike(mark: Mark, x: Callable[[float], float], y: float) -> Sign:
    what = "sham strike" if mark.mode == "sham" else f"{mark.mode} kill"
    landed = "" if mark.confirmed or mark.mode == "sham" else ", death not confirmed"
    return Sign(
        x=x(mark.at_ns),
        y=y + 9,
        kind=mark.mode,
        letter=mark.mode[:1].upper(),
        number=f"#{mark.index}",
        anchor=f"strike-{mark.index}",
        target=f"kill-{mark.index}",
        title=f"#{mark.index}: {what} of {mark.victim} at {clock(mark.at_ns)}{landed}",
    )


def _flags(findings: Iterable[tuple[int, Finding]], x: Callable[[float], float], y: float) -> tuple[Sign, ...]:
    """A flag a finding, moved aside where it would hide another."""
    sorted_ = sorted(findings, key=lambda item: (item[1].at_ns, item[0]))
    places = [x(finding.at_ns) for _, finding in sorted_]
    for index in range(1, len(places)):
        places[index] = max(places[index], places[index - 1] + _FLAG)
    limit = WIDTH - RIGHT
    for index in reversed(range(len(places))):
        places[index] = round(min(places[index], limit), 1)
        limit = places[index] - _FLAG
    return tuple(
        Sign(
            x=place,
            y=y,
            kind="finding",
            letter="",
            number=str(number),
            anchor=f"mark-{number}",
            target=f"finding-{number}",
            title=f"{finding.anomaly} {finding.promise} at {clock(finding.at_ns)}",
        )
        for place, (number, finding) in zip(places, sorted_, strict=True)
    )


def _ticks(start_ns: int, end_ns: int, x: Callable[[float], float], y: float) -> Iterable[Label]:
    """Every 1, 2 or 5 times a power of ten seconds, about eleven of them."""
    step = max(int(_nice((end_ns - start_ns) / 1e9 / 11) * 1e9), 1)
    first = -(-start_ns // step) * step
    for at_ns in range(first, end_ns + 1, step):
        seconds = at_ns / 1e9
        text = f"{seconds:g} s" if end_ns < 600e9 else f"{int(seconds // 60)}:{int(seconds % 60):02d}"
        yield Label(x=x(at_ns), y=y, text=text)


def _nice(value: float, factors: tuple[float, ...] = (1, 2, 5, 10)) -> float:
    """The next of 1, 2, 5, 10, ... at or above `value`; `factors` for another choice."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in factors if factor * power >= value * 0.999)


def _rate(strips: Strips, x: Callable[[float], float], top: float) -> Strip:
    users = [each.users / strips.seconds for each in strips.bins]
    total = [(each.users + each.others) / strips.seconds for each in strips.bins]
    # A burst is many times the users' rate: what matters is theirs, so the rest is cut off, and that is said.
    most, theirs = max(total, default=0), max(users, default=0)
    peak = _nice(min(most, 3 * theirs or most) or 1, _PEAKS)
    cut = f"; probes and strikes reach {most:.0f}, cut off here" if most > peak else ""
    return Strip(
        top=top,
        title="requests",
        unit=f"per second{cut}",
        legend=(("users", "users"), ("others", "probes")),
        grid=_grid(top, peak) if any(total) else (),
        empty="" if any(total) else "no request was recorded",
        lines=(
            Line(path=_area([min(each, peak) for each in total], strips, x, top, peak), kind="others"),
            Line(path=_area(users, strips, x, top, peak), kind="users"),
        ),
    )


def _errors(strips: Strips, x: Callable[[float], float], top: float) -> Strip:
    worst = max((sum(each.bad.values()) for each in strips.bins), default=0)
    peak = _nice(worst or 2, _PEAKS)
    bars = [bar for index, each in enumerate(strips.bins) for bar in _stack(index, each, strips, x, top, peak)]
    used = {outcome for each in strips.bins for outcome in each.bad}
    asked = any(each.users for each in strips.bins)
    empty = "" if bars else ("every user request went well" if asked else "no user request was recorded")
    return Strip(
        top=top,
        title="errors",
        unit=f"users, per {millis(strips.seconds * 1000)}",
        bars=tuple(bars),
        empty=empty,
        grid=_grid(top, peak) if bars else (),
        legend=tuple((name, name) for name in reversed(BAD) if name in used),
    )


def _stack(
    index: int, each: Bin, strips: Strips, x: Callable[[float], float], top: float, peak: float
) -> Iterable[Bar]:
    start = strips.start_ns + index * strips.width_ns
    left, right = x(start), x(start + strips.width_ns)
    floor = top + STRIP
    title = f"{clock(start)}: " + ", ".join(f"{number} {name}" for name, number in each.bad.items())
    for name in reversed(BAD):
        height = each.bad.get(name, 0) / peak * STRIP
        if height:
            floor -= height
            yield Bar(
                x=left,
                y=round(floor, 1),
                width=max(round(right - left - 0.4, 1), 1.6),
                height=round(height, 1),
                kind=name,
                title=title,
            )


def _latency(strips: Strips, x: Callable[[float], float], top: float) -> Strip:
    """Logarithmic, in whole decades around what was seen: 3 ms and 300 ms are both worth seeing."""
    ranks = {name: [getattr(each, f"{name}_ms") for each in strips.bins] for name in ("p99", "p95", "p50")}
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
        lines=tuple(Line(path=_line(values, strips, x, y), kind=name) for name, values in ranks.items()),
    )


def _grid(top: float, peak: float) -> tuple[Label, ...]:
    return tuple(
        Label(x=LEFT, y=round(top + STRIP - share * STRIP, 1), text=f"{peak * share:g}") for share in (0.0, 0.5, 1.0)
    )


def _area(values: list[float], strips: Strips, x: Callable[[float], float], top: float, peak: float) -> str:
    floor = top + STRIP
    steps = [f"M{LEFT} {floor}"]
    for index, value in enumerate(values):
        start = strips.start_ns + index * strips.width_ns
        y = round(floor - value / peak * STRIP, 1)
        steps.append(f"L{x(start)} {y}L{x(start + strips.width_ns)} {y}")
    return "".join(steps) + f"L{WIDTH - RIGHT} {floor}Z"


def _line(values: list[float], strips: Strips, x: Callable[[float], float], y: Callable[[float], float]) -> str:
    """A line through the middle of each bin, broken where nothing was measured."""
    steps, pen = [], "M"
    for index, value in enumerate(values):
        if math.isnan(value):
            pen = "M"
            continue
        middle = x(strips.start_ns + (index + 0.5) * strips.width_ns)
        steps.append(f"{pen}{middle} {y(value)}" + ("h1" if pen == "M" else ""))
        pen = "L"
    return "".join(steps)


def caption(drawn: Lanes) -> str:
    """What the figure shows, for those who can't see it."""
    kills = [mark for mark in drawn.marks.values() if mark.mode != "sham"]
    shams = len(drawn.marks) - len(kills)
    times = f"from {clock(drawn.start_ns)} to {clock(drawn.end_ns)}" if drawn.lives else NONE
    return (
        f"{plural(len(drawn.slots), 'slot')}, {plural(len(kills), 'kill')} and {plural(shams, 'sham strike')}, {times}"
    )
