"""The controller's user as a kind of promise asks for him: on the instance that it names."""

from __future__ import annotations

from chaoscheck.engines.base import Instance
from chaoscheck.model.clock import wait_s
from chaoscheck.model.ops import Outcome
from chaoscheck.phases.probe import Prober, Visitor
from chaoscheck.phases.stage import Stage
from chaoscheck.steps.calls import Done

DO_TRIES = 5
PAUSE_S = 0.02


class ProbeBench:
    """A `Bench` for one promise and one visitor."""

    def __init__(self, stage: Stage, prober: Prober, visitor: Visitor, promise: str) -> None:
        self._stage = stage
        self._prober = prober
        self._visitor = visitor
        self._promise = promise
        self.session = visitor.session

    def new_value(self) -> str:
        return self._prober.new_value(self._visitor)

    def do(self, value: str, on: str) -> Done:
        return self._prober.call(self._visitor, self._promise, "do", value, self._instance(on))

    def see(self, value: str, on: str, *, fresh: bool = False) -> Done:
        client = self._visitor.client.copy()
        return self._prober.call(
            self._visitor, self._promise, "see", value, self._instance(on), client=client, fresh=fresh
        )

    def undo(self, value: str, on: str) -> Done:
        return self._prober.call(self._visitor, self._promise, "undo", value, self._instance(on))

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


def log_in(stage: Stage, prober: Prober, visitor: Visitor, where: Instance) -> Done | None:
    """Log the visitor in there, as the plan's session promise does; None when there is none."""
    login = stage.plan.login
    return try_do(stage, prober, visitor, login, prober.new_value(visitor), where) if login else None


def try_do(stage: Stage, prober: Prober, visitor: Visitor, promise: str, value: str, where: Instance) -> Done:
    """Do it until it is acknowledged, a few times at most."""
    for _ in range(DO_TRIES):
        done = prober.call(visitor, promise, "do", value, where)
        if done.op.outcome == Outcome.OK and done.reached:
            break
        wait_s(stage.clock, PAUSE_S)
    return done
