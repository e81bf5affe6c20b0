"""The shop's plans, run for real with less evidence asked for, end as they say they do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from samples.fleets import need

from chaoscheck.model.verdict import Result, Verdict
from chaoscheck.plan.load import load_plan
from chaoscheck.run import Options, conclude, run
from chaoscheck.store import RunFolder

PLANS = Path(__file__).parents[2] / "targets" / "shop" / "plans"
SMALL: dict[tuple[str, ...], Any] = {
    ("evidence", "max_loss"): "10%",
    ("chaos", "rounds"): 1,
    ("chaos", "baseline"): "2s",
    ("chaos", "settle"): "0.5s",
    ("traffic", "rate"): 60,
}


def go(name: str, reports: Path, engine: str, cause: str = "", **more: Any) -> tuple[Result, RunFolder]:
    """A run that ends early where its reason names `cause`."""
    overrides = SMALL | {("engine",): engine} | {tuple(key.split("__")): value for key, value in more.items()}
    plan = load_plan(PLANS / f"{name}.yaml", overrides=overrides, environment={})
    enough = (lambda result: f"({cause})" in result.reason) if cause else None
    return run(plan, Options(reports=reports, enough=enough))


def causes(result: Result) -> set[str]:
    return {finding.cause.value for finding in result.findings if finding.verdict is Verdict.FAIL}


def judged_alike(folder: RunFolder) -> bool:
    """Whether judging again gives the same bytes."""
    before = folder.result_file.read_bytes()
    conclude(folder)
    return folder.result_file.read_bytes() == before


@pytest.mark.parametrize("pick", ["round-robin", "never-same"])
def test_shared_file_passes_as_local_processes(tmp_path: Path, pick: str) -> None:
    """Nothing installed is needed: real processes, real SIGKILL, and clients that balance by themselves."""
    result, folder = go("sqlite", tmp_path, "process", balancer__kind="direct", balancer__mode=pick)
    assert result.verdict is Verdict.PASS, result.reason
    assert judged_alike(folder)


def test_memory_fails_as_local_processes(tmp_path: Path) -> None:
    """The cause is named, and shown by requests that anyone can repeat."""
    result, folder = go("memory-round-robin", tmp_path, "process", "state in one instance", balancer__kind="direct")
    assert result.verdict is Verdict.FAIL
    assert result.findings[0].cause.value == "state in one instance"
    assert any(link.curl.startswith("curl ") for link in result.findings[0].chain)
    assert judged_alike(folder)


@pytest.mark.docker
def test_redis_passes_in_containers(tmp_path: Path) -> None:
    """Six containers die behind HAProxy, and no session notices."""
    need("docker")
    result, folder = go("redis", tmp_path, "docker")
    assert result.verdict is Verdict.PASS, result.reason
    assert all(kill.confirmed for kill in result.kills if kill.mode != "sham")
    assert judged_alike(folder)


@pytest.mark.docker
@pytest.mark.parametrize(
    ("plan", "cause"),
    [
        ("memory-sticky", "lost with the instance"),
        ("two-workers", "state in one worker process"),
    ],
)
def test_defect_fails_in_containers_with_its_cause(tmp_path: Path, plan: str, cause: str) -> None:
    """Sticky routing hides lost sessions until the instance dies; two processes lose them without any death."""
    need("docker")
    result, _ = go(plan, tmp_path, "docker", cause)
    assert result.verdict is Verdict.FAIL
    assert cause in causes(result)
    assert cause in result.reason
