"""Host ports: never twice, never taken ones, never another run's."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chaoscheck.engines import ports as module
from chaoscheck.engines.ports import HOST, Ports, is_free
from chaoscheck.engines.runtime import runtime_folder
from chaoscheck.errors import EngineUnavailable, PortTaken


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


@pytest.fixture
def ports() -> Iterator[Ports]:
    made = Ports()
    yield made
    made.close()


def test_taken_from_many_threads_no_port_comes_twice(ports: Ports) -> None:
    """More than one block is used up, and still every port is new."""
    with ThreadPoolExecutor(max_workers=8) as pool:
        taken = list(pool.map(lambda _: ports.take(), range(250)))
    assert len(set(taken)) == 250


def test_two_runs_at_once_have_no_port_in_common(ports: Ports) -> None:
    """Blocks are owned, so neither depends on who binds first."""
    other = Ports()
    mine, theirs = {ports.take() for _ in range(120)}, {other.take() for _ in range(120)}
    other.close()
    assert not mine & theirs


def test_port_that_someone_listens_on_is_passed_over(ports: Ports) -> None:
    """Free means that it can be listened on now."""
    first = ports.take()
    with socket.socket() as taken:
        taken.bind((HOST, first + 1))
        taken.listen()
        assert not is_free(first + 1)
        assert ports.take() not in (first, first + 1)


def test_no_port_left_is_said_with_a_hint(ports: Ports, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full machine ends in a sentence."""
    monkeypatch.setattr(module, "is_free", lambda port, host: False)
    with pytest.raises(PortTaken) as raised:
        ports.take()
    assert raised.value.hint


def test_closed_blocks_are_there_for_the_next_run(ports: Ports, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one block in the world, a second run gets it only after the first let go."""
    monkeypatch.setattr(module, "_BLOCKS", 1)
    first, second = Ports(), Ports()
    first.take()
    with pytest.raises(PortTaken):
        second.take()
    first.close()
    third = Ports()
    assert third.take()
    third.close()


def test_port_that_turned_out_to_be_taken_is_left_with_its_whole_block(ports: Ports) -> None:
    """Another container's run on the same host holds neighbours of it, and can't be seen from here."""
    taken = ports.take()
    ports.avoid(taken)
    assert ports.take() // 100 != taken // 100


def test_port_of_another_machine_s_address_is_not_called_taken() -> None:
    """Whether it is free there can't be seen from here; 203.0.113.0/24 is nobody's."""
    with socket.create_server((HOST, 0)) as busy:
        assert not is_free(busy.getsockname()[1])
        assert is_free(busy.getsockname()[1], "203.0.113.7")


def test_runtime_folder_open_to_others_is_refused(tmp_path: Path) -> None:
    """Whoever could write there could choose what a sweep kills."""
    runtime_folder()
    (tmp_path / "chaoscheck").chmod(0o777)
    with pytest.raises(EngineUnavailable, match="not this user's alone"):
        runtime_folder("runs")
