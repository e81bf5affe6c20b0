"""Phases that only let users work, or ask them what they still have: baseline, settle, final reads."""

from __future__ import annotations

from chaoscheck.errors import TrafficTrouble
from chaoscheck.model import events
from chaoscheck.model.clock import MonotonicClock
from chaoscheck.model.ops import Phase
from chaoscheck.phases.sizing import Sizing, patience_s
from chaoscheck.phases.stage import Stage
from chaoscheck.traffic.base import Assignment, FinalDone, PhaseIs, Settled

SETTLE_LIMIT_S = 20.0
FINAL_LIMIT_S = 90.0


def warm_traffic(stage: Stage) -> None:
    """Let the workers come up while others wait for the service."""
    stage.traffic.warm(_names(stage))


def start_traffic(stage: Stage, sizing: Sizing, first_account: int) -> None:
    """Start the workers; each proves that one attempt is one delivery before it may send any."""
    stage.traffic.start(
        [_assignment(stage, sizing, number, first_account) for number in range(stage.plan.traffic.workers)]
    )
    stage.tell_topology()


def baseline(stage: Stage) -> None:
    """Load and no kill: the control arm."""
    stage.traffic.tell(PhaseIs(phase=Phase.BASELINE.value))
    stage.pause(stage.plan.chaos.baseline)


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

    limit_s = FINAL_LIMIT_S + patience_s(stage.plan)
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
        users=sizing.users // workers + (number < sizing.users % workers),
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
    )
