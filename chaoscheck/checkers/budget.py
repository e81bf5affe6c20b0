"""What users' traffic suffered: bad seconds a kill against the plan's budget, and traffic by phase."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from chaoscheck.checkers.evidence import mean_interval, share_at_least
from chaoscheck.checkers.timeline import Strike, Timeline
from chaoscheck.model.clock import NS
from chaoscheck.model.ops import Lane, Op, Outcome, Phase
from chaoscheck.model.verdict import Gate, PhaseRow, Verdict
from chaoscheck.plan.plan import Budget
from chaoscheck.steps.base import Trouble

GRAIN_NS = 10_000
"""Latencies are kept in counts of 10 µs, so that memory grows with their spread and not with the traffic."""
NOT_SENT = frozenset({Trouble.REFUSED.value, Trouble.UNREACHABLE.value, Trouble.CONNECT_TIMEOUT.value})
_BAD_OUTCOMES = frozenset({Outcome.UNKNOWN.value, Outcome.DROPPED.value, Outcome.UNRECOGNISED.value})


def is_bad(op: Op) -> bool:
    """Whether a user would call this attempt an error. A refusal by the service or "not there" is an answer."""
    return op.outcome in _BAD_OUTCOMES or op.status == 0 or op.status >= 500


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
class StrikeCount(Count):
    """The traffic of one strike's window, by seconds since its start."""

    seconds: dict[int, Count] = field(default_factory=dict)
    last_bad_ns: int = -1

    def bad_seconds(self, length_ns: int) -> float:
        """Sum of (bad / total) x seconds."""
        parts = sorted(self.seconds.items())
        return math.fsum(count.share * min(NS, max(0, length_ns - second * NS)) / NS for second, count in parts)


class TrafficFold:
    """Scheduled user traffic through the usual way, one attempt after the other."""

    def __init__(self, known: Timeline) -> None:
        self._known = known
        self._starts = [strike.start_ns for strike in known.strikes]
        self._began = [span.began_ns for span in known.spans]
        self._held: dict[str, Op] = {}
        self.phases: dict[str, PhaseCount] = {}
        self.strikes: dict[int, StrikeCount] = {}
        self.answered_by: dict[str, int] = {}
        self.attempts = 0
        self.nameless = 0

    def add(self, op: Op) -> None:
        """An attempt of any lane; only scheduled users' count."""
        if op.lane != Lane.USER.value:
            return
        earlier = self._held.pop(op.session, None)
        again = earlier is not None and earlier.seq == op.seq and op.attempt > earlier.attempt
        if earlier is not None and not again:
            self._count(earlier, bad=True)
        if op.error in NOT_SENT:
            # The client may go elsewhere with it; whether the user noticed is decided by that attempt.
            self._held[op.session] = op
            return
        self._count(op, bad=is_bad(op), since=earlier if again else None)

    def close(self) -> None:
        """No more attempts."""
        for op in self._held.values():
            self._count(op, bad=True)
        self._held = {}

    def _count(self, op: Op, *, bad: bool, since: Op | None = None) -> None:
        self.attempts += 1
        if op.status:
            self.answered_by[op.incarnation] = self.answered_by.get(op.incarnation, 0) + 1
            self.nameless += op.incarnation == ""
        intended = since.intended_ns if since is not None else op.intended_ns
        self._phase(op, intended, bad)
        self._strike(op, intended, bad)

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

    def _strike(self, op: Op, intended: int, bad: bool) -> None:
        """In flight at a strike's start: its first second. Else the window that the attempt was meant for, if any."""
        number = bisect_right(self._starts, intended)
        if number == len(self._starts) or op.done_ns < self._starts[number]:
            number -= 1
            if number < 0 or intended >= self._known.strikes[number].end_ns:
                return
        strike = self._known.strikes[number]
        count = self.strikes.setdefault(strike.index, StrikeCount())
        second = count.seconds.setdefault(max(0, intended - strike.start_ns) // NS, Count())
        for part in (count, second):
            part.total += 1
            part.bad += bad
        if bad:
            count.last_bad_ns = max(count.last_bad_ns, op.done_ns)


def bad_seconds(strike: Strike, traffic: TrafficFold) -> float:
    """Bad seconds in that strike's window; 0.0 where no traffic was."""
    count = traffic.strikes.get(strike.index)
    return count.bad_seconds(strike.end_ns - strike.start_ns) if count is not None else 0.0


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
