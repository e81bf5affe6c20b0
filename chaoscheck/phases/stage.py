"""What the phases of one run share: its plan, its clock, and all that it started."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from chaoscheck.balancers.base import Balancer
from chaoscheck.engines.base import Fleet, HasLogs, Instance, KnownByName, MayBeOutOfReach
from chaoscheck.errors import ChaosError, InstanceCrashed, StoreDied, WorkerDied
from chaoscheck.faults.base import Fault
from chaoscheck.model import events
from chaoscheck.model.clock import NS, Clock
from chaoscheck.model.ops import Phase
from chaoscheck.model.places import Address, Incarnation
from chaoscheck.plan.plan import LoadedPlan, Plan
from chaoscheck.steps.base import Transport
from chaoscheck.steps.confidential import confidential
from chaoscheck.steps.mask import Masker
from chaoscheck.traffic.base import Confirmed, Hello, Message, Tick, Topology, Traffic

POLL_S = 0.05
LOG_CHARS = 4_000


@dataclass(slots=True, kw_only=True)
class Stage:
    """Mutable, and owned by the controller's one thread. `instances` are the slots' present incarnations.

    `say` shows a line to whoever watches; what matters later is an event. `shown` tells whether the run has shown
    enough to end; `broken` whether what workers confirmed breaks it, or is something that the plan lets pass.
    `request_s` is what a request takes with nobody else there.
    """

    loaded: LoadedPlan
    run: str
    seed: int
    clock: Clock
    folder: Path
    record: Callable[[events.Event], None]
    fleet: Fleet
    balancer: Balancer
    fault: Fault
    transport: Transport
    traffic: Traffic
    say: Callable[[str], None] = lambda line: None
    shown: Callable[[], bool] = lambda: False
    broken: Callable[[], bool] = lambda: True
    phase: Phase = Phase.PLAN
    request_s: float = 0.0
    instances: dict[int, Instance] = field(default_factory=dict)
    struck: set[str] = field(default_factory=set)
    gone_by_expect: set[str] = field(default_factory=set)
    ticks: dict[str, Tick] = field(default_factory=dict)
    exposed: dict[str, dict[str, int]] = field(default_factory=dict)
    read_back: dict[str, dict[str, int]] = field(default_factory=dict)
    exposures: dict[str, int] = field(default_factory=dict)
    confirmed: list[str] = field(default_factory=list)
    inbox: list[Message] = field(default_factory=list)
    stores_alive_ns: int = 0

    @property
    def plan(self) -> Plan:
        return self.loaded.plan

    @property
    def entry(self) -> Address | None:
        return self.balancer.route().entry

    @property
    def origin(self) -> str:
        """What clients believe they opened: it decides Host, Origin and cookie scope on every call."""
        if self.plan.target.public_url:
            return self.plan.target.public_url
        if self.plan.balancer.kind == "external" and self.plan.balancer.url:
            return self.plan.balancer.url
        return f"http://{self.entry}" if self.entry else f"http://127.0.0.1:{self.plan.target.port}"

    @property
    def asks_each(self) -> bool:
        """Whether each instance can be asked alone."""
        return self.fleet.asks_each() if isinstance(self.fleet, MayBeOutOfReach) else True

    def enough(self) -> bool:
        """Whether what is shown so far ends the run; says so."""
        if not self.shown():
            return False
        self.emit(
            events.Warned,
            text=f"ended in {self.phase.value}, at the first confirmed failure (--fail-fast, the default where CI is "
            "set): later gates are judged by what there was until then; --no-fail-fast goes on to the end",
        )
        return True

    def emit(self, kind: type[events.Event], /, **data: object) -> None:
        """Record that this happened now."""
        self.record(kind(t_ns=self.clock.now_ns(), **data))

    def enter(self, phase: Phase) -> None:
        self.phase = phase
        self.emit(events.PhaseBegan, phase=phase.value)

    def tell_topology(self) -> None:
        """Tell the workers which instances should be serving."""
        present = self.instances.values()
        fleet = self.fleet
        called = {item.name: fleet.names(item) for item in present} if isinstance(fleet, KnownByName) else {}
        self.traffic.tell(
            Topology(
                instances={item.name: item.address for item in present} if self.asks_each else {},
                names={text: name for name, texts in called.items() for text in texts},
            )
        )

    def incarnation(self, slot: int) -> Incarnation:
        """The next life of that slot."""
        last = self.instances.get(slot)
        return Incarnation(slot=slot, life=last.incarnation.life + 1 if last else 1)

    def listen(self) -> list[Message]:
        """Take in what the workers said; keeps counters, returns the rest. Raises WorkerDied."""
        rest = [message for message in self.traffic.heard() if not self._counted(message)]
        for worker, detail in self.traffic.lost().items():
            self.emit(events.WorkerLost, worker=worker, detail=detail)
            raise WorkerDied(
                f"traffic worker {worker} ended by itself: {detail}", hint="its log is in the run's folder, under logs/"
            )
        return rest

    def watch(self) -> None:
        """Look for what nobody asked for: a store or an instance that ended by itself. Raises StoreDied, EngineLost."""
        asked_ns = self.clock.now_ns()
        for store, detail in self.fleet.dead_stores().items():
            self.emit(events.StoreDied, store=store, detail=detail, alive_ns=self.stores_alive_ns)
            raise StoreDied(
                f"store '{store}' ended in mid-run, and no strike meant it: {detail}",
                hint="a store is never a victim; look at its log, or give it more memory",
            )
        self.stores_alive_ns = asked_ns
        for instance in self.instances.values():
            self._watch_instance(instance)
        self.balancer.route()  # Raises when the balancer itself is gone.

    def pause(self, seconds: float) -> None:
        """Wait, listening and watching."""
        self.until(lambda: False, seconds)

    def until(self, done: Callable[[], bool], limit_s: float) -> bool:
        """Listen and watch until `done()`; False when the limit came first."""
        end_ns = self.clock.now_ns() + int(limit_s * NS)
        next_watch_ns = 0
        while True:
            self.inbox.extend(self.listen())
            if done():
                return True
            now_ns = self.clock.now_ns()
            if now_ns >= end_ns:
                return False
            if now_ns >= next_watch_ns:
                self.watch()
                next_watch_ns = now_ns + NS // 2
            self.clock.wait_until_ns(min(end_ns, now_ns + int(POLL_S * NS)))

    def take(self, kind: type[Message]) -> list[Message]:
        """Take messages of that kind out of the inbox."""
        found = [message for message in self.inbox if isinstance(message, kind)]
        self.inbox = [message for message in self.inbox if not isinstance(message, kind)]
        return found

    def log_tail(self, instance: Instance, lines: int = 15, chars: int = LOG_CHARS) -> str:
        """What it printed last, secrets masked and at most so many characters of it; "" where nothing is known."""
        if not isinstance(self.fleet, HasLogs):
            return ""
        with suppress(ChaosError):
            masker = Masker(confidential(self.loaded.plan, self.loaded.filled))
            return masker.text(self.fleet.logs(instance, lines))[-chars:]
        return ""

    def _watch_instance(self, instance: Instance) -> None:
        if instance.name in self.struck:
            return
        state = self.fleet.state(instance)
        if state.running:
            return
        self.struck.add(instance.name)
        self.emit(
            events.InstanceDied,
            instance=instance.name,
            asked=False,
            death_ns=state.ended_ns,
            error_ns=state.error_ns,
            exit_code=state.exit_code,
            out_of_memory=state.out_of_memory,
            log=self.log_tail(instance),
        )
        raise InstanceCrashed(
            f"{instance.name} ended by itself with exit code {state.exit_code}"
            f"{' (out of memory)' if state.out_of_memory else ''}, and no strike meant it",
            hint="a service that dies unasked can't be judged on kills",
            details=self.log_tail(instance),
        )

    def _counted(self, message: Message) -> bool:
        if isinstance(message, Confirmed):
            self.confirmed.append(message.promise)
            self.emit(
                events.FindingSeen,
                promise=message.promise,
                anomaly=message.anomaly,
                session=message.session,
                obj=message.obj,
            )
            return True
        if isinstance(message, Hello):
            self.emit(events.TransportProved, transport=f"worker {message.worker}", deliveries=message.deliveries)
            return True
        if not isinstance(message, Tick):
            return False
        self.ticks[message.worker] = message
        ticks = self.ticks.values()
        self.exposures = _sum([tick.exposures for tick in ticks])
        self.exposed = _sum_nested([tick.exposed for tick in ticks])
        self.read_back = _sum_nested([tick.read_back for tick in ticks])
        self.emit(
            events.TrafficSeen,
            requests=message.requests,
            bad=message.bad,
            sessions=sum(tick.sessions for tick in ticks),
            late_ms=message.late_ms,
            p50_ms=message.p50_ms,
            p95_ms=message.p95_ms,
            exposures=self.exposures,
            worker=message.worker,
            busy=message.busy,
        )
        return True


def _sum(counts: list[dict[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for count in counts:
        for key, number in count.items():
            total[key] = total.get(key, 0) + number
    return total


def _sum_nested(counts: list[dict[str, dict[str, int]]]) -> dict[str, dict[str, int]]:
    keys = {key for count in counts for key in count}
    return {key: _sum([count.get(key, {}) for count in counts]) for key in keys}
