"""summary.md: what a reviewer needs, in the bytes that a comment may have, whatever the service answered."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from samples import results

from chaoscheck.model.verdict import Level, Verdict
from chaoscheck.reporting.markdown import LIMIT, markdown

FAILED = results.result(Verdict.FAIL)


def without_code(text: str) -> str:
    return re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", re.sub(r"^(`{3,})text$.*?^\1$", "", text, flags=re.M | re.S))


@pytest.mark.parametrize("verdict", list(Verdict))
def test_summary_tells_verdict_gates_evidence_and_how_to_repeat(verdict: Verdict) -> None:
    """In this order, for each verdict."""
    result = results.result(verdict)
    text = markdown(result)
    parts = [f"chaoscheck: {verdict}", "| verdict | group | gate |", "### Evidence", "Again: `chaoscheck run"]
    assert [text.index(part) for part in parts] == sorted(text.index(part) for part in parts)


def test_summary_of_a_fail_has_each_finding_with_fix_and_curl() -> None:
    """A reviewer needs no other page to see why."""
    text = markdown(FAILED)
    assert text.count("<details") - text.count("more gate") == len(FAILED.findings)
    assert text.count("<details") == text.count("</details>")
    assert "Fix: Keep sessions in a store" in text and "curl -X POST" in text


def test_summary_of_hostile_answers_has_their_markup_in_code_only() -> None:
    """No tag, mention or link of an answer is alive."""
    evil = "<script>alert(1)</script> @everyone [x](http://evil) | `` ``` ``` </details> \n# big"
    found = replace(FAILED.findings[0], summary=evil, fix=evil, promise=evil, anomaly=evil, known=evil, place=evil)
    gates = tuple(replace(one, actual=evil, name=evil, expected=evil) for one in FAILED.gates)
    promises = tuple(replace(one, promise=evil) for one in FAILED.promises)
    text = markdown(replace(FAILED, findings=(found,), gates=gates, promises=promises, reason=evil, warnings=(evil,)))
    bare = re.sub(r"<code>[^<>]*</code>", "", without_code(text))
    assert not re.search(r"@|\]\(|://|<script|<(?!/?(details|summary))|^# ", bare, re.M), bare
    assert bare.count("<details") == bare.count("</details>")
    widths = {line.count("|") for line in text.splitlines() if line.startswith(("| ✅", "| ❌"))}
    assert widths == {8}


def test_summary_of_many_findings_stays_within_a_comment_and_counts_the_rest() -> None:
    """GitHub drops a comment that is too long, whole."""
    many = replace(FAILED, findings=FAILED.findings * 300)
    text = markdown(many)
    assert LIMIT / 2 < len(text.encode()) <= LIMIT
    assert re.search(r"\n\d+ more findings: see report.html", text)
    assert "Again: `chaoscheck run" in text


def test_summary_of_a_thousand_gates_gives_way_to_the_verdict() -> None:
    """The sentence and the way to repeat it are never what is cut."""
    text = markdown(replace(FAILED, gates=FAILED.gates * 300))
    assert len(text.encode()) <= LIMIT and "chaoscheck: FAIL" in text and "Again: `chaoscheck run" in text


def test_summary_says_known_warn_and_off() -> None:
    """What doesn't decide is marked, not hidden among what passed."""
    passed = results.result()
    login, budget, back = (
        next(one for one in passed.gates if one.group == name) for name in ("promises", "budget", "recovery")
    )
    gates = (
        replace(login, known=345),
        replace(budget, level=Level.WARN, verdict=Verdict.FAIL),
        replace(back, level=Level.OFF, verdict=Verdict.INCONCLUSIVE),
    )
    text = markdown(replace(passed, gates=gates))
    for said in ("| KNOWN, else PASS | promises", "| FAIL (warn) | budget", "| off | recovery"):
        assert said in text


def test_pass_of_which_something_was_left_out_is_not_plainly_green() -> None:
    """Who only looks at the sign sees that too."""
    passed = results.result()
    assert markdown(passed).startswith("## ✅ chaoscheck: PASS")
    gates = (replace(passed.gates[0], known=1), *passed.gates[1:])
    assert markdown(replace(passed, gates=gates)).startswith("## 🟡 chaoscheck: PASS")


def test_what_is_only_missing_beside_a_fail_is_folded_away() -> None:
    """It matters little there; beside an INCONCLUSIVE it is the whole story."""
    failed = results.result(Verdict.FAIL)
    gates = tuple(
        replace(one, verdict=Verdict.INCONCLUSIVE) if one.group == "coverage" else one for one in failed.gates
    )
    for verdict, folded in ((Verdict.FAIL, True), (Verdict.INCONCLUSIVE, False)):
        text = markdown(replace(failed, gates=gates, verdict=verdict))
        assert (text.index("every slot died") > text.index("more gate")) is folded
