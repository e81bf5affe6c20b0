"""Every plan in the project loads, and is as short as we say."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaoscheck import plugins
from chaoscheck.phases.validate import validate
from chaoscheck.plan.load import load_plan

ROOT = Path(__file__).resolve().parents[2]
CATALOGUE = ROOT / "targets" / "catalogue"
PLANS = sorted([*ROOT.glob("targets/*/plans/*.yaml"), *CATALOGUE.rglob("*.yaml")])
DEFECTS = sorted(CATALOGUE.glob("defects/*.yaml"))


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


def test_catalogue_has_defects_and_what_must_pass() -> None:
    """Recall without precision, or the other way round, says nothing."""
    assert len(DEFECTS) >= 18
    assert len(list(CATALOGUE.glob("harmless/*.yaml"))) >= 2


@pytest.mark.parametrize("path", DEFECTS, ids=lambda path: path.stem)
def test_defect_says_what_must_be_found_and_why(path: Path) -> None:
    """A FAIL for any other reason would count as caught."""
    plan = load_plan(path, environment={}).plan
    assert plan.expect is not None
    assert plan.expect.verdict == "FAIL"
    assert plan.expect.promise in plan.promises
    assert plan.expect.finding
    assert plan.expect.cause


def test_good_shop_promises_all_that_a_defect_breaks() -> None:
    """It is the fixed twin of every one of them."""
    good = load_plan(CATALOGUE / "good.yaml", environment={}).plan
    broken = {
        plan.promises[plan.expect.promise].kind
        for plan in (load_plan(path, environment={}).plan for path in DEFECTS)
        if plan.expect is not None and plan.expect.promise is not None
    }
    assert broken <= {promise.kind for promise in good.promises.values()}
    assert all(promise.survives for promise in good.promises.values())


FOREIGN = [path for path in PLANS if not {"shop", "catalogue"} & set(path.parts)]


@pytest.mark.parametrize("path", FOREIGN, ids=lambda path: str(path.relative_to(ROOT)))
def test_foreign_plans_are_short(path: Path) -> None:
    """A service that nobody here wrote takes under 30 lines."""
    assert path.read_text(encoding="utf-8").count("\n") < 30
