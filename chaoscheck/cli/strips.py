"""Time as a row of characters: what a slot was, and how traffic went, in the last minute or so."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from rich.text import Text

from chaoscheck.cli.progress import SHAM, Slot, Stretch
from chaoscheck.model.clock import NS

SHOWN_S = 60.0
FINEST_S = 0.5
BLOCKS = "▁▂▃▄▅▆▇█"
SERVING, STARTING, DEAD = "━", "╌", "·"
FULL = "━"
LOOKS = {
    "serving": (SERVING, "green"),
    "starting": (STARTING, "yellow"),
    "ready": (STARTING, "yellow"),
    "dead": (DEAD, "red"),
    "crashed": ("!", "bold red"),
    "not dead?": ("?", "bold red"),
}
_WORST = ("crashed", "not dead?", "dead", "starting", "ready", "serving")


@dataclass(frozen=True, slots=True)
class Axis:
    """The time that a row of `cells` shows, up to `now_s`: whole cells, so that it moves by whole characters."""

    cells: int
    now_s: float

    @property
    def cell_s(self) -> float:
        return max(FINEST_S, SHOWN_S / max(self.cells, 1))

    @property
    def seconds(self) -> float:
        return self.cells * self.cell_s

    @property
    def first(self) -> int:
        """The number of the leftmost cell, counted from the run's start; below 0 nothing had begun."""
        return math.floor(self.now_s / self.cell_s) - self.cells + 1

    def at(self, seconds: float) -> int:
        """The cell of that moment, outside of 0 to `cells` - 1 when it isn't shown."""
        return math.floor(seconds / self.cell_s) - self.first

    def seen(self, traffic: Iterable[Stretch]) -> list[Stretch]:
        """What of it reaches into the time that is shown."""
        began_s = self.first * self.cell_s
        return [stretch for stretch in traffic if stretch.ended_s > began_s]


def lane(slot: Slot, axis: Axis) -> Text:
    """What the slot was in each cell, the worst of it, with a letter where it was struck."""
    states = [""] * axis.cells
    past = sorted((at_ns / NS, state) for at_ns, state in slot.past)
    for number, (began_s, state) in enumerate(past):
        ended_s = past[number + 1][0] if number + 1 < len(past) else axis.now_s
        for cell in range(max(axis.at(began_s), 0), min(axis.at(ended_s) + 1, axis.cells)):
            states[cell] = _worse(states[cell], state)
    looks = [LOOKS.get(state, (" ", "")) for state in states]
    for at_ns, mode in slot.marks:
        cell = axis.at(at_ns / NS)
        if 0 <= cell < axis.cells:
            looks[cell] = (mark(mode), "cyan" if mode == SHAM else "bold red")
    return painted(looks)


def painted(cells: Iterable[tuple[str, str]]) -> Text:
    """Signs with their styles; neighbours of one style are one piece, so that a frame stays small."""
    pieces = groupby(cells, key=lambda cell: cell[1])
    return Text.assemble(*(("".join(sign for sign, _ in run), style) for style, run in pieces))


def mark(mode: str) -> str:
    """The letter of a sort of strike: a capital takes somebody away."""
    return (mode[:1] or "?").lower() if mode == SHAM else (mode[:1] or "?").upper()


def rates(traffic: Iterable[Stretch], axis: Axis) -> Text:
    """Requests a second in each cell, the highest shown being full."""
    covered, counted = [0.0] * axis.cells, [0.0] * axis.cells
    for stretch in traffic:
        for cell, seconds in _shares(stretch, axis):
            covered[cell] += seconds
            counted[cell] += stretch.requests * seconds / (stretch.ended_s - stretch.began_s)
    values = [count / seconds if seconds > 0 else -1.0 for count, seconds in zip(counted, covered, strict=True)]
    return Text(_bars(values, max([1.0, *values])), style="cyan")


def errors(traffic: Iterable[Stretch], axis: Axis) -> Text:
    """The share of bad requests in each cell: full is all of them, and a cell without any is a dot."""
    bad, all_ = [0.0] * axis.cells, [0.0] * axis.cells
    for stretch in traffic:
        for cell, _ in _shares(stretch, axis):
            bad[cell] += stretch.bad
            all_[cell] += stretch.requests
    bars = [
        (" ", "") if not total else (BLOCKS[min(int(some / total * 8), 7)], "red") if some else (DEAD, "dim")
        for some, total in zip(bad, all_, strict=True)
    ]
    return painted(bars)


def latencies(traffic: Iterable[Stretch], axis: Axis) -> Text:
    """The worst 95th percentile in each cell, the highest shown being full."""
    worst = [-1.0] * axis.cells
    for stretch in traffic:
        if stretch.requests:
            for cell, _ in _shares(stretch, axis):
                worst[cell] = max(worst[cell], stretch.p95_ms)
    return Text(_bars(worst, max([1.0, *worst])), style="blue")


def _shares(stretch: Stretch, axis: Axis) -> Iterable[tuple[int, float]]:
    """The cells that a stretch reaches into, and the seconds of it in each."""
    for cell in range(max(axis.at(stretch.began_s), 0), min(axis.at(stretch.ended_s) + 1, axis.cells)):
        began_s = (axis.first + cell) * axis.cell_s
        seconds = min(stretch.ended_s, began_s + axis.cell_s) - max(stretch.began_s, began_s)
        if seconds > 0:
            yield cell, seconds


def _bars(values: Iterable[float], peak: float) -> str:
    return "".join(BLOCKS[min(int(value / peak * 7.999), 7)] if value >= 0 else " " for value in values)


def _worse(one: str, other: str) -> str:
    if not one:
        return other
    return min(one, other, key=lambda state: _WORST.index(state) if state in _WORST else len(_WORST))
