"""A worker process: locust's users are the seats of a crew, gevent is its scheduler, stdin and stdout its line."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

# Locust patches the standard library as it is imported, so that whatever waits below lets others run.
import gevent
import locust
from gevent.fileobject import FileObject
from gevent.queue import Queue
from locust.env import Environment

from chaoscheck import plugins
from chaoscheck.model.clock import MonotonicClock
from chaoscheck.model.ops import Op, Outcome
from chaoscheck.plan.plan import Plan
from chaoscheck.steps.proof import prove
from chaoscheck.steps.transports.gevent_ import GeventTransport
from chaoscheck.steps.transports.tls import Tls
from chaoscheck.traffic.base import Assignment, Hello, Message, Stop, read_message
from chaoscheck.traffic.crew import Crew
from chaoscheck.traffic.spool import Spool

CRASHED = 70
DRAIN_S = 3.0
MS = 1_000_000
_FINE = frozenset({Outcome.OK.value, Outcome.GONE.value, Outcome.PENDING.value})


class Seat(locust.User):  # type: ignore[misc]
    """A locust user: a chair on which one session after another sits down."""

    crew: Crew

    @locust.task  # type: ignore[untyped-decorator]
    def sit(self) -> None:
        guarded(self.crew.seat)
        raise locust.exception.StopUser


class Line:
    """The way to the controller: messages wait in a queue, so that nobody who sends has to."""

    def __init__(self, fd: int) -> None:
        self._file = FileObject(fd, "wb", 0)
        self._queue: Queue[bytes | None] = Queue()
        self._writer = gevent.spawn(self._write)

    def send(self, message: Message) -> None:
        self._queue.put(message.line().encode())

    def drain(self) -> None:
        """Everything was written when this returns, or nobody reads it."""
        self._queue.put(None)
        self._writer.join(DRAIN_S)

    def _write(self) -> None:
        for data in iter(self._queue.get, None):
            try:
                self._file.write(data)
            except OSError:
                return


def guarded(task: Callable[[], object]) -> None:
    """Run it; a defect of ours ends the process at once, because a load that lost a part of itself proves nothing."""
    try:
        task()
    except Exception:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(CRASHED)


class LocustStats:
    """Tells locust of every attempt, so that its own statistics and listeners see the load."""

    def __init__(self, environment: Environment) -> None:
        self._fire = environment.events.request.fire
        self._names: dict[tuple[str, str], str] = {}

    def watch(self, op: Op) -> None:
        key = (op.promise, op.action)
        name = self._names.get(key) or self._names.setdefault(key, " ".join(key))
        self._fire(
            request_type=op.lane,
            name=name,
            response_time=(op.done_ns - op.sent_ns) / MS,
            response_length=0,
            exception=None if op.outcome in _FINE else op.error,
            context=_NOTHING,
        )


_NOTHING: Mapping[str, str] = {}


def make_crew(assignment: Assignment, send: Callable[[Message], None]) -> Crew:
    """The crew of that assignment, run by gevent and seated by locust."""
    clock = MonotonicClock(assignment.clock_base_ns)
    plan = Plan.model_validate_json(assignment.plan)
    environment = Environment(user_classes=[Seat], catch_exceptions=False)
    runner = environment.create_local_runner()

    def open_seats(users: int) -> None:
        runner.start(users, spawn_rate=max(users, 1))

    crew = Crew(
        assignment,
        plan,
        transport=GeventTransport(clock, Tls(plan, Path(assignment.plan_folder))),
        clock=clock,
        book=Spool(Path(assignment.folder) / "history", assignment.run, assignment.worker),
        spawn=lambda task: gevent.spawn(guarded, task),
        send=send,
        open_seats=open_seats,
        watch=LocustStats(environment).watch,
        spent_s=time.process_time,
    )
    Seat.crew = crew
    return crew


def main() -> int:
    """Serve one assignment. The end of stdin is an order to stop: the controller is gone."""
    line = Line(_private_stdout())
    orders = FileObject(0, "rb")
    first = orders.readline()
    if not first:
        return 0
    assignment = read_message(first.decode())
    if not isinstance(assignment, Assignment):
        raise TypeError(f"the first line must be an Assignment, not {type(assignment).__name__}")
    plugins.load(("promises", "checkers"))
    crew = make_crew(assignment, line.send)
    line.send(Hello(worker=assignment.worker, pid=os.getpid(), deliveries=prove(GeventTransport(crew.clock))))
    for order in orders:
        message = read_message(order.decode())
        guarded(partial(crew.handle, message))
        if isinstance(message, Stop):
            break
    crew.stop()
    line.drain()
    return 0


def _private_stdout() -> int:
    """Stdout for messages alone: whatever prints goes to the log."""
    fd = os.dup(1)
    os.dup2(2, 1)
    return fd


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    # Sessions that still wait for their turn have nothing left to say.
    os._exit(code)
