"""Whose write is next in a burst."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest

from chaoscheck.plan.steps import Promise
from chaoscheck.promises.base import Kind
from chaoscheck.promises.blob import BlobKind
from chaoscheck.promises.kept import KeptKind
from chaoscheck.promises.register import RegisterKind
from chaoscheck.traffic.volley import MAKES, Rota

STEPS = {"do": {"put": "/f", "body": "$blob"}, "see": {"get": "/f"}}


@dataclass(frozen=True, slots=True)
class Hand:
    """What a rota asks of a session's hand."""

    promise: str
    kind: Kind
    session_id: str = "s1"


def hand(kind: type[Kind], **said: Any) -> Any:
    return Hand(kind.__name__, kind(Promise.model_validate({"kind": "x", **STEPS, **said})))


def drawn(*hands: Any, turns: int, first: float = 0.5) -> list[str]:
    rota = Rota(hands, lambda: first)
    return [found.promise if (found := rota.next()) is not None else "" for _ in range(turns)]


def test_heavy_writes_come_in_their_share_of_a_burst_however_many_promises_there_are() -> None:
    """One in twenty, beside one other or beside two."""
    for others in ([RegisterKind], [RegisterKind, KeptKind]):
        counts = Counter(drawn(*(hand(kind) for kind in others), hand(BlobKind), turns=MAKES - 1))
        assert counts["BlobKind"] == pytest.approx(MAKES * BlobKind.burst_share, abs=1)
        assert counts["RegisterKind"] >= (MAKES - 10) // len(others)


def test_burst_of_heavy_writes_alone_waits_between_them() -> None:
    """Most of its turns are nobody's."""
    assert Counter(drawn(hand(BlobKind), turns=200))["BlobKind"] == 10


def test_clients_begin_their_heavy_writes_at_drawn_turns() -> None:
    """Else eight of them would all upload at the same moment."""
    begins = [drawn(hand(BlobKind), turns=25, first=first).index("BlobKind") for first in (0.01, 0.51, 0.96)]
    assert begins == [19, 9, 0]


def test_long_burst_goes_on_with_what_overwrites() -> None:
    """A victim that won't die must not fill the service."""
    late = drawn(hand(RegisterKind), hand(KeptKind), hand(BlobKind), turns=MAKES + 60)[MAKES:]
    assert set(late) == {"RegisterKind"}
    own = drawn(hand(RegisterKind), hand(BlobKind, of="session"), turns=MAKES + 60)[MAKES:]
    assert set(own) == {"RegisterKind", "BlobKind"}
