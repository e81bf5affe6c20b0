"""How long the service was short of an instance, and its users of answers, after each kill."""

from __future__ import annotations

from collections.abc import Sequence

from chaoscheck.checkers.budget import TrafficFold
from chaoscheck.checkers.timeline import Strike
from chaoscheck.model.clock import NS
from chaoscheck.model.verdict import Gate, Verdict

CALM_NS = NS // 2
"""So long without an error before the next kill, at least, or nobody can say that the last one was over."""


def recovery_ms(strike: Strike, traffic: TrafficFold) -> float:
    """From the death until the replacement serves and no user's request is bad any more; -1.0 if never.

    Soon after the replacement serves any error counts. Later ones do when they are more than the baseline explains, and
    when they last until the next kill (or the end) the service has not recovered.
    """
    if not strike.landed or strike.struck is None or strike.restored is None:
        return -1.0
    count = traffic.strikes.get(strike.index)
    over_ns = strike.restored.t_ns
    if count is not None:
        late_ns = count.late_errors_ns(traffic.baseline)
        if late_ns >= strike.until_ns - CALM_NS:
            return -1.0
        over_ns = max(over_ns, count.last_bad_ns, late_ns)
    return max(0, over_ns - strike.struck.death_ns) / 1e6


def recovery_gate(limit_s: float, kills: Sequence[Strike], traffic: TrafficFold) -> Gate:
    """Every kill must be over within the limit; one that never was is FAIL too."""
    times = [recovery_ms(strike, traffic) for strike in kills]
    never = sum(time < 0 for time in times)
    worst_ms = max(times, default=0.0)
    late = never or worst_ms > limit_s * 1000
    verdict = Verdict.INCONCLUSIVE if not times else Verdict.FAIL if late else Verdict.PASS
    actual = f"{never} kills never recovered from" if never else f"{worst_ms:.0f} ms at worst" if times else "no kill"
    return Gate(
        group="recovery",
        name="recovery",
        verdict=verdict,
        expected=f"at most {limit_s:g} s after each kill",
        actual=actual,
        margin=f"{limit_s * 1000 - worst_ms:.0f} ms" if times else "",
        n=len(times),
    )
