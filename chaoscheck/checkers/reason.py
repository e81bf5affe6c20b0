"""The one sentence of a verdict: what decided, and what was left out of deciding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chaoscheck.checkers.assumptions import ENDED
from chaoscheck.checkers.base import Tally
from chaoscheck.model.verdict import Finding, Gate, Level, PromiseSummary, Verdict


def reason(
    verdict: Verdict,
    gates: Sequence[Gate],
    findings: Sequence[Finding],
    promises: Sequence[PromiseSummary],
    tallies: Mapping[str, Tally],
    kills: int,
) -> str:
    """`findings` are those that decide; what doesn't is told after it."""
    aside = _aside(gates)
    if verdict is Verdict.PASS:
        return f"{_passed(gates, promises, kills)}{aside}"
    found = next((one for one in findings if one.verdict is verdict), None)
    if found is not None:
        return found.summary + _of(found, tallies)
    return _of_gates([gate for gate in gates if gate.verdict is verdict and gate.counts], verdict) + aside


def _passed(gates: Sequence[Gate], promises: Sequence[PromiseSummary], kills: int) -> str:
    deciding = {gate.name for gate in gates if gate.group == "promises" and gate.counts}
    shown = [one for one in promises if one.promise in deciding]
    if not shown:
        return "no promise decides this run: all that broke is known, and the rest was not shown"
    exposures = sum(one.exposures for one in shown)
    but = " but as known" if any(one.violations for one in shown) else ""
    return f"no promise was broken{but} in {exposures} exposures over {kills} kills: " + ", ".join(
        f"{one.promise} {one.exposures}" for one in shown
    )


def _aside(gates: Sequence[Gate]) -> str:
    """What isn't as it should be, and doesn't decide."""
    known = [gate.name for gate in gates if gate.group == "promises" and gate.known]
    warned = [f"{gate.name} {gate.verdict}" for gate in gates if gate.level is Level.WARN and _amiss(gate)]
    off = [gate.name for gate in gates if gate.level is Level.OFF]
    parts = (("known to be broken", known), ("at warn, so not counted", warned), ("off", off))
    return "".join(f"; {what}: {', '.join(names)}" for what, names in parts if names)


def _amiss(gate: Gate) -> bool:
    return gate.verdict is not Verdict.PASS and not gate.known


def _of_gates(bad: Sequence[Gate], verdict: Verdict) -> str:
    """How the run ended tells most; then, where only evidence is missing, the promise that misses it."""
    ended = next((gate for gate in bad if gate.name == ENDED), None)
    if ended is not None:
        return ended.actual
    one = next((gate for gate in bad if gate.group == "promises" and verdict is Verdict.INCONCLUSIVE), bad[0])
    if one.group == "promises":
        return f"{one.name}: not shown either way: {one.detail or one.actual}"
    return f"{one.name.removesuffix(': its check can fail').removesuffix(': its check can hold')}: {one.actual}"


def _of(found: Finding, tallies: Mapping[str, Tally]) -> str:
    """What kills put at risk beside it, where they are the measure."""
    tally = tallies.get(found.promise)
    if tally is None or found.strike < 0:
        return ""
    whole, broken = (
        sum(count for strike, count in counts.items() if strike >= 0) for counts in (tally.exposures, tally.lost)
    )
    if broken < found.count:
        # Most of it was not seen at the first read after a kill, so that these two don't add up to anything.
        return ""
    here = f", {found.count} of them here" if broken > found.count else ""
    return f"; kills exposed {whole + broken}: {whole} read back whole, {broken} not{here}"
