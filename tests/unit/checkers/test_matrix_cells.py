"""Several probes of one pair come to one cell, and nothing that one of them showed is lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chaoscheck.checkers.findings import matrix_cell
from chaoscheck.model.events import MatrixProbed
from chaoscheck.model.verdict import MatrixCell
from chaoscheck.plugins import load
from chaoscheck.promises.base import KINDS

load()

HELD = MatrixProbed(t_ns=0, promise="cart", writer="web-1.1", reader="web-2.1", holds=True, note="", session="s",
                    obj="o", told=2)  # fmt: skip
LOST = replace(HELD, holds=False, note="2 of 2 reads missed it", missed=2, writer_has=True)
BACK = replace(HELD, holds=False, note="removed on web-1.1, there on web-2.1", anomaly="RESURRECTED")
OPEN = replace(HELD, holds=None, note="no read was answered")


def cell(*probes: MatrixProbed) -> MatrixCell:
    return matrix_cell(KINDS.get("set").words, ("cart", 1, 2), probes)


@pytest.mark.parametrize(
    ("probes", "holds", "anomaly", "note"),
    [
        ((HELD,), True, "", ""),
        ((OPEN,), None, "", "no read was answered"),
        ((OPEN, HELD), True, "", ""),
        ((HELD, OPEN), True, "", ""),
        ((HELD, BACK), False, "RESURRECTED", BACK.note),
        ((BACK, HELD), False, "RESURRECTED", BACK.note),
        ((OPEN, LOST), False, "LOST_ELEMENT", LOST.note),
        ((replace(LOST, healed=True),), False, "FLICKER", LOST.note),
        ((LOST, replace(LOST, note="again")), False, "LOST_ELEMENT", LOST.note),
        ((LOST, BACK), False, "LOST_ELEMENT, RESURRECTED", f"LOST_ELEMENT: {LOST.note}; RESURRECTED: {BACK.note}"),
    ],
)
def test_pair_is_judged_by_its_worst_probe(
    probes: tuple[MatrixProbed, ...], holds: bool | None, anomaly: str, note: str
) -> None:
    """One failure decides, whichever came first; each anomaly is named once, with what was first seen of it."""
    made = cell(*probes)
    assert (made.holds, made.anomaly, made.note) == (holds, anomaly, note)
