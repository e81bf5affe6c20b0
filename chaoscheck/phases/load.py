"""Phases that only let users work, or ask them what they still have: baseline, settle, final reads."""

from __future__ import annotations

from chaoscheck.errors import TrafficTrouble
from chaoscheck.model import events
from chaoscheck.model.clock import NS, MonotonicClock
from chaoscheck.model.ops import Phase
from chaoscheck.phases.keeping_up import SLOW_TIMES, SPARE, WINDOW, Felt, felt
from chaoscheck.phases.sizing import Sizing, final_requests, patience_s, size
from chaoscheck.phases.stage import Stage
from chaoscheck.traffic.base import Assignment, FinalDone, PaceIs, PhaseIs, Settled, Tick

LOWERINGS = 2
KEEPING_UP = 0.75
CALM_LIMIT_S = 20.0
SETTLE_LIMIT_S = 20.0
FINAL_LIMIT_S = 90.0
AT_ONCE = 12
"""Final reads that a worker has under way at a time."""


def warm_traffic(stage: Stage) -> None:
    """Let the workers come up while others wait for the service."""
    stage.traffic.warm(_names(stage))


def start_traffic(stage: Stage, sizing: Sizing, first_account: int) -> None:
    """Start the workers; each proves that one attempt is one delivery before it may send any."""
    stage.traffic.start(
        [_assignment(stage, sizing, number, first_account) for number in range(stage.plan.traffic.workers)]
    )
    stage.tell_topology()


def baseline(stage: Stage, sizing: Sizing) -> Sizing:
    """Load and no kill: the control arm. Returns the load as it is from here on.

    A rate that the plan leaves open is lowered until the service keeps up; the baseline then begins again. Raises
    TrafficTrouble where users wait so long without any kill that no kill could be blamed for anything.
    """
    stage.traffic.tell(PhaseIs(phase=Phase.BASELINE.value))
    traffic = stage.plan.traffic
    left = LOWERINGS if "rate" not in traffic.model_fields_set and traffic.arrivals is None else 0
    now = _watch(stage, early=left > 0)
    while left and (now.slow or now.failing):
        # Errors that a lower rate doesn't end are not for the load.
        left = left - 1 if now.slow else 0
        sizing = _lower(stage, sizing, now)
        stage.enter(Phase.BASELINE)
        now = _watch(stage, early=left > 0)
    _judge(stage, sizing, now)
    return sizing


def _watch(stage: Stage, *, early: bool) -> Felt:
    """What users felt in the baseline's second half; it ends `early` when they feel too much load for two seconds."""
    workers = stage.plan.traffic.workers
    ticks: list[Tick] = []
    last = {name: tick.t_ns for name, tick in stage.ticks.items()}

    def now() -> Felt:
        return felt(ticks[-WINDOW * workers :], stage.request_s, workers=workers)

    def too_much() -> bool:
        for name, tick in stage.ticks.items():
            if tick.t_ns > last.get(name, -1):
                last[name] = tick.t_ns
                ticks.append(tick)
        return early and len(ticks) >= WINDOW * workers and (now().slow or now().failing)

    if not stage.until(too_much, stage.plan.chaos.baseline):
        # Users of a slow service say little in two seconds.
        return felt(ticks[len(ticks) // 2 :], stage.request_s, workers=workers)
    return now()


def _lower(stage: Stage, sizing: Sizing, now: Felt) -> Sizing:
    """Ask for what it can sustain, and wait until what is overdue was answered."""
    chosen = size(stage.plan, min(now.sustained, SPARE * sizing.rate))
    share = {name: _share(chosen.users, number, stage) for number, name in enumerate(_names(stage))}
    stage.traffic.tell(PaceIs(users=share, turn_s=chosen.turn_s, life_s=chosen.life_s))
    stage.emit(
        events.RateChosen,
        tried=sizing.rate,
        rate=chosen.rate,
        users=chosen.users,
        answered=now.answered,
        p95_ms=now.p95_ms,
        bad=now.bad,
    )
    stage.emit(
        events.Warned,
        text=f"the service doesn't keep up with {sizing.rate:g} requests/s ({now}): {chosen.rate:g} requests/s by "
        f"{chosen.users} users from here on; traffic.rate sets another rate",
    )
    began_ns = stage.clock.now_ns()

    def calm() -> bool:
        ticks = stage.ticks.values()
        later = all(tick.t_ns > began_ns + NS for tick in ticks)
        return later and all(tick.requests and tick.p95_ms <= now.limit_ms for tick in ticks)

    stage.until(calm, CALM_LIMIT_S)
    return chosen


def _judge(stage: Stage, sizing: Sizing, now: Felt) -> None:
    rate = f"{sizing.rate:g} requests/s"
    # Where more comes in than is answered, waits of a second in a short baseline are many by the first kill.
    behind = sizing.rate == stage.plan.traffic.rate and now.answered < KEEPING_UP * sizing.rate
    if now.hopeless or (now.slow and behind):
        raise TrafficTrouble(
            f"the service is overloaded at {rate}, without any kill: {now}",
            hint=f"lower traffic.rate to {now.sustained:g} or less, or leave it out: the run then looks for one that "
            "the service sustains",
        )
    if now.slow or now.failing:
        stage.emit(
            events.Warned,
            text=f"users suffer at {rate} without any kill: {now}; if that is too much load, lower traffic.rate",
        )


def settle(stage: Stage) -> None:
    """No more strikes; turns under way end, and unknown writes get time to land."""
    stage.traffic.tell(PhaseIs(phase=Phase.SETTLE.value))
    waiting = _all_workers(stage, Settled)
    if waiting:
        limit_s = SETTLE_LIMIT_S + patience_s(stage.plan)
        raise TrafficTrouble(f"traffic did not come to rest within {limit_s:.0f} s: {', '.join(waiting)}")
    stage.pause(stage.plan.chaos.settle)


def final_reads(stage: Stage) -> None:
    """Each session reads all its objects through every instance, with copies of its jar."""
    stage.tell_topology()
    stage.traffic.tell(PhaseIs(phase=Phase.FINAL.value))
    due: dict[str, int] = {}
    done: dict[str, int] = {}
    heard: set[str] = set()
    workers = stage.plan.traffic.workers

    def all_in() -> bool:
        for message in stage.take(FinalDone):
            assert isinstance(message, FinalDone)
            heard.add(message.worker)
            for promise, count in message.due.items():
                due[promise] = due.get(promise, 0) + count
                done[promise] = done.get(promise, 0) + message.done.get(promise, 0)
        return len(heard) >= workers

    sessions = sum(tick.sessions for tick in stage.ticks.values())
    slow_s = SLOW_TIMES * final_requests(stage.plan, sessions) * stage.request_s / workers / AT_ONCE
    limit_s = FINAL_LIMIT_S + patience_s(stage.plan) + slow_s
    if not stage.until(all_in, limit_s):
        missing = [name for name in _names(stage) if name not in heard]
        raise TrafficTrouble(f"final reads did not end within {limit_s:.0f} s: nothing came from {', '.join(missing)}")
    stage.emit(events.FinalReadsEnded, due=due, done=done)


def _all_workers(stage: Stage, kind: type[Settled]) -> list[str]:
    """Wait until each worker said it; who didn't."""
    heard: set[str] = set()

    def all_in() -> bool:
        heard.update(message.worker for message in stage.take(kind) if isinstance(message, kind))
        return len(heard) >= stage.plan.traffic.workers

    stage.until(all_in, SETTLE_LIMIT_S + patience_s(stage.plan))
    return [name for name in _names(stage) if name not in heard]


def _names(stage: Stage) -> list[str]:
    return [f"w{number}" for number in range(stage.plan.traffic.workers)]


def _assignment(stage: Stage, sizing: Sizing, number: int, first_account: int) -> Assignment:
    workers = stage.plan.traffic.workers
    route = stage.balancer.route()
    entry = route.entry
    base_ns = stage.clock.base_ns if isinstance(stage.clock, MonotonicClock) else 0
    return Assignment(
        run=stage.run,
        worker=f"w{number}",
        seed=stage.seed,
        plan=stage.plan.model_dump_json(by_alias=True),
        folder=str(stage.folder),
        clock_base_ns=base_ns,
        origin=stage.origin,
        users=_share(sizing.users, number, stage),
        first_account=first_account + number,
        account_step=workers,
        turn_s=sizing.turn_s,
        life_s=sizing.life_s,
        arrivals=(stage.plan.traffic.arrivals or 0.0) / workers,
        entry_host=entry.host if entry else "",
        entry_port=entry.port if entry else 0,
        pick=route.pick,
        plan_folder=str(stage.loaded.folder),
        gone_by_expect=tuple(sorted(stage.gone_by_expect)),
        observes=number == 0,
        ramp_s=sizing.ramp_s,
    )


def _share(users: int, number: int, stage: Stage) -> int:
    """How many of the users are that worker's."""
    workers = stage.plan.traffic.workers
    return users // workers + (number < users % workers)
