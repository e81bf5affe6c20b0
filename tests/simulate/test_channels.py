"""Live messages in simulated time: hubs that keep the promise, and each way to break it with its finding and cause."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaoscheck.model.verdict import Verdict
from chaoscheck.plan.load import load_plan
from chaoscheck.run import Options, conclude, run
from chaoscheck.store import encode_result
from tests.simulate.conftest import Simulate, broken, gates

PLAN = """\
target: {command: [channel], ready: /healthz}
engine: fake
promises:
  login:
    kind: session
    do:   {post: /login, json: {user: $user, password: pw}, expect: 200}
    see:  {get: /me, value: "json:user", expect: {status: 200, value: $user}}
  notices:
    kind: channel
    within: 1s
    do:   {post: /notify, json: {text: $value}, expect: 202}
    see:  SEE
evidence: {max_loss: 10%}
chaos: {baseline: 3s, settle: 0.5s, at_most: 40s}
"""
READY = '{websocket: /ws, value: "json:text", expect: {text: ready}}'
ECHO = '{websocket: /ws, value: "json:text"}'
EVENTS = '{events: /events, value: "json:text", expect: {text: ready}}'


@pytest.fixture
def listen(whole: Simulate) -> Simulate:
    """Runs that service with that `see`: `listen("channel-memory", READY, seed=2)`."""
    return lambda app, see=READY, **keys: whole(PLAN.replace("SEE", see), app, **keys)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(("app", "see"), [("channel", READY), ("channel-quiet", ECHO), ("channel", EVENTS)])
def test_shared_hub_passes(listen: Simulate, app: str, see: str, seed: int) -> None:
    """Every message is heard, wherever it was published, with and without a greeting, over reconnects."""
    result, _ = listen(app, see, seed=seed)
    assert result.verdict is Verdict.PASS, result.reason + gates(result, Verdict.INCONCLUSIVE)
    assert not result.findings
    assert all(promise.exposures >= promise.needed for promise in result.promises)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    ("app", "anomaly", "cause"),
    [
        ("channel-memory", "DEAF_INSTANCE", "state in one instance"),
        ("channel-buffered", "LOST_MESSAGE", "acknowledged before persisted"),
        ("channel-lossy", "LOST_MESSAGE", "background"),
        ("channel-reordering", "REORDERED", "background"),
        ("channel-late", "LATE_MESSAGE", "background"),
        ("channel-gossiping", "CROSS_SESSION", "background"),
    ],
)
def test_broken_hub_fails_with_its_finding_and_cause(
    listen: Simulate, app: str, anomaly: str, cause: str, seed: int
) -> None:
    """The verdict alone would not tell a developer what to mend."""
    result, _ = listen(app, seed=seed)
    assert result.verdict is Verdict.FAIL, result.reason
    assert (anomaly, cause) in broken(result)
    assert all(one.fix and one.chain for one in result.findings)


def test_message_to_another_user_is_critical(listen: Simulate) -> None:
    """The worst that a channel can do leads the report."""
    result, _ = listen("channel-gossiping")
    assert result.findings[0].critical


def test_memory_hub_behind_sticky_routing_is_found_by_the_matrix(listen: Simulate) -> None:
    """Stickiness hides nothing from those who ask each instance."""
    result, _ = listen("channel-memory", **{"balancer.mode": "sticky"})
    assert result.verdict is Verdict.FAIL
    assert ("DEAF_INSTANCE", "state in one instance") in broken(result)


@pytest.mark.parametrize(
    ("app", "said"),
    [("channel-refusing", "status 403"), ("channel-mute", "no message came back")],
)
def test_channel_that_shows_nothing_is_invalid_and_says_where(listen: Simulate, app: str, said: str) -> None:
    """A refused upgrade, or a subscription without echo: seen before any traffic, with file, line and answer."""
    result, _ = listen(app, ECHO)
    assert result.verdict is Verdict.INVALID
    assert said in result.reason
    assert "plan.yaml:12" in result.reason
    assert not result.kills


def test_ready_message_that_never_comes_is_invalid(listen: Simulate) -> None:
    """The plan waits for words that the service never says."""
    result, _ = listen("channel", '{websocket: /ws, value: "json:text", expect: {text: welcome}}')
    assert result.verdict is Verdict.INVALID
    assert "no ready message within 1 s" in result.reason


def test_judging_a_channel_again_gives_the_same_bytes(listen: Simulate) -> None:
    """What was heard, and since when one listened, stands in the history."""
    result, folder = listen("channel-lossy")
    before = folder.result_file.read_bytes()
    assert conclude(folder) == result
    assert folder.result_file.read_bytes() == before == encode_result(result)


def test_tolerated_losses_do_not_cut_the_run_short(tmp_path: Path) -> None:
    """A plan that declares what a kill may cost gets all its kills and shams, and a verdict."""
    path = tmp_path / "declared.yaml"
    path.write_text(PLAN.replace("SEE", READY).replace("within: 1s", "survives: [another-instance]\n    within: 1s"))
    loaded = load_plan(path, overrides={("target", "command"): ["channel-buffered"]}, environment={})
    result, _ = run(loaded, Options(reports=tmp_path / "reports"))
    assert result.verdict is Verdict.PASS, result.reason
    assert not result.findings
