"""What a process is told: its variables, its volumes' folders, and little else."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaoscheck.engines.process.words import Place, command, environment, mark

PLACE = Place(
    run="r1",
    name="web-1.1",
    disk=Path("/d/web-1.1"),
    host="127.0.0.1",
    port=20_001,
    volumes={"data": ("/data", Path("/w/data")), "deep-er": ("/data/deep/", Path("/w/deep"))},
)


@pytest.mark.parametrize(
    ("word", "becomes"),
    [
        ("serve", "serve"),
        ("--port=$PORT", "--port=20001"),
        ("${HOST}:${PORT}", "127.0.0.1:20001"),
        ("$CHAOSCHECK_DISK/x", "/d/web-1.1/x"),
        ("$PORTAL $$ $1", "$PORTAL $$ $1"),
        ("/data", "/w/data"),
        ("/data/shop.sqlite", "/w/data/shop.sqlite"),
        ("sqlite:////data/shop.sqlite", "sqlite:////w/data/shop.sqlite"),
        ("/data/deep/x", "/w/deep/x"),
        ("/database", "/database"),
        ("/data-2", "/data-2"),
        ("/srv/data", "/srv/data"),
        ("http://host/data/x", "http://host/data/x"),
        ("--in=/data --out=/data/deep", "--in=/w/data --out=/w/deep"),
    ],
)
def test_word_has_variables_and_volumes_filled_in(word: str, becomes: str) -> None:
    """Only what stands alone is replaced, the longest path first."""
    assert command([word], PLACE) == [becomes]


def test_environment_holds_little_of_ours_all_of_the_plan_and_the_own() -> None:
    """Nothing of the user's shell leaks in, and the plan can't be told another port than the one that is dialled."""
    inherited = {"PATH": "/bin", "HOME": "/h", "SECRET": "x", "PYTHONPATH": "/y"}
    env = environment(PLACE, {"DB": "/data/a", "PORT": "1", "HOME": "/mine"}, inherited, Path("/v/bin/python"))
    assert env == {
        "PATH": "/bin:/v/bin",
        "HOME": "/mine",
        "DB": "/w/data/a",
        "PORT": "20001",
        "HOST": "127.0.0.1",
        "TMPDIR": "/d/web-1.1",
        "CHAOSCHECK_DISK": "/d/web-1.1",
        "CHAOSCHECK_INSTANCE": "web-1.1",
        "CHAOSCHECK_MARK": "r1/web-1.1",
        "CHAOSCHECK_VOLUME_DATA": "/w/data",
        "CHAOSCHECK_VOLUME_DEEP_ER": "/w/deep",
    }


def test_mark_of_an_instance_is_within_its_runs_and_no_other() -> None:
    """web-1.1 doesn't match web-1.10, nor one run another that begins alike."""

    def held(text: str) -> bytes:
        return b"\0A=1\0" + f"CHAOSCHECK_MARK={text}".encode() + b"\0"

    assert mark("r1", "web-1.1") in held("r1/web-1.1")
    assert mark("r1", "web-1.1") not in held("r1/web-1.10")
    assert mark("r1", "web-1.1") not in held("r2/web-1.1")
    assert mark("r1") in held("r1/web-2.1")
    assert mark("r1") not in held("r11/web-1.1")
