"""Whether two small samples differ by more than chance makes them: the Mann-Whitney test, exact where it can be."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import combinations

EXACT = 20_000
"""So many ways to split the ranks are counted one by one; beyond it the normal distribution is near enough."""


def mann_whitney(one: Sequence[float], other: Sequence[float]) -> float:
    """The two-sided p of both coming from one distribution, ties included; 1.0 where either is empty."""
    n, m = len(one), len(other)
    if not n or not m:
        return 1.0
    ranks = _ranks([*one, *other])
    middle = n * (n + m + 1) / 2
    off = abs(sum(ranks[:n]) - middle)
    if math.comb(n + m, n) <= EXACT:
        sums = [abs(sum(each) - middle) for each in combinations(ranks, n)]
        return sum(each >= off - 1e-9 for each in sums) / len(sums)
    ties = sum(count**3 - count for count in Counter(ranks).values())
    spread = math.sqrt(n * m / 12 * ((n + m + 1) - ties / ((n + m) * (n + m - 1))))
    return 1.0 if spread == 0 else math.erfc(max(off - 0.5, 0.0) / spread / math.sqrt(2))


def least_p(n: int, m: int) -> float:
    """The smallest p that samples of these sizes can show at all."""
    return min(2 / math.comb(n + m, n), 1.0) if n and m else 1.0


def _ranks(values: Sequence[float]) -> list[float]:
    """From 1; equal values share the mean of theirs."""
    order = sorted(values)
    first: dict[float, int] = {}
    for place, value in enumerate(order, start=1):
        first.setdefault(value, place)
    counts = Counter(order)
    return [first[value] + (counts[value] - 1) / 2 for value in values]
