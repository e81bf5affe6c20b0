"""Rate limits that are counted rightly, and wrongly: each ends in its verdict, its anomaly and its cause."""

from __future__ import annotations

from typing import Any

import pytest

from chaoscheck.model.verdict import Result, Verdict
from chaoscheck.run import conclude
from chaoscheck.store import RunFolder, encode_result
from tests.simulate.conftest import Simulate, broken

PLAN = """\
target: {command: [limit], ready: /healthz}
engine: fake
promises:
  login:
    kind: session
    do:   {post: /login, json: {user: $user, password: pw}, expect: 200}
    see:  {get: /me, value: "json:user", expect: {status: 200, value: $user}}
    undo: {post: /logout, expect: 204}
  search:
    kind: limit
    allow: 5 per 2s
    window: WINDOW
    do:   {get: "/search?q=$value", expect: 200}
evidence: {max_loss: 10%}
budget: {slo: 99.9% over 30d, deaths: 200/month, spend: 10%}
chaos: {baseline: 4s, settle: 0.5s, at_most: 60s}
"""


@pytest.fixture
def limited(whole: Simulate) -> Simulate:
    """Runs that shop; `mode` is the balancer's."""

    def go(
        app: str, window: str = "sliding", *, mode: str = "round-robin", text: str = PLAN, **keys: Any
    ) -> tuple[Result, RunFolder]:
        return whole(text.replace("WINDOW", window), app, **{"balancer.mode": mode, "seed": 1, **keys})

    return go


def why(result: Result) -> str:
    gates = "; ".join(f"{gate.name}: {gate.actual} {gate.detail}" for gate in result.gates if gate.verdict.rank)
    return f"{result.reason} | {gates}"


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    ("app", "window", "mode"),
    [
        ("limit", "sliding", "round-robin"),
        ("limit-fixed", "fixed", "round-robin"),
        ("limit-first-request", "fixed", "round-robin"),
        ("limit-bucket", "bucket", "round-robin"),
    ],
)
def test_limit_that_is_counted_together_passes(limited: Simulate, app: str, window: str, mode: str, seed: int) -> None:
    """Every kill is followed by a refusal that only the victim's own admissions explain; refusals cost no budget."""
    result, _ = limited(app, window, mode=mode, seed=seed)
    assert result.verdict is Verdict.PASS, why(result)
    judged = next(one for one in result.promises if one.promise == "search")
    assert judged.exposures == judged.kills_exposed >= judged.needed == 6
    assert judged.outcomes["do/fail"] > 0


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    ("app", "window", "mode", "anomaly", "cause"),
    [
        ("limit-each", "sliding", "round-robin", "OVER_ADMIT", "state in one instance"),
        ("limit-each-fixed", "fixed", "round-robin", "OVER_ADMIT", "state in one instance"),
        ("limit-each-bucket", "bucket", "round-robin", "OVER_ADMIT", "state in one instance"),
        ("limit-each", "sliding", "sticky", "RESET", "lost with the instance"),
        ("limit-owned", "sliding", "round-robin", "RESET", "lost with the instance"),
        ("limit-strict", "sliding", "round-robin", "OVER_REJECT", "background"),
        ("limit-twice", "sliding", "round-robin", "OVER_REJECT", "background"),
        ("limit-leaky", "sliding", "round-robin", "OVER_ADMIT", "background"),
        ("limit-one-too-many", "sliding", "round-robin", "OVER_ADMIT", "background"),
    ],
)
def test_limit_with_a_defect_fails_with_its_anomaly_and_cause(
    limited: Simulate, app: str, window: str, mode: str, anomaly: str, cause: str, seed: int
) -> None:
    """The cause tells who has to change what."""
    result, _ = limited(app, window, mode=mode, seed=seed)
    assert result.verdict is Verdict.FAIL, why(result)
    assert (anomaly, cause) in broken(result), why(result)
    assert {one[0] for one in broken(result)} <= {anomaly, "OVER_ADMIT"}
    assert all(one.fix and one.chain for one in result.findings)


def test_limit_that_all_count_together_is_no_instance_s_or_process_s_own(limited: Simulate) -> None:
    """One too many is let in by all of them together, in the matrix as under load."""
    result, _ = limited("limit-one-too-many")
    assert {one.cause.value for one in result.findings} == {"background"}


def test_limit_whose_first_answer_is_an_error_is_asked_again(limited: Simulate) -> None:
    """An error is no word of the limiter: the plan's check still holds, and nobody's limit is another's."""
    result, _ = limited("limit-stumbling")
    assert "used up another's limit" not in result.reason
    assert next(gate for gate in result.gates if gate.name == "search: its check can hold").verdict is Verdict.PASS


def test_limit_of_a_run_without_kills_is_not_called_declared(limited: Simulate) -> None:
    """No kill was needed, for there was none; the plan declared nothing."""
    result, _ = limited("limit-none")
    search = next(gate for gate in result.gates if gate.name == "search")
    assert "declared" not in search.actual


def test_reset_is_blamed_on_its_kill_and_shows_both_sides_of_it(limited: Simulate) -> None:
    """The chain: what was admitted before, the death, and the one that was too many."""
    result, _ = limited("limit-owned")
    one = next(one for one in result.findings if one.anomaly == "RESET")
    assert one.strike >= 0
    assert "5 allowed per 2 s" in one.summary
    places = ["death" if link.curl.startswith("# kill") else link.status for link in one.chain[1:]]
    assert places.index("death") > 0
    assert places[-1] == 200
    assert len(places) >= 6


def test_admitted_beside_the_number_of_instances_is_what_is_told(limited: Simulate) -> None:
    """Three instances, three times the limit."""
    result, _ = limited("limit-each")
    assert any("15 admitted" in one.seen and "by 3 instances" in one.seen for one in result.findings) or any(
        "5 on web-1.1 and 5 more on web-2.1" in one.seen for one in result.findings
    )


@pytest.mark.parametrize(
    ("app", "said"),
    [
        ("limit-none", "requests one after the other were all let in"),
        ("limit-for-all", "one user's requests used up another's limit"),
        ("limit-own-words", "no refusal that the plan knows, but 403"),
    ],
)
def test_limit_that_cannot_be_seen_is_invalid_before_any_traffic(limited: Simulate, app: str, said: str) -> None:
    """No limiter, one for all users, or refusals that the plan doesn't know."""
    result, _ = limited(app)
    assert result.verdict is Verdict.INVALID
    assert said in result.reason
    assert not result.kills


def test_refusals_in_the_service_s_own_words_are_known_by_the_plan_s(limited: Simulate) -> None:
    """`refused` says what they look like."""
    text = PLAN.replace("expect: 200}\nevidence", "expect: 200, refused: {status: 403, text: slow down}}\nevidence")
    result, _ = limited("limit-own-words", text=text)
    assert result.verdict is Verdict.PASS, why(result)


def test_judging_a_limit_again_gives_the_same_bytes(limited: Simulate) -> None:
    """All that was counted stands in the history."""
    result, folder = limited("limit-owned", seed=2)
    before = folder.result_file.read_bytes()
    assert conclude(folder) == result
    assert folder.result_file.read_bytes() == before == encode_result(result)
