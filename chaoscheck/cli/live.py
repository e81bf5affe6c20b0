"""A run as it goes on: a live view on a terminal, sparse lines elsewhere, silence when asked for."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from chaoscheck.cli.ci import in_ci
from chaoscheck.cli.picture import picture
from chaoscheck.cli.plain import PlainView
from chaoscheck.cli.progress import Aim, Progress
from chaoscheck.model.clock import NS
from chaoscheck.model.events import Event, Interrupted
from chaoscheck.reporting.text import one_line

MARGIN = 3
"""Columns left free at the right: the terminal writes ^C there, and a line that wraps could not be taken back."""

SPARE = 2
"""Lines left free: the cursor needs one, and a frame as high as the screen could not be taken back either."""


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
    """Live only where someone watches: a real terminal (FORCE_COLOR makes rich take a log for one), no CI, not
    verbose."""
    environment = os.environ if environment is None else environment
    if quiet:
        return SilentView()
    watched = console.is_terminal and console.file.isatty() and environment.get("TERM") not in ("dumb", "unknown")
    if watched and not verbose and not in_ci(environment):
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
    """The run on lines that stay where they are, until it is over or interrupted; then they vanish."""

    def __init__(self, console: Console, aim: Aim, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.progress = Progress(aim=aim)
        self._clock = clock
        # Events come from the run, and frames are drawn beside it. Never held while the console is waited for.
        self._lock = threading.Lock()
        self._heard = clock()
        self._console = console
        self._drawing = False
        self._rest: PlainView | None = None
        self._size = console.size
        self._drawn: list[Text] = []
        self._live = Live(
            console=console,
            get_renderable=self._now,
            refresh_per_second=4,
            transient=True,
            vertical_overflow="crop",
        )

    def on(self, event: Event) -> None:
        with self._lock:
            self._heard = self._clock()
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
        self._resized()
        if not self._drawing:
            return Text("")
        width, height = self._size
        with self._lock:
            elapsed_s = self.progress.now_ns / NS + self._clock() - self._heard
            self._drawn = picture(self.progress, elapsed_s, max(1, width - MARGIN), max(1, height - SPARE))
        return Group(*self._drawn)

    def _resized(self) -> None:
        """A terminal that became narrower has wrapped the last frame: there is more of it to take back."""
        size = self._console.size
        if size == self._size:
            return
        self._size = size
        rows = sum(max(1, math.ceil(line.cell_len / max(size.width, 1))) for line in self._drawn)
        if self._drawn:
            self._live._live_render._shape = (size.width, rows)
