"""Where things are: addresses, slots and their incarnations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Address(NamedTuple):
    """A TCP address as a client dials it."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Incarnation:
    """One life of a slot: `web-2.3` is slot 2, third life. Names are never used twice in a run."""

    slot: int
    life: int

    @property
    def name(self) -> str:
        return f"web-{self.slot}.{self.life}"

    @classmethod
    def parse(cls, name: str) -> Incarnation:
        """The incarnation of that name; ValueError when it isn't one."""
        slot, _, life = name.removeprefix("web-").partition(".")
        return cls(slot=int(slot), life=int(life))
