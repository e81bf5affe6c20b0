"""Live messages of real processes, killed by SIGKILL behind a real HAProxy: the good hub passes, memory doesn't."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from chaoscheck.model.verdict import Result, Verdict
from chaoscheck.plan.load import load_plan
from chaoscheck.run import Options, run

SERVICE = Path(__file__).resolve().parents[1] / "samples/live_service/serve.py"
PLAN = """\
target: {{command: [{python}, {service}], ready: /healthz, env: {{LIVE_LOG: {log}, MODE: "{mode}"}}}}
engine: process
promises:
  notices:
    kind: channel
    within: 1s
    do:  {{post: /notify, json: {{to: $user, text: $value}}, expect: 202}}
    see: {{{kind}: "{path}?user=$user", value: "json:text", expect: {{text: ready}}}}
evidence: {{max_loss: 30%}}
traffic: {{users: 15, rate: 60}}
chaos: {{rounds: 1, baseline: 1s, settle: 0.5s, at_most: {at_most}}}
"""

pytestmark = pytest.mark.skipif(shutil.which("haproxy") is None, reason="needs haproxy")


def result(folder: Path, mode: str, kind: str, path: str, *, fail_fast: bool = False) -> Result:
    plan = folder / "plan.yaml"
    plan.write_text(
        PLAN.format(
            python=sys.executable,
            service=SERVICE,
            log=folder / "live.log",
            mode=mode,
            kind=kind,
            path=path,
            at_most="2s" if mode else "40s",
        )
    )
    enough = (lambda shown: any(one.verdict is Verdict.FAIL for one in shown.findings)) if fail_fast else None
    return run(load_plan(plan, environment={}), Options(reports=folder / "reports", enough=enough))[0]


@pytest.mark.parametrize(("kind", "path"), [("websocket", "/ws"), ("events", "/events")])
def test_shared_hub_of_real_processes_passes(tmp_path: Path, kind: str, path: str) -> None:
    """Over real sockets and kills: nothing is lost but what was sent while disconnected, and nothing is made up."""
    told = result(tmp_path, "", kind, path)
    assert not told.findings
    assert told.verdict is Verdict.PASS, told.reason
    assert told.promises[0].exposures >= told.promises[0].needed


def test_memory_hub_of_real_processes_fails(tmp_path: Path) -> None:
    """The matrix sees it within seconds: no load and no kill is needed."""
    told = result(tmp_path, "memory", "websocket", "/ws", fail_fast=True)
    assert told.verdict is Verdict.FAIL
    assert {(one.anomaly, one.cause.value) for one in told.findings} >= {("DEAF_INSTANCE", "state in one instance")}
