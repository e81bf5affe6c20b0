"""A run as it goes on where no one watches: sparse lines for a log."""

from __future__ import annotations

from collections import Counter
from types import TracebackType

from rich.console import Console
from rich.text import Text

from chaoscheck.cli.progress import Aim, Progress
from chaoscheck.model.clock import NS
from chaoscheck.model.events import (
    ControlProbed,
    Event,
    FindingSeen,
    InstanceDied,
    InstanceReady,
    Interrupted,
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
from chaoscheck.reporting.units import millis

HEARTBEAT_S = 10.0


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

    def say(self, line: str) -> None:
        self._console.print(Text(one_line(line)), soft_wrap=True, highlight=False)

    def __enter__(self) -> PlainView:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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
            case Interrupted():
                return "interrupted: ending early (once more skips the judging, never the clean-up)"
            case Troubled():
                return f"trouble: {event.message}"
            case _:
                return ""

    def _struck(self, event: Struck) -> str:
        mode = self.progress.strike.mode if self.progress.strike else "strike"
        if mode == "sham":
            return f"strike {event.index}: sham at {event.victim}"
        took = f" {millis((event.death_ns - event.signal_ns) / 1e6)} after the signal" if event.confirmed else ""
        return f"strike {event.index}: {mode} kill of {event.victim}, " + (
            "dead" + took if event.confirmed else "NOT confirmed dead"
        )

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
        return (
            f"{progress.phase}: {progress.rate:.0f} requests/s, {progress.bad} bad, exposures: {evidence or 'none yet'}"
        )


def _detail(event: Event) -> str:
    match event:
        case ControlProbed():
            held = f"held {event.held} of {event.tries}"
            return f"control {event.promise}: must {event.must}, {held} ({event.request}: {event.answer})"
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
            read = f"strike {event.index}: read back {event.read_back} of {event.exposed}"
            return read + (", timed out" if event.timed_out else "")
        case _:
            return ""
