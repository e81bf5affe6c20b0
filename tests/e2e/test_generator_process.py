"""The load generator as the bottleneck, for real: a run that chaoscheck itself was too slow for proves nothing."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from samples.desk import Desk

from chaoscheck.model.verdict import Verdict

INVALID = 4
STARVED_S = 2.0


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(folder=tmp_path, runtime=tmp_path / "runtime")
    yield made
    made.close()


def test_worker_that_gets_no_processor_for_two_seconds_makes_the_run_invalid_and_is_named(desk: Desk) -> None:
    """Everything else went well, so nothing but the starved generator can be what the verdict is about."""
    calm = {"rounds": 1, "shams": 1, "baseline": "2s", "settle": "0.1s", "at_most": "12s"}
    run = desk.start("run", desk.plan(chaos=calm, traffic={"users": 6, "rate": 40}))
    desk.until(run, "baseline")
    (worker,) = desk.workers()
    os.kill(worker, signal.SIGSTOP)
    time.sleep(STARVED_S)
    os.kill(worker, signal.SIGCONT)
    ended = desk.end(run)
    assert (ended.code, desk.left()) == (INVALID, [])
    assert "chaoscheck's own load generator was the bottleneck" in ended.said
    result = ended.result()
    bad = [gate.name for gate in result.gates if gate.verdict is Verdict.INVALID]
    assert bad == ["the generator keeps up"]
    page = (ended.run / "report.html").read_text()
    assert "own load generator was the bottleneck" in page
    assert (desk.reports / "index.html").exists()
