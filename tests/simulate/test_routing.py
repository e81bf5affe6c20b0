"""Whole runs: what a balancer does with sessions is told from traffic, and hides nothing from the matrix."""

from __future__ import annotations

import pytest

from chaoscheck.engines.fake_network import Network
from chaoscheck.model.ops import Lane
from chaoscheck.model.places import Address
from chaoscheck.model.verdict import Affinity, Verdict
from tests.simulate.conftest import Simulate

SHORT = {"chaos.at_most": 8, "chaos.rounds": 1, "chaos.baseline": "2s"}


def test_sticky_balancer_and_its_cookie_hide_nothing_from_the_matrix(simulate: Simulate) -> None:
    """Users never leave their instance while it lives; the matrix finds each pair broken all the same."""
    result, folder = simulate("memory", **{"balancer.mode": "sticky", **SHORT})
    assert result.verdict is Verdict.FAIL
    assert result.routing is not None and result.routing.affinity is Affinity.PINNED
    cells = [cell for cell in result.matrix if cell.promise == "login"]
    assert {(cell.writer, cell.reader) for cell in cells if cell.holds is False} == {
        (i, j) for i in (1, 2, 3) for j in (1, 2, 3) if i != j
    }
    assert {cell.anomaly for cell in cells if cell.holds is False} == {"LOST"}
    matrix = [op for op in folder.rows() if getattr(op, "lane", "") == Lane.MATRIX.value and hasattr(op, "via")]
    assert matrix and all(op.via == op.incarnation != "lb" for op in matrix if op.status)  # type: ignore[union-attr]
    assert not result.warnings


def test_round_robin_is_spread_and_even(simulate: Simulate) -> None:
    """No pinning is seen where there is none, whoever dies."""
    result, _ = simulate("stateless", **SHORT)
    assert result.routing is not None
    assert result.routing.words.startswith("spread over 3 instances, even (p")
    assert sum(load.answers for load in result.routing.loads) == sum(result.instances_share.values())
    assert not result.warnings


def test_balancer_that_pins_against_the_plan_is_warned_of(simulate: Simulate, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan says round-robin and the balancer sets a cookie: the load proves less, and no verdict changes by it."""
    real = Network.open_entry

    def pin(self: Network, *, sticky: bool) -> Address:
        return real(self, sticky=True)

    monkeypatch.setattr(Network, "open_entry", pin)
    result, _ = simulate("stateless", **SHORT)
    assert [text for text in result.warnings if "round-robin, but sessions are pinned" in text]
    assert not result.findings and result.verdict is not Verdict.FAIL
