"""Names to plug-ins: refuses duplicates, suggests near misses."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, Protocol, TypeVar, runtime_checkable

from chaoscheck.errors import PlanError, PluginRefused
from chaoscheck.plan.plan import LoadedPlan

T = TypeVar("T")


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that names the closest of `known`, or all of them when none is close."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(names)}"


class Registry(Generic[T]):
    """All plug-ins of one sort (`what`: "engine", "kind", ...), by name. Each has all public parts of `protocol`."""

    def __init__(self, what: str, protocol: type | None = None) -> None:
        self.what = what
        self._protocol = protocol
        self._items: dict[str, T] = {}

    def add(self, name: str) -> Callable[[T], T]:
        """A decorator that registers a plug-in; PluginRefused when the name is taken, or a part is missing."""

        def register(item: T) -> T:
            if name in self._items:
                raise PluginRefused(f"two plug-ins of sort {self.what} are named '{name}'", hint="rename one of them")
            if missing := sorted(part for part in _parts(self._protocol) if not hasattr(item, part)):
                raise PluginRefused(
                    f"the {self.what} '{name}' has no {', '.join(missing)}",
                    hint=f"{self._protocol.__module__ if self._protocol else ''} says what each is for",
                )
            if (own := getattr(item, "name", name)) != name:
                raise PluginRefused(f"the {self.what} registered as '{name}' calls itself '{own}'", hint="use one name")
            self._items[name] = item
            return item

        return register

    def get(self, name: str) -> T:
        """The plug-in of that name; PlanError with the nearest name when there is none."""
        try:
            return self._items[name]
        except KeyError:
            raise PlanError(f"no {self.what} is named '{name}'", hint=nearest(name, self._items)) from None

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._items))

    def __contains__(self, name: str) -> bool:
        return name in self._items


def _parts(protocol: type | None) -> set[str]:
    """What it declares: methods, properties and class variables."""
    if protocol is None:
        return set()
    return {part for part in {**vars(protocol), **protocol.__annotations__} if not part.startswith("_")}


@runtime_checkable
class ChecksPlans(Protocol):
    """A plug-in that can tell what it can't do for a plan before anything is made."""

    def check(self, plan: LoadedPlan) -> None:
        """Raises PlanError, with the line."""
        ...
