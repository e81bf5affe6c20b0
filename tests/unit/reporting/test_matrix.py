"""Grids of the matrix, and what their cells have in common, in words."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chaoscheck.model.verdict import MatrixCell
from chaoscheck.reporting.matrix import Grid, grids

Holds = Callable[[int, int], bool | None]


def grid(holds: Holds, slots: int = 4, anomaly: str = "LOST", note: str = "saw nothing") -> Grid:
    cells = [
        MatrixCell(
            promise="cart",
            writer=i,
            reader=j,
            holds=holds(i, j),
            note="" if holds(i, j) else note,
            anomaly=anomaly if holds(i, j) is False else "",
        )
        for i in range(1, slots + 1)
        for j in range(1, slots + 1)
    ]
    return grids(cells)[0]


@pytest.mark.parametrize(
    ("holds", "where"),
    [
        (lambda i, j: False, "on every pair (16 pairs)"),
        (lambda i, j: i == j, "between every two different instances (12 pairs)"),
        (lambda i, j: i != j, "on fresh connections to the very instance, each of them (4 pairs)"),
        (lambda i, j: i != 3, "wherever 3 writes (4 pairs)"),
        (lambda i, j: i != 3 or j == 3, "wherever 3 writes, but not to itself (3 pairs)"),
        (lambda i, j: j != 2, "wherever 2 reads (4 pairs)"),
        (lambda i, j: j != 2 or i == 2, "wherever 2 reads, but not from itself (3 pairs)"),
        (lambda i, j: (i, j) not in ((1, 2), (4, 3)), "on 1→2, 4→3"),
        (lambda i, j: i + j != 5 and i + j != 4, "on 1→3, 1→4, 2→2, 2→3, 3→1, 3→2 and 1 more"),
    ],
)
def test_pairs_that_follow_a_rule_are_said_by_it(holds: Holds, where: str) -> None:
    """A pattern tells a developer more than a list; without one some pairs are named."""
    (said,) = grid(holds).said
    assert (said.mark, said.what, said.where) == ("✗", "LOST", where)
    assert said.example.endswith(": saw nothing")


def test_cells_that_tell_nothing_are_neither_held_nor_failed() -> None:
    """They are counted apart, with the reason why; a grid with one of them doesn't hold whole."""
    made = grid(lambda i, j: True if i == j else None, note="not told: the session itself doesn't hold")
    assert (made.holds, made.told, made.whole) == (4, 4, False)
    assert made.head == "4 of 16 pairs hold, 12 not told"
    assert [(said.mark, said.what, said.example) for said in made.said] == [
        ("?", "not told", "the session itself doesn't hold")
    ]


def test_two_anomalies_of_a_pair_are_both_said() -> None:
    """Those of the same pairs in one line; each of different pairs with its own words of the note."""
    same = grid(lambda i, j: i == j, anomaly="LOST, RESURRECTED", note="LOST: gone; RESURRECTED: back again")
    assert [(said.what, said.example) for said in same.said] == [("LOST, RESURRECTED", "1→2: gone")]
    lost = MatrixCell(promise="cart", writer=1, reader=1, holds=False, note="gone", anomaly="LOST")
    both = MatrixCell(
        promise="cart", writer=1, reader=2, holds=False, note="LOST: away; DUPLICATE: twice", anomaly="LOST, DUPLICATE"
    )
    (made,) = grids([lost, both])
    assert [(said.what, said.where, said.example) for said in made.said] == [
        ("LOST", "wherever 1 writes (2 pairs)", "1→1: gone"),
        ("DUPLICATE", "on 1→2", "1→2: twice"),
    ]


def test_pair_that_was_never_tried_is_missing() -> None:
    """A run that was cut off in the matrix doesn't look as if all had held."""
    cell = MatrixCell(promise="cart", writer=1, reader=2, holds=True, note="")
    (made,) = grids([cell])
    assert not made.whole and made.head == "1 of 4 pairs hold, 3 not told"
    assert made.rows[0][1] == (None, cell)
