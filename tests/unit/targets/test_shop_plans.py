"""The shop's plans: each loads, is short, says what it must end in, and starts an instance that can be wired."""

from pathlib import Path

import pytest

from chaoscheck.plan.load import load_plan
from targets.shop.settings import Settings

PLANS = sorted((Path(__file__).resolve().parents[3] / "targets/shop/plans").glob("*.yaml"))
VERDICTS = {
    "memory-round-robin": "FAIL",
    "memory-sticky": "FAIL",
    "two-workers": "FAIL",
    "five-hundreds": "INVALID",
    "sqlite": "PASS",
    "redis": "PASS",
    "jwt": "PASS",
    "hybrid": "PASS",
}


def test_every_plan_states_its_verdict_and_reason() -> None:
    """A calibration plan that expects nothing calibrates nothing."""
    loaded = {path.stem: load_plan(path, environment={}).plan for path in PLANS}
    assert {name: plan.expect.verdict for name, plan in loaded.items() if plan.expect and plan.because} == VERDICTS


def test_all_plans_make_the_same_promises() -> None:
    """Only the target, its stores and the routing differ, so only they can explain another verdict."""
    promises = [load_plan(path, environment={}).plan.promises for path in PLANS]
    assert all(each == promises[0] for each in promises)


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_plan_is_short_and_its_environment_is_one_that_the_shop_accepts(path: Path) -> None:
    """Settings refuse what they can't use, so a typing error in a plan shows here and not in a run."""
    plan = load_plan(path, environment={}).plan
    settings = Settings.from_environment(plan.target.env)
    assert len(path.read_text().splitlines()) <= 30
    assert settings.redis_url is None or settings.redis_url.split("/")[2].split(":")[0] in plan.stores
    assert plan.target.volumes == {} or settings.sqlite.startswith(plan.target.volumes["shared"].path + "/")
    assert (path.parent / (plan.target.build or "")).joinpath("Dockerfile").exists()
    assert all((path.parent / (store.build or "")).joinpath("Dockerfile").exists() for store in plan.stores.values())
