"""Was this run able to prove anything? Judged before everything else; a doubt here is never a pass."""

from __future__ import annotations

from collections.abc import Iterator

from chaoscheck.checkers.scan import Seen
from chaoscheck.checkers.timeline import Strike, Timeline
from chaoscheck.model.clock import NS
from chaoscheck.model.events import (
    ControlProbed,
    HistoryClosed,
    InstanceDied,
    Interrupted,
    RateChosen,
    RunEnded,
    StoreDied,
    TransportProved,
    Troubled,
    WorkerLost,
)
from chaoscheck.model.ops import Phase
from chaoscheck.model.pace import Pace, pace
from chaoscheck.model.verdict import Gate, Verdict
from chaoscheck.plan.plan import Plan

LATE_MS, OFTEN_LATE_MS = 500.0, 100.0
BUSY = 0.95
"""More of a processor in half of the time, and a worker has no time left to be punctual in."""
UNRECOGNISED = 0.01
CLOCK_ERROR_NS = NS // 4
"""Deaths known less exactly than this (ns) can't be told from what came before and after them."""

PASS, INCONCLUSIVE, INVALID = Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.INVALID

ENDED = "the run went to its end"


def gate(
    name: str,
    verdict: Verdict,
    expected: str,
    actual: str,
    *,
    n: int = -1,
    detail: str = "",
    group: str = "assumptions",
) -> Gate:
    """An assumption has no margin: it holds or not."""
    return Gate(
        group=group, name=name, verdict=verdict, expected=expected, actual=actual, margin="", n=n, detail=detail
    )


def assumption_gates(plan: Plan, known: Timeline, seen: Seen) -> Iterator[Gate]:
    """In the order in which a reader should doubt them."""
    yield from _ended(known)
    yield _transport(known)
    yield from _controls(plan, known)
    yield from _environment(known)
    yield from _load(plan, known, seen)
    if known.span(Phase.CHAOS.value) is not None:
        yield from _whole(known, seen)
        yield _kills(known)
        yield _the_dead_are_silent(known, seen)
        yield from _names_agree(seen)
        yield _shams(plan, known)
        yield _clock(known, seen)


# Assumptions.


def _ended(known: Timeline) -> Iterator[Gate]:
    for trouble in known.of(Troubled):
        yield gate(
            ENDED,
            INVALID,
            "no trouble",
            f"{trouble.message} (during {trouble.during})",
            detail="\n".join(part for part in (trouble.hint, trouble.details) if part),
        )
    for stop in known.of(Interrupted):
        yield gate(ENDED, INCONCLUSIVE, "not interrupted", f"interrupted during {stop.during}")
    if not any(known.of(RunEnded)) and not any(known.of(Troubled)) and not any(known.of(Interrupted)):
        yield gate(ENDED, INCONCLUSIVE, "a last event", "the run was cut off, and nothing says why")


def cut_short(known: Timeline) -> bool:
    """Whether the run ended before its time: what it did not get to is missing, not wrong."""
    return any(known.of(Interrupted)) or not any(known.of(RunEnded))


def _transport(known: Timeline) -> Gate:
    proofs = list(known.of(TransportProved))
    wrong = [proof for proof in proofs if proof.deliveries != 1]
    verdict = INVALID if wrong else PASS if proofs else INCONCLUSIVE
    actual = (
        f"{wrong[0].transport}: {wrong[0].deliveries} deliveries of one attempt"
        if wrong
        else f"{len(proofs)} proofs, 1 delivery each"
        if proofs
        else "no proof was made"
    )
    return gate("an attempt is delivered once", verdict, "1 delivery of an attempt", actual, n=len(proofs))


def _controls(plan: Plan, known: Timeline) -> Iterator[Gate]:
    for promise in plan.promises:
        for must in ("fail", "hold"):
            probes = [probe for probe in known.of(ControlProbed) if probe.promise == promise and probe.must == must]
            yield _control(promise, must, probes)


def _control(promise: str, must: str, probes: list[ControlProbed]) -> Gate:
    tries, held = sum(probe.tries for probe in probes), sum(probe.held for probe in probes)
    name = f"{promise}: its check can {'fail' if must == 'fail' else 'hold'}"
    expected = "never holds where it must fail" if must == "fail" else "holds right after its do, on the same instance"
    if tries == 0:
        asked = next((f"{probe.request}: {probe.answer[:200]}" for probe in probes if probe.request), "")
        said = f"nothing counted: no read was answered, the last was {asked}" if asked else "never probed"
        return gate(name, INCONCLUSIVE, expected, said, n=0)
    bad = next((probe for probe in probes if (probe.held > 0) == (must == "fail")), probes[0])
    shown = f"{bad.request}\n{bad.answer}"
    if must == "fail" and held:
        return gate(
            name,
            INVALID,
            expected,
            f"this check cannot fail: it held {held} of {tries} times with nothing to see: {bad.answer[:200]}",
            n=tries,
            detail=f"let `see` expect something that only this user or this value gives\n{shown}",
        )
    if must == "hold" and not held:
        never = f"it never held ({tries} tries): {bad.answer[:200]}"
        if bad.undone:
            why = f"{bad.request}: {bad.answer[:200]}"
            never = f"its do was never ok ({tries} tries), so nothing was there to see: {why}"
        return gate(name, INVALID, expected, never, n=tries, detail=shown)
    return gate(name, PASS, expected, f"held {held} of {tries} times", n=tries)


def _environment(known: Timeline) -> Iterator[Gate]:
    for store in known.of(StoreDied):
        yield gate("stores stay up", INVALID, "no store ends", f"{store.store} ended unasked", detail=store.detail)
    for death in known.of(InstanceDied):
        if not death.asked:
            why = "out of memory" if death.out_of_memory else f"exit code {death.exit_code}"
            yield gate(
                "instances die only when killed",
                INVALID,
                "no instance ends by itself",
                f"{death.instance} ended by itself ({why})",
                detail=death.log,
            )
    for worker in known.of(WorkerLost):
        yield gate(
            "the load is whole", INVALID, "no worker is lost", f"worker {worker.worker} was lost", detail=worker.detail
        )


def _load(plan: Plan, known: Timeline, seen: Seen) -> Iterator[Gate]:
    if known.span(Phase.BASELINE.value) is None:
        return
    attempts = seen.traffic.attempts
    none = INCONCLUSIVE if cut_short(known) else INVALID
    yield gate("users were served", PASS if attempts else none, "some requests", f"{attempts} requests", n=attempts)
    yield _generator(pace(known.events))
    yield from _rate(known)
    for promise, count in sorted(seen.unrecognised.items()):
        share = count.unknown / count.reads if count.reads else 0.0
        if share > UNRECOGNISED:
            yield gate(
                f"{promise}: answers are understood",
                INVALID,
                "at most 1% unrecognised in the baseline",
                f"{count.unknown} of {count.reads} answers to {promise}.see are neither as expected nor absence: "
                f"{count.excerpt[:200]}",
                n=count.reads,
                detail=count.excerpt,
            )
    answered = sum(seen.traffic.answered_by.values())
    if answered and answered == seen.traffic.nameless:
        yield gate(
            "answers name their instance",
            INCONCLUSIVE,
            "the balancer says who answered",
            "no answer names its instance, so no exposure counts",
            n=answered,
            detail="if a header of its answers does, say which: balancer: {header: X-Served-By}"
            if plan.balancer.kind == "external"
            else "",
        )


def _generator(seen: Pace) -> Gate:
    """Late means that what users would have done was not done: what the run shows is chaoscheck's own slowness."""
    late = seen.p95_ms > LATE_MS or seen.median_ms > OFTEN_LATE_MS
    full = seen.busy > BUSY
    lag = f"late by {seen.median_ms:.0f} ms in half of the time, by {seen.p95_ms:.0f} ms in 95 % of it"
    used = f"; a worker used {seen.busy:.0%} of a processor" if seen.busy >= 0 else ""
    remedy = "ask for a lower rate or fewer users, give it more workers (traffic.workers), or a less busy machine"
    blamed = "chaoscheck's own load generator was the bottleneck: " if late or full else ""
    return gate(
        "the generator keeps up",
        INVALID if late or full else PASS if seen.samples else INCONCLUSIVE,
        f"late by at most {OFTEN_LATE_MS:.0f} ms in half of the time, by {LATE_MS:.0f} ms in 95 % of it; processor to "
        f"spare",
        blamed + lag + used if seen.samples else "its lag was not measured",
        n=len(seen.samples),
        detail=f"what this run shows may be its slowness, not the service's: {remedy}" if late or full else "",
    )


def _rate(known: Timeline) -> Iterator[Gate]:
    """Told where the run chose it, for what the run shows holds at that rate."""
    chosen = list(known.of(RateChosen))
    if chosen:
        first, last = chosen[0], chosen[-1]
        yield gate(
            "the service keeps up",
            PASS,
            "a rate that it sustains without any kill",
            f"{last.rate:g} requests/s by {last.users} users; at {first.tried:g} it answered {first.answered:.0f}",
            detail=f"p95 was {first.p95_ms / 1000:.1f} s and {first.bad:.0%} failed; traffic.rate sets the rate",
        )


def _kills(known: Timeline) -> Gate:
    real = [strike for strike in known.strikes if not strike.sham]
    if real and real[-1].struck is None and cut_short(known):
        real = real[:-1]
    missed = [strike for strike in real if not strike.landed]
    expected = "every strike's kill is confirmed dead by signal 9"
    if missed:
        return gate(
            "kills land",
            INVALID,
            expected,
            f"{len(missed)} of {len(real)} kills are not confirmed: {_why(missed[0])}",
            n=len(real),
        )
    if not real:
        verdict = INCONCLUSIVE if cut_short(known) else INVALID
        return gate("kills land", verdict, expected, "no instance was killed", n=0)
    return gate("kills land", PASS, expected, f"{len(real)} of {len(real)}", n=len(real))


def _names_agree(seen: Seen) -> Iterator[Gate]:
    if seen.misnamed:
        expected = "the header and the balancer's log name the same instance"
        yield gate("answers name who gave them", INVALID, expected, f"{seen.misnamed} answers don't", n=seen.operations)


def _whole(known: Timeline, seen: Seen) -> Iterator[Gate]:
    """What the workers said they wrote is what there is to judge."""
    closed = list(known.of(HistoryClosed))
    if not closed:
        return
    wrote = sum(event.operations for event in closed)
    # A controller that was killed never heard what its workers wrote; less than was told is missing all the same.
    whole = wrote == seen.operations or (cut_short(known) and wrote < seen.operations)
    yield gate(
        "the history is whole",
        PASS if whole else INVALID,
        f"{wrote} operations, as their writers counted",
        f"{seen.operations} operations",
        n=seen.operations,
    )


def _the_dead_are_silent(known: Timeline, seen: Seen) -> Gate:
    """A receipt may lie, or a name may stand for two processes; an answer after the death gives both away."""
    expected = "no request sent after a death is answered by the dead"
    actual = f"{seen.ghosts} answers, the first from {seen.ghost}" if seen.ghosts else "none is"
    return gate("the dead are silent", INVALID if seen.ghosts else PASS, expected, actual, n=len(known.deaths))


def _why(strike: Strike) -> str:
    if strike.struck is None:
        return f"strike {strike.index} at {strike.began.victim} was not carried out"
    return f"strike {strike.index} at {strike.struck.victim}: {strike.struck.detail or 'no death was seen'}"


def _shams(plan: Plan, known: Timeline) -> Gate:
    shams = [strike for strike in known.strikes if strike.sham and strike.struck is not None]
    died = [
        strike
        for strike in shams
        for death in known.deaths
        if death.incarnation == strike.began.victim and strike.start_ns <= death.death_ns < strike.end_ns
    ]
    verdict = INVALID if died else PASS if len(shams) >= plan.chaos.shams else INCONCLUSIVE
    actual = (
        f"{died[0].began.victim} died in sham strike {died[0].index}" if died else f"{len(shams)} made, nobody died"
    )
    return gate(
        "shams hurt nobody",
        verdict,
        f"at least {plan.chaos.shams} sham strikes, no death in them",
        actual,
        n=len(shams),
    )


def _clock(known: Timeline, seen: Seen) -> Gate:
    worst = max((death.error_ns for death in known.deaths), default=0)
    wrong = seen.backwards or worst > CLOCK_ERROR_NS
    actual = f"{seen.backwards} answers before their requests; deaths known to {worst / 1e6:.1f} ms"
    return gate(
        "clocks agree",
        INVALID if wrong else PASS,
        f"deaths known to {CLOCK_ERROR_NS / 1e6:.0f} ms",
        actual,
        n=seen.operations,
    )
