"""What a PASS must have gone through: counted from what users and victims answered, not from what was meant."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from chaoscheck.checkers.assumptions import INCONCLUSIVE, PASS, UNRECOGNISED, gate
from chaoscheck.checkers.evidence import fisher
from chaoscheck.checkers.levels import promise_level
from chaoscheck.checkers.scan import Seen
from chaoscheck.checkers.timeline import Timeline, life_of, slot_of
from chaoscheck.model.events import FinalReadsEnded, Inspected, MatrixProbed
from chaoscheck.model.verdict import Gate, Level
from chaoscheck.plan.plan import Plan
from chaoscheck.promises.base import KINDS, Inspects, Pairs

ACTIONS_TOLD = 4
NO_BURST = (
    "no write was acknowledged within the seconds that a burst is given: lower traffic.rate, so that the service has "
    "time for it, or raise chaos.rounds; `gates: {a burst was on every slot: warn}` lets the rest decide, and the run "
    "then says nothing of what is acknowledged before it is persisted"
)


def coverage_gates(
    plan: Plan, known: Timeline, seen: Seen, place: Callable[[str, str], str] = lambda promise, action: ""
) -> Iterator[Gate]:
    """Every one is INCONCLUSIVE where it isn't met. `place` tells the plan's line of an action."""
    yield _something(plan)
    yield _matrix(plan, known)
    yield from _strikes(plan, known)
    yield _slots(plan, known, seen)
    yield _bursts(plan, known, seen)
    yield _in_flight(known, seen)
    yield from _actions(plan, seen, place)
    yield from _inspections(plan, known)
    yield from _understood(seen)
    yield from _accepted(plan, seen)
    yield from _final_reads(plan, known, seen)
    yield from _overlaps(seen)


def _matrix(plan: Plan, known: Timeline) -> Gate:
    """Pairs by slot; one that couldn't be told is as good as none, unless the login's own failure is what hid it."""
    expected = {
        (promise, writer, reader)
        for promise, terms in plan.promises.items()
        if KINDS.get(terms.kind).plain_pairs or issubclass(KINDS.get(terms.kind), Pairs)
        for writer in range(1, plan.instances + 1)
        for reader in range(1, plan.instances + 1)
    }
    cells = list(known.of(MatrixProbed))
    login = plan.login if plan.login and "another-instance" in plan.promises[plan.login].survives else None
    unheld = {(cell.writer, cell.reader) for cell in cells if cell.promise == login and cell.holds is False}
    told = {
        (cell.promise, slot_of(cell.writer), slot_of(cell.reader))
        for cell in cells
        if cell.holds is not None or (cell.writer, cell.reader) in unheld
    }
    slots = {slot for _, writer, reader in told for slot in (writer, reader)}
    if 0 in slots:
        expected = {(promise, writer - 1, reader - 1) for promise, writer, reader in expected}
    missing = sorted(expected - told)
    detail = (
        "" if not missing else f"first missing: {missing[0][0]}, written on {missing[0][1]}, read on {missing[0][2]}"
    )
    return gate(
        "matrix complete",
        INCONCLUSIVE if missing else PASS,
        f"{len(expected)} pairs told",
        f"{len(expected) - len(missing)} told",
        n=len(told),
        detail=detail,
        group="coverage",
    )


def _slots(plan: Plan, known: Timeline, seen: Seen) -> Gate:
    """A slot is back when a later incarnation of it answered a user: its being ready is only the controller's word."""
    dead = {slot_of(death.incarnation) for death in known.deaths if death.strike >= 0}
    lives: dict[int, int] = {}
    for name in seen.traffic.answered_by:
        lives[slot_of(name)] = max(lives.get(slot_of(name), 0), life_of(name))
    first = {
        slot: min(life_of(death.incarnation) for death in known.deaths if slot_of(death.incarnation) == slot)
        for slot in dead
    }
    both = sum(lives.get(slot, 0) > first[slot] for slot in dead)
    return gate(
        "every instance died and came back",
        PASS if both >= plan.instances else INCONCLUSIVE,
        f"{plan.instances} slots",
        f"{len(dead)} died, {both} answered users again",
        n=len(known.kills),
        group="coverage",
    )


def _something(plan: Plan) -> Gate:
    survives = [name for name, promise in plan.promises.items() if "kill" in promise.survives]
    judged = [name for name in survives if promise_level(plan, name) is Level.ERROR]
    none = f"no promise decides: gates sets {', '.join(survives)} to warn" if survives else ""
    return gate(
        "something is judged",
        PASS if judged else INCONCLUSIVE,
        "a promise that must survive a kill, and that decides",
        ", ".join(judged) or none or "every promise declares that it doesn't",
        n=len(judged),
        group="coverage",
    )


def _strikes(plan: Plan, known: Timeline) -> Iterator[Gate]:
    """A run that `at_most` cut has not struck every slot as often as the plan says. A `duration` promises no number."""
    if plan.chaos.duration is not None:
        return
    planned = plan.chaos.rounds * plan.instances
    made = sum(strike.landed for strike in known.kills)
    yield gate(
        "planned kills made",
        PASS if made >= planned else INCONCLUSIVE,
        f"{plan.chaos.rounds} rounds over {plan.instances} slots: {planned} kills",
        f"{made} landed",
        n=made,
        group="coverage",
    )


def _bursts(plan: Plan, known: Timeline, seen: Seen) -> Gate:
    """Only writes acknowledged up to the death find what is acknowledged before it is persisted."""
    held = {
        strike.began.slot
        for strike in known.kills
        if strike.landed and strike.began.mode == "burst" and seen.burst_acks.get(strike.began.victim, 0) > 0
    }
    whole = len(held) >= plan.instances
    return gate(
        "a burst was on every slot",
        PASS if whole else INCONCLUSIVE,
        "writes acknowledged by a victim that a burst was held on, once a slot",
        f"{len(held)} of {plan.instances} slots",
        n=sum(seen.burst_acks.values()),
        detail="" if whole else NO_BURST,
        group="coverage",
    )


def _inspections(plan: Plan, known: Timeline) -> Iterator[Gate]:
    """What a kind wants to look into was there to be looked at; what it showed is a finding."""
    for name, terms in plan.promises.items():
        if not isinstance(KINDS.get(terms.kind)(terms), Inspects):
            continue
        sizes = [event.size for event in known.of(Inspected) if event.promise == name]
        yield gate(
            f"{name}: what it gives out was looked into",
            PASS if sizes else INCONCLUSIVE,
            "one at least",
            f"{len(sizes)} looked into, {max(sizes)} bytes at most" if sizes else "none was there to look into",
            n=len(sizes),
            group="coverage",
        )


def _understood(seen: Seen) -> Iterator[Gate]:
    """Answers that the plan doesn't know, once kills began: they may be what a loss looks like here."""
    for promise, count in sorted(seen.unrecognised_late.items()):
        if count.unknown > UNRECOGNISED * count.reads:
            yield gate(
                f"{promise}: answers are understood under kills",
                INCONCLUSIVE,
                "at most 1% unrecognised",
                f"{count.unknown} of {count.reads} answers to {promise}.see are neither as expected nor absence: "
                f"{count.excerpt}",
                n=count.reads,
                detail="say in the plan what this answer means (gone, refused or expect)",
                group="coverage",
            )


def _accepted(plan: Plan, seen: Seen) -> Iterator[Gate]:
    """Writes that were refused more often once kills began: nothing was acknowledged, but users did notice."""
    for (promise, action), count in sorted(seen.refusals.items()):
        before, after = count.before, count.after
        expected = KINDS.get(plan.promises[promise].kind).refuses
        if expected or not after.refused or after.refused <= UNRECOGNISED * after.total:
            continue
        shown = f"{before.refused} of {before.total} refused" if before.total else "no sample"
        p = fisher(after.refused, after.total - after.refused, before.refused, before.total - before.refused)
        if p < 1 - plan.evidence.confidence:
            yield gate(
                f"{promise}.{action} is accepted under kills",
                INCONCLUSIVE,
                f"as in the baseline ({shown})",
                f"{after.refused} of {after.total} refused: {count.excerpt}",
                n=after.total,
                group="coverage",
            )


def _in_flight(known: Timeline, seen: Seen) -> Gate:
    kills = sum(1 for count in seen.in_flight.values() if count.total)
    requests = sum(count.total for count in seen.in_flight.values())
    return gate(
        "requests were in flight at a kill",
        PASS if kills else INCONCLUSIVE,
        "at one kill at least",
        f"{requests} requests at {kills} of {len(known.kills)} kills" if known.kills else "nothing counted: no kill",
        n=len(known.kills),
        group="coverage",
    )


def _actions(plan: Plan, seen: Seen, place: Callable[[str, str], str]) -> Iterator[Gate]:
    missing = []
    for name, promise in plan.promises.items():
        outcomes = seen.tallies[name].outcomes if name in seen.tallies else {}
        # A logout need not be part of a run: only a session kind's plan makes users leave through it.
        needed = [action for action in ("do", "see", "ledger") if promise.action(action)]
        needed += ["undo"] if promise.undo and (name == plan.login or KINDS.get(promise.kind).undoes) else []
        missing += [(name, action) for action in needed if not outcomes.get(f"{action}/ok")]
    yield gate(
        "each action succeeded",
        INCONCLUSIVE if missing else PASS,
        "do and see of every promise, once at least",
        _told_actions([_never(seen, *each, place(*each)) for each in missing]) if missing else "all did",
        detail="under load, answered as the plan says: the controls and the matrix don't count" if missing else "",
        group="coverage",
    )


def _told_actions(lines: Sequence[str]) -> str:
    more = [f"and {len(lines) - ACTIONS_TOLD} more"] if len(lines) > ACTIONS_TOLD else []
    return "; ".join([*lines[:ACTIONS_TOLD], *more])


def _never(seen: Seen, promise: str, action: str, place: str) -> str:
    """How often it was sent under load, and what the last one came to."""
    name = f"{promise}.{action}" + (f" ({place})" if place else "")
    missed = seen.missed.get((promise, action))
    if missed is None:
        return f"{name} was never sent"
    answer = f"was answered {missed.last.status}" if missed.last.status else "got no answer"
    said = f" ({missed.last.error})" if missed.last.error else ""
    return f"{name} was never ok in {missed.total} tries, the last of which {answer}{said}"


def _final_reads(plan: Plan, known: Timeline, seen: Seen) -> Iterator[Gate]:
    """The worker's counts, held against the answers that the history has from that phase."""
    ends = list(known.of(FinalReadsEnded))
    for promise, terms in plan.promises.items():
        if not KINDS.get(terms.kind).final_reads:
            continue
        due = sum(end.due.get(promise, 0) for end in ends)
        done = sum(end.done.get(promise, 0) for end in ends)
        answered = seen.final_answers.get(promise, 0)
        whole = due and done >= due and answered > 0
        yield gate(
            f"{promise}: final reads done",
            PASS if whole else INCONCLUSIVE,
            "every object read through every instance",
            _read_at_last(done, due, answered) if ends else "none were made",
            n=due,
            group="coverage",
        )


def _read_at_last(done: int, due: int, answered: int) -> str:
    if not due:
        return "nothing counted: no object was there to read"
    return f"{done} of {due}, {answered} answers after the strikes"


def _overlaps(seen: Seen) -> Iterable[Gate]:
    lines = [line for _, tally in sorted(seen.tallies.items()) for line in sorted(tally.inconclusive)]
    if lines:
        yield gate(
            "every session can be judged",
            INCONCLUSIVE,
            "one operation at a time on an object",
            f"{len(lines)} can't: {lines[0]}",
            n=len(lines),
            group="coverage",
        )
