"""A run of a service that tries to break whoever shows its answers, from the wire to the page in a real browser."""

from __future__ import annotations

from pathlib import Path

from samples.chromium import BAIT, CANARY, SECRET, assert_harmless, chromium

from chaoscheck.model.verdict import Verdict
from chaoscheck.plan.load import load_plan
from chaoscheck.run import Options, run

PLAN = Path(__file__).parents[1] / "samples" / "hostile_service" / "plan.yaml"


def test_run_of_a_hostile_service_shows_text_and_nothing_else(tmp_path: Path) -> None:
    """Answers of 10 MB, scripts, control characters and secrets, in bodies, headers and the victim's log."""
    plan = load_plan(PLAN, overrides={("target", "env"): {"BAIT": BAIT, "SECRET": SECRET}}, environment={})
    options = Options(reports=tmp_path, enough=lambda result: any(one.strike >= 0 for one in result.findings))
    result, folder = run(plan, options)
    assert result.verdict is Verdict.FAIL and any(one.strike >= 0 for one in result.findings)
    for written in (*folder.histories(), *folder.path.glob("*.*")):
        assert SECRET not in written.read_text(encoding="utf-8"), written.name
    report = folder.path / "report.html"
    assert report.stat().st_size < 1_000_000
    assert "The last lines of web-" in report.read_text(encoding="utf-8")
    with chromium() as browser:
        assert_harmless(browser, report, words=f'document.title = "owned"; fetch("http://{CANARY}/js")')
