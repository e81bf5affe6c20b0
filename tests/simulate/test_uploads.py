"""Uploads: whole runs on services that keep files as they should, and on those that fail at it in their usual ways."""

from __future__ import annotations

import pytest

from chaoscheck.model.verdict import Result, Verdict
from tests.simulate.conftest import Simulate

PLAN = """\
target: {{command: [uploads], ready: /healthz}}
engine: fake
promises:
  login:
    kind: session
    do:   {{post: /login, json: {{user: $user, password: pw}}, expect: 200}}
    see:  {{get: /me, value: "json:user", expect: {{status: 200, value: $user}}}}
{uploads}
evidence: {{max_loss: 10%}}
chaos: {{baseline: 2s, settle: 0.5s, at_most: 40s}}
traffic: {{rate: 200}}
"""
BY_ID = """\
  uploads:
    kind: blob
    size: 4 kB
    do:   {post: /uploads, upload: file, form: {title: $value}, expect: 201, take: {id: "json:id"}}
    see:  {get: /uploads/$id}
"""
BY_NAME = """\
  uploads:
    kind: blob
    size: 4 kB
    do:   {put: /files/$value, body: $blob, expect: 201}
    see:  {get: /files/$value}
"""
REPLACED = """\
  uploads:
    kind: blob
    of: session
    size: 4 kB
    do:   {put: /picture, body: $blob, expect: 201}
    see:  {get: /picture}
"""


@pytest.fixture
def upload(whole: Simulate) -> Simulate:
    """Runs that service with that promise: `upload("torn-uploads", BY_NAME, seed=2)`."""
    return lambda app, promise, **keys: whole(PLAN.format(uploads=promise), app, **keys)


def found(result: Result) -> set[tuple[str, str, str]]:
    return {(one.promise, one.anomaly, one.cause.value) for one in result.findings if one.verdict is Verdict.FAIL}


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("promise", [BY_ID, BY_NAME, REPLACED], ids=["by-id", "by-name", "replaced"])
def test_uploads_kept_as_they_should_be_pass(upload: Simulate, promise: str, seed: int) -> None:
    """Multipart and raw, by address and by name, new ones and replaced ones; enough was exposed to say so."""
    result, _ = upload("uploads", promise, seed=seed)
    assert result.verdict is Verdict.PASS, result.reason
    assert all(one.exposures >= one.needed for one in result.promises)
    assert not result.findings


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("promise", [BY_NAME, REPLACED], ids=["by-name", "replaced"])
def test_slow_uploads_that_appear_at_once_pass(upload: Simulate, promise: str, seed: int) -> None:
    """Deaths in mid-write leave nothing: an absent upload that nobody acknowledged breaks no promise."""
    result, _ = upload("slow-uploads", promise, seed=seed)
    assert result.verdict is Verdict.PASS, result.reason


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("promise", [BY_NAME, REPLACED], ids=["by-name", "replaced"])
def test_uploads_torn_by_a_death_are_found(upload: Simulate, promise: str, seed: int) -> None:
    """Nobody acknowledged them: only reading back what was under way at a death shows it, and the kill is named."""
    result, _ = upload("torn-uploads", promise, seed=seed)
    assert result.verdict is Verdict.FAIL, result.reason
    assert ("uploads", "TORN", "cut off in mid-write") in found(result)
    torn = next(one for one in result.findings if one.anomaly == "TORN")
    assert torn.strike >= 0
    assert torn.seen.startswith("torn:")
    assert any("--data-binary @" in link.curl for link in torn.chain)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    ("mode", "cause"), [("round-robin", "state in one instance"), ("sticky", "lost with the instance")]
)
def test_uploads_on_the_instance_s_own_disk_are_lost(upload: Simulate, mode: str, cause: str, seed: int) -> None:
    """Elsewhere they are missing at once; behind stickiness a death loses them."""
    result, _ = upload("local-uploads", BY_ID, seed=seed, **{"balancer.mode": mode})
    assert result.verdict is Verdict.FAIL, result.reason
    assert ("uploads", "LOST", cause) in found(result)
    assert any("-F file=@" in link.curl for one in result.findings for link in one.chain)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_another_user_s_file_is_critical(upload: Simulate, seed: int) -> None:
    """The worst that a download can do."""
    result, _ = upload("mixed-up-uploads", BY_ID, seed=seed)
    assert result.verdict is Verdict.FAIL
    assert result.findings[0].critical
    assert result.findings[0].anomaly == "CROSS_SESSION"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_copy_that_is_never_told_of_a_new_version_is_stale(upload: Simulate, seed: int) -> None:
    """It isn't lost: another instance has the newest."""
    result, _ = upload("stale-uploads", REPLACED, seed=seed)
    assert result.verdict is Verdict.FAIL
    assert ("uploads", "STALE", "state in one instance") in found(result)
    assert not any(one.anomaly == "LOST" for one in result.findings)
