"""junit.xml for CI systems: a suite for each group of gates, a case for each gate.

JUnit knows no "don't know", and a skipped case is green everywhere, so neither of the two that aren't a failure of the
service may be skipped: INVALID (the run can't be trusted) and INCONCLUSIVE (it shows too little) are <error>s of that
type, so that failures count what is broken and nothing else. What the plan keeps from deciding (a known finding, a gate
at warn or off) is <skipped>: every CI system shows that with its text, and none of them fails for it. So is what a run
that is red already had no time to show: one defect is one red case.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import ClassVar
from xml.etree import ElementTree as ET

from chaoscheck.model.events import Event
from chaoscheck.model.verdict import Gate, Level, Result, Verdict
from chaoscheck.reporting.base import REPORTERS
from chaoscheck.reporting.chain import finding_lines
from chaoscheck.reporting.text import one_line, visible
from chaoscheck.reporting.units import measured

_TAG = {Verdict.FAIL: "failure", Verdict.INCONCLUSIVE: "error", Verdict.INVALID: "error"}
SKIPPED = "skipped"


@REPORTERS.add("junit")
class JunitReporter:
    """GitLab shows the class name as the suite, reads the element's text and drops cases of one name."""

    name: ClassVar[str] = "junit"
    file: ClassVar[str] = "junit.xml"

    def write(self, result: Result, events: list[Event], folder: Path) -> Path:
        path = folder / self.file
        path.write_bytes(junit(result))
        return path


def junit(result: Result) -> bytes:
    """The document, UTF-8. It has a case that says so whenever the run isn't a PASS."""
    groups: dict[str, list[Gate]] = {}
    for gate in _gates(result):
        groups.setdefault(gate.group, []).append(gate)
    counts = _counts([gate for gates in groups.values() for gate in gates], result)
    # The schema that Jenkins checks against has no place for skipped ones here.
    del counts[SKIPPED]
    head = {"name": one_line(f"chaoscheck {result.plan}"), "time": f"{result.duration_s:.3f}"}
    root = ET.Element("testsuites", head | counts)
    for group, gates in groups.items():
        _suite(root, group, gates, result)
    ET.indent(root)
    text: str = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'.encode()


def _gates(result: Result) -> list[Gate]:
    """The gates, and one for the run itself where none that counts is as bad as the whole."""
    worst = max((gate.verdict.rank for gate in result.gates if gate.counts), default=-1)
    if worst >= result.verdict.rank:
        return list(result.gates)
    return [
        Gate(
            group="run",
            name="verdict",
            verdict=result.verdict,
            expected="PASS",
            actual=result.verdict.value,
            margin="",
            n=-1,
            detail=result.reason,
        ),
        *result.gates,
    ]


def _tag(gate: Gate, result: Result) -> str:
    """The element of what the gate has to tell; "" where it simply holds."""
    if gate.verdict is Verdict.INCONCLUSIVE and result.verdict is Verdict.FAIL:
        return SKIPPED
    if gate.counts and gate.verdict is not Verdict.PASS:
        return _TAG[gate.verdict]
    return SKIPPED if gate.verdict is not Verdict.PASS or gate.known else ""


def _suite(root: ET.Element, group: str, gates: list[Gate], result: Result) -> None:
    name = one_line(f"{result.plan}.{group}")
    took = result.duration_s if group == "promises" else 0.0
    head = {"name": name, "timestamp": one_line(result.started.removesuffix("Z")), "time": f"{took:.3f}"}
    suite = ET.SubElement(root, "testsuite", head | _counts(gates, result))
    properties = ET.SubElement(suite, "properties")
    for key, value in (("run", result.run), ("seed", str(result.seed)), ("command", result.command)):
        ET.SubElement(properties, "property", name=key, value=one_line(value))
    seen: Counter[str] = Counter()
    for gate in gates:
        label = one_line(gate.name)
        seen[label] += 1
        label = label if seen[label] == 1 else f"{label} ({seen[label]})"
        _case(ET.SubElement(suite, "testcase", classname=name, name=label, time="0"), gate, result)
    ET.SubElement(suite, "system-out").text = visible("\n".join(_where(result)))


def _case(case: ET.Element, gate: Gate, result: Result) -> None:
    tag = _tag(gate, result)
    if not tag:
        ET.SubElement(case, "system-out").text = visible(_brief(gate))
        return
    sort = "KNOWN" if gate.known and tag == SKIPPED else gate.verdict.value if gate.counts else gate.level.value
    problem = ET.SubElement(case, tag, type=sort, message=one_line(_brief(gate), 300))
    problem.text = visible(_text(gate, result))


def _counts(gates: list[Gate], result: Result) -> dict[str, str]:
    tags = Counter(_tag(gate, result) for gate in gates)
    return {
        "tests": str(len(gates)),
        "failures": str(tags["failure"]),
        "errors": str(tags["error"]),
        SKIPPED: str(tags[SKIPPED]),
    }


def _brief(gate: Gate) -> str:
    count = f", n = {gate.n}" if gate.n >= 0 else ""
    margin = f", margin {gate.margin}" if gate.margin else ""
    said = f"{measured(gate)}{margin}{count}"
    if gate.level is Level.OFF:
        return f"off: {said}"
    return f"{gate.verdict}{' (warn: it does not decide)' if not gate.counts and not gate.known else ''}: {said}"


def _text(gate: Gate, result: Result) -> str:
    """All that a reader of a CI page has: what was measured, the findings, how to run it again."""
    place = [f"plan: {gate.place}"] if gate.place else []
    lines = [_brief(gate), *([gate.detail] if gate.detail else []), *place]
    for finding in result.findings:
        if gate.group == "promises" and finding.promise == gate.name:
            known = [f"  known: {one_line(finding.known)}"] if finding.known else []
            lines += ["", *finding_lines(finding), *known]
    return "\n".join([*lines, "", *_where(result)])


def _where(result: Result) -> list[str]:
    return [f"again: {result.command}", f"seed: {result.seed}  run: {result.run}  report: {result.run}/report.html"]
