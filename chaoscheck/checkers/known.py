"""Findings that the plan knows of: shown like any other, deciding nothing until their day is over.

Only what breaks a promise can be known: a finding that makes the run INVALID says that nothing can be told, and no plan
changes that. The day is that of the run's start (UTC), so that judging again gives the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime

from chaoscheck.checkers.findings import BROKEN
from chaoscheck.checkers.states import CRITICAL
from chaoscheck.errors import PlanError
from chaoscheck.model.clock import NS
from chaoscheck.model.events import RunStarted
from chaoscheck.model.verdict import Finding, Gate, PromiseSummary, Verdict
from chaoscheck.plan.gating import Known
from chaoscheck.plan.plan import LoadedPlan
from chaoscheck.promises.base import KINDS
from chaoscheck.registry import nearest


def check_known(loaded: LoadedPlan) -> None:
    """Each entry names a promise, and a finding that its kind can come to. Raises PlanError, with the line."""
    said: dict[tuple[str, str, str], int] = {}
    for number, entry in enumerate(loaded.plan.known):
        terms = loaded.plan.promises.get(entry.promise)
        if terms is None:
            raise PlanError(
                f"known: no promise is named '{entry.promise}'",
                hint=nearest(entry.promise, loaded.plan.promises),
                place=loaded.place("known", str(number), "promise"),
            )
        names = anomalies(terms.kind)
        if entry.finding not in names:
            raise PlanError(
                f"known: a promise of kind {terms.kind} has no finding '{entry.finding}'",
                hint=nearest(entry.finding.upper(), names),
                place=loaded.place("known", str(number), "finding"),
            )
        if entry.finding in CRITICAL:
            raise PlanError(
                f"known: {entry.finding} shows one user what is another's, and no plan can let that pass",
                hint="mend the service; nothing else of this promise is safe to judge before",
                place=loaded.place("known", str(number), "finding"),
            )
        key = (entry.promise, entry.finding, entry.cause or "")
        if key in said:
            raise PlanError(
                f"known: {entry.promise} {entry.finding} stands twice, first as entry {said[key] + 1}",
                hint="keep one of them, or tell them apart by their cause",
                place=loaded.place("known", str(number)),
            )
        said[key] = number


def anomalies(kind: str) -> frozenset[str]:
    """The names of findings that a promise of that kind can come to."""
    words = KINDS.get(kind).words
    return frozenset(words.broken) | {words.missing} | (frozenset(BROKEN) - {"LOST"})


def started_on(start: RunStarted | None) -> date:
    """The day (UTC) on which a run began; the last of all where that isn't known, so that nothing is excused."""
    return datetime.fromtimestamp(start.wall_ns // NS, UTC).date() if start is not None else date.max


def marked(found: Iterable[Finding], entries: Sequence[Known], day: date) -> list[Finding]:
    """The findings, those that an entry covers on that `day` with its reason."""
    return [_marked(one, entries, day) for one in found]


def _marked(one: Finding, entries: Sequence[Known], day: date) -> Finding:
    entry = _covering(one, entries)
    if entry is None:
        return one
    if day > entry.until:
        return replace(one, summary=f"{one.summary} (known until {entry.until} is over: {entry.because})")
    return replace(one, known=f"{entry.because} (until {entry.until})")


def _covering(one: Finding, entries: Sequence[Known]) -> Known | None:
    """The entry that says most of it."""
    if one.verdict is not Verdict.FAIL:
        return None
    covering = [entry for entry in entries if entry.covers(one.promise, one.anomaly, one.cause)]
    return max(covering, key=lambda entry: entry.cause is not None, default=None)


def notes(
    loaded: LoadedPlan, found: Sequence[Finding], gates: Iterable[Gate], promises: Sequence[PromiseSummary], day: date
) -> list[str]:
    """What the plan's owner should do about its entries: those whose day is over, and those that nothing shows now.

    That something did not occur is only said by a run that went to its end and whose evidence for the promise suffices.
    """
    whole = all(gate.verdict is Verdict.PASS for gate in gates if gate.group in ("assumptions", "coverage"))
    able = {one.promise for one in promises if whole and one.verdict is Verdict.PASS}
    seen = [entry for one in found if (entry := _covering(one, loaded.plan.known)) is not None]
    lines = []
    for number, entry in enumerate(loaded.plan.known):
        name = f"known: {entry.promise} {entry.finding}" + (f" ({entry.cause})" if entry.cause else "")
        line = loaded.line("known", str(number))
        if entry in seen and day > entry.until:
            lines.append(f"{name} is over since {entry.until}, so it fails again: {entry.because}")
        elif entry not in seen and entry.promise in able:
            lines.append(f"{name} did not occur; remove it from the plan" + (f", line {line}" if line else ""))
    return lines
