"""The live view of a real run as a picture: replays a run's folder and draws what the terminal showed at a moment."""

from __future__ import annotations

import argparse
import io
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from chaoscheck import plugins
from chaoscheck.cli.aim import aim_for
from chaoscheck.cli.picture import picture
from chaoscheck.cli.progress import Progress
from chaoscheck.model.clock import NS
from chaoscheck.phases.sizing import size
from chaoscheck.store import RunFolder, load

FONTS = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
DARK = TerminalTheme(
    (17, 21, 28),
    (214, 219, 228),
    [
        *((41, 47, 58), (240, 100, 100), (110, 200, 120), (232, 190, 90)),
        *((100, 160, 240), (190, 130, 220), (90, 200, 215), (214, 219, 228)),
    ],
)


def main(words: Sequence[str] | None = None) -> int:
    """Write the picture; 0. The text goes to standard output where no file is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="a run's folder")
    parser.add_argument("--at", type=float, required=True, help="seconds into the run")
    parser.add_argument("--width", type=int, default=80)
    parser.add_argument("--height", type=int, default=24)
    parser.add_argument("--svg", type=Path, help="write a picture there instead")
    asked = parser.parse_args(words)
    plugins.load()
    lines = frame(load(asked.run), asked.at, asked.width - 3, asked.height - 2)
    if asked.svg:
        asked.svg.write_text(svg(lines, asked.width, f"chaoscheck run {title(asked.run)}"), encoding="utf-8")
    else:
        print("\n".join(line.plain.rstrip() for line in lines).rstrip(), file=sys.stdout)
    return 0


def title(run: Path) -> str:
    """The plan's name as the run was started with it."""
    return next((Path(word).name for word in load(run).result().command.split() if word.endswith(".yaml")), "")


def frame(folder: RunFolder, at_s: float, width: int, height: int) -> list[Text]:
    """What was to be seen `at_s` seconds into that run."""
    plan = folder.plan().plan
    progress = Progress(aim=aim_for(plan, size(plan)))
    for event in folder.events():
        if event.t_ns <= at_s * NS:
            progress.take(event)
    return picture(progress, at_s, width, height)


def svg(lines: Sequence[Text], width: int, name: str) -> str:
    """The lines as a picture that needs nothing from elsewhere: no font is fetched."""
    console = Console(record=True, file=io.StringIO(), width=width, force_terminal=True, color_system="truecolor")
    for line in lines:
        console.print(line, no_wrap=True)
    form = re.sub(r"@font-face \{\{.*?\n    \}\}\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    form = re.sub(r"<!--.*?-->", "", form).replace("Fira Code, monospace", FONTS)
    return console.export_svg(title=name, theme=DARK, code_format=form, unique_id="terminal")


if __name__ == "__main__":
    sys.exit(main())
