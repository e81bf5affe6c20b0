"""Whole runs in simulated time: the same controller, sessions, checkers and judge, on services made to order."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from chaoscheck.model.verdict import Result, Verdict
from chaoscheck.plan.load import load_plan
from chaoscheck.run import Options, run
from chaoscheck.store import RunFolder

PLAN = """\
target: {command: [stateless], ready: /healthz}
engine: fake
promises:
  login:
    kind: session
    do:   {post: /login, json: {user: $user, password: pw}, expect: 200}
    see:  {get: /me, value: "json:user", expect: {status: 200, value: $user}}
    undo: {post: /logout, expect: 204}
  profile:
    kind: register
    do:   {put: /profile, json: {nickname: $value}, expect: 200}
    see:  {get: /profile, value: "json:nickname", expect: 200}
  reviews:
    kind: kept
    do:   {post: /reviews, json: {text: $value}, expect: 201}
    see:  {get: "/reviews?q=$value", as: guest, expect: $value}
budget: {slo: 99.9% over 30d, deaths: 200/month, spend: 10%}
evidence: {max_loss: 10%}
chaos: {baseline: 2s, settle: 0.5s, at_most: 40s}
"""

Simulate = Callable[..., tuple[Result, RunFolder]]


@pytest.fixture
def whole(tmp_path: Path) -> Simulate:
    """Runs a plan's text to its end: `whole(PLAN, "memory", **{"balancer.mode": "sticky"})`; keys win over the text."""

    def go(text: str, app: str, **keys: Any) -> tuple[Result, RunFolder]:
        path = tmp_path / "plan.yaml"
        path.write_text(text)
        overrides = {("target", "command"): [app], **{tuple(key.split(".")): value for key, value in keys.items()}}
        return run(load_plan(path, overrides=overrides, environment={}), Options(reports=tmp_path / "reports"))

    return go


@pytest.fixture
def simulate(whole: Simulate) -> Simulate:
    """Runs that service: `simulate("memory", **{"balancer.mode": "sticky"})`; `replace` replaces text of the plan."""
    return partial(swapped, whole, PLAN)


def swapped(
    whole: Simulate, text: str, app: str, *, replace: tuple[str, str] = ("", ""), **keys: Any
) -> tuple[Result, RunFolder]:
    """`whole`, a part of the plan's text replaced by another."""
    assert replace[0] in text
    return whole(text.replace(*replace, 1) if replace[0] else text, app, **keys)


def broken(result: Result) -> set[tuple[str, str]]:
    """The anomalies that fail the run, and their causes."""
    return {(one.anomaly, one.cause.value) for one in result.findings if one.verdict is Verdict.FAIL}


def gates(result: Result, verdict: Verdict) -> str:
    """What the gates of that verdict say."""
    return "; ".join(f"{gate.name}: {gate.actual} {gate.detail}" for gate in result.gates if gate.verdict is verdict)
