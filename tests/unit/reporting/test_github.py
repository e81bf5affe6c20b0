"""Annotations: at the plan's line, escaped so that no answer starts a command of its own, ten of a sort at most."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import results

from chaoscheck.model.verdict import Level, Verdict
from chaoscheck.reporting.github import MOST, commands

COMMAND = re.compile(r"::(error|warning|notice) (?:(?:file|line|title)=[^:,]*,?)+::[^\r\n]*")
FAILED = results.result(Verdict.FAIL)


def at(line: int) -> str:
    return f"memory.yaml:{line}"


def test_finding_is_an_error_at_its_promise() -> None:
    """A reviewer sees it beside the lines that promise it."""
    found = replace(FAILED.findings[0], place=at(12))
    told = commands(replace(FAILED, findings=(found,)), "plans/memory.yaml")
    assert told[0].startswith(
        "::error file=plans/memory.yaml,line=12,title=FAIL login%3A LOST%2C lost with the instance::"
    )
    assert "%0Afix: Keep sessions" in told[0]


def test_known_finding_is_a_warning_and_no_error() -> None:
    """It is there to be seen; a red mark would say that it failed the job."""
    known = tuple(replace(one, known="TICKET-1 (until 2099-01-01)", place=at(3)) for one in FAILED.findings)
    told = commands(replace(FAILED, findings=known, verdict=Verdict.PASS), "p.yaml")
    assert not [line for line in told if line.startswith("::error")]
    assert sum("title=KNOWN login" in line and "TICKET-1" in line for line in told) == 1
    assert told[-1].startswith("::notice file=p.yaml,title=chaoscheck%3A PASS::")


def test_gate_at_warn_is_a_warning() -> None:
    """What doesn't decide doesn't vanish."""
    passed = results.result()
    gates = [
        replace(one, verdict=Verdict.FAIL, level=Level.WARN) if one.group == "budget" else one for one in passed.gates
    ]
    told = commands(replace(passed, gates=tuple(gates), warnings=()), "")
    assert [line[: line.index("::", 2)] for line in told if line.startswith(("::error", "::warning"))] == [
        "::warning title=FAIL bad seconds a kill"
    ]


@pytest.mark.parametrize(("found", "last"), [(MOST, ""), (MOST + 1, "and 2 more"), (25, "and 16 more")])
def test_more_than_ten_are_ten_of_which_the_last_counts_the_rest(found: int, last: str) -> None:
    """GitHub drops the eleventh in silence; ten stand there themselves."""
    many = replace(FAILED, findings=FAILED.findings[:1] * found)
    errors = [line for line in commands(many, "p.yaml") if line.startswith("::error")]
    assert len(errors) == MOST
    assert last in errors[-1]
    assert ("more, in the job" in errors[-1]) is bool(last)


def test_run_without_gates_still_has_an_error() -> None:
    """No verdict but PASS goes without one."""
    assert commands(results.stillborn()[0], "")[0].startswith(
        "::error title=chaoscheck%3A INVALID::web-0.1 was not ready"
    )


@settings(deadline=None, max_examples=60)
@given(st.text() | st.text(alphabet="%:,\r\n=\x0b\x85\u2028a"), st.text(alphabet="%:,\r\n=a b\u2028"))
def test_hostile_text_is_one_command_of_ours(text: str, path: str) -> None:
    """Neither a new line nor a comma nor a colon lets an answer begin a command or a property."""
    found = replace(FAILED.findings[0], summary=text, promise=text, fix=text)
    for line in commands(replace(FAILED, findings=(found,), gates=(), warnings=(text,)), path):
        assert COMMAND.fullmatch(line), line
        assert len(line.splitlines()) == 1
