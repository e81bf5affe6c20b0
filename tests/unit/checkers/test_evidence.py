"""Bounds and tests against published values."""

from __future__ import annotations

import math

import pytest

from chaoscheck.checkers import evidence


@pytest.mark.parametrize(("max_loss", "needed"), [(0.10, 29), (0.05, 59), (0.01, 299), (0.005, 598), (0.001, 2995)])
def test_exposures_needed_at_95_percent(max_loss: float, needed: int) -> None:
    """The table that the design was written from; one exposure fewer doesn't show it."""
    assert evidence.exposures_needed(0.95, max_loss) == needed
    assert evidence.loss_bound(0.95, needed) <= max_loss < evidence.loss_bound(0.95, needed - 1)


@pytest.mark.parametrize(("kills", "percent"), [(3, 63), (6, 39), (10, 26), (20, 14), (59, 5)])
def test_clean_kills_bound_the_kills_that_lose(kills: int, percent: int) -> None:
    """Six clean kills leave up to 39 % of kills losing something."""
    assert round(100 * evidence.kill_bound(0.95, kills)) == percent


def test_no_exposure_bounds_nothing() -> None:
    """Zero samples are never a pass."""
    assert evidence.loss_bound(0.95, 0) == 1.0


def test_fisher_known_tables() -> None:
    """The tea tasting (3 of 4 against 1 of 4) is 17/70; a clean split is 1 over the number of tables."""
    assert evidence.fisher(3, 1, 1, 3) == pytest.approx(17 / 70)
    assert evidence.fisher(6, 0, 0, 4) == pytest.approx(1 / 210)
    assert evidence.fisher(0, 6, 0, 4) == 1.0
    assert evidence.fisher(5, 0, 0, 0) == 1.0


@pytest.mark.parametrize(("freedom", "value"), [(1, 12.706), (2, 4.303), (5, 2.571), (10, 2.228), (30, 2.042)])
def test_student_quantiles_are_the_tables(freedom: int, value: float) -> None:
    """Two-sided 95 %."""
    assert evidence.student_quantile(0.975, freedom) == pytest.approx(value, abs=5e-4)


def test_mean_interval_one_sample_says_nothing() -> None:
    """One kill has no spread."""
    assert evidence.mean_interval([0.2], 0.95) == (-math.inf, math.inf)


def test_mean_interval_known_case() -> None:
    """1..5: 3 +- 2.776 * sqrt(2.5 / 5)."""
    low, high = evidence.mean_interval([1, 2, 3, 4, 5], 0.95)
    assert (low, high) == (pytest.approx(3 - 1.9632, abs=1e-3), pytest.approx(3 + 1.9632, abs=1e-3))


def test_share_at_least_grows_with_samples() -> None:
    """One bad of ten is no proof of ten percent; a hundred of a thousand nearly is."""
    assert evidence.share_at_least(1, 10) < 0.03
    assert 0.08 < evidence.share_at_least(100, 1000) < 0.1
    assert evidence.share_at_least(0, 10) == 0.0
