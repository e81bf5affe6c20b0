"""A seeded tale of a run: three slots, six kills, two shams, some hundred sessions; written as a real run writes it."""

from __future__ import annotations

import functools
import random
from dataclasses import dataclass
from pathlib import Path

from chaoscheck.checkers.budget import TrafficFold
from chaoscheck.checkers.timeline import timeline
from chaoscheck.model import events as ev
from chaoscheck.model.history import (
    BalancerRow,
    SessionBorn,
    SessionEnded,
    born_line,
    done_line,
    ended_line,
    header,
    invoke_line,
    read_rows,
)
from chaoscheck.model.ops import Op
from chaoscheck.model.series import Series
from chaoscheck.plan.load import load_plan
from chaoscheck.store import RunFolder

MS = 1_000_000
S = 1_000_000_000
RUN = "20261122-101530-shop-memory-1a2b"
COMMAND = "chaoscheck run targets/shop/memory-sticky.yaml --seed 7"

PLAN = """\
target: {build: ., port: 8000, ready: /healthz, env: {SESSIONS: memory}}
balancer: {mode: sticky}
promises:
  login:
    kind: session
    do:   {post: /login, json: {user: $user, password: pw}, expect: 200}
    see:  {get: /me, value: "json:user", expect: {status: 200, value: $user}}
    undo: {post: /logout, expect: 204}
  profile:
    kind: register
    do:  {put: /profile, json: {motto: $value}, expect: 200}
    see: {get: /profile, value: "json:motto"}
  review:
    kind: kept
    do:  {submit: /reviews/new, form: {title: $value}, expect: 302}
    see: {get: "/reviews?q=$value", expect: {match: ">$value<"}}
budget: {slo: 99.9% over 30d, deaths: 200/month, spend: 10%}
seed: 7
"""

PHASES = (
    ("plan", 0.0),
    ("prepare", 0.1),
    ("controls", 4.1),
    ("matrix", 4.9),
    ("baseline", 6.2),
    ("chaos", 12.2),
    ("settle", 58.0),
    ("final reads", 60.0),
    ("judge", 63.2),
)
MODES = ("burst", "sham", "in-flight", "plain", "burst", "sham", "burst", "plain")


@dataclass(frozen=True, kw_only=True)
class Strike:
    """A strike as the tale has it; times in ns, -1 for a sham's."""

    index: int
    mode: str
    slot: int
    victim: str
    replacement: str
    began_ns: int
    death_ns: int
    ready_ns: int


def strikes(seed: int) -> list[Strike]:
    """Eight strikes, the kills in two rounds over three slots."""
    rng = random.Random(seed)
    lives = [1, 1, 1]
    order = [*rng.sample(range(3), 3), *rng.sample(range(3), 3)]
    told = []
    for index, mode in enumerate(MODES):
        slot = rng.randrange(3) if mode == "sham" else order.pop(0)
        began = int((14.0 + index * 5.4 + rng.random()) * S)
        victim = f"web-{slot}.{lives[slot]}"
        if mode == "sham":
            told.append(
                Strike(
                    index=index,
                    mode=mode,
                    slot=slot,
                    victim=victim,
                    replacement="",
                    began_ns=began,
                    death_ns=-1,
                    ready_ns=-1,
                )
            )
            continue
        lives[slot] += 1
        death = began + rng.randrange(180, 420) * MS
        told.append(
            Strike(
                index=index,
                mode=mode,
                slot=slot,
                victim=victim,
                replacement=f"web-{slot}.{lives[slot]}",
                began_ns=began,
                death_ns=death,
                ready_ns=death + rng.randrange(300, 900) * MS,
            )
        )
    return told


def tell_events(seed: int, told: list[Strike]) -> list[ev.Event]:
    """What the controller would have written of it."""
    rng = random.Random(seed + 1)
    events: list[ev.Event] = [
        ev.RunStarted(
            t_ns=0,
            run=RUN,
            version="0.1.0",
            seed=seed,
            plan="memory-sticky",
            engine="docker",
            balancer="haproxy",
            instances=3,
            command=COMMAND,
            wall_ns=1795343730 * S,
            environment={"python": "3.11.2", "docker": "20.10.24"},
        )
    ]
    events += [ev.PhaseBegan(t_ns=int(at * S), phase=phase) for phase, at in PHASES]
    for slot in range(3):
        name = f"web-{slot}.1"
        events.append(
            ev.InstanceStarted(
                t_ns=(1500 + slot * 170) * MS, instance=name, slot=slot, life=1, address=f"127.0.0.1:{41000 + slot}"
            )
        )
        events.append(ev.InstanceReady(t_ns=(2300 + slot * 210) * MS, instance=name, joined=True))
    for strike in told:
        events += _strike_events(strike)
    for tick in range(13, 116):
        events.append(
            ev.TrafficSeen(
                t_ns=tick * S // 2,
                requests=rng.randrange(60, 90),
                bad=int(rng.random() < 0.1),
                sessions=rng.randrange(70, 90),
                late_ms=rng.random() * 4,
                p50_ms=4 + rng.random(),
                p95_ms=9 + rng.random() * 3,
                exposures={"login": tick * 3, "review": tick * 2},
            )
        )
    events.append(ev.RunEnded(t_ns=63 * S))
    return sorted(events, key=lambda event: event.t_ns)


def _strike_events(strike: Strike) -> list[ev.Event]:
    began = strike.began_ns
    killed = strike.mode != "sham"
    events: list[ev.Event] = [
        ev.StrikeBegan(
            t_ns=began,
            index=strike.index,
            round=strike.index // 4,
            slot=strike.slot,
            victim=strike.victim,
            mode=strike.mode,
            fault="kill",
        ),
        ev.Struck(
            t_ns=began + 450 * MS,
            index=strike.index,
            victim=strike.victim,
            decided_ns=began + 100 * MS,
            signal_ns=strike.death_ns - 11 * MS if killed else -1,
            returned_ns=began + 440 * MS,
            death_ns=strike.death_ns,
            error_ns=2 * MS,
            refused_ns=strike.death_ns + MS if killed else -1,
            confirmed=killed,
            exit_code=137 if killed else -1,
            detail="",
        ),
    ]
    if killed:
        events += [
            ev.InstanceStarted(
                t_ns=strike.death_ns + 120 * MS,
                instance=strike.replacement,
                slot=strike.slot,
                life=int(strike.replacement.split(".")[1]),
                address="127.0.0.1:41010",
            ),
            ev.InstanceReady(t_ns=strike.ready_ns, instance=strike.replacement, joined=True),
            ev.Restored(t_ns=strike.ready_ns, index=strike.index, replacement=strike.replacement),
            ev.LastWords(
                t_ns=strike.ready_ns,
                index=strike.index,
                instance=strike.victim,
                log=f"{strike.victim} listens\nGET /me 200\n<b>\x1b[31mPOST /login</b>",
            ),
        ]
    return [
        *events,
        ev.StrikeEnded(
            t_ns=began + 3 * S,
            index=strike.index,
            exposed={"login": 31, "review": 22},
            read_back={"login": 31, "review": 22},
            timed_out=False,
        ),
    ]


def tell_history(seed: int, told: list[Strike], worker: int) -> list[str]:
    """One worker's history file: sessions of about six seconds, each a login, then writes and reads."""
    rng = random.Random(seed * 100 + worker)
    lines = [header(RUN, f"w{worker}")]
    deaths = [strike.death_ns for strike in told if strike.death_ns >= 0]
    for number in range(150):
        session = f"w{worker}-{number}"
        at = int((6.3 + rng.random() * 46) * S)
        lane = "burst" if number % 12 == 0 else "user"
        lines.append(born_line(SessionBorn(session, f"user-{number}", lane, at)))
        for seq in range(rng.randrange(12, 34)):
            lines += [
                line(op) for op in [_op(rng, session, lane, seq, at, deaths)] for line in (invoke_line, done_line)
            ]
            at += rng.randrange(60, 420) * MS
        lines.append(ended_line(SessionEnded(session, at, "departed")))
    return lines


@functools.cache
def series(seed: int) -> Series:
    """The tale's traffic in bins, as judging gathers it."""
    told = strikes(seed)
    fold = TrafficFold(timeline(tell_events(seed, told)))
    for worker in (1, 2):
        for row in read_rows(tell_history(seed, told, worker)):
            if isinstance(row, Op):
                fold.add(row)
    fold.close()
    return fold.series.series()


def _op(rng: random.Random, session: str, lane: str, seq: int, at: int, deaths: list[int]) -> Op:
    took = int((2 + rng.expovariate(1 / 3)) * MS)
    outcome, status = "ok", 200
    if any(0 <= at - death < 60 * MS for death in deaths):
        outcome, status = rng.choice([("unknown", 0), ("dropped", 503), ("fail", 503), ("ok", 200), ("ok", 200)])
        took += rng.randrange(50, 310) * MS
    promise = ("login", "profile", "review")[seq % 3] if seq else "login"
    action = "do" if seq < 2 or rng.random() < 0.3 else "see"
    if outcome == "unknown" and action == "see":
        outcome = "dropped"
    return Op(
        rid=f"{session}-{seq}",
        session=session,
        promise=promise,
        action=action,
        obj=f"o{seq}",
        seq=seq,
        attempt=0,
        value=f"{session}.{seq}",
        lane=lane,
        via="lb",
        judged=True,
        intended_ns=at,
        sent_ns=at + 100_000,
        done_ns=at + took,
        outcome=outcome,
        status=status,
        error="" if status else "closed before an answer",
        incarnation=f"web-{rng.randrange(3)}.1",
        seen="",
        excerpt="",
    )


def write(folder: Path, *, seed: int = 7, events: list[ev.Event] | None = None, traffic: bool = True) -> RunFolder:
    """Write the tale as a run below `folder`, without its result; `events` instead of the tale's own."""
    told = strikes(seed)
    source = folder / "memory-sticky.yaml"
    source.write_text(PLAN, encoding="utf-8")
    run = RunFolder.create(folder / "reports", RUN, load_plan(source, environment={}))
    with run:
        for event in tell_events(seed, told) if events is None else events:
            run.on(event)
    if traffic:
        for worker in (1, 2):
            (run.history / f"w{worker}.ndjson").write_text("".join(tell_history(seed, told, worker)), encoding="utf-8")
        run.save_balancer([BalancerRow("w1-0-0", "web-0.1", 200, "--", 0)])
    return run
