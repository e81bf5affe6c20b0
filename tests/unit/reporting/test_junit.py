"""junit.xml: what CI systems show must never be greener than the verdict."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from samples import results

from chaoscheck.model.verdict import Verdict
from chaoscheck.reporting.junit import junit


@pytest.mark.parametrize(
    ("verdict", "tag"), [(Verdict.FAIL, "failure"), (Verdict.INVALID, "error"), (Verdict.INCONCLUSIVE, "failure")]
)
def test_junit_of_a_run_that_is_no_pass_is_red(verdict: Verdict, tag: str) -> None:
    """Each verdict but PASS has a problem of its sort, with type, text and the way to repeat it."""
    root = ET.fromstring(junit(results.result(verdict)))
    problems = [item for item in root.iter(tag) if item.get("type") == verdict.value]
    assert problems and all("again: chaoscheck run" in (item.text or "") for item in problems)
    assert not list(root.iter("skipped"))


def test_junit_of_a_pass_has_no_problem() -> None:
    """Green when, and only when, every gate passed."""
    root = ET.fromstring(junit(results.result()))
    assert root.get("failures") == root.get("errors") == "0"
    assert not list(root.iter("failure")) and not list(root.iter("error"))
    assert int(root.get("tests", "0")) == len(results.result().gates)


def test_junit_without_gates_still_tells_the_verdict() -> None:
    """A run that ended before judging is an error, not an empty (green) file."""
    root = ET.fromstring(junit(results.stillborn()[0]))
    assert [item.get("type") for item in root.iter("error")] == ["INVALID"]
    assert "not ready" in ET.tostring(root, encoding="unicode")


def test_junit_verdict_worse_than_all_gates_has_a_case_of_its_own() -> None:
    """Passed gates alone can't hide that the run itself isn't a PASS."""
    root = ET.fromstring(junit(replace(results.result(), verdict=Verdict.INCONCLUSIVE, interrupted=True)))
    assert [item.get("type") for item in root.iter("failure")] == ["INCONCLUSIVE"]


def test_junit_counts_are_those_of_its_cases() -> None:
    """The sums in each suite's head match what is in it."""
    root = ET.fromstring(junit(results.result(Verdict.INVALID)))
    for suite in root.iter("testsuite"):
        assert int(suite.get("tests", "")) == len(suite.findall("testcase"))
        assert int(suite.get("errors", "")) == len(list(suite.iter("error")))
        assert int(suite.get("failures", "")) == len(list(suite.iter("failure")))


def test_junit_names_are_unique() -> None:
    """GitLab drops the second case of a name."""
    made = results.result()
    doubled = replace(made, gates=(*made.gates, *made.gates))
    root = ET.fromstring(junit(doubled))
    names = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    assert len(names) == len(set(names)) == 2 * len(made.gates)


def test_junit_with_hostile_answers_is_well_formed() -> None:
    """Control characters, surrogates and markup of an answer neither break the XML nor vanish from it."""
    root = ET.fromstring(junit(results.result(Verdict.FAIL)))
    text = "".join(item.text or "" for item in root.iter("failure"))
    assert "<script>alert(1)</script>⟨ESC⟩[31mred⟨RLO⟩" in text and "curl -X POST" in text
