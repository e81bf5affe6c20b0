"""Where a session's next attempt goes: through the balancer, straight at one instance, or wherever the client picks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import count

from chaoscheck.errors import TrafficTrouble
from chaoscheck.model.places import Address
from chaoscheck.steps.calls import Router

BALANCER = "lb"


class ViaBalancer:
    """Everything goes to the entry; what happens there is the balancer's to decide, so nothing is sent again."""

    def __init__(self, entry: Address) -> None:
        self._chosen = (BALANCER, entry)

    def pick(self, attempt: int) -> tuple[str, Address]:
        return self._chosen

    def another(self, attempt: int) -> bool:
        return False


class Straight:
    """One instance, dialled directly, and no other."""

    def __init__(self, name: str, address: Address) -> None:
        self._chosen = (name, address)

    def pick(self, attempt: int) -> tuple[str, Address]:
        return self._chosen

    def another(self, attempt: int) -> bool:
        return False


class RoundRobin:
    """The client picks, one instance after another over all sessions; where certainly nothing was sent, the next one.

    One of these a session, so that a second attempt never meets the instance that refused the first.
    """

    def __init__(self, instances: Callable[[], Mapping[str, Address]], turns: Iterator[int]) -> None:
        self._instances = instances
        self._turns = turns
        self._began = 0

    def pick(self, attempt: int) -> tuple[str, Address]:
        if not attempt:
            self._began = next(self._turns)
        names = _serving(self._instances())
        return names[(self._began + attempt) % len(names)]

    def another(self, attempt: int) -> bool:
        return attempt < len(self._instances())


class NeverSame:
    """The client picks, never the instance that it dialled last while there is another. One of these a session."""

    def __init__(self, instances: Callable[[], Mapping[str, Address]], draw: Callable[[], float]) -> None:
        self._instances = instances
        self._draw = draw
        self._tried: set[str] = set()
        self._before = self._last = ""

    def pick(self, attempt: int) -> tuple[str, Address]:
        if not attempt:
            self._tried.clear()
            self._before = self._last
        names = _serving(self._instances())
        fresh = [chosen for chosen in names if chosen[0] not in self._tried] or names
        others = [chosen for chosen in fresh if chosen[0] != self._before] or fresh
        chosen = others[int(self._draw() * len(others))]
        self._last = chosen[0]
        self._tried.add(self._last)
        return chosen

    def another(self, attempt: int) -> bool:
        return attempt < len(self._instances())


def _serving(instances: Mapping[str, Address]) -> list[tuple[str, Address]]:
    if not instances:
        raise TrafficTrouble("a client had to pick an instance, and none is known to serve")
    return list(instances.items())


def routers(
    entry: Address | None,
    pick: str,
    instances: Callable[[], Mapping[str, Address]],
) -> Callable[[Callable[[], float]], Router]:
    """How a new session gets its router (given its stream of numbers). `entry` None: the client picks by `pick`."""
    if entry is not None:
        through = ViaBalancer(entry)
        return lambda draw: through
    if pick == "never-same":
        return lambda draw: NeverSame(instances, draw)
    turns = count()
    return lambda draw: RoundRobin(instances, turns)
