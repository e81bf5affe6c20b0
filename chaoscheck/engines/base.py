"""What an engine is: it opens a fleet, and a fleet starts, shows and removes instances."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol, runtime_checkable

from chaoscheck.model.checkup import Check
from chaoscheck.model.clock import Clock
from chaoscheck.model.history import BalancerRow
from chaoscheck.model.places import Address, Incarnation
from chaoscheck.plan.plan import LoadedPlan
from chaoscheck.registry import Registry
from chaoscheck.steps.base import Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One incarnation that was started. `address` is where the controller dials it, `inner` where a balancer of the
    same fleet does; `handle` is the engine's own word for it (a container's id, a process group). `lasting` is where it
    can be asked when the run is over, if that is elsewhere."""

    incarnation: Incarnation
    address: Address
    inner: Address
    handle: str
    lasting: Address | None = None

    @property
    def name(self) -> str:
        return self.incarnation.name


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How an instance is: while it runs, `exit_code` is -1. A signalled death has 128 + the signal's number.

    `ended_ns` is the run's clock, known to within `error_ns`; -1 while it runs or where nothing tells.
    """

    running: bool
    exit_code: int = -1
    out_of_memory: bool = False
    ended_ns: int = -1
    error_ns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class KillReceipt:
    """What a kill did: decided, signal sent, call returned (run's clock, ns), and the confirmed death.

    `confirmed` only if the whole instance ended, by signal 9, not out of memory, and its port refuses.
    """

    signal_ns: int
    returned_ns: int
    death_ns: int
    error_ns: int
    refused_ns: int
    confirmed: bool
    exit_code: int
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SidecarSpec:
    """Something that runs beside the instances: a container of `image`, or built from the folder `build` where the
    image can't be had, or a local `command`. `files` (absolute path inside -> text) are there before it starts; the
    local command finds them under a folder of its own, whose path replaces `{files}` in its words. `ports` are
    published."""

    name: str
    image: str
    build: Path | None
    command: tuple[str, ...]
    files: Mapping[str, str]
    ports: tuple[int, ...]


class Sidecar(Protocol):
    """A running sidecar."""

    def address(self, port: int) -> Address:
        """Where the controller dials that port of it."""
        ...

    def logs(self) -> str:
        """All it printed so far."""
        ...

    def running(self) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What an engine needs to know of a run. `allow_kill` is the user's word that what he started may be killed."""

    run: str
    plan: LoadedPlan
    clock: Clock
    folder: Path
    say: Callable[[str], None]
    labels: dict[str, str] = field(default_factory=dict)
    allow_kill: bool = False


class Fleet(Protocol):
    """All that one run made on an engine. Nothing that it did not make itself is ever touched."""

    def prepare(self) -> None:
        """Images, network, volumes, stores (ready), then setup commands. Raises an EnvironmentTrouble."""
        ...

    def start(self, incarnation: Incarnation) -> Instance:
        """Start an incarnation with a fresh disk; it need not be ready yet. Raises an EnvironmentTrouble."""
        ...

    def state(self, instance: Instance) -> State:
        """How it is now. Raises EngineLost when the engine doesn't answer."""
        ...

    def remove(self, instance: Instance) -> None:
        """Remove what is left of an instance; a second time does nothing."""
        ...

    def dead_stores(self) -> Mapping[str, str]:
        """Stores that ended or restarted unasked -> what is known of it."""
        ...

    def close(self) -> None:
        """Remove all that this fleet made. Never raises for what is gone already."""
        ...


@runtime_checkable
class Killable(Protocol):
    """A fleet that can SIGKILL a whole instance."""

    def kill(self, instance: Instance) -> KillReceipt:
        """Kill, and wait (at most 10 s) for the confirmed death. A kill that doesn't land comes back unconfirmed."""
        ...


@runtime_checkable
class HasLogs(Protocol):
    """A fleet that can show what an instance printed."""

    def logs(self, instance: Instance, lines: int) -> str: ...


@runtime_checkable
class RunsSidecars(Protocol):
    """A fleet beside whose instances a balancer can run."""

    def sidecar(self, spec: SidecarSpec) -> Sidecar:
        """Start it. Raises an EnvironmentTrouble."""
        ...


@runtime_checkable
class KnowsImages(Protocol):
    """A fleet that can tell whether a sidecar could start at once."""

    def has_image(self, spec: SidecarSpec) -> bool:
        """Whether its image is there: nothing would have to be pulled, or built from nothing."""
        ...


@runtime_checkable
class Examines(Protocol):
    """An engine that can say how it stands before a run."""

    def examine(self, plan: LoadedPlan | None) -> Iterator[Check]:
        """What was looked at, with the plan's share in it where there is a plan. Leaves nothing behind."""
        ...


@runtime_checkable
class RoutesItself(Protocol):
    """A fleet with a network, and so a balancer, of its own making: the simulator."""

    def open_entry(self, *, sticky: bool) -> Address: ...

    def admit(self, instance: Instance, replaced: Instance | None) -> None: ...

    def entry_log(self) -> list[BalancerRow]: ...


@runtime_checkable
class Simulates(Protocol):
    """A fleet that no real client can reach: it brings its own transport, and runs traffic in its own time."""

    world: SimulatedTime

    def transport(self) -> Transport: ...


class SimulatedTime(Clock, Protocol):
    """A clock that also runs coroutines."""

    def spawn(self, work: Callable[[], object]) -> None: ...


@runtime_checkable
class KnownByName(Protocol):
    """A fleet whose instances answer under names that are not of chaoscheck's making, and may outlive one life."""

    def names(self, instance: Instance) -> tuple[str, ...]:
        """All texts under which a balancer may know it."""
        ...


@runtime_checkable
class MayBeOutOfReach(Protocol):
    """A fleet whose instances can't always be asked alone."""

    def asks_each(self) -> bool:
        """Whether they can, once it is prepared; where not, the address of each is the balancer's."""
        ...


@runtime_checkable
class Attaches(Protocol):
    """An engine whose instances are somebody else's: they ran before the run, and run after it."""

    def found(self, plan: LoadedPlan) -> tuple[str, ...]:
        """The instances, a line each, as the user knows them. Raises EngineUnavailable, and PlanError for none."""
        ...


@runtime_checkable
class MayBeElsewhere(Protocol):
    """An engine whose instances, somebody else's, may be on another machine. One that only runs copies of its own there
    needs nobody's word, and is none of these."""

    def elsewhere(self) -> str:
        """Where that is, as the user named it; "" where it is this machine."""
        ...


@runtime_checkable
class HasClock(Protocol):
    """An engine whose runs don't take real time."""

    def clock(self) -> Clock: ...


class Engine(Protocol):
    """Where instances live: made without arguments, and it connects when asked to.

    `default_balancer` names the balancer that a plan gets which doesn't say.
    """

    name: ClassVar[str]

    @property
    def default_balancer(self) -> str: ...

    def available(self) -> str:
        """ "" when it can be used on this machine now, else why not, in a sentence."""
        ...

    def open(self, site: Site) -> Fleet:
        """A fleet for one run; makes nothing yet. Raises EngineUnavailable."""
        ...

    def sweep(self, *, run: str | None = None) -> list[str]:
        """Remove what runs left whose owner (host, boot id, pid, start time) is provably gone; or all of `run`.

        Returns one line for each thing removed. Never touches what another living run owns.
        """
        ...


ENGINES: Registry[Callable[[], Engine]] = Registry("engine", Engine)
