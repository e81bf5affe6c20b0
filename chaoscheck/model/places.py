"""Where things are: addresses, slots and their incarnations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit


class Address(NamedTuple):
    """A TCP address as a client dials it."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def dialled(url: str) -> Address:
    """Where an http or https URL is dialled: its own port, else its scheme's. ValueError for one that can't be."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"'{url}' has no http or https host")
    return Address(parts.hostname, parts.port or (443 if parts.scheme == "https" else 80))


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
