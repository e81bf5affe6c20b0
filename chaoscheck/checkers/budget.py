"""What users' traffic suffered: bad seconds a kill against the plan's budget, and traffic by phase."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from chaoscheck.checkers.evidence import fisher, mean_interval, share_at_least
from chaoscheck.checkers.series import SeriesFold
from chaoscheck.checkers.timeline import Strike, Timeline
from chaoscheck.model.clock import NS
from chaoscheck.model.ops import Lane, Op, Phase
from chaoscheck.model.verdict import Gate, PhaseRow, Verdict
from chaoscheck.plan.plan import Budget
from chaoscheck.steps.attempts import Attempts, Noticed

GRAIN_NS = 10_000
"""Latencies are kept in counts of 10 µs, so that memory grows with their spread and not with the traffic."""
CERTAIN = 0.99
"""How sure we must be that late errors are more than the baseline had: each kill is looked at several times."""


@dataclass(slots=True)
class Count:
    """Attempts, and the bad ones among them."""

    total: int = 0
    bad: int = 0

    @property
    def share(self) -> float:
        return self.bad / self.total if self.total else 0.0


@dataclass(slots=True)
class PhaseCount(Count):
    latencies: dict[int, int] = field(default_factory=dict)


@dataclass(slots=True)
class SecondCount(Count):
    last_bad_ns: int = -1


@dataclass(slots=True)
class StrikeCount(Count):
    """The traffic that one strike answers for, by seconds since its start.

    `last_bad_ns` is the end of the last bad attempt that was due before the strike's `end_ns`, when all should be well
    again; `late` are the seconds after that.
    """

    seconds: dict[int, Count] = field(default_factory=dict)
    last_bad_ns: int = -1
    late: dict[int, SecondCount] = field(default_factory=dict)

    def bad_seconds(self, length_ns: int, usual: float) -> float:
        """Sum of (bad / total) x seconds, less what `usual`, the baseline's share, comes to in them."""
        parts = sorted(self.seconds.items())
        cost = math.fsum(
            (count.share - usual) * min(NS, max(0, length_ns - second * NS)) / NS for second, count in parts
        )
        return max(0.0, cost)

    def late_errors_ns(self, baseline: Count) -> int:
        """When errors came to an end that were due late and are more than the baseline explains; -1 for none.

        Goes back from the end: the first second from which on errors are too frequent to be the usual ones.
        """
        total = bad = 0
        for second in sorted(self.late, reverse=True):
            part = self.late[second]
            total, bad = total + part.total, bad + part.bad
            if part.bad and bad * baseline.total > baseline.bad * total:
                chance = fisher(bad, total - bad, baseline.bad, baseline.total - baseline.bad)
                if chance <= 1 - CERTAIN:
                    return part.last_bad_ns
        return -1


class Windows:
    """Strikes of one sort and the attempts that each answers for."""

    def __init__(self, strikes: Sequence[Strike]) -> None:
        self._strikes = strikes
        self._starts = [strike.start_ns for strike in strikes]

    def of(self, intended: int, done_ns: int) -> Strike | None:
        """In flight at a strike's start: that one's. Else the window that the attempt was meant for, if any."""
        number = bisect_right(self._starts, intended)
        if number < len(self._starts) and done_ns >= self._starts[number]:
            return self._strikes[number]
        return self._strikes[number - 1] if number and intended < self._strikes[number - 1].until_ns else None


class TrafficFold:
    """Scheduled user traffic through the usual way, one attempt after the other."""

    def __init__(self, known: Timeline) -> None:
        self._known = known
        # A sham takes nobody away: errors in its window are its own, and the kill's before it as well.
        self._windows = [Windows([strike for strike in known.strikes if strike.sham is sham]) for sham in (False, True)]
        self._began = [span.began_ns for span in known.spans]
        self._attempts = Attempts()
        self.series = SeriesFold.of(known)
        self.phases: dict[str, PhaseCount] = {}
        self.strikes: dict[int, StrikeCount] = {}
        self.answered_by: dict[str, int] = {}
        self.attempts = 0
        self.nameless = 0

    def add(self, op: Op) -> None:
        """An attempt of any lane; only scheduled users' count, but for the series."""
        self.series.seen(op)
        if op.lane == Lane.USER.value:
            for noticed in self._attempts.add(op):
                self._count(noticed)

    def close(self) -> None:
        """No more attempts."""
        for noticed in self._attempts.close():
            self._count(noticed)

    @property
    def baseline(self) -> Count:
        """What was usual before anybody was killed."""
        return self.phases.get(Phase.BASELINE.value, Count())

    def _count(self, noticed: Noticed) -> None:
        op, intended, bad = noticed
        self.series.noticed(noticed)
        self.attempts += 1
        if op.status:
            self.answered_by[op.incarnation] = self.answered_by.get(op.incarnation, 0) + 1
            self.nameless += op.incarnation == ""
        self._phase(op, intended, bad)
        for windows in self._windows:
            strike = windows.of(intended, op.done_ns)
            if strike is not None:
                self._strike(strike, op, intended, bad)

    def _phase(self, op: Op, intended: int, bad: bool) -> None:
        # What ended badly belongs to the phase in which it did: the first kill may cut what the baseline began.
        when = max(op.done_ns, intended) if bad else intended
        number = bisect_right(self._began, when) - 1
        name = self._known.spans[number].phase if number >= 0 else ""
        count = self.phases.setdefault(name, PhaseCount())
        count.total += 1
        count.bad += bad
        if op.done_ns >= 0:
            key = (op.done_ns - intended) // GRAIN_NS
            count.latencies[key] = count.latencies.get(key, 0) + 1

    def _strike(self, strike: Strike, op: Op, intended: int, bad: bool) -> None:
        count = self.strikes.setdefault(strike.index, StrikeCount())
        second = count.seconds.setdefault(max(0, intended - strike.start_ns) // NS, Count())
        for part in (count, second):
            part.total += 1
            part.bad += bad
        if intended < strike.end_ns:
            if bad:
                count.last_bad_ns = max(count.last_bad_ns, op.done_ns)
            return
        late = count.late.setdefault((intended - strike.end_ns) // NS, SecondCount())
        late.total += 1
        if bad:
            late.bad += 1
            late.last_bad_ns = max(late.last_bad_ns, op.done_ns, intended)


def bad_seconds(strike: Strike, traffic: TrafficFold) -> float:
    """Bad seconds in that strike's window beyond what the baseline had; 0.0 where no traffic was."""
    count = traffic.strikes.get(strike.index)
    if count is None:
        return 0.0
    return count.bad_seconds(strike.until_ns - strike.start_ns, traffic.baseline.share)


def percentile(latencies: dict[int, int], share: float) -> float:
    """The smallest latency (ms, to 10 µs) that `share` of all are not above; 0.0 for none."""
    left = math.ceil(share * sum(latencies.values()))
    for key in sorted(latencies):
        left -= latencies[key]
        if left <= 0:
            return key * GRAIN_NS / 1e6
    return 0.0


def phase_rows(known: Timeline, traffic: TrafficFold) -> tuple[PhaseRow, ...]:
    """Every phase in its order, those without traffic too."""
    rows = []
    for span in known.spans:
        count = traffic.phases.get(span.phase, PhaseCount())
        p50, p95, p99, most = (percentile(count.latencies, share) for share in (0.5, 0.95, 0.99, 1.0))
        rows.append(
            PhaseRow(
                phase=span.phase,
                began_ns=span.began_ns,
                ended_ns=span.ended_ns,
                requests=count.total,
                bad=count.bad,
                p50_ms=p50,
                p95_ms=p95,
                p99_ms=p99,
                max_ms=most,
            )
        )
    return tuple(rows)


def budget_gates(budget: Budget, known: Timeline, traffic: TrafficFold, confidence: float) -> Iterator[Gate]:
    """The baseline first: a service that is over budget without a kill can't be judged on kills."""
    yield _baseline(budget, traffic)
    samples = [bad_seconds(strike, traffic) for strike in known.kills if strike.index in traffic.strikes]
    yield _per_kill(budget, samples, confidence)
    if budget.latency_p99 is not None:
        yield _latency(budget.latency_p99, traffic)


def _baseline(budget: Budget, traffic: TrafficFold) -> Gate:
    count = traffic.phases.get(Phase.BASELINE.value, PhaseCount())
    allowed = 1 - budget.slo.target
    over = share_at_least(count.bad, count.total) > allowed
    verdict = Verdict.INVALID if over else Verdict.PASS if count.total else Verdict.INCONCLUSIVE
    return Gate(
        group="budget",
        name="baseline within the SLO",
        verdict=verdict,
        expected=f"at most {_percent(allowed)} bad",
        actual=f"{_percent(count.share)} bad ({count.bad} of {count.total} requests)" if count.total else "no traffic",
        margin=_percent(allowed - count.share),
        n=count.total,
        detail="it is over its budget with no kill at all, so that kills can't be judged by it" if over else "",
    )


def _per_kill(budget: Budget, samples: Sequence[float], confidence: float) -> Gate:
    allowed = budget.bad_seconds_a_kill
    low, high = mean_interval(samples, confidence)
    verdict = Verdict.FAIL if low > allowed else Verdict.PASS if high < allowed else Verdict.INCONCLUSIVE
    mean = math.fsum(samples) / len(samples) if samples else 0.0
    if len(samples) < 2:
        actual = f"{mean:.3f} s at the one kill seen" if samples else "no kill with traffic seen"
        margin, detail = "", "needs at least 2 kills with traffic"
    else:
        actual = f"{mean:.3f} s a kill ({max(0.0, low):.3f} to {high:.3f} s at {confidence:.0%})"
        margin = f"{allowed - high:.3f} s" if verdict is not Verdict.FAIL else f"{allowed - low:.3f} s"
        detail = f"the worst kill cost {max(samples):.3f} s"
    return Gate(
        group="budget",
        name="bad seconds a kill",
        verdict=verdict,
        expected=f"at most {allowed:.3f} s a kill",
        actual=actual,
        margin=margin,
        n=len(samples),
        detail=detail,
    )


def _latency(limit_s: float, traffic: TrafficFold) -> Gate:
    count = traffic.phases.get(Phase.CHAOS.value, PhaseCount())
    p99 = percentile(count.latencies, 0.99)
    samples = sum(count.latencies.values())
    verdict = Verdict.INCONCLUSIVE if samples < 100 else Verdict.PASS if p99 <= limit_s * 1000 else Verdict.FAIL
    return Gate(
        group="budget",
        name="latency p99 under kills",
        verdict=verdict,
        expected=f"at most {limit_s * 1000:.0f} ms",
        actual=f"{p99:.1f} ms from the intended start",
        margin=f"{limit_s * 1000 - p99:.1f} ms",
        n=samples,
        detail="needs at least 100 requests" if samples < 100 else "",
    )


def _percent(share: float) -> str:
    return f"{100 * share:.3g}%"
