"""The end of a run on a terminal: the verdict and why first, the seed and the run's folder last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from chaoscheck.cli.grids import matrix_view
from chaoscheck.errors import HistoryDamaged
from chaoscheck.model.events import Event, FindingSeen, Troubled
from chaoscheck.model.verdict import Affinity, Cause, ChainLink, Finding, Gate, KillRow, PromiseSummary, Result, Verdict
from chaoscheck.reporting.chain import happened, is_request
from chaoscheck.reporting.page import SYMBOL
from chaoscheck.reporting.text import one_line
from chaoscheck.reporting.units import clock, count, millis, percent, plural, seen_on
from chaoscheck.store import RunFolder

STYLE = {
    Verdict.PASS: "bold green",
    Verdict.FAIL: "bold red",
    Verdict.INVALID: "bold yellow",
    Verdict.INCONCLUSIVE: "bold blue",
}
LOG_LINES = 15
SHOWN = 3
"""So many findings are shown; the report has them all."""


def print_summary(
    console: Console, result: Result, folder: Path, *, verbose: bool = False, matrix: bool = True
) -> None:
    """Everything a reader needs to believe the verdict, or to doubt it, in 80 columns and without colour.

    `verbose` shows the passed gates, every finding, every strike and every grid as well; `matrix` is False where the
    matrix was shown before.
    """
    # What is only missing matters little beside what is broken.
    least = 1 if result.verdict.rank <= Verdict.INCONCLUSIVE.rank else 2
    gates = [gate for gate in result.gates if verbose or gate.verdict.rank >= least]
    events = _events(folder)
    parts = [_verdict(result), _trouble(events), _gates(gates)]
    _print(console, parts)
    found = result.findings
    shown = len(found) if verbose else SHOWN
    for number, finding in enumerate(found[:shown], start=1):
        _print_finding(console, number, finding, result.promises)
    if found[shown:]:
        _print(console, [Text(f"and {plural(len(found) - shown, 'more finding')} in the report", style="dim")])
    _print(
        console,
        [
            matrix_view(result.matrix, console.width, whole=verbose) if matrix else None,
            _evidence(result.promises),
            _kill_table(result.kills) if verbose else None,
            _strikes(result),
            _withdrawn(events, result.findings),
            _warnings(result.warnings),
        ],
    )
    lines = [("again", result.command), ("seed", f"{result.seed} (fixes the strikes, not their outcome)")]
    report = folder / "report.html"
    for name, value in [*lines, *([("report", near(report))] if report.exists() else []), ("run", near(folder))]:
        console.print(Text.assemble((f"{name:<8}", "dim"), one_line(value)), soft_wrap=True, highlight=False)


def near(path: Path) -> str:
    """The path from the current folder where it lies below it."""
    whole, here = path.resolve(), Path.cwd()
    return str(whole.relative_to(here)) if whole.is_relative_to(here) else str(path)


def _print(console: Console, parts: Iterable[RenderableType | None]) -> None:
    for part in parts:
        if part is not None:
            console.print(part, highlight=False)
            console.print()


def _verdict(result: Result) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_row(Text(result.verdict.value, style=STYLE[result.verdict]), Text(one_line(result.reason), style="bold"))
    if result.interrupted:
        table.add_row("", "the run was ended early; this judges what there was")
    if result.expected and result.expected != result.verdict:
        table.add_row("", Text(f"the plan expects {result.expected}: {one_line(result.because)}", style="yellow"))
    return table


def _events(folder: Path) -> Sequence[Event]:
    """Nothing of a run whose events can't be read: what is wrong with it is in the result."""
    try:
        return RunFolder(folder).events()
    except HistoryDamaged:
        return ()


def _trouble(events: Iterable[Event]) -> RenderableType | None:
    """What stopped the run, with the last lines of its evidence."""
    for event in events:
        if isinstance(event, Troubled):
            lines = [
                Text(f"  | {one_line(line, 200)}", style="dim") for line in event.details.splitlines()[-LOG_LINES:]
            ]
            hint = [Text(f"hint: {one_line(event.hint)}")] if event.hint else []
            return Group(Text(f"stopped in {event.during}: {one_line(event.message)}"), *lines, *hint)
    return None


def _gates(gates: list[Gate]) -> RenderableType | None:
    table = Table.grid(padding=(0, 1))
    for gate in sorted(gates, key=lambda gate: -gate.verdict.rank):
        measured = f"expected {gate.expected}; was {gate.actual}" + (f"; n = {count(gate.n)}" if gate.n >= 0 else "")
        says = Text.assemble((f"{one_line(gate.name)}: ", "bold"), one_line(measured, 300))
        table.add_row(Text(SYMBOL[gate.verdict], style=STYLE[gate.verdict]), Text(gate.group, style="dim"), says)
        if gate.detail:
            table.add_row("", "", Text(one_line(gate.detail, 300), style="dim"))
    return table if table.row_count else None


def _print_finding(console: Console, number: int, finding: Finding, promises: Sequence[PromiseSummary]) -> None:
    critical = " (critical)" if finding.critical else ""
    where = seen_on(finding, promises)
    title = Text(
        f"{number}. {one_line(finding.promise)}: {finding.anomaly}, {finding.cause}, {where}{critical}",
        style="bold red",
    )
    blame = (
        f"{finding.wording} strike {finding.strike} of {finding.victim}"
        if finding.strike >= 0
        else "tied to no one kill"
        if finding.cause is Cause.BACKGROUND
        else "no kill is needed to see it"
    )
    for row in (title, _under(Text(one_line(finding.summary, 300))), _under(Text(f"{blame}, {clock(finding.at_ns)}"))):
        console.print(row, highlight=False)
    for link in finding.chain:
        _print_link(console, link)
    if finding.fix:
        console.print(_under(Text.assemble(("fix: ", "bold"), one_line(finding.fix))), highlight=False)
    console.print()


def _print_link(console: Console, link: ChainLink) -> None:
    """A request and its answer, or what happened between two of them."""
    sent = is_request(link)
    line = f"   {link.at_ns / 1e9:8.3f} s  {one_line(link.curl if sent else happened(link))}"
    # One long line: a command that was broken at 80 columns can't be pasted.
    console.print(Text(line, style="" if sent else "red"), soft_wrap=True)
    if sent:
        answer = f"-> {link.status or 'no answer'} from {link.instance or 'nobody known'}"
        note = f" ({one_line(link.note, 120)})" if link.note else ""
        console.print(Padding(Text(answer + note, style="dim"), (0, 0, 0, 15)), highlight=False)


def _under(text: Text) -> Padding:
    return Padding(text, (0, 0, 0, 3))


def _evidence(promises: tuple[PromiseSummary, ...]) -> RenderableType | None:
    if not promises:
        return None
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    for heading in ("", "promise", "exposures", "needed", "broken", "objects lost", "kills that lose"):
        table.add_column(heading, justify="right" if heading not in ("", "promise") else "left", overflow="fold")
    for row in promises:
        table.add_row(
            Text(SYMBOL[row.verdict], style=STYLE[row.verdict]),
            f"{one_line(row.promise, 20)} ({row.kind})",
            count(row.exposures),
            count(row.needed),
            count(row.violations),
            f"<= {percent(row.bound_exposure)}" if row.exposures and not row.violations else "-",
            f"<= {percent(row.bound_kill)}" if row.exposures and not row.violations else "-",
        )
    if not any(row.violations for row in promises):
        return table
    told = "exposures: put at risk by a kill and read back whole; broken: the sum of the promise's findings"
    return Group(table, Text(told, style="dim"))


def _strikes(result: Result) -> RenderableType | None:
    table = Table.grid(padding=(0, 2))
    if result.kills:
        table.add_row(Text("kills", style="dim"), Text(_kills(result.kills)))
    if result.routing is not None and result.routing.affinity is not Affinity.UNKNOWN:
        table.add_row(Text("routing", style="dim"), Text(one_line(result.routing.words)))
    for gate in result.gates:
        if gate.group in ("budget", "recovery"):
            table.add_row(
                Text(gate.group, style="dim"), Text(one_line(f"{gate.name}: {gate.actual} ({gate.expected})"))
            )
    return table if table.row_count else None


def _kill_table(rows: tuple[KillRow, ...]) -> RenderableType | None:
    if not rows:
        return None
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    for heading in ("strike", "mode", "victim", "died", "back after", "exposed", "lost", "bad s"):
        table.add_column(heading, justify="right" if heading in ("strike", "died", "back after", "bad s") else "left")
    for row in rows:
        died = clock(row.death_ns) if row.confirmed else "nobody" if row.mode == "sham" else "NOT CONFIRMED"
        table.add_row(
            str(row.index),
            row.mode,
            row.victim,
            died,
            millis(row.recovery_ms),
            count(sum(row.exposed.values())),
            count(sum(row.lost.values())),
            f"{row.bad_seconds:.2f}",
        )
    return table


def _kills(rows: tuple[KillRow, ...]) -> str:
    meant = [row for row in rows if row.mode != "sham"]
    landed = [row for row in meant if row.confirmed]
    back = sorted(row.recovery_ms for row in landed if row.recovery_ms >= 0)
    strength = f", at full strength again within {millis(back[-1])}" if back else ""
    flying, failed = sum(row.in_flight for row in landed), sum(row.in_flight_failed for row in landed)
    slots, shams = plural(len({row.slot for row in landed}), "slot"), plural(len(rows) - len(meant), "sham")
    return (
        f"{len(landed)} of {len(meant)} confirmed over {slots}, {shams}{strength}; "
        f"{plural(flying, 'request')} in flight, {failed} of them failed"
    )


def _withdrawn(events: Iterable[Event], findings: Iterable[Finding]) -> RenderableType | None:
    """What was shown while the run went on and is no finding: a worker knows only its own sessions, and no cause."""
    held = {(finding.promise, finding.anomaly) for finding in findings}
    seen = {(one.promise, one.anomaly, one.session, one.obj) for one in events if isinstance(one, FindingSeen)}
    sorts = Counter((promise, anomaly) for promise, anomaly, *_ in seen)
    told = [
        f"{anomaly} {one_line(promise)}" + (f" x{number}" if number > 1 else "")
        for (promise, anomaly), number in sorted(sorts.items())
        if (promise, anomaly) not in held
    ]
    if not told:
        return None
    return Text(
        f"seen live, not held: {', '.join(told)} (by the whole history it is no violation, or one that the plan "
        "allows, or part of another finding)"
    )


def _warnings(warnings: tuple[str, ...]) -> RenderableType | None:
    return (
        Group(*(Text(f"warning: {one_line(warning, 400)}", style="yellow") for warning in warnings))
        if warnings
        else None
    )
