"""The end of a run on a terminal: the verdict and why first, the seed and the run's folder last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from chaoscheck.cli.findings import print_findings
from chaoscheck.cli.grids import matrix_view
from chaoscheck.cli.trimmed import Trimmed
from chaoscheck.errors import HistoryDamaged
from chaoscheck.model.events import Event, FindingSeen, Printed, Troubled
from chaoscheck.model.verdict import Affinity, Finding, Gate, KillRow, Level, PromiseSummary, Result, Verdict
from chaoscheck.reporting.text import one_line
from chaoscheck.reporting.units import SYMBOL, clock, count, measured, millis, percent, plural, seen_on, span
from chaoscheck.reporting.unjudged import unjudged
from chaoscheck.store import RunFolder, near

STYLE = {
    Verdict.PASS: "bold green",
    Verdict.FAIL: "bold red",
    Verdict.INVALID: "bold yellow",
    Verdict.INCONCLUSIVE: "bold blue",
}
LOG_LINES = 15
LISTED = 20
"""So many findings, or known ones, get a line at least."""


def print_summary(
    console: Console, result: Result, folder: Path, *, verbose: bool = False, matrix: bool = True
) -> None:
    """Everything a reader needs to believe the verdict, or to doubt it, in 80 columns and without colour.

    The verdict is the first thing, for a log, and stands again in the last lines, for whoever sees only those.
    `verbose` shows the passed gates, every finding, every strike and every grid as well; `matrix` is False where the
    matrix was shown before.
    """
    events = _events(folder)
    stopped = [_trouble(events, result.reason), _printed(events, result)]
    _print(console, [_verdict(result), *stopped, _gates(_telling(result, verbose, events))])
    decisive = result.decisive
    print_findings(console, decisive, result.promises, whole=verbose)
    _print(
        console,
        [
            _aside([one for one in result.findings if one not in decisive], result.promises),
            _mild(result.gates, verbose),
            matrix_view(result.matrix, console.width, whole=verbose) if matrix else None,
            _evidence(result.promises) if result.kills or verbose else None,
            _kill_table(result.kills) if verbose else None,
            _strikes(result),
            _withdrawn(events, result.findings),
            _warnings(result.warnings),
        ],
    )
    _close(console, result, folder)


def _close(console: Console, result: Result, folder: Path) -> None:
    verdict = result.verdict
    console.print(Text.assemble((f"{verdict.value:<6}", STYLE[verdict]), "  ", _ending(result)), highlight=False)
    lines = [("again", result.command), ("seed", f"{result.seed} (fixes the strikes, not their outcome)")]
    report = folder / "report.html"
    for name, value in [*lines, *([("report", near(report))] if report.exists() else []), ("run", near(folder))]:
        console.print(Text.assemble((f"{name:<8}", "dim"), one_line(value)), soft_wrap=True, highlight=False)


def _ending(result: Result) -> str:
    """The run in figures, on one line."""
    findings = len(result.decisive)
    known = sum(bool(one.known) for one in result.findings)
    warned = len(result.findings) - findings - known
    kills = sum(row.confirmed for row in result.kills)
    figures = [
        plural(findings, "finding") if findings else "no finding",
        *([f"{known} known"] if known else []),
        *([f"{warned} that only warn"] if warned else []),
        plural(kills, "kill"),
        f"{count(sum(row.exposures for row in result.promises))} exposures",
        span(result.duration_s),
    ]
    return ", ".join(figures)


def _telling(result: Result, verbose: bool, events: Iterable[Event]) -> list[Gate]:
    """The gates that decide. What is only missing is no news beside what is broken, a broken promise is told by its
    findings, and what stopped the run by the verdict's reason."""
    stops = [event.message for event in events if isinstance(event, Troubled) and event.message in result.reason]
    least = 1 if result.verdict.rank <= Verdict.INCONCLUSIVE.rank else 2
    broken = {one.promise for one in result.decisive if one.verdict is Verdict.FAIL}

    def tells(gate: Gate) -> bool:
        by_finding = gate.group == "promises" and gate.name in broken and gate.verdict is Verdict.FAIL
        told = any(gate.actual.startswith(message) for message in stops)
        return gate.counts and gate.verdict.rank >= least and not by_finding and not told

    return [gate for gate in result.gates if verbose or tells(gate)]


def _print(console: Console, parts: Iterable[RenderableType | None]) -> None:
    for part in parts:
        if part is not None:
            console.print(Trimmed(part), highlight=False)
            console.print()


def _verdict(result: Result) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_row(Text(result.verdict.value, style=STYLE[result.verdict]), Text(one_line(result.reason), style="bold"))
    if result.interrupted:
        table.add_row("", "the run was ended early; this judges what there was")
    if result.expected and result.expected != result.verdict:
        table.add_row("", Text(one_line(f"the plan expects {result.expected}: {result.because}"), style="yellow"))
    return table


def _events(folder: Path) -> Sequence[Event]:
    """Nothing of a run whose events can't be read: what is wrong with it is in the result."""
    try:
        return RunFolder(folder).events()
    except HistoryDamaged:
        return ()


def _trouble(events: Iterable[Event], reason: str) -> RenderableType | None:
    """What stopped the run, unless the verdict's reason said it, with the last lines of its evidence."""
    for event in events:
        if isinstance(event, Troubled):
            lines = [
                Text(f"  | {one_line(line, 200)}", style="dim") for line in event.details.splitlines()[-LOG_LINES:]
            ]
            hint = [Text(f"hint: {one_line(event.hint)}")] if event.hint else []
            told = event.message in reason
            head = [] if told else [Text(one_line(f"stopped in {event.during}: {event.message}"))]
            return Group(*head, *lines, *hint)
    return None


def _printed(events: Iterable[Event], result: Result) -> RenderableType | None:
    """What an instance printed that gave the controls no good answer, where nothing else stopped the run."""
    if result.verdict is not Verdict.INVALID or any(isinstance(event, Troubled) for event in events):
        return None
    for event in events:
        if isinstance(event, Printed) and event.log.strip():
            said = event.log.splitlines()[-LOG_LINES:]
            head = Text(one_line(f"{event.instance} answered {event.seen}; it printed last:"))
            return Group(head, *(Text(f"  | {one_line(line, 200)}", style="dim") for line in said))
    return None


def _gates(gates: list[Gate]) -> RenderableType | None:
    table = Table.grid(padding=(0, 1))
    for gate in sorted(gates, key=lambda gate: -gate.verdict.rank):
        says = Text.assemble((f"{one_line(gate.name)}: ", "bold"), one_line(_counted(gate), 300))
        group = Text(one_line(gate.group), style="dim")
        table.add_row(Text(SYMBOL[gate.verdict], style=STYLE[gate.verdict]), group, says)
        if gate.detail:
            table.add_row("", "", Text(one_line(gate.detail, 300), style="dim"))
    return table if table.row_count else None


def _counted(gate: Gate) -> str:
    return measured(gate) + (f"; n = {count(gate.n)}" if gate.n >= 0 else "")


def _aside(found: list[Finding], promises: Sequence[PromiseSummary]) -> RenderableType | None:
    """What doesn't count, on lines of its own: known, with the plan's reason and day, or the promise only warns."""
    if not found:
        return None
    rows: list[RenderableType] = []
    for finding in found[:LISTED]:
        head = f"{one_line(finding.promise)}: {one_line(finding.anomaly)}, {finding.cause}, "
        title = Text("KNOWN  " if finding.known else "WARNS  ", style="bold yellow")
        why = finding.known or "the plan lets this promise only warn: it doesn't count"
        rows.append(Text.assemble(title, head + seen_on(finding, promises)))
        rows.append(Padding(Text(one_line(why, 300), style="dim"), (0, 0, 0, 7)))
    if found[LISTED:]:
        rows.append(Text(f"       and {count(len(found) - LISTED)} more", style="dim"))
    return Group(*rows)


def _mild(gates: Sequence[Gate], verbose: bool) -> RenderableType | None:
    """Gates that the plan lets warn, and those that it switches off."""
    table = Table.grid(padding=(0, 1))
    for gate in gates:
        if gate.level is Level.WARN and (verbose or gate.verdict is not Verdict.PASS):
            says = Text.assemble((f"{one_line(gate.name)}: ", "bold"), one_line(_counted(gate), 300))
            table.add_row(Text(f"warns, not counted ({gate.verdict.value}):", style="yellow"), says)
    off = ", ".join(one_line(gate.name, 60) for gate in gates if gate.level is Level.OFF)
    parts: list[RenderableType] = [table] if table.row_count else []
    if off:
        parts.append(Text(f"switched off in the plan: {off}", style="dim"))
    return Group(*parts) if parts else None


def _evidence(promises: tuple[PromiseSummary, ...]) -> RenderableType | None:
    if not promises:
        return None
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    for heading in ("", "promise", "exposures", "needed", "broken", "objects lost", "kills that lose"):
        table.add_column(heading, justify="right" if heading not in ("", "promise") else "left", overflow="fold")
    for row in promises:
        table.add_row(
            Text(SYMBOL[row.verdict], style=STYLE[row.verdict]),
            Text(f"{one_line(row.promise, 20)} ({one_line(row.kind, 20)})"),
            count(row.exposures),
            count(row.needed),
            count(row.violations) + (f" ({count(row.known)} known)" if row.known else ""),
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
    if told := unjudged(result):
        table.add_row(Text("users", style="dim"), Text(told))
    if result.routing is not None and result.routing.affinity is not Affinity.UNKNOWN:
        table.add_row(Text("routing", style="dim"), Text(one_line(result.routing.words)))
    for gate in result.gates:
        if gate.group in ("budget", "recovery") and gate.counts:
            table.add_row(
                Text(one_line(gate.group), style="dim"),
                Text(one_line(f"{gate.name}: {gate.actual} ({gate.expected})")),
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
            Text(one_line(row.mode)),
            Text(one_line(row.victim)),
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
    if not meant:
        return f"none: nothing counted, {shams}"
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
        f"{one_line(anomaly)} {one_line(promise)}" + (f" x{number}" if number > 1 else "")
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
