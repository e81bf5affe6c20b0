"""A volley is its own strike's: what was said too late for the one before must not begin it."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from chaoscheck import plugins
from chaoscheck.engines.base import Instance
from chaoscheck.faults.base import Mode, Strike
from chaoscheck.model.clock import NS
from chaoscheck.model.places import Address, Incarnation
from chaoscheck.phases.chaos import VOLLEY_MOST_S, _aim
from chaoscheck.phases.stage import Stage
from chaoscheck.plan.plan import Plan
from chaoscheck.traffic.base import Message, Volley, VolleyReady

PLAN: dict[str, Any] = {
    "target": {"image": "x", "port": 80},
    "promises": {"note": {"kind": "kept", "do": {"post": "/n"}, "see": {"get": "/n?q=$value"}}},
}


@pytest.mark.parametrize(("said", "begun"), [((0,), False), ((0, 1), True), ((1,), True)])
def test_late_word_of_an_earlier_volley_is_no_word_of_this_one(said: tuple[int, ...], begun: bool) -> None:
    """A victim must not be struck before its own burst has begun, or nothing was acknowledged by it."""
    plugins.load()
    waits: list[tuple[bool, float]] = []
    told: list[Message] = []
    inbox = [VolleyReady(worker="w0", strike=strike, clients=8) for strike in said]

    def until(done: Callable[[], bool], limit_s: float) -> bool:
        waits.append((done(), limit_s))
        return waits[-1][0]

    stage = SimpleNamespace(
        plan=Plan.model_validate(PLAN),
        request_s=0.01,
        clock=SimpleNamespace(now_ns=lambda: 0, wait_until_ns=lambda when: None),
        traffic=SimpleNamespace(tell=told.append),
        take=lambda kind: inbox,
        until=until,
    )
    place = Address("127.0.0.1", 1)
    victim = Instance(incarnation=Incarnation(slot=1, life=1), address=place, inner=place, handle="1")
    strike = Strike(index=1, round=0, slot=1, mode=Mode.BURST, pause_s=0.2, aims=())
    _aim(cast(Stage, stage), strike, victim)
    assert waits == [(begun, VOLLEY_MOST_S)]
    assert isinstance(told[0], Volley)
    assert told[0].until_ns > VOLLEY_MOST_S * NS
