"""What so many clean observations are worth: exact bounds, Fisher's test, intervals of a mean. No samples, no claim."""

from __future__ import annotations

import math
from collections.abc import Sequence


def loss_bound(confidence: float, clean: int) -> float:
    """The greatest share lost that `clean` losses-free exposures don't rule out: 1-(1-c)^(1/n); 1.0 for none."""
    return 1.0 if clean <= 0 else 1.0 - (1.0 - confidence) ** (1.0 / clean)


def kill_bound(confidence: float, kills: int) -> float:
    """The greatest share of kills that lose something, after so many that lost nothing."""
    return loss_bound(confidence, kills)


def exposures_needed(confidence: float, max_loss: float) -> int:
    """How many clean exposures rule out more than `max_loss` (95 % and 1 %: 299)."""
    # The small step back keeps a quotient that is whole in exact arithmetic from being rounded up.
    return max(1, math.ceil(math.log(1.0 - confidence) / math.log(1.0 - max_loss) - 1e-9))


def seconds_for(more: int, gathered: int, seconds: float) -> float:
    """About how long `more` exposures take at the pace so far; -1.0 where there is no pace yet."""
    return more * seconds / gathered if gathered > 0 else -1.0


def fisher(hits: int, misses: int, control_hits: int, control_misses: int) -> float:
    """One-sided p-value that hits are not more frequent than in the control arm; 1.0 where an arm is empty."""
    arm, control, all_hits = hits + misses, control_hits + control_misses, hits + control_hits
    if arm == 0 or control == 0:
        return 1.0
    tables = math.comb(arm + control, all_hits)
    as_extreme = range(hits, min(arm, all_hits) + 1)
    return sum(math.comb(arm, count) * math.comb(control, all_hits - count) for count in as_extreme) / tables


def chi_square_tail(chi2: float, freedom: int) -> float:
    """P(X >= chi2) of a chi-square with whole degrees of freedom: an exact finite sum; 1.0 for no freedom."""
    if freedom <= 0 or chi2 <= 0:
        return 1.0
    half = chi2 / 2
    odd = 0.5 * (freedom % 2)
    # In logarithms: a term of many degrees overflows where the factor before it is 0.
    terms = (
        math.exp((step + odd) * math.log(half) - half - math.lgamma(step + odd + 1)) for step in range(freedom // 2)
    )
    return min(1.0, math.fsum(terms) + (math.erfc(math.sqrt(half)) if odd else 0.0))


def share_at_least(hits: int, of: int, confidence: float = 0.95) -> float:
    """The lower end (one-sided, Wilson) of the share that `hits` of `of` show; 0.0 for no samples."""
    if of <= 0 or hits <= 0:
        return 0.0
    z = _normal_quantile(confidence)
    share, spread = hits / of, z * z / of
    middle = share + spread / 2
    return max(0.0, (middle - z * math.sqrt(share * (1 - share) / of + spread / (4 * of))) / (1 + spread))


def mean_interval(samples: Sequence[float], confidence: float) -> tuple[float, float]:
    """The two-sided t-interval of a mean; (-inf, inf) below two samples."""
    size = len(samples)
    if size < 2:
        return -math.inf, math.inf
    mean = math.fsum(samples) / size
    variance = math.fsum((sample - mean) ** 2 for sample in samples) / (size - 1)
    half = student_quantile(0.5 + confidence / 2, size - 1) * math.sqrt(variance / size)
    return mean - half, mean + half


def student_quantile(p: float, freedom: int) -> float:
    """The p-quantile (0.5 <= p < 1) of Student's t, by bisection of its exact distribution."""
    low, high = 0.0, 1.0
    while _student_cdf(high, freedom) < p:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if _student_cdf(middle, freedom) < p else (low, middle)
    return (low + high) / 2


def _student_cdf(t: float, freedom: int) -> float:
    """P(T <= t) for t >= 0 and whole degrees of freedom: a finite sum in the angle atan(t / sqrt(freedom))."""
    angle = math.atan2(t, math.sqrt(freedom))
    sine, cosine = math.sin(angle), math.cos(angle)
    if freedom % 2:
        term, total = cosine, 0.0
        for step in range(1, freedom - 1, 2):
            total += term
            term *= cosine * cosine * (step + 1) / (step + 2)
        return 0.5 + (angle + sine * total) / math.pi
    term, total = 1.0, 0.0
    for step in range(0, freedom - 1, 2):
        total += term
        term *= cosine * cosine * (step + 1) / (step + 2)
    return 0.5 + sine * total / 2


def _normal_quantile(p: float) -> float:
    low, high = -10.0, 10.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if 0.5 * math.erfc(-middle / math.sqrt(2)) < p else (low, middle)
    return (low + high) / 2
