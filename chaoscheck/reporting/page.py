"""What the HTML page shows, gathered from a run's folder: everything decided here, the templates only lay it out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from chaoscheck.errors import HistoryDamaged
from chaoscheck.model.events import Event
from chaoscheck.model.history import SessionBorn, SessionEnded, some_of
from chaoscheck.model.ops import Outcome
from chaoscheck.model.verdict import Gate, Level, Result, Verdict
from chaoscheck.reporting.cards import Card, cards, last_words
from chaoscheck.reporting.figure import Figure, caption, figure
from chaoscheck.reporting.health import HealthView, health
from chaoscheck.reporting.incidents import Incident, incidents
from chaoscheck.reporting.lanes import Lanes, lanes
from chaoscheck.reporting.matrix import Grid, grids
from chaoscheck.reporting.sessions import SessionsFold, SessionsView
from chaoscheck.reporting.strips import Strips, strips
from chaoscheck.reporting.units import SYMBOL
from chaoscheck.reporting.unjudged import unjudged
from chaoscheck.reporting.zoom import Zoom, zoom
from chaoscheck.steps.mask import Masker
from chaoscheck.store import RunFolder

ASKED = ("promises", "budget", "recovery", "coverage", "assumptions")

MEANING = {
    Verdict.PASS: "Nothing was seen broken, and enough was tried to say so.",
    Verdict.FAIL: "Users would have noticed. What they would have seen is below.",
    Verdict.INVALID: "This run proves nothing, for or against the service: mend what it names, then run again.",
    Verdict.INCONCLUSIVE: "Nothing was seen broken, but too little was tried to call it safe.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Gates of one group, the worst first; `open` where there is more to see than that all is well."""

    name: str
    gates: tuple[Gate, ...]

    @property
    def verdict(self) -> Verdict:
        """Of those that count, the worst."""
        return max((gate.verdict for gate in self.gates if gate.counts), key=lambda one: one.rank, default=Verdict.PASS)

    @property
    def judged(self) -> tuple[Gate, ...]:
        return tuple(gate for gate in self.gates if gate.level is not Level.OFF)

    @property
    def passed(self) -> int:
        return sum(gate.verdict is Verdict.PASS for gate in self.judged)

    @property
    def open(self) -> bool:
        return self.name == ASKED[0] or self.passed < len(self.gates)

    @property
    def quiet(self) -> tuple[Gate, ...]:
        """Those that pass, where others don't: they would stand in the way of what matters."""
        mixed = self.open and self.name != ASKED[0]
        return tuple(gate for gate in self.judged if mixed and gate.verdict is Verdict.PASS)

    @property
    def shown(self) -> tuple[Gate, ...]:
        return tuple(gate for gate in self.gates if gate not in self.quiet)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """All that the templates need. `cards` are findings shown whole, `rows` the others, `logs` victims' last lines."""

    result: Result
    symbol: dict[Verdict, str]
    meaning: str
    groups: tuple[Group, ...]
    cards: tuple[Card, ...]
    rows: tuple[Card, ...]
    logs: dict[str, str]
    figure: Figure
    strips: Strips
    zoom: Zoom
    caption: str
    outcomes: tuple[str, ...]
    grids: tuple[Grid, ...]
    sessions: SessionsView
    health: HealthView
    incidents: tuple[Incident, ...]
    shares: tuple[tuple[str, int, float], ...]
    facts: tuple[tuple[str, str], ...]
    damage: str
    plan: str


def _meaning(result: Result) -> str:
    told = unjudged(result)
    if not told:
        return MEANING[result.verdict]
    first = MEANING[result.verdict].replace("Nothing was seen broken", "No promise was seen broken")
    return f"{first} {told[:1].upper()}{told[1:]}."


def page(result: Result, events: list[Event], folder: Path) -> Page:
    """The page of that run. What it needs of the history was gathered while judging, but for the sessions it draws."""
    run = RunFolder(folder)
    drawn = lanes(events)
    counted = result.series.lanes.values() if result.series is not None else ()
    logs = last_words(events)
    whole, rest = cards(result.findings, logs)
    answered = sum(result.instances_share.values())
    seen, damage = _sessions(run, drawn, events, result)
    return Page(
        result=result,
        symbol=SYMBOL,
        meaning=_meaning(result),
        groups=grouped(result.gates),
        cards=whole,
        rows=rest,
        logs=logs,
        figure=figure(drawn, enumerate(result.findings, start=1)),
        strips=strips(result.series, drawn),
        zoom=zoom(result.series, drawn),
        caption=caption(drawn),
        outcomes=tuple(name.value for name in Outcome if any(name in counts for counts in counted)),
        grids=grids(result.matrix),
        sessions=seen,
        health=health(result, events, drawn),
        incidents=tuple(incidents(events)),
        shares=tuple((name, number, number / answered) for name, number in result.instances_share.items() if answered),
        facts=tuple(_facts(result)),
        damage=damage,
        plan=_plan_text(run),
    )


def grouped(gates: Iterable[Gate]) -> tuple[Group, ...]:
    """Gates by group: the group with the worst verdict first, then in the order in which readers ask for them; in each
    the worst gate first."""
    groups: dict[str, list[Gate]] = {}
    for gate in sorted(gates, key=lambda gate: (not gate.counts, -gate.verdict.rank)):
        groups.setdefault(gate.group, []).append(gate)
    places = {name: place for place, name in enumerate(ASKED)}
    made = [Group(name=name, gates=tuple(each)) for name, each in groups.items()]
    made.sort(key=lambda one: (-one.verdict.rank, places.get(one.name, len(ASKED)), one.name))
    return tuple(made)


def _sessions(run: RunFolder, drawn: Lanes, events: list[Event], result: Result) -> tuple[SessionsView, str]:
    """A light pass over the history: lines of sessions that aren't shown are passed over unread."""
    fold = SessionsFold(drawn, result.broken, tuple(enumerate(result.findings, start=1)))
    damage = ""
    try:
        for path in run.histories():
            for row in some_of(path, fold.wants):
                if isinstance(row, SessionBorn):
                    fold.born(row)
                elif isinstance(row, SessionEnded):
                    fold.ended(row)
                else:
                    fold.add(row)
    except (HistoryDamaged, OSError) as error:
        damage = f"The history can't be read, so the strips are empty: {error}"
    return fold.done(), damage


def _facts(result: Result) -> Iterable[tuple[str, str]]:
    yield "chaoscheck", result.chaoscheck
    yield "engine, balancer", f"{result.engine}, {result.balancer}"
    yield from ((name, value) for name, value in result.environment.items() if name != "chaoscheck")


def _plan_text(run: RunFolder) -> str:
    """The plan as run; a page is passed around more freely than a run's folder, so its secrets are masked."""
    try:
        loaded = run.plan()
    except HistoryDamaged as error:
        return f"# {error}"
    return Masker([*loaded.plan.secrets, loaded.plan.accounts.password]).text(loaded.text)
