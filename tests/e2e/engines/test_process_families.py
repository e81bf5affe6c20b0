"""Kills and sweeps on the process engine reach whoever belongs to an instance, wherever it went."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from samples.fleets import Bench, ask, bench, need, plan_of

from chaoscheck.engines.base import Instance
from chaoscheck.engines.process import ProcessEngine
from chaoscheck.engines.process.members import process
from chaoscheck.errors import EnvironmentTrouble, PlanError


@pytest.fixture(autouse=True)
def _process() -> None:
    need("process")


def test_kill_reaches_children_that_left_the_group_or_the_session(tmp_path: Path) -> None:
    """A confirmed kill leaves no process of the instance: neither one in a group of its own nor a daemon."""
    with bench("process", plan_of(), tmp_path) as tiny:
        victim, other = tiny.start(1), tiny.start(2)
        family, others = _family(victim), _family(other)
        receipt = tiny.killable.kill(victim)
        assert receipt.confirmed, receipt.detail
        assert not any(process(pid) for pid in family)
        assert all(process(pid) for pid in others)


def test_kill_of_the_leader_alone_is_unconfirmed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An instance is dead when all of it is dead: half a kill is none."""
    with bench("process", plan_of(), tmp_path) as tiny:
        victim = tiny.start(1)
        _family(victim)
        with monkeypatch.context() as patch:
            patch.setattr(tiny.fleet, "_signal", lambda child, others: child.signal_group())
            patch.setattr(tiny.fleet, "kill_limit_s", 0.4)
            receipt = tiny.killable.kill(victim)
        assert not receipt.confirmed
        assert "still running" in receipt.detail
        assert receipt.death_ns == -1


def test_signal_9_from_elsewhere_a_moment_before_is_no_kill_of_ours(tmp_path: Path) -> None:
    """However close the two are: who was dead already died of something else."""
    with bench("process", plan_of(), tmp_path) as tiny:
        for life in range(1, 6):
            victim = tiny.start(1, life)
            os.killpg(int(victim.handle), signal.SIGKILL)
            while process(int(victim.handle)):
                pass
            receipt = tiny.killable.kill(victim)
            assert not receipt.confirmed
            assert "before the signal" in receipt.detail


def test_sweep_of_a_run_ends_daemons_whose_leader_is_gone(tmp_path: Path) -> None:
    """What an instance left behind is found by its mark, though neither group nor session lead to it."""
    with bench("process", plan_of(), tmp_path) as tiny:
        victim = tiny.start(1)
        family = _family(victim)
        with pytest.raises(OSError):
            ask(victim.address, "/exit")
        _until_ended(tiny, victim)
        assert all(process(pid) for pid in family)
        lines = ProcessEngine().sweep(run=tiny.site.run)
        assert len(lines) == 2
        assert all(tiny.site.run in line for line in lines)
        assert not any(process(pid) for pid in family)


def test_two_runs_at_once_do_not_see_each_other(tmp_path: Path) -> None:
    """Instances of one name in two runs are two; closing one run, or killing in it, leaves the other's."""
    with bench("process", plan_of(), tmp_path / "a") as one, bench("process", plan_of(), tmp_path / "b") as two:
        mine, theirs = one.start(1), two.start(1)
        assert mine.name == theirs.name
        assert one.killable.kill(mine).confirmed
        one.fleet.close()
        assert two.fleet.state(theirs).running
        assert ask(theirs.address, "/get/shared") == ""


def test_start_after_close_is_refused(tmp_path: Path) -> None:
    """A late start can't leave something behind that nobody removes."""
    with bench("process", plan_of(), tmp_path) as tiny:
        tiny.fleet.close()
        with pytest.raises(EnvironmentTrouble):
            tiny.start(1)


@pytest.mark.parametrize(
    ("change", "stores", "says"),
    [
        ({"command": None}, {}, "runs a command, and target has none"),
        ({"command": ["no-such-command-here"]}, {}, "there is no command no-such-command-here"),
        ({}, {"redis": {"image": "redis:7"}}, "has no stores, and the plan names redis"),
        ({"build": "nowhere"}, {}, "there is no folder"),
    ],
)
def test_prepare_of_what_processes_cannot_do_is_a_plan_error(
    tmp_path: Path,
    change: dict[str, object],
    stores: dict[str, object],
    says: str,
) -> None:
    """A plan for containers is refused in a sentence with a hint, before anything is started."""
    with pytest.raises(PlanError) as raised, bench("process", plan_of(stores, **change), tmp_path):
        pass
    assert says in raised.value.message


def _until_ended(tiny: Bench, instance: Instance) -> None:
    until = time.monotonic() + 5
    while tiny.fleet.state(instance).running:
        assert time.monotonic() < until, "the leader did not end within 5 s"
        time.sleep(0.005)


def _family(instance: Instance) -> list[int]:
    """Two children of it, once one leads a group of its own and the other a session."""
    pids = [int(pid) for pid in ask(instance.address, "/family").split()]
    until = time.monotonic() + 5
    while True:
        found = [process(pid) for pid in pids]
        if [one.group for one in found if one] == pids and found[1] and found[1].session == pids[1]:
            return pids
        assert time.monotonic() < until, f"the children did not leave within 5 s: {found}"
        time.sleep(0.005)
