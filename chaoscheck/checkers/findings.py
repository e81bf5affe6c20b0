"""From anomalies to findings: doubtful ones set aside, causes named, equal ones counted as one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from chaoscheck.checkers.base import Anomaly
from chaoscheck.checkers.causes import (
    BETWEEN_INSTANCES,
    BY_KILLS,
    Evidence,
    Explained,
    explain,
    fix,
    same_sort,
)
from chaoscheck.checkers.evidence import fisher
from chaoscheck.checkers.scan import Seen
from chaoscheck.checkers.timeline import Timeline
from chaoscheck.model.clock import NS
from chaoscheck.model.events import ControlProbed, Inspected, MatrixProbed
from chaoscheck.model.ops import Lane, Outcome, Phase
from chaoscheck.model.verdict import Cause, ChainLink, Finding, MatrixCell, Verdict
from chaoscheck.plan.plan import Plan
from chaoscheck.plan.steps import Promise
from chaoscheck.promises.base import KINDS, Words

MATRIX = "matrix"
"""Stands for the anomaly in the key of a matrix finding's chain."""

RELOGIN_NS = 3 * NS
"""A user who finds himself logged out logs in again at his next turn, about so much later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One promise's anomalies: `counted` break it, `tolerated` are what it declares it doesn't survive, `open` are
    doubts that nobody could settle, `hidden` were refused because the session's login was lost."""

    promise: str
    counted: tuple[Explained, ...]
    tolerated: tuple[Explained, ...]
    open: tuple[Anomaly, ...]
    hidden: int

    @property
    def groups(self) -> dict[tuple[str, Cause], list[Explained]]:
        """By anomaly and cause, each in the order of time."""
        groups: dict[tuple[str, Cause], list[Explained]] = {}
        for one in sorted(self.counted, key=_when):
            groups.setdefault((one.anomaly.name, one.cause), []).append(one)
        return groups


def judge_anomalies(plan: Plan, known: Timeline, seen: Seen) -> dict[str, Judged]:
    """Every promise that has a tally."""
    login = seen.tallies.get(plan.login) if plan.login else None
    promised = plan.login is not None and bool(plan.promises[plan.login].survives)
    lost_logins = _lost_logins(login.anomalies if login and promised else ())
    judged = {}
    for name in seen.tallies:
        anomalies = [
            better for one in seen.tallies[name].anomalies if (better := _settled(one, seen.users)) is not None
        ]
        shown = [one for one in anomalies if name == plan.login or not _refused(one, plan.promises[name], lost_logins)]
        judged[name] = _judge_one(name, plan.promises[name], known, seen, shown, len(anomalies) - len(shown))
    return judged


def _judge_one(
    name: str, promise: Promise, known: Timeline, seen: Seen, anomalies: list[Anomaly], hidden: int
) -> Judged:
    evidence = Evidence.of(
        known,
        replace(seen.tallies[name], anomalies=anomalies),
        name,
        listed=KINDS.get(promise.kind).lists(promise),
    )
    confirmed = [explain(one, evidence) for one in anomalies if one.confirmed]
    doubts = [one for one in anomalies if not one.confirmed]
    matched = same_sort(doubts, confirmed, known)
    taken = {id(one.anomaly) for one in matched}
    explained = confirmed + matched
    counted = tuple(one for one in explained if _promised(one, promise))
    tolerated = tuple(one for one in explained if not _promised(one, promise))
    open_ = tuple(
        sorted((one for one in doubts if id(one) not in taken), key=lambda one: (one.read.sent_ns, one.session))
    )
    return Judged(promise=name, counted=counted, tolerated=tolerated, open=open_, hidden=hidden)


def _promised(one: Explained, promise: Promise) -> bool:
    if one.anomaly.critical:
        return True
    if one.cause in BETWEEN_INSTANCES:
        return "another-instance" in promise.survives
    return "kill" in promise.survives if one.cause in BY_KILLS else bool(promise.survives)


def _settled(one: Anomaly, users: dict[str, str]) -> Anomaly | None:
    """What only the whole history can tell: who is a user, and whose account it was. None: no anomaly after all."""
    if one.name == "WRONG_USER" and one.seen not in set(users.values()):
        # It names nobody who has an account here ("guest", say): the user is logged out, not someone else.
        return replace(
            one,
            name="LOST" if one.healed_ns < 0 else "FLICKER",
            critical=False,
            confirmed=bool(one.confirms),
            guarantee="read-your-writes",
        )
    if one.name == "CROSS_SESSION":
        other = one.seen.rpartition(".")[0].rpartition(".")[2]
        if users.get(other) is not None and users.get(other) == users.get(one.session):
            # An earlier session of the same account wrote it; an unknown write of it may even land now.
            return replace(one, name="STALE", critical=False, confirmed=False) if one.value else None
    return one


def _lost_logins(anomalies: Iterable[Anomaly]) -> dict[str, list[tuple[int, int]]]:
    spans: dict[str, list[tuple[int, int]]] = {}
    for one in anomalies:
        spans.setdefault(one.session, []).append((one.acked_ns, one.read.done_ns + RELOGIN_NS))
    return spans


def _refused(one: Anomaly, promise: Promise, lost: dict[str, list[tuple[int, int]]]) -> bool:
    """Refused while the session's own login was lost, or gone with the session that held it: the login's finding."""
    if one.critical:
        return False
    spans = lost.get(one.session, ())
    held_by_session = (promise.of or KINDS.get(promise.kind).default_of) == "session"
    if held_by_session and any(one.acked_ns <= until and since <= one.read.sent_ns for since, until in spans):
        return True
    if one.read.outcome != Outcome.GONE or promise.seen_by_guest:
        return False
    # Whether its next login holds on every instance nobody knows, so that a refusal says nothing from there on.
    return any(since <= one.read.sent_ns for since, _ in spans)


# Findings.


def user_findings(
    plan: Plan, known: Timeline, judged: Judged, chains: dict[tuple[str, str, Cause], tuple[ChainLink, ...]]
) -> list[Finding]:
    """One finding for each (anomaly, cause) of that promise, shown by its clearest case."""
    kind = plan.promises[judged.promise].kind
    words = KINDS.get(kind).words
    wording = _wording(plan, known, judged)
    found = []
    for (name, cause), group in judged.groups.items():
        one = representative(group)
        anomaly, death = one.anomaly, one.death
        invalid = cause in (Cause.STORE, Cause.LISTING)
        before_ms = (
            max((other.before_ns for other in group), default=-1) / 1e6 if cause is Cause.ACK_BEFORE_PERSIST else -1.0
        )
        found.append(
            Finding(
                promise=judged.promise,
                kind=kind,
                anomaly=name,
                verdict=Verdict.INVALID if invalid else Verdict.FAIL,
                critical=anomaly.critical,
                cause=cause,
                wording=wording if cause in BY_KILLS else "after",
                summary=_summary(judged.promise, words, name, cause, group, before_ms, wording),
                fix=fix(words, cause, name),
                count=len({(other.anomaly.session, other.anomaly.obj) for other in group}),
                session=anomaly.session,
                obj=anomaly.obj,
                value=anomaly.value if words.valued else "",
                seen=anomaly.seen,
                phase=known.phase_at(anomaly.read.sent_ns),
                at_ns=anomaly.read.sent_ns,
                strike=death.strike if death is not None else -1,
                victim=death.incarnation if death is not None else "",
                healed_ms=(anomaly.healed_ns - anomaly.read.sent_ns) / 1e6 if anomaly.healed_ns >= 0 else -1.0,
                acked_before_death_ms=max(before_ms, one.before_ns / 1e6) if one.before_ns >= 0 else -1.0,
                chain=chains.get((judged.promise, name, cause), ()),
            )
        )
    return found


def representative(group: Sequence[Explained]) -> Explained:
    """The clearest case: confirmed, a user's own, asked of many, and the earliest of those."""
    return min(
        group,
        key=lambda one: (
            not one.anomaly.confirmed,
            one.anomaly.read.lane != Lane.USER,
            -min(len({again.via for again in one.anomaly.confirms}), 3),
            _when(one),
        ),
    )


Cells = dict[tuple[str, str, Cause], list[MatrixProbed]]
"""By promise, key of the chain ("matrix", or with the anomaly that the kind names) and cause."""


def failed_cells(plan: Plan, known: Timeline) -> Cells:
    """Pairs of the matrix that broke a promise, in the order of time."""
    failed: Cells = {}
    for cell in known.of(MatrixProbed):
        promise = plan.promises.get(cell.promise)
        if cell.holds is False and promise is not None and "another-instance" in promise.survives:
            failed.setdefault((cell.promise, f"{MATRIX} {cell.anomaly}".strip(), matrix_cause(cell)), []).append(cell)
    for key in {key[:2] for key in failed if key[2] is Cause.WORKER_PROCESS}:
        # What its own processes don't share, other instances don't have either: one defect, not two.
        # Nor did the writer have lost it where another of its processes answered for it.
        for cause in (Cause.ONE_INSTANCE, Cause.BACKGROUND):
            failed[*key, Cause.WORKER_PROCESS] += failed.pop((*key, cause), [])
    return failed


def matrix_findings(
    plan: Plan, known: Timeline, chains: Mapping[tuple[str, str, Cause], tuple[ChainLink, ...]]
) -> list[Finding]:
    """One finding for each promise and cause that the matrix shows."""
    return [
        _matrix_finding(plan, key[0], key[2], cells, chains.get(key, ()))
        for key, cells in failed_cells(plan, known).items()
    ]


def matrix_cause(cell: MatrixProbed) -> Cause:
    """Some reads on the very instance miss it, and later ones too: its processes share nothing. Nobody has it: gone."""
    if cell.healed and (cell.missed == cell.told or cell.writer == cell.reader):
        return Cause.UNSETTLED
    if cell.writer == cell.reader:
        return Cause.WORKER_PROCESS if cell.writer_has or not cell.told else Cause.BACKGROUND
    return Cause.ONE_INSTANCE if cell.writer_has or not cell.told else Cause.BACKGROUND


def matrix_cell(words: Words, pair: tuple[str, int, int], probes: Sequence[MatrixProbed]) -> MatrixCell:
    """What the probes of one (promise, writer, reader) come to: a failure decides, then what held, then that nothing
    could be told."""
    promise, writer, reader = pair
    failed = {_named(words, probe): probe.note for probe in reversed(probes) if probe.holds is False}
    if failed:
        names = list(reversed(failed))
        note = failed[names[0]] if len(names) == 1 else "; ".join(f"{name}: {failed[name]}" for name in names)
        return MatrixCell(
            promise=promise, writer=writer, reader=reader, holds=False, note=note, anomaly=", ".join(names)
        )
    best = next((probe for probe in probes if probe.holds), probes[0])
    return MatrixCell(promise=promise, writer=writer, reader=reader, holds=best.holds, note=best.note)


def _named(words: Words, cell: MatrixProbed) -> str:
    return cell.anomaly or ("FLICKER" if matrix_cause(cell) is Cause.UNSETTLED else words.missing)


def _matrix_finding(
    plan: Plan, promise: str, cause: Cause, cells: list[MatrixProbed], chain: tuple[ChainLink, ...]
) -> Finding:
    cell, kind = cells[0], plan.promises[promise].kind
    words = KINDS.get(kind).words
    where = f"fresh connections to {cell.reader} itself" if cause is Cause.WORKER_PROCESS else cell.reader
    pairs = len({(one.writer, one.reader) for one in cells})
    fails = words.broken.get(cell.anomaly) or BROKEN.get(cell.anomaly)
    seen = f"{words.many} {fails}" if fails else f"what {cell.writer} acknowledged, {where} did not have"
    summary = (
        f"{promise}: {seen} ({pairs} pair{'s' if pairs != 1 else ''} of instances in the matrix, no load and no kill): "
        f"{_because(cause, words, cell.anomaly)}"
    )
    return Finding(
        promise=promise,
        kind=kind,
        anomaly=cell.anomaly or ("FLICKER" if cause is Cause.UNSETTLED else words.missing),
        verdict=Verdict.FAIL,
        critical=False,
        cause=cause,
        wording="after",
        summary=summary,
        fix=fix(words, cause, cell.anomaly),
        count=pairs,
        session=cell.session,
        obj=cell.obj,
        value="",
        seen=cell.note,
        phase=Phase.MATRIX.value,
        at_ns=cell.t_ns,
        strike=-1,
        victim="",
        healed_ms=-1.0,
        acked_before_death_ms=-1.0,
        chain=chain,
    )


def control_findings(plan: Plan, known: Timeline) -> list[Finding]:
    """Held only sometimes, right after its own do, on the same instance: no kill and no other instance is needed."""
    found = []
    for probe in known.of(ControlProbed):
        promise = plan.promises.get(probe.promise)
        if promise is None or probe.must != "hold" or not 0 < probe.held < probe.tries or not promise.survives:
            continue
        cause = Cause.WORKER_PROCESS
        found.append(
            Finding(
                promise=probe.promise,
                kind=promise.kind,
                anomaly="FLICKER",
                verdict=Verdict.FAIL,
                critical=False,
                cause=cause,
                wording="after",
                summary=f"{probe.promise}: it held only {probe.held} of {probe.tries} times right after its do, "
                f"on {probe.instance} alone: its processes don't share state",
                fix=fix(KINDS.get(promise.kind).words, cause, ""),
                count=probe.tries - probe.held,
                session="",
                obj="",
                value="",
                seen=probe.answer,
                phase=Phase.CONTROLS.value,
                at_ns=probe.t_ns,
                strike=-1,
                victim="",
                healed_ms=-1.0,
                acked_before_death_ms=-1.0,
                chain=(
                    ChainLink(
                        at_ns=probe.t_ns,
                        curl=f"# {probe.request}",
                        instance=probe.instance,
                        status=0,
                        outcome="",
                        note=probe.answer[:200],
                    ),
                ),
            )
        )
    return found


def inspection_findings(plan: Plan, known: Timeline) -> list[Finding]:
    """What is wrong with the very things that the service gives out: no fault is needed, and none is declared away."""
    groups: dict[tuple[str, str], list[Inspected]] = {}
    for event in known.of(Inspected):
        for anomaly in event.problems if event.promise in plan.promises else ():
            groups.setdefault((event.promise, anomaly), []).append(event)
    return [_inspection_finding(plan, *key, seen) for key, seen in groups.items()]


def _inspection_finding(plan: Plan, promise: str, anomaly: str, seen: Sequence[Inspected]) -> Finding:
    first, kind = seen[0], plan.promises[promise].kind
    words, problem = KINDS.get(kind).words, first.problems[anomaly]
    said = f"{words.many if len(seen) > 1 else words.one} {words.broken.get(anomaly, anomaly)}"
    link = ChainLink(
        at_ns=first.t_ns,
        curl=f"# {first.request}",
        instance=first.instance,
        status=0,
        outcome="",
        note=f"gave out {first.size} bytes: {problem}"[:400],
    )
    return Finding(
        promise=promise,
        kind=kind,
        anomaly=anomaly,
        verdict=Verdict.FAIL,
        critical=False,
        cause=Cause.CONTENT,
        wording="after",
        summary=f"{promise}: {said}: {problem}",
        fix=fix(words, Cause.CONTENT, anomaly),
        count=len(seen),
        session="",
        obj="",
        value="",
        seen=problem,
        phase=Phase.CONTROLS.value,
        at_ns=first.t_ns,
        strike=-1,
        victim="",
        healed_ms=-1.0,
        acked_before_death_ms=-1.0,
        chain=(link,),
    )


def ordered(plan: Plan, found: Iterable[Finding]) -> tuple[Finding, ...]:
    """The worst first. Behind sticky routing what kills did leads: users don't meet other instances without them."""
    sticky = plan.balancer.mode == "sticky"

    def rank(one: Finding) -> tuple[object, ...]:
        return (
            not one.critical,
            -one.verdict.rank,
            one.cause is not Cause.WORKER_PROCESS,
            not (sticky and one.cause in BY_KILLS),
            not (not sticky and one.cause in BETWEEN_INSTANCES),
            one.promise != plan.login,
            -one.count,
            one.promise,
            one.anomaly,
            one.cause,
            one.at_ns,
        )

    return tuple(sorted(found, key=rank))


# Words.

BROKEN = {
    "LOST": "lost",
    "STALE": "stale for a while",
    "FLICKER": "gone for a while",
    "WRONG_USER": "showed another user's identity",
    "CROSS_SESSION": "showed another session's data",
    "ABORTED_READ": "showed a write that had failed",
    "PHANTOM": "showed a value that nobody wrote",
    "REFUSED_ELSEWHERE": "begun on one instance, and refused by another one when they were finished there",
}
"""Predicates of anomalies that mean the same in every kind."""

_REASONS = {
    "REFUSED_ELSEWHERE": "what the first request leaves behind (a form's hidden token, the first page of several) is "
    "known only to the instance that answered it",
}
"""Why, where the anomaly itself tells, in every kind."""


def _because(cause: Cause, words: Words, anomaly: str) -> str:
    told = (
        words.because.get(anomaly)
        or _REASONS.get(anomaly)
        or {
            Cause.ONE_INSTANCE: words.lives,
            Cause.LOST_WITH_INSTANCE: words.died,
            Cause.LISTING: "the list that `see` asks for needn't show all there is",
        }.get(cause)
    )
    return f"{told} ({cause.value})" if told else cause.value


def _summary(
    promise: str, words: Words, name: str, cause: Cause, group: Sequence[Explained], before_ms: float, wording: str
) -> str:
    one = representative(group).anomaly
    pairs = len({(other.anomaly.session, other.anomaly.obj) for other in group})
    broken = words.broken.get(name) or BROKEN.get(name, name)
    said = f"{promise}: {pairs} {words.many if pairs != 1 else words.one} {broken}"
    if name == "WRONG_USER":
        return f"{said} (session {one.session} was taken for {one.seen})"
    if not one.guarantee:
        return said
    deaths = [other.death for other in group if other.death is not None]
    kills = len({death.strike for death in deaths if death.strike >= 0})
    blame = f" {wording} {kills} kill{'s' if kills != 1 else ''}" if kills and cause in BY_KILLS else ""
    last = f", acknowledged within the last {before_ms:.1f} ms before the death" if before_ms >= 0 else ""
    last += f" ({one.seen})" if words.telling else ""
    return f"{said}{blame}{last}: {_because(cause, words, name)}"


def _wording(plan: Plan, known: Timeline, judged: Judged) -> str:
    """ "because of" only if kills with a loss are more frequent than shams and stretches of baseline with one."""
    kills, shams = known.kills, [strike for strike in known.strikes if strike.sham]
    blamed = {one.death.strike for one in judged.counted if one.death is not None and one.cause in BY_KILLS}
    times = [one.anomaly.read.sent_ns for one in judged.counted]
    windows = [(sham.start_ns, sham.end_ns) for sham in shams] + _stretches(known)
    hurt = sum(1 for since, until in windows if any(since <= time < until for time in times))
    hits = sum(1 for strike in kills if strike.index in blamed)
    p = fisher(hits, len(kills) - hits, hurt, len(windows) - hurt)
    # Three of three kills against none of three other windows is exactly 5 %.
    return "because of" if hits and p <= 1 - plan.evidence.confidence + 1e-9 else "after"


def _stretches(known: Timeline) -> list[tuple[int, int]]:
    """The baseline, cut into stretches as long as a kill's window."""
    base = known.span(Phase.BASELINE.value)
    lengths = [strike.end_ns - strike.start_ns for strike in known.kills]
    if base is None or not lengths:
        return []
    length = max(1, sum(lengths) // len(lengths))
    count = max(1, (base.ended_ns - base.began_ns) // length)
    return [(base.began_ns + number * length, base.began_ns + (number + 1) * length) for number in range(count)]


def _when(one: Explained) -> tuple[int, str, str]:
    return one.anomaly.read.sent_ns, one.anomaly.session, one.anomaly.obj
