"""`chaoscheck compare`: what changed from one run to another, and whether the second is worse."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from chaoscheck.cli.consoles import output, write
from chaoscheck.cli.summary import STYLE
from chaoscheck.errors import HistoryDamaged
from chaoscheck.model.codec import encode
from chaoscheck.model.verdict import Verdict
from chaoscheck.reporting.comparison import Change, Comparison, FindingChange, Spread, compare
from chaoscheck.reporting.heads import Head, heads
from chaoscheck.reporting.text import one_line, visible
from chaoscheck.reporting.units import NONE, SYMBOL, count, millis, plural
from chaoscheck.steps.mask import Masker
from chaoscheck.store import LATEST, RunFolder, load

PREVIOUS = "previous"
WORSE = 1
_STYLES = {"new": "red", "gone": "green"}


def compare_runs(before: str, after: str, *, reports: Path, as_json: bool) -> int:
    """Show it; 0 when the second run is no worse than the first, 1 when it is. Raises HistoryDamaged."""
    folders = find_run(before, reports), find_run(after, reports)
    first, second = (folder.result() for folder in folders)
    made = compare(first, second, (_plan(folders[0]), _plan(folders[1])))
    if as_json:
        write(json.dumps(encode(made), indent=1, allow_nan=False) + "\n")
    else:
        _show(output(), made)
    return WORSE if made.worse else 0


def find_run(name: str, reports: Path) -> RunFolder:
    """The run of a folder, a name (or a part of one) below `reports`, `latest`, or `previous`: the newest run of the
    latest one's plan that is older than it. Raises HistoryDamaged with a hint."""
    if name not in (LATEST, PREVIOUS) and Path(name).is_dir():
        return load(Path(name))
    judged = [one for one in heads(reports) if one.verdict is not None]
    if name in (LATEST, PREVIOUS):
        return RunFolder(_recent(judged, name, reports).folder)
    matches = [one for one in judged if name in one.run]
    exact = [one for one in matches if one.run == name]
    if len(exact or matches) == 1:
        return RunFolder((exact or matches)[0].folder)
    hint = "chaoscheck list shows the runs there are; --reports names another folder"
    if matches:
        raise HistoryDamaged(f"{len(matches)} runs in {reports} are called something with '{name}'", hint=hint)
    raise HistoryDamaged(f"there is no run '{name}', neither as a folder nor in {reports}", hint=hint)


def found(name: str, reports: Path) -> bool:
    """Whether that names a run at all."""
    try:
        find_run(name, reports)
    except HistoryDamaged:
        return False
    return True


def _recent(judged: list[Head], name: str, reports: Path) -> Head:
    if not judged:
        raise HistoryDamaged(f"no run in {reports} has a verdict yet", hint="--reports names another folder")
    same = [one for one in judged if one.plan == judged[0].plan]
    if name == LATEST:
        return judged[0]
    if len(same) < 2:
        raise HistoryDamaged(
            f"{judged[0].run} is the only run of {judged[0].plan} in {reports}, so there is none before it",
            hint="name both runs; chaoscheck list shows them",
        )
    return same[1]


def _plan(folder: RunFolder) -> str:
    """As run, with secrets masked: a comparison is passed around more freely than a run's folder."""
    loaded = folder.plan()
    return Masker([*loaded.plan.secrets, loaded.plan.accounts.password]).text(loaded.text)


def _show(console: Console, made: Comparison) -> None:
    for mark, run, verdict, why in zip("AB", made.runs, made.verdicts, made.reasons, strict=True):
        console.print(Text.assemble((f"{mark}  ", "dim"), (f"{_word(verdict)}  ", STYLE[verdict]), one_line(run)))
        console.print(Padding(Text(one_line(why), style="dim"), (0, 0, 0, 3)))
    console.print()
    if made.worse:
        console.print(Text(f"B is worse: {one_line(made.worse[0])}", style="bold red"))
        for reason in made.worse[1:]:
            console.print(Padding(Text(one_line(reason)), (0, 0, 0, 12)))
    else:
        console.print(Text("B is no worse than A", style="bold green"))
    for title, parts in (
        ("findings", _findings(made.findings)),
        ("gates that changed", _changes(made.gates)),
        ("evidence", _evidence(made)),
        ("kills", _kills(made)),
        ("users' latency", _latency(made)),
        ("plan", _diff(made.plan)),
        ("otherwise", _changes(made.facts)),
    ):
        lines = list(parts)
        if lines:
            console.print()
            console.print(Text(title, style="bold"))
        for line in lines:
            console.print(Padding(line, (0, 0, 0, 2)))


def _word(verdict: Verdict) -> str:
    return f"{SYMBOL[verdict]} {verdict.value}"


def _findings(findings: Iterable[FindingChange]) -> Iterator[Text]:
    for one in findings:
        how = "new" if not one.before else "gone" if not one.after else "same"
        numbers = f"{count(one.before)} → {count(one.after)}" if how == "same" else count(one.before or one.after)
        known = " (known)" if one.known else ""
        yield Text.assemble(
            (f"{how:<5}", _STYLES.get(how, "dim")),
            f"{one_line(one.promise)}: {one.anomaly}, {one.cause}{known}: {numbers}",
        )


def _changes(changes: Iterable[Change]) -> Iterator[Text]:
    for one in changes:
        told = f"{one_line(one.before) or NONE} → {one_line(one.after) or NONE}"
        if len(one.name) + len(told) < 70:
            yield Text(f"{one_line(one.name)}: {told}")
            continue
        yield Text(one_line(one.name))
        for mark, told in (("A", one.before), ("B", one.after)):
            yield Text.assemble((f"  {mark}  ", "dim"), one_line(told, 300) or NONE)


def _evidence(made: Comparison) -> Iterator[Table]:
    if made.evidence:
        table = _table("promise", "exposures A", "B", "needed", "broken A", "B")
        for one in made.evidence:
            table.add_row(
                one_line(one.promise, 24), *(count(each) for each in one.exposures), count(max(one.needed)),
                *(count(each) for each in one.violations),
            )  # fmt: skip
        yield table


def _kills(made: Comparison) -> Iterator[Table | Text]:
    if not made.kills:
        return
    table = _table("over kills", "A median (range)", "B median (range)", "")
    for one in made.kills:
        p = f", p = {one.p:.2g}" if one.p >= 0 else ""
        table.add_row(one.name, _spread(one.before, one.unit), _spread(one.after, one.unit), one.told + p)
    yield table
    yield Text("Mann-Whitney over kills; what the machine did to a whole run is not in it", style="dim")


def _spread(one: Spread, unit: str) -> str:
    if not one.n:
        return NONE
    values = [millis(value) if unit == "ms" else f"{value:.2f} {unit}" for value in (one.median, one.low, one.high)]
    return f"{values[0]} ({values[1]} to {values[2]}, {plural(one.n, 'kill')})"


def _latency(made: Comparison) -> Iterator[Table | Text]:
    if not made.latency:
        return
    table = _table("phase", "", "A", "B", "B/A", "")
    for one in made.latency:
        table.add_row(
            one.phase, one.rank, millis(one.before_ms), millis(one.after_ms), f"{one.ratio:.2f}", one.told
        )  # fmt: skip
    yield table
    yield Text("differs: where it lay for four fifths of a phase does not overlap; it decides nothing", style="dim")


def _diff(lines: Iterable[str]) -> Iterator[Text]:
    for line in lines:
        style = "green" if line.startswith("+") else "red" if line.startswith("-") else "dim"
        yield Text(visible(line), style=style)


def _table(*headings: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    for index, heading in enumerate(headings):
        table.add_column(heading, justify="left" if index == 0 else "right", overflow="fold")
    return table
