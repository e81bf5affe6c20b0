"""A terminal for tests: a file that says it is one, and what it shows after all that was written to it."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable

from rich.console import Console

from chaoscheck.cli.live import LiveView
from chaoscheck.cli.progress import Aim
from chaoscheck.model import events as ev
from chaoscheck.model.clock import NS


class Tty(io.StringIO):
    """Where a person watches."""

    def isatty(self) -> bool:
        return True


def on_screen(written: str, width: int = 80, height: int = 24) -> list[str]:
    """What a terminal of that size shows in the end, what scrolled off it included."""
    rows, row, column = [""], 0, 0
    for code, final, plain in re.findall(r"\x1b\[([\d;?]*)([A-Za-z])|([^\x1b])", written):
        if final == "A":
            row = max(row - int(code or 1), len(rows) - height, 0)
        elif final == "K":
            rows[row] = ""
        elif plain == "\r":
            column = 0
        elif plain:
            if plain == "\n" or column >= width:
                row, column = row + 1, 0
                rows += [""] * (row + 1 - len(rows))
            if plain != "\n":
                rows[row] = f"{rows[row][:column]:<{column}}{plain}{rows[row][column + 1 :]}"
                column += 1
    return [line.rstrip() for line in rows]


def watched(events: Iterable[ev.Event], until_s: float, aim: Aim, width: int = 80, height: int = 24) -> list[str]:
    """The screen of whoever watches a run, `until_s` seconds into it."""
    out = Tty()
    console = Console(file=out, force_terminal=True, width=width, height=height)
    told = [event for event in events if event.t_ns <= until_s * NS]
    late_s = until_s - max(event.t_ns for event in told) / NS
    now = 0.0
    with LiveView(console, aim, clock=lambda: now) as view:
        for event in told:
            view.on(event)
        now += late_s
        view._live.refresh()
        shown = out.getvalue()
    return on_screen(shown, width, height)
