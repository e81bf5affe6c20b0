"""The addresses, tried for real: what the balancer would run is started, dialled as a run would, and removed."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

from chaoscheck.balancers.base import Balancer, TriesOut
from chaoscheck.engines.base import Engine, Fleet, KnowsImages, Site
from chaoscheck.errors import ChaosError
from chaoscheck.model.checkup import Check, ok, problem
from chaoscheck.model.clock import MonotonicClock
from chaoscheck.plan.plan import LoadedPlan, Plan

_NAME = "trial"


def trial(engine: Engine, balancer: Balancer, plan: LoadedPlan | None) -> Iterator[Check]:
    """Only where nothing would have to be pulled, or built from nothing. Leaves nothing behind."""
    if not isinstance(balancer, TriesOut):
        return
    try:
        fleet = engine.open(_site(plan or _nothing()))
    except ChaosError as error:
        yield problem(_NAME, error.message, error.hint)
        return
    try:
        if isinstance(fleet, KnowsImages):
            yield _tried(fleet, fleet.has_image(balancer.needs(plan.plan if plan else None)), balancer, plan)
    except ChaosError as error:
        yield problem(_NAME, error.message, error.hint)
    finally:
        try:
            fleet.close()
        except ChaosError as error:
            yield problem(_NAME, error.message, error.hint)


def _tried(fleet: Fleet, at_once: bool, balancer: TriesOut, plan: LoadedPlan | None) -> Check:
    if not at_once:
        return ok(_NAME, "not made: its image is not there yet, a run pulls or builds it")
    return ok(_NAME, balancer.try_out(fleet, plan.plan if plan else None))


def _site(plan: LoadedPlan) -> Site:
    return Site(
        run=f"doctor-{secrets.token_hex(4)}", plan=plan, clock=MonotonicClock(), folder=Path(), say=lambda line: None
    )


def _nothing() -> LoadedPlan:
    """Without a plan, the settings that every plan has by default."""
    raw = {
        "target": {"image": "none"},
        "promises": {"none": {"kind": "kept", "do": {"post": "/"}, "see": {"get": "/"}}},
    }
    return LoadedPlan(plan=Plan.model_validate(raw), path=Path("plan.yaml"), text="", lines={})
