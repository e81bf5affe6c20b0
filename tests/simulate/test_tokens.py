"""Tokens: whole runs on services that treat them as they should, and on those that fail at it in their usual ways."""

from __future__ import annotations

import pytest

from chaoscheck.model.history import raw_file
from chaoscheck.model.verdict import Result, Verdict
from tests.simulate.conftest import Simulate

PLAN = """\
target: {command: [tokens], ready: /healthz}
engine: fake
promises:
  login:
    kind: session
    do:   {post: /login, json: {user: $user, password: pw}, expect: 200}
    see:  {get: /me, value: "json:user", expect: {status: 200, value: $user}}
    undo: {post: /logout, expect: 204}
  tokens:
    kind: token
    do:   {post: /tokens, json: {user: $user, password: pw}, expect: 201, take: {token: "json:token"}}
    see:  {get: /whoami, headers: {Authorization: Bearer $token}, value: "json:user", expect: {value: $user}}
    undo: {post: /tokens/revoke, headers: {Authorization: Bearer $token}, expect: 204}
evidence: {max_loss: 10%}
chaos: {baseline: 2s, settle: 0.5s, at_most: 40s}
"""


@pytest.fixture
def mint(whole: Simulate) -> Simulate:
    """Runs that service: `mint("key-per-process", {"promises.tokens.grace": "1s"}, seed=2)`."""
    return lambda app, more=None, **keys: whole(PLAN, app, **(more or {}), **keys)


def found(result: Result) -> set[tuple[str, str]]:
    assert all(one.promise == "tokens" for one in result.findings)
    return {(one.anomaly, one.cause.value) for one in result.findings if one.verdict is Verdict.FAIL}


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("app", ["tokens", "says-inactive"])
def test_tokens_of_one_key_and_a_shared_list_pass(mint: Simulate, app: str, seed: int) -> None:
    """Minted, used, revoked and tried again, through kills; a refusal may be a word instead of a status."""
    result, folder = mint(app, seed=seed)
    assert result.verdict is Verdict.PASS, result.reason
    assert not result.findings
    tokens = next(one for one in result.promises if one.promise == "tokens")
    assert tokens.exposures >= tokens.needed
    assert tokens.outcomes["undo/ok"] > 20
    assert tokens.outcomes["see/gone"] > 20
    ends = [
        op for path in folder.histories() for op in raw_file(path) if isinstance(op, tuple) and op[8:9] == ("final",)
    ]
    assert {op[14] for op in ends if op[2] == "tokens"} >= {"ok", "gone"}
    looked = next(gate for gate in result.gates if gate.name == "tokens: what it gives out was looked into")
    assert looked.n > 0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_token_of_a_key_per_process_fails_without_a_kill(mint: Simulate, seed: int) -> None:
    """On the very instance that minted it."""
    result, _ = mint("key-per-process", seed=seed)
    assert ("LOST", "state in one worker process") in found(result)
    assert {cause for _, cause in found(result)} == {"state in one worker process"}
    assert "signing key" in result.findings[0].fix


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    ("mode", "cause"), [("round-robin", "state in one instance"), ("sticky", "lost with the instance")]
)
def test_token_of_a_key_per_instance_is_refused_elsewhere(mint: Simulate, mode: str, cause: str, seed: int) -> None:
    """Behind stickiness a death shows it to users."""
    result, _ = mint("key-per-instance", seed=seed, **{"balancer.mode": mode})
    assert ("LOST", cause) in found(result)
    assert ("LOST", "state in one instance") in found(result)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("app", ["revoked-in-memory", "inactive-in-memory"])
def test_revocation_that_one_instance_keeps_to_itself_is_found(mint: Simulate, app: str, seed: int) -> None:
    """The matrix and users both see a revoked token accepted."""
    result, _ = mint(app, seed=seed)
    assert ("REVOKED_ACCEPTED", "state in one instance") in found(result)
    assert not any(anomaly == "LOST" for anomaly, _ in found(result))
    assert any(one.phase == "matrix" for one in result.findings)
    by_users = next(one for one in result.findings if one.phase != "matrix")
    assert any("tokens/revoke" in link.curl for link in by_users.chain)
    by_matrix = next(one for one in result.findings if one.phase == "matrix")
    shown = [link.status for link in by_matrix.chain if "tokens" in link.curl or "whoami" in link.curl]
    assert shown == [201, 204, 200]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_revocation_that_dies_with_its_instance_is_that_kill_s_doing(mint: Simulate, seed: int) -> None:
    """Behind stickiness nobody else is asked before the death."""
    result, _ = mint("revoked-in-memory", seed=seed, **{"balancer.mode": "sticky"})
    assert ("REVOKED_ACCEPTED", "lost with the instance") in found(result)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_revocation_within_its_grace_passes_and_fails_without_one(mint: Simulate, seed: int) -> None:
    """A list that is fetched four times a second is late by a quarter of a second at most."""
    result, _ = mint("revoked-by-poll", {"promises.tokens.grace": "300ms"}, seed=seed)
    assert result.verdict is Verdict.PASS, result.reason
    result, _ = mint("revoked-by-poll", seed=seed)
    assert "REVOKED_ACCEPTED" in {anomaly for anomaly, _ in found(result)}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_revocation_that_nobody_keeps_is_found(mint: Simulate, seed: int) -> None:
    """No instance and no kill is to blame for it."""
    result, _ = mint("never-revoked", seed=seed)
    assert {anomaly for anomaly, _ in found(result)} == {"REVOKED_ACCEPTED"}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_token_that_gives_another_user_s_identity_is_critical(mint: Simulate, seed: int) -> None:
    """The worst that a token can do."""
    result, _ = mint("wrong-holder", seed=seed)
    assert result.findings[0].anomaly == "WRONG_USER"
    assert result.findings[0].critical


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    ("app", "more", "anomaly", "says"),
    [
        ("personal-token", {}, "READABLE", "'email' in the payload of the JWT"),
        ("fat-token", {}, "TOO_LARGE", "4096 are allowed"),
        ("tokens", {"promises.tokens.max_size": "100 B"}, "TOO_LARGE", "100 are allowed"),
        ("unsigned-token", {}, "UNSIGNED", "alg: none"),
    ],
    ids=["personal", "fat", "budget", "unsigned"],
)
def test_token_that_is_wrong_by_itself_fails_without_a_kill(
    mint: Simulate, app: str, more: dict[str, str], anomaly: str, says: str, seed: int
) -> None:
    """Seen in the controls, judged from the event; what stood in the token stands nowhere."""
    result, folder = mint(app, more, seed=seed, **{"chaos.at_most": "2s", "traffic.rate": 30})
    assert found(result) == {(anomaly, "its own content")}
    assert says in result.findings[0].summary
    written = [path for path in folder.path.rglob("*") if path.is_file()]
    assert written
    assert not any("eyJ" in path.read_text() or "customers.example" in path.read_text() for path in written)


def test_check_that_no_token_can_fail_proves_nothing(mint: Simulate) -> None:
    """Whoever is let in without one."""
    result, _ = mint("any-token")
    assert result.verdict is Verdict.INVALID
    assert "this check cannot fail" in result.reason
