"""What every fleet of real instances keeps: fresh lives, confirmed kills, nothing left behind."""

from __future__ import annotations

import contextlib
import http.client
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from samples.fleets import ENGINE_CLASSES, Bench, ask, bench, need, plan_of

from chaoscheck.engines.refusal import refuses
from chaoscheck.errors import InstanceCrashed, NotReady, SetupFailed
from chaoscheck.model.places import Address, Incarnation

Open = Callable[..., AbstractContextManager[Bench]]

ENGINES = [pytest.param("docker", marks=pytest.mark.docker), "process"]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    need(name)
    return name


@pytest.fixture
def open_(engine: str, tmp_path: Path) -> Open:
    def open_one(**target: Any) -> AbstractContextManager[Bench]:
        return bench(engine, plan_of(**target), tmp_path)

    return open_one


@pytest.fixture
def tiny(open_: Open) -> Iterator[Bench]:
    with open_() as opened:
        yield opened


def test_start_of_two_from_threads_makes_two_ready_instances_of_their_own(tiny: Bench) -> None:
    """Starts may overlap; each instance answers on an address of its own, lives, and keeps a log."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        pair = list(pool.map(tiny.fleet.start, [Incarnation(slot=slot, life=1) for slot in (1, 2)]))
    ready = tiny.await_ready(*pair)
    assert set(ready) == {"web-1.1", "web-2.1"}
    assert pair[0].address != pair[1].address
    assert all(tiny.fleet.state(one).running for one in pair)
    assert all(f"{one.name} begins" in tiny.logs(one) for one in pair)
    assert tiny.fleet.dead_stores() == {}


def test_kill_of_a_living_instance_is_confirmed_with_times_in_order(tiny: Bench) -> None:
    """The receipt shows signal 9, a death at or after the signal, and a port that refused; nobody else was touched."""
    victim, other = tiny.start(1), tiny.start(2)
    receipt = tiny.killable.kill(victim)
    assert receipt.confirmed, receipt.detail
    assert receipt.exit_code == 137
    assert receipt.signal_ns <= receipt.returned_ns <= tiny.site.clock.now_ns()
    assert receipt.signal_ns <= receipt.death_ns + receipt.error_ns
    assert receipt.death_ns < receipt.signal_ns + 5_000_000_000
    assert receipt.signal_ns < receipt.refused_ns
    state = tiny.fleet.state(victim)
    assert (state.running, state.exit_code, state.out_of_memory) == (False, 137, False)
    assert abs(state.ended_ns - receipt.death_ns) <= state.error_ns + receipt.error_ns
    assert refuses(victim.address)
    assert tiny.fleet.state(other).running
    assert ask(other.address, "/healthz") == "ok"


def test_replacement_has_a_fresh_disk_and_keeps_volumes(tiny: Bench) -> None:
    """A new life knows nothing of its slot's last one but what volumes hold; another slot sees the shared one only."""
    first, other = tiny.start(1), tiny.start(2)
    for kind in ("disk", "own", "shared"):
        assert ask(first.address, f"/put/{kind}/before") == "written"
    assert tiny.killable.kill(first).confirmed
    second = tiny.start(1, 2)
    tiny.fleet.remove(first)
    assert [ask(second.address, f"/get/{kind}") for kind in ("disk", "own", "shared")] == ["", "before\n", "before\n"]
    assert [ask(other.address, f"/get/{kind}") for kind in ("disk", "own", "shared")] == ["", "", "before\n"]


def test_lives_of_a_slot_never_share_an_address(tiny: Bench) -> None:
    """An address that named a dead instance never names a living one."""
    lives = []
    for life in range(1, 5):
        instance = tiny.start(1, life, ready=False)
        lives.append(instance)
        tiny.fleet.remove(instance)
    assert len({one.address for one in lives}) == len({one.inner for one in lives}) == 4


def test_kill_that_does_not_land_is_unconfirmed(tiny: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal that went nowhere is never called a kill."""
    victim = tiny.start(1)
    with monkeypatch.context() as patch:
        patch.setattr(tiny.fleet, "_signal", lambda *_: "")
        patch.setattr(tiny.fleet, "kill_limit_s", 0.4)
        receipt = tiny.killable.kill(victim)
    assert not receipt.confirmed
    assert "still running" in receipt.detail
    assert (receipt.death_ns, receipt.refused_ns) == (-1, -1)
    assert tiny.fleet.state(victim).running


def test_kill_of_an_instance_that_had_left_by_itself_is_unconfirmed(tiny: Bench) -> None:
    """A death that was not the kill's doing is not counted as one, and says how the instance ended."""
    victim = tiny.start(1)
    with contextlib.suppress(OSError, http.client.HTTPException):
        ask(victim.address, "/exit")
    _until(lambda: not tiny.fleet.state(victim).running)
    receipt = tiny.killable.kill(victim)
    assert not receipt.confirmed
    assert receipt.exit_code == 0
    assert receipt.detail


def test_kill_twice_confirms_once(tiny: Bench) -> None:
    """One death is one kill."""
    victim = tiny.start(1)
    assert tiny.killable.kill(victim).confirmed
    again = tiny.killable.kill(victim)
    assert not again.confirmed
    assert again.detail


def test_remove_twice_does_nothing_and_stops_the_living(tiny: Bench) -> None:
    """Removing is for the dead and the living alike, and a second time is no error."""
    instance = tiny.start(1)
    tiny.fleet.remove(instance)
    tiny.fleet.remove(instance)
    assert not tiny.fleet.state(instance).running
    assert refuses(instance.address)


def test_close_leaves_nothing_even_twice(engine: str, tiny: Bench) -> None:
    """After close the engine has nothing of this run, so that a sweep of just this run finds nothing."""
    instances = [tiny.start(slot) for slot in (1, 2)]
    assert tiny.killable.kill(instances[0]).confirmed
    tiny.fleet.close()
    tiny.fleet.close()
    assert ENGINE_CLASSES[engine]().sweep(run=tiny.site.run) == []
    assert all(refuses(one.address) for one in instances)


def test_setup_runs_before_the_first_instance_and_once(open_: Open) -> None:
    """What setup writes to a shared volume is there for all, written once."""
    with open_(setup=("echo made >> /shared/kept", 'test -n "$OWN_DIR"')) as opened:
        assert ask(opened.start(1).address, "/get/shared") == "made\n"
        assert ask(opened.start(2).address, "/get/shared") == "made\n"


def test_setup_that_fails_ends_the_run_with_its_last_lines(open_: Open) -> None:
    """A failing setup command is named, with its code and what it printed."""
    with pytest.raises(SetupFailed) as raised, open_(setup=("echo no table; exit 4",)):
        pass
    assert "ended in 4" in raised.value.message
    assert "no table" in raised.value.details


def test_ready_of_an_ill_service_says_that_it_answers_500(open_: Open) -> None:
    """A health path that answers 500 is reported as that, with the answer and the log."""
    with (
        open_(env={"TINY": "ill"}, ready={"get": "/healthz", "within": 1}) as opened,
        pytest.raises(NotReady) as raised,
    ):
        opened.start(1)
    assert "web-1.1 was not ready within 1 s" in raised.value.message
    assert "answers 500: the cellar is flooded" in raised.value.message
    assert "web-1.1 begins" in raised.value.details


def test_ready_of_a_service_that_ends_says_so_at_once(open_: Open) -> None:
    """A crash on start doesn't wait for the limit, and shows its exit code and last lines."""
    with open_(env={"TINY": "crash"}) as opened:
        began = time.monotonic()
        with pytest.raises(InstanceCrashed) as raised:
            opened.start(1)
    assert time.monotonic() - began < 10
    assert "exit code 3" in raised.value.message
    assert "no luck today" in raised.value.details


@pytest.mark.parametrize("ready", [{"tcp": 8000}, {"get": "/healthz"}], ids=["tcp", "get"])
def test_ready_of_a_deaf_service_is_never_believed(open_: Open, ready: dict[str, Any]) -> None:
    """A port that the engine publishes is not a service that listens."""
    with open_(env={"TINY": "deaf"}, ready={**ready, "within": 1.5}) as opened, pytest.raises(NotReady):
        opened.start(1)


@pytest.mark.parametrize("ready", [{"tcp": 8000}, {"command": ["test", "-d", "/shared"]}], ids=["tcp", "command"])
def test_ready_by_port_or_command_holds_for_a_live_service(open_: Open, ready: dict[str, Any]) -> None:
    """The other two ready checks work from within the instance."""
    with open_(ready={**ready, "within": 10}) as opened:
        opened.start(1)


def test_execute_reports_code_and_output(tiny: Bench) -> None:
    """A command runs beside the service, in its environment."""
    instance = tiny.start(1)
    code, printed = tiny.inside.execute(instance, ["sh", "-c", "echo $CHAOSCHECK_INSTANCE; exit 7"])
    assert (code, printed.strip()) == (7, "web-1.1")


def test_execute_of_what_never_ends_comes_back_at_its_limit(
    engine: str,
    tiny: Bench,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A ready command that hangs can't hang the run."""
    limits = {
        "docker": "chaoscheck.engines.docker.containers.EXEC_S",
        "process": "chaoscheck.engines.process.fleet.LIMIT_S",
    }
    instance = tiny.start(1)
    with monkeypatch.context() as patch:
        patch.setattr(limits[engine], 0.5)
        code, printed = tiny.inside.execute(instance, ["sleep", "30"])
    assert code != 0
    assert "0.5" in printed


def test_sweep_spares_a_living_run_and_ends_that_of_a_killed_owner(engine: str, tiny: Bench, tmp_path: Path) -> None:
    """Only what provably has no owner any more is removed."""
    alive = tiny.start(1)
    orphan, address = _orphan(engine, tmp_path)
    assert not refuses(address), "the orphan has to outlive its owner, or nothing is shown"
    swept = ENGINE_CLASSES[engine]().sweep()
    assert any(orphan in line for line in swept)
    assert not any(tiny.site.run in line for line in swept)
    _until(lambda: refuses(address))
    assert ENGINE_CLASSES[engine]().sweep(run=orphan) == []
    assert tiny.fleet.state(alive).running
    assert ask(alive.address, "/healthz") == "ok"


_OWNER = """
import sys, time
from pathlib import Path
from samples.fleets import Bench, new_site, plan_of
from chaoscheck.engines.base import ENGINES
site = new_site(plan_of(), Path(sys.argv[2]))
fleet = ENGINES.get(sys.argv[1])().open(site)
fleet.prepare()
print(site.run, Bench(fleet, site).start(1).address.port, flush=True)
time.sleep(600)
"""


def _orphan(engine: str, folder: Path) -> tuple[str, Address]:
    """A run whose owner was killed with -9: its name, and where its instance answers."""
    tests = Path(__file__).parents[1]
    owner = subprocess.Popen(
        [sys.executable, "-c", _OWNER, engine, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=tests.parent,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{tests}:{tests.parent}"},
    )
    try:
        assert owner.stdout is not None
        run, port = owner.stdout.readline().split()
    finally:
        owner.send_signal(signal.SIGKILL)
        owner.wait(10)
    return run, Address("127.0.0.1", int(port))


def _until(holds: Callable[[], bool], limit_s: float = 10.0) -> None:
    until = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < until, f"it did not come true within {limit_s} s"
        time.sleep(0.02)
