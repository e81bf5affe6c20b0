"""Trouble as a user meets it, on local processes: one sentence, the right exit code, nothing left, nothing lost."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from samples.desk import Desk, Ended, await_

from chaoscheck.model.events import Interrupted, StrikeBegan, Troubled
from chaoscheck.model.verdict import Verdict
from chaoscheck.store import RunFolder

INVALID, INTERRUPTED = 4, 130
BRIEF = {"get": "/healthz", "within": "0.5s"}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(folder=tmp_path, runtime=tmp_path / "runtime")
    yield made
    made.close()


def assert_stopped(desk: Desk, ended: Ended, *said: str) -> None:
    """INVALID, with that in the summary and in the event, everything reported and nothing left."""
    assert (ended.code, desk.left()) == (INVALID, []), ended.said
    for text in said:
        assert text in ended.said
    assert ended.result().verdict is Verdict.INVALID
    trouble = [event for event in RunFolder(ended.run).events() if isinstance(event, Troubled)]
    assert len(trouble) == 1
    assert trouble[0].hint, "trouble says what to do about it"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param(
            {"target__env__MODE": "crash"},
            ["ended by itself before it was ready (exit code 1)", "| no luck today"],
            id="crashes",
        ),
        pytest.param(
            {"target__env__MODE": "deaf", "target__ready": BRIEF},
            ["not ready within 0.5 s; last seen: GET /healthz: connection refused", "| web-1.1 begins"],
            id="never-ready",
        ),
        pytest.param(
            {"target__env__MODE": "ill", "target__ready": BRIEF},
            ["GET /healthz answers 500: the cellar is flooded"],
            id="health-500",
        ),
        pytest.param(
            {"target__setup": ["echo halfway there; exit 9"]},
            ["setup command `echo halfway there; exit 9` ended in 9", "| halfway there"],
            id="setup-fails",
        ),
    ],
)
def test_service_that_does_not_start_is_invalid_with_its_own_last_words(
    desk: Desk, changes: dict[str, Any], said: list[str]
) -> None:
    """What the service or its setup printed last is what a user needs to read."""
    assert_stopped(desk, desk.run("run", desk.plan(**changes)), *said)


def test_service_that_wants_a_taken_port_is_invalid_and_the_port_is_named_by_it(desk: Desk) -> None:
    """A service that ignores $PORT meets whoever is there; its own error is shown."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        env = {"MODE": "stubborn", "TAKEN": taken.getsockname()[1], "NOTES": "/notes"}
        assert_stopped(desk, desk.run("run", desk.plan(target__env=env)), "Address already in use")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param(
            {"target__env__MODE": "open", "promises__login__see": {"get": "/me", "expect": 200}},
            ["login", "this check cannot fail", "200 ann"],
            id="always-holds",
        ),
        pytest.param(
            {"target__env__MODE": "forgetful"}, ["notes", "it never held", "404 no such note"], id="never-holds"
        ),
    ],
)
def test_check_that_proves_nothing_is_invalid_with_the_answer(
    desk: Desk, changes: dict[str, Any], said: list[str]
) -> None:
    """Controls name the promise and show what was answered; no load, no kill comes after them."""
    ended = desk.run("run", desk.plan(**changes))
    assert (ended.code, desk.left()) == (INVALID, []), ended.said
    assert ended.result().kills == ()
    for text in said:
        assert text in ended.said


def test_baseline_over_budget_is_invalid(desk: Desk) -> None:
    """A service that fails without any kill can't be judged on what kills cost."""
    budget = {"slo": "99.9% over 30d", "deaths": "200/month", "spend": "10%"}
    ended = desk.run("run", desk.plan(target__env__MODE="sick", budget=budget, chaos__at_most="0.1s"))
    assert (ended.code, desk.left()) == (INVALID, []), ended.said
    gate = next(gate for gate in ended.result().gates if gate.name == "baseline within the SLO")
    assert (gate.verdict, gate.n > 0) == (Verdict.INVALID, True)


def test_instance_that_ends_by_itself_is_invalid(desk: Desk) -> None:
    """A death that no strike meant is nobody's evidence."""
    env = {"MODE": "mortal", "MORTAL_S": "3", "NOTES": "/notes"}
    ended = desk.run("run", desk.plan(target__env=env, chaos__baseline="20s"))
    assert_stopped(desk, ended, "ended by itself with exit code 7, and no strike meant it", "begins")


def test_worker_that_dies_is_invalid(desk: Desk) -> None:
    """Half a load is no load; the other worker ends too."""
    running = desk.start("run", desk.plan(traffic__workers=2))
    desk.until(running, "baseline")
    await_(lambda: len(desk.workers()) == 2, "two workers")
    os.kill(desk.workers()[0], signal.SIGKILL)
    assert_stopped(desk, desk.end(running), "ended by itself: ended by signal 9")


def test_interrupt_in_mid_run_ends_early_judges_what_there_is_and_cleans(desk: Desk) -> None:
    """Ctrl-C after a kill: 130, every report, nothing left, and the kill that was made is in the result."""
    running = desk.start("run", desk.plan())
    desk.until(running, "strike 0")
    running.send_signal(signal.SIGINT)
    ended = desk.end(running)
    assert (ended.code, desk.left()) == (INTERRUPTED, []), ended.said
    assert ended.result().interrupted
    assert [kill.confirmed for kill in ended.result().kills] == [True]
    assert "ended early" in ended.said


def test_termination_while_starting_ends_as_an_interrupt(desk: Desk) -> None:
    """What a CI system sends to a cancelled job is heeded like Ctrl-C, at any time."""
    running = desk.start("run", desk.plan(target__env__MODE="deaf"))
    desk.until(running, "prepare")
    await_(lambda: len(desk.left()) > 1, "an instance")
    running.send_signal(signal.SIGTERM)
    ended = desk.end(running)
    assert (ended.code, desk.left(), ended.result().interrupted) == (INTERRUPTED, [], True), ended.said


def test_second_interrupt_skips_the_judging_but_not_the_cleaning(desk: Desk) -> None:
    """Ctrl-C twice: nothing is left, and what was recorded can be judged later."""
    running = desk.start("run", desk.plan())
    desk.until(running, "baseline")
    running.send_signal(signal.SIGINT)
    desk.until(running, "clean up")
    running.send_signal(signal.SIGINT)
    ended = desk.end(running)
    assert (ended.code, desk.left()) == (INTERRUPTED, []), ended.said
    assert f"chaoscheck check {ended.run.relative_to(desk.folder)}" in ended.said
    assert desk.run("check", ended.run).code == INTERRUPTED
    assert ended.result().interrupted


def test_run_that_was_killed_is_reported_and_swept(desk: Desk) -> None:
    """After -9 the workers end by themselves, `report` renders what there is, and `clean` ends the instances."""
    running = desk.start("run", desk.plan())
    desk.until(running, "strike 0")
    running.kill()
    killed = desk.end(running)
    await_(lambda: not desk.workers(), "the end of the workers", limit_s=20)
    # The strike's victim may be dead by then, and nobody has replaced it.
    left = len(desk.left())
    assert left in (1, 2)
    assert not (killed.run / "result.json").exists()
    report = desk.run("report", killed.run)
    assert (report.code, report.out.strip()) == (0, str(killed.run.relative_to(desk.folder) / "report.html"))
    assert killed.result().verdict is Verdict.INCONCLUSIVE
    assert any(isinstance(event, StrikeBegan) for event in RunFolder(killed.run).events())
    swept = desk.run("clean")
    assert (swept.code, desk.left()) == (0, [])
    assert swept.out.count(killed.run.name) == left


def test_next_run_sweeps_what_a_killed_one_left(desk: Desk) -> None:
    """Nobody has to know of `clean`."""
    running = desk.start("run", desk.plan(target__env__MODE="deaf"))
    await_(lambda: len(desk.left()) >= 3, "the instances")
    running.kill()
    killed = desk.end(running)
    assert desk.left()
    ended = desk.run("run", desk.plan(target__env__MODE="crash"))
    assert f"(run {killed.run.name})" in ended.err
    assert desk.left() == []


def test_two_runs_at_once_pass_and_are_judged_again_to_the_same_bytes(desk: Desk, tmp_path: Path) -> None:
    """They don't see each other; and a saved run needs nothing but its folder."""
    (tmp_path / "other").mkdir()
    other = Desk(folder=tmp_path / "other", runtime=desk.runtime)
    running = [(one, one.start("run", one.plan(chaos__shams=0), "--json")) for one in (desk, other)]
    for one, process in running:
        ended = one.end(process)
        assert (ended.code, one.left()) == (0, []), ended.said
        assert ended.out.encode() == (ended.run / "result.json").read_bytes()
        assert not any(isinstance(event, Interrupted | Troubled) for event in RunFolder(ended.run).events())
        again = one.run("check", "reports/latest")
        assert (again.code, "the same result, byte for byte" in again.err) == (0, True), again.said
        assert ended.out.encode() == (ended.run / "result.json").read_bytes()


def test_plan_that_works_is_tried_without_load_and_kill(desk: Desk) -> None:
    """`try` shows each exchange and ends in 0 when everything held; with --keep, instances stay until swept."""
    ended = desk.run("try", desk.plan(), "--keep")
    assert ended.code == 0, ended.said
    assert "notes.see on web-1.1: GET /notes/" in ended.said
    assert "The plan works" in ended.said
    assert len(desk.left()) == 2
    assert desk.run("clean").code == 0
    assert desk.left() == []


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        pytest.param("storeless", "must hold, but its do was never ok (5 tries)", id="answers-503"),
        pytest.param("frail", "web-1.1 ended by itself with exit code 7", id="dies"),
    ],
)
def test_service_in_trouble_is_tried_and_says_why_in_its_own_words(desk: Desk, mode: str, said: str) -> None:
    """A 503 without a text tells nothing: the instance's last lines do, with the hint that they give, and are kept."""
    ended = desk.run("try", desk.plan(target__env__MODE=mode))
    assert (ended.code, desk.left()) == (INVALID, []), ended.said
    assert "| no place for notes: could not translate host name db, token=***" in ended.said
    assert "hint: its log: a name in its settings isn't there (db)" in ended.said
    assert "--keep" not in ended.said and "s3cr3t" not in ended.said
    assert said in ended.said
    assert "no place for notes" in (ended.run / "logs" / "web-1.1.log").read_text()


def test_reader_that_goes_away_does_not_change_the_verdict(desk: Desk) -> None:
    """`chaoscheck run | head` must not turn an INVALID into Python's own exit code 1, which says FAIL."""
    plan = desk.plan(target__env__MODE="crash")
    line = '"$0" -m chaoscheck run "$1" 2>&1 | head -c 1 >/dev/null; echo "${PIPESTATUS[0]}"'
    done = subprocess.run(
        ["bash", "-c", line, sys.executable, str(plan)],
        cwd=desk.folder,
        env=desk.env,
        text=True,
        capture_output=True,
        timeout=60,
    )
    assert (done.stdout.strip(), done.stderr, desk.left()) == (str(INVALID), "", [])


def test_engine_that_does_not_answer_is_named_and_leaves_no_folder(desk: Desk) -> None:
    """A plan of containers needs an engine; one that has a command as well falls back to processes, and says so."""
    nowhere = {"DOCKER_HOST": f"unix://{desk.folder}/nowhere.sock"}
    refused = desk.run("run", desk.plan(engine="auto", target__build=".", target__command=None), env=nowhere)
    assert (refused.code, refused.folder) == (INVALID, None)
    assert "no engine can run this plan (docker: no container engine answers at unix://" in refused.err
    assert "hint: start a container engine" in refused.err
    (desk.folder / "Dockerfile").touch()
    fallen = desk.run("run", desk.plan(engine="auto", target__build=".", target__env__MODE="crash"), env=nowhere)
    assert "engine process, because docker can't be used: no container engine answers" in fallen.err
    assert fallen.result().engine == "process"
    cleaned = desk.run("clean", env=nowhere)
    assert (cleaned.code, "docker: not looked at: no container engine answers" in cleaned.out) == (0, True)


def test_reports_folder_that_can_not_be_made_is_refused_before_anything_starts(desk: Desk) -> None:
    """A file of the user's own stands there."""
    (desk.folder / "reports").write_text("mine")
    ended = desk.run("run", desk.plan())
    assert (ended.code, ended.folder, desk.left()) == (INVALID, None, [])
    assert "error: the run's folder can't be made in reports: " in ended.err


def test_disk_that_is_full_is_named_and_nothing_goes_on_unrecorded(desk: Desk) -> None:
    """What can't be recorded must not be done: the run ends in a sentence, with its processes gone."""
    line = 'ulimit -f 24; exec "$0" -m chaoscheck run "$1"'
    done = subprocess.run(
        ["bash", "-c", line, sys.executable, str(desk.plan())],
        cwd=desk.folder,
        env=desk.env,
        text=True,
        capture_output=True,
        timeout=60,
    )
    await_(lambda: not desk.left(), "the end of every process", limit_s=10)
    assert done.returncode == INVALID
    assert re.search(r"error: the run's folder reports/\S+ can't be written: File too large", done.stderr)
    assert "Traceback" not in done.stderr
