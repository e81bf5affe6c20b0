"""What the HTML page shows, gathered from a run's folder: everything decided here, the template only lays it out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from chaoscheck.errors import HistoryDamaged
from chaoscheck.model.events import Event, InstanceDied, Interrupted, StoreDied, TrafficSeen, Troubled, WorkerLost
from chaoscheck.model.history import Row
from chaoscheck.model.ops import Outcome
from chaoscheck.model.verdict import Finding, Gate, Result, Verdict
from chaoscheck.reporting.figure import Figure, caption, figure
from chaoscheck.reporting.lanes import lanes
from chaoscheck.reporting.matrix import Grid, grids
from chaoscheck.reporting.timeline import Strips, strips
from chaoscheck.reporting.units import clock, millis
from chaoscheck.steps.mask import Masker
from chaoscheck.store import RunFolder

ASKED = ("promises", "budget", "recovery", "coverage", "assumptions")
WHOLE = 40
"""So many findings are shown with their chains, the others as rows of a table: the page has to stay small."""

SYMBOL = {Verdict.PASS: "✓", Verdict.FAIL: "✗", Verdict.INVALID: "!", Verdict.INCONCLUSIVE: "?"}
MEANING = {
    Verdict.PASS: "Nothing was seen broken, and enough was tried to say so.",
    Verdict.FAIL: "Users would have noticed. What they would have seen is below.",
    Verdict.INVALID: "This run proves nothing, for or against the service: mend what it names, then run again.",
    Verdict.INCONCLUSIVE: "Nothing was seen broken, but too little was tried to call it safe.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Something that happened to the run itself; `log` is its evidence."""

    at: str
    what: str
    hint: str
    log: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """All that the template needs."""

    result: Result
    symbol: dict[Verdict, str]
    meaning: str
    groups: tuple[tuple[str, tuple[Gate, ...]], ...]
    findings: tuple[tuple[int, Finding], ...]
    whole: int
    figure: Figure
    caption: str
    strips: Strips
    outcomes: tuple[str, ...]
    grids: tuple[Grid, ...]
    incidents: tuple[Incident, ...]
    shares: tuple[tuple[str, int, float], ...]
    facts: tuple[tuple[str, str], ...]
    damage: str
    plan: str


def page(result: Result, events: list[Event], folder: Path) -> Page:
    """The page of that run. A history that can't be read leaves its strips empty and says so."""
    run = RunFolder(folder)
    drawn = lanes(events)
    seen, damage = _strips(run, drawn.start_ns, drawn.end_ns)
    findings = tuple(enumerate(result.findings, start=1))
    answered = sum(result.instances_share.values())
    return Page(
        result=result,
        symbol=SYMBOL,
        meaning=MEANING[result.verdict],
        findings=findings,
        whole=WHOLE,
        strips=seen,
        groups=grouped(result.gates),
        damage=damage,
        figure=figure(drawn, seen, findings[:WHOLE]),
        caption=caption(drawn),
        grids=grids(result.matrix),
        outcomes=tuple(name.value for name in Outcome if any(name in counts for counts in seen.lanes.values())),
        incidents=tuple(_incidents(events)),
        facts=tuple(_facts(result, events)),
        shares=tuple((name, number, number / answered) for name, number in result.instances_share.items() if answered),
        plan=_plan_text(run),
    )


def grouped(gates: Iterable[Gate]) -> tuple[tuple[str, tuple[Gate, ...]], ...]:
    """Gates by group: the group with the worst verdict first, then in the order in which readers ask for them; in each
    the worst gate first."""
    groups: dict[str, list[Gate]] = {}
    for gate in sorted(gates, key=lambda gate: -gate.verdict.rank):
        groups.setdefault(gate.group, []).append(gate)
    places = {name: place for place, name in enumerate(ASKED)}
    names = sorted(groups, key=lambda name: (-groups[name][0].verdict.rank, places.get(name, len(ASKED)), name))
    return tuple((name, tuple(groups[name])) for name in names)


def _strips(run: RunFolder, start_ns: int, end_ns: int) -> tuple[Strips, str]:
    try:
        return strips(run.rows(), start_ns, end_ns), ""
    except (HistoryDamaged, OSError) as error:
        nothing: tuple[Row, ...] = ()
        return strips(nothing, start_ns, end_ns), f"The history can't be read, so the strips are empty: {error}"


def _incidents(events: Iterable[Event]) -> Iterable[Incident]:
    for event in events:
        at = clock(event.t_ns)
        if isinstance(event, Troubled):
            yield Incident(
                at=at,
                what=f"The run stopped while in {event.during}: {event.message} ({event.kind})",
                hint=event.hint,
                log=event.details,
            )
        elif isinstance(event, Interrupted):
            yield Incident(at=at, what=f"The run was ended early by its user while in {event.during}.", hint="", log="")
        elif isinstance(event, WorkerLost):
            yield Incident(at=at, what=f"Worker {event.worker} ended by itself.", hint="", log=event.detail)
        elif isinstance(event, StoreDied):
            yield Incident(at=at, what=f"Store {event.store} ended or restarted unasked.", hint="", log=event.detail)
        elif isinstance(event, InstanceDied) and not event.asked:
            why = "out of memory" if event.out_of_memory else f"exit code {event.exit_code}"
            yield Incident(
                at=at, what=f"{event.instance} died, and no strike meant it ({why}).", hint="", log=event.log
            )


def _facts(result: Result, events: list[Event]) -> Iterable[tuple[str, str]]:
    late = [event.late_ms for event in events if isinstance(event, TrafficSeen)]
    yield "chaoscheck", result.chaoscheck
    yield "engine, balancer", f"{result.engine}, {result.balancer}"
    yield "generator's lag", f"{millis(max(late))} at worst" if late else "not measured"
    yield from result.environment.items()


def _plan_text(run: RunFolder) -> str:
    """The plan as run; a page is passed around more freely than a run's folder, so its secrets are masked."""
    try:
        loaded = run.plan()
    except HistoryDamaged as error:
        return f"# {error}"
    return Masker([*loaded.plan.secrets, loaded.plan.accounts.password]).text(loaded.text)
