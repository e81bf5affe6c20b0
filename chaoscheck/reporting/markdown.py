"""summary.md: the run for a pull request's comment, and for the page of a CI job."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar

from chaoscheck.model.events import Event
from chaoscheck.model.verdict import Finding, Gate, Level, PromiseSummary, Result, Verdict
from chaoscheck.reporting.base import REPORTERS
from chaoscheck.reporting.chain import finding_lines
from chaoscheck.reporting.marks import block, code, in_html, prose
from chaoscheck.reporting.units import count, percent, plural, seen_on
from chaoscheck.reporting.unjudged import unjudged

LIMIT = 60_000
"""Bytes. A comment on GitHub holds 65,536 characters, the summary of a job a MiB; what is too long is dropped whole."""

MARK = {Verdict.PASS: "✅", Verdict.FAIL: "❌", Verdict.INVALID: "⚠️", Verdict.INCONCLUSIVE: "❔"}
PARTLY = "🟡"
CELL = 300


@REPORTERS.add("markdown")
class MarkdownReporter:
    """What services answered stands in code, where no markup, mention or link means anything."""

    name: ClassVar[str] = "markdown"
    file: ClassVar[str] = "summary.md"

    def write(self, result: Result, events: list[Event], folder: Path) -> Path:
        path = folder / self.file
        path.write_bytes(markdown(result).encode("utf-8"))
        return path


def markdown(result: Result) -> str:
    """The document: verdict, gates, findings, evidence, how to repeat it. At most `LIMIT` bytes: findings give way."""
    head = [*_verdict(result), *_gates(result)]
    tail = [*_evidence(result.promises), *_warnings(result), *_again(result)]
    room = LIMIT - _size([*head, *tail]) - 200
    shown: list[str] = []
    for number, finding in enumerate(result.findings, start=1):
        part = _finding(number, finding, result.promises)
        if _size([*shown, *part]) > room:
            left = plural(len(result.findings) - number + 1, "more finding")
            shown += [f"{left}: see report.html.", ""]
            break
        shown += part
    title = ["### Findings", ""] if shown else []
    text = "\n".join([*head, *title, *shown, *tail]) + "\n"
    return text if len(text.encode("utf-8")) <= LIMIT else "\n".join([*_verdict(result), *_again(result)]) + "\n"


def _size(lines: list[str]) -> int:
    return sum(len(line.encode("utf-8")) + 1 for line in lines)


def _verdict(result: Result) -> list[str]:
    kills = sum(1 for row in result.kills if row.confirmed)
    told = f"{plural(kills, 'kill')}, {plural(result.operations, 'request')}, {result.duration_s:.0f} s"
    expected = [f"The plan expects {result.expected}: {prose(result.because, CELL)}", ""]
    return [
        f"## {_mark(result)} chaoscheck: {result.verdict} {prose(result.plan, 100)}",
        "",
        f"**{result.verdict}**: {prose(result.reason, 600)}",
        "",
        *(expected if result.expected and result.expected != result.verdict else []),
        f"{told}, seed {result.seed}, {plural(result.instances, 'instance')} on {prose(result.engine)} "
        f"behind {prose(result.balancer)}",
        "",
        *([f"Users: {told}.", ""] if (told := unjudged(result)) else []),
    ]


def _mark(result: Result) -> str:
    """A pass of which something was left out isn't as green as one of everything."""
    left_out = any(gate.known or not gate.counts for gate in result.gates)
    return PARTLY if result.verdict is Verdict.PASS and left_out else MARK[result.verdict]


def _gates(result: Result) -> list[str]:
    """Every promise, and what isn't plainly passed; the rest is folded away, and what is only missing beside a FAIL."""
    least = min(result.verdict.rank, Verdict.INVALID.rank)
    first = [gate for gate in result.gates if gate.group == "promises" or _stands_out(gate, least)]
    rest = [gate for gate in result.gates if gate not in first]
    title = f"<details><summary>{plural(len(rest), 'more gate')}</summary>"
    return [*(_table(first) if first else []), *([title, "", *_table(rest), "</details>", ""] if rest else [])]


def _stands_out(gate: Gate, least: int) -> bool:
    if not gate.counts or gate.known:
        return True
    return gate.verdict is not Verdict.PASS and gate.verdict.rank >= least


def _table(gates: Iterable[Gate]) -> list[str]:
    rows = [
        f"| {_says(gate)} | {gate.group} | {prose(gate.name, 100)} | {prose(gate.expected, CELL)} "
        f"| {prose(gate.actual, CELL)} | {prose(gate.margin, 60)} | {gate.n if gate.n >= 0 else ''} |"
        for gate in gates
    ]
    return ["| verdict | group | gate | expected | was | margin | n |", "|---|---|---|---|---|---|---|", *rows, ""]


def _says(gate: Gate) -> str:
    if gate.level is Level.OFF:
        return "off"
    if gate.known:
        return f"KNOWN, else {gate.verdict}"
    return f"{MARK[gate.verdict]} {gate.verdict}" if gate.counts else f"{gate.verdict} (warn)"


def _finding(number: int, finding: Finding, promises: tuple[PromiseSummary, ...]) -> list[str]:
    sort = "KNOWN" if finding.known else str(finding.verdict)
    title = f"{in_html(finding.promise, 60)} {in_html(finding.anomaly)}, {in_html(finding.cause.value)}"
    return [
        f"<details{' open' if number == 1 and not finding.known else ''}>"
        f"<summary>{number}. {sort} {title}, {in_html(seen_on(finding, promises))}</summary>",
        "",
        f"What: {prose(finding.summary, 600)}",
        "",
        *([f"Known: {prose(finding.known, 600)}", ""] if finding.known else []),
        *([f"Fix: {prose(finding.fix, 600)}", ""] if finding.fix else []),
        *([f"Plan: {code(finding.place)}", ""] if finding.place else []),
        *block(finding_lines(finding)),
        "",
        "</details>",
        "",
    ]


def _evidence(promises: tuple[PromiseSummary, ...]) -> list[str]:
    if not promises:
        return []
    rows = [f"| {' | '.join(_row(one))} |" for one in promises]
    return [
        "### Evidence",
        "",
        "| promise | kind | exposures | needed | broken | known | objects lost | kills that lose |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
        *rows,
        "",
    ]


def _row(one: PromiseSummary) -> Iterator[str]:
    clean = one.exposures and not one.violations
    yield from (prose(one.promise, 60), prose(one.kind), count(one.exposures), count(one.needed))
    yield from (count(one.violations), count(one.known))
    yield from (f"at most {percent(bound)}" if clean else "" for bound in (one.bound_exposure, one.bound_kill))


def _warnings(result: Result) -> list[str]:
    return [*(f"- warning: {prose(line, 400)}" for line in result.warnings), *([""] if result.warnings else [])]


def _again(result: Result) -> list[str]:
    return [
        f"Again: {code(result.command, 1000)} (seed {result.seed} fixes the strikes, not their outcome). "
        f"Run {code(result.run, 200)}, chaoscheck {prose(result.chaoscheck, 30)}; "
        "report.html in its folder has it all, and `chaoscheck check` judges it again.",
    ]
