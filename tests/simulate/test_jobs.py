"""Whole runs on services that run jobs: each defect ends in its verdict, its anomaly and its cause."""

from __future__ import annotations

from functools import partial

import pytest

from chaoscheck.model.verdict import Verdict
from chaoscheck.run import conclude
from chaoscheck.store import encode_result
from tests.simulate.conftest import Simulate, broken, swapped

PLAN = """\
target: {command: [jobs], ready: /healthz}
engine: fake
promises:
  export:
    kind: job
    deadline: 2s
    do: {post: /exports, json: {what: $value}, expect: 202, take: {job: "json:id"}}
    see: {get: /exports/$job, pending: {text: running}, expect: {text: done}, value: "json:result"}
    ledger: {get: "/exports/ledger?what=$value", values: "json:runs[*]"}
evidence: {max_loss: 10%}
traffic: {rate: 60}
chaos: {baseline: 2s, settle: 0.5s, at_most: 60s}
"""
LOST, ONE = "lost with the instance", "state in one instance"


@pytest.fixture
def go(whole: Simulate) -> Simulate:
    return partial(swapped, whole, PLAN)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_jobs_in_a_shared_queue_pass(go: Simulate, seed: int) -> None:
    """Every death's jobs are taken over, done in time, once, and shown by all."""
    result, folder = go("jobs", seed=seed)
    assert result.verdict is Verdict.PASS, result.reason
    assert not result.findings
    export = result.promises[0]
    assert export.exposures >= export.needed
    assert export.outcomes["see/pending"] > 0
    assert export.outcomes["ledger/ok"] > 0
    assert export.final_reads == export.final_reads_due
    assert conclude(folder) == result
    assert folder.result_file.read_bytes() == encode_result(result)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    ("app", "anomaly", "cause"),
    [
        ("jobs-in-memory", "LOST", ONE),
        ("jobs-stuck", "STUCK", LOST),
        ("jobs-twice", "DUPLICATE_RUN", "background"),
        ("jobs-backwards", "BACKWARDS", LOST),
        ("jobs-own-results", "CHANGED", ONE),
    ],
)
def test_jobs_defect_fails_with_its_anomaly_and_cause(
    go: Simulate, app: str, anomaly: str, cause: str, seed: int
) -> None:
    """The verdict alone would not tell a developer what to mend."""
    result, _ = go(app, seed=seed)
    assert result.verdict is Verdict.FAIL, result.reason
    assert (anomaly, cause) in broken(result), broken(result)
    assert all(finding.fix and finding.chain for finding in result.findings)


def test_jobs_in_memory_behind_sticky_routing_go_with_their_instance(go: Simulate) -> None:
    """Users meet no other instance until theirs dies; the matrix does."""
    result, _ = go("jobs-in-memory", **{"balancer.mode": "sticky"})
    assert {("LOST", LOST), ("LOST", ONE)} <= broken(result)
    assert {cell.holds for cell in result.matrix if cell.writer != cell.reader} == {False}
    assert {cell.holds for cell in result.matrix if cell.writer == cell.reader} == {True}


def test_jobs_of_a_service_that_knows_every_id_are_no_evidence(go: Simulate) -> None:
    """Its check can't fail."""
    result, _ = go("jobs-every-id")
    assert result.verdict is Verdict.INVALID
    assert "cannot fail" in result.reason
    assert not result.kills


def test_jobs_that_never_run_are_no_evidence(go: Simulate) -> None:
    """Its check never held."""
    result, _ = go("jobs-idle")
    assert result.verdict is Verdict.INVALID
    assert "never held" in result.reason
    assert "pending" in result.reason


def test_jobs_whose_pending_is_not_said_are_not_understood(go: Simulate) -> None:
    """An answer that is neither done nor "not yet" in the plan's words shows nothing."""
    result, _ = go("jobs", replace=("pending: {text: running}, ", ""))
    assert result.verdict is Verdict.INVALID, result.reason
    assert "understood" in result.reason


def test_jobs_run_twice_go_unseen_without_a_ledger(go: Simulate) -> None:
    """What shows it is the ledger, and nothing else."""
    line = '    ledger: {get: "/exports/ledger?what=$value", values: "json:runs[*]"}\n'
    result, _ = go("jobs-twice", replace=(line, ""))
    assert not result.findings


def test_jobs_whose_ledger_never_lists_a_run_are_no_evidence(go: Simulate) -> None:
    """Jobs run twice would go unseen: that check can't hold."""
    result, _ = go("jobs-blank-ledger")
    assert result.verdict is Verdict.INVALID, result.reason
    assert "the ledger lists no run of a job that is done" in result.reason


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_jobs_whose_ledgers_are_each_instance_s_own_are_undecided(go: Simulate, seed: int) -> None:
    """Two runs of one job may stand in two ledgers, and the one that went with its instance can't be asked."""
    result, _ = go("jobs-ledger-each", seed=seed)
    assert result.verdict is Verdict.INCONCLUSIVE, result.reason
    assert not result.findings
    assert any("lists no run" in gate.actual for gate in result.gates)
