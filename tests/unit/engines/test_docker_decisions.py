"""What the docker engine concludes from what the engine says: times, receipts, who is abandoned."""

from __future__ import annotations

import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from docker.errors import APIError, NotFound

from chaoscheck.engines.base import State
from chaoscheck.engines.docker.api import gone_is_fine, talking
from chaoscheck.engines.docker.context import left_by, packed
from chaoscheck.engines.docker.engine import _abandoned
from chaoscheck.engines.docker.images import _reason
from chaoscheck.engines.docker.kill import Signalled, receipt, state_of
from chaoscheck.engines.docker.labels import labels_of
from chaoscheck.engines.docker.times import STAMP_LAG_NS, Offset, measure, stamp_ns
from chaoscheck.engines.owner import Owner
from chaoscheck.errors import EngineLost, EnvironmentTrouble, PortTaken
from chaoscheck.model.clock import MonotonicClock
from chaoscheck.model.litter import EVENTS, IGNORE

MS = 1_000_000
SENT = Signalled(signal_ns=100 * MS, returned_ns=220 * MS, objection="")
DEAD = State(running=False, exit_code=137, ended_ns=112 * MS, error_ns=5 * MS)


@pytest.mark.parametrize(
    ("stamp", "ns"),
    [
        ("1970-01-01T00:00:01Z", 1_000_000_000),
        ("1970-01-01T00:00:01.5Z", 1_500_000_000),
        ("1970-01-01T00:00:00.000000001Z", 1),
        ("1970-01-01T01:00:00.25+01:00", 250_000_000),
        ("0001-01-01T00:00:00Z", -1),
        ("", -1),
        ("soon", -1),
    ],
)
def test_stamps_keep_their_nanoseconds(stamp: str, ns: int) -> None:
    """The standard library would round to microseconds, and year 1 means never."""
    assert stamp_ns(stamp) == ns


def test_offset_turns_wall_time_into_the_runs() -> None:
    """Now by either clock is the same moment, to within the error."""
    import time

    clock = MonotonicClock()
    offset = measure(clock)
    assert abs(time.time_ns() + offset.ns - clock.now_ns()) < offset.error_ns + 50 * MS
    assert 0 < offset.error_ns < 50 * MS


def test_kill_by_this_signal_is_confirmed() -> None:
    """All of it shows: ended, by 9, in time, port refusing."""
    got = receipt(SENT, DEAD, seen_ended_ns=225 * MS, refused_ns=140 * MS, limit_s=10)
    assert (got.confirmed, got.death_ns, got.error_ns) == (True, 112 * MS, 5 * MS)


@pytest.mark.parametrize(
    ("sent", "state", "refused_ns", "says"),
    [
        (SENT, State(running=True), -1, "still running"),
        (SENT, replace(DEAD, exit_code=0), 140 * MS, "exit code 0"),
        (SENT, replace(DEAD, exit_code=143), 140 * MS, "exit code 143"),
        (SENT, replace(DEAD, out_of_memory=True), 140 * MS, "out of memory"),
        (SENT, replace(DEAD, ended_ns=90 * MS), 140 * MS, "before the signal"),
        (SENT, DEAD, -1, "did not refuse"),
        (replace(SENT, objection="it was not running"), DEAD, 140 * MS, "it was not running"),
        (replace(SENT, objection="its container is gone"), State(running=False), 140 * MS, "its container is gone"),
    ],
)
def test_kill_that_anything_speaks_against_is_unconfirmed(
    sent: Signalled,
    state: State,
    refused_ns: int,
    says: str,
) -> None:
    """Each doubt alone is enough, and is named."""
    got = receipt(sent, state, seen_ended_ns=225 * MS, refused_ns=refused_ns, limit_s=10)
    assert not got.confirmed
    assert says in got.detail


def test_death_stamped_by_a_clock_that_drifted_is_known_only_to_the_interval() -> None:
    """A stamp later than the look that saw it dead can't be right: the interval is what is known."""
    got = receipt(SENT, replace(DEAD, ended_ns=900 * MS), seen_ended_ns=200 * MS, refused_ns=140 * MS, limit_s=10)
    assert got.death_ns - got.error_ns <= SENT.signal_ns
    assert got.death_ns + got.error_ns >= 200 * MS


def test_death_is_never_before_its_signal() -> None:
    """Within the clocks' error the stamp may be earlier; the death isn't."""
    got = receipt(SENT, replace(DEAD, ended_ns=97 * MS), seen_ended_ns=225 * MS, refused_ns=140 * MS, limit_s=10)
    assert (got.confirmed, got.death_ns) == (True, 100 * MS)


def test_state_of_what_an_inspection_says() -> None:
    """Running has no code; an end has its code and time; gone is not running."""
    offset = Offset(ns=-1_000_000_000, error_ns=7)
    ended: dict[str, Any] = {"Running": False, "ExitCode": 137, "OOMKilled": True, "FinishedAt": "1970-01-01T00:00:03Z"}
    assert state_of({"State": {"Running": True}}, offset) == State(running=True)
    assert state_of(None, offset) == State(running=False)
    assert state_of({"State": ended}, offset) == State(
        running=False, exit_code=137, out_of_memory=True, ended_ns=2_000_000_000, error_ns=7 + STAMP_LAG_NS
    )


class Engine:
    """Lists things with those labels."""

    def __init__(self, *labels: dict[str, str]) -> None:
        self._things = [{"Labels": one} for one in labels]

    def containers(self, **_: object) -> list[dict[str, Any]]:
        return self._things[:1]

    def networks(self, **_: object) -> list[dict[str, Any]]:
        return self._things[1:2]

    def volumes(self, **_: object) -> dict[str, Any]:
        return {"Volumes": self._things[2:] or None}


ME = Owner.me()
DEAD_OWNER = replace(ME, started="1")


def test_abandoned_are_only_runs_all_of_whose_owners_are_gone() -> None:
    """One living owner, or one thing that names none, spares the whole run."""

    def made(run: str, owner: Owner) -> dict[str, str]:
        return labels_of(run, "instance", "web-1.1", owner, {})

    assert _abandoned(Engine(made("a", DEAD_OWNER), made("a", DEAD_OWNER), made("b", ME))) == ["a"]
    assert _abandoned(Engine(made("a", DEAD_OWNER), made("a", ME))) == []
    assert _abandoned(Engine(made("a", DEAD_OWNER), {"chaoscheck.run": "a"})) == []
    assert _abandoned(Engine()) == []


def _api_error(status: int, text: str) -> APIError:
    response = requests.Response()
    response.status_code = status
    return APIError(text, response=response, explanation=text)


@pytest.mark.parametrize(
    ("raised", "becomes"),
    [
        (requests.ConnectionError("gone"), EngineLost),
        (requests.ReadTimeout("slow"), EngineLost),
        (ConnectionResetError("reset"), EngineLost),
        (_api_error(500, "driver failed: Bind for 127.0.0.1:80 failed: port is already allocated"), PortTaken),
        (_api_error(500, "listen tcp 127.0.0.1:80: bind: address already in use"), PortTaken),
        (_api_error(400, "bad mount"), EnvironmentTrouble),
    ],
)
def test_what_the_sdk_raises_becomes_ours_in_one_place(raised: Exception, becomes: type[EnvironmentTrouble]) -> None:
    """No exception of a library reaches the run."""
    with pytest.raises(EnvironmentTrouble) as got, talking("do a thing"):
        raise raised
    assert type(got.value) is becomes
    assert "do a thing" in got.value.message


def test_gone_is_fine_for_what_is_gone_or_going_and_nothing_else() -> None:
    """Removing twice is no error; a refusal is."""
    with gone_is_fine():
        raise NotFound("no such container")
    with gone_is_fine():
        raise _api_error(409, "removal of container x is already in progress")
    with pytest.raises(APIError), gone_is_fine():
        raise _api_error(409, "volume is in use")


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        ('Get "https://r.example/v2/": dial tcp: lookup r.example on 10.0.0.1:53: no such host', "name is not found"),
        ('Get "https://r.example/v2/": dial tcp 10.0.0.9:443: connect: connection refused', "does not answer"),
        ("the registry said nothing for 20 s", "does not answer"),
        ("pull access denied for x, repository does not exist or may require 'docker login'", "wants a login"),
        ("the moon is full", "the moon is full"),
        ("", "no reason"),
    ],
)
def test_why_an_image_can_not_be_pulled_is_said_in_a_few_words(refusal: str, said: str) -> None:
    """The engine's own sentence is a URL of its own API, and a stack of colons."""
    assert said in _reason(refusal)
    assert len(_reason(refusal * 50)) <= 120


def runs_in(folder: Path, *, mark: str = IGNORE) -> Path:
    runs = folder / "reports"
    for name in ("20261122-a", "20261122-b"):
        (runs / name).mkdir(parents=True)
        (runs / name / EVENTS).touch()
    (runs / "index.html").touch()
    (runs / "sales.py").touch()
    if mark:
        (runs / ".gitignore").write_text(mark)
    return runs


def test_build_is_not_sent_what_runs_left_in_its_folder(tmp_path: Path) -> None:
    """Else each run makes the image anew; what is the service's own goes along, even from a folder of that name."""
    runs = runs_in(tmp_path)
    assert left_by(runs, tmp_path) == ["reports"]
    (runs / ".gitignore").write_text("*.pyc")
    ours = ["reports/20261122-a", "reports/20261122-b", "reports/index.html"]
    assert left_by(runs, tmp_path) == ours
    assert left_by(runs, runs) == [each.removeprefix("reports/") for each in ours]
    (tmp_path / "other").mkdir()
    assert left_by(runs, tmp_path / "other") == []
    assert left_by(tmp_path / "none", tmp_path) == []


@pytest.mark.parametrize("dockerfile", ["Dockerfile", "../Elsewhere"])
def test_context_honours_dockerignore_and_leaves_runs_out(tmp_path: Path, dockerfile: str) -> None:
    """The last word is ours: no `!` of the file brings a run back."""
    folder = tmp_path / "service"
    runs = runs_in(folder)
    (folder / dockerfile).write_text("FROM x\n")
    (folder / "secret").touch()
    (folder / "app.py").touch()
    (folder / ".dockerignore").write_text("# mine\nsecret\n\n!reports/20261122-a\n")
    with packed(folder, dockerfile, runs) as (context, name), tarfile.open(fileobj=context) as tar:
        names = set(tar.getnames())
    assert "app.py" in names and name in names
    assert not {each for each in names if each.startswith("reports/") or each == "secret"}
