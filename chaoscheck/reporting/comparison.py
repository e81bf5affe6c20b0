"""Two runs side by side: what changed from one to the other, and whether that is more than noise."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from chaoscheck.model.ops import Phase
from chaoscheck.model.series import Series
from chaoscheck.model.verdict import Finding, Gate, KillRow, PhaseRow, Result, Verdict
from chaoscheck.reporting.ranks import least_p, mann_whitney

SURE = 0.05
LOADED = (Phase.BASELINE.value, Phase.CHAOS.value)
_FEWEST_BINS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A property or fact that differs; "" where one of the runs has none."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingChange:
    """A finding by promise, anomaly and cause: on how many objects in each run, 0 where it isn't found."""

    promise: str
    anomaly: str
    cause: str
    before: int
    after: int
    known: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceChange:
    """One promise's exposures, needed exposures and violations, before and after; -1 where it isn't promised."""

    promise: str
    exposures: tuple[int, int]
    needed: tuple[int, int]
    violations: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A measure over a run's confirmed kills."""

    n: int
    low: float
    median: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KillChange:
    """The same measure in both runs; `p` by Mann-Whitney over kills, -1.0 where too few kills can't tell anything."""

    name: str
    unit: str
    before: Spread
    after: Spread
    p: float

    @property
    def told(self) -> str:
        if self.p < 0:
            return "too few kills to tell"
        return "differs" if self.p < SURE else "within noise"


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyChange:
    """A percentile of one phase, in ms; `apart` says that the bulk of its values over time does not overlap, None that
    this can't be told."""

    phase: str
    rank: str
    before_ms: float
    after_ms: float
    apart: bool | None

    @property
    def ratio(self) -> float:
        return self.after_ms / self.before_ms if self.before_ms > 0 else math.nan

    @property
    def told(self) -> str:
        if self.apart is None:
            return "not told"
        return "differs" if self.apart else "within noise"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All that differs. `worse` lists why the second run is worse; empty: it is no worse."""

    runs: tuple[str, str]
    verdicts: tuple[Verdict, Verdict]
    reasons: tuple[str, str]
    worse: tuple[str, ...]
    gates: tuple[Change, ...]
    findings: tuple[FindingChange, ...]
    evidence: tuple[EvidenceChange, ...]
    kills: tuple[KillChange, ...]
    latency: tuple[LatencyChange, ...]
    plan: tuple[str, ...]
    facts: tuple[Change, ...]


def compare(before: Result, after: Result, plans: tuple[str, str]) -> Comparison:
    """`plans` are both plans' texts as run, fit to be shown."""
    findings = tuple(_findings(before.findings, after.findings))
    gates = tuple(_gates(before.gates, after.gates))
    return Comparison(
        runs=(before.run, after.run),
        verdicts=(before.verdict, after.verdict),
        reasons=(before.reason, after.reason),
        worse=tuple(_worse(before, after, findings)),
        gates=gates,
        findings=findings,
        evidence=tuple(_evidence(before, after)),
        kills=tuple(_kills(before.kills, after.kills)),
        latency=tuple(_latency(before, after)),
        plan=tuple(_diff(plans)),
        facts=tuple(_facts(before, after)),
    )


def _worse(before: Result, after: Result, findings: Iterable[FindingChange]) -> Iterable[str]:
    if after.verdict.rank > before.verdict.rank:
        yield f"{after.verdict.value} after {before.verdict.value}"
    elif after.verdict in (Verdict.INVALID, Verdict.INCONCLUSIVE) and before.verdict is not after.verdict:
        # It shows less, so that nothing says that what was broken is not.
        yield f"{after.verdict.value}: what {before.verdict.value} was said of may be so still"
    decided = {gate.name for gate in after.gates if gate.group == "promises" and (gate.counts or gate.known)}
    for gate in before.gates:
        if gate.group == "promises" and gate.counts and gate.name not in decided:
            yield f"no longer decides: {gate.name}"
    for one in findings:
        if one.before == 0 and not one.known:
            yield f"new: {one.promise}: {one.anomaly}, {one.cause}"
    held = {(gate.group, gate.name) for gate in before.gates if gate.verdict is Verdict.PASS}
    for gate in after.gates:
        if (
            gate.verdict is Verdict.FAIL
            and gate.counts
            and gate.group != "promises"
            and (gate.group, gate.name) in held
        ):
            yield f"fails now: {gate.name} ({gate.actual})"


def _gates(before: Sequence[Gate], after: Sequence[Gate]) -> Iterable[Change]:
    old, new = _by_name(before), _by_name(after)
    for name in [*old, *(name for name in new if name not in old)]:
        was, now = old.get(name), new.get(name)
        if (was.verdict if was else Verdict.PASS) is not (now.verdict if now else Verdict.PASS):
            yield Change(name=" ".join(name), before=_gate(was), after=_gate(now))


def _by_name(gates: Sequence[Gate]) -> dict[tuple[str, str], Gate]:
    """The worst of each name."""
    return {(gate.group, gate.name): gate for gate in sorted(gates, key=lambda gate: gate.verdict.rank)}


def _gate(gate: Gate | None) -> str:
    return f"{gate.verdict.value}: {gate.actual}" if gate is not None else ""


def _findings(before: Sequence[Finding], after: Sequence[Finding]) -> Iterable[FindingChange]:
    old, new = _counted(before), _counted(after)
    known = {key: all(one.known for one in [*before, *after] if _key(one) == key) for key in {*old, *new}}
    for key in sorted({*old, *new}, key=lambda key: (key in old, key not in new, key)):
        promise, anomaly, cause = key
        yield FindingChange(
            promise=promise, anomaly=anomaly, cause=cause,
            before=old.get(key, 0), after=new.get(key, 0), known=known[key],
        )  # fmt: skip


def _key(one: Finding) -> tuple[str, str, str]:
    return one.promise, one.anomaly, one.cause.value


def _counted(findings: Iterable[Finding]) -> dict[tuple[str, str, str], int]:
    counts: dict[tuple[str, str, str], int] = {}
    for one in findings:
        counts[_key(one)] = counts.get(_key(one), 0) + max(one.count, 1)
    return counts


def _evidence(before: Result, after: Result) -> Iterable[EvidenceChange]:
    old, new = ({one.promise: one for one in result.promises} for result in (before, after))
    for name in [*old, *(name for name in new if name not in old)]:
        pair = old.get(name), new.get(name)
        yield EvidenceChange(
            promise=name,
            exposures=_two(one.exposures if one else -1 for one in pair),
            needed=_two(one.needed if one else -1 for one in pair),
            violations=_two(one.violations if one else -1 for one in pair),
        )


def _two(values: Iterable[int]) -> tuple[int, int]:
    one, other = values
    return one, other


def _kills(before: Sequence[KillRow], after: Sequence[KillRow]) -> Iterable[KillChange]:
    measures: tuple[tuple[str, str, Callable[[KillRow], float]], ...] = (
        ("recovery", "ms", lambda row: row.recovery_ms),
        ("bad seconds", "s", lambda row: row.bad_seconds),
    )
    for name, unit, measure in measures:
        old, new = ([measure(row) for row in rows if row.confirmed and measure(row) >= 0] for rows in (before, after))
        if old or new:
            able = least_p(len(old), len(new)) < SURE
            yield KillChange(
                name=name, unit=unit, before=_spread(old), after=_spread(new),
                p=mann_whitney(old, new) if able else -1.0,
            )  # fmt: skip


def _spread(values: Sequence[float]) -> Spread:
    if not values:
        return Spread(n=0, low=math.nan, median=math.nan, high=math.nan)
    return Spread(n=len(values), low=min(values), median=median(values), high=max(values))


def _latency(before: Result, after: Result) -> Iterable[LatencyChange]:
    old, new = ({row.phase: row for row in result.phases if row.requests} for result in (before, after))
    for phase in (phase for phase in LOADED if phase in old and phase in new):
        for rank in ("p50", "p95", "p99"):
            was, now = old[phase], new[phase]
            yield LatencyChange(
                phase=phase, rank=rank, before_ms=_rank(was, rank), after_ms=_rank(now, rank),
                apart=_apart(_bulk(before.series, was, rank), _bulk(after.series, now, rank)),
            )  # fmt: skip


def _rank(row: PhaseRow, rank: str) -> float:
    return {"p50": row.p50_ms, "p95": row.p95_ms, "p99": row.p99_ms}[rank]


def _bulk(series: Series | None, row: PhaseRow, rank: str) -> tuple[float, float] | None:
    """Between which values that percentile lay in four fifths of the phase's bins."""
    if series is None:
        return None
    columns = {"p50": series.p50_ms, "p95": series.p95_ms, "p99": series.p99_ms}
    values = sorted(
        value
        for index, value in enumerate(columns[rank])
        if row.began_ns <= series.start_of(index) < row.ended_ns and not math.isnan(value)
    )
    if len(values) < _FEWEST_BINS:
        return None
    edge = len(values) // 10
    return values[edge], values[-1 - edge]


def _apart(one: tuple[float, float] | None, other: tuple[float, float] | None) -> bool | None:
    return None if one is None or other is None else one[1] < other[0] or other[1] < one[0]


def _diff(plans: tuple[str, str]) -> Iterable[str]:
    before, after = (text.splitlines() for text in plans)
    return difflib.unified_diff(before, after, "before", "after", lineterm="", n=2)


def _facts(before: Result, after: Result) -> Iterable[Change]:
    old, new = _told(before), _told(after)
    for name in [*old, *(name for name in new if name not in old)]:
        if old.get(name, "") != new.get(name, ""):
            yield Change(name=name, before=old.get(name, ""), after=new.get(name, ""))


def _told(result: Result) -> dict[str, str]:
    return {
        "plan": result.plan,
        "seed": str(result.seed),
        "instances": str(result.instances),
        "engine": result.engine,
        "balancer": result.balancer,
        "chaoscheck": result.chaoscheck,
        **result.environment,
    }
