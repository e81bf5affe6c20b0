"""What GitHub Actions reads from a step's output: annotations at the plan's lines.

A workflow command ends at its line's end, and a property at the next comma: both are written so that no text can end
them early. GitHub keeps ten annotations of a sort and drops the others, so the last one says how many there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chaoscheck.model.verdict import Finding, Gate, Level, Result, Verdict
from chaoscheck.reporting.text import one_line, visible
from chaoscheck.reporting.units import measured

MOST = 10
LONG = 3000


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One annotation: `sort` is error, warning or notice; `line` 0 where it belongs to no line."""

    sort: str
    title: str
    text: str
    line: int = 0


def commands(result: Result, plan: str) -> list[str]:
    """Workflow commands, a line each, errors first; `plan` is the plan's path, relative to the repository."""
    notes = [*_errors(result), *_warnings(result)]
    if result.verdict is Verdict.PASS:
        notes.append(Note(sort="notice", title="chaoscheck: PASS", text=result.reason))
    return [_command(note, plan) for sort in ("error", "warning", "notice") for note in _most(notes, sort)]


def _errors(result: Result) -> list[Note]:
    """What decided: findings, and the gates that are as bad as the run without one."""
    if result.verdict is Verdict.PASS:
        return []
    found = [one for one in result.decisive if one.verdict is result.verdict]
    told = {one.promise for one in found}
    gates = [
        gate
        for gate in result.gates
        if gate.counts and gate.verdict is result.verdict and not (gate.group == "promises" and gate.name in told)
    ]
    notes = [*(_of_finding(one, "error") for one in found), *(_of_gate(gate, "error") for gate in gates)]
    return notes or [Note(sort="error", title=f"chaoscheck: {result.verdict}", text=result.reason)]


def _warnings(result: Result) -> list[Note]:
    decisive = result.decisive
    found = [_of_finding(one, "warning") for one in result.findings if one not in decisive]
    told = {one.promise for one in result.findings}
    gates = [
        _of_gate(gate, "warning")
        for gate in result.gates
        if gate.level is Level.WARN and gate.verdict is not Verdict.PASS and gate.name not in told
    ]
    return [*found, *gates, *(Note(sort="warning", title="chaoscheck", text=text) for text in result.warnings)]


def _of_finding(one: Finding, sort: str) -> Note:
    state = "KNOWN" if one.known else str(one.verdict)
    known = f"\nknown: {one.known}" if one.known else ""
    fix = f"\nfix: {one.fix}" if one.fix else ""
    title = f"{state} {one.promise}: {one.anomaly}, {one.cause}"
    return Note(sort=sort, title=title, text=f"{one.summary}{known}{fix}", line=_line(one.place))


def _of_gate(gate: Gate, sort: str) -> Note:
    detail = f"\n{gate.detail}" if gate.detail else ""
    text = measured(gate) + detail
    return Note(sort=sort, title=f"{gate.verdict} {gate.name}", text=text, line=_line(gate.place))


def _line(place: str) -> int:
    number = place.rpartition(":")[2]
    return int(number) if number.isdecimal() else 0


def _most(notes: Sequence[Note], sort: str) -> list[Note]:
    mine = [note for note in notes if note.sort == sort]
    if len(mine) <= MOST:
        return mine
    more = f"and {len(mine) - MOST + 1} more, in the job's summary and the report"
    rest = Note(sort=sort, title="chaoscheck", text=more)
    return [*mine[: MOST - 1], rest]


def _command(note: Note, plan: str) -> str:
    places = [f"file={_property(plan)}"] if plan else []
    places += [f"line={note.line}"] if plan and note.line else []
    properties = ",".join([*places, f"title={_property(one_line(note.title, 200))}"])
    return f"::{note.sort} {properties}::{_data(note.text)}"


def _data(text: str) -> str:
    return visible(text)[:LONG].replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
