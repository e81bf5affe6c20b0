"""Load and strikes, round after round, until the evidence suffices or the time is up."""

from __future__ import annotations

from chaoscheck.checkers.levels import promise_level
from chaoscheck.engines.base import Instance, KillReceipt
from chaoscheck.faults.base import Mode, Strike
from chaoscheck.faults.schedule import rounds
from chaoscheck.model import events
from chaoscheck.model.clock import NS
from chaoscheck.model.ops import Phase
from chaoscheck.model.verdict import Level
from chaoscheck.phases.prepare import await_ready, record_start
from chaoscheck.phases.sizing import Sizing, patience_s, volley_clients, volley_s
from chaoscheck.phases.stage import Stage
from chaoscheck.promises.base import KINDS
from chaoscheck.traffic.base import Died, PhaseIs, Volley, VolleyReady

VOLLEY_READY_S = 3.0
VOLLEY_MOST_S = 15.0
"""So long a burst may take until the victim acknowledged its first writes: forms and slow logins need their time."""
HELD_S = 5.0
"""A burst ends by itself when the signal is so late."""
BURST_S = 0.15
"""How long a burst flows before the signal: long enough to be steady."""

AIM_S = 0.04
"""In-flight writes begin within this time of the signal: it covers the way from the call to the death (9-30 ms)."""

READ_BACK_S = 10.0

LAST_LINES = 20
"""Of what a victim printed so many lines are kept."""

ALL_SORTS = {"another-instance", "kill"}
"""Of a promise that survives fewer, what was confirmed may be of a sort that it tolerates: only the judge knows."""


def chaos(stage: Stage, sizing: Sizing) -> bool:
    """Whole rounds, at least as many as the plan says; stops early only when a promise is broken beyond doubt.

    True when the run has shown enough to end here.
    """
    plan = stage.plan.chaos
    stage.traffic.tell(PhaseIs(phase=Phase.CHAOS.value))
    limit_ns = stage.clock.now_ns() + int((plan.duration or plan.at_most) * NS)
    least = 1 if plan.duration else plan.rounds
    before: dict[str, int] = {}
    for number, strikes in enumerate(rounds(stage.seed, stage.plan.instances, plan)):
        if number >= least and plan.duration is None:
            if _suffices(stage, sizing) or _in_vain(stage, sizing, before):
                return False
            if not stage.balancer.route().named:
                stage.emit(events.Warned, text="no round was added: no answer names its instance, so no kill counts")
                return False
            if stage.clock.now_ns() < limit_ns:
                _tell_added(stage, number + 1, _short(stage, sizing))
        before = dict(stage.exposures)
        for strike in strikes:
            if stage.clock.now_ns() >= limit_ns:
                return False
            one_strike(stage, strike)
            if stage.enough():
                return True
        if _sure(stage) and stage.broken():
            stage.emit(
                events.Warned, text=f"stopped after round {number + 1}: a promise is broken, more kills add nothing"
            )
            return False
    return False


def _sure(stage: Stage) -> bool:
    return any(ALL_SORTS.issubset(stage.plan.promises[promise].survives) for promise in stage.confirmed)


def one_strike(stage: Stage, strike: Strike) -> None:
    """Aim, strike, replace, and wait until all that the death exposed was read back."""
    stage.pause(strike.pause_s)
    victim = stage.instances[strike.slot]
    stage.emit(
        events.StrikeBegan,
        index=strike.index,
        round=strike.round,
        slot=strike.slot,
        victim=victim.name,
        mode=strike.mode.value,
        fault=stage.fault.name,
    )
    _aim(stage, strike, victim)
    decided_ns = stage.clock.now_ns()
    if strike.mode is Mode.SHAM:
        _sham(stage, strike, victim, decided_ns)
        return
    stage.struck.add(victim.name)
    receipt = stage.fault.strike(stage.fleet, victim)
    _record_death(stage, strike, victim, receipt, decided_ns)
    if receipt.confirmed:
        _replace(stage, strike, victim)
    _read_back(stage, strike)


def _aim(stage: Stage, strike: Strike, victim: Instance) -> None:
    """Start the strike's own writes at the victim. A burst flows for a while before the signal."""
    mode = Mode.BURST if strike.mode is Mode.SHAM else strike.mode
    if mode is Mode.PLAIN:
        return
    clients = volley_clients(stage.plan, stage.request_s)
    lead_s = min(max(VOLLEY_READY_S, 2 * volley_s(stage.plan, stage.request_s, clients)), VOLLEY_MOST_S)
    now_ns = stage.clock.now_ns()
    start_ns = now_ns + int(lead_s * NS)
    burst_ns = int((VOLLEY_MOST_S + HELD_S) * NS)
    stage.traffic.tell(
        Volley(
            strike=strike.index,
            mode=mode.value,
            victim=victim.name,
            clients=clients,
            start_ns=start_ns,
            until_ns=now_ns + (burst_ns if strike.mode is not Mode.SHAM else int(0.6 * NS)),
            offsets_ns=tuple(int(aim * AIM_S * NS) for aim in strike.aims),
        )
    )
    waiting = stage.plan.traffic.workers

    def ready() -> bool:
        nonlocal waiting
        # What a volley says that was too late for its own strike must not let this one begin with nobody aboard.
        said = [message for message in stage.take(VolleyReady) if isinstance(message, VolleyReady)]
        waiting -= sum(message.strike == strike.index for message in said)
        return waiting <= 0

    stage.until(ready, VOLLEY_MOST_S if strike.mode is Mode.BURST else lead_s)
    if mode is Mode.BURST:
        stage.clock.wait_until_ns(stage.clock.now_ns() + int(BURST_S * NS))
    else:
        stage.clock.wait_until_ns(start_ns)


def _sham(stage: Stage, strike: Strike, victim: Instance, decided_ns: int) -> None:
    stage.emit(
        events.Struck,
        index=strike.index,
        victim=victim.name,
        decided_ns=decided_ns,
        signal_ns=-1,
        returned_ns=-1,
        death_ns=-1,
        error_ns=0,
        refused_ns=-1,
        confirmed=False,
        exit_code=-1,
        detail="sham: no signal was sent",
    )
    stage.pause(2.0)
    stage.emit(events.StrikeEnded, index=strike.index, exposed={}, read_back={}, timed_out=False)


def _record_death(stage: Stage, strike: Strike, victim: Instance, receipt: KillReceipt, decided_ns: int) -> None:
    stage.emit(
        events.Struck,
        index=strike.index,
        victim=victim.name,
        decided_ns=decided_ns,
        signal_ns=receipt.signal_ns,
        returned_ns=receipt.returned_ns,
        death_ns=receipt.death_ns,
        error_ns=receipt.error_ns,
        refused_ns=receipt.refused_ns,
        confirmed=receipt.confirmed,
        exit_code=receipt.exit_code,
        detail=receipt.detail,
    )
    if not receipt.confirmed:
        stage.struck.discard(victim.name)
        return
    stage.emit(
        events.InstanceDied,
        instance=victim.name,
        asked=True,
        death_ns=receipt.death_ns,
        error_ns=receipt.error_ns,
        exit_code=receipt.exit_code,
        out_of_memory=False,
        log="",
    )
    stage.traffic.tell(
        Died(incarnation=victim.name, strike=strike.index, death_ns=receipt.death_ns, error_ns=receipt.error_ns)
    )


def _replace(stage: Stage, strike: Strike, victim: Instance) -> None:
    replacement = stage.fleet.start(stage.incarnation(strike.slot))
    stage.instances[strike.slot] = replacement
    record_start(stage, replacement)
    await_ready(stage, [replacement])
    stage.balancer.join(replacement, victim)
    stage.emit(events.InstanceReady, instance=replacement.name, joined=True)
    stage.emit(events.Restored, index=strike.index, replacement=replacement.name)
    stage.tell_topology()
    if log := stage.log_tail(victim, LAST_LINES):
        stage.emit(events.LastWords, index=strike.index, instance=victim.name, log=log)
    stage.fleet.remove(victim)


def _read_back(stage: Stage, strike: Strike) -> None:
    """Wait until each exposed object was read once by another incarnation; counts come with the workers' ticks."""
    key = str(strike.index)
    seen_ns = stage.clock.now_ns()

    def told() -> bool:
        return all(tick.t_ns > seen_ns for tick in stage.ticks.values()) and bool(stage.ticks)

    def read() -> bool:
        exposed, back = stage.exposed.get(key, {}), stage.read_back.get(key, {})
        return told() and all(back.get(promise, 0) >= count for promise, count in exposed.items())

    done = stage.until(read, READ_BACK_S + patience_s(stage.plan))
    stage.emit(
        events.StrikeEnded,
        index=strike.index,
        exposed=stage.exposed.get(key, {}),
        read_back=stage.read_back.get(key, {}),
        timed_out=not done,
    )


def _suffices(stage: Stage, sizing: Sizing) -> bool:
    return not _short(stage, sizing)


def _tell_added(stage: Stage, number: int, lacks: dict[str, int]) -> None:
    kills = [name for name in lacks if KINDS.get(stage.plan.promises[name].kind).per_kill]
    stage.emit(events.RoundAdded, round=number, lacks=lacks, kills=kills)


def _short(stage: Stage, sizing: Sizing) -> dict[str, int]:
    """Promises that decide and have too little evidence yet, and how much they lack."""
    plan = stage.plan
    judged = {
        name: KINDS.get(each.kind)
        for name, each in plan.promises.items()
        if "kill" in each.survives and promise_level(plan, name) is Level.ERROR
    }
    kills, planned = len(stage.struck), plan.chaos.rounds * plan.instances
    lacks = {
        name: kind.kills_needed(kills, planned) - _kills_exposed(stage, name)
        if kind.per_kill
        else sizing.needed - stage.exposures.get(name, 0)
        for name, kind in judged.items()
    }
    return {name: lack for name, lack in lacks.items() if lack > 0}


def _in_vain(stage: Stage, sizing: Sizing, before: dict[str, int]) -> bool:
    """Where what the plan knows of is broken, a round may bring no promise that is short of evidence any nearer."""
    short = _short(stage, sizing)
    if not _sure(stage) or any(stage.exposures.get(name, 0) > before.get(name, 0) for name in short):
        return False
    stage.emit(
        events.Warned,
        text=f"no more rounds: what is broken, and doesn't count, leaves no evidence of {', '.join(short)} to gather",
    )
    return True


def _kills_exposed(stage: Stage, promise: str) -> int:
    """Each worker counts a kill for itself: one that two of them saw is still one."""
    kills = sum(1 for counts in stage.read_back.values() if counts.get(promise, 0))
    return min(kills, stage.exposures.get(promise, 0))
