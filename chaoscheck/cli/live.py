"""A run as it goes on: a live view on a terminal, sparse lines elsewhere, silence when asked for."""

from __future__ import annotations

import math
import os
import time
from collections import Counter
from collections.abc import Mapping
from types import TracebackType
from typing import Protocol

from rich.console import Console, RenderableType
from rich.constrain import Constrain
from rich.live import Live
from rich.table import Table
from rich.text import Text

from chaoscheck.cli.plain import PlainView
from chaoscheck.cli.progress import Aim, Progress, Slot
from chaoscheck.model.clock import NS
from chaoscheck.model.events import Event, Interrupted
from chaoscheck.reporting.text import one_line
from chaoscheck.reporting.units import millis, plural

MARGIN = 3
"""Columns left free at the right: the terminal writes ^C there, and a line that wraps could not be taken back."""

_BLOCKS = "▁▂▃▄▅▆▇█"
_STATES = {"serving": "green", "ready": "green", "starting": "yellow", "dead": "red"}


class View(Protocol):
    """Listens to a run. As a context manager it owns the terminal for its time."""

    def on(self, event: Event) -> None: ...

    def say(self, line: str) -> None:
        """A line that isn't an event: a build that goes on, something swept away."""
        ...

    def __enter__(self) -> View: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def view_for(
    console: Console,
    *,
    quiet: bool = False,
    verbose: bool = False,
    aim: Aim | None = None,
    environment: Mapping[str, str] | None = None,
) -> View:
    """Live only where someone watches: no CI (FORCE_COLOR makes rich take its log for a terminal), not verbose."""
    environment = os.environ if environment is None else environment
    if quiet:
        return SilentView()
    if console.is_terminal and not verbose and not environment.get("CI") and environment.get("TERM") != "dumb":
        return LiveView(console, aim or Aim())
    return PlainView(console, aim or Aim(), verbose=verbose)


class SilentView:
    """Says nothing."""

    def on(self, event: Event) -> None:
        return None

    def say(self, line: str) -> None:
        return None

    def __enter__(self) -> SilentView:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class LiveView:
    """The run on a few lines that stay where they are, until it is over or interrupted; then they vanish."""

    def __init__(self, console: Console, aim: Aim) -> None:
        self.progress = Progress(aim=aim)
        self._heard = time.monotonic()
        self._console = console
        self._drawing = False
        self._rest: PlainView | None = None
        self._live = Live(
            console=console,
            get_renderable=self._now,
            refresh_per_second=4,
            transient=True,
            vertical_overflow="crop",
        )

    def on(self, event: Event) -> None:
        self._heard = time.monotonic()
        self.progress.take(event)
        if isinstance(event, Interrupted) and self._rest is None:
            # Whoever pressed Ctrl-C wants to read that it was heard, and what is still being done.
            self._clear()
            self._rest = PlainView(self._console, self.progress.aim)
        if self._rest is not None:
            self._rest.on(event)

    def say(self, line: str) -> None:
        self._console.print(Text(one_line(line)), soft_wrap=True)

    def __enter__(self) -> LiveView:
        self._drawing = True
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clear()

    def _clear(self) -> None:
        # The last frame is drawn in full, and what doesn't fit on the screen can't be taken back: so it is empty.
        self._drawing = False
        self._live.stop()

    def _now(self) -> RenderableType:
        if not self._drawing:
            return Text("")
        elapsed_s = self.progress.now_ns / NS + time.monotonic() - self._heard
        return Constrain(picture(self.progress, elapsed_s), max(1, self._console.width - MARGIN))


def picture(progress: Progress, elapsed_s: float) -> Table:
    """The live view at a moment: a line for each slot and promise, cut where the terminal ends."""
    rows = [("run", _title(progress)), ("phase", _phase(progress, elapsed_s))]
    rows += [(f"slot {number}", _slot(slot)) for number, slot in sorted(progress.slots.items())]
    if progress.requests:
        rows.append(("traffic", _traffic(progress)))
    for index, promise in enumerate(dict.fromkeys([*progress.aim.promises, *progress.exposures])):
        rows.append(("evidence" if index == 0 else "", _evidence(promise, progress)))
    if progress.findings:
        rows.append(("findings", _findings(progress)))
    for index, note in enumerate(progress.notes[-2:]):
        rows.append(("notes" if index == 0 else "", Text(one_line(note), style="yellow")))
    return _table(rows)


def _table(rows: list[tuple[str, Text]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", width=8, min_width=8, no_wrap=True)
    # A column that may not wrap takes room from the other: so the texts say it, not the column.
    table.add_column()
    for name, text in rows:
        text.no_wrap, text.overflow = True, "ellipsis"
        table.add_row(name, text)
    return table


def _title(progress: Progress) -> Text:
    started = progress.started
    if started is None:
        return Text("starting")
    what = (
        f"  {plural(started.instances, 'instance')} on {started.engine} behind {started.balancer}, seed {started.seed}"
    )
    return Text.assemble((one_line(started.plan), "bold"), (what, "dim"))


def _phase(progress: Progress, elapsed_s: float) -> Text:
    left = progress.left_s(elapsed_s)
    clock = f"  {_minutes(elapsed_s)}" + (f", about {_minutes(left)} to go" if left else "")
    of = f" of {progress.aim.strikes}" if progress.aim.strikes else ""
    struck = f"  strike {progress.struck}{of}" if progress.struck else ""
    return Text.assemble((progress.phase, "bold"), struck, (clock, "dim"))


def _slot(slot: Slot) -> Text:
    kills = plural(slot.kills, "kill") if slot.kills else ""
    style = _STATES.get(slot.state, "magenta")
    return Text.assemble(f"{slot.instance:<10}", (f"{slot.state:<18}", style), (kills, "dim"))


def _traffic(progress: Progress) -> Text:
    peak = max(progress.rates, default=0) or 1
    spark = "".join(_BLOCKS[min(int(rate / peak * 7.999), 7)] for rate in list(progress.rates)[-12:])
    bad = (f"{progress.bad} bad", "red" if progress.bad else "dim")
    numbers = f"  {plural(progress.sessions, 'session')}  p50 {millis(progress.p50_ms)}  p95 {millis(progress.p95_ms)}"
    return Text.assemble((f"{spark:<12} ", "cyan"), f"{progress.rate:.0f}/s  ", bad, numbers)


def _evidence(promise: str, progress: Progress) -> Text:
    have, needed = progress.exposures.get(promise, 0), progress.aim.needed
    if not needed:
        return Text.assemble(f"{one_line(promise, 16):<17}", plural(have, "exposure"))
    filled = min(have * 24 // needed, 24)
    style = "green" if have >= needed else "yellow"
    bar = [("█" * filled, style), ("·" * (24 - filled), "dim")]
    return Text.assemble(f"{one_line(promise, 16):<17}{have:>5} of {needed}  ", *bar)


def _findings(progress: Progress) -> Text:
    kinds = Counter(f"{seen.anomaly} {one_line(seen.promise, 20)}" for seen in progress.findings)
    return Text(
        ", ".join(f"{name} x{number}" if number > 1 else name for name, number in kinds.most_common(3)),
        style="bold red",
    )


def _minutes(seconds: float) -> str:
    whole = math.floor(seconds)
    return f"{whole // 60}:{whole % 60:02d}"
