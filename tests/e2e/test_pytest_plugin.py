"""A service's own suite asks whether it survives, in processes of its own; the services are simulated."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parents[2]
PLAN = """\
target: {command: [APP], ready: /healthz}
engine: fake
promises:
  login:
    kind: session
    do:   {post: /login, json: {user: $user, password: pw}, expect: 200}
    see:  {get: /me, value: "json:user", expect: {status: 200, value: $user}}
evidence: {max_loss: 30%}
traffic: {users: 12, rate: 60}
chaos: {rounds: 1, shams: 1, baseline: 1s, settle: 0.5s, at_most: 10s}
"""
SUITE = """\
import pytest

@pytest.mark.chaoscheck("good.yaml")
def test_sound(chaoscheck_result):
    assert chaoscheck_result.verdict == "PASS"

@pytest.mark.chaoscheck("memory.yaml")
def test_asserted(chaoscheck_result):
    assert chaoscheck_result.verdict == "PASS"

@pytest.mark.chaoscheck("memory.yaml")
def test_forgotten(chaoscheck_result):
    pass

@pytest.mark.chaoscheck("memory.yaml", verdict="FAIL")
def test_known_bad(chaoscheck_result):
    assert chaoscheck_result.findings

def test_by_hand(chaoscheck_run):
    assert chaoscheck_run("good.yaml", seed=3).seed == 3

def test_judged_by_hand(chaoscheck_run):
    assert chaoscheck_run("memory.yaml").verdict == "PASS", "verdict was looked at"

def test_in_a_word(assert_survives):
    assert_survives("memory.yaml")

@pytest.mark.chaoscheck("good.yaml", evidence__max_loss="0.1%", chaos__at_most="1s")
def test_not_shown(chaoscheck_result):
    assert chaoscheck_result.verdict == "PASS"

@pytest.mark.chaoscheck("good.yaml", target__ready="/nowhere", target__port="x")
def test_nonsense(chaoscheck_result):
    pass

@pytest.mark.chaoscheck("good.yaml")
def test_never_run():
    pass

@pytest.mark.chaoscheck("good.yaml")
def test_wrong_for_another_reason(chaoscheck_result):
    assert 1 + 1 == 3
"""


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A suite beside two plans: one of a sound service, one of a service with sessions in memory."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.path.joinpath("good.yaml").write_text(PLAN.replace("APP", "stateless"))
    pytester.path.joinpath("memory.yaml").write_text(PLAN.replace("APP", "memory"))
    return pytester


def run(suite: pytest.Pytester, *words: str) -> pytest.RunResult:
    return suite.runpytest_subprocess("-p", "chaoscheck.pytest_plugin", *words, timeout=90)


def section(text: str, name: str) -> str:
    """What the report of failures says of one test."""
    after = text[text.index(f"_ {name} _") :]
    return after[: after.index("\n___", 1) if "\n___" in after[1:] else None]


def test_verdicts_become_outcomes_of_tests(suite: pytest.Pytester) -> None:
    """A PASS passes; everything else fails, says why in our words and never in a traceback; nothing is skipped."""
    suite.makepyfile(SUITE)
    done = run(suite, "-v")
    text = done.stdout.str()
    done.assert_outcomes(passed=3, failed=6, errors=2)
    for name in ("test_sound", "test_known_bad", "test_by_hand"):
        assert f"{name} PASSED" in text
    for name in ("test_asserted", "test_forgotten", "test_in_a_word", "test_judged_by_hand"):
        said = section(text, name)
        assert "FAIL  login:" in said
        assert "state in one instance" in said
        assert "curl -si" in said
        assert "report  reports/2" in said
        assert "Traceback" not in said
        assert ".py:" not in said
    assert "verdict was looked at" in section(text, "test_judged_by_hand")
    assert "test_not_shown INCONCLUSIVE" in text
    assert "more exposures are needed" in section(text, "test_not_shown")
    assert "INVALID  good.yaml:1: target.port" in section(text, "ERROR at setup of test_nonsense")
    assert "1 + 1 == 3" in section(text, "test_wrong_for_another_reason")
    assert "doesn't ask for the fixture" in section(text, "ERROR at setup of test_never_run")


def test_plan_file_is_a_test_by_its_name(suite: pytest.Pytester) -> None:
    """`*.chaos.yaml` needs no Python; options say where and with which engine."""
    suite.path.joinpath("shop.chaos.yaml").write_text(PLAN.replace("APP", "memory").replace("fake", "docker"))
    done = run(suite, "--chaoscheck-engine", "fake", "--chaoscheck-reports", "out")
    done.assert_outcomes(failed=1)
    assert "FAIL  login:" in done.stdout.str()
    assert list(suite.path.glob("out/2*/report.html"))
    run(suite, "-m", "not chaoscheck").assert_outcomes(deselected=1)


def test_runs_of_parallel_workers_do_not_meet(suite: pytest.Pytester) -> None:
    """Two workers of xdist: each run has a folder of its own, and what failed is told by the controller."""
    suite.makepyfile(SUITE[: SUITE.index('@pytest.mark.chaoscheck("memory.yaml")\ndef test_forgotten')])
    done = run(suite, "-p", "xdist", "-n", "2")
    done.assert_outcomes(passed=1, failed=1)
    assert "FAIL  login:" in done.stdout.str()
    assert len(list(suite.path.glob("reports/2*"))) == 2


def test_unused_plugin_costs_nothing() -> None:
    """Whoever has chaoscheck installed has the plugin in every suite: it must load nothing and patch nothing."""
    code = (
        "import sys, chaoscheck.pytest_plugin\n"
        "heavy = {'locust', 'gevent', 'rich', 'typer', 'pydantic', 'docker', 'requests', 'lxml', 'chaoscheck.run'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == "[]\n"


def test_plugin_is_announced_to_pytest() -> None:
    """Installing is enough."""
    assert 'chaoscheck = "chaoscheck.pytest_plugin"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
