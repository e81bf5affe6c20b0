"""What a service prints of its secrets stands in no file of the run's folder, however the run ends."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from samples.desk import SERVICE, Desk, Ended

TOKEN = "tk-5f0c2b9e71"
ENVIRONMENT = {"SHOP_API_TOKEN": TOKEN}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(folder=tmp_path, runtime=tmp_path / "runtime")
    yield made
    made.close()


def plan(desk: Desk, **changes: Any) -> Path:
    """Instances that print their token, between bytes that are no text, before they do anything else."""
    talks = f"printf 'began with %s\\377\\n' \"$API_TOKEN\"; exec python {SERVICE / 'serve.py'}"
    env = {"API_TOKEN": "${SHOP_API_TOKEN}", "NOTES": "/notes", **changes.pop("env", {})}
    return desk.plan(target__command=["sh", "-c", talks], target__env=env, **changes)


def assert_kept(desk: Desk, ended: Ended, log: str = "web-1.1.log") -> None:
    """It was printed, as its trace shows; and it is nowhere, neither in a file nor in what was said."""
    assert desk.left() == []
    assert b"began with " + b"*" * len(TOKEN) + b"\xff\n" in (ended.run / "logs" / log).read_bytes()
    files = [path for path in ended.run.rglob("*") if path.is_file()]
    assert [path for path in files if TOKEN.encode() in path.read_bytes()] == []
    assert TOKEN not in ended.out + ended.err


def test_secret_that_a_service_printed_is_in_no_file_after_a_run(desk: Desk) -> None:
    """The lives that came after kills included, whose last words the report quotes."""
    ended = desk.run("run", plan(desk, chaos__shams=0), env=ENVIRONMENT)
    assert ended.code == 0, ended.said
    assert_kept(desk, ended, "web-1.2.log")
    assert_kept(desk, ended)
    assert "began with ***" in (ended.run / "events.ndjson").read_text()


def test_secret_of_a_service_that_never_starts_is_in_no_file_and_not_said(desk: Desk) -> None:
    """Its last words are what a user needs; the secret in them isn't."""
    ended = desk.run("run", plan(desk, env={"MODE": "crash"}), env=ENVIRONMENT)
    assert ended.code == 4, ended.said
    assert "began with ***" in ended.said
    assert "no luck today" in ended.said
    assert_kept(desk, ended)


def test_secret_is_in_no_file_after_an_interrupt_and_a_second_one(desk: Desk) -> None:
    """Nobody waits for the judging, and the folder is uploaded as it is."""
    running = desk.start("run", plan(desk), env=ENVIRONMENT)
    desk.until(running, "baseline")
    running.send_signal(signal.SIGINT)
    desk.until(running, "clean up")
    running.send_signal(signal.SIGINT)
    ended = desk.end(running)
    assert ended.code == 130, ended.said
    assert_kept(desk, ended)


def test_secret_that_a_setup_command_names_is_in_no_file_and_not_said(desk: Desk) -> None:
    """The command is told with the reason why the run ended."""
    setup = ["echo signing up with ${SHOP_API_TOKEN}; exit 9"]
    ended = desk.run("run", plan(desk, target__setup=setup), env=ENVIRONMENT)
    assert ended.code == 4, ended.said
    assert "signing up with ***" in ended.said
    assert TOKEN not in ended.out + ended.err
    files = [path for path in ended.run.rglob("*") if path.is_file()]
    assert [path for path in files if TOKEN.encode() in path.read_bytes()] == []
