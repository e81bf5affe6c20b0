"""The Flask recipe for real: the defect that its page shows is found within seconds, and its fix isn't accused."""

from __future__ import annotations

from pathlib import Path

from chaoscheck.model.verdict import Result
from chaoscheck.plan.load import load_plan
from chaoscheck.run import Options, run

FLASK = Path(__file__).resolve().parents[2] / "targets" / "recipes" / "flask"


def tried(name: str, reports: Path) -> Result:
    overrides = {("engine",): "process"}
    loaded = load_plan(FLASK / name, overrides=overrides, environment={})
    result, _ = run(loaded, Options(reports=reports, only_try=True))
    return result


def test_login_signed_by_a_key_of_each_process_is_lost(tmp_path: Path) -> None:
    """Between every two instances, and within none of them."""
    result = tried("key-per-process.yaml", tmp_path)
    cells = {(cell.writer == cell.reader): cell.holds for cell in result.matrix if cell.promise == "login"}
    assert cells == {True: True, False: False}
    assert [(one.promise, one.anomaly, one.cause) for one in result.findings] == [
        ("login", "LOST", "state in one instance")
    ]


def test_login_signed_by_one_key_holds(tmp_path: Path) -> None:
    """The same service, one variable later."""
    result = tried("key-from-env.yaml", tmp_path)
    assert result.findings == ()
    assert len(result.matrix) == 18
    assert all(cell.holds for cell in result.matrix)
