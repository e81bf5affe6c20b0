"""Why a promise was broken, as far as the evidence goes, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chaoscheck.checkers.base import Anomaly, Death, Tally
from chaoscheck.checkers.timeline import Timeline
from chaoscheck.model.clock import NS
from chaoscheck.model.events import MatrixProbed, StoreDied
from chaoscheck.model.verdict import Cause
from chaoscheck.promises.base import Words

NEAR_NS = 5 * NS
"""A death this long before a read counts as near it."""
LAST_MOMENTS_NS = NS // 2
"""Losses further back than this aren't called acknowledged before persisted."""

UNASKED_NS = 2 * NS
"""A holder that dies so long after the others' last word dies over the question: under a burst it waits in line."""

SURVIVORS = 5
"""Older writes of the same victim that must be there before a loss is called acknowledged before persisted."""

ALIKE = 0.2
"""Losses under living instances, as a share of those under dead ones, from which on deaths explain neither."""

BY_KILLS = frozenset(
    {Cause.LOST_WITH_INSTANCE, Cause.ACK_BEFORE_PERSIST, Cause.MID_WRITE, Cause.LOCAL_DISK, Cause.COLLATERAL}
)
WITH_ITS_OWN = BY_KILLS - {Cause.COLLATERAL}
"""What only the death of who acknowledged it explains."""
BETWEEN_INSTANCES = frozenset({Cause.ONE_INSTANCE, Cause.WORKER_PROCESS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """An anomaly with its cause; `death` is the blamed one. `before_ns`: acknowledged so long before it, or -1."""

    anomaly: Anomaly
    cause: Cause
    death: Death | None
    before_ns: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What explains the anomalies of one promise."""

    known: Timeline
    tally: Tally
    several_processes: bool
    earliest_lost: dict[str, int]
    without_deaths: bool
    """Living acknowledgers lost so much that the losses under dead ones need no death to explain them."""
    without_faults: bool
    """Something was lost before anything had died at all."""
    listed: bool
    """Reads ask for a list, not for the object."""

    @classmethod
    def of(cls, known: Timeline, tally: Tally, promise: str, *, listed: bool = False) -> Evidence:
        earliest: dict[str, int] = {}
        for anomaly in tally.anomalies:
            if anomaly.acked_ns >= 0 and anomaly.healed_ns < 0:
                earliest[anomaly.acker] = min(anomaly.acked_ns, earliest.get(anomaly.acker, anomaly.acked_ns))
        several = any(
            cell.writer == cell.reader
            and cell.promise == promise
            and 0 < cell.missed < cell.told
            and (cell.healed or cell.writer_has)
            for cell in known.of(MatrixProbed)
        )
        nowhere = [
            one
            for one in tally.anomalies
            if one.confirmed and one.guarantee and not _split(one) and not _holder_died_meanwhile(one, known)
        ]
        gone = [one for one in nowhere if one.healed_ns < 0]
        orphans = sum(1 for one in gone if _taken_by(one, known) is not None)
        first_ns = min((death.death_ns for death in known.deaths), default=known.last_ns)
        return cls(
            known=known,
            tally=tally,
            several_processes=several,
            earliest_lost=earliest,
            without_deaths=len(gone) - orphans >= max(1.0, ALIKE * orphans),
            without_faults=any(one.read.done_ns < first_ns for one in nowhere),
            listed=listed,
        )


UNLISTED = frozenset({Cause.LOST_WITH_INSTANCE, Cause.COLLATERAL, Cause.BACKGROUND})
"""What may also be said of an object that dropped out of a list: no instance shows it any more."""


def explain(anomaly: Anomaly, evidence: Evidence) -> Explained:
    """The cause that the evidence allows; `background` where no fault is near."""
    found = _explain(anomaly, evidence)
    if evidence.listed and anomaly.guarantee and anomaly.healed_ns < 0 and found.cause in UNLISTED:
        return Explained(anomaly=anomaly, cause=Cause.LISTING, death=None)
    return found


def _explain(anomaly: Anomaly, evidence: Evidence) -> Explained:
    read = anomaly.read
    if any(store.since_ns <= max(read.done_ns, read.sent_ns) for store in evidence.known.of(StoreDied)):
        return Explained(anomaly=anomaly, cause=Cause.STORE, death=None)
    if anomaly.cause is not None:
        within = anomaly.cause is Cause.ONE_INSTANCE and evidence.several_processes
        death = None if anomaly.cause in BETWEEN_INSTANCES else _died_before(anomaly, evidence.known)
        return Explained(anomaly=anomaly, cause=Cause.WORKER_PROCESS if within else anomaly.cause, death=death)
    if not anomaly.guarantee:
        return _near(anomaly, evidence)
    if _split(anomaly) and _holders(anomaly)[0] <= {anomaly.acker}:
        cause = Cause.WORKER_PROCESS if evidence.several_processes else Cause.ONE_INSTANCE
        return Explained(anomaly=anomaly, cause=cause, death=None)
    if _holder_died_meanwhile(anomaly, evidence.known):
        return Explained(anomaly=anomaly, cause=Cause.ONE_INSTANCE, death=None)
    death = _taken_by(anomaly, evidence.known)
    if anomaly.healed_ns < 0 and death is not None and not evidence.without_deaths:
        return _lost_with(anomaly, death, evidence)
    return _near(anomaly, evidence)


def _died_before(anomaly: Anomaly, known: Timeline) -> Death | None:
    """The death of who acknowledged it; what ended after the read can't have lost what the read missed."""
    death = known.death_of(anomaly.acker)
    return death if death is not None and death.death_ns - death.error_ns <= anomaly.read.done_ns else None


def _taken_by(anomaly: Anomaly, known: Timeline) -> Death | None:
    """The death that may have taken it: that of who acknowledged it, if no other instance showed it after that."""
    death = _died_before(anomaly, known)
    return death if death is not None and anomaly.shown_ns <= death.death_ns + death.error_ns else None


def _holder_died_meanwhile(anomaly: Anomaly, known: Timeline) -> bool:
    """Another instance missed it while its holder lived, and the holder died before it could be asked."""
    read, death = anomaly.read, known.death_of(anomaly.acker)
    last_ns = max((again.done_ns for again in anomaly.confirms), default=-1)
    elsewhere = read.incarnation not in ("", anomaly.acker)
    asked = any(again.via == anomaly.acker for again in anomaly.confirms)
    return (
        anomaly.healed_ns < 0
        and elsewhere
        and not asked
        and death is not None
        and read.done_ns < death.death_ns - death.error_ns <= last_ns + UNASKED_NS
    )


def _split(anomaly: Anomaly) -> bool:
    """Whether some instances have it and others don't."""
    held, missed = _holders(anomaly)
    return anomaly.healed_ns < 0 and bool(held) and bool(missed)


def same_sort(doubts: Iterable[Anomaly], confirmed: Sequence[Explained], known: Timeline) -> list[Explained]:
    """Doubts that weren't re-read, as confirmed ones of the same promise, kind of answer and phase explain them.

    Workers re-read only the first of each sort; a doubt is matched only if every one that was re-read held up alike
    (all lost for good, or all healed), and for losses with an instance only if its own acknowledger died as well.
    """
    healed: dict[tuple[str, str, str], set[bool]] = {}
    first: dict[tuple[tuple[str, str, str], bool], Explained] = {}
    for one in confirmed:
        sort = _sort(one.anomaly, known)
        healed.setdefault(sort, set()).add(one.anomaly.healed_ns >= 0)
        first.setdefault((sort, one.cause in WITH_ITS_OWN), one)
    matched = []
    for doubt in doubts:
        sort, death = _sort(doubt, known), _taken_by(doubt, known)
        alike = first.get((sort, death is not None))
        if alike is None or len(healed[sort]) > 1:
            continue
        before = death.death_ns - doubt.acked_ns if death is not None and doubt.acked_ns >= 0 else -1
        blamed = death if death is not None else alike.death
        matched.append(Explained(anomaly=doubt, cause=alike.cause, death=blamed, before_ns=before))
    return matched


def _sort(anomaly: Anomaly, known: Timeline) -> tuple[str, str, str]:
    return anomaly.promise, anomaly.read.outcome, known.phase_at(anomaly.read.sent_ns)


def _holders(anomaly: Anomaly) -> tuple[set[str], set[str]]:
    """Instances whose last word kept the promise, and those whose last word was something else."""
    last = {again.via: again.agrees for again in anomaly.confirms}
    if anomaly.read.via != "lb":
        last.setdefault(anomaly.read.via, False)
    return {via for via, has in last.items() if has}, {via for via, has in last.items() if not has}


def _lost_with(anomaly: Anomaly, death: Death, evidence: Evidence) -> Explained:
    before = max(0, death.death_ns - anomaly.acked_ns)
    lost_ns = evidence.earliest_lost.get(anomaly.acker, death.death_ns)
    kept = evidence.tally.kept_after.get(anomaly.acker, [])
    earlier = sum(1 for acked_ns in kept if acked_ns < lost_ns)
    # A late persister keeps what is old and loses what is new; survivors in between speak against it.
    late = (
        earlier >= SURVIVORS and 10 * (len(kept) - earlier) <= len(kept) and death.death_ns - lost_ns <= LAST_MOMENTS_NS
    )
    cause = Cause.ACK_BEFORE_PERSIST if late else Cause.LOST_WITH_INSTANCE
    return Explained(anomaly=anomaly, cause=cause, death=death, before_ns=before)


def _near(anomaly: Anomaly, evidence: Evidence) -> Explained:
    """Another instance's death since it was last there, or just before the read; else the background."""
    read = anomaly.read
    since = max(anomaly.acked_ns, anomaly.shown_ns, read.sent_ns - NEAR_NS)
    near = [
        death
        for death in evidence.known.deaths
        if since <= death.death_ns + death.error_ns and death.death_ns - death.error_ns <= read.done_ns
    ]
    if near and not evidence.without_faults:
        return Explained(anomaly=anomaly, cause=Cause.COLLATERAL, death=near[-1])
    cause = Cause.WORKER_PROCESS if evidence.several_processes and anomaly.guarantee else Cause.BACKGROUND
    return Explained(anomaly=anomaly, cause=cause, death=None)


_FIXES = {
    Cause.WORKER_PROCESS: "the processes of one instance don't share this: give all of them one signing key (from the "
    "environment or a secret, not made at start), and {store}",
    Cause.ACK_BEFORE_PERSIST: "acknowledge only after the store has confirmed the write: no write-behind buffer, and "
    "flush before the answer",
    Cause.MID_WRITE: "write under another name and rename once all of it is there, and {store}",
    Cause.LOCAL_DISK: "the instance's own disk goes with it: {store}",
    Cause.COLLATERAL: "one instance's death must not touch what others hold: look for replication or stickiness "
    "between instances that the death disturbs, and {store}",
    Cause.STORE: "the store itself went away: run again with a store that stays up",
    Cause.UNSETTLED: "what one instance acknowledged reaches the others late: acknowledge only when every instance "
    "would show it, or {store}",
    Cause.LISTING: "this says nothing of the service yet, for a list that shows only some forgets the oldest: take the "
    "object's id or address in `do`, and let `see` ask for that (or for a list that shows all)",
    Cause.BACKGROUND: "no one fault explains it: look for caches before the store, expiry that is too short, and races "
    "between requests of one session; and {store}",
}


_ANOMALIES = {
    "REFUSED_ELSEWHERE": "let any instance go on with what another one began: sign a form's hidden token (with its "
    "user and an end) with one key that all instances share, or keep tokens and half-done work in a store that all of "
    "them ask",
}
"""Advice where the anomaly itself says enough, in every kind."""


def fix(words: Words, cause: Cause, anomaly: str) -> str:
    """What would make the promise hold, in a sentence."""
    text = words.fixes.get(anomaly) or _ANOMALIES.get(anomaly) or _FIXES.get(cause, "{store}").format(store=words.store)
    return text[0].upper() + text[1:] + "."
