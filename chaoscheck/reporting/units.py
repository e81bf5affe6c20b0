"""Times, shares, counts, verdicts and gates as people read them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from chaoscheck.model.clock import NS
from chaoscheck.model.ops import Phase
from chaoscheck.model.verdict import Cause, Finding, Gate, PromiseSummary, Verdict

NONE = "–"
"""What stands where nothing was measured; never 0, which would be a measurement."""

SYMBOL = {Verdict.PASS: "✓", Verdict.FAIL: "✗", Verdict.INVALID: "!", Verdict.INCONCLUSIVE: "?"}


def clock(at_ns: int) -> str:
    """A time of the run: "12.345 s" below two minutes, then "3:04.5"; NONE below 0."""
    if at_ns < 0:
        return NONE
    seconds = at_ns / NS
    return f"{seconds:.3f} s" if seconds < 120 else f"{int(seconds // 60)}:{seconds % 60:04.1f}"


def span(seconds: float) -> str:
    """A duration: "840 ms", "12.3 s", "3 min 04 s"."""
    if math.isnan(seconds) or seconds < 0:
        return NONE
    if seconds < 0.9995:
        return millis(seconds * 1000)
    if seconds < 119.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def millis(value: float) -> str:
    """Milliseconds: three figures, NONE for what wasn't seen."""
    if math.isnan(value) or value < 0:
        return NONE
    if value >= 999.5:
        return f"{value / 1000:.3g} s" if value < 100_000 else span(value / 1000)
    return f"{value:.0f} ms" if value >= 100 else f"{value:.3g} ms"


def between(start_ns: int, end_ns: int) -> str:
    """The time from one moment to another; NONE when either wasn't seen."""
    return NONE if start_ns < 0 or end_ns < 0 else millis((end_ns - start_ns) / 1e6)


def percent(part: float) -> str:
    """A share: "39 %", "0.97 %"; never rounds something to 0 % or almost all to 100 %."""
    if math.isnan(part):
        return NONE
    value = part * 100
    if value in (0, 100):
        return f"{value:.0f} %"
    if value < 0.01:
        return "< 0.01 %"
    if value > 99.99:
        return "> 99.99 %"
    return f"{value:.2f} %" if value < 1 or value > 99 else f"{value:.3g} %"


def chance(p: float) -> str:
    """A p-value: "p = 0.41", "p < 0.001", "p > 0.99"; "p not told" below 0."""
    if p < 0:
        return "p not told"
    return "p < 0.001" if p < 0.001 else "p > 0.99" if p > 0.99 else f"p = {p:.2g}"


def count(number: int) -> str:
    """A count: "41,212"; NONE below 0."""
    return NONE if number < 0 else f"{number:,}"


def plural(number: int, one: str, many: str = "") -> str:
    """`3 kills`, `1 kill`."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def measured(gate: Gate) -> str:
    """`expected 99 %; was 97 %`, as the gate itself says both."""
    return f"expected {gate.expected}; was {gate.actual}"


def seen_on(finding: Finding, promises: Sequence[PromiseSummary]) -> str:
    """How much one finding counts, and of how much: "44 objects (of 102 broken)"."""
    total = next((one.violations for one in promises if one.promise == finding.promise), finding.count)
    of = f" (of {count(total)} broken)" if total != finding.count else ""
    if finding.phase == Phase.MATRIX:
        return plural(finding.count, "pair of instances", "pairs of instances") + of
    if finding.cause is Cause.CONTENT:
        return f"{count(finding.count)} looked into{of}"
    if finding.phase == Phase.CONTROLS:
        return plural(finding.count, "try", "tries") + of
    return plural(finding.count, "object") + of
