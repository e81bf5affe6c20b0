"""Whose words are told and kept when the controls or the matrix got no good answer."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from chaoscheck.errors import InstanceCrashed
from chaoscheck.model import events
from chaoscheck.phases import testimony
from chaoscheck.phases.stage import Stage


class Desk:
    """A stage of two instances that printed something, and what came of it."""

    def __init__(self, folder: Path, *, dead: bool = False) -> None:
        self.told: list[tuple[type[events.Event], dict[str, object]]] = []
        self.logs = folder / "logs"
        self.logs.mkdir()
        self._dead = dead
        self.stage = SimpleNamespace(
            folder=folder,
            fleet=SimpleNamespace(logs=lambda instance, lines: ""),
            instances={slot: SimpleNamespace(name=f"web-{slot}.1") for slot in (1, 2)},
            log_tail=lambda instance, lines, chars=0: f"{instance.name} says no\n",
            emit=lambda kind, **data: self.told.append((kind, data)),
            watch=self._watch,
        )

    def _watch(self) -> None:
        if self._dead:
            raise InstanceCrashed("web-1.1 ended by itself")

    def testify(self, trouble: dict[str, str], **how: Any) -> list[str]:
        testimony.testify(cast(Stage, self.stage), trouble, **how)
        return sorted(file.name for file in self.logs.iterdir())


def test_instance_in_trouble_is_told_and_kept_and_the_others_are_not(tmp_path: Path) -> None:
    """Where the rest holds, one instance's words are enough."""
    desk = Desk(tmp_path)
    assert desk.testify({"web-1.1": "note.do: 503"}, sound=True) == ["web-1.1.log"]
    assert desk.told == [(events.Printed, {"instance": "web-1.1", "seen": "note.do: 503", "log": "web-1.1 says no\n"})]
    assert (desk.logs / "web-1.1.log").read_text() == "web-1.1 says no\n"


def test_plan_that_proves_nothing_has_every_log_kept_and_nothing_told(tmp_path: Path) -> None:
    """A 404 is no trouble of the service, but its log may say which path it was asked for."""
    desk = Desk(tmp_path)
    assert desk.testify({}, sound=False) == ["web-1.1.log", "web-2.1.log"]
    assert desk.told == []


def test_run_that_could_not_go_on_keeps_every_log(tmp_path: Path) -> None:
    """An instance that never got ready is gone after it, and its words with it."""
    desk = Desk(tmp_path)
    testimony.keep_logs(cast(Stage, desk.stage))
    assert sorted(file.name for file in desk.logs.iterdir()) == ["web-1.1.log", "web-2.1.log"]


def test_run_without_trouble_keeps_nothing(tmp_path: Path) -> None:
    """Nothing is asked of the engine either."""
    assert Desk(tmp_path).testify({}, sound=True) == []


def test_log_that_the_engine_writes_itself_is_left_as_it_is(tmp_path: Path) -> None:
    """It has all lines, and is still being written."""
    desk = Desk(tmp_path)
    (desk.logs / "web-1.1.log").write_text("all of it")
    desk.testify({"web-1.1": "note.do: 503"}, sound=True)
    assert (desk.logs / "web-1.1.log").read_text() == "all of it"


def test_instance_that_died_is_told_before_the_run_ends_by_it(tmp_path: Path) -> None:
    """Its words first: afterwards its container is gone."""
    desk = Desk(tmp_path, dead=True)
    with pytest.raises(InstanceCrashed):
        desk.testify({"web-1.1": "note.do: closed without an answer"}, sound=True)
    assert [kind for kind, _ in desk.told] == [events.Printed]
    assert (desk.logs / "web-1.1.log").exists()
