"""Stores, setup, instances and balancer: from nothing to a service that answers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from chaoscheck.engines.base import Instance, Simulates
from chaoscheck.engines.ready import wait_ready
from chaoscheck.errors import PlanError
from chaoscheck.model import events
from chaoscheck.model.places import Incarnation
from chaoscheck.phases.stage import Stage
from chaoscheck.steps.proof import prove


def prepare(stage: Stage) -> None:
    """Start all that the plan names, and wait until each instance answers, by itself and through the balancer."""
    refusal = stage.fault.refusal(stage.fleet)
    if refusal:
        raise PlanError(
            f"fault '{stage.fault.name}' can't be used: {refusal}",
            place=stage.loaded.place("chaos", "fault"),
            hint="choose another fault, or another engine with --engine",
        )
    _prove(stage)
    stage.fleet.prepare()
    slots = range(1, stage.plan.instances + 1)
    started = _start_all(stage, [Incarnation(slot=slot, life=1) for slot in slots])
    for instance in started:
        stage.instances[instance.incarnation.slot] = instance
        record_start(stage, instance)
    await_ready(stage, started)
    stage.balancer.open(stage.fleet, stage.loaded, started, stage.clock)
    for instance in started:
        stage.emit(events.InstanceReady, instance=instance.name, joined=True)


def _prove(stage: Stage) -> None:
    """One attempt, one delivery: shown of the controller's own transport first. Raises ProbeTrouble."""
    simulated = isinstance(stage.fleet, Simulates)
    deliveries = 1 if simulated else prove(stage.transport)
    stage.emit(events.TransportProved, transport="simulated" if simulated else "controller", deliveries=deliveries)


def record_start(stage: Stage, instance: Instance) -> None:
    stage.emit(
        events.InstanceStarted,
        instance=instance.name,
        slot=instance.incarnation.slot,
        life=instance.incarnation.life,
        address=str(instance.lasting or instance.address),
    )


def await_ready(stage: Stage, instances: list[Instance]) -> None:
    """Wait until each answers its ready check, asked as a user of the public URL would."""
    headers = {"Host": stage.origin.partition("://")[2]} if stage.plan.target.public_url else {}
    wait_ready(
        stage.fleet,
        instances,
        stage.plan.target.ready,
        transport=stage.transport,
        clock=stage.clock,
        headers={**stage.plan.target.headers, **headers},
        say=stage.say,
    )


def _start_all(stage: Stage, wanted: list[Incarnation]) -> list[Instance]:
    if isinstance(stage.fleet, Simulates):
        return [stage.fleet.start(incarnation) for incarnation in wanted]
    with ThreadPoolExecutor(max_workers=4) as pool:
        return list(pool.map(stage.fleet.start, wanted))
