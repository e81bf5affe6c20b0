"""junit.xml: what CI systems show must never be greener than the verdict."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import results

from chaoscheck.model.verdict import Level, Result, Verdict
from chaoscheck.reporting.junit import junit


@pytest.mark.parametrize(
    ("verdict", "tag"), [(Verdict.FAIL, "failure"), (Verdict.INVALID, "error"), (Verdict.INCONCLUSIVE, "error")]
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
    assert [item.get("type") for item in root.iter("error")] == ["INCONCLUSIVE"]


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


COUNTS = {"name", "time", "tests", "failures", "errors"}
ALLOWED: dict[str, tuple[list[str], set[str]]] = {
    "testsuites": (["testsuite"], COUNTS),
    "testsuite": (["properties", "testcase", "system-out"], COUNTS | {"skipped", "timestamp"}),
    "properties": (["property"], set()),
    "property": ([], {"name", "value"}),
    "testcase": (["skipped", "error", "failure", "system-out"], {"classname", "name", "time"}),
    "skipped": ([], {"type", "message"}),
    "error": ([], {"type", "message"}),
    "failure": ([], {"type", "message"}),
    "system-out": ([], set()),
}
"""What the strict readers (Jenkins' xUnit plug-in) take: element -> its children in their order, and its attributes."""


def lenient() -> Result:
    """A failed run of which the plan lets everything pass."""
    failed = results.result(Verdict.FAIL)
    levels = {"budget": Level.WARN, "recovery": Level.OFF}
    gates = tuple(
        replace(one, known=187, verdict=Verdict.PASS, detail="known: TICKET-1 (until 2099-01-01)")
        if one.name == "login"
        else replace(one, level=levels[one.group], verdict=Verdict.INCONCLUSIVE)
        if one.group in levels
        else one
        for one in failed.gates
    )
    known = tuple(replace(one, known="TICKET-1 (until 2099-01-01)") for one in failed.findings)
    return replace(failed, verdict=Verdict.PASS, gates=gates, findings=known)


@pytest.mark.parametrize("result", [*map(results.result, Verdict), lenient(), results.stillborn()[0]])
def test_junit_keeps_to_what_strict_readers_take(result: Result) -> None:
    """An attribute or an order that a schema doesn't know makes Jenkins refuse the whole file."""
    for element in ET.fromstring(junit(result)).iter():
        children, attributes = ALLOWED[element.tag]
        assert set(element.keys()) <= attributes, element.tag
        order = [children.index(child.tag) for child in element]
        assert order == sorted(order), element.tag


def test_junit_of_known_warn_and_off_is_skipped_with_its_text() -> None:
    """Shown by every CI system, failing in none; never plainly green."""
    root = ET.fromstring(junit(lenient()))
    assert (root.get("failures"), root.get("errors")) == ("0", "0")
    skipped = {
        case.get("name"): case.find("skipped") for case in root.iter("testcase") if case.find("skipped") is not None
    }
    sorts = {name: item.get("type") for name, item in skipped.items() if item is not None}
    assert sorts == {"login": "KNOWN", "bad seconds a kill": "warn", "back within": "off"}
    login = skipped["login"]
    assert (
        login is not None
        and "TICKET-1 (until 2099-01-01)" in (login.text or "")
        and "curl -X POST" in (login.text or "")
    )
    assert sum(int(suite.get("skipped", "")) for suite in root.iter("testsuite")) == 3


def test_junit_of_a_gate_that_does_not_count_hides_no_verdict() -> None:
    """Where only a warn gate is as bad as the run, the run has a case of its own."""
    result = replace(lenient(), verdict=Verdict.INCONCLUSIVE)
    root = ET.fromstring(junit(result))
    assert [(case.get("name"), item.get("type")) for case in root.iter("testcase") for item in case.iter("error")] == [
        ("verdict", "INCONCLUSIVE")
    ]


@settings(deadline=None, max_examples=60)
@given(st.text())
def test_junit_of_any_text_can_be_read(text: str) -> None:
    """Whatever a service or a plan says, the file is whole and has as many cases."""
    made = results.result(Verdict.FAIL)
    gates = tuple(replace(one, actual=text, detail=text, name=text) for one in made.gates)
    found = tuple(replace(one, summary=text, known=text) for one in made.findings)
    root = ET.fromstring(junit(replace(made, gates=gates, findings=found, reason=text, command=text, plan=text)))
    assert len(list(root.iter("testcase"))) >= len(gates)
