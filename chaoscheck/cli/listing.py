"""`chaoscheck list`: the runs of a folder in a terminal, newest first."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from chaoscheck.cli.consoles import output, talk, write
from chaoscheck.cli.summary import STYLE
from chaoscheck.model.verdict import Verdict
from chaoscheck.reporting.heads import Head, heads
from chaoscheck.reporting.text import one_line
from chaoscheck.reporting.units import SYMBOL, plural, span

NARROW = 100
"""Below so many columns a run takes two lines."""


def list_runs(reports: Path, *, plan: str, as_json: bool, limit: int) -> int:
    """Show at most `limit` runs (0: all) whose plan's name holds `plan`; the exit code is 0, also for none."""
    found = [one for one in heads(reports) if plan.lower() in one.plan.lower()]
    shown = found[:limit] if limit else found
    if as_json:
        write(json.dumps([_json(one) for one in shown], indent=1) + "\n")
        return 0
    if not found:
        of = f" of a plan like '{plan}'" if plan else ""
        talk().print(f"no run{of} in {reports}")
        return 0
    out = output()
    out.print(_wide(shown) if out.width >= NARROW else _narrow(shown, out))
    if len(found) > len(shown):
        talk().print(f"{plural(len(found) - len(shown), 'older run')} not shown; -n 0 shows all")
    return 0


def _wide(shown: Sequence[Head]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    for heading in ("verdict", "when (UTC)", "plan", "took", "exposures", "run and why"):
        table.add_column(heading, justify="right" if heading in ("took", "exposures") else "left", overflow="fold")
    for one in shown:
        why = Text(one.run, style="dim", overflow="ellipsis", no_wrap=True)
        why.append("\n" + _why(one), style="not dim")
        table.add_row(_verdict(one), _when(one), one_line(one.plan, 32), span(one.duration_s), _exposures(one), why)
    return table


def _narrow(shown: Sequence[Head], console: Console) -> Text:
    """Two lines a run, neither longer than the terminal."""
    lines = Text()
    for one in shown:
        when, took = _when(one), span(one.duration_s)
        head = Text.assemble(_verdict(one), " " * (14 - _verdict(one).cell_len), f"  {when:<19}  {took:>10}  ")
        head.append(one_line(one.plan, max(console.width - head.cell_len, 12)))
        why = Text(f"  {_why(one)}")
        for line in (head, why, Text(f"  {one.run}", style="dim")):
            line.truncate(console.width, overflow="ellipsis")
            lines.append_text(line).append("\n")
    lines.right_crop(1)
    return lines


def _verdict(one: Head) -> Text:
    if one.verdict is None:
        return Text("· no verdict", style="dim")
    return Text(f"{SYMBOL[one.verdict]} {one.verdict.value}", style=STYLE[one.verdict])


def _when(one: Head) -> str:
    return one.started.replace("T", " ").removesuffix("Z") or "unknown"


def _exposures(one: Head) -> str:
    return f"{one.exposures:,} of {one.needed:,}" if one.needed > 0 else "-"


def _why(one: Head) -> str:
    return one_line(one.reason or one.trouble) + (" (ended early)" if one.interrupted else "")


def _known(number: float) -> float | None:
    return number if number >= 0 else None


def _json(one: Head) -> dict[str, str | int | float | bool | None]:
    """The same keys for every run, with null for what isn't known of it, and never anything in its place."""
    verdict: Verdict | None = one.verdict
    return {
        "run": one.run,
        "folder": str(one.folder),
        "status": verdict.value if verdict else "no verdict",
        "verdict": verdict.value if verdict else None,
        "reason": one.reason or one.trouble,
        "trouble": one.trouble,
        "plan": one.plan or None,
        "started": one.started or None,
        "seed": one.seed,
        "duration_s": _known(one.duration_s),
        "instances": one.instances or None,
        "engine": one.engine or None,
        "interrupted": one.interrupted,
        "kills": _known(one.kills),
        "exposures": _known(one.exposures),
        "needed": _known(one.needed),
        "report": str(one.folder / "report.html") if one.report else None,
    }
