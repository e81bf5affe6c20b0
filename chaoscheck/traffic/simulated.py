"""Traffic in a simulated world: the workers' own code, in virtual time."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path

from chaoscheck.engines.base import Simulates
from chaoscheck.plan.plan import Plan
from chaoscheck.traffic.base import Assignment, Hello, Message, Traffic
from chaoscheck.traffic.crew import Crew
from chaoscheck.traffic.spool import Spool


class SimulatedTraffic(Traffic):
    """Runs every worker's crew as coroutines of the fleet's world."""

    def __init__(self, fleet: Simulates) -> None:
        self._fleet = fleet
        self._crews: list[Crew] = []
        self._heard: list[Message] = []
        self._lost: dict[str, str] = {}

    def warm(self, workers: list[str]) -> None:
        """Nothing takes time here."""

    def start(self, assignments: list[Assignment]) -> None:
        for assignment in assignments:
            spool = Spool(Path(assignment.folder) / "history", assignment.run, assignment.worker)
            crew = Crew(
                assignment,
                Plan.model_validate_json(assignment.plan),
                transport=self._fleet.transport(),
                clock=self._fleet.world,
                book=spool,
                spawn=self._spawner(assignment.worker),
                send=self._heard.append,
            )
            self._crews.append(crew)
            self._heard.append(Hello(worker=assignment.worker, pid=0, deliveries=1))

    def tell(self, message: Message) -> None:
        for crew in self._crews:
            crew.handle(message)

    def heard(self) -> list[Message]:
        said = list(self._heard)
        self._heard.clear()
        return said

    def lost(self) -> dict[str, str]:
        return dict(self._lost)

    def stop(self) -> None:
        for crew in self._crews:
            crew.stop()

    def _spawner(self, worker: str) -> Callable[[Callable[[], None]], object]:
        """Starts tasks of that worker; one that raises is what a crashed process is in real runs."""

        def spawn(task: Callable[[], None]) -> None:
            def guarded() -> None:
                try:
                    task()
                except Exception:
                    self._lost[worker] = traceback.format_exc(limit=-3)

            self._fleet.world.spawn(guarded)

        return spawn
