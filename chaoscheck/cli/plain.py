"""A run as it goes on where no one watches: sparse lines for a log."""

from __future__ import annotations

from collections import Counter
from types import TracebackType

from rich.console import Console
from rich.text import Text

from chaoscheck.cli.progress import SHAM, Aim, Progress
from chaoscheck.cli.words import blow_words, told
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
    RoundAdded,
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

HEARTBEAT_S = 10.0
SELDOM_S = 30.0
"""How often a log shows life: in its first minute, and after it."""

STRIKES_EACH = 60
"""So many strikes get a line each; of later ones each tenth."""

WARNINGS_EACH = 20


class PlainView:
    """A line for what matters, and one now and then so that a log shows life; fewer the longer it takes."""

    def __init__(self, console: Console, aim: Aim, *, verbose: bool = False) -> None:
        self.progress = Progress(aim=aim)
        self._console = console
        self._verbose = verbose
        self._said_ns = 0
        self._sorts: Counter[str] = Counter()
        self._warned: set[str] = set()

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
                return self._struck()
            case FindingSeen():
                return self._found(f"{event.anomaly} {event.promise}", f"session {event.session}, {event.obj}")
            case MatrixProbed(holds=False):
                pair = f"matrix: written on {event.writer}, read on {event.reader}"
                return self._found(f"{event.anomaly or 'LOST'} {event.promise}", pair)
            case TrafficSeen() if event.t_ns - self._said_ns >= self._patience_ns():
                return self._heartbeat()
            case Warned():
                return self._warning(event)
            case RoundAdded() | InstanceDied(asked=False) | StoreDied() | WorkerLost() | Troubled():
                return told(event)
            case Interrupted():
                return "interrupted: ending early (once more skips the judging, never the clean-up)"
            case _:
                return ""

    def _patience_ns(self) -> int:
        return int((HEARTBEAT_S if self.progress.now_ns < 60 * NS else SELDOM_S) * NS)

    def _struck(self) -> str:
        number, blow = self.progress.struck, self.progress.strike
        if blow is None or (number > STRIKES_EACH and number % 10 and (blow.confirmed or blow.mode == SHAM)):
            return ""
        return f"strike {blow.index}: {blow_words(blow)}"

    def _found(self, sort: str, where: str) -> str:
        """The first of each sort, then only at 10, 100, ...: a broken service breaks often."""
        self._sorts[sort] += 1
        seen = self._sorts[sort]
        if seen == 1:
            return f"finding: {sort} ({where})"
        return f"finding: {sort}, {seen} by now" if seen in (10, 100, 1_000, 10_000, 100_000) else ""

    def _warning(self, event: Warned) -> str:
        """Each warning once, and only so many of them: the report has all."""
        if event.text in self._warned or len(self._warned) >= WARNINGS_EACH:
            return ""
        self._warned.add(event.text)
        last = " (more warnings stand in the report)" if len(self._warned) == WARNINGS_EACH else ""
        return f"warning: {event.text}{last}"

    def _heartbeat(self) -> str:
        progress = self.progress
        evidence = [
            f"{promise} {have}" + (f" of {progress.aim.need(promise)}" if progress.aim.need(promise) else "")
            for promise, have in sorted(progress.exposures.items())
        ]
        return (
            f"{progress.phase}: {progress.rate:.0f} requests/s, {progress.bad} bad, "
            f"exposures: {', '.join(evidence) or 'none yet'}"
        )


def _detail(event: Event) -> str:
    match event:
        case ControlProbed():
            held = f"held {event.held} of {event.tries}" if event.tries else "nothing counted"
            held = f"do never ok ({event.tries} tries)" if event.undone else held
            return f"control {event.promise}: must {event.must}, {held} ({event.request}: {event.answer})"
        case MatrixProbed():
            said = {True: "holds", False: "BROKEN", None: "can't tell"}[event.holds]
            return f"matrix {event.promise}: {event.writer} to {event.reader} {said} {event.note}"
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
