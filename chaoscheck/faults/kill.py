"""SIGKILL to the whole instance; its slot gets a replacement with a fresh disk."""

from __future__ import annotations

from typing import ClassVar

from chaoscheck.engines.base import Fleet, Instance, Killable, KillReceipt
from chaoscheck.faults.base import FAULTS


@FAULTS.add("kill")
class Kill:
    """`kill -9`: no handler runs, nothing is flushed, nothing is handed over."""

    name: ClassVar[str] = "kill"

    def refusal(self, fleet: Fleet) -> str:
        return "" if isinstance(fleet, Killable) else "this engine can't kill an instance"

    def strike(self, fleet: Fleet, victim: Instance) -> KillReceipt:
        assert isinstance(fleet, Killable)
        return fleet.kill(victim)
