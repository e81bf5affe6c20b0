"""Whole runs on services with a nightly job: one observer sees what each defect does to its ticks."""

from __future__ import annotations

from functools import partial

import pytest

from chaoscheck.model.history import read_file
from chaoscheck.model.ops import Lane, Op
from chaoscheck.model.verdict import Verdict
from chaoscheck.run import conclude
from chaoscheck.store import RunFolder, encode_result
from tests.simulate.conftest import Simulate, broken

PLAN = """\
target: {command: [nightly], ready: /healthz}
engine: fake
promises:
  login:
    kind: session
    do:   {post: /login, json: {user: $user, password: pw}, expect: 200}
    see:  {get: /me, value: "json:user", expect: {status: 200, value: $user}}
    undo: {post: /logout, expect: 204}
  nightly:
    kind: schedule
    every: 1s
    lock: 1s
    see: {get: /nightly/runs, values: "json:runs[*].tick"}
evidence: {max_loss: 10%}
chaos: {baseline: 5s, settle: 0.5s, at_most: 90s}
"""
LOST, ONE = "lost with the instance", "state in one instance"


@pytest.fixture
def go(whole: Simulate) -> Simulate:
    return partial(whole, PLAN)


def watched(folder: RunFolder) -> list[Op]:
    """What the observers asked, of all workers."""
    rows = [row for path in folder.history.glob("w*.ndjson") for row in read_file(path) if isinstance(row, Op)]
    return [row for row in rows if row.promise == "nightly" and row.lane == Lane.WATCH.value]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_claimed_ticks_pass(go: Simulate, seed: int) -> None:
    """After every kill the next tick ran once."""
    result, folder = go("nightly", seed=seed)
    assert result.verdict is Verdict.PASS, result.reason
    assert not result.findings
    nightly = next(one for one in result.promises if one.promise == "nightly")
    assert nightly.exposures == nightly.needed == len([kill for kill in result.kills if kill.mode != "sham"])
    assert conclude(folder) == result
    assert folder.result_file.read_bytes() == encode_result(result)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    ("app", "anomaly", "cause"),
    [
        ("nightly-each", "DUPLICATE_RUN", ONE),
        ("nightly-own-ledgers", "DUPLICATE_RUN", ONE),
        ("nightly-lost", "MISSED_TICK", LOST),
        ("nightly-one-leader", "STALLED", LOST),
    ],
)
def test_schedule_defect_fails_with_its_anomaly_and_cause(
    go: Simulate, app: str, anomaly: str, cause: str, seed: int
) -> None:
    """And with nothing else."""
    result, _ = go(app, seed=seed)
    assert result.verdict is Verdict.FAIL, result.reason
    assert broken(result) == {(anomaly, cause)}
    assert all(finding.fix and finding.chain for finding in result.findings)


def test_one_observer_of_one_worker_asks_every_instance_in_turn(go: Simulate) -> None:
    """Users don't look; every incarnation that served was asked, straight and about as often."""
    result, folder = go("nightly", **{"traffic.workers": 2})
    assert result.verdict is Verdict.PASS, result.reason
    asked = watched(folder)
    assert len({each.session for each in asked}) == 1
    assert {each.via for each in asked} >= set(result.instances_share)
    assert "lb" not in {each.via for each in asked}


@pytest.mark.parametrize(("app", "said"), [("nightly-counts-reads", "cannot fail"), ("nightly-never", "never held")])
def test_schedule_whose_check_tells_nothing_is_invalid(go: Simulate, app: str, said: str) -> None:
    """It grows with every question, or not at all."""
    result, _ = go(app)
    assert result.verdict is Verdict.INVALID
    assert said in result.reason
    assert not result.kills


def test_schedule_whose_ticks_are_too_rare_for_the_run_is_inconclusive(
    go: Simulate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Controls saw it run; then nobody could ask: without ticks nothing is proven."""
    monkeypatch.setattr("chaoscheck.traffic.crew.Crew._observe", lambda self: None)
    result, _ = go("nightly")
    assert result.verdict is Verdict.INCONCLUSIVE
    assert next(one for one in result.promises if one.promise == "nightly").exposures == 0
