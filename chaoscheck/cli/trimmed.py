"""Tables and paragraphs without the blanks that fill their lines: in a log and when pasted they are in the way."""

from __future__ import annotations

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment


class Trimmed:
    """Anything that can be drawn, each line ending where its text does."""

    def __init__(self, inner: RenderableType) -> None:
        self._inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in console.render_lines(self._inner, options, pad=False):
            kept = list(line)
            while kept and not kept[-1].text.rstrip(" "):
                kept.pop()
            if kept:
                text, style, control = kept.pop()
                kept.append(Segment(text.rstrip(" "), style, control))
            yield from kept
            yield Segment.line()
