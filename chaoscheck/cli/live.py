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
from rich.live import Live
from rich.table import Table
from rich.text import Text

from chaoscheck.cli.progress import Aim, Progress, Slot
from chaoscheck.model.clock import NS
from chaoscheck.model.events import (
    ControlProbed,
    Event,
    FindingSeen,
    InstanceDied,
    InstanceReady,
    MatrixProbed,
    PhaseBegan,
    Restored,
    StoreDied,
    StrikeBegan,
    StrikeEnded,
    Struck,
    TrafficSeen,
    Troubled,
    Warned,
    WorkerLost,
)
from chaoscheck.reporting.text import one_line
from chaoscheck.reporting.units import millis, plural

HEARTBEAT_S = 10.0
_BLOCKS = "▁▂▃▄▅▆▇█"
_STATES = {"serving": "green", "ready": "green", "starting": "yellow", "dead": "red"}


class View(Protocol):
    """Listens to a run. As a context manager it owns the terminal for its time."""

    def on(self, event: Event) -> None: ...

    def __enter__(self) -> View: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...


def view_for(console: Console, *, quiet: bool = False, verbose: bool = False, aim: Aim | None = None,
             environment: Mapping[str, str] | None = None) -> View:
    """Live only where someone watches: a terminal, no CI (FORCE_COLOR makes rich take a log for a terminal), not verbose."""
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

    def __enter__(self) -> SilentView:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None


class LiveView:
    """The run on a few lines that stay where they are."""

    def __init__(self, console: Console, aim: Aim) -> None:
        self.progress = Progress(aim=aim)
        self._heard = time.monotonic()
        self._live = Live(console=console, get_renderable=self._now, refresh_per_second=4, transient=True)

    def on(self, event: Event) -> None:
        self._heard = time.monotonic()
        self.progress.take(event)

    def __enter__(self) -> LiveView:
        self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._live.stop()

    def _now(self) -> RenderableType:
        return picture(self.progress, self.progress.now_ns / NS + time.monotonic() - self._heard)


def picture(progress: Progress, elapsed_s: float) -> Table:
    """The live view at a moment; as many lines as there are slots, promises and things to say, never wider than asked."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", width=8)
    table.add_column(overflow="ellipsis", no_wrap=True)
    table.add_row("run", _title(progress))
    table.add_row("phase", _phase(progress, elapsed_s))
    for number, slot in sorted(progress.slots.items()):
        table.add_row(f"slot {number}", _slot(slot))
    if progress.requests:
        table.add_row("traffic", _traffic(progress))
    for index, promise in enumerate(dict.fromkeys([*progress.aim.promises, *progress.exposures])):
        table.add_row("evidence" if index == 0 else "", _evidence(promise, progress))
    if progress.findings:
        table.add_row("findings", _findings(progress))
    for index, note in enumerate(progress.notes[-2:]):
        table.add_row("notes" if index == 0 else "", Text(one_line(note), style="yellow"))
    return table


def _title(progress: Progress) -> Text:
    started = progress.started
    if started is None:
        return Text("starting")
    what = f"  {plural(started.instances, 'instance')} on {started.engine} behind {started.balancer}, seed {started.seed}"
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
    return Text.assemble(f"{one_line(promise, 16):<17}", ("█" * filled, style), ("·" * (24 - filled), "dim"),
                         f" {have} of {needed}")


def _findings(progress: Progress) -> Text:
    kinds = Counter(f"{seen.anomaly} {one_line(seen.promise, 20)}" for seen in progress.findings)
    return Text(", ".join(f"{name} x{number}" if number > 1 else name for name, number in kinds.most_common(3)), style="bold red")


def _minutes(seconds: float) -> str:
    whole = math.floor(seconds)
    return f"{whole // 60}:{whole % 60:02d}"


class PlainView:
    """A line for what matters, and one every ten seconds so that a log shows life."""

    def __init__(self, console: Console, aim: Aim, *, verbose: bool = False) -> None:
        self.progress = Progress(aim=aim)
        self._console = console
        self._verbose = verbose
        self._said_ns = 0
        self._findings: Counter[str] = Counter()

    def on(self, event: Event) -> None:
        self.progress.take(event)
        line = self._line(event) or (_detail(event) if self._verbose else "")
        if line:
            self._said_ns = event.t_ns
            stamp = f"[{event.t_ns / NS:7.1f} s] "
            self._console.print(Text(stamp + one_line(line)), soft_wrap=True, highlight=False)

    def __enter__(self) -> PlainView:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    def _line(self, event: Event) -> str:
        match event:
            case PhaseBegan():
                return event.phase
            case Struck():
                return self._struck(event)
            case FindingSeen():
                return self._found(event)
            case TrafficSeen() if event.t_ns - self._said_ns >= HEARTBEAT_S * NS:
                return self._heartbeat()
            case InstanceDied(asked=False):
                return f"{event.instance} died, and no strike meant it (exit code {event.exit_code})"
            case StoreDied():
                return f"store {event.store} died or restarted unasked: {event.detail}"
            case Warned():
                return f"warning: {event.text}"
            case WorkerLost():
                return f"worker {event.worker} ended by itself: {event.detail}"
            case Troubled():
                return f"trouble: {event.message}"
            case _:
                return ""

    def _struck(self, event: Struck) -> str:
        mode = self.progress.strike.mode if self.progress.strike else "strike"
        if mode == "sham":
            return f"strike {event.index}: sham at {event.victim}"
        took = f" {millis((event.death_ns - event.signal_ns) / 1e6)} after the signal" if event.confirmed else ""
        return f"strike {event.index}: {mode} kill of {event.victim}, " + ("dead" + took if event.confirmed else "NOT confirmed dead")

    def _found(self, event: FindingSeen) -> str:
        """The first of each sort, then only at 10, 100, ...: a broken service breaks often."""
        sort = f"{event.anomaly} {event.promise}"
        self._findings[sort] += 1
        seen = self._findings[sort]
        if seen == 1:
            return f"finding: {sort} (session {event.session}, {event.obj})"
        return f"finding: {sort}, {seen} by now" if seen in (10, 100, 1_000, 10_000, 100_000) else ""

    def _heartbeat(self) -> str:
        progress = self.progress
        needed = f" of {progress.aim.needed}" if progress.aim.needed else ""
        evidence = ", ".join(f"{promise} {have}{needed}" for promise, have in sorted(progress.exposures.items()))
        return f"{progress.phase}: {progress.rate:.0f} requests/s, {progress.bad} bad, exposures: {evidence or 'none yet'}"


def _detail(event: Event) -> str:
    match event:
        case ControlProbed():
            return f"control {event.promise}: must {event.must}, held {event.held} of {event.tries} ({event.request}: {event.answer})"
        case MatrixProbed():
            told = {True: "holds", False: "BROKEN", None: "can't tell"}[event.holds]
            return f"matrix {event.promise}: {event.writer} to {event.reader} {told} {event.note}"
        case InstanceReady():
            return f"{event.instance} is ready" + (" and joined" if event.joined else "")
        case StrikeBegan():
            return f"strike {event.index}: {event.mode} at {event.victim} begins"
        case Restored():
            return f"strike {event.index}: {event.replacement} serves"
        case StrikeEnded():
            return f"strike {event.index}: read back {event.read_back} of {event.exposed}" + (", timed out" if event.timed_out else "")
        case _:
            return ""
