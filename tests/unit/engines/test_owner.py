"""Owners: gone only if that is certain."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chaoscheck.engines.owner import Owner


def test_this_process_is_not_gone() -> None:
    """We live."""
    assert not Owner.me().provably_gone()


@pytest.mark.parametrize(
    ("change", "gone"),
    [
        ({"started": "1"}, True),
        ({"boot": "another"}, True),
        ({"pid": 2**22 + 1}, True),
        ({"host": "elsewhere"}, False),
        ({"host": "elsewhere", "started": "1"}, False),
    ],
)
def test_owner_is_gone_only_where_this_host_can_tell(change: dict[str, str], gone: bool) -> None:
    """A reused pid and an earlier boot prove it; another host proves nothing."""
    assert replace(Owner.me(), **change).provably_gone() is gone  # type: ignore[arg-type]


def test_labels_come_back_as_the_owner_and_others_as_none() -> None:
    """What was written can be read; what wasn't ours names nobody."""
    assert Owner.from_labels(Owner.me().labels()) == Owner.me()
    assert Owner.from_labels({}) is None
    assert Owner.from_labels({**Owner.me().labels(), "chaoscheck.owner.pid": "x"}) is None
