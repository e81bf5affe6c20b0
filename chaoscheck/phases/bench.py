"""The controller's user as a kind of promise asks for him: on the instance that it names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from chaoscheck.engines.base import Instance, Simulates
from chaoscheck.model import events
from chaoscheck.model.clock import wait_s
from chaoscheck.model.ops import Lane, Outcome
from chaoscheck.phases.probe import Prober, Visitor
from chaoscheck.phases.stage import Stage
from chaoscheck.promises.base import Inspects
from chaoscheck.steps.calls import Done
from chaoscheck.steps.client import Client

DO_TRIES = 5
PAUSE_S = 0.02
SAME_READS = 24
AT_ONCE = 8
"""Reads on one instance's own fresh connections, so many at a time: an idle worker process takes every connection that
comes alone (streaks of 46 were seen), so only connections that compete for one reach the others."""


class ProbeBench:
    """A `Bench` for one promise and one visitor."""

    def __init__(
        self, stage: Stage, prober: Prober, visitor: Visitor, promise: str, browser: Client | None = None
    ) -> None:
        self._browser = browser
        self._stage = stage
        self._prober = prober
        self._visitor = visitor
        self._promise = promise
        self.session = visitor.session

    def new_value(self) -> str:
        return self._prober.new_value(self._visitor)

    def do(self, value: str, on: str) -> Done:
        return do(self._stage, self._prober, self._visitor, self._promise, value, self._instance(on))

    def see(self, value: str, on: str, *, fresh: bool = False, given: Mapping[str, str] | None = None) -> Done:
        client = self._browser or self._visitor.client.copy()
        if given is not None:
            obj = self._prober.kind(self._promise).object_of(self.session, value)
            client.objects[self._promise, obj] = dict(given)
        return self._prober.call(
            self._visitor, self._promise, "see", value, self._instance(on), client=client, fresh=fresh
        )

    def see_at_once(self, value: str, on: str) -> list[Done]:
        return at_once(self._stage, self._prober, self._visitor, self._promise, value, self._instance(on))

    def do_at_once(self, values: Sequence[str], on: str) -> list[Done]:
        where = self._instance(on)
        return compete(self._stage, self._prober, self._visitor, self._promise, "do", values, where)

    def undo(self, value: str, on: str) -> Done:
        return self._prober.call(self._visitor, self._promise, "undo", value, self._instance(on))

    def ledger(self, value: str, on: str) -> Done:
        return self._prober.call(self._visitor, self._promise, "ledger", value, self._instance(on))

    def elsewhere(self) -> ProbeBench:
        browser = self._visitor.client.copy()
        return ProbeBench(self._stage, self._prober, self._visitor, self._promise, browser)

    def hang_up(self) -> None:
        if self._browser is not None:
            self._prober.performer.hang_up(self._browser)

    def newcomer(self) -> ProbeBench:
        visitor = self._prober.visitor(self._visitor.lane)
        return ProbeBench(self._stage, self._prober, visitor, self._promise)

    def log_in(self, on: str) -> Done | None:
        """As the plan's session promise does; None where it has none."""
        return log_in(self._stage, self._prober, self._visitor, self._instance(on))

    def now_ns(self) -> int:
        return self._stage.clock.now_ns()

    def wait(self, seconds: float) -> None:
        wait_s(self._stage.clock, seconds)

    def _instance(self, name: str) -> Instance:
        return next(instance for instance in self._stage.instances.values() if instance.name == name)


def at_once(stage: Stage, prober: Prober, visitor: Visitor, promise: str, value: str, reader: Instance) -> list[Done]:
    """Many reads on fresh connections that compete."""
    return compete(stage, prober, visitor, promise, "see", [value] * SAME_READS, reader)


def compete(
    stage: Stage, prober: Prober, visitor: Visitor, promise: str, action: str, values: Sequence[str], where: Instance
) -> list[Done]:
    """Each on a connection and with a copy of the jar of its own; in a simulation, which has no threads, in turn."""

    def ask(value: str, client: Client) -> Done:
        return prober.call(visitor, promise, action, value, where, client=client, fresh=True)

    clients = [visitor.client.copy() for _ in values]
    if isinstance(stage.fleet, Simulates):
        return [ask(value, client) for value, client in zip(values, clients, strict=True)]
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        return list(pool.map(ask, values, clients))


def log_in(stage: Stage, prober: Prober, visitor: Visitor, where: Instance) -> Done | None:
    """Log the visitor in there, as the plan's session promise does; None when there is none."""
    login = stage.plan.login
    return try_do(stage, prober, visitor, login, prober.new_value(visitor), where) if login else None


def try_do(stage: Stage, prober: Prober, visitor: Visitor, promise: str, value: str, where: Instance) -> Done:
    """Do it until it is acknowledged, a few times at most."""
    for _ in range(DO_TRIES):
        done = do(stage, prober, visitor, promise, value, where)
        if done.op.outcome == Outcome.OK and done.reached:
            break
        wait_s(stage.clock, PAUSE_S)
    return done


def do(stage: Stage, prober: Prober, visitor: Visitor, promise: str, value: str, where: Instance) -> Done:
    """Do it there, and look into what it took where the kind wants to."""
    done = prober.call(visitor, promise, "do", value, where)
    kind = prober.kind(promise)
    if isinstance(kind, Inspects) and done.reached and done.op.outcome == Outcome.OK:
        inspected = kind.inspect(done.taken, visitor.account)
        # One that is as it should be is told once, of the controls; the matrix makes many.
        if inspected is not None and (inspected.problems or visitor.lane is Lane.CONTROL):
            step = stage.plan.promises[promise].do[-1]
            stage.emit(
                events.Inspected,
                promise=promise,
                instance=where.name,
                request=f"{step.method.upper()} {step.path}",
                size=inspected.size,
                problems=dict(inspected.problems),
            )
    return done
