"""What a calibration run came to beside what its plan expects: pure, so that a miss and a false alarm can be tested."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chaoscheck.model import events
from chaoscheck.model.clock import NS
from chaoscheck.model.ops import Phase
from chaoscheck.model.verdict import Finding, Result, Verdict
from chaoscheck.plan.plan import Expected

FACTOR = 2.0
"""A window of lost acknowledgements is estimated well within this factor, both ways."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One run of one plan. `first_s` and `kills` (-1: none) are of the expected finding; `wrong` is empty when all is
    as expected; `defect` tells misses from false alarms."""

    target: str
    seed: int
    defect: bool
    expected: str
    got: str
    first_s: float
    kills: int
    exposures: int
    took_s: float
    wrong: tuple[str, ...]
    run: str = ""


def wanted(expect: Expected, result: Result) -> Finding | None:
    """The finding that the plan expects, if the result has it."""
    return next((one for one in result.findings if _fits(expect, one)), None)


def enough(expect: Expected, result: Result) -> bool:
    """Whether a defect's run has shown what it should, its estimate included."""
    found = wanted(expect, result)
    return found is not None and (expect.lost_ms is None or _near(found.acked_before_death_ms, expect.lost_ms))


def compare(target: str, expect: Expected, result: Result, happened: Sequence[events.Event], took_s: float) -> Row:
    """The run of a defect where the plan expects FAIL, else one in which nothing may be found."""
    found = wanted(expect, result)
    wrong = tuple(_misses(expect, result, found) if expect.verdict == "FAIL" else _false_alarms(expect, result))
    first_ns = _found_ns(found, happened) if found is not None else -1
    began_ns = next((one.t_ns for one in happened if _is_begin(one)), 0)
    return Row(
        target=target,
        seed=result.seed,
        defect=expect.verdict == "FAIL",
        expected=_expected(expect),
        got=_got(expect, result, found),
        first_s=(first_ns - began_ns) / NS if found is not None else -1.0,
        kills=_kills(result, first_ns if expect.lost_ms is None else -1),
        exposures=sum(one.exposures for one in result.promises),
        took_s=took_s,
        wrong=wrong,
        run=result.run,
    )


def failed(rows: Iterable[Row]) -> bool:
    """Whether anything was missed or accused falsely; no rows at all prove nothing."""
    seen = list(rows)
    return not seen or any(row.wrong for row in seen)


def _fits(expect: Expected, one: Finding) -> bool:
    return (
        one.verdict is Verdict.FAIL
        and expect.promise in (None, one.promise)
        and expect.finding in (None, one.anomaly)
        and expect.cause in (None, one.cause)
    )


def _misses(expect: Expected, result: Result, found: Finding | None) -> Iterable[str]:
    if result.verdict != expect.verdict:
        yield f"ended in {result.verdict}: {result.reason}"
    if found is None:
        yield f"missed: {_expected(expect)}"
    elif expect.lost_ms is not None and not _near(found.acked_before_death_ms, expect.lost_ms):
        yield f"estimated {found.acked_before_death_ms:.1f} ms instead of about {expect.lost_ms:g} ms"
    for one in result.findings:
        if expect.promise is not None and one.promise != expect.promise:
            yield f"falsely accused: {_said(one)}"


def _false_alarms(expect: Expected, result: Result) -> Iterable[str]:
    if result.verdict != expect.verdict:
        yield f"ended in {result.verdict}: {result.reason}"
    for one in result.findings:
        yield f"falsely accused: {_said(one)}"


def _near(estimate_ms: float, true_ms: float) -> bool:
    return true_ms / FACTOR <= estimate_ms <= true_ms * FACTOR


def _found_ns(found: Finding, happened: Sequence[events.Event]) -> int:
    """When it was confirmed: traffic says so; what controls and matrix tell is confirmed as it is told."""
    if found.phase in (Phase.MATRIX, Phase.CONTROLS):
        return found.at_ns
    told = (
        one.t_ns
        for one in happened
        if isinstance(one, events.FindingSeen) and (one.promise, one.anomaly) == (found.promise, found.anomaly)
    )
    return next((t_ns for t_ns in told if t_ns >= found.at_ns), found.at_ns)


def _is_begin(one: events.Event) -> bool:
    """The controls send the first request of a run."""
    return isinstance(one, events.PhaseBegan) and one.phase == Phase.CONTROLS


def _kills(result: Result, until_ns: int) -> int:
    """Confirmed kills, up to that moment where one is given."""
    return sum(one.confirmed and (until_ns < 0 or one.death_ns <= until_ns) for one in result.kills)


def _expected(expect: Expected) -> str:
    if expect.verdict != "FAIL":
        return expect.verdict
    cause = f" ({expect.cause})" if expect.cause else ""
    window = f", about {expect.lost_ms:g} ms" if expect.lost_ms is not None else ""
    return f"{expect.promise}: {expect.finding}{cause}{window}"


def _got(expect: Expected, result: Result, found: Finding | None) -> str:
    if found is None:
        first = result.findings[0] if result.findings else None
        return f"{result.verdict}" + (f", {_said(first)}" if first is not None else "")
    window = f", {found.acked_before_death_ms:.0f} ms" if expect.lost_ms is not None else ""
    return _said(found) + window


def _said(one: Finding) -> str:
    return f"{one.promise}: {one.anomaly} ({one.cause})"
