"""Owners: gone only if that is certain."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chaoscheck.engines import owner as module
from chaoscheck.engines.owner import Owner

HOST = {"host": "ci", "machine": "m", "boot": "b1", "space": module._INITIAL}
BOX = {**HOST, "space": "pid:[4026532211]"}


def test_this_process_is_not_gone() -> None:
    """We live, and where the engine says that its container has ended, we would not believe it of a living pid."""
    assert not Owner.me().provably_gone()
    assert not Owner.me().provably_gone(lambda id_: True)


@pytest.mark.parametrize(
    ("change", "gone"),
    [
        ({"started": "1"}, True),
        ({"pid": 2**22 + 1}, True),
        ({"space": "pid:[1]"}, False),
        ({"space": "pid:[1]", "started": "1"}, False),
        ({"space": "", "started": "1"}, False),
        ({"host": "renamed", "started": "1"}, True),
        ({"boot": "", "started": "1"}, False),
    ],
)
def test_owner_of_this_boot_is_gone_only_where_its_pid_would_be_seen(change: dict[str, str], gone: bool) -> None:
    """A reused pid proves it; a pid of another container's world, or of nobody knows where, proves nothing."""
    assert replace(Owner.me(), **change).provably_gone() is gone  # type: ignore[arg-type]


@pytest.mark.parametrize(("answer", "gone"), [(PermissionError(), False), (ProcessLookupError(), True), (None, False)])
def test_process_that_cannot_be_looked_at_is_not_gone(
    monkeypatch: pytest.MonkeyPatch, answer: OSError | None, gone: bool
) -> None:
    """Where /proc is mounted with hidepid, another user's run looks like none, and its containers would be removed."""
    me = Owner.me()
    asked = iter(["", me.started])

    def kill(pid: int, number: int) -> None:
        if answer is not None:
            raise answer

    monkeypatch.setattr(module, "_started", lambda pid: next(asked))
    monkeypatch.setattr(module.os, "kill", kill)
    assert me.provably_gone() is gone


def _as(monkeypatch: pytest.MonkeyPatch, me: dict[str, str]) -> None:
    monkeypatch.setattr(module.socket, "gethostname", lambda: me["host"])
    for name in ("machine", "boot", "space"):
        monkeypatch.setattr(module, f"_{name}", lambda name=name: me[name])


@pytest.mark.parametrize(
    ("me", "other", "gone"),
    [
        (HOST, {"boot": "b0"}, True),
        (HOST, {"boot": "b0", "host": "elsewhere"}, False),
        (HOST, {"boot": "b0", "machine": "another"}, False),
        (HOST, {"boot": "b0", "machine": ""}, False),
        ({**HOST, "machine": ""}, {"boot": "b0"}, False),
        (HOST, {"boot": "b0", "space": BOX["space"]}, False),
        (BOX, {"boot": "b0"}, False),
        (BOX, {"boot": "b0", "space": BOX["space"]}, False),
        (BOX, {"boot": "b0", "space": HOST["space"]}, False),
        (BOX, {"pid": "1", "started": "7"}, True),
        (HOST, {"space": BOX["space"], "pid": "1", "started": "7"}, False),
    ],
)
def test_owner_of_another_boot_or_container_is_gone_only_if_this_machine_restarted(
    monkeypatch: pytest.MonkeyPatch, me: dict[str, str], other: dict[str, str], gone: bool
) -> None:
    """Two machines may use one engine, and containers of one image look alike: nothing is concluded from those."""
    owner = Owner(**{**{key: me[key] for key in me}, "pid": 5, "started": "9", **other})  # type: ignore[arg-type]
    _as(monkeypatch, me)
    assert owner.provably_gone() is gone


def test_owner_in_a_container_is_gone_when_the_engine_says_that_it_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """That is how the next job finds what a cancelled one left, though it can't see that one's processes."""
    _as(monkeypatch, HOST)
    owner = Owner(**{**BOX, "pid": 1, "started": "7", "container": "abc"})  # type: ignore[arg-type]
    assert owner.provably_gone(lambda id_: id_ == "abc")
    assert not owner.provably_gone(lambda id_: False)
    assert not replace(owner, container="").provably_gone(lambda id_: True)


def test_labels_come_back_as_the_owner_and_others_as_none() -> None:
    """What was written can be read; what wasn't ours names nobody, and what an older version wrote proves nothing."""
    assert Owner.from_labels(Owner.me("abc").labels()) == Owner.me("abc")
    assert Owner.from_labels({}) is None
    assert Owner.from_labels({**Owner.me().labels(), "chaoscheck.owner.pid": "x"}) is None
    older = {key: text for key, text in Owner.me().labels().items() if not key.endswith((".space", ".machine"))}
    found = Owner.from_labels({**older, "chaoscheck.owner.started": "1"})
    assert found is not None and not found.provably_gone()
