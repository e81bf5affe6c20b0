"""A run's plan, events and history to its result: pure, so that judging again gives the same bytes."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from chaoscheck.checkers import evidence
from chaoscheck.checkers.assumptions import assumption_gates, gate
from chaoscheck.checkers.base import Tally
from chaoscheck.checkers.broken import broken
from chaoscheck.checkers.budget import TrafficFold, bad_seconds, budget_gates, phase_rows
from chaoscheck.checkers.causes import Explained
from chaoscheck.checkers.chains import Pair, Wanted, chain, collect, pair_chain
from chaoscheck.checkers.coverage import coverage_gates
from chaoscheck.checkers.findings import (
    Judged,
    control_findings,
    failed_cells,
    inspection_findings,
    judge_anomalies,
    matrix_cell,
    matrix_findings,
    ordered,
    representative,
    user_findings,
)
from chaoscheck.checkers.known import marked, notes, started_on
from chaoscheck.checkers.levels import decides, leveled, promise_level
from chaoscheck.checkers.places import gate_place, place
from chaoscheck.checkers.reason import reason
from chaoscheck.checkers.recovery import recovery_gate, recovery_ms
from chaoscheck.checkers.routing import routing_warnings
from chaoscheck.checkers.scan import InFlight, Seen, scan
from chaoscheck.checkers.timeline import Strike, Timeline, slot_of, timeline
from chaoscheck.errors import HistoryDamaged
from chaoscheck.model.clock import NS
from chaoscheck.model.events import Event, FinalReadsEnded, Interrupted, MatrixProbed, Warned
from chaoscheck.model.history import BalancerRow, RawRow, raw_file
from chaoscheck.model.ops import Phase
from chaoscheck.model.verdict import (
    Cause,
    ChainLink,
    Finding,
    Gate,
    KillRow,
    Level,
    MatrixCell,
    PromiseSummary,
    Result,
    Verdict,
    worst,
)
from chaoscheck.plan.plan import LoadedPlan, Plan
from chaoscheck.plan.steps import Promise
from chaoscheck.promises.base import KINDS

VERSION = 1
Files = Callable[[], Iterator[Iterable[RawRow]]]


def judge(
    plan: LoadedPlan, events: Sequence[Event], histories: Sequence[Path], balancer: Iterable[BalancerRow] = ()
) -> Result:
    """The result of a run, an aborted one too. Reads each history file once, and once more when there are findings."""
    return judge_rows(plan, events, lambda: (raw_file(path) for path in histories), balancer)


def judge_rows(plan: LoadedPlan, events: Sequence[Event], files: Files, balancer: Iterable[BalancerRow] = ()) -> Result:
    """The same over rows; `files` gives them anew at each call."""
    known = timeline(events)
    damage = ""
    try:
        with _uncollected():
            seen = scan(plan.plan, known, files(), balancer)
    except HistoryDamaged as error:
        damage = error.message
        seen = Seen(traffic=TrafficFold(known))
    judged = judge_anomalies(plan.plan, known, seen)
    chains = {} if damage else _chains(plan.plan, known, judged, files)
    return _Judgement(plan, known, seen, judged, chains, damage).result()


@contextmanager
def _uncollected() -> Iterator[None]:
    """Folds make no cycles: the collector would only walk through a state a session, again and again."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _chains(
    plan: Plan, known: Timeline, judged: dict[str, Judged], files: Files
) -> dict[tuple[str, str, Cause], tuple[ChainLink, ...]]:
    shown: dict[tuple[str, str, Cause], Explained] = {
        (name, *group): representative(ones) for name, one in judged.items() for group, ones in one.groups.items()
    }
    wanted = {key: Wanted(explained=one) for key, one in shown.items()}
    pairs = {key: Pair(cells[0]) for key, cells in failed_cells(plan, known).items()}
    if wanted or pairs:
        collect([*wanted.values(), *pairs.values()], files(), plan.login)
    return {key: chain(one, plan, known) for key, one in wanted.items()} | {
        key: pair_chain(pair, plan, known) for key, pair in pairs.items()
    }


class _Judgement:
    """Everything known, and the parts of the result made of it."""

    def __init__(
        self,
        loaded: LoadedPlan,
        known: Timeline,
        seen: Seen,
        judged: dict[str, Judged],
        chains: dict[tuple[str, str, Cause], tuple[ChainLink, ...]],
        damage: str,
    ) -> None:
        self.loaded = loaded
        self.plan = loaded.plan
        self.known = known
        self.seen = seen
        self.judged = judged
        self.chains = chains
        self.damage = damage
        self.day = started_on(known.started)
        self.file = known.started.plan if known.started is not None else loaded.path.name
        self.needed = evidence.exposures_needed(self.plan.evidence.confidence, self.plan.evidence.max_loss)

    def result(self) -> Result:
        plan, known = self.plan, self.known
        findings = self._findings()
        promises = tuple(self._summary(name, findings) for name in plan.promises)
        gates = tuple(self._placed(leveled(one, plan)) for one in self._gates(promises, findings))
        decisive = [one for one in findings if decides(one, plan)]
        verdict = worst([one.verdict for one in gates if one.counts] + [one.verdict for one in decisive])
        start = known.started
        routing = self.seen.routing.routing() if self.seen.routing is not None else None
        wall_s = start.wall_ns / NS if start is not None else 0.0
        return Result(
            version=VERSION,
            chaoscheck=start.version if start is not None else "",
            run=start.run if start is not None else "",
            plan=start.plan if start is not None else self.loaded.path.name,
            verdict=verdict,
            reason=reason(verdict, gates, decisive, promises, self.seen.tallies, len(known.kills)),
            interrupted=any(known.of(Interrupted)),
            seed=start.seed if start is not None else plan.seed,
            engine=start.engine if start is not None else plan.engine,
            balancer=start.balancer if start is not None else plan.balancer.kind,
            instances=start.instances if start is not None else plan.instances,
            command=start.command if start is not None else "",
            started=datetime.fromtimestamp(int(wall_s), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            if start is not None
            else "",
            duration_s=known.last_ns / NS,
            gates=gates,
            findings=findings,
            promises=promises,
            kills=tuple(self._kill(strike) for strike in known.strikes),
            matrix=tuple(self._matrix()),
            phases=phase_rows(known, self.seen.traffic),
            instances_share=dict(sorted(self.seen.traffic.answered_by.items())),
            operations=self.seen.operations,
            sessions=len(self.seen.users),
            warnings=(
                *notes(self.loaded, findings, gates, promises, self.day),
                *(event.text for event in known.of(Warned)),
                *routing_warnings(plan, routing),
            ),
            expected=plan.expect.verdict if plan.expect is not None else "",
            because=(plan.because or "").strip(),
            environment=dict(sorted(start.environment.items())) if start is not None else {},
            routing=routing,
            series=None if self.damage else self.seen.traffic.series.series(),
            broken=broken(self.judged.values()),
        )

    def _findings(self) -> tuple[Finding, ...]:
        found = [
            one for judged in self.judged.values() for one in user_findings(self.plan, self.known, judged, self.chains)
        ]
        every = [
            *found,
            *matrix_findings(self.plan, self.known, self.chains),
            *control_findings(self.plan, self.known),
            *inspection_findings(self.plan, self.known),
        ]
        placed = [replace(one, place=place(self.loaded, self.file, "promises", one.promise)) for one in every]
        ranked = ordered(self.plan, marked(placed, self.plan.known, self.day))
        return tuple(sorted(ranked, key=lambda one: not decides(one, self.plan)))

    # Gates.

    def _gates(self, promises: Sequence[PromiseSummary], findings: Sequence[Finding]) -> Iterator[Gate]:
        if self.damage:
            yield gate("the history can be read", Verdict.INVALID, "whole files", self.damage)
        for name, error in sorted(self.seen.crashed.items()):
            yield gate(f"{name}: its checker works", Verdict.INVALID, "no crash", f"the checker crashed: {error}")
        yield from assumption_gates(self.plan, self.known, self.seen)
        for summary in promises:
            yield self._promise_gate(summary, findings)
        yield from coverage_gates(self.plan, self.known, self.seen, self._step)
        yield from self._somebody_decides(promises)
        if self.plan.budget is not None:
            yield from budget_gates(self.plan.budget, self.known, self.seen.traffic, self.plan.evidence.confidence)
            if self.plan.budget.recovery is not None:
                yield recovery_gate(self.plan.budget.recovery, self.known.kills, self.seen.traffic)

    def _somebody_decides(self, promises: Sequence[PromiseSummary]) -> Iterator[Gate]:
        """Where what is known leaves nothing to decide by, promises that only warn are all that was left to look at."""
        warned = [one.promise for one in promises if promise_level(self.plan, one.promise) is Level.WARN]
        if warned and all(one.promise in warned or _short_as_known(one) for one in promises):
            yield gate(
                "a promise decides",
                Verdict.INCONCLUSIVE,
                "one that was shown either way",
                f"what isn't known to be broken is at warn: {', '.join(warned)}",
                group="coverage",
            )

    def _step(self, promise: str, action: str) -> str:
        return place(self.loaded, self.file, "promises", promise, action)

    def _placed(self, one: Gate) -> Gate:
        return replace(one, place=gate_place(one, self.loaded, self.file))

    def _promise_gate(self, one: PromiseSummary, findings: Sequence[Finding]) -> Gate:
        share = self.plan.evidence.max_loss
        expected = f"no loss; at most {_percent(share)} of exposed objects lost, with {one.confidence:.0%} confidence"
        own = [found for found in findings if found.promise == one.promise]
        if one.verdict is Verdict.FAIL:
            actual = _sum(one.violations, own)
        elif one.known:
            actual = f"nothing broken but what is known: {_sum(one.violations, own)}"
        elif "kill" not in self.plan.promises[one.promise].survives:
            actual = "declared not to survive a kill; only its cost is measured"
        else:
            actual = f"0 broken in {one.exposures} exposures, so at most {_percent(one.bound_exposure)} lost"
        return Gate(
            group="promises",
            name=one.promise,
            verdict=one.verdict,
            expected=expected,
            actual=actual,
            margin=f"{one.exposures - one.needed:+d} exposures",
            n=one.exposures,
            detail="; ".join([*self._reasons(own), *self._doubts(one, findings)]),
            level=Level.WARN if _short_as_known(one) else Level.ERROR,
            known=one.known,
        )

    def _doubts(self, one: PromiseSummary, findings: Sequence[Finding]) -> list[str]:
        parts = []
        if one.exposures < one.needed and one.verdict is not Verdict.FAIL:
            chaos = self.known.span(Phase.CHAOS.value)
            seconds = (chaos.ended_ns - chaos.began_ns) / NS if chaos is not None else 0.0
            more = one.needed - one.exposures
            about = evidence.seconds_for(more, one.exposures, seconds)
            parts.append(f"{more} more exposures are needed" + (f", about {about:.0f} s" if about >= 0 else ""))
        if one.suspicions_open:
            parts.append(f"{one.suspicions_open} contradicting reads could not be confirmed")
        judged = self.judged.get(one.promise)
        if judged is not None and judged.hidden:
            parts.append(
                f"{judged.hidden} reads were refused because the session's login was lost; they count for the login"
                + self._hidden_by_known(one, findings)
            )
        if judged is not None and judged.tolerated:
            parts.append(f"{len(judged.tolerated)} losses of a sort that it declares not to survive")
        if one.kills_exposed and one.exposures:
            parts.append(
                f"at most {_percent(one.bound_kill)} of kills lose something ({one.kills_exposed} clean kills)"
                if not one.violations
                else f"{one.kills_exposed} kill{'s' if one.kills_exposed != 1 else ''} exposed something"
            )
        return parts

    def _reasons(self, own: Sequence[Finding]) -> Iterable[str]:
        return dict.fromkeys(f"known: {found.known}" for found in own if found.known)

    def _hidden_by_known(self, one: PromiseSummary, findings: Sequence[Finding]) -> str:
        """Whether a run may pass that can't see a promise behind a broken login is its owner's to say."""
        login_is_known = any(found.known and found.promise == self.plan.login for found in findings)
        if one.verdict is not Verdict.INCONCLUSIVE or not login_is_known:
            return ""
        return f", which is known to be broken: gates: {{{one.promise}: warn}} lets a run pass that can't see this"

    def _summary(self, name: str, findings: Sequence[Finding]) -> PromiseSummary:
        plan, promise = self.plan, self.plan.promises[name]
        tally, judged = self.seen.tallies.get(name), self.judged.get(name)
        exposures = sum(count for strike, count in tally.exposures.items() if strike >= 0) if tally else 0
        kills = len({strike for strike in (*tally.exposures, *tally.lost) if strike >= 0}) if tally else 0
        violations = sum(one.count for one in findings if one.promise == name)
        needed = self._needed(promise)
        open_ = len(judged.open) if judged is not None else 0
        outcomes = dict(sorted(tally.outcomes.items())) if tally else {}
        return PromiseSummary(
            promise=name,
            kind=promise.kind,
            verdict=self._verdict(name, findings, exposures, needed, open_),
            exposures=exposures,
            needed=needed,
            violations=violations,
            kills_exposed=kills,
            bound_exposure=evidence.loss_bound(plan.evidence.confidence, exposures) if not violations else 1.0,
            bound_kill=evidence.kill_bound(plan.evidence.confidence, kills) if exposures and not violations else 1.0,
            confidence=plan.evidence.confidence,
            outcomes=outcomes,
            unrecognised=sum(count for key, count in outcomes.items() if key.endswith("/unrecognised")),
            final_reads=self._final_reads(name)[1],
            final_reads_due=self._final_reads(name)[0],
            suspicions_open=open_,
            known=sum(one.count for one in findings if one.promise == name and one.known),
        )

    def _needed(self, promise: Promise) -> int:
        """Exposures; where a kill exposes once at most, one for every kill."""
        if "kill" not in promise.survives:
            return 0
        kind, planned = KINDS.get(promise.kind), self.plan.chaos.rounds * self.plan.instances
        return kind.kills_needed(len(self.known.kills), planned) if kind.per_kill else self.needed

    def _verdict(self, name: str, findings: Sequence[Finding], exposures: int, needed: int, open_: int) -> Verdict:
        own = [one for one in findings if one.promise == name]
        if any(one.counts for one in own):
            return worst([one.verdict for one in own if one.counts])
        if name in self.seen.crashed or self.damage:
            return Verdict.INVALID
        tally = self.seen.tallies.get(name)
        if open_ and self.plan.promises[name].survives:
            return Verdict.INCONCLUSIVE
        if tally is None or tally.inconclusive or exposures < needed or not _succeeded(tally, self.plan.promises[name]):
            return Verdict.INCONCLUSIVE
        return Verdict.PASS

    def _final_reads(self, name: str) -> tuple[int, int]:
        ends = list(self.known.of(FinalReadsEnded))
        return sum(end.due.get(name, 0) for end in ends), sum(end.done.get(name, 0) for end in ends)

    # Rows.

    def _kill(self, strike: Strike) -> KillRow:
        struck, restored, traffic = strike.struck, strike.restored, self.seen.traffic
        flight = self.seen.in_flight.get(strike.index, InFlight())
        count = traffic.strikes.get(strike.index)
        exposed = {
            name: tally.exposures.get(strike.index, 0) + tally.lost.get(strike.index, 0)
            for name, tally in sorted(self.seen.tallies.items())
        }
        lost = {
            name: len(
                {
                    (one.anomaly.session, one.anomaly.obj)
                    for one in judged.counted
                    if one.death is not None and one.death.strike == strike.index
                }
            )
            for name, judged in sorted(self.judged.items())
        }
        return KillRow(
            index=strike.index,
            round=strike.began.round,
            slot=strike.began.slot,
            mode=strike.began.mode,
            victim=strike.began.victim,
            replacement=restored.replacement if restored is not None else "",
            confirmed=strike.landed,
            decided_ns=struck.decided_ns if struck is not None else -1,
            signal_ns=struck.signal_ns if struck is not None else -1,
            death_ns=struck.death_ns if struck is not None else -1,
            refused_ns=struck.refused_ns if struck is not None else -1,
            ready_ns=restored.t_ns if restored is not None else -1,
            in_flight=flight.total,
            in_flight_failed=flight.failed,
            exposed=exposed,
            lost=lost,
            bad_seconds=round(bad_seconds(strike, traffic), 6),
            requests=count.total if count is not None else 0,
            recovery_ms=round(recovery_ms(strike, traffic), 3),
        )

    def _matrix(self) -> Iterator[MatrixCell]:
        """One cell a pair of slots: one failure decides it, and only answers that tell something count."""
        told: dict[tuple[str, int, int], list[MatrixProbed]] = {}
        for probe in self.known.of(MatrixProbed):
            told.setdefault((probe.promise, slot_of(probe.writer), slot_of(probe.reader)), []).append(probe)
        for pair, probes in sorted(told.items()):
            promise = self.plan.promises.get(pair[0])
            if promise is not None:
                yield matrix_cell(KINDS.get(promise.kind).words, pair, probes)


def _short_as_known(one: PromiseSummary) -> bool:
    """Too little was left whole to be exposed, where the plan knows what breaks it: nothing new to fail for.

    Only as much as it broke: evidence that would be missing without the defect, too, is missing.
    """
    hidden = one.known >= max(1, one.needed - one.exposures)
    return hidden and one.verdict is Verdict.INCONCLUSIVE and not one.suspicions_open


_PLACES = {Phase.MATRIX.value: ", pairs of the matrix", Phase.CONTROLS.value: ", tries of the controls"}


def _place(one: Finding) -> str:
    return "" if one.cause is Cause.CONTENT else _PLACES.get(one.phase, "")


def _sum(violations: int, found: Sequence[Finding]) -> str:
    """All that is broken, as the sum of the findings."""
    causes = [f"({one.cause.value}{_place(one)})" for one in found]
    if len(found) < 2:
        return " ".join([f"{violations} broken", *causes])
    parts = [f"{one.count} {one.anomaly} {cause}" for one, cause in zip(found, causes, strict=True)]
    return f"{violations} broken = {' + '.join(parts)}"


def _succeeded(tally: Tally, promise: Promise) -> bool:
    """What shows the promise was ok once at least: its reads, or its writes where it has none."""
    return bool(tally.outcomes.get("see/ok" if promise.see else "do/ok"))


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
