"""Lanes to the geometry of one SVG; no words of its own but axis labels, no colours at all."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from chaoscheck.model.verdict import Finding
from chaoscheck.reporting.lanes import Lanes, Life, Mark, Span
from chaoscheck.reporting.units import NONE, clock, plural

WIDTH, LEFT, RIGHT = 1120.0, 104.0, 14.0
LANE, LABEL = 30.0, 15.0
FLAGS = 40
"""So many findings get a flag: more would find no room."""
_FLAG = 18.0
_LETTER = 6.3
"""About how wide a letter of a label is, in the drawing's units."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Times of the run to places from LEFT to WIDTH - RIGHT; what lies outside stands at the edge."""

    start_ns: int
    end_ns: int

    def __call__(self, at_ns: float) -> float:
        share = min(max((at_ns - self.start_ns) / max(self.end_ns - self.start_ns, 1), 0.0), 1.0)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 2)


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
    """A strike's or a finding's mark; `target` is the anchor it leads to, `at` where it would stand if it had room."""

    x: float
    y: float
    at: float
    kind: str
    letter: str
    number: str
    anchor: str
    target: str
    title: str


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
    width: float = WIDTH
    left: float = LEFT
    right: float = WIDTH - RIGHT


def figure(drawn: Lanes, findings: Iterable[tuple[int, Finding]]) -> Figure:
    """The lanes' geometry; `findings` are (number, finding), each with its anchors `finding-N` and `mark-N`."""
    x = Scale(drawn.start_ns, drawn.end_ns)
    labels, rows = _phase_labels(drawn.phases, x)
    lanes_top = 8 + rows * LABEL + 6
    rails = {slot: lanes_top + 10 + index * LANE for index, slot in enumerate(drawn.slots)}
    findings_top = lanes_top + 10 + len(rails) * LANE
    flags = _flags([one for one in findings if one[0] <= FLAGS], x, findings_top + 12)
    bottom = findings_top + (28 if flags else 2)
    return Figure(
        height=bottom + 24,
        lanes_top=lanes_top,
        bottom=bottom,
        phase_labels=labels,
        phases=tuple(_phase(index, span, x, lanes_top, bottom) for index, span in enumerate(drawn.phases)),
        slots=tuple(Label(x=LEFT - 12, y=y + 13, text=f"slot {slot}") for slot, y in rails.items()),
        lives=tuple(bar for life in drawn.lives.values() for bar in _life(life, x, rails[life.slot], drawn.end_ns)),
        signs=tuple(_strike(mark, x, rails[mark.slot]) for mark in drawn.marks.values() if mark.slot in rails),
        findings=flags,
        findings_top=findings_top,
        ticks=tuple(ticks(drawn.start_ns, drawn.end_ns, x, bottom + 18)),
    )


def _phase(index: int, span: Span, x: Scale, top: float, bottom: float) -> Bar:
    return Bar(
        x=x(span.start_ns),
        y=top,
        width=round(x(span.end_ns) - x(span.start_ns), 2),
        height=bottom - top,
        kind="even" if index % 2 == 0 else "odd",
        title=f"{span.phase}: {clock(span.start_ns)} to {clock(span.end_ns)}",
    )


def _phase_labels(spans: list[Span], x: Scale) -> tuple[tuple[Label, ...], int]:
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


def _life(life: Life, x: Scale, y: float, end_ns: int) -> Iterable[Bar]:
    """A thin bar while it starts, a full one while it serves."""
    end = life.death_ns if life.death_ns >= 0 else end_ns
    ready = life.ready_ns if life.ready_ns >= 0 else end
    died = f"died {clock(life.death_ns)}" if life.death_ns >= 0 else "alive at the end"
    unasked = "" if life.asked else ", which no strike meant"
    title = f"{life.name}: started {clock(life.started_ns)}, ready {clock(life.ready_ns)}, {died}{unasked}"
    left, mid, right = x(life.started_ns), x(min(ready, end)), x(end)
    if mid > left:
        yield Bar(x=left, y=y + 6, width=round(mid - left, 2), height=6, kind="starting", title=title)
    if right > mid:
        yield Bar(x=mid, y=y, width=round(right - mid, 2), height=18, kind="serving", title=title)
    if not life.asked:
        yield Bar(x=right - 1.5, y=y - 3, width=3, height=24, kind="unasked", title=title)


def _strike(mark: Mark, x: Scale, y: float) -> Sign:
    what = "sham strike" if mark.mode == "sham" else f"{mark.mode} kill"
    landed = "" if mark.confirmed or mark.mode == "sham" else ", death not confirmed"
    return Sign(
        x=x(mark.at_ns),
        at=x(mark.at_ns),
        y=y + 9,
        kind=mark.mode,
        letter=mark.mode[:1].upper(),
        number=f"#{mark.index}",
        anchor=f"strike-{mark.index}",
        target=f"kill-{mark.index}",
        title=f"#{mark.index}: {what} of {mark.victim} at {clock(mark.at_ns)}{landed}",
    )


def _flags(findings: Iterable[tuple[int, Finding]], x: Scale, y: float) -> tuple[Sign, ...]:
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
            at=x(finding.at_ns),
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


def ticks(start_ns: int, end_ns: int, x: Scale, y: float) -> Iterable[Label]:
    """Every 1, 2 or 5 times a power of ten seconds, about eleven of them."""
    step = max(int(nice((end_ns - start_ns) / 1e9 / 11) * 1e9), 1)
    first = -(-start_ns // step) * step
    for at_ns in range(first, end_ns + 1, step):
        seconds = at_ns / 1e9
        text = f"{seconds:g} s" if end_ns < 600e9 else f"{int(seconds // 60)}:{int(seconds % 60):02d}"
        yield Label(x=x(at_ns), y=y, text=text)


def nice(value: float, factors: tuple[float, ...] = (1, 2, 5, 10)) -> float:
    """The next of 1, 2, 5, 10, ... at or above `value`; `factors` for another choice."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in factors if factor * power >= value * 0.999)


def caption(drawn: Lanes) -> str:
    """What the figure shows, for those who can't see it."""
    kills = [mark for mark in drawn.marks.values() if mark.mode != "sham"]
    shams = len(drawn.marks) - len(kills)
    times = f"from {clock(drawn.start_ns)} to {clock(drawn.end_ns)}" if drawn.lives else NONE
    return (
        f"{plural(len(drawn.slots), 'slot')}, {plural(len(kills), 'kill')} and {plural(shams, 'sham strike')}, {times}"
    )
