"""junit.xml for CI systems: a suite for each group of gates, a case for each gate.

JUnit knows no "don't know", and a skipped case is green everywhere, so neither of the two that aren't a failure of the
service may be skipped: INVALID (the run can't be trusted) is an <error>, INCONCLUSIVE a <failure> of that type.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import ClassVar
from xml.etree import ElementTree as ET

from chaoscheck.model.events import Event
from chaoscheck.model.verdict import Gate, Result, Verdict
from chaoscheck.reporting.base import REPORTERS
from chaoscheck.reporting.chain import finding_lines
from chaoscheck.reporting.text import one_line, visible

_TAG = {Verdict.FAIL: "failure", Verdict.INCONCLUSIVE: "failure", Verdict.INVALID: "error"}


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
    every = [gate for gates in groups.values() for gate in gates]
    root = ET.Element(
        "testsuites",
        {"name": one_line(f"chaoscheck {result.plan}"), "time": f"{result.duration_s:.3f}"} | _counts(every),
    )
    for group, gates in groups.items():
        _suite(root, group, gates, result)
    ET.indent(root)
    text: str = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'.encode()


def _gates(result: Result) -> list[Gate]:
    """The gates, and one for the run itself where none of them is as bad as the whole."""
    worst = max((gate.verdict.rank for gate in result.gates), default=-1)
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


def _suite(root: ET.Element, group: str, gates: list[Gate], result: Result) -> None:
    name = one_line(f"{result.plan}.{group}")
    head = {"name": name, "timestamp": one_line(result.started.removesuffix("Z")), "time": "0"}
    suite = ET.SubElement(root, "testsuite", head | _counts(gates))
    properties = ET.SubElement(suite, "properties")
    for key, value in (("run", result.run), ("seed", str(result.seed)), ("command", result.command)):
        ET.SubElement(properties, "property", name=key, value=one_line(value))
    seen: Counter[str] = Counter()
    for gate in gates:
        label = one_line(gate.name)
        seen[label] += 1
        label = label if seen[label] == 1 else f"{label} ({seen[label]})"
        case = ET.SubElement(suite, "testcase", classname=name, name=label, time="0")
        if gate.verdict in _TAG:
            problem = ET.SubElement(
                case, _TAG[gate.verdict], type=gate.verdict.value, message=one_line(_brief(gate), 300)
            )
            problem.text = visible(_text(gate, result))
        else:
            ET.SubElement(case, "system-out").text = visible(_brief(gate))


def _counts(gates: list[Gate]) -> dict[str, str]:
    tags = Counter(_TAG.get(gate.verdict) for gate in gates)
    return {"tests": str(len(gates)), "failures": str(tags["failure"]), "errors": str(tags["error"]), "skipped": "0"}


def _brief(gate: Gate) -> str:
    count = f", n = {gate.n}" if gate.n >= 0 else ""
    margin = f", margin {gate.margin}" if gate.margin else ""
    return f"{gate.verdict}: expected {gate.expected}; was {gate.actual}{margin}{count}"


def _text(gate: Gate, result: Result) -> str:
    """All that a reader of a CI page has: what was measured, the findings, how to run it again."""
    lines = [_brief(gate), *([gate.detail] if gate.detail else [])]
    for finding in result.findings:
        if gate.group == "promises" and finding.promise == gate.name.split(":")[0].split(" ")[0]:
            lines += ["", *finding_lines(finding)]
    return "\n".join([*lines, "", f"again: {result.command}", f"seed: {result.seed}  run: {result.run}"])
