"""What a session does with files, how much of it, and what a plan can't say of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chaoscheck import plugins
from chaoscheck.errors import PlanError
from chaoscheck.phases.validate import validate
from chaoscheck.plan.load import load_plan
from chaoscheck.plan.steps import Promise
from chaoscheck.promises.blob import FEWEST, MOST, READ_BACK, BlobKind
from chaoscheck.promises.register import RegisterKind
from chaoscheck.steps.blob import content, read_back
from tests.unit.promises.test_kinds import FakeHand

FILES: dict[str, Any] = {
    "kind": "blob", "do": {"put": "/files/$value", "body": "$blob"}, "see": {"get": "/files/$value"},
}  # fmt: skip


def kind(**said: Any) -> BlobKind:
    return BlobKind(Promise.model_validate({**FILES, **said}))


def uploads(files: BlobKind, hand: FakeHand, turns: int) -> int:
    """How many so many turns make, all of which are kept."""
    made = 0
    for _ in range(turns):
        before = len(hand.asked)
        files.turn(hand)
        new = [obj for action, obj, _ in hand.asked[before:] if action == "do"]
        hand.there += [obj for obj in new if obj not in hand.there]
        made += len(new)
    return made


def test_what_a_death_exposed_is_read_before_anything_is_uploaded() -> None:
    """A few a turn, each by the value that names it."""
    hand = FakeHand(there=[f"o{n}" for n in range(9)], unread=[f"o{n}" for n in range(9)])
    kind().turn(hand)
    assert hand.asked[:READ_BACK] == [("see", f"o{n}", f"o{n}") for n in range(READ_BACK)]
    assert "see" not in hand.actions()[READ_BACK:]


@pytest.mark.parametrize(("size", "most"), [("4 kB", MOST), ("64 kB", 31), ("8 MB", FEWEST)])
def test_a_session_keeps_few_files_and_fewer_large_ones(size: str, most: int) -> None:
    """However long it lives: each is downloaded through every instance at the end."""
    hand = FakeHand()
    assert FEWEST <= uploads(kind(size=size), hand, 2000) <= most
    assert len(hand.there) <= most


def test_one_file_replaced_by_each_upload_is_read_before_it() -> None:
    """Else an upload would hide what a death lost."""
    hand = FakeHand()
    files = kind(of="session")
    for _ in range(2):
        files.turn(hand)
    assert hand.actions() == ["see", "do", "see", "do"]
    assert len({obj for _, obj, _ in hand.asked}) == 1
    assert files.object_of("s", "a") == files.object_of("s", "b")


def test_large_files_are_replaced_more_seldom_but_read_back_after_a_death() -> None:
    hand = FakeHand(unread=["own"])
    files = kind(of="session", size="8 MB")
    for _ in range(100):
        files.turn(hand)
    assert 0 < hand.actions().count("do") < 20
    assert hand.actions().count("see") == 100


def test_turns_with_large_files_weigh_more_up_to_a_bound() -> None:
    """The pace of a run follows: 100 requests a second of 8 MB would be nobody's users."""
    small, usual, large = (kind(size=size).requests_a_turn() for size in ("64 B", "64 kB", "8 MB"))
    assert 2 <= small < usual < large < 12


def test_bursts_upload_more_seldom_than_they_write() -> None:
    """400 a second of 64 kB is a test of disks, not of deaths."""
    assert 0 < BlobKind.burst_share * 400 <= 25
    assert RegisterKind.burst_share == 1


def test_only_the_whole_file_of_that_value_shows_it() -> None:
    body = content("run.s.1", 1000)
    assert kind().shows(read_back(body, 1000), "run.s.1")
    assert not kind().shows(read_back(body[:-1], 1000), "run.s.1")
    assert not kind().shows(read_back(content("run.s.2", 1000), 1000), "run.s.1")


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"do": {"put": "/files/$value", "json": {"a": "$value"}}}, "uploads nothing"),
        ({"see": {"get": "/files/$value", "value": "json:hash"}}, "takes no value"),
        ({"size": "9 MB"}, "size is at most 8 MB"),
        ({"see": []}, "needs see"),
        ({"undo": {"delete": "/files/$value"}}, "has no undo"),
        ({"deadline": "3s"}, "has no deadline"),
        ({"do": {"put": "/files/$value", "body": "it is $blob"}}, "uploads nothing"),
    ],
)
def test_what_a_plan_cannot_say_of_uploads_is_refused_before_any_traffic(
    tmp_path: Path, said: dict[str, Any], problem: str
) -> None:
    """With the place in the file."""
    plugins.load()
    path = tmp_path / "plan.yaml"
    path.write_text(
        "target: {image: service}\npromises:\n  files:\n"
        + "".join(f"    {key}: {_yaml(value)}\n" for key, value in {**FILES, **said}.items())
    )
    with pytest.raises(PlanError) as refused:
        validate(load_plan(path, environment={}))
    assert problem in refused.value.message
    assert "plan.yaml:" in (refused.value.place or "")


def _yaml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_yaml(item)}" for key, item in value.items()) + "}"
    return f'"{value}"' if isinstance(value, str) else str(value)
