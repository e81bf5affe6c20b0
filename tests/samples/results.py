"""Results for the tale, one a verdict: the words a judge would find for it."""

from __future__ import annotations

from dataclasses import replace

from chaoscheck.model import events as ev
from chaoscheck.model.verdict import (
    Affinity,
    Cause,
    ChainLink,
    Finding,
    Gate,
    KillRow,
    Load,
    MatrixCell,
    PhaseRow,
    PromiseSummary,
    Result,
    Routing,
    Verdict,
)
from chaoscheck.store import RESULT_VERSION
from samples.story import COMMAND, MS, RUN, S, Strike, series, strikes

HOSTILE = '<script>alert(1)</script>\x1b[31mred\u202egnp.exe\x00\ud800 & "quoted"'


def result(verdict: Verdict = Verdict.PASS, *, seed: int = 7) -> Result:
    """The tale's result, ending in `verdict`."""
    told = strikes(seed)
    base = _passed(seed, told)
    if verdict is Verdict.FAIL:
        return _failed(base, told)
    if verdict is Verdict.INVALID:
        return _invalid(base)
    return _inconclusive(base) if verdict is Verdict.INCONCLUSIVE else base


def stillborn() -> tuple[Result, list[ev.Event]]:
    """A run whose service never got ready: nothing but its trouble, and the events that say so."""
    events: list[ev.Event] = [
        ev.RunStarted(
            t_ns=0,
            run=RUN,
            version="0.1.0",
            seed=7,
            plan="memory-sticky",
            engine="docker",
            balancer="haproxy",
            instances=3,
            command=COMMAND,
            wall_ns=1795343730 * S,
            environment={},
        ),
        ev.PhaseBegan(t_ns=MS, phase="prepare"),
        ev.InstanceStarted(t_ns=S, instance="web-0.1", slot=0, life=1, address="127.0.0.1:41000"),
        ev.Troubled(
            t_ns=61 * S,
            during="prepare",
            kind="NotReady",
            message="web-0.1 was not ready within 60 s",
            hint="look at its log below",
            details="last answer: 500\nTraceback ...\nKeyError: 'REDIS_URL'",
        ),
        ev.RunEnded(t_ns=61 * S),
    ]
    made = replace(
        _passed(7, []),
        verdict=Verdict.INVALID,
        reason="web-0.1 was not ready within 60 s (prepare)",
        promises=(),
        gates=(),
        kills=(),
        matrix=(),
        phases=(),
        instances_share={},
        operations=0,
        sessions=0,
        duration_s=61.0,
    )
    return made, events


def _passed(seed: int, told: list[Strike]) -> Result:
    kills = tuple(_kill(strike) for strike in told)
    return Result(
        version=RESULT_VERSION,
        chaoscheck="0.1.0",
        run=RUN,
        plan="memory-sticky",
        verdict=Verdict.PASS,
        reason="no promise was broken in 342 or more exposures each over 6 kills, and each kill kept to its budget",
        interrupted=False,
        seed=seed,
        engine="docker",
        balancer="haproxy",
        instances=3,
        command=COMMAND,
        started="2026-11-22T10:15:30Z",
        duration_s=63.2,
        gates=_gates(),
        findings=(),
        promises=tuple(
            _promise(*row) for row in (("login", "session", 362), ("profile", "register", 355), ("review", "kept", 342))
        ),
        kills=kills,
        matrix=tuple(
            _cell(promise, i, j, True) for promise in ("login", "profile", "review") for i in range(3) for j in range(3)
        ),
        phases=(
            _phase("baseline", 6.2, 12.2, 912, 0, 3.9),
            _phase("chaos", 12.2, 58.0, 6871, 9, 4.1),
            _phase("settle", 58.0, 60.0, 120, 0, 4.0),
        ),
        instances_share={"web-0.1": 2304, "web-1.1": 2377, "web-2.1": 2190, "web-0.2": 801},
        operations=8120,
        sessions=301,
        warnings=("the generator was late by 4 ms at worst",),
        expected="PASS",
        because="sessions are in Redis",
        environment={"python": "3.11.2", "docker": "20.10.24", "platform": "Linux-6.1 x86_64", "cpus": "2"},
        routing=_routing(),
        series=series(seed) if told else None,
    )


def _routing() -> Routing:
    rows = (
        ("web-0.1", 2304, 108, 71, 68.0),
        ("web-0.2", 801, 21, 10, 11.0),
        ("web-1.1", 2377, 92, 66, 68.0),
        ("web-2.1", 2190, 80, 68, 68.0),
    )
    return Routing(
        affinity=Affinity.PINNED,
        sessions=287,
        pinned=0.97,
        pinned_even=0.004,
        steps=7371,
        stayed=0.991,
        stayed_by_chance=0.34,
        unit="sessions",
        chi2=1.2,
        freedom=4,
        p=0.41,
        loads=tuple(
            Load(instance=name, answers=answers, sessions=sessions, got=got, fair=fair)
            for name, answers, sessions, got, fair in rows
        ),
        words="sessions are pinned (97 % stay on one instance); sessions begin on 3 instances, even (p = 0.41)",
    )


def _gates() -> tuple[Gate, ...]:
    rows = (
        ("assumptions", "controls can fail", "holds for a guest: never", "0 of 9", "–", 9),
        ("assumptions", "one attempt, one delivery", "1 delivery", "1", "–", 2),
        ("promises", "login", "at most 1 % lost (95 %)", "0.82 %", "0.18 %", 362),
        ("promises", "profile", "at most 1 % lost (95 %)", "0.84 %", "0.16 %", 355),
        ("promises", "review", "at most 1 % lost (95 %)", "0.87 %", "0.13 %", 342),
        ("coverage", "every slot died and served again", "3 slots", "3", "–", 6),
        ("coverage", "requests in flight at a kill", "at least 1", "14", "+13", 6),
        ("budget", "bad seconds a kill", "at most 1.30 s", "0.21 s (0.09 to 0.33)", "0.97 s", 6),
        ("recovery", "back within", "printed only", "0.71 s at worst", "–", 6),
    )
    return tuple(
        Gate(group=group, name=name, verdict=Verdict.PASS, expected=expected, actual=actual, margin=margin, n=n)
        for group, name, expected, actual, margin, n in rows
    )


def _promise(name: str, kind: str, exposures: int) -> PromiseSummary:
    return PromiseSummary(
        promise=name,
        kind=kind,
        verdict=Verdict.PASS,
        exposures=exposures,
        needed=299,
        violations=0,
        kills_exposed=6,
        bound_exposure=1 - 0.05 ** (1 / exposures),
        bound_kill=1 - 0.05 ** (1 / 6),
        confidence=0.95,
        outcomes={"do/ok": 1204, "do/unknown": 3, "see/ok": 2890, "see/dropped": 4},
        unrecognised=0,
        final_reads=903,
        final_reads_due=903,
        suspicions_open=0,
    )


def _kill(strike: Strike) -> KillRow:
    killed = strike.mode != "sham"
    death = strike.death_ns
    return KillRow(
        index=strike.index,
        round=strike.index // 4,
        slot=strike.slot,
        mode=strike.mode,
        victim=strike.victim,
        replacement=strike.replacement,
        confirmed=killed,
        decided_ns=strike.began_ns + 100 * MS,
        signal_ns=death - 11 * MS if killed else -1,
        death_ns=death,
        refused_ns=death + MS if killed else -1,
        ready_ns=strike.ready_ns,
        in_flight=3 if killed else 0,
        in_flight_failed=2 if killed else 0,
        exposed={"login": 61, "profile": 59, "review": 57} if killed else {},
        lost={},
        bad_seconds=0.21 if killed else 0.0,
        requests=760,
        recovery_ms=(strike.ready_ns - death) / MS if killed else -1.0,
    )


def _cell(promise: str, writer: int, reader: int, holds: bool | None, note: str = "") -> MatrixCell:
    return MatrixCell(promise=promise, writer=writer, reader=reader, holds=holds, note=note)


def _phase(name: str, began: float, ended: float, requests: int, bad: int, p50: float) -> PhaseRow:
    return PhaseRow(
        phase=name,
        began_ns=int(began * S),
        ended_ns=int(ended * S),
        requests=requests,
        bad=bad,
        p50_ms=p50,
        p95_ms=p50 * 2.4,
        p99_ms=p50 * 8,
        max_ms=p50 * 76,
    )


def _failed(base: Result, told: list[Strike]) -> Result:
    kill = next(strike for strike in told if strike.mode == "burst")
    findings = (_lost("login", "session", kill, 187), _lost("profile", "register", kill, 12, Cause.ACK_BEFORE_PERSIST))
    gates = tuple(
        replace(
            gate,
            verdict=Verdict.FAIL,
            actual="187 lost",
            margin="-187",
            detail="memory of the dead instance held them; see finding 1",
        )
        if gate.name == "login"
        else gate
        for gate in base.gates
    )
    kills = tuple(replace(row, lost={"login": 31, "profile": 2}) if row.confirmed else row for row in base.kills)
    promises = (
        replace(base.promises[0], verdict=Verdict.FAIL, violations=187, bound_exposure=0.58, bound_kill=1.0),
        *base.promises[1:],
    )
    matrix = tuple(
        replace(cell, holds=False, note="401 from web-1.1", anomaly="LOST")
        if cell.promise == "login" and cell.writer != cell.reader
        else cell
        for cell in base.matrix
    )
    return replace(
        base,
        verdict=Verdict.FAIL,
        findings=findings,
        gates=gates,
        kills=kills,
        promises=promises,
        matrix=matrix,
        reason="login is broken: 187 sessions were lost with the instance that acknowledged them (6 of 6 kills)",
        expected="FAIL",
        because="the only copy of a session is in one instance's memory",
    )


def _lost(promise: str, kind: str, kill: Strike, count: int, cause: Cause = Cause.LOST_WITH_INSTANCE) -> Finding:
    acked = kill.death_ns - 740 * MS
    links = (
        ChainLink(
            at_ns=acked,
            instance=kill.victim,
            status=200,
            outcome="ok",
            note="acknowledged",
            curl="curl -X POST http://127.0.0.1:41080/login -H 'Content-Type: application/json' "
            '-H \'X-Chaoscheck-Request: w1-12-0\' --data \'{"user": "user-12", "password": "***"}\'',
        ),
        ChainLink(
            at_ns=kill.death_ns,
            instance=kill.victim,
            status=0,
            outcome="",
            note=f"{kill.victim} killed (strike {kill.index})",
            curl=f"# kill -9 {kill.victim}",
        ),
        ChainLink(
            at_ns=kill.death_ns + 31 * MS,
            instance="web-1.1",
            status=401,
            outcome="gone",
            note=HOSTILE,
            curl="curl http://127.0.0.1:41080/me -H 'Cookie: sid=***'",
        ),
    )
    return Finding(
        promise=promise,
        kind=kind,
        anomaly="LOST",
        verdict=Verdict.FAIL,
        critical=False,
        cause=cause,
        wording="because of",
        summary=f"{promise}: acknowledged by {kill.victim}, gone on every instance after it died",
        fix="Keep sessions in a store that all instances share (Redis with a TTL), or in a signed token.",
        count=count,
        session="w1-12",
        obj="session",
        value="user-12",
        seen=HOSTILE,
        phase="chaos",
        at_ns=kill.death_ns + 31 * MS,
        strike=kill.index,
        victim=kill.victim,
        healed_ms=-1.0,
        acked_before_death_ms=740.0,
        chain=links,
    )


def _invalid(base: Result) -> Result:
    bad = Gate(
        group="assumptions",
        name="review: see can fail",
        verdict=Verdict.INVALID,
        expected="fails for a value never written",
        actual="held in 3 of 3",
        margin="–",
        n=3,
        detail="GET /reviews?q=never-written answered 200: No hits for <b>never-written</b>" + HOSTILE,
    )
    return replace(
        base,
        verdict=Verdict.INVALID,
        gates=(bad, *base.gates[2:]),
        expected="",
        because="",
        reason="the check of review cannot fail: it held for a value that nobody ever wrote",
    )


def _inconclusive(base: Result) -> Result:
    short = replace(
        base.promises[2], verdict=Verdict.INCONCLUSIVE, exposures=121, bound_exposure=0.0245, kills_exposed=3
    )
    gates = tuple(
        replace(
            gate,
            verdict=Verdict.INCONCLUSIVE,
            actual="2.45 %",
            margin="-1.45 %",
            n=121,
            detail="178 more exposures needed, about 40 s",
        )
        if gate.name == "review"
        else gate
        for gate in base.gates
    )
    return replace(
        base,
        verdict=Verdict.INCONCLUSIVE,
        promises=(*base.promises[:2], short),
        gates=gates,
        interrupted=True,
        reason="review: 121 exposures, 178 more are needed to say at most 1 % is lost (about 40 s)",
    )
