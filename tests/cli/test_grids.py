"""The matrix on a terminal of 80 columns, without colour."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from samples import results

from chaoscheck.cli.grids import matrix_view
from chaoscheck.cli.summary import print_summary
from chaoscheck.model.verdict import MatrixCell, Result, Verdict

Holds = Callable[[int, int], bool]


def cells(promise: str, slots: int, holds: Holds) -> list[MatrixCell]:
    return [
        MatrixCell(
            promise=promise,
            writer=i,
            reader=j,
            holds=holds(i, j),
            note="" if holds(i, j) else "2 of 2 reads missed it",
            anomaly="" if holds(i, j) else "LOST",
        )
        for i in range(1, slots + 1)
        for j in range(1, slots + 1)
    ]


def shown(told: list[MatrixCell], *, whole: bool = False) -> list[str]:
    out = io.StringIO()
    view = matrix_view(told, 80, whole=whole)
    assert view is not None
    Console(file=out, width=80).print(view, highlight=False)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def own(i: int, j: int) -> bool:
    return i == j


def odd(i: int, j: int) -> bool:
    return bool(i * j % 7)


def always(i: int, j: int) -> bool:
    return True


def test_matrix_that_holds_is_one_line() -> None:
    """Nothing to look at: how many pairs, and of what."""
    assert shown(cells("login", 20, always) + cells("cart", 20, always)) == ["matrix  all 400 pairs hold (login, cart)"]


def test_grids_stand_side_by_side_where_they_fit() -> None:
    """Three of three instances; the fourth begins a new row. Words come below, the key once."""
    names = ("login", "cart", "note", "uploads")
    lines = shown([cell for name in names for cell in cells(name, 3, own)])
    assert lines[0].split("    ") == ["login: 3 of 9 hold", "cart: 3 of 9 hold", "note: 3 of 9 hold"]
    assert lines[2].split() == ["1", "·", "✗", "✗"] * 3
    assert lines[5] == "uploads: 3 of 9 hold"
    assert lines[10] == "  ✗ login: LOST between every two different instances (6 pairs)"
    assert sum("rows: written on" in line for line in lines) == 1
    assert all(len(line) <= 80 for line in lines)


def test_promises_that_hold_are_told_beside_grids_of_those_that_fail() -> None:
    """One line for what held, and no grid; drawn all the same where the whole matrix is asked for."""
    told = cells("login", 3, always) + cells("cart", 3, own)
    assert shown(told)[0] == "matrix  login: all 9 pairs hold"
    assert "login: 9 of 9 hold" in shown(told, whole=True)[0]
    assert "  ✗ cart: LOST between every two different instances (6 pairs): 1→2: 2 of 2" in shown(told, whole=True)


def test_twenty_instances_stay_readable() -> None:
    """A rule is said in a line, an odd pattern is drawn within 80 columns, what is wider is said in words."""
    ruled = shown(cells("login", 20, own))
    assert ruled == ["login: 20 of 400 hold", "  ✗ login: LOST between every two different instances (380 pairs)"]
    drawn = shown(cells("login", 20, odd))
    assert len(drawn) == 25 and all(len(line) <= 80 for line in drawn)
    assert drawn[8].split() == ["7", *["✗"] * 20]
    assert not any("·" in line for line in shown(cells("login", 40, odd)))


def test_summary_shows_matrix_and_routing(tmp_path: Path) -> None:
    """Of a failure its grid, of a pass one line; `try` has shown it before. Routing is told where anything was."""
    failed, passed = results.result(Verdict.FAIL), results.result()
    text = printed(failed, tmp_path)
    assert "login: 3 of 9 hold" in text and "matrix  profile: all 9 pairs hold; review: all 9 pairs hold" in text
    assert "matrix  all 9 pairs hold (login, profile, review)" in printed(passed, tmp_path)
    assert "routing sessions are pinned (97 % stay on one instance)" in " ".join(text.split())
    assert "pairs hold" not in printed(passed, tmp_path, matrix=False)
    assert "routing" not in printed(replace(passed, routing=None), tmp_path)


def printed(result: Result, folder: Path, *, matrix: bool = True) -> str:
    out = io.StringIO()
    print_summary(Console(file=out, width=80), result, folder, matrix=matrix)
    return out.getvalue()
