"""Sessions over time: who answered each of them, and where it broke; a sample, and it says how it was drawn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from chaoscheck.model.broken import Broken
from chaoscheck.model.history import OpFields, RawRow, SessionBorn, SessionEnded, some_of
from chaoscheck.model.ops import Lane, Op, Phase
from chaoscheck.model.verdict import Finding
from chaoscheck.reporting.figure import LEFT, RIGHT, WIDTH
from chaoscheck.reporting.lanes import Lanes
from chaoscheck.reporting.units import clock, count, plural
from chaoscheck.steps.attempts import is_bad

SHOWN, BROKEN = 72, 48
"""Rows at most, and how many of them are broken sessions while there are others to show beside them."""
COLUMN = 2
"""Drawing units of one cell; who answered last in it has it."""
TOP, PITCH, GAP = 26, 9, 14
_MOST_PATH = 110_000
"""Characters of all rows' paths; beyond it cells are made coarser."""
_MOST_BREAKS = 12
_LIVE = frozenset({Lane.USER.value, Lane.BURST.value, Lane.INFLIGHT.value, Lane.WATCH.value})
_PROBED = frozenset({Phase.CONTROLS.value, Phase.MATRIX.value})
"""Phases whose sessions are the controller's own."""
_UNNAMED = -1
_COLUMNS = int(WIDTH - LEFT - RIGHT) // COLUMN


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """What one slot (-1: nobody knows whose) answered of a row, as an SVG path; `kind` is the class of its paint."""

    kind: str
    path: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """One session: its stretches, its bad answers and its breaks as paths. `target` is the finding's anchor, or ""."""

    session: str
    y: float
    broken: bool
    target: str
    title: str
    stretches: tuple[Stretch, ...]
    bad: str
    breaks: str
    break_title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KillLine:
    """A kill, straight down through all rows; `number` is "" where it would run into the one before."""

    x: float
    number: str
    target: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionsView:
    """The whole picture, in the units of the timeline's figure. `said` tells what of how many is shown."""

    rows: tuple[SessionRow, ...]
    kills: tuple[KillLine, ...]
    slots: tuple[tuple[str, str], ...]
    said: str
    caption: str
    bottom: float
    height: float
    top: float = TOP
    width: float = WIDTH
    left: float = LEFT
    right: float = WIDTH - RIGHT


@dataclass(frozen=True, slots=True, kw_only=True)
class _Break:
    at_ns: int
    promise: str
    anomaly: str
    number: int = 0


class _Track:
    """One session while the history goes by, in memory that doesn't grow with its requests."""

    __slots__ = ("bad", "born_ns", "breaks", "cells", "ended_ns", "last_ns", "place", "user")

    def __init__(self, place: int, user: str = "", born_ns: int = -1) -> None:
        self.place = place
        self.user = user
        self.born_ns = born_ns
        self.ended_ns = -1
        self.last_ns = -1
        self.cells: dict[int, str] = {}
        self.bad: set[int] = set()
        self.breaks: list[_Break] = []


class SessionsFold:
    """Fed each row of a history once, a file after the other; `done` gives the picture.

    Only some of the sessions that broke and a sample of the others, thinned as it grows, are kept in mind.
    """

    def __init__(
        self, drawn: Lanes, broken: Broken, findings: Sequence[tuple[int, Finding]], *, shown: int = SHOWN
    ) -> None:
        self._drawn = drawn
        self._start_ns = drawn.start_ns
        self._span_ns = max(drawn.end_ns - drawn.start_ns, 1)
        self._shown = shown
        self._findings = [item for item in findings if item[1].session and item[1].phase not in _PROBED]
        self._whole = broken.whole
        self._lost = broken.sessions
        self._breaks = _breaks(broken)
        self._chosen = _choose(self._breaks, self._findings, shown)
        self._tracks: dict[str, _Track] = {name: _Track(0) for name in self._chosen}
        self._sample: list[str] = []
        self._stride = 1
        self._born = 0

    def wants(self, session: str) -> bool:
        """Whether what it did may be shown: nothing else of a long history need be read."""
        return session in self._tracks

    def row(self, row: RawRow) -> None:
        """Any row; of sessions that it does not want, births suffice."""
        if isinstance(row, SessionBorn):
            self.born(row)
        elif isinstance(row, SessionEnded):
            self.ended(row)
        else:
            self.add(row)

    def born(self, row: SessionBorn) -> None:
        """A session begins; every so manieth of users' is kept, fewer the more there are."""
        track = self._tracks.get(row.session)
        if track is not None:
            track.user, track.born_ns = row.user, row.born_ns
        elif row.lane == Lane.USER and row.session not in self._breaks:
            self._born += 1
            if (self._born - 1) % self._stride == 0:
                self._tracks[row.session] = _Track(self._born, row.user, row.born_ns)
                self._sample.append(row.session)
                self._thin()

    def add(self, op: OpFields) -> None:
        """An attempt, as an Op or its fields in their order."""
        track = self._tracks.get(op[1])
        if track is not None:
            self._note(track, op if isinstance(op, Op) else Op._make(op))

    def ended(self, row: SessionEnded) -> None:
        """A session left."""
        track = self._tracks.get(row.session)
        if track is not None:
            track.ended_ns = row.ended_ns

    def done(self) -> SessionsView:
        """The picture of what was fed."""
        self._place_breaks()
        broken = [name for name in self._chosen if self._tracks[name].cells]
        whole = [name for name in self._sample if self._tracks[name].cells]
        first = [name for name in broken if any(finding.session == name for _, finding in self._findings)]
        room = max(BROKEN * self._shown // SHOWN, self._shown - len(whole))
        broken = _with(first, broken, room)
        broken.sort(key=lambda name: min((one.at_ns for one in self._tracks[name].breaks), default=0))
        return self._picture(broken, _with([], whole, self._shown - len(broken)))

    def _thin(self) -> None:
        if len(self._sample) > 2 * self._shown:
            for name in self._sample[1::2]:
                del self._tracks[name]
            self._sample = self._sample[::2]
            self._stride *= 2

    def _note(self, track: _Track, op: Op) -> None:
        if op.lane in _LIVE:
            at_ns = op.done_ns if op.done_ns >= 0 else op.sent_ns
            cell = self._cell(at_ns)
            track.last_ns = max(track.last_ns, at_ns)
            if op.status and op.done_ns >= 0:
                track.cells[cell] = op.incarnation
            if is_bad(op):
                track.bad.add(cell)

    def _cell(self, at_ns: int) -> int:
        return min(max((at_ns - self._start_ns) * _COLUMNS // self._span_ns, 0), _COLUMNS - 1)

    def _x(self, at_ns: float) -> float:
        share = min(max((at_ns - self._start_ns) / self._span_ns, 0.0), 1.0)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def _place_breaks(self) -> None:
        """Each break that a finding shows carries its number, and leads to it."""
        for name in self._chosen:
            track = self._tracks[name]
            track.breaks = list(self._breaks.get(name, ()))
            for number, finding in self._findings:
                if finding.session == name:
                    sort = finding.promise, finding.anomaly
                    same = next(
                        (one for one in track.breaks if (one.promise, one.anomaly) == sort and not one.number), None
                    )
                    if same is not None:
                        track.breaks[track.breaks.index(same)] = replace(same, number=number)
            track.breaks.sort(key=lambda one: (one.at_ns, one.promise))

    def _picture(self, broken: list[str], whole: list[str]) -> SessionsView:
        coarse = 1
        while True:
            rows = tuple(self._rows(broken, whole, coarse))
            size = sum(len(part.path) + len(part.title) + 50 for row in rows for part in row.stretches)
            if size <= _MOST_PATH or coarse >= 32:
                break
            coarse *= 2
        bottom = (rows[-1].y if rows else TOP) + PITCH
        slots = self._drawn.slots
        return SessionsView(
            rows=rows,
            kills=tuple(self._kills()),
            slots=tuple((paint(slots, slot), f"slot {slot}") for slot in slots) + self._nameless(rows),
            said=self._said(len(broken), len(whole), self._span_ns / 1e6 * coarse / _COLUMNS),
            caption=f"{plural(len(rows), 'session')}, {len(broken)} of them broken",
            bottom=bottom,
            height=bottom + 26,
        )

    def _rows(self, broken: list[str], whole: list[str], coarse: int) -> Iterable[SessionRow]:
        gap = GAP if broken and whole else 0
        for index, name in enumerate([*broken, *whole]):
            y = TOP + PITCH / 2 + index * PITCH + (gap if index >= len(broken) else 0)
            yield self._drawn_row(name, y, index < len(broken), coarse)

    def _drawn_row(self, name: str, y: float, broken: bool, coarse: int) -> SessionRow:
        track = self._tracks[name]
        breaks = track.breaks[:_MOST_BREAKS]
        told = [f"{one.anomaly} {one.promise} at {clock(one.at_ns)}" for one in breaks]
        if len(track.breaks) > len(breaks):
            told.append(f"{len(track.breaks) - len(breaks)} more")
        life = f"session {name}, user {track.user}" if track.user else f"session {name}"
        return SessionRow(
            session=name,
            y=y,
            broken=broken,
            target=next((f"finding-{one.number}" for one in track.breaks if one.number), ""),
            title="; ".join([f"{life}, from {clock(track.born_ns)} to {clock(self._until(track))}", *told]),
            stretches=tuple(self._stretches(track, y, coarse)),
            bad="".join(f"M{LEFT + cell * COLUMN:g} {y:g}h1.5" for cell in sorted(track.bad)),
            breaks="".join(f"M{self._x(one.at_ns) - 3:.1f} {y - 3:g}l6 6m0-6l-6 6" for one in breaks),
            break_title="; ".join(told),
        )

    def _until(self, track: _Track) -> int:
        return track.ended_ns if track.ended_ns >= 0 else track.last_ns

    def _stretches(self, track: _Track, y: float, coarse: int) -> Iterable[Stretch]:
        """The last answer in a cell has it, and keeps the row until somebody else answers, or nobody any more."""
        cells: dict[int, str] = {}
        for cell in sorted(track.cells):
            cells[cell // coarse] = track.cells[cell]
        runs: dict[int, list[tuple[int, int]]] = {}
        names: dict[int, dict[str, None]] = {}
        ends = [*sorted(cells), max(cells, default=0) + 1]
        for start, end in pairwise(ends):
            name = cells[start]
            slot = self._slot(name)
            names.setdefault(slot, {})[name] = None
            mine = runs.setdefault(slot, [])
            if mine and mine[-1][1] == start:
                mine[-1] = (mine[-1][0], end)
            else:
                mine.append((start, end))
        for slot in sorted(runs):
            title = ", ".join(filter(None, names[slot])) or "no answer says whose it is"
            yield Stretch(kind=paint(self._drawn.slots, slot), path=_path(runs[slot], y, coarse), title=title)

    def _slot(self, name: str) -> int:
        life = self._drawn.lives.get(name)
        return life.slot if life is not None else _UNNAMED

    def _nameless(self, rows: Sequence[SessionRow]) -> tuple[tuple[str, str], ...]:
        unnamed = paint((), _UNNAMED)
        used = any(part.kind == unnamed for row in rows for part in row.stretches)
        return ((unnamed, "not told whose"),) if used else ()

    def _kills(self) -> Iterable[KillLine]:
        last = 0.0
        for mark in sorted(self._drawn.marks.values(), key=lambda mark: mark.at_ns):
            if mark.mode == "sham":
                continue
            x = self._x(mark.at_ns)
            room = x - last >= 22
            last = x if room else last
            yield KillLine(
                x=x,
                number=f"#{mark.index}" if room else "",
                target=f"kill-{mark.index}",
                title=f"#{mark.index}: {mark.mode} kill of {mark.victim} at {clock(mark.at_ns)}",
            )

    def _said(self, broken: int, others: int, cell_ms: float) -> str:
        if not broken and not others:
            return "No user's session is in the history."
        parts = []
        if self._lost:
            parts.append(
                f"all {plural(self._lost, 'broken session')}"
                if broken == self._lost
                else f"{broken} of {count(self._lost)} broken sessions (the findings' own, then evenly by their breaks)"
            )
        if self._born:
            # Where not all that broke are known by name, a sample of the others holds some of them.
            which = "" if not self._lost else "other " if self._whole else "further "
            hold = "" if self._whole else "; some may have broken as well"
            parts.append(
                f"all {plural(self._born, which + 'session')}"
                if others == self._born
                else f"{others} of {count(self._born)} {which}sessions (evenly by when they began{hold})"
            )
        told = " and ".join(parts) or f"no session of {count(self._born)}"
        return f"Shown: {told}. A cell of {cell_ms:.0f} ms has the colour of who answered last in it."


def paint(slots: Sequence[int], slot: int) -> str:
    """The class of a slot's paint: three colours of different lightness, then the same with a texture each."""
    return f"who-{slots.index(slot) % 15}" if slot in slots else "who-none"


def sessions(
    histories: Iterable[Path], drawn: Lanes, broken: Broken, findings: Sequence[tuple[int, Finding]]
) -> SessionsView:
    """The picture of these history files, of which only what is shown is parsed. Raises HistoryDamaged."""
    fold = SessionsFold(drawn, broken, findings)
    for path in histories:
        for row in some_of(path, fold.wants):
            fold.row(row)
    return fold.done()


def _breaks(broken: Broken) -> dict[str, list[_Break]]:
    """By session, in order of time."""
    breaks: dict[str, list[_Break]] = {}
    columns = zip(broken.session, broken.at_ns, broken.promise, broken.anomaly, strict=True)
    for session, at_ns, promise, anomaly in columns:
        breaks.setdefault(session, []).append(_Break(at_ns=at_ns, promise=promise, anomaly=anomaly))
    return breaks


def _choose(breaks: dict[str, list[_Break]], findings: Sequence[tuple[int, Finding]], shown: int) -> list[str]:
    """The findings' own sessions first, then of all that broke evenly by when they did."""
    first = list(dict.fromkeys(finding.session for _, finding in findings))
    return _with(first, sorted(breaks, key=lambda name: breaks[name][0].at_ns), shown)


def _with(first: Sequence[str], names: Iterable[str], room: int) -> list[str]:
    """At most so many names: the first ones, then evenly of the others."""
    taken = list(first[:room])
    rest = [name for name in names if name not in set(taken)]
    left = room - len(taken)
    return taken + (rest if len(rest) <= left else [rest[index * len(rest) // left] for index in range(left)])


def _path(runs: Sequence[tuple[int, int]], y: float, coarse: int) -> str:
    unit = COLUMN * coarse
    steps: list[str] = []
    pen = 0
    for start, end in runs:
        step = f"M{LEFT + start * unit:g} {y:g}" if not steps else f"m{(start - pen) * unit} 0"
        steps.append(f"{step}h{(end - start) * unit}")
        pen = end
    return "".join(steps)
