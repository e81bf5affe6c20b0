"""Express with express-session, tried for real: its MemoryStore fails, and connect-redis, one setting later, passes."""

from __future__ import annotations

from pathlib import Path

import pytest
from samples.fleets import need

from chaoscheck.model.verdict import Result, Verdict
from chaoscheck.plan.load import load_plan
from chaoscheck.run import Options, run

PLANS = Path(__file__).resolve().parents[2] / "targets" / "node" / "plans"
SMALL = {
    ("engine",): "docker",
    ("evidence", "max_loss"): "10%",
    ("chaos", "rounds"): 1,
    ("chaos", "baseline"): "2s",
    ("chaos", "settle"): "0.5s",
    ("traffic", "rate"): 60,
}


def go(name: str, reports: Path, *, only_try: bool) -> Result:
    plan = load_plan(PLANS / f"{name}.yaml", overrides=SMALL, environment={})
    return run(plan, Options(reports=reports, only_try=only_try))[0]


@pytest.mark.docker
def test_node_with_memory_store_fails_between_any_two_instances(tmp_path: Path) -> None:
    """Who logged in is known where the login was answered and nowhere else, and no kill is needed to say so."""
    need("docker")
    result = go("memory", tmp_path, only_try=True)
    held = {(cell.writer, cell.reader): cell.holds for cell in result.matrix if cell.promise == "login"}
    assert held == {(writer, reader): writer == reader for writer in (1, 2, 3) for reader in (1, 2, 3)}
    assert result.verdict is Verdict.FAIL
    assert {(one.promise, one.anomaly, one.cause.value) for one in result.findings} == {
        ("login", "LOST", "state in one instance")
    }


@pytest.mark.docker
def test_node_with_redis_passes_while_each_instance_dies(tmp_path: Path) -> None:
    """Sessions and what is in them outlive every instance that wrote them."""
    need("docker")
    result = go("redis", tmp_path, only_try=False)
    assert result.verdict is Verdict.PASS, result.reason
    killed = [kill for kill in result.kills if kill.mode != "sham"]
    assert sorted(kill.slot for kill in killed if kill.confirmed) == [1, 2, 3]
    assert all(kill.exposed["login"] and kill.exposed["note"] for kill in killed), killed
