"""Every plan in the project loads, and is as short as we say."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaoscheck import plugins
from chaoscheck.phases.validate import validate
from chaoscheck.plan.load import load_plan

ROOT = Path(__file__).resolve().parents[2]
PLANS = sorted(ROOT.glob("targets/*/plans/*.yaml"))


def test_there_are_plans() -> None:
    """An empty list would make the tests below vacuous."""
    assert len(PLANS) >= 10


@pytest.mark.parametrize("path", PLANS, ids=lambda path: str(path.relative_to(ROOT)))
def test_plan_loads_and_says_what_it_expects(path: Path) -> None:
    """Each calibration plan names its verdict and the reason for it."""
    plugins.load()
    loaded = load_plan(path, environment={})
    validate(loaded)
    assert loaded.plan.expect is not None
    assert loaded.plan.because


@pytest.mark.parametrize(
    "path", [path for path in PLANS if "shop" not in path.parts], ids=lambda path: str(path.relative_to(ROOT))
)
def test_foreign_plans_are_short(path: Path) -> None:
    """A service that nobody here wrote takes under 30 lines."""
    assert path.read_text(encoding="utf-8").count("\n") < 30
