"""Whole runs of a service with a known defect, and with gates that are softer."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from chaoscheck.cli import actions
from chaoscheck.model.events import Event, StrikeBegan
from chaoscheck.model.verdict import Result, Verdict
from chaoscheck.plan.load import load_plan
from chaoscheck.run import Options, conclude, run
from chaoscheck.store import RunFolder, encode_result
from tests.simulate.conftest import PLAN

KNOWN = "known:\n- {promise: PROMISE, finding: LOST, because: TICKET-12, until: DAY}\n"
LATER, BEFORE = "2099-12-31", "1969-12-31"
"""A simulated run is of 1970-01-01."""


def known(promise: str, until: str = LATER) -> str:
    return KNOWN.replace("PROMISE", promise).replace("DAY", until)


def go(tmp_path: Path, app: str, more: str, *, fail_fast: bool = False) -> tuple[Result, RunFolder]:
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN.replace("[stateless]", f"[{app}]") + more)
    options = Options(reports=tmp_path / "reports", enough=actions.failed if fail_fast else None)
    return run(load_plan(path, environment={}), options)


def strikes(events: list[Event]) -> int:
    return sum(isinstance(event, StrikeBegan) for event in events)


@pytest.mark.parametrize("fail_fast", [False, True])
def test_known_loss_of_one_promise_lets_the_others_be_shown(tmp_path: Path, fail_fast: bool) -> None:
    """No stop at what is known, with or without fail-fast: the others gather all of their evidence, and pass."""
    result, folder = go(tmp_path, "local-reviews", known("reviews"), fail_fast=fail_fast)
    assert result.verdict is Verdict.PASS, result.reason
    verdicts = {one.promise: (one.verdict, one.known > 0) for one in result.promises}
    assert verdicts["login"] == verdicts["profile"] == (Verdict.PASS, False)
    assert verdicts["reviews"][1] and {one.promise for one in result.findings} == {"reviews"}
    assert "known to be broken: reviews" in result.reason
    assert strikes(folder.events()) >= 8
    assert encode_result(conclude(folder)) == encode_result(result)
    skipped = [
        case.get("name")
        for case in ET.parse(folder.path / "junit.xml").iter("testcase")
        if case.find("skipped") is not None
    ]
    assert skipped == ["reviews"]
    assert "KNOWN" in (folder.path / "summary.md").read_text()


def test_known_loss_that_is_over_fails_as_if_nobody_had_known(tmp_path: Path) -> None:
    """It ends at its first strikes again, and says why it was not red before."""
    result, _ = go(tmp_path, "local-reviews", known("reviews", BEFORE))
    assert result.verdict is Verdict.FAIL
    assert any("is over since 1969-12-31" in line for line in result.warnings)


def test_known_loss_does_not_cover_what_else_breaks(tmp_path: Path) -> None:
    """The login is known, the reviews are not: fail-fast ends at them."""
    result, _ = go(tmp_path, "memory", known("login"), fail_fast=True)
    assert result.verdict is Verdict.FAIL
    assert {one.promise for one in result.decisive} == {"reviews"}
    assert result.findings[0].promise == "reviews"
    said = next(line for line in result.warnings if "first confirmed failure" in line)
    assert "judged by what there was until then" in said and "--no-fail-fast goes on to the end" in said


def test_known_loss_that_no_longer_occurs_is_warned_of(tmp_path: Path) -> None:
    """The entry goes from the plan with the defect."""
    result, _ = go(tmp_path, "stateless", known("reviews"))
    assert result.verdict is Verdict.PASS
    assert result.warnings == ("known: reviews LOST did not occur; remove it from the plan, line 21",)


def test_promise_behind_a_login_that_is_known_to_be_broken_is_not_passed_in_silence(tmp_path: Path) -> None:
    """Its evidence can't be had: the run says so, at the first round that brings nothing, and how to go on."""
    entries = known("login") + known("reviews").removeprefix("known:\n")
    result, _ = go(tmp_path, "memory", entries)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "gates: {profile: warn} lets a run pass that can't see this" in result.reason
    assert any("leaves no evidence of login, profile, reviews to gather" in line for line in result.warnings)
    assert len(result.kills) <= 12


def test_promise_at_warn_is_shown_and_fails_nothing(tmp_path: Path) -> None:
    """Not known, not hidden: its findings are there, and the run is the other promises'."""
    result, _ = go(tmp_path, "local-reviews", "gates: {reviews: warn, budget: off}\n", fail_fast=True)
    assert result.verdict is Verdict.PASS, result.reason
    assert result.findings and not result.decisive
    assert "at warn, so not counted: reviews FAIL" in result.reason and "off: baseline within the SLO" in result.reason


def test_known_login_beside_promises_at_warn_is_no_pass(tmp_path: Path) -> None:
    """Zero exposures, one promise known, one not shown, one broken: nothing is left that a pass could stand on."""
    result, _ = go(tmp_path, "memory", known("login") + "gates: {profile: warn, reviews: warn}\n")
    assert result.verdict is Verdict.INCONCLUSIVE, result.reason
    assert "a promise decides" in {gate.name for gate in result.gates if gate.verdict is Verdict.INCONCLUSIVE}
