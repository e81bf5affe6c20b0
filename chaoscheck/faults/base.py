"""What a fault is: one way to take an instance away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Protocol

from chaoscheck.engines.base import Fleet, Instance, KillReceipt
from chaoscheck.registry import Registry


class Mode(StrEnum):
    """What the victim is doing when it is struck."""

    BURST = "burst"  # acknowledged writes keep flowing to it until it is dead
    IN_FLIGHT = "in-flight"  # writes begin at drawn points of its last milliseconds
    PLAIN = "plain"  # users' traffic only
    SHAM = "sham"  # everything but the signal


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """One planned strike: `pause_s` comes before it; `aims` in [0, 1) place the in-flight writes around the signal."""

    index: int
    round: int
    slot: int
    mode: Mode
    pause_s: float
    aims: tuple[float, ...]


class Fault(Protocol):
    """Takes one instance away. It must not touch another, nor the balancer, nor report a death it did not see."""

    name: ClassVar[str]

    def refusal(self, fleet: Fleet) -> str:
        """Why this fleet can't be struck so; "" when it can."""
        ...

    def strike(self, fleet: Fleet, victim: Instance) -> KillReceipt:
        """Strike, and wait (limited) for what it means. Raises EngineLost only."""
        ...


FAULTS: Registry[Callable[[], Fault]] = Registry("fault", Fault)
